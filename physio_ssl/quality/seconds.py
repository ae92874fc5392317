"""Grade each signal of a recording, second by second."""

import numpy as np
import pandas as pd

from .._check import check_kind
from ..containers import Recording
from ..heartbeats import LOWEST_ECG_RATE
from .ecg import find_poor_ecg
from .eda import EDA_RANGE, SKIN_TEMPERATURES, find_poor_eda
from .ppg import LOWEST_PPG_RATE, find_poor_ppg
from .wear import grade_wear

PULSES = ("bvp", "ppg")
_STRETCH = 10  # s, for which the rules of beats were made


def _average(values, rate, n_seconds):
    """Return the mean of samples (n_times,) in each second; a slow signal's last one stays."""
    second = (np.arange(len(values)) / rate).astype(np.intp)
    values, second = values[second < n_seconds], second[second < n_seconds]
    n_samples = np.bincount(second, minlength=n_seconds)
    means = np.bincount(second, values, n_seconds) / np.maximum(n_samples, 1)
    latest = np.maximum.accumulate(np.where(n_samples, np.arange(n_seconds), 0))
    return means[latest]


def _grade_stretches(signal, rate, n_seconds, grade):
    """Grade stretches of 10 s of (n_channels, n_times), and return that of each second's.

    The last stretch ends with the signal. Those with a gap have the grade NaN.
    """
    n_times = round(_STRETCH * rate)
    starts = np.arange(0, signal.shape[-1], n_times)
    starts = np.minimum(starts, signal.shape[-1] - n_times)
    stretches = np.moveaxis(signal[:, starts[:, np.newaxis] + np.arange(n_times)], 0, 1)
    grades = np.full(len(starts), np.nan)
    finite = np.isfinite(stretches).all(axis=(1, 2))
    if finite.any():
        grades[finite] = grade(stretches[finite], rate)
    return grades[np.minimum(np.arange(n_seconds) // _STRETCH, len(starts) - 1)]


def _grade_pulse(X, rate):
    """Return 1 where each beat can be read, 0.5 where only the pulse's rate can, else 0."""
    poor = find_poor_ppg(X, rate)
    unfit = poor["flat line"] | poor["impure spectrum"]
    beats = ~(poor["implausible rhythm"] | poor["unlike beats"])
    return np.where(unfit, 0, np.where(beats, 1, 0.5))


def _grade_ecg(X, rate):
    return ~np.any(list(find_poor_ecg(X, rate).values()), axis=0)


def _read_temperature(recording, rate, n_times):
    """Return the skin temperature at the times of another signal, or None without one."""
    if "temp" not in recording.signals:
        return None
    temp = recording.signals["temp"][0]
    places = np.arange(n_times) / rate * recording.sampling_rate["temp"]
    return temp[:, np.minimum(places.astype(np.intp), temp.shape[-1] - 1)]


def _grade_eda(recording, n_seconds):
    """Return the fraction of each second's samples that break no rule of ``find_poor_eda``."""
    eda, rate = recording.signals["eda"][0], recording.sampling_rate["eda"]
    temp = _read_temperature(recording, rate, eda.shape[-1])
    temp = None if temp is None else np.broadcast_to(temp[:1], eda.shape)
    poor = np.any(list(find_poor_eda(eda, rate, temp=temp).values()), axis=0)
    return _average((~poor & np.isfinite(eda)).all(axis=0), rate, n_seconds)


def _average_within(recording, name, limits, n_seconds):
    """Return the fraction of each second's samples within limits, NaN in a gap."""
    if name not in recording.signals:
        return None
    signal, rate = recording.signals[name][0], recording.sampling_rate[name]
    within = ((signal >= limits[0]) & (signal <= limits[1])).all(axis=0)
    finite = np.isfinite(signal).all(axis=0)
    known, good = (_average(x, rate, n_seconds) for x in (finite, within & finite))
    return np.divide(good, known, np.full(n_seconds, np.nan), where=known > 0)


def measure_quality(recording):
    """Grade each signal of a recording, and whether it was worn, second by second.

    The recording must be as it was read, in the units of the rules. Thresholds are those of the
    literature.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    DataFrame
        A row per second of the recording, indexed by its start, ``time``, in seconds. There is a
        column per signal, from 0 to 1, and 0 where samples are missing:

        - ``bvp`` or ``ppg``, at 16 Hz or more: by ``find_poor_ppg`` for stretches of 10 s. 1 where
          no rule is broken, 0.5 where the spectrum shows the pulse's rate, but single beats cannot
          be read, 0 where there is a flat line or no rate (Elgendi 2016: excellent, acceptable
          and unfit).
        - ``ecg``, at 64 Hz or more: 1 for stretches of 10 s in which ``find_poor_ecg`` finds
          nothing, else 0.
        - ``eda``: fraction of samples that break no rule of ``find_poor_eda``, with the rule on
          skin temperature if there is one.
        - ``temp``: fraction of samples at 30-40 degrees Celsius (Kleckner et al. 2018).
        - Others, also those above that are slower or shorter: fraction of finite samples.

        With ``eda`` or ``temp``, a column ``wear`` is 1 where the device was worn, 0 where it was
        not, and NaN where all of its sensors have a gap. It was not worn where most of these signs
        of skin are missing: a temperature of 30-40 degrees Celsius, an EDA of at least 0.05
        microsiemens, and the pulse's rate in most of the minute around.

    Raises
    ------
    TypeError
        If ``recording`` is no recording.

    See Also
    --------
    add_quality : Grade windows.
    physio_ssl.describe : Summarise recordings.

    References
    ----------
    Elgendi (2016), Bioengineering 3(4), 21.

    Examples
    --------
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.quality import measure_quality
    >>> quality = measure_quality(simulate_wristband(1, random_state=0)[0])
    >>> list(quality)
    ['bvp', 'eda', 'temp', 'wear']
    """
    check_kind(recording, "recording", Recording, "a Recording")
    n_seconds = int(np.ceil(recording.duration))
    columns = {}
    for name, signal in recording.signals.items():
        rate, signal = recording.sampling_rate[name], signal[0]
        long = signal.shape[-1] >= round(_STRETCH * rate)
        if name in PULSES and rate >= LOWEST_PPG_RATE and long:
            columns[name] = _grade_stretches(signal, rate, n_seconds, _grade_pulse)
        elif name == "ecg" and rate >= LOWEST_ECG_RATE and long:
            columns[name] = _grade_stretches(signal, rate, n_seconds, _grade_ecg)
        elif name == "eda":
            columns[name] = _grade_eda(recording, n_seconds)
        elif name == "temp":
            columns[name] = _average_within(recording, name, SKIN_TEMPERATURES, n_seconds)
        else:
            columns[name] = _average(np.isfinite(signal).all(axis=0), rate, n_seconds)
    if {"eda", "temp"} & set(columns):
        pulse = next((columns[name] for name in PULSES if name in columns), None)
        touching = _average_within(recording, "eda", (EDA_RANGE[0], np.inf), n_seconds)
        wear = grade_wear(columns.get("temp"), touching, pulse)
        columns = {name: np.nan_to_num(column) for name, column in columns.items()}
        columns["wear"] = wear
    time = pd.RangeIndex(n_seconds, name="time")
    return pd.DataFrame({k: x.astype(float) for k, x in columns.items()}, index=time)
