"""The encoders that come with the package."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import physio_ssl
from physio_ssl import Recording, SignalDict, functional, load_encoder
from physio_ssl.datasets import simulate_wristband


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("wristband-small")


@pytest.fixture(scope="module")
def recording():
    return simulate_wristband(1, n_blocks=1, stage_duration=150, random_state=0)[0]


@pytest.fixture(scope="module")
def long():
    return simulate_wristband(1, n_blocks=2, stage_duration=150, random_state=0)[0]


def resample(recording, **rates):
    signals = {
        name: functional.resample(recording.signals[name], recording.sampling_rate[name], rate)
        for name, rate in rates.items()
    }
    return replace(
        recording,
        signals={**recording.signals, **signals},
        sampling_rate={**recording.sampling_rate, **rates},
    )


def without(recording, modality):
    kept = {name: x for name, x in recording.signals.items() if name != modality}
    rates = {name: recording.sampling_rate[name] for name in kept}
    return Recording(kept, rates, recording.subject)


def test_they_are_small():
    folder = Path(physio_ssl.__file__).parent / "weights"
    assert max(file.stat().st_size for file in folder.iterdir()) < 3e6


def test_the_embedding_of_a_simulated_recording_stays_the_same(encoder, recording):
    embedding = encoder.transform(encoder.preprocessor_.make_windows(recording, step=30).X)
    # from the commit at which the weights were published
    first = [0.13019522, 0.12362872, 0.68895912, 1.0108135, 0.48104942, -0.26797339]
    mean = [0.16507779, 0.033303268, 0.83952063, -0.14261414, 0.41900492, -0.14111634]
    assert embedding[0, ::128] == pytest.approx(first, abs=1e-4)
    assert embedding.mean(axis=0)[::128] == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize("left_out", [None, "bvp", "eda", "temp"])
def test_a_recording_is_embedded_without_any_one_modality(encoder, recording, left_out):
    windows = encoder.preprocessor_.make_windows(without(recording, left_out), step=30)
    assert set(windows.X) == {"bvp", "eda", "temp"} - {left_out}
    embedding = encoder.transform(windows.X)
    assert embedding.shape == (len(windows), 768)
    assert np.isfinite(embedding).all()
    parts = dict(zip(encoder.n_times_, np.split(embedding, 3, axis=1), strict=True))
    for name, part in parts.items():  # the part of the missing one is zero
        assert (part.std(axis=0) > 1e-4).mean() > (-1 if name == left_out else 0.95)
        assert (part == 0).all() == (name == left_out)


def test_a_missing_modality_has_no_influence(encoder, recording):
    windows = encoder.preprocessor_.make_windows(recording, step=30)
    rest = encoder.preprocessor_.make_windows(without(recording, "temp"), step=30)
    some = SignalDict({name: x for name, x in windows.X.items() if name != "temp"})
    np.testing.assert_array_equal(encoder.transform(some), encoder.transform(rest.X))
    assert not np.allclose(encoder.transform(some), encoder.transform(windows.X), atol=0.1)


def test_a_rate_that_is_too_low_is_refused(encoder, recording):
    for name, rate, lowest in (("bvp", 16, 20), ("eda", 0.5, 1), ("temp", 0.8, 1)):
        with pytest.raises(ValueError, match=f"'{name}' .* at least {lowest} Hz, got {rate} Hz"):
            encoder.preprocessor_.make_windows(resample(recording, **{name: rate}))


def test_the_embedding_of_a_slow_device_is_nearly_the_same(encoder, recording):
    slow = resample(recording, bvp=20, eda=1, temp=1)
    Z, expected = (
        encoder.transform(encoder.preprocessor_.make_windows(r, step=15).X)
        for r in (slow, recording)
    )
    varies = expected.std(axis=0) > 1e-4
    scale = expected[:, varies].std(axis=0)
    assert (np.abs(Z - expected)[:, varies] / scale).mean() < 0.25


@pytest.mark.parametrize("name, at", [("bvp", 9600 + 1), ("eda", 600), ("temp", 600)])
def test_a_gap_costs_the_windows_near_it_and_changes_the_others_little(encoder, long, name, at):
    gappy = {**long.signals, name: long.signals[name].copy()}
    gappy[name][..., at] = np.nan
    with pytest.warns(UserWarning, match=r"\d of \d+ windows are dropped: .* gap"):
        windows = encoder.preprocessor_.make_windows(replace(long, signals=gappy), step=15)
    expected = encoder.preprocessor_.make_windows(long, step=15)
    # the gap is at 150 s, and filters widen it by at most 30 s
    lost = np.setdiff1d(expected.onset, windows.onset)
    assert set(np.arange(105, 150, 15)) <= set(lost)
    assert ((lost + 60 > 120) & (lost <= 180)).all()
    assert windows.dropped == {"non-finite": len(lost)}
    kept = expected.select(np.isin(expected.onset, windows.onset))
    for modality, x in windows.X.items():
        assert np.isfinite(x).all()
        minute = np.s_[..., 90 * 4 : 150 * 4]  # the context may hold the gap
        # scales and ranks lack what the gap takes away, up to a tenth of eleven minutes
        assert_allclose(x[minute], kept.X[modality][minute], atol=0.1)


def test_windows_of_another_length_are_refused(encoder, recording):
    windows = encoder.preprocessor_.make_windows(recording)
    half = SignalDict({name: x[..., :120] for name, x in windows.X.items()})
    with pytest.raises(ValueError, match="of 240 s at 4 Hz"):
        encoder.transform(half)


def test_no_one_of_the_studies_that_it_is_tested_on_was_seen(encoder):
    assert {name.split("/")[0] for name in encoder.groups_seen_} == {"NurseStress"}
