"""What a model holds: nested estimators, and data in its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Number
from types import FunctionType, MethodType, ModuleType

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

# Enough for a data set in a function in train_split, not for all that a callback's logger holds.
_MAX_DEPTH = 4
_MAX_ITEMS = 1000
_NO_PARTS = (type, ModuleType, str, bytes, Number, type(None))


@dataclass(frozen=True)
class Part:
    """Something that a model holds.

    ``path`` names it: the model, then parameters, keys and attributes. ``frozen`` says whether
    it stays fitted in each fold, ``rows`` which rows of an array are used (None for all), and
    ``depth`` how many objects other than estimators and containers lie above it.
    """

    path: tuple
    value: object
    frozen: bool = False
    rows: np.ndarray | None = None
    depth: int = 0

    def __str__(self):
        return ".".join([repr(self.path[0]), *self.path[1:]])

    def is_below(self, path):
        """Whether the path of this part starts with another one."""
        return self.path[: len(path)] == path


def walk(name, model):
    """Yield all that a model holds in its parameters, the model first.

    A model that predicts is cloned and fitted in each fold: it forgets what it has learned,
    except what is frozen. One that only transforms is used as it is.
    """
    todo, seen = [Part((name,), model, frozen=not hasattr(model, "predict"))], {}
    while todo:
        part = todo.pop()
        key = (id(part.value), part.frozen, id(part.rows))
        if key in seen or isinstance(part.value, _NO_PARTS):
            continue
        seen[key] = part  # kept alive, so that no other object gets its id
        yield part
        todo += reversed(list(_get_parts(part)))


def _get_parts(part):
    value, frozen, rows = part.value, part.frozen, part.rows
    depth = part.depth + 1
    if as_array(value) is not None:
        return
    if is_estimator(value):
        depth, frozen = part.depth, frozen or isinstance(value, FrozenEstimator)
        held = _get_params(value) | (_get_learned(value) if frozen else {})
    elif isinstance(value, (Mapping, list, tuple, set, frozenset)):
        depth, held = part.depth, _get_items(value)
    elif isinstance(value, (partial, MethodType, FunctionType)):
        held = _get_bound(value)
    elif hasattr(value, "dataset") and hasattr(value, "indices"):  # torch's Subset
        held = {"dataset": value.dataset}
        rows = np.asarray(value.indices) if rows is None else np.asarray(value.indices)[rows]
    elif hasattr(value, "__dict__") and not hasattr(value, "state_dict"):  # no network
        held = vars(value)
    else:
        return
    if depth <= _MAX_DEPTH:
        for name, item in held.items():
            yield Part((*part.path, name), item, frozen, rows, depth)


def _get_params(estimator):
    """Return the parameters; level by level, as those below a FrozenEstimator are frozen."""
    params = estimator.get_params(deep=False)
    if hasattr(estimator, "pretrain") and params.get("mode") == "supervised":
        params.pop("encoder", None)  # trained from scratch: its settings count, not its weights
    return params


def _get_learned(estimator):
    """Return the attributes of a fitted estimator that hold others, such as best_estimator_."""
    is_net = hasattr(estimator, "module_")
    return {
        key: item
        for key, item in vars(estimator).items()
        if is_estimator(item) or (isinstance(item, (Mapping, list, tuple)) and not is_net)
    }


def _get_items(container):
    """Return the items by key, by name (steps are pairs of name and estimator) or by number."""
    if isinstance(container, Mapping):
        return {str(key): item for key, item in container.items()}
    items = list(container)[:_MAX_ITEMS]
    if items and isinstance(items[0], Number):
        return {}
    named = (
        item[:2]
        if isinstance(item, tuple) and len(item) > 1 and isinstance(item[0], str)
        else (str(i), item)
        for i, item in enumerate(items)
    )
    return dict(named)


def _get_bound(function):
    """Return what a function was given when it was made: arguments, defaults, variables."""
    if isinstance(function, partial):
        return {"func": function.func, "args": function.args, **function.keywords}
    if isinstance(function, MethodType):
        return {"self": function.__self__}
    bound = {"defaults": function.__defaults__}
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    for name, cell in zip(names, cells, strict=True):
        try:
            bound[name] = cell.cell_contents
        except ValueError:  # the variable has no value yet
            continue
    return bound


def as_array(value):
    """Return arrays, tensors and tables as an ndarray, all else as None."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # an open file has detach, too
        return value.detach().cpu().float().numpy()  # NumPy has no bfloat16
    return value.to_numpy() if hasattr(value, "to_numpy") else None


def is_estimator(value):
    """Whether this is an object, not a class, with scikit-learn's ``fit``."""
    return not isinstance(value, type) and hasattr(value, "get_params") and hasattr(value, "fit")


def is_composed(value):
    """Whether an estimator does nothing but call others."""
    return isinstance(value, _BaseComposition) or hasattr(value, "best_estimator_")


def is_network(value):
    """Whether an estimator is a trained network, or knows the subjects that it was trained on."""
    return hasattr(value, "module_") or hasattr(value, "groups_seen_")


def has_learned(value):
    """Whether an estimator is fitted, and learns something in ``fit``."""
    try:
        check_is_fitted(value)
        return get_tags(value).requires_fit
    except (NotFittedError, TypeError, AttributeError):
        return False
