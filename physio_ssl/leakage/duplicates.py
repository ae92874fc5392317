"""Windows that stand under two names: equal ones, and recordings that are nearly copies."""

import numpy as np
import pandas as pd
from scipy.fft import irfft, rfft
from scipy.signal.windows import hann
from scipy.spatial import cKDTree

from ..functional import detrend
from .overlap import add_rows, encode, on_both_sides
from .report import LeakKind, show

# A pair of windows counts if chance gives what they share once in 2 ** _ENOUGH cases.
_ENOUGH = 96  # bits, set on windows of WESAD, where chance and artefacts give some pairs more
_MOST_LEFT = 0.1  # of a copy's energy, that the other window does not explain
_ENOUGH_EQUAL = 64  # bits, where all samples are equal
_ENOUGH_OF_FEATURES = 16  # bits, in each of several rows, beyond the logarithm of pairs of rows
_SHARE_ALIKE_FEATURES = 0.5  # rows that are coarse recur in other people
_N_ALIKE, _SHARE_ALIKE = 3, 0.2  # windows, and their fraction, that make a copy of a recording
_N_COMMON = 3  # a signal that a person shares with more others is a stimulus or an artefact
_N_NEIGHBOURS, _N_BANDS, _N_SAMPLES, _N_PAIRS = 9, 16, 1024, 512
_CLOSE = 1e-3  # standard deviations of a feature


def find_duplicates(report, folds, arrays, digests, names, codes):
    """Look for test windows that copy a training window, exactly or nearly.

    Equal windows count if their samples carry enough information. Windows that are nearly alike
    may be chance, so they count if two people share at least three, a fifth of their windows.
    """
    report.looked_at.append(
        f"windows on both sides that are equal, or nearly a copy, in {', '.join(arrays)}"
    )
    equal = _number_equal_windows(report, arrays, digests)
    alike = [(name, _find_copies(report, name, x, names, codes)) for name, x in arrays.items()]
    pairs = np.concatenate([pairs for _, pairs in alike])
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = on_both_sides(equal, train, test)
        if len(test_rows):
            twin = train_rows[equal[train_rows] == equal[test_rows[0]]][0]
            message = f"test row {test_rows[0]} has the samples of train row {twin}"
        near = np.concatenate([pairs, pairs[:, ::-1]])
        near = near[np.isin(near[:, 0], train) & np.isin(near[:, 1], test)]
        if len(near) and not len(test_rows):
            first, second = (names[codes[row]] for row in near[0])
            message = (
                f"the signals of {second} are nearly those of {first}, e.g. those of test row "
                f"{near[0, 1]} and train row {near[0, 0]}"
            )
        train_rows, test_rows = (
            np.union1d(rows, copies)
            for rows, copies in zip((train_rows, test_rows), near.T, strict=True)
        )
        if len(test_rows):
            add_rows(report, LeakKind.DUPLICATE, message, fold, train_rows, test_rows)


def _number_equal_windows(report, arrays, digests):
    """Return a number for each window, which equal windows have in common if that tells."""
    of_windows = list(zip(*digests.values(), strict=True))
    _, equal = encode(of_windows)
    flat = sum(not any(digest) for digest in of_windows)
    if flat:
        report.add_note(f"{flat} of {len(equal)} windows are constant and were not compared.")
    again = np.flatnonzero(np.bincount(equal)[equal] > 1)
    bits = sum(_count_bits(array, again) for array in arrays.values())
    poor = again[bits < _ENOUGH_EQUAL]
    equal[poor] = len(equal) + poor
    return equal


def _count_bits(array, rows):
    """Return how much information is in windows, or rows of features, in bits."""
    if array.ndim == 2:
        return _count_bits_of_features(array.astype(float))[rows].sum(axis=1)
    steps = np.diff(array.reshape(*array.shape[:2], -1)[rows].astype(float), axis=2)
    return np.array([sum(map(_entropy, window)) for window in steps])


def _entropy(values):
    counts = np.unique(values, return_counts=True)[1]
    return float(counts @ np.log2(len(values) / counts))


def _count_bits_of_features(X):
    """Return how rare the features of each row are, in bits; columns may repeat each other."""
    counts = [pd.Series(column).groupby(column, dropna=False).transform("size") for column in X.T]
    bits = np.log2(len(X) / np.column_stack(counts))
    # Coarse features repeat in and across people: each value is one of four or fewer on average.
    bits[:, bits.mean(axis=0) < np.log2(len(X)) - 2] = 0
    varying = bits.any(axis=0)
    if not varying.any():
        return bits
    # As in a Gaussian, an axis along which features vary little tells few bits, or none.
    correlation = np.nan_to_num(pd.DataFrame(X[:, varying]).rank().corr().to_numpy())
    spread = np.linalg.eigvalsh(correlation).clip(min=1e-12)
    mean = bits[:, varying].mean()
    return bits * (mean + np.log2(spread) / 2).clip(min=0).mean() / mean


def _find_copies(report, name, array, names, codes):
    """Return pairs of rows that are nearly alike, of people who share many such pairs."""
    if array.ndim == 2:
        found = [_find_alike_features(array.astype(float), codes)]
    else:
        channels = array.reshape(*array.shape[:2], -1)
        found = [_find_alike_windows(channels[:, i], codes) for i in range(channels.shape[1])]
    share = _SHARE_ALIKE_FEATURES if array.ndim == 2 else _SHARE_ALIKE
    kept = [np.empty((0, 2), int)]
    n_windows = np.bincount(codes)
    for pairs in found:
        people = np.sort(codes[pairs], axis=1)
        pairs = np.take_along_axis(pairs, np.argsort(codes[pairs], axis=1), axis=1)
        copies = []
        for couple in np.unique(people, axis=0):
            some = pairs[(people == couple).all(axis=1)]
            n_alike = np.array([len(np.unique(rows)) for rows in some.T])
            if n_alike.min() >= _N_ALIKE and (n_alike / n_windows[couple]).max() >= share:
                copies.append((couple, some))
        others = np.bincount(np.ravel([couple for couple, _ in copies]).astype(int))
        common = [couple for couple, _ in copies if others[couple].max() > _N_COMMON]
        if common:
            report.add_note(
                f"{name} of {show(names[code] for code in np.unique(common))} is nearly the same "
                "in windows of more than four people: a stimulus, an artefact, or copies."
            )
        kept += [some for couple, some in copies if others[couple].max() <= _N_COMMON]
    return np.concatenate(kept)


def _find_neighbours(points, codes, radius):
    """Return pairs of rows of different people whose points lie near each other."""
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    n = min(_N_NEIGHBOURS, len(rows))
    if n < 2:
        return np.empty((0, 2), int)
    distance, near = cKDTree(points[rows]).query(points[rows], n, distance_upper_bound=radius)
    row, place = np.nonzero(np.isfinite(distance))
    pairs = np.stack([rows[row], rows[near[row, place]]], axis=1)
    pairs = pairs[codes[pairs[:, 0]] != codes[pairs[:, 1]]]
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _find_alike_windows(x, codes):
    """Return pairs of windows of a channel, (n_windows, n_times), that share enough bits.

    Spectra, which a shift hardly changes, choose the pairs to compare.
    """
    n_times = x.shape[1]
    if n_times < _N_BANDS:
        return np.empty((0, 2), int)
    start = max(0, n_times - _N_SAMPLES) // 2
    middle = x[:, start : start + _N_SAMPLES].astype(np.float32)
    with np.errstate(all="ignore"):  # constant windows, or gaps
        energy, _ = _compute_bands(middle - middle.mean(axis=1, keepdims=True))
        points = np.log2(energy + 1e-2 * energy.max(axis=1, keepdims=True))
        points -= points.mean(axis=1, keepdims=True)
    pairs = _find_neighbours(points, codes, radius=1.0)
    if not len(pairs):
        return pairs
    blocks = np.array_split(pairs, len(pairs) // _N_PAIRS + 1)
    return pairs[np.concatenate([_share(x, block) for block in blocks]) >= _ENOUGH]


def _compute_bands(x):
    """Return the energy of windows in each of some frequency bands, and the bands' widths."""
    power = np.abs(rfft(x * hann(x.shape[1], sym=False).astype(x.dtype), axis=1)[:, 1:]) ** 2
    edges = np.geomspace(1, power.shape[1] + 1, _N_BANDS + 1)
    edges = np.unique(edges.astype(int)) - 1
    return np.add.reduceat(power, edges[:-1], axis=1), np.diff(edges)


def _share(x, pairs):
    """Return the bits that the windows of pairs share, at the shift at which they fit best.

    As in a Gaussian channel, each frequency adds the logarithm of the energy of one window over
    that of the difference. Where samples are rounded, the difference is at least as large as
    the error of rounding.
    """
    (a, rounding), (b, other) = (_standardize(x[rows].astype(float)) for rows in pairs.T)
    n_times = a.shape[1]
    most = max(1, n_times // 16)
    fits = irfft(rfft(a, 2 * n_times) * rfft(b, 2 * n_times).conj(), axis=1)
    lags = np.r_[: most + 1, -most:0]
    lag = lags[np.abs(fits[:, lags]).argmax(axis=1)]
    inner = np.arange(most, n_times - most)
    a = detrend(a[:, inner])
    b = detrend(np.take_along_axis(b, inner - lag[:, np.newaxis], axis=1))
    slope = (a * b).sum(axis=1) / np.maximum((b**2).sum(axis=1), 1e-12)
    energy, n_bins = _compute_bands(a)
    error = np.maximum(np.maximum(rounding, other) ** 2 / 12, 1e-12) * len(inner) * 3 / 8
    rest = a - slope[:, np.newaxis] * b
    left = _compute_bands(rest)[0] + np.outer(error, n_bins)
    # Regular heartbeats of one rate share many bits, but not the waves between them.
    alike = (rest**2).sum(axis=1) <= _MOST_LEFT * (a**2).sum(axis=1)
    return alike * (np.log2(np.maximum(energy / left, 1)) @ n_bins)


def _standardize(x):
    """Return windows without trend and scale, and the step to which they are rounded."""
    steps = np.abs(np.diff(x, axis=1))
    step = np.min(steps, axis=1, where=steps > 0, initial=np.inf)
    x = detrend(x)
    std = np.maximum(x.std(axis=1), 1e-12)
    return x / std[:, np.newaxis], np.minimum(step / std, 1e6)


def _find_alike_features(X, codes):
    """Return pairs of rows that are equal in half of the features, and rare enough."""
    with np.errstate(all="ignore"):
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    scaled = scaled[:, np.isfinite(scaled).all(axis=0)]
    if not scaled.size or len(X) < 3:
        return np.empty((0, 2), int)
    bits = _count_bits_of_features(scaled)
    axes = np.linalg.svd(scaled[:: len(scaled) // 2000 + 1], full_matrices=False)[2]
    points = scaled @ axes[:8].T
    pairs = _find_neighbours(points, codes, radius=np.inf)
    enough = _ENOUGH_OF_FEATURES + 2 * np.log2(len(X))
    same = np.abs(scaled[pairs[:, 0]] - scaled[pairs[:, 1]]) <= _CLOSE
    shared = (bits[pairs[:, 0]] * same).sum(axis=1)
    return pairs[(same.mean(axis=1) >= 0.5) & (shared >= enough)]
