"""The base of the estimators of preprocessing."""

from sklearn.base import BaseEstimator, TransformerMixin

from .._check import StatelessMixin, check_windows


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
        self._check()
        return self

    def transform(self, X):
        """Transform windows of shape (n_windows, n_channels, n_times) or (n_windows, n_times)."""
        X = check_windows(X, self, allow_nan=self._keeps_gaps)
        self._check()
        return self._apply(X)

    @property
    def _keeps_gaps(self):
        return getattr(self, "gaps", "error") == "keep"

    def _check(self):
        pass

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._keeps_gaps
        return tags
