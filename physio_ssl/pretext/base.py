"""Pretext, the base class of pretext tasks, and check_pretext."""

import copy
import math
from collections.abc import Mapping
from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from ..networks._contract import (
    FAILED,
    Problems,
    copy_by_pickle,
    draw_windows,
    find_gradients,
    fixed_seed,
)
from ..networks.base import TokenNetwork

_METHODS = ("make_heads", "make_views", "loss")


class Pretext(BaseEstimator):
    """Base class of pretext tasks, on which ``SSLEncoder`` trains a network without labels.

    A child writes ``make_heads``, ``make_views`` and ``loss``. As in any scikit-learn
    estimator, ``__init__`` only stores its parameters. A task learns nothing itself: all
    weights are in the network and the heads.

    Each training step calls ``make_views`` on a batch of windows and then ``loss`` on the
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

    >>> import torch
    >>> from physio_ssl.pretext import Pretext
    >>> class MeanPrediction(Pretext):
    ...     def __init__(self, noise=1.0):
    ...         self.noise = noise
    ...
    ...     def make_heads(self, network):
    ...         sizes, n_channels = network.embedding_size, network.n_channels
    ...         return torch.nn.ModuleDict(
    ...             {name: torch.nn.Linear(sizes[name], n_channels[name]) for name in sizes}
    ...         )
    ...
    ...     def make_views(self, signals, rng):
    ...         inputs, target = {}, {}
    ...         for name, x in signals.items():
    ...             noise = rng.normal(scale=self.noise, size=x.shape)
    ...             inputs[name] = x + torch.as_tensor(noise).to(x)
    ...             target[name] = x.mean(dim=2)
    ...         return inputs, target
    ...
    ...     def loss(self, network, heads, inputs, target):
    ...         embeddings = network.embed(network.tokens(**inputs))
    ...         errors = {
    ...             name: (heads[name](embeddings[name]) - mean).square().mean()
    ...             for name, mean in target.items()
    ...         }
    ...         return sum(errors.values()), {f"error_{n}": e.item() for n, e in errors.items()}
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80)).astype("float32")
    >>> encoder = SSLEncoder(pretext=MeanPrediction(noise=0.5), module__d_model=8, max_epochs=1)
    >>> encoder.fit_transform(X).shape
    (8, 8)
    """

    chance = None

    def make_heads(self, network):
        """Return the trainable layers that the task puts on a network.

        Wrong parameters of the task should raise an error here, before training starts.

        Parameters
        ----------
        network : TokenNetwork
            The network to train. Its ``n_channels``, ``n_times``, ``token_width``,
            ``token_size`` and ``embedding_size`` give the sizes.

        Returns
        -------
        torch.nn.Module
            The heads, which are trained and saved together with the network.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make_heads(network).")

    def make_views(self, signals, rng):
        """Turn a batch of windows into inputs of the network and a target.

        The windows must not be changed in place.

        Parameters
        ----------
        signals : dict from str to tensor of shape (batch, n_channels, n_times)
            Windows of each modality.
        rng : numpy.random.Generator
            Source of every random draw.

        Returns
        -------
        inputs : dict from str to tensor of shape (n_views, n_channels, n_times)
            Views of each modality. There may be more or fewer views than windows.
        target : object
            Anything that ``loss`` needs.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make_views(signals, rng).")

    def loss(self, network, heads, inputs, target):
        """Compute the loss of the views, and metrics.

        Parameters
        ----------
        network : TokenNetwork
            The network to train.
        heads : torch.nn.Module
            What ``make_heads`` returned.
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
        raise NotImplementedError(
            f"{type(self).__name__} must define loss(network, heads, inputs, target)."
        )


class _PieceNetwork(TokenNetwork):
    """A small network for checks: a token of every few samples, by one linear layer."""

    def __init__(self, n_channels, n_times):
        super().__init__(n_channels, n_times)
        # Sizes differ between modalities, so that mixing them up is noticed.
        self.token_size = sizes = {name: 8 + 2 * i for i, name in enumerate(n_channels)}
        self.token_width = widths = {name: 4 + i for i, name in enumerate(n_channels)}
        self.layers = nn.ModuleDict(
            {
                name: nn.Conv1d(n, widths[name], sizes[name], sizes[name])
                for name, n in n_channels.items()
            }
        )

    def tokens(self, **signals):
        return {name: layer(signals[name]).tanh().mT for name, layer in self.layers.items()}


def check_pretext(pretext, network=None):
    """Check that a pretext task keeps the contract of ``Pretext``.

    A clone of the task makes views of a few random windows and computes their loss on a copy
    of the network. The task, the network and the global random state stay as they are.

    Parameters
    ----------
    pretext : Pretext
        An instance. It need not be a child of ``Pretext``.
    network : TokenNetwork, default=None
        The network to train, which should pass ``check_network``. None makes a small one with
        two modalities of different sampling rates, ``bvp`` and ``acc``; if ``make_heads``
        raises for it, one with the modality ``ecg``.

    Raises
    ------
    TypeError
        If ``pretext`` is a class.
    ValueError
        If the task breaks the contract. One message lists all that is wrong: missing methods;
        a clone or a pickle that fails; heads that are no ``torch.nn.Module``; inputs without
        some modality; other views from the same seed; windows changed in place; a loss that
        is no finite scalar; no gradients for the network or the heads; metrics that are not
        finite floats; a ``chance`` that is no probability.

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
    problems = Problems()
    lacking = [name for name in _METHODS if _lacks(pretext, name)]
    if not (hasattr(type(pretext), "chance") or hasattr(pretext, "chance")):
        lacking.append("chance")
    if lacking:
        problems.append(f"it lacks {', '.join(lacking)}")
    cloned = problems.attempt("it cannot be cloned", clone, pretext)
    problems.attempt("it cannot be pickled", copy_by_pickle, pretext)
    task = copy.copy(pretext) if cloned is FAILED else cloned
    if not set(lacking) & set(_METHODS):
        with fixed_seed(network):
            network = _make_network(task) if network is None else copy.deepcopy(network)
            _check_training(task, network, problems)
    if "chance" not in lacking:
        _check_chance(task, problems)
    problems.report(pretext, "Pretext")


def _lacks(pretext, name):
    """Return whether a method is missing, or only the placeholder of the base class."""
    return getattr(type(pretext), name, None) is getattr(Pretext, name) or not callable(
        getattr(pretext, name, None)
    )


def _make_network(task):
    """Return a small network with two modalities, or with one if the task asks for one."""
    networks = [
        _PieceNetwork({"bvp": 1, "acc": 3}, {"bvp": 160, "acc": 80}),
        _PieceNetwork({"ecg": 1}, {"ecg": 160}),
    ]
    for network in networks:
        try:
            task.make_heads(network)
        except Exception:  # the check itself reports it
            continue
        return network
    return networks[0]


def _check_training(task, network, problems):
    """Note what is wrong with heads, views and loss on random windows."""
    heads = problems.attempt("make_heads fails", task.make_heads, network)
    if heads is FAILED:
        return
    if not isinstance(heads, nn.Module):
        problems.append(f"make_heads must return a torch.nn.Module, got {type(heads).__name__}")
        return
    problems.attempt("the heads cannot be pickled", copy_by_pickle, heads)
    signals = draw_windows(network, n_windows=4)
    before = {name: x.clone() for name, x in signals.items()}
    views = _make_views(task, signals, problems)
    if views is FAILED or not _are_inputs(views[0], network, problems):
        return
    if not _are_same(signals, before):
        problems.append("make_views must not change the windows in place")
    again = _make_views(task, {name: x.clone() for name, x in before.items()}, problems)
    if again is not FAILED and not _are_same(views, again):
        problems.append("make_views must draw from rng alone, but the same seed gives other views")
    _check_loss(task, network.train(), heads.train(), views, problems)
    with torch.no_grad():
        result = problems.attempt(
            "loss fails in evaluation mode", task.loss, network.eval(), heads.eval(), *views
        )
    if result is not FAILED and not _are_same(signals, before):
        problems.append("loss must not change the windows in place")


def _make_views(task, signals, problems):
    """Return inputs and target, or ``FAILED``."""
    rng = np.random.default_rng(0)
    views = problems.attempt("make_views fails", task.make_views, signals, rng)
    if views is not FAILED and not (isinstance(views, (tuple, list)) and len(views) == 2):
        problems.append(f"make_views must return inputs and target, got {type(views).__name__}")
        return FAILED
    return views


def _are_inputs(inputs, network, problems):
    """Return whether inputs are views of the network's modalities, alike in number."""
    if not (
        isinstance(inputs, Mapping)
        and all(isinstance(x, torch.Tensor) and x.ndim == 3 for x in inputs.values())
    ):
        problems.append(
            "make_views must return inputs as a dict of tensors of shape (n_views, n_channels, "
            f"n_times), got {_describe(inputs)}"
        )
        return False
    lacking = [name for name in network.n_channels if name not in inputs]
    if lacking:
        problems.append(
            f"make_views must return inputs of every modality, got none of {', '.join(lacking)}"
        )
    if len({len(x) for x in inputs.values()}) > 1:
        problems.append(
            f"inputs of all modalities must have the same number of views, got {_describe(inputs)}"
        )
        return False
    return not lacking


def _check_loss(task, network, heads, views, problems):
    result = problems.attempt("loss fails", task.loss, network, heads, *views)
    if result is FAILED:
        return
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        problems.append(f"loss must return the loss and metrics, got {_describe(result)}")
        return
    loss, metrics = result
    if not (
        isinstance(metrics, Mapping)
        and all(isinstance(name, str) for name in metrics)
        and all(isinstance(x, float) and math.isfinite(x) for x in metrics.values())
    ):
        problems.append(f"metrics must be a dict from str to finite float, got {metrics!r}")
    if not (isinstance(loss, torch.Tensor) and loss.ndim == 0 and torch.isfinite(loss)):
        problems.append(f"the loss must be a tensor with one finite number, got {loss!r}")
        return
    for name, module in {"the network": network, "the heads": heads}.items():
        gradients = find_gradients(loss, module)
        if not gradients and any(True for _ in module.parameters()):
            problems.append(f"no gradient of the loss reaches {name}")
        elif not all(torch.isfinite(x).all() for x in gradients):
            problems.append(f"gradients of {name} are NaN or infinite")


def _check_chance(task, problems):
    chance = problems.attempt("chance fails", getattr, task, "chance")
    if chance is FAILED or chance is None:
        return
    if not (isinstance(chance, Real) and 0 <= chance <= 1):
        problems.append(f"chance must be None or a number from 0 to 1, got {chance!r}")


def _describe(thing):
    """Name the type of an object, or the shapes of a dict of tensors."""
    if not isinstance(thing, Mapping):
        return type(thing).__name__
    parts = {name: getattr(x, "shape", type(x).__name__) for name, x in thing.items()}
    return ", ".join(
        f"{name}: {tuple(x) if isinstance(x, torch.Size) else x}" for name, x in parts.items()
    )


def _are_same(one, other):
    """Return whether two nested structures hold the same values; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_are_same(one[k], other[k]) for k in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_are_same, one, other))
    if isinstance(one, torch.Tensor):
        one, other = one.detach().cpu().numpy(), other.detach().cpu().numpy()
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")
