"""Test subjects on whom a model was trained before, or whose windows it holds during training."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from .overlap import hash_windows
from .report import LeakKind, show
from .traversal import as_array, is_network


def find_pretrained(report, parts, groups, folds):
    """Look for networks, among a model's parts, that were trained on test subjects before."""
    for part in parts:
        network = part.value
        if isinstance(network, FrozenEstimator) or not is_network(network):
            continue
        seen = getattr(network, "groups_seen_", None)
        what = f"{type(network).__name__} at {part}"
        is_frozen = part.frozen or not hasattr(network, "get_params")
        if seen is None and is_frozen:
            report.add_note(f"{what} was fitted without groups: whom it has seen is not known.")
        if seen is not None and not is_frozen:
            report.add_note(f"{what} is fitted but not frozen: each fold fits a new copy.")
        if seen is None or not is_frozen:
            continue
        seen = np.asarray(seen).ravel()
        if seen.dtype.kind == "f" and (seen == seen.round()).all():  # 1.0 is the subject "1"
            seen = seen.astype(int)
        # concatenate_windows calls S2 of WESAD "WESAD/S2"
        own_names = [group.partition("/")[2] for group in groups]
        is_seen = np.isin(groups, seen.astype(str)) | np.isin(own_names, seen.astype(str))
        if is_seen.any():
            report.add_note("Encoders know subjects by name: people of two data sets must differ.")
        # A classifier's training used labels, too.
        kind = LeakKind.TRAINED if hasattr(network, "predict") else LeakKind.PRETRAINED
        for fold, (_, test) in enumerate(folds):
            rows = test[is_seen[test]]
            if len(rows):
                subjects = show(dict.fromkeys(groups[rows]))
                message = f"{what} was trained on {subjects}; test rows {show(rows)}"
                report.add_leak(kind, message, fold, test_rows=rows)


def find_validation_windows(report, parts, digests, folds):
    """Look for test windows that a model holds, e.g. to choose the best epoch, by digests."""
    held = {}  # by path: whether it holds each row
    for part in parts:
        array = as_array(part.value)
        if array is None or array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiu":
            continue
        array = array if part.rows is None else array[part.rows]
        known = set(hash_windows(array)) - {None}
        is_held = np.any([[d in known for d in hashes] for hashes in digests.values()], axis=0)
        if is_held.any():
            held[str(part)] = is_held | held.get(str(part), False)
        elif not {"train_split", "callbacks"}.isdisjoint(part.path):
            report.add_note(f"{part} holds {len(array)} windows, none of them in X: not compared.")
    for fold, (_, test) in enumerate(folds):
        paths = [path for path, is_held in held.items() if is_held[test].any()]
        if paths:
            rows = test[np.any([held[path][test] for path in paths], axis=0)]
            message = f"{show(paths)} holds windows of test rows {show(rows)}"
            report.add_leak(LeakKind.EPOCHS, message, fold, test_rows=rows)
