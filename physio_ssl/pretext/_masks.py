"""Masked spans of samples."""

from numbers import Integral

import numpy as np
import torch


def check_mask(probability, span):
    """Raise if no spans can be drawn with these parameters."""
    if not 0 < probability <= 1:
        raise ValueError(f"probability must be above 0 and at most 1, got {probability!r}.")
    if not isinstance(span, Integral) or span < 1:
        raise ValueError(f"span must be a positive number of samples, got {span!r}.")


def draw_mask(x, probability, span, rng):
    """Draw which samples of windows are masked: one at least in each, all channels alike.

    Parameters
    ----------
    x : tensor of shape (batch, n_channels, n_times)
        The windows.
    probability : float
        Probability that a sample begins a span.
    span : int
        Samples per span.
    rng : numpy.random.Generator
        Source of every random draw.

    Returns
    -------
    tensor of bool, of shape (batch, 1, n_times)
        On the device of ``x``.
    """
    n_windows, _, n_times = x.shape
    begins = rng.random((n_windows, n_times), dtype=np.float32) < probability
    empty = np.flatnonzero(~begins.any(axis=1))
    begins[empty, rng.integers(n_times, size=len(empty))] = True
    before = np.cumsum(begins, axis=1, dtype=np.int32)
    mask = before.copy()
    mask[:, span:] -= before[:, :-span]  # those that ended
    return torch.as_tensor(mask > 0, device=x.device)[:, None]
