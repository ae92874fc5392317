"""fit_resumable: a long pre-training that may be stopped at any moment and resumed."""

import hashlib
import json
from contextlib import suppress
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.utils import gen_batches
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, ParamMapper, PassthroughScoring
from torch.optim.lr_scheduler import ReduceLROnPlateau

import physio_ssl

from .._files import make_folder, replace_file
from ..encoder import SSLEncoder
from ._plain_json import from_json, to_json
from ._tensor_file import load_state, read_file, restore_history, summarize_history, write_file

_FORMAT = "physio_ssl.checkpoint"
_VERSION = 2
_NEEDED = ("settings", "windows", "history", "optimizer", "generator")


def fit_resumable(encoder, X, folder, groups=None, sampling_weight=None, windows=None):
    """Pre-train an encoder as ``fit`` does, with a checkpoint per epoch.

    Called again, it resumes after the last complete epoch. The weights are those of an
    uninterrupted ``fit``, to the last bit on the CPU of one machine.

    Parameters
    ----------
    encoder : SSLEncoder
        With an integer ``random_state``. Its ``max_epochs`` is the total number of epochs.
    X : SignalDict, or array of shape (n_windows, n_channels, n_times)
        Windows.
    folder : str or path
        Where to write ``checkpoint.safetensors``, and ``metrics.csv`` with a row per epoch. A
        training that has ended is only loaded.
    groups, sampling_weight : array-like of shape (n_windows,), default=None
        As in ``SSLEncoder.fit``.
    windows : Windows, default=None
        As in ``SSLEncoder.fit``.

    Returns
    -------
    SSLEncoder
        The encoder given, fitted.

    Raises
    ------
    TypeError
        If it is not an ``SSLEncoder``.
    ValueError
        If the folder holds another training or damaged files; if the settings, among them the
        versions of physio_ssl and torch, do not fit; or as in ``SSLEncoder.fit``.
    KeyboardInterrupt
        If interrupted by hand; the current epoch is lost, those before are not.

    See Also
    --------
    SSLEncoder.fit : Train without checkpoints.

    Notes
    -----
    The files hold no pickle. The history of epochs before the interruption holds no batches.
    ``train_split``, callbacks and functions, which cannot be written, are not compared and
    must be the same again.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder, fit_resumable
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> encoder = SSLEncoder(module__d_model=8, max_epochs=2, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     print(len(fit_resumable(encoder, X, folder).history_))
    2
    """
    if type(encoder) is not SSLEncoder:
        raise TypeError(f"Only an SSLEncoder can be resumed, got {type(encoder).__name__}.")
    if not isinstance(encoder.random_state, Integral):
        raise ValueError(
            f"A resumable training needs an integer random_state, got {encoder.random_state!r}."
        )
    if encoder.warm_start:
        raise ValueError("A resumable training starts from scratch: warm_start must be False.")
    told = () if windows is None else (windows.groups, windows.recording, windows.onset)
    checkpoint = _Checkpoint(Path(folder), groups, sampling_weight, *told)
    encoder._train(X, groups, sampling_weight, windows, {}, reset=True, checkpoint=checkpoint)
    if len(checkpoint.rows_) < encoder.max_epochs:  # skorch ends quietly when interrupted
        raise KeyboardInterrupt
    return encoder


class _Checkpoint(Callback):
    """Write all that a training needs to resume after each epoch, and read it at the start."""

    def __init__(self, folder, *columns):
        self.folder = folder
        self.columns = columns

    def restore(self, net, X):
        """Put what the folder holds into a net that was built for the same training."""
        _check_callbacks(net)
        self.path_ = self.folder / "checkpoint.safetensors"
        self.settings_, self.windows_ = _describe(net), _digest(X, *self.columns)
        self.generators_, self.rows_ = None, []
        make_folder(self.folder)
        if self.path_.exists():
            self._read(net)
            self._write_metrics()  # the run may have been killed just before

    def _read(self, net):
        tensors, content = read_file(self.path_, _FORMAT, _VERSION, _NEEDED)
        parts = {"optimizer": {}, "generator": {}, "model": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        try:
            self._check_same(content)
            net.optimizer_.load_state_dict(_join_optimizer(parts["optimizer"], content))
            self.generators_ = parts["generator"], content["generator"]
            self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]
            torch.Generator().set_state(parts["generator"]["cpu"])  # raises if it does not fit
            np.random.PCG64().state = content["generator"]
            self.rows_ = content["history"]
            net.history_ = restore_history(self.rows_)
            self._restore_best_scores(net)
        except Exception as error:  # torch raises anything for a damaged state
            raise ValueError(f"{self.path_} holds no state of this training: {error}") from error
        load_state(net.module_, parts["model"], self.path_)

    def _restore_best_scores(self, net):
        for _, callback in net.callbacks_:
            if isinstance(callback, PassthroughScoring):
                scores = [epoch.get(callback.name) for epoch in self.rows_]
                scores = [callback.best_score_, *(x for x in scores if x is not None)]
                callback.best_score_ = (min if callback.lower_is_better else max)(scores)

    def _check_same(self, content):
        before, now = content["settings"], self.settings_
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if changed:
            changes = [f"{name}={before.get(name)!r} (now {now.get(name)!r})" for name in changed]
            raise ValueError(f"its settings must be the same, got {', '.join(changes)}.")
        if content["windows"] != self.windows_:
            raise ValueError("it needs the same windows, groups and weights.")

    def on_epoch_begin(self, net, **kwargs):
        # Only now, as splitting may have drawn from the generators.
        if self.generators_ is not None:
            self._restore_rates(net)
            tensors, plain = self.generators_
            torch.set_rng_state(tensors["cpu"])
            if "cuda" in tensors:
                torch.cuda.set_rng_state(tensors["cuda"], net.device)
            net._rng_.bit_generator.state = plain
            self.generators_ = None

    def _restore_rates(self, net):
        """Undo the step that some LRSchedulers take when training begins."""
        for group, rate in zip(net.optimizer_.param_groups, self.rates_, strict=True):
            group["lr"] = rate
        for _, callback in net.callbacks_:
            if isinstance(callback, LRScheduler):
                callback.lr_scheduler_._last_lr = self.rates_  # what it records

    def on_epoch_end(self, net, **kwargs):
        try:
            tensors, optimizer = _split_optimizer(net.optimizer_.state_dict())
        except TypeError as error:
            raise ValueError(f"The optimizer's state cannot be written: {error}.") from error
        tensors["generator.cpu"] = torch.get_rng_state()
        if torch.device(net.device).type == "cuda":
            tensors["generator.cuda"] = torch.cuda.get_rng_state(net.device)
        model = {f"model.{name}": x for name, x in net.module_.state_dict().items()}
        self.rows_ = summarize_history(net.history_)
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "settings": self.settings_,
            "windows": self.windows_,
            "history": self.rows_,
            "optimizer": optimizer,
            "generator": net._rng_.bit_generator.state,
        }
        write_file(self.path_, {**model, **tensors}, content)
        self._write_metrics()

    def _write_metrics(self):
        """Write a row per epoch: losses, metrics, learning rate, seconds."""
        table = pd.DataFrame(self.rows_).rename(columns={"dur": "seconds"})
        table = table[[name for name in table if not name.endswith(("_best", "_batch_count"))]]
        replace_file(self.folder / "metrics.csv", table.to_csv(index=False).encode())


def _check_callbacks(net):
    """Raise if a callback counts on epochs before the interruption."""
    for _, callback in net.callbacks_:
        counts = isinstance(callback, (EarlyStopping, ParamMapper))
        if isinstance(callback, LRScheduler):
            on_plateau = callback.policy in ("ReduceLROnPlateau", ReduceLROnPlateau)
            counts = on_plateau or callback.step_every != "epoch"
        if counts:
            raise ValueError(
                "A resumable training can have no EarlyStopping, no ParamMapper such as Freezer, "
                "and no LRScheduler that steps per batch or on a plateau, got "
                f"{type(callback).__name__}."
            )


def _describe(encoder):
    """Return what the weights depend on besides the windows, as far as JSON can hold it."""
    settings = {"physio_ssl": physio_ssl.__version__, "torch": torch.__version__}
    for name, value in encoder.get_params(deep=False).items():
        if name != "verbose":
            with suppress(TypeError):  # such as callbacks
                settings[name] = to_json(value)
    return settings


def _digest(X, *columns):
    """Return a digest of windows and of columns with one value per window."""
    digest = hashlib.sha256()
    for name, array in X.items():
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
        for rows in gen_batches(len(array), 1024):  # they may be larger than the memory
            digest.update(np.ascontiguousarray(array[rows]))
    for column in columns:
        values = None if column is None else np.asarray(column).tolist()
        digest.update(json.dumps(values).encode())
    return digest.hexdigest()


def _split_optimizer(state):
    """Return the tensors of an optimizer's state by name, and the rest as plain values."""
    tensors, plain = {}, {}
    for number, values in state["state"].items():
        for name, value in values.items():
            key = f"optimizer.{number}.{name}"
            if isinstance(value, torch.Tensor):
                tensors[key] = value
            else:
                plain[key.partition(".")[2]] = to_json(value)
    return tensors, {"values": plain, "param_groups": to_json(state["param_groups"])}


def _join_optimizer(tensors, content):
    plain = content["optimizer"]
    values = {name: from_json(value) for name, value in plain["values"].items()} | tensors
    state = {}
    for key, value in values.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    return {"state": state, "param_groups": from_json(plain["param_groups"])}
