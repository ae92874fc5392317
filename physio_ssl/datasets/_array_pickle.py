"""Unpickle arrays, text, numbers and their containers from a file that nobody vouches for."""

import mmap
import pickle
import re

import numpy as np

from ._common import explain_errors, open_file

_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # NumPy 1 and 2
_PLAIN_TYPES = re.compile("[biuf][1248]")


class _PlainType:
    """Stands in for numpy.dtype, whose own state may have fields outside of its items."""

    def __init__(self, text, align=False, copy=True):
        if not _PLAIN_TYPES.fullmatch(text):
            raise pickle.UnpicklingError(f"arrays must be of numbers, got the dtype {text!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state):
        _, order, *fields = state
        if order not in ("<", ">", "|") or fields[:3] != [None] * 3:
            raise pickle.UnpicklingError("arrays must be of numbers, got a dtype with fields")
        self.dtype = self.dtype.newbyteorder(order)


class _PlainArray(np.ndarray):
    """Array of numbers, which NumPy fills if there are as many bytes as its shape says."""

    def __setstate__(self, state):
        version, shape, plain_type, is_fortran, data = state
        if not isinstance(plain_type, _PlainType) or not isinstance(data, (bytes, str)):
            raise pickle.UnpicklingError("arrays must be bytes of numbers")
        super().__setstate__((version, shape, plain_type.dtype, is_fortran, data))


def _make_array(*_):
    return _PlainArray(0, "i1")


def _make_scalar(plain_type, data):
    data = data.encode("latin1") if isinstance(data, str) else data
    (scalar,) = np.frombuffer(data, plain_type.dtype)
    return scalar


def _encode(text, encoding):
    return text.encode("latin1")  # the only one that Python's own pickles ask for


_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _PlainType,
    ("_codecs", "encode"): _encode,  # bytes written by Python 3 for Python 2
    **{(module, "_reconstruct"): _make_array for module in _MODULES},
    **{(module, "scalar"): _make_scalar for module in _MODULES},
}


# The class in Python: that in C reserves as much memory as a damaged file asks for.
class _ArrayUnpickler(pickle._Unpickler):
    dispatch = pickle._Unpickler.dispatch.copy()
    del dispatch[pickle.BYTEARRAY8[0]]  # reserves its memory before it reads

    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it must hold plain data, got {module}.{name}")
        return _ADMITTED[module, name]


def load_array_pickle(path, what):
    """Load a pickle, of Python 2 or 3, of arrays and plain data without running code in it.

    Arrays must be of numbers. NumPy's own ``dtype`` is not used, as one with fields that lie
    outside of its items ends the process.
    """
    with (
        open_file(path) as file,
        explain_errors(path, what),
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return _ArrayUnpickler(data, encoding="latin1").load()
