"""What the skorch nets share: how windows reach them, seeds, threads, rates, progress."""

from contextlib import contextmanager
from math import ceil
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm.auto import tqdm

# More windows at once would leave the processor's cache, and are slower.
_INFERRED_AT_ONCE = 32


class WindowDataset(Dataset):
    """Windows that are read a whole batch at a time, not one by one."""

    def __init__(self, X, y=None):
        self.X = X
        self.y = y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        signals = {name: torch.from_numpy(array[index]) for name, array in self.X.items()}
        y = np.zeros(len(index)) if self.y is None else self.y[index]
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


class WindowNetMixin:
    """Batches of windows, and training that repeats itself to the last bit.

    For a skorch net with the parameters ``random_state`` and ``n_threads``.
    """

    _built_by = ("module",)  # parameters that the network depends on

    @contextmanager
    def _threads(self):
        if not isinstance(self.n_threads, Integral) or self.n_threads < 1:
            raise ValueError(f"n_threads must be a positive integer, got {self.n_threads!r}.")
        before = torch.get_num_threads()
        torch.set_num_threads(self.n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @contextmanager
    def _reproducible(self, n_before=0):
        """Seed torch, which skorch draws from, and put its state back afterwards."""
        seed = check_random_state(self.random_state).randint(2**31 - 1) + n_before
        devices = [] if torch.device(self.device).type == "cpu" else None
        with self._threads(), torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            yield seed

    def _initialize_seeded(self):
        with self._reproducible():
            self.initialize()

    def get_dataset(self, X, y=None):
        """Wrap windows for reading by the batch."""
        return X if isinstance(X, Dataset) else WindowDataset(X, y)

    def get_iterator(self, dataset, training=False):
        """Return an iterator over batches."""
        prefix = "iterator_train" if training else "iterator_valid"
        kwargs = {"batch_size": self.batch_size, **self.get_params_for(prefix)}
        batches = EvenBatches(len(dataset), kwargs.pop("batch_size"), shuffle=training)
        # Its own generator: a DataLoader draws a seed for workers, even where it has none.
        kwargs = {"generator": torch.Generator(), **kwargs, "batch_size": None}
        return DataLoader(dataset, sampler=batches, **kwargs)

    def _infer_all(self, X):
        """Return what ``infer`` makes of all windows, as an array."""
        windows, parts = WindowDataset(X), []
        with torch.inference_mode():
            self._set_training(False)
            for first in range(0, len(windows), _INFERRED_AT_ONCE):
                # Always as many windows: sums are then split alike, and a window has the
                # same result, to the last bit, whatever it is in a batch with.
                rows = np.arange(first, first + _INFERRED_AT_ONCE)
                signals, _ = windows[rows.clip(max=len(windows) - 1)]
                parts.append(self.infer(signals).cpu().numpy())
        return np.concatenate(parts)[: len(windows)]

    def set_params(self, **params):
        """Set parameters, also those of the parts, as ``module__d_model``."""
        if "callbacks" in params:  # skorch would try them out at once; fit does
            self.callbacks = params.pop("callbacks")
        if any(name.startswith(self._built_by) for name in params):
            # skorch would build a new network at once, from the global generator.
            self.initialized_ = False
        return super().set_params(**params)


def _count_steps(net, dataset):
    """Return the number of batches that the training will take."""
    n_epochs = getattr(net, "n_epochs_", net.max_epochs)
    return n_epochs * len(net.get_iterator(dataset, training=True))


class LinearDecay(Callback):
    """Lower the learning rate from batch to batch, in a line that ends at 0."""

    def on_train_begin(self, net, **kwargs):
        self.first_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.step_, self.n_steps_ = 0, None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.n_steps_ is None:
            self.n_steps_ = _count_steps(net, dataset_train)

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

    def __init__(self, title="pre-train"):
        self.title = title

    def on_train_begin(self, net, **kwargs):
        self.bar_ = None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.bar_ is None and net.verbose:
            total = _count_steps(net, dataset_train)
            self.bar_ = tqdm(total=total, desc=self.title, unit="batch")

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
