"""Statistics over subjects: bootstrap, effect size, correction for several tests."""

import numpy as np
from scipy.stats import rankdata, wilcoxon


def summarise(scores, confidence, n_resamples, random_state):
    """Return mean, interval, deviation and counts of subjects' scores, NaN where undefined."""
    values = np.array(list(scores.values()))
    defined = values[~np.isnan(values)]
    low, high = bootstrap_mean(defined, confidence, n_resamples, random_state)
    return {
        "mean": defined.mean() if len(defined) else np.nan,
        "low": low,
        "high": high,
        "std": defined.std(ddof=1) if len(defined) > 1 else np.nan,
        "n_subjects": len(defined),
        "n_missing": len(values) - len(defined),
    }


def compare_pairs(scores, others, confidence, n_resamples, random_state):
    """Return the difference of two models' scores by subject with its test, or None if none."""
    differences = np.array([scores[who] - others[who] for who in scores if who in others])
    # Means over repeats that are equal except for rounding must tie.
    differences = differences[~np.isnan(differences)].round(12)
    if not len(differences):
        return None
    low, high = bootstrap_mean(differences, confidence, n_resamples, random_state)
    return {
        "difference": differences.mean(),
        "low": low,
        "high": high,
        "n_subjects": len(differences),
        "n_missing": len({*scores, *others}) - len(differences),
        "p_value": wilcoxon(differences).pvalue if differences.any() else 1.0,
        "effect_size": rank_biserial(differences),
    }


def bootstrap_mean(values, confidence, n_resamples, random_state):
    """Return the percentile bootstrap interval of the mean of ``values``, or NaNs."""
    if not 0 < confidence < 1 or n_resamples < 1:
        got = f"confidence {confidence} and n_resamples {n_resamples}"
        raise ValueError(f"confidence must be in (0, 1) and n_resamples 1 or more, got {got}.")
    if len(values) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(random_state)
    drawn = rng.integers(len(values), size=(n_resamples, len(values)))
    means = np.sort(values)[drawn].mean(axis=1)  # sorted: the order of subjects does not matter
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
