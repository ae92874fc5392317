"""Signal transforms that change amplitudes: noise, magnitude warp, scaling, negation."""

from functools import lru_cache

import numpy as np
from array_api_compat import array_namespace, device
from scipy.interpolate import CubicSpline

from .._check import check_count, check_number
from ._base import SignalTransform, check_draws, check_rng, check_shape


def _like(array, X):
    """Move host draws to the namespace, device and dtype of ``X``."""
    return array_namespace(X).asarray(array, dtype=X.dtype, device=device(X))


def gaussian_noise(X, snr_db=15.0, *, rng=None, noise=None):
    """Add white Gaussian noise at a signal-to-noise ratio.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    snr_db : float, default=15.0
        Ratio of the mean square of each channel of a window to the noise's variance, in dB.
    rng : numpy.random.Generator, default=None
        Source of ``noise``, unless given.
    noise : ndarray of the shape of ``X``, default=None
        Standard normal draws.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes, or a parameter is of a wrong kind or out of range.

    See Also
    --------
    GaussianNoise : The same as a transformer, with an example.
    """
    shape, snr_db = (
        check_shape(X),
        check_number(snr_db, "snr_db", -300, 300, "in dB, from -300 to 300"),
    )
    xp = array_namespace(X)
    if noise is None:
        noise = check_rng(rng).standard_normal(shape, dtype=np.float32)
    noise = check_draws(noise, "noise", shape, "f")
    power = xp.mean(X * X, axis=-1, keepdims=True)
    return X + xp.sqrt(power * 10 ** (-snr_db / 10)) * _like(noise, X)


@lru_cache(maxsize=32)
def _spline_basis(n_anchors, n_times):
    """Map the values at equally spaced anchors to the cubic spline through them."""
    anchors = np.linspace(0, 1, n_anchors)
    spline = CubicSpline(anchors, np.eye(n_anchors))
    return np.ascontiguousarray(spline(np.linspace(0, 1, n_times)).T)  # (n_anchors, n_times)


def magnitude_warp(X, n_knots=4, sigma=0.2, *, rng=None, anchors=None):
    """Multiply each window by a smooth random curve.

    The curve is the cubic spline through ``n_knots + 2`` equally spaced anchors, the same
    for all channels of a window.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    n_knots : int, default=4
        Anchors between the first and the last sample.
    sigma : float, default=0.2
        Standard deviation of the anchors' values around 1.
    rng : numpy.random.Generator, default=None
        Source of ``anchors``, unless given.
    anchors : ndarray of shape (n_windows, n_knots + 2), default=None
        Values of the curve at the anchors.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes, or a parameter is of a wrong kind or out of range.

    See Also
    --------
    MagnitudeWarp : The same as a transformer, with an example.
    """
    n_windows, _, n_times = check_shape(X)
    if anchors is None:
        check_count(n_knots, "n_knots", 0)
        sigma = check_number(sigma, "sigma", 0, rule="a number of at least 0")
        anchors = check_rng(rng).normal(1, sigma, (n_windows, n_knots + 2))
    anchors = check_draws(anchors, "anchors", (n_windows, -1), "iuf")
    basis = _spline_basis(anchors.shape[1], n_times)
    return X * (_like(anchors, X) @ _like(basis, X))[:, None, :]


def scaling(X, factor=1.1, *, rng=None):
    """Multiply by ``factor``; ``rng`` is not used.

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes.

    See Also
    --------
    Scaling : The same as a transformer, with an example.
    """
    check_shape(X)
    return X * check_number(factor, "factor")


def negation(X, *, rng=None):
    """Turn the signal upside down; ``rng`` is not used.

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes.

    See Also
    --------
    Negation : The same as a transformer, with an example.
    """
    check_shape(X)
    return -X


class GaussianNoise(SignalTransform):
    """Add white Gaussian noise at a signal-to-noise ratio.

    Parameters
    ----------
    snr_db : float, default=15.0
        Ratio of the mean square of each channel of a window to the noise's variance, in dB.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise; an int gives the same noise at every call.

    See Also
    --------
    gaussian_noise : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import GaussianNoise
    >>> X = np.zeros((2, 1, 240))
    >>> GaussianNoise(snr_db=15, random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(gaussian_noise)

    def __init__(self, snr_db=15.0, random_state=None):
        self.snr_db = snr_db
        self.random_state = random_state


class MagnitudeWarp(SignalTransform):
    """Multiply each window by a smooth random curve, a cubic spline around 1.

    Parameters
    ----------
    n_knots : int, default=4
        Anchors between the first and the last sample.
    sigma : float, default=0.2
        Standard deviation of the anchors' values around 1.
    random_state : int, RandomState instance or None, default=None
        Seed of the curves; an int gives the same curves at every call.

    See Also
    --------
    magnitude_warp : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import MagnitudeWarp
    >>> X = np.zeros((2, 1, 240))
    >>> MagnitudeWarp(sigma=0.2, random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(magnitude_warp)

    def __init__(self, n_knots=4, sigma=0.2, random_state=None):
        self.n_knots = n_knots
        self.sigma = sigma
        self.random_state = random_state


class Scaling(SignalTransform):
    """Multiply each window by a constant (Sarkar & Etemad, 2022).

    Parameters
    ----------
    factor : float, default=1.1
        What every sample is multiplied by.

    See Also
    --------
    scaling : The same as a function.
    RandomScaling : By a factor that is drawn for each window.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import Scaling
    >>> X = np.array([[[1.0, 2.0, 3.0]]])
    >>> Scaling(factor=1.1).fit_transform(X)
    array([[[1.1, 2.2, 3.3]]])
    """

    _function = staticmethod(scaling)

    def __init__(self, factor=1.1):
        self.factor = factor


class Negation(SignalTransform):
    """Turn each window upside down (Sarkar & Etemad, 2022).

    See Also
    --------
    negation : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import Negation
    >>> X = np.array([[[1.0, 2.0, 3.0]]])
    >>> Negation().fit_transform(X)
    array([[[-1., -2., -3.]]])
    """

    _function = staticmethod(negation)
