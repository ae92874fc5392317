"""Columns that describe windows by what is no physiology: time, order, wear, movement, length."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import periodogram

from .._check import has_modalities
from ..heartbeats import LOWEST_ECG_RATE, QRS_BAND
from ..quality.ppg import measure_purity
from ..windows import cut_from_recordings

TIME, ORDER, SUBJECT = "time in the recording", "order of conditions", "subject"
QUALITY, MOVEMENT, NUMBER = "signal quality", "movement", "number of windows"
_PULSES = ("bvp", "ppg")
_DRY = 0.05  # microsiemens, below which an electrode hardly touches the skin
_WORN = 25.0, 42.0  # degrees Celsius


@dataclass(frozen=True)
class Confound:
    """A confound, and its columns by name, or the reason why there are none."""

    name: str
    columns: dict
    why_not: str = ""

    @property
    def values(self):
        """Array of shape (n_windows, n_columns)."""
        return np.column_stack(list(self.columns.values()))


def find_confounds(windows, recordings):
    """Return the confounds that a model of a few columns can look at, in the report's order."""
    movement, quality, source = {}, {}, "windows.X"
    if recordings is not None:
        parts, source = list(cut_from_recordings(windows, recordings)), "recordings"
    elif has_modalities(windows.X) and windows.duration is not None:
        rates = {name: x.shape[-1] / windows.total_duration for name, x in windows.X.items()}
        parts = [(np.arange(len(windows)), windows.X, rates)]
    else:
        parts, source = [], "windows.X, or their duration is unknown"
    if parts:
        native = recordings is not None
        quality = _collect(windows, parts, lambda x, rate, name: _grade(x, rate, name, native))
        movement = _collect(windows, parts, _move)
    return [
        _find_time(windows),
        _find_order(windows),
        Confound(QUALITY, quality, "" if quality else f"no such signals in {source}"),
        Confound(MOVEMENT, movement, "" if movement else f"no acc in {source}"),
        _count_windows(windows),
    ]


def find_runs(windows):
    """Return the ordinal of each window's run of one label within its person, from 0."""
    frame = pd.DataFrame({"subject": windows.groups, "label": windows.y, "onset": windows.onset})
    frame["recording"] = 0 if windows.recording is None else windows.recording
    frame = frame.sort_values(["subject", "recording", "onset"], kind="stable")
    changed = frame["label"] != frame.groupby("subject")["label"].shift()
    return (changed.groupby(frame["subject"]).cumsum() - 1).sort_index().to_numpy()


def _find_time(windows):
    if windows.onset is None:
        return Confound(TIME, {}, "windows have no onset")
    return Confound(TIME, {"minutes": windows.onset / 60})


def _find_order(windows):
    columns = {}
    if windows.recording is not None:
        ranks = pd.Series(windows.recording).groupby(windows.groups).rank("dense")
        columns["recording"] = ranks.to_numpy()
    if windows.onset is not None:
        columns["run of one class"] = find_runs(windows).astype(float)
    return Confound(ORDER, columns, "" if columns else "windows have no recording nor onset")


def _count_windows(windows):
    if windows.recording is None:
        return Confound(NUMBER, {}, "windows have no recording")
    recording = pd.Series(windows.recording)
    if recording.groupby(windows.groups).nunique().max() < 2:
        return Confound(NUMBER, {}, "each person has one recording")
    return Confound(NUMBER, {"windows": recording.map(recording.value_counts()).to_numpy(float)})


def _collect(windows, parts, describe):
    """Return the columns of all modalities, z-scored within each person, as levels differ."""
    tables = []
    for rows, signals, rates in parts:
        columns = {}
        for name, x in signals.items():
            columns |= describe(np.asarray(x, dtype=float), rates[name], name)
        tables.append(pd.DataFrame(columns, index=rows))
    frame = pd.concat(tables).sort_index()
    missing = frame.columns[frame.isna().any()]
    if len(missing):
        raise ValueError(
            "All recordings must have the same signals and finite samples, got none for "
            f"{', '.join(missing)} of some windows."
        )
    within = frame.groupby(windows.groups)
    frame = (frame - within.transform("mean")) / within.transform("std", ddof=0).replace(0, 1)
    return {name: frame[name].to_numpy() for name in frame}


def _grade(x, rate, name, native):
    """Return columns of quality of one modality, of shape (n_windows, n_channels, n_times)."""
    if name == "acc" or (name == "temp" and not native):  # degrees need the native unit
        return {}
    x = x[:, 0]
    if name == "temp":
        return {"temp not worn": ((x < _WORN[0]) | (x > _WORN[1])).mean(axis=-1)}
    columns = {f"{name} flat": _find_flat_fraction(x, rate)}
    if name == "eda" and native:
        columns["eda near zero"] = (x < _DRY).mean(axis=-1)
    if name in _PULSES and rate >= 8:
        columns[f"{name} purity"] = measure_purity(x, rate)
    if name == "ecg" and rate >= LOWEST_ECG_RATE:
        power = _power(x, rate)
        columns["ecg noise"] = np.log(power(QRS_BAND[1], np.inf) / power(*QRS_BAND))
    return columns


def _move(x, rate, name):
    """Return columns of movement of an accelerometer."""
    if name != "acc":
        return {}
    magnitude = np.sqrt((x**2).sum(axis=1))
    change = np.abs(np.diff(x, axis=-1)).mean(axis=(1, 2))
    return {"acc deviation": np.log1p(magnitude.std(axis=-1)), "acc change": np.log1p(change)}


def _find_flat_fraction(x, rate):
    """Return the fraction of stretches, of 1 s or of 5 s at low rates, that are constant."""
    n_times = round((1 if rate >= 16 else 5) * rate)
    n_times = min(max(2, n_times), x.shape[-1])
    stretches = x[:, : x.shape[-1] // n_times * n_times].reshape(len(x), -1, n_times)
    return (np.ptp(stretches, axis=-1) == 0).mean(axis=-1)


def _power(x, rate):
    frequency, density = periodogram(x, rate, window="hann", axis=-1)
    # windows without any signal have no bands to compare: a floor makes them equal
    floor = 1e-12 + 1e-9 * density.sum(axis=-1)

    def between(low, high):
        return density[:, (frequency >= low) & (frequency < high)].sum(axis=-1) + floor

    return between
