"""Decoder of MATLAB files of the versions 5 to 7, in Python.

SciPy's decoder is compiled and trusts the sizes in a file: a damaged one can end the process. A
child process to shield it would cost a second for each file. The format is small, and every
size in it can be checked before it is used, so no compiled code but zlib sees the file.
"""

import math
import struct

import numpy as np

_NUMBERS = {  # stored types
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4  # classes of a matrix
_CLASSES = {  # of numbers
    **{6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"},
    **{14: "i8", 15: "u8"},
}
_OPAQUE = 17  # objects, which have no shape
_COMPLEX = 0x800
_DEEPEST = 32  # cells and structs within each other


class _Elements:
    """The elements in a buffer, one after the other: each has a type, a size and data."""

    def __init__(self, data, order):
        self.data = memoryview(data)
        self.order = order
        self.position = 0

    def __bool__(self):
        return self.position < len(self.data)

    def take(self):
        """Return the type and the data of the next element."""
        start = self.position + 8
        if start > len(self.data):
            raise ValueError("it is cut off")
        kind, size = struct.unpack_from(f"{self.order}II", self.data, self.position)
        if kind >> 16:  # a small element has its data in the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, start - 4
            if size > 4:
                raise ValueError(f"a small element must have at most 4 bytes, got {size}")
        if size > len(self.data) - start:
            raise ValueError(
                f"an element must have {size} bytes, got {len(self.data) - start}: it is cut off"
            )
        padding = 0 if kind == _COMPRESSED else -(start + size) % 8
        self.position = start + size + padding
        return kind, self.data[start : start + size]

    def take_numbers(self):
        """Return the next element, which must hold numbers, as an array."""
        kind, data = self.take()
        if kind not in _NUMBERS:
            raise ValueError(f"numbers must be of the types {[*_NUMBERS]}, got {kind}")
        numbers = np.frombuffer(data, self.order + _NUMBERS[kind])
        return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)

    def take_matrices(self, count, depth):
        """Return the next elements, which must be matrices, as an array of objects."""
        if count * 8 > len(self.data) - self.position:  # a tag has 8 bytes
            raise ValueError(f"it must hold {count} elements, which it has no room for")
        values = np.empty(count, object)
        for index in range(count):
            kind, data = self.take()
            if kind != _MATRIX:
                raise ValueError(f"a cell or field must be a matrix, got type {kind}")
            _, values[index] = _decode_matrix(data, self.order, depth + 1)
        return values


def _decode_numbers(elements, shape, flags):
    """Return an array of numbers, which may be stored in a narrower type than their class."""
    parts = [elements.take_numbers() for _ in range(2 if flags & _COMPLEX else 1)]
    expected = np.dtype(_CLASSES[flags & 0xFF])
    for part in parts:
        same_kind = (part.dtype.kind == "f") == (expected.kind == "f")
        too_wide = part.itemsize > expected.itemsize - (not same_kind)
        if too_wide or part.size != math.prod(shape):
            raise ValueError(
                f"an array of {expected} must have {shape} numbers, got {part.size} {part.dtype}"
            )
    array = parts[0] + 1j * parts[1] if flags & _COMPLEX else parts[0]
    return array.reshape(shape, order="F")


def _decode_text(elements, shape):
    """Return an array of the rows of text."""
    kind, data = elements.take()
    if kind not in _ENCODINGS:
        raise ValueError(f"text must be of the types {[*_ENCODINGS]}, got {kind}")
    wide = {"<": "-le", ">": "-be"}[elements.order] if kind in (4, 17, 18) else ""
    text = bytes(data).decode(_ENCODINGS[kind] + wide)
    if len(text) != math.prod(shape):
        raise ValueError(f"text must have {shape} characters, got {len(text)}")
    if not text:
        return np.zeros(0, "U1")
    characters = np.frombuffer(text.encode("utf-32-le"), "<U1").reshape(shape, order="F")
    return np.ascontiguousarray(characters).view(f"<U{shape[-1]}")[..., 0]


def _decode_struct(elements, shape, depth):
    """Return an array of structs, with a field of objects for each name."""
    (length,) = elements.take_numbers().tolist()
    _, data = elements.take()
    if length < 1 or len(data) % length:
        raise ValueError(f"names of fields must have {length} bytes each, got {len(data)} in all")
    names = [
        bytes(data[start : start + length]).partition(b"\0")[0].decode()
        for start in range(0, len(data), length)
    ]
    values = elements.take_matrices(math.prod(shape) * len(names), depth)
    structs = np.empty(math.prod(shape), [(name, object) for name in names])
    for name, column in zip(names, values.reshape(-1, len(names) or 1).T, strict=False):
        structs[name] = column
    return structs.reshape(shape, order="F")


def _decode_matrix(data, order, depth=0):
    """Return the name and the value of a matrix; what no reader needs has the dtype "V"."""
    if depth > _DEEPEST:
        raise ValueError(f"cells and structs must be at most {_DEEPEST} deep")
    if not len(data):
        return "", np.zeros((0, 0))
    elements = _Elements(data, order)
    flags = elements.take_numbers()
    if flags.dtype != np.uint32 or flags.size != 2:
        raise ValueError(f"a matrix must have 2 flags, got {flags.size} of {flags.dtype}")
    flags, other = int(flags[0]), np.zeros((1, 1), "V1")
    kind = flags & 0xFF
    if kind == _OPAQUE:
        return "", other
    shape = elements.take_numbers().tolist()
    if not 2 <= len(shape) <= 32 or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"a matrix must have a shape of 2 to 32 whole numbers, got {shape[:40]}")
    name = bytes(elements.take()[1]).decode()
    if kind in _CLASSES:
        return name, _decode_numbers(elements, shape, flags)
    if kind == _CHAR:
        return name, _decode_text(elements, shape)
    if kind == _CELL:
        values = elements.take_matrices(math.prod(shape), depth)
        return name, values.reshape(shape, order="F")
    if kind == _STRUCT:
        return name, _decode_struct(elements, shape, depth)
    return name, other


def decode_mat5(data, inflate):
    """Map the names of the variables in a MATLAB file to their values.

    Arrays, cells (dtype object), structs (a field of objects for each name) and text (dtype "U")
    are those of :func:`scipy.io.loadmat`.

    Parameters
    ----------
    data : bytes
        Content of the file.
    inflate : callable
        Function that decompresses bytes.
    """
    orders = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # version and mark of the byte order
    if data[124:128] not in orders:
        raise ValueError(
            f"it must be of version 5 to 7, with one of {[*orders]} at byte 124, got "
            f"{data[124:128]}"
        )
    order, content = orders[data[124:128]], {}
    elements = _Elements(memoryview(data)[128:], order)
    while elements:
        kind, element = elements.take()
        if kind == _COMPRESSED:
            kind, element = _Elements(inflate(element), order).take()
        if kind != _MATRIX:
            raise ValueError(f"variables must be matrices, got an element of type {kind}")
        name, value = _decode_matrix(element, order)
        if name:  # nameless ones belong to objects
            content[name] = value
    return content
