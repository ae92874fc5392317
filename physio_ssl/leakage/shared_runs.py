"""Windows that share a run of samples, where their times are not known."""

import numpy as np

from .overlap import add_rows
from .report import LeakKind

_N_SAMPLES, _N_CHANGES = 32, 24  # length of a run, and how often its value changes at least
_BLOCK = 512  # windows


def find_shared_runs(report, folds, arrays):
    """Look for windows on both sides that share runs of samples, as overlapping ones do.

    Each window keeps two runs of each channel: those of the smallest and of the largest hash.
    Windows that overlap by half often keep the same run, which is enough to find a design.
    """
    signals = {name: array for name, array in arrays.items() if array.ndim > 2}
    if not signals:
        return
    report.looked_at.append(
        f"runs of {_N_SAMPLES} samples that windows on both sides share, in {', '.join(signals)}"
    )
    for name, array in signals.items():
        channels = array.reshape(*array.shape[:2], -1)
        parts = [_hash_runs(channels[i : i + _BLOCK]) for i in range(0, len(array), _BLOCK)]
        keys = np.concatenate(parts)
        for fold, (train, test) in enumerate(folds):
            # A row on both sides shares all of its runs with itself, and is a duplicate.
            train, test = np.setdiff1d(train, test), np.setdiff1d(test, train)
            shared = np.intersect1d(keys[train], keys[test])
            shared = shared[shared > 0]
            if len(shared):
                train_rows, test_rows = (
                    rows[np.isin(keys[rows], shared).any(axis=1)] for rows in (train, test)
                )
                message = f"windows share runs of {_N_SAMPLES} samples of {name}"
                add_rows(report, LeakKind.OVERLAP, message, fold, train_rows, test_rows)


def _hash_runs(x):  # (n_windows, n_channels, n_times)
    """Return hashes of two runs of each channel, (n_windows, 2 * n_channels), 0 if there is none.

    Runs whose value seldom changes tell nothing.
    """
    n_runs = x.shape[2] - _N_SAMPLES + 1
    if n_runs < 1:
        return np.zeros((len(x), 2), np.uint64)
    bits = np.ascontiguousarray(x, dtype=np.float64).view(np.uint64)
    factors = 2 * np.random.default_rng(0).integers(2**63, size=_N_SAMPLES, dtype=np.uint64) + 1
    hashes = np.zeros((*x.shape[:2], n_runs), np.uint64)
    for i, factor in enumerate(factors):
        hashes += bits[:, :, i : i + n_runs] * factor
    moved = np.cumsum(bits[:, :, 1:] != bits[:, :, :-1], axis=2)
    moved = np.concatenate([np.zeros_like(moved[:, :, :1]), moved], axis=2)
    tells = moved[:, :, _N_SAMPLES - 1 :] - moved[:, :, :n_runs] >= _N_CHANGES
    largest = np.where(tells, hashes, 0).max(axis=2)
    smallest = np.where(tells, hashes, np.iinfo(np.uint64).max).min(axis=2)
    return np.hstack([np.where(largest > 0, smallest, 0), largest])
