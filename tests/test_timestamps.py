import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl._timestamps import join_parts, place_on_grid, split_at_gaps

RATES = [1 / 60, 0.2, 1.0, 12.5, 31.25, 63.99, 64.0, 130.0, 500.0]
START = 1.6e9  # unix time, which holds no nanoseconds as float64


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stamp(points, rate, jitter, rng):
    return START + (points + rng.uniform(-jitter, jitter, len(points))) / rate


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("jitter", [0, 0.05, 0.2])
def test_each_sample_gets_to_its_point_and_the_rest_is_nan(rate, jitter, rng):
    points = np.delete(np.arange(5000), np.r_[100:2000, 3000, 3500:3504])
    values = rng.normal(size=(2, len(points)))
    start, found, samples = place_on_grid(stamp(points, rate, jitter, rng), values)
    expected = np.full((2, 5000), np.nan)
    expected[:, points] = values
    assert_array_equal(samples, expected)
    assert found == pytest.approx(rate, rel=1e-4)
    assert (start - START) * rate == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("jitter", [0, 0.3, 0.45])
def test_a_known_rate_allows_jitter_up_to_the_tolerance(jitter, rng):
    points = np.arange(1000)
    _, rate, samples = place_on_grid(stamp(points, 64, jitter, rng), points, 64)
    assert_array_equal(samples, points[np.newaxis])
    assert rate == 64


@pytest.mark.parametrize("decimals", [2, 3, 6])
def test_rounded_stamps_give_the_rate_of_the_device(decimals):
    time = np.round(np.arange(20_000) / 31.25, decimals)
    _, rate, samples = place_on_grid(time, time)
    assert rate == 31.25
    assert samples.shape == (1, 20_000)


def test_a_run_after_a_gap_may_start_between_two_points():
    time = np.concatenate([np.arange(100), 1000.5 + np.arange(100)]) / 4
    _, rate, samples = place_on_grid(time, time)
    assert rate == 4
    assert np.isfinite(samples).sum() == 200
    assert samples.shape[1] in (1100, 1101)


@pytest.mark.parametrize("true_rate", [63.99, 64.01])
def test_a_drifting_clock_is_no_grid(true_rate):
    time = np.arange(60_000) / true_rate
    with pytest.raises(ValueError, match=r"within 0.5 intervals of the grid of 64 Hz"):
        place_on_grid(time, time, 64)


def test_more_jitter_than_the_tolerance_is_an_error(rng):
    time = stamp(np.arange(1000), 4, 0.3, rng)
    place_on_grid(time, time, 4, tolerance=0.4)
    with pytest.raises(ValueError, match=r"within 0.1 intervals .* got 0\.[23]\d intervals"):
        place_on_grid(time, time, 4, tolerance=0.1)


@pytest.mark.parametrize(
    "time, message",
    [
        ([0, 1, 1, 2], "must increase, got 1.0"),
        ([0, 2, 1, 3], "must increase, got 2.0"),
        ([0, 1, np.nan, 3], "must be finite, got nan at sample 2"),
        ([0, 1, 2, 1e12], "span at most"),
        ([0, 1, 2], "one stamp for each sample, 4"),
    ],
)
def test_wrong_stamps_are_errors(time, message):
    with pytest.raises(ValueError, match=message):
        place_on_grid(time, np.zeros(4))


def test_one_stamp_has_no_rate_of_its_own():
    with pytest.raises(ValueError, match="pass the rate"):
        place_on_grid([5.0], [1.0])
    assert place_on_grid([5.0], [1.0], 4)[:2] == (5, 4)


def test_no_stamp_is_an_error():
    with pytest.raises(ValueError, match="one stamp for each sample, 0"):
        place_on_grid([], [])


def test_values_keep_their_precision_and_missing_samples():
    values = np.array([1, np.nan, 3], np.float32)
    _, _, samples = place_on_grid([0, 1, 2], values)
    assert samples.dtype == np.float32
    assert_array_equal(samples, values[np.newaxis])


def place(time, samples, rate):
    """Place samples of a device on the grid of its rate."""
    parts = split_at_gaps(time, samples, rate)
    return join_parts(parts, rate, parts[0][0], parts[-1][1])


@pytest.mark.parametrize("rate, jitter", [(4, 0), (4, 0.4), (64, 0), (64, 3)])  # in samples
def test_jitter_of_a_device_moves_samples_by_one_at_most(rate, jitter):
    rng = np.random.default_rng(0)
    samples = np.arange(60.0 * rate)[np.newaxis]
    late = rng.uniform(-jitter / 2, jitter / 2, 60 * rate)
    time = 1e9 + np.maximum.accumulate(samples[0] + late) / rate
    placed = place(time, samples, rate)
    n_times = placed.shape[1]
    assert abs(n_times - 60 * rate) <= (jitter > 1)
    assert_allclose(placed[0], samples[0, :n_times], atol=jitter > 1)


@pytest.mark.parametrize("rate", [4, 64])
@pytest.mark.parametrize("n_lost", [1, 5, 1000])
def test_lost_samples_are_gaps(rate, n_lost):
    number = np.delete(np.arange(60 * rate + n_lost), slice(30 * rate, 30 * rate + n_lost))
    time = 1e9 + np.round(1000 * number / rate) / 1000
    placed = place(time, number[np.newaxis], rate)[0]
    expected = np.arange(60.0 * rate + n_lost)
    expected[30 * rate : 30 * rate + n_lost] = np.nan
    assert_array_equal(placed, expected)


@pytest.mark.parametrize("drift", [-0.01, 0.001, 0.01])
def test_clock_that_drifts_neither_loses_time_nor_makes_gaps(drift):
    time = np.arange(6000) / (64 * (1 + drift))
    placed = place(time, np.arange(6000)[np.newaxis], 64)[0]
    assert not np.isnan(placed).any()
    assert_allclose(placed / (64 * (1 + drift)), np.arange(len(placed)) / 64, atol=1 / 64)


@pytest.mark.parametrize(
    "time, message",
    [
        (np.arange(600) / 32, "within 2 %, 64 Hz, got 32 Hz"),
        (np.zeros(600), "within 2 %, 64 Hz, got inf Hz"),
        (np.zeros(1), "within 2 %, 64 Hz, got inf Hz"),
        (np.append(np.arange(600), 300) / 64, "must increase, got 9.359375 s and then 4.687500 s"),
        (np.append(np.arange(600) / 64, 1e9), "span at most"),
    ],
)
def test_stamps_that_no_device_of_the_rate_has_are_errors(time, message):
    with pytest.raises(ValueError, match=message):
        place(time, time[np.newaxis], 64)
