"""Take out of an estimator what learns no labels, to do it once and not once per fit."""

from collections.abc import Mapping
from os import PathLike

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples


def load_weights(estimator):
    """Put encoders in the place of the files that an ``SSLClassifier`` names."""
    last = _last(estimator)
    if _is_classifier(last) and _is_path(last.encoder):
        from ..persistence import load_encoder

        encoder = FrozenEstimator(load_encoder(last.encoder))
        return _replace_last(estimator, clone(last).set_params(encoder=encoder))
    return estimator


def take_fixed_steps(estimator, searched=()):
    """Take the first steps off an estimator as long as they learn nothing in ``fit``.

    Parameters
    ----------
    estimator : estimator
        Pipelines lose leading steps that are stateless or frozen, an ``SSLClassifier`` in
        mode "frozen" its frozen encoder.
    searched : iterable of str
        Names of the parameters that a search will set; what they belong to stays.

    Returns
    -------
    steps : list of transformers
        To be applied, in this order, to windows before they are given to ``estimator``.
    estimator : estimator
        The rest. Its parameters have the same names.
    """
    if isinstance(estimator, Pipeline):
        taken, steps = [], list(estimator.steps)
        for i, (name, step) in enumerate(steps[:-1]):
            if not _learns_nothing(step) or _is_searched(name, searched):
                return taken, _rebuild(estimator, steps)
            taken += [] if _is_empty(step) else [step]
            steps[i] = (name, "passthrough")
        name, last = steps[-1]
        more, last = take_fixed_steps(last, _below(name, searched))
        return [*taken, *more], _rebuild(estimator, [*steps[:-1], (name, last)])
    frozen = _is_classifier(estimator) and estimator.mode == "frozen"
    if frozen and isinstance(estimator.encoder, FrozenEstimator):
        if not any(_is_searched(name, searched) for name in ("encoder", "mode")):
            return [estimator.encoder], clone(estimator).set_params(encoder="precomputed")
    return [], estimator


def embed_once(estimator, X, searched=(), cache=None):
    """Apply the steps that learn nothing now, and return what is left to fit, and on what.

    Steps that mix windows stay in the estimator: a function that, say, centres all it is given
    would hand test subjects' data to the training. ``cache`` keeps results by their steps.
    """
    steps, rest = take_fixed_steps(estimator, searched)
    key, cache = tuple(map(id, steps)), {} if cache is None else cache
    if key not in cache:
        cache[key] = _apply(steps, X)
    return (estimator, X) if cache[key] is None else (rest, cache[key])


def _apply(steps, X):
    """Return what steps make of ``X``, or None where other windows change that of a few."""
    few = np.sort(np.random.default_rng(0).permutation(_num_samples(X))[:3])
    for step in steps:
        transformed = step.transform(X)
        if not _is_encoder(getattr(step, "estimator", None)):  # known to take them one by one
            alone = step.transform(_safe_indexing(X, few))
            if not _equal(alone, _safe_indexing(transformed, few)):
                return None
        X = transformed
    return X


def _equal(ours, theirs):
    if isinstance(ours, Mapping):
        return all(_equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind not in "fc":
        return np.array_equal(ours, theirs)
    return np.allclose(ours, theirs, rtol=1e-3, atol=1e-5, equal_nan=True)


def pretrain(estimator, X, groups, searched=()):
    """Return the estimator with its encoder pre-trained on ``X``, and frozen.

    An encoder whose parameters are searched stays as it is, to be pre-trained by each fit; so
    does one behind steps that learn.
    """
    if isinstance(estimator, Pipeline):
        steps = list(estimator.steps)
        first = next((i for i, (_, step) in enumerate(steps) if not _is_empty(step)), None)
        if first is None:
            return estimator
        name, step = steps[first]
        if _is_encoder(step) and not _is_searched(name, searched):
            steps[first] = (name, FrozenEstimator(clone(step).fit(X, groups=groups)))
        elif first == len(steps) - 1:
            steps[first] = (name, pretrain(step, X, groups, _below(name, searched)))
        return _rebuild(estimator, steps)
    if _is_classifier(estimator) and estimator.mode != "supervised":
        named = any(_is_searched(name, searched) for name in ("encoder", "mode"))
        if not named and (estimator.encoder is None or _is_encoder(estimator.encoder)):
            encoder = estimator.make_encoder().fit(X, groups=groups)
            return clone(estimator).set_params(encoder=FrozenEstimator(encoder))
    return estimator


def find_untrained(estimator):
    """Tell whether an estimator would pre-train an encoder in each ``fit``."""
    if _is_encoder(estimator):
        return True
    if isinstance(estimator, FrozenEstimator):
        return False
    if _is_classifier(estimator):
        encoder = estimator.encoder
        return estimator.mode != "supervised" and (encoder is None or _is_encoder(encoder))
    inner = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return any(find_untrained(part) for part in inner if hasattr(part, "fit"))


def _last(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _replace_last(estimator, last):
    if not isinstance(estimator, Pipeline):
        return last
    return _rebuild(estimator, [*estimator.steps[:-1], (estimator.steps[-1][0], last)])


def _rebuild(pipeline, steps):
    return type(pipeline)(**{**pipeline.get_params(deep=False), "steps": steps})


def _is_empty(step):
    return step is None or (isinstance(step, str) and step == "passthrough")


def _learns_nothing(step):
    if _is_empty(step) or isinstance(step, FrozenEstimator):
        return True
    if isinstance(step, Pipeline):
        return all(_learns_nothing(inner) for _, inner in step.steps)
    tags = get_tags(step)
    return not (tags.requires_fit or tags.non_deterministic)


def _is_path(encoder):
    return isinstance(encoder, PathLike) or (isinstance(encoder, str) and encoder != "precomputed")


def _is_encoder(thing):
    # By name: to import the encoder is to import torch, also for studies without a net.
    return any(cls.__name__ == "SSLEncoder" for cls in type(thing).__mro__)


def _is_classifier(thing):
    return any(cls.__name__ == "SSLClassifier" for cls in type(thing).__mro__)


def _is_searched(name, searched):
    return any(key == name or key.startswith(f"{name}__") for key in searched)


def _below(name, searched):
    return [key.removeprefix(f"{name}__") for key in searched if key.startswith(f"{name}__")]
