"""Fit one estimator on the training subjects of one fold, and score the others."""

import time
from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing as take
from threadpoolctl import threadpool_limits

from ._embedding import embed_once, find_untrained, pretrain
from ._metrics import score
from ._routing import route_groups


@dataclass(frozen=True)
class Fold:
    """One estimator, and which windows train and test it.

    ``draws`` holds, for each fit, the seed, the training rows whose labels may be used, and
    what tells the fit's records apart from others, e.g. ``{"share": 0.1, "repeat": 0}``.
    """

    name: str
    number: int
    train: np.ndarray
    test: np.ndarray
    draws: list
    target: str | None = None
    by_subject: bool = True


def run_fold(fold, estimator, X, y, groups, classes, grid, settings):
    """Return the records of a fold: one per draw of labels and test subject.

    ``settings`` are the protocol, the search's inner_cv and scoring, and keep_predictions.
    """
    # Sums split over other threads differ in their last bits: one thread, whatever n_jobs.
    # Groups are handed over by name, below, which metadata routing would refuse.
    with threadpool_limits(1), config_context(enable_metadata_routing=False):
        seed, _, _ = fold.draws[0]
        estimator = set_random_states(clone(estimator), seed)
        try:
            trained = pretrain(estimator, take(X, fold.train), groups[fold.train], grid or ())
            rows = np.concatenate([fold.train, fold.test])
            # Each window once, whatever is searched.
            rest, embedded = embed_once(trained, take(X, rows), grid or ())
            _check_draws(fold.draws, rest)
            place = np.full(len(y), -1)
            place[rows] = np.arange(len(rows))
            records = []
            for seed, labelled, condition in fold.draws:
                start = time.perf_counter()
                model = set_random_states(clone(rest), seed)
                predicted, probability, extra = _fit_and_predict(
                    model, embedded, y, groups, place, labelled, fold.test, grid, settings
                )
                extra["n_labelled"] = len(labelled)
                extra["seconds"] = round(time.perf_counter() - start, 3)
                records += _score_subjects(
                    fold, groups, y, classes, predicted, probability, condition, extra, settings
                )
        except Exception as error:
            held_out = ", ".join(map(str, np.unique(groups[fold.test])))
            raise RuntimeError(
                f"The estimator {fold.name!r} failed in fold {fold.number} (held out: "
                f"{held_out}): {error}"
            ) from error
    return records


def _check_draws(draws, estimator):
    if any(condition for _, _, condition in draws) and find_untrained(estimator):
        raise ValueError(
            "With few labels, an encoder is pre-trained on all training windows; this one would "
            "see the labelled only, as its parameters are searched or it stands behind steps "
            "that learn. Pre-train it before, as FrozenEstimator(encoder), or put it first."
        )


def set_random_states(estimator, seed):
    """Set those parameters ``random_state`` that are None, also of nested estimators."""
    params = estimator.get_params(deep=True)
    return estimator.set_params(
        **{
            name: seed
            for name, value in params.items()
            if name.rpartition("__")[2] == "random_state"
            and value is None
            # An SSLClassifier seeds its encoder by itself.
            and not f"__{name}".endswith("__encoder__random_state")
        }
    )


def _fit_and_predict(model, X, y, groups, place, labelled, test, grid, settings):
    """Return predictions, probabilities of the model's classes, and what else to record."""
    train, extra = place[labelled], {}
    labels, subjects = y[labelled], groups[labelled]
    if settings["protocol"] == "published_a":
        from ._published import fit_best_epoch  # imports torch

        model, predicted, probability, extra = fit_best_epoch(
            model, take(X, train), labels, take(X, place[test]), y[test], subjects
        )
        return predicted, (probability, _classes(model, labels)), extra
    if grid:
        # Inside a pipeline, as a search keeps what is called "groups" to itself.
        model = GridSearchCV(
            Pipeline([("model", model)]),
            {f"model__{name}": values for name, values in grid.items()},
            scoring=settings["scoring"],
            cv=_split_by_subject(subjects, settings["inner_cv"]),
            error_score="raise",
        )
    model.fit(take(X, train), labels, **route_groups(model, subjects))
    if grid:
        best = model.best_params_
        extra["best_params"] = {
            name.removeprefix("model__"): _plain(value) for name, value in best.items()
        }
    held_out = take(X, place[test])
    predicted = model.predict(held_out)
    probability = None
    if hasattr(model, "predict_proba"):
        probability = model.predict_proba(held_out)
    elif hasattr(model, "decision_function"):
        probability = model.decision_function(held_out)
        if probability.ndim == 1:
            probability = np.column_stack([-probability, probability])
    return predicted, (probability, _classes(model, labels)), extra


def _classes(model, labels):
    return getattr(model, "classes_", np.unique(labels))


def _split_by_subject(groups, n_splits):
    n_subjects = len(np.unique(groups))
    if n_subjects < 2:
        raise ValueError(
            f"A search needs two training subjects at least to split by subject, got {n_subjects}."
        )
    return list(GroupKFold(min(n_splits, n_subjects)).split(groups, groups=groups))


def _score_subjects(fold, groups, y, classes, predicted, probability, condition, extra, settings):
    probability = _align(*probability, classes)
    records, subjects = [], groups[fold.test]
    units = list(dict.fromkeys(subjects.tolist())) if fold.by_subject else [None]
    for unit in units:
        mine = np.flatnonzero(subjects == unit) if fold.by_subject else np.arange(len(subjects))
        mine_probability = None if probability is None else probability[mine]
        record = {
            "estimator": fold.name,
            **({} if fold.target is None else {"target": fold.target}),
            **condition,
            "fold": fold.number,
            "subject": str(unit) if fold.by_subject else f"fold {fold.number}",
            **score(y[fold.test][mine], predicted[mine], mine_probability, classes),
            **extra,
        }
        if settings["keep_predictions"]:
            record["predictions"] = {
                "row": fold.test[mine].tolist(),
                "predicted": predicted[mine].tolist(),
                "probability": None if probability is None else mine_probability.tolist(),
            }
        records.append(record)
    return records


def _align(probability, learned, classes):
    """Return probabilities with a column for each class of the study."""
    if probability is None or probability.shape[1] != len(learned):
        return None  # also scores of pairs of classes
    aligned = np.zeros((len(probability), len(classes)))
    aligned[:, np.searchsorted(classes, learned)] = probability
    return aligned


def _plain(value):
    """Return a parameter as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return repr(value)
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
