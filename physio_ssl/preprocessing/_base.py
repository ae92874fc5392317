"""The base of the estimators of preprocessing, and what several of them do about gaps."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._check import StatelessMixin, check_windows
from ..functional import check_choice


class WindowTransformer(StatelessMixin, TransformerMixin, BaseEstimator):
    """Apply a function to windows; nothing is learned.

    A child writes ``_apply``, which maps an array of shape (n_windows, n_channels, n_times) or
    (n_windows, n_times) to a new one, and ``_check``, which raises if a parameter is wrong.
    With a parameter ``gaps="keep"`` it accepts samples of NaN.

    Attributes
    ----------
    scales : bool
        Whether the function brings each channel to a scale that it takes from ``X`` itself. A
        child that does sets it to True, so that ``Windows.scaling`` can tell.
    """

    scales = False

    def fit(self, X, y=None):
        """Check ``X`` and the parameters; ``y`` is ignored."""
        check_windows(X, self, reset=True, allow_nan=self._keeps_gaps)
        self._check_all()
        return self

    def transform(self, X):
        """Transform windows of shape (n_windows, n_channels, n_times) or (n_windows, n_times)."""
        X = check_windows(X, self, allow_nan=self._keeps_gaps)
        self._check_all()
        return self._apply(X)

    @property
    def _keeps_gaps(self):
        return getattr(self, "gaps", "error") == "keep"

    def _check_all(self):
        check_choice("gaps", getattr(self, "gaps", "error"), ("error", "keep"))
        self._check()

    def _check(self):
        pass

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._keeps_gaps
        return tags


def apply_between_gaps(function, x, n_lost, shape=()):
    """Apply a function to each stretch between gaps of (n_times,), and widen the gaps.

    ``function`` maps a stretch to an array of shape (*shape, its length). Its ends next to a gap
    lack the signal beyond: ``n_lost`` samples of them become gaps, too. A stretch that is too short
    is lost as a whole.
    """
    result = np.full((*shape, len(x)), np.nan, x.dtype)
    edges = np.flatnonzero(np.diff(np.isnan(x), prepend=True, append=True))
    for start, stop in edges.reshape(-1, 2):
        first = start + n_lost if start > 0 else 0  # the recording's own ends are kept
        last = stop - n_lost if stop < len(x) else stop
        if first < last:
            stretch = function(x[start:stop])
            result[..., first:last] = stretch[..., first - start : last - start]
    return result
