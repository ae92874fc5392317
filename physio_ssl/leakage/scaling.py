"""Signs of scaling that used the windows of test subjects."""

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags

from ..compose import PerModality
from .report import LeakKind
from .traversal import has_learned, is_composed, is_estimator, is_network

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
    """Whether all channels have mean 0 and deviation 1, except constant zeros."""
    flat = std < _CLOSE
    unbiased = std * np.sqrt(size / np.maximum(size - 1, 1))
    spread = (np.abs(std - 1) < _CLOSE) | (np.abs(unbiased - 1) < _CLOSE)
    return not flat.all() and bool(((np.abs(mean) < _CLOSE) & (flat | spread)).all())


def _is_unit_range(low, high, tolerance):
    flat = high - low <= tolerance
    fits = (np.abs(low) <= tolerance) & (np.abs(high - 1) <= tolerance)
    return not flat.all() and bool((fits | flat).all())


def _views(array):
    """Yield windows as (n_windows, n_channels, n_times); each feature is one channel, too."""
    if array.ndim < 3:
        array = array.reshape(len(array), -1)
        yield array[:, np.newaxis]
        yield array[:, :, np.newaxis]
    else:
        yield array.reshape(*array.shape[:2], -1)


def _reaches_ends_rarely(array, n_pools, tolerance):
    """Whether channels are scaled rather than clipped or 0/1 codes, which are often 0 or 1."""
    n_windows, _, n_times = array.shape
    ends = ((array <= tolerance) | (array >= 1 - tolerance)).sum(axis=(0, 2))
    # Where each time was scaled by itself, each has two ends per pool, or a few with ties.
    return ends.min() <= n_times * max(0.05 * n_windows, 3 * n_pools)


def _scaled_over(array, codes):
    """Return over what an array was scaled, and how, or None if there is no sign of it."""
    n_groups = codes.max() + 1
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


def find_scaled_windows(report, arrays, codes):
    """Look for windows, by modality, that were scaled over all rows or over each subject."""
    report.looked_at.append(f"scaling of {', '.join(arrays)} over all windows or each subject's")
    found = {}
    for name, array in arrays.items():
        with np.errstate(all="ignore"):
            if not np.isfinite(array.sum(dtype=float)):
                report.add_note(f"Scaling of {name} was not looked for: it has NaN or infinity.")
                continue
            scaled = _scaled_over(array, codes)
        if scaled:
            found.setdefault(scaled, []).append(name)
    for (over, how), names in found.items():
        names, n_rows = ", ".join(names), len(codes)
        if over == _ALL_ROWS:
            message = (
                f"{names} was scaled over all rows, test rows included: every channel has "
                f"{how}, to rounding; all {n_rows} rows"
            )
            report.add_leak(LeakKind.SCALED, message)
        elif over == _SUBJECT:
            message = (
                f"in {names} every channel of each subject has {how}, to rounding: test "
                f"subjects' own windows were used; all {n_rows} rows"
            )
            report.add_leak(LeakKind.SCALED_BY_SUBJECT, message)
        elif not report.transductive:
            report.add_note(
                f"In {names} each subject has {how}. If recordings were standardised before "
                "windows were cut, which the audit cannot see, declare it with transductive."
            )


def find_frozen_scalers(report, parts, model, X, y, folds):
    """Look for what was fitted before the study, test rows included, and stays so.

    ``parts`` are all that ``walk`` finds in ``model``.
    """
    inputs, judged = {id(part): seen for part, seen in _receives(model, X)}, []
    for part in parts:
        scaler = part.value
        if not part.frozen or not is_estimator(scaler) or isinstance(scaler, FrozenEstimator):
            continue
        if is_composed(scaler) or not has_learned(scaler) or is_network(scaler):
            continue
        if any(part.is_below(path) for path in judged):  # a tree of a forest
            continue
        judged.append(part.path)
        what = f"{type(scaler).__name__} at {part}"
        received = None if hasattr(scaler, "predict") else inputs.get(id(scaler))
        if received is not None and _learned_from_test_rows(scaler, received, y, folds):
            message = (
                f"{what} is frozen and was fitted on all {len(received)} rows, test rows included: "
                "refitted on them, it is the same"
            )
            report.add_leak(LeakKind.SCALED, message)
        else:
            report.add_note(f"{what} was fitted outside the study, on rows that are not known.")


def _receives(estimator, X):
    """Yield the estimators inside that get the windows as they are, and what they get.

    Steps that learn nothing, such as ``SelectModality``, are applied on the way.
    """
    yield estimator, X
    if isinstance(estimator, FrozenEstimator):
        yield from _receives(estimator.estimator, X)
    elif isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step is None or isinstance(step, str):  # "passthrough"
                continue
            yield from _receives(step, X)
            try:
                if get_tags(step).requires_fit:
                    break
                X = step.transform(X)
            except (ValueError, TypeError, AttributeError):  # the study's own fit will say
                break
    elif isinstance(estimator, PerModality) and isinstance(X, Mapping):
        for transformers in (estimator.transformers, getattr(estimator, "transformers_", {})):
            for modality, transformer in dict(transformers).items():
                if modality in X:
                    yield from _receives(transformer, X[modality])
    else:
        for name in ("estimator", "best_estimator_", "encoder"):
            part = getattr(estimator, name, None)
            if is_estimator(part):
                yield from _receives(part, X)


def _learned_from_test_rows(scaler, X, y, folds):
    """Whether a scaler was fitted on all rows, and some test rows made a difference."""
    return _learns_the_same(scaler, X, y) and any(
        not _learns_the_same(scaler, X, y, rows=train) for train, _ in folds
    )


def _learns_the_same(estimator, X, y, rows=None):
    """Whether a copy of a fitted estimator, fitted on rows of X, equals it."""
    expected = _get_numbers(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if rows is not None:
                X, y = _safe_indexing(X, rows), None if y is None else y[rows]
            refitted = _get_numbers(clone(estimator).fit(X, y))
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


def _get_numbers(estimator):
    """Return the numbers that an estimator has learned, by attribute."""
    numbers = {}
    for name, value in vars(estimator).items():
        if name.endswith("_") and not name.startswith("_") and name not in _NOT_LEARNED:
            if isinstance(value, (int, float, np.number, np.ndarray)):
                value = np.asarray(value)
                if value.dtype.kind in "fiub":
                    numbers[name] = value.astype(float)
    return numbers
