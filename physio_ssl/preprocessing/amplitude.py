"""Scale, limits and trend of the samples: the functions of that name, as estimators."""

from functools import partial

import numpy as np

from .. import functional
from .._check import check_choice
from ._base import WindowTransformer


def _apply_to_known(function, X):
    """Apply a function to the samples of each signal that are no gaps, which are NaN."""
    if not np.isnan(X).any():
        return function(X)

    def apply(x):
        known, x = ~np.isnan(x), x.copy()
        if known.any():
            x[known] = function(x[np.newaxis, known])[0]
        return x

    return np.apply_along_axis(apply, -1, X)


class Standardize(WindowTransformer):
    """Give each channel of each window, or of a recording, zero mean and unit standard deviation.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        Whether constant channels, which have no spread, raise an error or become zero.
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept. "keep" leaves them out of
        mean and standard deviation.

    Raises
    ------
    ValueError
        If a parameter is unknown, a channel is constant and ``constant="error"``, or ``X`` has gaps
        and ``gaps="error"``.

    See Also
    --------
    NormalScores : Scale by ranks, which one artefact does not change.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import Standardize
    >>> Standardize().fit_transform(np.array([[[1.0, 2.0, 3.0]]])).round(2)
    array([[[-1.22,  0.  ,  1.22]]])
    """

    scales = True

    def __init__(self, constant="error", gaps="error"):
        self.constant = constant
        self.gaps = gaps

    def _check(self):
        check_choice("constant", self.constant, ("error", "zero"))

    def _apply(self, X):
        return _apply_to_known(partial(functional.standardize, constant=self.constant), X)


class NormalScores(WindowTransformer):
    """Replace each sample by the normal quantile of its rank within channel and window.

    The result looks as if drawn from a normal distribution. Unlike in z-scores, one artefact does
    not compress all other samples.

    Parameters
    ----------
    constant : {"error", "zero"}, default="error"
        Whether constant channels, which have no ranks, raise an error or become zero.
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept. "keep" leaves them out of
        the ranks.

    Raises
    ------
    ValueError
        If a parameter is unknown, a channel is constant and ``constant="error"``, or ``X`` has gaps
        and ``gaps="error"``.

    See Also
    --------
    Standardize : Scale by mean and standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import NormalScores
    >>> NormalScores().fit_transform(np.array([[[1.0, 2.0, 300.0]]])).round(2)
    array([[[-0.97,  0.  ,  0.97]]])
    """

    scales = True

    def __init__(self, constant="error", gaps="error"):
        self.constant = constant
        self.gaps = gaps

    def _check(self):
        check_choice("constant", self.constant, ("error", "zero"))

    def _apply(self, X):
        return _apply_to_known(partial(functional.normal_scores, constant=self.constant), X)


class Clip(WindowTransformer):
    """Limit the samples to a range.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of ``X``; infinite for none.
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept.

    Raises
    ------
    TypeError, ValueError
        If the bounds are not numbers with ``low < high``, or ``X`` has gaps and ``gaps="error"``.

    See Also
    --------
    NormalScores : Scale by ranks, so that no artefact is far off.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import Clip
    >>> Clip(0.05, 60).fit_transform(np.array([[[-1.0, 5.0, 100.0]]]))
    array([[[5.e-02, 5.e+00, 6.e+01]]])
    """

    def __init__(self, low, high, gaps="error"):
        self.low = low
        self.high = high
        self.gaps = gaps

    def _check(self):
        functional.check_bounds(self.low, self.high)

    def _apply(self, X):
        return functional.clip(X, self.low, self.high)


class Detrend(WindowTransformer):
    """Subtract the straight line that fits each channel of each window best.

    Parameters
    ----------
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept. "keep" fits the line to the
        other samples.

    Raises
    ------
    ValueError
        If ``X`` has gaps and ``gaps="error"``.

    See Also
    --------
    BandpassFilter : Remove slow waves, too.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import Detrend
    >>> Detrend().fit_transform(np.array([[[1.0, 2.0, 4.0]]])).round(2)
    array([[[ 0.17, -0.33,  0.17]]])
    """

    def __init__(self, gaps="error"):
        self.gaps = gaps

    def _apply(self, X):
        return _detrend_between_gaps(X) if np.isnan(X).any() else functional.detrend(X)


def _detrend_between_gaps(X):
    """Subtract the line that fits the samples of (..., n_times) that are not NaN best."""

    def add(x):
        return np.nansum(x, axis=-1, keepdims=True, dtype=np.float64)

    times = np.where(np.isnan(X), np.nan, np.arange(X.shape[-1]))
    n_known = np.maximum(add(~np.isnan(X)), 1)
    times, centred = times - add(times) / n_known, X - add(X) / n_known
    power = add(times**2)  # 0 for less than two samples
    slope = np.divide(add(times * centred), power, np.zeros_like(power), where=power > 0)
    return (centred - slope * times).astype(X.dtype, copy=False)


def standardize_recordings(name, signals, recordings, by):
    """Return the signals of recordings as z-scores over those that belong together."""
    total = partial(np.nansum, axis=-1, keepdims=True, dtype=np.float64)
    signals = [functional.as_floats(signal) for signal in signals]
    together = {}
    for n, recording in enumerate(recordings):
        together.setdefault(recording.subject if by == "subject" else n, []).append(n)
    for rows in together.values():
        where = f"{name!r} of {recordings[rows[0]].subject}"
        # before the steps, too: a filter leaves rounding errors of a constant signal
        for stage in ([recordings[n].signals[name] for n in rows], [signals[n] for n in rows]):
            constant = [functional.is_constant(signal[0]) for signal in stage]
            n_channels = set(map(len, constant))
            if len(n_channels) > 1:
                raise ValueError(
                    f"All recordings of {where} must have the same channels, got {n_channels}."
                )
            flat = np.flatnonzero(np.all(constant, axis=0))
            if len(flat):
                raise ValueError(f"{where} cannot be standardized: channel {flat[0]} is constant.")
        count = sum((~np.isnan(signals[n])).sum(axis=-1, keepdims=True) for n in rows)
        mean = sum(total(signals[n]) for n in rows) / count
        std = np.sqrt(sum(total((signals[n] - mean) ** 2) for n in rows) / count)
        for n in rows:
            signals[n] = ((signals[n] - mean) / std).astype(signals[n].dtype, copy=False)
    return signals
