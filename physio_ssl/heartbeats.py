"""Heart beats of the ECG and of the pulse wave (BVP, PPG), in samples and fractions of one."""

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import find_peaks

from .functional import bandpass, is_constant

QRS_BAND = (8.0, 25.0)  # Hz; T waves lie below, most noise of muscles above
PULSE_BAND = (0.5, 8.0)  # Hz, that of NeuroKit2's ppg_clean
WRIST_BAND = (0.6, 4.0)  # Hz, in which beats of a moving wrist are found
LOWEST_ECG_RATE = 64.0  # Hz, which holds the band of QRS complexes with room to spare
ECG_HEART_RATES = (30.0, 220.0)  # beats per minute

# Which intervals between two beats are plausible: limits in seconds, and the largest deviation
# from the median of those within, or of the `n_around` nearest ones, as a fraction of it.
PLAUSIBLE = {
    # a short window of an ECG, whose sharp beats show fast hearts reliably
    "ecg": {"limits": (60 / ECG_HEART_RATES[1], 60 / ECG_HEART_RATES[0]), "tolerance": 0.3},
    # a short window of a pulse wave: NeuroKit2 finds no beats closer than 0.3 s
    "bvp": {"limits": (0.3, 2.0), "tolerance": 0.3},
    # a long recording of a moving wrist: heart rate drifts, and beats beyond 35 to 182 per
    # minute are mostly movements
    "wrist": {"limits": (0.33, 1.7), "tolerance": 0.25, "n_around": 21},
}

_QRS_DURATION = 0.1  # s
_REFRACTORY = 0.2  # s after a beat in which the heart cannot beat again
_LEAST_HEIGHT = 0.45  # of a beat in an ECG, relative to the usual height
_LEAST_PROMINENCE = 0.7  # of a beat on the wrist, in root mean squares of the pulse around it
_GAP = 5.0  # s without a beat, as in a flat stretch, in which nothing is regular


def filter_beats(X, band, sampling_rate):
    """Keep the band of heart beats of (..., n_times); constant signals become zero."""
    # the filter leaves a constant signal rounding errors, in which beats would be found
    constant = is_constant(X)[..., np.newaxis]
    return np.where(constant, 0, bandpass(X, *band, sampling_rate, order=2))


def find_ecg_beats(qrs, sampling_rate):
    """Find the beats of windows (n_windows, n_times) of one ECG lead, filtered to ``QRS_BAND``.

    A beat is a peak of the signal's power, within the duration of a QRS complex, that is
    nearly as high as is usual in its window. All extremes of a window have the same sign.
    """
    heights = _heights(qrs, sampling_rate)
    reach = round(_REFRACTORY * sampling_rate)
    highest = maximum_filter1d(heights, 2 * reach + 1, axis=-1, mode="constant")
    least = _LEAST_HEIGHT * _usual_height(heights, sampling_rate)[:, np.newaxis]
    rows, samples = np.nonzero((heights == highest) & (heights > 0) & (heights >= least))

    reach = max(1, round(_QRS_DURATION / 2 * sampling_rate))
    near = samples[:, np.newaxis] + np.arange(-reach, reach + 1)
    near = near.clip(0, qrs.shape[-1] - 1)
    complexes = qrs[rows[:, np.newaxis], near]
    balance = np.bincount(rows, complexes.max(axis=1) + complexes.min(axis=1), len(qrs))
    sign = np.where(balance < 0, -1, 1)[rows]
    samples = near[np.arange(len(near)), (sign[:, np.newaxis] * complexes).argmax(axis=1)]

    inside = (samples > 0) & (samples < qrs.shape[-1] - 1)
    rows, samples = rows[inside], samples[inside]
    beats = _refine(qrs, rows, samples)
    return np.split(beats, np.bincount(rows, minlength=len(qrs)).cumsum()[:-1])


def _heights(qrs, sampling_rate):
    """Return the root mean square around each sample."""
    n_times = max(1, round(_QRS_DURATION * sampling_rate))
    power = uniform_filter1d(qrs**2, n_times, axis=-1, mode="constant")
    return np.sqrt(np.maximum(power, 0))  # a running sum may round to below zero


def _usual_height(heights, sampling_rate):
    """Return the median of the maxima in stretches of 2 s, as each holds a beat."""
    # an artefact is higher than any beat, but spoils one stretch only
    n_stretches = max(1, int(heights.shape[-1] / (2 * sampling_rate)))
    stretches = np.array_split(heights, n_stretches, axis=-1)
    return np.median([stretch.max(axis=-1) for stretch in stretches], axis=0)


def find_pulse_beats(pulse, sampling_rate):
    """Find the beats in a window (n_times,), filtered to ``PULSE_BAND``, as NeuroKit2 does."""
    from neurokit2 import ppg_findpeaks

    if not pulse.any() or len(pulse) < sampling_rate:  # NeuroKit2 refuses less than a beat
        return np.empty(0)
    try:
        peaks = ppg_findpeaks(pulse, sampling_rate, method="elgendi")["PPG_Peaks"]
    except IndexError:  # NeuroKit2's answer to a window in which no pulse wave starts
        return np.empty(0)
    peaks = peaks[(peaks > 0) & (peaks < len(pulse) - 1)]
    return _refine(pulse, peaks)


def find_wrist_beats(pulse, usual, sampling_rate):
    """Find the beats in a recording (n_times,), filtered to ``WRIST_BAND``.

    ``usual`` is its root mean square around each sample.
    """
    relative = np.clip(pulse / usual, -3, 3)
    distance = max(1, round(PLAUSIBLE["wrist"]["limits"][0] * sampling_rate))
    peaks, _ = find_peaks(relative, distance=distance, prominence=_LEAST_PROMINENCE)
    return _refine(relative, peaks)


def _refine(signals, *places):
    """Return where parabolas through the extremes at ``places``, with their neighbours, turn."""
    # one sample at 64 Hz is 16 ms, of the order of the variability between beats
    *rows, samples = places
    before, top, after = (signals[*rows, samples + step] for step in (-1, 0, 1))
    bend = 2 * top - before - after
    return samples + np.divide(after - before, 2 * bend, np.zeros(len(top)), where=bend != 0)


def find_plausible(intervals, limits, tolerance, n_around=None):
    """Return which intervals between beats, in seconds, are plausible by a rule of PLAUSIBLE."""
    plausible = (intervals >= limits[0]) & (intervals <= limits[1])
    if n_around:
        around = np.pad(intervals, n_around // 2, mode="symmetric")
        typical = np.median(np.lib.stride_tricks.sliding_window_view(around, n_around), axis=-1)
    else:
        typical = np.median(intervals[plausible]) if plausible.any() else np.nan
    return plausible & (np.abs(intervals - typical) <= tolerance * typical)


def measure_regularity(beats, plausible, times):
    """Return how plausible the intervals between beats on a wrist are at each time, in seconds.

    It is 1 in the middle of plausible intervals, 0 in the middle of others and in gaps of more
    than 5 s without a beat, with straight lines in between.
    """
    # the intervals on both sides of a gap are not joined by a line across it
    ends = np.concatenate([times[:1], beats, times[-1:]])
    far = np.diff(ends) > _GAP
    reach = PLAUSIBLE["wrist"]["limits"][1] / 2
    middles = (beats[1:] + beats[:-1]) / 2
    places = np.concatenate([middles, ends[:-1][far] + reach, ends[1:][far] - reach])
    regular = np.concatenate([plausible, np.zeros(2 * far.sum())])
    order = np.argsort(places)
    return np.interp(times, places[order], regular[order])
