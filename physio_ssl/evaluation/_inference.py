"""Statistics over subjects: bootstrap, effect size, correction for several tests."""

import numpy as np
from scipy.stats import rankdata


def bootstrap_mean(values, confidence, n_resamples, random_state):
    """Return the percentile bootstrap interval of the mean of ``values``, or NaNs."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}.")
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be 1 or more, got {n_resamples}.")
    if len(values) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(random_state)
    drawn = rng.integers(len(values), size=(n_resamples, len(values)))
    means = np.sort(values)[drawn].mean(axis=1)  # sorted: the order of subjects is no matter
    return np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])


def rank_biserial(differences):
    """Return the rank sum for minus that against, over their total; ties do not count."""
    differences = differences[differences != 0]
    if not len(differences):
        return 0.0
    ranks = rankdata(np.abs(differences))
    return np.sum(np.sign(differences) * ranks) / ranks.sum()


def holm(p_values):
    """Correct p-values for their number, by Holm's step-down method."""
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.maximum.accumulate(steps).clip(max=1)
    return corrected
