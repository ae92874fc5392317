"""Studies of continuous targets, and sample weights in studies."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from study_parts import FEATURES, GROUPS, SIGNALS, Encoder, Watched, accuracies, table

from physio_ssl import ChannelStatistics, Windows
from physio_ssl.evaluation import (
    LinearProbe,
    LinearProbeRegressor,
    StudyResults,
    audit_confounds,
    label_efficiency,
    leave_datasets_out,
    leave_subjects_out,
    make_baselines,
    pool_studies,
)
from physio_ssl.evaluation.metrics import score_numbers
from physio_ssl.plotting import SubjectConfusionDisplay, SubjectScoresDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
HEART_RATE = 70 + 5 * X[:, 0] + RNG.normal(size=60)
WINDOWS = table(X, HEART_RATE, onset=np.tile(np.arange(12) * 60.0, 5))
MODELS = {"ridge": Ridge(), "mean": DummyRegressor()}


def run(models=MODELS, windows=WINDOWS, **kwargs):
    return leave_subjects_out(models, windows, **{"baselines": False, **kwargs})


# Scores of numbers


def test_scores_are_those_of_the_textbook():
    true, predicted = np.array([1.0, 2.0, 4.0, 7.0]), np.array([2.0, 2.0, 3.0, 9.0])
    scores = score_numbers(true, predicted)
    assert scores["mae"] == pytest.approx(mean_absolute_error(true, predicted))
    assert scores["r2"] == pytest.approx(r2_score(true, predicted))
    covariance = np.cov(true, predicted, bias=True)[0, 1]
    spread = true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2
    assert scores["ccc"] == pytest.approx(2 * covariance / spread)


@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (3.0, 1.0), (0.0, 0.5)])
def test_concordance_is_one_only_for_equal_numbers(shift, scale):
    true = np.arange(5.0)
    ccc = score_numbers(true, shift + scale * true)["ccc"]
    assert (ccc == pytest.approx(1)) == (shift == 0 and scale == 1)


def test_a_constant_target_has_an_error_but_neither_r2_nor_concordance():
    assert score_numbers([3.0, 3.0], [3.0, 5.0]) == {
        "n_windows": 2,
        "mae": 1.0,
        "r2": None,
        "ccc": None,
    }


@pytest.mark.parametrize("predicted", [[1.0], [1.0, np.nan], [[1.0], [2.0]]])
def test_predictions_must_be_a_finite_number_per_window(predicted):
    with pytest.raises(ValueError, match="finite number for each of 2 windows"):
        score_numbers([1.0, 2.0], predicted)


# Studies


def test_a_study_scores_regressors_on_each_subject_held_out():
    results = run({"ridge": Ridge()})
    for record in results.records:
        test = record["subject"] == GROUPS
        predicted = Ridge().fit(X[~test], HEART_RATE[~test]).predict(X[test])
        assert record["mae"] == pytest.approx(mean_absolute_error(HEART_RATE[test], predicted))
        assert record["r2"] == pytest.approx(r2_score(HEART_RATE[test], predicted))
        assert_allclose(record["predictions"]["predicted"], predicted)
    assert results.protocol["scoring"] == "neg_mean_absolute_error"


def test_whole_numbers_are_a_continuous_target_for_regressors():
    ratings = table(X, np.round(HEART_RATE).astype(int))
    assert run(windows=ratings).summary("mae").set_index("estimator")["mean"]["ridge"] < 2


def test_the_better_model_has_the_positive_difference_whatever_the_metric():
    results = run()
    for metric in ("mae", "r2", "ccc"):
        row = results.compare("ridge", "mean", metric).iloc[0]
        assert row["difference"] > 0 and row["low"] > 0 and row["effect_size"] == 1
    means = results.summary("mae").set_index("estimator")["mean"]
    default = results.compare("ridge", "mean").iloc[0]
    assert default["metric"] == "mae"
    assert default["difference"] == pytest.approx(means["mean"] - means["ridge"])


def test_intervals_stay_within_the_range_of_the_metric():
    summary = run().summary().set_index("metric")
    assert (summary.loc["mae", "low"] >= 0).all()
    assert (summary.loc[["r2", "ccc"], "high"] <= 1).all()


def test_results_print_save_and_load(tmp_path):
    results = run()
    assert "mae" in str(results) and "macro_f1" not in str(results)
    results.save(tmp_path / "study.json")
    loaded = StudyResults.load(tmp_path / "study.json")
    pd.testing.assert_frame_equal(loaded.to_frame(), results.to_frame())
    assert set(results.to_frame()["metric"]) == {"mae", "r2", "ccc"}


def test_the_metric_must_be_one_of_the_kind_of_target():
    for metric in ("macro_f1", "auroc"):
        with pytest.raises(ValueError, match=f"No metric '{metric}', only mae, r2, ccc"):
            run().summary(metric)
    with pytest.raises(ValueError, match="No metric 'mae', only accuracy"):
        run(DummyClassifier(), FEATURES).compare("dummyclassifier", metric="mae")


def test_models_must_be_of_one_kind():
    with pytest.raises(TypeError, match="regressors ridge and the classifiers guess"):
        run({"ridge": Ridge(), "guess": DummyClassifier()})
    with pytest.raises(TypeError, match="all classifiers or all regressors"):
        run({"ridge": Ridge()}, baselines={"guess": DummyClassifier()})


@pytest.mark.parametrize("y", [np.tile(["rest", "stress"], 30), np.full(60, np.inf)])
def test_regressors_need_finite_numbers(y):
    with pytest.raises(ValueError, match="Regressors need finite numbers, but 'label' holds"):
        run(windows=table(X, y))


def test_what_is_for_classes_refuses_a_continuous_target():
    results = run()
    with pytest.raises(ValueError, match="Position-matched scores are of classes"):
        results.position_matched()
    with pytest.raises(ValueError, match="audit of confounds needs classes"):
        audit_confounds(WINDOWS)
    with pytest.raises(ValueError, match="Confusion is of classes"):
        SubjectConfusionDisplay.from_results(results, "ridge")


def test_scores_of_numbers_can_be_drawn():
    display = SubjectScoresDisplay.from_results(run(), "mae")
    assert display.ax_.get_ylabel().startswith("mean absolute error")


def test_several_targets_each_get_their_own_model():
    info = {"subject": GROUPS, "valence": HEART_RATE, "arousal": X[:, 1] + RNG.normal(size=60)}
    results = run(windows=Windows(X, pd.DataFrame(info)), targets=["valence", "arousal"])
    assert results.conditions == {"target": ["valence", "arousal"]}


def test_a_search_prefers_the_lower_error():
    results = run({"ridge": Ridge()}, search={"ridge": {"alpha": [0.1, 1e6]}})
    assert all(record["best_params"] == {"alpha": 0.1} for record in results.records)


def test_few_labelled_subjects_and_fractions_need_no_classes():
    by_person = label_efficiency(Ridge(), WINDOWS, n_subjects=(1, 2), n_repeats=1, baselines=False)
    assert [r["n_labelled"] for r in by_person.records[:2]] == [12, 24]
    half = label_efficiency(Ridge(), WINDOWS, fractions=[0.5], n_repeats=1, baselines=False)
    assert {record["n_labelled"] for record in half.records} == {24}


def test_data_sets_left_out_need_no_common_values():
    y = SIGNALS.X["bvp"][:, 0].std(axis=1)
    whole = table(SIGNALS.X, y)
    datasets = {"lab": whole.select(np.arange(36)), "field": whole.select(np.arange(36, 60))}
    model = make_pipeline(ChannelStatistics(), Ridge())
    results = leave_datasets_out(model, datasets, baselines=False)
    assert sorted(results.conditions["dataset"]) == ["field", "lab"]
    assert (results.summary("mae")["mean"] < y.std()).all()


def test_studies_of_numbers_can_be_pooled():
    studies = {}
    for name in ("lab", "field"):
        windows = table(X, HEART_RATE, groups=np.char.add(f"{name}-", GROUPS))
        studies[name] = run(windows=windows)
    table_ = pool_studies(studies, "ridge", "mean")
    assert (table_["metric"] == "mae").all() and (table_["difference"] > 0).all()


# Baselines


def test_baselines_of_regressors_are_regressors():
    names = ["training mean", "clock", "clock, forest", "channel statistics"]
    assert list(make_baselines(WINDOWS, models=Ridge())) == names
    results = leave_subjects_out(Ridge(), WINDOWS)
    assert results.estimators == ["ridge", *names]
    scores = results.summary("mae").set_index("estimator")["mean"]
    assert scores["channel statistics"] < 2 < scores["training mean"]


def test_an_embedding_is_added_to_the_features_by_the_same_regressor():
    signals = SIGNALS.X
    windows = table(signals, signals["bvp"][:, 0].std(axis=1))
    model = make_pipeline(FrozenEstimator(Encoder().fit(signals)), LinearProbeRegressor())
    results = leave_subjects_out({"ours": model}, windows)
    added = results.added_value("ours", over="channel statistics").iloc[0]
    assert added["metric"] == "mae"
    expected = added["features"] - added["with_embedding"]
    assert added["difference"] == pytest.approx(expected)


def test_the_probe_chooses_its_regularisation_on_people_held_out():
    rng = np.random.default_rng(1)
    X, groups = rng.normal(size=(80, 30)), np.repeat(np.arange(4), 20)
    noise = LinearProbeRegressor().fit(X, rng.normal(size=80), groups=groups)
    signal = LinearProbeRegressor().fit(X, X[:, 0], groups=groups)
    assert noise.alpha_ > signal.alpha_ == 0.1


# Sample weights


@pytest.mark.parametrize("probe", [LinearProbe(), LinearProbeRegressor()])
def test_whole_weights_of_a_probe_are_repeated_windows(probe):
    y = (HEART_RATE > 70).astype(int)
    weight = RNG.integers(0, 4, size=60)
    weighted = probe.fit(X, y, groups=GROUPS, sample_weight=weight).predict(X)
    expected = probe.fit(
        *(np.repeat(part, weight, axis=0) for part in (X, y)), groups=np.repeat(GROUPS, weight)
    ).predict(X)
    assert_allclose(weighted, expected, atol=1e-6)


def test_windows_of_weight_zero_do_not_train():
    weight = np.ones(60)
    weight[::2] = 0
    weighted = run({"linear": LinearRegression()}, sample_weight=weight)
    for record in weighted.records:
        train = (record["subject"] != GROUPS) & (weight > 0)
        expected = LinearRegression().fit(X[train], HEART_RATE[train])
        assert_allclose(
            record["predictions"]["predicted"], expected.predict(X[record["subject"] == GROUPS])
        )
    assert weighted.protocol["weighted"] and not run().protocol["weighted"]


def test_weights_reach_the_last_step_also_in_a_search_and_the_baselines():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    grid = GridSearchCV(pipeline, {"logisticregression__C": [1]}, cv=GroupKFold(2))
    models = {"pipeline": pipeline, "searched": grid, "probe": LinearProbe()}
    weight = np.where(FEATURES.y == "stress", 1e-6, 1.0)  # as good as absent
    results = leave_subjects_out(
        models, FEATURES, sample_weight=weight, search={"pipeline": {"logisticregression__C": [1]}}
    )
    scores = results.summary("accuracy").set_index("estimator")["mean"]
    assert scores["pipeline"] == scores["searched"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "model", [KNeighborsClassifier(), Watched(), make_pipeline(StandardScaler(), Watched())]
)
def test_weights_for_a_model_that_takes_none_are_an_error(model):
    with pytest.raises(TypeError, match="fit of each model must take it, but 'some' does not"):
        run({"some": model}, FEATURES, sample_weight=np.ones(60))


@pytest.mark.parametrize(
    "weight, match",
    [
        (np.ones(59), "a number for each of 60 windows"),
        (-np.ones(60), "must be non-negative"),
        (np.zeros(60), "not all zero"),
        (np.full(60, np.nan), "NaN"),
    ],
)
def test_weights_must_fit_the_windows(weight, match):
    with pytest.raises(ValueError, match=match):
        run(sample_weight=weight)


def test_equal_weights_change_nothing():
    plain = leave_subjects_out(LogisticRegression(), FEATURES, baselines=False)
    equal = leave_subjects_out(
        LogisticRegression(), FEATURES, baselines=False, sample_weight=np.ones(60)
    )
    assert accuracies(plain) == accuracies(equal)
