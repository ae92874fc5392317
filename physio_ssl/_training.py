"""How windows reach a skorch net that trains, and how its progress is shown."""

from math import ceil

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.utils.data import Dataset, Sampler
from tqdm.auto import tqdm


class WindowDataset(Dataset):
    """Windows that are read a whole batch at a time, not one by one."""

    def __init__(self, X, y=None):
        self.X = X
        self.y = y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        signals = {name: torch.from_numpy(array[index]) for name, array in self.X.items()}
        y = np.zeros(len(index)) if self.y is None else np.asarray(self.y)[index]
        return signals, y


class EvenBatches(Sampler):
    """Index arrays of nearly equal size: no last batch of one, where batch norm fails."""

    def __init__(self, n_windows, batch_size, shuffle):
        if batch_size == 0:
            raise ValueError("batch_size must be positive, or -1 for all windows, got 0.")
        self.n_windows = n_windows
        self.n_batches = max(1, ceil(n_windows / batch_size))
        self.shuffle = shuffle

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        order = torch.randperm(self.n_windows) if self.shuffle else torch.arange(self.n_windows)
        return iter(np.array_split(order.numpy(), self.n_batches))


def _count_batches(net, dataset):
    return len(net.get_iterator(dataset, training=True))


class LinearDecay(Callback):
    """Lower the learning rate from batch to batch, in a line that ends at 0."""

    def on_train_begin(self, net, **kwargs):
        self.first_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.step_, self.n_steps_ = 0, None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.n_steps_ is None:
            self.n_steps_ = net.max_epochs * _count_batches(net, dataset_train)

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            left = max(0, 1 - self.step_ / self.n_steps_)
            for group, first in zip(net.optimizer_.param_groups, self.first_, strict=True):
                group["lr"] = first * left
            self.step_ += 1

    def on_train_end(self, net, **kwargs):
        for group, first in zip(net.optimizer_.param_groups, self.first_, strict=True):
            group["lr"] = first  # partial_fit starts again from here


class ProgressBar(Callback):
    """One bar over all of the training where the net's ``verbose`` is not 0."""

    def on_train_begin(self, net, **kwargs):
        self.bar_ = None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.bar_ is None and net.verbose:
            total = net.max_epochs * _count_batches(net, dataset_train)
            self.bar_ = tqdm(total=total, desc="pre-train", unit="batch")

    def on_batch_end(self, net, training=False, **kwargs):
        if self.bar_ is not None and training:
            self.bar_.update()

    def on_epoch_end(self, net, **kwargs):
        if self.bar_ is not None:
            row = net.history[-1]
            names = [name for name in row if name.startswith("train_accuracy_")]
            shown = {name.removeprefix("train_"): f"{row[name]:.2f}" for name in names}
            self.bar_.set_postfix(epoch=row["epoch"], loss=f"{row['train_loss']:.2f}", **shown)

    def on_train_end(self, net, **kwargs):
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None  # an open bar could not be pickled
