import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from physio_ssl import Recording, functional, make_windows
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    Detrend,
    LowpassFilter,
    NormalScores,
    Resample,
    Standardize,
    prepare_ecg,
    prepare_wristband,
)

PAIRS = [
    (BandpassFilter(0.5, 8, 64, order=3), lambda X: functional.bandpass(X, 0.5, 8, 64, 3)),
    (LowpassFilter(3, 64, order=2), lambda X: functional.lowpass(X, 3, 64, 2)),
    (Resample(64, 4), lambda X: functional.resample(X, 64, 4)),
    (Standardize(), functional.standardize),
    (NormalScores(), functional.normal_scores),
    (Clip(-1, 1), lambda X: functional.clip(X, -1, 1)),
    (Detrend(), functional.detrend),
]
MISTAKES = [
    (BandpassFilter(0.5, 32, sampling_rate=64), r"< 32 Hz .* low=0.5 and high=32"),
    (LowpassFilter(2.0, sampling_rate=4), "< 2 Hz .* got high=2.0"),
    (Resample(64, 0), "new_sampling_rate must be positive"),
    (Standardize(constant="ignore"), "constant must be 'error' or 'zero'"),
    (NormalScores(constant="ignore"), "constant must be 'error' or 'zero'"),
    (Clip(1, -1), "low < high, got low=1 and high=-1"),
]
every_pair = pytest.mark.parametrize("estimator, function", PAIRS, ids=lambda x: None)
every_mistake = pytest.mark.parametrize("estimator, rule", MISTAKES)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(4, 2, 640))


def record(bvp_rate=64, eda_rate=4, subject="S1", **more):
    rng = np.random.default_rng(0)
    rates = {"bvp": bvp_rate, "eda": eda_rate, "temp": 4, **dict.fromkeys(more, 32)}
    signals = {name: rng.normal(9, 2, size=120 * rate) for name, rate in rates.items()}
    return Recording({**signals, **more}, rates, subject, start_time=1.5e9)


@every_pair
def test_the_estimator_is_its_function(estimator, function, X):
    np.testing.assert_array_equal(clone(estimator).fit_transform(X), function(X))


@every_pair
def test_two_dimensions_are_one_channel(estimator, function, X):
    transformed = estimator.fit_transform(X[:, :1])
    np.testing.assert_allclose(clone(estimator).fit_transform(X[:, 0]), transformed[:, 0])


@every_pair
def test_transform_works_without_fit(estimator, function, X):
    np.testing.assert_array_equal(clone(estimator).transform(X), function(X))


@every_pair
def test_there_are_no_feature_names(estimator, function):
    assert not hasattr(estimator, "get_feature_names_out")


@every_mistake
def test_wrong_parameters_are_an_error_in_fit(estimator, rule, X):
    with pytest.raises(ValueError, match=rule):
        clone(estimator).fit(X)


@every_mistake
def test_wrong_parameters_are_an_error_in_transform_without_fit(estimator, rule, X):
    with pytest.raises(ValueError, match=rule):
        clone(estimator).transform(X)


@pytest.mark.parametrize("estimator", [pair[0] for pair in PAIRS])
def test_missing_samples_are_an_error(estimator, X):
    X[1, 0, 7] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        estimator.transform(X)


def test_standardize_treats_a_recording_as_one_window():
    prepared = record().apply({"eda": Standardize()})
    assert prepared.signals["eda"].mean() == pytest.approx(0)
    assert prepared.signals["eda"].std() == pytest.approx(1)


def test_steps_make_a_pipeline(X):
    steps = make_pipeline(BandpassFilter(0.5, 8, 64), Resample(64, 16), Standardize())
    assert steps.fit_transform(X).shape == (4, 2, 160)


def test_wristband_signals_come_at_one_rate():
    prepared = prepare_wristband(record())
    assert prepared.sampling_rate == {"bvp": 4, "eda": 4, "temp": 4}
    assert {signal.shape for signal in prepared.signals.values()} == {(1, 1, 480)}


def test_wristband_signals_are_z_scores_of_the_recording():
    for signal in prepare_wristband(record()).signals.values():
        assert signal.mean() == pytest.approx(0)
        assert signal.std() == pytest.approx(1)


def test_wristband_signals_keep_their_unit_without_standardizing():
    recording = record()
    prepared = prepare_wristband(recording, standardize=False)
    np.testing.assert_array_equal(prepared.signals["eda"], recording.signals["eda"])


@pytest.mark.parametrize("frequency, gain", [(0.1, 1), (1.2, 1), (5.0, 0)])
def test_wristband_pulse_is_not_aliased(frequency, gain):
    bvp = np.sin(2 * np.pi * frequency * np.arange(0, 120, 1 / 64))
    recording = Recording({"bvp": bvp}, {"bvp": 64}, "S1")
    prepared = prepare_wristband(recording, standardize=False)
    assert prepared.signals["bvp"].std() / bvp.std() == pytest.approx(gain, abs=0.02)


@pytest.mark.parametrize("rate", [4, 16, 700])
def test_wristband_pulse_may_have_any_rate(rate):
    assert prepare_wristband(record(bvp_rate=rate)).signals["bvp"].shape == (1, 1, 480)


def test_wristband_keeps_subject_annotations_and_clock():
    events = {"onset": [1.0], "duration": [5.0], "description": ["stress"]}
    recording = Recording({"eda": np.arange(480)}, {"eda": 4}, "S7", events, 1.5e9)
    prepared = prepare_wristband(recording)
    assert (prepared.subject, prepared.start_time) == ("S7", 1.5e9)
    assert prepared.annotations["description"] == ["stress"]


def test_wristband_takes_a_list_and_gives_a_list():
    prepared = prepare_wristband([record(subject="S1"), record(subject="S2")])
    assert [recording.subject for recording in prepared] == ["S1", "S2"]


def test_wristband_takes_three_axes_of_acceleration():
    acc = np.random.default_rng(0).normal(size=(3, 3840))
    assert prepare_wristband(record(acc=acc)).signals["acc"].shape == (1, 3, 480)


def test_wristband_refuses_a_constant_signal():
    recording = Recording({"temp": np.full(480, 33.0)}, {"temp": 4}, "S1")
    with pytest.raises(ValueError, match=r"1 of 1 signals are constant.* \(0, 0\)"):
        prepare_wristband(recording)


def record_ecg(signal=None, rate=250, subject="S1", **more):
    if signal is None:
        signal = np.random.default_rng(0).normal(5, 2, size=60 * rate)
    return Recording({"ecg": signal}, {"ecg": rate}, subject, **more)


@pytest.mark.parametrize("rate", [101, 128, 250, 360, 500, 1000])
def test_ecg_comes_at_one_rate(rate):
    prepared = prepare_ecg(record_ecg(rate=rate))
    assert prepared.sampling_rate == {"ecg": 128}
    assert prepared.signals["ecg"].shape == (1, 1, 60 * 128)


@pytest.mark.parametrize("rate", [128, 500])
@pytest.mark.parametrize(
    "frequency, gain", [(0.3, 0), (0.6, 0), (1.2, 1), (20, 1), (40, 1), (62, 0), (70, 0)]
)
def test_ecg_keeps_only_its_band(frequency, gain, rate):
    wave = np.sin(2 * np.pi * frequency * np.arange(0, 60, 1 / rate))
    if frequency < rate / 2:
        prepared = prepare_ecg(record_ecg(wave, rate), standardize=None).signals["ecg"]
        middle = prepared[..., 1280:-1280]
        assert middle.std() / wave.std() == pytest.approx(gain, abs=0.03)


def test_ecg_is_filtered_at_its_own_rate_and_not_shifted():
    signal = np.random.default_rng(0).normal(size=30_000)
    prepared = prepare_ecg(record_ecg(signal, 500), standardize=None)
    expected = functional.resample(functional.bandpass(signal, 0.8, 50, 500, order=8), 500, 128)
    np.testing.assert_array_equal(prepared.signals["ecg"][0, 0], expected)


def test_ecg_at_the_new_rate_already_is_only_filtered():
    signal = np.random.default_rng(0).normal(size=1280)
    prepared = prepare_ecg(record_ecg(signal, 128), band=(1, 40), order=2, standardize=None)
    expected = functional.bandpass(signal, 1, 40, 128, order=2)
    np.testing.assert_array_equal(prepared.signals["ecg"][0, 0], expected)


def test_ecg_of_a_subject_shares_mean_and_standard_deviation():
    calm, excited = (np.random.default_rng(n).normal(scale=n, size=7500) for n in (1, 3))
    recordings = [record_ecg(calm), record_ecg(10 * calm, subject="S2"), record_ecg(excited)]
    first, other, second = (r.signals["ecg"] for r in prepare_ecg(recordings))
    both = np.concatenate([first, second], axis=-1)
    assert both.mean() == pytest.approx(0, abs=1e-9)
    assert both.std() == pytest.approx(1)
    assert other.std() == pytest.approx(1)
    assert second.std() / first.std() == pytest.approx(3, rel=0.05)


def test_ecg_may_be_standardized_by_recording():
    recordings = [record_ecg(), record_ecg(7 * np.random.default_rng(1).normal(size=7500))]
    for prepared in prepare_ecg(recordings, standardize="recording"):
        assert prepared.signals["ecg"].std() == pytest.approx(1)
        assert prepared.signals["ecg"].mean() == pytest.approx(0, abs=1e-9)


def test_each_lead_of_an_ecg_is_standardized_by_itself():
    leads = np.random.default_rng(0).normal(scale=[[1], [5]], size=(2, 7500))
    prepared = prepare_ecg(record_ecg(leads))
    np.testing.assert_allclose(prepared.signals["ecg"].std(axis=-1), 1)


def test_what_is_no_ecg_is_left_as_it_was():
    events = {"onset": [1.0], "duration": [5.0], "description": ["stress"]}
    signals = {"ecg": np.random.default_rng(0).normal(size=7500), "eda": np.arange(120)}
    recording = Recording(signals, {"ecg": 250, "eda": 4}, "S7", events, 1.5e9)
    prepared = prepare_ecg(recording)
    np.testing.assert_array_equal(prepared.signals["eda"], recording.signals["eda"])
    assert prepared.sampling_rate == {"ecg": 128, "eda": 4}
    assert (prepared.subject, prepared.start_time) == ("S7", 1.5e9)
    assert prepared.annotations["description"] == ["stress"]


def test_ecg_as_recorded_is_not_changed():
    recording = record_ecg()
    before = recording.signals["ecg"].copy()
    prepare_ecg(recording)
    np.testing.assert_array_equal(recording.signals["ecg"], before)


@pytest.mark.parametrize("rate", [128, 250])
def test_gaps_of_an_ecg_stay_gaps_and_spoil_only_their_windows(rate):
    signal = np.random.default_rng(0).normal(size=60 * rate)
    gappy = signal.copy()
    gappy[21 * rate : 23 * rate] = np.nan
    whole, prepared = (prepare_ecg(record_ecg(x, rate), standardize=None) for x in (signal, gappy))
    gap = np.isnan(prepared.signals["ecg"][0, 0])
    # 1.25 s on each side, one period of 0.8 Hz, are missing too
    assert np.flatnonzero(gap).min() == pytest.approx(19.75 * 128, abs=1)
    assert np.flatnonzero(gap).max() == pytest.approx(24.25 * 128, abs=1)
    assert gap.sum() == pytest.approx(4.5 * 128, abs=2)
    windows = make_windows(prepared, 10)
    np.testing.assert_array_equal(windows.onset, [0, 30, 40, 50])
    assert windows.dropped == {"non-finite": 2}
    expected = whole.signals["ecg"][0, 0, 30 * 128 :]  # the filter's memory has ended there
    np.testing.assert_allclose(prepared.signals["ecg"][0, 0, 30 * 128 :], expected, atol=1e-3)


def test_what_is_kept_beside_a_gap_of_an_ecg_is_nearly_as_without_the_gap(draw_ecg):
    wander = np.sin(2 * np.pi * 0.2 * np.arange(7500) / 250)
    signal = draw_ecg(np.arange(0.3, 30, 0.8), 250, 30) + wander
    gappy = np.where(abs(np.arange(7500) - 3750) < 50, np.nan, signal)
    whole, prepared = (
        prepare_ecg(record_ecg(x), standardize=None).signals["ecg"] for x in (signal, gappy)
    )
    assert np.nanmax(abs(prepared - whole)) < 0.04 * np.ptp(whole)
    ends = [0, 1, -2, -1]  # those of the recording are kept
    np.testing.assert_allclose(prepared[..., ends], whole[..., ends], atol=1e-3)


def test_stretches_of_an_ecg_between_near_gaps_vanish():
    signal = np.random.default_rng(0).normal(size=7500)
    signal[[2500, 3000, 7000]] = np.nan  # between are 2 s, and 2 s after the last
    gap = np.isnan(prepare_ecg(record_ecg(signal, 250)).signals["ecg"][0, 0])
    seconds = np.flatnonzero(np.diff(gap)) / 128
    np.testing.assert_allclose(seconds, [8.75, 13.25, 26.75, 29.25], atol=0.02)


def test_an_ecg_that_is_nowhere_far_from_its_gaps_is_refused():
    signal = np.random.default_rng(0).normal(size=7500)
    signal[::600] = np.nan
    with pytest.raises(ValueError, match="farther than 1.25 s from its gaps, but channel 0"):
        prepare_ecg([record_ecg(), record_ecg(signal)])


def test_gaps_do_not_count_in_the_scale_of_an_ecg():
    signal = np.random.default_rng(0).normal(9, 2, size=7500)
    signal[:500], signal[3000:4000] = np.nan, np.nan
    prepared = prepare_ecg(record_ecg(signal)).signals["ecg"]
    assert np.nanmean(prepared) == pytest.approx(0, abs=1e-9)
    assert np.nanstd(prepared) == pytest.approx(1)


def test_an_ecg_of_single_precision_stays_single():
    signal = np.random.default_rng(0).normal(size=7500).astype(np.float32)
    gappy = np.where(np.arange(7500) == 99, np.float32(np.nan), signal)
    for prepared in prepare_ecg([record_ecg(signal), record_ecg(gappy)]):
        assert prepared.signals["ecg"].dtype == np.float32


@pytest.mark.parametrize("rate", [64, 100])
def test_an_ecg_at_too_low_a_rate_is_refused_with_advice(rate):
    rule = rf"twice .* 50 Hz, but recording 1, of S9, is at {rate} Hz: set a band .* {rate // 2} Hz"
    with pytest.raises(ValueError, match=rule):
        prepare_ecg([record_ecg(), record_ecg(rate=rate, subject="S9")])
    assert prepare_ecg(record_ecg(rate=rate), band=(0.8, 30)).sampling_rate == {"ecg": 128}


@pytest.mark.parametrize(
    "signal, rule",
    [
        (np.full(7500, 0.3), "needs spread, but the ECG of S1 is constant in channel 0"),
        (np.full(7500, np.nan), "recording 0, of S1, has only gaps in channel 0"),
        (np.where(np.arange(7500) == 5, np.inf, 1.0), "holds infinite samples; gaps must be NaN"),
    ],
)
def test_an_ecg_without_use_is_refused(signal, rule):
    with pytest.raises(ValueError, match=rule):
        prepare_ecg(record_ecg(signal))


def test_a_flat_recording_is_scaled_by_the_others_of_its_subject():
    prepared = prepare_ecg([record_ecg(), record_ecg(np.full(7500, 0.3))])
    assert np.ptp(prepared[1].signals["ecg"]) < 1e-9


@pytest.mark.parametrize(
    "arguments, rule",
    [
        ({"standardize": True}, "'subject', 'recording' or None, got True"),
        ({"band": 50}, "band must be two frequencies, in Hz, got 50"),
        ({"band": (50, 0.8)}, "0 < low < high"),
        ({"sampling_rate": 0}, "sampling_rate must be positive"),
    ],
)
def test_ecg_parameters_are_checked(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        prepare_ecg(record_ecg(), **arguments)


def test_recordings_without_ecg_are_refused():
    with pytest.raises(ValueError, match="needs the modality 'ecg', but recording 0, of S1, has"):
        prepare_ecg(record())
    with pytest.raises(TypeError, match="Expected recordings, got a dict"):
        prepare_ecg([{"ecg": np.zeros(10)}])


def test_recordings_of_a_subject_with_other_leads_are_refused():
    leads = np.random.default_rng(0).normal(size=(2, 7500))
    with pytest.raises(ValueError, match="same channels, got {1, 2} channels of 'ecg' for S1"):
        prepare_ecg([record_ecg(), record_ecg(leads)])
