"""The models of a study: each with its own input, if it has one, and with one seed or several."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils.validation import _num_samples

from .._check import has_modalities
from ..containers import SignalDict
from ..leakage.traversal import is_estimator


@dataclass(frozen=True)
class Candidate:
    """A model with one of its ``n_seeds`` seeds; ``X`` of None stands for that of the windows."""

    name: str
    estimator: BaseEstimator
    X: object = None
    seed: int = 0
    n_seeds: int = 1


def list_candidates(models, n_windows):
    """Return the candidates of a study as a list, or raise if the models do not fit.

    ``models`` holds, by name, classifiers or regressors; pairs of one and its own input; or lists
    of these, which are one model with several seeds.
    """
    if is_estimator(models):
        models = {type(models).__name__.lower(): models}
    named = isinstance(models, Mapping) and all(isinstance(name, str) for name in models)
    if not named or not models:
        raise TypeError(f"models must be a classifier or a dict of them by name, got {models!r}.")
    candidates = []
    for name, value in models.items():
        several = value if isinstance(value, list) and value else [value]
        for seed, one in enumerate(several):
            estimator, X = one if isinstance(one, tuple) and len(one) == 2 else (one, None)
            if not is_estimator(estimator) or not hasattr(estimator, "predict"):
                raise TypeError(
                    f"Model {name!r} must be a classifier, a pair (classifier, X), or a list of "
                    f"these, got {one!r}."
                )
            if X is not None:
                X = SignalDict(X) if has_modalities(X) else np.asarray(X)
                if _num_samples(X) != n_windows:
                    raise ValueError(
                        f"X of model {name!r} must have a row for each of the {n_windows} "
                        f"windows, got {_num_samples(X)}."
                    )
            candidates.append(Candidate(name, estimator, X, seed, len(several)))
    return candidates


def predict_numbers(candidates):
    """Return whether the models are regressors, or raise if only some of them are."""
    kinds = {one.name: is_regressor(one.estimator) for one in candidates}
    if len(set(kinds.values())) > 1:
        some = ", ".join(name for name, is_one in kinds.items() if is_one)
        others = ", ".join(name for name, is_one in kinds.items() if not is_one)
        raise TypeError(
            f"Models must be all classifiers or all regressors, got the regressors {some} and "
            f"the classifiers {others}."
        )
    return any(kinds.values())
