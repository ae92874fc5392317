"""The example that scores as two published studies do: what it chooses, and that it says so."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from study_parts import Watched

from physio_ssl import HeadClassifier, Windows
from physio_ssl.evaluation import leave_subjects_out
from physio_ssl.evaluation.fold import derive_seed
from physio_ssl.evaluation.metrics import score

SUBJECTS = [f"S{i}" for i in range(4)]


@pytest.fixture(scope="module")
def protocols(load_script):
    return load_script("published_protocols")


@pytest.fixture(scope="module")
def noise():
    """Features that say nothing about the labels."""
    rng = np.random.default_rng(0)
    info = {"subject": np.repeat(SUBJECTS, 12), "label": rng.permutation(np.tile([0, 0, 1], 16))}
    return Windows(rng.normal(size=(48, 8)), pd.DataFrame(info))


def kinds(study):
    return {leak["kind"] for leak in study.protocol["audit"]["leaks"]}


def test_the_best_epoch_on_the_test_subject_flatters(protocols, noise):
    head = HeadClassifier(max_epochs=10, min_steps=0, batch_size=12, lr=0.03)
    models = {"head": make_pipeline(FunctionTransformer(), head)}
    honest = [
        record["accuracy"] for record in leave_subjects_out(models, noise, baselines=False).records
    ]
    study = protocols.best_test_epoch(models, noise)
    flattered = [record["accuracy"] for record in study.records]
    # a batch is a subject here, so the last epoch is one of those to choose from
    assert all(b >= a for a, b in zip(honest, flattered, strict=True))
    assert sum(flattered) > sum(honest)
    assert kinds(study) == {"epochs chosen on the test subject"}
    assert study.subjects == SUBJECTS
    for record in study.records:
        kept = record["accuracy_by_epoch"]
        assert len(kept) == 10
        assert record["accuracy"] == max(kept) == kept[record["epoch"] - 1]


def test_a_small_last_batch_counts_as_much_as_a_whole_one(protocols, noise):
    head = HeadClassifier(max_epochs=1, min_steps=0, batch_size=7, lr=0)
    study = protocols.best_test_epoch({"head": head}, noise)
    plain = leave_subjects_out({"head": head}, noise, baselines=False)
    differs = []
    for record, other in zip(study.records, plain.records, strict=True):
        kept = other["predictions"]
        right = noise.y[kept["row"]] == np.array(kept["predicted"])
        assert record["accuracy"] == pytest.approx((right[:7].mean() + right[7:].mean()) / 2)
        differs.append(record["accuracy"] != pytest.approx(right.mean()))
    assert any(differs)


def test_shuffled_windows_share_subjects_and_say_so(protocols, noise):
    study = protocols.shuffled_windows({"linear": LogisticRegression()}, noise)
    assert study.subjects == [f"fold {i}" for i in range(10)]
    assert kinds(study) == {"subject on both sides"}
    assert study.protocol["protocol"] == "shuffled_windows"


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("model", [LogisticRegression(), DummyClassifier(strategy="stratified")])
def test_shuffled_folds_are_drawn_by_their_seed_and_scored_as_a_whole(
    protocols, noise, model, seed
):
    study = protocols.shuffled_windows({"model": model}, noise, random_state=seed)
    folds = KFold(10, shuffle=True, random_state=seed).split(noise.y)
    for fold, (record, (train, test)) in enumerate(zip(study.records, folds, strict=True)):
        model = clone(model).set_params(random_state=derive_seed(seed, fold, 0))
        model.fit(noise.X[train], noise.y[train])
        probability = model.predict_proba(noise.X[test])
        expected = score(noise.y[test], model.predict(noise.X[test]), probability, [0, 1])
        assert {name: record[name] for name in expected} == expected


def test_a_model_without_scores_has_no_auroc_when_shuffled(protocols, noise):
    study = protocols.shuffled_windows({"watched": Watched()}, noise)
    assert len(study.records) == 10
    assert all(record["auroc"] is None for record in study.records)
