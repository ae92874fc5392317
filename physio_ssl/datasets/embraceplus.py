"""Reader of Empatica EmbracePlus files."""

import warnings

import numpy as np

from .._timestamps import join_signals
from ..containers import Recording
from ._avro import read_avro
from ._common import explain_errors, list_names, list_paths
from .empatica import WRIST_SIGNALS, annotate_tags
from .reading import choose_signals

_SIGNALS = {  # name in the files, and sampling rate in Hz
    "bvp": ("bvp", 64),
    "eda": ("eda", 4),
    "temp": ("temperature", 1),
    "acc": ("accelerometer", 64),
    "gyro": ("gyroscope", 64),
}
_LARGEST_DRIFT = 0.01


def _find_files(path):
    """Return the Avro files at or below a path, or of several paths."""
    files = []
    for place in list_paths(path):
        found = sorted(place.rglob("*.avro")) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place} must hold Avro files, *.avro, found none.")
        files += found
    return files


def _scale(part):
    """Return the samples of a motion sensor in physical units."""
    imu = part["imuParams"]
    digital = imu["digitalMax"] - imu["digitalMin"]
    physical = imu["physicalMax"] - imu["physicalMin"]
    if not (digital > 0 and physical > 0):
        raise ValueError(f"ranges of its motion sensor must be positive, got {imu}")
    return np.array([part[axis] for axis in "xyz"], np.float32) * np.float32(physical / digital)


def _read_part(record, name):
    """Return the start in unix time, the rate and the samples of a signal; None without any."""
    field, nominal = _SIGNALS[name]
    part = record["rawData"][field]
    samples = _scale(part) if "x" in part else np.array(part["values"], np.float32)[np.newaxis]
    rate, start = part["samplingFrequency"], part["timestampStart"] / 1e6
    if not samples.size:
        return None
    if not abs(rate / nominal - 1) <= _LARGEST_DRIFT:
        raise ValueError(
            f"samplingFrequency of its {field} must be within 1 % of {nominal} Hz, or 0 without "
            f"samples, got {rate:g} Hz and {samples.shape[-1]} samples"
        )
    if not 0 < start < 1e10 or np.isinf(samples).any():
        raise ValueError(f"its {field} must start after 1970 and be finite, got {start:g} s")
    return start, rate, samples


def _read_record(record, signals):
    parts = {name: _read_part(record, name) for name in signals}
    tags = np.array(record["rawData"]["tags"]["tagsTimeMicros"], float) / 1e6
    about = {
        "participant": str(record["enrollment"]["participantID"]),
        "device": str(record["deviceSn"]),
        "timezone": record["timezone"],
    }
    return parts, tags, about


def _read_file(file, signals):
    """Return the parts of a file by signal, its tags, and whose and what device's it is."""
    with explain_errors(file, "an EmbracePlus file"):
        records = read_avro(file)
        if len(records) != 1:
            raise ValueError(f"it must hold one record, got {len(records)}")
        try:
            return _read_record(records[0], signals)
        except KeyError as error:
            raise ValueError(f"it lacks the field {error}") from error


def _is_same(part, other):
    """Return whether two parts of a signal, or none, start together with the same samples."""
    if part is None or other is None:
        return part is other
    return part[0] == other[0] and np.array_equal(part[2], other[2], equal_nan=True)


def _drop_copies(contents):
    """Leave out files with the same signals as one before, with a warning."""
    kept = {}
    for file, (parts, tags, about) in contents.items():
        twins = (
            other
            for other, (others, *_) in kept.items()
            if any(parts.values()) and all(_is_same(parts[name], others[name]) for name in parts)
        )
        if twin := next(twins, None):
            warnings.warn(f"{file} is left out: it holds the signals of {twin}.", stacklevel=3)
        else:
            kept[file] = parts, tags, about
    return kept


def _find_ends(parts, nominal, name):
    """Return where each part of a signal ends in seconds: at the next one's start if it is near."""
    ends = []
    for number, (file, start, rate, samples) in enumerate(parts):
        end = start + samples.shape[-1] / rate
        if number + 1 < len(parts):
            next_file, next_start, *_ = parts[number + 1]
            if abs(next_start - end) < 1 / nominal:
                end = next_start
            elif next_start < end:
                raise ValueError(
                    f"Files must not overlap, got {name} of {file} up to {end:.3f} s and of "
                    f"{next_file} from {next_start:.3f} s on (unix time). Leave one of them out."
                )
        ends.append(end)
    return ends


def _collect(contents, name, path):
    """Return start, end and samples of each part of a signal, sorted by start."""
    found = [(file, *parts[name]) for file, (parts, *_) in contents.items() if parts[name]]
    if not found:
        raise ValueError(f"{path} must hold samples of {name!r}, got none: leave it out.")
    found.sort(key=lambda part: part[1])
    ends = _find_ends(found, _SIGNALS[name][1], name)
    return [(start, end, x) for (_, start, _, x), end in zip(found, ends, strict=True)]


def _make_recording(contents, signals, path, subject):
    """Return the recording that joins the contents of files."""
    parts = {name: _collect(contents, name, path) for name in signals}
    rates = {name: _SIGNALS[name][1] for name in signals}
    start, end, samples = join_signals(parts, rates)
    tags = np.unique(np.concatenate([tags for _, tags, _ in contents.values()]))
    about = next(iter(contents.values()))[-1]
    subject = about["participant"] if subject is None else subject
    annotations = annotate_tags(tags, start, end, path)
    metadata = {key: about[key] for key in ("device", "timezone")}
    return Recording(samples, rates, subject, annotations, start, metadata=metadata)


def load_embraceplus(path, signals=None, *, subject=None):
    """Read the raw data of one person from an Empatica EmbracePlus.

    The device writes a file for every 15 to 30 minutes, ``<day>/<participant>-<device>/raw_data/
    v6/*.avro``. They are joined on one clock. Where no file has samples of a signal, such as
    between files or as its ``samplingFrequency`` is 0, it has a gap: samples of NaN.

    Parameters
    ----------
    path : str, path-like or sequence of them
        A file, a folder with files at any depth, or several of these.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read: "bvp" (blood volume pulse, arbitrary unit, 64 Hz), "eda" (microsiemens,
        4 Hz), "temp" (skin temperature, degrees Celsius, 1 Hz), "acc" (three channels, in g, 64 Hz)
        and "gyro" (three channels, degrees per second, 64 Hz). Steps and systolic peaks are not
        read.
    subject : str, default=None
        Who was recorded; None for the ``participantID`` in the files.

    Returns
    -------
    Recording
        The signals, as float32, from the first sample of any to the last. Annotations are the tags,
        presses of the button, of duration 0 and description "tag". ``start_time`` is unix time,
        ``metadata`` has "device" (serial number) and "timezone" (seconds from UTC).

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If a file is missing, cut off or malformed, a rate is more than 1 % off that above, a signal
        has no samples in any file, files overlap, or they are of several people or devices, or if
        fastavro is not installed.

    Warns
    -----
    UserWarning
        If a file holds the same signals as another, and is left out, or tags are outside the
        recording.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Notes
    -----
    Devices keep their rate to about one in ten thousand, such as 63.99 Hz. The samples of a file
    are interpolated linearly onto the grid of the exact rate; at the exact rate they are not
    changed. Where the next file starts within a sample of the end, there is no gap. Each file is
    moved onto the grid by at most half a sample.

    Examples
    --------
    >>> from pathlib import Path
    >>> from physio_ssl.datasets import load_embraceplus
    >>> recording = load_embraceplus("2026-01-31/P01-3YK123/raw_data")  # doctest: +SKIP
    >>> days = sorted(Path("study").glob("*/P01-*"))
    >>> recording = load_embraceplus(days)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, WRIST_SIGNALS)
    contents = {file: _read_file(file, signals) for file in _find_files(path)}
    abouts = [about for *_, about in contents.values()]
    for key in ("participant", "device"):
        if len(found := sorted({about[key] for about in abouts})) > 1:
            raise ValueError(
                f"{path} must hold files of one {key}, got {list_names(found, 10)}: pass a list of "
                "the files or folders of one."
            )
    contents = _drop_copies(contents)
    return _make_recording(contents, signals, path, subject)
