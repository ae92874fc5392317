"""TokenNetwork, the base class of networks, and check_network."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral

import torch
from torch import nn

from .._check import check_mapping, check_size
from ._contract import (
    Stop,
    attempt,
    check_gradients,
    copy_by_pickle,
    describe,
    draw_windows,
    list_problems,
)

_SIZES = ("n_channels", "n_times", "token_width", "embedding_size", "token_size")
_MEMBERS = (*_SIZES, "accepts_missing", "tokens", "embed")


class TokenNetwork(nn.Module, ABC):
    """Base class of networks that embed windows of one or several modalities.

    A network turns the windows of each modality into tokens, and the tokens into an
    embedding of each modality. A child calls ``super().__init__(n_channels, n_times)``, sets
    ``token_width`` and writes ``tokens``. Everything else has a default.

    ``SSLEncoder`` and the pretext tasks use only the members listed here, so any
    ``torch.nn.Module`` that has them all will do.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Channels, and samples per window, of each modality. ``SSLEncoder`` fills them in.

    Attributes
    ----------
    n_channels, n_times : dict from str to int
        The parameters, both in the order of ``n_channels``.
    token_width : dict from str to int
        Width of the tokens of each modality. Each child sets it or makes it a property.
    token_size : dict from str to int, or None
        Samples per token of each modality, if tokens are consecutive pieces of the window:
        ``ceil(n_times / token_size)`` of them, and one more, such as a CLS token, may come
        first. None, the default, for other tokens, which ``MaskedPrediction`` refuses.
    accepts_missing : bool
        Whether ``tokens`` and ``forward`` can be called without some of the modalities, and
        still return the parts of all. False by default.

    Raises
    ------
    ValueError
        If ``n_channels`` and ``n_times`` name different modalities.

    See Also
    --------
    check_network : Check that a network has these members and that they work.

    Examples
    --------
    A network that makes a token of each second at 64 Hz:

    >>> import torch
    >>> from physio_ssl.networks import TokenNetwork
    >>> class Seconds(TokenNetwork):
    ...     def __init__(self, n_channels, n_times, width=8):
    ...         super().__init__(n_channels, n_times)
    ...         self.token_width = dict.fromkeys(n_channels, width)
    ...         self.token_size = dict.fromkeys(n_channels, 64)
    ...         self.layers = torch.nn.ModuleDict(
    ...             {name: torch.nn.Conv1d(n, width, 64, 64) for name, n in n_channels.items()}
    ...         )
    ...
    ...     def tokens(self, **signals):
    ...         return {name: self.layers[name](x).transpose(1, 2) for name, x in signals.items()}
    >>> network = Seconds({"bvp": 1, "acc": 3}, {"bvp": 640, "acc": 640})
    >>> network(bvp=torch.zeros(5, 1, 640), acc=torch.zeros(5, 3, 640)).shape
    torch.Size([5, 16])
    """

    token_size = None
    accepts_missing = False

    def __init__(self, n_channels, n_times):
        super().__init__()
        n_channels = check_mapping(n_channels, "n_channels")
        n_times = check_mapping(n_times, "n_times")
        check_size("each of n_channels and n_times", *n_channels.values(), *n_times.values())
        if set(n_channels) != set(n_times):
            raise ValueError(
                "n_channels and n_times must name the same modalities, got "
                f"{', '.join(n_channels)} and {', '.join(n_times)}."
            )
        self.n_channels = dict(n_channels)
        self.n_times = {name: n_times[name] for name in n_channels}

    def _check_length(self, shortest, parameters):
        """Raise ValueError if some windows are shorter than ``parameters`` allow."""
        short = {name: n for name, n in self.n_times.items() if n < shortest}
        if short:
            raise ValueError(
                f"Windows must have at least {shortest} samples, got {short}: use longer ones, or "
                f"a smaller {parameters}."
            )

    @property
    def embedding_size(self):
        """Size of each modality's part of the embedding, in the order of ``n_channels``."""
        return {name: self.token_width[name] for name in self.n_channels}

    @abstractmethod
    def tokens(self, **signals):
        """Turn windows into tokens.

        Parameters
        ----------
        **signals : tensors of shape (batch, n_channels, n_times)
            Windows of each modality.

        Returns
        -------
        dict from str to tensor of shape (batch, n_tokens, token_width)
        """

    def embed(self, tokens):
        """Turn what ``tokens`` returned into embeddings: by default, the mean of the tokens.

        Returns
        -------
        dict from str to tensor of shape (batch, embedding_size)
        """
        return {name: part.mean(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        """Embed windows, given as to ``tokens``, and join the parts in the order of ``n_channels``.

        Returns
        -------
        tensor of shape (batch, sum of the embedding sizes)
        """
        embeddings = self.embed(self.tokens(**signals))
        return torch.cat([embeddings[name] for name in self.n_channels], dim=1)


def check_network(network):
    """Check on random windows that a network keeps the contract of ``TokenNetwork``.

    The network and the global random state stay as they are.

    Parameters
    ----------
    network : torch.nn.Module
        An instance. It need not be a child of ``TokenNetwork``.

    Raises
    ------
    TypeError
        If ``network`` is a class, or no ``torch.nn.Module``.
    ValueError
        If the network breaks the contract. One message lists what is wrong: missing members;
        wrong sizes or shapes; NaN; parts in another order than ``n_channels``; embeddings
        that, in evaluation mode, change from call to call or with the other windows of a
        batch; windows changed in place; no gradients; copies that fail or embed differently.

    See Also
    --------
    physio_ssl.pretext.check_pretext : Check a pretext task.

    Examples
    --------
    >>> from physio_ssl.networks import ConvEncoder, check_network
    >>> check_network(ConvEncoder({"ecg": 1}, {"ecg": 128}))
    >>> check_network(torch.nn.Identity())
    Traceback (most recent call last):
    ValueError: Identity breaks the contract of TokenNetwork:
    - it lacks n_channels, n_times, token_width, embedding_size, token_size, ...
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"check_network needs an instance of a network, got {network!r}.")
    with list_problems(network, "TokenNetwork") as problems:
        lacking = [name for name in _MEMBERS if name not in dir(network)]
        if type(network).forward is nn.Module.forward:
            lacking.append("forward")
        if lacking:
            raise Stop(f"it lacks {', '.join(lacking)}")
        for member in _SIZES:
            _check_sizes(network, member)
        pickled = copy_by_pickle(network, "the network", problems)
        network = attempt("deepcopy", copy.deepcopy, network).eval()
        signals = draw_windows(network, n_windows=3)
        for x in signals.values():
            x[-1] = 0.0  # real signals are constant at times
        before = copy.deepcopy(signals)
        with torch.no_grad():
            _check_outputs(network, pickled, signals, problems)
        if any(not torch.equal(signals[name], x) for name, x in before.items()):
            problems.append("it changes the windows in place")
        embedding = attempt("forward in training mode", network.train(), **signals)
        # Not a plain sum, which LayerNorm makes constant.
        attempt("gradient", (embedding * torch.randn_like(embedding)).sum().backward)
        check_gradients(network, "the network", problems)


def _check_sizes(network, member):
    """Stop unless a member maps each modality to a positive integer."""
    sizes = attempt(member, getattr, network, member)
    if member == "token_size" and sizes is None:
        return
    if not (
        isinstance(sizes, Mapping)
        and list(sizes) == list(network.n_channels)
        and len(sizes)
        and all(isinstance(n, Integral) and n > 0 for n in sizes.values())
    ):
        rule = "must map the modalities, in the order of n_channels, to positive integers"
        raise Stop(f"{member} {rule}, got {sizes!r}")


def _check_outputs(network, pickled, signals, problems):
    """Append what is wrong with tokens and embeddings, or stop if they have no right shape."""
    tokens = attempt("tokens", network.tokens, **signals)
    _check_parts("tokens", tokens, "(3, n_tokens, width)", network.token_width, problems)
    for name, size in (network.token_size or {}).items():
        expected, found = -(-network.n_times[name] // size), tokens[name].shape[1]
        if found not in (expected, expected + 1):
            problems.append(f"token_size {size} of {name} means {expected} tokens, got {found}")
    parts = attempt("embed", network.embed, tokens)
    _check_parts("embed", parts, "(3, size)", network.embedding_size, problems)
    joined = torch.cat([parts[name] for name in network.n_channels], dim=1)
    embedding = attempt("forward", network, **signals)
    if describe(embedding) != describe(joined):
        raise Stop(f"forward must return shape {describe(joined)}, got {describe(embedding)}")
    if not _are_close(attempt("forward", network, **signals), embedding):
        raise Stop("in evaluation mode, the same windows must give the same embedding")
    if not _are_close(embedding, joined):
        problems.append("forward must join the parts of embed in the order of n_channels")
    first = {name: x[:1] for name, x in signals.items()}
    if not _are_close(attempt("forward of one window", network, **first), embedding[:1]):
        problems.append("windows must not influence each other: one alone is embedded differently")
    if pickled is not None:
        again = attempt("forward of a pickled copy", pickled.eval(), **signals)
        if not _are_close(again, embedding):
            problems.append("a deep and a pickled copy must give the same embedding")
    for left_out in signals if network.accepts_missing and len(signals) > 1 else ():
        what = f"forward without {left_out}, although accepts_missing is True,"
        rest = {name: x for name, x in signals.items() if name != left_out}
        lacking = attempt(what, network, **rest)
        if describe(lacking) != describe(joined) or not lacking.isfinite().all():
            problems.append(f"{what} gives a wrong shape or NaN: {describe(lacking)}")


def _check_parts(method, parts, shape, sizes, problems):
    """Stop unless each modality has a tensor of the shape; append if values are not finite."""
    n_dims = shape.count(",") + 1
    if not (
        isinstance(parts, Mapping)
        and set(parts) == set(sizes)
        and all(isinstance(x, torch.Tensor) and x.ndim == n_dims for x in parts.values())
        and all((len(x), x.shape[-1]) == (3, sizes[name]) for name, x in parts.items())
    ):
        rule = f"must give 3 windows of each modality the shape {shape}, with {sizes}"
        raise Stop(f"{method} {rule}, got {describe(parts)}")
    bad = [name for name, x in parts.items() if not x.isfinite().all()]
    if bad:
        problems.append(f"{method} gives NaN or infinite values for {', '.join(bad)}")


def _are_close(x, y):
    """Return whether two tensors are the same but for rounding; NaN equals NaN."""
    tolerance = 1e-4 * float(y.nan_to_num().abs().max())
    return describe(x) == describe(y) and torch.allclose(x, y, 0.0, tolerance, equal_nan=True)
