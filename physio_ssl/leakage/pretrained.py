"""Test subjects on whom a model was trained before, or whose windows it holds during training."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from .overlap import hash_windows
from .report import LeakKind, show
from .traversal import as_array, has_learned, is_estimator, is_module, is_network

_CHOOSERS = {"train_split", "callbacks"}  # parameters whose windows choose the epoch


def find_pretrained(report, parts, groups, folds):
    """Look for networks, among a model's parts, that were trained on test subjects before."""
    for part in parts:
        network = part.value
        if isinstance(network, FrozenEstimator) or not is_network(network):
            continue
        name, seen = type(network).__name__, _read_names(network)
        what = f"{name} at {part}"
        if not part.frozen and is_estimator(network):
            if seen is not None:
                report.add_note(f"{what} is fitted but not frozen: each fold fits a new copy.")
            continue
        if seen is None:
            report.add_unknown(f"whom {name} has seen, as it was fitted without groups", part)
            continue
        # concatenate_windows calls S2 of WESAD "WESAD/S2"
        own_names = [group.partition("/")[2] for group in groups]
        is_seen = np.isin(groups, seen) | np.isin(own_names, seen)
        if is_seen.any():
            report.add_note("Encoders know subjects by name: people of two data sets must differ.")
        elif doubt := _doubt_names(seen, groups):
            people = f"the {len(seen)} people whom {name} has seen"
            report.add_unknown(f"who are {people}, {doubt}", part)
        # A classifier's training used labels, too.
        kind = LeakKind.TRAINED if hasattr(network, "predict") else LeakKind.PRETRAINED
        for fold, (_, test) in enumerate(folds):
            rows = test[is_seen[test]]
            if len(rows):
                subjects = show(dict.fromkeys(groups[rows]))
                message = f"{what} was trained on {subjects}; test rows {show(rows)}"
                report.add_leak(kind, message, fold, test_rows=rows)


def _read_names(network):
    """Return the names of the subjects that a network has seen, or None."""
    seen = getattr(network, "groups_seen_", None)
    if seen is None:
        return None
    seen = np.asarray(seen).ravel()
    if seen.dtype.kind == "f" and (seen == seen.round()).all():  # 1.0 is the subject "1"
        seen = seen.astype(int)
    return seen.astype(str)


def _doubt_names(seen, groups):
    """Return why people seen, of other names than the study's, may be in the study, or None."""
    same = [name for name in seen if name.partition("/")[2] in groups]
    if same:
        return f"as {show(same)} may be in the study under the name without data set"
    if not all("/" in name for name in seen):
        return "none by a name of the study, and not named 'data set/subject'"
    return None


def find_numbers(report, parts):
    """Look for weights and other numbers that a model is given ready: nobody knows from what."""
    judged = None
    for part in parts:
        value = part.value
        if judged and part.path[: len(judged)] == judged:
            continue
        if part.frozen and (has_learned(value) or is_network(value)):
            judged = part.path  # the whole has been judged
        elif is_module(value):
            report.add_unknown("on whom the weights of a network were trained", part)
        elif part.in_code and _CHOOSERS.isdisjoint(part.path):
            array = as_array(value)
            if array is not None and array.size > 1 and array.dtype.kind == "f":
                report.add_unknown("from which windows numbers in code were computed", part)


def find_validation_windows(report, parts, digests, folds):
    """Look for test windows that a model holds, e.g. to choose the best epoch, by digests."""
    held = {}  # by path: whether it holds each row
    for part in parts:
        array, is_chooser = as_array(part.value), not _CHOOSERS.isdisjoint(part.path)
        if array is None or array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "fiu":
            continue
        if part.is_global and not is_chooser:  # a name in code does not say what for
            continue
        array = array if part.rows is None else array[part.rows]
        known = set(hash_windows(array)) - {None}
        is_held = np.any([[d in known for d in hashes] for hashes in digests.values()], axis=0)
        if is_held.any():
            held[str(part)] = is_held | held.get(str(part), False)
        elif is_chooser:
            what = f"whose windows choose the epoch, {len(array)} that are not in X"
            report.add_unknown(what, part)
    for fold, (_, test) in enumerate(folds):
        paths = [path for path, is_held in held.items() if is_held[test].any()]
        if paths:
            rows = test[np.any([held[path][test] for path in paths], axis=0)]
            message = f"{show(paths)} holds windows of test rows {show(rows)}"
            report.add_leak(LeakKind.EPOCHS, message, fold, test_rows=rows)
