"""What several readers need: opening files, naming what was found, parsing and checking numbers."""

import re
import zipfile
import zlib
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from threading import Lock

import numpy as np

from .._check import check_sampling_rate


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
    """Return text as a number; an error starts with ``name``."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text[:60]!r}.") from None


def parse_rate(text, name):
    """Return text as a sampling rate in Hz; an error starts with ``name``."""
    return check_sampling_rate(parse_number(text, name), name)


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


def open_file(path):
    """Open a file to read its bytes; raise FileNotFoundError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.open("rb")


@contextmanager
def open_files(path):
    """Open a folder, or a zip file, which is read in memory: nothing is extracted.

    Yields the files right in the folder or anywhere in the zip file, as a list of
    PurePosixPath, and a function that returns the bytes of one of them in any thread.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or zip file {path}.")
    if path.is_dir():
        files = [PurePosixPath(file.name) for file in sorted(path.iterdir()) if file.is_file()]
        yield files, lambda file: (path / file).read_bytes()
        return
    lock = Lock()
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            members = {PurePosixPath(name): name for name in names}
            for file, name in members.items():
                if file.is_absolute() or ".." in file.parts or "\\" in name:
                    raise ValueError(f"Files in {path} must be within it, got {name!r}.")

            def read(file):
                with lock:
                    return archive.read(members[file])

            yield list(members), read
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} must be a folder or a readable zip file: {error}.") from error
