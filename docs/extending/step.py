"""A preprocessing step: remove short spikes."""

from scipy.ndimage import median_filter
from sklearn.base import BaseEstimator, TransformerMixin


def running_median(X, duration, sampling_rate):
    """Replace each sample by the median of the ``duration`` seconds around it."""
    n_samples = 2 * round(duration * sampling_rate / 2) + 1
    size = (1,) * (X.ndim - 1) + (n_samples,)  # along the last axis, time
    return median_filter(X, size=size, mode="nearest")


class RunningMedian(TransformerMixin, BaseEstimator):
    """Remove spikes that are shorter than half of ``duration``.

    Parameters
    ----------
    duration : float
        Length of the running window, in seconds.
    sampling_rate : float, default=None
        Sampling rate of the signal, in Hz. If None, ``Preprocessor`` fills it in.
    """

    def __init__(self, duration, sampling_rate=None):
        self.duration = duration
        self.sampling_rate = sampling_rate

    def fit(self, X, y=None):
        if self.duration <= 0:
            raise ValueError(f"duration must be positive, in seconds, got {self.duration}.")
        return self

    def transform(self, X):
        return running_median(X, self.duration, self.sampling_rate)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False  # nothing is learned: check_is_fitted accepts it as it is
        return tags
