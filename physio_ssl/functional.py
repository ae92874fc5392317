"""Filters, resampling and standardising, as pure functions on (..., n_times).

Time is the last axis, leading axes are free. Floating dtypes are kept, integers become
float64, the input is not modified.
"""

from fractions import Fraction
from numbers import Integral, Real

import numpy as np
from scipy import signal
from scipy.special import ndtri
from scipy.stats import rankdata

from ._check import check_sampling_rate


def _as_floats(X):
    """Return ``X`` as an array of its floating dtype, or of float64."""
    X = np.asarray(X)
    return X if np.issubdtype(X.dtype, np.floating) else X.astype(np.float64)


def butterworth(sampling_rate, low=None, high=None, order=4):
    """Design a Butterworth filter, and check its parameters.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate of the signal, in Hz.
    low, high : float, default=None
        Cut-off frequencies, in Hz: a band-pass where both are given, a high-pass where
        only ``low`` is, a low-pass where only ``high`` is.
    order : int, default=4
        Order of the filter.

    Returns
    -------
    ndarray of shape (n_sections, 6)
        Second-order sections.

    Raises
    ------
    TypeError
        If the sampling rate or a cut-off is not a number, or the order not an integer.
    ValueError
        If the cut-offs do not lie in order between 0 and half the sampling rate, or the
        order is not positive.
    """
    nyquist = check_sampling_rate(sampling_rate) / 2
    cutoffs = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    for name, value in cutoffs.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{name} must be a frequency, in Hz, got {value!r}.")
    edges = [0, *cutoffs.values(), nyquist]
    if not all(left < right for left, right in zip(edges[:-1], edges[1:], strict=True)):
        raise ValueError(
            f"Cut-offs must satisfy 0 < {' < '.join(cutoffs)} < {nyquist:g} Hz (half the "
            "sampling rate), got "
            f"{' and '.join(f'{name}={value}' for name, value in cutoffs.items())}."
        )
    if not isinstance(order, Integral) or isinstance(order, bool):
        raise TypeError(f"order must be an integer, got {order!r}.")
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}.")
    kind = "bandpass" if len(cutoffs) == 2 else {"low": "highpass", "high": "lowpass"}[name]
    band = tuple(cutoffs.values()) if len(cutoffs) == 2 else value
    return signal.butter(order, band, btype=kind, fs=sampling_rate, output="sos")


def _filter_both_ways(sos, X):
    """Filter forwards and backwards, extending the ends by odd reflection."""
    X = _as_floats(X)
    # The extension of scipy.signal.sosfiltfilt, shortened where windows are shorter.
    n_zeros = min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    padlen = min(3 * (2 * len(sos) + 1 - n_zeros), X.shape[-1] - 1)
    return signal.sosfiltfilt(sos, X, axis=-1, padlen=padlen).astype(X.dtype, copy=False)


def bandpass(X, low, high, sampling_rate, order=4):
    """Keep the frequencies between ``low`` and ``high`` Hz, without phase shift.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.
    low, high : float
        Cut-off frequencies, in Hz.
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Returns
    -------
    ndarray of shape (..., n_times)
        Filtered signals. Their ends are extended by odd reflection, by as many samples
        as there are where a window is shorter than the extension.

    Raises
    ------
    ValueError
        If not ``0 < low < high < sampling_rate / 2``.
    """
    return _filter_both_ways(butterworth(sampling_rate, low, high, order), X)


def lowpass(X, high, sampling_rate, order=4):
    """Keep the frequencies below ``high`` Hz, without phase shift.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.
    high : float
        Cut-off frequency, in Hz.
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    order : int, default=4
        Order of the Butterworth filter, applied forwards and backwards.

    Returns
    -------
    ndarray of shape (..., n_times)
        Filtered signals, their ends extended as in `bandpass`.

    Raises
    ------
    ValueError
        If not ``0 < high < sampling_rate / 2``.
    """
    return _filter_both_ways(butterworth(sampling_rate, high=high, order=order), X)


def resampling_ratio(sampling_rate, new_sampling_rate):
    """Find the whole numbers by which polyphase resampling goes up and down.

    Parameters
    ----------
    sampling_rate, new_sampling_rate : float
        Sampling rates, in Hz.

    Returns
    -------
    Fraction
        New over old rate. Neither number is more than 10,000, so that filters stay short,
        and the new clock drifts by at most a millionth.

    Raises
    ------
    ValueError
        If a rate is not positive, one is more than 10,000 times the other, or no such
        fraction is close.
    """
    old = check_sampling_rate(sampling_rate)
    new = check_sampling_rate(new_sampling_rate, "new_sampling_rate")
    exact = min(old, new) / max(old, new)
    ratio = Fraction(exact).limit_denominator(10_000)
    if ratio and abs(float(ratio) / exact - 1) > 1e-6:
        raise ValueError(
            "The ratio of sampling rates must be one of whole numbers up to 10000, to a "
            f"millionth, got sampling_rate={old!r} and new_sampling_rate={new!r} Hz."
        )
    if not ratio:
        raise ValueError(
            "Sampling rates must not differ by more than a factor of 10000, got "
            f"sampling_rate={old:g} and new_sampling_rate={new:g} Hz."
        )
    return ratio if new < old else 1 / ratio


def resample(X, sampling_rate, new_sampling_rate):
    """Change the sampling rate, filtering out what the new one cannot hold.

    Sample ``k`` of the result lies ``k / new_sampling_rate`` seconds after the first
    sample of ``X``. The line through the first and last samples is taken out before and
    put back after, so that an offset or trend leaves no ripple and no transients.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.
    sampling_rate, new_sampling_rate : float
        Sampling rates before and after, in Hz.

    Returns
    -------
    ndarray of shape (..., n_new_times)
        Signals of ``ceil(n_times * new_sampling_rate / sampling_rate)`` samples.

    Raises
    ------
    ValueError
        If a rate is not positive, or one is more than 10,000 times the other.
    """
    X = _as_floats(X)
    ratio = resampling_ratio(sampling_rate, new_sampling_rate)
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
        Signals.
    constant : {"error", "zero"}, default="error"
        What becomes of constant signals, which have no spread to divide by: an error, or
        zeros.

    Returns
    -------
    ndarray of shape (..., n_times)
        Signals without unit.

    Raises
    ------
    ValueError
        If a signal is constant, up to rounding, and ``constant="error"``.
    """
    check_constant(constant)
    X = _as_floats(X)
    # float64, as a float32 mean would leave an offset on signals far from zero
    centred = X - X.mean(axis=-1, keepdims=True, dtype=np.float64)
    std = centred.std(axis=-1, keepdims=True)
    flat = is_constant(X)[..., np.newaxis] | (std == 0)
    if constant == "error":
        _refuse_constant(flat, "Standardizing divides by the standard deviation and needs spread")
    centred = np.divide(centred, std, out=np.zeros_like(centred), where=~flat)
    return centred.astype(X.dtype, copy=False)


def normal_scores(X, constant="error"):
    """Replace each sample by the normal quantile of its rank within the signal.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.
    constant : {"error", "zero"}, default="error"
        What becomes of constant signals, whose ranks are all the same: an error, or zeros.

    Returns
    -------
    ndarray of shape (..., n_times)
        Signals without unit: the quantile of ``(rank - 0.5) / n_times``. Equal samples share
        their average rank.

    Raises
    ------
    ValueError
        If a signal is constant, up to rounding, and ``constant="error"``.
    """
    check_constant(constant)
    X = _as_floats(X)
    flat = is_constant(X)[..., np.newaxis]
    if constant == "error":
        _refuse_constant(flat, "Normal scores tell samples by their ranks and need spread")
    scores = ndtri((rankdata(X, axis=-1) - 0.5) / X.shape[-1])
    return np.where(flat, 0, scores).astype(X.dtype, copy=False)


def is_constant(X):
    """Tell which signals of (..., n_times) have no spread, up to rounding."""
    X = _as_floats(X)
    return np.ptp(X, axis=-1) <= 4 * np.finfo(X.dtype).eps * np.abs(X).max(axis=-1)


def _refuse_constant(flat, rule):
    """Raise if a signal is constant, by a mask of shape (..., 1)."""
    if flat.any():
        where = [tuple(map(int, index[:-1])) for index in np.argwhere(flat)]
        shown = ", ".join(map(str, where[:5])) + (", ..." if len(where) > 5 else "")
        axes = {2: "(window,)", 3: "(window, channel)"}.get(flat.ndim, "index")
        raise ValueError(
            f"{rule}, but {len(where)} of {flat.size} signals are constant, at {axes} {shown}. "
            "Leave them out, or set constant='zero'."
        )


def check_constant(constant):
    """Raise if ``constant`` is not a way to treat constant signals."""
    if constant not in ("error", "zero"):
        raise ValueError(f"constant must be 'error' or 'zero', got {constant!r}.")


def clip(X, low, high):
    """Limit the samples to the range from ``low`` to ``high``.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.
    low, high : float
        Bounds, in the unit of ``X``; infinite where there is none.

    Returns
    -------
    ndarray of shape (..., n_times)
        Limited signals.

    Raises
    ------
    ValueError
        If not ``low < high``.
    """
    check_bounds(low, high)
    X = _as_floats(X)
    return np.clip(X, low, high).astype(X.dtype, copy=False)


def check_bounds(low, high):
    """Raise if ``low`` and ``high`` are not two bounds in order."""
    for name, bound in (("low", low), ("high", high)):
        if not isinstance(bound, Real) or isinstance(bound, bool):
            raise TypeError(f"{name} must be a number, in the unit of X, got {bound!r}.")
    if not low < high:
        raise ValueError(f"Bounds must satisfy low < high, got low={low} and high={high}.")


def detrend(X):
    """Take out of each signal the straight line that fits it best.

    Parameters
    ----------
    X : array-like of shape (..., n_times)
        Signals.

    Returns
    -------
    ndarray of shape (..., n_times)
        Signals of zero mean and no linear trend, in the unit of ``X``.
    """
    X = _as_floats(X)
    return signal.detrend(X.astype(np.float64), axis=-1).astype(X.dtype, copy=False)
