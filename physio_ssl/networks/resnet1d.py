"""A residual network of convolutions over time, one trunk per modality."""

import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_kind, check_list, check_probability, check_size
from ._layers import draw_dropped
from .base import TokenNetwork

_SHORTEST = 8  # samples, below which a block no longer halves the length


class _Conv(nn.Conv2d):
    """A convolution over time that pads the ends with zeros, followed by batch norm."""

    # Images of height 1, because PyTorch's 1-D convolutions are slower on a CPU.
    def __init__(self, n_in, n_out, kernel_size, stride=1):
        padding = (0, kernel_size // 2)
        super().__init__(n_in, n_out, (1, kernel_size), (1, stride), padding, bias=False)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x):
        return self.norm(super().forward(x))


class _Block(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, n_in, n_out, kernel_size, stride):
        super().__init__()
        self.conv1 = _Conv(n_in, n_out, kernel_size, stride)
        self.conv2 = _Conv(n_out, n_out, kernel_size)
        nn.init.zeros_(self.conv2.norm.weight)  # at first, the block is its shortcut
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else _Conv(n_in, n_out, 1, stride)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class _Trunk(nn.Sequential):
    """The stem and the blocks of one modality."""

    def __init__(self, n_channels, n_times, widths, kernel_size, stem_kernel_size):
        self.token_size, length = 2, -(-n_times // 2)
        layers = [_Conv(n_channels, widths[0], stem_kernel_size, 2), nn.ReLU()]
        for n_in, n_out in zip((widths[0], *widths[:-1]), widths, strict=True):
            stride = 1 + (length > _SHORTEST)
            layers.append(_Block(n_in, n_out, kernel_size, stride))
            self.token_size, length = self.token_size * stride, -(-length // stride)
        token_size = self.token_size
        super().__init__(*layers)
        self.token_size = token_size

    def forward(self, x):  # (batch, n_channels, n_times)
        x = x[:, :, None]
        if x.device.type == "cpu":  # in this memory format training is faster
            x = x.contiguous(memory_format=torch.channels_last)
        return super().forward(x)[:, :, 0].mT  # (batch, n_tokens, widths[-1])


class ResNet1d(TokenNetwork):
    """A residual network of 1-D convolutions, pooled over time.

    Each modality has its own trunk: a convolution with stride 2, then residual blocks of two
    convolutions that each halve the length, as long as more than 8 samples are left. So a
    modality may have any sampling rate. The embedding of a modality holds, at first, the mean and
    the standard deviation of its tokens over the window.

    A good default on a CPU for shapes and rhythms, such as those of the ECG and the pulse.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Channels, and samples per window, of each modality. ``SSLEncoder`` fills them in.
    widths : tuple of int, default=(32, 48, 64, 96, 128)
        Output channels of each block. The last one is the width of the tokens.
    kernel_size : int, default=9
        Samples of each convolution of the blocks, an odd number.
    stem_kernel_size : int, default=15
        Samples of the first convolution, an odd number.
    modality_dropout : float, default=0.0
        Probability that the embedding of a modality of a window is zeroed in training; one is
        always kept. Above 0, the network also works without some modalities: their parts are 0.
    standardize_windows : bool, default=False
        Whether to scale each channel of each window to mean 0 and standard deviation 1 first: for
        signals whose level and gain mean nothing, such as the ECG of unlike devices.
    pooling : tuple of str, default=("mean", "std")
        What of the tokens the embedding holds, one or more of "mean", "std", "slope" and
        "curvature". The last two are the coefficients of a line and of a parabola over the window:
        they tell what comes first, which the mean and deviation of tokens do not know.

    Raises
    ------
    ValueError
        If a size is not a positive integer, a kernel size is even, or pooling is unknown.

    See Also
    --------
    ConvEncoder : Plain convolutions with max-pooling.
    MultimodalTransformer : A transformer that fuses several modalities.
    physio_ssl.pretext.FeaturePrediction : A task that suits this network.

    References
    ----------
    K. He et al., "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from physio_ssl.networks import ResNet1d
    >>> network = ResNet1d({"ecg": 1}, {"ecg": 1280}, widths=(8, 16)).eval()
    >>> network(ecg=torch.zeros(5, 1, 1280)).shape
    torch.Size([5, 32])
    """

    def __init__(
        self,
        n_channels,
        n_times,
        widths=(32, 48, 64, 96, 128),
        kernel_size=9,
        stem_kernel_size=15,
        modality_dropout=0.0,
        standardize_windows=False,
        pooling=("mean", "std"),
    ):
        super().__init__(n_channels, n_times)
        widths = check_list(widths, "widths")
        check_size("each of widths", *widths)
        if not widths:
            raise ValueError("widths must hold a positive integer, got none.")
        check_kind(standardize_windows, "standardize_windows", bool, "True or False")
        for name, size in (("kernel_size", kernel_size), ("stem_kernel_size", stem_kernel_size)):
            check_size(name, size)
            if size % 2 == 0:
                raise ValueError(f"{name} must be a positive odd number, got {size!r}.")
        check_probability("modality_dropout", modality_dropout)
        pooling = tuple(check_list(pooling, "pooling", of=str))
        if not pooling or len({*pooling}) < len(pooling) or not {*pooling} <= {*_POOLING}:
            raise ValueError(f"pooling must hold some of {', '.join(_POOLING)}, got {pooling}.")
        self.pooling = pooling
        sizes = (tuple(widths), kernel_size, stem_kernel_size)
        self.trunks = nn.ModuleDict(
            {name: _Trunk(n, self.n_times[name], *sizes) for name, n in self.n_channels.items()}
        )
        self.token_width = dict.fromkeys(n_channels, widths[-1])
        self.token_size = {name: trunk.token_size for name, trunk in self.trunks.items()}
        self.standardize_windows = standardize_windows
        self.modality_dropout = modality_dropout
        self.accepts_missing = modality_dropout > 0

    @property
    def embedding_size(self):
        """Size of each modality's part of the embedding: the width of its tokens per pooling."""
        return {name: len(self.pooling) * width for name, width in self.token_width.items()}

    def tokens(self, **signals):
        """Turn windows into tokens, (batch, n_tokens, widths[-1]) for each modality given."""
        known, given = set(self.trunks), set(signals)
        if given != known and not (self.accepts_missing and given and given < known):
            raise ValueError(
                f"Signals must be {', '.join(self.trunks)} (all, without modality_dropout), "
                f"got {', '.join(signals) or 'none'}."
            )
        if self.standardize_windows:
            signals = {name: _standardize(x) for name, x in signals.items()}
        return {name: self.trunks[name](signals[name]) for name in self.trunks if name in given}

    def embed(self, tokens):
        """Return the pooled tokens of each modality."""
        parts = {name: self._pool(part) for name, part in tokens.items()}
        if self.modality_dropout and self.training:
            parts = self._drop(parts)
        like = next(iter(parts.values()))
        return {
            name: parts[name] if name in parts else like.new_zeros(len(like), size)
            for name, size in self.embedding_size.items()
        }

    def _pool(self, tokens):
        mean = tokens.mean(dim=1)
        centred = tokens - mean[:, None]
        return torch.cat([_POOLING[name](mean, centred) for name in self.pooling], dim=1)

    def _drop(self, parts):
        first = next(iter(parts.values()))
        dropped = draw_dropped(len(first), len(parts), self.modality_dropout, first.device)
        return {
            name: part.masked_fill(rows[:, None], 0.0)
            for (name, part), rows in zip(parts.items(), dropped.T, strict=True)
        }


def _standardize(x):
    """Scale each channel of each window; a constant becomes 0."""
    centred = x - x.mean(dim=-1, keepdim=True)
    scale = centred.square().mean(dim=-1, keepdim=True).sqrt()
    # rounding leaves a constant a tiny spread
    constant = scale <= 1e-5 * x.abs().amax(dim=-1, keepdim=True)
    return torch.where(constant, 0.0, centred / torch.where(constant, 1.0, scale))


def _fit_power(centred, power):
    """Return the coefficient of a power of the time, from -1 to 1, in a least-squares fit."""
    time = torch.linspace(-1, 1, centred.shape[1], dtype=centred.dtype, device=centred.device)
    basis = time**power - (time**power).mean()
    size = basis.square().mean().clamp_min(1e-12)  # 0 for one token
    return (centred * basis[:, None]).mean(dim=1) / size


_POOLING = {
    "mean": lambda mean, centred: mean,
    # a root has no slope at 0
    "std": lambda mean, centred: (centred.square().mean(dim=1) + 1e-5).sqrt(),
    "slope": lambda mean, centred: _fit_power(centred, 1),
    "curvature": lambda mean, centred: _fit_power(centred, 2),
}
