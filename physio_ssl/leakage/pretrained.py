"""Test subjects on whom a model was trained before, or whose windows it holds during training."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from .overlap import hash_windows, is_flat
from .report import LeakKind, show
from .traversal import as_array, is_network


def find_pretrained(report, parts, names, codes, folds):
    """Look for networks that were trained on test subjects before the study.

    ``parts`` are all that ``walk`` finds in a model; ``names`` and ``codes`` give the subject of
    each window.
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
        elif seen is None:
            report.add_note(f"{what} was fitted without groups: whom it has seen is not known.")
        else:
            # A classifier's training used labels, too.
            kind = LeakKind.TRAINED if hasattr(network, "predict") else LeakKind.PRETRAINED
            _compare_subjects(report, kind, what, _in_common(names, seen), names, codes, folds)


def _in_common(names, seen):
    """Return those of ``names`` that were seen; subjects may have been numbers there."""
    seen = np.asarray(seen).ravel().tolist()
    whole = (int(name) if isinstance(name, float) and name.is_integer() else name for name in seen)
    return set(names) & set(map(str, whole))


def _compare_subjects(report, kind, what, common, names, codes, folds):
    if common:
        report.add_note(
            "Encoders know subjects by their names only: if people of two data sets share a "
            "name, give them different ones, e.g. with the name of the data set."
        )
    is_seen = np.array([name in common for name in names])
    for fold, (_, test) in enumerate(folds):
        rows = test[is_seen[codes[test]]]
        if len(rows):
            subjects = [names[code] for code in dict.fromkeys(codes[rows].tolist())]
            message = f"{what} was trained on {show(subjects)}; test rows {show(rows)}"
            report.add_leak(kind, message, fold, test_rows=rows)


def find_validation_windows(report, parts, arrays, folds):
    """Look for test windows that a model holds, e.g. to choose the best epoch."""
    hashes = {}  # by size of a window: its samples' digest, and the rows of X with it
    held_rows = {}
    n_windows = len(next(iter(arrays.values())))
    for part in parts:
        array = as_array(part.value)
        if array is None or array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiu":
            continue
        if part.rows is not None:
            array = array[part.rows]
        size = array[0].size
        if size not in hashes:
            hashes[size] = _hash_by_size(arrays, size)
        found = set(_float_hashes(array)) & hashes[size].keys()
        if found:
            mask = held_rows.setdefault(str(part), np.zeros(n_windows, dtype=bool))
            mask[[row for digest in found for row in hashes[size][digest]]] = True
        elif not {"train_split", "callbacks"}.isdisjoint(part.path):
            report.add_note(f"{part} holds {len(array)} windows, none of them in X: not compared.")
    for fold, (_, test) in enumerate(folds):
        paths = [path for path, mask in held_rows.items() if mask[test].any()]
        if paths:
            rows = test[np.logical_or.reduce([held_rows[path][test] for path in paths])]
            message = f"{show(paths)} holds windows of test rows {show(rows)}"
            report.add_leak(LeakKind.EPOCHS, message, fold, test_rows=rows)


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
