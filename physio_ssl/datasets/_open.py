"""The one place where readers open files, folders and zip files, and optional libraries."""

import zipfile
import zlib
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from threading import Lock


def import_library(name):
    """Import an optional library, or say how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'This reader needs {name}: pip install "physio_ssl[data]".') from error


def open_file(path):
    """Open a file to read its bytes; raise FileNotFoundError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.open("rb")


def _list_members(archive, path):
    """Map the paths of the files in a zip file to its members."""
    members = {}
    for member in archive.namelist():
        file = PurePosixPath(member)
        if file.is_absolute() or ".." in file.parts or "\\" in member:
            raise ValueError(f"Files in {path} must be within it, got {member!r}, which leads out.")
        if not member.endswith("/"):
            members[file] = member
    return members


@contextmanager
def open_files(path):
    """Open a folder, or a zip file: it is read in memory, nothing is extracted.

    Parameters
    ----------
    path : str or path-like
        Folder, or zip file.

    Yields
    ------
    files : list of PurePosixPath
        Files right in the folder, or anywhere in the zip file.
    read : callable
        Function that returns the bytes of one of them. Threads may share it.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If the file is no readable zip file, or one of its names leads out of it.
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
            members = _list_members(archive, path)

            def read(file):
                with lock:
                    return archive.read(members[file])

            yield list(members), read
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} must be a folder or a readable zip file: {error}.") from error
