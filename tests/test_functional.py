import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.signal import butter, sosfiltfilt
from scipy.stats import norm

from physio_ssl.functional import (
    bandpass,
    butterworth,
    clip,
    detrend,
    is_constant,
    lowpass,
    normal_scores,
    resample,
    standardize,
)

FUNCTIONS = {
    "bandpass": lambda X: bandpass(X, 0.5, 8, sampling_rate=64),
    "lowpass": lambda X: lowpass(X, 8, sampling_rate=64),
    "resample": lambda X: resample(X, 64, 24),
    "standardize": standardize,
    "normal_scores": normal_scores,
    "clip": lambda X: clip(X, -0.5, 0.5),
    "detrend": detrend,
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def sine(frequency, sampling_rate, duration=60):
    return np.sin(2 * np.pi * frequency * np.arange(0, duration, 1 / sampling_rate))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(3, 2, size=(4, 2, 256))


@every_function
def test_float32_stays_float32_and_nearly_equals_float64(function, X):
    result = function(X.astype(np.float32))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, function(X), atol=1e-5)


@every_function
def test_integers_count_as_floats(function, X):
    integers = (10 * X).astype(int)
    np.testing.assert_array_equal(function(integers), function(integers.astype(float)))


@every_function
def test_the_result_is_a_copy(function, X):
    before = X.copy()
    function(X)[:] = 0
    np.testing.assert_array_equal(X, before)


@every_function
@pytest.mark.parametrize("shape", [(256,), (8, 256), (2, 2, 2, 256)])
def test_leading_axes_are_free(function, shape, X):
    signals = X.reshape(-1, 256)[: np.prod(shape) // 256].reshape(shape)
    one_by_one = [function(signal) for signal in signals.reshape(-1, 256)]
    result = function(signals)
    assert result.shape[:-1] == shape[:-1]
    np.testing.assert_allclose(result.reshape(len(one_by_one), -1), one_by_one, atol=1e-12)


@pytest.mark.parametrize("frequency, gain", [(0.1, 0), (1.2, 1), (20.0, 0)])
def test_bandpass_keeps_only_the_band(frequency, gain):
    X = sine(frequency, 64)
    filtered = bandpass(X, 0.5, 8, sampling_rate=64)
    assert filtered[640:-640].std() / X[640:-640].std() == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize("frequency, gain", [(0.1, 1), (3.0, 0.5), (20.0, 0)])
def test_lowpass_keeps_the_low_and_halves_the_cut_off(frequency, gain):
    X = sine(frequency, 64)
    filtered = lowpass(X, 3.0, sampling_rate=64)
    assert filtered[640:-640].std() / X[640:-640].std() == pytest.approx(gain, abs=0.01)


def test_filters_do_not_shift_the_phase():
    pulse = np.exp(-(np.linspace(-30, 30, 3841) ** 2))
    for filtered in (bandpass(pulse, 0.5, 5, 64), lowpass(pulse, 5, 64)):
        assert filtered.argmax() == 1920
        np.testing.assert_allclose(filtered, filtered[::-1], atol=1e-6)


@pytest.mark.parametrize("order", [1, 3, 4])
@pytest.mark.parametrize("cutoffs, kind", [((0.5, 8), "bandpass"), ((None, 8), "lowpass")])
def test_long_windows_are_extended_as_scipy_does(order, cutoffs, kind, X):
    band = cutoffs if kind == "bandpass" else cutoffs[1]
    sos = butter(order, band, kind, fs=64, output="sos")
    function = {"bandpass": bandpass, "lowpass": lowpass}[kind]
    filtered = function(X, *filter(None, cutoffs), 64, order=order)
    np.testing.assert_allclose(filtered, sosfiltfilt(sos, X))


@pytest.mark.parametrize("n_times", [1, 2, 5, 26])
def test_lowpass_keeps_a_constant_of_any_length(n_times):
    np.testing.assert_allclose(lowpass(np.full(n_times, 7.0), 3, 64), 7.0)


def test_a_lone_low_cut_off_is_a_high_pass():
    sos = butter(2, 0.5, "highpass", fs=64, output="sos")
    np.testing.assert_array_equal(butterworth(64, low=0.5, order=2), sos)


@pytest.mark.parametrize(
    "low, high, rule",
    [
        (0, 8, "0 < low < high < 32 Hz .*'low': 0, 'high': 8"),
        (8, 8, "'low': 8, 'high': 8"),
        (0.5, 32, "'low': 0.5, 'high': 32"),
        (None, 40, "0 < high < 32 Hz .*'high': 40"),
        (float("nan"), 8, "'low': nan"),
    ],
)
def test_cut_offs_must_lie_in_order_below_half_the_rate(low, high, rule):
    with pytest.raises(ValueError, match=rule):
        butterworth(64, low, high)


def test_filters_need_a_frequency_and_a_positive_integer_as_order():
    with pytest.raises(TypeError, match="high .* not str"):
        butterworth(64, high="8")
    with pytest.raises(TypeError, match="order .* not float"):
        butterworth(64, high=8, order=2.5)
    with pytest.raises(ValueError, match="order == 0"):
        butterworth(64, high=8, order=0)


@pytest.mark.parametrize("old, new", [(64, 4), (4, 64), (700, 64), (31.25, 4), (4, 4)])
def test_resample_gives_the_sine_sampled_at_the_new_rate(old, new):
    resampled, expected = resample(sine(0.3, old), old, new), sine(0.3, new)
    assert abs(len(resampled) - len(expected)) <= 1
    np.testing.assert_allclose(resampled[new:-new], expected[new : len(resampled) - new], atol=0.01)


def test_resample_filters_out_what_the_new_rate_cannot_hold():
    assert resample(sine(20, 64), 64, 4)[4:-4].std() < 0.01


def test_resampling_to_the_same_rate_changes_nothing(X):
    np.testing.assert_array_equal(resample(X, 64, 64.0), X)


@pytest.mark.parametrize("new", [4, 24, 100])
def test_resample_keeps_an_offset_with_a_trend(new):
    line = 30 + 0.1 * np.arange(0, 60, 1 / 64)
    expected = 30 + 0.1 * np.arange(60 * new) / new
    np.testing.assert_allclose(resample(line, 64, new), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(1, 1000), st.integers(1, 1000))
def test_resample_keeps_the_duration(n_times, old, new):
    n_new_times = resample(np.ones(n_times), old, new).shape[-1]
    assert abs(n_new_times - n_times * new / old) <= 1


@pytest.mark.parametrize(
    "old, new, rule",
    [
        (0, 4, "sampling_rate must be positive .* got 0"),
        (64, -4, "new_sampling_rate must be positive .* got -4"),
        (64, 1e-4, "10000, got .*new_sampling_rate=0.0001 Hz"),
        (1.0, 667.53125, "ratio .*667.53125"),
    ],
)
def test_resample_checks_its_rates(old, new, rule):
    with pytest.raises(ValueError, match=rule):
        resample(np.zeros(64), old, new)


@settings(max_examples=50, deadline=None)
@given(arrays(float, array_shapes(max_dims=3), elements=st.integers(-999, 999)))
def test_standardized_signals_have_zero_mean_and_unit_spread_or_are_zero(X):
    standardized = standardize(X, constant="zero")
    spread = standardized.std(axis=-1)
    np.testing.assert_allclose(standardized.mean(axis=-1), 0, atol=1e-6)
    np.testing.assert_allclose(spread, np.where(spread == 0, 0, 1))


def test_standardize_forgets_scale_and_offset(X):
    np.testing.assert_allclose(standardize(1e-6 * X + 33), standardize(X), atol=1e-8)


def test_standardize_names_the_first_constant_signals(X):
    X[1, 0], X[3, 1] = 0.1, 0
    for dtype in (np.float32, np.float64):
        with pytest.raises(ValueError, match=r"2 of 8 .* \[\[1, 0\], \[3, 1\]\]"):
            standardize(X.astype(dtype))
    with pytest.raises(ValueError, match=r"9 of 9 .* \[4\]\]"):
        standardize(np.ones((9, 5)))


def test_standardize_can_turn_constant_signals_to_zero(X):
    X[1, 0] = 0.1
    standardized = standardize(X, constant="zero")
    assert not standardized[1, 0].any()
    np.testing.assert_array_equal(standardized[[0, 2, 3]], standardize(X[[0, 2, 3]]))


def test_an_unknown_treatment_of_constant_signals_is_refused(X):
    for function in (standardize, normal_scores):
        with pytest.raises(ValueError, match="constant .* got 'drop'"):
            function(X, constant="drop")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_signal_is_constant_up_to_rounding_and_but_for_gaps(dtype):
    X = np.full((6, 50), 0.1, dtype)
    X[1, 7] = np.nextafter(X[1, 7], dtype(1))
    X[2, 7] = 0.1001
    X[3, 7], X[4, [7, 8]], X[5] = np.nan, (np.nan, 0.2), np.nan
    np.testing.assert_array_equal(is_constant(X), [True, True, False, True, False, False])


def test_clip_limits_only_what_lies_outside():
    X = np.array([-3.0, -1, 0, 2, 9])
    np.testing.assert_array_equal(clip(X, -1, 2), [-1, -1, 0, 2, 2])
    np.testing.assert_array_equal(clip(X, -np.inf, 2), [-3, -1, 0, 2, 2])


def test_clip_checks_its_bounds():
    with pytest.raises(ValueError, match="low=2 and high=1"):
        clip(np.zeros(5), 2, 1)
    with pytest.raises(TypeError, match="low .* not NoneType"):
        clip(np.zeros(5), None, 1)


def test_detrend_leaves_nothing_of_a_line():
    np.testing.assert_allclose(detrend(32 + 0.1 * np.arange(500)), 0, atol=1e-10)


def test_detrend_equals_a_least_squares_fit(X):
    times = np.arange(X.shape[-1])
    line = np.polyval(np.polyfit(times, X[2, 1], 1), times)
    np.testing.assert_allclose(detrend(X)[2, 1], X[2, 1] - line, atol=1e-10)


def test_normal_scores_are_the_quantiles_of_hazens_ranks():
    order = np.random.default_rng(0).permutation(9)
    np.testing.assert_allclose(normal_scores(order**3), norm.ppf((order + 0.5) / 9), atol=1e-12)
    tied = normal_scores([5.0, 5.0, 6.0])  # ranks 1.5, 1.5 and 3
    np.testing.assert_allclose(tied, norm.ppf([1 / 3, 1 / 3, 2.5 / 3]))
