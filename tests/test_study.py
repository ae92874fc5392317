"""leave_subjects_out: folds, seeds, searches, pre-training, files."""

import importlib
import inspect
import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score, make_scorer, recall_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale
from study_parts import (
    FEATURES,
    GROUPS,
    ROWS,
    SIGNALS,
    SUBJECTS,
    Encoder,
    Tuned,
    Watched,
    Y,
    accuracies,
    flatten,
    linear,
    make_signals,
    numbers,
    table,
)

from physio_ssl import (
    HandcraftedFeatures,
    HeadClassifier,
    SSLClassifier,
    SSLEncoder,
    Windows,
    evaluation,
)
from physio_ssl.evaluation.fold import derive_seed, find_unset_seeds, set_seeds
from physio_ssl.evaluation.study import StudySettings
from physio_ssl.leakage import LeakageError

# Baselines have tests of their own.
leave_subjects_out = partial(evaluation.leave_subjects_out, baselines=False)
ONE_FOLD = [(np.flatnonzero(GROUPS != "S0"), np.flatnonzero(GROUPS == "S0"))]
TWO_TARGETS = Windows(
    FEATURES.X, pd.DataFrame({"subject": GROUPS, "arousal": Y, "valence": np.roll(Y, 1)})
)


def make_encoder(**kwargs):
    return SSLEncoder(**{"module__d_model": 8, "max_epochs": 1, "random_state": 0, **kwargs})


@pytest.fixture(autouse=True)
def seen():
    for watched in (Watched.seen, Encoder.fits, Encoder.embedded):
        watched.clear()
    return Watched.seen


@pytest.fixture
def frozen(seen):
    """An encoder that was trained on other people."""
    encoder = Encoder().fit(make_signals(1), groups=np.repeat("other", 60))
    Encoder.fits.clear()
    return FrozenEstimator(encoder)


# Folds and scores


def test_each_subject_is_held_out_once(seen):
    leave_subjects_out({"watched": Watched()}, ROWS)
    fits, predictions = seen[::2], seen[1::2]
    assert len(fits) == len(predictions) == 5
    for subject, (_, train), (_, test) in zip(SUBJECTS, fits, predictions, strict=True):
        np.testing.assert_array_equal(train, np.flatnonzero(GROUPS != subject))
        np.testing.assert_array_equal(test, np.flatnonzero(GROUPS == subject))


def test_scores_are_those_of_a_loop_by_hand():
    results = leave_subjects_out({"linear": linear()}, FEATURES)
    for record, (train, test) in zip(
        results.records, LeaveOneGroupOut().split(FEATURES.X, Y, GROUPS), strict=True
    ):
        predicted = linear().fit(FEATURES.X[train], Y[train]).predict(FEATURES.X[test])
        assert record["macro_f1"] == pytest.approx(f1_score(Y[test], predicted, average="macro"))
        assert record["subject"] == GROUPS[test][0]
        assert record["class_counts"] == {"rest": 8, "stress": 4}


def test_several_subjects_of_a_fold_are_scored_one_by_one():
    results = leave_subjects_out({"linear": linear()}, FEATURES, cv=GroupKFold(2))
    assert sorted(results.subjects) == SUBJECTS
    assert {record["fold"] for record in results.records} == {0, 1}


def test_one_model_needs_no_name():
    assert leave_subjects_out(linear(), FEATURES).estimators == ["logisticregression"]


def test_integer_and_text_labels_score_alike():
    numbered = table(FEATURES.X, (Y == "stress").astype(int))
    text, number = (leave_subjects_out(linear(), windows) for windows in (FEATURES, numbered))
    assert accuracies(text) == accuracies(number)


def test_a_class_missing_for_a_subject_makes_its_scores_missing_not_zero():
    y = np.where(GROUPS == "S3", "rest", Y)
    results = leave_subjects_out({"linear": linear()}, table(FEATURES.X, y))
    record = results.records[3]
    assert record["class_counts"] == {"rest": 12, "stress": 0}
    assert record["macro_f1"] is record["auroc"] is None
    assert record["accuracy"] is not None
    row = results.summary("macro_f1").iloc[0]
    assert (row["n_subjects"], row["n_missing"]) == (4, 1)


def test_a_subject_may_have_a_single_window():
    results = leave_subjects_out(linear(), FEATURES.select(np.arange(49)))
    assert results.records[-1]["n_windows"] == 1


def test_a_decision_function_gives_the_auroc_of_its_second_class():
    for record, subject in zip(
        leave_subjects_out(RidgeClassifier(), FEATURES).records, SUBJECTS, strict=True
    ):
        test = GROUPS == subject
        model = RidgeClassifier().fit(FEATURES.X[~test], Y[~test])
        expected = roc_auc_score(Y[test] == "stress", model.decision_function(FEATURES.X[test]))
        assert record["auroc"] == pytest.approx(expected)


def test_a_class_no_training_subject_has_gets_probability_zero():
    y = np.where((GROUPS == "S0") & (Y == "stress"), "panic", Y)
    results = leave_subjects_out(linear(), table(FEATURES.X, y), keep_predictions=True)
    probability = np.array(results.records[0]["predictions"]["probability"])
    assert probability.shape == (12, 3)
    assert (probability[:, 0] == 0).all()


def test_targets_get_a_model_each():
    results = leave_subjects_out(linear(), TWO_TARGETS, targets=["arousal", "valence"])
    assert results.conditions == {"target": ["arousal", "valence"]}
    alone = leave_subjects_out(linear(), TWO_TARGETS, targets="valence")
    assert alone.conditions == {"target": ["valence"]}
    plain = leave_subjects_out(linear(), table(FEATURES.X, np.roll(Y, 1)))
    assert plain.conditions == {}
    valence = [r["accuracy"] for r in results.records if r["target"] == "valence"]
    assert valence == accuracies(alone) == accuracies(plain)


def test_predictions_are_kept_unless_told_not_to():
    results = leave_subjects_out(linear(), FEATURES)
    kept = results.records[2]["predictions"]
    np.testing.assert_array_equal(kept["row"], np.flatnonzero(GROUPS == "S2"))
    accuracy = np.mean(Y[kept["row"]] == np.array(kept["predicted"]))
    assert accuracy == results.records[2]["accuracy"]
    assert kept["true"] == Y[kept["row"]].tolist() and kept["onset"] is None
    without = leave_subjects_out(linear(), FEATURES, keep_predictions=False)
    assert "predictions" not in without.records[0]


def test_the_protocol_says_how_scores_were_made():
    results = leave_subjects_out(linear(), FEATURES, transductive="z-scored by subject")
    assert results.protocol["protocol"] == "leak_free"
    assert results.protocol["transductive"] == "z-scored by subject"
    assert repr(results).endswith("leak_free, transductive)")
    assert results.protocol["audit"]["ok"]
    assert results.protocol["random_state"] == 0
    json.dumps(results.protocol)


def test_the_settings_are_those_of_the_documented_function():
    parameters = inspect.signature(evaluation.leave_subjects_out).parameters
    defaults = {field.name: field.default for field in fields(StudySettings)}
    assert {name: parameters[name].default for name in list(parameters)[2:]} == defaults
    for name in (*defaults, "models", "windows"):
        assert f"\n    {name} : " in evaluation.leave_subjects_out.__doc__
        assert name in evaluation.label_efficiency.__doc__


# Seeds and processes


def make_study():
    return {
        "majority": DummyClassifier(strategy="stratified"),
        "forest": make_pipeline(FunctionTransformer(flatten), RandomForestClassifier(5)),
        "inside": make_pipeline(make_encoder(random_state=None), StandardScaler(), linear()),
        "tuned": SSLClassifier(make_encoder(), max_epochs=1, min_steps=2),
    }


@pytest.fixture(scope="module")
def study():
    return leave_subjects_out(make_study(), SIGNALS, keep_predictions=True, cv=GroupKFold(2))


def test_the_number_of_jobs_changes_no_number():
    # Without torch, as each worker would import it.
    models = {
        "majority": DummyClassifier(strategy="stratified"),
        "forest": make_pipeline(StandardScaler(), RandomForestClassifier(5)),
    }
    alone, parallel = (
        leave_subjects_out(models, FEATURES, n_jobs=n, keep_predictions=True) for n in (None, 2)
    )
    assert numbers(parallel) == numbers(alone)


def test_each_fold_has_one_thread_whatever_the_main_process_has():
    class Threads(DummyClassifier):
        def fit(self, X, y):
            counts.append(torch.get_num_threads())
            return super().fit(X, y)

    counts, before = [], torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        leave_subjects_out(Threads(), FEATURES)
        assert counts == [1] * 5 and torch.get_num_threads() == before + 2
    finally:
        torch.set_num_threads(before)


def test_another_seed_gives_other_numbers():
    model = DummyClassifier(strategy="stratified")
    first, other = (leave_subjects_out(model, FEATURES, random_state=seed) for seed in (0, 1))
    assert numbers(first) != numbers(other)


class Seeded(DummyClassifier):
    seeds = []

    def fit(self, X, y):
        Seeded.seeds.append(self.random_state)
        return super().fit(X, y)


class SeededEncoder(Encoder):
    seeds = []

    def __init__(self, size=3, random_state=None):
        super().__init__(size)
        self.random_state = random_state

    def fit(self, X, y=None, groups=None):
        SeededEncoder.seeds.append(self.random_state)
        return super().fit(X, y, groups)


@pytest.fixture
def seeds():
    for kind in (Seeded, SeededEncoder):
        kind.seeds.clear()
    return Seeded.seeds


def test_each_fold_and_repeat_has_its_own_seed(seeds):
    leave_subjects_out(make_pipeline(SeededEncoder(), Seeded()), SIGNALS)
    for kind in (Seeded, SeededEncoder):
        assert len(set(kind.seeds)) == len(kind.seeds) == 5
    derived = {derive_seed(*numbers) for numbers in itertools.product(range(3), repeat=3)}
    assert len(derived) == 27


def test_each_of_several_seeds_of_a_model_is_another(seeds):
    leave_subjects_out({"several": [Seeded(), Seeded()]}, FEATURES)
    assert len(set(seeds)) == len(seeds) == 10


def test_a_models_own_seed_is_kept():
    model = RandomForestClassifier(3, random_state=7)
    first, other = (leave_subjects_out(model, FEATURES, random_state=seed) for seed in (0, 1))
    assert numbers(first) == numbers(other)


def test_a_classifier_that_pretrains_seeds_its_encoder_itself():
    for wrap in (lambda model: model, lambda model: make_pipeline(FunctionTransformer(), model)):
        model = wrap(SSLClassifier(make_encoder(random_state=None)))
        seeds = {
            name.removeprefix("sslclassifier__"): value
            for name, value in set_seeds(model, find_unset_seeds(model), 3).get_params().items()
            if name.endswith("random_state")
        }
        assert seeds == {"random_state": 3, "encoder__random_state": None}


def test_models_are_left_unfitted():
    model = linear()
    leave_subjects_out(model, FEATURES)
    assert not hasattr(model, "coef_")


# Searches


def test_a_search_sees_the_training_subjects_only(seen):
    leave_subjects_out({"watched": Watched()}, ROWS, search={"watched": {"guess": [0, 1]}})
    per_fold = [seen[i : i + len(seen) // 5] for i in range(0, len(seen), len(seen) // 5)]
    for subject, calls in zip(SUBJECTS, per_fold, strict=True):
        *inner, (last, rows) = calls
        assert last == "predict" and set(GROUPS[rows]) == {subject}
        for _, rows in inner:
            assert subject not in GROUPS[rows]


def test_inner_folds_are_split_by_subject(seen):
    mixed = ROWS.select(np.random.default_rng(0).permutation(60))
    search = {"watched": {"guess": [0]}}
    leave_subjects_out({"watched": Watched()}, mixed, search=search, inner_cv=2)
    kinds = [kind for kind, _ in seen]
    fits = [i for i, kind in enumerate(kinds[:-1]) if (kind, kinds[i + 1]) == ("fit", "predict")]
    assert len(fits) == 5 * 3  # two inner folds, and all training subjects
    for i in fits:
        assert not set(GROUPS[seen[i][1]]) & set(GROUPS[seen[i + 1][1]])


@pytest.mark.parametrize("inner_cv, n_folds", [(2, 2), (3, 3), (9, 4)])
def test_there_are_as_many_inner_folds_as_asked_for(inner_cv, n_folds, seen):
    search = {"watched": {"guess": [0]}}
    leave_subjects_out({"watched": Watched()}, ROWS, search=search, inner_cv=inner_cv)
    assert [kind for kind, _ in seen].count("fit") == 5 * (n_folds + 1)


def test_a_search_maximises_what_it_is_told_to():
    models, search = (
        {"d": DummyClassifier(strategy="constant")},
        {"d": {"constant": ["rest", "stress"]}},
    )
    recall = make_scorer(recall_score, pos_label="stress")
    for scoring, expected in [("accuracy", "rest"), (recall, "stress")]:
        results = leave_subjects_out(models, FEATURES, search=search, scoring=scoring)
        found = {record["best_params"]["constant"] for record in results.records}
        assert found == {expected}


def test_the_search_finds_what_a_nested_loop_finds():
    grid = {"C": [1e-4, 1.0]}
    results = leave_subjects_out({"l": linear()}, FEATURES, search={"l": grid})
    for record in results.records:
        train = GROUPS != record["subject"]
        search = GridSearchCV(linear(), grid, scoring="f1_macro", cv=GroupKFold(4))
        search.fit(FEATURES.X[train], Y[train], groups=GROUPS[train])
        assert record["best_params"] == search.best_params_


def test_a_users_own_grouped_search_gets_the_subjects():
    search = GridSearchCV(linear(), {"C": [0.1, 1]}, cv=GroupKFold(2))
    assert len(leave_subjects_out({"own": search}, FEATURES).records) == 5


# Embedding and pre-training


GRID = {"logisticregression__C": np.logspace(-3, 2, 8).tolist()}


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(model)])
def test_a_frozen_encoder_embeds_each_window_once_for_a_whole_study(wrap, frozen):
    model = make_pipeline("passthrough", frozen, StandardScaler(), linear())
    grid = GRID if wrap(model) is model else {f"pipeline__{k}": v for k, v in GRID.items()}
    leave_subjects_out({"frozen": wrap(model)}, SIGNALS, search={"frozen": grid})
    assert Encoder.embedded == [60]


def test_features_are_computed_once_for_a_whole_study(monkeypatch):
    computed, compute = [], HandcraftedFeatures._compute
    monkeypatch.setattr(
        HandcraftedFeatures,
        "_compute",
        lambda self, signals: computed.append(len(signals)) or compute(self, signals),
    )
    features = HandcraftedFeatures({"bvp": 64, "eda": 4}, specific=())
    models = {name: make_pipeline(features, StandardScaler(), linear()) for name in "ab"}
    results = leave_subjects_out(models, SIGNALS, search={"a": GRID}, keep_predictions=True)
    assert computed == [60, 3]  # all windows, and a few by themselves
    for record, subject in zip(results.records[5:], SUBJECTS, strict=True):
        train = GROUPS != subject
        by_hand = models["b"].fit(SIGNALS.X[train], Y[train]).predict_proba(SIGNALS.X[~train])
        np.testing.assert_allclose(record["predictions"]["probability"], by_hand)


def test_models_share_one_embedding(frozen):
    models = {name: make_pipeline(frozen, LogisticRegression(C=1)) for name in "ab"}
    leave_subjects_out(models, SIGNALS)
    assert Encoder.embedded == [60]


def test_an_encoder_inside_the_fold_embeds_each_window_once_per_fold():
    model = make_pipeline(Encoder(), StandardScaler(), linear())
    leave_subjects_out({"inside": model}, SIGNALS, search={"inside": GRID})
    assert Encoder.embedded == [60] * 5


def test_embedding_once_changes_no_number():
    pipeline = make_pipeline(make_encoder(), StandardScaler(), linear())
    results = leave_subjects_out(pipeline, SIGNALS, keep_predictions=True, cv=ONE_FOLD)
    (train, test), (record,) = ONE_FOLD[0], results.records
    by_hand = pipeline.fit(SIGNALS.X[train], Y[train]).predict_proba(SIGNALS.X[test])
    np.testing.assert_allclose(record["predictions"]["probability"], by_hand, atol=1e-6)


def test_settings_of_the_encoder_can_be_searched():
    models = {
        "encoder": make_pipeline(Encoder(), StandardScaler(), linear()),
        "inside": make_pipeline(FunctionTransformer(), Tuned(Encoder())),
    }
    search = {"encoder": {"encoder__size": [2, 4]}, "inside": {"tuned__encoder__size": [2, 4]}}
    results = leave_subjects_out(models, SIGNALS, search=search, inner_cv=2, cv=GroupKFold(2))
    for record in results.records:
        (size,) = record["best_params"].values()
        assert size in (2, 4)


def test_a_step_that_mixes_windows_sees_training_windows_by_themselves():
    shifted = FEATURES.X + 50 * (GROUPS == "S0")[:, np.newaxis]
    model = make_pipeline(FunctionTransformer(scale), linear())
    results = leave_subjects_out({"m": model}, table(shifted), keep_predictions=True)
    for record in results.records:
        train = GROUPS != record["subject"]
        by_hand = model.fit(shifted[train], Y[train]).predict_proba(shifted[~train])
        np.testing.assert_allclose(record["predictions"]["probability"], by_hand)


def test_two_functions_of_one_name_are_not_taken_for_one():
    def pick(column):
        return FunctionTransformer(lambda X: X[:, [column]])

    models = {str(i): make_pipeline(pick(i), linear()) for i in range(2)}
    both = leave_subjects_out(models, FEATURES, keep_predictions=True)
    alone = leave_subjects_out({"1": models["1"]}, FEATURES, keep_predictions=True)
    assert numbers(both)[5:] == numbers(alone)


def test_pretraining_inside_a_study_is_that_of_fit():
    encoder = make_encoder(random_state=None)
    model = SSLClassifier(encoder, max_epochs=2, min_steps=0, random_state=5)
    results = leave_subjects_out(model, SIGNALS, keep_predictions=True, cv=ONE_FOLD)
    (train, test), (record,) = ONE_FOLD[0], results.records
    by_hand = model.fit(SIGNALS.X[train], Y[train]).predict_proba(SIGNALS.X[test])
    np.testing.assert_allclose(record["predictions"]["probability"], by_hand, atol=1e-6)


@pytest.mark.parametrize("routing", [False, True])
def test_early_stopping_gets_the_subjects(routing):
    head = HeadClassifier(early_stopping=2, max_epochs=3, min_steps=0)
    model = make_pipeline(FunctionTransformer(), head)
    grid = {"headclassifier__lr": [head.lr]}
    with config_context(enable_metadata_routing=routing):
        plain = leave_subjects_out({"m": model}, FEATURES, cv=ONE_FOLD)
        search = {"search": {"m": grid}, "inner_cv": 2}
        searched = leave_subjects_out({"m": model}, FEATURES, cv=ONE_FOLD, **search)
    assert accuracies(plain) == accuracies(searched)


@pytest.mark.parametrize("kind", ["generator", "masks", "list"])
def test_splits_may_be_given(kind):
    splits = LeaveOneGroupOut().split(FEATURES.X, Y, GROUPS)
    if kind == "masks":
        splits = [(GROUPS != subject, GROUPS == subject) for subject in SUBJECTS]
    settings = {"targets": ["arousal", "valence"]}
    cv = list(splits) if kind == "list" else splits
    given = leave_subjects_out({"l": linear()}, TWO_TARGETS, cv=cv, **settings)
    assert numbers(given) == numbers(leave_subjects_out({"l": linear()}, TWO_TARGETS, **settings))


# Files


def test_a_finished_study_is_read_back(study, tmp_path):
    settings = {"keep_predictions": True, "cv": GroupKFold(2), "folder": tmp_path / "new" / "study"}
    first = leave_subjects_out(make_study(), SIGNALS, **settings)
    assert numbers(first) == numbers(study)
    again = leave_subjects_out(make_study(), SIGNALS, **settings)
    assert again.records == first.records  # the times, too: nothing was run


def test_what_has_changed_is_run_again(tmp_path, seen):
    def run(windows=ROWS, **change):
        seen.clear()
        leave_subjects_out({"watched": Watched()}, windows, folder=tmp_path, **change)
        return len(seen) // 2

    assert run() == 5
    assert run() == 0
    assert run(table(ROWS.X + np.array([0, 1e-9]))) == 5
    assert run(table(ROWS.X, np.roll(Y, 1))) == 5
    assert run(table(ROWS.X, groups=np.char.add("x", GROUPS))) == 5
    assert run(keep_predictions=False) == 5
    assert run(random_state=3) == 5
    assert run() == run(verbose=0, n_jobs=1) == 0


def test_names_of_models_stay_inside_the_folder(tmp_path):
    folder = tmp_path / "study"
    leave_subjects_out({"../../up and / away": linear()}, FEATURES, folder=folder)
    assert len(list(folder.iterdir())) == 5
    assert list(tmp_path.iterdir()) == [folder]


STUDY_TO_KILL = """
import os, signal
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from physio_ssl import Windows
from physio_ssl.evaluation import leave_subjects_out

class Deadly(DummyClassifier):
    def fit(self, X, y):
        folder = os.environ.get("KILL_AT_FOUR")
        if folder and len(list(Path(folder).glob("*.json"))) >= 4:
            os.killpg(0, signal.SIGKILL)  # the study and its workers
        return super().fit(X, y)

def run(folder, n_jobs=1):
    X = np.random.default_rng(0).normal(size=(60, 3))
    info = {"subject": np.repeat([f"S{i}" for i in range(6)], 10), "label": np.tile([0, 1], 30)}
    models = {name: Deadly(strategy="stratified") for name in "ab"}
    windows = Windows(X, pd.DataFrame(info))
    settings = {"folder": folder, "n_jobs": n_jobs, "baselines": False}
    return leave_subjects_out(models, windows, **settings)
"""


@pytest.fixture(scope="module")
def deadly(tmp_path_factory):
    """A study that kills itself, and its workers, once four folds are done."""
    folder = tmp_path_factory.mktemp("deadly")
    (folder / "study_to_kill.py").write_text(STUDY_TO_KILL)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("study_to_kill")
    del sys.modules["study_to_kill"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_study_resumes_with_the_same_numbers(n_jobs, deadly, tmp_path):
    folder = tmp_path / "folds"
    code = f"import study_to_kill; study_to_kill.run({str(folder)!r}, {n_jobs})"
    killed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(deadly.__file__),
        env={**os.environ, "KILL_AT_FOUR": str(folder)},
        start_new_session=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert 4 <= len(done) < 12
    resumed = deadly.run(folder)
    assert len(list(folder.glob("*.json"))) == 12
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    assert numbers(resumed) == numbers(deadly.run(None))


def test_a_damaged_file_is_computed_again(tmp_path):
    first = leave_subjects_out(linear(), FEATURES, folder=tmp_path)
    path, other, *_ = sorted(tmp_path.iterdir())
    path.write_text("")
    other.write_text("{}")
    assert numbers(leave_subjects_out(linear(), FEATURES, folder=tmp_path)) == numbers(first)


def test_names_that_look_alike_do_not_mix(tmp_path):
    for name in ("a b", "a-b", "x" * 50, "x" * 51):
        study = leave_subjects_out({name: linear()}, FEATURES, folder=tmp_path)
        assert study.estimators == [name]
    leave_subjects_out({"a b": linear(), "a-b": linear()}, FEATURES, folder=tmp_path)


# Leaks


LEAKY = [(np.arange(30), np.arange(30, 60))]


def test_a_leak_stops_the_study():
    with pytest.raises(LeakageError, match="subject on both sides"):
        leave_subjects_out(linear(), FEATURES, cv=LEAKY)


def test_a_leak_can_be_recorded_instead():
    study = leave_subjects_out(linear(), FEATURES, cv=LEAKY, on_leak="record")
    assert not study.protocol["audit"]["ok"]
    assert {leak["kind"] for leak in study.protocol["audit"]["leaks"]} == {"subject on both sides"}
    assert "with_leaks" in repr(study)


def test_the_verdicts_of_several_targets_are_joined():
    settings = {"targets": ["arousal", "valence"], "cv": LEAKY, "on_leak": "record"}
    audit = leave_subjects_out(linear(), TWO_TARGETS, **settings).protocol["audit"]
    assert not audit["ok"]
    assert [leak["target"] for leak in audit["leaks"]] == ["arousal", "valence"]
    assert len(audit["not_seen"]) == len(set(audit["not_seen"])) > 0


def test_overlapping_windows_are_found_by_onset_and_duration():
    onset = np.tile(np.arange(12) * 5.0, 5)
    windows = replace(table(FEATURES.X, onset=onset), duration=10)
    halves = [(np.arange(18), np.arange(18, 60))]
    study = leave_subjects_out(linear(), windows, cv=halves, on_leak="record")
    kinds = {leak["kind"] for leak in study.protocol["audit"]["leaks"]}
    assert "overlapping windows on both sides" in kinds


def test_an_encoder_that_saw_test_subjects_stops_the_study_unless_declared():
    encoder = FrozenEstimator(Encoder().fit(SIGNALS.X, groups=GROUPS))
    model = {"m": make_pipeline(encoder, linear())}
    with pytest.raises(LeakageError, match="S0"):
        leave_subjects_out(model, SIGNALS)
    study = leave_subjects_out(model, SIGNALS, pretrained_on_test_subjects=True)
    assert study.protocol["pretrained_on_test_subjects"] is True
    assert study.protocol["audit"]["ok"]
    assert any("S0" in line for line in study.protocol["audit"]["declared"])


# What is refused


@pytest.mark.parametrize(
    "windows, settings, match",
    [
        (table(FEATURES.X, groups=np.repeat("S0", 60)), {}, "two subjects.*S0"),
        (table(FEATURES.X, np.repeat("rest", 60)), {}, "two classes.*rest"),
        (table(FEATURES.X, np.linspace(0, 1, 60)), {}, "continuous"),
        (table(FEATURES.X, np.where(GROUPS == "S0", np.nan, 1)), {}, "12 of column 'label'"),
        (TWO_TARGETS, {}, "'label'.*arousal, valence"),
        (FEATURES, {"targets": "stress"}, "'stress'.*label"),
        (FEATURES, {"targets": []}, "targets"),
        (FEATURES, {"on_leak": "shout"}, "on_leak.*'shout'"),
        (FEATURES, {"inner_cv": 1}, "inner_cv.* 1"),
        (FEATURES, {"scoring": "f2_makro"}, "scoring"),
        (FEATURES, {"folder": "study", "random_state": None}, "random_state.*None"),
        (FEATURES, {"search": {"nonlinear": {}}}, "'nonlinear'"),
        (FEATURES, {"search": {"linear": {"D": [1]}}}, "linear parameter 'D'"),
    ],
)
def test_what_does_not_fit_is_refused(windows, settings, match):
    with pytest.raises(ValueError, match=match):
        leave_subjects_out({"linear": linear()}, windows, **settings)


@pytest.mark.parametrize(
    "models, windows, settings, match",
    [
        ({}, FEATURES, {}, "models"),
        ({"l": "linear"}, FEATURES, {}, "'l'"),
        ({1: linear()}, FEATURES, {}, "{1:"),
        (linear(), FEATURES.X, {}, "Windows.*ndarray"),
        (linear(), FEATURES, {"random_state": 0.5}, "random_state.*float"),
    ],
)
def test_what_is_of_a_wrong_kind_is_refused(models, windows, settings, match):
    with pytest.raises(TypeError, match=match):
        leave_subjects_out(models, windows, **settings)


def test_a_model_that_fails_is_named():
    X = FEATURES.X.copy()
    X[0, 0] = np.nan
    with pytest.raises(RuntimeError, match="'linear' failed in fold 0 .*S0.*NaN"):
        leave_subjects_out({"linear": linear()}, table(X))
