"""The records of a study: one dict per model, condition and test subject, in plain values."""

import math
from numbers import Real

import numpy as np
import pandas as pd

from .metrics import METRICS, REGRESSION_METRICS

CONDITIONS = (  # what a study may vary
    "target",
    "dataset",
    "label_fraction",
    "n_labelled_subjects",
    "calibration_minutes",
    "calibration_order",
)
UNIQUE = ("estimator", "added_to", *CONDITIONS, "repeat", "fold", "subject")
_NEEDED = ("estimator", "fold", "subject", "n_windows")
_OF_CLASSES = ("class_counts", "confusion", *METRICS)


def check_records(records):
    """Raise if records lack a key, hold a score that is no finite number, or are repeated."""
    if not isinstance(records, list) or not records:
        raise ValueError(f"records must be a list of at least one dict, got {records!r}.")
    seen, metrics = set(), list_metrics(records)
    needed = _NEEDED + (metrics if metrics == REGRESSION_METRICS else _OF_CLASSES)
    for number, record in enumerate(records):
        where = f"Record {number}"
        if not isinstance(record, dict):
            raise TypeError(f"{where} must be a dict, got {record!r}.")
        missing = [name for name in needed if name not in record]
        if missing:
            raise ValueError(f"{where} lacks {', '.join(missing)}.")
        names = record["estimator"], record["subject"]
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"{where} must name estimator and subject as str, got {names}.")
        if not isinstance(record.get("added_to"), str | None):
            raise TypeError(f"{where} must name added_to as str, got {record['added_to']!r}.")
        for name in metrics:
            value = record[name]
            if value is not None and not (isinstance(value, Real) and math.isfinite(value)):
                raise ValueError(f"{where} must have a finite {name} or None, got {value!r}.")
        n_classes, shape = (
            len(record.get("class_counts", ())),
            np.shape(record.get("confusion", ())),
        )
        if n_classes and shape != (n_classes, n_classes):
            raise ValueError(f"{where} has {n_classes} classes, but a confusion of shape {shape}.")
        key = tuple(record.get(name) for name in UNIQUE)
        if key in seen:
            raise ValueError(f"{where} repeats another one: {names} in fold {record['fold']}.")
        seen.add(key)


def list_metrics(records):
    """Return the metrics that records hold: those of classes, or of continuous targets."""
    return REGRESSION_METRICS if "mae" in records[0] else METRICS


def choose_metric(records, metric=None):
    """Return a metric that records hold; None means macro-F1, or MAE of continuous targets."""
    known = list_metrics(records)
    if metric is None:
        return "mae" if "mae" in known else "macro_f1"
    check_name(metric, known, "metric")
    return metric


def check_name(name, known, what):
    """Raise if a name is not among those that are known."""
    if name not in known:
        raise ValueError(f"No {what} {name!r}, only {', '.join(map(str, known)) or 'none'}.")


def distinct(records, name):
    """Return the distinct values that records have for a name, in order of appearance."""
    return list(dict.fromkeys(record[name] for record in records if name in record))


def find_conditions(records, names=CONDITIONS):
    """Return the values of each condition that records have, as a dict of lists."""
    values = {name: distinct(records, name) for name in names}
    return {name: found for name, found in values.items() if found}


def name_models(records, added_to=None):
    """Return the names of the models, or of those whose embedding was added to the features."""
    return distinct([row for row in records if row.get("added_to") == added_to], "estimator")


def average_repeats(records, metric, added_to=None, more=()):
    """Return {(estimator, condition): {subject: score}}, means over repeats, or NaN.

    With ``added_to``, the scores are those of this baseline's features with each estimator's
    embedding. ``more`` names further values that belong to the condition.
    """
    check_name(metric, list_metrics(records), "metric")
    names, scores = [*find_conditions(records), *more], {}
    for record in records:
        if record.get("added_to") != added_to:
            continue
        key = record["estimator"], tuple(record.get(name) for name in names)
        found = scores.setdefault(key, {}).setdefault(record["subject"], [])
        if record[metric] is not None:
            found.append(record[metric])
    return {
        key: {who: np.mean(found) if found else np.nan for who, found in by_subject.items()}
        for key, by_subject in scores.items()
    }


def split_repeats(records, metric):
    """Return {(estimator, condition): [{subject: score} of each repeat]}."""
    scores = {}
    for (name, (*condition, _)), found in average_repeats(records, metric, more=["repeat"]).items():
        scores.setdefault((name, tuple(condition)), []).append(found)
    return scores


def pair_scores(records, metric, first, second, conditions):
    """Yield each condition that two models share, with the scores of their subjects.

    A model is a pair of its name and of the baseline that it was added to, or None. The scores
    are a DataFrame with a row per subject and the columns ``score`` and ``other``.
    """
    known = find_conditions(records)
    for name, value in conditions.items():
        check_name(name, known, "condition")
        check_name(value, known[name], name)
    scores, others = (average_repeats(records, metric, added_to) for _, added_to in (first, second))
    for name, condition in scores:
        named = dict(zip(known, condition, strict=True))
        is_chosen = name == first[0] and conditions.items() <= named.items()
        if is_chosen and (second[0], condition) in others:
            score, other = scores[name, condition], others[second[0], condition]
            yield named, pd.DataFrame({"score": pd.Series(score), "other": pd.Series(other)})
