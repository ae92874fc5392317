"""Views of windows: unchanged, or changed by one of several signal transforms."""

from numbers import Integral

import torch


def count_views(n_views, n_versions):
    """Return how many versions of each window are shown per epoch; None means all."""
    n_views = n_versions if n_views is None else n_views
    if not isinstance(n_views, Integral) or not 1 <= n_views <= n_versions:
        raise ValueError(
            f"n_views must be None (all) or an integer from 1 to {n_versions}, got {n_views!r}."
        )
    return int(n_views)


def _unchanged(X, *, rng):
    return X


def draw_views(signals, transforms, n_views, rng):
    """Return all versions of each window, or some drawn at random for each window.

    Parameters
    ----------
    signals : dict from str to tensor of shape (batch, n_channels, n_times)
        The windows.
    transforms : list of callables
        Version 0 is the unchanged window, version ``i`` the result of the ``i``-th transform.
    n_views : int or None
        Number of versions of each window; None means all.
    rng : numpy.random.Generator
        Source of every random draw.

    Returns
    -------
    inputs : dict from str to tensor of shape (n_views, n_channels, n_times)
        Views of each modality.
    shown : tensor of int, of shape (n_views,)
        Version of each view, in ascending order, the same for all modalities.
    """
    versions = [_unchanged, *transforms]
    n_views = count_views(n_views, len(versions))
    first = next(iter(signals.values()))
    if n_views == len(versions):
        inputs = {
            name: torch.cat([version(x, rng=rng) for version in versions])
            for name, x in signals.items()
        }
        shown = torch.arange(len(versions)).repeat_interleave(len(first))
    else:
        # Views are sorted by version, so that each version is one slice of the batch.
        drawn = rng.random((len(first), len(versions))).argsort(axis=1)[:, :n_views]
        order = drawn.ravel().argsort(kind="stable")
        shown = torch.as_tensor(drawn.ravel()[order])
        rows = torch.as_tensor(order // n_views, device=first.device)
        counts = torch.bincount(shown, minlength=len(versions)).tolist()
        inputs = {}
        for name, x in signals.items():
            parts = zip(versions, x[rows].split(counts), strict=True)
            changed = [version(part, rng=rng) for version, part in parts if len(part)]
            inputs[name] = torch.cat(changed)
    return inputs, shown.to(first.device)
