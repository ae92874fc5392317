"""MATLAB files of a known layout: errors say what was expected and what was found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from ._open import open_file

_HDF5 = (b"\x89HDF", b"MATLAB 7.3")


def _describe(value):
    """Say what a value is, in MATLAB's words."""
    if not isinstance(value, np.ndarray):
        return f"a {type(value).__name__}"
    if value.dtype.names is not None:
        fields = ", ".join(value.dtype.names) or "none"
        return f"a struct of shape {value.shape} with the fields {fields}"
    if value.dtype == object:
        return f"a cell of shape {value.shape}"
    if value.dtype.kind == "U":
        return f"the text {str(value.squeeze())!r}"
    return f"an array of shape {value.shape} and type {value.dtype}"


@dataclass(frozen=True)
class MatValue:
    """A value in a MATLAB file, and the expression that leads to it."""

    value: Any
    path: Path
    name: str

    def error(self, expected):
        """Return the error of a value that is not what was expected."""
        return ValueError(
            f"{self.path} must hold {expected} as {self.name}, got {_describe(self.value)}."
        )

    @property
    def is_empty(self):
        """Whether this is an empty array or cell: something is missing."""
        return isinstance(self.value, np.ndarray) and self.value.size == 0

    @property
    def is_numeric(self):
        """Whether this is an array of real numbers."""
        return isinstance(self.value, np.ndarray) and self.value.dtype.kind in "iuf"

    def fields(self):
        """Return the fields of a struct, by name."""
        names = getattr(getattr(self.value, "dtype", None), "names", None)
        if names is None or self.value.size != 1:
            raise self.error("one struct")
        struct = self.value.flat[0]
        return {name: MatValue(struct[name], self.path, f"{self.name}.{name}") for name in names}

    def field(self, name):
        """Return one field of a struct."""
        fields = self.fields()
        if name not in fields:
            raise self.error(f"a struct with the field {name}")
        return fields[name]

    def cells(self):
        """Return what is in a cell of one row or one column."""
        value = self.value
        is_cell = isinstance(value, np.ndarray) and value.dtype == object
        if not is_cell or value.size not in value.shape:
            raise self.error("a cell of one row or column")
        return [
            MatValue(item, self.path, f"{self.name}{{{number}}}")  # MATLAB counts from 1
            for number, item in enumerate(value.flat, start=1)
        ]

    def matrix(self, n_columns):
        """Return an array of real numbers of shape (n, n_columns)."""
        if not self.is_numeric or self.value.ndim != 2 or self.value.shape[1] != n_columns:
            raise self.error(f"numbers of shape (n, {n_columns})")
        return self.value

    def vector(self, length=None):
        """Return real numbers in one row or one column as an array of shape (length,)."""
        value = self.value
        if not self.is_numeric or value.size not in value.shape:
            raise self.error("numbers in one row or column")
        if length is not None and value.size != length:
            raise self.error(f"{length} numbers")
        return value.ravel()

    def number(self):
        """Return one real number as a float."""
        if not self.is_numeric or self.value.size != 1:
            raise self.error("one number")
        return float(self.value.item())

    def text(self):
        """Return a line of text."""
        if not isinstance(self.value, np.ndarray) or self.value.dtype.kind != "U":
            raise self.error("text")
        if self.value.size > 1:
            raise self.error("one line of text")
        return str(self.value.item()) if self.value.size else ""


def load_mat(path, names=()):
    """Return the variables of a MATLAB file, which must have those named.

    This runs no code: a MATLAB file holds arrays, cells and structs only.
    """
    path = Path(path)
    with open_file(path) as file:
        if file.read(16).startswith(_HDF5):
            raise ValueError(
                f"{path} is a MATLAB file of version 7.3 (HDF5), which cannot be read here. "
                f"Convert it in MATLAB: content = load('{path.name}'); "
                f"save('{path.name}', '-struct', 'content', '-v7')."
            )
        file.seek(0)
        try:
            content = loadmat(file)
        except Exception as error:  # SciPy documents none, and a cut or random file raises many
            raise ValueError(
                f"{path} cannot be read as a MATLAB file, it may be cut off or no such file: "
                f"{error or type(error).__name__}."
            ) from error
    content = {name: value for name, value in content.items() if not name.startswith("__")}
    if not set(names) <= content.keys():
        raise ValueError(
            f"{path} must hold the variable(s) {', '.join(names)}, got "
            f"{', '.join(content) or 'none'}."
        )
    return {name: MatValue(value, path, name) for name, value in content.items()}
