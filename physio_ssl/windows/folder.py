"""Windows in a folder: signals are written block by block and opened without being read."""

import json
import os
import secrets
import shutil
import zipfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from ..containers import SignalDict
from ._windows import Windows

_FORMAT = "physio_ssl.windows"
_VERSION = 2
_BYTES_AT_ONCE = 2**24


def _blocks(array):
    """Yield slices of rows that hold few bytes each."""
    n_rows = max(1, _BYTES_AT_ONCE // max(1, array.itemsize * int(np.prod(array.shape[1:]))))
    for first in range(0, len(array), n_rows):
        yield slice(first, first + n_rows)


class _GrowingArray:
    """A file ``.npy`` to append windows to; it is complete once closed."""

    def __init__(self, path, like):
        self.shape, self.dtype = like.shape[1:], like.dtype
        self.n_windows = 0
        self.file = path.open("xb")
        self._write_header()
        self.start = self.file.tell()

    def _write_header(self):
        # NumPy leaves room for any number of rows, so the header keeps its length.
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_windows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, array):
        for rows in _blocks(array):
            self.file.write(np.ascontiguousarray(array[rows]))
        self.n_windows += len(array)

    def close(self):
        self.file.seek(0)
        self._write_header()
        if self.file.tell() != self.start:
            raise RuntimeError("This version of NumPy writes headers of another length.")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


@contextmanager
def new_folder(folder):
    """Yield a folder that gets its name once all is written, and is removed on an error."""
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(
            f"The folder must be new, but {folder} exists: open_windows reads it."
        )
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise


def write_windows(folder, merged):
    """Write the signals of merged windows as they come, then all else that is known."""
    files = {}
    with ExitStack() as stack:
        for X in merged.signals():
            for name, array in X.items():
                if name not in files:
                    files[name] = _GrowingArray(folder / f"{name}.npy", array)
                    stack.callback(files[name].file.close)
                files[name].append(array)
        for file in files.values():
            file.close()
    columns = merged.columns()
    rates = merged.sampling_rate
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "duration": merged.duration,
        "sampling_rate": rates and {name: float(rates[name]) for name in files},
        "dropped": {reason: int(n) for reason, n in merged.dropped.items()},
        "signals": {
            name: {"shape": [file.n_windows, *file.shape], "dtype": file.dtype.str}
            for name, file in files.items()
        },
        "columns": list(columns),
    }
    with _new_file(folder / "windows.npz") as file:
        _write_columns(file, columns)
    with _new_file(folder / "windows.json") as file:
        file.write(json.dumps(content, allow_nan=False, indent=1).encode())


@contextmanager
def _new_file(path):
    """Yield a new file that is on disk afterwards."""
    with path.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _write_columns(file, columns):
    """Write what ``np.savez`` would, which takes some names of columns for its options."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, column in columns.items():
            if column.dtype.hasobject:  # NumPy would pickle them
                raise ValueError(
                    f"Column {name!r} of info must hold values of one kind, numbers, str or dates, "
                    f"to be written, got {column.dtype}: leave it out, or fill in missing values."
                )
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, column, allow_pickle=False)


def open_windows(folder):
    """Open windows that ``concatenate_windows`` wrote.

    Their signals stay in the files: a batch reads only its own windows, so that a network can
    be trained on far more windows than the memory holds. Nothing in the files is run.

    Parameters
    ----------
    folder : str or path
        The folder.

    Returns
    -------
    Windows
        ``X`` holds read-only arrays of type ``np.memmap``.

    Raises
    ------
    FileNotFoundError
        If there are no windows in the folder.
    ValueError
        If a file is damaged, or was written by another version.

    See Also
    --------
    concatenate_windows : Write windows to a folder.
    """
    folder = Path(folder)
    path = folder / "windows.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"No windows in {folder}: concatenate_windows(corpora, folder=...) writes them."
        )
    try:
        return _open(folder, json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:  # a damaged file can make a reader raise anything
        raise ValueError(f"The windows in {folder} cannot be read: {error}") from error


def _open(folder, content):
    if content["format"] != _FORMAT or content["version"] != _VERSION:
        raise ValueError(
            f"windows.json must be of {_FORMAT}, version {_VERSION}, got "
            f"{content['format']}, version {content['version']}."
        )
    signals = {name: _open_array(folder, name, kind) for name, kind in content["signals"].items()}
    with np.load(folder / "windows.npz", allow_pickle=False) as file:
        info = pd.DataFrame({name: file[name] for name in content["columns"]})
    return Windows(
        SignalDict(signals),
        info,
        duration=content["duration"],
        sampling_rate=content["sampling_rate"],
        dropped=content["dropped"],
    )


def _open_array(folder, name, kind):
    if not name.isidentifier():  # so that it cannot name a file elsewhere
        raise ValueError(f"A modality's name must be an identifier, got {name!r}.")
    path = folder / f"{name}.npy"
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap):
        raise ValueError(f"{path.name} must hold one array.")
    found = {"shape": list(array.shape), "dtype": array.dtype.str}
    if found != kind or path.stat().st_size != array.offset + array.nbytes:
        raise ValueError(
            f"{path.name} must hold {kind}, got {found} in {path.stat().st_size} bytes."
        )
    return array
