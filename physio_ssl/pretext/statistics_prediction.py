"""StatisticsPrediction: predict statistics of whole windows from masked windows."""

import torch
from torch import nn
from torch.nn import functional as F

from ._views import check_mask, draw_mask
from .base import Pretext

_QUANTILES = (0.1, 0.5, 0.9)
_N_STATISTICS = 3 + len(_QUANTILES)


class StatisticsPrediction(Pretext):
    """Predict summary statistics of each channel from a masked window.

    Linear heads on the embedding of a masked window predict the mean, standard deviation, slope
    and the 10, 50 and 90 % quantiles of each channel before masking. Each head sees the
    embedding of all modalities, so a network with ``modality_dropout`` also learns to predict a
    missing modality from the others.

    `MaskedPrediction` asks for every sample. This task, our own, asks for slow properties of the
    whole window, such as the level of arousal, which a linear probe can then read.

    The statistics are standardised over the windows of each batch, so all have the same weight.
    The loss is their mean smooth L1 error (squared up to 1, absolute beyond), summed over
    modalities. The metrics are the mean squared errors of the modalities.

    Parameters
    ----------
    mask_prob : float, default=0.01
        Probability that a sample starts a masked span, drawn for each window and modality: with
        spans of 20 samples, 17 % of a long window are masked.
    mask_length : int, default=20
        Samples per masked span: 5 s at 4 Hz. Masked samples become zero, which suits signals of
        mean 0.

    Raises
    ------
    ValueError
        In ``SSLEncoder.fit``, if the mask is wrong.

    See Also
    --------
    MaskedPrediction : Predict the masked samples themselves.

    Notes
    -----
    Batches need several windows: the statistics of a single one are standardised to 0, and
    nothing is learned.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import StatisticsPrediction
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> task = StatisticsPrediction(mask_length=10)
    >>> SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit_transform(X).shape
    (8, 8)
    """

    def __init__(self, mask_prob=0.01, mask_length=20):
        self.mask_prob = mask_prob
        self.mask_length = mask_length

    def make_heads(self, network):
        """Return a linear layer for each modality."""
        check_mask(self.mask_prob, self.mask_length)
        width = sum(network.embedding_size.values())
        return nn.ModuleDict(
            {
                name: nn.Linear(width, network.n_channels[name] * _N_STATISTICS)
                for name in network.embedding_size
            }
        )

    def make_views(self, signals, rng):
        """Return masked windows and standardised statistics, (batch, n_channels * 6)."""
        inputs, target = {}, {}
        for name, x in signals.items():
            inputs[name] = x.masked_fill(draw_mask(x, self.mask_prob, self.mask_length, rng), 0.0)
            target[name] = _standardize(_compute_statistics(x))
        return inputs, target

    def loss(self, network, heads, inputs, target):
        """Return the sum of the smooth L1 errors and each modality's mean squared error."""
        embeddings = network.embed(network.tokens(**inputs))
        embedding = torch.cat(list(embeddings.values()), dim=1)
        loss, errors = 0.0, {}
        for name, statistics in target.items():
            predicted = heads[name](embedding).float()
            loss = loss + F.smooth_l1_loss(predicted, statistics)
            errors[f"error_{name}"] = F.mse_loss(predicted.detach(), statistics).item()
        return loss, errors


def _compute_statistics(x):
    """Return statistics of each channel: (batch, n_channels, n_times) to (batch, n_statistics)."""
    n_times = x.shape[-1]
    ordered = x.sort(dim=-1).values
    times = torch.linspace(-1, 1, n_times, dtype=x.dtype, device=x.device)
    statistics = [
        x.mean(dim=-1),
        x.std(dim=-1, correction=0),
        (x * times).mean(dim=-1),  # slope, up to a constant factor
        *(ordered[..., round(q * (n_times - 1))] for q in _QUANTILES),
    ]
    return torch.cat(statistics, dim=1)


def _standardize(statistics):
    """Scale each statistic to mean 0 and standard deviation 1 over the batch; constants to 0."""
    centred = statistics - statistics.mean(dim=0)
    scale = statistics.std(dim=0, correction=0)
    # Rounding gives constant statistics a tiny standard deviation.
    constant = scale <= 1e-6 * statistics.abs().amax(dim=0)
    return torch.where(constant, 0.0, centred / torch.where(constant, 1.0, scale))
