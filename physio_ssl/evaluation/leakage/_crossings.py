"""Subjects, times and samples that lie on both sides of a split."""

from hashlib import blake2b

import numpy as np

from ._leak import DUPLICATE, OVERLAP, SUBJECT, Leak, show


def encode(labels):
    """Return the distinct labels, in order of appearance, and the number of each label."""
    labels = np.asarray(labels).tolist()
    names = list(dict.fromkeys(labels))
    codes = {name: code for code, name in enumerate(names)}
    return names, np.array([codes[label] for label in labels], dtype=np.intp)


def is_flat(array):
    """Tell which windows, of shape (n_windows, ...), have no channel that varies."""
    if array.ndim < 2 or 0 in array.shape:
        return np.ones(len(array), dtype=bool)
    varies = array.max(axis=-1) != array.min(axis=-1)
    return ~varies.reshape(len(array), -1).any(axis=1)


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


def find_subjects(folds, names, codes):
    """Yield a leak per fold in which a subject is trained and tested on."""
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = _on_both_sides(codes, train, test)
        if len(test_rows):
            subjects = [names[code] for code in dict.fromkeys(codes[test_rows].tolist())]
            message = f"windows of {show(subjects)} are both trained and tested on"
            yield _leak(SUBJECT, message, fold, train_rows, test_rows)


def find_duplicates(folds, arrays, n_windows):
    """Yield a leak per fold in which a test window equals one trained on, and notes."""
    codes = np.arange(n_windows)  # without samples, a row still equals itself
    if arrays:
        # A sensor at rest gives the same window again and again, of anyone.
        flat = np.logical_and.reduce([is_flat(array) for array in arrays.values()])
        _, same = encode(hash_windows(arrays.values()))
        codes = np.where(flat, n_windows + codes, same)
        if flat.any():
            yield (
                f"{flat.sum()} of {n_windows} windows are constant in every channel and were "
                "not compared with others."
            )
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = _on_both_sides(codes, train, test)
        if len(test_rows):
            row = test_rows[0]
            twin = train_rows[codes[train_rows] == codes[row]][0]
            message = f"test row {row} has the samples of train row {twin}"
            if twin == row:
                message = f"row {row} is in both"
            yield _leak(DUPLICATE, message, fold, train_rows, test_rows)


def find_overlaps(folds, names, key, groups, onset, duration):
    """Yield a leak per fold in which windows with common samples are on both sides.

    ``names`` and ``key`` say which recording (or subject) each window is from; windows of
    different ones have no sample in common.
    """
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
        if groups is not None and groups[other] != groups[row]:
            message += (
                f", of the subjects {groups[other]} and {groups[row]} (a recording's name must "
                "not be used for two)"
            )
        yield _leak(OVERLAP, message, fold, train_rows, test_rows)


def _is_close(chosen, key, onset, gap):
    """Tell which windows, sorted by key and onset, start within ``gap`` of a chosen one."""
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


def _leak(kind, message, fold, train_rows, test_rows):
    rows = f"train rows {show(train_rows)}; test rows {show(test_rows)}"
    return Leak(
        kind, f"{message}; {rows}", fold, tuple(train_rows.tolist()), tuple(test_rows.tolist())
    )
