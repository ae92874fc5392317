"""Reader of EEGMAT: ECG at rest and in mental arithmetic."""

from pathlib import Path

import numpy as np

from .._check import check_sampling_rate
from ..containers import Recording
from ._open import import_library
from .reading import choose_signals, choose_subjects, find_paths, open_file, read_subjects

_CONDITIONS = {"1": "rest", "2": "arithmetic"}  # by the number at the end of a file's name
_PER_MILLIVOLT = {"V": 1e-3, "mV": 1, "uV": 1e3}
_HEADER = 256  # bytes, for the file and again for each signal


def _find_files(path, subjects):
    """Return the two files of each chosen subject, from the folder or its folder data."""
    places = [place for place in (path, path / "data") if any(place.glob("Subject*.edf"))]
    place = places[0] if places else path
    expected = "the files of EEGMAT, Subject00_1.edf to Subject35_2.edf, or a folder data with them"
    found = find_paths(place, r"(Subject\d\d)_[12]\.edf", expected)
    chosen = choose_subjects(subjects, found, place)
    for name, paths in chosen.items():
        if len(paths) < len(_CONDITIONS):
            raise ValueError(
                f"{place} must hold {name}_1.edf (rest) and {name}_2.edf (arithmetic), found "
                f"{paths[0].name} only."
            )
    return chosen


def _read_field(data, start, length, kind, what, path):
    """Return one number of an EDF header."""
    field = data[start : start + length].decode(errors="replace").strip()
    try:
        return kind(field)
    except ValueError:
        raise ValueError(
            f"{path} must be an EDF file with {what} in its header, got {field[:60]!r}."
        ) from None


def _check_length(data, path):
    """Raise if the bytes are no EDF file, or fewer or more than its header says."""
    if len(data) < _HEADER or data[:8].strip() != b"0":
        raise ValueError(
            f"{path} must be an EDF file, which starts with 0 and seven spaces, got {len(data)} "
            f"bytes that start with {data[:8]!r}."
        )
    if data[192:197] == b"EDF+D":
        raise ValueError(f"{path} must be continuous, got EDF+D, which has gaps in time.")
    n_signals = _read_field(data, 252, 4, int, "the number of signals", path)
    n_records = _read_field(data, 236, 8, int, "the number of data records", path)
    duration = _read_field(data, 244, 8, float, "the duration of a data record", path)
    if n_signals < 1 or n_records < 1 or not (np.isfinite(duration) and duration > 0):
        raise ValueError(
            f"{path} must have one or more signals and data records, which last longer than "
            f"0 s, got {n_signals} signals and {n_records} data records of {duration:g} s."
        )
    n_bytes = _HEADER * (n_signals + 1)
    if len(data) < n_bytes:
        raise ValueError(
            f"{path} is cut off: its header must have {n_bytes} bytes, got {len(data)}."
        )
    counts = [
        _read_field(data, start, 8, int, "the samples in a data record", path)
        for start in range(_HEADER + 216 * n_signals, _HEADER + 224 * n_signals, 8)
    ]
    if min(counts) < 0:
        raise ValueError(f"{path} must have 0 or more samples in a data record, got {counts}.")
    n_bytes += 2 * n_records * sum(counts)
    if len(data) != n_bytes:
        raise ValueError(
            f"{path} is cut off or has a wrong header: it must have {n_bytes} bytes for its "
            f"{n_records} data records, got {len(data)}."
        )


def _read_ecg(path):
    """Return the ECG of a file, in mV, and its sampling rate."""
    edfio = import_library("edfio")
    with open_file(path) as file:
        data = file.read()
    _check_length(data, path)
    try:
        file = edfio.read_edf(data)
        found = [signal for signal in file.signals if "ECG" in signal.label.upper()]
        if len(found) != 1:
            labels = ", ".join(signal.label for signal in file.signals)
            raise ValueError(f"it must have one signal with ECG in its label, got {labels}")
        (signal,) = found
        low, high = signal.physical_min, signal.physical_max
        ranges = [high - low, signal.digital_max - signal.digital_min]
        if not all(np.isfinite(ranges)) or 0 in ranges:
            raise ValueError(
                f"the range of the ECG must be more than 0 and finite, got {low} to {high}, from "
                f"{signal.digital_min} to {signal.digital_max} in digital units"
            )
        unit = signal.physical_dimension
        if unit not in _PER_MILLIVOLT:
            raise ValueError(f"the ECG must be in {', '.join(_PER_MILLIVOLT)}, got {unit!r}")
        rate = check_sampling_rate(signal.sampling_frequency, "the sampling rate of the ECG")
        ecg = signal.data / _PER_MILLIVOLT[unit]
    except (ValueError, ArithmeticError, LookupError, NameError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a file of EEGMAT: {error}.") from error
    return ecg.astype(np.float32), rate


def _load_file(subject, path):
    """Read one file, of one subject in one condition."""
    ecg, rate = _read_ecg(path)
    condition = _CONDITIONS[path.stem[-1]]
    stages = {"onset": [0], "duration": [len(ecg) / rate], "description": [condition]}
    return Recording({"ecg": ecg}, {"ecg": rate}, subject, stages)


def load_eegmat(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the ECG of EEGMAT: at rest, and in mental arithmetic.

    Each subject rested for three minutes and then subtracted a number over and over for
    one [1]_. Rest always comes first, so order goes along with condition. Every file has a
    range of its own, by which its ECG was made digital: compare amplitudes within a file
    only. Some files hold no heartbeat, such as those at rest of Subject02 and Subject13 and
    that in arithmetic of Subject20. They are read as all others.

    Parameters
    ----------
    path : str or path-like
        Folder with the files ``Subject00_1.edf`` (rest), ``Subject00_2.edf`` (arithmetic)
        and so on, in it or in its folder ``data``. They may hold EEG too, as the published
        files do: it is not read.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("Subject00", "Subject01")``; by default all.
    signals : sequence of str, default=None
        Signals to read: there is "ecg" only, in mV.
    n_jobs : int, default=None
        Number of files read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        Two recordings for each subject, first the one at rest, sorted by subject. The signal
        is "ecg", as float32, in mV, at the file's rate (500 Hz). The annotation "rest" or
        "arithmetic" spans the whole recording. ``start_time`` is None, as the files' dates
        are made up.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ImportError
        If edfio is not installed.
    ValueError
        If a file is missing, cut off or malformed, or has no ECG or more than one.

    References
    ----------
    .. [1] Zyma, I., Tukaev, S., Seleznov, I., et al. (2019). Electroencephalograms during
       mental arithmetic task performance. Data, 4(1), 14.

    Examples
    --------
    >>> from physio_ssl.datasets import load_eegmat
    >>> from physio_ssl.windows import StageLabels, make_windows  # doctest: +SKIP
    >>> recordings = load_eegmat("eegmat")  # doctest: +SKIP
    >>> labels = StageLabels({"rest": 0, "arithmetic": 1})  # doctest: +SKIP
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    choose_signals(signals, ("ecg",))
    found = _find_files(Path(path), subjects)
    return read_subjects(_load_file, found, place=path, n_jobs=n_jobs)
