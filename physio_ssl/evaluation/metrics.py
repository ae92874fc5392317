"""Score the predictions for one subject, of classes or of numbers."""

import numpy as np
from scipy.stats import rankdata

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "kappa")
REGRESSION_METRICS = ("mae", "r2", "ccc")
ERRORS = ("mae",)  # the lower, the better
_LIMITS = {"kappa": (-1, 1), "mae": (0, np.inf), "r2": (-np.inf, 1), "ccc": (-1, 1)}


def score_limits(metric):
    """Return the lowest and the highest value that a metric can have."""
    return _LIMITS.get(metric, (0, 1))


def score(y_true, y_pred, probability, classes):
    """Return the counts and ``METRICS`` of one subject's windows, as a dict of plain values.

    ``probability``, of shape (n_windows, n_classes), may be None; ``classes`` are all of the study.
    Balanced accuracy, macro-F1 and AUROC need windows of all classes and Cohen's kappa of two:
    they are None otherwise. AUROC is that of the second of two classes, or of each of more classes
    against the rest, averaged.
    """
    classes = np.asarray(classes).tolist()
    n_classes, n_windows = len(classes), len(y_true)
    if n_classes < 2 or len(set(classes)) < n_classes:
        raise ValueError(f"A study needs two or more distinct classes, got {classes}.")
    if len(y_pred) != n_windows or not n_windows:
        raise ValueError(f"Got {n_windows} and {len(y_pred)} labels and predictions, not as many.")
    true, predicted = _encode(y_true, classes), _encode(y_pred, classes)
    counts = np.bincount(n_classes * true + predicted, minlength=n_classes**2)
    confusion = counts.reshape(n_classes, n_classes)
    counts = confusion.sum(axis=1)

    hits, n_predicted = np.diag(confusion), confusion.sum(axis=0)
    accuracy = hits.sum() / n_windows
    scores = {**dict.fromkeys(METRICS), "accuracy": float(accuracy)}
    if counts.all():
        scores["balanced_accuracy"] = float(np.mean(hits / counts))
        scores["macro_f1"] = float(np.mean(2 * hits / (counts + n_predicted)))
    if probability is not None:
        scores["auroc"] = auroc(true, np.asarray(probability), n_classes)
    if np.count_nonzero(counts) > 1:
        by_chance = counts @ n_predicted / n_windows**2
        scores["kappa"] = float((accuracy - by_chance) / (1 - by_chance))
    return {
        "n_windows": n_windows,
        "class_counts": dict(zip(map(str, classes), counts.tolist(), strict=True)),
        "confusion": confusion.tolist(),
        **scores,
    }


def score_numbers(y_true, y_pred):
    """Return the count and ``REGRESSION_METRICS`` of one subject's windows, in plain values.

    R2 and concordance (Lin 1989, Biometrics 45) are None where the true values are all equal.
    """
    true, predicted = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    if true.shape != predicted.shape or not len(true) or not np.isfinite(predicted).all():
        raise ValueError(
            f"Predictions must be a finite number for each of {len(true)} windows, got {predicted}."
        )
    errors = predicted - true
    scores = {"mae": float(np.abs(errors).mean()), "r2": None, "ccc": None}
    if np.ptp(true) > 0:
        scores["r2"] = float(1 - np.mean(errors**2) / true.var())
        together = np.mean((true - true.mean()) * (predicted - predicted.mean()))
        spread = true.var() + predicted.var() + errors.mean() ** 2
        scores["ccc"] = float(2 * together / spread)
    return {"n_windows": len(true), **scores}


def _encode(labels, classes):
    """Return the position of each label among the classes."""
    labels = np.asarray(labels).tolist()
    unknown = set(labels) - set(classes)
    if unknown:
        raise ValueError(f"Labels must be among the classes {classes}, got {list(unknown)}.")
    return np.array([classes.index(label) for label in labels])


def auroc(true, probability, n_classes):
    """Return the area under the ROC curve from rank sums, or None where a class is missing.

    ``true`` holds the places of the classes; each class counts alike, of two the second alone.
    """
    shape = len(true), n_classes
    if probability.shape != shape or not np.isfinite(probability).all():
        raise ValueError(f"Probabilities must be finite, of shape {shape}, got {probability}.")
    belongs = np.eye(probability.shape[1], dtype=bool)[true]  # (n_windows, n_classes)
    n_in = belongs.sum(axis=0)
    if not n_in.all():
        return None
    rank_sum = np.sum(rankdata(probability, axis=0), axis=0, where=belongs)
    area = (rank_sum - n_in * (n_in + 1) / 2) / (n_in * (len(true) - n_in))
    return float(area[1] if len(area) == 2 else area.mean())
