"""Signal transforms that draw how much they change each window, for random views."""

import numpy as np
from array_api_compat import array_namespace, device

from .._check import check_callable, check_number
from ._base import SignalTransform, check_draws, check_rng, check_shape
from .amplitude import _like
from .temporal import _take


def _as_mask(mask, X):
    """Move a mask drawn on the host to the namespace and device of ``X``."""
    return array_namespace(X).asarray(mask, device=device(X))


def random_scaling(X, sigma=0.3, *, rng=None, factor=None):
    """Multiply each window by its own random factor.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    sigma : float, default=0.3
        Standard deviation of the logarithm of the factors.
    rng : numpy.random.Generator, default=None
        Source of ``factor``, unless given.
    factor : ndarray of shape (n_windows,), default=None
        Factor of each window, the same for all channels.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes, or a parameter is of a wrong kind or out of range.

    See Also
    --------
    RandomScaling : The same as a transformer, with an example.
    """
    n_windows, _, _ = check_shape(X)
    if factor is None:
        check_number(sigma, "sigma", 0, rule="a number of at least 0")
        factor = np.exp(sigma * check_rng(rng).standard_normal(n_windows))
    factor = check_draws(factor, "factor", (n_windows,), "iuf")
    return X * _like(factor[:, np.newaxis, np.newaxis], X)


def circular_shift(X, max_fraction=1.0, *, rng=None, shift=None):
    """Shift each window in time; what leaves it at one end enters at the other.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    max_fraction : float, default=1.0
        Largest shift, as a fraction of the window.
    rng : numpy.random.Generator, default=None
        Source of ``shift``, unless given.
    shift : ndarray of int of shape (n_windows,), default=None
        Samples by which each window moves to the right, the same for all channels.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes, or a parameter is of a wrong kind or out of range.

    See Also
    --------
    CircularShift : The same as a transformer, with an example.
    """
    check_number(max_fraction, "max_fraction", 0, 1, "from 0 to 1")
    n_windows, _, n_times = check_shape(X)
    if shift is None:
        longest = int(max_fraction * n_times)
        shift = check_rng(rng).integers(longest + 1, size=n_windows)
    shift = check_draws(shift, "shift", (n_windows,))
    index = (np.arange(n_times) - shift[:, np.newaxis]) % n_times
    return _take(X, index)


def time_mask(X, max_fraction=0.25, *, rng=None, start=None, length=None):
    """Set one random span of each window to zero, in all channels.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
        Signals of mean 0, which zeros suit.
    max_fraction : float, default=0.25
        Longest span, as a fraction of the window.
    rng : numpy.random.Generator, default=None
        Source of ``start`` and ``length``, unless given.
    start, length : ndarray of int of shape (n_windows,), default=None
        First sample and number of samples of each span.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes, or a parameter is of a wrong kind or out of range.

    See Also
    --------
    TimeMask : The same as a transformer, with an example.
    """
    check_number(max_fraction, "max_fraction", 0, 1, "from 0 to 1")
    n_windows, _, n_times = check_shape(X)
    if length is None:
        longest = int(max_fraction * n_times)
        length = check_rng(rng).integers(longest + 1, size=n_windows)
    length = check_draws(length, "length", (n_windows,))
    if start is None:
        start = check_rng(rng).integers(0, n_times - length.clip(0, n_times), endpoint=True)
    start = check_draws(start, "start", (n_windows,))[:, np.newaxis]
    length = length[:, np.newaxis]
    times = np.arange(n_times)
    masked = (times >= start) & (times < start + length)
    xp = array_namespace(X)
    return xp.where(_as_mask(masked[:, np.newaxis], X), xp.zeros_like(X), X)


class RandomScaling(SignalTransform):
    """Multiply each window by its own random factor, as another gain or contact would.

    Parameters
    ----------
    sigma : float, default=0.3
        Standard deviation of the logarithm of the factors.
    random_state : int, RandomState instance or None, default=None
        Seed of the factors; an int gives the same factors at every call.

    See Also
    --------
    random_scaling : The same as a function.
    Scaling : By one factor.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import RandomScaling
    >>> X = np.array([[[1.0, 2.0, 3.0]]])
    >>> RandomScaling(random_state=0).fit_transform(X).shape
    (1, 1, 3)
    """

    _function = staticmethod(random_scaling)

    def __init__(self, sigma=0.3, random_state=None):
        self.sigma = sigma
        self.random_state = random_state


class CircularShift(SignalTransform):
    """Shift each window by a random time; what leaves it at one end enters at the other.

    Parameters
    ----------
    max_fraction : float, default=1.0
        Largest shift, as a fraction of the window.
    random_state : int, RandomState instance or None, default=None
        Seed of the shifts; an int gives the same shifts at every call.

    See Also
    --------
    circular_shift : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import CircularShift
    >>> X = np.arange(6.0).reshape(1, 1, 6)
    >>> CircularShift(random_state=0).fit_transform(X)
    array([[[1., 2., 3., 4., 5., 0.]]])
    """

    _function = staticmethod(circular_shift)

    def __init__(self, max_fraction=1.0, random_state=None):
        self.max_fraction = max_fraction
        self.random_state = random_state


class TimeMask(SignalTransform):
    """Set one random span of each window to zero, as if contact was lost.

    Parameters
    ----------
    max_fraction : float, default=0.25
        Longest span, as a fraction of the window.
    random_state : int, RandomState instance or None, default=None
        Seed of the spans; an int gives the same spans at every call.

    See Also
    --------
    time_mask : The same as a function.
    physio_ssl.pretext.MaskedPrediction : Predict masked samples.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import TimeMask
    >>> X = np.zeros((2, 1, 240))
    >>> TimeMask(random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(time_mask)

    def __init__(self, max_fraction=0.25, random_state=None):
        self.max_fraction = max_fraction
        self.random_state = random_state


class RandomApply(SignalTransform):
    """Apply a transform to some windows, drawn at random.

    Parameters
    ----------
    signal_transform : SignalTransform
        What to apply.
    probability : float, default=0.5
        Probability that a window is changed.
    random_state : int, RandomState instance or None, default=None
        Seed of all draws; an int gives the same draws at every call.

    Raises
    ------
    TypeError, ValueError
        If ``signal_transform`` cannot be called, or the probability is not from 0 to 1.

    See Also
    --------
    GaussianNoise, TimeMask : Transforms that it may apply.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import Negation, RandomApply
    >>> X = np.ones((6, 1, 3))
    >>> RandomApply(Negation(), 0.5, random_state=0).fit_transform(X)[:, 0, 0]
    array([ 1., -1., -1., -1.,  1.,  1.])
    """

    def __init__(self, signal_transform, probability=0.5, random_state=None):
        self.signal_transform = signal_transform
        self.probability = probability
        self.random_state = random_state

    def __call__(self, X, *, rng):
        """Change some windows of an array or tensor of shape (n_windows, n_channels, n_times)."""
        check_number(self.probability, "probability", 0, 1, "from 0 to 1")
        check_callable(self.signal_transform, "signal_transform")
        applied = rng.random(X.shape[0]) < self.probability
        mask = _as_mask(applied[:, np.newaxis, np.newaxis], X)
        return array_namespace(X).where(mask, self.signal_transform(X, rng=rng), X)
