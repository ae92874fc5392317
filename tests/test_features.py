"""Tests of the hand-crafted features."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl.containers import SignalDict
from physio_ssl.features import ChannelStatistics, HandcraftedFeatures
from physio_ssl.quality import find_poor_ecg

RATES = {"bvp": 64, "eda": 4, "temp": 4}
HEART_NAMES = ["heart_rate", "rmssd", "sdnn", "pnn50", "n_beats"]
RHYTHM_NAMES = ["pnn50_all", "irregularity", "sample_entropy"]


@pytest.fixture
def X():
    """Return a dozen windows of 30 s from three modalities, one of two channels."""
    rng = np.random.default_rng(0)
    times = np.arange(0, 30, 1 / 64)
    pulse = np.sin(2 * np.pi * rng.uniform(1, 2, size=(12, 1, 1)) * times)
    return SignalDict(
        bvp=pulse + 0.1 * rng.normal(size=pulse.shape),
        eda=2 + np.cumsum(0.05 * rng.normal(size=(12, 2, 120)), axis=-1),
        temp=33 + 0.1 * rng.normal(size=(12, 1, 120)),
    )


def pulse_train(beats, sampling_rate=64, duration=60):
    """Return one window with a bump of 0.2 s at each of the times ``beats``."""
    times = np.arange(0, duration, 1 / sampling_rate)
    bumps = np.exp(-0.5 * ((times - np.asarray(beats)[:, np.newaxis]) / 0.1) ** 2)
    return bumps.sum(axis=0)[np.newaxis, np.newaxis]


def responses(onsets, height=0.5, duration=60):
    """Return one window of EDA at 4 Hz, with a skin conductance response per onset."""
    lag = np.arange(0, duration, 1 / 4) - np.asarray(onsets)[:, np.newaxis]
    shape = np.where(lag > 0, np.exp(-lag / 2) - np.exp(-lag / 0.75), 0)
    return 3 + height * (shape / shape.max()).sum(axis=0)[np.newaxis, np.newaxis]


def features_of(**signals):
    """Return the features of the first window by name."""
    transformer = HandcraftedFeatures(RATES).fit(signals)
    names = transformer.get_feature_names_out()
    return dict(zip(names, transformer.transform(signals)[0], strict=True))


@pytest.mark.parametrize("rate", [32, 64, 100.5])
@pytest.mark.parametrize("bpm", [45, 72, 150])
def test_heart_rate_is_that_of_the_pulse_train(bpm, rate):
    bvp = pulse_train(np.arange(0.5, 60, 60 / bpm), rate)
    transformer = HandcraftedFeatures({"bvp": rate}).set_output(transform="pandas")
    features = transformer.fit_transform({"bvp": bvp})
    assert features["bvp_heart_rate"].item() == pytest.approx(bpm, abs=1)


@pytest.mark.parametrize("intervals, rmssd, pnn50", [([0.83], 0, 0), ([0.8, 0.9], 100, 1)])
def test_variability_is_that_of_the_intervals(intervals, rmssd, pnn50):
    beats = 0.5 + np.cumsum(np.tile(intervals, 68 // len(intervals)))
    features = features_of(bvp=pulse_train(beats))
    assert features["bvp_rmssd"] == pytest.approx(rmssd, abs=3)  # milliseconds
    assert features["bvp_sdnn"] == pytest.approx(rmssd / 2, abs=3)
    assert features["bvp_pnn50"] == pnn50


def test_a_missed_beat_does_not_change_the_heart_rate():
    beats = np.delete(np.arange(0.5, 60, 1.2), [10, 20])
    features = features_of(bvp=pulse_train(beats))
    assert features["bvp_heart_rate"] == pytest.approx(50, abs=1)
    assert features["bvp_rmssd"] < 10


def test_an_extra_beat_does_not_change_the_variability():
    beats = np.sort(np.append(np.arange(0.5, 60, 1.2), 30.9))
    features = features_of(bvp=pulse_train(beats))
    assert features["bvp_n_beats"] == len(beats)
    assert features["bvp_rmssd"] < 10


@pytest.mark.parametrize("missing", [np.nan, -1])
def test_pulse_features_of_a_constant_window_are_missing(missing):
    bvp = np.full((1, 1, 3840), 0.1)
    features = HandcraftedFeatures({"bvp": 64}, missing=missing).fit_transform({"bvp": bvp})
    np.testing.assert_array_equal(features[0, -5:], [missing] * 4 + [0])


@pytest.mark.parametrize("n_times", [1, 2, 30, 64])
def test_windows_too_short_for_a_pulse_have_no_heart_rate(n_times):
    bvp = np.random.default_rng(0).normal(size=(1, 1, n_times))
    assert np.isnan(features_of(bvp=bvp)["bvp_heart_rate"])


def test_slope_of_a_temperature_ramp_is_per_second():
    ramp = 30 + 0.01 * np.arange(0, 60, 1 / 4)[np.newaxis]
    features = features_of(temp=ramp)
    assert features["temp_slope"] == pytest.approx(0.01)
    assert features["temp_mean_abs_change"] == pytest.approx(0.01)


def test_statistics_agree_with_scipy(X):
    from scipy import stats

    temp = X["temp"]
    features = HandcraftedFeatures(4).fit_transform({"temp": temp})
    expected = [temp.mean(-1), temp.std(-1), temp.min(-1), temp.max(-1)]
    expected += [stats.skew(temp, axis=-1), stats.kurtosis(temp, axis=-1)]
    np.testing.assert_allclose(features[:, :6], np.concatenate(expected, axis=1))


def test_a_warmer_window_only_shifts_its_location():
    temp = np.random.default_rng(0).normal(33, 0.1, size=(1, 240))
    cold, warm = features_of(temp=temp), features_of(temp=temp + 2)
    shift = np.array(list(warm.values())) - np.array(list(cold.values()))
    np.testing.assert_allclose(shift, [2, 0, 2, 2, 0, 0, 0, 0], atol=1e-9)


def test_shape_of_a_constant_window_is_zero():
    features = features_of(temp=np.full((1, 240), 32.1))
    assert list(features.values()) == [32.1, 0, 32.1, 32.1, 0, 0, 0, 0]
    rounded = features_of(
        temp=np.where(np.arange(240) % 7, 32.1, np.nextafter(32.1, 33))[np.newaxis]
    )
    assert [rounded[f"temp_{name}"] for name in ("std", "skewness", "kurtosis")] == [0, 0, 0]


@pytest.mark.parametrize("onsets", [[], [20], [10, 25, 40]])
def test_skin_conductance_responses_are_counted(onsets):
    eda = responses(onsets) if onsets else np.full((1, 1, 240), 3.0)
    features = features_of(eda=eda)
    assert features["eda_n_scrs"] == len(onsets)
    assert features["eda_scr_amplitude"] == pytest.approx(0.5 * bool(onsets), abs=0.15)


def test_responses_below_the_smallest_amplitude_are_not_counted():
    transformer = HandcraftedFeatures({"eda": 4}, min_scr_amplitude=1.0)
    features = transformer.fit_transform({"eda": responses([20], height=0.5)})
    np.testing.assert_array_equal(features[0, -2:], 0)


def test_tonic_slope_is_that_of_the_level():
    ramp = 2 + 0.01 * np.arange(0, 60, 1 / 4)[np.newaxis]
    features = features_of(eda=ramp)
    assert features["eda_tonic_slope"] == pytest.approx(0.01, rel=0.05)
    assert features["eda_tonic_mean"] == pytest.approx(2.3, rel=0.01)


def test_skin_conductance_is_split_as_by_neurokit():
    import neurokit2 as nk

    eda = responses([10, 25, 40])
    parts = nk.eda_phasic(eda[0, 0], sampling_rate=4, method="highpass")
    features = features_of(eda=eda)
    assert features["eda_tonic_mean"] == pytest.approx(parts["EDA_Tonic"].mean())
    assert features["eda_phasic_std"] == pytest.approx(parts["EDA_Phasic"].std(ddof=0))


def test_beats_are_those_of_neurokit(X):
    import neurokit2 as nk

    bvp = X["bvp"][3, 0]
    peaks = nk.ppg_findpeaks(nk.ppg_clean(bvp, sampling_rate=64), sampling_rate=64)
    assert features_of(bvp=bvp[np.newaxis])["bvp_n_beats"] == len(peaks["PPG_Peaks"])


def test_neither_batch_nor_memory_layout_nor_order_of_modalities_matters(X):
    transformer = HandcraftedFeatures(RATES).fit(X)
    features = transformer.transform(X)
    alone = np.concatenate([transformer.transform(X[i]) for i in range(len(X))])
    np.testing.assert_array_equal(alone, features)
    turned = {name: np.asfortranarray(X[name]) for name in reversed(list(X))}
    np.testing.assert_array_equal(transformer.transform(turned), features)


def test_float32_windows_give_float64_features(X):
    single = {name: signal.astype(np.float32) for name, signal in X.items()}
    transformer = HandcraftedFeatures({"temp": 4}).fit({"temp": X["temp"]})
    features = transformer.transform({"temp": single["temp"]})
    assert features.dtype == np.float64
    expected = transformer.transform({"temp": X["temp"]})
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_names_give_modality_channel_and_feature(X):
    names = list(HandcraftedFeatures(RATES).fit(X).get_feature_names_out())
    assert len(names) == len(set(names)) == 8 + 5 + 2 * (8 + 5) + 8
    assert names[0] == "bvp_mean"
    assert names.index("bvp_n_beats") < names.index("eda_0_mean")
    assert {"eda_1_n_scrs", "temp_slope"} < set(names)


def test_pandas_output_has_the_names_as_columns(X):
    transformer = HandcraftedFeatures(RATES).set_output(transform="pandas")
    features = transformer.fit_transform(X)
    assert list(features.columns) == list(transformer.get_feature_names_out())
    assert len(features) == len(X)


def test_an_array_is_the_modality_signal(X):
    transformer = HandcraftedFeatures(sampling_rate=64)
    features = transformer.fit_transform(X["bvp"])
    np.testing.assert_array_equal(features, transformer.fit_transform(X["bvp"][:, 0]))
    assert transformer.get_feature_names_out()[0] == "signal_mean"


def test_modalities_left_out_of_specific_get_statistics_only(X):
    slow = {"bvp": X["bvp"][..., ::16]}
    transformer = HandcraftedFeatures({"bvp": 4}, specific=("eda",))
    assert transformer.fit_transform(slow).shape == (12, 8)


def test_missing_pulse_is_imputed_within_the_pipeline(X):
    bvp = X["bvp"].copy()
    bvp[::5] = 0
    X = SignalDict({**X, "bvp": bvp})
    model = make_pipeline(
        HandcraftedFeatures(RATES), SimpleImputer(), StandardScaler(), LogisticRegression()
    )
    model.fit(X, np.tile([0, 1], 6))
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("changed", ["eda left out", "one channel of eda"])
def test_other_modalities_or_channels_than_in_fit_are_refused(changed, X):
    transformer = HandcraftedFeatures(RATES).fit(X)
    signals = {name: X[name] for name in X if name != "eda" or changed != "eda left out"}
    if "eda" in signals:
        signals["eda"] = X["eda"][:, :1]
    with pytest.raises(ValueError, match="those of fit, .*'eda': 2.* got "):
        transformer.transform(signals)


@pytest.mark.parametrize(
    "transformer, name, rule",
    [
        (HandcraftedFeatures({"bvp": 64}), "eda", "sampling_rate must name .*eda, got bvp"),
        (HandcraftedFeatures({"bvp": 64}), None, r"sampling_rate must name .*SignalDict\(bvp=X\)"),
        (HandcraftedFeatures(4), "bvp", "'bvp' .* 32 Hz, got 4 Hz.*specific"),
        (HandcraftedFeatures(4), "ecg", "'ecg' .* 64 Hz, got 4 Hz"),
        (HandcraftedFeatures(4, specific="bvp"), "eda", "specific must be a tuple"),
        (HandcraftedFeatures(4, specific=("emg",)), "eda", "specific must be .* got .*'emg'"),
        (HandcraftedFeatures(4, min_scr_amplitude=0), "eda", "min_scr_amplitude .* got 0"),
        (HandcraftedFeatures(0), "eda", r"sampling_rate\['eda'\] must be positive"),
        (HandcraftedFeatures(128, statistics=False), None, r"got signal .*SignalDict\("),
    ],
)
def test_parameters_that_do_not_fit_are_an_error(transformer, name, rule, X):
    with pytest.raises((TypeError, ValueError), match=rule):
        transformer.fit(X["eda"] if name is None else {name: X["eda"]})


def test_nan_is_refused_and_its_modality_named(X):
    eda = X["eda"].copy()
    eda[3, 0, 5] = np.nan
    with pytest.raises(ValueError, match="Modality 'eda'.*NaN"):
        HandcraftedFeatures(RATES).fit(SignalDict({**X, "eda": eda}))


def test_neurokit_is_not_imported_before_it_is_needed():
    code = "import sys, physio_ssl.features; sys.exit('neurokit2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("subject", ["S05", "S20"])
def test_heart_rate_on_a_real_wrist_is_that_of_the_wristband(subject, data_folder):
    folder = data_folder / "StressPredict" / "Raw_data" / subject
    if not folder.is_dir():
        pytest.skip(f"PHYSIO_SSL_DATA holds no StressPredict/Raw_data/{subject}")
    bvp = np.loadtxt(folder / "BVP.csv", skiprows=2)
    windows = bvp[: len(bvp) // 3840 * 3840].reshape(-1, 3840)
    features = HandcraftedFeatures({"bvp": 64}).fit_transform({"bvp": windows})
    of_the_wristband = np.loadtxt(folder / "HR.csv", skiprows=2)
    assert np.nanmedian(features[:, 8]) == pytest.approx(np.median(of_the_wristband), abs=4)


def heart_of(ecg, rate=128):
    """Return heart rate, variability and rhythm of one window of an ECG, by name."""
    transformer = HandcraftedFeatures({"ecg": rate}, statistics=False)
    features = transformer.fit_transform({"ecg": ecg[np.newaxis]})[0]
    return dict(zip(HEART_NAMES + RHYTHM_NAMES, features, strict=True))


@pytest.mark.parametrize("rate", [64, 128, 500])
@pytest.mark.parametrize("bpm", [40, 72, 110, 190])
def test_heart_rate_is_that_of_the_ecg(bpm, rate, draw_ecg):
    ecg = draw_ecg(np.arange(0.5, 9.9, 60 / bpm), rate)
    assert heart_of(ecg, rate)["heart_rate"] == pytest.approx(bpm, abs=0.5)
    assert heart_of(ecg, rate)["n_beats"] == len(np.arange(0.5, 9.9, 60 / bpm))


def test_a_heart_as_fast_as_the_quality_check_lets_pass_has_a_rate(draw_ecg):
    ecg = draw_ecg(np.arange(0.5, 9.9, 60 / 213), 250)
    assert not any(rows.any() for rows in find_poor_ecg(ecg[np.newaxis], 250).values())
    assert heart_of(ecg, 250)["heart_rate"] == pytest.approx(213, abs=1)


def test_variability_of_an_ecg_is_that_of_its_beats(draw_ecg):
    beats = 0.5 + np.cumsum(np.tile([0.76, 0.84], 6))
    features = heart_of(draw_ecg(beats[beats < 9.7]))
    assert features["rmssd"] == pytest.approx(80, abs=3)
    assert features["sdnn"] == pytest.approx(41, abs=3)
    assert features["pnn50"] == 1


def test_a_regular_ecg_has_almost_no_variability(draw_ecg):
    features = heart_of(draw_ecg(np.arange(0.5, 10, 0.8)))
    assert features["rmssd"] < 2  # milliseconds, a quarter of a sample
    assert features["pnn50"] == 0


@pytest.mark.parametrize("scale, offset", [(-1, 0), (1e-4, 3), (-50, 1000)])
def test_sign_and_scale_of_a_lead_do_not_change_the_heart_rate(scale, offset, draw_ecg):
    ecg = draw_ecg(np.arange(0.5, 10, 0.83))
    changed = heart_of(scale * ecg + offset)
    assert list(changed.values()) == pytest.approx(list(heart_of(ecg).values()), abs=0.01)


def test_t_waves_and_wandering_are_no_beats(draw_ecg):
    ecg = draw_ecg(np.arange(0.5, 10, 0.9)) + 2 * draw_ecg(np.arange(0.5, 10, 0.9), noise=0).clip(
        0, 0.3
    )
    wander = 3 * np.sin(np.arange(1280) / 128)
    assert heart_of(ecg + wander)["n_beats"] == 11


def test_an_artefact_does_not_hide_the_beats_of_an_ecg(draw_ecg):
    ecg = draw_ecg(np.arange(0.5, 10, 0.8))
    ecg[700:703] += 30
    assert heart_of(ecg)["heart_rate"] == pytest.approx(75, abs=1)


@pytest.mark.parametrize("n_times", [1, 2, 30, 1280])
def test_an_ecg_without_beats_has_no_heart_rate(n_times):
    features = heart_of(np.full(n_times, 0.1))
    assert features["n_beats"] == 0
    assert np.isnan([value for name, value in features.items() if name != "n_beats"]).all()


def test_a_regular_rhythm_is_neither_irregular_nor_surprising(draw_ecg):
    features = heart_of(draw_ecg(np.arange(0.5, 10, 0.8)))
    assert features["pnn50_all"] == 0
    assert features["irregularity"] < 0.005
    # 11 intervals: 45 pairs of the first ten are alike, and so are their next ones
    assert features["sample_entropy"] == pytest.approx(np.log(47 / 46))


def test_intervals_that_variability_leaves_out_count_for_the_rhythm(draw_ecg):
    beats = 0.5 + np.cumsum([0, 0.8, 0.8, 0.45, 1.15, 0.8, 0.8, 0.45, 1.15, 0.8, 0.8])
    features = heart_of(draw_ecg(beats))
    assert features["pnn50"] == 0  # as if no beat had come early
    assert features["pnn50_all"] == pytest.approx(6 / 9)
    assert features["irregularity"] == pytest.approx(0.35 / 0.8, abs=0.01)


def test_entropy_of_the_rhythm_is_that_of_a_naive_count(draw_ecg):
    intervals = np.random.default_rng(1).uniform(0.5, 1.1, size=11)
    n_alike = n_still_alike = 0
    for i in range(10):
        for j in range(i):
            near = np.abs(intervals[[i, i + 1]] - intervals[[j, j + 1]]) <= 0.1 * np.median(
                intervals
            )
            n_alike += near[0]
            n_still_alike += near.all()
    features = heart_of(draw_ecg(0.5 + np.cumsum([0, *intervals])))
    assert n_still_alike < n_alike
    assert features["sample_entropy"] == pytest.approx(-np.log((n_still_alike + 1) / (n_alike + 2)))


@pytest.mark.parametrize("n_beats, entropy", [(2, np.nan), (3, np.log(2))])
def test_the_rhythm_needs_three_beats(n_beats, entropy, draw_ecg):
    features = heart_of(draw_ecg(np.array([0.5, 1.3, 2.4])[:n_beats], duration=n_beats))
    assert features["n_beats"] == n_beats
    assert features["sample_entropy"] == pytest.approx(entropy, nan_ok=True)
    assert np.isnan(features["irregularity"]) == (n_beats == 2)


def test_a_pulse_has_no_rhythm_features():
    features = features_of(bvp=pulse_train(np.arange(0.5, 60, 0.8)))
    assert not {f"bvp_{name}" for name in RHYTHM_NAMES} & set(features)


def test_beats_of_an_ecg_are_those_of_neurokit(draw_ecg):
    import neurokit2 as nk

    beats = np.cumsum(np.random.default_rng(0).uniform(0.7, 1.0, size=11))
    ecg = draw_ecg(beats, noise=0.05)
    clean = nk.ecg_clean(ecg, sampling_rate=128)
    peaks = nk.ecg_findpeaks(clean, sampling_rate=128)["ECG_R_Peaks"]
    assert heart_of(ecg)["n_beats"] == len(peaks)
    rate = 60 / np.median(np.diff(peaks) / 128)
    assert heart_of(ecg)["heart_rate"] == pytest.approx(rate, abs=1)


def test_an_ecg_alone_has_the_same_features_as_in_a_batch(draw_ecg):
    ecg = np.stack([draw_ecg(np.arange(0.5, 10, s)) for s in np.linspace(0.4, 1.5, 300)])
    transformer = HandcraftedFeatures({"ecg": 128}).fit({"ecg": ecg})
    alone = np.concatenate([transformer.transform({"ecg": window[np.newaxis]}) for window in ecg])
    np.testing.assert_array_equal(alone, transformer.transform({"ecg": ecg}))


def test_heart_rate_comes_with_or_without_the_statistics(draw_ecg):
    ecg = {"ecg": np.stack([draw_ecg(np.arange(0.5, 10, 0.8))] * 2, axis=0)}
    full, bare = (HandcraftedFeatures(128, statistics=s).fit(ecg) for s in (True, False))
    assert full.transform(ecg).shape == (2, 16)
    assert list(bare.get_feature_names_out()) == [
        f"ecg_{name}" for name in HEART_NAMES + RHYTHM_NAMES
    ]
    np.testing.assert_array_equal(bare.transform(ecg), full.transform(ecg)[:, 8:])


def test_modalities_without_own_features_give_none_without_statistics(X):
    transformer = HandcraftedFeatures(RATES, statistics=False).fit(X)
    assert len(transformer.get_feature_names_out()) == 5 + 2 * 5
    expected = HandcraftedFeatures({"bvp": 64}).fit_transform({"bvp": X["bvp"]})[:, 8:]
    np.testing.assert_array_equal(transformer.transform(X)[:, :5], expected)


def test_heart_rate_separates_mental_arithmetic_from_rest(eegmat_files):
    rates = {}
    for name, signal in eegmat_files.items():
        windows = signal[: len(signal) // 5000 * 5000].reshape(-1, 5000)
        features = HandcraftedFeatures({"ecg": 500}, statistics=False)
        rates[name] = np.median(features.fit_transform({"ecg": windows})[:, 0])
    assert rates["Subject00_1"] == pytest.approx(75.8, abs=2)
    assert rates["Subject00_2"] == pytest.approx(100.3, abs=2)
    assert rates["Subject10_1"] == pytest.approx(56.8, abs=2)
    without = {"02", "13", "20"}  # a heartbeat in both files
    subjects = sorted({name[7:9] for name in rates} - without)
    assert np.mean([rates[f"Subject{s}_2"] > rates[f"Subject{s}_1"] for s in subjects]) > 0.9


def test_channel_statistics_agree_with_numpy(X):
    statistics = ChannelStatistics().set_output(transform="pandas")
    features = statistics.fit_transform({"eda": X["eda"]})
    second = X["eda"][:, 1]
    np.testing.assert_allclose(features["eda_1_mean"], second.mean(axis=-1))
    np.testing.assert_allclose(features["eda_1_std"], second.std(axis=-1))
    for name, quantile in (("quantile_10", 0.1), ("median", 0.5), ("quantile_90", 0.9)):
        np.testing.assert_array_equal(
            features[f"eda_1_{name}"], np.quantile(second, quantile, axis=-1)
        )


@pytest.mark.parametrize("n_times", [60, 240])
def test_slope_of_a_channel_is_per_window_at_any_rate(n_times):
    ramp = 30 + 2 * np.arange(n_times)[np.newaxis] / n_times
    assert ChannelStatistics().fit_transform(ramp)[0, 2] == pytest.approx(2)


def test_statistics_of_parts_are_those_of_the_cut_windows():
    X = np.random.default_rng(0).normal(size=(3, 2, 50))
    statistics = ChannelStatistics(n_parts=3).set_output(transform="pandas")
    table = statistics.fit_transform(X)
    assert table.shape == (3, 2 * 4 * 6)
    whole = ChannelStatistics().set_output(transform="pandas")
    cuts = {"": X, "part1_": X[..., :17], "part2_": X[..., 17:34], "part3_": X[..., 34:]}
    for part, cut in cuts.items():
        expected = whole.fit_transform(cut)
        names = [f"signal_{c}_{part}{name}" for c in (0, 1) for name in ("mean", "slope", "median")]
        found = table[names].to_numpy()
        same = expected[[name.replace(part, "") for name in names]].to_numpy()
        np.testing.assert_allclose(found, same)
    with pytest.raises(ValueError, match="at most the 50 samples of a window of 'signal', got 51"):
        ChannelStatistics(n_parts=51).fit(X)


def test_a_constant_channel_has_no_spread_and_no_slope():
    features = ChannelStatistics().fit_transform(np.full((1, 1, 240), 32.1))
    assert features[0].tolist() == [32.1, 0, 0, 32.1, 32.1, 32.1]


def test_channel_statistics_are_exact_in_every_batch_and_layout(X):
    X = SignalDict({name: np.tile(signal, (30, 1, 1)) for name, signal in X.items()})
    statistics = ChannelStatistics().fit(X)
    features = statistics.transform(X)
    assert features.shape == (360, 4 * 6)
    alone = np.concatenate([statistics.transform(X[i : i + 1]) for i in range(12)])
    np.testing.assert_array_equal(features, np.tile(alone, (30, 1)))
    turned = {name: np.asfortranarray(X[name]) for name in reversed(list(X))}
    np.testing.assert_array_equal(statistics.transform(turned), features)


def test_channel_statistics_refuse_other_channels_than_in_fit(X):
    with pytest.raises(ValueError, match="those of fit, .*'eda': 2.* got .*'eda': 1"):
        ChannelStatistics().fit(X).transform({**X, "eda": X["eda"][:, :1]})


@pytest.mark.parametrize("transformer", [HandcraftedFeatures(64), ChannelStatistics()])
def test_features_of_windows_need_no_fit(transformer):
    bvp = np.random.default_rng(0).normal(size=(3, 1, 640))
    expected = clone(transformer).fit(bvp).transform(bvp)
    np.testing.assert_array_equal(transformer.transform(bvp), expected)
    assert not hasattr(transformer, "n_channels_")
