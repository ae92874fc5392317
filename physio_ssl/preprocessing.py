"""Preprocessing of windows, and of whole recordings, which are one long window."""

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from . import functional
from ._check import StatelessMixin, check_sampling_rate, check_windows
from .containers import Recording


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


class Standardize(StatelessMixin, TransformerMixin, BaseEstimator):
    """Give each channel of each window zero mean and unit standard deviation.

    On a recording, which is one window, these are z-scores per recording.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        What becomes of constant channels, which have no spread to divide by: an error, or
        zeros.
    """

    def __init__(self, constant="error"):
        self.constant = constant

    def fit(self, X, y=None):
        """Check the parameter; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.check_constant(self.constant)
        return self

    def transform(self, X):
        """Standardize ``X``, of shape (n_windows, n_channels, n_times)."""
        return functional.standardize(check_windows(X, self), self.constant)


class Clip(StatelessMixin, TransformerMixin, BaseEstimator):
    """Limit the samples to a range.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of ``X``; infinite where there is none.
    """

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def fit(self, X, y=None):
        """Check the bounds; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.check_bounds(self.low, self.high)
        return self

    def transform(self, X):
        """Limit ``X``, of shape (n_windows, n_channels, n_times)."""
        return functional.clip(check_windows(X, self), self.low, self.high)


class Detrend(StatelessMixin, TransformerMixin, BaseEstimator):
    """Take out of each channel of each window the straight line that fits it best."""

    def fit(self, X, y=None):
        """Check the windows; nothing is learned."""
        check_windows(X, self, reset=True)
        return self

    def transform(self, X):
        """Detrend ``X``, of shape (n_windows, n_channels, n_times)."""
        return functional.detrend(check_windows(X, self))


def prepare_wristband(recordings, sampling_rate=4.0, standardize=True):
    """Bring all signals to one common rate and scale, as input of a wristband encoder.

    Each signal is resampled, with an anti-aliasing filter, and standardized over the whole
    recording. The common rate of 4 Hz is that of [1]_, whose filters are not published. It
    holds frequencies up to 2 Hz: the pulse rate, but not the pulse's shape.

    Parameters
    ----------
    recordings : Recording or list of Recording
        With any modalities, each at any rate.
    sampling_rate : float, default=4.0
        New sampling rate of all modalities, in Hz.
    standardize : bool, default=True
        Whether to give each channel zero mean and unit standard deviation over the whole
        recording. These are z-scores per subject: they see the unlabelled data of the
        test subjects too, which is to be said in the result.

    Returns
    -------
    Recording or list of Recording
        New recordings.

    Raises
    ------
    ValueError
        If a signal is constant (``standardize=True``).

    References
    ----------
    .. [1] Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal
       representation learning for wearable emotion recognition", IEEE Transactions on
       Affective Computing 15(1), 2024.
    """
    if isinstance(recordings, Recording):
        return prepare_wristband([recordings], sampling_rate, standardize)[0]
    sampling_rate = check_sampling_rate(sampling_rate)
    prepared = []
    for recording in recordings:
        steps = {
            name: [Resample(rate, sampling_rate)] * (rate != sampling_rate)
            + [Standardize()] * bool(standardize)
            for name, rate in recording.sampling_rate.items()
        }
        prepared.append(
            recording.apply(
                {name: make_pipeline(*some) for name, some in steps.items() if some},
                sampling_rate=dict.fromkeys(steps, sampling_rate),
            )
        )
    return prepared
