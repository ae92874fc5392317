"""The parts of the ECG study in which a leak or a wrong figure would be made."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from physio_ssl import Recording, StageLabels, make_windows


@pytest.fixture(scope="module")
def study(load_script):
    return load_script("study_ecg")


@pytest.fixture(scope="module")
def windows():
    """Three windows of each of forty recordings; every fourth one is of class 1."""
    return make_windows(
        [
            Recording(
                {"ecg": np.random.default_rng(i).normal(size=300)},
                {"ecg": 10},
                f"A{i:02d}",
                {"onset": [0], "duration": [30], "description": ["AF" if i % 4 == 0 else "normal"]},
            )
            for i in range(40)
        ],
        10,
        labels=StageLabels({"normal": 0, "AF": 1}),
    )


def test_a_fifth_of_the_recordings_is_held_out(study, windows):
    held_out = study.hold_out(windows, seed=0)
    assert len(set(held_out)) == 8
    assert set(held_out) <= set(windows.groups)
    assert set(study.hold_out(windows, seed=1)) != set(held_out)


def test_labels_are_drawn_by_recording_and_class(study, windows):
    some = windows.select(study.draw_recordings(windows, 0.2, np.random.default_rng(0)))
    assert len(some) == 3 * (2 + 6)
    assert len(set(some.groups[some.y == 1])) == 2
    fewest = study.draw_recordings(windows, 0.001, np.random.default_rng(0))
    assert sorted(windows.y[fewest]) == [0, 0, 0, 1, 1, 1]


@pytest.fixture
def scores(study, windows):
    """Scores of two draws of a good model, of chance and of a model between them."""
    rng = np.random.default_rng(0)
    return {
        (0.1, name): [weight * windows.y + rng.normal(size=len(windows)) for _ in range(2)]
        for name, weight in (("good", 2), (study.SCRATCH, 0), (study.HEART, 1))
    }


def test_the_table_holds_aurocs_and_gains(study, windows, scores):
    table = study.summarise(scores, windows)
    expected = {
        name: np.mean([roc_auc_score(windows.y, score) for score in some])
        for (_, name), some in scores.items()
    }
    np.testing.assert_allclose(table["auroc"], list(expected.values()))
    row = table.loc[(0.1, "good")]
    assert row["over_scratch"] == pytest.approx(expected["good"] - expected[study.SCRATCH])
    assert row["over_rhythm"] == pytest.approx(expected["good"] - expected[study.HEART])
    for name in ("auroc", "over_scratch", "over_rhythm"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert np.isnan(table.loc[(0.1, study.HEART), "over_rhythm"])


def test_gains_are_those_in_the_draws_that_both_models_have(study, windows, scores):
    more = {**scores, (0.1, "good"): [*scores[0.1, "good"], -windows.y]}
    key = (0.1, "good"), "over_scratch"
    assert study.summarise(more, windows).loc[key] == study.summarise(scores, windows).loc[key]
    once = {**scores, (0.1, study.SCRATCH): scores[0.1, study.SCRATCH][:1]}
    scratch = roc_auc_score(windows.y, scores[0.1, study.SCRATCH][0])
    table = study.summarise(once, windows)
    assert table.loc[key] == pytest.approx(table.loc[key[0], "auroc"] - scratch)


def test_a_resample_weighs_the_windows_of_its_recordings(study, windows):
    _, member = np.unique(windows.groups, return_inverse=True)
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 3, size=(5, 40))
    score = rng.normal(size=len(windows)).round(1)  # with ties
    expected = [roc_auc_score(windows.y, score, sample_weight=some[member]) for some in weights]
    computed = study.resample_auroc(score, windows.y, member, weights)
    np.testing.assert_allclose(computed, expected)


def test_the_score_of_a_test_window_comes_from_training_windows(study, windows):
    X = np.random.default_rng(0).normal(size=(len(windows), 2))
    X[:, 0] += 3 * windows.y
    is_test = np.arange(len(windows)) >= 60
    rows = np.arange(60)
    score = study.fit_and_score(study.LinearProbe(), X, windows, rows, is_test)
    assert roc_auc_score(windows.y[is_test], score) > 0.9
    # labels and samples of test windows other than the one scored have no influence
    y = np.where(is_test, 1 - windows.y, windows.y)
    other = replace(windows, info=windows.info.assign(label=y))
    changed = np.where(is_test[:, np.newaxis] & (np.arange(len(X)) < 119)[:, np.newaxis], -X, X)
    assert study.fit_and_score(study.LinearProbe(), changed, other, rows, is_test)[-1] == score[-1]
    np.testing.assert_array_equal(study.fit_and_score(None, X, windows, rows, is_test), X[is_test])


def test_results_of_other_settings_are_not_taken_for_these(study, tmp_path):
    class Options:
        output, precision, seed = tmp_path / "out", "float32", 0

    study.check_output(Options)
    study.check_output(Options)
    Options.seed = 1
    with pytest.raises(SystemExit, match="other settings"):
        study.check_output(Options)
