"""A mistake that newcomers make is answered with what to do instead."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from physio_ssl import (
    ChannelStatistics,
    HeadClassifier,
    Recording,
    SelectModality,
    SSLEncoder,
    StageLabels,
    load_encoder,
    make_windows,
    save_encoder,
)
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import Standardize

Y = np.tile([0, 1], 6)


def record(bvp=600, eda=600, **kwargs):
    """Return a recording of signals that last so many seconds."""
    signals = {"bvp": np.arange(bvp * 8.0), "eda": np.arange(eda * 4.0)}
    return Recording(signals, {"bvp": 8, "eda": 4}, "S1", **kwargs)


def tiny(**kwargs):
    return SSLEncoder(module__d_model=8, random_state=0, **{"max_epochs": 1, **kwargs})


@pytest.mark.parametrize("given, advice", [("windows", "windows.X"), ("recording", "make_windows")])
@pytest.mark.parametrize(
    "estimator",
    [tiny(), ChannelStatistics(), SelectModality("bvp"), Standardize(), LogisticRegression()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_windows_and_recordings_are_no_arrays(estimator, given, advice):
    recording = record()
    X = make_windows(recording, 50) if given == "windows" else [recording]
    with pytest.raises(TypeError, match=advice):
        estimator.fit(X, Y[: len(X)])


@pytest.mark.parametrize(
    "run",
    [
        lambda X: BaggingClassifier(LogisticRegression()).fit(X, Y),
        lambda X: AdaBoostClassifier(LogisticRegression()).fit(X, Y),
        lambda X: SelfTrainingClassifier(LogisticRegression()).fit(X, Y),
        lambda X: permutation_importance(LogisticRegression().fit(Y[:, None], Y), X, Y),
    ],
    ids=["bagging", "boosting", "self-training", "permutation importance"],
)
def test_what_needs_one_array_says_to_embed_first(run, signals):
    with pytest.raises(TypeError, match="embed first, e.g. encoder.fit_transform"):
        run(signals)


def test_a_transposed_signal_is_refused():
    with pytest.raises(ValueError, match="1 samples of 4800 channels: transpose it"):
        Recording({"bvp": np.zeros((4800, 1))}, {"bvp": 8}, "S1")


@pytest.mark.parametrize("eda, warns", [(600, False), (590, False), (500, True)])
def test_signals_of_one_recording_that_end_apart_are_a_warning(eda, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_windows(record(eda=eda), 50)
    assert [str(w.message)[:55] for w in caught] == warns * [
        "The signals of S1 last bvp 600 s, eda 500 s: only the f"
    ]


def test_one_modality_is_selected_by_its_name(signals):
    with pytest.raises(TypeError, match="one modality, got .'bvp', 'eda'.: for several"):
        SelectModality(["bvp", "eda"]).fit(signals)


@pytest.mark.parametrize("coverage, n_short", [(1.0, 2), (0.7, 1)])
def test_stages_shorter_than_a_window_are_a_warning(coverage, n_short):
    stages = {"onset": [0, 100, 200], "duration": [60, 40, 20], "description": ["a", "b", "a"]}
    labels = StageLabels({"a": 0, "b": 1}, min_coverage=coverage)
    with pytest.warns(UserWarning, match=f"{n_short} of 3 stages are shorter .* of 50 s"):
        make_windows(record(annotations=stages), 50, 5, labels=labels)


@pytest.mark.parametrize("net", [tiny(), HeadClassifier()], ids=["encoder", "classifier"])
@pytest.mark.parametrize("value, error", [(-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_the_number_of_epochs_is_a_number(net, value, error):
    X = np.random.default_rng(0).normal(size=(12, 32))
    with pytest.raises(error, match=f"max_epochs must be an integer of at least 0, got {value}"):
        clone(net).set_params(max_epochs=value).fit(X, Y)


def test_an_encoder_is_printed_in_four_lines(signals):
    encoder = tiny()
    assert str(encoder) == repr(encoder)
    groups = np.repeat(["S1", "S2", "S3", "S4"], 3)
    assert str(encoder.fit(signals, groups=groups)).splitlines() == [
        "SSLEncoder: MultimodalTransformer, TransformRecognition",
        "  windows: bvp 1 x 640, eda 1 x 40, acc 3 x 320 samples",
        "  embedding: 24 values",
        "  subjects seen: 4 (S1, S2, S3, ...)",
    ]
    assert str(load_encoder("wristband-small")).startswith("SSLEncoder wristband-small: ")
    assert "samples, 60 s" in str(load_encoder("wristband-small"))


def test_an_encoder_that_was_loaded_warns_before_its_weights_are_lost(signals, tmp_path):
    save_encoder(tiny().fit(signals), tmp_path / "mine.safetensors")
    loaded = load_encoder(tmp_path / "mine.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_pipeline(FrozenEstimator(loaded), LogisticRegression()).fit(signals, Y)
        clone(loaded).fit(signals)
        loaded.partial_fit(signals)
    with pytest.warns(UserWarning, match="weights loaded from mine .* FrozenEstimator"):
        make_pipeline(loaded, LogisticRegression()).fit(signals, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded.fit(signals)


class Threads(SSLEncoder):
    """Writes down the threads that it computes with."""

    def infer(self, x, **fit_params):
        self.seen_ = torch.get_num_threads()
        return super().infer(x, **fit_params)


def test_one_thread_computes_unless_more_are_asked_for(signals):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for settings, expected in (({}, 1), ({"n_threads": 2}, 2)):
            encoder = Threads(module__d_model=8, max_epochs=1, **settings).fit(signals)
            encoder.transform(signals)
            assert encoder.seen_ == expected and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_simulated_recordings_need_no_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = StageLabels({"rest": 0, "stress": 1})
        make_windows(simulate_wristband(1, random_state=0), 60, labels=labels)
