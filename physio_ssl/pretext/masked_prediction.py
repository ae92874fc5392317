"""Paper B's pretext task: predict the values of masked samples."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._masks import check_mask, draw_mask

_MASK_VALUES = ("zero", "noise")


class MaskedPrediction(BaseEstimator):
    """Predict the samples that were masked from those that were not.

    Every sample begins a masked span with probability ``mask_prob``; spans may overlap. Masks are
    drawn anew for each window, modality and pass; all channels of a modality are masked
    together. Each modality has a head of its own, which predicts from each token the
    samples that it stands for. The loss is the mean squared error on masked samples, summed
    over modalities.

    Parameters
    ----------
    mask_prob : float, default=0.0325
        Probability that a sample begins a span. With spans of 20 samples, 48 % of a window
        of 1,280 are masked. A window in which no span begins gets one, at random.
    mask_length : int, default=20
        Samples per masked span: 0.16 s at 128 Hz.
    mask_value : {"zero", "noise"}, default="zero"
        What takes the place of masked samples in the network's input: zeros (the paper), or
        standard normal noise. Either suits signals of mean 0 and standard deviation 1.
    head_size : int, default=128
        Hidden units of each head.

    Notes
    -----
    The values come from memory of the paper, whose code is not public, and are held with
    medium confidence, as are its training settings: 500 passes of Adam, with weight decay
    5e-3, at a rate that rises over 30 passes to 1e-3 and then falls in a line.

    References
    ----------
    J. Vazquez-Rodriguez, G. Lefebvre, J. Cumin, J. L. Crowley, "Transformer-based
    self-supervised learning for emotion recognition", International Conference on Pattern
    Recognition (ICPR), 2022.
    """

    def __init__(self, mask_prob=0.0325, mask_length=20, mask_value="zero", head_size=128):
        self.mask_prob = mask_prob
        self.mask_length = mask_length
        self.mask_value = mask_value
        self.head_size = head_size

    def make_heads(self, network):
        """Return the trainable heads that this task puts on a network."""
        check_mask(self.mask_prob, self.mask_length)
        if self.mask_value not in _MASK_VALUES:
            raise ValueError(
                f"mask_value must be one of {', '.join(_MASK_VALUES)}, got {self.mask_value!r}."
            )
        if not hasattr(network, "token_size"):
            raise TypeError(
                "MaskedPrediction needs a network whose tokens each stand for some samples, "
                f"such as ECGTransformer or MultimodalTransformer, got {type(network).__name__}."
            )
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
        """Mask a batch of windows.

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
        target : dict from str to (tensor, tensor)
            Of each modality the windows, and the mask of shape (batch, 1, n_times).
        """
        inputs, target = {}, {}
        for name, x in signals.items():
            mask = draw_mask(x, self.mask_prob, self.mask_length, rng)
            if self.mask_value == "zero":
                inputs[name] = x.masked_fill(mask, 0.0)
            else:
                noise = rng.standard_normal(tuple(x.shape), dtype=np.float32)
                inputs[name] = torch.where(mask, torch.as_tensor(noise).to(x), x)
            target[name] = (x, mask)
        return inputs, target

    def loss(self, network, heads, inputs, target):
        """Return the loss to minimise and the mean squared error of each modality."""
        predicted = self.predict(network, heads, inputs)
        loss, errors = 0.0, {}
        for name, (x, mask) in target.items():
            mask = mask.expand_as(x)
            error = nn.functional.mse_loss(predicted[name][mask], x[mask])
            loss = loss + error
            errors[f"error_{name}"] = error.item()
        return loss, errors

    def predict(self, network, heads, inputs):
        """Predict every sample, masked or not, of the modalities of masked windows.

        Returns
        -------
        dict from str to tensor of shape (batch, n_channels, n_times)
        """
        predicted, tokens = {}, network.tokens(**inputs)
        for name, x in inputs.items():
            size = network.token_size[name]
            n_tokens = -(-x.shape[-1] // size)
            parts = heads[name](tokens[name][:, -n_tokens:])  # those before, as CLS, have no place
            parts = parts.unflatten(-1, (x.shape[1], size)).transpose(1, 2).flatten(2)
            predicted[name] = parts[..., : x.shape[-1]]
        return predicted
