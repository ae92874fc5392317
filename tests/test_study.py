"""leave_subjects_out and label_efficiency: folds, seeds, searches, files, protocols."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

from physio_ssl import SignalDict, SSLClassifier, SSLEncoder
from physio_ssl.evaluation import (
    LeakageError,
    StudyResults,
    label_efficiency,
    leave_subjects_out,
    make_baselines,
)

SUBJECTS = [f"S{i}" for i in range(5)]
GROUPS = np.repeat(SUBJECTS, 12)
Y = np.tile(["rest", "rest", "stress"], 20)
ONSET = np.tile(np.arange(12) * 30.0, 5)


def make_features(seed=0):
    return np.random.default_rng(seed).normal(size=(60, 4)) + (Y == "stress")[:, np.newaxis]


def make_windows(seed=0):
    rng = np.random.default_rng(seed)
    amplitude = np.where(Y == "stress", 2.0, 0.7)[:, np.newaxis, np.newaxis]
    return SignalDict(
        bvp=amplitude * rng.normal(size=(60, 1, 64)), eda=rng.normal(5, 1, size=(60, 1, 40))
    )


FEATURES, X = make_features(), make_windows()


def linear():
    return LogisticRegression(max_iter=1000)


def flatten(X):
    return np.hstack([array[:, 0] for array in X.values()])


def make_encoder(**kwargs):
    return SSLEncoder(**{"module__d_model": 8, "max_epochs": 1, "random_state": 0, **kwargs})


@pytest.fixture(scope="module")
def frozen():
    return FrozenEstimator(make_encoder().fit(make_windows(1), groups=np.repeat("other", 60)))


def numbers(results):
    """All records but for the time they took."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in results.records]


class Watched(ClassifierMixin, BaseEstimator):
    """Writes down the rows that it is fitted on and asked about; X holds row numbers."""

    seen = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Watched.seen.append(("fit", np.sort(X[:, 0]).astype(int)))
        return self

    def predict(self, X):
        Watched.seen.append(("predict", X[:, 0].astype(int)))
        return np.repeat(self.classes_[:1], len(X))


ROWS = np.random.default_rng(0).normal(size=(60, 2))
ROWS[:, 0] = np.arange(60)


@pytest.fixture
def seen():
    Watched.seen.clear()
    return Watched.seen


# Folds and scores


def test_each_subject_is_held_out_once(seen):
    leave_subjects_out({"watched": Watched()}, ROWS, Y, GROUPS)
    fits, predictions = seen[::2], seen[1::2]
    assert len(fits) == len(predictions) == 5
    for subject, (_, train), (_, test) in zip(SUBJECTS, fits, predictions, strict=True):
        np.testing.assert_array_equal(train, np.flatnonzero(GROUPS != subject))
        np.testing.assert_array_equal(test, np.flatnonzero(GROUPS == subject))


def test_scores_are_those_of_a_loop_by_hand():
    results = leave_subjects_out({"linear": linear()}, FEATURES, Y, GROUPS)
    for record, (train, test) in zip(
        results.records, LeaveOneGroupOut().split(FEATURES, Y, GROUPS), strict=True
    ):
        predicted = linear().fit(FEATURES[train], Y[train]).predict(FEATURES[test])
        assert record["macro_f1"] == pytest.approx(f1_score(Y[test], predicted, average="macro"))
        assert record["subject"] == GROUPS[test][0]
        assert record["class_counts"] == {"rest": 8, "stress": 4}


def test_several_subjects_of_a_fold_are_scored_one_by_one():
    results = leave_subjects_out({"linear": linear()}, FEATURES, Y, GROUPS, cv=GroupKFold(2))
    assert sorted(results.subjects) == SUBJECTS
    assert {record["fold"] for record in results.records} == {0, 1}


def test_one_estimator_needs_no_name():
    results = leave_subjects_out(linear(), FEATURES, Y, GROUPS)
    assert results.estimators == ["logisticregression"]


def test_integer_and_text_labels_score_alike():
    text = leave_subjects_out(linear(), FEATURES, Y, GROUPS)
    number = leave_subjects_out(linear(), FEATURES, (Y == "stress").astype(int), GROUPS)
    scores = [[record["macro_f1"] for record in r.records] for r in (text, number)]
    assert scores[0] == scores[1]


def test_a_class_missing_for_a_subject_makes_its_scores_missing_not_zero():
    y = Y.copy()
    y[GROUPS == "S3"] = "rest"
    results = leave_subjects_out({"linear": linear()}, FEATURES, y, GROUPS)
    record = results.records[3]
    assert record["class_counts"] == {"rest": 12, "stress": 0}
    assert record["macro_f1"] is record["auroc"] is None
    assert record["accuracy"] is not None
    row = results.summary("macro_f1").iloc[0]
    assert (row["n_subjects"], row["n_missing"]) == (4, 1)


def test_a_subject_may_have_a_single_window():
    keep = np.r_[0:48, 48]
    results = leave_subjects_out(linear(), FEATURES[keep], Y[keep], GROUPS[keep])
    assert results.records[-1]["n_windows"] == 1


def test_a_class_no_training_subject_has_gets_probability_zero():
    y = np.where((GROUPS == "S0") & (Y == "stress"), "panic", Y)
    results = leave_subjects_out({"linear": linear()}, FEATURES, y, GROUPS, keep_predictions=True)
    probability = np.array(results.records[0]["predictions"]["probability"])
    assert probability.shape == (12, 3)
    assert (probability[:, 0] == 0).all()


def test_targets_get_a_model_each():
    y = {"arousal": Y, "valence": np.roll(Y, 1)}
    results = leave_subjects_out({"linear": linear()}, FEATURES, y, GROUPS)
    assert results.conditions == {"target": ["arousal", "valence"]}
    alone = leave_subjects_out({"linear": linear()}, FEATURES, y["valence"], GROUPS)
    valence = [record for record in results.records if record["target"] == "valence"]
    assert [r["accuracy"] for r in valence] == [r["accuracy"] for r in alone.records]


def test_predictions_are_kept_on_request():
    results = leave_subjects_out(linear(), FEATURES, Y, GROUPS, keep_predictions=True)
    kept = results.records[2]["predictions"]
    np.testing.assert_array_equal(kept["row"], np.flatnonzero(GROUPS == "S2"))
    accuracy = np.mean(Y[kept["row"]] == np.array(kept["predicted"]))
    assert accuracy == results.records[2]["accuracy"]
    assert "predictions" not in leave_subjects_out(linear(), FEATURES, Y, GROUPS).records[0]


def test_baselines_are_ready_made():
    rng = np.random.default_rng(0)
    windows = SignalDict(bvp=rng.normal(size=(60, 1, 640)), eda=rng.normal(5, 1, (60, 1, 40)))
    results = leave_subjects_out(make_baselines({"bvp": 64, "eda": 4}), windows, Y, GROUPS)
    assert results.estimators == ["majority class", "hand-crafted, random forest"]
    assert results.records[0]["accuracy"] == pytest.approx(2 / 3)  # eight of twelve are rest


def test_the_protocol_says_how_scores_were_made():
    results = leave_subjects_out(linear(), FEATURES, Y, GROUPS, transductive="z-scored by subject")
    assert results.protocol["protocol"] == "leak_free"
    assert results.protocol["transductive"] == "z-scored by subject"
    assert results.protocol["audit"]["ok"]
    assert results.protocol["random_state"] == 0
    json.dumps(results.protocol)


# Seeds and processes


def make_study():
    return {
        "majority": DummyClassifier(strategy="stratified"),
        "forest": make_pipeline(FunctionTransformer(flatten), RandomForestClassifier(5)),
        "inside": make_pipeline(make_encoder(random_state=None), StandardScaler(), linear()),
        "tuned": SSLClassifier(make_encoder(), "fine_tuned", max_epochs=1, min_steps=2),
    }


@pytest.fixture(scope="module")
def study():
    return leave_subjects_out(make_study(), X, Y, GROUPS, keep_predictions=True)


def test_the_number_of_jobs_changes_no_number(study):
    parallel = leave_subjects_out(make_study(), X, Y, GROUPS, keep_predictions=True, n_jobs=2)
    assert numbers(parallel) == numbers(study)


def test_another_seed_gives_other_numbers(study):
    models = {"majority": DummyClassifier(strategy="stratified")}
    other = leave_subjects_out(models, X, Y, GROUPS, random_state=1, keep_predictions=True)
    assert numbers(other) != [r for r in numbers(study) if r["estimator"] == "majority"]


def test_an_estimators_own_seed_is_kept():
    model = RandomForestClassifier(3, random_state=7)
    ours, theirs = (
        leave_subjects_out(model, FEATURES, Y, GROUPS, random_state=seed) for seed in (0, 1)
    )
    assert numbers(ours) == numbers(theirs)


def test_estimators_are_left_unfitted():
    model = linear()
    leave_subjects_out(model, FEATURES, Y, GROUPS)
    assert not hasattr(model, "coef_")


# Searches and embeddings


def test_a_search_sees_the_training_subjects_only(seen):
    class Searched(Watched):
        def __init__(self, guess=0):
            self.guess = guess

    leave_subjects_out(
        {"watched": Searched()}, ROWS, Y, GROUPS, search={"watched": {"guess": [0, 1]}}
    )
    per_fold = [seen[i : i + len(seen) // 5] for i in range(0, len(seen), len(seen) // 5)]
    for subject, calls in zip(SUBJECTS, per_fold, strict=True):
        *inner, (last, rows) = calls
        assert last == "predict" and set(GROUPS[rows]) == {subject}
        for _, rows in inner:
            assert subject not in GROUPS[rows]


def test_inner_folds_are_split_by_subject(seen):
    class Searched(Watched):
        def __init__(self, guess=0):
            self.guess = guess

    leave_subjects_out(
        {"watched": Searched()}, ROWS, Y, GROUPS, search={"watched": {"guess": [0]}}, inner_cv=2
    )
    kinds = [kind for kind, _ in seen]
    fits = [i for i, kind in enumerate(kinds[:-1]) if (kind, kinds[i + 1]) == ("fit", "predict")]
    assert len(fits) == 5 * 3  # two inner folds, and all training subjects
    for i in fits:
        assert not set(GROUPS[seen[i][1]]) & set(GROUPS[seen[i + 1][1]])


def test_the_search_finds_what_a_nested_loop_finds():
    grid = {"C": [1e-4, 1.0]}
    results = leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS, search={"l": grid})
    for record in results.records:
        train = GROUPS != record["subject"]
        search = GridSearchCV(linear(), grid, scoring="f1_macro", cv=GroupKFold(4))
        search.fit(FEATURES[train], Y[train], groups=GROUPS[train])
        assert record["best_params"] == search.best_params_


@pytest.fixture
def embedded(monkeypatch):
    """Numbers of windows that encoders embed, call by call."""
    counts, transform = [], SSLEncoder.transform
    monkeypatch.setattr(
        SSLEncoder, "transform", lambda self, X: counts.append(len(X)) or transform(self, X)
    )
    return counts


GRID = {"logisticregression__C": np.logspace(-3, 2, 8).tolist()}


def test_a_frozen_encoder_embeds_each_window_once_for_a_whole_study(frozen, embedded):
    model = make_pipeline(frozen, StandardScaler(), linear())
    leave_subjects_out({"frozen": model}, X, Y, GROUPS, search={"frozen": GRID})
    assert embedded == [60]


def test_an_encoder_inside_the_fold_embeds_each_window_once_per_fold(embedded):
    model = make_pipeline(make_encoder(), StandardScaler(), linear())
    leave_subjects_out({"inside": model}, X, Y, GROUPS, search={"inside": GRID})
    assert embedded == [60] * 5


def test_a_frozen_head_that_is_searched_shares_one_embedding(frozen, embedded):
    model = SSLClassifier(frozen, max_epochs=1, min_steps=0)
    grid = {"lr": [1e-3, 1e-2], "module__hidden_size": [2, 3, 4, 5]}
    leave_subjects_out({"head": model}, X, Y, GROUPS, search={"head": grid}, inner_cv=2)
    assert embedded == [60]


def test_embedding_once_changes_no_number(frozen):
    pipeline = make_pipeline(make_encoder(), StandardScaler(), linear())
    results = leave_subjects_out({"inside": pipeline}, X, Y, GROUPS, keep_predictions=True)
    for record in results.records:
        train = np.flatnonzero(GROUPS != record["subject"])
        test = np.flatnonzero(GROUPS == record["subject"])
        by_hand = pipeline.fit(X[train], Y[train]).predict_proba(X[test])
        np.testing.assert_allclose(record["predictions"]["probability"], by_hand, atol=1e-6)


def test_settings_of_the_encoder_can_be_searched():
    model = make_pipeline(make_encoder(), StandardScaler(), linear())
    grid = {"sslencoder__module__d_model": [4, 8]}
    results = leave_subjects_out(
        {"m": model}, X, Y, GROUPS, search={"m": grid}, inner_cv=2, cv=GroupKFold(2)
    )
    assert results.records[0]["best_params"]["sslencoder__module__d_model"] in (4, 8)


def test_a_step_that_mixes_windows_sees_training_windows_by_themselves():
    shifted = FEATURES + 50 * (GROUPS == "S0")[:, np.newaxis]
    model = make_pipeline(FunctionTransformer(scale), linear())
    results = leave_subjects_out({"m": model}, shifted, Y, GROUPS, keep_predictions=True)
    for record in results.records:
        train = GROUPS != record["subject"]
        by_hand = model.fit(shifted[train], Y[train]).predict_proba(shifted[~train])
        np.testing.assert_allclose(record["predictions"]["probability"], by_hand)


def test_two_functions_of_one_name_are_not_taken_for_one():
    def pick(column):
        return FunctionTransformer(lambda X: X[:, [column]])

    models = {str(i): make_pipeline(pick(i), linear()) for i in range(2)}
    both = leave_subjects_out(models, FEATURES, Y, GROUPS, keep_predictions=True)
    alone = leave_subjects_out({"1": models["1"]}, FEATURES, Y, GROUPS, keep_predictions=True)
    assert numbers(both)[5:] == numbers(alone)


def test_pretraining_inside_a_study_is_that_of_fit():
    model = SSLClassifier(make_encoder(random_state=None), max_epochs=2, random_state=5)
    results = leave_subjects_out({"m": model}, X, Y, GROUPS, keep_predictions=True)
    train = GROUPS != "S0"
    by_hand = model.fit(X[train], Y[train]).predict_proba(X[~train])
    kept = results.records[0]["predictions"]["probability"]
    np.testing.assert_allclose(kept, by_hand, atol=1e-6)


def test_frames_and_lists_are_data_too():
    expected = numbers(leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS))
    frame = pd.DataFrame(FEATURES, columns=list("abcd"))
    for X in (frame, FEATURES.tolist()):
        study = leave_subjects_out({"l": linear()}, X, Y.tolist(), pd.Series(GROUPS))
        assert numbers(study) == expected


@pytest.mark.parametrize("kind", ["generator", "masks", "list"])
def test_splits_may_be_given(kind):
    splits = LeaveOneGroupOut().split(FEATURES, Y, GROUPS)
    if kind == "masks":
        splits = [(GROUPS != subject, GROUPS == subject) for subject in SUBJECTS]
    y = {"arousal": Y, "valence": np.roll(Y, 1)}
    given = leave_subjects_out(
        {"l": linear()}, FEATURES, y, GROUPS, cv=list(splits) if kind == "list" else splits
    )
    assert numbers(given) == numbers(leave_subjects_out({"l": linear()}, FEATURES, y, GROUPS))


def test_metadata_routing_does_no_harm(frozen):
    model = make_pipeline(FunctionTransformer(), SSLClassifier(frozen, early_stopping=2))
    expected = numbers(leave_subjects_out({"m": model}, X, Y, GROUPS))
    with config_context(enable_metadata_routing=True):
        assert numbers(leave_subjects_out({"m": model}, X, Y, GROUPS)) == expected


def test_early_stopping_is_told_the_subjects(frozen):
    model = SSLClassifier(frozen, early_stopping=2, max_epochs=3)
    plain = leave_subjects_out({"m": model}, X, Y, GROUPS)
    behind = make_pipeline(FunctionTransformer(), model)
    searched = leave_subjects_out(
        {"m": behind}, X, Y, GROUPS, search={"m": {"sslclassifier__lr": [1e-3]}}
    )
    assert [r["accuracy"] for r in plain.records] == [r["accuracy"] for r in searched.records]


def test_ones_own_grouped_search_is_told_the_subjects():
    search = GridSearchCV(linear(), {"C": [0.1, 1]}, cv=GroupKFold(2))
    assert len(leave_subjects_out({"own": search}, FEATURES, Y, GROUPS).records) == 5


# Files


def test_a_finished_study_is_read_back(study, tmp_path):
    first = leave_subjects_out(
        make_study(), X, Y, GROUPS, keep_predictions=True, folder=tmp_path / "new" / "study"
    )
    assert numbers(first) == numbers(study)
    again = leave_subjects_out(
        make_study(), X, Y, GROUPS, keep_predictions=True, folder=tmp_path / "new" / "study"
    )
    assert again.records == first.records  # the times, too: nothing was run


def test_what_was_changed_is_run_anew(tmp_path, seen):
    def run(**change):
        settings = {"X": ROWS, "y": Y, "groups": GROUPS, "folder": tmp_path, **change}
        seen.clear()
        leave_subjects_out({"watched": Watched()}, **settings)
        return len(seen) // 2

    assert run() == 5
    assert run() == 0
    assert run(X=ROWS + np.array([0, 1e-9])) == 5
    assert run(y=np.roll(Y, 1)) == 5
    assert run(groups=np.char.add("x", GROUPS)) == 5
    assert run(keep_predictions=True) == 5
    assert run(random_state=3) == 5
    assert run() == 0


def test_names_of_estimators_stay_inside_the_folder(tmp_path):
    folder = tmp_path / "study"
    leave_subjects_out({"../../up and / away": linear()}, FEATURES, Y, GROUPS, folder=folder)
    assert len(list(folder.iterdir())) == 5
    assert list(tmp_path.iterdir()) == [folder]


STUDY_TO_KILL = """
import sys, time
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from physio_ssl.evaluation import leave_subjects_out

class Slow(RandomForestClassifier):
    def fit(self, X, y):
        time.sleep(0.15)
        return super().fit(X, y)

y = np.tile([0, 1, 2], 40)
X = np.random.default_rng(0).normal(size=(120, 3)) + y[:, None] / 2
models = {name: Slow(4) for name in "ab"}
groups = np.repeat(np.arange(10), 12)
n_jobs, folder, path = sys.argv[1:]
leave_subjects_out(models, X, y, groups, folder=folder, n_jobs=int(n_jobs)).save(path)
"""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_study_goes_on_with_the_same_numbers(n_jobs, tmp_path):
    script = tmp_path / "study.py"
    script.write_text(STUDY_TO_KILL)
    command = [sys.executable, script, str(n_jobs)]
    folder, killed, whole = tmp_path / "folds", tmp_path / "killed.json", tmp_path / "whole.json"
    process = subprocess.Popen([*command, folder, killed], start_new_session=True)
    while not list(folder.glob("*.json")):  # that it has begun; then at any moment
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 1))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.5)  # workers that outlive it write their fold, or do not
    done = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert 0 < len(done) < 20
    assert not killed.exists()
    subprocess.run([*command, folder, killed], check=True, capture_output=True)
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    subprocess.run([*command, tmp_path / "other", whole], check=True, capture_output=True)
    assert numbers(StudyResults.load(killed)) == numbers(StudyResults.load(whole))


def test_a_damaged_file_is_computed_anew(tmp_path):
    first = leave_subjects_out(linear(), FEATURES, Y, GROUPS, folder=tmp_path)
    path, other, *_ = sorted(tmp_path.iterdir())
    path.write_text("")
    other.write_text("{}")
    assert numbers(leave_subjects_out(linear(), FEATURES, Y, GROUPS, folder=tmp_path)) == numbers(
        first
    )


def test_names_that_look_alike_do_not_mix(tmp_path):
    for name in ("a b", "a-b", "x" * 50, "x" * 51):
        study = leave_subjects_out({name: linear()}, FEATURES, Y, GROUPS, folder=tmp_path)
        assert study.estimators == [name]
    leave_subjects_out({"a b": linear(), "a-b": linear()}, FEATURES, Y, GROUPS, folder=tmp_path)


# Protocols


def test_the_best_epoch_on_the_test_subject_flatters(frozen):
    noise = np.random.default_rng(0).permutation(Y)
    model = {"head": SSLClassifier(frozen, max_epochs=10, min_steps=0, batch_size=12)}
    honest = leave_subjects_out(model, X, noise, GROUPS)
    published = leave_subjects_out(model, X, noise, GROUPS, protocol="published_a")
    ours, theirs = ([r["accuracy"] for r in study.records] for study in (honest, published))
    assert all(b >= a for a, b in zip(ours, theirs, strict=True))  # a batch is a subject here
    assert sum(theirs) > sum(ours)
    assert {leak["kind"] for leak in published.protocol["audit"]["leaks"]} == {
        "epochs chosen on the test subject"
    }
    assert not published.protocol["audit"]["ok"]
    assert all(1 <= record["epoch"] <= 10 for record in published.records)


def test_a_small_last_batch_counts_as_much_as_a_whole_one(frozen):
    model = {"head": SSLClassifier(frozen, max_epochs=1, min_steps=0, batch_size=7, lr=0)}
    study = leave_subjects_out(model, X, Y, GROUPS, protocol="published_a", keep_predictions=True)
    differs = []
    for record in study.records:
        kept = record["predictions"]
        right = Y[kept["row"]] == np.array(kept["predicted"])
        assert record["accuracy"] == pytest.approx((right[:7].mean() + right[7:].mean()) / 2)
        differs.append(record["accuracy"] != pytest.approx(right.mean()))
    assert any(differs)


def test_other_leaks_stop_a_published_protocol_too():
    model = {"m": make_pipeline(FrozenEstimator(make_encoder().fit(X, groups=GROUPS)), linear())}
    for protocol in ("published_a", "published_b"):
        with pytest.raises(LeakageError, match="pre-trained on test subjects"):
            leave_subjects_out(model, X, Y, GROUPS, protocol=protocol)


def test_a_fine_tuned_encoder_has_seen_the_subjects_it_was_tuned_on(frozen):
    tuned = SSLClassifier(frozen, "fine_tuned", max_epochs=1, min_steps=0)
    encoder = tuned.fit(X, Y, groups=GROUPS).encoder_
    assert list(encoder.groups_seen_) == [*SUBJECTS, "other"]
    assert tuned.fit(X, Y).encoder_.groups_seen_ is None
    assert list(frozen.estimator.groups_seen_) == ["other"]


def test_models_without_epochs_are_scored_as_they_are_by_the_published_protocol():
    honest = leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS)
    published = leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS, protocol="published_a")
    assert numbers(published) == numbers(honest)


def test_shuffled_windows_share_subjects_and_say_so():
    study = leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS, protocol="published_b")
    assert study.subjects == [f"fold {i}" for i in range(10)]
    assert study.protocol["unit"] == "fold"
    assert "subject on both sides" in {leak["kind"] for leak in study.protocol["audit"]["leaks"]}


def test_a_leak_stops_the_study():
    with pytest.raises(LeakageError, match="subject on both sides"):
        leave_subjects_out(linear(), FEATURES, Y, GROUPS, cv=[(np.arange(30), np.arange(30, 60))])


def test_a_leak_can_be_recorded_instead():
    split = [(np.arange(30), np.arange(30, 60))]
    study = leave_subjects_out(linear(), FEATURES, Y, GROUPS, cv=split, on_leak="record")
    assert not study.protocol["audit"]["ok"]


def test_an_encoder_that_saw_test_subjects_stops_the_study_unless_declared(frozen):
    encoder = FrozenEstimator(make_encoder().fit(X, groups=GROUPS))
    model = {"m": make_pipeline(encoder, linear())}
    with pytest.raises(LeakageError, match="S0"):
        leave_subjects_out(model, X, Y, GROUPS)
    study = leave_subjects_out(model, X, Y, GROUPS, transductive=True)
    assert study.protocol["transductive"] is True
    assert study.protocol["audit"]["ok"]
    assert any("S0" in note for note in study.protocol["audit"]["notes"])


# Label efficiency


def test_shares_are_drawn_within_subject_and_class(seen):
    results = label_efficiency({"w": Watched()}, ROWS, Y, GROUPS, shares=[0.25, 1], n_repeats=2)
    assert results.conditions == {"share": [0.25, 1.0]}
    assert len(results.records) == 5 * 2 * 2
    fits = [rows for kind, rows in seen if kind == "fit"]
    quarter, whole = fits[0], fits[1]
    assert len(whole) == 48
    for subject in SUBJECTS[1:]:
        mine = quarter[GROUPS[quarter] == subject]
        assert sorted(Y[mine]) == ["rest", "rest", "stress"]


def test_few_labels_are_part_of_more_labels_and_repeats_differ(seen):
    label_efficiency({"w": Watched()}, ROWS, Y, GROUPS, shares=[0.1, 0.5], n_repeats=2)
    fits = [set(rows) for kind, rows in seen if kind == "fit"][:4]
    assert fits[0] < fits[1] and fits[2] < fits[3]
    assert fits[0] != fits[2]


def test_every_class_of_every_subject_keeps_a_window(seen):
    label_efficiency({"w": Watched()}, ROWS, Y, GROUPS, shares=[0.01], n_repeats=1)
    assert [len(rows) for kind, rows in seen if kind == "fit"] == [8] * 5


def test_numbers_of_subjects_are_whole_subjects(seen):
    results = label_efficiency({"w": Watched()}, ROWS, Y, GROUPS, n_subjects=[1, 3], n_repeats=1)
    assert results.conditions == {"n_labelled_subjects": [1, 3]}
    fits = [rows for kind, rows in seen if kind == "fit"]
    assert [len(rows) for rows in fits] == [12, 36] * 5
    assert all(len(set(GROUPS[rows])) * 12 == len(rows) for rows in fits)


def test_all_labels_give_the_scores_of_a_plain_study():
    few = label_efficiency({"l": linear()}, FEATURES, Y, GROUPS, shares=[1], n_repeats=1)
    plain = leave_subjects_out({"l": linear()}, FEATURES, Y, GROUPS)
    assert [r["accuracy"] for r in few.records] == [r["accuracy"] for r in plain.records]


def test_pretraining_sees_all_training_windows_whatever_is_labelled(monkeypatch):
    counts, fit = [], SSLEncoder.fit

    def watch(self, X, y=None, groups=None, **params):
        counts.append((len(X), y, set(groups)))
        return fit(self, X, groups=groups, **params)

    monkeypatch.setattr(SSLEncoder, "fit", watch)
    models = {
        "inside": make_pipeline(make_encoder(), StandardScaler(), linear()),
        "tuned": SSLClassifier(make_encoder(), "fine_tuned", max_epochs=1, min_steps=0),
    }
    label_efficiency(models, X, Y, GROUPS, shares=[0.1, 0.5], n_repeats=2)
    expected = [(48, None, set(SUBJECTS) - {subject}) for subject in SUBJECTS]
    assert counts == expected * 2  # once per fold, not per draw


def test_an_encoder_that_would_see_labelled_windows_only_is_refused():
    model = make_pipeline(StandardScaler(), FunctionTransformer(), make_encoder(), linear())
    with pytest.raises(RuntimeError, match="pre-trained on all training windows"):
        label_efficiency({"m": model}, X["bvp"][:, 0], Y, GROUPS, shares=[0.5], n_repeats=1)


# What is refused


@pytest.mark.parametrize(
    "change, match",
    [
        ({"groups": None}, "needs groups"),
        ({"groups": np.repeat("S0", 60)}, "two subjects at least, got one: \\['S0'\\]"),
        ({"groups": GROUPS[:-1]}, "inconsistent numbers of samples"),
        ({"y": Y[:-1]}, "inconsistent numbers of samples"),
        ({"y": np.repeat("rest", 60)}, "two classes at least"),
        ({"y": np.linspace(0, 1, 60)}, "continuous"),
        ({"protocol": "honest"}, "must be one of leak_free, published_a, published_b"),
        ({"on_leak": "shout"}, "'raise' or 'record', got 'shout'"),
        ({"inner_cv": 1}, "2 or more, got 1"),
        ({"scoring": "f2_makro"}, "scoring"),
        ({"folder": "study", "random_state": None}, "needs a seed"),
        ({"protocol": "published_a", "cv": GroupKFold(2)}, "one subject at a time"),
        ({"search": {"nonlinear": {}}}, "search names 'nonlinear'"),
        ({"search": {"linear": {"D": [1]}}}, "no parameter D"),
        ({"protocol": "published_a", "search": {"linear": {"C": [1]}}}, "knows no search"),
        ({"protocol": "published_b", "cv": GroupKFold(2)}, "has its own cv"),
    ],
)
def test_what_does_not_fit_is_refused(change, match):
    settings = {"X": FEATURES, "y": Y, "groups": GROUPS, **change}
    with pytest.raises(ValueError, match=match):
        leave_subjects_out({"linear": linear()}, **settings)


@pytest.mark.parametrize(
    "estimators, match",
    [({}, "dict from name to estimator"), ({"l": "linear"}, "'l' must be"), ({1: linear()}, "1")],
)
def test_what_is_no_estimator_is_refused(estimators, match):
    with pytest.raises(TypeError, match=match):
        leave_subjects_out(estimators, FEATURES, Y, GROUPS)


@pytest.mark.parametrize(
    "change, match",
    [
        ({"shares": [0, 0.5]}, "above 0, at most 1"),
        ({"n_subjects": [5]}, "at most the 4 training subjects of fold 0, got 5"),
        ({"n_subjects": [0]}, "positive integers"),
        ({"n_subjects": [2, 2]}, "must differ"),
        ({"shares": [0.5, 0.5]}, "must be above 0, at most 1, and differ"),
        ({"shares": [0.1], "n_subjects": [1]}, "not both"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"protocol": "published_a"}, "leak-free only"),
    ],
)
def test_draws_that_do_not_fit_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        label_efficiency({"linear": linear()}, FEATURES, Y, GROUPS, **change)


def test_an_estimator_that_fails_is_named():
    X = FEATURES.copy()
    X[0, 0] = np.nan
    with pytest.raises(RuntimeError, match="'linear' failed in fold 0 .held out: S0.*NaN"):
        leave_subjects_out({"linear": linear()}, X, Y, GROUPS)
