"""The encoder of Wu, Daoudi & Amad: a TCN per modality, then one transformer."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_number, check_probability, check_size
from ._layers import apply_layers, draw_dropped, fast_dropout, make_layers
from .base import TokenNetwork


class WeightNormConv1d(nn.Module):
    """Causal convolution whose kernels are a direction ``weight_v`` times a length ``weight_g``.

    Modules with torch's own weight normalisation cannot be pickled, which joblib needs.
    """

    def __init__(self, n_in, n_out, kernel_size, dilation):
        super().__init__()
        plain = nn.Conv1d(n_in, n_out, kernel_size)  # for PyTorch's initial values
        self.weight_v = nn.Parameter(plain.weight.detach().clone())
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(1, 2)))  # (n_out,)
        self.bias = nn.Parameter(plain.bias.detach().clone())
        self.dilation = dilation
        self.padding = (kernel_size - 1) * dilation

    def forward(self, x):  # (batch, n_in, n_times)
        scale = self.weight_g / self.weight_v.norm(dim=(1, 2))  # (n_out,)
        weight = self.weight_v * scale[:, None, None]
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
    """Turn the signal of one modality into tokens: TCN, pooling, projection, LayerNorm.

    Without blocks there is no TCN: samples are pooled and projected.
    """

    def __init__(self, n_channels, n_filters, kernel_size, n_blocks, d_model, dropout, token_size):
        super().__init__()
        self.tcn = nn.Sequential(
            *(
                TCNBlock(n_filters if i else n_channels, n_filters, kernel_size, 2**i, dropout)
                for i in range(n_blocks)
            )
        )
        self.project = nn.Linear(n_filters if n_blocks else n_channels, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.token_size = token_size

    def forward(self, x):  # (batch, n_channels, n_times)
        if len(self.tcn):
            x = torch.sigmoid(self.tcn(x))  # (batch, n_filters, n_times)
        if self.token_size > 1:  # a shorter last token is the mean of the samples left
            x = F.avg_pool1d(x, self.token_size, ceil_mode=True)
        x = self.project(x.transpose(1, 2))  # (batch, n_tokens, d_model)
        return self.norm(x * x.shape[-1] ** 0.5)


class MultimodalTransformer(TokenNetwork):
    """The encoder of Wu, Daoudi & Amad: a TCN per modality and a transformer that fuses them.

    Each modality has its own TCN of ``n_blocks`` residual blocks of two causal,
    weight-normalised convolutions. Its output is pooled into tokens and projected to
    ``d_model``. One transformer attends to the tokens of all modalities, without position
    encodings. The embedding of a modality is the mean over its tokens.

    With ``modality_dropout``, ``accepts_missing`` is True: the network also works without some
    of the modalities. Training then drops modalities from windows at random, and one learned
    token per modality replaces all tokens of that modality. These tokens attend to the other
    modalities, so the part of a missing modality holds what the others predict about it.

    With ``token_size=1``, ``d_model=128`` and ``attention_dropout=0.2`` this is the
    published network. The defaults make training about a hundred times faster on a CPU.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Channels, and samples per window, of each modality. ``SSLEncoder`` fills them in.
    token_size : int, mapping from str to int, or None, default=None
        Samples pooled into one token after the TCN. None chooses, for each modality, the
        smallest number that gives at most 30 tokens per window: 2 s of a 60 s window.
    d_model : int, default=64
        Width of the tokens and size of each modality's part of the embedding.
    n_heads, n_layers : int, default=4 and 1
        Attention heads, a divisor of ``d_model``, and transformer layers.
    dim_feedforward : int, default=128
        Hidden width of a transformer layer.
    n_filters, kernel_size : int, default=16 and 6
        Output channels, and kernel size in samples, of each convolution of the TCN.
    n_blocks : int, default=2
        Blocks of the TCN. Block ``i`` has the dilation ``2**i``. With 0, there is no TCN and no
        sigmoid after it: the mean sample of each token is projected.
    dropout : float, default=0.2
        Dropout in the TCN and the transformer.
    attention_dropout : float, default=0.0
        Dropout of attention weights. Above 0, there is no fused attention, which is faster.
    modality_dropout : float, default=0.0
        Probability that a modality of a window is dropped in training; one is always kept, drawn
        at random. With 0 (the paper) all modalities are needed.
    norm : {"layer", "batch"}, default="layer"
        Normalisation in the transformer: LayerNorm, or batch norm over all tokens of a batch.

    Raises
    ------
    ValueError
        If a window is shorter than the TCN's receptive field, or a size is not allowed.

    See Also
    --------
    ECGTransformer : Convolutions and a transformer for one modality.
    ConvEncoder : Convolutions only.
    physio_ssl.pretext.TransformRecognition : The pretext task of the same paper.

    References
    ----------
    Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
    learning for wearable emotion recognition", IEEE Transactions on Affective Computing
    15(1), 2024.

    Examples
    --------
    An encoder that also embeds windows without skin temperature:

    >>> import numpy as np
    >>> from physio_ssl import SignalDict, SSLEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = SignalDict(bvp=rng.normal(size=(8, 1, 160)), temp=rng.normal(size=(8, 1, 40)))
    >>> encoder = SSLEncoder(module__modality_dropout=0.3, module__d_model=8, max_epochs=1).fit(X)
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
        norm="layer",
    ):
        super().__init__(n_channels, n_times)
        sizes = {"d_model": d_model, "n_filters": n_filters, "kernel_size": kernel_size}
        for name, size in sizes.items():
            check_size(name, size)
        check_size("n_blocks", n_blocks, lowest=0)
        check_number(n_blocks, "n_blocks", high=24, rule="at most 24")  # as widths double
        self.receptive_field = 1 + 2 * (kernel_size - 1) * (2**n_blocks - 1)
        self._check_length(self.receptive_field, "module__kernel_size or module__n_blocks")
        check_probability("dropout", dropout)
        check_probability("modality_dropout", modality_dropout)
        self.token_width = dict.fromkeys(n_channels, d_model)
        self.token_size = sizes = _token_sizes(token_size, self.n_times)
        self.accepts_missing = modality_dropout > 0
        self.tokenizers = nn.ModuleDict(
            {
                name: Tokenizer(n, n_filters, kernel_size, n_blocks, d_model, dropout, sizes[name])
                for name, n in n_channels.items()
            }
        )
        layer = (d_model, n_heads, dim_feedforward, dropout, attention_dropout, norm)
        self.layers = make_layers(n_layers, *layer)
        self.modality_dropout = modality_dropout
        if modality_dropout:
            self.missing = nn.ParameterDict(
                {name: nn.Parameter(self._flat_token(name)) for name in n_channels}
            )

    def tokens(self, **signals):
        """Turn windows into tokens, (batch, n_tokens, d_model) for each modality."""
        known, given = set(self.tokenizers), set(signals)
        if given != known and not (self.modality_dropout and given and given < known):
            raise ValueError(
                f"Signals must be {', '.join(self.tokenizers)} (all, without modality_dropout), "
                f"got {', '.join(signals) or 'none'}."
            )
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

    @torch.no_grad()
    def _flat_token(self, name):
        """Return the mean token of a window of zeros, from which training starts faster."""
        tokenizer = self.tokenizers[name].eval()  # no dropout, which would draw random numbers
        tokens = tokenizer(torch.zeros(1, self.n_channels[name], self.n_times[name]))
        tokenizer.train()
        return tokens.mean(dim=(0, 1))

    def _drop(self, tokens):
        """Replace the tokens of randomly dropped modalities by the learned token."""
        first = next(iter(tokens.values()))
        dropped = draw_dropped(len(first), len(tokens), self.modality_dropout, first.device)
        return {
            name: torch.where(rows[:, None, None], self.missing[name].to(part.dtype), part)
            for (name, part), rows in zip(tokens.items(), dropped.T, strict=True)
        }

    def _fill_in(self, tokens):
        """Return the tokens of all modalities: missing ones repeat the learned token."""
        like = next(iter(tokens.values()))
        filled = {}
        for name, n_times in self.n_times.items():
            n_tokens = -(-n_times // self.token_size[name])
            missing = self.missing[name].to(like.dtype).expand(len(like), n_tokens, -1)
            filled[name] = tokens.get(name, missing)
        return filled


def _token_sizes(token_size, n_times):
    """Return the token size of each modality."""
    if token_size is None:
        return {name: -(-n // 30) for name, n in n_times.items()}
    sizes = token_size if isinstance(token_size, Mapping) else dict.fromkeys(n_times, token_size)
    if set(sizes) != set(n_times):
        names = ", ".join(n_times)
        raise ValueError(f"token_size must be one number or one each of {names}, got {token_size}.")
    check_size("token_size of each modality", *sizes.values())
    return {name: sizes[name] for name in n_times}
