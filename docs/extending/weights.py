"""Weights of others: six convolutions, published as a PyTorch state dict."""

import numpy as np
import torch

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.networks import ConvEncoder


def load_convolutions(path, n_times=2560):
    """Load ``conv1.weight``, ``conv1.bias``, ..., ``conv6.bias`` into an encoder of ECG.

    Parameters
    ----------
    path : str or path
        File written by ``torch.save(model.state_dict(), path)``.
    n_times : int, default=2560
        Samples per window: 10 s at 256 Hz.

    Raises
    ------
    KeyError
        If the file lacks one of these names. Others in the file are left alone.
    RuntimeError
        If a weight has another shape than that of the network.
    """
    published = torch.load(path, map_location="cpu", weights_only=True)  # runs no pickled code
    weights = {}
    for i in range(6):
        ours, theirs = f"trunks.ecg.stages.{i // 2}.{i % 2}", f"conv{i + 1}"
        kernel = published[f"{theirs}.weight"]  # (n_out, n_in, kernel_size)
        weights[f"{ours}.weight"] = kernel[:, :, None]  # ours convolve images of height 1
        weights[f"{ours}.bias"] = published[f"{theirs}.bias"]

    encoder = SSLEncoder(ConvEncoder, max_epochs=0, standardize=False, random_state=0)
    encoder.fit(SignalDict(ecg=np.zeros((2, 1, n_times))))  # builds the network, trains nothing
    encoder.module_.network.load_state_dict(weights)  # raises unless names and shapes fit
    return encoder
