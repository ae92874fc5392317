"""Signs of scaling that used the windows of test subjects."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags

from ..compose import PerModality
from .report import LeakKind
from .traversal import has_learned, is_estimator

_CLOSE = 1e-4
_NOT_LEARNED = ("n_features_in_", "n_outputs_", "n_features_out_", "classes_", "n_classes_")


@dataclass
class _Moments:
    """Mean, mean square and range of the channels of each window, or group of windows."""

    mean: np.ndarray  # (n_windows, n_channels)
    square: np.ndarray
    low: np.ndarray
    high: np.ndarray
    size: np.ndarray | int  # samples per channel, (n_windows, 1)

    @classmethod
    def compute(cls, array):  # (n_windows, n_channels, n_times)
        """Return the moments of each window."""
        mean, n_times = array.mean(axis=2, dtype=float), array.shape[2]
        square = np.einsum("nct,nct->nc", array, array, dtype=float) / n_times
        low, high = array.min(axis=2).astype(float), array.max(axis=2).astype(float)
        return cls(mean, square, low, high, n_times)

    def pool(self, codes):
        """Return the moments of groups of windows, given the number of each window's group."""
        moments = self.mean, self.square, self.low, self.high
        mean, square, low, high = (pd.DataFrame(values).groupby(codes) for values in moments)
        pooled = mean.mean(), square.mean(), low.min(), high.max()
        return _Moments(*map(np.asarray, pooled), np.bincount(codes)[:, np.newaxis] * self.size)

    @property
    def std(self):
        return np.sqrt((self.square - self.mean**2).clip(min=0))

    def is_standard(self):
        """Whether all channels have mean 0 and deviation 1, except constant zeros."""
        flat = self.std < _CLOSE
        unbiased = self.std * np.sqrt(self.size / np.maximum(self.size - 1, 1))
        spread = (np.abs(self.std - 1) < _CLOSE) | (np.abs(unbiased - 1) < _CLOSE)
        return not flat.all() and bool(((np.abs(self.mean) < _CLOSE) & (flat | spread)).all())


def _is_unit_range(low, high, tolerance):
    """Whether all ranges are from 0 to 1, except those of constants."""
    flat = high - low <= tolerance
    fits = (np.abs(low) <= tolerance) & (np.abs(high - 1) <= tolerance)
    return not flat.all() and bool((fits | flat).all())


def _reaches_ends_rarely(array, n_pools, tolerance):
    """Whether channels are scaled rather than clipped or 0/1 codes, which are often 0 or 1."""
    n_windows, n_channels, n_times = array.shape
    ends = ((array <= tolerance) | (array >= 1 - tolerance)).sum(axis=(0, 2))
    if n_times == 1:  # Fractions reach 0 and 1, too, but not each of them once per pool.
        varying = np.ptp(array, axis=(0, 2)) > tolerance
        return varying.sum() > 1 and (ends[varying] == 2 * n_pools).all()
    # Where each time was scaled by itself, each has two ends per pool, or a few with ties.
    return ends.min() <= n_times * max(0.05 * n_windows, 3 * n_pools)


def _compute_quartiles(array, codes):
    """Return the quartiles of channels in each group of windows, (3, n_groups, n_channels)."""
    groups = [array[codes == code] for code in np.unique(codes)]
    quartiles = [np.percentile(group, (25, 50, 75), axis=(0, 2)) for group in groups]
    return np.stack(quartiles, axis=1)


def _is_robust(array, codes, tolerance):
    """Whether all channels have median 0 and interquartile range 1, but for constants."""
    below = (array < 0).mean(axis=(0, 2))
    if np.median(below) < 0.3:
        return False
    low, median, high = _compute_quartiles(array, codes)
    flat = (low == high) & (low == 0)
    fits = (np.abs(median) <= tolerance) & (np.abs(high - low - 1) <= tolerance)
    return not flat.all() and bool((fits | flat).all())


def _find_scaling(array, pools):
    """Return how channels were scaled and over what, and the kind of leak, None if uncertain."""
    if array.ndim > 2:
        views = [array.reshape(*array.shape[:2], -1)]
    else:  # each feature is a channel, or each row a window of one channel
        views = [array[:, :, np.newaxis], array[:, np.newaxis]]
    views = [(view, _Moments.compute(view)) for view in views]
    windows = views[-1][1]
    if windows.is_standard():  # each by itself
        return None, None, None
    tolerance = max(1e-9, 8 * np.finfo(array.dtype).eps if array.dtype.kind == "f" else 0)
    each = _is_unit_range(windows.low.min(axis=1), windows.high.max(axis=1), tolerance)
    near = {}
    for view, windows in views:
        # Rows of a table, as signals, have one range: fractions have that of 0 to 1, too.
        ranges = not each and (array.ndim > 2 or view.shape[2] == 1)
        for over, (kind, pool) in pools.items():
            pooled = windows.pool(pool)
            if pooled.is_standard():
                return "mean 0 and standard deviation 1", over, kind
            if ranges and _is_unit_range(pooled.low, pooled.high, tolerance):
                if _reaches_ends_rarely(view, len(pooled.low), tolerance):
                    return "minimum 0 and maximum 1", over, kind
                near["minimum 0 and maximum 1"] = over
            if _is_robust(view, pool, _CLOSE):
                return "median 0 and interquartile range 1", over, kind
            wide = over == "each subject"
            centred = np.abs(pooled.mean) < (0.5 if wide else 0.1)
            spread = (pooled.std > 0.5) & (pooled.std < 2) if wide else np.abs(pooled.std - 1) < 0.2
            if (centred & spread).all():
                near["mean near 0 and standard deviation near 1"] = over
            elif not wide and view.shape[1] > 1 and _is_robust(view, pool, 0.2):
                near["median near 0 and interquartile range near 1"] = over
    how, over = next(iter(near.items()), (None, None))
    return how, over, None


def find_scaled_windows(report, arrays, codes, folds):
    """Look for windows, by modality, that were scaled over all rows, subjects or test folds."""
    report.looked_at.append(f"scaling of {', '.join(arrays)} over all windows or each subject's")
    pools = {}  # the smallest first, as what has mean 0 in each part has it over all
    if codes.any():
        pools["each subject"] = (LeakKind.SCALED_BY_SUBJECT, codes)
    tests = [test for _, test in folds]
    if len(tests) > 1 and np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(codes))):
        fold_of = np.empty_like(codes)
        for fold, test in enumerate(tests):
            fold_of[test] = fold
        pools["each test fold"] = (LeakKind.SCALED_BY_SUBJECT, fold_of)
    pools["all rows"] = LeakKind.SCALED, np.zeros_like(codes)
    for name, array in arrays.items():
        with np.errstate(all="ignore"):
            if not np.isfinite(array.sum(dtype=float)):
                report.add_note(f"Scaling of {name} was not looked for: it has NaN or infinity.")
                continue
            how, over, kind = _find_scaling(array, pools)
        if kind:
            report.add_leak(kind, f"{name} was scaled over {over}: channels have {how}")
        elif how and not report.transductive:
            report.add_note(
                f"In {name}, {over} have {how}. If scaling over recordings or subjects did this, "
                "declare it with transductive; scaling over all rows belongs into the model."
            )


def find_frozen_scalers(report, parts, model, X, y, folds):
    """Look for what was fitted before the study, among a model's parts, and stays so."""
    parts = [part for part in parts if part.frozen and has_learned(part.value)]
    # Nothing is transformed for a model without such parts, which may take long.
    received = {id(part): given for part, given in _receive(model, X)} if parts else {}
    judged = None
    for part in parts:
        scaler = part.value
        if judged and part.path[: len(judged)] == judged:  # a tree of a forest
            continue
        judged = part.path
        name, given = type(scaler).__name__, received.get(id(scaler))
        if given is not None and _learned_from_test_rows(scaler, given, y, folds):
            kind = LeakKind.TRAINED if hasattr(scaler, "predict") else LeakKind.SCALED
            report.add_leak(kind, f"{name} at {part} was fitted on all rows and is frozen")
        else:
            report.add_unknown(f"on which rows {name} was fitted, outside the study", part)


def _receive(estimator, X):
    """Yield the estimators inside that get the windows, through fixed steps, and what they get."""
    yield estimator, X
    if isinstance(estimator, Pipeline):
        for step in filter(is_estimator, dict(estimator.steps).values()):
            yield from _receive(step, X)
            try:
                if get_tags(step).requires_fit:
                    return
                X = step.transform(X)
            except (ValueError, TypeError, AttributeError):  # the study's own fit will say
                return
    elif isinstance(estimator, PerModality) and isinstance(X, Mapping):
        for transformers in (estimator.transformers, getattr(estimator, "transformers_", {})):
            for modality, transformer in dict(transformers).items():
                if modality in X:
                    yield from _receive(transformer, X[modality])
    else:
        for name in ("estimator", "best_estimator_", "encoder"):
            if is_estimator(inner := getattr(estimator, name, None)):
                yield from _receive(inner, X)


def _learned_from_test_rows(scaler, X, y, folds):
    """Whether a scaler was fitted on all rows, and some test rows made a difference."""
    return _learns_the_same(scaler, X, y) and not all(
        _learns_the_same(scaler, _safe_indexing(X, train), None if y is None else y[train])
        for train, _ in folds
    )


def _learns_the_same(estimator, X, y):
    """Whether a copy of a fitted estimator, fitted on ``X``, equals it."""
    expected = _get_numbers(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _get_numbers(clone(estimator).fit(X, y)) if expected else {}
        except Exception:  # fitted on windows of another shape; it can fail in any way
            return False
    if not expected or expected.keys() != found.keys():
        return False
    return all(_is_close(found[name], value) for name, value in expected.items())


def _is_close(found, expected):
    tolerance = 1e-7 * np.abs(expected).max(initial=0)
    return found.shape == expected.shape and np.allclose(found, expected, 1e-6, tolerance, True)


def _get_numbers(estimator):
    """Return the numbers that an estimator has learned, by attribute."""
    learned = {
        name: np.asarray(value)
        for name, value in vars(estimator).items()
        if isinstance(value, (Number, np.ndarray))
        and (name.endswith("_") and not name.startswith("_") and name not in _NOT_LEARNED)
    }
    if not any(value.dtype.kind == "f" for value in learned.values()):
        return {}  # how many rows there were, and the like
    return {name: v.astype(float) for name, v in learned.items() if v.dtype.kind in "fiub"}
