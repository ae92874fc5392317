"""Single features that are made from the labels, or from the time."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.utils.multiclass import type_of_target

from ..functional import is_constant
from .report import LeakKind, show

_FEWEST_ROWS, _FEWEST_PEOPLE, _FEWEST_EACH = 20, 3, 3
_APART = 6  # standard deviations, over all people, between classes. Physiology reaches about 3.
_NEAR_ONE = 0.999  # AUROC or rank correlation
_LINEAR = 1 - 1e-6  # squared correlation


def find_columns(report, arrays, windows, codes):
    """Look for features, or channels that are constant in windows, made from labels or time."""
    columns = {name: _get_columns(array) for name, array in arrays.items()}
    if not any(map(np.any, columns.values())):
        return
    report.looked_at.append("single features that hold the label or the time")
    if len(codes) < _FEWEST_ROWS or codes.max() + 1 < _FEWEST_PEOPLE:
        report.add_note(
            f"Features that hold the label or the time were not looked for: this needs "
            f"{_FEWEST_ROWS} rows of {_FEWEST_PEOPLE} people."
        )
        return
    holds_label = {
        name: _find_labels(report, name, x, windows.y, codes) for name, x in columns.items()
    }
    if windows.onset is None:
        report.add_note("Features that hold the time were not looked for: onset is not known.")
        return
    recording = codes if windows.recording is None else windows.recording
    holds_time = {
        name: _find_times(x, windows.onset, recording) & ~holds_label[name]
        for name, x in columns.items()
    }
    is_clock = all(
        array.ndim == 2 and (holds_time[name] | ~columns[name].any(axis=0)).all()
        for name, array in arrays.items()
    )
    for name, found in holds_time.items():
        if found.any() and is_clock:
            report.add_note(f"{name} holds nothing but functions of time: a clock.")
        elif found.any():
            report.add_leak(LeakKind.TIME, f"{_name(name, found)} is a function of time")


def _get_columns(array):
    """Return features as float, of shape (n_windows, n_features); 0 is one that is of no use.

    Features are columns of a table, and channels that are constant within each window.
    """
    if array.ndim == 2:
        columns = array.astype(float)
    else:
        channels = array.reshape(*array.shape[:2], -1)
        flat = is_constant(channels).reshape(len(array), -1).all(axis=0)
        columns = np.where(flat, channels[:, :, 0], 0.0)
    usable = np.isfinite(columns).all(axis=0) & (np.ptp(np.nan_to_num(columns), axis=0) > 0)
    return np.where(usable, columns, 0.0)


def _find_labels(report, name, x, y, codes):
    """Report features made from labels, and return which they are."""
    found = np.zeros(x.shape[1], dtype=bool)
    if y is None or not x.any():
        return found
    if type_of_target(y) not in ("binary", "multiclass"):
        ranked = np.abs(_correlate(rankdata(x, axis=0), rankdata(y)))
        found = ranked >= _NEAR_ONE
        how = "has the order of the labels"
    else:
        labels = np.unique(y, return_inverse=True)[1]
        if pd.Series(labels).groupby([codes, labels]).size().median() < _FEWEST_EACH:
            # One of two values, scaled over the person, is 1 or -1 and tells the class.
            report.add_note(
                f"Features that hold the label were not looked for: most people have fewer than "
                f"{_FEWEST_EACH} rows of a class."
            )
            return found
        apart, nearly = _measure_distance(x, labels)
        found = (apart >= _APART) | _is_constant_in_classes(x, labels, codes)
        how = "tells the class better than a measurement can, or has one value per person and class"
        nearly &= ~found
        if nearly.any():
            report.add_note(
                f"{_name(name, nearly)} alone tells a class of all people: check that no label "
                "was used for it."
            )
    if found.any():
        report.add_leak(LeakKind.LABEL, f"{_name(name, found)} {how}")
    return found


def _measure_distance(x, labels):
    """Return how far the clearest class is from others, in standard deviations within classes.

    Also return whether one threshold for all people tells this class (AUROC of .999).
    """
    members = np.eye(labels.max() + 1)[labels]  # (n_rows, n_classes)
    n_each = members.sum(axis=0)
    means = members.T @ x / n_each[:, np.newaxis]
    within = np.sqrt(((x - means[labels]) ** 2).mean(axis=0))
    apart = np.abs(means[:, np.newaxis] - means)
    apart[np.diag_indices(len(means))] = np.inf
    apart = apart.min(axis=1)  # (n_classes, n_features)
    apart[n_each < _FEWEST_EACH] = 0
    clearest = apart.argmax(axis=0)
    distance = apart.max(axis=0) / np.maximum(within, 1e-12 * np.abs(x).max(axis=0) + 1e-300)
    nearly = distance > 2
    for i in np.flatnonzero(nearly):
        auroc = roc_auc_score(labels == clearest[i], x[:, i])
        nearly[i] = max(auroc, 1 - auroc) >= _NEAR_ONE
    return distance, nearly


def _is_constant_in_classes(x, labels, codes):
    """Return which features have one value per person and class, and others between classes."""
    cells = codes * (labels.max() + 1) + labels
    grouped = pd.DataFrame(x).groupby(cells)
    within = (grouped.max() - grouped.min()).to_numpy().max(axis=0)
    people = pd.DataFrame(x).groupby(codes)
    between = (people.max() - people.min()).to_numpy()[people.size() > 1].min(axis=0)
    return (within == 0) & (between > 0)


def _find_times(x, onset, recording):
    """Return which features are one function of time for all, or lines in each recording."""
    if not x.any() or np.ptp(onset) == 0:
        return np.zeros(x.shape[1], dtype=bool)
    found = _is_linear(x, onset, recording)
    for i in np.flatnonzero(np.abs(_correlate(x, onset)) > 0.5):
        ranked = _correlate(rankdata(x[:, [i]], axis=0), rankdata(onset))
        found[i] |= np.abs(ranked[0]) >= _NEAR_ONE
    return found


def _is_linear(x, onset, recording):
    """Return which features are a straight line over time in each recording."""
    values = pd.DataFrame(x).groupby(recording)
    times = pd.Series(onset).groupby(recording)
    if (times.size() - 2).clip(lower=0).sum() < _FEWEST_ROWS:
        return np.zeros(x.shape[1], dtype=bool)
    x = x - values.transform("mean").to_numpy()
    onset = (onset - times.transform("mean").to_numpy())[:, np.newaxis]
    products = (pd.DataFrame(part).groupby(recording).sum() for part in (x * onset, x**2, onset**2))
    both, square, of_time = (product.to_numpy() for product in products)
    explained = both**2 >= _LINEAR * square * of_time
    moves = (square > 0) | (of_time == 0)
    return (explained & moves).all(axis=0)


def _correlate(x, reference):
    """Return the correlation of each column with a reference; 0 for constant columns."""
    x, reference = x - x.mean(axis=0), reference - reference.mean()
    scale = np.sqrt((x**2).sum(axis=0) * (reference**2).sum())
    return reference @ x / np.where(scale > 0, scale, np.inf)


def _name(name, found):
    return f"column {show(np.flatnonzero(found))} of {name}"
