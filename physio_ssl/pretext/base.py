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
    Problems,
    are_same,
    check_gradients,
    copy_by_pickle,
    describe,
    draw_windows,
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
    lacking = [name for name in (*_METHODS, "chance") if _lacks(pretext, name)]
    problems.expect(not lacking, f"it lacks {', '.join(lacking)}")
    task = copy.copy(pretext)
    with problems.stage():
        task = problems.attempt("it cannot be cloned", clone, pretext)
    with problems.stage():
        problems.attempt("it cannot be pickled", copy_by_pickle, pretext)
    with problems.stage():
        if not set(lacking) & set(_METHODS):
            with fixed_seed(network):
                network = _make_network(task) if network is None else copy.deepcopy(network)
                _check_training(task, network, problems)
    with problems.stage():
        if "chance" not in lacking:
            chance = problems.attempt("chance fails", getattr, task, "chance")
            problems.expect(
                chance is None or (isinstance(chance, Real) and 0 <= chance <= 1),
                f"chance must be None or a number from 0 to 1, got {chance!r}",
            )
    problems.report(pretext, "Pretext")


def _lacks(pretext, name):
    """Return whether a member is missing, or only the placeholder of the base class."""
    found = getattr(type(pretext), name, None)
    if name in _METHODS and found is getattr(Pretext, name):
        return True
    return not hasattr(type(pretext), name) and not hasattr(pretext, name)


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
    problems.demand(
        isinstance(heads, nn.Module),
        f"make_heads must return a torch.nn.Module, got {type(heads).__name__}",
    )
    with problems.stage():
        problems.attempt("the heads cannot be pickled", copy_by_pickle, heads)
    signals = draw_windows(network, n_windows=4)
    before = {name: x.clone() for name, x in signals.items()}
    inputs, target = _make_views(task, signals, network, problems)
    unchanged = are_same(signals, before)
    problems.expect(unchanged, "make_views must not change the windows in place")
    again, _ = _make_views(task, {n: x.clone() for n, x in before.items()}, network, problems)
    problems.expect(
        are_same(inputs, again),
        "make_views must draw from rng alone, but the same seed gives other views",
    )
    with problems.stage():
        _check_loss(task, network.train(), heads.train(), inputs, target, problems)
        with torch.no_grad():
            modules = network.eval(), heads.eval()
            problems.attempt("loss fails in evaluation mode", task.loss, *modules, inputs, target)
    problems.expect(
        are_same(signals, before) or not unchanged, "loss must not change the windows in place"
    )


def _make_views(task, signals, network, problems):
    """Return inputs and target, or end the stage."""
    rng = np.random.default_rng(0)
    views = problems.attempt("make_views fails", task.make_views, signals, rng)
    problems.demand(
        isinstance(views, (tuple, list)) and len(views) == 2,
        f"make_views must return inputs and target, got {describe(views)}",
    )
    inputs = views[0]
    problems.demand(
        isinstance(inputs, Mapping)
        and set(inputs) == set(network.n_channels)
        and all(isinstance(x, torch.Tensor) and x.ndim == 3 for x in inputs.values()),
        f"inputs must be a dict of {', '.join(network.n_channels)} with tensors of shape "
        f"(n_views, n_channels, n_times), got {describe(inputs)}",
    )
    problems.demand(
        len({len(x) for x in inputs.values()}) == 1,
        f"inputs of all modalities must have the same number of views, got {describe(inputs)}",
    )
    return views


def _check_loss(task, network, heads, inputs, target, problems):
    result = problems.attempt("loss fails", task.loss, network, heads, inputs, target)
    problems.demand(
        isinstance(result, (tuple, list)) and len(result) == 2,
        f"loss must return the loss and metrics, got {describe(result)}",
    )
    loss, metrics = result
    problems.expect(
        isinstance(metrics, Mapping)
        and all(isinstance(name, str) for name in metrics)
        and all(isinstance(x, float) and math.isfinite(x) for x in metrics.values()),
        f"metrics must be a dict from str to finite float, got {metrics!r}",
    )
    problems.demand(
        isinstance(loss, torch.Tensor) and loss.ndim == 0 and torch.isfinite(loss),
        f"the loss must be a tensor with one finite number, got {loss!r}",
    )
    check_gradients(loss, network, "the network", problems)
    if any(True for _ in heads.parameters()):
        check_gradients(loss, heads, "the heads", problems)
