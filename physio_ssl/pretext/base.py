"""Pretext, the base class of pretext tasks, and check_pretext."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import isfinite
from numbers import Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from .._check import check_kind
from ..containers import SignalDict
from ..networks._contract import (
    Stop,
    attempt,
    check_gradients,
    copy_by_pickle,
    describe,
    draw_windows,
    list_problems,
)
from ..networks.base import TokenNetwork
from ..windows import Windows


class Pretext(BaseEstimator, ABC):
    """Base class of pretext tasks, on which ``SSLEncoder`` trains a network without labels.

    A child writes ``make_heads``, ``make_views`` and ``loss``. As in any scikit-learn
    estimator, ``__init__`` only stores its parameters: all weights are in the network and the
    heads. Each training step calls ``make_views`` on a batch of windows, then ``loss`` on the
    result.

    Attributes
    ----------
    chance : float or None
        Accuracy of guessing, a class attribute or a property. None, the default: the task
        has no accuracies.

    See Also
    --------
    check_pretext : Check that a task has these members and that they work.
    physio_ssl.networks.TokenNetwork : The members of a network that a task may use.

    Examples
    --------
    Predict the mean of each channel from a noisy window:

    >>> import numpy as np
    >>> import torch
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import Pretext
    >>> class MeanPrediction(Pretext):
    ...     def __init__(self, noise=1.0):
    ...         self.noise = noise
    ...
    ...     def make_heads(self, network):
    ...         n_inputs = sum(network.embedding_size.values())
    ...         return torch.nn.Linear(n_inputs, sum(network.n_channels.values()))
    ...
    ...     def make_views(self, signals, rng):
    ...         inputs = {}
    ...         for name, x in signals.items():
    ...             noise = self.noise * rng.standard_normal(x.shape)
    ...             inputs[name] = x + torch.as_tensor(noise).to(x)
    ...         return inputs, torch.cat([x.mean(dim=2) for x in signals.values()], dim=1)
    ...
    ...     def loss(self, network, heads, inputs, target):
    ...         error = (heads(network(**inputs)) - target).square().mean()
    ...         return error, {"error_mean": error.item()}
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> encoder = SSLEncoder(pretext=MeanPrediction(noise=0.5), module__d_model=8, max_epochs=1)
    >>> encoder.fit_transform(X).shape
    (8, 8)
    """

    chance = None

    def make_targets(self, X, windows=None):
        """Compute, once before training, what the task needs to know about each window.

        What the task learns here is kept in attributes that end in an underscore, before
        ``make_heads`` is called. Those that ``get_learned`` returns are saved with the encoder.

        Parameters
        ----------
        X : SignalDict
            All windows of ``fit``, before scaling.
        windows : Windows, default=None
            What ``fit`` was told about them, such as recordings and onsets.

        Returns
        -------
        dict from str to ndarray of shape (n_windows, ...), or None
            Targets; ``make_views`` gets those of its batch. None, the default: there are none.
        """
        return None

    def add_windows(self, rows, targets, rng):
        """Return the row numbers of a batch, with those of windows that belong to it.

        Parameters
        ----------
        rows : ndarray of int of shape (batch,)
            Windows that were drawn.
        targets : dict from str to ndarray, or None
            What ``make_targets`` returned, for all windows.
        rng : numpy.random.Generator
            Source of every random draw.

        Returns
        -------
        ndarray of int
            By default, ``rows``.
        """
        return rows

    def get_learned(self):
        """Return what ``make_targets`` has learned as plain values, by attribute."""
        return {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_") and isinstance(value, (int, float, str, list))
        }

    def set_learned(self, learned):
        """Take over what ``get_learned`` returned."""
        vars(self).update(learned)

    @abstractmethod
    def make_heads(self, network):
        """Return the task's trainable layers, or raise an error if its parameters are wrong.

        Parameters
        ----------
        network : TokenNetwork
            The network to train, which gives the sizes.

        Returns
        -------
        torch.nn.Module
            The heads, which are trained and saved together with the network.
        """

    @abstractmethod
    def make_views(self, signals, rng, targets=None):
        """Turn a batch of windows, left unchanged, into inputs of the network and a target.

        Parameters
        ----------
        signals : dict from str to tensor of shape (batch, n_channels, n_times)
            Windows of each modality.
        rng : numpy.random.Generator
            Source of every random draw.
        targets : dict from str to tensor of shape (batch, ...)
            What ``make_targets`` returned, for this batch. A task without targets is called
            without this argument and need not have it.

        Returns
        -------
        inputs : dict from str to tensor of shape (n_views, n_channels, n_times)
            Views of each modality. There may be more or fewer views than windows.
        target : object
            Anything that ``loss`` needs.
        """

    @abstractmethod
    def loss(self, network, heads, inputs, target):
        """Compute the loss of the views, and metrics.

        Parameters
        ----------
        network, heads : TokenNetwork and torch.nn.Module
            The network to train, and what ``make_heads`` returned.
        inputs, target : dict and object
            What ``make_views`` returned.

        Returns
        -------
        loss : tensor of shape ()
            The loss to minimise.
        metrics : dict from str to float
            What the history shows, named ``accuracy_<modality>`` (at most 1, higher is
            better, compared with ``chance``) or ``error_<modality>`` (lower is better).
        """


def get_learned(task):
    """Return what a task has learned, which need not be a child of ``Pretext``."""
    return task.get_learned() if hasattr(task, "get_learned") else {}


def set_learned(task, learned):
    """Let a task take over what ``get_learned`` returned, if that is anything."""
    if learned:
        task.set_learned(learned)


class _PieceNetwork(TokenNetwork):
    """A network whose sizes differ between modalities, so that mixing them up is noticed."""

    def __init__(self, **n_channels):
        super().__init__(n_channels, {name: 80 * n for name, n in n_channels.items()})
        self.token_size = {name: 8 * n for name, n in n_channels.items()}
        self.token_width = {name: 3 + n for name, n in n_channels.items()}
        layers = {name: nn.Conv1d(n, 3 + n, 8 * n, 8 * n) for name, n in n_channels.items()}
        self.layers = nn.ModuleDict(layers)

    def tokens(self, **signals):
        return {name: layer(signals[name]).tanh().mT for name, layer in self.layers.items()}


def check_pretext(pretext, network=None):
    """Check on random windows that a pretext task keeps the contract of ``Pretext``.

    The task, the network and the global random state stay as they are.

    Parameters
    ----------
    pretext : Pretext
        An instance. It need not be a child of ``Pretext``.
    network : TokenNetwork, default=None
        The network to train, for which ``check_network`` finds no problem. None makes a small
        one with the modalities ``bvp`` and ``acc``, or ``ecg`` if ``make_heads`` refuses two.

    Raises
    ------
    TypeError
        If ``pretext`` is a class.
    ValueError
        If the task breaks the contract. One message lists what is wrong: missing members; a
        clone or pickle that fails; heads that are no ``torch.nn.Module``; inputs without some
        modality; other views from the same seed; windows changed in place; a loss that is no
        finite scalar; no gradients for the network or the heads; metrics that are no finite
        floats; a ``chance`` that is no probability.

    See Also
    --------
    physio_ssl.networks.check_network : Check a network.

    Examples
    --------
    >>> from physio_ssl.networks import ConvEncoder
    >>> from physio_ssl.pretext import MaskedPrediction, check_pretext
    >>> check_pretext(MaskedPrediction())
    >>> check_pretext(MaskedPrediction(), ConvEncoder({"ecg": 1}, {"ecg": 128}))
    Traceback (most recent call last):
    ValueError: MaskedPrediction breaks the contract of Pretext:
    - make_heads fails: TypeError: MaskedPrediction needs a network with token_size, ...
    """
    if isinstance(pretext, type):
        raise TypeError(f"check_pretext needs an instance of a task, got {pretext!r}.")
    with list_problems(pretext, "Pretext") as problems:
        members = ("make_heads", "make_views", "loss", "chance")
        lacking = [name for name in members if name not in dir(pretext)]
        if lacking:
            raise Stop(f"it lacks {', '.join(lacking)}")
        copy_by_pickle(pretext, "the task", problems)
        task = attempt("clone", clone, pretext)
        chance = attempt("chance", getattr, task, "chance")
        if not (chance is None or isinstance(chance, Real) and 0 <= chance <= 1):
            problems.append(f"chance must be None or a number from 0 to 1, got {chance!r}")
        if network is not None:
            check_kind(network, "network", nn.Module, "a network")
        network = _make_network(task) if network is None else copy.deepcopy(network)
        _check_training(task, network, problems)


def _make_network(task):
    """Return a small network of two modalities, or of one if the task refuses two."""
    network = _PieceNetwork(bvp=2, acc=3)
    try:
        task.make_heads(network)
    except Exception:
        network = _PieceNetwork(ecg=2)
    return network


def _make_targets(task, network):
    """Return the targets of a batch of four windows, which hold two of each of two recordings."""
    if not hasattr(task, "make_targets"):
        return None
    signals = {name: x.numpy() for name, x in draw_windows(network, n_windows=4).items()}
    info = pd.DataFrame({"subject": ["a", "b"] * 2, "onset": [0.0, 0.0, 60.0, 60.0]})
    windows = Windows(SignalDict(signals), info, duration=60)
    targets = attempt("make_targets", task.make_targets, windows.X, windows)
    if targets is None:
        return None
    if not (isinstance(targets, Mapping) and all(len(x) == 4 for x in targets.values())):
        raise Stop("make_targets must return arrays by name, a value for each of 4 windows")
    return {name: torch.as_tensor(x) for name, x in targets.items()}


def _check_training(task, network, problems):
    """Append what is wrong with heads, views and loss of random windows."""
    targets = _make_targets(task, network)
    heads = attempt("make_heads", task.make_heads, network)
    if not isinstance(heads, nn.Module):
        raise Stop(f"make_heads must return a torch.nn.Module, got {type(heads).__name__}")
    copy_by_pickle(heads, "the heads", problems)
    signals = draw_windows(network, n_windows=4)
    before = copy.deepcopy(signals)
    more = () if targets is None else (targets,)
    views = _get_two(task.make_views, signals, np.random.default_rng(0), *more)
    inputs, names = views[0], ", ".join(network.n_channels)
    if not (
        isinstance(inputs, Mapping)
        and set(inputs) >= set(network.n_channels)
        and all(isinstance(x, torch.Tensor) and x.ndim == 3 for x in inputs.values())
        and len({len(x) for x in inputs.values()}) == 1
    ):
        rule = f"must return inputs (n_views, n_channels, n_times), equally many of each of {names}"
        raise Stop(f"make_views {rule}, got {describe(inputs)}")
    again = _get_two(task.make_views, copy.deepcopy(before), np.random.default_rng(0), *more)
    if not all(map(_are_same, views, again)):
        problems.append("make_views must draw from rng alone: the same seed gives other views")
    loss, metrics = _get_two(task.loss, network.train(), heads.train(), *views)
    if not (
        isinstance(metrics, Mapping)
        and all(isinstance(name, str) for name in metrics)
        and all(isinstance(x, float) and isfinite(x) for x in metrics.values())
    ):
        problems.append(f"metrics must be a dict from str to finite float, got {metrics!r}")
    if not (isinstance(loss, torch.Tensor) and loss.ndim == 0 and loss.isfinite()):
        raise Stop(f"loss must be a tensor with one finite number, got {loss!r}")
    attempt("gradient", loss.backward)
    for what, module in {"the network": network, "the heads": heads}.items():
        if list(module.parameters()):
            check_gradients(module, what, problems)
    with torch.no_grad():
        attempt("loss in evaluation mode", task.loss, network.eval(), heads.eval(), *views)
    if not _are_same(signals, before):
        problems.append("make_views and loss must not change the windows in place")


def _get_two(method, *args):
    """Return the pair that a method returns."""
    result = attempt(method.__name__, method, *args)
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise Stop(f"{method.__name__} must return a tuple of two, got {describe(result)}")
    return result


def _are_same(one, other):
    """Return whether nested structures of tensors hold the same values; NaN equals NaN."""
    try:
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    except (AssertionError, TypeError) as error:
        return isinstance(error, TypeError)  # values that cannot be compared
    return True
