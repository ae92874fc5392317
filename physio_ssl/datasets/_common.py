"""What several readers need: opening files, naming what was found, parsing and checking numbers."""

import gzip
import os
import re
import stat
import zipfile
import zlib
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from threading import Lock

import numpy as np

from .._check import check_list, check_sampling_rate

_LARGEST_NUMBER = 1e15  # larger ones are not exact as float64
_LOWEST_RATE, _HIGHEST_RATE = 1e-3, 1e6  # Hz
_LIMITS = {"max_bytes": 4 * 2**30, "max_ratio": 100, "max_members": 100_000}
_ALWAYS_ALLOWED = 16 * 2**20  # bytes: short constant signals compress a thousandfold
_CHUNK = 2**16  # bytes that are decompressed at a time


def import_library(name):
    """Import an optional library, or say how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'This reader needs {name}: pip install "physio_ssl[data]".') from error


def list_names(names, most=60):
    """Return names as text, at most so many of them, for a message."""
    names = list(names)
    return ", ".join(names[:most] + ["..."] * (len(names) > most)) or "nothing"


def parse_number(text, name, kind=float):
    """Return text as a number of at most 1e15, or NaN; an error starts with ``name``."""
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text[:60]!r}.") from None
    if abs(number) > _LARGEST_NUMBER:
        raise ValueError(f"{name} must be a number of at most 1e15, got {text[:60]!r}.")
    return number


def check_device_rate(rate, name):
    """Return the sampling rate of a file in Hz, which a device must be able to have."""
    rate = check_sampling_rate(rate, name)
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ValueError(
            f"{name} must be from {_LOWEST_RATE:g} to {_HIGHEST_RATE:g} Hz, got {rate:g} Hz."
        )
    return rate


def parse_rate(text, name):
    """Return text as a sampling rate in Hz; an error starts with ``name``."""
    return check_device_rate(parse_number(text, name), name)


def name_modalities(names, path):
    """Return names of signals as modalities, which must differ."""
    modalities = [re.sub(r"\W+", "_", name.lower()).strip("_") for name in names]
    if len(set(modalities)) < len(names) or not all(map(str.isidentifier, modalities)):
        raise ValueError(
            f"The signals of {path} must have different names, of letters and digits, to be "
            f"modalities, got {', '.join(names)}."
        )
    return modalities


def check_finite_rows(samples, file, first_line):
    """Raise if rows of a text file, of shape (n_times, n_channels), hold NaN or infinity."""
    bad = ~np.isfinite(samples).all(axis=1)
    if bad.any():
        first = bad.argmax() + first_line
        raise ValueError(f"{file} must be finite, got {bad.sum()} bad row(s) from line {first} on.")


@contextmanager
def file_limits(*, max_bytes=None, max_ratio=None, max_members=None):
    """Change, within a ``with`` block, how large the files may be that readers open.

    The limits keep a small file that expands to gigabytes from filling the memory. They hold for
    all threads.

    Parameters
    ----------
    max_bytes : int, default=None
        Largest size of a file, and of what is decompressed from it, in bytes; None to leave it as
        it is, at first 4 GiB.
    max_ratio : float, default=None
        How many times its size a zip file or a compressed MATLAB file may expand to; None to leave
        it as it is, at first 100. Up to 16 MiB are always allowed.
    max_members : int, default=None
        Largest number of files in a zip file; None to leave it as it is, at first 100,000.

    Raises
    ------
    ValueError
        If a limit is not positive.

    See Also
    --------
    read_subjects : Read the files of each subject.

    Examples
    --------
    >>> from physio_ssl.datasets import load_empatica
    >>> from physio_ssl.datasets.reading import file_limits
    >>> with file_limits(max_ratio=1000):
    ...     recording = load_empatica("long_session.zip")  # doctest: +SKIP
    """
    limits = {"max_bytes": max_bytes, "max_ratio": max_ratio, "max_members": max_members}
    limits = {name: value for name, value in limits.items() if value is not None}
    if wrong := {name: value for name, value in limits.items() if not value > 0}:
        raise ValueError(f"Limits must be positive, got {wrong}.")
    before = _LIMITS.copy()
    _LIMITS.update(limits)
    try:
        yield
    finally:
        _LIMITS.update(before)


@contextmanager
def explain_errors(path, what="a recording"):
    """Raise any error of the block as one that names the file which could not be read.

    OSError and ValueError pass if they name the file. Lack of memory or of a library is not the
    file's fault, and passes too.
    """
    try:
        yield
    except (MemoryError, ImportError, Warning):
        raise
    except Exception as error:
        if isinstance(error, (OSError, ValueError)) and Path(path).name in str(error):
            raise
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} cannot be read as {what}: {reason}.") from error


def list_paths(path):
    """Return the paths of a sequence, or one path, as a list of Path."""
    one = isinstance(path, (str, os.PathLike))
    paths = [path] if one else check_list(path, "path", of=(str, os.PathLike))
    if not paths:
        raise ValueError("path must name one or more files, got none.")
    return [Path(each) for each in paths]


def find_inner(path, *names):
    """Return the first folder of these names in a folder, or without one the folder itself."""
    places = [place for name in names if (place := Path(path, name)).is_dir()]
    return places[0] if places else Path(path)


def open_file(path):
    """Open a regular file to read its bytes.

    Raises FileNotFoundError if there is none, and ValueError for a folder, for a device or a pipe,
    which might never end, and for a file that is larger than :func:`file_limits` allows.
    """
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise ValueError(f"{path} must be a regular file, got {kind}.")
    if status.st_size > _LIMITS["max_bytes"]:
        raise ValueError(
            f"{path} must have at most {_LIMITS['max_bytes']} bytes, got {status.st_size}. "
            "datasets.reading.file_limits changes this limit."
        )
    return path.open("rb")


def read_file(path):
    """Return the bytes of a regular file."""
    with open_file(path) as file:
        return file.read()


def decode_text(data, path, errors="strict"):
    """Return the bytes of a text file in UTF-8, with or without a byte order mark, as text.

    ``errors`` says, as in :meth:`bytes.decode`, what becomes of bytes in another encoding.
    """
    if b"\0" in data:
        raise ValueError(f"{path} must be text in UTF-8, got NUL bytes: it is binary or UTF-16.")
    try:
        return data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        found = data[error.start : error.start + 10]
        raise ValueError(
            f"{path} must be text in UTF-8, got {found} at byte {error.start}."
        ) from None


class Expansion:
    """Counts the bytes that are decompressed from one file, and raises if they are too many."""

    def __init__(self, path, max_bytes=None):
        self.path = path
        size = Path(path).stat().st_size
        self.limit = min(
            max_bytes or _LIMITS["max_bytes"],
            max(_ALWAYS_ALLOWED, int(_LIMITS["max_ratio"] * size)),
        )
        self.left = self.limit

    def count(self, chunk):
        """Count the bytes of a chunk, and return it."""
        self.left -= len(chunk)
        if self.left < 0:
            raise ValueError(
                f"{self.path} must expand to at most {self.limit} bytes, got more. "
                "datasets.reading.file_limits changes this limit."
            )
        return chunk

    def inflate(self, data, wbits=zlib.MAX_WBITS):
        """Return what zlib makes of bytes; ``wbits`` is that of ``zlib.decompressobj``."""
        stream, inflated = zlib.decompressobj(wbits), bytearray()
        for start in range(0, len(data), _CHUNK):
            chunk = stream.decompress(data[start : start + _CHUNK], self.left + 1)
            inflated += self.count(chunk)
        if not stream.eof:
            raise ValueError("compressed data is cut off")
        return inflated


def read_gzip(path):
    """Return what a gzip file expands to, which is limited by :func:`file_limits`."""
    with open_file(path) as file, explain_errors(path, "a gzip file"), gzip.open(file) as data:
        expansion = Expansion(path)
        return b"".join(map(expansion.count, iter(lambda: data.read(_CHUNK), b"")))


def _find_members(archive, path):
    """Map the paths of the files in a zip file to what it says of them."""
    if len(archive.infolist()) > _LIMITS["max_members"]:
        raise ValueError(
            f"{path} must hold at most {_LIMITS['max_members']} files, got "
            f"{len(archive.infolist())}. datasets.reading.file_limits changes this limit."
        )
    members = {}
    for info in archive.infolist():
        file = PurePosixPath(info.filename)
        if file.is_absolute() or ".." in file.parts or "\\" in info.filename:
            raise ValueError(f"Files in {path} must be within it, got {info.filename!r}.")
        if not info.is_dir():
            members[file] = info
    return members


def _read_member(archive, info, expansion):
    """Return the bytes of a file in a zip file, counted as they are decompressed."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"it must be stored or deflated, got method {info.compress_type}")
    with archive.open(info) as member:
        data = b"".join(map(expansion.count, iter(lambda: member.read(_CHUNK), b"")))
    if len(data) != info.file_size:
        raise ValueError(f"it must have {info.file_size} bytes, got {len(data)}")
    return data


def unzip(path, folder, max_bytes):
    """Write the files in a zip file, which expand to at most so many bytes, to a folder."""
    expansion = Expansion(path, max_bytes)
    with open_file(path) as data, explain_errors(path, "a zip file"):
        archive = zipfile.ZipFile(data)
        for file, info in _find_members(archive, path).items():
            target = Path(folder, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as member, target.open("xb") as copy:
                for chunk in iter(lambda member=member: member.read(_CHUNK), b""):
                    copy.write(expansion.count(chunk))


@contextmanager
def open_files(path):
    """Open a folder, or a zip file, which is read in memory: nothing is extracted.

    Yields the files right in the folder or anywhere in the zip file, as a list of
    PurePosixPath, and a function that returns the bytes of one of them in any thread. What is
    decompressed is limited by :func:`file_limits`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or zip file {path}.")
    if path.is_dir():
        files = [PurePosixPath(file.name) for file in sorted(path.iterdir()) if file.is_file()]
        yield files, lambda file: read_file(path / file)
        return
    lock, expansion = Lock(), Expansion(path)
    with open_file(path) as data:
        with explain_errors(path, "a zip file"):
            archive = zipfile.ZipFile(data)
            members = _find_members(archive, path)

        def read(file):
            with lock, explain_errors(path / file, "a file in a zip file"):
                return _read_member(archive, members[file], expansion)

        yield list(members), read
