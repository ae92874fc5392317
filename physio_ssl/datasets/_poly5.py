"""Parser of Poly5 files, which devices of TMSi write: names like .S00 and .Poly5."""

import struct
from datetime import datetime
from typing import NamedTuple

import numpy as np

from ._common import check_device_rate, explain_errors, read_file

_STARTS = {
    b"POLY SAMPLE FILEversion 2.03\r\n\x1a": 203,
    b"POLY SAMPLE FILE version 2.04\r\n\x1a": 204,
}
# Name, rates and storage, numbers of signals and samples, start, blocks and their sizes.
_HEADER = struct.Struct("<81s 2h B h i 4x 7h i 2H h 64x")
# Name and unit, each after its length, and the range in the unit and as stored.
_SIGNAL = struct.Struct("<B40s 4x B10s 4f 2h 60x")
_BLOCK_HEADER = 86  # bytes


class Poly5(NamedTuple):
    """What a file holds: its start in local time, and signals of shape (n_channels, n_times)."""

    start: datetime
    sampling_rate: float
    samples: np.ndarray


def _parse(data, channels, path):
    start = next((start for start in _STARTS if data.startswith(start)), None)
    if start is None or struct.unpack_from("<h", data, len(start))[0] != _STARTS[start]:
        raise ValueError(f"{path} must be a Poly5 file of version 2.03 or 2.04.")
    offset = len(start) + 2
    _, rate, _, _, n_signals, n_times, *date, n_blocks, _, block_size, _ = _HEADER.unpack_from(
        data, offset
    )
    offset += _HEADER.size
    if n_signals <= 0 or n_signals % 2 or block_size % (2 * n_signals) or not block_size:
        raise ValueError(
            f"{path} must hold pairs of signals in blocks of whole samples, got {n_signals} "
            f"signals in blocks of {block_size} bytes."
        )
    if max(channels) >= n_signals // 2:
        raise ValueError(
            f"{path} must hold at least {max(channels) + 1} channels, got {n_signals // 2}."
        )
    # Pairs of 16-bit signals are one of 32 bits: the second of each pair describes it.
    signals = [
        _SIGNAL.unpack_from(data, offset + number * _SIGNAL.size)
        for number in 2 * np.array(channels) + 1
    ]
    offset += n_signals * _SIGNAL.size
    shape = (block_size // (2 * n_signals), n_signals // 2)
    block = np.dtype([("header", f"V{_BLOCK_HEADER}"), ("samples", "<f4", shape)])
    size = offset + n_blocks * block.itemsize
    if n_blocks < 1 or len(data) < size:
        raise ValueError(
            f"{path} must hold {n_blocks} blocks, at least one, in {size} bytes, got {len(data)}."
        )
    samples = np.frombuffer(data, block, n_blocks, offset)["samples"].reshape(-1, shape[1])
    if not 0 < n_times <= len(samples):
        raise ValueError(f"{path} must hold {n_times} samples, got {len(samples)}.")
    year, month, day, _, *clock = date
    low, high, stored_low, stored_high = np.array([signal[4:8] for signal in signals]).T
    scale = (high - low) / (stored_high - stored_low)
    samples = (samples[:n_times, list(channels)] - stored_low) * scale + low
    rate = check_device_rate(rate, f"The sampling rate of {path}")
    return Poly5(datetime(year, month, day, *clock), rate, samples.T.astype(np.float32))


def read_poly5(path, channels):
    """Return channels of a Poly5 file, by their numbers from 0 on, in the units of the file."""
    with (
        explain_errors(path, "a Poly5 file"),
        np.errstate(divide="raise", invalid="raise", over="raise"),
    ):
        return _parse(read_file(path), channels, path)
