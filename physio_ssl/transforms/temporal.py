"""Signal transforms that move samples in time: permutation, time warp, crop, reversal.

All channels of a window get the same draws, so they stay aligned.
"""

from math import ceil

import numpy as np
from array_api_compat import array_namespace, device

from .._check import check_count, check_number
from ._base import SignalTransform, check_draws, check_rng, check_shape


def _check_pieces(n_pieces, n_times):
    if check_count(n_pieces, "n_pieces") > n_times:
        raise ValueError(
            f"n_pieces must be from 1 to {n_times}, the window's length, got {n_pieces}."
        )


def _check_range(name, values, last):
    if values.size and (values.min() < 0 or values.max() > last):
        raise ValueError(f"{name} must be from 0 to {last}, got {values.min()} to {values.max()}.")


def _take(X, index):
    """Pick the samples ``index``, of shape (n_windows, n_new), from every channel."""
    xp = array_namespace(X)
    n_windows, n_channels, n_times = X.shape
    # One flat gather is several times faster than take_along_axis.
    first = n_times * np.arange(n_windows * n_channels).reshape(n_windows, n_channels, 1)
    flat = xp.asarray(index[:, np.newaxis] + first, device=device(X))
    taken = xp.take(xp.reshape(X, (-1,)), xp.reshape(flat, (-1,)))
    return xp.reshape(taken, tuple(flat.shape))


def permutation(X, n_pieces=10, *, rng=None, order=None):
    """Cut each window into pieces of nearly equal length and shuffle them.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    n_pieces : int, default=10
        Number of pieces; the first ones are a sample longer if it does not divide ``n_times``.
    rng : numpy.random.Generator, default=None
        Source of ``order``, unless given.
    order : ndarray of int, of shape (n_windows, n_pieces), default=None
        Pieces in their new order; overrides ``n_pieces``. All orders are equally likely.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    ValueError
        If there are more pieces than samples.

    See Also
    --------
    Permutation : The same as a transformer, with an example.
    """
    n_windows, _, n_times = check_shape(X)
    if order is not None:
        order = check_draws(order, "order", (n_windows, -1))
        n_pieces = order.shape[1]
    _check_pieces(n_pieces, n_times)
    if order is None:
        order = check_rng(rng).permuted(np.tile(np.arange(n_pieces), (n_windows, 1)), axis=1)
    lengths = np.full(n_pieces, n_times // n_pieces)
    lengths[: n_times % n_pieces] += 1
    starts = np.cumsum(lengths) - lengths
    new_lengths = lengths[order]  # (n_windows, n_pieces)
    new_starts = np.cumsum(new_lengths, axis=1) - new_lengths
    shift = np.repeat((starts[order] - new_starts).ravel(), new_lengths.ravel())
    return _take(X, shift.reshape(n_windows, n_times) + np.arange(n_times))


def _count_samples(piece, factor):
    return ceil(round(piece * factor, 9))  # rounded: 20 * 1.05 is 21.000000000000004


def _lengths_that_fill(stretched, piece, n_times, stretch):
    """Return the new lengths of pieces; the squeezed ones get equal parts of what is left."""
    n_patterns, n_pieces = stretched.shape  # of booleans
    long = _count_samples(piece, stretch)
    n_short = n_pieces - int(stretched[0].sum())
    left = n_times - (n_pieces - n_short) * long
    if n_short and left < n_short:
        raise ValueError(
            f"Stretching {n_pieces - n_short} of {n_pieces} pieces of {piece} samples by {stretch} "
            f"leaves {left} of {n_times} samples for the other {n_short}."
        )
    lengths = np.where(stretched, long, left // max(n_short, 1))
    if n_short:  # the last squeezed piece takes what is left
        last = n_pieces - 1 - np.argmin(stretched[:, ::-1], axis=1)
        lengths[np.arange(n_patterns), last] += left % n_short
    return lengths


def _warp_positions(lengths, piece):
    """Return the sample before each new one, and the fraction of the sample after it."""
    n_patterns, n_pieces = lengths.shape  # their sum is the same in every pattern
    n_times = lengths[0].sum()
    starts = np.cumsum(lengths, axis=1) - lengths

    # Pieces of one length are read alike: tabulate that, once per length.
    sizes, kind = np.unique(lengths, return_inverse=True)
    within = (np.arange(sizes[-1]) + 0.5) * piece / sizes[:, np.newaxis] - 0.5
    within = np.clip(within, 0, piece - 1).astype(np.float32)  # half-pixel centres
    before = np.minimum(within.astype(np.int64), max(piece - 2, 0))
    fraction = within - before.astype(np.float32)
    flat = lengths.ravel()
    row = kind.reshape(lengths.shape) * sizes[-1] - starts  # of the table, less the start
    index = np.repeat(row.ravel(), flat).reshape(-1, n_times) + np.arange(n_times)
    base = np.repeat(np.tile(np.arange(n_pieces) * piece, n_patterns), flat)
    # both of shape (n_patterns, n_new_times)
    return before.ravel()[index] + base.reshape(-1, n_times), fraction.ravel()[index]


def _crop_positions(before, fraction, n_pieces, n_times, start, rng):
    """Append the samples after the last piece, not warped; keep ``n_times`` from ``start`` on."""
    n_windows = len(before)
    rest = np.tile(np.arange(n_times - n_times % n_pieces, n_times), (n_windows, 1))
    before = np.concatenate([before, rest], axis=1)
    fraction = np.concatenate([fraction, np.zeros(rest.shape, fraction.dtype)], axis=1)
    n_spare = before.shape[1] - n_times
    if n_spare < 0:
        raise ValueError(
            f"A time warp must not shorten windows, but {n_times} samples become "
            f"{before.shape[1]}: use a larger squeeze or stretch."
        )
    if start is None:
        start = check_rng(rng).integers(n_spare + 1, size=n_windows)
    start = check_draws(start, "start", (n_windows,))
    _check_range("start", start, n_spare)
    kept = start[:, np.newaxis] + np.arange(n_times)
    return np.take_along_axis(before, kept, axis=1), np.take_along_axis(fraction, kept, axis=1)


def time_warp(X, n_pieces=9, stretch=1.05, squeeze=None, *, rng=None, stretched=None, start=None):
    """Stretch some pieces of each window and squeeze the others; the length is kept.

    Pieces have ``n_times // n_pieces`` samples. Half of them, rounded up, are stretched. The
    others get equal parts of the rest, and up to ``n_pieces - 1`` samples at the end are dropped
    (Wu, Daoudi & Amad). Or they are squeezed by a number, the samples at the end are kept, and
    the result is cropped at random to the window's length (Sarkar & Etemad). Samples are
    interpolated linearly within each piece.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    n_pieces : int, default=9
        Number of pieces.
    stretch : float, default=1.05
        New length of a stretched piece, relative to the old; rounded up to whole samples.
    squeeze : float, default=None
        The same of a squeezed piece: 1/1.05 in Sarkar & Etemad. None: what is left.
    rng : numpy.random.Generator, default=None
        Source of ``stretched`` and ``start``, unless given.
    stretched : ndarray of int, of shape (n_windows, ceil(n_pieces / 2)), default=None
        The pieces to stretch.
    start : ndarray of int, of shape (n_windows,), default=None
        First sample that the crop keeps; only where ``squeeze`` is a number.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    ValueError
        If the pieces do not fit the window.

    See Also
    --------
    TimeWarp : The same as a transformer, with an example.
    """
    n_windows, _, n_times = check_shape(X)
    xp = array_namespace(X)
    _check_pieces(n_pieces, n_times)
    check_count(n_pieces, "n_pieces", 2)
    check_number(stretch, "stretch", 1, 100, "a number from 1 to 100")
    if squeeze is not None:
        check_number(squeeze, "squeeze", 0, 1, "above 0 and at most 1, or None", above=True)
    if stretched is None:
        ranks = check_rng(rng).random((n_windows, n_pieces)).argsort(axis=1)
        stretched = ranks[:, : ceil(n_pieces / 2)]
    stretched = check_draws(stretched, "stretched", (n_windows, ceil(n_pieces / 2)))
    _check_range("stretched", stretched, n_pieces - 1)
    is_stretched = np.zeros((n_windows, n_pieces), dtype=bool)
    np.put_along_axis(is_stretched, stretched, True, axis=1)
    piece = n_times // n_pieces
    if squeeze is None:
        lengths = _lengths_that_fill(is_stretched, piece, n_times, stretch)
        before, fraction = _warp_positions(lengths, piece)
    else:
        sizes = _count_samples(piece, stretch), _count_samples(piece, squeeze)
        before, fraction = _warp_positions(np.where(is_stretched, *sizes), piece)
        before, fraction = _crop_positions(before, fraction, n_pieces, n_times, start, rng)
    fraction = xp.asarray(fraction, dtype=X.dtype, device=device(X))[:, None, :]
    first = _take(X, before)
    return first + fraction * (_take(X, np.minimum(before + 1, n_times - 1)) - first)


def _fourier_resample(X, n_times):
    """Resample the last axis to ``n_times`` samples, more than it has, by its spectrum."""
    xp = array_namespace(X)
    n_before = X.shape[-1]
    spectrum = xp.fft.rfft(X, axis=-1)
    if n_before % 2 == 0 and n_times > n_before:
        # The Nyquist bin is two frequencies of the longer signal.
        half = spectrum[..., -1:] / 2
        spectrum = xp.concat([spectrum[..., :-1], half], axis=-1)
    return xp.fft.irfft(spectrum, n=n_times, axis=-1) * (n_times / n_before)


def crop_resize(X, n_pieces=4, *, rng=None, piece=None):
    """Keep one piece of each window, stretched to the window's length.

    Pieces have ``ceil(n_times / n_pieces)`` samples, the last one what is left. The kept
    piece is resampled in the Fourier domain.

    Parameters
    ----------
    X : array or torch tensor of shape (n_windows, n_channels, n_times)
    n_pieces : int, default=4
        Number of pieces.
    rng : numpy.random.Generator, default=None
        Source of ``piece``, unless given.
    piece : ndarray of int, of shape (n_windows,), default=None
        The piece to keep of each window.

    Returns
    -------
    array of the shape, kind and dtype of ``X``

    Raises
    ------
    ValueError
        If there are more pieces than samples.

    See Also
    --------
    CropResize : The same as a transformer, with an example.
    """
    n_windows, _, n_times = check_shape(X)
    xp = array_namespace(X)
    _check_pieces(n_pieces, n_times)
    length = ceil(n_times / n_pieces)
    if piece is None:
        piece = check_rng(rng).integers(ceil(n_times / length), size=n_windows)
    piece = check_draws(piece, "piece", (n_windows,))
    _check_range("piece", piece, ceil(n_times / length) - 1)
    last = n_times // length  # the one shorter piece, if any
    rows = np.argsort(piece == last, kind="stable")
    n_full = n_windows - int((piece == last).sum())
    parts = []
    for group, size in ((rows[:n_full], length), (rows[n_full:], n_times - last * length)):
        if len(group):
            chosen = xp.take(X, xp.asarray(group, device=device(X)), axis=0)
            chosen = _take(chosen, piece[group, np.newaxis] * length + np.arange(size))
            parts.append(_fourier_resample(chosen, n_times))
    back = xp.asarray(np.argsort(rows, kind="stable"), device=device(X))
    resized = parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)
    return xp.astype(xp.take(resized, back, axis=0) if len(parts) > 1 else resized, X.dtype)


def time_reverse(X, *, rng=None):
    """Play each window backwards; ``rng`` is not used.

    Raises
    ------
    TypeError, ValueError
        If ``X`` has not three axes.

    See Also
    --------
    TimeReverse : The same as a transformer, with an example.
    """
    check_shape(X)
    return array_namespace(X).flip(X, axis=-1)


class Permutation(SignalTransform):
    """Cut each window into pieces of nearly equal length and shuffle them.

    Parameters
    ----------
    n_pieces : int, default=10
        Number of pieces; Sarkar & Etemad (2022) use 20.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders; an int gives the same orders at every call.

    See Also
    --------
    permutation : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import Permutation
    >>> X = np.zeros((2, 1, 240))
    >>> Permutation(n_pieces=4, random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(permutation)

    def __init__(self, n_pieces=10, random_state=None):
        self.n_pieces = n_pieces
        self.random_state = random_state


class TimeWarp(SignalTransform):
    """Stretch some pieces of each window and squeeze the others; the length is kept.

    Parameters
    ----------
    n_pieces : int, default=9
        Number of pieces; half of them, rounded up, are stretched.
    stretch : float, default=1.05
        New length of a stretched piece, relative to the old.
    squeeze : float, default=None
        The same of the other pieces; the result is cropped at random. Sarkar & Etemad (2022)
        use 1/1.05. None: equal parts of what is left of the window.
    random_state : int, RandomState instance or None, default=None
        Seed of the choices; an int gives the same choices at every call.

    See Also
    --------
    time_warp : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import TimeWarp
    >>> X = np.zeros((2, 1, 240))
    >>> TimeWarp(n_pieces=4, random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(time_warp)

    def __init__(self, n_pieces=9, stretch=1.05, squeeze=None, random_state=None):
        self.n_pieces = n_pieces
        self.stretch = stretch
        self.squeeze = squeeze
        self.random_state = random_state


class CropResize(SignalTransform):
    """Keep one piece of each window, stretched to the window's length.

    Parameters
    ----------
    n_pieces : int, default=4
        Number of pieces to choose from.
    random_state : int, RandomState instance or None, default=None
        Seed of the choices; an int gives the same choices at every call.

    See Also
    --------
    crop_resize : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import CropResize
    >>> X = np.zeros((2, 1, 240))
    >>> CropResize(random_state=0).fit_transform(X).shape
    (2, 1, 240)
    """

    _function = staticmethod(crop_resize)

    def __init__(self, n_pieces=4, random_state=None):
        self.n_pieces = n_pieces
        self.random_state = random_state


class TimeReverse(SignalTransform):
    """Play each window backwards (Sarkar & Etemad, 2022).

    See Also
    --------
    time_reverse : The same as a function.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.transforms import TimeReverse
    >>> X = np.array([[[1.0, 2.0, 3.0]]])
    >>> TimeReverse().fit_transform(X)
    array([[[3., 2., 1.]]])
    """

    _function = staticmethod(time_reverse)
