"""audit_leakage: planted leaks are found, clean studies pass, and the report says what it saw."""

import json
import pickle
from dataclasses import replace
from functools import partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
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

from physio_ssl import PerModality, SelectModality, SignalDict, Windows
from physio_ssl.leakage import LeakageError, LeakKind, audit, audit_leakage, pretrained

N_SUBJECTS, N_EACH = 4, 6
SUBJECTS = np.array(["S1", "S2", "S3", "S4"])
GROUPS = np.repeat(SUBJECTS, N_EACH)
RECORDING = np.repeat(np.arange(N_SUBJECTS), N_EACH)
DTYPES = ("float32", "float64")
SHUFFLED = StratifiedKFold(3, shuffle=True, random_state=0)


class Encoder(TransformerMixin, BaseEstimator):
    """Stands for an SSLEncoder: it remembers the groups that it was fitted with."""

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
def windows():
    """Four subjects, each with windows of 10 s every 10 s, of two sensors with skewed values."""
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(1, 9, N_SUBJECTS), N_EACH)[:, np.newaxis, np.newaxis]
    n = len(GROUPS)
    X = SignalDict(
        bvp=rng.gamma(2, 30, size=(n, 1, 640)), eda=level + rng.gamma(2, size=(n, 2, 40))
    )
    onset = np.tile(np.arange(N_EACH) * 10.0, N_SUBJECTS)
    columns = {"subject": GROUPS, "recording": RECORDING, "onset": onset, "label": np.arange(n) % 2}
    return Windows(X, pd.DataFrame(columns), duration=10.0)


@pytest.fixture
def features(windows):
    """The same subjects as rows of features."""
    return replace(windows, X=np.random.default_rng(1).gamma(2, size=(len(GROUPS), 5)))


def assign(windows, **columns):
    return replace(windows, info=windows.info.assign(**columns))


def record(windows, cv=None, models=None, transductive=False, **changes):
    windows = replace(windows, **changes)
    return audit_leakage(windows, cv, models, transductive=transductive, on_leak="record")


def kinds(report):
    return {leak.kind for leak in report.leaks}


# a clean study


def test_a_clean_study_has_no_leak(windows):
    encoder = Encoder().fit(windows.X, groups=np.array(["nurses/N1", "nurses/N2"]))
    models = {
        "frozen": make_pipeline(FrozenEstimator(encoder), StandardScaler(), LogisticRegression()),
        "in the fold": GridSearchCV(make_pipeline(Encoder(), LogisticRegression()), {}),
        "majority": DummyClassifier(),
    }
    report = audit_leakage(windows, models=models)
    assert report.ok and report.notes == report.declared == report.unknown == []


def test_clean_arrays_of_any_type_have_no_leak(windows):
    for dtype in (*DTYPES, "int16"):
        X = (100 * windows.X["eda"]).astype(dtype)
        assert record(windows, GroupKFold(2), X=X).ok


def test_a_subject_at_a_time_is_held_out_unless_cv_is_given(windows):
    one, leave_out = (str(record(windows, cv)) for cv in (None, LeaveOneGroupOut()))
    assert one == leave_out


def test_the_report_says_what_was_looked_at_and_what_cannot_be_seen(windows):
    text = str(record(windows, models={"probe": predictor(Encoder())}))
    looked_at, not_seen = text.split("Cannot be seen:")
    for fact in ("4 folds, 4 subjects", "windows of 10 s", "bvp, eda", "'probe'"):
        assert fact in looked_at
    assert "one person under two names" in not_seen


def test_what_is_not_known_is_noted_as_not_checked(windows):
    bare = Windows(windows.X, windows.info[["subject"]])
    report = record(bare)
    assert "onset" in report.notes[0] and "none were given" in report.verdict
    (note,) = record(windows, models=Net(), duration=None).notes
    assert "duration" in note


def test_splits_that_differ_at_each_call_are_noted(windows):
    (note,) = [n for n in record(windows, ShuffleSplit(2)).notes if "ShuffleSplit" in n]
    assert "random_state" in note
    for cv in (ShuffleSplit(2, random_state=0), KFold(2), LeaveOneGroupOut()):
        assert not any("random_state" in note for note in record(windows, cv).notes)


# a subject on both sides


def test_a_subject_on_both_sides_is_found(windows):
    cv = [(np.arange(6, 24), np.arange(6)), (np.arange(2, 18), np.r_[0, 1, 18:24])]
    (leak,) = record(windows, cv).leaks
    assert leak.kind == LeakKind.SUBJECT
    assert leak.fold == 1
    assert leak.train_rows == (2, 3, 4, 5)
    assert leak.test_rows == (0, 1)
    assert "S1" in leak.message


def test_shuffled_windows_are_found_in_every_fold(windows):
    report = record(windows, SHUFFLED)
    assert {leak.fold for leak in report.leaks} == {0, 1, 2}
    assert kinds(report) == {LeakKind.SUBJECT}


def test_splits_may_be_masks(windows):
    mask = GROUPS == "S1"
    assert record(windows, [(~mask, mask)]).ok
    assert kinds(record(windows, [(mask, mask)])) >= {LeakKind.SUBJECT}


# overlapping windows


def overlapping(windows, onset, cv=None, duration=10.0, **columns):
    some = assign(windows, onset=np.asarray(onset), **columns)
    leaks = record(some, cv, duration=duration).leaks
    return next((leak for leak in leaks if leak.kind == LeakKind.OVERLAP), None)


def test_overlapping_windows_on_both_sides_are_found(windows):
    onset = np.tile(np.arange(N_EACH) * 5.0, N_SUBJECTS)
    for given in (["recording"], []):
        some = replace(windows, info=windows.info[["subject", "label", *given]])
        leak = overlapping(some, onset, [(np.r_[0:3, 6:24], [3, 4, 5])])
        assert (leak.train_rows, leak.test_rows) == ((2,), (3,))
        assert "5 s apart, e.g. train row 2 of S1 and test row 3 of S1" in leak.message


def test_overlaps_are_those_of_comparing_all_pairs(windows):
    rng = np.random.default_rng(3)
    onset = rng.uniform(0, 60, len(GROUPS)).round(1)
    train = rng.permutation(24)[:15]
    test = np.setdiff1d(np.arange(24), train)[:6]
    close = np.abs(onset[train][:, np.newaxis] - onset[test]) < 10 - 1e-9
    close &= RECORDING[train][:, np.newaxis] == RECORDING[test]
    leak = overlapping(windows, onset, [(train, test)])
    assert leak.train_rows == tuple(sorted(train[close.any(axis=1)]))
    assert leak.test_rows == tuple(sorted(test[close.any(axis=0)]))


def test_windows_that_touch_do_not_overlap(windows):
    cv = [(np.arange(3), np.arange(3, 6))]
    for start, step in [(0, 0.1), (1.6e9, 0.1), (1234.56, 60 / 7)]:
        onset = start + np.tile(np.arange(N_EACH), N_SUBJECTS) * step
        assert overlapping(windows, onset, cv, duration=step) is None
        assert overlapping(windows, onset, cv, duration=step * 1.001) is not None


def test_windows_of_other_recordings_do_not_overlap(windows):
    assert overlapping(windows, np.zeros(24)) is None
    two = np.tile([0, 0, 0, 1, 1, 1], 4) + 2 * RECORDING
    onset = np.tile([0.0, 10, 20], 8)
    assert overlapping(windows, onset, [([0, 1, 2], [3, 4, 5])], recording=two) is None


def test_one_recording_for_two_subjects_is_explained(windows):
    leak = overlapping(windows, windows.onset, recording=np.zeros(24, dtype=int))
    assert "train row 6 of S2 and test row 0 of S1 in recording 0" in leak.message


# duplicated windows


def test_windows_that_two_subjects_share_are_found(windows):
    arrays = {name: array.copy() for name, array in windows.X.items()}
    for array in arrays.values():
        array[20] = array[1]
    report = record(windows, X=SignalDict(arrays))
    assert kinds(report) == {LeakKind.DUPLICATE}
    assert [leak.fold for leak in report.leaks] == [0, 3]
    assert (report.leaks[0].train_rows, report.leaks[0].test_rows) == ((20,), (1,))


def test_windows_alike_in_one_of_two_modalities_are_no_duplicates(windows):
    bvp = windows.X["bvp"].copy()
    bvp[20] = bvp[1]
    assert record(windows, X=SignalDict(bvp=bvp, eda=windows.X["eda"])).ok


def test_a_row_on_both_sides_is_a_duplicate(windows):
    leaks = record(windows, [([0, 1, 2], [2, 3])]).leaks
    (leak,) = [leak for leak in leaks if leak.kind == LeakKind.DUPLICATE]
    assert "test row 2 has the samples of train row 2" in leak.message


def test_constant_windows_are_not_taken_for_duplicates(windows):
    eda = windows.X["eda"].copy()
    eda[[1, 20]] = 0.5
    report = record(windows, X=eda)
    assert report.ok
    assert any("2 of 24 windows are constant" in note for note in report.notes)


# encoders pre-trained on test subjects


def predictor(step):
    return make_pipeline(step, LogisticRegression())


def test_an_encoder_pre_trained_on_a_test_subject_is_found(windows):
    encoder = Encoder().fit(windows.X, groups=np.array(["S2", "N1"]))
    frozen, search = FrozenEstimator(encoder), GridSearchCV(Encoder(), {})
    search.best_estimator_ = encoder
    holders = {
        "pipeline": predictor(frozen),
        "search": GridSearchCV(predictor(frozen), {}),
        "frozen pipeline": predictor(FrozenEstimator(make_pipeline(encoder))),
        "frozen search": predictor(FrozenEstimator(search)),
        "parameter": Net(callbacks={"encoder": frozen}),
        "frozen": frozen,
        "bare": encoder,
    }
    for name, model in holders.items():
        (leak,) = record(windows, models={name: model}).leaks
        assert leak.kind == LeakKind.PRETRAINED
        assert (leak.fold, leak.test_rows) == (1, tuple(range(6, 12)))
        assert "trained on S2" in leak.message and repr(name) in leak.message


def test_subjects_are_compared_across_types(windows):
    numbered = assign(windows, subject=RECORDING)
    for seen in (np.array(["1", "7"]), np.array([1.0, 7.0]), np.array([1, 7])):
        encoder = FrozenEstimator(Encoder().fit(windows.X, groups=seen))
        report = record(numbered, models=predictor(encoder))
        assert [leak.fold for leak in report.leaks] == [1]


def test_a_fitted_encoder_that_is_not_frozen_is_no_leak(windows):
    fitted = predictor(Encoder().fit(windows.X, groups=GROUPS))
    report = record(windows, models=fitted)
    assert report.ok and not hasattr(clone(fitted)[0], "groups_seen_")
    assert any("not frozen" in note for note in report.notes)


def test_an_encoder_fitted_without_groups_is_noted(windows):
    report = record(windows, models=predictor(FrozenEstimator(Encoder().fit(windows.X))))
    assert "No leak found. Not known: whom Encoder has seen" in report.verdict


def test_an_encoder_of_which_only_the_settings_are_used_is_no_leak(windows):
    class Classifier(Net):
        def __init__(self, encoder, mode):
            self.encoder = encoder
            self.mode = mode

        def pretrain(self, X, groups=None):
            return self

    encoder = FrozenEstimator(Encoder().fit(windows.X, groups=GROUPS))
    assert record(windows, models=Classifier(encoder, "supervised")).ok
    assert not record(windows, models=Classifier(encoder, "fine_tuned")).ok


def test_a_classifier_trained_on_test_subjects_is_never_excused(windows):
    net = Net().fit(windows.X)
    net.groups_seen_ = SUBJECTS[:1]
    report = record(windows, models=FrozenEstimator(net), transductive=True)
    assert kinds(report) == {LeakKind.TRAINED}


# scaling


SCALERS = [StandardScaler(), MinMaxScaler(), RobustScaler(), SimpleImputer(), PCA(2)]


def test_a_frozen_scaler_fitted_on_all_rows_is_found(features):
    for scaler in SCALERS:
        frozen = FrozenEstimator(clone(scaler).fit(features.X))
        report = record(features, models={"probe": predictor(frozen)}, transductive=True)
        assert kinds(report) == {LeakKind.SCALED}
        assert type(scaler).__name__ in report.leaks[0].message


def test_a_scaler_fitted_on_other_rows_is_noted(features):
    other = np.random.default_rng(5).gamma(3, size=(50, 5))
    for scaler in SCALERS:
        report = record(features, models=predictor(FrozenEstimator(clone(scaler).fit(other))))
        assert f"No leak found. Not known: on which rows {type(scaler).__name__}" in str(report)


def test_a_scaler_fitted_in_the_fold_is_no_leak(features):
    for scaler in SCALERS:
        report = record(features, models=predictor(clone(scaler).fit(features.X)))
        assert report.ok and report.notes == []


def test_a_scaler_to_which_the_test_rows_make_no_difference_is_no_leak(features):
    X = np.tile(features.X[:N_EACH], (N_SUBJECTS, 1)) // 0.5
    median = SimpleImputer(strategy="median").fit(X)
    report = record(features, X=X, models=predictor(FrozenEstimator(median)))
    assert LeakKind.SCALED not in kinds(report)


def test_a_frozen_scaler_is_found_behind_steps_that_learn_nothing(windows):
    X = SignalDict(bvp=windows.X["bvp"], eda=windows.X["eda"][:, :1])
    frozen = FrozenEstimator(Flat().fit(X["eda"]))
    per_modality = PerModality({"eda": frozen}, remainder="drop")
    pipeline = make_pipeline("passthrough", SelectModality("eda"), frozen)
    for step in (per_modality, pipeline):
        assert kinds(record(windows, X=X, models=predictor(step))) == {LeakKind.SCALED}


class Flat(StandardScaler):
    """A scaler of one-channel windows."""

    def fit(self, X, y=None):
        return super().fit(X[:, 0], y)

    def transform(self, X):
        return super().transform(X[:, 0])


def test_a_frozen_scaler_behind_a_fitted_step_is_noted(windows):
    scaler = StandardScaler().fit(windows.X["bvp"][:, 0])
    pipeline = make_pipeline(FirstModality(), FrozenEstimator(scaler), LogisticRegression())
    report = record(windows, models=pipeline)
    assert report.ok
    assert sum("StandardScaler" in text for text in report.unknown) == 1


def test_a_frozen_forest_is_one_note(features):
    forest = RandomForestClassifier(5, random_state=0).fit(features.X, features.y)
    report = record(features, models=FrozenEstimator(forest))
    assert report.ok
    (text,) = report.unknown
    assert "RandomForestClassifier" in text and "Tree" not in text


def zscore(X, axis):
    return (X - X.mean(axis=axis, keepdims=True)) / X.std(axis=axis, keepdims=True)


def unit_range(X, axis):
    low = X.min(axis=axis, keepdims=True)
    return (X - low) / (X.max(axis=axis, keepdims=True) - low)


def by_subject(scale, X, axis):
    return np.concatenate([scale(part, axis) for part in np.split(X, N_SUBJECTS)])


SCALES = list(product([zscore, unit_range], DTYPES))


def test_windows_scaled_over_all_rows_are_found(windows):
    for (scale, dtype), axis in product(SCALES, [(0, 2), 0]):
        eda = scale(windows.X["eda"], axis).astype(dtype)
        scaled = SignalDict(bvp=windows.X["bvp"], eda=eda)
        (leak,) = record(windows, X=scaled, transductive=True).leaks
        assert leak.kind == LeakKind.SCALED
        assert "eda was scaled over all rows" in leak.message


def test_features_scaled_over_all_rows_are_found(features):
    for scale, dtype in SCALES:
        X = np.c_[scale(features.X, 0), np.zeros(24)].astype(dtype)
        assert kinds(record(features, X=X)) == {LeakKind.SCALED}


def test_windows_scaled_over_each_subject_are_found(windows):
    for scale, dtype in SCALES:
        X = by_subject(scale, windows.X["eda"], (0, 2)).astype(dtype)
        assert kinds(record(windows, X=X)) == {LeakKind.SCALED_BY_SUBJECT}
        declared = record(windows, X=X, transductive="z-scores per subject")
        assert declared.ok
        assert [leak.kind for leak in declared.declared] == [LeakKind.SCALED_BY_SUBJECT]
        assert "Declared as transductive (z-scores per subject)" in str(declared)


def test_windows_scaled_one_by_one_are_no_leak(windows):
    for scale, dtype in SCALES:
        X = scale(windows.X["eda"], 2).astype(dtype)
        for some in (X, X[:, 0]):
            report = record(windows, X=some)
            assert report.ok
            assert not any("standard" in note for note in report.notes)


def test_a_scaler_fitted_on_training_rows_is_no_leak(features):
    train, test = np.arange(6, 24), np.arange(6)
    for scaler in (StandardScaler(), MinMaxScaler()):
        X = scaler.fit(features.X[train]).transform(features.X)
        assert record(features, [(train, test)], X=X).ok


def test_clipped_signals_and_codes_are_not_taken_for_scaled_ones(windows):
    for shape in [(24, 30), (24, 1, 40)]:
        clipped = np.random.default_rng(0).normal(0.5, 1, size=shape).clip(0, 1)
        for X in (clipped, clipped > 0.5, (clipped > 0.5).astype(np.uint8)):
            assert record(windows, X=X).ok


def test_recordings_standardised_before_they_were_cut_are_pointed_out(windows):
    X = by_subject(zscore, windows.X["eda"], (0, 2))
    some = replace(windows, X=X).select(np.arange(24) % 6 > 0)
    report = record(some)
    assert report.ok
    assert any("declare it with transductive" in note for note in report.notes)
    assert not any("declare it" in note for note in record(some, transductive=True).notes)


def test_features_with_gaps_are_noted(features):
    features.X[3, 2] = np.nan
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


HOLDERS = {
    "mapping": lambda X: Net(train_split=split_on(X)),
    "dict": lambda X: Net(train_split=split_on(dict(X))),
    "list": lambda X: Net(train_split=split_on([X["bvp"], X["eda"]])),
    "closure": lambda X: Net(train_split=lambda some, y: (some, X)),
    "method": lambda X: Net(train_split=Callback(X).split),
    "callback": lambda X: Net(callbacks=[("best", Callback(X["eda"]))]),
    "frozen": lambda X: predictor(FrozenEstimator(make_pipeline(Net(train_split=split_on(X))))),
    "grid": lambda X: GridSearchCV(Net(), {"train_split": [split_on(X)]}),
}


def test_test_windows_that_choose_the_epoch_are_found(windows):
    rows = np.r_[2:5, 8]
    for (name, hold), dtype in product(HOLDERS.items(), DTYPES):
        held = SignalDict({key: array[rows].astype(dtype) for key, array in windows.X.items()})
        leaks = record(windows, models={name: hold(held)}, transductive=True).leaks
        leaks = [leak for leak in leaks if leak.kind == LeakKind.EPOCHS]
        assert {leak.fold: leak.test_rows for leak in leaks} == {0: (2, 3, 4), 1: (8,)}
        assert repr(name) in leaks[0].message


def test_validation_windows_of_training_subjects_are_no_leak(windows):
    net = Net(train_split=split_on(windows.X[GROUPS == "S4"]))
    cv = [(np.arange(6, 24), np.arange(6)), (np.r_[0:6, 12:24], np.arange(6, 12))]
    assert audit_leakage(windows, cv, net).ok


def test_only_the_rows_of_a_part_of_a_data_set_count(windows):
    part = SimpleNamespace(dataset=SimpleNamespace(X=windows.X), indices=[18, 19])
    net = Net(train_split=partial(print, valid_ds=part))
    assert audit_leakage(windows, [(np.arange(6, 24), np.arange(6))], net).ok
    assert [leak.fold for leak in record(windows, models=net).leaks] == [3]


def test_validation_windows_that_are_not_in_X_are_noted(windows):
    net = Net(train_split=split_on(np.ones((3, 1, 7)) * np.arange(7)))
    (text,) = record(windows, models=net).unknown
    assert "train_split" in text and "not in X" in text


def test_skorch_validation_sets_are_looked_into(windows):
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split
    from torch import from_numpy
    from torch.utils.data import Subset, TensorDataset

    from physio_ssl import SSLEncoder

    eda = from_numpy(windows.X["eda"]).float()
    for dataset in (Dataset(dict(windows.X[:6])), Subset(TensorDataset(eda), range(6))):
        encoder = SSLEncoder(train_split=predefined_split(dataset))
        leaks = record(windows, models=predictor(encoder)).leaks
        assert [leak.fold for leak in leaks] == [0]
    assert record(windows, models=predictor(SSLEncoder())).ok


# what comes out


def test_the_error_names_kinds_folds_and_rows(windows):
    with pytest.raises(LeakageError, match="subject on both sides") as caught:
        audit_leakage(assign(windows, onset=windows.onset / 2), SHUFFLED)
    message = str(caught.value)
    for text in ("overlapping", "folds 0, 1, 2", "train rows", "(16 in all)"):
        assert text in message
    assert kinds(caught.value.report) == {LeakKind.SUBJECT, LeakKind.OVERLAP}


def test_the_error_can_be_pickled(windows):
    with pytest.raises(LeakageError, match="subject") as caught:
        audit_leakage(windows, KFold(5))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_report_becomes_json_with_few_rows(windows):
    report = record(windows, [(np.arange(2, 24), [0, 1])])
    verdict = json.loads(json.dumps(report.to_dict(n_rows=3)))
    (leak,) = verdict["leaks"]
    assert leak["train_rows"] == [2, 3, 4] and leak["n_train_rows"] == 4
    assert leak["kind"] == "subject on both sides"
    assert verdict["looked_at"] and verdict["not_seen"]
    assert len(report.verdict) < 400


def test_declared_leaks_are_one_line_for_all_folds(windows):
    encoder = FrozenEstimator(Encoder().fit(windows.X, groups=GROUPS))
    report = audit_leakage(
        windows, models=predictor(encoder), pretrained_on_test_subjects="as in the paper"
    )
    assert "Declared as pretrained_on_test_subjects (as in the paper)" in str(report)
    (line,) = report.to_dict()["declared"]
    assert report.ok and "folds 0, 1, 2, 3" in line


def test_nothing_is_changed(windows):
    before = {name: array.copy() for name, array in windows.X.items()}
    record(windows, models=predictor(FrozenEstimator(Flat().fit(windows.X["bvp"]))))
    for name, array in before.items():
        np.testing.assert_array_equal(windows.X[name], array)


def test_samples_are_read_once_for_all_folds(windows, monkeypatch):
    sizes, hash_windows = [], audit.hash_windows

    def count(array):
        sizes.append(array.size)
        return hash_windows(array)

    for module in (audit, pretrained):
        monkeypatch.setattr(module, "hash_windows", count)
    models = {"net": Net(train_split=split_on(windows.X["eda"][:5]))}
    work = []
    for cv in (GroupKFold(2), LeaveOneGroupOut()):
        sizes.clear()
        record(windows, cv, models)
        work.append(sum(sizes))
    assert work[0] == work[1] > 0


# bad input


def test_input_that_does_not_fit_is_refused(windows):
    for error, match, changes in [
        (ValueError, "onset", {"windows": assign(windows, onset=np.full(24, np.inf))}),
        (ValueError, "duration.* 0", {"windows": replace(windows, duration=0)}),
        (ValueError, "on_leak.*'warn'", {"on_leak": "warn"}),
        (ValueError, r"pairs.*\[\]", {"cv": []}),
        (ValueError, r"pairs.*\[3\]", {"cv": [([0], [1], [2])]}),
        (ValueError, "Fold 0.* 23.*24", {"cv": [([0, 1], [24])]}),
        (ValueError, "Fold 0.*-1", {"cv": [([-1, 1], [2])]}),
        (ValueError, r"Fold 0.*\[\]", {"cv": [([0, 1], [])]}),
        (ValueError, "Fold 0.*0.5", {"cv": [([0.5], [1])]}),
        (TypeError, "cv.* 5", {"cv": 5}),
        (TypeError, "Windows.*ndarray", {"windows": np.zeros((24, 3))}),
        (TypeError, "real numbers", {"windows": replace(windows, X=np.array(["a"] * 24))}),
        (TypeError, r"models.*\[Net", {"models": [Net()]}),
        (TypeError, "models.*'net'", {"models": {"net": Net}}),
        (TypeError, "transductive", {"transductive": ""}),
        (TypeError, "pretrained.* 3", {"pretrained_on_test_subjects": 3}),
    ]:
        with pytest.raises(error, match=match):
            audit_leakage(**{"windows": windows, **changes})
