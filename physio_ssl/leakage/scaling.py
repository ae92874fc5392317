"""Signs of scaling that used the windows of test subjects."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from ..compose import PerModality
from .report import LeakKind
from .traversal import is_estimator, is_network

_CLOSE = 1e-4
_NOT_LEARNED = ("n_features_in_", "feature_names_in_", "n_outputs_", "n_features_out_")


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
    n_windows, _, n_times = array.shape
    ends = ((array <= tolerance) | (array >= 1 - tolerance)).sum(axis=(0, 2))
    # Where each time was scaled by itself, each has two ends per pool, or a few with ties.
    return ends.min() <= n_times * max(0.05 * n_windows, 3 * n_pools)


def _find_scaling(array, codes):
    """Return how channels were scaled, and the kind of leak or None if that is uncertain."""
    if array.ndim > 2:
        views = [array.reshape(*array.shape[:2], -1)]
    else:  # each feature is a channel, or each row a window of one channel
        views = [array[:, :, np.newaxis], array[:, np.newaxis]]
    views = [(view, _Moments.compute(view)) for view in views]
    windows = views[-1][1]
    if windows.is_standard():  # each by itself
        return None, None
    tolerance = max(1e-9, 8 * np.finfo(array.dtype).eps if array.dtype.kind == "f" else 0)
    each = _is_unit_range(windows.low.min(axis=1), windows.high.max(axis=1), tolerance)
    nearly = False
    for view, windows in views:
        for pool in (codes, np.zeros_like(codes)):
            kind = LeakKind.SCALED_BY_SUBJECT if pool.any() else LeakKind.SCALED
            pooled = windows.pool(pool)
            if pooled.is_standard():
                return "mean 0 and standard deviation 1", kind
            if not each and _is_unit_range(pooled.low, pooled.high, tolerance):
                if _reaches_ends_rarely(view, len(pooled.low), tolerance):
                    return "minimum 0 and maximum 1", kind
            near = (np.abs(pooled.mean) < 0.5) & (pooled.std > 0.5) & (pooled.std < 2)
            nearly |= pool.any() and near.all()
    return "mean near 0 and standard deviation near 1" if nearly else None, None


def find_scaled_windows(report, arrays, codes):
    """Look for windows, by modality, that were scaled over all rows or over each subject."""
    report.looked_at.append(f"scaling of {', '.join(arrays)} over all windows or each subject's")
    over = {LeakKind.SCALED: "all rows", LeakKind.SCALED_BY_SUBJECT: "each subject"}
    for name, array in arrays.items():
        with np.errstate(all="ignore"):
            if not np.isfinite(array.sum(dtype=float)):
                report.add_note(f"Scaling of {name} was not looked for: it has NaN or infinity.")
                continue
            how, kind = _find_scaling(array, codes)
        if kind:
            report.add_leak(kind, f"{name} was scaled over {over[kind]}: channels have {how}")
        elif how and not report.transductive:
            report.add_note(
                f"In {name} each subject has {how}: if recordings were standardised before windows "
                "were cut, declare it with transductive."
            )


def find_frozen_scalers(report, parts, model, X, y, folds):
    """Look for what was fitted before the study, among a model's parts, and stays so."""
    parts = [part for part in parts if part.frozen and _has_learned(part.value)]
    # Nothing is transformed for a model without such parts, which may take long.
    received = {id(part): given for part, given in _receive(model, X)} if parts else {}
    judged = None
    for part in parts:
        scaler = part.value
        if judged and part.path[: len(judged)] == judged:  # a tree of a forest
            continue
        judged = part.path
        what, given = f"{type(scaler).__name__} at {part}", received.get(id(scaler))
        is_scaler = given is not None and not hasattr(scaler, "predict")
        if is_scaler and _learned_from_test_rows(scaler, given, y, folds):
            report.add_leak(LeakKind.SCALED, f"{what} was fitted on all rows and is frozen")
        else:
            report.add_note(f"{what} was fitted outside the study, on rows that are not known.")


def _has_learned(estimator):
    """Whether an estimator is fitted, other than by fitting others or as a network."""
    if not is_estimator(estimator) or is_network(estimator):
        return False
    if isinstance(estimator, (FrozenEstimator, _BaseComposition)):
        return False
    try:
        check_is_fitted(estimator)
        return get_tags(estimator).requires_fit and not hasattr(estimator, "best_estimator_")
    except (NotFittedError, AttributeError):
        return False


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _get_numbers(clone(estimator).fit(X, y))
        except Exception:  # fitted on windows of another shape; it can fail in any way
            return False
    expected = _get_numbers(estimator)
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
    return {name: v.astype(float) for name, v in learned.items() if v.dtype.kind in "fiub"}
