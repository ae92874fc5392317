"""Windows in a folder: signals are written block by block and opened without being read."""

import json
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import naming, new_file, new_folder
from ..containers import SignalDict
from ._windows import SETTINGS, Windows, as_array

_FORMAT, _VERSION = "physio_ssl.windows", 2
_BYTES_AT_ONCE = 2**24
_NATIVE = "native."  # begins the names of native signals, so that no modality can have them


def join_native(windows):
    """Return the signals of windows and, under names of their own, the native ones, as a dict."""
    native = {f"{_NATIVE}{name}": array for name, array in (windows.native or {}).items()}
    return {**windows.X, **native}


def split_native(signals):
    """Return what ``join_native`` joined as the arguments ``X`` and ``native``."""
    names = [name for name in signals if name.startswith(_NATIVE)]
    native = {name.removeprefix(_NATIVE): signals[name] for name in names}
    X = {name: array for name, array in signals.items() if name not in names}
    return {"X": SignalDict(X), "native": SignalDict(native) if native else None}


class _GrowingArray:
    """An array in a file ``.npy`` to append windows to; ``write_header`` completes it."""

    def __init__(self, file, like):
        self.file, self.dtype, self.shape = file, like.dtype, (0, *like.shape[1:])
        self.write_header()

    def write_header(self):
        self.file.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": self.shape}
        # NumPy leaves room for any number of rows, so the header keeps its length.
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, array):
        n_rows = max(1, _BYTES_AT_ONCE // max(1, array[:1].nbytes))
        for first in range(0, len(array), n_rows):
            rows = np.ascontiguousarray(array[first : first + n_rows])
            with naming(self.file.name):
                self.file.write(rows)
        self.shape = (self.shape[0] + len(array), *self.shape[1:])


def write_windows(folder, merge):
    """Write the windows that ``merge(append)`` gives, all of them or none, to a new folder."""
    with new_folder(folder) as part, ExitStack() as stack:
        arrays = {}

        def append(X):
            for name, array in X.items():
                if name not in arrays:
                    file = stack.enter_context(new_file(part / f"{name}.npy"))
                    arrays[name] = _GrowingArray(file, array)
                arrays[name].append(array)

        columns, settings = merge(append)
        for array in arrays.values():
            array.write_header()
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            **{name: settings[name] for name in SETTINGS},
            "dropped": {reason: int(n) for reason, n in settings["dropped"].items()},
            "signals": {name: _describe(array) for name, array in arrays.items()},
            "columns": list(columns),
        }
        with new_file(part / "windows.npz") as file:
            _write_columns(file, columns)
        with new_file(part / "windows.json") as file:
            file.write(json.dumps(content, allow_nan=False, indent=1, default=float).encode())


def save_windows(folder, windows):
    """Write windows, all of them or none, to a new folder, as ``open_windows`` opens it."""

    def merge(append):
        append(join_native(windows))
        settings = {name: getattr(windows, name) for name in (*SETTINGS, "dropped")}
        return {name: as_array(windows.info[name]) for name in windows.info}, settings

    write_windows(folder, merge)


def _describe(array):
    return {"shape": list(array.shape), "dtype": array.dtype.str}


def _write_columns(file, columns):
    """Write what ``np.savez`` would, which takes some names of columns for its options."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, column in columns.items():
            if column.dtype.hasobject:  # NumPy would pickle them
                raise ValueError(
                    f"Column {name!r} of info must hold numbers, str or dates to be written, got "
                    f"{column.dtype}: leave it out, or fill in missing values."
                )
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, column, allow_pickle=False)


def open_windows(folder):
    """Open windows in files.

    Signals stay in the files, so that a network can be trained on more windows than the memory
    holds. No code in the files is run.

    Parameters
    ----------
    folder : str or path
        The folder that ``concatenate_windows`` wrote.

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

    Examples
    --------
    >>> import tempfile
    >>> from physio_ssl import concatenate_windows, make_windows, open_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> windows = make_windows(simulate_wristband(1, random_state=0), duration=60)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = concatenate_windows({"mine": windows}, folder=f"{folder}/corpus")
    ...     n_windows = len(open_windows(f"{folder}/corpus"))
    >>> n_windows
    13
    """
    folder = Path(folder)
    path = folder / "windows.json"
    if not path.is_file():
        raise FileNotFoundError(f"No windows of concatenate_windows(..., folder) in {folder}.")
    try:
        return _open(folder, json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:  # a damaged file can make a reader raise anything
        raise ValueError(f"The windows in {folder} cannot be read: {error}") from error


def _open(folder, content):
    found = f"{content['format']}, version {content['version']}"
    if found != f"{_FORMAT}, version {_VERSION}":
        raise ValueError(f"windows.json must be {_FORMAT}, version {_VERSION}, got {found}.")
    signals = {name: _open_array(folder, name, kind) for name, kind in content["signals"].items()}
    with np.load(folder / "windows.npz", allow_pickle=False) as file:
        info = pd.DataFrame({name: file[name] for name in content["columns"]})
    settings = {name: content[name] for name in ("duration", "sampling_rate", "dropped")}
    for name in ("scaling", "native_sampling_rate"):  # which older files lack
        settings[name] = content.get(name)
    settings["context"] = content.get("context", (0.0, 0.0))
    return Windows(info=info, **split_native(signals), **settings)


def _open_array(folder, name, kind):
    if not name.removeprefix(_NATIVE).isidentifier():  # so that it cannot name a file elsewhere
        raise ValueError(f"A modality's name must be an identifier, got {name!r}.")
    path = folder / f"{name}.npy"
    array = np.lib.format.open_memmap(path, mode="r")  # raises if it is no array, or of objects
    found, n_bytes = _describe(array), path.stat().st_size
    if found != kind or n_bytes != array.offset + array.nbytes:
        raise ValueError(f"{path.name} must hold {kind}, got {found} in {n_bytes} bytes.")
    return array
