"""Filters and resampling, as estimators; in signals with gaps, which are samples of NaN."""

import math
from functools import partial

import numpy as np

from .. import functional
from ._base import WindowTransformer, apply_between_gaps


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

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import BandpassFilter
    >>> times = np.arange(640) / 64
    >>> pulse = np.sin(2 * np.pi * times)  # 1 Hz
    >>> X = (pulse + 5)[None, None]  # with an offset, which the filter removes
    >>> filtered = BandpassFilter(0.5, 8, sampling_rate=64).fit_transform(X)
    >>> bool(np.abs(filtered - pulse)[..., 128:-128].max() < 0.1)
    True
    """

    def __init__(self, low, high, sampling_rate, order=4, gaps="error"):
        self.low = low
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order
        self.gaps = gaps

    def _check(self):
        functional.check_cutoffs(self.sampling_rate, self.low, self.high, self.order)

    def _apply(self, X):
        settings = self.low, self.high, self.sampling_rate, self.order
        if not np.isnan(X).any():
            return functional.bandpass(X, *settings)
        return np.apply_along_axis(bandpass_between_gaps, -1, X, *settings)


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
    gaps : {"error", "keep"}, default="error"
        Whether gaps are refused or kept. "keep" filters the stretches between gaps one by one,
        and widens gaps by ``1 / high`` seconds on each side, where the filter lacks the signal.

    Raises
    ------
    TypeError, ValueError
        If not ``0 < high < sampling_rate / 2``, the order is not a positive integer, or ``X`` has
        gaps and ``gaps="error"``.

    See Also
    --------
    BandpassFilter : Keep one frequency band.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import LowpassFilter
    >>> X = np.random.default_rng(0).normal(size=(1, 1, 240))
    >>> filtered = LowpassFilter(0.5, sampling_rate=4).fit_transform(X)
    >>> bool(filtered.std() < X.std())
    True
    """

    def __init__(self, high, sampling_rate, order=4, gaps="error"):
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order
        self.gaps = gaps

    def _check(self):
        functional.check_cutoffs(self.sampling_rate, high=self.high, order=self.order)

    def _apply(self, X):
        settings = self.high, self.sampling_rate, self.order
        if not np.isnan(X).any():
            return functional.lowpass(X, *settings)
        lowpass = partial(
            functional.lowpass, high=self.high, sampling_rate=self.sampling_rate, order=self.order
        )
        n_lost = math.ceil(self.sampling_rate / self.high)
        return np.apply_along_axis(partial(apply_between_gaps, lowpass, n_lost=n_lost), -1, X)


class Resample(WindowTransformer):
    """Change the sampling rate, filtering out what the new one cannot hold.

    Parameters
    ----------
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz. ``Preprocessor`` fills in None.
    new_sampling_rate : float
        Sampling rate of the result, in Hz. The two have a ratio of whole numbers up to 10,000.
    gaps : {"error", "keep"}, default="error"
        Whether gaps are refused or kept. "keep" makes gaps of the new samples next to a gap.

    Raises
    ------
    TypeError, ValueError
        If a rate is not a positive number, the rates have no such ratio, or ``X`` has gaps and
        ``gaps="error"``.

    See Also
    --------
    LowpassFilter : Remove high frequencies at the same rate.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import Resample
    >>> Resample(sampling_rate=64, new_sampling_rate=4).fit_transform(np.zeros((1, 1, 640))).shape
    (1, 1, 40)
    """

    def __init__(self, sampling_rate, new_sampling_rate, gaps="error"):
        self.sampling_rate = sampling_rate
        self.new_sampling_rate = new_sampling_rate
        self.gaps = gaps

    def _check(self):
        functional.resampling_ratio(self.sampling_rate, self.new_sampling_rate)

    def _apply(self, X):
        rates = self.sampling_rate, self.new_sampling_rate
        if not np.isnan(X).any():
            return functional.resample(X, *rates)
        return np.apply_along_axis(_resample_across_gaps, -1, X, *rates)


def bandpass_between_gaps(x, low, high, sampling_rate, order):
    """Filter each stretch between gaps of (n_times,), and widen the gaps by ``1 / low`` s."""
    bandpass = partial(
        functional.bandpass, low=low, high=high, sampling_rate=sampling_rate, order=order
    )
    return apply_between_gaps(bandpass, x, math.ceil(sampling_rate / low))


def _resample_across_gaps(x, sampling_rate, new_sampling_rate):
    """Bridge the gaps of (n_times,), resample, and make NaN of the new samples next to a gap."""
    gap = np.isnan(x)
    if not gap.all():
        there = np.flatnonzero(~gap)
        x = np.interp(np.arange(len(x)), there, x[there]).astype(x.dtype)
    resampled = functional.resample(x, sampling_rate, new_sampling_rate)
    ratio = functional.resampling_ratio(sampling_rate, new_sampling_rate)
    before, after = _neighbours(np.arange(len(resampled)), ratio, len(x))
    # a gap may also lie between two new samples
    hidden = np.concatenate(_neighbours(np.flatnonzero(gap), 1 / ratio, len(resampled)))
    resampled[gap[before] | gap[after]] = np.nan
    resampled[hidden] = np.nan
    return resampled


def _neighbours(places, ratio, n_times):
    """Return the samples before and after ``places / ratio``, of ``n_times`` samples."""
    before, rest = divmod(places * ratio.denominator, ratio.numerator)
    return np.minimum(before, n_times - 1), np.minimum(before + (rest > 0), n_times - 1)
