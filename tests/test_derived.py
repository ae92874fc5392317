"""Traces beside a wristband's signals: heart rate, slope and activity; and normal scores."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.pipeline import make_pipeline

from physio_ssl import Recording, SSLEncoder, load_encoder
from physio_ssl.datasets import load_wesad
from physio_ssl.functional import normal_scores
from physio_ssl.preprocessing import (
    HeartRateChannels,
    NormalScores,
    Preprocessor,
    Resample,
    SlopeChannels,
    Standardize,
)

RATE = 64
INSIDE = slice(3 * RATE, -3 * RATE)  # the filter does not see both sides of an end
MINUTE = 60 * RATE


def draw_pulse(rate, duration=120, amplitude=1.0):
    """A pulse wave with a second, lower peak, of some beats/min at each time."""
    times = np.arange(duration * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(rate, times.shape) / 60) / RATE
    return amplitude * (np.sin(phase) + 0.3 * np.sin(2 * phase + 1))


def trace(transformer, signal):
    """Return the channels that come of one signal."""
    return transformer.fit_transform(np.asarray(signal)[np.newaxis, np.newaxis])[0]


def trace_pulse(signal):
    """Return heart rate, log amplitude and regularity."""
    return trace(HeartRateChannels(RATE), signal)[1:]


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=4 * 300)


@pytest.mark.parametrize("rate", [45, 72, 110, 165])
def test_heart_rate_is_that_of_the_pulse(rate):
    heart_rate, _, regularity = trace_pulse(draw_pulse(rate))
    assert_allclose(heart_rate[INSIDE], rate, rtol=0.005)
    assert_array_equal(regularity[INSIDE], 1)


def test_heart_rate_follows_a_pulse_that_rises():
    rising = np.linspace(60, 120, 300 * RATE)
    heart_rate = trace_pulse(draw_pulse(rising, duration=300))[0]
    assert_allclose(heart_rate[INSIDE], rising[INSIDE], atol=0.5)


def test_missed_beats_leave_heart_rate_alone():
    pulse = draw_pulse(72, duration=60)
    missed = slice(29 * RATE, 31 * RATE)
    pulse[missed] = 0
    heart_rate, _, regularity = trace_pulse(pulse)
    assert_allclose(heart_rate, 72, rtol=0.25)
    assert_allclose(np.delete(heart_rate, slice(26 * RATE, 34 * RATE))[INSIDE], 72, rtol=0.01)
    assert regularity[missed].min() < 0.1
    assert regularity.mean() > 0.9


def test_heart_rate_bridges_a_stretch_of_noise():
    rising = np.repeat([60, 60, 90, 90], MINUTE)
    pulse = draw_pulse(rising, duration=240)
    noisy = slice(100 * RATE, 140 * RATE)
    pulse[noisy] = np.random.default_rng(0).normal(scale=2, size=40 * RATE)
    heart_rate, _, regularity = trace_pulse(pulse)
    assert_allclose(heart_rate[: 95 * RATE], 60, atol=3)
    assert_allclose(heart_rate[145 * RATE :], 90, atol=3)
    assert regularity[noisy].mean() < 0.7
    assert regularity[: 95 * RATE].mean() > 0.99
    assert np.isfinite(heart_rate).all()


@pytest.mark.parametrize("start, stop", [(60, 120), (0, 60), (180, 240)])
def test_a_flat_stretch_has_no_regularity_and_a_straight_heart_rate(start, stop):
    pulse = draw_pulse(np.linspace(60, 90, 240 * RATE), duration=240)
    flat = slice(start * RATE, stop * RATE)
    pulse[flat] = 0
    heart_rate, log_amplitude, regularity = trace_pulse(pulse)
    inside = slice((start + 6) * RATE, (stop - 6) * RATE)
    assert_array_equal(regularity[inside], 0)
    assert_allclose(np.diff(heart_rate[inside], n=2), 0, atol=1e-9)
    assert log_amplitude[inside].max() == pytest.approx(log_amplitude.min(), abs=0.1)
    assert np.delete(regularity, np.r_[flat]).mean() > 0.95


def test_log_amplitude_is_that_of_the_pulse():
    amplitude = np.repeat([1.0, np.e], MINUTE)
    sine = amplitude * np.sin(2 * np.pi * 1.2 * np.arange(2 * MINUTE) / RATE)
    log_amplitude = trace_pulse(sine)[1]
    expected = np.log(np.sqrt(0.5)) + np.repeat([0, 1], 40 * RATE)
    there = np.r_[10 * RATE : 50 * RATE, 70 * RATE : 110 * RATE]
    # a beat and a fraction fit into 4 s, and the filter takes a little
    assert_allclose(log_amplitude[there], expected, atol=0.05)


def test_a_clipped_pulse_has_its_heart_rate():
    heart_rate, _, regularity = trace_pulse(np.minimum(draw_pulse(72), 0.3))
    assert_allclose(heart_rate[INSIDE], 72, rtol=0.01)
    assert_array_equal(regularity[INSIDE], 1)


def test_a_trend_without_beats_has_heart_rate_and_regularity_zero():
    heart_rate, _, regularity = trace_pulse(np.linspace(0, 1, MINUTE))
    assert not heart_rate.any()
    assert not regularity.any()


@pytest.mark.parametrize("n_times", [2, 3, RATE, 3 * RATE])
def test_a_window_too_short_for_six_intervals_has_no_heart_rate(n_times):
    traces = trace_pulse(draw_pulse(72)[:n_times])
    assert np.isfinite(traces).all()
    assert not traces[0].any()


def test_a_window_of_ten_seconds_has_a_heart_rate():
    assert_allclose(trace_pulse(draw_pulse(72)[: 10 * RATE])[0], 72, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("transformer", [HeartRateChannels(RATE), SlopeChannels(4, 5, 10)])
def test_traces_of_a_constant_signal_are_zero(transformer, value):
    for dtype in (np.float32, np.float64):
        traces = trace(transformer, np.full(MINUTE, value, dtype))
        assert_array_equal(traces[0], np.full(MINUTE, value, dtype))
        assert not traces[1:].any()


def test_a_pulse_without_beats_can_be_standardized():
    steps = make_pipeline(HeartRateChannels(RATE), Resample(RATE, 4), Standardize("zero"))
    assert not trace(steps, np.zeros(MINUTE)).any()


@pytest.mark.parametrize("scale", [-3e-9, 1e-200, 1e6])
def test_a_change_of_unit_changes_log_amplitude_by_a_constant_only(scale):
    pulse = draw_pulse(72) + np.random.default_rng(0).normal(scale=0.3, size=2 * MINUTE)
    expected = trace_pulse(np.sign(scale) * pulse)
    heart_rate, log_amplitude, regularity = trace_pulse(scale * pulse)
    assert_allclose(heart_rate, expected[0], rtol=1e-6)
    assert_allclose(log_amplitude - np.log(abs(scale)), expected[1], atol=1e-6)
    assert_allclose(regularity, expected[2], atol=1e-6)


def test_an_offset_changes_no_trace_of_a_pulse():
    pulse = draw_pulse(np.linspace(60, 90, 2 * MINUTE))
    assert_allclose(trace_pulse(pulse + 1000), trace_pulse(pulse), atol=1e-6)


@pytest.mark.parametrize("slope", [1, 15])
def test_the_slope_of_a_ramp_is_its_rise_per_second(slope):
    temperature = 30 + 0.02 * np.arange(4 * 300) / 4
    traces = trace(SlopeChannels(4, slope), temperature)
    assert_array_equal(traces[0], temperature)
    inside = slice(5 * 4 * slope, -5 * 4 * slope)
    assert_allclose(traces[1, inside], 0.02, rtol=1e-6)


def test_a_longer_slope_is_smoother(noise):
    spreads = [trace(SlopeChannels(4, slope), noise)[1].std() for slope in (0.5, 5, 15)]
    assert spreads[0] > 10 * spreads[1] > 10 * spreads[2]


def test_activity_is_the_log_of_how_much_samples_differ(noise):
    signal = np.repeat([1.0, 10.0], 4 * 150) * noise
    activity = trace(SlopeChannels(4, 5, window=10), signal)[2]
    quiet, active = activity[40 : 4 * 150 - 40], activity[4 * 150 + 40 : -40]
    # differences of white noise have the square root of two of its spread
    assert quiet.mean() == pytest.approx(np.log(np.sqrt(2)), abs=0.1)
    assert active.mean() == pytest.approx(np.log(10 * np.sqrt(2)), abs=0.1)


def test_activity_of_a_drift_is_at_its_floor(noise):
    signal = np.arange(1200.0)
    activity = trace(SlopeChannels(4, 5, window=10), signal)[2, 40:-40]
    assert_allclose(activity, np.log(1e-4 * signal.std()), atol=1e-6)


@pytest.mark.parametrize("scale, offset", [(1e-6, 0), (1000, 5)])
def test_a_change_of_unit_changes_no_standardized_dynamics(scale, offset, noise):
    steps = make_pipeline(SlopeChannels(4, smoothing=5, window=10), Standardize())
    skin = np.cumsum(noise) + 3 * (np.arange(1200) > 600) * noise
    assert_allclose(trace(steps, scale * skin + offset), trace(steps, skin), atol=1e-5)


def test_dynamics_are_those_of_z_scores(noise):
    add, skin = SlopeChannels(4, smoothing=5, window=10), np.cumsum(noise)
    after = trace(make_pipeline(add, Standardize()), skin)
    before = trace(make_pipeline(Standardize(), add, Standardize()), skin)
    assert_allclose(after, before, atol=1e-8)


def test_normal_scores_are_the_quantiles_of_ranks():
    scores = trace(NormalScores(), [3.0, -1.0, 3.0, 900.0])
    assert_allclose(scores[0], norm.ppf([0.5, 0.125, 0.5, 0.875]))


def test_normal_scores_of_normal_noise_are_its_z_scores(noise):
    scores = trace(NormalScores(), 7 + 3 * noise)[0]
    middle = np.abs(noise) < 2
    assert_allclose(scores[middle], noise[middle], atol=0.15)


def test_a_monotonic_change_changes_no_normal_scores(noise):
    X = noise.reshape(3, 2, 200)
    assert_array_equal(normal_scores(np.exp(X)), normal_scores(X))
    assert_allclose(normal_scores(X).mean(axis=-1), 0, atol=1e-12)


def test_normal_scores_of_constant_channels_are_an_error_or_zeros(noise):
    X = noise.reshape(3, 2, 200).copy()
    X[1, 0] = 0.1
    with pytest.raises(
        ValueError, match=r"need spread, but 1 of 6 .* \(window, channel\) \(1, 0\)"
    ):
        NormalScores().transform(X)
    scores = NormalScores(constant="zero").transform(X)
    assert not scores[1, 0].any()
    assert_array_equal(scores[1, 1], normal_scores(X[1, 1]))


@pytest.mark.parametrize(
    "transformer, n_out",
    [(HeartRateChannels(RATE), 4), (SlopeChannels(4, 5), 2), (SlopeChannels(4, 5, 10), 3)],
)
def test_each_channel_is_followed_by_its_traces(transformer, n_out):
    X = np.stack([draw_pulse(72), draw_pulse(90, amplitude=2)]).reshape(2, 2, MINUTE)
    traces = transformer.fit_transform(X)
    assert traces.shape == (2, 2 * n_out, MINUTE)
    assert_array_equal(traces[:, ::n_out], X)
    for window, channel in np.ndindex(2, 2):
        alone = trace(transformer, X[window, channel])
        assert_array_equal(traces[window, channel * n_out : (channel + 1) * n_out], alone)


@pytest.mark.parametrize("transformer", [HeartRateChannels(RATE), SlopeChannels(4, 5, 10)])
def test_two_dimensions_become_three_with_the_traces_as_channels(transformer):
    X = draw_pulse(72).reshape(2, MINUTE)
    assert_array_equal(transformer.fit_transform(X), transformer.fit_transform(X[:, np.newaxis]))


@pytest.mark.parametrize(
    "transformer", [HeartRateChannels(RATE), SlopeChannels(RATE, 5, 10), NormalScores()]
)
def test_float32_gives_what_float64_gives(transformer):
    pulse = draw_pulse(np.linspace(60, 90, 2 * MINUTE)).astype(np.float32)
    traces = trace(transformer, pulse)
    assert traces.dtype == np.float32
    assert_allclose(traces, trace(transformer, pulse.astype(np.float64)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "transformer, error, rule",
    [
        (HeartRateChannels(8), ValueError, r"low < high < 4 Hz .* got low=0\.6 and high=4\.0"),
        (HeartRateChannels("64"), TypeError, "sampling_rate must be a number, in Hz, got '64'"),
        (SlopeChannels(0, 5), ValueError, "sampling_rate must be positive"),
        (SlopeChannels(4, "5"), TypeError, "smoothing must be a number, in seconds, got '5'"),
        (SlopeChannels(4, 0), ValueError, "smoothing must be positive and finite, .* got 0"),
        (SlopeChannels(4, np.inf), ValueError, "smoothing must be positive and finite, .* got inf"),
        (SlopeChannels(4, 5, True), TypeError, "window must be a number, in seconds, got True"),
        (SlopeChannels(4, 5, 0.4), ValueError, r"which are 0\.5 s at 4 Hz, got 0\.4"),
        (NormalScores("drop"), ValueError, "constant must be 'error' or 'zero', got 'drop'"),
    ],
)
def test_wrong_parameters_are_an_error(transformer, error, rule):
    X = np.random.default_rng(0).normal(size=(2, 1, 64))
    with pytest.raises(error, match=rule):
        transformer.fit(X)
    with pytest.raises(error, match=rule):
        transformer.transform(X)


@pytest.fixture
def preprocessor():
    return Preprocessor(
        {
            "bvp": [HeartRateChannels(64), Resample(64, 4), Standardize(constant="zero")],
            "eda": [SlopeChannels(4, smoothing=5, window=10), NormalScores()],
            "temp": [SlopeChannels(4, smoothing=15), Standardize()],
        },
        input_sampling_rate={"bvp": 64, "eda": 4, "temp": 4},
        sampling_rate={"bvp": 4, "eda": 4, "temp": 4},
        duration=60,
    )


def test_an_encoder_is_saved_with_the_traces_that_it_was_trained_on(preprocessor, tmp_path, noise):
    signals = {"bvp": draw_pulse(72, duration=300), "eda": noise, "temp": np.cumsum(noise)}
    recording = Recording(signals, {"bvp": 64, "eda": 4, "temp": 4}, "S1")
    X = preprocessor.make_windows(recording).X
    assert {name: x.shape for name, x in X.items()} == {
        "bvp": (5, 4, 240),
        "eda": (5, 3, 240),
        "temp": (5, 2, 240),
    }
    encoder = SSLEncoder(
        standardize=False, preprocessor=preprocessor, max_epochs=1, random_state=0
    ).fit(X)
    encoder.save(tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    again = loaded.preprocessor_.make_windows(recording).X
    assert again == X
    assert_allclose(loaded.transform(again), encoder.transform(X), atol=1e-6)


def test_heart_rate_of_a_real_wrist_is_plausible_and_highest_in_stress(data_folder):
    recording = load_wesad(data_folder / "WESAD", subjects=["S2"])[0]
    heart_rate, _, regularity = trace_pulse(recording.signals["bvp"][0, 0])
    assert 60 / 1.7 <= heart_rate.min() < heart_rate.max() <= 60 / 0.33
    stages = [recording.annotations[name] for name in ("description", "onset", "duration")]
    rates, regular = {}, {}
    for name, onset, duration in zip(*stages, strict=True):
        stage = slice(int(onset * RATE), int((onset + duration) * RATE))
        rates[name] = np.median(heart_rate[stage])
        regular[name] = regularity[stage].mean()
    assert rates["meditation"] < rates["baseline"] < rates["stress"] < 80
    assert rates["stress"] - rates["meditation"] > 5
    # who sits still has a readable pulse, who speaks with the hands has less of one
    assert regular["stress"] < 0.6 < 0.8 < regular["meditation"]
