"""The quality of a pulse wave, of skin conductance and of wear, and what is done about it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import Recording, Windows, load_encoder, make_windows
from physio_ssl.datasets import load_empatica, simulate_wristband
from physio_ssl.preprocessing import wristband_preprocessor
from physio_ssl.quality import (
    add_quality,
    drop_poor,
    find_poor_eda,
    find_poor_ppg,
    measure_quality,
)


def draw_pulse(bpm=72, sampling_rate=64, duration=10, noise=0.02, beats=None):
    """Draw a pulse wave with a dicrotic one behind each beat."""
    times = np.arange(0, duration, 1 / sampling_rate)
    beats = np.arange(0.3, duration, 60 / bpm) if beats is None else beats
    lag = times - beats[:, np.newaxis]
    wave = np.exp(-0.5 * (lag / 0.1) ** 2) + 0.3 * np.exp(-0.5 * ((lag - 0.3) / 0.1) ** 2)
    return wave.sum(axis=0) + np.random.default_rng(0).normal(scale=noise, size=len(times))


def reasons_for(window, sampling_rate=64, **thresholds):
    found = find_poor_ppg(np.asarray(window)[np.newaxis], sampling_rate, **thresholds)
    return [reason for reason, rows in found.items() if rows[0]]


def wear(minutes=4, **changes):
    """Return a recording as of a worn wristband, with some of its signals replaced."""
    n = 60 * minutes
    signals = {
        "bvp": draw_pulse(duration=n),
        "eda": 0.5 + 0.1 * np.sin(np.arange(4 * n) / 40),
        "temp": np.full(4 * n, 33.0),
    }
    signals = {name: x for name, x in {**signals, **changes}.items() if x is not None}
    rates = {"bvp": 64, "eda": 4, "temp": 4}
    return Recording(signals, {name: rates[name] for name in signals}, "P1")


NOISE = np.random.default_rng(1).normal(size=240 * 64)
COLD, DRY = np.full(960, 23.0), np.full(960, 0.01)


@pytest.mark.parametrize("rate", [16, 25, 64, 128])
@pytest.mark.parametrize("bpm", [48, 72, 110, 160])
def test_a_regular_pulse_is_kept(bpm, rate):
    assert reasons_for(draw_pulse(bpm, rate), rate) == []


def test_neither_unit_nor_offset_of_a_pulse_matters():
    for scale in (1e-6, 1e6):
        assert reasons_for(scale * (7 + draw_pulse())) == []


def test_noise_has_no_pulse():
    found = find_poor_ppg(np.random.default_rng(0).normal(size=(200, 640)), 64)
    for reason in ("implausible rhythm", "unlike beats", "impure spectrum"):
        assert found[reason].mean() > 0.9
    assert not found["flat line"].any()


GAP = draw_pulse(beats=np.concatenate([np.arange(0.3, 4, 0.7), np.arange(7.2, 10, 0.7)]))
EXTRA_BEAT = draw_pulse(beats=np.sort(np.append(np.arange(0.3, 10, 1.0), 4.7)))
SLOW = np.sin(2 * np.pi * 0.62 * np.arange(640) / 64)  # 37 per minute


@pytest.mark.parametrize("pulse", [GAP, EXTRA_BEAT, SLOW])
def test_each_rule_on_the_rhythm_can_fail(pulse):
    assert "implausible rhythm" in reasons_for(pulse)


def test_beats_that_differ_from_their_template_are_unlike():
    wave = draw_pulse()
    changing = wave * np.sign(np.sin(np.arange(640) / 20)) + np.roll(wave, 20)
    assert "unlike beats" in reasons_for(changing)
    assert "unlike beats" not in reasons_for(changing, min_similarity=-1)


def test_a_pulse_beside_as_much_other_power_has_an_impure_spectrum():
    times = np.arange(640) / 64
    pulse, other = np.sin(2 * np.pi * 1.2 * times), np.sin(2 * np.pi * 5.0 * times)
    assert "impure spectrum" not in reasons_for(pulse + 0.8 * other)
    assert "impure spectrum" in reasons_for(0.8 * pulse + other)


def test_a_flat_stretch_of_a_pulse_is_found():
    pulse = draw_pulse()
    pulse[100:170] = pulse[100]
    assert "flat line" in reasons_for(pulse)
    assert "flat line" not in reasons_for(pulse, max_flat=2)
    assert {"flat line", "impure spectrum"} <= set(reasons_for(np.ones(640)))


@pytest.mark.parametrize(
    "kwargs, rule",
    [
        ({"sampling_rate": 4}, "sampling_rate .*16 Hz"),
        ({"X": np.ones((1, 64))}, "last 6 s"),
        ({"min_purity": 2}, "min_purity"),
        ({"max_flat": 0}, "max_flat"),
    ],
)
def test_a_pulse_that_cannot_be_judged_is_an_error(kwargs, rule):
    with pytest.raises(ValueError, match=rule):
        find_poor_ppg(**{"X": np.ones((1, 640)), "sampling_rate": 64, **kwargs})


@pytest.mark.parametrize(
    "value, poor", [(0.049, True), (0.051, False), (59.9, False), (60.1, True)]
)
def test_skin_conductance_has_a_range(value, poor):
    found = find_poor_eda(np.full((1, 40), value), 4)
    assert found["out of range"].all() == poor
    assert not found["too steep"].any()


@pytest.mark.parametrize("rate", [4, 32])
@pytest.mark.parametrize("sign", [-1, 1])
def test_skin_conductance_changes_by_at_most_10_microsiemens_per_second(rate, sign):
    for slope, poor in ((9.9, False), (10.1, True)):
        eda = 20.0 + np.zeros(20 * rate)
        eda[10 * rate :] += sign * slope / rate
        found = find_poor_eda(eda[np.newaxis], rate)["too steep"]
        assert found.any() == poor
        assert found.sum() == poor


def test_what_is_within_5_s_of_a_poor_sample_is_poor_too():
    eda = np.ones((1, 200))
    eda[0, 100] = 0
    poor = np.any(list(find_poor_eda(eda, 4).values()), axis=0)[0]
    assert np.flatnonzero(poor)[[0, -1]].tolist() == [80, 120]
    assert poor.sum() == 41
    assert find_poor_eda(eda, 4, reach=0)["near"].sum() == 0


@pytest.mark.parametrize("temp, poor", [(29.9, True), (30.1, False), (39.9, False), (40.1, True)])
def test_skin_conductance_without_warm_skin_is_not_worn(temp, poor):
    eda = np.ones((1, 40))
    assert find_poor_eda(eda, 4, temp=np.full((1, 40), temp))["not worn"].all() == poor


def test_gaps_of_skin_conductance_break_no_rule():
    eda = np.ones((1, 40))
    eda[0, 10:20] = np.nan
    assert not np.any(list(find_poor_eda(eda, 4, temp=30 * eda).values()))


def test_all_of_a_worn_wristband_is_good():
    assert (measure_quality(wear()) == 1).all(axis=None)


@pytest.mark.parametrize(
    "changes, worn",
    [
        ({"temp": COLD}, 1),  # cold skin
        ({"eda": DRY}, 1),  # dry electrodes
        ({"bvp": NOISE}, 1),  # movement
        ({"temp": COLD, "eda": DRY}, 0),
        ({"temp": COLD, "bvp": NOISE}, 0),
        ({"eda": DRY, "bvp": np.zeros(240 * 64)}, 0),
        ({"bvp": None, "temp": COLD}, 1),
        ({"bvp": None, "temp": COLD, "eda": DRY}, 0),
        ({"bvp": None, "eda": None, "temp": COLD}, 0),
    ],
)
def test_a_wristband_is_off_where_most_signs_of_skin_are_missing(changes, worn):
    assert measure_quality(wear(**changes))["wear"].mean() == worn


def test_a_moment_off_the_wrist_is_found_where_it_is():
    temp, eda = np.full(960, 33.0), np.full(960, 0.5)
    temp[400:600], eda[400:600] = 23, 0
    off = measure_quality(wear(temp=temp, eda=eda))["wear"] == 0
    assert off.index[off].tolist() == list(range(100, 150))


def test_a_pulse_without_other_sensors_says_nothing_of_wear():
    assert list(measure_quality(wear(eda=None, temp=None))) == ["bvp"]


def test_gaps_are_of_quality_0_and_unknown_wear_only_if_all_sensors_have_them():
    signals = {name: x.copy() for name, x in wear().signals.items()}
    signals["eda"][..., 400:480] = np.nan
    quality = measure_quality(wear(**signals))
    assert quality["eda"].index[quality["eda"] == 0].tolist() == list(range(100, 120))
    assert (quality["wear"] == 1).all()
    signals["temp"][..., 400:480] = signals["bvp"][..., 6400:7680] = np.nan
    quality = measure_quality(wear(**signals))
    assert quality.index[quality["wear"].isna()].tolist() == list(range(100, 120))
    assert (quality.loc[100:119, ["bvp", "eda", "temp"]] == 0).all(axis=None)


def test_a_pulse_of_which_only_the_rate_shows_is_half_good():
    beats = np.arange(0.3, 240, 1.0)
    pulse = draw_pulse(duration=240, beats=np.sort(np.append(beats, np.arange(4.7, 120, 10))))
    grades = measure_quality(wear(bvp=pulse))["bvp"]
    assert grades.tolist() == [0.5] * 120 + [1] * 120


def test_an_ecg_is_graded_by_its_heartbeats(draw_ecg):
    ecg = draw_ecg(np.arange(0.3, 40, 0.8), duration=40)
    ecg[20 * 128 :] = 0
    grades = measure_quality(Recording({"ecg": ecg}, {"ecg": 128}, "P1"))["ecg"]
    assert grades.tolist() == [1] * 20 + [0] * 20


@pytest.mark.parametrize("rate", [0.25, 1, 3.5])
def test_seconds_of_other_signals_are_graded_by_their_samples(rate):
    n = round(40 * rate)
    resp = np.where(np.arange(n) / rate < 20, 1.0, np.nan)
    grades = measure_quality(Recording({"resp": resp}, {"resp": rate}, "P1"))["resp"]
    assert grades.tolist() == [1] * 20 + [0] * 20


@pytest.mark.parametrize("n_times", [1, 100, 639, 641])
def test_short_and_slow_pulses_are_graded_by_their_samples(n_times):
    for rate in (64, 4):
        bvp = np.random.default_rng(0).normal(size=n_times)
        quality = measure_quality(Recording({"bvp": bvp}, {"bvp": rate}, "P1"))
        assert len(quality) == np.ceil(n_times / rate)
        if n_times < 10 * rate or rate == 4:
            assert (quality["bvp"] == 1).all()


def test_quality_of_a_window_is_the_mean_over_its_seconds():
    recording = wear(temp=np.repeat([33.0, 23.0], 480))
    windows = add_quality(make_windows(recording, 20, 5), recording)
    inside = np.clip(120 - windows.onset, 0, 20) / 20
    assert_allclose(windows.quality["temp"], inside)
    assert_allclose(windows.info["quality_temp"], inside)
    assert (windows.quality["wear"] == 1).all()


def test_windows_without_quality_have_none():
    assert make_windows(wear(), 20).quality is None


def test_quality_needs_one_argument_more_with_any_preprocessor():
    recordings = simulate_wristband(2, n_blocks=1, stage_duration=30, random_state=0)
    encoder = load_encoder("wristband-small")
    for preprocessor in (encoder.preprocessor_, wristband_preprocessor(20, scaling="past")):
        duration = preprocessor.duration
        plain = preprocessor.make_windows(recordings, step=duration)
        windows = preprocessor.make_windows(recordings, step=duration, quality=True)
        assert list(windows.quality) == ["bvp", "eda", "temp", "wear"]
        assert windows.quality.notna().all(axis=None)
        expected = add_quality(plain, recordings)
        pd.testing.assert_frame_equal(windows.info, expected.info)
        assert_array_equal(windows.X["bvp"], plain.X["bvp"])


def test_quality_is_of_the_recordings_as_read_in_any_order_of_windows():
    recordings = [wear(), wear(temp=COLD, eda=DRY)]
    windows = make_windows(recordings, 20).select(np.arange(23, -1, -1))
    quality = add_quality(windows, recordings).quality
    assert_array_equal(quality["wear"], windows.recording == 0)
    with pytest.raises(ValueError, match="those of the windows"):
        add_quality(windows, recordings[:1])


def test_modalities_that_the_windows_lack_have_no_column():
    recording = wear()
    windows = wristband_preprocessor(20, modalities=["bvp"]).make_windows(recording, quality=True)
    assert list(windows.quality) == ["bvp", "wear"]
    features = replace(make_windows(recording, 20), X=np.zeros((12, 2)), sampling_rate=None)
    assert list(add_quality(features, recording).quality) == ["bvp", "eda", "temp", "wear"]


INFO = pd.DataFrame({"subject": "P1", "quality_bvp": [0.2, 0.8, 0.9], "quality_wear": 1.0})
GRADED = Windows(np.arange(3.0)[:, np.newaxis], INFO.assign(quality_wear=[1, 0.1, np.nan]))


@pytest.mark.parametrize(
    "least, left, dropped",
    [
        ({"bvp": 0.8}, [1, 2], {"poor bvp": 1}),
        ({"wear": 0.5}, [0, 2], {"poor wear": 1}),
        (0.5, [2], {"poor bvp": 1, "poor wear": 1}),
        (0, [0, 1, 2], {}),
    ],
)
def test_poor_windows_are_dropped_and_counted(least, left, dropped):
    windows = drop_poor(GRADED, least)
    assert_array_equal(windows.X[:, 0], left)
    assert dict(windows.dropped) == dropped


@pytest.mark.parametrize(
    "windows, least, rule",
    [
        (GRADED, {"ecg": 0.5}, "least must name some of bvp, wear"),
        (GRADED, 2, "least must be from 0 to 1"),
        (GRADED, {"bvp": 0.95}, "No window is as good"),
        (replace(GRADED, info=INFO[["subject"]]), 0.5, "must have quality"),
    ],
)
def test_what_cannot_be_dropped_is_an_error(windows, least, rule):
    with pytest.raises(ValueError, match=rule):
        drop_poor(windows, least)


def test_of_two_real_sessions_the_one_of_poor_wear_is_found(data_folder):
    folder, worn = data_folder / "exam_stress" / "Data" / "S08", {}
    for name in ("Midterm 1", "Midterm 2"):
        recording = load_empatica(folder / name, subject="S08")
        worn[name] = measure_quality(recording)["wear"].mean()
    assert worn["Midterm 1"] < 0.3
    assert worn["Midterm 2"] > 0.5


def test_a_real_wristband_that_is_worn_in_a_laboratory_is_found_worn(data_folder):
    for subject in ("S2", "S14"):
        recording = load_empatica(data_folder / "WESAD" / subject / f"{subject}_E4_Data.zip")
        quality = measure_quality(recording)
        assert quality["wear"].mean() > 0.99
        assert (quality["bvp"] > 0).mean() > 0.9
