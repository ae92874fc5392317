"""Windows as a torch data set, and the order in which batches draw them."""

from math import ceil

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler, Subset


class WindowDataset(Dataset):
    """Windows, their targets and weights, read a whole batch at a time.

    Only the windows of a batch are copied and cast to float32, so the arrays may be files
    larger than the memory. ``y`` is an array, or a dict of them; ``add_windows`` is a function
    of the row numbers of a batch that adds others.
    """

    def __init__(self, X, y=None, sampling_weight=None, loss_weight=None, add_windows=None):
        self.X = X
        self.y = y
        self.sampling_weight = sampling_weight
        self.loss_weight = loss_weight
        self.add_windows = add_windows

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        if self.add_windows is not None:
            index = self.add_windows(np.asarray(index))
        signals = {
            name: torch.from_numpy(array[index].astype(np.float32, copy=False))
            for name, array in self.X.items()
        }
        if isinstance(self.y, dict):
            return signals, {name: torch.from_numpy(part[index]) for name, part in self.y.items()}
        y = np.zeros(len(index)) if self.y is None else self.y[index]
        return signals, y if self.loss_weight is None else (y, self.loss_weight[index])


def get_sampling_weight(dataset):
    """Return the sampling weights of a data set or of a subset of it, or None."""
    if isinstance(dataset, Subset):
        weight = get_sampling_weight(dataset.dataset)
        return None if weight is None else weight[np.asarray(dataset.indices)]
    return getattr(dataset, "sampling_weight", None)


class EvenBatches(Sampler):
    """Index arrays of nearly equal size, as batch norm fails on a batch of one window.

    With weights, as many windows as there are in the data set are drawn with replacement.
    """

    def __init__(self, n_windows, batch_size, shuffle, sampling_weight=None):
        if batch_size == 0:
            raise ValueError("batch_size must be positive, or -1 for all windows, got 0.")
        if sampling_weight is not None and not sampling_weight.any():
            raise ValueError(
                f"train_split leaves {n_windows} windows to train on, all of sampling_weight 0."
            )
        self.n_windows = n_windows
        self.n_batches = max(1, ceil(n_windows / batch_size))
        self.shuffle = shuffle
        self.sampling_weight = sampling_weight

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        if self.sampling_weight is not None:
            order = self._draw()
        elif self.shuffle:
            order = torch.randperm(self.n_windows).numpy()
        else:
            order = np.arange(self.n_windows)
        return iter(np.array_split(order, self.n_batches))

    def _draw(self):
        # torch.multinomial takes at most 2**24 windows.
        rows = np.flatnonzero(self.sampling_weight)
        cumulative = np.cumsum(self.sampling_weight[rows] / self.sampling_weight.max())
        drawn = torch.rand(self.n_windows, dtype=torch.float64).numpy() * cumulative[-1]
        places = np.searchsorted(cumulative, drawn, side="right")
        return rows[places.clip(max=len(rows) - 1)]
