"""The encoder of Sarkar & Etemad: a stack of convolutions per modality."""

import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_list, check_size
from .base import TokenNetwork


class ConvTrunk(nn.Module):
    """Stages of two convolutions that keep the length, with max-pooling between stages."""

    def __init__(self, n_channels, n_filters, kernel_sizes, pool_size, pool_stride):
        super().__init__()
        self.stages = nn.ModuleList()
        n_inputs = (n_channels, *n_filters[:-1])
        for n_in, n_out, kernel_size in zip(n_inputs, n_filters, kernel_sizes, strict=True):
            # Images of height 1, because PyTorch's 1-D convolutions are slower on a CPU.
            stage = [nn.Conv2d(n, n_out, (1, kernel_size)) for n in (n_in, n_out)]
            self.stages.append(nn.ModuleList(stage))
        for conv in (conv for stage in self.stages for conv in stage):
            nn.init.xavier_uniform_(conv.weight)
            nn.init.zeros_(conv.bias)
        self.pool_size = pool_size
        self.pool_stride = pool_stride

    def forward(self, x):  # (batch, n_channels, n_times)
        x = x[:, :, None]
        for i, stage in enumerate(self.stages):
            if i:
                x = F.max_pool2d(x, (1, self.pool_size), (1, self.pool_stride))
            for conv in stage:
                x = F.leaky_relu(conv(self._pad(x, conv.kernel_size[1])), 0.2)
        return x[:, :, 0].transpose(1, 2)  # (batch, n_tokens, n_filters[-1])

    @staticmethod
    def _pad(x, kernel_size):
        x = F.pad(x, ((kernel_size - 1) // 2, kernel_size // 2))
        # In this memory format a training step takes a quarter less time.
        return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


class ConvEncoder(TokenNetwork):
    """The encoder of Sarkar & Etemad: six convolutions, pooled over the whole window.

    Each modality has its own three stages of two convolutions, which keep the length (zeros
    pad the ends) and are followed by a leaky ReLU of slope 0.2. Max-pooling between the stages
    shortens the signal: 2560 samples become 1277, then 635. The embedding of a modality is the
    maximum of the last stage's output over time.

    With the defaults and one channel this is the published network of 329,152 parameters. The
    published windows have 2560 samples: 10 s of ECG at 256 Hz.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Channels, and samples per window, of each modality. ``SSLEncoder`` fills them in.
    n_filters : tuple of int, default=(32, 64, 128)
        Output channels of both convolutions of each stage. The last number is the width of
        the tokens and the size of each modality's part of the embedding.
    kernel_sizes : tuple of int, default=(32, 16, 8)
        Kernel size of both convolutions of each stage, in samples of that stage.
    pool_size, pool_stride : int, default=8 and 2
        Window and stride of the max-pooling between stages, in samples.

    Raises
    ------
    ValueError
        If a window is too short for the max-pooling, or a size is not positive.

    See Also
    --------
    MultimodalTransformer : A transformer that fuses several modalities.
    ECGTransformer : Convolutions and a transformer for one modality.
    physio_ssl.pretext.MultiTaskRecognition : The pretext task of the same paper.

    Notes
    -----
    Initial weights are Glorot uniform and initial biases 0, the defaults of the framework
    that the authors used. Tokens overlap in time, so ``token_size`` is None.

    References
    ----------
    P. Sarkar, A. Etemad, "Self-supervised ECG representation learning for emotion
    recognition", IEEE Transactions on Affective Computing 13(3), 2022.

    Examples
    --------
    >>> import torch
    >>> from physio_ssl.networks import ConvEncoder
    >>> network = ConvEncoder({"ecg": 1}, {"ecg": 640}).eval()
    >>> network(ecg=torch.zeros(2, 1, 640)).shape
    torch.Size([2, 128])
    """

    def __init__(
        self,
        n_channels,
        n_times,
        n_filters=(32, 64, 128),
        kernel_sizes=(32, 16, 8),
        pool_size=8,
        pool_stride=2,
    ):
        super().__init__(n_channels, n_times)
        n_filters = tuple(check_list(n_filters, "n_filters"))
        kernel_sizes = tuple(check_list(kernel_sizes, "kernel_sizes"))
        if len(n_filters) != len(kernel_sizes) or not n_filters:
            raise ValueError(
                "n_filters and kernel_sizes must have one number for each stage, got "
                f"{n_filters} and {kernel_sizes}."
            )
        check_size("each of n_filters", *n_filters)
        check_size("each of kernel_sizes", *kernel_sizes)
        check_size("pool_size", pool_size)
        check_size("pool_stride", pool_stride)
        shortest = 1
        for _ in n_filters[1:]:
            shortest = pool_size + (shortest - 1) * pool_stride
        self._check_length(shortest, "module__pool_size or module__pool_stride")
        self.trunks = nn.ModuleDict(
            {
                name: ConvTrunk(channels, n_filters, kernel_sizes, pool_size, pool_stride)
                for name, channels in n_channels.items()
            }
        )
        self.token_width = dict.fromkeys(n_channels, n_filters[-1])

    def tokens(self, **signals):
        """Turn windows into tokens, (batch, n_tokens, n_filters[-1]) for each modality."""
        return {name: trunk(signals[name]) for name, trunk in self.trunks.items()}

    def embed(self, tokens):
        """Return the maximum over the tokens of each modality, (batch, n_filters[-1])."""
        return {name: part.amax(dim=1) for name, part in tokens.items()}
