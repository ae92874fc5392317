"""Subjects, times and samples that lie on both sides of a split."""

from hashlib import blake2b

import numpy as np

from ..functional import is_constant
from .report import LeakKind, show


def encode(labels):
    """Return the distinct labels, in order of appearance, and the number of each label."""
    labels = np.asarray(labels).tolist()
    names = list(dict.fromkeys(labels))
    codes = {name: code for code, name in enumerate(names)}
    return names, np.array([codes[label] for label in labels], dtype=np.intp)


def is_flat(array):
    """Return which windows, of shape (n_windows, ..., n_times), have no channel that varies."""
    if array.ndim < 2 or 0 in array.shape:
        return np.ones(len(array), dtype=bool)
    return is_constant(array).reshape(len(array), -1).all(axis=1)


def hash_windows(arrays, dtype=None):
    """Return one digest per window of its samples in all arrays."""
    flat = []
    for array in arrays:
        array = np.ascontiguousarray(array, dtype=dtype)
        flat.append(array.reshape(len(array), -1).view(np.uint8))
    digests = []
    for parts in zip(*flat, strict=True):
        digest = blake2b(digest_size=16)
        for part in parts:
            digest.update(part)
        digests.append(digest.digest())
    return digests


def find_subjects(report, folds, names, codes):
    """Look for subjects that are both trained and tested on."""
    report.looked_at.append(f"subjects on both sides: {len(folds)} folds, {len(names)} subjects")
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = _on_both_sides(codes, train, test)
        if len(test_rows):
            subjects = [names[code] for code in dict.fromkeys(codes[test_rows].tolist())]
            message = f"windows of {show(subjects)} are both trained and tested on"
            _add(report, LeakKind.SUBJECT, message, fold, train_rows, test_rows)


def find_duplicates(report, folds, arrays):
    """Look for test windows whose samples equal those of a training window."""
    report.looked_at.append(f"equal windows on both sides, by the samples of {', '.join(arrays)}")
    _, same = encode(hash_windows(arrays.values()))
    # A sensor at rest gives the same window again and again, whoever wears it.
    flat = np.logical_and.reduce([is_flat(array) for array in arrays.values()])
    codes = np.where(flat, len(flat) + np.arange(len(flat)), same)
    if flat.any():
        report.add_note(
            f"{flat.sum()} of {len(flat)} windows are constant in every channel and were not "
            "compared with others."
        )
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = _on_both_sides(codes, train, test)
        if len(test_rows):
            row = test_rows[0]
            twin = train_rows[codes[train_rows] == codes[row]][0]
            message = f"test row {row} has the samples of train row {twin}"
            if twin == row:
                message = f"row {row} is in both"
            _add(report, LeakKind.DUPLICATE, message, fold, train_rows, test_rows)


def find_overlaps(report, folds, windows):
    """Look for windows on both sides that share a part of a recording."""
    groups, onset, duration = windows.groups, windows.onset, windows.duration
    if onset is None or duration is None:
        missing = "onset" if onset is None else "duration"
        report.add_note(f"Overlapping windows were not looked for: {missing} is not known.")
        return
    clock = "recording" if windows.recording is not None else "subject"
    report.looked_at.append(f"windows of {duration:g} s on both sides that overlap in a {clock}")
    names, key = encode(groups if windows.recording is None else windows.recording)
    # Windows that touch share nothing, but their onsets are rounded.
    tolerance = max(1e-9 * duration, 4 * float(np.spacing(np.abs(onset).max())))
    gap = duration - tolerance
    onset = onset.astype(float)
    order = np.lexsort((onset, key))
    for fold, (train, test) in enumerate(folds):
        sides = np.zeros((2, len(key)), dtype=bool)
        sides[0, train] = sides[1, test] = True
        in_train, in_test = sides[:, order]
        close = _is_close(in_train, key[order], onset[order], gap)
        if not (in_test & close).any():
            continue
        test_rows = np.sort(order[in_test & close])
        close = _is_close(in_test, key[order], onset[order], gap)
        train_rows = np.sort(order[in_train & close])
        row = test_rows[0]
        others = train_rows[key[train_rows] == key[row]]
        other = others[np.abs(onset[others] - onset[row]).argmin()]
        apart = abs(onset[other] - onset[row])
        message = (
            f"windows of {duration:g} s of {names[key[row]]} start {apart:g} s apart, e.g. "
            f"train row {other} and test row {row}"
        )
        if groups[other] != groups[row]:
            message += (
                f", of the subjects {groups[other]} and {groups[row]} (two subjects must not "
                "share the name of a recording)"
            )
        _add(report, LeakKind.OVERLAP, message, fold, train_rows, test_rows)


def _is_close(chosen, key, onset, gap):
    """Return which windows, sorted by key and onset, start within ``gap`` of a chosen one."""
    n = len(key)
    index = np.arange(n)
    before = np.maximum.accumulate(np.where(chosen, index, -1))
    after = np.minimum.accumulate(np.where(chosen, index, n)[::-1])[::-1]
    close = np.zeros(n, dtype=bool)
    for nearest in (before, after):
        exists = (nearest >= 0) & (nearest < n)
        nearest = nearest.clip(0, n - 1)
        close |= exists & (key[nearest] == key) & (np.abs(onset[nearest] - onset) < gap)
    return close


def _on_both_sides(codes, train, test):
    """Return the rows of train and of test whose code is on the other side, too."""
    sides = np.zeros((2, codes.max() + 1), dtype=bool)
    sides[0, codes[train]] = sides[1, codes[test]] = True
    both = sides.all(axis=0)
    return train[both[codes[train]]], test[both[codes[test]]]


def _add(report, kind, message, fold, train_rows, test_rows):
    message += f"; train rows {show(train_rows)}; test rows {show(test_rows)}"
    report.add_leak(kind, message, fold, train_rows, test_rows)
