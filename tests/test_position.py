import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from physio_ssl import StageLabels, Windows, make_windows
from physio_ssl.datasets import load_stress_predict, load_wesad
from physio_ssl.evaluation import StudyResults, leave_subjects_out, position_matched_auroc

CUBIC = make_pipeline(
    StandardScaler(),
    PolynomialFeatures(3, include_bias=False),
    StandardScaler(),
    LogisticRegression(max_iter=1000),
)
CLOCKS = {
    "cubic": CUBIC,
    "forest": RandomForestClassifier(15, min_samples_leaf=5, random_state=1),
}


def simulate(design, n_people=12, seed=0):
    """Return windows whose only feature is the onset, in minutes."""
    rng, tables = np.random.default_rng(seed), []
    for person in range(n_people):
        onset = np.arange(80) * 15.0
        if design == "counterbalanced":
            label = (onset >= 600) ^ (person % 2)
        elif design == "late":
            label = onset >= rng.uniform(200, 1000)
        else:  # a block of stress between two of rest
            start = rng.uniform(300, 600)
            label = (onset >= start) & (onset < start + 400)
        table = {"subject": f"S{person}", "recording": person, "onset": onset}
        tables.append(pd.DataFrame({**table, "label": np.asarray(label, dtype=int)}))
    info = pd.concat(tables, ignore_index=True)
    return Windows(info[["onset"]].to_numpy() / 60, info, 60.0)


def score_clocks(windows):
    """Return the scores of models that know only the time, each person left out."""
    data, splits = (windows.X, windows.y, windows.groups), LeaveOneGroupOut()
    for model in CLOCKS.values():
        probability = cross_val_predict(
            model, *data[:2], groups=data[2], cv=splits, method="predict_proba"
        )
        yield position_matched_auroc(
            windows.y, probability, windows.onset, windows.groups, n_resamples=300
        )


def study(models, windows):
    return leave_subjects_out(models, windows, baselines=False, n_jobs=1)


@pytest.mark.parametrize("design", ["counterbalanced", "late", "block"])
@pytest.mark.parametrize("seed", range(2))
def test_clock_has_one_half_within_its_interval(design, seed):
    for score in score_clocks(simulate(design, seed=seed)):
        assert score["low"] <= 0.5 <= score["high"]
        # not only as the interval is wide: without ties these scores are 0 to .3
        assert 0.4 < score["auroc"] < 0.6


@pytest.mark.skipif("PHYSIO_SSL_DATA" not in os.environ, reason="PHYSIO_SSL_DATA is not set")
@pytest.mark.parametrize(
    "data_set, classes",
    [
        ("WESAD", {"baseline": 0, "amusement": 0, "stress": 1}),
        ("WESAD", {"baseline": 0, "amusement": 2, "stress": 1}),
        ("WESAD", {"amusement": 0, "stress": 1}),
        ("StressPredict", {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1}),
    ],
)
def test_clock_has_one_half_within_its_interval_on_real_recordings(data_set, classes):
    folder = Path(os.environ["PHYSIO_SSL_DATA"], data_set)
    if data_set == "WESAD":
        recordings = load_wesad(folder, signals=("temp",))
    else:
        people = [f"S{number:02d}" for number in range(2, 26)]
        recordings = load_stress_predict(folder, subjects=people, signals=("temp",))
    windows = make_windows(recordings, 60, 30, labels=StageLabels(classes))
    windows = Windows(windows.onset[:, np.newaxis] / 60, windows.info, 60.0)
    for score in score_clocks(windows):
        assert score["low"] <= 0.5 <= score["high"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_planted_effect_is_found(n_classes):
    rng = np.random.default_rng(0)
    subject = np.repeat([f"S{person}" for person in range(12)], 60)
    onset = np.tile(np.arange(60) * 15.0, 12)
    y = (onset // 150 + np.repeat(np.arange(12), 60)).astype(int) % n_classes
    effect = np.eye(n_classes)[y] * 2 + rng.normal(size=(720, n_classes))
    probability = np.exp(effect) / np.exp(effect).sum(axis=1, keepdims=True)
    score = position_matched_auroc(y, probability, onset, subject)
    assert score["low"] > 0.5
    assert score["n_subjects"] == 12


def test_score_without_ties_is_that_of_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    subject, onset = np.repeat(list("abcdefg"), 12), rng.uniform(0, 300, 84)
    y, second = rng.integers(2, size=84), rng.random(84)
    no_clocks = [np.zeros((84, 2))]
    score = position_matched_auroc(
        y, np.column_stack([1 - second, second]), onset, subject, clocks=no_clocks
    )
    centred = second - pd.Series(second).groupby(subject).transform("mean").to_numpy()
    wins = [
        centred[i] > centred[j]
        for i in np.flatnonzero(y == 1)
        for j in np.flatnonzero(y == 0)
        if subject[i] != subject[j] and abs(onset[i] - onset[j]) <= 30
    ]
    assert score["n_pairs"] == len(wins)
    assert score["auroc"] == pytest.approx(np.mean(wins))


def test_same_order_for_all_people_is_not_estimable():
    windows = simulate("counterbalanced")
    early = Windows(windows.X, windows.info.assign(label=(windows.onset >= 600).astype(int)))
    (row,) = study({"cubic": CUBIC}, early).position_matched(tolerance=5).itertuples()
    assert not row.estimable
    assert np.isnan(row.auroc)
    assert "100 pairs" in row.why_not


def test_few_people_are_not_estimable():
    results = study({"cubic": CUBIC}, simulate("counterbalanced", n_people=4))
    assert not results.position_matched()["estimable"].any()


def test_scores_that_are_no_probabilities_are_not_estimable():
    windows = simulate("late", n_people=6)
    table = study({"svm": LinearSVC(), "majority": DummyClassifier()}, windows).position_matched()
    assert (
        table.set_index("estimator")["why_not"]["svm"] == "the model's scores are no probabilities"
    )
    assert table.set_index("estimator")["auroc"]["majority"] == 0.5


def test_repeats_are_averaged():
    windows = simulate("block", n_people=8)
    results = study({"forest": [CLOCKS["forest"]] * 2}, windows)
    alone = study({"forest": CLOCKS["forest"]}, windows).position_matched(n_resamples=50)
    both = results.position_matched(n_resamples=50)
    pd.testing.assert_frame_equal(both, alone)


def test_records_without_predictions_are_refused():
    results = study({"cubic": CUBIC}, simulate("late", n_people=6))
    bare = [{k: v for k, v in r.items() if k != "predictions"} for r in results.records]
    with pytest.raises(ValueError, match="need the predictions of each window"):
        StudyResults(bare, {}).position_matched()


def test_unknown_estimator_is_refused():
    results = study({"cubic": CUBIC}, simulate("late", n_people=6))
    with pytest.raises(ValueError, match="No estimator 'forest'"):
        results.position_matched("forest")


@pytest.mark.parametrize(
    "probability, onset, kwargs, message",
    [
        (np.full((4, 2), 0.7), np.zeros(4), {}, "sum to 1"),
        (np.full((4, 3), 1 / 3), np.zeros(4), {}, "column per class"),
        (np.full((4, 2), 0.5), np.full(4, np.nan), {}, "onset contains NaN"),
        (np.full((4, 2), 0.5), np.zeros(4), {"tolerance": -1}, "tolerance"),
        (np.full((4, 2), 0.5), np.zeros(4), {"confidence": 2}, "confidence"),
    ],
)
def test_bad_input_is_refused(probability, onset, kwargs, message):
    with pytest.raises(ValueError, match=message):
        position_matched_auroc([0, 1, 0, 1], probability, onset, list("aabb"), **kwargs)
