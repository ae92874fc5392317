"""Preprocessors: recordings to the windows that an encoder expects, as one object."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import FunctionTransformer

from physio_ssl import (
    Recording,
    SignalDict,
    SSLEncoder,
    StageLabels,
    functional,
    load_encoder,
    make_windows,
    save_encoder,
)
from physio_ssl.datasets import load_wesad
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    HeartRateChannels,
    NormalScores,
    Preprocessor,
    Resample,
    SlopeChannels,
    Standardize,
    ecg_preprocessor,
    wristband_preprocessor,
)

SMALL = {"max_epochs": 1, "module__d_model": 8, "random_state": 0}
STAGES = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}


@pytest.fixture
def preprocessor():
    return Preprocessor(
        {"bvp": [Resample(64, 4), Standardize()], "eda": [Clip(0, 9), Standardize()], "temp": []},
        output_sampling_rate={"bvp": 4, "eda": 4, "temp": 4},
        duration=10,
        input_sampling_rate={"bvp": 64, "eda": 4, "temp": 4},
    )


def record(subject="S1", **rates):
    """Two minutes of slow waves, which all rates hold alike."""
    rates = rates or {"temp": 4, "bvp": 64, "acc": 32, "eda": 4}
    signals = {
        name: 5 + 6 * np.sin(2 * np.pi * 0.2 * np.arange(120 * rate) / rate)
        for name, rate in rates.items()
    }
    return Recording(signals, rates, subject, STAGES, start_time=1.5e9)


def one_step(*steps, rate=4, **settings):
    """Return a preprocessor of the pulse."""
    return Preprocessor({"bvp": list(steps)}, {"bvp": rate}, duration=10, **settings)


def test_each_modality_goes_through_its_steps_in_turn(preprocessor):
    recording = record()
    after = preprocessor.transform(recording)
    bvp, eda = recording.signals["bvp"], recording.signals["eda"]
    expected = functional.standardize(functional.resample(bvp, 64, 4))
    assert_array_equal(after.signals["bvp"], expected)
    assert_array_equal(after.signals["eda"], functional.standardize(np.clip(eda, 0, 9)))
    assert_array_equal(after.signals["temp"], recording.signals["temp"])
    assert after.sampling_rate == {"bvp": 4, "eda": 4, "temp": 4}
    assert (after.subject, after.start_time) == ("S1", 1.5e9)
    assert list(after.annotations["description"]) == ["rest", "stress"]


def test_recordings_are_left_alone(preprocessor):
    recording = record()
    before = {name: signal.copy() for name, signal in recording.signals.items()}
    preprocessor.make_windows(recording).X["temp"][:] = 0
    for name, signal in recording.signals.items():
        assert_array_equal(signal, before[name])


def test_windows_are_those_of_make_windows(preprocessor):
    recordings = [record("S1"), record("S2")]
    labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=0.8)
    windows = preprocessor.make_windows(recordings, 5, labels=labels)
    expected = make_windows(preprocessor.transform(recordings), 10, 5, labels=labels)
    assert windows.X == expected.X
    assert_array_equal(windows.y, expected.y)
    assert_array_equal(windows.groups, expected.groups)
    assert windows.dropped == expected.dropped == {"unlabelled": 2}
    assert_array_equal(preprocessor.make_windows(record()).onset, np.arange(0, 111, 10))


@pytest.mark.parametrize(
    "steps, standardize, expected",
    [
        ([Clip(0, 9)], None, None),
        ([Clip(0, 9), Standardize()], None, "recording"),
        ([NormalScores(), Clip(0, 9)], None, "recording"),
        ([], "recording", "recording"),
        ([Standardize()], "subject", "subject"),
        ([FunctionTransformer(np.abs)], None, None),
    ],
)
def test_windows_say_what_they_were_scaled_over(steps, standardize, expected):
    windows = one_step(*steps, standardize=standardize).make_windows(record(bvp=4))
    assert windows.scaling == expected


def test_only_the_modalities_of_the_windows_count_as_scaled():
    rates = {"bvp": 4, "eda": 4}
    preprocessor = Preprocessor({"bvp": [], "eda": [Standardize()]}, rates, duration=10)
    assert preprocessor.make_windows(record(bvp=4)).scaling is None
    assert preprocessor.make_windows(record(**rates)).scaling == "recording"


def test_the_number_of_samples_per_window_is_known_without_recordings(preprocessor):
    windows = preprocessor.make_windows(record())
    assert preprocessor.n_times == {name: x.shape[-1] for name, x in windows.X.items()}
    assert one_step(rate=30).set_params(duration=0.1).n_times == {"bvp": 3}
    with pytest.raises(ValueError, match=r"whole number of samples, .* 10\.1 s .* 40\.4"):
        _ = preprocessor.set_params(duration=10.1).n_times


def test_other_and_missing_modalities_are_left_out(preprocessor):
    whole = preprocessor.make_windows([record(), record("S2")])
    assert list(whole.X) == ["bvp", "eda", "temp"]
    without = preprocessor.make_windows([record(bvp=64, eda=4), record("S2", eda=4, bvp=64)])
    assert list(without.X) == ["bvp", "eda"]
    assert_array_equal(without.X["bvp"], whole.X["bvp"])


@pytest.mark.parametrize("rates", [{"bvp": 100}, {"bvp": 128}, {"bvp": 64, "eda": 8}])
def test_signals_of_faster_devices_become_alike(rates, preprocessor):
    faster = preprocessor.transform(record(**rates))
    for name in rates:
        expected = preprocessor.transform(record()).signals[name]
        assert faster.signals[name].shape == expected.shape
        # but for the ends, which filters do not see both sides of
        assert_allclose(faster.signals[name][..., 8:-8], expected[..., 8:-8], atol=0.03)


def test_frequencies_that_the_input_rate_cannot_hold_are_filtered_out():
    times = np.arange(120 * 128) / 128
    fast = np.sin(2 * np.pi * 0.2 * times) + np.sin(2 * np.pi * 60 * times)
    recording = Recording({"bvp": fast}, {"bvp": 128}, "S1")
    after = one_step(rate=64, input_sampling_rate={"bvp": 64}).transform(recording).signals["bvp"]
    # 60 Hz would be seen as 4 Hz
    spectrum = np.abs(np.fft.rfft(after[0, 0])) / (60 * 64)
    assert spectrum[[24, 480]] == pytest.approx([1, 0], abs=0.02)


def test_without_an_input_rate_any_rate_is_accepted():
    for rate, input_rate in [(2, None), (4, {"bvp": None}), (64, {"bvp": None}), (700, None)]:
        preprocessor = one_step(Resample(None, 4), input_sampling_rate=input_rate)
        after = preprocessor.transform(record(bvp=rate)).signals["bvp"]
        assert_array_equal(after, functional.resample(record(bvp=rate).signals["bvp"], rate, 4))
        assert after.shape[-1] == 480


def test_one_input_rate_counts_for_all_modalities():
    after = one_step(Resample(None, 4), input_sampling_rate=64).transform(record(bvp=128))
    expected = one_step(Resample(None, 4), input_sampling_rate={"bvp": 64})
    assert after.signals == expected.transform(record(bvp=128)).signals


def test_steps_take_the_rate_of_what_reaches_them_unless_they_name_it():
    steps = BandpassFilter(0.1, 1, None), Resample(None, 8), BandpassFilter(0.1, 1, None, order=2)
    named = BandpassFilter(0.1, 1, 64), Resample(64, 8), BandpassFilter(0.1, 1, 8, order=2)
    filled = one_step(*steps, rate=8).transform(record(bvp=64)).signals["bvp"]
    assert_array_equal(filled, one_step(*named, rate=8).transform(record(bvp=64)).signals["bvp"])
    assert steps[0].sampling_rate is None
    with pytest.raises(ValueError, match=r"BandpassFilter\(.* 32 Hz"):
        one_step(*named, rate=8).transform(record(bvp=32))


class Halve(TransformerMixin, BaseEstimator):
    """A step of a user's own that keeps every other sample, and may say so."""

    def __init__(self, new_sampling_rate=None):
        self.new_sampling_rate = new_sampling_rate

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[..., ::2]


def test_a_step_of_ones_own_needs_a_rate_only_if_it_changes_it():
    doubled = one_step(FunctionTransformer(np.negative), rate=64).transform(record(bvp=64))
    assert_array_equal(doubled.signals["bvp"], -record(bvp=64).signals["bvp"])
    assert one_step(Halve(32), rate=32).transform(record(bvp=64)).sampling_rate == {"bvp": 32}
    with pytest.raises(ValueError, match=r"Halve\(\) .* new_sampling_rate, .* got 3840"):
        one_step(Halve(), rate=64).transform(record(bvp=64))


def test_a_signal_that_is_too_slow_is_an_error(preprocessor):
    with pytest.raises(ValueError, match=r"'bvp' of S2 .* 64 Hz, got 32 Hz"):
        preprocessor.transform([record(), record("S2", bvp=32, eda=4, temp=4)])


@pytest.mark.parametrize("rate", [20, 32])
def test_a_slow_signal_is_resampled_from_the_lowest_rate_on(rate, preprocessor):
    preprocessor.set_params(lowest_sampling_rate={"bvp": 20, "eda": None, "temp": 1})
    whole, slow = (
        preprocessor.transform(record(bvp=r, eda=4, temp=t)).signals
        for r, t in ((64, 4), (rate, 1))
    )
    for name in ("bvp", "temp"):
        assert slow[name].shape == whole[name].shape
        # but for the ends, which filters do not see both sides of
        assert_allclose(slow[name][..., 60:-60], whole[name][..., 60:-60], atol=0.05)
    for too_slow in ({"bvp": 19, "eda": 4, "temp": 4}, {"bvp": 64, "eda": 2, "temp": 4}):
        with pytest.raises(ValueError, match="at least (20|4) Hz, got (19|2) Hz"):
            preprocessor.transform(record(**too_slow))


@pytest.mark.parametrize("name", ["ppg", "BVP"])
def test_a_modality_under_another_name_is_not_left_out_in_silence(name, preprocessor):
    with pytest.warns(UserWarning, match=rf"lack \['bvp'\], .* \['{name}'\] are left out"):
        preprocessor.make_windows(record(**{name: 64, "eda": 4, "temp": 4}))
    with pytest.raises(ValueError, match=f"modalities .*'bvp'.* got .*'{name}'"):
        preprocessor.make_windows(record(**{name: 64}))
    preprocessor.transform(record(acc=32, bvp=64, eda=4, temp=4))  # lacks none


def test_native_windows_are_those_of_the_recordings_in_the_same_rows(preprocessor):
    recordings = [record("S1"), record("S2")]
    recordings[0].signals["eda"][..., 100] = np.nan
    labels = StageLabels({"rest": 0, "stress": 1})
    preprocessor.set_params(steps={**preprocessor.steps, "eda": [Standardize(gaps="keep")]})
    with pytest.warns(UserWarning, match="2 of 44 windows are dropped"):
        windows = preprocessor.make_windows(recordings, 5, labels=labels, keep_native=True)
    assert windows.native_sampling_rate == {"bvp": 64, "eda": 4, "temp": 4}
    assert np.isfinite(windows.native["eda"]).all() and windows.native.shape == (42,)
    for some in (windows, windows.select([31, 3, 20]), windows.select(windows.groups == "S2")):
        for name, rate in some.native_sampling_rate.items():
            for row, number, onset in zip(
                some.native[name], some.recording, some.onset, strict=True
            ):
                start = round(onset * rate)
                signal = recordings[number].signals[name][0, :, start : start + int(10 * rate)]
                assert_array_equal(row, signal.astype(np.float32))


@pytest.mark.parametrize(
    "recordings, error, rule",
    [
        ([record(acc=32, resp=8)], ValueError, "temp'.* got .'acc', 'resp'. for S1"),
        (
            [record(bvp=64, eda=4), record("S2")],
            ValueError,
            "'bvp', 'eda'. for S1 .*'temp'.* for S2",
        ),
        ([{"bvp": np.zeros(100)}], TypeError, "got a dict"),
        ([], ValueError, "at least one recording"),
    ],
)
def test_recordings_that_do_not_fit_are_an_error(recordings, error, rule, preprocessor):
    with pytest.raises(error, match=rule):
        preprocessor.make_windows(recordings)


@pytest.mark.parametrize("sample, rule", [(5.0, "constant"), (np.nan, "NaN")])
def test_an_error_of_a_step_names_subject_and_modality(sample, rule, preprocessor):
    bad = Recording({"eda": np.full(480, sample)}, {"eda": 4}, "S2")
    with pytest.raises(ValueError, match=rf"(?s)'eda' of S2 \(recording 1\) .*{rule}"):
        preprocessor.transform([record(eda=4), bad])


@pytest.mark.parametrize(
    "changes, error, rule",
    [
        ({"steps": {}}, ValueError, r"same modalities, got \[\] in steps"),
        ({"input_sampling_rate": {"eda": 64}}, ValueError, "'eda'. in input_sampling_rate"),
        ({"output_sampling_rate": {"eda": 4}}, ValueError, "'eda'. in output_sampling_rate"),
        ({"steps": [Standardize()]}, TypeError, "steps must be a dict"),
        ({"output_sampling_rate": 4}, TypeError, "output_sampling_rate must be a dict"),
        ({"steps": {"bvp": Standardize()}}, TypeError, "'bvp' must be a list"),
        ({"steps": {"bvp": [Standardize]}}, TypeError, "estimator instead of a class"),
        ({"steps": {"bvp": [functional.detrend]}}, TypeError, "<func.* estimator"),
        ({"steps": {"bvp": [Resample(32, 4)]}}, ValueError, r"Resample\(.* 64 Hz"),
        ({"steps": {"bvp": []}}, ValueError, "'bvp' .* 64 Hz, got 4 Hz"),
        ({"steps": {"bvp": [Resample("64", 4)]}}, TypeError, r"sampling_rate of Resample\("),
        ({"input_sampling_rate": {"bvp": "64"}}, TypeError, r"\['bvp'\] must be a number"),
        ({"output_sampling_rate": {"bvp": -4}}, ValueError, r"\['bvp'\] must be positive"),
        ({"duration": "60 s"}, TypeError, "duration must be a number"),
        ({"duration": 0}, ValueError, "duration .* got 0"),
        ({"standardize": True}, ValueError, "standardize .* got True"),
        ({"standardize": {"bvp": "subjects"}}, ValueError, "standardize .* got 'subjects'"),
        ({"standardize": {"eda": "subject"}}, ValueError, "'eda'. in standardize"),
    ],
)
def test_parameters_that_do_not_fit_are_an_error(changes, error, rule):
    preprocessor = one_step(Resample(64, 4), input_sampling_rate={"bvp": 64}).set_params(**changes)
    with pytest.raises(error, match=rule):
        preprocessor.make_windows(record(bvp=64))
    with pytest.raises(error, match=rule):
        _ = preprocessor.n_times


def test_a_preprocessor_is_shown_cloned_and_pickled_with_its_parameters(preprocessor):
    assert "Resample(new_sampling_rate=4, sampling_rate=64)" in repr(preprocessor)
    assert repr(clone(preprocessor)) == repr(preprocessor)
    assert repr(pickle.loads(pickle.dumps(preprocessor))) == repr(preprocessor)


def noise(seed=0, scale=1.0, n_channels=1):
    return np.random.default_rng(seed).normal(5, scale, size=(n_channels, 7500))


def record_ecg(signal=None, rate=250, subject="S1"):
    return Recording({"ecg": noise(scale=2) if signal is None else signal}, {"ecg": rate}, subject)


def test_all_recordings_of_a_subject_can_have_one_mean_and_standard_deviation():
    recordings = [record_ecg(noise(1)), record_ecg(10 * noise(1), subject="S2")]
    recordings.append(record_ecg(noise(3, scale=3)))
    first, other, second = (r.signals["ecg"] for r in ecg_preprocessor().transform(recordings))
    both = np.concatenate([first, second], axis=-1)
    assert both.mean() == pytest.approx(0, abs=1e-9)
    assert (both.std(), other.std()) == pytest.approx((1, 1))
    assert second.std() / first.std() == pytest.approx(3, rel=0.05)


def test_each_channel_of_each_recording_can_be_standardized_by_itself():
    leads = noise(n_channels=2) * [[1], [5]]
    recordings = [record_ecg(leads), record_ecg(7 * leads[::-1])]
    for after in ecg_preprocessor(standardize="recording").transform(recordings):
        assert_allclose(after.signals["ecg"].std(axis=-1), 1)
        assert_allclose(after.signals["ecg"].mean(axis=-1), 0, atol=1e-9)


def test_whole_numbers_become_z_scores_too():
    recording = Recording({"bvp": np.tile([1, 2, 3, 6], 10)}, {"bvp": 4}, "S1")
    after = one_step(standardize="recording").transform(recording).signals["bvp"]
    assert (after.mean(), after.std()) == pytest.approx((0, 1))


def test_gaps_do_not_count_in_the_scale():
    signal = noise(scale=2)
    signal[:, :500], signal[:, 3000:4000] = np.nan, np.nan
    after = ecg_preprocessor().transform(record_ecg(signal)).signals["ecg"]
    assert np.nanmean(after) == pytest.approx(0, abs=1e-9)
    assert np.nanstd(after) == pytest.approx(1)


def test_one_modality_can_be_standardized_and_another_not():
    signals = {"ecg": noise(), "eda": np.arange(120)}
    recording = Recording(signals, {"ecg": 250, "eda": 4}, "S7")
    ecg = ecg_preprocessor()
    both = Preprocessor(
        {**ecg.steps, "eda": []},
        {**ecg.output_sampling_rate, "eda": 4},
        duration=10,
        standardize={"ecg": "subject", "eda": None},
    ).transform(recording)
    assert_array_equal(both.signals["eda"][0, 0], np.arange(120))
    assert_array_equal(both.signals["ecg"], ecg.transform(recording).signals["ecg"])


@pytest.mark.parametrize(
    "signal, rule",
    [
        (np.full(7500, 0.3), "'ecg' of S1 .* channel 0 is constant"),
        (np.full(7500, np.nan), "gaps.* channel 0"),
        (np.where(np.arange(7500) % 600, 1.0, np.nan), "gaps.* channel 0"),  # all near a gap
        (np.where(np.arange(7500) == 5, np.inf, 1.0), "infinity"),
    ],
)
def test_an_ecg_without_use_is_refused(signal, rule):
    with pytest.raises(ValueError, match=rule):
        ecg_preprocessor().transform(record_ecg(signal))


def test_a_flat_recording_is_scaled_by_the_others_of_its_subject():
    after = ecg_preprocessor().transform([record_ecg(), record_ecg(np.full(7500, 0.3))])
    assert np.ptp(after[1].signals["ecg"]) < 1e-9


def test_recordings_of_a_subject_with_other_channels_are_refused():
    with pytest.raises(ValueError, match="S1 .* same channels, got {1, 2}"):
        ecg_preprocessor().transform([record_ecg(), record_ecg(noise(n_channels=2))])


@pytest.mark.parametrize("rate", [101, 128, 250, 1000])
def test_an_ecg_of_any_rate_above_its_band_comes_at_one_rate(rate):
    signal = np.random.default_rng(0).normal(size=30 * rate)
    after = ecg_preprocessor(standardize=None).transform(record_ecg(signal, rate))
    expected = functional.bandpass(signal, 0.8, 50, rate, order=8)
    if rate != 128:
        expected = functional.resample(expected, rate, 128)
    assert_array_equal(after.signals["ecg"][0, 0], expected)
    assert after.sampling_rate == {"ecg": 128}


@pytest.mark.parametrize(
    "frequency, gain", [(0.3, 0), (0.6, 0), (1.2, 1), (20, 1), (40, 1), (62, 0), (70, 0)]
)
def test_an_ecg_keeps_only_its_band(frequency, gain):
    wave = np.sin(2 * np.pi * frequency * np.arange(0, 60, 1 / 500))
    after = ecg_preprocessor(standardize=None).transform(record_ecg(wave, 500)).signals["ecg"]
    assert after[..., 1280:-1280].std() / wave.std() == pytest.approx(gain, abs=0.03)


def test_an_ecg_below_twice_its_band_is_refused():
    with pytest.raises(ValueError, match=r"S9 \(recording 1\) .* < 32 Hz .*'high': 50"):
        ecg_preprocessor().transform([record_ecg(), record_ecg(rate=64, subject="S9")])
    after = ecg_preprocessor(band=(0.8, 30)).transform(record_ecg(rate=64))
    assert after.sampling_rate == {"ecg": 128}
    with pytest.raises(ValueError, match="band .* got 50"):
        ecg_preprocessor(band=50)


@pytest.mark.parametrize("rate", [128, 250])
def test_gaps_of_an_ecg_stay_gaps_and_cost_only_their_windows(rate):
    signal = np.random.default_rng(0).normal(size=60 * rate)
    gappy = signal.copy()
    gappy[21 * rate : 23 * rate] = np.nan
    preprocessor = ecg_preprocessor(standardize=None)
    whole, after = (preprocessor.transform(record_ecg(x, rate)) for x in (signal, gappy))
    gap = np.isnan(after.signals["ecg"][0, 0])
    # 1.25 s on each side, one period of 0.8 Hz, are missing too
    assert np.flatnonzero(gap)[[0, -1]] == pytest.approx([19.75 * 128, 24.25 * 128], abs=1)
    assert gap.sum() == pytest.approx(4.5 * 128, abs=2)
    with pytest.warns(UserWarning, match=r"2 of \d+ windows are dropped: .* gap"):
        windows = preprocessor.make_windows(record_ecg(gappy, rate))
    assert_array_equal(windows.onset, [0, 30, 40, 50])
    assert windows.dropped == {"non-finite": 2}
    late = np.s_[0, 0, 30 * 128 :]  # the filter's memory has ended there
    assert_allclose(after.signals["ecg"][late], whole.signals["ecg"][late], atol=1e-3)


def record_wrist(**changes):
    signals = {name: noise(n)[:, :480] for n, name in enumerate(["eda", "temp"])}
    signals |= {"bvp": noise(), **changes}
    rates = {"bvp": 62.5, "eda": 4, "temp": 4} | dict.fromkeys(set(changes) - {"bvp"}, 4)
    return Recording(signals, rates, "S1")


def test_wristband_signals_are_z_scores_at_one_rate():
    after = wristband_preprocessor().transform(record_wrist())
    assert after.sampling_rate == {"bvp": 4, "eda": 4, "temp": 4}
    for signal in after.signals.values():
        assert signal.shape == (1, 1, 480)
        assert (signal.mean(), signal.std()) == pytest.approx((0, 1))
    assert wristband_preprocessor(duration=30).n_times == {"bvp": 120, "eda": 120, "temp": 120}


def test_wristband_signals_may_keep_their_unit_and_have_other_names():
    recording = record_wrist(acc=noise(n_channels=3)[:, :480])
    preprocessor = wristband_preprocessor(modalities=("acc", "eda"), standardize=False)
    after = preprocessor.transform(recording)
    assert set(after.signals) == {"acc", "eda"}
    for name, signal in after.signals.items():
        assert_array_equal(signal, recording.signals[name])


@pytest.mark.parametrize("frequency, gain", [(0.1, 1), (1.2, 1), (5.0, 0)])
def test_a_wristband_pulse_is_not_aliased(frequency, gain):
    bvp = np.sin(2 * np.pi * frequency * np.arange(0, 120, 1 / 64))
    recording = Recording({"bvp": bvp}, {"bvp": 64}, "S1")
    after = wristband_preprocessor(standardize=False).transform(recording)
    assert after.signals["bvp"].std() / bvp.std() == pytest.approx(gain, abs=0.02)


def test_a_constant_wristband_signal_is_refused():
    with pytest.raises(ValueError, match=r"'temp' of S1 .* constant"):
        wristband_preprocessor().transform(record_wrist(temp=np.full(480, 33.0)))


def test_an_encoder_takes_what_its_preprocessor_makes(preprocessor):
    windows = preprocessor.make_windows(record())
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL).fit(windows.X)
    other = encoder.preprocessor_.make_windows(record("S2", bvp=128, eda=8, temp=4, acc=50))
    assert_allclose(encoder.transform(other.X), encoder.transform(windows.X), atol=0.1)
    again = pickle.loads(pickle.dumps(encoder)).preprocessor_
    assert again.make_windows(record()).X == windows.X
    raw = SignalDict({**windows.X, "bvp": make_windows(record(), 10).X["bvp"]})
    with pytest.raises(ValueError, match=r"\(1, 640\).* 10 s at 4 Hz"):
        encoder.transform(raw)


def test_an_encoder_keeps_the_preprocessor_that_it_was_fitted_with(preprocessor):
    X = preprocessor.make_windows(record()).X
    assert SSLEncoder(**SMALL).fit(X).preprocessor_ is None
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL).fit(X)
    assert not hasattr(clone(encoder), "preprocessor_")
    assert repr(clone(encoder).fit(X).preprocessor_) == repr(preprocessor)
    preprocessor.duration = 20
    preprocessor.steps["bvp"].pop()
    assert encoder.preprocessor_.duration == 10
    assert len(encoder.preprocessor_.steps["bvp"]) == 2


@pytest.mark.parametrize(
    "keep, got",
    [
        (lambda X: SignalDict({**X, "eda": X["eda"][..., :39]}), "39"),
        (lambda X: SignalDict(bvp=X["bvp"]), "bvp"),
        (lambda X: SignalDict({**X, "acc": X["bvp"]}), "acc"),
        (lambda X: X["bvp"], "signal"),
    ],
)
def test_fit_refuses_windows_that_the_preprocessor_does_not_make(keep, got, preprocessor):
    X = keep(preprocessor.make_windows(record()).X)
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL)
    with pytest.raises(ValueError, match=f"preprocessor .*temp.* got .*{got}"):
        encoder.fit(X)
    assert encoder.set_params(preprocessor=None).fit(X).preprocessor_ is None


def test_a_preprocessor_may_be_set_after_fit(preprocessor):
    X = preprocessor.make_windows(record()).X
    with pytest.raises(TypeError, match="Preprocessor .* got 'wristband'"):
        SSLEncoder(preprocessor="wristband", **SMALL).fit(X)
    encoder = SSLEncoder(**SMALL).fit(X)
    encoder.preprocessor_ = preprocessor
    with pytest.raises(ValueError, match="10 s at 4 Hz"):
        encoder.transform(SignalDict({**X, "eda": X["eda"][..., :39]}))


def test_an_encoder_is_saved_with_the_steps_of_its_preprocessor(tmp_path):
    preprocessor = Preprocessor(
        {
            "bvp": [HeartRateChannels(None), Resample(None, 4), Standardize(constant="zero")],
            "eda": [SlopeChannels(4, smoothing=5, window=10), NormalScores()],
            "temp": [SlopeChannels(4, smoothing=15)],
            "ecg": [BandpassFilter(1, 30, None, gaps="keep"), Resample(None, 100, gaps="keep")],
        },
        output_sampling_rate={"bvp": 4, "eda": 4, "temp": 4, "ecg": 100},
        duration=10,
        input_sampling_rate={"bvp": 64, "eda": 4, "temp": None, "ecg": None},
        standardize={"bvp": None, "eda": None, "temp": "recording", "ecg": "subject"},
    )
    recording = record(bvp=64, eda=4, temp=4, ecg=200)
    X = preprocessor.make_windows(recording).X
    encoder = SSLEncoder(standardize=False, preprocessor=preprocessor, **SMALL).fit(X)
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    assert loaded.preprocessor_.make_windows(recording).X == X
    assert_allclose(loaded.transform(X), encoder.transform(X), atol=1e-6)


def test_real_wristband_recordings_become_z_scores_with_labels(data_folder):
    recordings = load_wesad(data_folder / "WESAD", subjects=["S2"])
    preprocessor = wristband_preprocessor()
    after = preprocessor.transform(recordings)[0]
    for name, signal in after.signals.items():
        rate = recordings[0].sampling_rate[name]
        assert_array_equal(
            signal,
            functional.standardize(functional.resample(recordings[0].signals[name], rate, 4)),
        )
    windows = preprocessor.make_windows(
        recordings, 60, labels=StageLabels({"baseline": 0, "stress": 1})
    )
    assert windows.X["bvp"].shape[1:] == (1, 240)
    assert set(windows.y) == {0, 1}


@pytest.mark.parametrize("name, lowest", [("bvp", 4), ("eda", 1), ("temp", 1)])
def test_the_wristband_preprocessor_takes_slow_signals_that_hold_enough(name, lowest):
    rates = {"bvp": 64, "eda": 4, "temp": 4}
    wristband_preprocessor().transform(record(**rates | {name: lowest}))
    with pytest.raises(ValueError, match=rf"{name}.* at least {lowest} Hz, .* lacks frequencies"):
        wristband_preprocessor().transform(record(**rates | {name: lowest / 2}))


def test_the_wristband_preprocessor_refuses_a_pulse_of_10_hz_for_a_network_of_64():
    preprocessor = wristband_preprocessor(output_sampling_rate=64)
    preprocessor.transform(record(bvp=20, eda=4, temp=1))
    with pytest.raises(ValueError, match="at least 20 Hz, got 10 Hz"):
        preprocessor.transform(record(bvp=10, eda=4, temp=1))
