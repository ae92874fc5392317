"""Missing stretches of a recording: the same rules in steps, windows, encoders and quality."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import HandcraftedFeatures, Recording, SSLEncoder, load_encoder, make_windows
from physio_ssl import preprocessing as pre
from physio_ssl.datasets import simulate_wristband
from physio_ssl.quality import add_quality

GAP = 120.0, 130.0  # s
STEPS = {
    "BandpassFilter": pre.BandpassFilter(0.5, 8, 64, gaps="keep"),
    "LowpassFilter": pre.LowpassFilter(8, 64, gaps="keep"),
    "Resample": pre.Resample(64, 64 / 3, gaps="keep"),
    "Standardize": pre.Standardize(gaps="keep"),
    "NormalScores": pre.NormalScores(gaps="keep"),
    "Clip": pre.Clip(-1, 1, gaps="keep"),
    "Detrend": pre.Detrend(gaps="keep"),
    "HeartRateChannels": pre.HeartRateChannels(64, gaps="keep"),
    "SlopeChannels": pre.SlopeChannels(64, 1, 5, gaps="keep"),
}


def open_gap(recording, names, gap=GAP):
    """Return a copy of a recording with a gap in some of its signals."""
    signals = {name: signal.copy() for name, signal in recording.signals.items()}
    for name in names:
        start, stop = (round(time * recording.sampling_rate[name]) for time in gap)
        signals[name][..., start:stop] = np.nan
    return replace(recording, signals=signals)


@pytest.fixture(scope="module")
def recording():
    return simulate_wristband(1, n_blocks=1, stage_duration=120, random_state=0)[0]


def test_each_step_is_tried():
    steps = {name for name in pre.__all__ if hasattr(getattr(pre, name), "fit_transform")}
    assert steps == set(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_a_gap_and_changes_little_far_from_it(name, recording):
    step, new_rate = STEPS[name], getattr(STEPS[name], "new_sampling_rate", 64)
    gappy = open_gap(recording, ["bvp"]).signals["bvp"]
    whole, after = (step.fit_transform(x) for x in (recording.signals["bvp"], gappy))
    times = np.arange(after.shape[-1]) / new_rate
    inside = (times >= GAP[0]) & (times < GAP[1] - 1 / 64)
    far = (times < GAP[0] - 20) | (times > GAP[1] + 20)
    assert np.isnan(after[..., inside]).all()
    assert np.isfinite(after[..., far]).all()
    spread = whole.std(axis=-1, keepdims=True)
    assert np.median(np.abs((after - whole) / spread)[..., far]) < 0.1


@pytest.mark.parametrize("name", STEPS)
def test_a_step_refuses_a_gap_unless_told_to_keep_it(name, recording):
    gappy = open_gap(recording, ["bvp"]).signals["bvp"]
    with pytest.raises(ValueError, match="NaN"):
        STEPS[name].__class__(**{**STEPS[name].get_params(), "gaps": "error"}).fit_transform(gappy)


def test_a_line_is_fitted_to_the_samples_beside_gaps():
    line = 5 + 0.1 * np.arange(100.0).reshape(1, 1, -1)
    line[..., 20:70] = np.nan
    after = pre.Detrend(gaps="keep").fit_transform(line)
    assert_allclose(after, np.where(np.isnan(line), np.nan, 0), atol=1e-12)
    line[..., 1:] = np.nan
    after = pre.Detrend(gaps="keep").fit_transform(line)
    assert_allclose(after, np.where(np.isnan(line), np.nan, 0))


@pytest.mark.parametrize("names", [["bvp"], ["eda"], ["temp"], ["bvp", "eda", "temp"]])
def test_an_encoder_embeds_the_windows_that_touch_no_gap(names, recording):
    encoder = load_encoder("wristband-small")
    make = encoder.preprocessor_.make_windows
    whole = make(recording, step=10)
    with pytest.warns(UserWarning, match="gap"):
        windows = make(open_gap(recording, names), step=10)
    touching = (whole.onset < GAP[1]) & (whole.onset + 60 > GAP[0])
    assert windows.dropped["non-finite"] >= touching.sum()
    assert set(windows.onset) <= set(whole.onset[~touching])
    embedding = encoder.transform(windows.X)
    assert len(embedding) == len(windows) > 0
    assert np.isfinite(embedding).all()


def test_the_windows_far_from_a_gap_are_those_without_it_but_for_the_scale(recording):
    make = load_encoder("wristband-small").preprocessor_.set_params(context=0).make_windows
    whole = make(recording, step=10)
    with pytest.warns(UserWarning, match="gap"):
        windows = make(open_gap(recording, ["eda"]), step=10)
    far = windows.select((windows.onset + 60 < GAP[0] - 20) | (windows.onset > GAP[1] + 20))
    same = whole.select(np.isin(whole.onset, far.onset))
    assert_array_equal(far.X["bvp"], same.X["bvp"])
    correlation = np.corrcoef(far.X["eda"][:, 0].ravel(), same.X["eda"][:, 0].ravel())[0, 1]
    assert correlation > 0.99


@pytest.mark.parametrize("scaling", ["recording", "past"])
def test_gaps_cost_the_same_windows_with_any_scaling(scaling, recording):
    preprocessor = pre.wristband_preprocessor(20, modalities=["eda"], scaling=scaling)
    with pytest.warns(UserWarning, match="gap"):
        windows = preprocessor.make_windows(open_gap(recording, ["eda"]), step=20, keep_native=True)
    assert not {120.0} & set(windows.onset)
    assert {80.0, 160.0} <= set(windows.onset)
    assert np.isfinite(windows.native["eda"]).all()


@pytest.mark.parametrize("gap", [(0, 30), (200, 270)])
def test_a_gap_may_be_at_an_end(gap, recording):
    preprocessor = pre.wristband_preprocessor(20)
    gappy = open_gap(recording, ["bvp", "eda", "temp"], gap)
    with pytest.warns(UserWarning, match="gap"):
        windows = preprocessor.make_windows(gappy, step=10)
    assert ((windows.onset + 20 <= gap[0]) | (windows.onset >= gap[1])).all()
    assert len(windows) + windows.dropped["non-finite"] == len(
        preprocessor.make_windows(recording, step=10)
    )


def test_an_encoder_and_features_refuse_windows_with_a_gap(recording):
    windows = make_windows(replace(recording), 60)
    X = {name: x.copy() for name, x in windows.X.items()}
    X["eda"][0, 0, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SSLEncoder(max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        HandcraftedFeatures(windows.sampling_rate).fit_transform(X)


def test_one_missing_sample_is_a_gap_for_each_channel():
    acc = np.random.default_rng(0).normal(size=(3, 32 * 60))
    acc[1, 32 * 30] = np.nan
    recording = Recording({"acc": acc}, {"acc": 32}, "P1")
    with pytest.warns(UserWarning, match="1 of 6 windows"):
        windows = make_windows(recording, 10)
    assert_array_equal(windows.onset, [0, 10, 20, 40, 50])


def test_quality_of_windows_far_from_a_gap_is_that_without_it(recording):
    whole = make_windows(recording, 10)
    with pytest.warns(UserWarning, match="gap"):
        windows = make_windows(open_gap(recording, ["bvp", "eda", "temp"]), 10)
    far = (windows.onset + 10 < GAP[0] - 40) | (windows.onset > GAP[1] + 40)
    same = np.isin(whole.onset, windows.onset[far])
    graded = add_quality(windows, open_gap(recording, ["bvp", "eda", "temp"])).quality[far]
    assert_allclose(graded, add_quality(whole, recording).quality[same])
