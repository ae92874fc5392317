import json
import pickle
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from physio_ssl import PerModality, SelectModality, SignalDict
from physio_ssl.evaluation.leakage import LeakageError, audit_leakage

N_SUBJECTS, N_EACH = 4, 6
SUBJECTS = np.array(["S1", "S2", "S3", "S4"])


class Encoder(TransformerMixin, BaseEstimator):
    """Stands for an SSLEncoder that is told its groups."""

    def fit(self, X, y=None, groups=None):
        self.groups_seen_ = None if groups is None else np.unique(groups)
        return self

    def transform(self, X):
        X = next(iter(X.values())) if isinstance(X, SignalDict) else np.asarray(X)
        return X.reshape(len(X), -1)


class Net(BaseEstimator):
    """Stands for a skorch net: its parameters hold data."""

    def __init__(self, train_split=None, callbacks=None):
        self.train_split = train_split
        self.callbacks = callbacks

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.zeros(len(X))


class FirstModality(Encoder):
    """Features that a scaler can follow."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self


@pytest.fixture
def study():
    """Four subjects, each with windows of 10 s every 10 s, as of two skewed sensors."""
    rng = np.random.default_rng(0)
    groups = np.repeat(SUBJECTS, N_EACH)
    level = np.repeat(rng.uniform(1, 9, N_SUBJECTS), N_EACH)[:, np.newaxis, np.newaxis]
    n = len(groups)
    return {
        "X": SignalDict(
            bvp=rng.gamma(2, 30, size=(n, 1, 640)), eda=level + rng.gamma(2, size=(n, 2, 40))
        ),
        "y": np.arange(n) % 2,
        "groups": groups,
        "onset": np.tile(np.arange(N_EACH) * 10.0, N_SUBJECTS),
        "duration": 10.0,
        "recording": np.repeat(np.arange(N_SUBJECTS), N_EACH),
    }


@pytest.fixture
def features(study):
    """The same subjects as rows of features."""
    study["X"] = np.random.default_rng(1).gamma(2, size=(len(study["groups"]), 5))
    return study


def record(study, cv=None, **changes):
    cv = LeaveOneGroupOut() if cv is None else cv
    return audit_leakage(cv, **{**study, **changes}, on_leak="record")


def kinds(report):
    return {leak.kind for leak in report.leaks}


# a clean study


def test_a_clean_study_has_no_leak(study):
    encoder = Encoder().fit(study["X"], groups=np.array(["N1", "N2"]))
    estimators = {
        "frozen": make_pipeline(FrozenEstimator(encoder), StandardScaler(), LogisticRegression()),
        "in the fold": GridSearchCV(make_pipeline(Encoder(), LogisticRegression()), {}),
        "majority": DummyClassifier(),
    }
    report = audit_leakage(LeaveOneGroupOut(), **study, estimators=estimators)
    assert report.ok and report.notes == []
    assert str(report) == "No leak found."


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_clean_arrays_of_any_type_have_no_leak(dtype, study):
    X = (100 * study["X"]["eda"]).astype(dtype)
    assert audit_leakage(GroupKFold(2), X, groups=study["groups"]).ok


def test_what_was_not_given_is_noted_as_not_checked():
    notes = " ".join(audit_leakage([([0], [1])], y=[0, 1]).notes)
    for missing in ("no groups", "no onset", "no X", "no estimators"):
        assert missing in notes


def test_splits_that_differ_at_each_call_are_noted(study):
    (note,) = [n for n in record(study, ShuffleSplit(2)).notes if "other splits" in n]
    assert "give it a random_state" in note
    for cv in (ShuffleSplit(2, random_state=0), KFold(2), LeaveOneGroupOut()):
        assert not any("other splits" in note for note in record(study, cv).notes)


# a subject on both sides


def test_a_subject_on_both_sides_is_found(study):
    cv = [(np.arange(6, 24), np.arange(6)), (np.arange(2, 18), np.r_[0, 1, 18:24])]
    (leak,) = record(study, cv).leaks
    assert leak.kind == "subject on both sides"
    assert leak.fold == 1
    assert leak.train_rows == (2, 3, 4, 5)
    assert leak.test_rows == (0, 1)
    assert "S1" in leak.message


def test_shuffled_windows_are_found_in_every_fold(study):
    report = record(study, StratifiedKFold(3, shuffle=True, random_state=0))
    assert {leak.fold for leak in report.leaks} == {0, 1, 2}
    assert kinds(report) == {"subject on both sides"}


def test_splits_may_be_masks(study):
    mask = study["groups"] == "S1"
    assert record(study, [(~mask, mask)]).ok
    assert kinds(record(study, [(mask, mask)])) >= {"subject on both sides"}


# overlapping windows


def overlapping(study, onset, cv, **changes):
    some = {**study, "onset": np.asarray(onset), **changes}
    leaks = [leak for leak in record(some, cv).leaks if "overlap" in leak.kind]
    return leaks[0] if leaks else None


@pytest.mark.parametrize(
    "groups_given, recording_given", [(True, True), (True, False), (False, True)]
)
def test_overlapping_windows_on_both_sides_are_found(groups_given, recording_given, study):
    changes = {} if groups_given else {"groups": None}
    changes.update({} if recording_given else {"recording": None})
    onset = np.tile(np.arange(N_EACH) * 5.0, N_SUBJECTS)
    leak = overlapping(study, onset, [(np.r_[0:3, 6:24], [3, 4, 5])], **changes)
    assert leak.train_rows == (2,)
    assert leak.test_rows == (3,)
    assert "start 5 s apart, e.g. train row 2 and test row 3" in leak.message


def test_overlaps_are_those_of_comparing_all_pairs(study):
    rng = np.random.default_rng(3)
    onset = rng.uniform(0, 60, len(study["groups"])).round(1)
    train = rng.permutation(24)[:15]
    test = np.setdiff1d(np.arange(24), train)[:6]
    close = np.abs(onset[train][:, np.newaxis] - onset[test]) < 10 - 1e-9
    close &= study["recording"][train][:, np.newaxis] == study["recording"][test]
    leak = overlapping(study, onset, [(train, test)])
    assert leak.train_rows == tuple(sorted(train[close.any(axis=1)]))
    assert leak.test_rows == tuple(sorted(test[close.any(axis=0)]))


@pytest.mark.parametrize("start, step", [(0, 0.1), (1.6e9, 0.1), (1234.56, 60 / 7)])
def test_windows_that_touch_do_not_overlap(start, step, study):
    onset = start + np.tile(np.arange(N_EACH), N_SUBJECTS) * step
    cv = [(np.arange(3), np.arange(3, 6))]
    assert overlapping(study, onset, cv, duration=step) is None
    assert overlapping(study, onset, cv, duration=step * 1.001) is not None


def test_windows_of_other_recordings_do_not_overlap(study):
    onset = np.zeros(24)
    assert overlapping(study, onset, LeaveOneGroupOut()) is None
    two = np.tile([0, 0, 0, 1, 1, 1], 4) + 2 * study["recording"]
    onset = np.tile([0.0, 10, 20], 8)
    assert overlapping(study, onset, [([0, 1, 2], [3, 4, 5])], recording=two) is None


def test_one_recording_name_for_two_subjects_is_explained(study):
    leak = overlapping(study, study["onset"], LeaveOneGroupOut(), recording=np.zeros(24))
    assert "of the subjects S2 and S1 (a recording's name must not be used for two)" in leak.message


def test_onsets_without_a_recording_are_noted(study):
    report = record(study, [([0], [1])], groups=None, recording=None)
    assert any("neither recording nor groups" in note for note in report.notes)


# duplicated windows


def test_windows_that_two_subjects_share_are_found(study):
    arrays = {name: array.copy() for name, array in study["X"].items()}
    for array in arrays.values():
        array[20] = array[1]
    report = record(study, X=SignalDict(arrays))
    assert kinds(report) == {"duplicated windows on both sides"}
    assert [leak.fold for leak in report.leaks] == [0, 3]
    assert (report.leaks[0].train_rows, report.leaks[0].test_rows) == ((20,), (1,))


def test_windows_alike_in_one_of_two_modalities_are_no_duplicates(study):
    bvp = study["X"]["bvp"].copy()
    bvp[20] = bvp[1]
    assert record(study, X=SignalDict(bvp=bvp, eda=study["X"]["eda"])).ok


def test_a_row_on_both_sides_is_a_duplicate(study):
    report = record(study, [([0, 1, 2], [2, 3])], X=None, groups=None, onset=None)
    assert kinds(report) == {"duplicated windows on both sides"}
    assert "row 2 is in both" in report.leaks[0].message


def test_constant_windows_are_not_taken_for_duplicates(study):
    eda = study["X"]["eda"].copy()
    eda[[1, 20]] = 0.5
    report = record(study, X=eda)
    assert report.ok
    assert any("2 of 24 windows are constant" in note for note in report.notes)


# encoders pre-trained on test subjects


def predictor(step):
    return make_pipeline(step, LogisticRegression())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda encoder: predictor(FrozenEstimator(encoder)),
        lambda encoder: GridSearchCV(predictor(FrozenEstimator(encoder)), {}),
        lambda encoder: predictor(FrozenEstimator(make_pipeline(encoder))),
        lambda encoder: Net(callbacks={"encoder": FrozenEstimator(encoder)}),
        lambda encoder: FrozenEstimator(encoder),
        lambda encoder: encoder,
    ],
    ids=["pipeline", "search", "frozen pipeline", "parameter", "frozen", "bare"],
)
def test_an_encoder_pre_trained_on_a_test_subject_is_found(wrap, study):
    encoder = Encoder().fit(study["X"], groups=np.array(["S2", "N1"]))
    (leak,) = record(study, estimators={"probe": wrap(encoder)}).leaks
    assert leak.kind == "encoder pre-trained on test subjects"
    assert leak.fold == 1
    assert leak.test_rows == tuple(range(6, 12))
    assert "trained on S2" in leak.message and "'probe'" in leak.message


def test_a_frozen_search_is_looked_into(study):
    search = GridSearchCV(Encoder(), {})
    search.best_estimator_ = Encoder().fit(study["X"], groups=SUBJECTS[:1])
    assert not record(study, estimators=predictor(FrozenEstimator(search))).ok


@pytest.mark.parametrize("seen", [np.array(["1", "7"]), np.array([1.0, 7.0]), np.array([1, 7])])
def test_groups_are_compared_across_types(seen, study):
    encoder = FrozenEstimator(Encoder().fit(study["X"], groups=seen))
    report = record(study, groups=study["recording"], estimators=predictor(encoder))
    assert [leak.fold for leak in report.leaks] == [1]


def test_a_fitted_encoder_that_is_not_frozen_is_no_leak(study):
    fitted = predictor(Encoder().fit(study["X"], groups=study["groups"]))
    report = record(study, estimators=fitted)
    assert report.ok and not hasattr(clone(fitted)[0], "groups_seen_")
    assert any("not frozen" in note for note in report.notes)


def test_an_encoder_that_was_not_told_its_groups_is_noted(study):
    report = record(study, estimators=predictor(FrozenEstimator(Encoder().fit(study["X"]))))
    assert report.ok
    assert any("Encoder" in note and "not told its groups" in note for note in report.notes)


@pytest.mark.parametrize("weights", ["precomputed", "encoder.safetensors"])
def test_an_encoder_that_cannot_be_looked_into_is_noted(weights, study):
    net = Net()
    net.encoder = weights
    (note,) = record(study, estimators=net).notes
    assert "whom it has seen was not checked" in note


def test_an_encoder_of_which_only_the_settings_are_used_is_no_leak(study):
    class Classifier(Net):
        def __init__(self, encoder, mode):
            self.encoder = encoder
            self.mode = mode

    encoder = FrozenEstimator(Encoder().fit(study["X"], groups=study["groups"]))
    assert record(study, estimators=Classifier(encoder, "supervised")).ok
    assert not record(study, estimators=Classifier(encoder, "frozen")).ok


def test_an_encoder_cannot_be_compared_without_groups(study):
    encoder = Encoder().fit(study["X"], groups=study["groups"])
    report = record(study, KFold(2), groups=None, estimators=encoder)
    assert any("groups were not given" in note for note in report.notes)


def test_a_classifier_trained_on_test_subjects_is_never_excused(study):
    net = Net().fit(study["X"])
    net.groups_seen_ = SUBJECTS[:1]
    report = record(study, estimators=FrozenEstimator(net), transductive=True)
    assert kinds(report) == {"classifier trained on test subjects"}


# scaling


SCALERS = [StandardScaler(), MinMaxScaler(), RobustScaler(), SimpleImputer(), PCA(2)]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: type(scaler).__name__)
def test_a_frozen_scaler_fitted_on_all_rows_is_found(scaler, features):
    frozen = FrozenEstimator(clone(scaler).fit(features["X"]))
    report = record(features, estimators={"probe": predictor(frozen)}, transductive=True)
    assert kinds(report) == {"scaler fitted outside the fold"}
    assert type(scaler).__name__ in report.leaks[0].message


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: type(scaler).__name__)
def test_a_scaler_fitted_on_other_rows_is_noted(scaler, features):
    other = np.random.default_rng(5).gamma(3, size=(50, 5))
    report = record(features, estimators=predictor(FrozenEstimator(clone(scaler).fit(other))))
    assert report.ok
    assert any("on rows that are not known" in note for note in report.notes)


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: type(scaler).__name__)
def test_a_scaler_fitted_in_the_fold_is_no_leak(scaler, features):
    report = record(features, estimators=predictor(clone(scaler).fit(features["X"])))
    assert report.ok and report.notes == []


def test_a_scaler_to_which_the_test_rows_make_no_difference_is_no_leak(features):
    features["X"] = np.tile(features["X"][:N_EACH], (N_SUBJECTS, 1)) // 0.5
    median = SimpleImputer(strategy="median").fit(features["X"])
    report = record(features, estimators=predictor(FrozenEstimator(median)))
    assert "scaler fitted outside the fold" not in kinds(report)


def test_a_frozen_scaler_is_found_behind_steps_that_learn_nothing(study):
    X = SignalDict(bvp=study["X"]["bvp"], eda=study["X"]["eda"][:, :1])
    frozen = PerModality({"eda": FrozenEstimator(Flat().fit(X["eda"]))}, remainder="drop")
    pipeline = make_pipeline(
        "passthrough", SelectModality("eda"), FrozenEstimator(Flat().fit(X["eda"]))
    )
    for step in (frozen, pipeline):
        assert kinds(record(study, X=X, estimators=predictor(step))) == {
            "scaler fitted outside the fold"
        }


class Flat(StandardScaler):
    """A scaler of one-channel windows."""

    def fit(self, X, y=None):
        return super().fit(X[:, 0], y)

    def transform(self, X):
        return super().transform(X[:, 0])


def test_a_frozen_scaler_behind_a_fitted_step_is_noted(study):
    scaler = StandardScaler().fit(study["X"]["bvp"][:, 0])
    pipeline = make_pipeline(FirstModality(), FrozenEstimator(scaler), LogisticRegression())
    report = record(study, estimators=pipeline)
    assert report.ok
    assert sum("StandardScaler" in note for note in report.notes) == 1


def test_a_frozen_forest_is_one_note(features):
    forest = RandomForestClassifier(5, random_state=0).fit(features["X"], features["y"])
    report = record(features, estimators=FrozenEstimator(forest))
    assert report.ok
    assert [note for note in report.notes if "Tree" in note] == []
    assert sum("RandomForestClassifier" in note for note in report.notes) == 1


def zscore(X, axis):
    return (X - X.mean(axis=axis, keepdims=True)) / X.std(axis=axis, keepdims=True)


def unit_range(X, axis):
    low = X.min(axis=axis, keepdims=True)
    return (X - low) / (X.max(axis=axis, keepdims=True) - low)


def by_subject(scale, X, axis):
    return np.concatenate([scale(part, axis) for part in np.split(X, N_SUBJECTS)])


scales = pytest.mark.parametrize("scale", [zscore, unit_range])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@scales
@dtypes
@pytest.mark.parametrize("axis", [(0, 2), 0])
def test_windows_scaled_over_all_rows_are_found(scale, dtype, axis, study):
    scaled = SignalDict(bvp=study["X"]["bvp"], eda=scale(study["X"]["eda"], axis).astype(dtype))
    (leak,) = record(study, X=scaled, transductive=True).leaks
    assert leak.kind == "scaler fitted outside the fold"
    assert "eda was scaled over all rows" in leak.message


@scales
@dtypes
def test_features_scaled_over_all_rows_are_found(scale, dtype, features):
    features["X"] = np.c_[scale(features["X"], 0), np.zeros(24)].astype(dtype)
    assert kinds(record(features)) == {"scaler fitted outside the fold"}


@scales
@dtypes
def test_windows_scaled_over_each_subject_are_found(scale, dtype, study):
    X = by_subject(scale, study["X"]["eda"], (0, 2)).astype(dtype)
    report = record(study, X=X)
    assert kinds(report) == {"subject standardised over its own windows"}
    declared = record(study, X=X, transductive="z-scores per subject")
    assert declared.ok
    assert "Declared as transductive (z-scores per subject)" in " ".join(declared.notes)


@scales
@dtypes
@pytest.mark.parametrize("n_dims", [2, 3])
def test_windows_scaled_one_by_one_are_no_leak(scale, dtype, n_dims, study):
    X = scale(study["X"]["eda"], 2).astype(dtype)
    report = record(study, X=X if n_dims == 3 else X[:, 0])
    assert report.ok
    assert not any("standard" in note for note in report.notes)


def test_a_scaler_fitted_on_training_rows_is_no_leak(features):
    train, test = np.arange(6, 24), np.arange(6)
    for scaler in (StandardScaler(), MinMaxScaler()):
        X = scaler.fit(features["X"][train]).transform(features["X"])
        assert record(features, [(train, test)], X=X).ok


@pytest.mark.parametrize("shape", [(24, 30), (24, 1, 40)])
def test_clipped_signals_and_codes_are_not_taken_for_scaled_ones(shape, study):
    rng = np.random.default_rng(0)
    clipped = rng.normal(0.5, 1, size=shape).clip(0, 1)
    for X in (clipped, (clipped > 0.5).astype(float)):
        assert record(study, X=X).ok


def test_recordings_standardised_before_they_were_cut_are_pointed_out(study):
    X = by_subject(zscore, study["X"]["eda"], (0, 2))
    keep = np.arange(24) % 6 > 0
    some = {name: v if name == "duration" else v[keep] for name, v in study.items()}
    report = record(some, X=X[keep])
    assert report.ok
    assert any("say so with transductive" in note for note in report.notes)
    assert not any("say so" in note for note in record(some, X=X[keep], transductive=True).notes)


def test_windows_with_gaps_are_noted(features):
    features["X"][3, 2] = np.nan
    assert any("NaN" in note for note in record(features).notes)


# windows on which the best epoch is chosen


def split_on(X):
    dataset = SimpleNamespace(X=X)
    return partial(lambda X, y, valid_ds: (X, valid_ds), valid_ds=dataset)


class Callback:
    def __init__(self, data):
        self._data = data

    def split(self, X, y):
        return X, self._data


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "hold",
    [
        lambda X: Net(train_split=split_on(X)),
        lambda X: Net(train_split=split_on(dict(X))),
        lambda X: Net(train_split=split_on([X["bvp"], X["eda"]])),
        lambda X: Net(train_split=lambda some, y: (some, X)),
        lambda X: Net(train_split=Callback(X).split),
        lambda X: Net(callbacks=[("best", Callback(X["eda"]))]),
        lambda X: predictor(FrozenEstimator(make_pipeline(Net(train_split=split_on(X))))),
        lambda X: GridSearchCV(Net(), {"train_split": [split_on(X)]}),
    ],
    ids=["mapping", "dict", "list", "closure", "method", "callback", "frozen", "grid"],
)
def test_test_windows_that_choose_the_epoch_are_found(hold, dtype, study):
    rows = np.r_[2:5, 8]
    held = SignalDict({name: array[rows].astype(dtype) for name, array in study["X"].items()})
    leaks = record(study, estimators={"net": hold(held)}, transductive=True).leaks
    leaks = [leak for leak in leaks if leak.kind == "epochs chosen on the test subject"]
    found = {leak.fold: leak.test_rows for leak in leaks}
    assert found == {0: (2, 3, 4), 1: (8,)}
    assert "'net'" in leaks[0].message


def test_validation_windows_of_training_subjects_are_no_leak(study):
    net = Net(train_split=split_on(study["X"][study["groups"] == "S4"]))
    cv = [(np.arange(6, 24), np.arange(6)), (np.r_[0:6, 12:24], np.arange(6, 12))]
    assert audit_leakage(cv, **study, estimators=net).ok


def test_only_the_rows_of_a_part_of_a_data_set_count(study):
    part = SimpleNamespace(dataset=SimpleNamespace(X=study["X"]), indices=[18, 19])
    net = Net(train_split=partial(print, valid_ds=part))
    cv = [(np.arange(6, 24), np.arange(6))]
    assert audit_leakage(cv, **study, estimators=net).ok
    assert [leak.fold for leak in record(study, estimators=net).leaks] == [3]


def test_validation_windows_that_are_not_in_X_are_noted(study):
    net = Net(train_split=split_on(np.ones((3, 1, 7)) * np.arange(7)))
    (note,) = record(study, estimators=net).notes
    assert "train_split" in note and "none of them as in X" in note


def test_skorch_validation_sets_are_looked_into(study):
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split
    from torch import from_numpy
    from torch.utils.data import Subset, TensorDataset

    from physio_ssl import SSLEncoder

    eda = from_numpy(study["X"]["eda"]).float()
    for dataset in (Dataset(dict(study["X"][:6])), Subset(TensorDataset(eda), range(6))):
        encoder = SSLEncoder(train_split=predefined_split(dataset))
        leaks = record(study, estimators=predictor(encoder)).leaks
        assert [leak.fold for leak in leaks] == [0]
    assert record(study, estimators=predictor(SSLEncoder())).ok


# what comes out


def test_the_error_names_kinds_folds_and_rows(study):
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    onset = study["onset"] / 2
    with pytest.raises(LeakageError, match=r"(?s)subject on both sides.*overlapping") as caught:
        audit_leakage(cv, **{**study, "onset": onset})
    message = str(caught.value)
    assert "folds 0, 1, 2" in message
    assert "train rows" in message and "(16 in all)" in message
    assert kinds(caught.value.report) == {
        "subject on both sides",
        "overlapping windows on both sides",
    }


def test_the_error_can_be_pickled(study):
    with pytest.raises(LeakageError, match="subject") as caught:
        audit_leakage(KFold(5), **study)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_report_becomes_json_with_few_rows(study):
    report = record(study, [(np.arange(2, 24), [0, 1])])
    (leak,) = json.loads(json.dumps(report.to_dict(n_rows=3)))["leaks"]
    assert leak["train_rows"] == [2, 3, 4] and leak["n_train_rows"] == 4
    assert leak["kind"] == "subject on both sides"
    assert len(str(report)) < 400


def test_declared_leaks_are_noted_once_for_all_folds(study):
    encoder = FrozenEstimator(Encoder().fit(study["X"], groups=study["groups"]))
    report = record(study, estimators=predictor(encoder), transductive=True)
    (note,) = [note for note in report.notes if note.startswith("Declared")]
    assert report.ok and "folds 0, 1, 2, 3" in note


def test_nothing_is_changed(study):
    before = {name: array.copy() for name, array in study["X"].items()}
    record(study, estimators=predictor(FrozenEstimator(Flat().fit(study["X"]["bvp"]))))
    for name, array in before.items():
        np.testing.assert_array_equal(study["X"][name], array)


def test_a_study_as_large_as_wesad_takes_little_time():
    rng = np.random.default_rng(0)
    n = 6000
    X = {name: rng.gamma(2, size=(n, 1, 240)).astype("float32") for name in ("bvp", "eda", "temp")}
    groups = np.repeat(np.arange(15), n // 15)
    onset = np.tile(np.arange(n // 15) * 2.0, 15)
    estimators = {"net": Net(train_split=split_on(X["eda"][:500]))}
    start = time.process_time()
    report = audit_leakage(
        LeaveOneGroupOut(), X, None, groups, onset=onset, duration=60, estimators=estimators,
        on_leak="record",
    )  # fmt: skip
    assert time.process_time() - start < 2
    assert kinds(report) == {"epochs chosen on the test subject"}


# bad input


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"groups": ["S1"] * 23}, "same number of windows.*X?.*groups: 23"),
        ({"onset": np.zeros(25)}, "onset: 25"),
        ({"recording": [0]}, "recording: 1"),
        ({"groups": np.zeros((24, 2))}, r"groups must be 1-D.*\(24, 2\)"),
        ({"groups": [None] * 24}, "groups must have a value for every window"),
        ({"onset": np.full(24, np.nan)}, "onset must have a value"),
        ({"onset": np.full(24, np.inf)}, "onset must be finite"),
        ({"duration": None}, "onset needs duration"),
        ({"duration": 0}, "one positive number of seconds, got 0"),
        ({"on_leak": "warn"}, "on_leak must be one of raise, record, got 'warn'"),
        ({"cv": []}, "at least one split"),
        ({"cv": [([0, 1], [24])]}, "test rows of fold 0 must lie in 0 to 23, got 24 to 24"),
        ({"cv": [([-1, 1], [2])]}, "train rows of fold 0 must lie in 0 to 23, got -1 to 1"),
        ({"cv": [([0, 1], [])]}, "test rows of fold 0 must be a list of at least one row"),
        ({"cv": [([0.5], [1])]}, "row numbers or a mask, got float64"),
        ({"cv": [([0], [1], [2])]}, "a pair of train and test rows"),
        ({"X": None, "y": None, "groups": None, "onset": None, "recording": None}, "nothing to"),
    ],
)
def test_input_that_does_not_fit_is_refused(changes, message, study):
    with pytest.raises(ValueError, match=message):
        audit_leakage(**{"cv": LeaveOneGroupOut(), **study, **changes})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"cv": 5}, "cv must be a splitter or pairs of .* got 5"),
        ({"X": np.array(["a"] * 24)}, "X must be an array of real numbers"),
        ({"estimators": [Net()]}, "an estimator or a mapping.*got list"),
        ({"estimators": {"net": Net}}, r"estimators\['net'\] has no fit"),
        ({"transductive": ""}, "transductive must be True, False or a text"),
    ],
)
def test_input_of_a_wrong_kind_is_refused(changes, message, study):
    with pytest.raises(TypeError, match=message):
        audit_leakage(**{"cv": LeaveOneGroupOut(), **study, **changes})


def test_the_audit_is_loaded_without_torch():
    code = "import sys, physio_ssl.evaluation.leakage; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert "torch" not in loaded.stdout.decode().split()
