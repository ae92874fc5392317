"""Statistics over subjects: bootstrap, effect size, correction for several tests."""

import numpy as np
from scipy.stats import rankdata, wilcoxon
from scipy.stats import t as student

from .metrics import ERRORS, score_limits

_UNBOUNDED = (-np.inf, np.inf)
# A resample of few or tied values can have hardly any spread: its t would have no bound. With
# 0.4 the coverage in benchmarks/interval_coverage.py came closest to nominal.
_LEAST_ERROR = 0.4


def summarise(scores, limits, confidence, n_resamples, random_state):
    """Return mean, interval, deviation and counts of subjects' scores, NaN where undefined.

    The interval stays within the lowest and the highest value that a score can have.
    """
    values = np.array(list(scores.values()))
    defined = values[~np.isnan(values)]
    low, high = bootstrap_mean(defined, confidence, n_resamples, random_state, limits)
    return {
        "mean": defined.mean() if len(defined) else np.nan,
        "low": low,
        "high": high,
        "std": defined.std(ddof=1) if len(defined) > 1 else np.nan,
        "n_subjects": len(defined),
        "n_missing": len(values) - len(defined),
    }


def summarise_repeats(scores):
    """Return the number of repeats and the deviation of their means over subjects.

    ``scores`` are the subjects' scores of each repeat, a list of dicts.
    """
    values = [np.array(list(of_subjects.values())) for of_subjects in scores]
    means = [row[~np.isnan(row)].mean() for row in values if not np.isnan(row).all()]
    return {
        "n_repeats": len(scores),
        "std_repeats": np.std(means, ddof=1) if len(means) > 1 else np.nan,
    }


def compare_pairs(pairs, metric, confidence, n_resamples, random_state, strata=None):
    """Return the mean difference of two models with its interval, test and counts.

    It is positive where the first one is better, also if the metric is an error.

    ``pairs`` has a row per subject and the columns ``score`` and ``other``, and one of strata if
    their name is given. Without any subject who has both scores, the values are NaN.
    """
    defined = pairs.dropna()
    # Means over repeats that are equal except for rounding must tie.
    differences = (defined["score"] - defined["other"]).to_numpy().round(12)
    differences = -differences if metric in ERRORS else differences
    n_subjects = len(differences)
    low, high = score_limits(metric)
    limits = low - high, high - low
    of_rows = None if strata is None else defined[strata].to_numpy()
    low, high = bootstrap_mean(
        differences, confidence, n_resamples, random_state, limits, strata=of_rows
    )
    return {
        "difference": np.sort(differences).mean() if n_subjects else np.nan,
        "low": low,
        "high": high,
        "n_subjects": n_subjects,
        "n_missing": len(pairs) - n_subjects,
        "p_value": _signed_rank_test(differences),
        "effect_size": rank_biserial(differences) if n_subjects else np.nan,
    }


def bootstrap_mean(
    values, confidence, n_resamples, random_state, limits=_UNBOUNDED, *, strata=None
):
    """Return the interval of the mean of a few values, from a studentised bootstrap.

    Each end lies halfway between that of the bootstrap-t [1]_ and that of Student's t. The first
    follows the skewness of the values, the second stays calm where they have heavy tails; for 15
    or 24 subjects the two together come closest to the nominal coverage
    (``benchmarks/interval_coverage.py``).

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values without NaN. Their order does not matter.
    confidence, n_resamples : float, and int
        Nominal coverage, and number of bootstrap samples.
    random_state : int, Generator or None
        Seed of the bootstrap.
    limits : tuple of two floats, default=(-inf, inf)
        Lowest and highest value that the mean can have; the interval is clipped to it.
    strata : array-like of shape (n_values,), default=None
        Resample within each of these groups; the mean is that of all values. Each group must
        have two values or more.

    Returns
    -------
    low, high : float
        Ends of the interval: both the mean where all values are equal, NaN for fewer than two
        values.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 12.
    """
    check_bootstrap(confidence, n_resamples)
    if len(values) < 2:
        return np.nan, np.nan
    strata = np.zeros(len(values), int) if strata is None else np.asarray(strata)
    # sorted: the order of subjects does not matter
    samples = [np.sort(values[strata == name]) for name in np.unique(strata)]
    sizes = [len(sample) for sample in samples]
    if min(sizes) < 2:
        raise ValueError(f"Each stratum must have two values or more, got {sizes}.")

    n_values, mean = len(values), np.concatenate(samples).mean()
    parts = np.array([_variance_of_sum(sample) for sample in samples]) / n_values**2
    error = np.sqrt(parts.sum())
    if error == 0:
        return float(mean), float(mean)
    rng = np.random.default_rng(random_state)
    drawn = [
        sample[rng.integers(n, size=(n_resamples, n))]
        for sample, n in zip(samples, sizes, strict=True)
    ]
    means = sum(resample.sum(axis=1) for resample in drawn) / n_values
    errors = np.sqrt(sum(_variance_of_sum(resample) for resample in drawn)) / n_values
    t = (means - mean) / np.maximum(errors, _LEAST_ERROR * error)

    first, last = np.quantile(t, [(1 - confidence) / 2, (1 + confidence) / 2])
    freedom = error**4 / np.sum(parts**2 / (np.array(sizes) - 1))  # Welch and Satterthwaite
    width = student.ppf((1 + confidence) / 2, freedom)
    ends = mean - error * np.array([last + width, first - width]) / 2
    return tuple(np.clip(ends, *limits).tolist())


def check_bootstrap(confidence, n_resamples):
    """Raise unless a bootstrap can have this coverage and number of samples."""
    if not 0 < confidence < 1 or n_resamples < 1:
        got = f"confidence {confidence} and n_resamples {n_resamples}"
        raise ValueError(f"confidence must be in (0, 1) and n_resamples 1 or more, got {got}.")


def _variance_of_sum(values):
    """Return the estimated variance of the sum of independent values, along the last axis."""
    return values.var(axis=-1, ddof=1) * values.shape[-1]


def _signed_rank_test(differences):
    """Return the p-value of Wilcoxon's two-sided test, 1 where all scores tie."""
    if not len(differences):
        return np.nan
    return wilcoxon(differences).pvalue if differences.any() else 1.0


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
