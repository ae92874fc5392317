"""The modules that skorch trains: scaler, network and heads in one."""

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

_BYTES_AT_ONCE = 2**28  # of windows, while their scale is measured


def measure_scale(X):
    """Return the mean and standard deviation of each channel over all windows.

    Returns a dict from modality to two arrays of shape (n_channels, 1), or raises ValueError if a
    channel is constant.
    """
    return {name: _measure(name, array) for name, array in X.items()}


def _measure(name, array):
    center = array.mean(axis=(0, 2), dtype=np.float64)
    n_bytes = center.itemsize * array.shape[1] * array.shape[2]  # of one window
    squares = 0.0
    for rows in gen_batches(len(array), min(1024, max(1, _BYTES_AT_ONCE // n_bytes))):
        difference = array[rows] - center[:, np.newaxis]
        squares = squares + np.square(difference, out=difference).sum(axis=(0, 2))
    scale = np.sqrt(squares / (len(array) * array.shape[2]))
    # Rounding leaves a constant of 33.3 with a tiny spread, so compare it with its size.
    constant = np.flatnonzero(scale <= 1e-6 * np.abs(center))
    if len(constant):
        raise ValueError(
            f"Scaling needs channels that vary, but channel {constant[0]} of {name!r} is constant "
            f"at {center[constant[0]]:g} in all windows: leave it out, or set standardize=False."
        )
    return center[:, np.newaxis], scale[:, np.newaxis]


class Scaler(nn.Module):
    """Centre and scale each channel by fixed numbers; a new scaler leaves signals unchanged."""

    def __init__(self, n_channels):
        super().__init__()
        for name, n in n_channels.items():
            self.register_buffer(f"center_{name}", torch.zeros(n, 1))
            self.register_buffer(f"scale_{name}", torch.ones(n, 1))

    def set_scale(self, scales):
        """Take over what ``measure_scale`` returned."""
        for name, (center, scale) in scales.items():
            self.get_buffer(f"center_{name}").copy_(torch.as_tensor(center))
            self.get_buffer(f"scale_{name}").copy_(torch.as_tensor(scale))

    def forward(self, signals):  # each (batch, n_channels, n_times)
        return {
            name: (x - self.get_buffer(f"center_{name}")) / self.get_buffer(f"scale_{name}")
            for name, x in signals.items()
        }

    def inverse(self, signals):
        """Undo ``forward``, e.g. on signals that a network predicts."""
        return {
            name: x * self.get_buffer(f"scale_{name}") + self.get_buffer(f"center_{name}")
            for name, x in signals.items()
        }


class PretrainingModel(nn.Module):
    """A scaler, a network and the heads of a pretext task; it embeds signals."""

    def __init__(self, scaler, network, heads):
        super().__init__()
        self.scaler = scaler
        self.network = network
        self.heads = heads

    def forward(self, **signals):  # each (batch, n_channels, n_times)
        return self.network(**self.scaler(signals))  # (batch, n_features)


class ClassificationModel(nn.Module):
    """The scaler and the network of an encoder, and a head that scores classes."""

    def __init__(self, scaler, network, head):
        super().__init__()
        self.scaler = scaler
        self.network = network
        self.head = head

    def forward(self, **signals):  # each (batch, n_channels, n_times)
        return self.head(self.network(**self.scaler(signals)))  # (batch, n_classes)
