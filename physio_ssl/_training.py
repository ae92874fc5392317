"""What the skorch nets share: how windows reach them, seeds, threads, rates, progress."""

import copy
from contextlib import contextmanager
from math import ceil, cos, pi
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler, Subset
from tqdm.auto import tqdm

# More windows at once would leave the processor's cache, and are slower.
_INFERRED_AT_ONCE = 32
_PRECISIONS = ("float32", "bfloat16")


class WindowDataset(Dataset):
    """Windows that are read a whole batch at a time, not one by one.

    Only the windows of a batch are copied, and turned to float32: the arrays may be files
    that are larger than the memory.
    """

    def __init__(self, X, y=None, sampling_weight=None):
        self.X = X
        self.y = y
        self.sampling_weight = sampling_weight

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        signals = {
            name: torch.from_numpy(array[index].astype(np.float32, copy=False))
            for name, array in self.X.items()
        }
        y = np.zeros(len(index)) if self.y is None else self.y[index]
        return signals, y


def get_sampling_weight(dataset):
    """Return the weight of each window of a dataset, or of a part of it; None without any."""
    if isinstance(dataset, Subset):
        weight = get_sampling_weight(dataset.dataset)
        return None if weight is None else weight[np.asarray(dataset.indices)]
    return getattr(dataset, "sampling_weight", None)


class EvenBatches(Sampler):
    """Index arrays of nearly equal size: no last batch of one, where batch norm fails.

    With weights, as many windows as there are are drawn with replacement.
    """

    def __init__(self, n_windows, batch_size, shuffle, sampling_weight=None):
        if batch_size == 0:
            raise ValueError("batch_size must be positive, or -1 for all windows, got 0.")
        if sampling_weight is not None and not sampling_weight.any():
            raise ValueError(
                "sampling_weight must not be 0 for all of the windows that train_split leaves "
                f"to train on, got {n_windows} of them."
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
        # Not by torch.multinomial, which takes 2**24 windows at most.
        rows = np.flatnonzero(self.sampling_weight)
        share = np.cumsum(self.sampling_weight[rows] / self.sampling_weight.max())
        drawn = torch.rand(self.n_windows, dtype=torch.float64).numpy() * share[-1]
        return rows[np.searchsorted(share, drawn, side="right").clip(max=len(rows) - 1)]


class WindowNetMixin:
    """Batches of windows, and training that repeats itself to the last bit.

    For a skorch net with the parameters ``random_state``, ``n_threads`` and ``precision``.
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

    def _autocast(self):
        """Compute in ``precision`` within this context."""
        if self.precision not in _PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(_PRECISIONS)}, got {self.precision!r}."
            )
        device = torch.device(self.device).type
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "bfloat16")

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
        weight = get_sampling_weight(dataset) if training else None
        batches = EvenBatches(len(dataset), kwargs.pop("batch_size"), training, weight)
        # Its own generator: a DataLoader draws a seed for workers, even where it has none.
        kwargs = {"generator": torch.Generator(), **kwargs, "batch_size": None}
        return DataLoader(dataset, sampler=batches, **kwargs)

    def _infer_all(self, X):
        """Return what ``infer`` makes of all windows, as an array."""
        windows, outputs = WindowDataset(X), None
        with torch.inference_mode():
            self._set_training(False)
            for first in range(0, len(windows), _INFERRED_AT_ONCE):
                # Always as many windows: sums are then split alike, and a window has the
                # same result, to the last bit, whatever it is in a batch with.
                rows = np.arange(first, first + _INFERRED_AT_ONCE)
                signals, _ = windows[rows.clip(max=len(windows) - 1)]
                part = self.infer(signals).cpu().numpy()
                if outputs is None:
                    outputs = np.empty((len(windows), *part.shape[1:]), part.dtype)
                outputs[first : first + len(part)] = part[: len(windows) - first]
        return outputs

    def set_params(self, **params):
        """Set parameters, also those of the parts, as ``module__d_model``."""
        if "callbacks" in params:  # skorch would try them out at once; fit does
            self.callbacks = params.pop("callbacks")
        if any(name.startswith(self._built_by) for name in params):
            # skorch would build a new network at once, from the global generator.
            self.initialized_ = False
        return super().set_params(**params)


def _count_epochs(net):
    return getattr(net, "n_epochs_", net.max_epochs)


def _count_steps(net, dataset):
    """Return the number of batches that the training will take."""
    return _count_epochs(net) * len(net.get_iterator(dataset, training=True))


def _fall_in_a_line(share):
    return max(0, 1 - share)


def _fall_as_a_cosine(share):
    return (1 + cos(pi * min(share, 1))) / 2


_DECAYS = {"linear": _fall_in_a_line, "cosine": _fall_as_a_cosine}


class WarmupDecay(Callback):
    """Change the learning rate from batch to batch: up to its value in a line, down to 0.

    The history holds the rate of each pass's last step, as ``learning_rate``.

    Parameters
    ----------
    warmup : float, default=0.0
        Share of all steps in which the rate rises; 0.06 is 30 of 500 passes.
    n_epochs : int or None, default=None
        Passes that the lines span, counted from the first one of the history, over several
        calls of ``partial_fit``. None: each call has lines of its own.
    decay : {"linear", "cosine"}, default="linear"
        How the rate falls: steadily, or as half a cosine, slowly at first and at last.
    """

    def __init__(self, warmup=0.0, n_epochs=None, decay="linear"):
        self.warmup = warmup
        self.n_epochs = n_epochs
        self.decay = decay

    def on_train_begin(self, net, **kwargs):
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, got {self.warmup}.")
        if self.decay not in _DECAYS:
            raise ValueError(f"decay must be one of {', '.join(_DECAYS)}, got {self.decay!r}.")
        if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
            raise ValueError(
                "Only one can set the learning rate: beside an LRScheduler, "
                "callbacks__lr_schedule must be None."
            )
        self.first_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.step_, self.n_steps_ = 0, None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.n_steps_ is not None:
            return
        self.n_steps_ = _count_steps(net, dataset_train)
        if self.n_epochs is not None:
            n_before = len(net.history) - 1  # it holds the pass that begins
            if n_before + _count_epochs(net) > self.n_epochs:
                raise ValueError(
                    f"The learning rate is 0 after n_epochs={self.n_epochs} passes, but "
                    f"{_count_epochs(net)} are asked for after {n_before}."
                )
            n_batches = len(net.get_iterator(dataset_train, training=True))
            self.step_, self.n_steps_ = n_before * n_batches, self.n_epochs * n_batches

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            for group, first in zip(net.optimizer_.param_groups, self.first_, strict=True):
                group["lr"] = first * self._factor()
            self.step_ += 1

    def _factor(self):
        n_rising = round(self.warmup * self.n_steps_)
        if self.step_ < n_rising:
            return (self.step_ + 1) / (n_rising + 1)  # the first step is not lost
        return _DECAYS[self.decay]((self.step_ - n_rising) / (self.n_steps_ - n_rising))

    def on_epoch_end(self, net, **kwargs):
        net.history.record("learning_rate", float(net.optimizer_.param_groups[0]["lr"]))
        self._put_back(net)  # a checkpoint would start from a rate near 0

    def on_train_end(self, net, **kwargs):
        self._put_back(net)  # partial_fit starts again from here

    def _put_back(self, net):
        for group, first in zip(net.optimizer_.param_groups, self.first_, strict=True):
            group["lr"] = first


class RestoreHeads(Callback):
    """Take the heads back, too, where ``EarlyStopping(load_best=True)`` does the network."""

    def on_train_begin(self, net, **kwargs):
        self.best_ = {}

    def on_epoch_begin(self, net, **kwargs):
        for name, stopping in self._find(net):
            if stopping.best_epoch_ == len(net.history) - 1 > 0:  # the pass before this one
                self.best_[name] = copy.deepcopy(net.heads_.state_dict())

    def on_train_end(self, net, **kwargs):
        for name, stopping in self._find(net):
            if name in self.best_ and stopping.best_epoch_ != net.history[-1, "epoch"]:
                net.heads_.load_state_dict(self.best_[name])
        self.best_ = {}

    def _find(self, net):
        for name, callback in net.callbacks_:
            if isinstance(callback, EarlyStopping) and callback.load_best:
                yield name, callback


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
            names = [name for name in row if name.startswith(("train_accuracy_", "train_error_"))]
            shown = {name.removeprefix("train_"): f"{row[name]:.2f}" for name in names}
            self.bar_.set_postfix(epoch=row["epoch"], loss=f"{row['train_loss']:.2f}", **shown)

    def on_train_end(self, net, **kwargs):
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None

    def __getstate__(self):  # an open bar cannot be pickled
        return {**vars(self), "bar_": None}
