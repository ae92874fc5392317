"""Scale, limits and trend of the samples: the functions of that name, as estimators."""

from .. import functional
from ._base import WindowTransformer


class Standardize(WindowTransformer):
    """Give each channel of each window, or of a recording, zero mean and unit standard deviation.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        Whether constant channels, which have no spread, raise an error or become zero.

    Raises
    ------
    ValueError
        If ``constant`` is unknown, or a channel is constant and ``constant="error"``.

    See Also
    --------
    NormalScores : Scale by ranks, which one artefact does not change.
    """

    scales = True

    def __init__(self, constant="error"):
        self.constant = constant

    def _check(self):
        functional.check_choice("constant", self.constant, ("error", "zero"))

    def _apply(self, X):
        return functional.standardize(X, self.constant)


class NormalScores(WindowTransformer):
    """Replace each sample by the normal quantile of its rank within channel and window.

    The result looks as if drawn from a normal distribution. Unlike in z-scores, one artefact does
    not compress all other samples.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        Whether constant channels, which have no ranks, raise an error or become zero.

    Raises
    ------
    ValueError
        If ``constant`` is unknown, or a channel is constant and ``constant="error"``.

    See Also
    --------
    Standardize : Scale by mean and standard deviation.
    """

    scales = True

    def __init__(self, constant="error"):
        self.constant = constant

    def _check(self):
        functional.check_choice("constant", self.constant, ("error", "zero"))

    def _apply(self, X):
        return functional.normal_scores(X, self.constant)


class Clip(WindowTransformer):
    """Limit the samples to a range.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of ``X``; infinite for none.

    Raises
    ------
    TypeError, ValueError
        If the bounds are not numbers with ``low < high``.
    """

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def _check(self):
        functional.check_bounds(self.low, self.high)

    def _apply(self, X):
        return functional.clip(X, self.low, self.high)


class Detrend(WindowTransformer):
    """Subtract the straight line that fits each channel of each window best."""

    def _apply(self, X):
        return functional.detrend(X)
