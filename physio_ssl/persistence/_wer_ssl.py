"""Checkpoints published with Wu, Daoudi & Amad, read without running their code."""

import warnings
from pathlib import Path

import torch

from ..encoder import SSLEncoder

_WER_SSL_MODALITIES = ("eda", "bvp", "temp")  # tcn1, tcn2, tcn3
_WER_SSL_TRANSFORMER = {
    "self_attn.in_proj_": "qkv.",
    "self_attn.out_proj.": "out.",
    "linear1.": "linear1.",
    "linear2.": "linear2.",
    "norm1.": "norm1.",
    "norm2.": "norm2.",
}


def load_wu2023(path, n_times=240):
    """Load a checkpoint published with Wu, Daoudi & Amad (2023).

    The encoder embeds EDA, BVP and skin temperature, each one channel at 4 Hz, that were
    standardised beforehand. It has the published settings, so ``fit`` would train a new one
    as the paper did. The file is read without unpickling any code, onto the CPU.

    Parameters
    ----------
    path : str or path
        A file written by ``torch.save``: a dict whose ``"state_dict_fusion"`` holds the
        weights.
    n_times : int, default=240
        Samples per window, 60 s at 4 Hz.

    Returns
    -------
    SSLEncoder
        Ready to ``transform`` a ``SignalDict`` with the modalities ``eda``, ``bvp`` and
        ``temp``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not such a checkpoint, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No checkpoint at {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a malformed file can make the reader raise anything
        raise ValueError(f"{path} is not a file of plain tensors: {error}") from error
    if not isinstance(checkpoint, dict) or "state_dict_fusion" not in checkpoint:
        found = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else checkpoint
        raise ValueError(f"{path} should hold a dict with 'state_dict_fusion', got {found}.")
    network, heads = _rename_wer_ssl(checkpoint["state_dict_fusion"], path)
    for name, value in network.items():
        if name.endswith("weight_g") and isinstance(value, torch.Tensor):
            network[name] = value.reshape(-1)  # published as (n_out, 1, 1)

    encoder = SSLEncoder(
        module__token_size=1,
        module__d_model=128,
        module__attention_dropout=0.2,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        optimizer__weight_decay=5e-7,
        lr=5e-3,
        callbacks__lr_schedule=None,
        batch_size=32,
        standardize=False,
        random_state=0,
    )
    encoder.build(dict.fromkeys(_WER_SSL_MODALITIES, (1, n_times)))
    try:
        encoder.module_.load_state_dict(network)
        encoder.heads_.load_state_dict(heads)
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit the network: {error}") from error
    encoder.module_.eval()
    encoder.heads_.eval()
    return encoder


def _rename_wer_ssl(state, path):
    """Return the published weights under the names of our network and heads."""
    network, heads = {}, {}

    def move(target, new, old):
        if old not in state:
            raise ValueError(f"{path} lacks the weights {old!r}.")
        target[new] = state[old]

    for i, name in enumerate(_WER_SSL_MODALITIES, start=1):
        for block in range(2):
            new = f"tokenizers.{name}.tcn.{block}."
            old = f"model_fusion.tcn{i}.network.{block}."
            for conv in ("conv1", "conv2"):
                for part in ("weight_g", "weight_v", "bias"):
                    move(network, f"{new}{conv}.{part}", f"{old}{conv}.{part}")
        for part in ("weight", "bias"):
            new, old = f"tokenizers.{name}.", "model_fusion."
            move(
                network,
                f"{new}tcn.0.residual.{part}",
                f"{old}tcn{i}.network.0.downsample.{part}",
            )
            move(network, f"{new}project.{part}", f"{old}project_{i}.{part}")
            move(network, f"{new}norm.{part}", f"{old}layernorm_{i}.{part}")
            move(heads, f"{name}.0.{part}", f"fc{i}.{part}")
            move(heads, f"{name}.4.{part}", f"fc2{i}.{part}")
        for part in (
            "weight",
            "bias",
            "running_mean",
            "running_var",
            "num_batches_tracked",
        ):
            move(heads, f"{name}.1.{part}", f"bn{i}.{part}")
    for old, new in _WER_SSL_TRANSFORMER.items():
        for part in ("weight", "bias"):
            layer = "model_fusion.transformer_encoder.layers.0."
            move(network, f"layers.0.{new}{part}", f"{layer}{old}{part}")
    return network, heads
