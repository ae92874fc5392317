"""Filters and resampling, as estimators."""

from sklearn.base import BaseEstimator, TransformerMixin

from .. import functional
from .._check import StatelessMixin, check_windows


class BandpassFilter(StatelessMixin, TransformerMixin, BaseEstimator):
    """Keep one frequency band of each channel, without phase shift.

    Parameters
    ----------
    low, high : float
        Cut-off frequencies, in Hz. The pulse lies in about 0.5-8 Hz.
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Notes
    -----
    A short window holds little of a slow rhythm: filter the recording, then cut it.
    """

    def __init__(self, low, high, sampling_rate, order=4):
        self.low = low
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order

    def fit(self, X, y=None):
        """Check the cut-offs; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.butterworth(self.sampling_rate, self.low, self.high, self.order)
        return self

    def transform(self, X):
        """Filter ``X``, of shape (n_windows, n_channels, n_times)."""
        X = check_windows(X, self)
        return functional.bandpass(X, self.low, self.high, self.sampling_rate, self.order)


class LowpassFilter(StatelessMixin, TransformerMixin, BaseEstimator):
    """Keep the low frequencies of each channel, without phase shift.

    Parameters
    ----------
    high : float
        Cut-off frequency, in Hz. Skin conductance lies below about 3 Hz.
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.
    """

    def __init__(self, high, sampling_rate, order=4):
        self.high = high
        self.sampling_rate = sampling_rate
        self.order = order

    def fit(self, X, y=None):
        """Check the cut-off; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.butterworth(self.sampling_rate, high=self.high, order=self.order)
        return self

    def transform(self, X):
        """Filter ``X``, of shape (n_windows, n_channels, n_times)."""
        X = check_windows(X, self)
        return functional.lowpass(X, self.high, self.sampling_rate, self.order)


class Resample(StatelessMixin, TransformerMixin, BaseEstimator):
    """Change the sampling rate, filtering out what the new one cannot hold.

    Parameters
    ----------
    sampling_rate, new_sampling_rate : float
        Sampling rates of ``X`` and of the result, in Hz. Their ratio is taken as one of
        whole numbers up to 10,000.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import Resample
    >>> Resample(64, 4).fit_transform(np.zeros((2, 1, 3840))).shape
    (2, 1, 240)
    """

    def __init__(self, sampling_rate, new_sampling_rate):
        self.sampling_rate = sampling_rate
        self.new_sampling_rate = new_sampling_rate

    def fit(self, X, y=None):
        """Check the rates; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.resampling_ratio(self.sampling_rate, self.new_sampling_rate)
        return self

    def transform(self, X):
        """Resample ``X`` to (n_windows, n_channels, n_new_times)."""
        X = check_windows(X, self)
        return functional.resample(X, self.sampling_rate, self.new_sampling_rate)
