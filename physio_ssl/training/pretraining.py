"""The skorch half of SSLEncoder: from a batch of windows to the loss of a pretext task."""

import copy

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch import NeuralNet
from skorch.dataset import Dataset

from .._check import check_finite, check_kind
from ..containers import SignalDict, as_modalities
from .data import WindowDataset, get_sampling_weight
from .models import PretrainingModel, Scaler
from .net import WindowNet


class PretrainingNet(WindowNet, NeuralNet):
    """For a net with the parameters ``module``, ``pretext`` and ``preprocessor``."""

    prefixes_ = [*NeuralNet.prefixes_, "pretext"]  # a list, to which skorch adds its own
    _callables = ("module", "optimizer")
    _built_by = ("module", "pretext")
    _not_parameters = ("criterion",)
    _progress_title = "pre-train"

    def _check_params(self):
        super()._check_params()
        check_kind(self.standardize, "standardize", bool, "True or False")
        if not hasattr(self.pretext, "make_heads"):
            raise TypeError(f"pretext must be a pretext task, see Pretext, got {self.pretext!r}.")

    def _check(self, X, reset=False):
        """Return windows as a SignalDict without copying them, or raise."""
        X = SignalDict(as_modalities(X, self, reset=reset))
        for name, array in X.items():
            if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
                raise ValueError(f"Modality {name!r} must hold real numbers, got {array.dtype}.")
            check_finite(array, name)
        if len(X) == 0:
            raise ValueError("Found array with 0 sample(s), at least 1 window is needed.")
        if reset:
            self._set_shapes({name: array.shape[1:] for name, array in X.items()})
        self._check_modalities(X)
        for name, array in X.items():
            expected = (self.n_channels_[name], self.n_times_[name])
            if array.shape[1:] != expected:
                raise ValueError(
                    f"Windows of {name!r} must have shape (n_channels, n_times) {expected}, as in "
                    f"fit, got {array.shape[1:]}: {self._advice(name)}"
                )
        return SignalDict({name: X[name] for name in self.n_times_ if name in X})

    def _set_shapes(self, shapes):
        """Set the channels and samples per window of each modality."""
        self.n_channels_ = {name: shape[0] for name, shape in shapes.items()}
        self.n_times_ = {name: shape[1] for name, shape in shapes.items()}
        self.preprocessor_ = check_preprocessor(self.preprocessor, self.n_times_)

    def _advice(self, name):
        preprocessor = check_preprocessor(self.preprocessor_, self.n_times_)
        if preprocessor is None:
            return "check their duration and sampling rate."
        rate = preprocessor.output_sampling_rate[name]
        seconds = preprocessor.n_times[name] / rate  # with context
        return f"preprocessor_.make_windows makes windows of {seconds:g} s at {rate:g} Hz."

    def _check_modalities(self, X):
        fewer = set(X) < set(self.n_channels_)
        if set(X) == set(self.n_channels_) or (fewer and self.module_.network.accepts_missing):
            return
        advice = ": networks fitted with module__modality_dropout=0.3 can lack some" * fewer
        raise ValueError(
            f"Modalities must be those of fit, {', '.join(self.n_channels_)}, got "
            f"{', '.join(X)}{advice}."
        )

    def _make_pretext(self):
        """Build the pretext task, which has learned nothing yet."""
        kwargs = self.get_params_for("pretext")
        if isinstance(self.pretext, type):
            self.pretext_ = self.pretext(**kwargs)
        else:
            self.pretext_ = clone(self.pretext).set_params(**kwargs)

    def _make_dataset(self, X, windows=None, sampling_weight=None):
        """Return windows with the targets of the pretext task, if it has some."""
        targets, add_windows = None, None
        if hasattr(self.pretext_, "make_targets"):  # not in a class that is no child of Pretext
            targets = self.pretext_.make_targets(X, windows)
        if targets is not None:
            lengths = {name: len(values) for name, values in targets.items()}
            if set(lengths.values()) != {len(X)}:
                raise ValueError(f"make_targets must return {len(X)} values each, got {lengths}.")

            def add_windows(rows):
                return self.pretext_.add_windows(rows, targets, self._rng_)

        return WindowDataset(X, targets, sampling_weight, add_windows=add_windows)

    def initialize_module(self):
        """Build the network for the windows at hand, and the pretext task's heads."""
        if not hasattr(self, "n_channels_"):
            raise NotFittedError(
                "The network depends on the windows: call fit first (max_epochs=0 only builds it)."
            )
        if isinstance(self.module, torch.nn.Module):
            network = copy.deepcopy(self.module)  # folds must not share weights
        else:
            shapes = {"n_channels": self.n_channels_, "n_times": self.n_times_}
            network = self.module(**{**shapes, **self.get_params_for("module")})
        if list(network.embedding_size) != list(self.n_channels_):
            raise ValueError(
                f"The network embeds {', '.join(network.embedding_size)}, but the windows hold "
                f"{', '.join(self.n_channels_)}."
            )
        heads = self.pretext_.make_heads(network)
        self.module_ = PretrainingModel(Scaler(self.n_channels_), network, heads)
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Hold out windows; those of ``predefined_split`` are checked like all others."""
        train, valid = super().get_split_datasets(X, y, **fit_params)
        if isinstance(valid, Dataset):
            valid = self._make_dataset(self._check(valid.X))
        if get_sampling_weight(X) is not None and get_sampling_weight(train) is None:
            raise ValueError(
                "With sampling_weight, train_split must return a torch Subset, as ValidSplit does, "
                f"got a {type(train).__name__}."
            )
        return train, valid

    def infer(self, x, **fit_params):
        """Embed one batch; ``fit_params`` such as groups are not for the network."""
        return self.module_(**self._to_device(x))

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients of one batch."""
        self._set_training(True)
        loss = self._pretext_loss(batch, "train")
        loss.backward()
        return {"loss": loss, "y_pred": None}

    def validation_step(self, batch, **fit_params):
        """Compute the loss of one batch of held-out windows."""
        self._set_training(False)
        with torch.no_grad():
            return {"loss": self._pretext_loss(batch, "valid"), "y_pred": None}

    def on_epoch_end(self, net, **kwargs):
        """Average the pretext metrics over batches, as skorch does with losses."""
        batches = self.history[-1]["batches"]
        for prefix in ("train", "valid"):
            size = f"{prefix}_batch_size"
            rows = [row for row in batches if size in row]
            for name in self.metric_names_ if rows else ():
                values = [row[f"{prefix}_{name}"] for row in rows]
                mean = np.average(values, weights=[row[size] for row in rows])
                self.history.record(f"{prefix}_{name}", float(mean))

    def _pretext_loss(self, batch, prefix):
        signals = self.module_.scaler(self._to_device(batch[0]))
        targets = [self._to_device(batch[1])] if isinstance(batch[1], dict) else []
        inputs, target = self.pretext_.make_views(signals, self._rng_, *targets)
        with self._autocast():
            parts = self.module_.network, self.module_.heads
            loss, metrics = self.pretext_.loss(*parts, inputs, target)
        self.metric_names_ = tuple(metrics)
        for name, value in metrics.items():
            self.history.record_batch(f"{prefix}_{name}", value)
        return loss


def check_preprocessor(preprocessor, n_times):
    """Return a copy of a preprocessor or None; raise if it makes windows of other lengths."""
    if preprocessor is None:
        return None
    if not hasattr(preprocessor, "make_windows") or not hasattr(type(preprocessor), "n_times"):
        raise TypeError(f"preprocessor must be a Preprocessor or None, got {preprocessor!r}.")
    if preprocessor.n_times != n_times:
        raise ValueError(
            f"The preprocessor makes windows of {preprocessor.n_times} samples, got windows of "
            f"{n_times}: make them with its make_windows, or set preprocessor=None."
        )
    return clone(preprocessor)
