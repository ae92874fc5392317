"""What a model holds: nested estimators, and data in its parameters."""

import dis
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from numbers import Number
from types import CellType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

# Enough for a data set in a function in train_split, not for all that a callback's logger holds.
_MAX_DEPTH = 4
_MAX_ITEMS = 1000
_CODE = (FunctionType, MethodType, partial)
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
    value, same = part.value, {"frozen": part.frozen, "rows": part.rows, "depth": part.depth}
    same["is_global"] = part.is_global
    if is_estimator(value):
        same["frozen"] = part.frozen or _stays_fitted(value)
        hidden = _get_hidden(value, same["frozen"]) if _is_own(type(value)) else {}
        params = _get_params(value, with_learned=same["frozen"])
        shown = {name: item for name, item in params.items() if name not in hidden}
        below = {**same, "frozen": True, "depth": part.depth + 1, "in_code": True}
        return [*_hold(part, shown, **same), *_hold(part, hidden, **below)]
    if isinstance(value, Mapping):
        return _hold(part, value, in_code=part.in_code, **same)
    if isinstance(value, (list, tuple, set, frozenset)):
        held = dict(enumerate(islice(value, _MAX_ITEMS)))
        return _hold(part, held, in_code=part.in_code, **same)
    if as_array(value) is not None or hasattr(value, "state_dict"):  # an array or a network
        return []
    held = _get_attributes(value)
    # No clone, and no fit, changes what functions and other objects hold.
    same |= {"frozen": True, "depth": part.depth + 1}
    same["in_code"] = part.in_code or isinstance(value, _CODE) or _is_own(type(value))
    if "dataset" in held and "indices" in held:  # torch's Subset
        same["rows"] = np.asarray(value.indices)[... if part.rows is None else part.rows]
    parts = _hold(part, held, **same)
    if isinstance(value, FunctionType) and _is_own(value):
        parts += _hold(part, _get_globals(value), **{**same, "is_global": True})
    return parts


def _hold(part, held, *, depth, **kwargs):
    """Return named things as parts of ``part``, unless they are too deep."""
    if depth > _MAX_DEPTH:
        return []
    return [
        Part((*part.path, str(name)), item, depth=depth, **kwargs)
        for name, item in held.items()
        if not isinstance(item, _NO_PARTS)
    ]


def _is_own(thing):
    """Whether a class or function is the user's own, not Python's or of an installed package."""
    package = (getattr(thing, "__module__", None) or "builtins").partition(".")[0]
    if package == "physio_ssl" or package in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


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
    return {**_get_class_attributes(type(estimator)), **made, **mappings}


def _get_class_attributes(kind):
    """Return the attributes and functions of the user's own classes among the bases."""
    held = {}
    for base in filter(_is_own, kind.__mro__):
        for name, value in vars(base).items():
            value = getattr(value, "__func__", getattr(value, "fget", value))
            if isinstance(value, FunctionType) or not name.startswith("__"):
                held.setdefault(name, value)
    return held


def _get_attributes(value):
    """Return what an object or a function was given: attributes, arguments, variables."""
    if isinstance(value, partial):
        return {"func": value.func, "args": value.args, **value.keywords}
    if isinstance(value, MethodType):
        return {"self": value.__self__, "func": value.__func__}
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        known = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
        return {"defaults": value.__defaults__, **known, **vars(value)}
    own = _get_class_attributes(type(value)) if _is_own(type(value)) else {}
    return {**own, **getattr(value, "__dict__", {})}


def _get_globals(function):
    """Return the global variables that the code of a function reads."""
    codes, names = [function.__code__], []
    for code in codes:  # which grows by the functions inside
        names += [i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"]
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    known = function.__globals__
    return {name: known[name] for name in dict.fromkeys(names) if name in known}


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
