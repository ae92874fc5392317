"""Whether two estimators, or two data sets, are the same from one run to the next."""

import copyreg
import hashlib
from collections.abc import Mapping, Set
from types import CodeType, FunctionType, MethodType, ModuleType

import numpy as np
from sklearn.base import BaseEstimator

# A net is known by its weights and settings, not by what its training left behind.
_LEFT_BEHIND = {"history_", "optimizer_", "criterion_", "callbacks_", "bar_"}


def fingerprint(*things):
    """Return a text that is the same in every process for equal things.

    Arrays count with their samples, estimators with their parameters and what they have
    learned, functions with their code. What cannot be pickled, as a lock, raises TypeError.
    """
    digest = hashlib.blake2b(digest_size=16)
    for thing in things:
        _update(digest, thing, ())
    return digest.hexdigest()


def _update(digest, thing, parents):
    if any(thing is parent for parent in parents):
        return  # a cycle
    kind = type(thing)
    digest.update(f"<{kind.__module__}.{kind.__qualname__}:".encode())
    if thing is None or isinstance(thing, (bool, int, float, complex, str, bytes, np.generic)):
        digest.update(repr(thing).encode())
    elif kind is np.ndarray and thing.dtype != object:
        digest.update(f"{thing.dtype.str}{thing.shape}".encode())
        digest.update(thing.tobytes())
    else:
        for part in _take_apart(thing):
            _update(digest, part, (*parents, thing))
    digest.update(b">")


def _take_apart(thing):
    """Return what a thing consists of."""
    if isinstance(thing, Mapping):
        return [part for item in thing.items() for part in item]
    if isinstance(thing, Set):
        return sorted(fingerprint(part) for part in thing)
    if type(thing) in (list, tuple, np.ndarray):
        return list(thing)
    if isinstance(thing, ModuleType):
        return [thing.__name__]
    if isinstance(thing, type):
        return [thing.__module__, thing.__qualname__]
    if isinstance(thing, FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        name = (thing.__module__, thing.__qualname__)
        return [*name, thing.__code__, thing.__defaults__, thing.__kwdefaults__, cells]
    if isinstance(thing, CodeType):
        return [thing.co_code, thing.co_names, thing.co_varnames, thing.co_consts]
    if isinstance(thing, MethodType):
        return [thing.__func__, thing.__self__]
    if isinstance(thing, BaseEstimator):
        return _describe(thing)
    if hasattr(thing, "detach") and hasattr(thing, "cpu"):  # a tensor: its pickle holds addresses
        return [thing.detach().cpu().numpy()]
    # As a pickle would; raises where that fails.
    reduce = copyreg.dispatch_table.get(type(thing), lambda thing: thing.__reduce_ex__(4))
    reduced = reduce(thing)
    if isinstance(reduced, str):
        return [reduced]
    return [*reduced[:3], *(None if items is None else list(items) for items in reduced[3:])]


def _describe(estimator):
    """Return the parameters of an estimator, and what it has learned."""
    params = estimator.get_params(deep=False)
    learned = dict(sorted(vars(estimator).items()))
    for name in vars(estimator):
        is_own = hasattr(estimator, "module_") and (name[0] == "_" or name[-1] != "_")  # a net's
        if name in params or name in _LEFT_BEHIND or is_own:
            del learned[name]
    return [params, learned]
