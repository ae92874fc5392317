"""Scale, limits and trend of the samples, as estimators."""

from sklearn.base import BaseEstimator, TransformerMixin

from .. import functional
from .._check import StatelessMixin, check_windows


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


class NormalScores(StatelessMixin, TransformerMixin, BaseEstimator):
    """Replace each sample by the normal quantile of its rank within channel and window.

    What comes out is as if drawn from a normal distribution, whatever the signal's own is.
    Like z-scores it has no unit, but one artefact does not squeeze all the rest together. On a
    recording, which is one window, the ranks are those within the recording.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        What becomes of constant channels, whose ranks are all the same: an error, or zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import NormalScores
    >>> NormalScores().fit_transform(np.array([[2.0, 9000.0, 3.0]])).round(2)
    array([[-0.97,  0.97,  0.  ]])
    """

    def __init__(self, constant="error"):
        self.constant = constant

    def fit(self, X, y=None):
        """Check the parameter; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.check_constant(self.constant)
        return self

    def transform(self, X):
        """Rank ``X``, of shape (n_windows, n_channels, n_times)."""
        return functional.normal_scores(check_windows(X, self), self.constant)


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
