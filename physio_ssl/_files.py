"""Files and folders that are written as a whole or not at all; leaf."""

import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path


def make_folder(folder):
    """Make a folder, and raise before the work is done if nothing can be written there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f"{secrets.token_hex(4)}.part"
    trial.touch(exist_ok=False)
    trial.unlink()


def replace_file(path, data):
    """Write bytes to a file, replacing one that exists: all, or nothing if killed."""
    path = Path(path)
    # Two processes, also of two machines with the same process ids, never share a part.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with naming(path), part.open("xb") as file:
            file.write(data)
            flush(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def flush(file):
    """Put what was written on the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def naming(path):
    """Name the file in errors that leave it out, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def new_folder(folder):
    """Yield a folder that gets its name once all is written, and is removed on an error."""
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f"The folder must be new, but {folder} exists.")
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        if folder.exists():  # by another process; one that comes even later fails to rename
            raise FileExistsError(f"{folder} was written by another process in the meantime.")
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise


@contextmanager
def new_file(path):
    """Yield a new file that is on disk afterwards."""
    with naming(path), path.open("xb") as file:
        yield file
        flush(file)
