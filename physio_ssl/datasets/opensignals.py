"""Reader of text files of OpenSignals, which BITalino and biosignalsplux record."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..containers import Recording
from ._channels import choose_channels
from ._common import decode_text, explain_errors, parse_rate, read_file

_FIRST_LINE, _LAST_LINE = "# OpenSignals Text File Format", "# EndOfHeader"
_COUNTS = 16  # to which BITalino numbers its rows
_VCC = 3.3  # volts, of BITalino
# By sensor of BITalino (data sheets, revolution): unit, and value of a part of the full range.
_TRANSFER = {
    "ECG": ("mV", lambda part: (part - 0.5) * _VCC / 1100 * 1e3),
    "EMG": ("mV", lambda part: (part - 0.5) * _VCC / 1009 * 1e3),
    "EDA": ("uS", lambda part: part * _VCC / 0.132),
    "PZT": ("%", lambda part: (part - 0.5) * 100),
    "TEMP": ("degC", lambda part: (part * _VCC - 0.5) * 100),
}


def _split_header(text, path):
    """Return the settings of the one device in the header, and the rows below it."""
    lines = text.split("\n", 3)
    if len(lines) < 4 or lines[0].strip() != _FIRST_LINE or lines[2].strip() != _LAST_LINE:
        raise ValueError(
            f"it must start with {_FIRST_LINE!r}, a line of settings and {_LAST_LINE!r}, got "
            f"{text[:60]!r}"
        )
    devices = json.loads(lines[1].lstrip("# "))
    if not isinstance(devices, dict) or len(devices) != 1:
        raise ValueError(
            f"it must be of one device, got {str(devices)[:100]}: export them one by one"
        )
    if not lines[3].endswith("\n"):
        raise ValueError(f"it must end with a whole row of samples, got {lines[3][-60:]!r}")
    (settings,) = devices.values()
    return settings, lines[3]


def _read_rows(rows, n_columns):
    """Return the table of integers, of shape (n_columns, n_times)."""
    table = pd.read_csv(io.StringIO(rows), sep="\t", header=None)
    if table.shape[1] == n_columns + 1 and table[n_columns].isna().all():  # tabs at the ends
        table = table.iloc[:, :-1]
    kinds = {kind.kind for kind in table.dtypes}
    if table.shape[1] != n_columns or not kinds <= {"i", "u"}:
        raise ValueError(
            f"rows must hold {n_columns} integers, got {table.shape[1]} columns, the last row "
            f"{table.iloc[-1].tolist()[:20]}"
        )
    return table.to_numpy().T


def _find_points(numbers):
    """Return the sample number of each row, which counts to 16 in the file."""
    steps = np.diff(numbers) % _COUNTS
    return np.concatenate([[0], np.cumsum(np.where(steps == 0, _COUNTS, steps))])


def _to_units(samples, sensor, bits, is_bitalino):
    """Return the samples of a channel in the unit of its sensor, and that unit, or "raw"."""
    if samples.min() < 0 or samples.max() >= 2**bits:
        raise ValueError(
            f"samples of {sensor} must be from 0 to {2**bits - 1}, its resolution of {bits} bits, "
            f"got {samples.min()} to {samples.max()}"
        )
    if not is_bitalino or sensor not in _TRANSFER:
        return samples.astype(np.float32), "raw"
    unit, convert = _TRANSFER[sensor]
    return convert(samples / 2**bits).astype(np.float32), unit


def _check_settings(settings):
    """Return the names of all columns, and labels, sensors and bits of the channels."""
    columns, labels, sensors, bits = (
        list(settings[key]) for key in ("column", "label", "sensor", "resolution")
    )
    n_others = len(columns) - len(labels)
    bits = bits[-len(labels) :]  # BITalino lists those of all columns
    if (
        not labels
        or not len(labels) == len(sensors) == len(bits)
        or columns[n_others:] != labels
        or not all(isinstance(n, int) and 1 <= n <= 32 for n in bits)
    ):
        raise ValueError(
            "its header must have a column, label, sensor and resolution of each channel, got "
            f"{columns}, {labels}, {sensors} and {settings['resolution']}"
        )
    return columns, labels, [str(sensor).upper() for sensor in sensors], bits


def _name_channels(labels, sensors):
    """Return names of the channels: the sensor's, with the label's if there are several."""
    return [
        sensor if sensors.count(sensor) == 1 and sensor != "RAW" else f"{sensor} {label}"
        for sensor, label in zip(sensors, labels, strict=True)
    ]


def _read_channels(text, signals, path):
    """Return the signals, their rate, units and the device."""
    settings, rows = _split_header(text, path)
    columns, labels, sensors, bits = _check_settings(settings)
    rate = parse_rate(str(settings["sampling rate"]), "the sampling rate")
    table = _read_rows(rows, len(columns))
    is_bitalino = str(settings["device"]).lower().startswith("bitalino")
    counts = is_bitalino and columns[0] == "nSeq"
    points = _find_points(table[0]) if counts else np.arange(table.shape[1])
    if n_lost := points[-1] + 1 - len(points):
        warnings.warn(f"{path} lacks {n_lost} of {points[-1] + 1} samples: gaps.", stacklevel=3)
    samples, units = {}, {}
    chosen = choose_channels(_name_channels(labels, sensors), signals, path)
    for name, indices in chosen.items():
        channels = [
            _to_units(table[i - len(labels)], sensors[i], bits[i], is_bitalino) for i in indices
        ]
        samples[name] = np.full((len(indices), points[-1] + 1), np.nan, np.float32)
        samples[name][:, points] = [x for x, _ in channels]
        units[name] = channels[0][1]
    metadata = {"units": units, "device": str(settings["device"])}
    return samples, dict.fromkeys(samples, rate), metadata


def load_opensignals(path, signals=None, *, subject=None):
    """Read a text file of OpenSignals, with the signals of one BITalino or biosignalsplux.

    Parameters
    ----------
    path : str or path-like
        The file, which starts with ``# OpenSignals Text File Format``.
    signals : sequence of str or mapping from str to str or list of str, default=None
        Signals to read. None reads each analog channel as a modality whose name is its sensor's in
        lower case, such as "ecg" and "eda". Several of one sensor, and those without one, have
        their column's name, too: "ecg_a1", "raw_a3". A mapping has the channels of each modality
        in capitals: ``{"acc": ["ACC A4", "ACC A5", "ACC A6"]}``.
    subject : str, default=None
        Who was recorded; None for the name of the file.

    Returns
    -------
    Recording
        The signals, as float32, with their units in ``metadata["units"]``, "raw" for digital
        values. ``start_time`` is None, as the files do not state the time zone.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, cut off, malformed or of several devices, a row has not a number for
        each column, a sample does not fit the resolution, or there is no such signal.

    Warns
    -----
    UserWarning
        If the numbers of a BITalino's rows skip some: the samples that are lost are NaN. They count
        to 16, so a loss of 16 in a row is not seen.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Notes
    -----
    For BITalino (revolution) at 3.3 V, with p the digital value over 2 to the power of the
    channel's bits: ECG ``(p - 0.5) * 3.3 / 1100`` V and EMG ``(p - 0.5) * 3.3 / 1009`` V, both as
    mV; EDA ``p * 3.3 / 0.132`` microsiemens; PZT (respiration) ``(p - 0.5) * 100`` percent of the
    range; TEMP ``(p * 3.3 - 0.5) * 100`` degrees Celsius. Other sensors and devices are raw: their
    transfer functions depend on the sensor's version or on calibration.

    Examples
    --------
    >>> from physio_ssl.datasets import load_opensignals
    >>> recording = load_opensignals("opensignals.txt", ["ecg", "eda"])  # doctest: +SKIP
    """
    path = Path(path)
    with explain_errors(path, "a file of OpenSignals"):
        try:
            samples, rates, metadata = _read_channels(
                decode_text(read_file(path), path), signals, path
            )
        except KeyError as error:
            raise ValueError(f"its header lacks {error}") from error
    subject = path.stem if subject is None else subject
    return Recording(samples, rates, subject, metadata=metadata)
