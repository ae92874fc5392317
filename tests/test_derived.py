"""Channels derived from a wristband's signals: heart rate, slope and activity."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from physio_ssl.datasets import load_wesad
from physio_ssl.preprocessing import HeartRateChannels, Resample, SlopeChannels, Standardize

RATE = 64
INSIDE = slice(3 * RATE, -3 * RATE)  # the filter does not see both sides of an end
MINUTE = 60 * RATE


def draw_pulse(rate, duration=120, amplitude=1.0):
    """A pulse wave with a second, lower peak, of some beats/min at each time."""
    times = np.arange(duration * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(rate, times.shape) / 60) / RATE
    return amplitude * (np.sin(phase) + 0.3 * np.sin(2 * phase + 1))


def derive(transformer, signal):
    """Return the channels that come of one signal."""
    return transformer.fit_transform(np.asarray(signal)[np.newaxis, np.newaxis])[0]


def derive_pulse(signal):
    """Return heart rate, log amplitude and regularity."""
    return derive(HeartRateChannels(RATE), signal)[1:]


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=4 * 300)


@pytest.mark.parametrize("rate", [45, 72, 110, 165])
def test_heart_rate_is_that_of_the_pulse(rate):
    heart_rate, _, regularity = derive_pulse(draw_pulse(rate))
    assert_allclose(heart_rate[INSIDE], rate, rtol=0.005)
    assert_array_equal(regularity[INSIDE], 1)


def test_heart_rate_follows_a_pulse_that_rises():
    rising = np.linspace(60, 120, 300 * RATE)
    heart_rate = derive_pulse(draw_pulse(rising, duration=300))[0]
    assert_allclose(heart_rate[INSIDE], rising[INSIDE], atol=0.5)


def test_missed_beats_leave_heart_rate_alone():
    pulse = draw_pulse(72, duration=60)
    missed = slice(29 * RATE, 31 * RATE)
    pulse[missed] = 0
    heart_rate, _, regularity = derive_pulse(pulse)
    assert_allclose(heart_rate, 72, rtol=0.25)
    assert_allclose(np.delete(heart_rate, slice(26 * RATE, 34 * RATE))[INSIDE], 72, rtol=0.01)
    assert regularity[missed].min() < 0.1
    assert regularity.mean() > 0.9


def test_heart_rate_bridges_a_stretch_of_noise():
    rising = np.repeat([60, 60, 90, 90], MINUTE)
    pulse = draw_pulse(rising, duration=240)
    noisy = slice(100 * RATE, 140 * RATE)
    pulse[noisy] = np.random.default_rng(0).normal(scale=2, size=40 * RATE)
    heart_rate, _, regularity = derive_pulse(pulse)
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
    heart_rate, log_amplitude, regularity = derive_pulse(pulse)
    inside = slice((start + 6) * RATE, (stop - 6) * RATE)
    assert_array_equal(regularity[inside], 0)
    assert_allclose(np.diff(heart_rate[inside], n=2), 0, atol=1e-9)
    assert log_amplitude[inside].max() == pytest.approx(log_amplitude.min(), abs=0.1)
    assert np.delete(regularity, np.r_[flat]).mean() > 0.95


def test_log_amplitude_is_that_of_the_pulse():
    amplitude = np.repeat([1.0, np.e], MINUTE)
    sine = amplitude * np.sin(2 * np.pi * 1.2 * np.arange(2 * MINUTE) / RATE)
    log_amplitude = derive_pulse(sine)[1]
    expected = np.log(np.sqrt(0.5)) + np.repeat([0, 1], 40 * RATE)
    there = np.r_[10 * RATE : 50 * RATE, 70 * RATE : 110 * RATE]
    # a beat and a fraction fit into 4 s, and the filter takes a little
    assert_allclose(log_amplitude[there], expected, atol=0.05)


def test_a_clipped_pulse_has_its_heart_rate():
    heart_rate, _, regularity = derive_pulse(np.minimum(draw_pulse(72), 0.3))
    assert_allclose(heart_rate[INSIDE], 72, rtol=0.01)
    assert_array_equal(regularity[INSIDE], 1)


def test_a_trend_without_beats_has_heart_rate_and_regularity_zero():
    heart_rate, _, regularity = derive_pulse(np.linspace(0, 1, MINUTE))
    assert not heart_rate.any()
    assert not regularity.any()


@pytest.mark.parametrize("n_times", [2, 3, RATE, 3 * RATE])
def test_a_window_too_short_for_six_intervals_has_no_heart_rate(n_times):
    channels = derive_pulse(draw_pulse(72)[:n_times])
    assert np.isfinite(channels).all()
    assert not channels[0].any()


def test_a_window_of_ten_seconds_has_a_heart_rate():
    assert_allclose(derive_pulse(draw_pulse(72)[: 10 * RATE])[0], 72, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("transformer", [HeartRateChannels(RATE), SlopeChannels(4, 5, 10)])
def test_channels_derived_from_a_constant_signal_are_zero(transformer, value):
    for dtype in (np.float32, np.float64):
        channels = derive(transformer, np.full(MINUTE, value, dtype))
        assert_array_equal(channels[0], np.full(MINUTE, value, dtype))
        assert not channels[1:].any()


def test_a_pulse_without_beats_can_be_standardized():
    steps = make_pipeline(HeartRateChannels(RATE), Resample(RATE, 4), Standardize("zero"))
    assert not derive(steps, np.zeros(MINUTE)).any()


@pytest.mark.parametrize("scale", [-3e-9, 1e-200, 1e6])
def test_a_change_of_unit_changes_log_amplitude_by_a_constant_only(scale):
    pulse = draw_pulse(72) + np.random.default_rng(0).normal(scale=0.3, size=2 * MINUTE)
    expected = derive_pulse(np.sign(scale) * pulse)
    heart_rate, log_amplitude, regularity = derive_pulse(scale * pulse)
    assert_allclose(heart_rate, expected[0], rtol=1e-6)
    assert_allclose(log_amplitude - np.log(abs(scale)), expected[1], atol=1e-6)
    assert_allclose(regularity, expected[2], atol=1e-6)


def test_an_offset_changes_no_channel_of_a_pulse():
    pulse = draw_pulse(np.linspace(60, 90, 2 * MINUTE))
    assert_allclose(derive_pulse(pulse + 1000), derive_pulse(pulse), atol=1e-6)


@pytest.mark.parametrize("smoothing", [1, 15])
def test_the_slope_of_a_ramp_is_its_rise_per_second(smoothing):
    temperature = 30 + 0.02 * np.arange(4 * 300) / 4
    channels = derive(SlopeChannels(4, smoothing), temperature)
    assert_array_equal(channels[0], temperature)
    inside = slice(20 * smoothing, -20 * smoothing)
    assert_allclose(channels[1, inside], 0.02, rtol=1e-6)


def test_longer_smoothing_gives_a_smoother_slope(noise):
    spreads = [derive(SlopeChannels(4, smoothing), noise)[1].std() for smoothing in (0.5, 5, 15)]
    assert spreads[0] > 10 * spreads[1] > 10 * spreads[2]


def test_activity_is_the_log_of_how_much_samples_differ(noise):
    signal = np.repeat([1.0, 10.0], 4 * 150) * noise
    activity = derive(SlopeChannels(4, 5, window=10), signal)[2]
    quiet, active = activity[40 : 4 * 150 - 40], activity[4 * 150 + 40 : -40]
    # differences of white noise have the square root of two of its spread
    assert quiet.mean() == pytest.approx(np.log(np.sqrt(2)), abs=0.1)
    assert active.mean() == pytest.approx(np.log(10 * np.sqrt(2)), abs=0.1)


def test_activity_of_a_drift_is_at_its_floor(noise):
    signal = np.arange(1200.0)
    activity = derive(SlopeChannels(4, 5, window=10), signal)[2, 40:-40]
    assert_allclose(activity, np.log(1e-4 * signal.std()), atol=1e-6)


@pytest.mark.parametrize("scale, offset", [(1e-6, 0), (1000, 5)])
def test_a_change_of_unit_changes_no_standardized_slope_or_activity(scale, offset, noise):
    steps = make_pipeline(SlopeChannels(4, smoothing=5, window=10), Standardize())
    skin = np.cumsum(noise) + 3 * (np.arange(1200) > 600) * noise
    assert_allclose(derive(steps, scale * skin + offset), derive(steps, skin), atol=1e-5)


def test_slope_and_activity_are_those_of_z_scores(noise):
    add, skin = SlopeChannels(4, smoothing=5, window=10), np.cumsum(noise)
    after = derive(make_pipeline(add, Standardize()), skin)
    before = derive(make_pipeline(Standardize(), add, Standardize()), skin)
    assert_allclose(after, before, atol=1e-8)


@pytest.mark.parametrize(
    "transformer, n_out",
    [(HeartRateChannels(RATE), 4), (SlopeChannels(4, 5), 2), (SlopeChannels(4, 5, 10), 3)],
)
def test_each_channel_is_followed_by_those_derived_from_it(transformer, n_out):
    X = np.stack([draw_pulse(72), draw_pulse(90, amplitude=2)]).reshape(2, 2, MINUTE)
    channels = transformer.fit_transform(X)
    assert channels.shape == (2, 2 * n_out, MINUTE)
    assert_array_equal(channels[:, ::n_out], X)
    for window, channel in np.ndindex(2, 2):
        alone = derive(transformer, X[window, channel])
        assert_array_equal(channels[window, channel * n_out : (channel + 1) * n_out], alone)


@pytest.mark.parametrize("transformer", [HeartRateChannels(RATE), SlopeChannels(RATE, 5, 10)])
def test_float32_gives_what_float64_gives(transformer):
    pulse = draw_pulse(np.linspace(60, 90, 2 * MINUTE)).astype(np.float32)
    channels = derive(transformer, pulse)
    assert channels.dtype == np.float32
    assert_allclose(channels, derive(transformer, pulse.astype(np.float64)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "transformer, error, rule",
    [
        (HeartRateChannels(8), ValueError, "above 8 Hz, got 8"),
        (HeartRateChannels("64"), TypeError, "sampling_rate .* got '64'"),
        (SlopeChannels(0, 5), ValueError, "sampling_rate .* got 0"),
        (SlopeChannels(4, "5"), TypeError, "smoothing .* got '5'"),
        (SlopeChannels(4, 0), ValueError, "smoothing .* got 0"),
        (SlopeChannels(4, np.inf), ValueError, "smoothing .* got inf"),
        (SlopeChannels(4, 5, True), TypeError, "window .* got True"),
        (SlopeChannels(4, 5, 0.4), ValueError, r"two samples, 0\.5 s, got 0\.4"),
    ],
)
def test_wrong_parameters_are_an_error(transformer, error, rule):
    X = np.random.default_rng(0).normal(size=(2, 1, 64))
    with pytest.raises(error, match=rule):
        transformer.fit(X)
    with pytest.raises(error, match=rule):
        transformer.transform(X)


def test_heart_rate_of_a_real_wrist_is_plausible_and_highest_in_stress(data_folder):
    recording = load_wesad(data_folder / "WESAD", subjects=["S2"])[0]
    heart_rate, _, regularity = derive_pulse(recording.signals["bvp"][0, 0])
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
