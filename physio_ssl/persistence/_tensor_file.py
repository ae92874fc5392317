"""Safetensors files that hold tensors, and JSON for everything else."""

import json
import math
from numbers import Real

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from skorch.history import History

from .._files import replace_file


def write_file(path, tensors, content):
    """Write tensors and JSON to one file, all or nothing."""
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    replace_file(path, save(copies, {"physio_ssl": json.dumps(content, allow_nan=False)}))


def read_file(path, file_format, version, needed):
    """Return the tensors and the JSON of a file, or raise ValueError if it is of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("physio_ssl", "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        content = json.loads(text)
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file, or damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != file_format:
        raise ValueError(f"The format of {path} must be {file_format!r}.")
    if content.get("version") != version:
        found = content.get("version")
        raise ValueError(f"{path} has version {found!r}, but this physio_ssl reads {version}.")
    missing = [name for name in needed if name not in content]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}.")
    return tensors, content


def load_state(model, tensors, path):
    """Put tensors into a model, or raise if they are not exactly the ones it needs."""
    expected = model.state_dict()
    for names, verb in (
        (expected.keys() - tensors.keys(), "lacks"),
        (tensors.keys() - expected.keys(), "must not hold"),
    ):
        if names:
            raise ValueError(f"{path} {verb} the tensors {', '.join(sorted(names))}.")
    for name, tensor in tensors.items():
        kinds = [f"{x.dtype} of shape {tuple(x.shape)}" for x in (expected[name], tensor)]
        if kinds[0] != kinds[1]:
            raise ValueError(f"{path} needs {kinds[0]} for the tensor {name}, got {kinds[1]}.")
    model.load_state_dict(tensors)


def summarize_history(history):
    """Return the numbers of each epoch as plain values, without those of its batches."""
    return [
        {
            name: np.asarray(value).item() if math.isfinite(value) else None
            for name, value in epoch.items()
            if isinstance(value, (Real, np.bool_))
        }
        for epoch in history
    ]


def restore_history(rows):
    """Return the history that ``summarize_history`` summarized."""
    return History({**epoch, "batches": []} for epoch in rows)
