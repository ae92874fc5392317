"""What a model holds: nested estimators, and data in its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from numbers import Number
from types import ModuleType

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from .user_code import is_code, is_own, read_attributes, read_class, read_globals

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
    in_code: bool = False  # whether a function or an object of the user's own class holds it
    is_global: bool = False  # whether code reaches it by a global name

    def __str__(self):
        return ".".join([repr(self.path[0]), *self.path[1:]])

    def hold(self, held):
        """Return named things as parts of this part, unless they are too deep."""
        return [
            replace(self, path=(*self.path, str(name)), value=value)
            for name, value in held.items()
            if self.depth <= _MAX_DEPTH and not isinstance(value, _NO_PARTS)
        ]


def walk(name, model):
    """Yield all that a model holds: the model first, then depth first.

    A model that predicts is cloned and fitted in each fold: it forgets what it has learned,
    except what is frozen, or is held by something that is no estimator. One that only transforms
    is used as it is.
    """
    todo, seen = [Part((name,), model, frozen=not hasattr(model, "predict"))], {}
    while todo:
        part = todo.pop()
        key = (id(part.value), part.frozen, part.in_code, part.is_global, id(part.rows))
        if key not in seen:
            seen[key] = part  # kept alive, so that no other object gets its id
            yield part
            todo += _get_parts(part)


def _get_parts(part):
    """Return the parts of a part: parameters, items, variables of functions, attributes."""
    value = part.value
    if is_estimator(value):
        return _get_parts_of_estimator(part)
    if isinstance(value, (list, tuple, set, frozenset)):
        value = dict(enumerate(islice(value, _MAX_ITEMS)))
    if isinstance(value, Mapping):
        return part.hold(value)
    if as_array(value) is not None or hasattr(value, "state_dict"):  # an array or a network
        return []
    held, in_code = read_attributes(value), part.in_code or is_code(value)
    # No clone, and no fit, changes what functions and other objects hold.
    inside = replace(part, frozen=True, depth=part.depth + 1, in_code=in_code)
    if "dataset" in held and "indices" in held:  # torch's Subset
        rows = np.asarray(value.indices)[... if part.rows is None else part.rows]
        inside = replace(inside, rows=rows)
    return inside.hold(held) + replace(inside, is_global=True).hold(read_globals(value))


def _get_parts_of_estimator(part):
    """Return parameters and steps, and what the user's own class holds besides."""
    estimator = part.value
    part = replace(part, frozen=part.frozen or _stays_fitted(estimator), in_code=False)
    params = _get_params(estimator, with_learned=part.frozen)
    if not is_own(type(estimator)):
        return part.hold(params)
    hidden = _get_hidden(estimator, part.frozen)
    shown = {name: value for name, value in params.items() if name not in hidden}
    inside = replace(part, frozen=True, depth=part.depth + 1, in_code=True)
    return part.hold(shown) + inside.hold(hidden)


def _stays_fitted(estimator):
    """Whether copies of an estimator, fitted anew, keep what its parameters have learned."""
    if getattr(estimator, "prefit", False) is True or str(getattr(estimator, "cv", "")) == "prefit":
        return True
    clones = getattr(type(estimator), "__sklearn_clone__", BaseEstimator.__sklearn_clone__)
    return clones is not BaseEstimator.__sklearn_clone__  # FrozenEstimator has its own


def _get_params(estimator, with_learned):
    """Return parameters and steps by name, and attributes that hold more, like best_estimator_."""
    params = estimator.get_params(deep=True).items()
    params = {name: value for name, value in params if "__" not in name}
    if hasattr(estimator, "pretrain") and params.get("mode") == "supervised":
        del params["encoder"]  # trained from scratch: its settings count, not its weights
    if isinstance(estimator, FunctionTransformer) and estimator.func and estimator.kw_args:
        params["func"] = partial(estimator.func, **params.pop("kw_args"))
    kinds = () if hasattr(estimator, "module_") else (Mapping, list, tuple)
    for name, value in vars(estimator).items() if with_learned else ():
        if is_estimator(value) or isinstance(value, kinds):
            params[name] = value
    return params


def _get_hidden(estimator, is_frozen):
    """Return what an estimator of the user's own class holds so that no clone forgets it."""
    params = estimator.get_params(deep=False)
    try:
        copy = estimator if is_frozen else type(estimator)(**params)
    except Exception:  # no clone either; the study's own will say so
        copy = estimator
    made = {name: value for name, value in vars(copy).items() if name not in params}
    mappings = {name: value for name, value in params.items() if isinstance(value, Mapping)}
    return {**read_class(type(estimator)), **made, **mappings}


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


def is_module(value):
    """Whether this is a PyTorch module, an instance, with weights."""
    has_weights = hasattr(value, "state_dict") and hasattr(value, "parameters")
    return has_weights and any(True for _ in value.parameters())


def has_learned(estimator):
    """Whether an estimator is fitted, other than by fitting others or as a network."""
    if not is_estimator(estimator) or is_network(estimator):
        return False
    if isinstance(estimator, (FrozenEstimator, _BaseComposition)):
        return False
    try:
        check_is_fitted(estimator)
        return get_tags(estimator).requires_fit and not hasattr(estimator, "best_estimator_")
    except (NotFittedError, AttributeError):
        return False
