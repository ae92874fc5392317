"""Do what needs no labels once, not once per fit: fixed steps and pre-training."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples

from ..leakage.traversal import is_estimator

EMPTY = (None, "passthrough")  # steps of a Pipeline that do nothing


def take_fixed_steps(model, searched=()):
    """Return the leading steps of a Pipeline that learn nothing in ``fit``, and the rest.

    Steps with ``searched`` parameters stay. The rest keeps the names of its parameters.
    """
    if not isinstance(model, Pipeline):
        return [], model
    taken, steps = [], list(model.steps)
    for i, (name, step) in enumerate(steps[:-1]):
        if not _learns_nothing(step) or _is_searched(name, searched):
            return taken, _rebuild(model, steps)
        taken += [] if step in EMPTY else [step]
        steps[i] = (name, "passthrough")
    name, last = steps[-1]
    more, last = take_fixed_steps(last, _below(name, searched))
    return [*taken, *more], _rebuild(model, [*steps[:-1], (name, last)])


def embed_once(model, X, searched=(), cache=None):
    """Apply the steps that learn nothing, and return the rest of the model and what it gets.

    Steps that mix windows stay in the model: a function that, say, centres all windows it is
    given would bring test subjects' data into training. ``cache`` keeps results by input and
    steps.
    """
    steps, rest = take_fixed_steps(model, searched)
    key, cache = (id(X), *map(id, steps)), {} if cache is None else cache
    if key not in cache:
        cache[key] = _apply(steps, X)
    return (model, X) if cache[key] is None else (rest, cache[key])


def _apply(steps, X):
    """Return what steps make of ``X``, or None if a window's result depends on the others."""
    few = np.sort(np.random.default_rng(0).permutation(_num_samples(X))[:3])
    for step in steps:
        transformed = step.transform(X)
        if not _learns_without_labels(getattr(step, "estimator", None)):  # takes one by one
            alone = step.transform(_safe_indexing(X, few))
            if not _equal(alone, _safe_indexing(transformed, few)):
                return None
        X = transformed
    return X


def _equal(some, others):
    if isinstance(some, Mapping):
        return all(_equal(some[name], others[name]) for name in some)
    some, others = np.asarray(some), np.asarray(others)
    if some.dtype.kind not in "fc" or some.shape != others.shape:
        return np.array_equal(some, others)
    return np.allclose(some, others, rtol=1e-3, atol=1e-5, equal_nan=True)


def pretrain(model, X, groups, searched=()):
    """Return the model with its encoder pre-trained on ``X``, and frozen.

    An encoder has ``learns_without_labels = True``, or is in a classifier with the method
    ``pretrain``. If it is searched, or behind steps that learn, each fit still pre-trains it.
    """
    if isinstance(model, Pipeline):
        steps = list(model.steps)
        first = next((i for i, (_, step) in enumerate(steps) if step not in EMPTY), None)
        if first is None:
            return model
        name, step = steps[first]
        if _learns_without_labels(step) and not _is_searched(name, searched):
            steps[first] = (name, FrozenEstimator(clone(step).fit(X, groups=groups)))
        elif first == len(steps) - 1:
            steps[first] = (name, pretrain(step, X, groups, _below(name, searched)))
        return _rebuild(model, steps)
    # What it uses to pre-train must not be searched.
    is_searched = _is_searched("encoder", searched) or _is_searched("mode", searched)
    if has_pretrain(model) and not is_searched:
        return model.pretrain(X, groups=groups)
    return model


def needs_pretraining(model):
    """Whether a model would pre-train an encoder in each ``fit``."""
    if _learns_without_labels(model):
        return True
    if isinstance(model, FrozenEstimator):
        return False
    params = model.get_params(deep=True)
    if has_pretrain(model):
        frozen = isinstance(params.get("encoder"), FrozenEstimator)
        return not frozen and params.get("mode") != "supervised"
    return any(map(needs_pretraining, filter(is_estimator, params.values())))


def find_encoder(model):
    """Return the place of the encoder in a Pipeline that begins with one, or None.

    Steps before it may select or transform signals.
    """
    for place, (_, step) in enumerate(getattr(model, "steps", [])[:-1]):
        if _learns_without_labels(getattr(step, "estimator", step)):
            return place
    return None


def _learns_without_labels(thing):
    return getattr(type(thing), "learns_without_labels", False)


def has_pretrain(thing):
    """Whether this is a classifier that pre-trains an encoder by its method ``pretrain``."""
    return hasattr(type(thing), "pretrain")  # of the class: FrozenEstimator hands on attributes


def _rebuild(pipeline, steps):
    return type(pipeline)(**{**pipeline.get_params(deep=False), "steps": steps})


def _learns_nothing(step):
    if step in EMPTY or isinstance(step, FrozenEstimator):
        return True
    if isinstance(step, Pipeline):
        return all(_learns_nothing(inner) for _, inner in step.steps)
    tags = get_tags(step)
    return not (tags.requires_fit or tags.non_deterministic)


def _is_searched(name, searched):
    return any(key.partition("__")[0] == name for key in searched)


def _below(name, searched):
    return [key.removeprefix(f"{name}__") for key in searched if key.startswith(f"{name}__")]
