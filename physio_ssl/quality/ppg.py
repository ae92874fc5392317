"""Find the windows of a pulse wave (BVP, PPG) that show no readable pulse."""

import numpy as np
from scipy.signal import periodogram
from sklearn.utils import gen_batches

from .._check import check_number, check_positive, check_sampling_rate, check_windows
from ..heartbeats import WRIST_BAND, filter_beats, find_wrist_beats
from .plateaus import find_flat

LOWEST_PPG_RATE = 16.0  # Hz, which holds the frequencies that purity compares
_INTERVALS = 60 / 180, 60 / 40  # s, of 180 and 40 beats per minute
_LONGEST_GAP = 3.0  # s without a beat
_LARGEST_RATIO = 2.2  # of the longest to the shortest interval in 10 s
_SHORTEST = 6.0  # s, in which a slow heart beats four times


def measure_purity(X, sampling_rate):
    """Return the fraction of power, in 0.6-8 Hz, near the pulse's rate and its double.

    Parameters
    ----------
    X : ndarray of shape (..., n_times)
    sampling_rate : float, in Hz

    Returns
    -------
    ndarray of shape (...)
        From 0 to 1; 0 for a signal without power. "Near" is within 0.4 Hz of the highest peak in
        0.7-3.5 Hz.
    """
    frequency, density = periodogram(X, sampling_rate, window="hann", axis=-1)
    total = density[..., (frequency >= 0.6) & (frequency < 8)].sum(axis=-1)
    pulse = np.where((frequency >= 0.7) & (frequency <= 3.5), density, 0)
    peak = frequency[pulse.argmax(axis=-1)][..., np.newaxis]
    near = (np.abs(frequency - peak) <= 0.4) | (np.abs(frequency - 2 * peak) <= 0.4)
    near &= frequency >= 0.6
    return np.divide((density * near).sum(axis=-1), total, np.zeros(X.shape[:-1]), where=total > 0)


def _correlate_with_template(pulse, beats, width):
    """Return the mean correlation of the beats with their mean, over ``width`` samples."""
    start = np.rint(beats).astype(np.intp) - width // 2
    start = start[(start >= 0) & (start + width <= len(pulse))]
    if len(start) < 2:
        return 0.0
    waves = pulse[start[:, np.newaxis] + np.arange(width)]
    waves = waves - waves.mean(axis=1, keepdims=True)
    template = waves.mean(axis=0)
    norms = np.linalg.norm(waves, axis=1) * np.linalg.norm(template)
    return np.divide(waves @ template, norms, np.zeros(len(waves)), where=norms > 0).mean()


def _judge(pulse, sampling_rate):
    """Return whether a filtered window has a plausible rhythm, and its template correlation."""
    usual = np.sqrt(np.mean(pulse**2))
    if usual == 0:
        return False, 0.0
    beats = find_wrist_beats(pulse, usual, sampling_rate)
    if len(beats) < 3:
        return False, 0.0
    intervals = np.diff(beats) / sampling_rate
    gaps = np.diff(np.concatenate([[0], beats, [len(pulse)]])) / sampling_rate
    plausible = (
        _INTERVALS[0] <= intervals.mean() <= _INTERVALS[1]
        and gaps.max() <= _LONGEST_GAP
        and intervals.max() <= _LARGEST_RATIO * intervals.min()
    )
    width = round(np.median(intervals) * sampling_rate)
    return plausible, _correlate_with_template(pulse, beats, width)


def find_poor_ppg(X, sampling_rate, *, max_flat=1.0, min_similarity=0.86, min_purity=0.5):
    """Find windows of a pulse wave that show no readable pulse, and say why.

    The rules on rhythm and shape are those of Orphanidou et al. (2015) for 10 s of PPG: a mean
    heart rate of 40-180 beats per minute, no gap of more than 3 s between beats, no interval more
    than 2.2 times another, and beats that look like their mean. Unit and offset do not matter.

    Parameters
    ----------
    X : array-like of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
        Windows as recorded, of about 10 s. One poor channel is enough.
    sampling_rate : float
        Sampling rate of ``X``, in Hz, at least 16.
    max_flat : float, default=1.0
        Longest time, in seconds, for which all samples may be equal. Constant windows are
        always flat.
    min_similarity : float, default=0.86
        Smallest mean correlation of a window's beats with their mean, the template.
    min_purity : float, default=0.5
        Smallest fraction of the power in 0.6-8 Hz near the pulse's rate and its double. A half is
        a ratio of signal to noise of 0 dB, in the sense of de Haan & Jeanne (2013).

    Returns
    -------
    dict from str to ndarray of bool, of shape (n_windows,)
        Which windows have a ``"flat line"``, an ``"implausible rhythm"``, ``"unlike beats"`` or
        an ``"impure spectrum"``; a window may have several.

    Raises
    ------
    ValueError
        If a sample is not finite, a threshold is out of range, the rate is too low, or the
        windows are shorter than 6 s.

    See Also
    --------
    measure_quality : Grade all signals of a recording, second by second.

    References
    ----------
    Orphanidou et al. (2015), IEEE Journal of Biomedical and Health Informatics 19(3), 832-838.
    de Haan & Jeanne (2013), IEEE Transactions on Biomedical Engineering 60(10), 2878-2886.

    Examples
    --------
    >>> import numpy as np
    >>> import neurokit2 as nk
    >>> from physio_ssl.quality import find_poor_ppg
    >>> pulse = nk.ppg_simulate(duration=30, sampling_rate=64, random_state=0)
    >>> X = np.stack([pulse, np.zeros_like(pulse)])[:, None]
    >>> find_poor_ppg(X, sampling_rate=64)["flat line"]
    array([False,  True])
    """
    sampling_rate = check_sampling_rate(sampling_rate)
    check_number(sampling_rate, "sampling_rate", LOWEST_PPG_RATE, rule="at least 16 Hz")
    check_positive(max_flat, "max_flat", "seconds")
    check_number(min_similarity, "min_similarity", -1, 1, "between -1 and 1")
    check_number(min_purity, "min_purity", 0, 1, "a fraction between 0 and 1")
    X = check_windows(X)
    X = X[:, np.newaxis] if X.ndim == 2 else X
    if X.shape[-1] < _SHORTEST * sampling_rate:
        raise ValueError(
            f"Windows must last {_SHORTEST:g} s, got {X.shape[-1] / sampling_rate:g} s."
        )
    reasons = ("flat line", "implausible rhythm", "unlike beats", "impure spectrum")
    found = {reason: np.zeros(len(X), dtype=bool) for reason in reasons}
    for rows in gen_batches(len(X), 256):  # only to bound the memory
        for channel in np.moveaxis(X[rows], 1, 0):
            pulse = filter_beats(channel, WRIST_BAND, sampling_rate)
            judged = [_judge(window, sampling_rate) for window in pulse]
            plausible, similarity = map(np.array, zip(*judged, strict=True))
            found["flat line"][rows] |= find_flat(channel, sampling_rate, max_flat)
            found["implausible rhythm"][rows] |= ~plausible
            found["unlike beats"][rows] |= similarity < min_similarity
            found["impure spectrum"][rows] |= measure_purity(channel, sampling_rate) < min_purity
    return found
