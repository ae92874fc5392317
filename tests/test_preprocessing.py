import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from physio_ssl import Recording, functional
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    Detrend,
    LowpassFilter,
    Resample,
    Standardize,
    prepare_wristband,
)

PAIRS = [
    (BandpassFilter(0.5, 8, 64, order=3), lambda X: functional.bandpass(X, 0.5, 8, 64, 3)),
    (LowpassFilter(3, 64, order=2), lambda X: functional.lowpass(X, 3, 64, 2)),
    (Resample(64, 4), lambda X: functional.resample(X, 64, 4)),
    (Standardize(), functional.standardize),
    (Clip(-1, 1), lambda X: functional.clip(X, -1, 1)),
    (Detrend(), functional.detrend),
]
MISTAKES = [
    (BandpassFilter(0.5, 32, sampling_rate=64), r"< 32 Hz .* low=0.5 and high=32"),
    (LowpassFilter(2.0, sampling_rate=4), "< 2 Hz .* got high=2.0"),
    (Resample(64, 0), "new_sampling_rate must be positive"),
    (Standardize(constant="ignore"), "constant must be 'error' or 'zero'"),
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
