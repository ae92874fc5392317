"""Filters, resampling and standardizing, as pure functions on signals of shape (..., n_times).

Floating dtypes are kept, integers become float64, the input is not modified.
"""

from fractions import Fraction
from numbers import Real

import numpy as np
from scipy import signal
from scipy.special import ndtri
from scipy.stats import rankdata

from ._check import check_choice, check_count, check_kind, check_sampling_rate

__all__ = ["bandpass", "clip", "detrend", "lowpass", "normal_scores", "resample", "standardize"]


def as_floats(X):
    """Return ``X`` as an array of its floating dtype, or of float64."""
    X = np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X must be an array of numbers, got {X!r}.")
    if X.ndim == 0 or X.shape[-1] == 0:
        raise TypeError(f"X must be an array of shape (..., n_times), got {X!r}.")
    return X if X.dtype.kind == "f" else X.astype(np.float64)


def check_cutoffs(sampling_rate, low=None, high=None, order=4):
    """Raise if ``butterworth`` cannot design a filter with these parameters."""
    nyquist = check_sampling_rate(sampling_rate) / 2
    cutoffs = {"low": low, "high": high}
    cutoffs = {name: value for name, value in cutoffs.items() if value is not None}
    for name, value in cutoffs.items():
        check_kind(value, name, Real, "a number")
    if not cutoffs:
        raise TypeError("A filter needs a number as low or high, got None.")
    if not np.all(np.diff([0, *cutoffs.values(), nyquist]) > 0):
        raise ValueError(
            f"Cut-offs must satisfy 0 < {' < '.join(cutoffs)} < {nyquist:g} Hz (half the "
            f"sampling rate), got {cutoffs}."
        )
    check_count(order, "order")
    # The zeros of scipy.signal.butter would run into its poles, and many poles into each other.
    if min(cutoffs.values()) < 1e-6 * nyquist or order > 64:
        raise ValueError(
            f"A filter needs cut-offs of at least a millionth of sampling_rate and order <= 64, "
            f"got {cutoffs}, sampling_rate={sampling_rate} and order={order}."
        )


def butterworth(sampling_rate, low=None, high=None, order=4):
    """Design a band-, high- (no ``high``) or low-pass (no ``low``), as second-order sections."""
    check_cutoffs(sampling_rate, low, high, order)
    kind, band = "bandpass", (low, high)
    if low is None or high is None:
        kind, band = ("highpass", low) if high is None else ("lowpass", high)
    return signal.butter(order, band, btype=kind, fs=sampling_rate, output="sos")


def filter_both_ways(sos, X):
    """Filter (..., n_times) forwards and backwards, extending the ends by odd reflection."""
    X = as_floats(X)
    # The extension of scipy.signal.sosfiltfilt, shortened where windows are shorter.
    n_zeros = min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    padlen = min(3 * (2 * len(sos) + 1 - n_zeros), X.shape[-1] - 1)
    return signal.sosfiltfilt(sos, X, axis=-1, padlen=padlen).astype(X.dtype, copy=False)


def bandpass(X, low, high, sampling_rate, order=4):
    """Keep the frequencies between ``low`` and ``high`` Hz, without phase shift.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    low, high : float, in Hz
    sampling_rate : float, in Hz
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Returns
    -------
    ndarray of shape (..., n_times)

    Raises
    ------
    ValueError
        If not ``0 < low < high < sampling_rate / 2``.

    See Also
    --------
    physio_ssl.preprocessing.BandpassFilter : The same as a transformer, with an example.
    """
    return filter_both_ways(butterworth(sampling_rate, low, high, order), X)


def lowpass(X, high, sampling_rate, order=4):
    """Keep the frequencies below ``high`` Hz, without phase shift.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    high : float, in Hz
    sampling_rate : float, in Hz
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Returns
    -------
    ndarray of shape (..., n_times)

    Raises
    ------
    ValueError
        If not ``0 < high < sampling_rate / 2``.

    See Also
    --------
    physio_ssl.preprocessing.LowpassFilter : The same as a transformer, with an example.
    """
    return filter_both_ways(butterworth(sampling_rate, high=high, order=order), X)


def resampling_ratio(sampling_rate, new_sampling_rate):
    """Return new over old sampling rate as a short ``Fraction``, right to a millionth."""
    old = check_sampling_rate(sampling_rate)
    new = check_sampling_rate(new_sampling_rate, "new_sampling_rate")
    exact = min(old, new) / max(old, new)
    ratio = Fraction(exact).limit_denominator(10_000)
    if abs(float(ratio) / exact - 1) > 1e-6:
        raise ValueError(
            "The ratio of sampling rates must be one of whole numbers up to 10000, got "
            f"sampling_rate={old!r} and new_sampling_rate={new!r} Hz."
        )
    return ratio if new < old else 1 / ratio


def resample(X, sampling_rate, new_sampling_rate):
    """Change the sampling rate, filtering out what the new one cannot hold.

    Sample ``k`` of the result lies ``k / new_sampling_rate`` seconds after the first sample of
    ``X``. The line through its first and last samples does not go through the filter, so that an
    offset or trend leaves no ripple.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    sampling_rate, new_sampling_rate : float, in Hz, before and after

    Returns
    -------
    ndarray of shape (..., ceil(n_times * new_sampling_rate / sampling_rate))

    Raises
    ------
    ValueError
        If a rate is not positive, or their ratio is not one of whole numbers up to 10,000.

    See Also
    --------
    physio_ssl.preprocessing.Resample : The same as a transformer, with an example.
    """
    ratio = resampling_ratio(sampling_rate, new_sampling_rate)
    X = as_floats(X)
    if ratio == 1:
        return X.copy()
    n_times = X.shape[-1]
    first = X[..., :1].astype(np.float64)
    slope = (X[..., -1:] - first) / max(n_times - 1, 1)
    flat = X - (first + slope * np.arange(n_times))
    resampled = signal.resample_poly(flat, ratio.numerator, ratio.denominator, axis=-1)
    times = np.arange(resampled.shape[-1]) * (ratio.denominator / ratio.numerator)
    return (resampled + (first + slope * times)).astype(X.dtype, copy=False)


def standardize(X, constant="error"):
    """Give each signal zero mean and unit standard deviation.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    constant : {"error", "zero"}, default="error"
        Whether constant signals, which have no spread, raise an error or become zero.

    Returns
    -------
    ndarray of shape (..., n_times), without unit

    Raises
    ------
    ValueError
        If a signal is constant, up to rounding, and ``constant="error"``.

    See Also
    --------
    physio_ssl.preprocessing.Standardize : The same as a transformer, with an example.
    """
    X = as_floats(X)
    # float64, as a float32 mean would leave an offset on signals far from zero
    centred = X - X.mean(axis=-1, keepdims=True, dtype=np.float64)
    std = centred.std(axis=-1, keepdims=True)
    flat = is_constant(X)[..., np.newaxis] | (std == 0)
    _check_constant(flat, constant)
    centred = np.divide(centred, std, out=np.zeros_like(centred), where=~flat)
    return centred.astype(X.dtype, copy=False)


def normal_scores(X, constant="error"):
    """Replace each sample by the normal quantile of its rank within the signal.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    constant : {"error", "zero"}, default="error"
        Whether constant signals, which have no ranks, raise an error or become zero.

    Returns
    -------
    ndarray of shape (..., n_times)
        The quantile of ``(rank - 0.5) / n_times``. Equal samples get their average rank.

    Raises
    ------
    ValueError
        If a signal is constant, up to rounding, and ``constant="error"``.

    See Also
    --------
    physio_ssl.preprocessing.NormalScores : The same as a transformer, with an example.
    """
    X = as_floats(X)
    flat = is_constant(X)[..., np.newaxis]
    _check_constant(flat, constant)
    scores = ndtri((rankdata(X, axis=-1) - 0.5) / X.shape[-1])
    return np.where(flat, 0, scores).astype(X.dtype, copy=False)


def is_constant(X):
    """Return which signals of (..., n_times) have no spread, up to rounding; NaN is ignored."""
    X = as_floats(X)
    low, high = np.fmin.reduce(X, axis=-1), np.fmax.reduce(X, axis=-1)
    return high - low <= 4 * np.finfo(X.dtype).eps * np.maximum(np.abs(low), np.abs(high))


def _check_constant(flat, constant):
    """Raise if ``constant`` is unknown or forbids the flat signals, a mask of shape (..., 1)."""
    check_choice("constant", constant, ("error", "zero"))
    if constant == "error" and flat.any():
        where = np.argwhere(flat[..., 0]).tolist()
        raise ValueError(
            f"Signals must not be constant, but {len(where)} of {flat.size} are, such as those at "
            f"{where[:5]}: leave them out, or set constant='zero'."
        )


def clip(X, low, high):
    """Limit the samples to the range from ``low`` to ``high``.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
    low, high : float, in the unit of ``X``; infinite for no limit

    Returns
    -------
    ndarray of shape (..., n_times)

    Raises
    ------
    TypeError, ValueError
        If not ``low < high``.

    See Also
    --------
    physio_ssl.preprocessing.Clip : The same as a transformer, with an example.
    """
    check_bounds(low, high)
    X = as_floats(X)
    return np.clip(X, low, high).astype(X.dtype, copy=False)


def check_bounds(low, high):
    """Raise if ``low`` and ``high`` are not two numbers in order."""
    for name, bound in (("low", low), ("high", high)):
        check_kind(bound, name, Real, "a number")
    if not low < high:
        raise ValueError(f"Bounds must satisfy low < high, got low={low} and high={high}.")


def detrend(X):
    """Subtract the straight line that fits each signal best.

    Parameters
    ----------
    X : array-like of shape (..., n_times)

    Returns
    -------
    ndarray of shape (..., n_times)

    See Also
    --------
    physio_ssl.preprocessing.Detrend : The same as a transformer, with an example.
    """
    X = as_floats(X)
    return signal.detrend(X.astype(np.float64), axis=-1).astype(X.dtype, copy=False)
