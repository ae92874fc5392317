"""What both skorch nets share: seeds, threads, precision, batches and inference."""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch.utils.data import DataLoader, Dataset

from .._check import check_count, check_positive
from .data import EvenBatches, WindowDataset, get_sampling_weight
from .schedule import ProgressBar, WarmupDecay

# Larger batches would leave the processor's cache and be slower.
_INFERRED_AT_ONCE = 32
_PRECISIONS = ("float32", "bfloat16")


class WindowNet:
    """Train a skorch net on batches of windows, reproducibly to the last bit.

    A mixin, listed before skorch's class, for nets with the parameters ``random_state``,
    ``n_threads`` and ``precision``. Parameters that are set on a fitted net count from the next
    ``fit`` on; until then the net keeps what it has learned.
    """

    _built_by = ("module",)  # parameters that the network is built from
    _not_parameters = ()  # attributes that skorch sets in __init__ but users do not
    _progress_title = "train"
    metric_names_ = ()  # of the metrics besides the loss

    def _autocast(self):
        """Compute in ``precision`` within this context."""
        if self.precision not in _PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(_PRECISIONS)}, got {self.precision!r}."
            )
        device = torch.device(self.device).type
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "bfloat16")

    @contextmanager
    def _threads(self):
        """Compute with ``n_threads`` threads within this context.

        As many as there are cores wait for each other on a machine that does other work, too.
        """
        n_threads = torch.get_num_threads()
        torch.set_num_threads(self.n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)

    @contextmanager
    def _reproducible(self, n_before=0):
        """Set threads and the seed of torch's global generator, and restore both afterwards."""
        seed = check_random_state(self.random_state).randint(2**31 - 1) + n_before
        devices = [] if torch.device(self.device).type == "cpu" else None
        with self._threads(), torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            yield seed

    @contextmanager
    def _fitting(self):
        """Become unfitted, and remain so if the fit fails."""
        self._check_numbers()
        self._forget()
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _check_numbers(self):
        check_count(self.max_epochs, "max_epochs", 0)
        check_count(self.n_threads, "n_threads")
        if self.batch_size != -1:  # all windows
            check_count(self.batch_size, "batch_size")
        if self.lr != 0:  # which leaves the weights as they are
            check_positive(self.lr, "lr")

    def _forget(self):
        vars(self).pop("module_", None)
        self.initialized_ = False

    def get_dataset(self, X, y=None):
        """Wrap windows for reading by the batch."""
        return X if isinstance(X, Dataset) else WindowDataset(X, y)

    def get_iterator(self, dataset, training=False):
        """Return an iterator over batches."""
        prefix = "iterator_train" if training else "iterator_valid"
        kwargs = {"batch_size": self.batch_size, **self.get_params_for(prefix)}
        weight = get_sampling_weight(dataset) if training else None
        batches = EvenBatches(len(dataset), kwargs.pop("batch_size"), training, weight)
        # Without its own generator, a DataLoader draws from the global one.
        kwargs = {"generator": torch.Generator(), **kwargs, "batch_size": None}
        return DataLoader(dataset, sampler=batches, **kwargs)

    def check_data(self, X, y):
        """Do nothing: ``fit`` has checked the data."""

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("lr_schedule", WarmupDecay()),
            ("progress_bar", ProgressBar(self._progress_title)),
        ]

    def _to_device(self, signals):
        return {name: x.to(self.device) for name, x in signals.items()}

    def _infer_all(self, X):
        """Return the output of ``infer`` for all windows, as an array."""
        windows, outputs = WindowDataset(X), None
        with self._threads(), torch.inference_mode():
            self._set_training(False)
            for first in range(0, len(windows), _INFERRED_AT_ONCE):
                # Batches of one size split sums alike, so the result of a window does not
                # depend, to the last bit, on the other windows.
                rows = np.arange(first, first + _INFERRED_AT_ONCE)
                signals, _ = windows[rows.clip(max=len(windows) - 1)]
                part = self.infer(signals).cpu().numpy()
                if outputs is None:
                    outputs = np.empty((len(windows), *part.shape[1:]), part.dtype)
                outputs[first : first + len(part)] = part[: len(windows) - first]
        return outputs

    def set_params(self, **params):
        """Set parameters, also those of the parts, as ``module__d_model``."""
        if "callbacks" in params:  # skorch would initialize them at once, fit does it later
            self.callbacks = params.pop("callbacks")
        rebuild = any(name.partition("__")[0] in self._built_by for name in params)
        initialized, self.initialized_ = self.initialized_ and not rebuild, False
        try:  # as if unfitted, or skorch would build new parts at once
            super().set_params(**params)
        finally:
            self.initialized_ = initialized
        # skorch only changes the present optimizer.
        vars(self).update({name: params[name] for name in params if name.startswith("optimizer__")})
        return self

    def _get_param_names(self):
        names = super()._get_param_names()
        return [name for name in names if name[0] != "_" and name not in self._not_parameters]

    def __sklearn_is_fitted__(self):
        return "module_" in vars(self)

    def __repr__(self, N_CHAR_MAX=700):  # skorch's prints every layer
        return BaseEstimator.__repr__(self, N_CHAR_MAX)


def never(net):
    """Say that a method is not available, for ``sklearn.utils.metaestimators.available_if``."""
    return False


def add_groups(seen, groups):
    """Return the subjects of two trainings; None unless those of both are known."""
    return None if seen is None or groups is None else np.unique([*seen, *groups])
