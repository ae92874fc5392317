"""make_windows: where windows start, what they are called, what is left out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import Recording, make_windows

STAGES = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}
CLASSES = {"rest": 0, "stress": 1}


def make_recording(subject="S1", duration=120, annotations=STAGES, **rates):
    rates = rates or {"bvp": 64, "eda": 4}
    signals = {name: np.arange(duration * rate) / rate for name, rate in rates.items()}
    return Recording(signals, rates, subject, annotations)


def test_each_window_holds_the_samples_from_its_onset():
    windows = make_windows(make_recording(), duration=30, step=15)
    for name, rate in windows.sampling_rate.items():
        assert windows.X[name].shape == (7, 1, 30 * rate)
        assert_allclose(windows.X[name][:, 0, 0], windows.onset)
    assert_array_equal(windows.onset, np.arange(0, 91, 15))


def test_windows_do_not_overlap_by_default():
    assert_array_equal(make_windows(make_recording(), 40).onset, [0, 40, 80])


def test_windows_copy_the_signal():
    recording = make_recording()
    make_windows(recording, 30).X["eda"][:] = 0
    assert recording.signals["eda"][0, 0, -1] > 0


def test_a_start_between_samples_takes_the_nearest():
    windows = make_windows(make_recording(eda=4), duration=30, step=0.3)
    starts = windows.X["eda"][:, 0, 0] * 4
    assert_array_equal(starts, np.floor(windows.onset * 4 + 0.5).clip(max=360))


def test_windows_end_where_the_shortest_signal_ends():
    recording = Recording(
        {"bvp": np.zeros(64 * 59), "eda": np.zeros(4 * 65)}, {"bvp": 64, "eda": 4}, "S1"
    )
    assert_array_equal(make_windows(recording, 30, 29).onset, [0, 29])


def test_a_window_across_two_stages_is_dropped_and_counted():
    windows = make_windows(make_recording(), 30, 15, label=CLASSES)
    assert_array_equal(windows.onset, [0, 15, 30, 60, 75, 90])
    assert_array_equal(windows.y, [0, 0, 0, 1, 1, 1])
    assert windows.dropped == {"unlabelled": 1}


@pytest.mark.parametrize("min_coverage, expected", [(0.75, [0, 0, 0, 0, 1, 1]), (0.9, [0, 0, 0])])
def test_the_class_that_covers_enough_of_a_window_names_it(min_coverage, expected):
    recording = make_recording(annotations={**STAGES, "duration": [60, 30]})
    windows = make_windows(recording, 40, 10, label=CLASSES, min_coverage=min_coverage)
    assert_array_equal(windows.y, expected)


def test_touching_stages_of_one_class_count_together():
    recording = make_recording()
    windows = make_windows(recording, 60, 30, label={"rest": "calm", "stress": "calm"})
    assert_array_equal(windows.y, ["calm"] * 3)


def test_stages_that_overlap_count_once():
    stages = {"onset": [0, 10], "duration": [20, 10], "description": ["rest", "rest"]}
    windows = make_recording(annotations=stages)
    with pytest.raises(ValueError, match="No window of 40 s is left"):
        make_windows(windows, 40, label={"rest": 0}, min_coverage=0.6)


def test_stages_that_are_not_asked_for_are_left_out():
    windows = make_windows(make_recording(), 30, label={"stress": 1})
    assert_array_equal(windows.y, [1, 1])


def rated(duration=100):
    time = np.arange(0, duration, 0.05)
    return make_recording(annotations={"time": time, "arousal": np.where(time < 50, 2.0, 7.0)})


def test_a_rating_is_averaged_over_the_window():
    windows = make_windows(rated(), 20, 10, label="arousal")
    assert_allclose(windows.y, [2, 2, 2, 2, 4.5, 7, 7, 7, 7], atol=0.02)


def test_bins_turn_ratings_into_classes():
    windows = make_windows(rated(), 50, label="arousal", bins=[5])
    assert_array_equal(windows.y, [0, 1])


@pytest.mark.parametrize("rating", [5.3, 0.1, np.uint8(3)])
def test_a_constant_rating_at_the_threshold_is_of_the_higher_class(rating):
    annotations = {"time": np.arange(100), "arousal": np.full(100, rating)}
    recording = make_recording(duration=100, annotations=annotations)
    windows = make_windows(recording, 10, label="arousal", bins=[rating])
    assert windows.y.tolist() == [1] * 10


def test_windows_beyond_the_ratings_are_dropped():
    windows = make_windows(rated(100), 20, label="arousal")
    assert_array_equal(windows.onset, [0, 20, 40, 60, 80])
    assert windows.dropped == {"unlabelled": 1}


def test_a_missing_rating_spoils_only_its_windows():
    time = np.arange(0, 100, 0.5)
    rating = np.where(time == 30, np.nan, 3.0)
    recording = make_recording(duration=100, annotations={"time": time, "arousal": rating})
    windows = make_windows(recording, 20, label="arousal")
    assert_array_equal(windows.onset, [0, 40, 60, 80])
    assert_allclose(windows.y, 3)


def test_subjects_become_groups():
    windows = make_windows([make_recording("S1"), make_recording("S2", 60)], 30)
    assert_array_equal(windows.groups, ["S1"] * 4 + ["S2"] * 2)
    assert_array_equal(windows.recording, [0] * 4 + [1] * 2)
    assert windows.y is None


def test_long_subject_names_are_kept():
    windows = make_windows([make_recording("S1"), make_recording("a long name")], 60)
    assert set(windows.groups) == {"S1", "a long name"}


def test_nan_and_out_of_range_windows_are_dropped_and_counted():
    eda = np.ones(480)
    eda[10], eda[300] = np.nan, 99
    recording = Recording({"eda": eda}, {"eda": 4}, "S1")
    windows = make_windows(recording, 30, valid_range={"eda": (0, 40)})
    assert_array_equal(windows.onset, [30, 90])
    assert windows.dropped == {"non-finite": 1, "out of range": 1}


def test_the_report_says_what_was_dropped():
    text = repr(make_windows(make_recording(), 30, 15, label=CLASSES))
    assert "class 0: 3, class 1: 3; dropped 1 unlabelled" in text


@pytest.mark.parametrize(
    "arguments, error, match",
    [
        ({"duration": 0}, ValueError, "must be positive, in seconds, got 0"),
        ({"duration": 30, "step": -1}, ValueError, "got 30 and -1"),
        ({"duration": 0.1}, ValueError, r"0.1 s of 'bvp' at 64 Hz are 6.4"),
        ({"duration": 500}, ValueError, "No window of 500 s is left of 1 .* 120 to 120 s"),
        ({"duration": 30, "label": ["rest"]}, TypeError, r"got \['rest'\]"),
        (
            {"duration": 30, "label": "arousal"},
            ValueError,
            "'arousal', but those of S1 have",
        ),
        ({"duration": 30, "label": {"rest": 0, "stress": "1"}}, ValueError, "all numbers or all"),
        ({"duration": 30, "label": {}}, ValueError, "annotations, rest, stress, got none"),
        ({"duration": 30, "label": {"rset": 0, "stress": 1}}, ValueError, "got rset"),
        ({"duration": 30, "label": CLASSES, "min_coverage": 0.5}, ValueError, "got 0.5"),
        (
            {"duration": 30, "label": CLASSES, "bins": [1]},
            ValueError,
            "bins are for ratings",
        ),
        (
            {"duration": 30, "valid_range": {"ecg": (0, 1)}},
            ValueError,
            "'ecg', .* bvp, eda",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        make_windows(make_recording(), **arguments)


def test_recordings_at_different_rates_are_refused():
    with pytest.raises(ValueError, match="64.* for S1 and .*32.* for S2: resample"):
        make_windows([make_recording("S1", bvp=64), make_recording("S2", bvp=32)], 30)


@pytest.mark.parametrize("recordings, error", [([], ValueError), ([3], TypeError)])
def test_anything_but_recordings_is_refused(recordings, error):
    with pytest.raises(error, match="recording"):
        make_windows(recordings, 30)
