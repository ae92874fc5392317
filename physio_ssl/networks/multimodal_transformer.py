"""Paper A's encoder: a TCN per modality, then one transformer over all tokens."""

from numbers import Integral

import torch
from torch import nn
from torch.nn import functional as F

from ._layers import apply_layers, fast_dropout, make_layers


class WeightNormConv1d(nn.Module):
    """Causal convolution whose kernels are a direction ``weight_v`` times a length ``weight_g``.

    torch's own weight normalisation makes modules that cannot be pickled, which joblib needs.
    """

    def __init__(self, n_in, n_out, kernel_size, dilation):
        super().__init__()
        plain = nn.Conv1d(n_in, n_out, kernel_size)  # for the framework's initial values
        self.weight_v = nn.Parameter(plain.weight.detach().clone())
        self.weight_g = nn.Parameter(self._lengths())
        self.bias = nn.Parameter(plain.bias.detach().clone())
        self.dilation = dilation
        self.padding = (kernel_size - 1) * dilation

    def _lengths(self):
        return self.weight_v.detach().norm(dim=(1, 2), keepdim=True)

    def forward(self, x):  # (batch, n_in, n_times)
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(1, 2), keepdim=True))
        x = F.pad(x, (self.padding, 0))
        return F.conv1d(x, weight, self.bias, dilation=self.dilation)  # (batch, n_out, n_times)


class TCNBlock(nn.Module):
    """Two causal convolutions with a residual connection; the length is kept."""

    def __init__(self, n_in, n_out, kernel_size, dilation, dropout):
        super().__init__()
        self.conv1 = WeightNormConv1d(n_in, n_out, kernel_size, dilation)
        self.conv2 = WeightNormConv1d(n_out, n_out, kernel_size, dilation)
        self.residual = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        if n_in != n_out:
            nn.init.normal_(self.residual.weight, 0, 0.01)
        self.dropout = dropout

    def forward(self, x):  # (batch, n_in, n_times)
        h = fast_dropout(F.relu(self.conv1(x)), self.dropout, self.training)
        h = fast_dropout(F.relu(self.conv2(h)), self.dropout, self.training)
        return F.relu(h + self.residual(x))  # (batch, n_out, n_times)


class Tokenizer(nn.Module):
    """Turn the signal of one modality into tokens: TCN, pooling, projection, LayerNorm."""

    def __init__(self, n_channels, n_filters, kernel_size, n_blocks, d_model, dropout, token_size):
        super().__init__()
        self.tcn = nn.Sequential(
            *(
                TCNBlock(n_filters if i else n_channels, n_filters, kernel_size, 2**i, dropout)
                for i in range(n_blocks)
            )
        )
        self.project = nn.Linear(n_filters, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.token_size = token_size

    def forward(self, x):  # (batch, n_channels, n_times)
        x = torch.sigmoid(self.tcn(x))  # (batch, n_filters, n_times)
        if self.token_size > 1:  # a last, shorter token is the mean of what is left
            x = F.avg_pool1d(x, self.token_size, ceil_mode=True)
        x = self.project(x.transpose(1, 2))  # (batch, n_tokens, d_model)
        return self.norm(x * x.shape[-1] ** 0.5)


class MultimodalTransformer(nn.Module):
    """The encoder of Wu, Daoudi & Amad: a TCN per modality and a transformer that fuses them.

    Each modality passes its own TCN (``n_blocks`` residual blocks of two causal,
    weight-normalised convolutions), is pooled into tokens and projected to ``d_model``;
    one transformer attends to the tokens of all modalities. There are no positions.
    The embedding is, per modality, the mean over its tokens.

    With ``modality_dropout`` it learns to do without some modalities: one learned token per
    modality takes the place of all of its tokens where it is missing. The other modalities
    are attended to from there, so the embedding keeps its width, and the part of what is
    missing tells what the others say about it. In training each window misses some at
    random; afterwards, ``tokens`` and ``forward`` may be called without them.

    With ``token_size=1``, ``d_model=128`` and ``attention_dropout=0.2`` this is the
    published network; the defaults differ in these three, which makes training about a
    hundred times faster on a CPU.

    Parameters
    ----------
    n_channels : mapping from str to int
        Modalities, in order, and their numbers of channels. ``SSLEncoder`` fills this in.
    n_times : mapping from str to int
        Samples per window of each modality. ``SSLEncoder`` fills this in.
    token_size : int, mapping from str to int, or None, default=None
        Samples pooled into one token after the TCN. None chooses, per modality, the
        smallest that gives at most 30 tokens per window: 2 s of a 60 s window.
    d_model : int, default=64
        Width of the tokens, and of each modality's part of the embedding. The paper's
        is 128.
    n_heads : int, default=4
        Attention heads; must divide ``d_model``.
    n_layers : int, default=1
        Transformer layers.
    dim_feedforward : int, default=128
        Hidden width of a transformer layer.
    n_filters : int, default=16
        Channels of the TCN.
    kernel_size : int, default=6
        Kernel of each convolution of the TCN, in samples.
    n_blocks : int, default=2
        Blocks of the TCN; block ``i`` is dilated by ``2**i``.
    dropout : float, default=0.2
        Dropout in the TCN and the transformer.
    attention_dropout : float, default=0.0
        Dropout of attention weights. The paper's is 0.2; above 0 neither CPUs nor GPUs
        can use their fused attention.
    modality_dropout : float, default=0.0
        Probability, in training, that a modality of a window is dropped; of a window that
        would lose all, one drawn at random is kept. At 0 (the paper) all modalities are
        always needed.

    Raises
    ------
    ValueError
        If a window is shorter than the TCN's receptive field, or a size does not fit.

    References
    ----------
    Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
    learning for wearable emotion recognition", IEEE Transactions on Affective Computing
    15(1), 2024.

    Examples
    --------
    An encoder that still embeds the windows of a device without skin temperature:

    >>> import numpy as np
    >>> from physio_ssl import SignalDict, SSLEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = SignalDict(bvp=rng.normal(size=(8, 1, 160)), temp=rng.normal(size=(8, 1, 40)))
    >>> small = {"module__d_model": 8, "max_epochs": 1, "random_state": 0}
    >>> encoder = SSLEncoder(module__modality_dropout=0.3, **small).fit(X)
    >>> encoder.transform(X).shape
    (8, 16)
    >>> encoder.transform(SignalDict(bvp=X["bvp"])).shape
    (8, 16)
    """

    def __init__(
        self,
        n_channels,
        n_times,
        token_size=None,
        d_model=64,
        n_heads=4,
        n_layers=1,
        dim_feedforward=128,
        n_filters=16,
        kernel_size=6,
        n_blocks=2,
        dropout=0.2,
        attention_dropout=0.0,
        modality_dropout=0.0,
    ):
        super().__init__()
        if set(n_channels) != set(n_times):
            raise ValueError(
                "n_channels and n_times must name the same modalities, got "
                f"{', '.join(n_channels)} and {', '.join(n_times)}."
            )
        n_times = {name: n_times[name] for name in n_channels}
        self.receptive_field = 1 + 2 * (kernel_size - 1) * (2**n_blocks - 1)
        short = {name: n for name, n in n_times.items() if n < self.receptive_field}
        if short:
            raise ValueError(
                "Windows must not be shorter than the network's receptive field of "
                f"{self.receptive_field} samples, got {_join(short)}: use longer windows, or "
                "a smaller module__kernel_size or module__n_blocks."
            )
        if not 0 <= modality_dropout < 1:
            raise ValueError(
                f"modality_dropout must be at least 0 and below 1, got {modality_dropout}."
            )
        self.tokenizers = nn.ModuleDict(
            {
                name: Tokenizer(channels, n_filters, kernel_size, n_blocks, d_model, dropout, size)
                for (name, channels), size in zip(
                    n_channels.items(), _token_sizes(token_size, n_times), strict=True
                )
            }
        )
        self.layers = make_layers(
            n_layers, d_model, n_heads, dim_feedforward, dropout, attention_dropout
        )
        self.d_model = d_model
        self.n_channels = dict(n_channels)
        self.n_tokens = {name: -(-n // self.token_size[name]) for name, n in n_times.items()}
        self.modality_dropout = modality_dropout
        if modality_dropout:
            self.missing = nn.ParameterDict(
                {name: nn.Parameter(self._flat_token(name, n)) for name, n in n_times.items()}
            )

    @property
    def embedding_size(self):
        """Width of each modality's part of the embedding."""
        return dict.fromkeys(self.tokenizers, self.d_model)

    @property
    def token_width(self):
        """Width of each modality's tokens."""
        return self.embedding_size

    @property
    def token_size(self):
        """Samples that a token of each modality stands for."""
        return {name: tokenizer.token_size for name, tokenizer in self.tokenizers.items()}

    def tokens(self, **signals):
        """Turn signals, each (batch, n_channels, n_times), into tokens per modality.

        With ``modality_dropout``, modalities may be left out; they have tokens nevertheless.

        Returns
        -------
        dict from str to tensor of shape (batch, n_tokens, d_model)
        """
        self._check_modalities(signals)
        tokens = {
            name: tokenizer(signals[name])
            for name, tokenizer in self.tokenizers.items()
            if name in signals
        }
        if self.modality_dropout:
            tokens = self._fill_in(self._drop(tokens) if self.training else tokens)
        x = torch.cat(list(tokens.values()), dim=1)  # (batch, all tokens, d_model)
        x = apply_layers(self.layers, x)
        parts = x.split([part.shape[1] for part in tokens.values()], dim=1)
        return dict(zip(tokens, parts, strict=True))

    def embed(self, tokens):
        """Turn tokens into the embedding of each modality, (batch, d_model)."""
        return {name: part.mean(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        """Embed signals: (batch, n_modalities * d_model)."""
        return torch.cat(list(self.embed(self.tokens(**signals)).values()), dim=1)

    @torch.no_grad()
    def _flat_token(self, name, n_times):
        """Return the mean token of a window of zeros.

        Scaled signals have a mean of 0, so a missing one is at first taken for one that does
        not change: less new to the layers, and to heads, than a vector drawn at random.
        """
        tokenizer = self.tokenizers[name].eval()  # dropout would draw, and change other values
        token = tokenizer(torch.zeros(1, self.n_channels[name], n_times)).mean(dim=(0, 1))
        tokenizer.train()
        return token

    def _check_modalities(self, signals):
        known, given = set(self.tokenizers), set(signals)
        if given == known or (self.modality_dropout and given and given < known):
            return
        rule = "some or all of" if self.modality_dropout else "all of, without modality_dropout,"
        raise ValueError(
            f"Signals must be of {rule} the modalities {', '.join(self.tokenizers)}, got "
            f"{', '.join(signals) or 'none'}."
        )

    def _drop(self, tokens):
        """Put the learned token in the place of modalities drawn for each window."""
        first = next(iter(tokens.values()))
        draws = torch.rand(len(first), len(tokens), device=first.device)
        # A window's highest draw is kept: it is below the probability only where all are.
        kept = draws == draws.amax(dim=1, keepdim=True)
        dropped = (draws < self.modality_dropout) & ~kept  # (batch, n_modalities)
        return {
            name: torch.where(rows[:, None, None], self.missing[name].to(part.dtype), part)
            for (name, part), rows in zip(tokens.items(), dropped.T, strict=True)
        }

    def _fill_in(self, tokens):
        """Add the learned token, as often as needed, of each modality that has no tokens."""
        like = next(iter(tokens.values()))
        return {
            name: tokens[name]
            if name in tokens
            else self.missing[name].to(like.dtype).expand(len(like), self.n_tokens[name], -1)
            for name in self.tokenizers
        }


def _token_sizes(token_size, n_times):
    """Return the token size of each modality, in order."""
    if token_size is None:
        return [-(-n // 30) for n in n_times.values()]
    if isinstance(token_size, Integral):
        token_size = dict.fromkeys(n_times, token_size)
    if set(token_size) != set(n_times) or any(size < 1 for size in token_size.values()):
        raise ValueError(
            "token_size must be a positive number of samples, or give one for each of the "
            f"modalities {', '.join(n_times)}, got {_join(token_size)}."
        )
    return [token_size[name] for name in n_times]


def _join(mapping):
    return ", ".join(f"{name}: {value}" for name, value in mapping.items())
