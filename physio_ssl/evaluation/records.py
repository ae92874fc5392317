"""The records of a study: one dict per model, condition and test subject, in plain values."""

import math
from numbers import Real

import numpy as np

from .metrics import METRICS

CONDITIONS = ("target", "label_fraction", "n_labelled_subjects")  # what a study may vary
UNIQUE = ("estimator", "added_to", *CONDITIONS, "repeat", "fold", "subject")
_NEEDED = ("estimator", "fold", "subject", "n_windows", "class_counts", "confusion", *METRICS)


def check_records(records):
    """Raise if records lack a key, hold a score that is no finite number, or are repeated."""
    if not isinstance(records, list) or not records:
        raise ValueError(f"records must be a list of at least one dict, got {records!r}.")
    seen = set()
    for number, record in enumerate(records):
        where = f"Record {number}"
        if not isinstance(record, dict):
            raise TypeError(f"{where} must be a dict, got {record!r}.")
        missing = [name for name in _NEEDED if name not in record]
        if missing:
            raise ValueError(f"{where} lacks {', '.join(missing)}.")
        names = record["estimator"], record["subject"]
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"{where} must name estimator and subject as str, got {names}.")
        for name in METRICS:
            value = record[name]
            if value is not None and not (isinstance(value, Real) and math.isfinite(value)):
                raise ValueError(f"{where} must have a finite {name} or None, got {value!r}.")
        n_classes, shape = len(record["class_counts"]), np.shape(record["confusion"])
        if shape != (n_classes, n_classes):
            raise ValueError(f"{where} has {n_classes} classes, but a confusion of shape {shape}.")
        key = tuple(record.get(name) for name in UNIQUE)
        if key in seen:
            raise ValueError(f"{where} repeats another one: {names} in fold {record['fold']}.")
        seen.add(key)


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


def average_repeats(records, metric):
    """Return {(estimator, condition): {subject: score}}, means over repeats, or NaN."""
    check_name(metric, METRICS, "metric")
    names, scores = list(find_conditions(records)), {}
    for record in records:
        key = record["estimator"], tuple(record.get(name) for name in names)
        repeats = scores.setdefault(key, {}).setdefault(record["subject"], [])
        if record[metric] is not None:
            repeats.append(record[metric])
    return {
        key: {who: np.mean(found) if found else np.nan for who, found in by_subject.items()}
        for key, by_subject in scores.items()
    }
