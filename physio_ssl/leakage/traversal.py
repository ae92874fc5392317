"""What a model holds: nested estimators, and data in its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from numbers import Number
from types import CellType, FunctionType, MethodType, ModuleType

import numpy as np
from sklearn.frozen import FrozenEstimator

# Enough for a data set in a function in train_split, not for all that a callback's logger holds.
_MAX_DEPTH = 4
_MAX_ITEMS = 1000
_NO_PARTS = (type, ModuleType, str, bytes, Number, type(None))


@dataclass(frozen=True)
class Part:
    """Something that a model holds."""

    path: tuple  # the model's name, then parameters, keys and attributes
    value: object
    frozen: bool = False  # whether it stays fitted in each fold
    rows: np.ndarray | None = None  # which rows of an array are used
    depth: int = 0  # number of objects above, other than estimators and containers

    def __str__(self):
        return ".".join([repr(self.path[0]), *self.path[1:]])


def walk(name, model):
    """Yield all that a model holds in its parameters: the model first, then depth first.

    A model that predicts is cloned and fitted in each fold: it forgets what it has learned,
    except what is frozen. One that only transforms is used as it is.
    """
    todo, seen = [Part((name,), model, frozen=not hasattr(model, "predict"))], {}
    while todo:
        part = todo.pop()
        key = (id(part.value), part.frozen, id(part.rows))
        if key not in seen and not isinstance(part.value, _NO_PARTS):
            seen[key] = part  # kept alive, so that no other object gets its id
            yield part
            todo += _get_parts(part)


def _get_parts(part):
    """Return the parts of a part: parameters, items, variables of functions, attributes."""
    value, frozen, rows, depth = part.value, part.frozen, part.rows, part.depth
    if is_estimator(value):
        frozen = frozen or isinstance(value, FrozenEstimator)
        held = _get_params(value, with_learned=frozen)
    elif isinstance(value, Mapping):
        held = value
    elif isinstance(value, (list, tuple, set, frozenset)):
        held = dict(enumerate(islice(value, _MAX_ITEMS)))
    elif as_array(value) is not None or hasattr(value, "state_dict"):  # an array or a network
        held = {}
    else:
        held, depth = _get_attributes(value), depth + 1
        if "dataset" in held and "indices" in held:  # torch's Subset
            rows = np.asarray(value.indices)[... if rows is None else rows]
    return [
        Part((*part.path, str(name)), item, frozen, rows, depth)
        for name, item in held.items()
        if depth <= _MAX_DEPTH
    ]


def _get_params(estimator, with_learned):
    """Return parameters and steps by name, and attributes that hold more, like best_estimator_."""
    params = estimator.get_params(deep=True).items()
    params = {name: value for name, value in params if "__" not in name}
    if hasattr(estimator, "pretrain") and params.get("mode") == "supervised":
        del params["encoder"]  # trained from scratch: its settings count, not its weights
    kinds = () if hasattr(estimator, "module_") else (Mapping, list, tuple)
    for name, value in vars(estimator).items() if with_learned else ():
        if is_estimator(value) or isinstance(value, kinds):
            params[name] = value
    return params


def _get_attributes(value):
    """Return what an object or a function was given: attributes, arguments, variables."""
    if isinstance(value, partial):
        return {"func": value.func, "args": value.args, **value.keywords}
    if isinstance(value, MethodType):
        return {"self": value.__self__}
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        known = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
        return {"defaults": value.__defaults__, **known}
    return getattr(value, "__dict__", {})


def as_array(value):
    """Return arrays, tensors and tables as an ndarray, all else as None."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # an open file has detach, too
        return value.detach().cpu().float().numpy()  # NumPy has no bfloat16
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    return value if isinstance(value, np.ndarray) else None


def is_estimator(value):
    """Whether this is an object, not a class, with scikit-learn's ``fit``."""
    return not isinstance(value, type) and hasattr(value, "get_params") and hasattr(value, "fit")


def is_network(value):
    """Whether an estimator is a trained network, or knows the subjects that it was trained on."""
    return hasattr(value, "module_") or hasattr(value, "groups_seen_")
