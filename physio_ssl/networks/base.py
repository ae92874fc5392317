"""TokenNetwork, the base class of networks, and check_network."""

import copy
from collections.abc import Mapping
from numbers import Integral

import torch
from torch import nn

from ._contract import (
    Problems,
    are_same,
    check_gradients,
    copy_by_pickle,
    describe,
    draw_windows,
    fixed_seed,
)

_MEMBERS = (
    "n_channels",
    "n_times",
    "token_width",
    "token_size",
    "accepts_missing",
    "tokens",
    "embed",
    "embedding_size",
    "forward",
)
_COPIES = {"deep-copied": copy.deepcopy, "pickled": copy_by_pickle}


class TokenNetwork(nn.Module):
    """Base class of networks that embed windows of one or several modalities.

    A network turns the windows of each modality into tokens, and the tokens into an
    embedding of each modality. A child calls ``super().__init__(n_channels, n_times)``, sets
    ``token_width`` and writes ``tokens``. Everything else has a default.

    ``SSLEncoder`` and the pretext tasks use only the members listed here, so any
    ``torch.nn.Module`` that has them all will do.

    Parameters
    ----------
    n_channels : mapping from str to int
        Modalities, in order, and their numbers of channels. ``SSLEncoder`` fills this in.
    n_times : mapping from str to int
        Samples per window of each modality. ``SSLEncoder`` fills this in.

    Attributes
    ----------
    n_channels, n_times : dict from str to int
        The parameters, both in the order of ``n_channels``.
    token_width : dict from str to int
        Width of the tokens of each modality. Each child sets it or makes it a property.
    token_size : dict from str to int, or None
        Samples per token of each modality, if tokens are consecutive pieces of the window:
        ``ceil(n_times / token_size)`` of them, and the last piece may be shorter. One more
        token may come first, such as a CLS token. None, the default: tokens are no such
        pieces, and ``MaskedPrediction`` refuses the network.
    accepts_missing : bool
        Whether ``tokens`` and ``forward`` can be called without some of the modalities. They
        still return the parts of all modalities. False by default.

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
    >>> windows = {"bvp": torch.zeros(5, 1, 640), "acc": torch.zeros(5, 3, 640)}
    >>> network.tokens(**windows)["acc"].shape
    torch.Size([5, 10, 8])
    >>> network(**windows).shape
    torch.Size([5, 16])
    """

    token_size = None
    accepts_missing = False

    def __init__(self, n_channels, n_times):
        super().__init__()
        if set(n_channels) != set(n_times):
            raise ValueError(
                "n_channels and n_times must name the same modalities, got "
                f"{', '.join(n_channels)} and {', '.join(n_times)}."
            )
        self.n_channels = dict(n_channels)
        self.n_times = {name: n_times[name] for name in n_channels}

    @property
    def embedding_size(self):
        """Size of each modality's part of the embedding, in the order of ``n_channels``."""
        return {name: self.token_width[name] for name in self.n_channels}

    def tokens(self, **signals):
        """Turn windows into tokens.

        Parameters
        ----------
        **signals : tensors of shape (batch, n_channels, n_times)
            Windows of each modality.

        Returns
        -------
        dict from str to tensor of shape (batch, n_tokens, token_width)
            Tokens of each modality.
        """
        raise NotImplementedError(f"{type(self).__name__} must define tokens(**signals).")

    def embed(self, tokens):
        """Turn tokens into the embedding of each modality: by default, their mean.

        Parameters
        ----------
        tokens : dict from str to tensor of shape (batch, n_tokens, token_width)
            What ``tokens`` returned.

        Returns
        -------
        dict from str to tensor of shape (batch, embedding_size)
            Embedding of each modality.
        """
        return {name: part.mean(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        """Embed windows and join the parts in the order of ``n_channels``.

        Parameters
        ----------
        **signals : tensors of shape (batch, n_channels, n_times)
            Windows of each modality.

        Returns
        -------
        tensor of shape (batch, sum of the embedding sizes)
        """
        embeddings = self.embed(self.tokens(**signals))
        return torch.cat([embeddings[name] for name in self.n_channels], dim=1)


def check_network(network):
    """Check that a network keeps the contract of ``TokenNetwork``.

    The network embeds a few random windows of its own ``n_channels`` and ``n_times``, one of
    them constant. The network itself and the global random state stay as they are.

    Parameters
    ----------
    network : torch.nn.Module
        An instance. It need not be a child of ``TokenNetwork``.

    Raises
    ------
    TypeError
        If ``network`` is a class, or no ``torch.nn.Module``.
    ValueError
        If the network breaks the contract. One message lists all that is wrong: missing
        members; wrong sizes or shapes; NaN; parts in another order than ``n_channels``;
        embeddings that change from call to call or with the other windows of a batch (in
        evaluation mode); windows changed in place; no gradients; copies, by deep copy or
        pickle, that fail or embed differently.

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
    - it lacks n_channels, n_times, token_width, token_size, accepts_missing, tokens, embed, ...
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"check_network needs an instance of a network, got {network!r}.")
    problems = Problems()
    lacking = {name for name in _MEMBERS if _lacks(network, name)}
    names = ", ".join(name for name in _MEMBERS if name in lacking)
    problems.expect(not lacking, f"it lacks {names}")
    copies, modes = {}, {module: module.training for module in network.modules()}
    with fixed_seed(network):
        for verb, make_copy in _COPIES.items():
            with problems.stage():
                copies[verb] = problems.attempt(f"it cannot be {verb}", make_copy, network)
        try:
            with problems.stage():
                _check_outputs(network.eval(), copies, lacking, problems)
        finally:
            for module, mode in modes.items():
                module.training = mode
    problems.report(network, "TokenNetwork")


def _lacks(network, name):
    """Return whether a member is missing, or only the placeholder of a base class."""
    kind = type(network)
    placeholder = {"tokens": TokenNetwork.tokens, "forward": nn.Module.forward}.get(name)
    if placeholder is not None and getattr(kind, name, None) is placeholder:
        return name not in vars(network)
    return not hasattr(kind, name) and not hasattr(network, name)


def _check_outputs(network, copies, lacking, problems):
    """Note what is wrong with tokens, embeddings and ``forward`` on random windows."""
    if {"n_channels", "n_times", "tokens"} & lacking:
        return
    n_channels, n_times = network.n_channels, network.n_times
    problems.demand(
        _are_sizes(n_channels) and _are_sizes(n_times, n_channels),
        "n_channels and n_times must map the same modalities to positive integers, got "
        f"{n_channels!r} and {n_times!r}",
    )
    signals = draw_windows(network, n_windows=3)
    for x in signals.values():
        x[-1] = 0.0  # real signals are constant at times
    before = {name: x.clone() for name, x in signals.items()}
    with torch.no_grad():
        tokens = problems.attempt("tokens fails", network.tokens, **signals)
        _check_parts("tokens", tokens, "token_width", network, lacking, problems)
        if "token_size" not in lacking and network.token_size is not None:
            _check_token_size(network, tokens, problems)
        if {"embed", "forward"} & lacking:
            return
        parts = problems.attempt("embed fails", network.embed, tokens)
        _check_parts("embed", parts, "embedding_size", network, lacking, problems)
        expected = torch.cat([parts[name] for name in n_channels], dim=1)
        _check_forward(network, copies, signals, expected, problems)
        if "accepts_missing" not in lacking and network.accepts_missing and len(signals) > 1:
            for name in signals:
                with problems.stage():
                    _check_missing(network, signals, name, expected, problems)
    problems.expect(are_same(signals, before), "it changes the windows in place")
    # Only a copy is set to training mode, because batch norm then changes its statistics.
    trained = copies["deep-copied"].train() if "deep-copied" in copies else network
    found = problems.attempt("forward fails in training mode", trained, **signals)
    # Not a plain sum, which LayerNorm makes constant.
    check_gradients((found * torch.randn_like(found)).sum(), trained, "the parameters", problems)


def _are_sizes(sizes, names=None):
    """Return whether an object maps names, if given just these, to positive integers."""
    return (
        isinstance(sizes, Mapping)
        and len(sizes) > 0
        and set(sizes) == set(sizes if names is None else names)
        and all(isinstance(n, Integral) and n > 0 for n in sizes.values())
    )


def _check_parts(method, parts, member, network, lacking, problems):
    """Note what is wrong with tokens or embeddings and their declared sizes."""
    names, sizes = list(network.n_channels), {}
    if not {member, "token_width"} & lacking:  # the default embedding_size needs token_width
        sizes = problems.attempt(f"{member} fails", getattr, network, member)
        if not _are_sizes(sizes) or list(sizes) != names:
            problems.append(
                f"{member} must give a positive integer for each of {', '.join(names)}, in this "
                f"order, got {sizes!r}"
            )
            sizes = {}
    problems.demand(
        isinstance(parts, Mapping) and set(parts) == set(names),
        f"{method} must return a dict of {', '.join(names)}, got {describe(parts)}",
    )
    usable, middle = True, ("n_tokens",) if method == "tokens" else ()
    for name, part in parts.items():
        shape = _shape(part)
        expected = (3, *middle, sizes.get(name, member))
        fits = len(shape) == len(expected) and shape[0] == 3 and 0 not in shape
        usable &= fits
        problems.expect(
            fits and shape[-1] == sizes.get(name, shape[-1]),
            f"{method} must give {name!r} of 3 windows the shape "
            f"({', '.join(map(str, expected))}), got {describe(part)}",
        )
        finite = torch.isfinite(part).all() if fits else True
        problems.expect(finite, f"{method} gives NaN or infinite values for {name!r}")
    if not usable:
        problems.end_stage()


def _check_token_size(network, tokens, problems):
    sizes = network.token_size
    if not _are_sizes(sizes, network.n_channels):
        problems.append(
            "token_size must be None or give a positive number of samples for each of "
            f"{', '.join(network.n_channels)}, got {sizes!r}"
        )
        return
    for name, part in tokens.items():
        n_times, n_tokens = network.n_times[name], -(-network.n_times[name] // sizes[name])
        problems.expect(
            part.shape[1] in (n_tokens, n_tokens + 1),
            f"token_size must match the number of tokens: {n_times} samples of {name!r} are "
            f"{n_tokens} tokens of {sizes[name]} (one more may come first), got {part.shape[1]}",
        )


def _check_forward(network, copies, signals, expected, problems):
    found = problems.attempt("forward fails", network, **signals)
    problems.demand(
        _shape(found) == _shape(expected),
        f"forward must return the shape {_shape(expected)}, got {describe(found)}",
    )
    problems.demand(
        _are_close(network(**signals), found),
        "in evaluation mode, the same windows must give the same embedding",
    )
    problems.expect(
        _are_close(found, expected),
        "forward must join the parts of embed in the order of n_channels, "
        f"{', '.join(network.n_channels)}, got other values",
    )
    with problems.stage():
        first = {name: x[:1] for name, x in signals.items()}
        alone = problems.attempt("forward fails for one window", network, **first)
        problems.expect(
            _are_close(alone, found[:1]),
            "in evaluation mode, windows must not influence each other, but a window alone "
            "gives another embedding than in a batch",
        )
    for verb, twin in copies.items():
        with problems.stage():
            again = problems.attempt(f"forward fails when {verb}", twin.eval(), **signals)
            same = _are_close(again, found)
            problems.expect(same, f"it gives another embedding when {verb}")


def _check_missing(network, signals, left_out, expected, problems):
    what = f"accepts_missing is True, but forward without {left_out!r}"
    rest = {name: x for name, x in signals.items() if name != left_out}
    found = problems.attempt(f"{what} fails", network, **rest)
    problems.demand(
        _shape(found) == _shape(expected),
        f"{what} does not return the shape {_shape(expected)}, got {describe(found)}",
    )
    problems.expect(torch.isfinite(found).all(), f"{what} gives NaN or infinite values")


def _shape(thing):
    """Return the shape of a tensor; an empty one for anything else."""
    return tuple(thing.shape) if isinstance(thing, torch.Tensor) else ()


def _are_close(x, y):
    """Return whether two tensors are the same but for rounding; NaN equals NaN."""
    tolerance = 1e-4 * float(y.nan_to_num().abs().max())
    return _shape(x) == _shape(y) and torch.allclose(x, y, 0.0, tolerance, equal_nan=True)
