"""Windows: where they start, their labels and table, what is left out."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from physio_ssl import RatingLabels, Recording, StageLabels, Windows, make_windows
from physio_ssl.windows import start_samples

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


def test_windows_neither_overlap_nor_change_the_signal():
    recording = make_recording()
    windows = make_windows(recording, 40)
    assert_array_equal(windows.onset, [0, 40, 80])
    windows.X["eda"][:] = 0
    assert recording.signals["eda"][0, 0, -1] > 0


def test_a_start_between_samples_takes_the_nearest():
    windows = make_windows(make_recording(eda=4), duration=30, step=0.3)
    starts = windows.X["eda"][:, 0, 0] * 4
    assert_array_equal(starts, start_samples(windows.onset, 4).clip(max=360))
    assert_array_equal(start_samples([0.1, 0.125, 0.2, 0.375], 4), [0, 1, 1, 2])


def test_windows_end_where_the_shortest_signal_ends():
    recording = Recording(
        {"bvp": np.zeros(64 * 59), "eda": np.zeros(4 * 62)}, {"bvp": 64, "eda": 4}, "S1"
    )
    assert_array_equal(make_windows(recording, 30, 29).onset, [0, 29])


def test_a_window_across_two_stages_is_dropped_and_counted():
    windows = make_windows(make_recording(), 30, 15, labels=StageLabels(CLASSES))
    assert_array_equal(windows.onset, [0, 15, 30, 60, 75, 90])
    assert_array_equal(windows.y, [0, 0, 0, 1, 1, 1])
    assert windows.dropped == {"unlabelled": 1}
    assert "class 0: 3, class 1: 3; dropped 1 unlabelled" in repr(windows)


@pytest.mark.filterwarnings("ignore:1 of 2 stages are shorter")
@pytest.mark.parametrize("min_coverage, expected", [(0.75, [0, 0, 0, 0, 1, 1]), (0.9, [0, 0, 0])])
def test_the_class_that_covers_enough_of_a_window_labels_it(min_coverage, expected):
    recording = make_recording(annotations={**STAGES, "duration": [60, 30]})
    windows = make_windows(recording, 40, 10, labels=StageLabels(CLASSES, min_coverage))
    assert_array_equal(windows.y, expected)


def test_touching_stages_of_one_class_count_together():
    labels = StageLabels({"rest": "calm", "stress": "calm"})
    assert_array_equal(make_windows(make_recording(), 60, 30, labels=labels).y, ["calm"] * 3)


def test_stages_that_overlap_count_once():
    stages = {"onset": [0, 10], "duration": [20, 10], "description": ["rest", "rest"]}
    labels = StageLabels({"rest": 0}, min_coverage=0.6)
    values, known = labels.assign(make_recording(annotations=stages), np.array([0.0]), 40)
    assert not known.any()


def test_stages_without_a_class_are_left_out():
    assert_array_equal(make_windows(make_recording(), 30, labels=StageLabels({"stress": 1})).y, 1)


def rated(duration=100):
    time = np.arange(0, duration, 0.05)
    return make_recording(annotations={"time": time, "arousal": np.where(time < 50, 2.0, 7.0)})


def test_a_rating_is_averaged_over_the_window():
    windows = make_windows(rated(), 20, 10, labels=RatingLabels("arousal"))
    assert_allclose(windows.y, [2, 2, 2, 2, 4.5, 7, 7, 7, 7], atol=0.02)


def test_bins_turn_ratings_into_classes():
    windows = make_windows(rated(), 50, labels=RatingLabels("arousal", bins=[5]))
    assert_array_equal(windows.y, [0, 1])


def test_a_constant_rating_at_the_threshold_is_of_the_higher_class():
    for rating in (5.3, 0.1, np.uint8(3)):
        annotations = {"time": np.arange(100), "arousal": np.full(100, rating)}
        recording = make_recording(duration=100, annotations=annotations)
        windows = make_windows(recording, 10, labels=RatingLabels("arousal", bins=[rating]))
        assert windows.y.tolist() == [1] * 10


@pytest.mark.parametrize("n_classes, bins", [(2, [5]), (3, [3.5, 6.5]), (9, range(15, 95, 10))])
def test_classes_of_equal_width_divide_the_scale(n_classes, bins):
    labels = RatingLabels.equal_width("arousal", 0.5, 9.5, n_classes)
    assert_allclose(labels.bins, np.array(bins) / (10 if n_classes == 9 else 1))


def test_the_last_rating_holds_for_one_interval():
    for interval in (0.05, 0.1, 5):
        time = 0.3 + np.arange(30) * interval
        annotations = {"time": time, "arousal": np.full(30, 3.0)}
        recording = make_recording(duration=200, annotations=annotations)
        onset = time[20] + np.array([0, interval])
        known = RatingLabels("arousal").assign(recording, onset, 10 * interval)[1]
        assert known.tolist() == [True, False]


def test_windows_beyond_the_ratings_are_dropped():
    windows = make_windows(rated(100), 20, labels=RatingLabels("arousal"))
    assert_array_equal(windows.onset, [0, 20, 40, 60, 80])
    assert windows.dropped == {"unlabelled": 1}


def test_a_missing_rating_spoils_only_its_windows():
    time = np.arange(0, 100, 0.5)
    rating = np.where(time == 30, np.nan, 3.0)
    recording = make_recording(duration=100, annotations={"time": time, "arousal": rating})
    windows = make_windows(recording, 20, labels=RatingLabels("arousal"))
    assert_array_equal(windows.onset, [0, 40, 60, 80])
    assert_allclose(windows.y, 3)


class SecondHalf:
    def assign(self, recording, onset, duration):
        return onset >= recording.duration / 2, onset > 0


def test_labels_may_be_of_ones_own_kind():
    windows = make_windows(make_recording(), 30, labels=SecondHalf())
    assert_array_equal(windows.y, [False, True, True])
    assert windows.dropped == {"unlabelled": 1}


def test_several_labels_are_columns_and_windows_have_all_of_them():
    labels = {"stage": StageLabels(CLASSES), "half": SecondHalf()}
    windows = make_windows(make_recording(), 30, 15, labels=labels)
    assert_array_equal(windows.onset, [15, 30, 60, 75, 90])
    assert windows.info["stage"].tolist() == [0, 0, 1, 1, 1]
    assert windows.info["half"].tolist() == [False, False, True, True, True]
    assert windows.y is None and windows.dropped == {"unlabelled": 2}


def test_the_table_names_subject_recording_and_onset():
    windows = make_windows([make_recording("S1"), make_recording("a long name", 60)], 30)
    assert windows.info.columns.tolist() == ["subject", "recording", "onset"]
    assert_array_equal(windows.groups, ["S1"] * 4 + ["a long name"] * 2)
    assert_array_equal(windows.recording, [0] * 4 + [1] * 2)
    assert windows.y is None


def test_nan_and_out_of_range_windows_are_dropped_and_counted():
    eda = np.ones(480)
    eda[10], eda[300] = np.nan, 99
    recording = Recording({"eda": eda}, {"eda": 4}, "S1")
    with pytest.warns(UserWarning, match=r"1 of \d+ windows are dropped: .* gap"):
        windows = make_windows(recording, 30, valid_range={"eda": (0, 40)})
    assert_array_equal(windows.onset, [30, 90])
    assert windows.dropped == {"non-finite": 1, "out of range": 1}
    assert "dropped 1 non-finite, 1 out of range" in repr(windows)


class OfWrongLength:
    def assign(self, recording, onset, duration):
        return onset[:-1], np.ones(len(onset), dtype=bool)


@pytest.mark.parametrize(
    "arguments, error, match",
    [
        ({"duration": 0}, ValueError, "got 0"),
        ({"step": -1}, ValueError, "step .* got -1"),
        ({"duration": 0.1}, ValueError, "'bvp' at 64 Hz are 6.4"),
        ({"duration": 500}, ValueError, "No window .* 120 s"),
        ({"labels": {"rest": 0}}, TypeError, "label object.* got 0"),
        ({"labels": "arousal"}, TypeError, "label object.* got 'arousal'"),
        ({"labels": {"onset": StageLabels(CLASSES)}}, ValueError, "column.* got 'onset'"),
        ({"labels": RatingLabels("arousal")}, ValueError, "time, arousal, got .* for S1"),
        ({"labels": StageLabels({"rset": 0, "stress": 1})}, ValueError, "rest, stress, got rset"),
        ({"labels": OfWrongLength()}, ValueError, r"assign .* \(3,\) and \(4,\)"),
        ({"valid_range": {"ecg": (0, 1)}}, ValueError, "bvp or eda, got .'ecg'"),
        ({"recordings": []}, ValueError, "at least one recording"),
        ({"recordings": [3]}, TypeError, "recordings.* int"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        make_windows(**{"recordings": make_recording(), "duration": 30, **arguments})


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: StageLabels("rest"), TypeError, "map.* 'rest'"),
        (lambda: StageLabels({}), ValueError, "{}"),
        (lambda: StageLabels({"rest": 0, "stress": "1"}), ValueError, "all numbers or all str"),
        (lambda: StageLabels(CLASSES, min_coverage=0.5), ValueError, "min_coverage .* 0.5"),
        (lambda: RatingLabels(CLASSES), TypeError, "scale .*'rest'"),
        (lambda: RatingLabels("arousal", bins=[5, 3]), ValueError, r"bins .* \[5, 3\]"),
        (lambda: RatingLabels("arousal", min_coverage=2), ValueError, "min_coverage .* 2"),
        (lambda: RatingLabels.equal_width("arousal", 5, 5), ValueError, "high must be above low"),
        (lambda: RatingLabels.equal_width("arousal", 1, 9, 1), ValueError, "n_classes .* got 1"),
    ],
)
def test_bad_labels_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_recordings_at_different_rates_are_refused():
    with pytest.raises(ValueError, match="64.* for S1 and .*32.* for S2"):
        make_windows([make_recording("S1", bvp=64), make_recording("S2", bvp=32)], 30)


INFO = pd.DataFrame({"subject": ["S1", "S1", "S2"], "label": list("aba"), "age": [30, 30, 41]})


@pytest.mark.parametrize(
    "X", [np.eye(3), csr_array(np.eye(3)), [[1.0], [2.0], [3.0]], {"eda": np.ones((3, 1, 8))}]
)
def test_windows_may_be_signals_or_features(X):
    windows = Windows(X, INFO)
    assert len(windows) == 3 and windows.X.shape[0] == 3
    assert windows.select([2]).X.shape[0] == 1
    assert (windows.duration, windows.sampling_rate, windows.dropped) == (None, None, {})
    assert (windows.onset, windows.recording) == (None, None)
    assert repr(windows) == "Windows(3, 2 subjects, class a: 2, class b: 1; dropped none)"


def test_selected_windows_keep_all_columns_in_the_order_asked_for():
    some = Windows(np.eye(3), INFO, dropped={"no heartbeat": 1}).select(
        [2, 0], {"not wanted": 1, "no heartbeat": 1}
    )
    assert some.info.values.tolist() == [["S2", "a", 41], ["S1", "a", 30]]
    assert_array_equal(some.X, np.eye(3)[[2, 0]])
    assert some.dropped == {"no heartbeat": 2, "not wanted": 1}


def test_windows_keep_what_they_were_scaled_over():
    windows = Windows(np.eye(3), INFO, scaling="past")
    for same in (windows.select([0]), replace(windows, X=np.ones((3, 2)))):
        assert same.scaling == "past"
    assert Windows(np.eye(3), INFO).scaling is None


def test_an_empty_list_selects_no_windows():
    for nothing in ([], np.zeros(3, dtype=bool)):
        none = Windows(np.eye(3), INFO).select(nothing)
        assert len(none) == 0 and none.X.shape == (0, 3)
        assert none.groups.shape == none.y.shape == (0,)


def test_labels_and_groups_are_arrays_of_ones_own():
    windows = make_windows([make_recording(), make_recording()], 60, labels=StageLabels(CLASSES))
    for name in ("y", "groups", "onset", "recording"):
        array = getattr(windows, name)
        array[0] = array[1] * 2 if name != "groups" else "x"
        assert getattr(windows, name)[0] in (0, "S1")
    assert windows.groups.dtype.kind == "U"


def test_the_table_is_a_copy_and_its_subjects_are_str():
    info = INFO.assign(subject=[1, 1, 2])
    windows = Windows(np.eye(3), info)
    info.loc[0, "age"] = 99
    assert windows.info["age"].tolist() == [30, 30, 41]
    assert_array_equal(windows.groups, ["1", "1", "2"])


def test_pickling_keeps_windows():
    windows = make_windows(make_recording(), 30, labels=StageLabels(CLASSES))
    again = pickle.loads(pickle.dumps(windows))
    assert again.X == windows.X and again.info.equals(windows.info)
    assert repr(again) == repr(windows)


@pytest.mark.parametrize(
    "changes, error, match",
    [
        ({"info": {"subject": ["S1"] * 3}}, TypeError, "DataFrame, got a dict"),
        ({"info": INFO[:2]}, ValueError, r"2 rows .* \(3, 3\)"),
        ({"info": INFO[::-1]}, ValueError, r"index .* \[2, 1, 0\]"),
        ({"info": INFO.drop(columns="subject")}, ValueError, "'subject' is missing"),
        ({"info": INFO.assign(subject=["S1", None, "S2"])}, ValueError, "'subject' is incomplete"),
        ({"info": INFO.assign(onset=[0, np.nan, 1])}, ValueError, "'onset' .* numbers"),
        ({"info": INFO.assign(recording=[0, 0.5, 1])}, ValueError, "'recording' .* integers"),
        ({"info": INFO.assign(corpus=["a", None, "b"])}, ValueError, "'corpus' .* str"),
        ({"info": INFO.rename(columns={"age": "label"})}, ValueError, "different names"),
        ({"info": INFO.rename(columns={"age": 3})}, ValueError, "different names"),
        ({"X": {"eda": np.ones((3, 8))}, "sampling_rate": {"ecg": 4}}, ValueError, "eda, .*'ecg'"),
        ({"X": 3}, ValueError, r"shape \(\)"),
        ({"scaling": "window"}, ValueError, "scaling .* 'past', got 'window'"),
        ({"duration": 0}, ValueError, "duration .* got 0"),
        (
            {"native": {"eda": np.ones((2, 8))}, "native_sampling_rate": {"eda": 4}},
            ValueError,
            r"row per window of \(3, 3\) .*\(2 windows",
        ),
        ({"native": {"eda": np.ones((3, 8))}}, ValueError, "native_sampling_rate its modalities"),
    ],
)
def test_windows_that_do_not_fit_their_table_are_refused(changes, error, match):
    with pytest.raises(error, match=match):
        replace(Windows(np.eye(3), INFO), **changes)
