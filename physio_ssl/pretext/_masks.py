"""Random masks of spans of samples."""

from numbers import Integral

import numpy as np
import torch


def check_mask(mask_prob, mask_length):
    """Raise ValueError unless masks can be drawn with these parameters."""
    if not 0 < mask_prob <= 1:
        raise ValueError(f"mask_prob must be above 0 and at most 1, got {mask_prob!r}.")
    if not isinstance(mask_length, Integral) or mask_length < 1:
        raise ValueError(f"mask_length must be a positive number of samples, got {mask_length!r}.")


def draw_mask(x, mask_prob, mask_length, rng):
    """Draw which samples of each window are masked: at least one, the same in all channels.

    Parameters
    ----------
    x : tensor of shape (batch, n_channels, n_times)
        The windows.
    mask_prob : float
        Probability that a sample starts a masked span.
    mask_length : int
        Samples per masked span.
    rng : numpy.random.Generator
        Source of every random draw.

    Returns
    -------
    tensor of bool, of shape (batch, 1, n_times)
        On the device of ``x``.
    """
    n_windows, _, n_times = x.shape
    starts = rng.random((n_windows, n_times), dtype=np.float32) < mask_prob
    empty = np.flatnonzero(~starts.any(axis=1))
    starts[empty, rng.integers(n_times, size=len(empty))] = True
    before = np.cumsum(starts, axis=1, dtype=np.int32)
    mask = before.copy()
    mask[:, mask_length:] -= before[:, :-mask_length]  # spans that have ended
    return torch.as_tensor(mask > 0, device=x.device)[:, None]
