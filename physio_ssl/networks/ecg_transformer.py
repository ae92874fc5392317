"""The encoder of Vazquez-Rodriguez et al.: convolutions and a transformer over one ECG."""

from numbers import Integral

import torch
from sklearn.utils import check_scalar
from torch import nn

from .._check import check_choice, check_list, check_size
from ._layers import apply_layers, fast_dropout, make_layers
from .base import TokenNetwork

_EMBEDDINGS = {  # of tokens, (batch, 1 + n_tokens, d_model)
    "cls": lambda tokens: tokens[:, 0],
    "mean": lambda tokens: tokens[:, 1:].mean(dim=1),
    "max": lambda tokens: tokens[:, 1:].amax(dim=1),
    "last": lambda tokens: tokens[:, -1],
}


def _sinusoids(n_positions, d_model):
    """Return the position encodings of Vaswani et al. (2017), (n_positions, d_model)."""
    rates = torch.exp(torch.arange(0, d_model, 2) * (-torch.log(torch.tensor(1e4)) / d_model))
    angles = torch.arange(n_positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :d_model]


def _choose_strides(patch_size, n_convolutions):
    """Return strides whose product is ``patch_size``, as equal as its prime factors allow."""
    strides, factors = [1] * n_convolutions, []
    while patch_size > 1:
        factors.append(next(n for n in range(2, patch_size + 1) if patch_size % n == 0))
        patch_size //= factors[-1]
    for factor in reversed(factors):
        strides[strides.index(min(strides))] *= factor
    return strides


class ECGTransformer(TokenNetwork):
    """The encoder of Vazquez-Rodriguez et al.: convolutions and a transformer over one signal.

    Three convolutions, each followed by ReLU, turn each sample into a token. LayerNorm,
    sinusoidal position encodings, a learnable CLS token in front and post-norm transformer
    layers follow. With ``patch_size=16`` instead of 1, as in the paper, the same network trains
    about thirty times faster.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Leads, and samples per window, of the one modality. ``SSLEncoder`` fills them in.
    patch_size : int, default=1
        Samples per token: the product of the convolutions' strides, which are as equal as
        possible, larger ones first: 16 becomes (4, 2, 2).
    embedding : {"cls", "mean", "max", "last"}, default="cls"
        The embedding: the output of the CLS token (the paper), the mean or the maximum over
        the other tokens, or the last token. ``MaskedPrediction`` does not train the output
        of the CLS token, so use "mean" for an encoder that stays frozen.
    d_model : int, default=256
        Width of the tokens and size of the embedding.
    n_heads, n_layers : int, default=2
        Attention heads, a divisor of ``d_model``, and transformer layers.
    dim_feedforward : int, default=1024
        Hidden width of a transformer layer.
    kernel_sizes : tuple of int, default=(65, 33, 17)
        Kernel size of each convolution, odd, in samples of its input.
    n_filters : tuple of int, default=(64, 128)
        Output channels of all convolutions but the last, which has ``d_model``.
    dropout : float, default=0.1
        Dropout of the tokens and inside the transformer.
    attention_dropout : float, default=0.0
        Dropout of attention weights. Above 0, there is no fused attention. Stock transformer
        layers, and perhaps the paper, use ``dropout``.

    Raises
    ------
    ValueError
        If there are several modalities, ``embedding`` is unknown, or a size is wrong.

    See Also
    --------
    MultimodalTransformer : A transformer that fuses several modalities.
    ConvEncoder : Convolutions only.
    physio_ssl.pretext.MaskedPrediction : The pretext task of the same paper.

    Notes
    -----
    The code of the paper is not public. Kernel sizes, channels and stride are fairly certain,
    the sizes and dropout of the transformer less. The position of the LayerNorm is our choice.

    References
    ----------
    J. Vazquez-Rodriguez, G. Lefebvre, J. Cumin, J. L. Crowley, "Transformer-based
    self-supervised learning for emotion recognition", International Conference on Pattern
    Recognition (ICPR), 2022.

    Examples
    --------
    >>> import torch
    >>> from physio_ssl.networks import ECGTransformer
    >>> network = ECGTransformer({"ecg": 1}, {"ecg": 1280}, patch_size=16, d_model=64).eval()
    >>> network(ecg=torch.zeros(2, 1, 1280)).shape
    torch.Size([2, 64])
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
        super().__init__(n_channels, n_times)
        if len(n_channels) != 1:
            names = ", ".join(n_channels)
            raise ValueError(f"ECGTransformer takes one modality, such as X['ecg'], got {names}.")
        (self.name,) = n_channels
        check_choice("embedding", embedding, tuple(_EMBEDDINGS))
        kernel_sizes = tuple(check_list(kernel_sizes, "kernel_sizes"))
        n_filters = tuple(check_list(n_filters, "n_filters"))
        check_size("d_model", d_model)
        check_size("each of kernel_sizes and n_filters", *kernel_sizes, *n_filters)
        if len(kernel_sizes) != len(n_filters) + 1 or any(size % 2 == 0 for size in kernel_sizes):
            raise ValueError(
                "kernel_sizes must be odd numbers, one more than n_filters has, got "
                f"{tuple(kernel_sizes)} and {tuple(n_filters)}."
            )
        check_scalar(patch_size, "patch_size", Integral, min_val=1, max_val=n_times[self.name])
        self.token_width = {self.name: d_model}
        self.token_size = {self.name: patch_size}
        self.embedding = embedding
        self.dropout = dropout
        sizes = [n_channels[self.name], *n_filters, d_model]
        strides = _choose_strides(patch_size, len(kernel_sizes))
        self.convolutions = nn.Sequential()
        for i, (size, stride) in enumerate(zip(kernel_sizes, strides, strict=True)):
            conv = nn.Conv1d(sizes[i], sizes[i + 1], size, stride, padding=size // 2)
            self.convolutions.extend([conv, nn.ReLU()])
        self.norm = nn.LayerNorm(d_model)
        self.cls = nn.Parameter(0.02 * torch.randn(d_model))
        n_tokens = -(-n_times[self.name] // patch_size)
        self.register_buffer("positions", _sinusoids(n_tokens, d_model), persistent=False)
        layer = (d_model, n_heads, dim_feedforward, dropout, attention_dropout)
        self.layers = make_layers(n_layers, *layer)

    def tokens(self, **signals):
        """Turn windows into tokens, (batch, 1 + n_tokens, d_model), the CLS token first."""
        x = self.norm(self.convolutions(signals[self.name]).transpose(1, 2))
        if x.shape[1] > len(self.positions):
            longest = self.n_times[self.name]
            found = signals[self.name].shape[-1]
            raise ValueError(f"Windows must not exceed the {longest} samples of fit, got {found}.")
        x = x + self.positions[: x.shape[1]]
        x = torch.cat([self.cls.expand(len(x), 1, -1), x], dim=1)
        return {self.name: apply_layers(self.layers, fast_dropout(x, self.dropout, self.training))}

    def embed(self, tokens):
        """Return the tokens' embedding, (batch, d_model)."""
        return {self.name: _EMBEDDINGS[self.embedding](tokens[self.name])}
