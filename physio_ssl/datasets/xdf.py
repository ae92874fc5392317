"""Reader of XDF files, which the Lab Streaming Layer records."""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from .._timestamps import join_signals
from ..containers import Recording
from ._channels import choose_channels
from ._common import (
    check_device_rate,
    explain_errors,
    import_library,
    list_names,
    name_modalities,
    parse_number,
    read_file,
)
from .reading import annotate_intervals, choose_signals

_HEADER, _SAMPLES, _CLOCK = 2, 3, 4  # kinds of chunks
_XML = 1, 2, 6
_SIZES = {
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float32": 4,
    "double64": 8,
    "string": None,
}
_LARGEST_DRIFT = 0.01
_MOST_CHANNELS = 4096


@dataclass
class _Stream:
    """What the header of a stream says."""

    name: str
    type: str
    rate: float
    n_channels: int
    format: str
    labels: list
    units: list


def _parse_header(data):
    """Return what the header of a stream says."""
    info = ElementTree.fromstring(data)

    def read(key):
        return (info.findtext(key) or "").strip()

    stream = _Stream(
        read("name"),
        read("type"),
        parse_number(read("nominal_srate"), "nominal_srate"),
        parse_number(read("channel_count"), "channel_count", int),
        read("channel_format"),
        [(each.findtext("label") or "").strip() for each in info.iterfind("desc/channels/channel")],
        [(each.findtext("unit") or "").strip() for each in info.iterfind("desc/channels/channel")],
    )
    if stream.format not in _SIZES or not 1 <= stream.n_channels <= _MOST_CHANNELS:
        raise ValueError(
            f"a stream must have from 1 to {_MOST_CHANNELS} channels in a format of "
            f"{', '.join(_SIZES)}, got {stream.n_channels} in {stream.format!r:.60}"
        )
    if stream.rate:
        check_device_rate(stream.rate, f"nominal_srate of {stream.name!r}")
    return stream


def _read_count(data, position):
    """Return a count of 1, 4 or 8 bytes, and the position after it."""
    if position >= len(data) or data[position] not in (1, 4, 8):
        raise ValueError(f"it is cut off or damaged at byte {position}")
    last = position + 1 + data[position]
    return int.from_bytes(data[position + 1 : last], "little"), last


def _check_samples(data, stream):
    """Raise unless a chunk holds as many samples as it says: pyxdf would go on after it."""
    count, position = _read_count(data, 0)
    size = _SIZES[stream.format]
    for _ in range(count):
        if position >= len(data) or data[position] not in (0, 8):
            raise ValueError(f"a chunk of {stream.name!r} must hold {count} samples, got fewer")
        position += 1 + data[position]
        if size is None:
            for _ in range(stream.n_channels):
                length, position = _read_count(data, position)
                position += length
        else:
            position += size * stream.n_channels
    if position != len(data):
        raise ValueError(f"a chunk of {stream.name!r} must have {position} bytes, got {len(data)}")


def _find_streams(data):
    """Return the streams of a file by their number; raise if a chunk is cut off or damaged."""
    if data[:4] != b"XDF:":
        raise ValueError(f"it must start with b'XDF:', got {data[:4]}")
    streams, position = {}, 4
    while position < len(data):
        length, position = _read_count(data, position)
        chunk = data[position : position + length]
        if length < 2 or len(chunk) < length:
            raise ValueError(f"it is cut off: a chunk must have {length} bytes, got {len(chunk)}")
        position += length
        kind, number = (int.from_bytes(part, "little") for part in (chunk[:2], chunk[2:6]))
        if kind in _XML and b"<!" in chunk:  # entities may expand to gigabytes
            raise ValueError("headers must have no document type, entity or comment, got '<!'")
        if kind == _HEADER:
            streams[number] = _parse_header(chunk[6:])
        elif kind in (_SAMPLES, _CLOCK) and number not in streams:
            raise ValueError(f"stream {number} must have a header before its samples, got none")
        elif kind == _SAMPLES:
            _check_samples(chunk[6:], streams[number])
        elif kind == _CLOCK and length != struct.calcsize("<HIdd"):
            raise ValueError(f"a clock offset must have 22 bytes, got {length}")
    return streams


def _choose_streams(streams, signals, path):
    """Map modalities to the number of a stream and to its channels, None for all."""
    regular = {n: stream for n, stream in streams.items() if stream.rate and _SIZES[stream.format]}
    if not isinstance(signals, Mapping):
        names = name_modalities([stream.name for stream in regular.values()], path)
        known = dict(zip(names, regular, strict=True))
        return {name: (known[name], None) for name in choose_signals(signals, known)}
    chosen = {}
    for modality, wanted in signals.items():
        wanted, labels = (wanted, None) if isinstance(wanted, str) else wanted
        found = [n for n, stream in regular.items() if wanted in (stream.name, stream.type)]
        if len(found) != 1:
            got = list_names(f"{stream.name} ({stream.type})" for stream in regular.values())
            raise ValueError(
                f"it must have one stream {wanted!r} with a rate, by name or type, got {got}"
            )
        stream = regular[found[0]]
        if labels is not None:
            (labels,) = choose_channels(stream.labels, {modality: labels}, path).values()
        chosen[modality] = found[0], labels
    return chosen


def _split_parts(loaded, stream, channels):
    """Return start, end and samples of each segment of a stream between breaks."""
    times = loaded["time_stamps"]
    samples = np.asarray(loaded["time_series"], np.float32).T
    if not times.size or not np.isfinite(times).all() or np.isinf(samples).any():
        raise ValueError(f"{stream.name!r} must have finite samples and times, got others or none")
    samples = samples if channels is None else samples[channels]
    parts = []
    for first, last in loaded["info"]["segments"]:
        count = last - first + 1
        lasts = times[last] - times[first]
        interval = lasts / (count - 1) if count > 1 else 1 / stream.rate
        if not abs(interval * stream.rate - 1) <= _LARGEST_DRIFT:
            raise ValueError(
                f"{stream.name!r} must have the rate of its header within 1 %, {stream.rate:g} Hz, "
                f"got {count} samples in {lasts:g} s"
            )
        parts.append((times[first], times[last] + interval, samples[:, first : last + 1]))
    if any(later[0] < earlier[1] - 0.5 / stream.rate for earlier, later in pairwise(parts)):
        raise ValueError(f"times of {stream.name!r} must not go back")
    return parts


def _annotate_markers(loaded, streams, start):
    """Return the samples of all streams of markers, sorted by time."""
    events = [
        (time - start, 0, " ".join(map(str, values)))
        for number, stream in streams.items()
        if not stream.rate and number in loaded
        for time, values in zip(
            loaded[number]["time_stamps"], loaded[number]["time_series"], strict=True
        )
    ]
    return annotate_intervals(sorted(events))


def load_xdf(path, signals=None, *, subject=None):
    """Read an XDF file, in which LabRecorder writes the streams of the Lab Streaming Layer.

    Times are those of the computer that recorded: pyxdf corrects the clock of each stream by its
    measured offsets, and takes the jitter out of regular streams. Samples are placed on the grid
    of the stream's nominal rate, and are interpolated linearly where its true rate is another one.

    Parameters
    ----------
    path : str or path-like
        The file, not compressed.
    signals : sequence of str or mapping, default=None
        Signals to read. None reads each stream with a nominal rate as a modality whose name is the
        stream's in lower case with underscores, and a sequence some of these. A mapping has the
        name or type of each modality's stream, with labels of channels if not all are wanted:
        ``{"bvp": "PPG", "ecg": ("BITalino", ["ECG"])}``.
    subject : str, default=None
        Who was recorded; None for the name of the file.

    Returns
    -------
    Recording
        The signals, as float32, from the first sample of any to the last; breaks are gaps, samples
        of NaN. ``metadata`` has "labels" and "units" of the channels of each modality, as the
        streams describe them. Annotations are the samples of streams without a rate, such as
        markers, of duration 0. ``start_time`` is None, as the clock is that of a computer.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If the file is missing, cut off or malformed, no or several streams fit, a stream's rate is
        more than 1 % off its nominal one, or pyxdf is not installed.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl.datasets import load_xdf
    >>> recording = load_xdf("sub-01.xdf", {"ecg": ("BITalino", ["ECG"])})  # doctest: +SKIP
    """
    path = Path(path)
    pyxdf, data = import_library("pyxdf"), read_file(path)
    with explain_errors(path, "an XDF file"):
        streams = _find_streams(data)
        chosen = _choose_streams(streams, signals, path)
        needed = {number for number, _ in chosen.values()}
        needed |= {number for number, stream in streams.items() if not stream.rate}
        loaded, _ = pyxdf.load_xdf(io.BytesIO(data), sorted(needed))
        loaded = {each["info"]["stream_id"]: each for each in loaded}
        parts = {
            name: _split_parts(loaded[number], streams[number], channels)
            for name, (number, channels) in chosen.items()
        }
        rates = {name: streams[number].rate for name, (number, _) in chosen.items()}
        start, _, samples = join_signals(parts, rates)
        metadata = {"labels": {}, "units": {}}
        for name, (number, channels) in chosen.items():
            for key, described in metadata.items():
                values = getattr(streams[number], key)
                described[name] = values if channels is None else [values[i] for i in channels]
        annotations = _annotate_markers(loaded, streams, start)
        subject = path.stem if subject is None else subject
        return Recording(samples, rates, subject, annotations, metadata=metadata)
