"""Signs of scaling that looked at the windows of test subjects."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from ._leak import SCALED, SCALED_BY_SUBJECT, Leak
from ._walk import has_learned, is_composed, is_estimator, receives

_CLOSE = 1e-4
_ALL_ROWS, _SUBJECT, _NEARLY_SUBJECT = "all rows", "each subject", "each subject, nearly"
_NOT_LEARNED = ("n_features_in_", "feature_names_in_", "n_outputs_", "n_features_out_")


class _Moments:
    """Mean, spread and range of each channel of each window."""

    def __init__(self, array):  # (n_windows, n_channels, n_times)
        self.n_times = array.shape[2]
        if self.n_times == 1:  # features: far faster than sums of one sample
            self.mean = self.low = self.high = array[:, :, 0].astype(float)
            self.square = self.mean**2
            return
        self.mean = array.mean(axis=2, dtype=float)
        self.square = np.einsum("nct,nct->nc", array, array, dtype=float) / self.n_times
        self.low = array.min(axis=2).astype(float)
        self.high = array.max(axis=2).astype(float)

    def pooled(self, codes):
        """Return mean, standard deviation and size of the channels of each group."""
        size = np.bincount(codes)[:, np.newaxis]
        mean, square = (_reduce(np.add, v, codes) / size for v in (self.mean, self.square))
        return mean, np.sqrt((square - mean**2).clip(min=0)), size * self.n_times

    def extremes(self, codes):
        """Return minimum and maximum of the channels of each group."""
        return _reduce(np.minimum, self.low, codes), _reduce(np.maximum, self.high, codes)


def _reduce(function, values, codes):
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return function.reduceat(values[order], starts, axis=0)


def _is_standard(mean, std, size):
    """Tell whether all channels have mean 0 and deviation 1, but for constant zeros."""
    flat = std < _CLOSE
    unbiased = std * np.sqrt(size / np.maximum(size - 1, 1))
    spread = (np.abs(std - 1) < _CLOSE) | (np.abs(unbiased - 1) < _CLOSE)
    return not flat.all() and bool(((np.abs(mean) < _CLOSE) & (flat | spread)).all())


def _is_unit_range(low, high, tolerance):
    flat = high - low <= tolerance
    fits = (np.abs(low) <= tolerance) & (np.abs(high - 1) <= tolerance)
    return not flat.all() and bool((fits | flat).all())


def _views(array):
    """Yield windows as (n_windows, n_channels, n_times), features as as many channels."""
    if array.ndim < 3:
        array = array.reshape(len(array), -1)
        yield array[:, np.newaxis]
        yield array[:, :, np.newaxis]
    else:
        yield array.reshape(*array.shape[:2], -1)


def _reaches_ends_rarely(array, n_pools, tolerance):
    """Tell scaled channels from clipped ones and 0/1 codes, which reach 0 and 1 often."""
    n_windows, _, n_times = array.shape
    ends = ((array <= tolerance) | (array >= 1 - tolerance)).sum(axis=(0, 2))
    # Where each time was scaled by itself, each has two ends per pool, or a few with ties.
    return ends.min() <= n_times * max(0.05 * n_windows, 3 * n_pools)


def _scaled_over(array, codes):
    """Return over what an array was scaled, and how, or None where nothing tells of it."""
    n_groups = 1 if codes is None else codes.max() + 1
    eps = np.finfo(array.dtype).eps if array.dtype.kind == "f" else 0
    tolerance = max(1e-9, 8 * float(eps))
    views = [(view, _Moments(view)) for view in _views(array)]
    windows = views[0][1]
    if _is_standard(*windows.pooled(np.arange(len(array)))):
        return None
    of_windows = (windows.low, windows.high), (windows.low.min(axis=1), windows.high.max(axis=1))
    try_range = not any(_is_unit_range(*ends, tolerance) for ends in of_windows)
    pools = [(_ALL_ROWS, np.zeros(len(array), dtype=np.intp))]
    if n_groups > 1:
        pools.insert(0, (_SUBJECT, codes))
    for view, moments in reversed(views):  # features first: they say more than all at once
        for over, pool in pools:
            if _is_standard(*moments.pooled(pool)):
                return over, "mean 0 and standard deviation 1"
            if try_range and _is_unit_range(*moments.extremes(pool), tolerance):
                if _reaches_ends_rarely(view, pool.max() + 1, tolerance):
                    return over, "minimum 0 and maximum 1"
    for _, moments in views:
        mean, std, _ = moments.pooled(pools[0][1])
        if n_groups > 1 and (np.abs(mean) < 0.5).all() and ((std > 0.5) & (std < 2)).all():
            return _NEARLY_SUBJECT, "mean near 0 and standard deviation near 1"
    return None


def find_scaled_windows(arrays, codes, transductive):
    """Yield leaks and notes on how the windows themselves were scaled, per modality."""
    found = {}
    for name, array in arrays.items():
        with np.errstate(all="ignore"):
            if not np.isfinite(array.sum(dtype=float)):
                yield f"Scaling of {name} was not looked for: it holds NaN or infinite samples."
                continue
            scaled = _scaled_over(array, codes)
        if scaled:
            found.setdefault(scaled, []).append(name)
    for (over, how), names in found.items():
        names = ", ".join(names)
        if over == _ALL_ROWS:
            unsure = " (or over each subject: groups were not given)" if codes is None else ""
            yield Leak(
                SCALED,
                f"{names} was scaled over all rows{unsure}, test rows included: every channel "
                f"has {how}, to rounding; all {len(array)} rows",
            )
        elif over == _SUBJECT:
            yield Leak(
                SCALED_BY_SUBJECT,
                f"in {names} every channel of each subject has {how}, to rounding: test "
                f"subjects' own windows were used; all {len(array)} rows",
            )
        elif not transductive:
            yield (
                f"In {names} each subject has {how}: if recordings were standardised before "
                "windows were cut, which cannot be seen here, say so with transductive."
            )


def _learned_numbers(estimator):
    numbers = {}
    for name, value in vars(estimator).items():
        if name.endswith("_") and not name.startswith("_") and name not in _NOT_LEARNED:
            if isinstance(value, (int, float, np.number, np.ndarray)):
                value = np.asarray(value)
                if value.dtype.kind in "fiub":
                    numbers[name] = value.astype(float)
    return numbers


def _learns_the_same(estimator, X, y, rows=None):
    """Tell whether a copy of a fitted estimator, fitted on rows of X, is equal to it."""
    expected = _learned_numbers(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if rows is not None:
                X, y = _safe_indexing(X, rows), None if y is None else y[rows]
            refitted = _learned_numbers(clone(estimator).fit(X, y))
        except Exception:  # fitted on windows of another shape; it can fail in any way
            return False
    return (
        bool(expected)
        and expected.keys() == refitted.keys()
        and all(
            value.shape == refitted[name].shape
            and np.allclose(
                value,
                refitted[name],
                rtol=1e-6,
                atol=1e-7 * np.abs(value).max(initial=0),
                equal_nan=True,
            )
            for name, value in expected.items()
        )
    )


def find_frozen_scalers(held, estimator, X, y, folds):
    """Yield leaks and notes on what was fitted before the study and stays so.

    ``held`` is all that ``walk`` finds in ``estimator``.
    """
    inputs = {} if X is None else {id(part): seen for part, seen in receives(estimator, X)}
    noted = []
    for item in held:
        part = item.value
        if not item.frozen or not is_estimator(part) or isinstance(part, FrozenEstimator):
            continue
        if is_composed(part) or not has_learned(part) or _is_net(part):
            continue
        if any(item.path.startswith(path) for path in noted):  # a tree of a known forest
            continue
        noted.append(item.path + ".")
        what = f"{type(part).__name__} at {item.path}"
        can_refit = id(part) in inputs and not hasattr(part, "predict")
        if can_refit and _learns_the_same(part, inputs[id(part)], y):
            if _depends_on_test(part, inputs[id(part)], y, folds):
                message = (
                    f"{what} is frozen and was fitted on all {len(inputs[id(part)])} rows, "
                    "test rows included: refitted on them, it is the same"
                )
                yield Leak(SCALED, message)
                continue
        yield f"{what} was fitted outside the study, on rows that are not known."


def _is_net(part):
    return any(hasattr(part, name) for name in ("groups_seen_", "module", "module_"))


def _depends_on_test(part, X, y, folds):
    """Tell whether the rows of some test subject made a difference to a fitted estimator."""
    return any(not _learns_the_same(part, X, y, rows=train) for train, _ in folds)
