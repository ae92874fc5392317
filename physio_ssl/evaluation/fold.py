"""Fit one model on the training subjects of one fold, and score the others."""

import time
from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing as take
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from .embedding import EMPTY, embed_once, has_pretrain, needs_pretraining, pretrain
from .metrics import score, score_numbers


@dataclass(frozen=True)
class Draw:
    """Rows whose labels a fit may use, the condition, e.g. ``{"repeat": 0}``, and test rows.

    ``seed`` is that of the models; ``test`` of None stands for all test rows of the fold.
    """

    rows: np.ndarray
    condition: dict
    seed: int
    test: np.ndarray | None = None


@dataclass(frozen=True)
class Fold:
    """Which windows train and test, the seed of pre-training, and the draws of labels."""

    number: int
    train: np.ndarray
    test: np.ndarray
    seed: int
    draws: list


@dataclass(frozen=True)
class Trial:
    """One model on one target: what all its folds have in common."""

    name: str
    target: str | None
    model: BaseEstimator
    X: object
    y: np.ndarray
    groups: np.ndarray
    grid: dict | None
    inner_cv: int
    scoring: object
    keep_predictions: bool
    time: dict  # onset and recording of each window, or None
    added: dict  # features that join the model's embedding, and the probe that takes them, by name
    sample_weight: np.ndarray | None = None


def run_fold(trial, fold):
    """Return the records of a fold: one per draw of labels and test subject."""
    # Sums split over other threads differ in their last bits: one thread, whatever n_jobs.
    # Groups are handed over by name, below, which metadata routing would refuse.
    with threadpool_limits(1), config_context(enable_metadata_routing=False):
        try:
            return _run_draws(trial, fold)
        except Exception as error:
            held_out = ", ".join(map(str, np.unique(trial.groups[fold.test])))
            where = f"{trial.name!r} failed in fold {fold.number} (held out: {held_out})"
            raise RuntimeError(f"{where}: {error}") from error


def _run_draws(trial, fold):
    searched = trial.grid or ()
    model = clone(trial.model)
    unset = find_unset_seeds(model)
    model = set_seeds(model, unset, fold.seed)
    model = pretrain(model, take(trial.X, fold.train), trial.groups[fold.train], searched)
    # Each window is embedded once, whatever is searched.
    rows = np.concatenate([fold.train, fold.test])
    model, X = embed_once(model, take(trial.X, rows), searched)
    few = any(len(np.setdiff1d(fold.train, draw.rows)) for draw in fold.draws)
    if few and needs_pretraining(model):
        raise ValueError(
            "With few labels, an encoder is pre-trained on all training windows, so it must be "
            "the first step and not searched, or be pre-trained before: FrozenEstimator(encoder)."
        )
    place = np.full(len(trial.y), -1)
    place[rows] = np.arange(len(rows))
    variants = [(model, X, trial.grid, {})]
    is_table = isinstance(X, np.ndarray) and X.ndim == 2
    for name, (features, probe) in trial.added.items() if is_table else ():
        widths = probe.widths or (features.shape[1],)
        probe = clone(probe).set_params(widths=(*widths, X.shape[1]))
        variants.append((probe, np.hstack([features[rows], X]), None, {"added_to": name}))
    records, done = [], {}
    for draw in fold.draws:
        for number, (model, X, grid, kind) in enumerate(variants):
            start = time.perf_counter()
            test = fold.test if draw.test is None else draw.test
            # Some draws differ in their test rows only, or in a seed that the model does not take.
            key = number, draw.rows.tobytes(), draw.seed if unset else None
            if key not in done:
                seeded = set_seeds(clone(model), unset, draw.seed)
                done[key] = _fit(trial, seeded, grid, take(X, place[draw.rows]), draw.rows)
            fitted = done[key]
            predicted, scores = _predict(trial, fitted, take(X, place[test]), draw.rows)
            extra = {"n_labelled": len(draw.rows), "seconds": round(time.perf_counter() - start, 3)}
            if grid:
                best = fitted.best_params_.items()
                best = {name.removeprefix("model__"): _to_plain(value) for name, value in best}
                extra["best_params"] = best
            condition = {**draw.condition, **kind}
            records += _score_subjects(trial, fold, test, condition, predicted, scores, extra)
    return records


def derive_seed(*numbers):
    """Return a seed for, say, a repeat in a fold of a study: the same for the same numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def find_unset_seeds(model):
    """Return the names of parameters ``random_state`` that are None, also of nested estimators.

    A classifier with a method ``pretrain`` seeds the estimators inside it itself.
    """
    params, unset = {"": model, **model.get_params(deep=True)}, []
    for name, value in params.items():
        *above, last = name.split("__")
        owners = [params.get("__".join(above[:n])) for n in range(len(above))]
        if last == "random_state" and value is None and not any(map(has_pretrain, owners)):
            unset.append(name)
    return unset


def set_seeds(model, names, seed):
    """Set those of the named parameters that the model still has, and return it.

    Pre-training and embedding replace encoders by frozen ones, which keep their seed.
    """
    known = model.get_params(deep=True)
    model.set_params(**{name: seed for name in names if name in known})
    return model  # FrozenEstimator.set_params returns None


def route_groups(model, groups, prefix=""):
    """Return the arguments of ``fit`` that give the subjects to every part that takes them."""
    routed, steps = {}, model
    if hasattr(model, "refit") and hasattr(model, "estimator"):  # a search
        # A user's own search may split by subject; ours has its splits.
        routed = {} if isinstance(model.cv, list) else {f"{prefix}groups": groups}
        steps = model.estimator
    elif has_fit_parameter(model, "groups"):
        routed = {f"{prefix}groups": groups}
    if isinstance(steps, Pipeline):
        for name, step in steps.steps:
            if step not in EMPTY:
                routed |= route_groups(step, groups, f"{prefix}{name}__")
    return routed


def find_weight_argument(model, prefix=""):
    """Return the argument of ``fit`` that gives weights to what learns labels, or None."""
    if hasattr(model, "refit") and hasattr(model, "estimator"):  # a search
        return find_weight_argument(model.estimator, prefix)
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        return find_weight_argument(last, f"{prefix}{name}__")
    return f"{prefix}sample_weight" if has_fit_parameter(model, "sample_weight") else None


def _fit(trial, model, grid, X, rows):
    """Return a copy of the model, or a search over it, fitted on ``X``, which are these rows."""
    subjects = trial.groups[rows]
    if grid:
        n_subjects = len(np.unique(subjects))
        if n_subjects < 2:
            raise ValueError(f"A search needs at least two training subjects, got {n_subjects}.")
        inner = GroupKFold(min(trial.inner_cv, n_subjects))
        # Inside a pipeline, as a search keeps the argument "groups" to itself.
        model = GridSearchCV(
            Pipeline([("model", model)]),
            {f"model__{name}": values for name, values in grid.items()},
            scoring=trial.scoring,
            cv=list(inner.split(subjects, groups=subjects)),
            error_score="raise",
        )
    routed = route_groups(model, subjects)
    if trial.sample_weight is not None:
        routed[find_weight_argument(model)] = trial.sample_weight[rows]
    return model.fit(X, trial.y[rows], **routed)


def _predict(trial, model, X, rows):
    """Return predictions, and scores of all classes of the study or None; trained on ``rows``."""
    predicted = model.predict(X)
    if is_regressor(model):
        return predicted, None
    if hasattr(model, "predict_proba"):
        scores = model.predict_proba(X)
    elif hasattr(model, "decision_function"):
        scores = model.decision_function(X)
        scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    else:
        return predicted, None
    classes, learned = np.unique(trial.y), getattr(model, "classes_", np.unique(trial.y[rows]))
    if scores.shape[1] != len(learned):  # scores of pairs of classes
        return predicted, None
    aligned = np.zeros((len(scores), len(classes)))
    aligned[:, np.searchsorted(classes, learned)] = scores
    return predicted, aligned


def _score_subjects(trial, fold, test, condition, predicted, scores, extra):
    records, subjects = [], trial.groups[test]
    for subject in dict.fromkeys(subjects.tolist()):
        chosen = np.flatnonzero(subjects == subject)
        chosen_scores = None if scores is None else scores[chosen]
        record = {
            "estimator": trial.name,
            **({} if trial.target is None else {"target": trial.target}),
            **condition,
            "fold": fold.number,
            "subject": str(subject),
            **_score(trial, trial.y[test][chosen], predicted[chosen], chosen_scores),
            **extra,
        }
        if trial.keep_predictions:
            own = test[chosen]
            record["predictions"] = {
                "row": own.tolist(),
                "true": trial.y[own].tolist(),
                "predicted": predicted[chosen].tolist(),
                "probability": None if scores is None else chosen_scores.tolist(),
                **{name: None if x is None else x[own].tolist() for name, x in trial.time.items()},
            }
        records.append(record)
    return records


def _score(trial, true, predicted, scores):
    if is_regressor(trial.model):
        return score_numbers(true, predicted)
    return score(true, predicted, scores, np.unique(trial.y))


def _to_plain(value):
    """Return a parameter as JSON can hold it."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return value if np.isfinite(value) else repr(value)
    return value if isinstance(value, (int, str, type(None))) else repr(value)
