"""Parser of one signal's file in an Empatica E4 export: fast, and strict."""

import math
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np

from ._common import check_finite_rows, parse_rate
from ._plausible import check_e4_rate, check_samples

ACC_UNITS_PER_G = 64

_LATEST = 1e11  # seconds since 1970, beyond any calendar


def _parse_fixed_point(body, n_channels):
    """Parse numbers that all have the same number of decimals, several times faster.

    Returns None where ``body`` has any other form, even an invalid one. Each number is an
    integer over a power of ten, which is exactly what ``float`` makes of its text.
    """
    characters = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero((characters == ord("\n")) | (characters == ord(",")))
    pattern = np.frombuffer(b"," * (n_channels - 1) + b"\n", np.uint8)
    if len(ends) % n_channels or (characters[ends].reshape(-1, n_channels) != pattern).any():
        return None
    _, point, decimals = body[: ends[0]].partition(b".")
    n_decimals = len(decimals)
    if body.count(b".") != len(point) * len(ends):
        return None
    if point and (characters.take(ends - n_decimals - 1, mode="wrap") != ord(".")).any():
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    negative = characters[starts] == ord("-")
    if body.count(b"-") != negative.sum() or body.translate(None, b"0123456789-.,\n"):
        return None
    n_digits = ends - starts - negative - len(point)
    fewest, most = n_digits.min(), n_digits.max()
    if fewest <= n_decimals or most > 15:  # 15 digits are exact in float64
        return None
    values = np.zeros(len(ends), np.int64)
    for place in range(most):
        at = ends - 1 - place - (len(point) if place >= n_decimals else 0)
        digits = characters.take(at, mode="wrap") - np.uint8(ord("0"))
        if place >= fewest:
            digits *= place < n_digits
        values += digits * np.int64(10**place)
    samples = values / 10**n_decimals
    np.negative(samples, out=samples, where=negative)
    return samples.reshape(-1, n_channels)


def _parse_rows(body, n_channels, file):
    """Parse rows of numbers in any form, or name the first one that is not."""
    rows = []
    for number, row in enumerate(body.splitlines(), start=3):
        cells = row.split(b",")
        try:
            if len(cells) != n_channels or b"_" in row:  # float admits 1_000
                raise ValueError
            rows.append([float(cell) for cell in cells])
        except ValueError:
            text = row[:60].decode(errors="replace")
            raise ValueError(
                f"Line {number} of {file} must hold {n_channels} number(s), got {text!r}."
            ) from None
    return np.array(rows)


def _parse_samples(body, n_channels, file):
    """Parse the rows below the header into an array of shape (n_times, n_channels)."""
    complete = body.endswith(b"\n")
    body = body.rstrip(b"\n") + b"\n"
    samples = _parse_fixed_point(body, n_channels)
    if samples is None:
        samples = _parse_rows(body, n_channels, file)
        others, _, last = body[:-1].rpartition(b"\n")
        if not complete and others and _parse_fixed_point(others + b"\n", n_channels) is not None:
            raise ValueError(f"{file} must end with a whole row, got {last.decode()!r}.")
    check_finite_rows(samples, file, first_line=3)
    return samples


def parse_time(text, place):
    """Return the unix time that is written as such, or as ISO text in UTC."""
    time = math.nan
    with suppress(ValueError):
        date = datetime.fromisoformat(text)
        time = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    with suppress(ValueError):  # last, as digits alone may be read as a date too
        time = float(text)
    if not abs(time) <= _LATEST:  # nor NaN
        raise ValueError(f"{place} must be unix time or ISO text in UTC, got {text[:60]!r}.")
    return time


def _parse_header(row, number, file):
    """Return the one value of a header row; ACC.csv repeats it for each channel."""
    values = {cell.strip() for cell in row.decode(errors="replace").split(",")}
    if len(values) > 1:
        found = ", ".join(sorted(values))
        raise ValueError(f"Line {number} of {file} must be the same for all channels, got {found}.")
    return values.pop()


def parse_signal(data, name, file):
    """Return the start, the sampling rate and the samples, (n_channels, n_times)."""
    data = data.removeprefix(b"\xef\xbb\xbf")  # spreadsheets put it before their text
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start, _, rest = data.partition(b"\n")
    rate, _, body = rest.partition(b"\n")
    if not body or body.isspace():
        n_rows = len(data.splitlines())
        raise ValueError(f"{file} must hold start, sampling rate and samples, got {n_rows} row(s).")
    start = parse_time(_parse_header(start, 1, file), f"Line 1 of {file}")
    rate = parse_rate(_parse_header(rate, 2, file), f"The sampling rate in line 2 of {file}")
    check_e4_rate(rate, name, file)
    samples = _parse_samples(body, 3 if name == "acc" else 1, file)
    if name == "acc":
        samples /= ACC_UNITS_PER_G
    samples = samples.T.astype(np.float32)
    check_samples(samples, name, file)
    return start, rate, samples
