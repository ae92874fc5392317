"""Reader of the CinC Challenge 2017: short ECG of a handheld device, with four rhythms."""

import csv
import re
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from ..containers import Recording
from ._wfdb_header import parse_header

_ZIP, _FOLDER = "training2017.zip", "training2017"
_LABELS = {"N": "normal", "A": "AF", "O": "other", "~": "noisy"}
_MATRIX = 30  # MATLAB's number for a matrix of int16, little-endian
_MATRIX_HEADER = 24  # bytes, with the name
_INVALID = -32768  # WFDB's digital value of a sample that is not known


def _check_members(archive, path):
    """Map the names of an archive's files to its members, which are in one folder."""
    members = {}
    for member in archive.namelist():
        name = PurePosixPath(member)
        if name.is_absolute() or ".." in name.parts or "\\" in member:
            raise ValueError(
                f"Files in {path} must be named by paths within it, got {member!r}, which "
                "leads out of it."
            )
        if not member.endswith("/") and members.setdefault(name.name, member) != member:
            raise ValueError(
                f"Files in {path} must have different names, got {member} and {members[name.name]}."
            )
    return members


@contextmanager
def _open_files(path):
    """Give the names of the files in a folder or zip file, and a function that reads one."""
    if path.is_dir() and not any(path.glob("*.hea")):
        inner = [path / name for name in (_FOLDER, _ZIP) if (path / name).exists()]
        path = inner[0] if inner else path
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or zip file {path}.")
    if path.is_dir():
        yield path, [file.name for file in path.iterdir()], lambda name: (path / name).read_bytes()
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = _check_members(archive, path)
            yield path, list(members), lambda name: archive.read(members[name])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(
            f"The recordings must be in a folder or a readable zip file, got {path}: {error}."
        ) from error


def _newest_reference(names, path):
    """Return the name of the newest of the references: v3, v2, the plain one, the original."""

    def age(name):
        version = re.fullmatch(r"REFERENCE-v(\d+)\.csv", name)
        return -int(version[1]) if version else ("REFERENCE-original.csv" == name)

    found = [name for name in names if re.fullmatch(r"REFERENCE(-v\d+|-original)?\.csv", name)]
    if not found:
        raise ValueError(
            f"{path} must hold the recordings' labels, REFERENCE-v3.csv, found no REFERENCE*.csv."
        )
    return min(found, key=age)


def _read_labels(data, path):
    """Map the records to their labels."""
    labels = {}
    for number, row in enumerate(csv.reader(data.decode(errors="replace").splitlines()), start=1):
        if len(row) != 2 or row[1] not in _LABELS or row[0] in labels:
            raise ValueError(
                f"Line {number} of {path} must hold one record and its label, of "
                f"{', '.join(_LABELS)}, and no record twice, got {','.join(row)[:60]!r}."
            )
        labels[row[0]] = _LABELS[row[1]]
    return labels


def _choose_records(records, names, path):
    """Return the sorted names of records that were asked for and are there."""
    found = sorted(PurePosixPath(name).stem for name in names if name.endswith(".hea"))
    if not found:
        raise ValueError(f"{path} must hold recordings, A00001.hea and so on, found no .hea file.")
    if records is None:
        return found
    missing = sorted(set(records) - set(found))
    if isinstance(records, str) or missing or not len(records):
        raise ValueError(
            f"records must be a sequence of one or more of the {len(found)} in {path}, "
            f"{found[0]} to {found[-1]}, got {missing[:10] or records!r}."
        )
    return sorted(set(records))


def _parse_matrix(data, path):
    """Return the samples in a MATLAB v4 file, in digital units."""
    kind, n_rows, n_times, is_complex, name_length = (
        np.frombuffer(data, "<i4", 5) if len(data) >= _MATRIX_HEADER else [-1] * 5
    )
    if (kind, n_rows, is_complex, name_length, data[20:24]) != (_MATRIX, 1, 0, 4, b"val\0"):
        raise ValueError(
            f"{path} must be a MATLAB v4 file of one row of int16, named val, got "
            f"{len(data)} bytes of something else."
        )
    expected = _MATRIX_HEADER + 2 * int(n_times)
    if len(data) != expected:
        raise ValueError(
            f"{path} must hold {n_times} samples in {expected} bytes, as it says at its start, "
            f"got {len(data)} bytes."
        )
    return np.frombuffer(data, "<i2", offset=_MATRIX_HEADER)


def _load_record(name, names, read, label, path):
    """Read one record."""
    file = path / f"{name}.mat"
    if file.name not in names:
        raise ValueError(f"{path} must hold {file.name}, the samples of {name}.hea.")
    header = parse_header(read(f"{name}.hea"), path / f"{name}.hea")
    signal, *others = header.signals
    found = signal.file, signal.format, signal.unit, signal.calibrated
    if others or found != (file.name, "16", "mV", True):
        raise ValueError(
            f"{path / name}.hea must be of one signal, in {file.name}, of format 16 and with a "
            f"gain per mV, got {len(header.signals)}, the first in {signal.file}, of format "
            f"{signal.format} and with {'a' if signal.calibrated else 'no'} gain per {signal.unit}."
        )
    samples = _parse_matrix(read(file.name), file)
    # Many headers give another first sample and checksum than there are: not compared.
    if len(samples) != header.n_frames:
        raise ValueError(
            f"{file} must hold the {header.n_frames} samples of its header, got {len(samples)}."
        )
    ecg = (samples - np.float32(signal.baseline)) / np.float32(signal.gain)
    ecg[samples == _INVALID] = np.nan
    stages = {"onset": [0], "duration": [len(ecg) / header.frame_rate], "description": [label]}
    return Recording({"ecg": ecg}, {"ecg": header.frame_rate}, name, stages)


def load_cinc2017(path, records=None, reference=None):
    """Read the CinC Challenge 2017: normal rhythm, atrial fibrillation, other and noise.

    The challenge [1]_ is of single-lead ECG, 9 to 61 s long, that people took of themselves
    with a handheld device. It does not say who they were: each recording stands for a
    subject of its own, so two recordings of one person may get to both sides of a split.

    Parameters
    ----------
    path : str or path-like
        The file ``training2017.zip``, the folder with the files from it, or the folder that
        has one of both. The zip file is read in memory, nothing is extracted.
    records : sequence of str, default=None
        Recordings to read, such as ``("A00001", "A00002")``; by default all whose header is
        there. The labels may be of more.
    reference : str, default=None
        Name of the file of labels, among the recordings. They were revised; by
        default they come from the newest file there: of ``REFERENCE-v3.csv``,
        ``REFERENCE-v2.csv``, ``REFERENCE.csv`` and ``REFERENCE-original.csv`` the first.

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
        If a recording, its header or label is missing or malformed, or a name in the zip
        file leads out of it.

    References
    ----------
    .. [1] Clifford, G. D., Liu, C., Moody, B., et al. (2017). AF classification from a short
       single lead ECG recording: the PhysioNet/Computing in Cardiology Challenge 2017.
       Computing in Cardiology.

    Examples
    --------
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import load_cinc2017
    >>> recordings = load_cinc2017("training2017.zip")  # doctest: +SKIP
    >>> labels = StageLabels({"normal": 0, "AF": 1})
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    with _open_files(Path(path)) as (path, names, read):
        chosen, names = _choose_records(records, names, path), set(names)
        reference = _newest_reference(names, path) if reference is None else reference
        if reference not in names:
            raise ValueError(f"{path} must hold the reference, got none named {reference!r}.")
        labels = _read_labels(read(reference), path / reference)
        missing = [name for name in chosen if name not in labels]
        if missing:
            raise ValueError(
                f"{path / reference} must have labels of all recordings, got none of "
                f"{', '.join(missing[:10])}."
            )
        return [_load_record(name, names, read, labels[name], path) for name in chosen]
