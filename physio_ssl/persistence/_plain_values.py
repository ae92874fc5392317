"""Parameters as values that JSON can hold, and back, without importing what a file names."""

import math

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .. import networks, preprocessing, pretext, transforms

# The only classes that a file can name; nothing is imported because a file says so.
_CLASSES = {
    f"{package.__name__}.{name}": value
    for package in (networks, preprocessing, pretext, transforms, torch.optim)
    for name, value in vars(package).items()
    if isinstance(value, type) and not name.startswith("_")
} | {"torch.nn.Identity": torch.nn.Identity}
_NAMES = {value: name for name, value in _CLASSES.items()}


def encode(value):
    """Turn a value into what JSON can hold, or raise TypeError."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # JSON has no infinite numbers, which bounds may be
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"dict": {name: encode(item) for name, item in value.items()}}
    if isinstance(value, type) and value in _NAMES:
        return {"class": _NAMES[value]}
    if isinstance(value, BaseEstimator) and type(value) in _NAMES:
        params = value.get_params(deep=False)
        return {"class": _NAMES[type(value)], "params": encode(params)["dict"]}
    if isinstance(value, torch.nn.Module):
        raise TypeError("it is a network; give its class, with its arguments as module__...")
    kind = value if isinstance(value, type) else type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"{name} is neither a plain value nor a class that a file may name")


def decode(value):
    """Turn what ``encode`` returned into the value."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"tuple"}:
        return tuple(decode(value["tuple"]))
    if set(value) == {"float"}:
        return float(value["float"])
    if set(value) == {"dict"}:
        return {name: decode(item) for name, item in value["dict"].items()}
    if value.get("class") not in _CLASSES:
        raise ValueError(f"{value.get('class')!r} is not a class that a file may name")
    found = _CLASSES[value["class"]]
    if "params" not in value:
        return found
    if not issubclass(found, BaseEstimator):
        raise ValueError(f"{value['class']} is not an estimator")
    return found(**{name: decode(item) for name, item in value["params"].items()})
