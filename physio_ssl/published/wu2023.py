"""Wu, Daoudi & Amad, "Transformer-based self-supervised multimodal representation learning".

Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
learning for wearable emotion recognition", IEEE Transactions on Affective Computing 15(1), 2024,
first online in 2023.
"""

import warnings
from pathlib import Path

import torch

from .._check import check_count
from ..encoder import SSLEncoder, build_encoder

#: How the encoder is pre-trained: ``SSLEncoder(**PRETRAINING)``.
PRETRAINING = {
    "module__token_size": 1,
    "module__d_model": 128,
    "module__attention_dropout": 0.2,
    "optimizer": torch.optim.SGD,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 5e-7,
    "lr": 5e-3,
    "callbacks__lr_schedule": None,
    "batch_size": 32,
}
_CLASSIFICATION = {
    "optimizer": torch.optim.SGD,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 5e-7,
    "callbacks__lr_schedule": None,
    "min_steps": 0,
    "head__standardize": False,
}
#: How classifiers are trained on each data set: ``HeadClassifier(**CLASSIFICATION["wesad"])`` on
#: embeddings, ``SSLClassifier(encoder, encoder_lr=None, **CLASSIFICATION["wesad"])`` on windows.
CLASSIFICATION = {
    "wesad": {**_CLASSIFICATION, "lr": 1e-4, "batch_size": 128, "max_epochs": 20},
    "case": {**_CLASSIFICATION, "lr": 1e-3, "batch_size": 64, "max_epochs": 64},
    "k_emocon": {**_CLASSIFICATION, "lr": 1e-3, "batch_size": 64, "max_epochs": 64},
}

_MODALITIES = ("eda", "bvp", "temp")  # tcn1, tcn2, tcn3
_LAYER = "model_fusion.transformer_encoder.layers.0."
_TRANSFORMER = {
    "self_attn.in_proj_": "qkv.",
    "self_attn.out_proj.": "out.",
    "linear1.": "linear1.",
    "linear2.": "linear2.",
    "norm1.": "norm1.",
    "norm2.": "norm2.",
}


def load_wu2023(path, n_times=240):
    """Load a checkpoint published with Wu, Daoudi & Amad.

    The encoder embeds EDA, BVP and skin temperature, each one channel at 4 Hz, that were
    standardized beforehand. ``fit`` trains a new one as the authors did. The file is read onto
    the CPU without unpickling any code.

    Parameters
    ----------
    path : str or path
        A file written by ``torch.save``: a dict with the weights as ``"state_dict_fusion"``.
    n_times : int, default=240
        Samples per window, 60 s at 4 Hz.

    Returns
    -------
    SSLEncoder
        Ready to ``transform`` a ``SignalDict`` of ``eda``, ``bvp`` and ``temp``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not such a checkpoint, or holds more than tensors and plain values.

    See Also
    --------
    physio_ssl.load_encoder : Load encoders of this library.

    Examples
    --------
    >>> from physio_ssl import load_wu2023
    >>> encoder = load_wu2023("checkpoint.pt")  # doctest: +SKIP
    """
    check_count(n_times, "n_times")
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
        raise ValueError(f"{path} must hold a dict with 'state_dict_fusion', got {found}.")
    state = _rename(checkpoint["state_dict_fusion"], path)
    encoder = SSLEncoder(**PRETRAINING, standardize=False, random_state=0)
    shapes = dict.fromkeys(_MODALITIES, 1), dict.fromkeys(_MODALITIES, n_times)
    model = build_encoder(encoder, *shapes).module_
    try:
        model.network.load_state_dict(state["network"])
        model.heads.load_state_dict(state["heads"])
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit the network: {error}") from error
    model.eval()
    return encoder


def _rename(published, path):
    """Return the published weights under the names of our network and heads."""
    state = {"network": {}, "heads": {}}
    for part, new, old in _names():
        if old not in published:
            raise ValueError(f"{path} lacks the weights {old!r}.")
        tensor = published[old]
        # Lengths of kernels are published with the shape (n_out, 1, 1).
        state[part][new] = tensor.flatten() if new.endswith("weight_g") else tensor
    return state


def _names():
    """Yield part, name of ours and published name of each tensor."""
    for i, name in enumerate(_MODALITIES, start=1):
        ours, theirs = f"tokenizers.{name}.", f"model_fusion.tcn{i}.network."
        for block in range(2):
            for conv in ("conv1", "conv2"):
                for tensor in ("weight_g", "weight_v", "bias"):
                    place = f"{block}.{conv}.{tensor}"
                    yield "network", f"{ours}tcn.{place}", f"{theirs}{place}"
        for tensor in ("weight", "bias"):
            yield "network", f"{ours}tcn.0.residual.{tensor}", f"{theirs}0.downsample.{tensor}"
            yield "network", f"{ours}project.{tensor}", f"model_fusion.project_{i}.{tensor}"
            yield "network", f"{ours}norm.{tensor}", f"model_fusion.layernorm_{i}.{tensor}"
            yield "heads", f"{name}.0.{tensor}", f"fc{i}.{tensor}"
            yield "heads", f"{name}.4.{tensor}", f"fc2{i}.{tensor}"
        for tensor in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            yield "heads", f"{name}.1.{tensor}", f"bn{i}.{tensor}"
    for theirs, ours in _TRANSFORMER.items():
        for tensor in ("weight", "bias"):
            yield "network", f"layers.0.{ours}{tensor}", f"{_LAYER}{theirs}{tensor}"
