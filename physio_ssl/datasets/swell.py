"""Reader of SWELL-KW: ECG and skin conductance in office work under pressure."""

import re
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import list_names
from ._poly5 import read_poly5
from ._table import read_table
from .reading import choose_signals, find_paths, read_subjects

_SIGNALS = {"ecg": 7, "eda": 6}  # channel, from 0 on: the script that comes with the data
_FILES = r"0 - Raw data/D - Physiology - raw data/Mobi signals[\w ()]*/(pp\d+)[-_].*\.[sS]00"
_TABLE = Path("3 - Feature dataset", "per sensor")
_TABLE /= "D - Physiology features (HR_HRV_SCL - final).csv"
_CONDITIONS = {"R": "rest", "N": "neutral", "T": "time pressure", "I": "interruptions"}
_MINUTE = 60  # s, of one row


def _parse_time(text, path):
    """Return local time, which is written as 20120918T131600000."""
    try:
        return datetime.strptime(text[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        raise ValueError(
            f"Column timestamp of {path} must be like 20120918T131600000, got {text!r}."
        ) from None


def _read_conditions(path):
    """Return the start and the condition of each minute, by subject and block."""
    table = read_table(path, {"C": "f8"}, ["PP", "Condition", "timestamp"])
    conditions = {}
    if unknown := sorted(set(table["Condition"]) - set(_CONDITIONS)):
        raise ValueError(
            f"Conditions in {path} must be of {', '.join(_CONDITIONS)}, got {list_names(unknown)}."
        )
    columns = (table[name] for name in ("PP", "C", "timestamp", "Condition"))
    for subject, block, time, condition in zip(*columns, strict=True):
        minute = _parse_time(time, path), _CONDITIONS[condition]
        conditions.setdefault((subject.lower(), f"{block:g}"), []).append(minute)
    return conditions


def _load_block(subject, path, signals, conditions, table):
    """Read one block of a subject, or say that nothing is known of it."""
    match = re.search(r"[-_]c(\d)(?:_cont)?$", path.stem)
    minutes = conditions.get((subject, match[1])) if match else None
    if minutes is None:
        return [f"{path.name} is not in {table.name}."]
    poly5 = read_poly5(path, [_SIGNALS[name] for name in signals])
    samples = dict(zip(signals, poly5.samples, strict=True))
    recording = Recording(samples, dict.fromkeys(signals, poly5.sampling_rate), subject)
    onset = np.array([(time - poly5.start).total_seconds() for time, _ in minutes])
    inside = (onset < recording.duration) & (onset + _MINUTE > 0)
    if not inside.any():
        raise ValueError(
            f"{table} must hold minutes within {path}, which starts at {poly5.start}, got "
            f"{minutes[0][0]} to {minutes[-1][0]}."
        )
    description = np.array([condition for _, condition in minutes])
    return recording.annotate(onset[inside], _MINUTE, description[inside])


def load_swell(path, subjects=None, signals=None, *, n_jobs=None):
    """Read SWELL-KW: 25 people in office work, undisturbed, under time pressure and interrupted.

    The layout is known from the script that comes with the data, and from public code that reads
    it, but no file was at hand to try it [1]_. Check the first recordings by eye.

    Parameters
    ----------
    path : str or path-like
        Folder of SWELL-KW, with ``0 - Raw data/D - Physiology - raw data/Mobi signals (raw and
        filtered)/pp1_18-9-2012_c1.S00`` and so on, and ``3 - Feature dataset/per sensor/D -
        Physiology features (HR_HRV_SCL - final).csv``.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("pp1", "pp2")``; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read, in the units of the files, usually at 2048 Hz: "ecg" (filtered by the
        authors, microvolts) and "eda" (skin conductance as the device gives it, not in
        microsiemens).
    n_jobs : int, default=None
        Number of blocks read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each block of a subject, of which each has three. Annotations
        are the minutes of the table: "rest", "neutral", "time pressure" and "interruptions", placed
        by the clocks of the table and of the device.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, or no minute lies in a recording.

    Warns
    -----
    UserWarning
        If files are left out as the table does not have their block.

    See Also
    --------
    fetch_swell : Download the files, or say whom to ask.

    References
    ----------
    .. [1] Koldijk, S. et al. (2014). The SWELL knowledge work dataset for stress and user modeling
       research. ICMI.

    Examples
    --------
    >>> from physio_ssl.datasets import load_swell
    >>> recordings = load_swell("swell")  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, ("ecg",))
    found = find_paths(path, _FILES, "0 - Raw data with pp1_18-9-2012_c1.S00 and so on")
    table = Path(path) / _TABLE
    load = partial(_load_block, signals=signals, conditions=_read_conditions(table), table=table)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
