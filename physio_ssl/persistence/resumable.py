"""fit_resumable: a long pre-training that may be stopped at any moment, and goes on."""

import hashlib
import json
from contextlib import suppress
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save
from sklearn.utils import gen_batches
from skorch.callbacks import EarlyStopping, PassthroughScoring
from skorch.history import History

import physio_ssl

from .._files import replace_file
from ..encoder import SSLEncoder
from ._encoder_file import check_content, get_tensors, read_file, set_tensors, summarise
from ._plain_values import decode, encode

_FORMAT = "physio_ssl.checkpoint"
_VERSION = 1
_NEEDED = ("settings", "windows", "history", "optimizer")


def _check_encoder(encoder):
    if type(encoder) is not SSLEncoder:
        raise TypeError(f"Only an SSLEncoder can be trained so, got {type(encoder).__name__}.")
    seed = encoder.random_state
    if not isinstance(seed, Integral):
        raise ValueError(
            "random_state must be an integer, as a training that goes on draws as it would have "
            f"drawn without a stop, got {seed!r}."
        )
    if encoder.warm_start:
        raise ValueError("A training has one beginning: warm_start must be False, got True.")


def _check_callbacks(encoder, n_epochs):
    """Raise if a callback cannot know that the passes, each a call of its own, are one training."""
    if any(isinstance(callback, EarlyStopping) for _, callback in encoder.callbacks_):
        raise ValueError(
            "EarlyStopping counts the passes of one call, but here each pass is a call of its own: "
            "leave it out."
        )
    decay = dict(encoder.callbacks_).get("lr_schedule")
    if decay is not None and decay.n_epochs != n_epochs:
        raise ValueError(
            "The learning rate must fall over all passes: set "
            f"callbacks__lr_schedule__n_epochs={n_epochs}, as is max_epochs, or "
            f"callbacks__lr_schedule=None, got n_epochs={decay.n_epochs}."
        )


def _describe(encoder):
    """Return what the weights depend on beside the windows, as far as JSON can hold it."""
    settings = {"physio_ssl": physio_ssl.__version__, "torch": torch.__version__}
    for name, value in encoder.get_params(deep=False).items():
        if not name.startswith("_") and name != "verbose":
            with suppress(TypeError):  # such as callbacks, and classes of one's own
                settings[name] = encode(value)
    return settings


def _digest(X, *columns):
    """Return a digest of windows, and of columns with one value per window."""
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
    """Return the tensors of an optimiser's state, by name, and all else as plain values."""
    tensors, plain = {}, {}
    for number, values in state["state"].items():
        for name, value in values.items():
            key = f"optimizer.{number}.{name}"
            if isinstance(value, torch.Tensor):
                tensors[key] = value.cpu().clone(memory_format=torch.contiguous_format)
            else:
                plain[key] = encode(value)
    return tensors, {"values": plain, "param_groups": encode(state["param_groups"])}


def _join_optimizer(tensors, plain):
    values = {**{name: decode(value) for name, value in plain["values"].items()}, **tensors}
    state = {}
    for key, value in values.items():
        _, number, name = key.split(".", maxsplit=2)
        state.setdefault(int(number), {})[name] = value
    return {"state": state, "param_groups": decode(plain["param_groups"])}


def _save_checkpoint(encoder, path, settings, windows):
    try:
        tensors, optimizer = _split_optimizer(encoder.optimizer_.state_dict())
    except TypeError as error:
        raise ValueError(f"The optimiser's state cannot be written as JSON: {error}.") from error
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "settings": settings,
        "windows": windows,
        "history": [summarise(epoch) for epoch in encoder.history_],
        "optimizer": optimizer,
    }
    text = json.dumps(content, allow_nan=False)
    replace_file(path, save({**get_tensors(encoder), **tensors}, {"physio_ssl": text}))


def _load_checkpoint(encoder, path, settings, windows):
    """Put what a checkpoint holds into an encoder that was built for the same training."""
    content, tensors = read_file(path)
    check_content(content, path, "a checkpoint", _FORMAT, _VERSION, _NEEDED)
    _check_same(content["settings"], settings, path)
    if content["windows"] != windows:
        raise ValueError(
            f"The training of {path} was begun with other windows, groups or weights, and can go "
            "on with the same ones only: give another folder."
        )
    of_optimizer = {name: x for name, x in tensors.items() if name.startswith("optimizer.")}
    rest = {name: x for name, x in tensors.items() if name not in of_optimizer}
    set_tensors(encoder, rest, path)
    try:
        encoder.optimizer_.load_state_dict(_join_optimizer(of_optimizer, content["optimizer"]))
        encoder.history_ = History({**epoch, "batches": []} for epoch in content["history"])
    except Exception as error:  # what a damaged file holds can make torch raise anything
        raise ValueError(f"{path} does not hold the optimiser's state: {error}") from error
    _restore_best(encoder)


def _check_same(begun, now, path):
    names = [name for name in {**begun, **now} if begun.get(name) != now.get(name)]
    if names:
        changes = ", ".join(f"{name}={begun.get(name)!r} (now {now.get(name)!r})" for name in names)
        raise ValueError(
            f"The training of {path} can go on with the settings only that it was begun with, "
            f"{changes}: give these, or another folder."
        )


def _restore_best(encoder):
    """Tell the callbacks that mark the best passes which was the best before."""
    for _, callback in encoder.callbacks_:
        if isinstance(callback, PassthroughScoring):
            losses = [epoch.get(callback.name) for epoch in encoder.history_]
            losses = [loss for loss in losses if loss is not None]
            callback.best_score_ = min(losses, default=np.inf)


def _write_metrics(encoder, path):
    """Write a row per pass: losses, errors or accuracies, learning rate, seconds."""
    left_out = ("_best", "_batch_count")
    rows = [
        {name: value for name, value in summarise(epoch).items() if not name.endswith(left_out)}
        for epoch in encoder.history_
    ]
    table = pd.DataFrame(rows).rename(columns={"dur": "seconds"})
    replace_file(path, table.to_csv(index=False).encode())


def fit_resumable(encoder, X, folder, groups=None, sampling_weight=None):
    """Pre-train an encoder as ``fit`` does, and go on where it was after a kill.

    After each pass a checkpoint and all metrics are written to a folder. Called again with the
    same encoder, windows and folder, it goes on after the last whole pass, to weights that are
    the same to the last bit, on the CPU, as without the stop.

    Parameters
    ----------
    encoder : SSLEncoder
        With an integer as ``random_state``. Its ``max_epochs`` is the number of passes in all,
        and ``callbacks__lr_schedule__n_epochs`` must be the same (or the callback None).
    X : SignalDict, or array of shape (n_windows, n_channels, n_times)
        Windows.
    folder : str or path
        Where to write ``checkpoint.safetensors``, and ``metrics.csv`` with a row per pass; it
        is made if need be. A training that has ended is not repeated, only loaded.
    groups, sampling_weight : array-like of shape (n_windows,), default=None
        As of ``SSLEncoder.fit``.

    Returns
    -------
    SSLEncoder
        The encoder given, fitted.

    Raises
    ------
    TypeError
        If it is no ``SSLEncoder``.
    ValueError
        If a training was begun in the folder with other windows or settings, or on another
        version of physio_ssl or torch; if the file there is damaged; if the encoder's settings
        do not fit; or as of ``SSLEncoder.fit``.
    KeyboardInterrupt
        If stopped by hand; the pass at hand is lost, those before are not.

    Notes
    -----
    The files hold no pickle. Each pass draws by ``random_state`` and its number: a training by
    this function differs from one by ``fit``, which draws all passes from one stream. The
    history of passes before the stop holds no single batches. ``train_split``, callbacks and
    classes of one's own, which cannot be written, are not compared, and must be the same again;
    callbacks begin anew with each pass.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder, fit_resumable
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> settings = {"max_epochs": 2, "callbacks__lr_schedule__n_epochs": 2, "random_state": 0}
    >>> encoder = SSLEncoder(module__d_model=8, **settings)
    >>> with TemporaryDirectory() as folder:
    ...     print(len(fit_resumable(encoder, X, folder).history_))
    2
    """
    _check_encoder(encoder)
    folder, n_epochs, settings = Path(folder), encoder.max_epochs, _describe(encoder)
    path = folder / "checkpoint.safetensors"
    data = {"groups": groups, "sampling_weight": sampling_weight}
    encoder.max_epochs = 0  # only builds it, and measures the scale
    try:
        encoder.fit(X, **data)
        _check_callbacks(encoder, n_epochs)
        windows = _digest(encoder.check_signals(X), groups, sampling_weight)
        if path.exists():
            _load_checkpoint(encoder, path, settings, windows)
            _write_metrics(encoder, folder / "metrics.csv")  # a kill may have come just before
        folder.mkdir(parents=True, exist_ok=True)
        encoder.max_epochs = 1
        while len(encoder.history_) < n_epochs:
            encoder.partial_fit(X, **data)
            if "train_loss" not in encoder.history_[-1]:  # skorch ends quietly when interrupted
                raise KeyboardInterrupt
            _save_checkpoint(encoder, path, settings, windows)
            _write_metrics(encoder, folder / "metrics.csv")
    finally:
        encoder.max_epochs = n_epochs
    return encoder
