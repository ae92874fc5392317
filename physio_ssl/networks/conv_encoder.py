"""Sarkar & Etemad's encoder: a stack of convolutions per modality."""

import torch
from torch import nn
from torch.nn import functional as F


class ConvTrunk(nn.Module):
    """Stages of two convolutions each, which keep the length, with max-pooling in between."""

    def __init__(self, n_channels, n_filters, kernel_sizes, pool_size, pool_stride):
        super().__init__()
        self.stages = nn.ModuleList()
        n_in = n_channels
        for n_out, kernel_size in zip(n_filters, kernel_sizes, strict=True):
            # Images of height 1: PyTorch's convolutions in time are slower on a CPU.
            stage = [nn.Conv2d(n, n_out, (1, kernel_size)) for n in (n_in, n_out)]
            self.stages.append(nn.ModuleList(stage))
            n_in = n_out
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
        x = F.pad(x, ((kernel_size - 1) // 2, kernel_size // 2))  # an even one: more at the end
        # In this format a training step takes a quarter less.
        return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


class ConvEncoder(nn.Module):
    """The encoder of Sarkar & Etemad: six convolutions, pooled over the whole window.

    Three stages of two convolutions, each followed by a leaky ReLU of slope 0.2; they keep
    the length, zeros being added at both ends. Max-pooling between the stages shortens it:
    2560 samples become 1277, then 635. The embedding is, per modality, the maximum over
    what the last stage makes of each time. Several modalities have a trunk each and do not
    meet before their embeddings are joined.

    With the defaults and one channel this is the published network, of 329,152 parameters.
    The paper's windows have 2560 samples: 10 s of ECG at 256 Hz.

    Parameters
    ----------
    n_channels : mapping from str to int
        Modalities, in order, and their numbers of channels. ``SSLEncoder`` fills this in.
    n_times : mapping from str to int
        Samples per window of each modality. ``SSLEncoder`` fills this in.
    n_filters : tuple of int, default=(32, 64, 128)
        Channels of both convolutions of each stage. The last number is the width of the
        tokens, and of each modality's part of the embedding.
    kernel_sizes : tuple of int, default=(32, 16, 8)
        Kernel of both convolutions of each stage, in samples of that stage.
    pool_size : int, default=8
        Samples per maximum between the stages.
    pool_stride : int, default=2
        Samples from one maximum to the next.

    Raises
    ------
    ValueError
        If a window is too short to be pooled, or a size does not fit.

    Notes
    -----
    Initial values are uniform after Glorot, biases 0: what the original's framework does
    by default.

    References
    ----------
    P. Sarkar, A. Etemad, "Self-supervised ECG representation learning for emotion
    recognition", IEEE Transactions on Affective Computing 13(3), 2022.
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
        super().__init__()
        if set(n_channels) != set(n_times):
            raise ValueError(
                "n_channels and n_times must name the same modalities, got "
                f"{', '.join(n_channels)} and {', '.join(n_times)}."
            )
        sizes = [*n_filters, *kernel_sizes]
        if len(n_filters) != len(kernel_sizes) or min(sizes, default=0) < 1:
            raise ValueError(
                "n_filters and kernel_sizes must hold a positive number for each stage, got "
                f"{n_filters} and {kernel_sizes}."
            )
        if pool_size < 1 or pool_stride < 1:
            raise ValueError(
                f"pool_size and pool_stride must be positive, got {pool_size} and {pool_stride}."
            )
        shortest = 1
        for _ in n_filters[1:]:
            shortest = pool_size + (shortest - 1) * pool_stride
        short = {name: n for name, n in n_times.items() if n < shortest}
        if short:
            raise ValueError(
                f"Windows must have at least {shortest} samples to be pooled "
                f"{len(n_filters) - 1} times, got "
                f"{', '.join(f'{name}: {n}' for name, n in short.items())}: use longer "
                "windows, or a smaller module__pool_size or module__pool_stride."
            )
        self.trunks = nn.ModuleDict(
            {
                name: ConvTrunk(channels, n_filters, kernel_sizes, pool_size, pool_stride)
                for name, channels in n_channels.items()
            }
        )
        self.width = n_filters[-1]
        self.n_channels = dict(n_channels)

    @property
    def embedding_size(self):
        """Width of each modality's part of the embedding."""
        return dict.fromkeys(self.trunks, self.width)

    def tokens(self, **signals):
        """Turn signals, each (batch, n_channels, n_times), into tokens per modality.

        Returns
        -------
        dict from str to tensor of shape (batch, n_tokens, n_filters[-1])
        """
        return {name: trunk(signals[name]) for name, trunk in self.trunks.items()}

    def embed(self, tokens):
        """Turn tokens into the embedding of each modality, (batch, n_filters[-1])."""
        return {name: part.amax(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        """Embed signals: (batch, n_modalities * n_filters[-1])."""
        return torch.cat(list(self.embed(self.tokens(**signals)).values()), dim=1)
