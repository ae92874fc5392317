"""Reader of the CinC Challenge 2017: short ECG of a handheld device, with four rhythms."""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._wfdb_header import parse_header
from .reading import choose_signals, choose_subjects, open_files, read_subjects

_ZIP, _FOLDER = "training2017.zip", "training2017"
_LABELS = {"N": "normal", "A": "AF", "O": "other", "~": "noisy"}
_MATRIX = 30  # MATLAB's number for a matrix of int16, little-endian
_MATRIX_HEADER = 24  # bytes, with the name
_INVALID = -32768  # WFDB's digital value of a sample that is not known


def _find_container(path):
    """Return the folder or zip file that has the recordings: this one, or one in it."""
    if path.is_dir() and not any(path.glob("*.hea")):
        inner = [path / name for name in (_FOLDER, _ZIP) if (path / name).exists()]
        return inner[0] if inner else path
    return path


def _by_name(files, path):
    """Map the names of files, which must differ, to their paths."""
    names = {}
    for file in files:
        if names.setdefault(file.name, file) != file:
            raise ValueError(
                f"Files in {path} must have different names, got {file} and {names[file.name]}."
            )
    return names


def _newest_reference(files, path):
    """Return the name of the newest of the references: v3, v2, the plain one, the original."""
    names = ("REFERENCE-v3.csv", "REFERENCE-v2.csv", "REFERENCE.csv", "REFERENCE-original.csv")
    for name in names:
        if name in files:
            return name
    raise ValueError(
        f"{path} must hold the recordings' labels, {names[0]}, found no REFERENCE*.csv."
    )


def _read_labels(files, read, path, reference):
    """Map the records to their labels."""
    reference = _newest_reference(files, path) if reference is None else reference
    if reference not in files:
        raise ValueError(f"{path} must hold the reference, got none named {reference!r}.")
    lines = read(files[reference]).decode(errors="replace").splitlines()
    labels = {}
    for number, row in enumerate(csv.reader(lines), start=1):
        if len(row) != 2 or row[1] not in _LABELS or row[0] in labels:
            raise ValueError(
                f"Line {number} of {path / reference} must hold one record and its label, of "
                f"{', '.join(_LABELS)}, and no record twice, got {','.join(row)[:60]!r}."
            )
        labels[row[0]] = _LABELS[row[1]]
    return labels


def _parse_matrix(data, path):
    """Return the samples in a MATLAB v4 file, in digital units."""
    kind, n_rows, n_times, is_complex, name_length = (
        np.frombuffer(data, "<i4", 5) if len(data) >= _MATRIX_HEADER else [-1] * 5
    )
    if (kind, n_rows, is_complex, name_length, data[20:24]) != (_MATRIX, 1, 0, 4, b"val\0"):
        raise ValueError(
            f"{path} must be a MATLAB v4 file of one row of int16, named val, got {len(data)} "
            "bytes of something else."
        )
    expected = _MATRIX_HEADER + 2 * int(n_times)
    if len(data) != expected:
        raise ValueError(
            f"{path} must hold {n_times} samples in {expected} bytes, got {len(data)} bytes."
        )
    return np.frombuffer(data, "<i2", offset=_MATRIX_HEADER)


def _load_record(name, label, files, read, path):
    """Read one record."""
    file = path / f"{name}.mat"
    if file.name not in files:
        raise ValueError(f"{path} must hold {file.name}, the samples of {name}.hea.")
    header = parse_header(read(files[f"{name}.hea"]), path / f"{name}.hea")
    signal, *others = header.signals
    found = signal.file, signal.format, signal.unit, signal.calibrated
    if others or found != (file.name, "16", "mV", True):
        raise ValueError(
            f"{path / name}.hea must be of one signal, in {file.name}, of format 16 and with a "
            f"gain per mV, got {len(header.signals)}, the first in {signal.file}, of format "
            f"{signal.format} and with {'a' if signal.calibrated else 'no'} gain per {signal.unit}."
        )
    samples = _parse_matrix(read(files[file.name]), file)
    # Many headers give another first sample and checksum than there are: not compared.
    if len(samples) != header.n_frames:
        raise ValueError(
            f"{file} must hold the {header.n_frames} samples of its header, got {len(samples)}."
        )
    ecg = (samples - np.float32(signal.baseline)) / np.float32(signal.gain)
    ecg[samples == _INVALID] = np.nan
    stages = {"onset": [0], "duration": [len(ecg) / header.frame_rate], "description": [label]}
    return Recording({"ecg": ecg}, {"ecg": header.frame_rate}, name, stages)


def load_cinc2017(path, subjects=None, signals=None, *, reference=None, n_jobs=None):
    """Read the CinC Challenge 2017: normal rhythm, atrial fibrillation, other and noise.

    The challenge [1]_ is of single-lead ECG, 9 to 61 s long, that people took of themselves
    with a handheld device. It does not say who they were: each recording counts as a subject,
    so two recordings of one person may get to both sides of a split.

    Parameters
    ----------
    path : str or path-like
        The file ``training2017.zip``, the folder with the files from it, or the folder that
        has one of both. The zip file is read in memory, nothing is extracted.
    subjects : sequence of str, default=None
        Recordings to read, such as ``("A00001", "A00002")``; by default all.
    signals : sequence of str, default=None
        Signals to read: there is "ecg" only, in mV.
    reference : str, default=None
        Name of the file of labels, among the recordings. The labels were revised; by default
        they come from the first of ``REFERENCE-v3.csv``, ``REFERENCE-v2.csv``,
        ``REFERENCE.csv`` and ``REFERENCE-original.csv`` that is there.
    n_jobs : int, default=None
        Number of recordings read at the same time, in threads, as in joblib. They are small:
        more than one is hardly faster.

    Returns
    -------
    list of Recording
        One recording for each record, sorted by name, which is its subject. The signal is
        "ecg", as float32, in mV by the header's gain, at the header's rate (300 Hz). The
        annotation "normal", "AF", "other" or "noisy" spans the whole recording. Samples
        marked as invalid are NaN; :func:`~physio_ssl.make_windows` leaves out windows with
        them.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If a recording, its header or label is missing or malformed.

    References
    ----------
    .. [1] Clifford, G. D., Liu, C., Moody, B., et al. (2017). AF classification from a short
       single lead ECG recording: the PhysioNet/Computing in Cardiology Challenge 2017.
       Computing in Cardiology.

    Examples
    --------
    >>> from physio_ssl.datasets import load_cinc2017
    >>> from physio_ssl.windows import StageLabels, make_windows  # doctest: +SKIP
    >>> recordings = load_cinc2017("training2017.zip")  # doctest: +SKIP
    >>> labels = StageLabels({"normal": 0, "AF": 1})  # doctest: +SKIP
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    choose_signals(signals, ("ecg",))
    path = _find_container(Path(path))
    with open_files(path) as (files, read):
        files = _by_name(files, path)
        records = sorted(name.removesuffix(".hea") for name in files if name.endswith(".hea"))
        if not records:
            raise ValueError(f"{path} must hold recordings, A00001.hea and so on, found none.")
        labels = _read_labels(files, read, path, reference)
        found = {name: labels.get(name) for name in records}
        chosen = choose_subjects(subjects, found, path)
        if missing := [name for name, label in chosen.items() if label is None]:
            raise ValueError(
                f"The labels in {path} must be of all recordings, got none of "
                f"{', '.join(missing[:10])}."
            )
        load = partial(_load_record, files=files, read=read, path=path)
        return read_subjects(load, chosen, place=path, n_jobs=n_jobs)
