"""Strict parser of WFDB headers: what a record's .hea file says of its signals."""

import re
from dataclasses import dataclass

from .._check import check_sampling_rate

_CONFLICT_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
_MILLIVOLT, _UNITS_PER_MILLIVOLT = "mV", 200.0  # what WFDB takes where a header does not say
_RECORD = re.compile(
    r"""(?P<record>[\w-]+) (?P<segments>/\d+)? \s+ (?P<n_signals>\d+)
    (?: \s+ (?P<rate>[-+.\deE]+) (?:/\S*)?      # the rate of the counter is of no use
    (?: \s+ (?P<n_frames>\d+) (?:\s+\S.*)? )? )?  # nor is the time of day""",
    re.ASCII | re.VERBOSE,
)
_SIGNAL = re.compile(
    r"""(?P<file>\S+) \s+ (?P<format>\d+) (?:x(?P<samples_per_frame>\d+))?
    (?::(?P<skew>\d+))? (?:\+(?P<offset>\d+))?
    (?: \s+ (?P<gain>[-+.\deE]+) (?:\((?P<baseline>-?\d+)\))? (?:/(?P<unit>\S+))?
    (?: \s+ \d+                                 # resolution, in bits
    (?: \s+ (?P<zero>-?\d+)
    (?: \s+ -?\d+                               # first sample
    (?: \s+ -?\d+                               # checksum
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


@dataclass(frozen=True)
class Header:
    """What a header says of a record."""

    frame_rate: float  # Hz
    n_frames: int | None
    signals: tuple


def _split_lines(data, path):
    """Return the place and text of the lines that are no comments; refuse marks of git."""
    lines = []
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
        line = line.strip()
        if line.startswith(_CONFLICT_MARKERS):
            raise ValueError(
                f"Line {number} of {path} must be of a WFDB header, got {line[:60]!r}, a conflict "
                "marker of an unfinished git merge. Get the file again."
            )
        if line and not line.startswith("#"):
            lines.append((f"line {number} of {path}", line))
    if not lines:
        raise ValueError(f"{path} must hold a WFDB header, got no line of one.")
    return lines


def _parse_number(text, name, line):
    """Return text, which may be missing, as a number."""
    try:
        return float(text or "none")
    except ValueError:
        raise ValueError(f"{name} must be a number, got {line[:60]!r}.") from None


def _parse_record_line(place, line, path):
    """Return the number of signals, the frames per second and the number of frames."""
    match = _RECORD.fullmatch(line)
    if not match:
        raise ValueError(
            "A header must start with a record's name, number of signals, sampling rate and number "
            f"of samples, got {line[:60]!r} in {place}."
        )
    if match["segments"]:
        raise ValueError(
            f"{path} must be the header of one continuous record, got several segments, "
            f"{line[:60]!r}. Read the segments one by one."
        )
    if match["record"] != path.stem:
        found = match["record"]
        raise ValueError(f"The record in {place} must be named {path.stem}, got {found!r}.")
    name = f"The sampling rate in {place}"
    rate = check_sampling_rate(_parse_number(match["rate"], name, line), name)
    n_frames = int(match["n_frames"] or 0)  # WFDB writes 0 for a length not known
    return int(match["n_signals"]), rate, n_frames or None


def _parse_signal_line(place, line, default_name):
    """Return what a line says of a signal."""
    match = _SIGNAL.fullmatch(line)
    if not match:
        raise ValueError(f"A signal's file, format, gain must be in {place}, got {line[:60]!r}.")
    if not re.fullmatch(r"[\w-]+(\.\w+)?", match["file"], re.ASCII):
        raise ValueError(
            f"The file in {place} must be named without any path, got {match['file']!r}."
        )
    gain = _parse_number(match["gain"] or "0", f"The gain in {place}", line)
    samples_per_frame = int(match["samples_per_frame"] or 1)
    if not samples_per_frame:
        raise ValueError(f"The samples per frame in {place} must be 1 or more, got 0.")
    return SignalLine(
        name=match["name"] or default_name,
        file=match["file"],
        format=match["format"],
        offset=int(match["offset"] or 0),
        samples_per_frame=samples_per_frame,
        gain=gain or _UNITS_PER_MILLIVOLT,
        calibrated=bool(gain),
        baseline=int(match["baseline"] or match["zero"] or 0),
        unit=match["unit"] or _MILLIVOLT,
    )


def parse_header(data, path):
    """Parse the bytes of a header, of one segment, that was read from ``path``."""
    first, *rest = _split_lines(data, path)
    n_signals, rate, n_frames = _parse_record_line(*first, path)
    if not n_signals or len(rest) != n_signals:
        raise ValueError(
            f"{path} must have one line for each of its signals, one or more, got {len(rest)} "
            f"line(s) for {n_signals} signal(s)."
        )
    signals = [
        _parse_signal_line(*line, f"record {path.stem}, signal {index}")  # named as by WFDB
        for index, line in enumerate(rest)
    ]
    return Header(rate, n_frames, tuple(signals))
