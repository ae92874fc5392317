"""Reader of EEGMAT: ECG at rest and in mental arithmetic."""

import re
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from .._check import check_sampling_rate
from ..containers import Recording
from ._trials import choose_subjects

_CONDITIONS = {"1": "rest", "2": "arithmetic"}  # by the number at the end of a file's name
_PER_MILLIVOLT = {"V": 1e-3, "mV": 1, "uV": 1e3}
_HEADER = 256  # bytes, for the file and again for each signal


def _import_edfio():
    """Return the library that reads EDF, or say how to install it."""
    try:
        import edfio
    except ImportError as error:
        raise ImportError('load_eegmat needs edfio: pip install "physio_ssl[data]".') from error
    return edfio


def _find_subjects(folder, subjects):
    """Return the two files of each subject, sorted, from the folder or its folder data."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    for place in (folder, folder / "data"):
        found = {}
        for path in sorted(place.glob("Subject*.edf")):
            if match := re.fullmatch(r"(Subject\d\d)_([12])\.edf", path.name):
                found.setdefault(match[1], {})[match[2]] = path
        if found:
            break
    else:
        raise ValueError(
            f"{folder}, or its folder data, must hold the files of EEGMAT, Subject00_1.edf to "
            "Subject35_2.edf, found none."
        )
    chosen = choose_subjects(found, subjects, place)
    for name, paths in chosen.items():
        if len(paths) < len(_CONDITIONS):
            raise ValueError(
                f"{place} must hold {name}_1.edf (rest) and {name}_2.edf (arithmetic), found "
                f"{', '.join(path.name for path in paths.values())} only."
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
            f"{path} must be an EDF file, which starts with 0 and seven spaces, got "
            f"{len(data)} bytes that start with {data[:8]!r}."
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
    if len(data) < _HEADER * (n_signals + 1):
        raise ValueError(
            f"{path} is cut off: the header of {n_signals} signals has "
            f"{_HEADER * (n_signals + 1)} bytes, got {len(data)}."
        )
    counts = [
        _read_field(data, start, 8, int, "the samples in a data record", path)
        for start in range(_HEADER + 216 * n_signals, _HEADER + 224 * n_signals, 8)
    ]
    if min(counts) < 0:
        raise ValueError(f"{path} must have 0 or more samples in a data record, got {counts}.")
    expected = _HEADER * (n_signals + 1) + 2 * n_records * sum(counts)
    if len(data) != expected:
        raise ValueError(
            f"{path} is cut off or has a wrong header: it must have {expected} bytes for the "
            f"{n_records} data records in its header, got {len(data)}."
        )


def _read_ecg(path):
    """Return the ECG of a file, in mV, and its sampling rate."""
    edfio = _import_edfio()
    data = path.read_bytes()
    _check_length(data, path)
    try:
        file = edfio.read_edf(data)
        found = [signal for signal in file.signals if "ECG" in signal.label.upper()]
        if len(found) != 1:
            labels = ", ".join(signal.label for signal in file.signals)
            raise ValueError(f"it must have one signal with ECG in its label, got {labels}")
        (signal,) = found
        ranges = [signal.physical_max - signal.physical_min]
        ranges += [signal.digital_max - signal.digital_min]
        if not all(np.isfinite(ranges)) or 0 in ranges:
            raise ValueError(
                "the range of the ECG must be more than 0 and finite, got "
                f"{signal.physical_min} to {signal.physical_max}, from {signal.digital_min} to "
                f"{signal.digital_max} in digital units"
            )
        if signal.physical_dimension not in _PER_MILLIVOLT:
            raise ValueError(
                f"the ECG must be in {', '.join(_PER_MILLIVOLT)}, got {signal.physical_dimension!r}"
            )
        rate = check_sampling_rate(signal.sampling_frequency, "the sampling rate of the ECG")
        ecg = signal.data / _PER_MILLIVOLT[signal.physical_dimension]
    except (ValueError, ArithmeticError, LookupError, NameError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a file of EEGMAT: {error}.") from error
    return ecg.astype(np.float32), rate


def _load_file(path, subject, condition):
    """Read one file, of one subject in one condition."""
    ecg, rate = _read_ecg(path)
    stages = {"onset": [0], "duration": [len(ecg) / rate], "description": [condition]}
    return Recording({"ecg": ecg}, {"ecg": rate}, subject, stages)


def load_eegmat(folder, subjects=None, n_jobs=None):
    """Read the ECG of EEGMAT: at rest, and in mental arithmetic.

    Each subject rested for three minutes and then subtracted a number over and over for
    one [1]_. Rest always comes first, so order goes along with condition. Every file has a
    range of its own, by which its ECG was made digital: compare amplitudes within a file
    only. Some files hold no heartbeat: those at rest of Subject02 and Subject13, and that
    in arithmetic of Subject20, among them. They are read as all others.

    Parameters
    ----------
    folder : str or path-like
        Folder with the files ``Subject00_1.edf`` (rest), ``Subject00_2.edf`` (arithmetic)
        and so on, in it or in its folder ``data``. They may hold EEG too, as the published
        files do: it is not read.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("Subject00", "Subject01")``; by default all.
    n_jobs : int, default=None
        Number of files read at the same time, in threads; None is one, -1 is one for each
        processor.

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
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import load_eegmat
    >>> recordings = load_eegmat("eegmat")  # doctest: +SKIP
    >>> labels = StageLabels({"rest": 0, "arithmetic": 1})
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    chosen = _find_subjects(Path(folder), subjects)
    return Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_load_file)(path, subject, _CONDITIONS[number])
        for subject, paths in chosen.items()
        for number, path in sorted(paths.items())
    )
