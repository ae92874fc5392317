"""MATLAB files of a known layout: errors say what was expected and what was found."""

from pathlib import Path

import numpy as np

from ._common import Expansion, explain_errors, list_names, read_file
from ._mat5 import decode_mat5

_HDF5 = (b"\x89HDF", b"MATLAB 7.3")


class MatValue:
    """A value in a MATLAB file, and the expression that leads to it."""

    def __init__(self, value, path, name):
        self.value = np.asanyarray(value)
        self.path = path
        self.name = name

    def error(self, expected):
        """Return the error of a value that is not what was expected, in MATLAB's words."""
        dtype = self.value.dtype
        kind = {"V": "struct", "O": "cell", "U": "text"}.get(dtype.kind, "array")
        detail = str(self.value.squeeze()) if kind == "text" else dtype.names or dtype
        found = f"{kind} of shape {self.value.shape}: {detail}"
        return ValueError(f"{self.path} must hold {expected} as {self.name}, got {found}.")

    @property
    def is_empty(self):
        """Whether this is an empty array or cell: something is missing."""
        return self.value.size == 0

    @property
    def is_numeric(self):
        """Whether this is an array of real numbers."""
        return self.value.dtype.kind in "iuf"

    def fields(self):
        """Return the fields of a struct, by name."""
        names = self.value.dtype.names
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
        if self.value.dtype != object or self.value.size not in self.value.shape:
            raise self.error("a cell of one row or column")
        return [
            MatValue(item, self.path, f"{self.name}{{{number}}}")  # MATLAB counts from 1
            for number, item in enumerate(self.value.flat, start=1)
        ]

    def matrix(self, n_columns):
        """Return an array of real numbers of shape (n, n_columns)."""
        if not self.is_numeric or self.value.ndim != 2 or self.value.shape[1] != n_columns:
            raise self.error(f"numbers of shape (n, {n_columns})")
        return self.value

    def vector(self, length=None):
        """Return real numbers in one row or one column as an array of shape (length,)."""
        size, shape = self.value.size, self.value.shape
        if not self.is_numeric or size not in shape or length not in (None, size):
            raise self.error(f"{length or 'any'} numbers in one row or column")
        return self.value.ravel()

    def number(self):
        """Return one real number as a float."""
        if not self.is_numeric or self.value.size != 1:
            raise self.error("one number")
        return float(self.value.item())

    def text(self):
        """Return a line of text."""
        if self.value.dtype.kind != "U" or self.value.size > 1:
            raise self.error("one line of text")
        return "".join(self.value.flat)


def load_mat(path, names=()):
    """Return the variables of a MATLAB file, which must have those named.

    This runs no code: a MATLAB file holds arrays, cells and structs only.
    """
    path = Path(path)
    data = read_file(path)
    if data.startswith(_HDF5):
        raise ValueError(
            f"{path} must not be of MATLAB's version 7.3 (HDF5). Convert it in MATLAB: "
            f"content = load('{path.name}'); save('{path.name}', '-struct', 'content', '-v7')."
        )
    with explain_errors(path, "a MATLAB file"):
        content = decode_mat5(data, Expansion(path).inflate)
    if not set(names) <= content.keys():
        raise ValueError(
            f"{path} must hold the variable(s) {', '.join(names)}, got {list_names(content)}."
        )
    return {name: MatValue(value, path, name) for name, value in content.items()}
