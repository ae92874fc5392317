"""Preprocessors that make each window with the past of its recording only."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from physio_ssl import Recording, SSLEncoder, StageLabels, load_encoder, save_encoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import (
    Clip,
    NormalScores,
    Preprocessor,
    Standardize,
    ecg_preprocessor,
    wristband_preprocessor,
)

STAGES = {"onset": [0, 120], "duration": [60, 60], "description": ["rest", "stress"]}
SHIPPED = load_encoder("wristband-small").preprocessor_.set_params(context=0)


@pytest.fixture(scope="module")
def recording():
    (recording,) = simulate_wristband(1, random_state=0)
    return cut(recording, 0, 240)


def cut(recording, start, end):
    signals = {
        name: x[
            ...,
            int(start * recording.sampling_rate[name]) : int(end * recording.sampling_rate[name]),
        ]
        for name, x in recording.signals.items()
    }
    return replace(recording, signals=signals)


def draw_ecg():
    times = np.arange(0, 60, 1 / 256)
    beats = np.sin(2 * np.pi * 1.2 * times) ** 21
    noise = np.random.default_rng(0).normal(scale=0.1, size=len(times))
    return Recording({"ecg": beats + noise}, {"ecg": 256}, "S1")


@pytest.mark.parametrize(
    "preprocessor",
    [
        SHIPPED,
        wristband_preprocessor(),
        wristband_preprocessor(standardize=False),
        Preprocessor({"eda": [NormalScores()]}, {"eda": 4}, duration=60, standardize="recording"),
    ],
    ids=["shipped", "wristband", "unscaled", "normal scores"],
)
@pytest.mark.parametrize("history", [None, 90])
def test_a_window_is_the_end_of_its_recording_cut_off_there(preprocessor, history, recording):
    preprocessor = clone(preprocessor)
    past = clone(preprocessor).set_params(scaling="past", history=history)
    windows = past.make_windows(recording, step=25)
    assert_array_equal(windows.onset, np.arange(0, 181, 25))
    for row, end in enumerate(windows.onset + 60):
        start = max(0, end - history) if history else 0
        so_far = preprocessor.transform(cut(recording, start, end)).signals
        for name, x in windows.X.items():
            last = so_far[name][0, :, -preprocessor.n_times[name] :]
            assert_array_equal(x[row], last.astype(np.float32))


@pytest.mark.parametrize(
    "preprocessor, recording",
    [
        (SHIPPED, simulate_wristband(1, random_state=0)[0]),
        (ecg_preprocessor(standardize="recording"), draw_ecg()),
    ],
    ids=["shipped", "ecg"],
)
def test_the_future_changes_no_bit_of_a_window(preprocessor, recording):
    duration = preprocessor.duration
    past = clone(preprocessor).set_params(scaling="past")
    end, changed = 3 * duration, {}
    for name, signal in recording.signals.items():
        changed[name] = signal.copy()
        changed[name][..., int(end * recording.sampling_rate[name]) :] *= -5
    step = duration / 2
    windows = past.make_windows(cut(recording, 0, end + duration), step)
    others = past.make_windows(cut(replace(recording, signals=changed), 0, end + duration), step)
    before = windows.onset + duration <= end
    assert before.sum() == 5 and len(windows) == 7
    for name, x in windows.X.items():
        assert_array_equal(x[before], others.X[name][before])
        assert (x[~before] != others.X[name][~before]).any(axis=(1, 2)).all()


def test_a_window_between_samples_sees_no_later_one(recording):
    preprocessor = wristband_preprocessor(scaling="past")
    windows = preprocessor.make_windows(recording, step=17.3)
    for row, end in enumerate(windows.onset + 60):
        signals = {name: x.copy() for name, x in recording.signals.items()}
        for name, x in signals.items():
            x[..., np.arange(x.shape[-1]) / recording.sampling_rate[name] >= end] = 0
        others = preprocessor.make_windows(replace(recording, signals=signals), step=17.3)
        assert windows.X[[row]] == others.X[[row]]


def test_history_of_one_window_scales_each_by_itself(recording):
    preprocessor = wristband_preprocessor(scaling="past", history=60)
    X = preprocessor.make_windows(recording, step=30).X
    for x in X.values():
        np.testing.assert_allclose(x.mean(axis=-1), 0, atol=1e-5)
        np.testing.assert_allclose(x.std(axis=-1), 1, atol=1e-5)


def test_labels_onsets_and_counts_are_those_of_the_whole_recording(recording):
    recordings = [replace(recording, annotations=STAGES, subject=name) for name in ("S1", "S2")]
    labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=0.8)
    whole = wristband_preprocessor().make_windows(recordings, 10, labels=labels)
    past = wristband_preprocessor(scaling="past").make_windows(recordings, 10, labels=labels)
    assert past.info.equals(whole.info) and past.y.tolist() == [0, 0, 1, 1, 1] * 2
    assert past.dropped == whole.dropped == {"unlabelled": 28}
    assert (whole.scaling, past.scaling) == ("recording", "past")
    assert (
        wristband_preprocessor(standardize=False, scaling="past")
        .make_windows(recordings, 60, labels=labels)
        .scaling
        is None
    )


def test_a_recording_without_labelled_windows_is_left_out(recording):
    recordings = [replace(recording, annotations=STAGES)] * 2
    recordings[0] = replace(recording, annotations={**STAGES, "onset": [300, 300]})
    labels = StageLabels({"rest": 0})
    windows = wristband_preprocessor(scaling="past").make_windows(recordings, labels=labels)
    assert windows.recording.tolist() == [1] and windows.X["bvp"].shape == (1, 1, 240)


def test_a_past_that_is_constant_costs_its_window():
    signal = np.r_[np.zeros(4 * 65), np.random.default_rng(0).normal(size=4 * 60)]
    preprocessor = Preprocessor({"eda": [Standardize()]}, {"eda": 4}, 10, scaling="past")
    windows = preprocessor.make_windows(Recording({"eda": signal}, {"eda": 4}, "S1"))
    assert_array_equal(windows.onset, np.arange(60, 120, 10))
    assert windows.dropped == {"unusable past": 6}


def test_gaps_in_a_window_are_counted_as_ever():
    recording = draw_ecg()
    recording.signals["ecg"][..., 20 * 256 : 20 * 256 + 9] = np.nan
    preprocessor = ecg_preprocessor(standardize="recording", scaling="past")
    with pytest.warns(UserWarning, match=r"1 of \d+ windows are dropped: .* gap"):
        windows = preprocessor.make_windows(recording)
    # not the window before the gap, which nothing of it has reached yet
    assert windows.onset.tolist() == [0, 10, 30, 40, 50]
    assert windows.dropped == {"non-finite": 1}


@pytest.mark.parametrize(
    "steps, signal, match",
    [
        ([Standardize()], np.ones(960), r"S1 \(recording 0\).*constant"),
        ([Clip(-1, 1)], np.full(960, np.nan), "NaN"),
    ],
)
def test_the_reason_is_told_if_no_past_can_be_transformed(steps, signal, match):
    preprocessor = Preprocessor({"eda": steps}, {"eda": 4}, 10, scaling="past")
    with pytest.raises(ValueError, match=match):
        preprocessor.make_windows(Recording({"eda": signal}, {"eda": 4}, "S1"))


@pytest.mark.parametrize(
    "changes, error, match",
    [
        ({"scaling": "future"}, ValueError, "'recording' or 'past', got 'future'"),
        ({"standardize": "subject"}, ValueError, "'subject' needs whole"),
        ({"standardize": {"eda": "subject"}}, ValueError, "'subject' needs whole"),
        ({"history": 5}, ValueError, "at least the duration, 10 s, got 5 s"),
        ({"history": "1"}, TypeError, "history must be a number"),
        ({"scaling": "recording", "history": 60}, ValueError, "history needs scaling='past'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, error, match, recording):
    preprocessor = Preprocessor({"eda": [Clip(0, 9)]}, {"eda": 4}, 10, scaling="past")
    with pytest.raises(error, match=match):
        preprocessor.set_params(**changes).make_windows(recording)


def test_there_is_no_whole_recording_to_transform(recording):
    with pytest.raises(ValueError, match="make_windows"):
        wristband_preprocessor(scaling="past").transform(recording)


def test_an_encoder_is_saved_with_the_scaling(recording, tmp_path):
    preprocessor = wristband_preprocessor(scaling="past", history=120)
    X = preprocessor.make_windows(recording, step=30).X
    encoder = SSLEncoder(max_epochs=1, module__d_model=8, preprocessor=preprocessor).fit(X)
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors").preprocessor_
    assert (loaded.scaling, loaded.history) == ("past", 120)


def test_encoders_in_older_files_scale_whole_recordings():
    assert (SHIPPED.scaling, SHIPPED.history) == ("recording", None)
