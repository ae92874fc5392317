"""Test subjects on whom a model was trained before, or whose windows it holds during training."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from .overlap import hash_windows, is_flat
from .report import LeakKind, show
from .traversal import as_array, is_network


def find_pretrained(report, parts, groups, folds):
    """Look for networks that were trained on test subjects before the study.

    ``parts`` are all that ``walk`` finds in a model; ``groups`` has the subject of each window.
    """
    for part in parts:
        network = part.value
        if isinstance(network, FrozenEstimator) or not is_network(network):
            continue
        seen = getattr(network, "groups_seen_", None)
        what = f"{type(network).__name__} at {part}"
        if not part.frozen and hasattr(network, "get_params"):
            if seen is not None:
                report.add_note(f"{what} is fitted but not frozen: each fold fits a new copy.")
            continue
        if seen is None:
            report.add_note(f"{what} was fitted without groups: whom it has seen is not known.")
            continue
        is_seen = np.isin(groups, _as_names(seen))
        if is_seen.any():
            report.add_note(
                "Encoders know subjects by their names only: people of two data sets need "
                "different names."
            )
        # A classifier's training used labels, too.
        kind = LeakKind.TRAINED if hasattr(network, "predict") else LeakKind.PRETRAINED
        for fold, (_, test) in enumerate(folds):
            rows = test[is_seen[test]]
            if len(rows):
                subjects = show(dict.fromkeys(groups[rows]))
                message = f"{what} was trained on {subjects}; test rows {show(rows)}"
                report.add_leak(kind, message, fold, test_rows=rows)


def _as_names(seen):
    """Return subjects as str, like those of ``Windows``; they may have been numbers."""
    names = np.asarray(seen).ravel()
    whole = names.dtype.kind == "f" and (names == names.round()).all()
    return (names.astype(int) if whole else names).astype(str)


def find_validation_windows(report, parts, arrays, folds):
    """Look for test windows that a model holds, e.g. to choose the best epoch."""
    rows_of = {}  # by size of a window: the rows with each digest
    held = {}  # by path: which rows it holds
    for part in parts:
        array = as_array(part.value)
        if array is None or array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiu":
            continue
        array, size = array if part.rows is None else array[part.rows], array[0].size
        if size not in rows_of:
            rows_of[size] = _find_rows(arrays, size)
        rows = [row for digest in _hash_floats(array) for row in rows_of[size].get(digest, ())]
        if rows:
            held[str(part)] = np.unique([*rows, *held.get(str(part), ())])
        elif not {"train_split", "callbacks"}.isdisjoint(part.path):
            report.add_note(f"{part} holds {len(array)} windows, none of them in X: not compared.")
    for fold, (_, test) in enumerate(folds):
        paths = [path for path, rows in held.items() if np.isin(test, rows).any()]
        if paths:
            rows = test[np.isin(test, np.concatenate([held[path] for path in paths]))]
            message = f"{show(paths)} holds windows of test rows {show(rows)}"
            report.add_leak(LeakKind.EPOCHS, message, fold, test_rows=rows)


def _find_rows(arrays, size):
    """Return the rows of the arrays whose windows have a size, by their digest."""
    rows_of = {}
    for array in arrays.values():
        if array[0].size == size:
            for row, digest in enumerate(_hash_floats(array)):
                rows_of.setdefault(digest, []).append(row)
    rows_of.pop(None, None)
    return rows_of


def _hash_floats(array):
    """Hash windows as float32, which is what nets are given; None for constant ones."""
    digests = hash_windows([array], dtype=np.float32)
    return [None if flat else digest for flat, digest in zip(is_flat(array), digests, strict=True)]
