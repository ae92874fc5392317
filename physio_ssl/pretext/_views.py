"""Views of windows: versions made by signal transforms, and masked spans of samples."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_scalar

from .._check import check_callable, check_count, check_number


def count_views(n_views, transforms):
    """Return how many versions of each window an epoch shows; None means all."""
    for transform in transforms:
        check_callable(transform, "each of transforms")
    if not transforms:
        raise ValueError("The task needs at least one transform, got none.")
    n_versions = 1 + len(transforms)
    if n_views is None:
        return n_versions
    return check_scalar(n_views, "n_views", Integral, min_val=1, max_val=n_versions)


def draw_views(signals, transforms, n_views, rng):
    """Return ``n_views`` versions of each window, by modality, and the version of each view.

    Version 0 is the unchanged window, version ``i`` the result of the ``i``-th transform.
    """
    first = next(iter(signals.values()))
    n_versions, n_views = 1 + len(transforms), count_views(n_views, transforms)
    if n_views == n_versions:
        drawn = np.tile(np.arange(n_versions), (len(first), 1))
    else:
        drawn = rng.random((len(first), n_versions)).argsort(axis=1)[:, :n_views]
    # Views are sorted by version, so that each version is one slice of the batch.
    order = drawn.ravel().argsort(kind="stable")
    shown = torch.as_tensor(drawn.ravel()[order])
    counts = torch.bincount(shown, minlength=n_versions).tolist()
    rows = torch.as_tensor(order // n_views, device=first.device)
    inputs = {}
    for name, x in signals.items():
        unchanged, *parts = x[rows].split(counts)
        pairs = zip(transforms, parts, strict=True)
        changed = [transform(part, rng=rng) for transform, part in pairs if len(part)]
        inputs[name] = torch.cat([unchanged, *changed])
    return inputs, shown.to(first.device)


def check_mask(mask_prob, mask_length):
    """Check the parameters of ``draw_mask``."""
    check_number(mask_prob, "mask_prob", 0, 1, "above 0 and at most 1", above=True)
    check_count(mask_length, "mask_length")


def draw_mask(x, mask_prob, mask_length, rng):
    """Return which samples of each window are masked, at least one, (batch, 1, n_times)."""
    n_windows, _, n_times = x.shape
    starts = rng.random((n_windows, n_times), dtype=np.float32) < mask_prob
    empty = np.flatnonzero(~starts.any(axis=1))
    starts[empty, rng.integers(n_times, size=len(empty))] = True
    before = np.cumsum(starts, axis=1, dtype=np.int32)
    mask = before.copy()
    mask[:, mask_length:] -= before[:, :-mask_length]  # spans that have ended
    return torch.as_tensor(mask > 0, device=x.device)[:, None]
