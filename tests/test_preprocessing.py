"""Estimators of preprocessing: filters, resampling, scale and limits, of windows with gaps too."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from physio_ssl import functional
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    Detrend,
    HeartRateChannels,
    LowpassFilter,
    NormalScores,
    Resample,
    SlopeChannels,
    Standardize,
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
    (BandpassFilter(0.5, 32, sampling_rate=64), "< 32 Hz .*'low': 0.5, 'high': 32"),
    (BandpassFilter(0.5, 8, sampling_rate=64, gaps="fill"), "gaps must be .* got 'fill'"),
    (LowpassFilter(2.0, sampling_rate=4), "< 2 Hz .*'high': 2.0"),
    (Resample(64, 0), "new_sampling_rate must be positive"),
    (Standardize(constant="ignore"), "constant must be .* got 'ignore'"),
    (NormalScores(constant="ignore"), "constant must be .* got 'ignore'"),
    (Clip(1, -1), "low < high, got low=1 and high=-1"),
]

KEEPERS = [  # of gaps
    BandpassFilter(0.5, 8, 64),
    LowpassFilter(8, 64),
    Resample(64, 24),
    Standardize(),
    NormalScores(),
    Clip(-1, 1),
    HeartRateChannels(64),
    SlopeChannels(64, smoothing=0.5, window=2),
]


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(4, 2, 640))


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=1200)


def test_the_estimator_is_its_function_with_or_without_fit(X):
    for estimator, function in PAIRS:
        assert_array_equal(clone(estimator).fit_transform(X), function(X))
        assert_array_equal(clone(estimator).transform(X), function(X))
        assert not hasattr(estimator, "get_feature_names_out")


def test_wrong_parameters_are_an_error_in_fit_and_in_transform(X):
    for estimator, rule in MISTAKES:
        for method in (clone(estimator).fit, clone(estimator).transform):
            with pytest.raises(ValueError, match=rule):
                method(X)


def test_steps_make_a_pipeline_if_they_know_their_rate(X):
    steps = make_pipeline(BandpassFilter(0.5, 8, 64), Resample(64, 16), Standardize())
    assert steps.fit_transform(X).shape == (4, 2, 160)
    with pytest.raises(TypeError, match="sampling_rate must be a number, .* None"):
        Resample(None, 4).fit(X)


def test_gaps_are_an_error_unless_they_are_kept(X):
    X[1, 0, 7] = np.nan
    for step in KEEPERS:
        with pytest.raises(ValueError, match="NaN"):
            step.transform(X)
        with pytest.raises(ValueError, match="infinity"):
            clone(step).set_params(gaps="keep").transform(np.where(np.isnan(X), np.inf, X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", KEEPERS)
def test_gaps_of_other_signals_do_not_matter(step, dtype, X):
    X = X.astype(dtype)
    expected = clone(step).transform(X)
    X[1, 0, 300:310] = X[2, 1] = np.nan
    after = clone(step).set_params(gaps="keep").fit_transform(X)
    assert after.dtype == dtype and after.shape == expected.shape
    n_times = after.shape[-1]
    # derived channels follow theirs
    after, expected = (x.reshape(4, 2, -1, n_times) for x in (after, expected))
    assert np.isnan(after[2, 1]).all() and np.isnan(after[1, 0]).any(axis=-1).all()
    whole = np.s_[[0, 0, 1, 2, 3], [0, 1, 1, 0, 1]]
    assert_array_equal(after[whole], expected[whole])


@pytest.mark.parametrize("step", KEEPERS)
def test_a_gap_stays_a_gap_and_far_from_it_nothing_changes_but_the_scale(step):
    times = np.arange(0, 120, 1 / 64)
    signal = np.sin(2 * np.pi * 1.2 * times) + 0.3 * np.sin(2 * np.pi * times / 30)
    gappy = np.where(np.abs(times - 60.5) < 0.5, np.nan, signal)
    before, after = (
        clone(step).set_params(gaps="keep").fit_transform(x[np.newaxis, np.newaxis])[0]
        for x in (signal, gappy)
    )
    times = np.arange(after.shape[-1]) * 120 / after.shape[-1]
    assert np.isnan(after[:, np.abs(times - 60.5) < 0.4]).all()
    far = np.abs(times - 60.5) > 10  # beyond the memory of all filters
    assert np.isfinite(after[:, far]).all()
    assert_allclose(after[:, far], before[:, far], atol=0.03)


def test_a_stretch_too_short_for_the_filter_is_a_gap(noise):
    noise[[300, 400, 700]] = np.nan  # 1.5 s and 5 s apart
    after = LowpassFilter(1, 64, gaps="keep").fit_transform(noise[np.newaxis])[0]
    assert np.isnan(after[300:401]).all()
    assert np.isfinite(after[400 + 65 : 700 - 64]).all() and np.isfinite(after[: 300 - 64]).all()


def test_scales_and_ranks_are_those_of_the_samples_that_are_there(noise):
    known = np.arange(1200) % 7 > 0
    gappy = np.where(known, noise, np.nan)
    for step in (Standardize(), NormalScores(), Clip(-1, 1)):
        after = clone(step).set_params(gaps="keep").fit_transform(gappy[np.newaxis])[0]
        assert_array_equal(after[known], step.fit_transform(noise[np.newaxis, known])[0])
        assert np.isnan(after[~known]).all()


def test_stretches_between_gaps_are_filtered_one_by_one_without_their_ends():
    signal = np.random.default_rng(0).normal(size=7500)
    signal[[2500, 3000, 7000]] = np.nan  # between are 2 s, and 2 s after the last
    after = BandpassFilter(0.8, 50, 250, gaps="keep").fit_transform(signal[np.newaxis])[0]
    edges = np.flatnonzero(np.diff(np.isnan(after))) / 250
    assert_allclose(edges, [8.75, 13.25, 26.75, 29.25], atol=0.01)
    expected = functional.bandpass(signal[3001:7000], 0.8, 50, 250)
    assert_array_equal(after[3314:6687], expected[313:-313])


def test_what_is_kept_near_a_gap_is_nearly_as_without_the_gap(draw_ecg):
    wander = np.sin(2 * np.pi * 0.2 * np.arange(7500) / 250)
    signal = draw_ecg(np.arange(0.3, 30, 0.8), 250, 30) + wander
    gappy = np.where(abs(np.arange(7500) - 3750) < 50, np.nan, signal)
    step = BandpassFilter(0.8, 50, 250, order=8, gaps="keep")
    whole, after = (step.fit_transform(x[np.newaxis]) for x in (signal, gappy))
    assert np.nanmax(abs(after - whole)) < 0.04 * np.ptp(whole)
    ends = [0, 1, -2, -1]  # those of the recording are kept
    assert_allclose(after[..., ends], whole[..., ends], atol=1e-3)


@pytest.mark.parametrize("new", [24, 64, 150])
def test_resampling_makes_gaps_of_the_new_samples_next_to_a_gap(new):
    signal = np.random.default_rng(0).normal(size=(1, 640))
    gappy = signal.copy()
    gappy[:, 320:330] = np.nan
    after = Resample(64, new, gaps="keep").fit_transform(gappy)[0]
    times = np.arange(len(after)) / new
    reach = 1 / min(64, new)
    assert_array_equal(np.isnan(after), (times > 5 - reach) & (times < 329 / 64 + reach))
    far = np.abs(times - 5) > 1  # the filter's memory has ended there
    assert_allclose(after[far], functional.resample(signal, 64, new)[0, far], atol=0.02)


def test_normal_scores_are_the_quantiles_of_ranks(noise):
    scores = NormalScores().fit_transform(np.array([[3.0, -1.0, 3.0, 900.0]]))[0]
    assert_allclose(scores, norm.ppf([0.5, 0.125, 0.5, 0.875]))
    scores, middle = NormalScores().fit_transform([7 + 3 * noise])[0], np.abs(noise) < 2
    assert_allclose(scores[middle], noise[middle], atol=0.15)


def test_a_monotonic_change_changes_no_normal_scores(noise):
    X = noise.reshape(3, 2, 200)
    assert_array_equal(functional.normal_scores(np.exp(X)), functional.normal_scores(X))
    assert_allclose(functional.normal_scores(X).mean(axis=-1), 0, atol=1e-12)


def test_normal_scores_of_constant_channels_are_an_error_or_zeros(noise):
    X = noise.reshape(3, 2, 200).copy()
    X[1, 0] = 0.1
    with pytest.raises(ValueError, match=r"1 of 6 .*\[1, 0\]"):
        NormalScores().transform(X)
    scores = NormalScores(constant="zero").transform(X)
    assert not scores[1, 0].any()
    assert_array_equal(scores[1, 1], functional.normal_scores(X[1, 1]))
