"""Heart rate and its variability, of the modalities bvp and ecg."""

import numpy as np

from .._heartbeats import PLAUSIBLE_RATES, filter_qrs, find_heartbeats
from ._filter import filter_as_neurokit

HEART_RATE = ("heart_rate", "rmssd", "sdnn", "pnn50", "n_beats")
_PULSE_INTERVALS = (0.3, 2.0)  # s
_ECG_INTERVALS = (60 / PLAUSIBLE_RATES[1], 60 / PLAUSIBLE_RATES[0])  # s


def _find_pulse_beats(pulse, sampling_rate):
    """Return the times of the beats, in seconds, of one band-passed window."""
    from neurokit2 import ppg_findpeaks

    if not pulse.any() or len(pulse) < sampling_rate:  # NeuroKit2 refuses less than a beat
        return np.empty(0)
    try:
        peaks = ppg_findpeaks(pulse, sampling_rate, method="elgendi")["PPG_Peaks"]
    except IndexError:  # NeuroKit2's answer to a window in which no pulse wave starts
        return np.empty(0)
    peaks = peaks[(peaks > 0) & (peaks < len(pulse) - 1)]
    # one sample at 64 Hz is 16 ms, as much as the variability: take the parabola's top
    before, top, after = pulse[peaks - 1], pulse[peaks], pulse[peaks + 1]
    bend = 2 * top - before - after
    offset = np.divide(after - before, 2 * bend, out=np.zeros(len(peaks)), where=bend > 0)
    return (peaks + offset) / sampling_rate


def _describe_beats(beats, limits, missing):
    """Return heart rate and variability of beats at some times, in seconds."""
    intervals = np.diff(beats)
    # a missed or an extra beat, common on a moving wrist, would dominate variability
    plausible = (intervals >= limits[0]) & (intervals <= limits[1])
    typical = np.median(intervals[plausible]) if plausible.any() else np.nan
    plausible &= np.abs(intervals - typical) <= 0.3 * typical
    differences = np.diff(intervals)[plausible[1:] & plausible[:-1]] * 1000
    if not len(differences):
        return missing, missing, missing, missing, len(beats)
    return (
        60 / np.median(intervals[plausible]),
        np.sqrt(np.mean(differences**2)),
        np.std(intervals[plausible], ddof=1) * 1000,
        np.mean(np.abs(differences) > 50),
        len(beats),
    )


def pulse_features(X, sampling_rate, missing, min_scr_amplitude):
    """Return heart rate and variability: (..., n_times) to (..., n_features)."""
    pulse = filter_as_neurokit(X, (0.5, 8.0), "bandpass", sampling_rate)
    # the filter leaves a constant window rounding errors, in which beats would be found
    pulse *= (X.max(axis=-1) > X.min(axis=-1))[..., np.newaxis]
    features = np.empty((*X.shape[:-1], len(HEART_RATE)))
    for row in np.ndindex(X.shape[:-1]):
        beats = _find_pulse_beats(pulse[row], sampling_rate)
        features[row] = _describe_beats(beats, _PULSE_INTERVALS, missing)
    return features


def ecg_features(X, sampling_rate, missing, min_scr_amplitude):
    """Return heart rate and variability: (..., n_times) to (..., n_features)."""
    qrs = filter_qrs(X, sampling_rate)
    beats = find_heartbeats(qrs.reshape(-1, X.shape[-1]), sampling_rate)
    features = [_describe_beats(times / sampling_rate, _ECG_INTERVALS, missing) for times in beats]
    return np.array(features, dtype=float).reshape(*X.shape[:-1], len(HEART_RATE))
