"""Parameters as values that JSON can hold, and back, without importing what a file names."""

import math
import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from .. import features, networks, preprocessing, pretext, transforms

# Besides these, a file can name only the classes that its reader is given.
_CLASSES = {
    f"{package.__name__}.{name}": value
    for package in (features, networks, preprocessing, pretext, transforms, torch.optim)
    for name, value in vars(package).items()
    if isinstance(value, type) and not name.startswith("_")
}
_NAMES = {value: name for name, value in _CLASSES.items()}


def _name_class(cls):
    return _NAMES.get(cls, f"{cls.__module__}.{cls.__qualname__}")


def to_json(value):
    """Turn a value into what JSON can hold, or raise TypeError.

    Estimators and networks are written as the name of their class with their parameters.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # JSON has no infinite numbers
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [to_json(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"dict": {name: to_json(item) for name, item in value.items()}}
    if isinstance(value, FrozenEstimator):
        warnings.warn(
            "A FrozenEstimator, such as the teacher in FeaturePrediction, is left out of the file: "
            "the embedding stays the same, but a new fit needs it again.",
            stacklevel=2,
        )
        return None
    if isinstance(value, torch.nn.Module):
        raise TypeError("it is a network; give its class, with its arguments as module__...")
    cls = value if isinstance(value, type) else type(value)
    if issubclass(cls, (BaseEstimator, torch.nn.Module, torch.optim.Optimizer)):
        if "<locals>" in cls.__qualname__:
            raise TypeError(f"{cls.__qualname__} is defined inside a function: move it to a module")
        if isinstance(value, type):
            return {"class": _name_class(cls)}
        params = value.get_params(deep=False)
        return {"class": _name_class(cls), "params": to_json(params)["dict"]}
    kind = f"{cls.__module__}.{cls.__qualname__}"
    raise TypeError(f"{kind} is neither a plain value, an estimator nor a class of networks")


def from_json(value, classes=(), unknown=None):
    """Turn what ``to_json`` returned into the value.

    ``classes`` may be named besides those of physio_ssl and torch.optim. They are recognised by
    their names, whatever module they were defined in when the file was written. The names of
    other classes are appended to ``unknown``, and None takes their place.
    """
    if isinstance(value, list):
        return [from_json(item, classes, unknown) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"tuple"}:
        return tuple(from_json(value["tuple"], classes, unknown))
    if set(value) == {"float"}:
        return float(value["float"])
    if set(value) == {"dict"}:
        return {name: from_json(item, classes, unknown) for name, item in value["dict"].items()}
    own = {cls.__name__: cls for cls in classes}
    name = str(value.get("class"))
    cls = _CLASSES.get(name, own.get(name.rpartition(".")[2]))
    if cls is None:
        unknown.append(name)
    params = {
        key: from_json(item, classes, unknown) for key, item in value.get("params", {}).items()
    }
    if cls is None or "params" not in value:
        return cls
    if not issubclass(cls, BaseEstimator):
        raise ValueError(f"{name} is not an estimator")
    return cls(**params)
