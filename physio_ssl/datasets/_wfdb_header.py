"""Strict parser of WFDB headers: what a record's .hea file says of its signals."""

import re
import warnings
from dataclasses import dataclass

from ._common import decode_text, parse_number, parse_rate

_LOWEST_GAIN, _HIGHEST_GAIN = 1e-12, 1e12  # from picovolts to values of 64 bits
_MILLIVOLT, _UNITS_PER_MILLIVOLT = "mV", 200.0  # what WFDB takes where a header does not say
_TOO_MANY_DIGITS = r"\d{31}"
_RECORD = re.compile(
    r"""(?P<record>[\w-]+) (?P<segments>/\d+)? \s+ (?P<n_signals>\d+)
    (?: \s+ (?P<rate>[-+.\deE]+) (?:/\S*)?      # the rate of the counter is of no use
    (?: \s+ (?P<n_frames>\d+) (?:\s+\S.*)? )? )?  # nor is the time of day""",
    re.ASCII | re.VERBOSE,
)
_SIGNAL = re.compile(
    r"""(?P<file>[\w-]+(?:\.\w+)?)              # without any path
    \s+ (?P<format>\d+) (?:x(?P<samples_per_frame>[1-9]\d*))?
    (?::(?P<skew>\d{1,4}))? (?:\+(?P<offset>\d+))?
    (?: \s+ (?P<gain>[-+.\deE]+) (?:\((?P<baseline>-?\d+)\))? (?:/(?P<unit>\S+))?
    (?: \s+ \d+                                 # resolution, in bits
    (?: \s+ (?P<zero>-?\d+)
    (?: \s+ (?P<first>-?\d+)                    # first sample
    (?: \s+ (?P<checksum>-?\d+)
    (?: \s+ \d+                                 # block size
    (?: \s+ (?P<name>\S.*) )? )? )? )? )? )? )?""",
    re.ASCII | re.VERBOSE,
)


@dataclass(frozen=True)
class SignalLine:
    """What one line of a header says of a signal."""

    name: str
    file: str
    format: str
    offset: int  # in the file, in bytes
    samples_per_frame: int
    gain: float  # digital units per physical unit
    calibrated: bool
    baseline: int  # digital value of 0
    unit: str
    first: int | None  # digital value of the first sample
    checksum: int | None  # sum of all digital values, modulo 65536; None where it is not stated


@dataclass(frozen=True)
class Header:
    """What a header says of a record."""

    frame_rate: float  # Hz
    n_frames: int | None
    signals: tuple


def _parse_record_line(place, line, path):
    """Return the number of signals, the frames per second and the number of frames."""
    match = _RECORD.fullmatch(line)
    if not match:
        raise ValueError(f"{place} must name a record and its rate, got {line[:60]!r}.")
    if match["segments"] or match["record"] != path.stem:
        raise ValueError(f"{place} must be of one segment named {path.stem}, got {line[:60]!r}.")
    rate = parse_rate(match["rate"] or "", f"{place}: the sampling rate")
    n_frames = int(match["n_frames"] or 0)  # WFDB writes 0 for a length not known
    return int(match["n_signals"]), rate, n_frames or None


def _parse_signal_line(place, line, default_name):
    """Return what a line says of a signal."""
    match = _SIGNAL.fullmatch(line)
    if not match:
        raise ValueError(f"{place} must hold file (no path), format, gain, got {line[:60]!r}.")
    gain = parse_number(match["gain"] or "0", f"{place}: the gain")
    if gain and not _LOWEST_GAIN <= gain <= _HIGHEST_GAIN:
        raise ValueError(
            f"{place}: the gain must be from {_LOWEST_GAIN:g} to {_HIGHEST_GAIN:g}, or 0 if it is "
            f"not known, got {match['gain']}."
        )
    # Headers of published sets hold 0 where nobody computed a checksum, and then first samples
    # that are not right either. A skewed signal is not read from its first sample on.
    checksum = int(match["checksum"] or 0)
    is_stated = checksum and not int(match["skew"] or 0)
    return SignalLine(
        name=match["name"] or default_name,
        file=match["file"],
        format=match["format"],
        offset=int(match["offset"] or 0),
        samples_per_frame=int(match["samples_per_frame"] or 1),
        gain=gain or _UNITS_PER_MILLIVOLT,
        calibrated=bool(gain),
        baseline=int(match["baseline"] or match["zero"] or 0),
        unit=match["unit"] or _MILLIVOLT,
        first=int(match["first"] or 0) if is_stated else None,
        checksum=checksum if is_stated else None,
    )


def parse_header(data, path):
    """Parse the bytes of a header, of one segment, that was read from ``path``."""
    text = decode_text(data, path, errors="replace")  # comments and units may be in Latin-1
    lines = enumerate(text.splitlines(), start=1)
    lines = [(f"Line {number} of {path}", line.strip()) for number, line in lines]
    lines = [(place, line) for place, line in lines if line and not line.startswith("#")]
    for place, line in lines:
        if re.search(_TOO_MANY_DIGITS, line):
            raise ValueError(f"{place} must hold numbers of at most 30 digits, got {line[:60]!r}.")
    first, *rest = lines or [(f"Line 1 of {path}", "")]
    n_signals, rate, n_frames = _parse_record_line(*first, path)
    signals = [
        _parse_signal_line(*line, f"record {path.stem}, signal {index}")  # named as by WFDB
        for index, line in enumerate(rest)
    ]
    if not signals or len(signals) != n_signals:
        raise ValueError(f"{path} must have lines of {n_signals} signals, got {len(signals)}.")
    if not data.endswith((b"\n", b"\r")):
        warnings.warn(f"{path} must end with a whole line: it may be cut off.", stacklevel=3)
    return Header(rate, n_frames, tuple(signals))
