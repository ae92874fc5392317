"""Preparations: recordings to the windows that an encoder expects, as one object."""

import pickle
from types import MappingProxyType

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from physio_ssl import Recording, SignalDict, SSLEncoder, StageLabels, functional, make_windows
from physio_ssl.datasets import load_wesad
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    Preprocessor,
    Resample,
    Standardize,
    prepare_wristband,
)

SMALL = {"max_epochs": 1, "module__d_model": 8, "random_state": 0}
STAGES = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}


@pytest.fixture
def preprocessor():
    return Preprocessor(
        {"bvp": [Resample(64, 4), Standardize()], "eda": [Clip(0, 9), Standardize()], "temp": []},
        input_sampling_rate={"bvp": 64, "eda": 4, "temp": 4},
        sampling_rate={"bvp": 4, "eda": 4, "temp": 4},
        duration=10,
    )


def record(subject="S1", **rates):
    """Two minutes of slow waves, which all rates hold alike."""
    rates = rates or {"temp": 4, "bvp": 64, "acc": 32, "eda": 4}
    signals = {
        name: 5 + 6 * np.sin(2 * np.pi * 0.2 * np.arange(120 * rate) / rate)
        for name, rate in rates.items()
    }
    return Recording(signals, rates, subject, STAGES, start_time=1.5e9)


def test_each_modality_goes_through_its_steps_in_turn(preprocessor):
    recording = record()
    prepared = preprocessor.prepare(recording)
    bvp, eda = recording.signals["bvp"], recording.signals["eda"]
    expected = functional.standardize(functional.resample(bvp, 64, 4))
    assert_array_equal(prepared.signals["bvp"], expected)
    assert_array_equal(prepared.signals["eda"], functional.standardize(np.clip(eda, 0, 9)))
    assert_array_equal(prepared.signals["temp"], recording.signals["temp"])
    assert prepared.sampling_rate == {"bvp": 4, "eda": 4, "temp": 4}


def test_what_is_known_of_a_recording_is_kept(preprocessor):
    prepared = preprocessor.prepare(record())
    assert (prepared.subject, prepared.start_time) == ("S1", 1.5e9)
    assert list(prepared.annotations["description"]) == ["rest", "stress"]


def test_recordings_are_left_alone(preprocessor):
    recording = record()
    before = {name: signal.copy() for name, signal in recording.signals.items()}
    preprocessor.make_windows(recording).X["temp"][:] = 0
    for name, signal in recording.signals.items():
        assert_array_equal(signal, before[name])


def test_windows_are_those_of_make_windows(preprocessor):
    recordings = [record("S1"), record("S2")]
    labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=0.8)
    ours = preprocessor.make_windows(recordings, 5, labels=labels)
    theirs = make_windows(preprocessor.prepare(recordings), 10, 5, labels=labels)
    assert ours.X == theirs.X
    assert_array_equal(ours.y, theirs.y)
    assert_array_equal(ours.groups, theirs.groups)
    assert ours.dropped == theirs.dropped == {"unlabelled": 2}


def test_windows_do_not_overlap_by_default(preprocessor):
    assert_array_equal(preprocessor.make_windows(record()).onset, np.arange(0, 111, 10))


def test_other_modalities_are_left_out(preprocessor):
    assert list(preprocessor.prepare(record()).signals) == ["bvp", "eda", "temp"]


def test_missing_modalities_are_left_out(preprocessor):
    without = preprocessor.make_windows([record(bvp=64, eda=4), record("S2", eda=4, bvp=64)])
    assert list(without.X) == ["bvp", "eda"]
    whole = preprocessor.make_windows([record(), record("S2")])
    assert_array_equal(without.X["bvp"], whole.X["bvp"])


@pytest.mark.parametrize("rates", [{"bvp": 100}, {"bvp": 128}, {"bvp": 64, "eda": 8}])
def test_signals_of_faster_devices_become_alike(rates, preprocessor):
    faster = preprocessor.prepare(record(**rates))
    for name in rates:
        expected = preprocessor.prepare(record()).signals[name]
        assert faster.signals[name].shape == expected.shape
        # but for the ends, which filters do not see both sides of
        assert_allclose(faster.signals[name][..., 8:-8], expected[..., 8:-8], atol=0.03)


def test_frequencies_that_the_input_rate_cannot_hold_are_filtered_out():
    times = np.arange(120 * 128) / 128
    fast = np.sin(2 * np.pi * 0.2 * times) + np.sin(2 * np.pi * 60 * times)
    preprocessor = Preprocessor({"bvp": []}, {"bvp": 64}, {"bvp": 64}, duration=10)
    prepared = preprocessor.prepare(Recording({"bvp": fast}, {"bvp": 128}, "S1")).signals["bvp"]
    # 60 Hz would be seen as 4 Hz
    spectrum = np.abs(np.fft.rfft(prepared[0, 0])) / (60 * 64)
    assert spectrum[[24, 480]] == pytest.approx([1, 0], abs=0.02)


def test_a_signal_that_is_too_slow_is_an_error(preprocessor):
    with pytest.raises(ValueError, match=r"'bvp' .* 64 Hz or faster, .* S2 is at 32\.0 Hz"):
        preprocessor.prepare([record(), record("S2", bvp=32, eda=4, temp=4)])


def test_a_recording_with_none_of_the_modalities_is_an_error(preprocessor):
    with pytest.raises(ValueError, match="modalities bvp, eda, temp, but that of S1 has acc, resp"):
        preprocessor.prepare(record(acc=32, resp=8))


def test_recordings_of_other_modalities_are_an_error(preprocessor):
    with pytest.raises(ValueError, match="got bvp, eda for S1 and bvp, eda, temp for S2"):
        preprocessor.prepare([record(bvp=64, eda=4), record("S2")])


def test_what_is_no_recording_is_an_error(preprocessor):
    with pytest.raises(TypeError, match="Expected recordings, got a dict"):
        preprocessor.prepare([{"bvp": np.zeros(100)}])


def test_no_recording_is_an_error_for_windows(preprocessor):
    with pytest.raises(ValueError, match="at least one recording"):
        preprocessor.make_windows([])


@pytest.mark.parametrize(
    "sample, rule", [(5.0, "1 of 1 signals are constant"), (np.nan, "contains NaN")]
)
def test_what_a_step_refuses_is_an_error_that_names_subject_and_modality(
    sample, rule, preprocessor
):
    bad = Recording({"eda": np.full(480, sample)}, {"eda": 4}, "S2")
    with pytest.raises(ValueError, match=f"(?s)'eda' of S2 cannot be prepared: .*{rule}"):
        preprocessor.prepare([record(eda=4), bad])


@pytest.mark.parametrize(
    "changes, error, rule",
    [
        ({"steps": {}}, ValueError, "same modalities, got steps: none; input_sampling_rate: bvp;"),
        (
            {"input_sampling_rate": {"eda": 64}},
            ValueError,
            "got steps: bvp; input_sampling_rate: eda;",
        ),
        ({"steps": [Standardize()]}, TypeError, "steps must be a dict .* got .Standardize"),
        (
            {"sampling_rate": MappingProxyType({"bvp": 4})},
            TypeError,
            "sampling_rate must be a dict",
        ),
        ({"steps": {"bvp": Standardize()}}, TypeError, "'bvp' must be a list of transformers"),
        ({"steps": {"bvp": [Standardize]}}, TypeError, "'bvp' must be a transformer, got <class"),
        ({"steps": {"bvp": [functional.detrend]}}, TypeError, "must be a transformer, got <func"),
        ({"steps": {"bvp": [Resample(32, 4)]}}, ValueError, r"told the rate .* gets 64 Hz"),
        (
            {"steps": {"bvp": [Resample(64, 4), BandpassFilter(0.5, 1, 64)]}},
            ValueError,
            "BandpassFilter.* of 'bvp' gets 4 Hz",
        ),
        ({"steps": {"bvp": []}}, ValueError, "got 64 and 4 Hz, but they end at 64 Hz"),
        ({"steps": {"bvp": [Resample("64", 4)]}}, TypeError, r"sampling_rate of Resample\("),
        (
            {"input_sampling_rate": {"bvp": None}},
            TypeError,
            r"input_sampling_rate\['bvp'\] must be a number",
        ),
        ({"sampling_rate": {"bvp": -4}}, ValueError, r"sampling_rate\['bvp'\] must be positive"),
        ({"duration": "60 s"}, TypeError, "duration must be a number"),
        ({"duration": 0}, ValueError, "duration must be positive and finite, .* got 0"),
        ({"duration": np.inf}, ValueError, "duration must be positive and finite, .* got inf"),
        ({"duration": 10.1}, ValueError, r"whole number of samples, .* are 40\.4"),
    ],
)
def test_parameters_that_do_not_fit_are_an_error(changes, error, rule):
    params = {
        "steps": {"bvp": [Resample(64, 4)]},
        "input_sampling_rate": {"bvp": 64},
        "sampling_rate": {"bvp": 4},
        "duration": 10,
    }
    with pytest.raises(error, match=rule):
        Preprocessor(**{**params, **changes}).make_windows(record(bvp=64))


def test_a_preparation_shows_its_parameters(preprocessor):
    assert "Resample(new_sampling_rate=4, sampling_rate=64)" in repr(preprocessor)
    assert repr(clone(preprocessor)) == repr(preprocessor)


def test_an_encoder_takes_what_its_preparation_makes(preprocessor):
    windows = preprocessor.make_windows(record())
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL).fit(windows.X)
    other = encoder.preprocessor_.make_windows(record("S2", bvp=128, eda=8, temp=4, acc=50))
    assert_allclose(encoder.transform(other.X), encoder.transform(windows.X), atol=0.1)
    again = pickle.loads(pickle.dumps(encoder)).preprocessor_
    assert again.make_windows(record()).X == windows.X


def test_an_encoder_has_no_preparation_unless_it_is_given_one(preprocessor):
    X = preprocessor.make_windows(record()).X
    assert SSLEncoder(**SMALL).fit(X).preprocessor_ is None
    encoder = SSLEncoder(standardize=False, preprocessor=preprocessor, **SMALL)
    shapes = {"bvp": (1, 40), "eda": (1, 40), "temp": (1, 40)}
    assert encoder.build(shapes).preprocessor_.duration == 10


def test_an_encoder_keeps_the_preparation_that_it_was_fitted_with(preprocessor):
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL)
    encoder.fit(preprocessor.make_windows(record()).X)
    preprocessor.duration = 20
    preprocessor.steps["bvp"].pop()
    assert encoder.preprocessor_.duration == 10
    assert len(encoder.preprocessor_.steps["bvp"]) == 2


def test_a_clone_is_fitted_with_the_same_preparation(preprocessor):
    X = preprocessor.make_windows(record()).X
    encoder = clone(SSLEncoder(preprocessor=preprocessor, **SMALL).fit(X))
    assert not hasattr(encoder, "preprocessor_")
    assert repr(encoder.fit(X).preprocessor_) == repr(preprocessor)


@pytest.mark.parametrize(
    "keep, got",
    [
        (lambda X: SignalDict({**X, "eda": X["eda"][..., :39]}), "bvp 40, eda 39, temp 40"),
        (lambda X: SignalDict(bvp=X["bvp"]), "bvp 40"),
        (lambda X: SignalDict({**X, "acc": X["bvp"]}), "bvp 40, eda 40, temp 40, acc 40"),
        (lambda X: X["bvp"], "signal 40"),
    ],
)
def test_fit_refuses_windows_that_the_preparation_does_not_make(keep, got, preprocessor):
    X = keep(preprocessor.make_windows(record()).X)
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL)
    with pytest.raises(ValueError, match=f"makes, bvp 40, eda 40, temp 40, got {got}: "):
        encoder.fit(X)
    assert encoder.set_params(preprocessor=None).fit(X).preprocessor_ is None


def test_fit_refuses_what_is_no_preparation(preprocessor):
    X = preprocessor.make_windows(record()).X
    with pytest.raises(TypeError, match="must be a Preprocessor or None, got 'wristband'"):
        SSLEncoder(preprocessor="wristband", **SMALL).fit(X)


def test_an_encoder_says_which_windows_its_preparation_makes(preprocessor):
    X = preprocessor.make_windows(record()).X
    encoder = SSLEncoder(preprocessor=preprocessor, **SMALL).fit(X)
    raw = SignalDict({**X, "bvp": make_windows(record(), 10).X["bvp"]})
    rule = r"\(1, 40\), got \(1, 640\): these are 10 s at 4 Hz, as .* preprocessor_\.make_windows"
    with pytest.raises(ValueError, match=rule):
        encoder.transform(raw)


def test_a_preparation_may_be_given_after_fit(preprocessor):
    X = preprocessor.make_windows(record()).X
    encoder = SSLEncoder(**SMALL).fit(X)
    encoder.preprocessor_ = preprocessor
    with pytest.raises(ValueError, match="10 s at 4 Hz"):
        encoder.transform(SignalDict({**X, "eda": X["eda"][..., :39]}))


def test_wristband_recordings_are_prepared_as_by_prepare_wristband(data_folder):
    preprocessor = Preprocessor(
        {"bvp": [Resample(64, 4), Standardize()], "eda": [Standardize()], "temp": [Standardize()]},
        input_sampling_rate={"bvp": 64, "eda": 4, "temp": 4},
        sampling_rate={"bvp": 4, "eda": 4, "temp": 4},
        duration=60,
    )
    recording = load_wesad(data_folder / "WESAD", subjects=["S2"])
    prepared, expected = preprocessor.prepare(recording)[0], prepare_wristband(recording)[0]
    for name, signal in prepared.signals.items():
        assert_array_equal(signal, expected.signals[name])
    windows = preprocessor.make_windows(
        recording, 60, labels=StageLabels({"baseline": 0, "stress": 1})
    )
    assert windows.X["bvp"].shape[1:] == (1, 240)
    assert set(windows.y) == {0, 1}
