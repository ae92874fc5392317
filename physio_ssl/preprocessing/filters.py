"""Filters and resampling, as estimators; in signals with gaps, which are samples of NaN."""

import math

import numpy as np

from .. import functional
from ._base import WindowTransformer


class BandpassFilter(WindowTransformer):
    """Keep one frequency band of each channel, without phase shift.

    A short window holds little of a slow rhythm: filter the recording, then cut it.

    Parameters
    ----------
    low, high : float
        Cut-off frequencies, in Hz. The pulse lies in about 0.5-8 Hz.
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz. ``Preprocessor`` fills in None.
    order : int, default=4
        Order of the Butterworth filter at each end of the band, applied forwards and backwards.
    gaps : {"error", "keep"}, default="error"
        Whether gaps are refused or kept. "keep" filters the stretches between gaps one by one,
        and widens gaps by ``1 / low`` seconds on each side, where the filter lacks the signal.

    Raises
    ------
    TypeError, ValueError
        If not ``0 < low < high < sampling_rate / 2``, the order is not a positive integer, or
        ``X`` has gaps and ``gaps="error"``.

    See Also
    --------
    LowpassFilter : Keep the low frequencies.
    """

    def __init__(self, low, high, sampling_rate, order=4, gaps="error"):
        self.low = low
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order
        self.gaps = gaps

    def _check(self):
        functional.check_choice("gaps", self.gaps, ("error", "keep"))
        functional.check_cutoffs(self.sampling_rate, self.low, self.high, self.order)

    def _apply(self, X):
        settings = self.low, self.high, self.sampling_rate, self.order
        if not np.isnan(X).any():
            return functional.bandpass(X, *settings)
        return np.apply_along_axis(_bandpass_between_gaps, -1, X, *settings)


class LowpassFilter(WindowTransformer):
    """Keep the low frequencies of each channel, without phase shift.

    Parameters
    ----------
    high : float
        Cut-off frequency, in Hz. Skin conductance lies below about 3 Hz.
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz. ``Preprocessor`` fills in None.
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Raises
    ------
    TypeError, ValueError
        If not ``0 < high < sampling_rate / 2``, or the order is not a positive integer.

    See Also
    --------
    BandpassFilter : Keep one frequency band.
    """

    def __init__(self, high, sampling_rate, order=4):
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order

    def _check(self):
        functional.check_cutoffs(self.sampling_rate, high=self.high, order=self.order)

    def _apply(self, X):
        return functional.lowpass(X, self.high, self.sampling_rate, self.order)


class Resample(WindowTransformer):
    """Change the sampling rate, filtering out what the new one cannot hold.

    Parameters
    ----------
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz. ``Preprocessor`` fills in None.
    new_sampling_rate : float
        Sampling rate of the result, in Hz. The two have a ratio of whole numbers up to 10,000.
    gaps : {"error", "keep"}, default="error"
        Whether gaps are refused or kept. "keep" makes a gap of each new sample that touches one.

    Raises
    ------
    TypeError, ValueError
        If a rate is not a positive number, the rates have no such ratio, or ``X`` has gaps and
        ``gaps="error"``.
    """

    def __init__(self, sampling_rate, new_sampling_rate, gaps="error"):
        self.sampling_rate = sampling_rate
        self.new_sampling_rate = new_sampling_rate
        self.gaps = gaps

    def _check(self):
        functional.check_choice("gaps", self.gaps, ("error", "keep"))
        functional.resampling_ratio(self.sampling_rate, self.new_sampling_rate)

    def _apply(self, X):
        rates = self.sampling_rate, self.new_sampling_rate
        if not np.isnan(X).any():
            return functional.resample(X, *rates)
        return np.apply_along_axis(_resample_across_gaps, -1, X, *rates)


def _bandpass_between_gaps(x, low, high, sampling_rate, order):
    """Filter each stretch between gaps of (n_times,), and widen the gaps by ``1 / low`` s."""
    reach = math.ceil(sampling_rate / low)
    filtered = np.full_like(x, np.nan)
    edges = np.flatnonzero(np.diff(np.isnan(x), prepend=True, append=True))
    for start, stop in edges.reshape(-1, 2):
        stretch = functional.bandpass(x[start:stop], low, high, sampling_rate, order)
        first = reach if start > 0 else 0  # the recording's own ends are kept
        last = max(len(stretch) - reach, 0) if stop < len(x) else len(stretch)
        filtered[start + first : start + last] = stretch[first:last]
    return filtered


def _resample_across_gaps(x, sampling_rate, new_sampling_rate):
    """Bridge the gaps of (n_times,), resample, and make NaN of what touches a gap."""
    gap = np.isnan(x)
    if not gap.all():
        there = np.flatnonzero(~gap)
        x = np.interp(np.arange(len(x)), there, x[there]).astype(x.dtype)
    resampled = functional.resample(x, sampling_rate, new_sampling_rate)
    ratio = functional.resampling_ratio(sampling_rate, new_sampling_rate)
    before, rest = divmod(np.arange(len(resampled)) * ratio.denominator, ratio.numerator)
    after = np.minimum(before + (rest > 0), len(x) - 1)
    resampled[gap[before] | gap[after]] = np.nan
    return resampled
