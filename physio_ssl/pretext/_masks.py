"""Masked spans of samples."""

from numbers import Integral

import numpy as np


def check_mask(probability, span):
    """Raise if no spans can be drawn with these parameters."""
    if not 0 < probability <= 1:
        raise ValueError(f"probability must be above 0 and at most 1, got {probability!r}.")
    if not isinstance(span, Integral) or span < 1:
        raise ValueError(f"span must be a positive number of samples, got {span!r}.")


def draw_mask(n_windows, n_times, probability, span, rng):
    """Draw which samples are masked: (n_windows, n_times); one at least in each window."""
    begins = rng.random((n_windows, n_times), dtype=np.float32) < probability
    empty = np.flatnonzero(~begins.any(axis=1))
    begins[empty, rng.integers(n_times, size=len(empty))] = True
    before = np.cumsum(begins, axis=1, dtype=np.int32)
    mask = before.copy()
    mask[:, span:] -= before[:, :-span]  # those that ended
    return mask > 0
