"""Paper B's encoder: convolutions, a CLS token and a transformer over one ECG."""

from numbers import Integral

import torch
from torch import nn

from ._layers import apply_layers, fast_dropout, make_layers

_EMBEDDINGS = ("cls", "mean", "max", "last")


def _sinusoids(n_positions, d_model):
    """Return the positions of Vaswani et al. (2017), (n_positions, d_model)."""
    rates = torch.exp(torch.arange(0, d_model, 2) * (-torch.log(torch.tensor(1e4)) / d_model))
    angles = torch.arange(n_positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :d_model]


def _share_out(patch_size, n_convolutions):
    """Return strides whose product is ``patch_size``, as equal as its prime factors allow."""
    strides, factor = [1] * n_convolutions, 2
    factors = []
    while patch_size > 1:
        while patch_size % factor == 0:
            factors.append(factor)
            patch_size //= factor
        factor += 1
    for factor in reversed(factors):
        strides[strides.index(min(strides))] *= factor
    return strides


class ECGTransformer(nn.Module):
    """The encoder of Vazquez-Rodriguez et al.: convolutions and a transformer over one signal.

    Three convolutions, each followed by ReLU, turn each sample into a token; LayerNorm,
    sinusoidal positions, a learnable CLS token in front and post-norm transformer layers
    follow. No code was published: the kernels, channels and stride are known with fair
    confidence, the sizes of the transformer and its dropout less so, and where the
    LayerNorm stands is our choice.

    ``patch_size=1`` is the paper, and slow: it makes a token of every sample. With 16, the
    same network trains about thirty times faster.

    Parameters
    ----------
    n_channels : mapping from str to int
        The one modality, and its number of channels (leads). ``SSLEncoder`` fills this in.
    n_times : mapping from str to int
        Samples per window. ``SSLEncoder`` fills this in.
    patch_size : int, default=1
        Samples per token: the product of the convolutions' strides, which share its prime
        factors, the first ones more; 16 becomes (4, 2, 2).
    embedding : {"cls", "mean", "max", "last"}, default="cls"
        What becomes the embedding: the output of the CLS token (the paper), the mean or the
        maximum over the others, or the last one. No loss of ``MaskedPrediction`` reaches
        the CLS token's output: where the encoder is to stay frozen take "mean".
    d_model : int, default=256
        Width of the tokens, and of the embedding.
    n_heads : int, default=2
        Attention heads; must divide ``d_model``.
    n_layers : int, default=2
        Transformer layers.
    dim_feedforward : int, default=1024
        Hidden width of a transformer layer.
    kernel_sizes : tuple of int, default=(65, 33, 17)
        Kernel of each convolution, odd, in samples of its input.
    n_filters : tuple of int, default=(64, 128)
        Channels of each convolution but the last, which has ``d_model``.
    dropout : float, default=0.1
        Dropout of the tokens and in the transformer.
    attention_dropout : float, default=0.0
        Dropout of attention weights; above 0 neither CPUs nor GPUs can use their fused
        attention. Stock transformer layers, and so perhaps the paper, use ``dropout``.

    Raises
    ------
    ValueError
        If there are several modalities, or a size does not fit.

    References
    ----------
    J. Vazquez-Rodriguez, G. Lefebvre, J. Cumin, J. L. Crowley, "Transformer-based
    self-supervised learning for emotion recognition", International Conference on Pattern
    Recognition (ICPR), 2022.
    """

    def __init__(
        self,
        n_channels,
        n_times,
        patch_size=1,
        embedding="cls",
        d_model=256,
        n_heads=2,
        n_layers=2,
        dim_feedforward=1024,
        kernel_sizes=(65, 33, 17),
        n_filters=(64, 128),
        dropout=0.1,
        attention_dropout=0.0,
    ):
        super().__init__()
        if len(n_channels) != 1 or set(n_channels) != set(n_times):
            raise ValueError(
                f"ECGTransformer takes one modality, got {', '.join(n_channels)}: select one, "
                "e.g. X['ecg'], or use MultimodalTransformer."
            )
        if embedding not in _EMBEDDINGS:
            raise ValueError(
                f"embedding must be one of {', '.join(_EMBEDDINGS)}, got {embedding!r}."
            )
        if len(kernel_sizes) != len(n_filters) + 1 or any(size % 2 == 0 for size in kernel_sizes):
            raise ValueError(
                "kernel_sizes must be odd, and one more than n_filters, got "
                f"{tuple(kernel_sizes)} and {tuple(n_filters)}."
            )
        (self.name,) = n_channels
        if not isinstance(patch_size, Integral) or not 1 <= patch_size <= n_times[self.name]:
            raise ValueError(
                "patch_size must be an integer between 1 and the window's length, got "
                f"{patch_size} for {n_times[self.name]} samples."
            )
        self.n_channels = dict(n_channels)
        self.token_size = {self.name: patch_size}
        self.embedding = embedding
        self.dropout = dropout
        sizes = [n_channels[self.name], *n_filters, d_model]
        convolutions = []
        strides = _share_out(patch_size, len(kernel_sizes))
        for i, (kernel, stride) in enumerate(zip(kernel_sizes, strides, strict=True)):
            convolutions += [
                nn.Conv1d(sizes[i], sizes[i + 1], kernel, stride, padding=kernel // 2),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*convolutions)
        self.norm = nn.LayerNorm(d_model)
        self.cls = nn.Parameter(0.02 * torch.randn(d_model))
        n_tokens = -(-n_times[self.name] // patch_size)
        self.register_buffer("positions", _sinusoids(n_tokens, d_model), persistent=False)
        self.layers = make_layers(
            n_layers, d_model, n_heads, dim_feedforward, dropout, attention_dropout
        )

    @property
    def embedding_size(self):
        """Width of the embedding."""
        return {self.name: len(self.cls)}

    @property
    def token_width(self):
        """Width of the tokens."""
        return self.embedding_size

    def tokens(self, **signals):
        """Turn signals, (batch, n_channels, n_times), into tokens.

        Returns
        -------
        dict from str to tensor of shape (batch, 1 + n_tokens, d_model)
            The CLS token comes first.
        """
        x = self.norm(self.convolutions(signals[self.name]).transpose(1, 2))
        if x.shape[1] > len(self.positions):
            longest = len(self.positions) * self.token_size[self.name]
            raise ValueError(
                f"There are positions for windows of up to {longest} samples, got "
                f"{signals[self.name].shape[-1]}."
            )
        x = x + self.positions[: x.shape[1]]
        x = torch.cat([self.cls.expand(len(x), 1, -1), x], dim=1)
        return {self.name: apply_layers(self.layers, fast_dropout(x, self.dropout, self.training))}

    def embed(self, tokens):
        """Turn tokens into the embedding, (batch, d_model)."""
        x = tokens[self.name]
        if self.embedding == "cls":
            return {self.name: x[:, 0]}
        x = x[:, 1:]
        if self.embedding == "last":
            return {self.name: x[:, -1]}
        return {self.name: x.mean(dim=1) if self.embedding == "mean" else x.amax(dim=1)}

    def forward(self, **signals):
        """Embed signals: (batch, d_model)."""
        return self.embed(self.tokens(**signals))[self.name]
