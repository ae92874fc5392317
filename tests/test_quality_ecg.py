"""The ECG gate: which windows are poor, why, and what is dropped."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat

from physio_ssl import Recording, SignalDict, StageLabels, make_windows
from physio_ssl.datasets import load_eegmat
from physio_ssl.preprocessing import ecg_preprocessor
from physio_ssl.quality import drop_poor_ecg, find_poor_ecg
from physio_ssl.quality.ecg import _likeness

REGULAR = np.arange(0.3, 10, 0.8)


def reasons_for(window, sampling_rate=128, **thresholds):
    found = find_poor_ecg(np.asarray(window)[np.newaxis], sampling_rate, **thresholds)
    return [reason for reason, rows in found.items() if rows[0]]


def cut(signal, n_times):
    """Cut a signal into windows without overlap."""
    return signal[: len(signal) // n_times * n_times].reshape(-1, n_times)


@pytest.mark.parametrize("rate", [64, 100, 128, 250, 500])
@pytest.mark.parametrize("bpm", [32, 45, 75, 120, 180, 215])
def test_a_regular_heartbeat_is_kept(bpm, rate, draw_ecg):
    assert reasons_for(draw_ecg(np.arange(0.2, 10, 60 / bpm), rate), rate) == []


def test_neither_sign_nor_unit_nor_offset_nor_wandering_baseline_matters(draw_ecg):
    for scale in (-1, 1e-6, -1e6):
        assert reasons_for(scale * draw_ecg(REGULAR)) == []
    wander = 3 * np.sin(2 * np.pi * 0.2 * np.arange(1280) / 128)
    assert reasons_for(1000 + wander + draw_ecg(REGULAR)) == []


def test_irregular_beats_as_in_atrial_fibrillation_are_kept(draw_ecg):
    rng = np.random.default_rng(0)
    for seed in range(20):
        beats = np.cumsum(rng.uniform(0.35, 1.2, size=40))
        assert reasons_for(draw_ecg(beats[beats < 10], noise=0.05, seed=seed)) == []


def test_extra_beats_of_another_shape_are_kept(draw_ecg):
    usual, extra = np.arange(0.5, 10, 0.8), np.arange(2.5, 10, 3.2) + 0.1
    wide = np.exp(-0.5 * ((np.arange(1280) / 128 - extra[:, np.newaxis]) / 0.04) ** 2)
    assert reasons_for(draw_ecg(usual) - 1.5 * wide.sum(axis=0)) == []


def test_one_artefact_does_not_hide_the_beats(draw_ecg):
    ecg = draw_ecg(REGULAR)
    ecg[600:604] += 50
    assert reasons_for(ecg) == []


def test_noise_has_no_heartbeat():
    noise = np.random.default_rng(0).normal(size=(200, 1, 1280))
    found = find_poor_ecg(noise, 128)
    assert found["no heartbeat"].mean() > 0.95
    assert not found["flat line"].any()


@pytest.mark.parametrize("bpm", [20, 280])
def test_beats_at_an_implausible_rate_are_no_heartbeat(bpm, draw_ecg):
    ecg = draw_ecg(np.arange(0.2, 10, 60 / bpm), 250)
    assert reasons_for(ecg, 250) == ["no heartbeat"]


def test_the_plausible_rates_can_be_changed(draw_ecg):
    ecg = draw_ecg(np.arange(0.2, 10, 60 / 180))
    assert reasons_for(ecg, heart_rate=(30, 150)) == ["no heartbeat"]
    assert reasons_for(ecg, heart_rate=(30, 190)) == []


@pytest.mark.parametrize("pause, expected", [(3.5, []), (4.8, ["no heartbeat"])])
def test_a_pause_of_two_of_the_longest_intervals_is_allowed(pause, expected, draw_ecg):
    beats = np.concatenate([np.arange(0.3, 3, 0.8), np.arange(2.7 + pause, 10, 0.8)])
    assert reasons_for(draw_ecg(beats)) == expected


def test_a_constant_window_is_flat_and_has_no_heartbeat():
    assert {"flat line", "no heartbeat"} <= set(reasons_for(np.full(1280, 0.1)))


@pytest.mark.parametrize("n_equal, expected", [(64, []), (65, ["flat line"])])
def test_a_flat_line_is_a_run_of_equal_samples(n_equal, expected, draw_ecg):
    ecg = draw_ecg(REGULAR)
    ecg[520 : 520 + n_equal] = ecg[520]
    assert reasons_for(ecg, max_flat=0.5) == expected
    assert reasons_for(ecg, max_flat=1.0) == []


@pytest.mark.parametrize("level, expected", [(0.98, []), (0.5, ["clipping"])])
def test_clipping_is_a_fraction_of_plateaus_at_the_end_of_the_range(level, expected, draw_ecg):
    ecg = draw_ecg(REGULAR, 500)
    for sign in (1, -1):
        assert reasons_for(np.minimum(ecg, level) * sign, 500) == expected
    assert reasons_for(np.minimum(ecg, level), 500, max_clipped=0.2) == []


def test_a_coarse_resolution_is_not_clipping(draw_ecg):
    assert reasons_for(np.round(draw_ecg(REGULAR, 500), 1), 500) == []


def test_a_window_with_one_poor_channel_is_poor(draw_ecg):
    X = np.stack([draw_ecg(REGULAR)] * 2)[np.newaxis].repeat(3, axis=0)
    X[1, 0] = 0
    assert_array_equal(find_poor_ecg(X, 128)["flat line"], [False, True, False])


def test_many_windows_are_judged_as_one_alone(draw_ecg):
    good, noise = draw_ecg(REGULAR), np.random.default_rng(0).normal(size=1280)
    X = np.stack([good, noise, np.zeros(1280)] * 100)
    found = find_poor_ecg(X, 128)
    assert_array_equal(found["no heartbeat"], [False, True, True] * 100)
    assert_array_equal(found["flat line"], [False, False, True] * 100)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"sampling_rate": 50}, "64 Hz, got 50"),
        ({"sampling_rate": 640}, "4 s, got 2 s"),
        ({"max_flat": 0}, "max_flat .* got 0"),
        ({"max_clipped": 2}, "max_clipped .* got 2"),
        ({"heart_rate": (100, 30)}, r"heart_rate .* got \(100, 30\)"),
        ({"heart_rate": 60}, "heart_rate .* got 60"),
        ({"min_similarity": 7}, "min_similarity .* got 7"),
        ({"X": np.full((2, 1, 1280), np.nan)}, "NaN"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises((TypeError, ValueError), match=match):
        find_poor_ecg(**{"X": np.zeros((1, 1280)), "sampling_rate": 128, **arguments})


@pytest.fixture
def recordings(draw_ecg):
    """Two recordings of a minute at 250 Hz; the first one loses its electrode for 10 s."""
    beats = np.arange(0.3, 60, 0.8)
    first, second = draw_ecg(beats, 250, 60), draw_ecg(beats, 250, 60, seed=1)
    first[7500:10_000] = 0.01
    return [
        Recording({"ecg": first}, {"ecg": 250}, "S1"),
        Recording({"ecg": second}, {"ecg": 250}, "S2"),
    ]


def test_poor_windows_of_filtered_recordings_are_found_in_the_raw_ones(recordings):
    windows = ecg_preprocessor().make_windows(recordings)
    left = drop_poor_ecg(windows, recordings)
    assert_array_equal(left.onset, [0, 10, 20, 40, 50, 0, 10, 20, 30, 40, 50])
    assert_array_equal(left.groups, ["S1"] * 5 + ["S2"] * 6)
    keep = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert_array_equal(left.X["ecg"], windows.X["ecg"][keep])
    assert left.sampling_rate == {"ecg": 128}
    assert len(windows) == 12


def test_a_window_is_counted_once_and_added_to_those_before(draw_ecg):
    stages = {"onset": [0], "duration": [40], "description": ["rest"]}
    ecg = draw_ecg(np.arange(0.3, 60, 0.8), 250, 60)
    ecg[:2500] = 0
    ecg[5000:7500] = np.random.default_rng(0).normal(size=2500)
    recording = Recording({"ecg": ecg}, {"ecg": 250}, "S1", stages)
    left = drop_poor_ecg(make_windows(recording, 10, labels=StageLabels({"rest": 0})), recording)
    assert_array_equal(left.onset, [10, 30])
    assert_array_equal(left.y, [0, 0])
    assert left.dropped == {"unlabelled": 2, "flat line": 1, "no heartbeat": 1}


def test_windows_may_hold_other_modalities_too(recordings):
    both = [
        Recording(
            {"ecg": r.signals["ecg"], "resp": np.ones(1500)}, {"ecg": 250, "resp": 25}, r.subject
        )
        for r in recordings
    ]
    left = drop_poor_ecg(make_windows(both, 10), both)
    assert left.X["resp"].shape == (11, 1, 250)


def test_samples_missing_in_the_raw_recording_are_a_reason(recordings):
    windows = make_windows(recordings[1], 10)
    gappy = recordings[1].signals["ecg"].copy()
    gappy[0, 0, 100] = np.nan
    left = drop_poor_ecg(windows, Recording({"ecg": gappy}, {"ecg": 250}, "S2"))
    assert left.dropped == {"non-finite": 1}


def test_a_window_that_resampling_completed_is_judged_too(draw_ecg):
    ecg = draw_ecg(np.arange(0.3, 20, 0.8), 300, 20)[:-1]  # 2560 samples at 128 Hz
    recording = Recording({"ecg": ecg}, {"ecg": 300}, "S1")
    windows = ecg_preprocessor().make_windows(recording)
    assert len(windows) == len(drop_poor_ecg(windows, recording)) == 2


def test_thresholds_are_passed_on(recordings):
    windows = make_windows(recordings[0], 8)  # one is flat, and another for 2 s
    assert drop_poor_ecg(windows, recordings[0]).dropped == {"flat line": 2}
    assert drop_poor_ecg(windows, recordings[0], max_flat=5).dropped == {"flat line": 1}


@pytest.mark.parametrize(
    "change, rule",
    [
        (lambda recordings: recordings[::-1], "recording 0 of 'S1' is 'S2'"),
        (lambda recordings: recordings[:1], "recording 1 of 'S2' is 'missing'"),
        (
            lambda recordings: [shorten(recordings[0], 30), recordings[1]],
            "lasts 30 s, .* 60 s",
        ),
        (lambda recordings: [without_ecg(one) for one in recordings], "modality 'ecg', got bvp"),
    ],
)
def test_other_recordings_than_those_of_the_windows_are_refused(change, rule, recordings):
    with pytest.raises(ValueError, match=rule):
        drop_poor_ecg(make_windows(recordings, 10), change(recordings))


def shorten(recording, duration):
    return Recording({"ecg": recording.signals["ecg"][..., : 250 * duration]}, {"ecg": 250}, "S1")


def without_ecg(recording):
    return Recording({"bvp": recording.signals["ecg"]}, {"bvp": 250}, recording.subject)


@pytest.fixture
def two_of_one_subject(recordings):
    """One recording with a heartbeat and one of noise, of one subject and as long."""
    noise = np.random.default_rng(1).normal(size=15_000)
    return [
        Recording({"ecg": x}, {"ecg": 250}, "S1") for x in (recordings[1].signals["ecg"], noise)
    ]


@pytest.mark.parametrize("transform", [list, ecg_preprocessor().transform])
def test_recordings_of_one_subject_in_another_order_are_refused(transform, two_of_one_subject):
    windows = make_windows(transform(two_of_one_subject), 10)
    left = drop_poor_ecg(windows, two_of_one_subject)
    assert_array_equal(left.recording, [0] * 6)
    with pytest.raises(ValueError, match=r"differs from that of recording 0, .* 0\."):
        drop_poor_ecg(windows, two_of_one_subject[::-1])
    last = windows.select(windows.recording == 1)
    with pytest.raises(ValueError, match="differs from that of recording 1"):
        drop_poor_ecg(last, two_of_one_subject[::-1])


def test_neither_sign_nor_scale_nor_flat_windows_hide_what_was_recorded(recordings):
    flat_first = recordings[0].signals["ecg"].copy()
    flat_first[..., :5000] = 0
    recording = Recording({"ecg": flat_first}, {"ecg": 250}, "S1")
    windows = ecg_preprocessor().make_windows(recording)
    ecg = windows.X["ecg"]
    scaled = -(ecg - ecg.mean(axis=-1, keepdims=True)) / ecg.std(axis=-1, keepdims=True)
    scaled = replace(windows, X=SignalDict(ecg=scaled))
    assert len(drop_poor_ecg(scaled, recording)) == 3
    with pytest.raises(ValueError, match="differs from that of recording 0"):
        shifted = Recording({"ecg": np.roll(flat_first, 80)}, {"ecg": 250}, "S1")
        drop_poor_ecg(scaled, shifted)


def test_some_artefacts_cut_off_do_not_make_another_ecg(recordings):
    ecg = recordings[1].signals["ecg"].copy()
    ecg[..., 1000:1100] += 50 * np.random.default_rng(0).normal(size=100)
    recording = Recording({"ecg": ecg}, {"ecg": 250}, "S2")
    clipped = Recording({"ecg": ecg.clip(-0.1, 0.1)}, {"ecg": 250}, "S2")
    assert len(drop_poor_ecg(make_windows(clipped, 10), recording)) >= 5


@pytest.mark.parametrize(
    "rate, n_channels, name", [(50, 1, "ecg"), (250, 2, "ecg"), (250, 1, "resp")]
)
def test_windows_that_cannot_be_compared_are_trusted(rate, n_channels, name, recordings):
    signal = np.random.default_rng(0).normal(size=(n_channels, 60 * rate))
    windows = make_windows(Recording({name: signal}, {name: rate}, "S2"), 10)
    assert len(drop_poor_ecg(windows, recordings[1])) == 6


def test_real_recordings_are_those_of_their_windows(data_folder):
    recordings = load_eegmat(data_folder / "eegmat_ecg")
    windows = ecg_preprocessor().make_windows(recordings)
    for source, recording in enumerate(recordings):
        rows = np.flatnonzero(windows.recording == source)
        for row in rows[::6]:
            assert _likeness(windows, [row], windows.onset, recording) > 0.99
        assert _likeness(windows, rows, windows.onset, recordings[source - 1]) < 0.4


def test_arrays_in_place_of_windows_are_refused(recordings):
    with pytest.raises(TypeError, match="must be Windows, got SignalDict"):
        drop_poor_ecg(make_windows(recordings, 10).X, recordings)


def test_windows_of_unknown_origin_are_refused(recordings):
    windows = make_windows(recordings, 10)
    unknown = replace(windows, info=windows.info.drop(columns="recording"))
    with pytest.raises(ValueError, match="recording and onset, got .*subject"):
        drop_poor_ecg(unknown, recordings)


def test_features_of_windows_are_dropped_with_them(recordings):
    windows = make_windows(recordings, 10)
    features = replace(windows, X=np.arange(12)[:, np.newaxis], sampling_rate=None)
    assert_array_equal(drop_poor_ecg(features, recordings).X[:, 0], np.delete(np.arange(12), 3))


def test_an_error_says_when_no_window_is_left():
    recording = Recording({"ecg": np.zeros(3000)}, {"ecg": 100}, "S1")
    with pytest.raises(ValueError, match="{'flat line': 3}"):
        drop_poor_ecg(make_windows(recording, 10), recording)


def test_real_files_without_heartbeat_lose_all_windows_and_others_none(eegmat_files):
    lost = {
        name: np.any(list(find_poor_ecg(cut(signal, 5000), 500).values()), axis=0).mean()
        for name, signal in eegmat_files.items()
    }
    without = {"Subject02_1", "Subject13_1", "Subject20_2"}
    assert min(lost[name] for name in without) > 0.9
    good = [fraction for name, fraction in lost.items() if name not in without]
    assert np.mean(good) < 0.01 and max(good) < 0.1


def test_noisy_real_recordings_are_dropped_and_fibrillation_is_kept(data_folder):
    file = data_folder / "cinc2017" / "training2017.zip"
    if not file.is_file():
        pytest.skip("PHYSIO_SSL_DATA holds no cinc2017/training2017.zip")
    windows = {label: [] for label in "NA~"}
    with zipfile.ZipFile(file) as archive:
        there = set(archive.namelist())
        reference = archive.read("training2017/REFERENCE-v3.csv").decode().split()
        for name, label in (line.split(",") for line in reference):
            entry = f"training2017/{name}.mat"
            if entry in there and len(windows.get(label, range(60))) < 60:
                signal = loadmat(io.BytesIO(archive.read(entry)))["val"][0]
                windows[label].append(cut(signal, 3000))
    fraction = {}
    for label, some in windows.items():
        found = find_poor_ecg(np.concatenate(some), 300)
        fraction[label] = np.any(list(found.values()), axis=0).mean()
    assert fraction["~"] > 0.25
    assert fraction["N"] < 0.03
    assert fraction["A"] < 0.03
