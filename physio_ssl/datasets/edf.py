"""Reader of EDF and EDF+ files."""

from pathlib import Path

import numpy as np

from ..containers import Recording
from ._channels import choose_channels
from ._common import check_device_rate, explain_errors, import_library, parse_number, read_file
from .reading import annotate_intervals

_HEADER = 256  # bytes, for the file and again for each signal


def _check_length(data, path):
    """Raise if the bytes are no EDF file, or fewer or more than its header says."""
    if len(data) < _HEADER or data[:8].strip() != b"0":
        raise ValueError(
            f"{path} must be an EDF file, which starts with 0, got {len(data)} bytes: {data[:8]}."
        )
    if data[192:197] == b"EDF+D":
        raise ValueError(f"{path} must be continuous, got EDF+D, which has gaps in time.")

    def read(start, length, what, kind=int):
        field = data[start : start + length].decode(errors="replace").strip()
        return parse_number(field, f"The {what} in the header of {path}", kind)

    n_header = read(184, 8, "size of the header")
    n_signals, n_records = read(252, 4, "number of signals"), read(236, 8, "number of data records")
    duration = read(244, 8, "duration of a data record", float)
    if n_signals < 1 or n_records < 1 or not (np.isfinite(duration) and duration > 0):
        raise ValueError(
            f"{path} must have signals and data records of more than 0 s, got {n_signals} signals "
            f"and {n_records} data records of {duration:g} s."
        )
    if n_header != _HEADER * (n_signals + 1):
        raise ValueError(
            f"The header of {path} must have {_HEADER * (n_signals + 1)} bytes for {n_signals} "
            f"signals, got {n_header}."
        )
    starts = range(_HEADER + 216 * n_signals, _HEADER + 224 * n_signals, 8)
    counts = [read(start, 8, "number of samples") for start in starts]
    n_bytes = _HEADER * (n_signals + 1) + 2 * n_records * sum(counts)
    if min(counts) < 0 or len(data) != n_bytes:
        raise ValueError(
            f"{path} must have {n_bytes} bytes for its header and {n_records} data records of "
            f"{counts} samples, got {len(data)}: it is cut off or has a wrong header."
        )


def read_edf(path):
    """Return a file as edfio reads it, once its length is that of its header."""
    edfio = import_library("edfio")
    data = read_file(path)
    _check_length(data, path)
    with explain_errors(path, "an EDF file"):
        return edfio.read_edf(data)


def read_signal(signal, name):
    """Return the samples of one signal in its unit, its sampling rate and the unit."""
    ranges = [high - low for low, high in (signal.physical_range, signal.digital_range)]
    if not np.isfinite(ranges).all() or 0 in ranges:
        raise ValueError(f"{name} must have finite ranges that are not 0, got {ranges}")
    rate = check_device_rate(signal.sampling_frequency, f"the sampling rate of {name}")
    low, high = signal.digital_range
    if signal.digital.min() < low or signal.digital.max() > high:
        raise ValueError(f"the digital values of {name} must lie within {low} to {high}")
    return signal.data, rate, signal.physical_dimension


def _annotate(edf):
    """Return the annotations of EDF+; events of unknown duration last 0 s."""
    events = sorted((event.onset, event.duration or 0, event.text) for event in edf.annotations)
    return annotate_intervals(events)


def load_edf(path, signals=None, *, subject=None):
    """Read an EDF or EDF+ file with any signals.

    Parameters
    ----------
    path : str or path-like
        The file. It must be continuous: EDF+D, which may have gaps in time, is refused.
    signals : sequence of str or mapping from str to str or list of str, default=None
        Signals to read. None reads each as a modality of its own, whose name is its label in lower
        case with underscores: "ECG II" is "ecg_ii". A sequence has some of these names. A mapping
        has the labels of each modality: ``{"ecg": "ECG II", "acc": ["X", "Y", "Z"]}``.
    subject : str, default=None
        Who was recorded; None for the name of the file.

    Returns
    -------
    Recording
        The signals, each at its own rate, as float32 and in the units of the file, which
        ``metadata["units"]`` has for each modality. Annotations are those of EDF+. ``start_time``
        is None, as EDF files do not state the time zone.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If the file is missing, cut off or malformed, has no such signal, a modality's channels
        differ in rate or unit, or edfio is not installed.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl.datasets import load_edf
    >>> recording = load_edf("night.edf", {"ecg": "ECG II", "resp": "Thorax"})  # doctest: +SKIP
    """
    path = Path(path)
    edf = read_edf(path)
    with explain_errors(path, "an EDF file"):
        labels = [signal.label for signal in edf.signals]
        samples, rates, units = {}, {}, {}
        for modality, indices in choose_channels(labels, signals, path).items():
            found = [read_signal(edf.signals[i], labels[i]) for i in indices]
            if len({(rate, unit) for _, rate, unit in found}) > 1:
                got = ", ".join(f"{rate:g} Hz in {unit!r}" for _, rate, unit in found)
                raise ValueError(f"{modality!r} must have one rate and unit, got {got}")
            samples[modality] = np.stack([x for x, *_ in found]).astype(np.float32)
            _, rates[modality], units[modality] = found[0]
        subject = path.stem if subject is None else subject
        return Recording(samples, rates, subject, _annotate(edf), metadata={"units": units})
