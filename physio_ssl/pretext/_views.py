"""Views of windows: each as it is, or changed by one of several signal transforms."""

from numbers import Integral

import torch


def count_views(n_views, n_versions):
    """Return in how many of its versions a window is shown per epoch; None means in all."""
    n_views = n_versions if n_views is None else n_views
    if not isinstance(n_views, Integral) or not 1 <= n_views <= n_versions:
        raise ValueError(
            f"n_views must be None (all) or an integer from 1 to {n_versions}, got {n_views!r}."
        )
    return int(n_views)


def _unchanged(X, *, rng):
    return X


def draw_views(signals, transforms, n_views, rng):
    """Show windows in all of their versions, or in some drawn for each window.

    Parameters
    ----------
    signals : dict from str to tensor of shape (batch, n_channels, n_times)
        The windows.
    transforms : list of callables
        Version 0 of a window is the window as it is, version ``i`` the ``i``-th transform.
    n_views : int or None
        How many versions of each window; None means all.
    rng : numpy.random.Generator
        Source of every random draw.

    Returns
    -------
    inputs : dict from str to tensor of shape (n_views, n_channels, n_times)
        Views, of every modality.
    shown : tensor of int, of shape (n_views,)
        The version of each view, in order; common to the modalities.
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
        # In the order of their versions, the views of a version are one slice of the batch.
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
