"""Test subjects that estimators have met before the study, or hold while they are fitted."""

import re
from os import PathLike

import numpy as np
from sklearn.frozen import FrozenEstimator

from ._crossings import hash_windows, is_flat
from ._leak import EPOCHS, PRETRAINED, TRAINED, Leak, show
from ._walk import as_array

_VALIDATION = re.compile(r"\.(train_split|callbacks)\b")


def find_pretrained(held, names, codes, folds):
    """Yield leaks and notes on networks that were trained before the study.

    ``held`` is all that ``walk`` finds in an estimator; ``names`` and ``codes`` tell the
    subject of each window, or are None.
    """
    for item in held:
        part = item.value
        encoder = getattr(part, "encoder", None)
        if isinstance(encoder, (str, PathLike)):
            what = "not known here" if encoder == "precomputed" else f"loaded from {encoder}"
            yield f"{item.path} has an encoder that is {what}: whom it has seen was not checked."
        is_known = hasattr(part, "groups_seen_")
        if isinstance(part, FrozenEstimator) or not (is_known or hasattr(part, "module_")):
            continue
        what = f"{type(part).__name__} at {item.path}"
        if not item.frozen and hasattr(part, "get_params"):
            if is_known:
                yield f"{what} is fitted but not frozen: each fold fits a new copy of it."
            continue
        seen = getattr(part, "groups_seen_", None)
        if seen is None:
            yield f"{what} was not told its groups in fit: whom it has seen is not known."
        elif codes is None:
            yield f"{what} was not compared with the test subjects: groups were not given."
        else:
            # Labels of the training decide as well, where there were any.
            kind = TRAINED if hasattr(part, "predict") else PRETRAINED
            yield from _compare_groups(kind, what, _common(names, seen), names, codes, folds)


def _common(names, seen):
    """Return those of ``names`` that were seen, as they are or as text if types differ."""
    seen = np.asarray(seen).ravel().tolist()
    if {type(name) for name in names} != {type(name) for name in seen}:
        as_text = set(map(str, seen))
        return {name for name in names if name in seen or str(name) in as_text}
    return set(names) & set(seen)


def _compare_groups(kind, what, common, names, codes, folds):
    if common:
        yield (
            "Encoders know subjects by their names only: people of two data sets who share one "
            "need groups that tell them apart."
        )
    is_seen = np.array([name in common for name in names])
    for fold, (_, test) in enumerate(folds):
        rows = test[is_seen[codes[test]]]
        if len(rows):
            subjects = [names[code] for code in dict.fromkeys(codes[rows].tolist())]
            message = f"{what} was trained on {show(subjects)}; test rows {show(rows)}"
            yield Leak(kind, message, fold, test_rows=tuple(rows.tolist()))


def find_validation_windows(held, arrays, folds):
    """Yield leaks and notes on windows that estimators hold, as to choose the best epoch."""
    hashes = {}  # by size of a window: its samples' digest, and the rows of X with it
    held_rows = {}
    n_windows = len(next(iter(arrays.values())))
    for item in held:
        array = as_array(item.value)
        if array is None or array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiu":
            continue
        if item.rows is not None:
            array = array[item.rows]
        size = array[0].size
        if size not in hashes:
            hashes[size] = _hash_by_size(arrays, size)
        found = set(_float_hashes(array)) & hashes[size].keys()
        if found:
            mask = held_rows.setdefault(item.path, np.zeros(n_windows, dtype=bool))
            mask[[row for digest in found for row in hashes[size][digest]]] = True
        elif _VALIDATION.search(item.path):
            yield f"{item.path} holds {len(array)} windows, none of them as in X: not compared."
    for fold, (_, test) in enumerate(folds):
        paths = [path for path, mask in held_rows.items() if mask[test].any()]
        if paths:
            rows = test[np.logical_or.reduce([held_rows[path][test] for path in paths])]
            message = f"{show(paths)} holds windows of test rows {show(rows)}"
            yield Leak(EPOCHS, message, fold, test_rows=tuple(rows.tolist()))


def _hash_by_size(arrays, size):
    rows = {}
    for array in arrays.values():
        if array[0].size == size:
            for row, digest in enumerate(_float_hashes(array)):
                if digest is not None:
                    rows.setdefault(digest, []).append(row)
    return rows


def _float_hashes(array):
    """Hash windows as float32, which is what nets are given; None for constant ones."""
    digests = hash_windows([array], dtype=np.float32)
    return [None if flat else digest for flat, digest in zip(is_flat(array), digests, strict=True)]
