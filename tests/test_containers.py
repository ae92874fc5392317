"""SignalDict and Recording: what scikit-learn asks of them, and what they refuse."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import dok_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import HandcraftedFeatures, RatingLabels, Recording, SignalDict
from physio_ssl.containers import as_modalities, as_recordings


def test_length_and_shape_count_windows(signals):
    assert signals.shape == (len(signals),) == (12,)


def test_keys_values_and_items_are_those_of_the_modalities(signals):
    assert list(signals) == ["bvp", "eda", "acc"]
    assert [array.shape[1] for array in signals.values()] == [1, 1, 3]


def test_rows_give_a_signal_dict_of_those_windows(signals):
    for rows in ([3, 1], np.array([3, 1]), slice(2, 4), np.arange(12) % 5 == 1):
        for chosen in (signals[rows], signals[rows, ...]):
            assert isinstance(chosen, SignalDict)
            assert_array_equal(chosen["acc"], signals["acc"][rows])
    assert signals[-1].shape == (1,)
    assert_array_equal(signals[np.int64(4)]["eda"], signals["eda"][4:5])


def test_two_dimensions_count_as_one_channel():
    assert SignalDict(eda=np.zeros((5, 40)))["eda"].shape == (5, 1, 40)


def test_it_cannot_be_changed(signals):
    with pytest.raises(TypeError):
        signals["bvp"] = np.zeros((12, 1, 640))
    with pytest.raises(AttributeError, match="cannot be changed"):
        signals.bvp = np.zeros((12, 1, 640))


def test_pickling_keeps_it_equal(signals):
    assert pickle.loads(pickle.dumps(signals)) == signals
    assert signals[:5] != signals[1:6]


def test_asking_for_one_array_raises_advice(signals):
    with pytest.raises(TypeError, match=r"X\['bvp'\]"):
        np.asarray(signals)
    with pytest.raises(IndexError, match=r"X\['bvp'\]"):
        signals[[1, 2], 0]


def test_an_unknown_modality_names_the_known_ones(signals):
    with pytest.raises(KeyError, match="'ecg', only bvp, eda, acc"):
        signals["ecg"]


@pytest.mark.parametrize(
    "arrays, error, match",
    [
        ({}, ValueError, "at least one modality"),
        ({"a": np.zeros((3, 9)), "b": np.zeros((4, 9))}, ValueError, "a: 3, b: 4"),
        ({"a": np.zeros(9)}, ValueError, r"\(9,\)"),
        ({"skin temp": np.zeros((3, 9))}, TypeError, "'skin temp'"),
        ({3: np.zeros((3, 9))}, TypeError, "got 3"),
    ],
)
def test_bad_arrays_are_refused(arrays, error, match):
    with pytest.raises(error, match=match):
        SignalDict(arrays)


class _Majority(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.best_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.full(len(X), self.best_)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_score_splits_it_by_subject(signals, n_jobs):
    y, groups = np.tile([0, 1, 1], 4), np.repeat([0, 1, 2], 4)
    cv = LeaveOneGroupOut()
    scores = cross_val_score(_Majority(), signals, y, groups=groups, cv=cv, n_jobs=n_jobs)
    expected = [(y[groups == g] == 1).mean() for g in range(3)]
    assert_array_equal(scores, expected)


def test_grid_search_and_pipeline_cache_take_it(signals, tmp_path):
    y, groups = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    features = HandcraftedFeatures(sampling_rate={"bvp": 64, "eda": 4, "acc": 32}, specific=())
    model = make_pipeline(features, StandardScaler(), LogisticRegression(), memory=str(tmp_path))
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1]}, cv=LeaveOneGroupOut())
    search.fit(signals, y, groups=groups)
    assert search.predict(signals).shape == (12,)


STAGES = {"onset": [1.0], "duration": [4.0], "description": ["stress"]}


def make_recording(**changes):
    parts = {
        "signals": {"bvp": np.arange(640.0), "acc": np.zeros((3, 320))},
        "sampling_rate": {"bvp": 64, "acc": 32},
        "subject": "S2",
        "annotations": STAGES,
    }
    return Recording(**{**parts, **changes})


def test_a_recording_is_one_long_window():
    recording = make_recording()
    assert recording.signals["bvp"].shape == (1, 1, 640)
    assert recording.signals["acc"].shape == (1, 3, 320)
    assert recording.duration == 10


def test_pickling_keeps_a_recording():
    copy = pickle.loads(pickle.dumps(make_recording()))
    assert copy.signals == make_recording().signals
    assert copy.annotations["description"][0] == "stress"


@pytest.mark.parametrize(
    "changes, error, match",
    [
        ({"sampling_rate": {"bvp": 64}}, ValueError, "bvp, acc, got bvp"),
        ({"sampling_rate": {"bvp": 64, "acc": 0}}, ValueError, r"sampling_rate\['acc'\] .* 0"),
        ({"sampling_rate": {"bvp": "64", "acc": 32}}, TypeError, "'64'"),
        ({"signals": {"bvp": np.zeros((2, 1, 9)), "acc": np.zeros(9)}}, ValueError, r"\(2, 1, 9\)"),
        ({"annotations": {"onset": [1.0]}}, ValueError, "got onset"),
        ({"annotations": {**STAGES, "onset": [1.0, 2.0]}}, ValueError, "equally long"),
        ({"annotations": {**STAGES, "duration": [-1.0]}}, ValueError, "negative, got -1.0"),
        ({"annotations": {"time": [np.nan], "arousal": [1]}}, ValueError, "'time' .* finite"),
        ({"annotations": {"time": [2, 1], "arousal": [1, 1]}}, ValueError, "not go back"),
    ],
)
def test_bad_recordings_are_refused(changes, error, match):
    with pytest.raises(error, match=match):
        make_recording(**changes)


@pytest.mark.parametrize("annotations", [None, STAGES])
def test_annotating_gives_a_new_recording_with_all_events_by_onset(annotations):
    recording = make_recording(annotations=annotations)
    annotated = recording.annotate([4, 0.5], [1, 2], ["a longer name", "rest"])
    expected = [(0.5, 2, "rest"), (1, 4, "stress"), (4, 1, "a longer name")]
    expected = expected if annotations else [expected[0], expected[2]]
    assert list(zip(*annotated.annotations.values(), strict=True)) == expected
    assert annotated.signals == recording.signals
    assert recording.annotations == make_recording(annotations=annotations).annotations


@pytest.mark.parametrize("clock, onset", [("recording", 1), ("file", 1.75), ("unix", 101)])
def test_onsets_count_from_the_start_of_the_clock(clock, onset):
    recording = make_recording(annotations=None, start_time=100, start_offset=0.75)
    copy = pickle.loads(pickle.dumps(recording))
    assert copy.annotate(onset, 1, "tag", clock=clock).annotations["onset"].tolist() == [1]


@pytest.mark.parametrize(
    "event, settings, message",
    [
        ((1, 1, "tag"), {"clock": "chest"}, "clock must be one of recording, file, unix"),
        ((1, 1, "tag"), {"clock": "unix"}, "unix, the last with a start_time, got 'unix'"),
        ((11, 1, "tag"), {}, "overlap the recording, 0 to 10 s, got 1 outside, the first at 11 s"),
        (([1, -9], 1, "tag"), {}, "got 1 outside, the first at -9 s"),
        ((np.nan, 1, "tag"), {}, "got 1 outside, the first at nan s"),
        (([1, 2], [1, 2, 3], "tag"), {}, r"equally long, .* shapes \(2,\), \(3,\), \(1,\)"),
        (([[1, 2]], 1, "tag"), {}, r"1-D .* shapes \(1, 2\), \(1,\), \(1,\)"),
        ((1, -1, "tag"), {}, "durations must not be negative"),
    ],
)
def test_events_that_cannot_be_are_refused(event, settings, message):
    with pytest.raises(ValueError, match=message):
        make_recording().annotate(*event, **settings)


def test_events_cannot_be_added_to_ratings():
    recording = make_recording(annotations={"time": [0, 1], "arousal": [3, 4]})
    with pytest.raises(ValueError, match="ratings over time, got .*arousal"):
        recording.annotate(1, 1, "tag")


def test_a_plain_array_is_the_modality_signal():
    for X in (np.ones((5, 20)), np.ones((5, 2, 20))):
        assert list(as_modalities(X)) == ["signal"]
        assert_array_equal(as_modalities(X)["signal"], X)


def test_a_sparse_array_that_is_a_mapping_is_no_mapping_of_modalities():
    with pytest.raises(TypeError, match="[Ss]parse"):
        as_modalities(dok_array((3, 20)))


def test_modalities_are_checked_only_if_asked_for():
    X = {"eda": np.full((3, 20), np.nan)}
    assert as_modalities(X)["eda"].shape == (3, 1, 20)
    with pytest.raises(ValueError, match="'eda'.* NaN"):
        as_modalities(X, check=True)


def test_one_recording_or_many_become_a_list():
    recording = make_recording()
    for recordings in (recording, [recording], (recording,), iter([recording])):
        assert as_recordings(recordings) == [recording]
    assert as_recordings([]) == []


def test_anything_but_recordings_is_refused():
    for recordings in (3, None, "", {}, [3], [make_recording(), "S1"]):
        with pytest.raises(TypeError, match="recordings"):
            as_recordings(recordings)


def test_recording_keeps_ratings_and_metadata_beside_events():
    events = {"onset": [0], "duration": [60], "description": ["video"]}
    ratings = {"time": np.arange(60), "valence": np.arange(60) % 9}
    recording = Recording(
        {"eda": np.zeros(240)}, {"eda": 4}, "S1", events, ratings=ratings, metadata={"grade": 71}
    )
    again = pickle.loads(pickle.dumps(recording))
    for r in (recording, again, recording.annotate(60, 0, "end")):
        assert r.metadata == {"grade": 71}
        assert_array_equal(r.ratings["valence"], ratings["valence"])
        assert "video" in r.annotations["description"]
    values, known = RatingLabels("valence").assign(recording, np.array([0.0]), 9)
    assert_array_equal(values, [4])
    assert known.all()


@pytest.mark.parametrize("ratings", [{"valence": [1]}, {"time": [1, 0], "valence": [1, 2]}, [1]])
def test_recording_refuses_ratings_that_are_not_over_time(ratings):
    with pytest.raises((TypeError, ValueError), match="[Rr]atings"):
        Recording({"eda": np.zeros(240)}, {"eda": 4}, "S1", ratings=ratings)
