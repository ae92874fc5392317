"""A pretext task of our own: predict statistics of whole windows from masked ones."""

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._masks import check_mask, draw_mask

_QUANTILES = (0.1, 0.5, 0.9)
_N_STATISTICS = 3 + len(_QUANTILES)


class StatisticsPrediction(BaseEstimator):
    """Predict how each channel was in the whole window from what a mask left of it.

    The network sees windows of which spans are masked; linear heads on its embedding predict
    of every channel the mean, standard deviation, slope and the quantiles of 10, 50 and 90 %
    before masking. Heads see the embedding of all modalities, so that a network with
    ``modality_dropout`` also learns to tell from the others how a missing one was.

    Where `MaskedPrediction` asks for every sample, this asks for what is slow and of the whole
    window, such as the level of arousal, and for an embedding in which it is linear: what a
    linear probe can use.

    The statistics are standardised over the windows of each batch, so that all count alike;
    the loss is the mean over them of an error that is squared up to 1 and absolute beyond,
    summed over modalities.

    Parameters
    ----------
    mask_prob : float, default=0.01
        Probability that a sample begins a masked span, drawn for each window and modality. With
        spans of 20 samples, 17 % of a long window are masked.
    mask_length : int, default=20
        Samples per masked span: 5 s at 4 Hz. They become zero, which suits signals of mean 0.

    Notes
    -----
    Batches must hold several windows, and differ: of equal windows nothing is learned.
    """

    def __init__(self, mask_prob=0.01, mask_length=20):
        self.mask_prob = mask_prob
        self.mask_length = mask_length

    def make_heads(self, network):
        """Return the trainable heads that this task puts on a network."""
        check_mask(self.mask_prob, self.mask_length)
        if not hasattr(network, "n_channels"):
            raise TypeError(
                "StatisticsPrediction needs a network that tells its n_channels, as those of "
                f"physio_ssl.networks do, got {type(network).__name__}."
            )
        width = sum(network.embedding_size.values())
        return nn.ModuleDict(
            {
                name: nn.Linear(width, network.n_channels[name] * _N_STATISTICS)
                for name in network.embedding_size
            }
        )

    def make_views(self, signals, rng):
        """Mask a batch of windows, and summarise them as they were.

        Parameters
        ----------
        signals : dict from str to tensor of shape (batch, n_channels, n_times)
            The windows.
        rng : numpy.random.Generator
            Source of every random draw.

        Returns
        -------
        inputs : dict from str to tensor of shape (batch, n_channels, n_times)
            Masked windows, of every modality.
        target : dict from str to tensor of shape (batch, n_channels * 6)
            Standardised statistics of every modality.
        """
        inputs, target = {}, {}
        for name, x in signals.items():
            inputs[name] = x.masked_fill(draw_mask(x, self.mask_prob, self.mask_length, rng), 0.0)
            target[name] = _standardize(_summarise(x))
        return inputs, target

    def loss(self, network, heads, inputs, target):
        """Return the loss to minimise and the mean squared error of each modality."""
        embeddings = network.embed(network.tokens(**inputs))
        embedding = torch.cat(list(embeddings.values()), dim=1)
        loss, errors = 0.0, {}
        for name, statistics in target.items():
            predicted = heads[name](embedding).float()
            loss = loss + F.smooth_l1_loss(predicted, statistics)
            errors[f"error_{name}"] = F.mse_loss(predicted.detach(), statistics).item()
        return loss, errors


def _summarise(x):
    """Return statistics of each channel: (batch, n_channels, n_times) to (batch, n_statistics)."""
    n_times = x.shape[-1]
    ordered = x.sort(dim=-1).values
    times = torch.linspace(-1, 1, n_times, dtype=x.dtype, device=x.device)
    statistics = [
        x.mean(dim=-1),
        x.std(dim=-1, correction=0),
        (x * times).mean(dim=-1),  # as a slope, but for a factor, which is standardised away
        *(ordered[..., round(q * (n_times - 1))] for q in _QUANTILES),
    ]
    return torch.cat(statistics, dim=1)


def _standardize(statistics):
    """Give each statistic mean 0 and standard deviation 1 over the batch; constant ones: 0."""
    centred = statistics - statistics.mean(dim=0)
    scale = statistics.std(dim=0, correction=0)
    # rounding gives constant statistics a tiny spread
    constant = scale <= 1e-6 * statistics.abs().amax(dim=0)
    return torch.where(constant, 0.0, centred / torch.where(constant, 1.0, scale))
