"""Walk through estimators: what they hold, where, and whether it survives a clone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Number
from types import FunctionType, MethodType, ModuleType

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from ...compose import PerModality

# Deep enough for a data set in a callback in a pipeline in a search, not for the web of
# loggers and writers that a callback can hold.
_MAX_OBJECTS_DEEP = 4
_MAX_ITEMS = 1000
_NO_PARTS = (type, ModuleType, str, bytes, Number, type(None))


@dataclass(frozen=True)
class Held:
    """Something that an estimator holds.

    ``path`` says where; ``frozen`` whether it stays fitted in each fold; ``rows`` which
    rows of an array are meant, None for all; ``depth`` how many objects that are no
    estimators lie above.
    """

    path: str
    value: object
    frozen: bool = False
    rows: np.ndarray | None = None
    depth: int = 0

    def part(self, name, value, **changes):
        """Return what this holds under ``name``."""
        same = {"frozen": self.frozen, "rows": self.rows, "depth": self.depth}
        return Held(self.path + name, value, **{**same, **changes})


def walk(name, estimator):
    """Yield all that an estimator holds in its parameters, itself first.

    An estimator that predicts is cloned and fitted in each fold, and forgets what it has
    learned but for what is frozen; one that only transforms was handed over as it is.
    """
    stack = [Held(repr(name), estimator, frozen=not hasattr(estimator, "predict"))]
    seen = {}
    while stack:
        held = stack.pop()
        key = (id(held.value), held.frozen, id(held.rows))
        if key in seen or isinstance(held.value, _NO_PARTS):
            continue
        seen[key] = held  # kept alive, so that no other object gets its id
        yield held
        stack.extend(reversed(list(_parts(held))))


def as_array(value):
    """Return arrays, tensors and tables as an ndarray, all else as None."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # an open file can be detached, too
        return value.detach().cpu().float().numpy()  # NumPy has no bfloat16
    return value.to_numpy() if hasattr(value, "to_numpy") else None


def is_estimator(value):
    """Tell whether this is an object, not a class, with scikit-learn's ``fit``."""
    return not isinstance(value, type) and hasattr(value, "get_params") and hasattr(value, "fit")


def is_composed(value):
    """Tell whether an estimator does nothing but to call others."""
    return isinstance(value, _BaseComposition) or hasattr(value, "best_estimator_")


def has_learned(value):
    """Tell whether an estimator is fitted, and learns something from ``fit``."""
    try:
        check_is_fitted(value)
        return get_tags(value).requires_fit
    except (NotFittedError, TypeError, AttributeError):
        return False


def receives(estimator, X):
    """Yield the estimators inside that get the windows as they are, and what they get.

    Steps that learn nothing, such as ``SelectModality``, are applied on the way.
    """
    yield estimator, X
    if isinstance(estimator, FrozenEstimator):
        yield from receives(estimator.estimator, X)
    elif isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step is None or isinstance(step, str):  # "passthrough"
                continue
            yield from receives(step, X)
            try:
                if get_tags(step).requires_fit:
                    break
                X = step.transform(X)
            except (ValueError, TypeError, AttributeError):  # the study's own fit will say
                break
    elif isinstance(estimator, PerModality) and isinstance(X, Mapping):
        for transformers in (estimator.transformers, getattr(estimator, "transformers_", {})):
            for modality, transformer in dict(transformers).items():
                if modality in X:
                    yield from receives(transformer, X[modality])
    else:
        for name in ("estimator", "best_estimator_", "encoder"):
            part = getattr(estimator, name, None)
            if is_estimator(part):
                yield from receives(part, X)


def _parts(held):
    value = held.value
    if as_array(value) is not None:
        return
    if isinstance(value, FrozenEstimator):
        yield held.part("", value.estimator, frozen=True)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield held.part(f"[{key!r}]", item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from _items(held)
    elif isinstance(value, partial):
        yield held.part(".func", value.func)
        yield held.part(".args", value.args)
        for key, item in value.keywords.items():
            yield held.part(f".{key}", item)
    elif isinstance(value, MethodType):
        yield held.part("", value.__self__)
    elif isinstance(value, FunctionType):
        yield held.part(".__defaults__", value.__defaults__)
        yield from _closure(held)
    elif hasattr(value, "get_params"):
        params = value.get_params(deep=False)
        if params.get("mode") == "supervised":  # SSLClassifier's, which then trains anew
            params.pop("encoder", None)
        for key, item in params.items():
            yield held.part(f".{key}", item)
        if held.frozen or not hasattr(value, "fit"):
            yield from _learned(held)
    elif hasattr(value, "dataset") and hasattr(value, "indices"):  # a part of a data set
        rows = np.asarray(value.indices)
        rows = rows if held.rows is None else rows[held.rows]
        yield held.part(".dataset", value.dataset, rows=rows, depth=held.depth + 1)
    elif hasattr(value, "__dict__") and not hasattr(value, "state_dict"):  # no network
        if held.depth < _MAX_OBJECTS_DEEP:
            for key, item in vars(value).items():
                yield held.part(f".{key}", item, depth=held.depth + 1)


def _items(held):
    items = list(held.value)[:_MAX_ITEMS]
    if items and isinstance(items[0], Number):
        return
    for i, item in enumerate(items):
        if isinstance(item, tuple) and len(item) > 1 and isinstance(item[0], str):
            yield held.part(f"[{item[0]!r}]", item[1])  # a step and its name
        else:
            yield held.part(f"[{i}]", item)


def _closure(held):
    function = held.value
    for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield held.part(f".{key}", cell.cell_contents)
        except ValueError:  # the variable has no value yet
            continue


def _learned(held):
    """Yield the attributes of a fitted estimator that hold others, and all of a callback."""
    is_fit, is_net = hasattr(held.value, "fit"), hasattr(held.value, "module_")
    for key, item in vars(held.value).items():
        holds_others = isinstance(item, (Mapping, list, tuple)) and not is_net
        if not is_fit or holds_others or is_estimator(item):
            yield held.part(f".{key}", item)
