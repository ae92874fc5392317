"""Decoder of MATLAB files: what SciPy writes and reads, and sizes that contradict each other."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from physio_ssl.datasets._mat5 import decode_mat5


def content():
    """Return a variable of each kind."""
    cell = np.empty((2, 2), object)
    cell[:] = [[np.eye(3), "text"], [np.zeros((0, 0)), np.arange(3)]]
    return {
        **{code: np.arange(-3, 3).reshape(2, 3).astype(code) for code in ("i1", "u2", "i8", "f4")},
        "cube": np.arange(24.0).reshape(2, 3, 4),
        "logical": np.array([[True, False]]),
        "complex": np.array([[1 + 2j]]),
        "cell": cell,
        "struct": {"name": "µV", "nested": {"rate": 128.0, "clips": cell}},
        "text": "one line",
        "rows": np.array(["ab", "cd"]),
    }


def assert_same(found, expected):
    assert found.dtype.names == expected.dtype.names
    assert found.dtype.kind == expected.dtype.kind
    if expected.size:
        assert found.shape == expected.shape
    if expected.dtype.names:
        for name in expected.dtype.names:
            assert_same(found[name], expected[name])
    elif expected.dtype == object:
        for one, other in zip(found.flat, expected.flat, strict=True):
            assert_same(one, other)
    else:
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("compressed", [False, True])
def test_values_are_those_that_scipy_reads(tmp_path, compressed):
    savemat(tmp_path / "a.mat", content(), do_compression=compressed)
    found = decode_mat5((tmp_path / "a.mat").read_bytes(), zlib.decompress)
    assert list(found) == list(content())
    for name, value in loadmat(tmp_path / "a.mat").items():
        if not name.startswith("__"):
            assert_same(found[name], value)


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(number_class, shape, *parts, order="<"):
    """Return a matrix named a, with the elements that hold its values."""
    flags = element(6, struct.pack(f"{order}II", number_class, 0), order)
    dims = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, flags + dims + element(1, b"a", order) + b"".join(parts), order)


def decode(*elements, mark=b"\x00\x01IM"):
    return decode_mat5(bytes(124) + mark + b"".join(elements), zlib.decompress)


def doubles(*values, order="<"):
    return element(9, struct.pack(f"{order}{len(values)}d", *values), order)


def test_both_byte_orders_are_read():
    big = matrix(6, (1, 2), doubles(1, 2, order=">"), order=">")
    for found in (
        decode(matrix(6, (1, 2), doubles(1, 2))),
        decode(big, mark=b"\x01\x00MI"),
    ):
        assert found["a"].tolist() == [[1, 2]]
        assert found["a"].dtype == float


def test_numbers_may_be_stored_in_a_narrower_type():
    assert decode(matrix(6, (1, 3), element(2, b"\1\2\xff")))["a"].tolist() == [[1, 2, 255]]


def test_objects_are_left_out_and_sparse_arrays_are_no_numbers():
    opaque = element(14, element(6, struct.pack("<II", 17, 0)) + element(1, b"a"))
    assert decode(opaque) == {}
    assert decode(matrix(5, (1, 1), doubles(1)))["a"].dtype.kind == "V"


def nested(depth):
    inner = matrix(6, (1, 1), doubles(1))
    for _ in range(depth):
        inner = matrix(1, (1, 1), inner)
    return inner


@pytest.mark.parametrize(
    "elements, message",
    [
        ([matrix(6, (1, 3), doubles(1, 2))], r"must have \[1, 3\] numbers, got 2 float64"),
        ([matrix(6, (1, 1), element(13, bytes(8)))], "an array of float64 .* got 1 uint64"),
        ([matrix(9, (1, 1), doubles(1))], "an array of uint8 .* got 1 float64"),
        ([matrix(6, (-1, -2), doubles(1, 2))], r"whole numbers, got \[-1, -2\]"),
        ([matrix(1, (2**31 - 1, 2**31 - 1))], "which it has no room for"),
        ([matrix(2, (2**30, 1), element(5, b"\2\0\0\0"), element(1, b"b\0"))], "no room for"),
        ([matrix(2, (1, 1), element(5, bytes(4)), element(1, b"b\0"))], "names of fields must"),
        ([matrix(4, (1, 5), element(16, b"text"))], r"must have \[1, 5\] characters, got 4"),
        ([matrix(1, (1, 1), doubles(1))], "must be a matrix, got type 9"),
        ([nested(40)], "at most 32 deep"),
        ([doubles(1)], "must be matrices, got an element of type 9"),
        ([struct.pack("<II", 14, 10**6)], "must have 1000000 bytes, got 0: it is cut off"),
        ([struct.pack("<HHI", 1, 9, 0)], "small element must have at most 4 bytes, got 9"),
        ([b"\0"], "cut off"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(elements, message):
    with pytest.raises(ValueError, match=message):
        decode(*elements)
