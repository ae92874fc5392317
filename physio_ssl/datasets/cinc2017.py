"""Reader of the CinC Challenge 2017: short ECG of a handheld device, with four rhythms."""

import csv
import struct
from functools import partial
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import decode_text, open_files
from ._wfdb_header import parse_header
from .reading import choose_signals, read_subjects

_LABELS = {"N": "normal", "A": "AF", "O": "other", "~": "noisy"}
_REFERENCES = [f"REFERENCE{version}.csv" for version in ("-v3", "-v2", "", "-original")]
_MATRIX = 30  # MATLAB's number for a matrix of int16, little-endian
_INVALID = -32768  # WFDB's digital value of a sample that is not known


def _read_labels(files, read, path, reference):
    """Map the records to their labels, by default of the newest reference."""
    references = _REFERENCES if reference is None else [reference]
    found = [name for name in references if name in files]
    if not found:
        raise ValueError(f"{path} must hold the labels, {references}, found none.")
    lines = decode_text(read(files[found[0]]), path / found[0]).splitlines()
    labels = {}
    for number, row in enumerate(csv.reader(lines), start=1):
        if len(row) != 2 or row[1] not in _LABELS or row[0] in labels:
            raise ValueError(
                f"Line {number} of {path / found[0]} must hold a new record and one label of "
                f"{[*_LABELS]}, got {row}."
            )
        labels[row[0]] = _LABELS[row[1]]
    return labels


def _load_record(name, header, labels, files, read, path):
    """Read one record."""
    file, header = path / f"{name}.mat", path / header
    if file.name not in files:
        raise ValueError(f"{path} must hold {file.name}, the samples of {header.name}.")
    if name not in labels:
        raise ValueError(f"The labels in {path} must be of all recordings, got none of {name}.")
    header = parse_header(read(files[header.name]), header)
    found = [(line.file, line.format, line.unit, line.calibrated) for line in header.signals]
    expected = [(file.name, "16", "mV", True)]
    if found != expected:
        raise ValueError(
            f"{path / name}.hea must state file, format, unit and a gain, {expected}, got {found}."
        )
    # Many headers give another first sample and checksum than there are: not compared.
    n_times = header.n_frames or 0
    start = struct.pack("<5i4s", _MATRIX, 1, n_times, 0, 4, b"val\0")
    data = read(files[file.name])
    if not data.startswith(start) or len(data) != len(start) + 2 * n_times:
        raise ValueError(
            f"{file} must be a MATLAB v4 file of one row of int16 named val, as long as its header "
            f"says, {n_times}, got {len(data)} bytes from {data[:24]}."
        )
    samples = np.frombuffer(data, "<i2", offset=len(start))
    (signal,) = header.signals
    ecg = (samples - np.float32(signal.baseline)) / np.float32(signal.gain)
    ecg[samples == _INVALID] = np.nan
    rate = header.frame_rate
    stages = {"onset": [0], "duration": [len(ecg) / rate], "description": [labels[name]]}
    return Recording({"ecg": ecg}, {"ecg": rate}, name, stages)


def load_cinc2017(path, subjects=None, signals=None, *, reference=None, n_jobs=None):
    """Read the CinC Challenge 2017: normal rhythm, atrial fibrillation, other and noise.

    People took 9 to 61 s of single-lead ECG of themselves with a handheld device [1]_. The files do
    not say who they were: each recording counts as a subject, so those of one person may get to
    both sides of a split.

    Parameters
    ----------
    path : str or path-like
        The file ``training2017.zip``, which is read in memory, the folder with the files from it,
        or the folder that has one of both.
    subjects : sequence of str, default=None
        Recordings to read, such as ``("A00001", "A00002")``; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read: there is "ecg" only, in mV.
    reference : str, default=None
        Name of the file of labels. They were revised: None is the first of ``REFERENCE-v3.csv``,
        ``REFERENCE-v2.csv``, ``REFERENCE.csv`` and ``REFERENCE-original.csv`` that is there.
    n_jobs : int, default=None
        Number of recordings read at the same time, in threads; more than one is hardly faster.

    Returns
    -------
    list of Recording
        One recording for each record, sorted by name, which is its subject. The signal is "ecg", as
        float32, in mV by the header's gain, at the header's rate (300 Hz). The annotation "normal",
        "AF", "other" or "noisy" spans the whole recording. Samples marked as invalid are NaN:
        ``make_windows`` leaves such windows out.

    Raises
    ------
    FileNotFoundError, ValueError
        If a recording, its header or label is missing or malformed.

    See Also
    --------
    fetch_cinc2017 : Download the files.

    References
    ----------
    .. [1] Clifford, G. D. et al. (2017). AF classification from a short single lead ECG recording:
       the PhysioNet/Computing in Cardiology Challenge 2017. Computing in Cardiology.

    Examples
    --------
    >>> from physio_ssl.datasets import load_cinc2017
    >>> recordings = load_cinc2017("training2017.zip")  # doctest: +SKIP
    """
    choose_signals(signals, ("ecg",))
    path = Path(path)
    if path.is_dir() and not any(path.glob("*.hea")):
        inner = (path / name for name in ("training2017", "training2017.zip"))
        path = next((place for place in inner if place.exists()), path)
    with open_files(path) as (files, read):
        names = {file.name: file for file in files}
        if twice := sorted(map(str, set(files) - set(names.values()))):
            raise ValueError(f"Files in {path} must have different names, got {twice} too.")
        found = {name.removesuffix(".hea"): name for name in sorted(names) if name.endswith(".hea")}
        if not found:
            raise ValueError(f"{path} must hold recordings, A00001.hea and so on, found none.")
        labels = _read_labels(names, read, path, reference)
        load = partial(_load_record, labels=labels, files=names, read=read, path=path)
        return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
