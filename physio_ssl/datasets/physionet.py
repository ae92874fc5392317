"""Readers of WFDB records, PhysioNet's format, and of its drivers under stress."""

import warnings
from math import ceil
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._channels import choose_channels
from ._common import explain_errors, import_library, open_file, read_file
from ._wfdb_header import parse_header
from .reading import choose_signals, find_paths, read_subjects

_PACKED = {  # samples and bytes of one unit in each of WFDB's formats; None if it is compressed
    **{"8": (1, 1), "16": (1, 2), "24": (1, 3), "32": (1, 4), "61": (1, 2), "80": (1, 1)},
    **{"160": (1, 2), "212": (2, 3), "310": (3, 4), "311": (3, 4)},
    **{"508": None, "516": None, "524": None},
}
_DRIVEDB = {
    **{"ecg": "ECG", "emg": "EMG", "eda_foot": "foot GSR", "eda_hand": "hand GSR"},
    **{"hr": "HR", "marker": "marker", "resp": "RESP"},
}


def _choose_channels(header, signals, path):
    """Map the modalities to the indices of their signals in the header."""
    chosen = choose_channels([signal.name for signal in header.signals], signals, path)
    for modality, indices in chosen.items():
        if len({header.signals[index].samples_per_frame for index in indices}) > 1:
            wanted = [header.signals[index].name for index in indices]
            raise ValueError(f"{modality!r} must have one sampling rate, got {wanted} of {path}.")
    return chosen


def _check_files(header, path):
    """Raise if the files of the samples are missing, or not as long as the header says."""
    for name in dict.fromkeys(signal.file for signal in header.signals):
        file, lines = path.with_name(name), [line for line in header.signals if line.file == name]
        formats = {line.format for line in lines}
        if len(formats) > 1 or not formats <= _PACKED.keys():
            raise ValueError(
                f"{name} of {path} must have one format of {[*_PACKED]}, got {sorted(formats)}."
            )
        if not file.exists():
            raise ValueError(f"{path.parent} must hold {name}, which {path.name} names.")
        open_file(file).close()  # wfdb would wait for a pipe
        unit = _PACKED[formats.pop()]
        if not unit:
            continue  # wfdb checks the length of compressed samples
        per_frame, n_bytes = sum(line.samples_per_frame for line in lines), file.stat().st_size
        n_bytes -= lines[0].offset
        n_frames = header.n_frames or max(1, n_bytes * unit[0] // (unit[1] * per_frame))
        fewest = ceil(n_frames * per_frame * unit[1] / unit[0])
        most = ceil(n_frames * per_frame / unit[0]) * unit[1]  # the last unit may be whole
        if not fewest <= n_bytes <= most:
            raise ValueError(
                f"{file} must have {fewest} bytes for {n_frames} frames, got {n_bytes}: it is cut "
                f"off, written twice, or of another header."
            )


def _check_digital(samples, line, path):
    """Raise if digital samples contradict the first sample and checksum in the header."""
    total = int(samples.sum(dtype=np.int64))
    # Before format 8, which holds differences, the first sample is another.
    wrong_start = line.format != "8" and samples[0] != line.first
    if wrong_start or (total - line.checksum) % 2**16:
        raise ValueError(
            f"Samples of {line.name!r} must fit their first value and checksum in {path}, "
            f"{line.first} and {line.checksum % 2**16}, got {samples[0]} and {total % 2**16}: file "
            "or header were changed."
        )


def _read_samples(header, indices, path):
    """Map the indices of signals to their samples, in physical units."""
    wfdb, name = import_library("wfdb"), str(path.with_suffix("").absolute())
    lines = [header.signals[index] for index in indices]
    with explain_errors(path, "a WFDB record"):
        record = wfdb.rdrecord(
            name, channels=indices, smooth_frames=False, physical=False, return_res=32
        )
        physical = record.dac(expanded=True, return_res=32)
    read = list(zip(record.adc_gain, record.baseline, strict=True))
    stated = [(line.gain, line.baseline) for line in lines]
    if read != stated:  # wfdb skips what it cannot parse
        raise ValueError(
            f"{path} must state gains and baselines as wfdb reads them, {read}, got {stated}."
        )
    for line, digital, samples in zip(lines, record.e_d_signal, physical, strict=True):
        # Packed formats mark an invalid sample by another value than the checksum counts.
        if line.checksum is not None and (line.format == "16" or np.isfinite(samples).all()):
            _check_digital(digital, line, path)
        if not line.calibrated:
            message = f"not calibrated: WFDB takes {line.gain:g} digital units per {line.unit}"
            warnings.warn(f"{line.name!r} of {path} is {message}.", stacklevel=3)
    return dict(zip(indices, physical, strict=True))


def load_wfdb(path, signals=None, *, subject=None):
    """Read one record of WFDB, the format of PhysioNet, each signal at its own rate.

    Parameters
    ----------
    path : str or path-like
        The record's header, or its path without the ending ``.hea``. All files that the header
        names must lie in its folder.
    signals : sequence of str, or mapping from str to str or sequence of str, default=None
        Signals to read, named as in the header, in lower case and with underscores: "foot GSR" is
        "foot_gsr"; None for all. A mapping gives other names to one signal of the header, or to
        several of the same rate, which become channels: ``{"ecg": ("I", "II"), "resp": "RESP"}``.
    subject : str, default=None
        Who was recorded; None for the name of the record.

    Returns
    -------
    Recording
        The signals, as float32, in the units of the header; WFDB takes mV for a signal without one.
        Samples marked as invalid, such as gaps, are NaN, which ``make_windows`` drops. Annotation
        files are not read, and ``start_time`` is None, as headers do not state the time zone.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If a file is missing, cut off, longer than the header says, malformed, of several segments
        or outside the header's folder, if samples contradict a checksum or first sample in the
        header (a checksum of 0 counts as none), if there is no such signal, or if wfdb is not
        installed.

    Warns
    -----
    UserWarning
        If a signal has no gain, or the header does not end with a whole line.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl.datasets import load_wfdb
    >>> recording = load_wfdb("drive01")  # doctest: +SKIP
    """
    path = Path(path)
    path = path if path.suffix == ".hea" else path.parent / f"{path.name}.hea"
    header = parse_header(read_file(path), path)
    chosen = _choose_channels(header, signals, path)
    _check_files(header, path)
    samples = _read_samples(header, sorted({index for i in chosen.values() for index in i}), path)
    signals = {name: np.stack([samples[i] for i in indices]) for name, indices in chosen.items()}
    per_frame = {name: header.signals[i].samples_per_frame for name, (i, *_) in chosen.items()}
    rates = {name: header.frame_rate * count for name, count in per_frame.items()}
    return Recording(signals, rates, path.stem if subject is None else subject)


def load_drivedb(path, subjects=None, signals=None, *, n_jobs=None):
    """Read drivedb: physiology of people who drive through a city and on highways.

    The files do not say who drove [1]_: each drive counts as a subject, so two drives of one person
    may get to both sides of a split. drive17a and drive17b are parts of the subject "drive17". The
    signal "marker" has the bounds of rest, city and highways, without names.

    Parameters
    ----------
    path : str or path-like
        Folder with ``drive01.hea``, ``drive01.dat`` and so on.
    subjects : sequence of str, default=None
        Drives to read, such as ``("drive01", "drive17")``; None for all.
    signals : sequence of str, default=None
        Signals to read: "ecg" and "emg" (mV), "eda_foot" and "eda_hand" (microsiemens, by their
        size), "hr" (beats per minute), "marker" and "resp" (units not stated); None for all, which
        not every drive has.
    n_jobs : int, default=None
        Number of records read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each record, sorted by name, as :func:`load_wfdb` reads it.
        Resample them before you cut windows: rates differ (ECG 480 Hz in drive17a, 496 Hz in
        drive17b). Headers state the heart rate's unit only: mV, which WFDB takes, is wrong for EDA,
        respiration, marker.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If a drive is missing or malformed, or has not all of the signals, or wfdb is not installed.

    See Also
    --------
    fetch_drivedb : Download the files.

    References
    ----------
    .. [1] Healey, J. A., & Picard, R. W. (2005). Detecting stress during real-world driving tasks.
       IEEE Transactions on Intelligent Transportation Systems, 6(2), 156-166.

    Examples
    --------
    >>> from physio_ssl.datasets import load_drivedb
    >>> recordings = load_drivedb("drivedb")  # doctest: +SKIP
    """
    wanted = {name: _DRIVEDB[name] for name in choose_signals(signals, _DRIVEDB)}
    found = find_paths(path, r"(drive\d\d)[a-z]?\.hea", "drives, drive01.hea and so on")

    def load(subject, header):
        return load_wfdb(header, wanted, subject=subject)

    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
