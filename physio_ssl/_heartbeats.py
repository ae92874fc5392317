"""Find the heartbeats in ECG windows, of any lead, sign and scale."""

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from .functional import bandpass

PLAUSIBLE_RATES = (30.0, 220.0)  # beats per minute
LOWEST_RATE = 64.0  # Hz, which holds the band of QRS complexes with room to spare
_QRS_BAND = (8.0, 25.0)  # Hz; T waves lie below, most noise of muscles above
_QRS_DURATION = 0.1  # s
_REFRACTORY = 0.2  # s after a beat in which the heart cannot beat again
_SHARE = 0.45  # of the usual height, which a beat reaches at least


def filter_qrs(X, sampling_rate):
    """Keep the band of QRS complexes of (..., n_times); constant windows become zero."""
    constant = X.max(axis=-1, keepdims=True) == X.min(axis=-1, keepdims=True)
    # the filter leaves a constant window rounding errors, in which beats would be found
    return np.where(constant, 0, bandpass(X, *_QRS_BAND, sampling_rate, order=2))


def find_heartbeats(qrs, sampling_rate):
    """Find the heartbeats of windows.

    A beat is a peak of the signal's power, within the duration of a QRS complex, that is
    nearly as high as is usual in its window.

    Parameters
    ----------
    qrs : ndarray of shape (n_windows, n_times)
        Windows of one lead, from `filter_qrs`.
    sampling_rate : float
        Sampling rate of ``qrs``, in Hz.

    Returns
    -------
    list of ndarray of shape (n_beats,)
        Where each window's beats have their extreme, in samples and fractions of one. The
        extremes of a window have one sign: that of most of its complexes.
    """
    heights = _heights(qrs, sampling_rate)
    reach = round(_REFRACTORY * sampling_rate)
    highest = maximum_filter1d(heights, 2 * reach + 1, axis=-1, mode="constant")
    usual = _usual_height(heights, sampling_rate)[:, np.newaxis]
    rows, samples = np.nonzero((heights == highest) & (heights > 0) & (heights >= _SHARE * usual))

    reach = max(1, round(_QRS_DURATION / 2 * sampling_rate))
    near = samples[:, np.newaxis] + np.arange(-reach, reach + 1)
    near = near.clip(0, qrs.shape[-1] - 1)
    complexes = qrs[rows[:, np.newaxis], near]
    balance = np.bincount(rows, complexes.max(axis=1) + complexes.min(axis=1), len(qrs))
    sign = np.where(balance < 0, -1, 1)[rows]
    samples = near[np.arange(len(near)), (sign[:, np.newaxis] * complexes).argmax(axis=1)]

    inside = (samples > 0) & (samples < qrs.shape[-1] - 1)
    rows, samples = rows[inside], samples[inside]
    beats = samples + _offset(*(qrs[rows, samples + step] for step in (-1, 0, 1)))
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


def _offset(before, top, after):
    """Return how far the extreme of the parabola lies from the middle one of three samples."""
    # one sample at 128 Hz is 8 ms, of the order of the variability between beats
    bend = 2 * top - before - after
    return np.divide(after - before, 2 * bend, out=np.zeros(len(top)), where=bend != 0)
