"""The pretext task of Vazquez-Rodriguez et al.: predict the values of masked samples."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_choice, check_size
from ._views import check_mask, draw_mask
from .base import Pretext


class MaskedPrediction(Pretext):
    """Predict masked samples from the others.

    Every sample starts a masked span with probability ``mask_prob``; spans may overlap. Masks
    are drawn for each window, modality and epoch, the same for all channels. Each modality has
    its own head, which predicts the samples of each token, so the network must have a
    ``token_size``. The metrics are the mean squared errors on masked samples of the modalities,
    and the loss is their sum.

    Parameters
    ----------
    mask_prob : float, default=0.0325
        Probability that a sample starts a masked span: with spans of 20 samples, 48 % of 1,280
        samples are masked. A window without any span gets one, at random.
    mask_length : int, default=20
        Samples per masked span: 0.16 s at 128 Hz.
    mask_value : {"zero", "noise"}, default="zero"
        What replaces masked samples: zeros (the paper) or standard normal noise. Both suit
        signals of mean 0 and standard deviation 1.
    head_size : int, default=128
        Hidden units of each head.

    Raises
    ------
    ValueError
        In ``SSLEncoder.fit``, if a size, probability or ``mask_value`` is wrong.

    See Also
    --------
    StatisticsPrediction : Predict statistics of masked windows.
    physio_ssl.evaluation.reconstruct_masked : Compare the predictions with interpolation.
    physio_ssl.networks.ECGTransformer : The network of the same paper, with reference.

    Notes
    -----
    Reconstructed from the paper, whose code is not public; some values are uncertain. So are
    its training settings: 500 epochs of Adam with weight decay 5e-3 and a learning rate that
    rises to 1e-3 over 30 epochs and then decays linearly.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import MaskedPrediction
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> task = MaskedPrediction(mask_prob=0.02, mask_length=10)
    >>> encoder = SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit(X)
    >>> encoder.history_[-1, "train_error_signal"] > 0
    True
    """

    def __init__(self, mask_prob=0.0325, mask_length=20, mask_value="zero", head_size=128):
        self.mask_prob = mask_prob
        self.mask_length = mask_length
        self.mask_value = mask_value
        self.head_size = head_size

    def make_heads(self, network):
        """Return a head of two layers for each modality."""
        check_mask(self.mask_prob, self.mask_length)
        check_choice("mask_value", self.mask_value, ("zero", "noise"))
        check_size("head_size", self.head_size)
        if getattr(network, "token_size", None) is None:
            name = type(network).__name__
            raise TypeError(f"MaskedPrediction needs a network with token_size, got {name}.")
        return nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(width, self.head_size),
                    nn.ReLU(),
                    nn.Linear(self.head_size, network.n_channels[name] * network.token_size[name]),
                )
                for name, width in network.token_width.items()
            }
        )

    def make_views(self, signals, rng):
        """Return masked windows and (windows, mask) by modality; masks are (batch, 1, n_times)."""
        inputs, target = {}, {}
        for name, x in signals.items():
            mask = draw_mask(x, self.mask_prob, self.mask_length, rng)
            value = 0.0
            if self.mask_value == "noise":
                value = torch.as_tensor(rng.standard_normal(x.shape, dtype=np.float32)).to(x)
            inputs[name], target[name] = torch.where(mask, value, x), (x, mask)
        return inputs, target

    def loss(self, network, heads, inputs, target):
        """Return the sum of the mean squared errors on masked samples, and each of them."""
        predicted = self.reconstruct(network, heads, inputs)
        loss, errors = 0.0, {}
        for name, (x, mask) in target.items():
            mask = mask.expand_as(x)
            error = F.mse_loss(predicted[name][mask], x[mask])
            loss = loss + error
            errors[f"error_{name}"] = error.item()
        return loss, errors

    def reconstruct(self, network, heads, inputs):
        """Predict all samples of masked windows, masked or not.

        Parameters
        ----------
        network, heads : TokenNetwork and torch.nn.Module
            The network, and what ``make_heads`` returned for it.
        inputs : dict from str to tensor of shape (batch, n_channels, n_times)
            Masked windows of each modality.

        Returns
        -------
        dict from str to tensor of shape (batch, n_channels, n_times)
        """
        predicted, tokens = {}, network.tokens(**inputs)
        for name, x in inputs.items():
            size = network.token_size[name]
            n_tokens = -(-x.shape[-1] // size)
            parts = heads[name](tokens[name][:, -n_tokens:])  # without a CLS token
            parts = parts.unflatten(-1, (x.shape[1], size)).transpose(1, 2).flatten(2)
            predicted[name] = parts[..., : x.shape[-1]]
        return predicted
