"""Intervals of means over people."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import t

from physio_ssl.evaluation.inference import bootstrap_mean


def interval_by_hand(values, confidence, n_resamples, seed):
    """Return the ends of bootstrap-t and of Student's t, from a loop over resamples."""
    n, mean = len(values), np.mean(values)
    error = np.std(values, ddof=1) / np.sqrt(n)
    studentised = []
    for row in np.random.default_rng(seed).integers(n, size=(n_resamples, n)):
        drawn = [values[i] for i in row]
        least = 0.4 * error
        studentised.append((np.mean(drawn) - mean) / max(np.std(drawn, ddof=1) / n**0.5, least))
    first, last = np.percentile(studentised, [50 - 50 * confidence, 50 + 50 * confidence])
    width = t.ppf((1 + confidence) / 2, n - 1)
    of_bootstrap = [mean - last * error, mean - first * error]
    of_student = [mean - width * error, mean + width * error]
    return of_bootstrap, of_student


def test_the_interval_lies_halfway_between_bootstrap_t_and_students_t():
    values = np.array([0.1, 0.2, 0.4, 0.8])
    expected = np.mean(interval_by_hand(values, 0.9, 500, 3), axis=0)
    assert_allclose(bootstrap_mean(values, 0.9, 500, 3), expected)


@pytest.mark.parametrize("n", [15, 24])
@pytest.mark.parametrize(
    "draw, mean",
    [
        (lambda rng, shape: rng.normal(size=shape), 0),
        (lambda rng, shape: rng.beta(8, 2, size=shape), 0.8),
    ],
    ids=["normal", "skewed"],
)
def test_intervals_of_15_and_24_people_cover_the_mean_as_often_as_they_say(n, draw, mean):
    samples = draw(np.random.default_rng(0), (800, n))
    ends = np.array([bootstrap_mean(values, 0.95, 400, i) for i, values in enumerate(samples)])
    covered = np.mean((ends[:, 0] < mean) & (mean < ends[:, 1]))
    assert 0.93 <= covered <= 0.97


def test_the_order_of_the_values_does_not_matter():
    values = np.random.default_rng(0).random(12)
    assert bootstrap_mean(values[::-1], 0.95, 500, 0) == bootstrap_mean(values, 0.95, 500, 0)


def test_the_interval_of_equal_values_is_their_value():
    assert bootstrap_mean(np.ones(15), 0.95, 500, 0) == (1, 1)


@pytest.mark.parametrize("values", [[0.2, 0.6], [0.9, 1, 1], [1, 1, 1, 1, 0.5], [1] * 14 + [0.5]])
def test_few_or_tied_values_have_a_finite_interval_around_their_mean(values):
    low, high = bootstrap_mean(np.array(values), 0.95, 2000, 0)
    assert np.isfinite([low, high]).all()
    assert low < np.mean(values) < high


def test_two_people_say_nothing_about_a_score():
    assert bootstrap_mean(np.array([0.2, 0.6]), 0.95, 500, 0, (0, 1)) == (0, 1)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_values_have_no_interval(n):
    assert np.isnan(bootstrap_mean(np.ones(n), 0.95, 500, 0)).all()


def test_strata_are_resampled_apart():
    # without strata, the difference of the two means would be counted as spread
    values = np.concatenate([np.linspace(0.8, 0.9, 15), np.linspace(0.1, 0.2, 15)])
    low, high = bootstrap_mean(values, 0.95, 2000, 0, strata=["a"] * 15 + ["b"] * 15)
    assert high - low == pytest.approx(4 * np.std(values[:15], ddof=1) / np.sqrt(30), rel=0.1)
    low_together, high_together = bootstrap_mean(values, 0.95, 2000, 0)
    assert high_together - low_together > 5 * (high - low)


def test_one_stratum_is_none():
    values = np.random.default_rng(0).random(12)
    expected = bootstrap_mean(values, 0.95, 500, 0)
    assert_allclose(bootstrap_mean(values, 0.95, 500, 0, strata=["a"] * 12), expected)


def test_a_stratum_of_one_value_is_refused():
    with pytest.raises(ValueError, match=r"stratum.*\[1, 2\]"):
        bootstrap_mean(np.array([0.1, 0.2, 0.3]), 0.95, 500, 0, strata=["a", "b", "b"])
