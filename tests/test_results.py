"""Scores of subjects: how they are computed, averaged, compared and kept."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import wilcoxon
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)

from physio_ssl.evaluation.inference import holm, rank_biserial
from physio_ssl.evaluation.metrics import METRICS, score
from physio_ssl.evaluation.results import StudyResults


def predictions_of(classes, n_windows=60, seed=0):
    rng = np.random.default_rng(seed)
    y_true = np.concatenate([classes, rng.choice(classes, n_windows - len(classes))])
    probability = rng.integers(1, 9, size=(n_windows, len(classes))) * 1.0  # with ties
    probability /= probability.sum(axis=1, keepdims=True)
    return y_true, np.asarray(classes)[probability.argmax(axis=1)], probability


def make_record(estimator="a", subject="S1", value=0.5, **more):
    return {
        "estimator": estimator,
        "fold": 0,
        "subject": subject,
        "n_windows": 4,
        "class_counts": {"rest": 3, "stress": 1},
        "confusion": [[2, 1], [0, 1]],
        **dict.fromkeys(METRICS, value),
        **more,
    }


def make_results(scores, protocol=None, **more):
    """Results of ``{estimator: [a value per subject]}``."""
    records = [
        make_record(estimator, f"S{number}", value, **more)
        for estimator, values in scores.items()
        for number, value in enumerate(values)
    ]
    return StudyResults(records, protocol or {"protocol": "leak_free"})


@pytest.fixture
def results():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.7, 15)
    better, worse = base + rng.normal(0.1, 0.1, 15), base - rng.normal(0.02, 0.1, 15)
    return make_results({"a": better.tolist(), "b": base.tolist(), "c": worse.tolist()})


CLASSES = pytest.mark.parametrize("classes", [[0, 1], ["rest", "stress"], [1, 2, 3, 7], ["b", "a"]])


@CLASSES
def test_scores_are_those_of_scikit_learn(classes):
    y_true, y_pred, probability = predictions_of(classes)
    found = score(y_true, y_pred, probability, classes)
    expected = {
        "accuracy": accuracy_score(y_true, y_pred),
        "balanced_accuracy": balanced_accuracy_score(y_true, y_pred),
        "macro_f1": f1_score(y_true, y_pred, average="macro"),
        "kappa": cohen_kappa_score(y_true, y_pred),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["confusion"] == confusion_matrix(y_true, y_pred, labels=classes).tolist()


@pytest.mark.parametrize("classes", [["rest", "stress"], [1, 2, 3, 7]])
def test_auroc_is_that_of_scikit_learn(classes):
    y_true, y_pred, probability = predictions_of(classes)
    scores = probability[:, 1] if len(classes) == 2 else probability
    expected = roc_auc_score(y_true, scores, multi_class="ovr")
    assert score(y_true, y_pred, probability, classes)["auroc"] == pytest.approx(expected)


def test_without_probabilities_there_is_no_auroc():
    assert score([0, 1], [0, 1], None, [0, 1])["auroc"] is None


def test_windows_are_counted_for_all_classes_in_their_order():
    found = score(["b", "c", "b"], ["b", "b", "b"], None, ["c", "b", "a"])
    assert found["n_windows"] == 3
    assert list(found["class_counts"].items()) == [("c", 1), ("b", 2), ("a", 0)]
    assert found["confusion"] == [[0, 1, 0], [0, 2, 0], [0, 0, 0]]


def test_scores_that_need_all_classes_are_missing_where_one_lacks():
    found = score([0, 1, 1], [0, 1, 2], np.eye(3), [0, 1, 2])
    missing = [name for name in METRICS if found[name] is None]
    assert missing == ["balanced_accuracy", "macro_f1", "auroc"]
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_one_class_alone_leaves_only_accuracy():
    found = score(["rest"], ["stress"], [[0.2, 0.8]], ["rest", "stress"])
    assert {name: found[name] for name in METRICS} == {**dict.fromkeys(METRICS), "accuracy": 0.0}


def test_a_constant_prediction_has_no_kappa_above_chance():
    found = score([0, 0, 1], [0, 0, 0], [[0.5, 0.5]] * 3, [0, 1])
    assert (found["kappa"], found["auroc"], found["balanced_accuracy"]) == (0, 0.5, 0.5)


def test_scores_can_be_written_as_json():
    found = score(*predictions_of([0, 1]), np.array([0, 1]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    "arguments, match",
    [
        (([0, 1], [0], None, [0, 1]), "2 and 1"),
        (([], [], None, [0, 1]), "0 and 0"),
        (([0, 2], [0, 1], None, [0, 1]), r"\[0, 1\].*\[2\]"),
        ((["0"], [0], None, [0, 1]), r"\[0, 1\].*\['0'\]"),
        (([0], [0], None, [0]), "classes"),
        (([0], [0], [[1.0]], [0, 1]), r"\(1, 2\).*\[\[1"),
        (([0], [0], [[np.nan, 1.0]], [0, 1]), "finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        score(*arguments)


def test_the_summary_averages_over_subjects():
    row = make_results({"a": [0.2, 0.4, 0.9]}).summary("auroc").iloc[0]
    assert (row["estimator"], row["metric"], row["n_subjects"]) == ("a", "auroc", 3)
    assert row["mean"] == pytest.approx(0.5)
    assert row["std"] == pytest.approx(np.std([0.2, 0.4, 0.9], ddof=1))


def test_the_summary_has_a_row_per_estimator_and_metric(results):
    summary = results.summary()
    assert list(summary["metric"]) == list(METRICS) * 3
    assert list(summary["estimator"].unique()) == results.estimators == ["a", "b", "c"]


def test_missing_scores_are_counted_and_not_averaged():
    row = make_results({"a": [0.2, None, 0.4]}).summary("kappa").iloc[0]
    assert row["mean"] == pytest.approx(0.3)
    assert (row["n_subjects"], row["n_missing"]) == (2, 1)


def test_a_score_that_no_subject_has_is_missing_in_the_summary():
    row = make_results({"a": [None, None]}).summary("auroc").iloc[0]
    assert row[["mean", "low", "high", "std"]].isna().all()
    assert (row["n_subjects"], row["n_missing"]) == (0, 2)


def test_one_subject_has_no_interval():
    row = make_results({"a": [0.3]}).summary("accuracy").iloc[0]
    assert row["mean"] == 0.3
    assert row[["low", "high", "std"]].isna().all()


def test_the_same_seed_gives_the_same_interval(results):
    first, again = results.summary(), results.summary()
    assert first.equals(again)
    other = results.summary(random_state=1)
    assert not first["low"].equals(other["low"])
    assert_allclose(first["low"], other["low"], atol=0.02)


def test_the_order_of_the_records_does_not_change_the_interval(results):
    turned = StudyResults(results.records[::-1], results.protocol)
    expected = results.summary("kappa").sort_values("estimator", ignore_index=True)
    found = turned.summary("kappa").sort_values("estimator", ignore_index=True)
    assert_allclose(found["low"], expected["low"])


def test_one_metric_has_the_interval_it_has_among_all(results):
    summary = results.summary()
    among_all = summary[summary["metric"] == "auroc"].reset_index(drop=True)
    assert among_all.equals(results.summary("auroc"))
    assert among_all.equals(results.summary(["auroc"]))


def test_a_wider_confidence_gives_a_wider_interval(results):
    narrow, wide = (results.summary("auroc", confidence=c).iloc[0] for c in (0.5, 0.99))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_repeats_are_averaged_within_the_subject_first():
    scores = {"S1": [0.1, 0.3], "S2": [0.6, 0.8, 0.7], "S3": [0.9, None]}
    repeated = StudyResults(
        [
            make_record(subject=subject, value=value, repeat=repeat)
            for subject, values in scores.items()
            for repeat, value in enumerate(values)
        ],
        {},
    )
    single = make_results({"a": [0.2, 0.7, 0.9]})
    assert_allclose(
        repeated.summary()[["mean", "low", "high", "std", "n_subjects"]],
        single.summary()[["mean", "low", "high", "std", "n_subjects"]],
    )


def test_the_spread_over_repeats_is_that_of_their_means_over_subjects():
    scores = {"S1": [0.1, 0.3, None], "S2": [0.5, 0.9, 0.6]}
    records = [
        make_record(subject=subject, value=value, repeat=seed)
        for subject, values in scores.items()
        for seed, value in enumerate(values)
    ]
    row = StudyResults([*records, make_record("b")], {}).summary("kappa").iloc[0]
    assert row["n_repeats"] == 3
    assert row["std_repeats"] == pytest.approx(np.std([0.3, 0.6, 0.6], ddof=1))


def test_one_repeat_has_no_spread(results):
    row = results.summary("kappa").iloc[0]
    assert row["n_repeats"] == 1
    assert np.isnan(row["std_repeats"])


@pytest.mark.parametrize("metric, lowest", [("macro_f1", 0), ("kappa", -1)])
def test_intervals_stay_within_the_range_of_the_metric(metric, lowest):
    results = make_results({"a": [1, 1, 0.2], "b": [lowest, lowest, 0.8]})
    summary = results.summary(metric).set_index("estimator")
    assert summary.loc["a", "high"] == 1
    assert summary.loc["b", "low"] == lowest
    assert results.compare("a", "b", metric).iloc[0]["high"] == 1 - lowest


def test_each_condition_has_its_own_rows():
    records = make_results({"a": [0.2, 0.4]}, label_fraction=0.1).records
    records += make_results({"a": [0.6, 0.8]}, label_fraction=1.0).records
    summary = StudyResults(records, {}).summary("macro_f1")
    assert list(summary["label_fraction"]) == [0.1, 1.0]
    assert_allclose(summary["mean"], [0.3, 0.7])


def test_the_comparison_is_the_wilcoxon_test_of_scipy(results):
    row = results.compare("a", "b").iloc[0]
    a, b = ([r["macro_f1"] for r in results.records if r["estimator"] == name] for name in "ab")
    assert row["p_value"] == pytest.approx(wilcoxon(a, b).pvalue)
    assert row["difference"] == pytest.approx(np.mean(a) - np.mean(b))
    assert row["low"] < row["difference"] < row["high"]


def test_the_comparison_pairs_subjects_and_not_positions(results):
    turned = [r for r in results.records if r["estimator"] == "a"]
    turned += [r for r in results.records if r["estimator"] == "b"][::-1]
    again = StudyResults(turned, {}).compare("a", "b")
    assert again.equals(results.compare("a", "b"))


def test_a_comparison_turned_round_changes_sign(results):
    there, back = results.compare("a", "b").iloc[0], results.compare("b", "a").iloc[0]
    assert there["p_value"] == back["p_value"]
    for name in ("difference", "effect_size"):
        assert there[name] == pytest.approx(-back[name])


def test_subjects_without_both_scores_are_left_out_and_counted():
    scores = {"a": [0.5, None, 0.7, 0.6], "b": [0.4, 0.4, None, 0.3]}
    row = make_results(scores).compare("a", "b").iloc[0]
    assert row["difference"] == pytest.approx(0.2)
    assert (row["n_subjects"], row["n_missing"]) == (2, 2)


def test_estimators_that_always_tie_do_not_differ():
    row = make_results({"a": [0.5, 0.7], "b": [0.5, 0.7]}).compare("a", "b").iloc[0]
    assert (row["difference"], row["p_value"], row["effect_size"]) == (0, 1, 0)


def test_scores_equal_but_for_rounding_tie():
    row = make_results({"a": [0.1 + 0.2, 0.7], "b": [0.3, 0.7]}).compare("a", "b").iloc[0]
    assert (row["p_value"], row["effect_size"]) == (1, 0)


def test_one_pair_can_be_compared_but_proves_nothing():
    row = make_results({"a": [0.5], "b": [0.4]}).compare("a", "b").iloc[0]
    assert (row["n_subjects"], row["p_value"], row["effect_size"]) == (1, 1, 1)
    assert row[["low", "high"]].isna().all()


def test_no_pair_at_all_is_an_error():
    results = make_results({"a": [0.5, None], "b": [None, 0.5]})
    with pytest.raises(ValueError, match="kappa of both 'a' and 'b'"):
        results.compare("a", "b", metric="kappa")


def test_the_rank_biserial_correlation_by_hand():
    # ranks of 0.1, -0.2, 0.3, 0.3 are 1, 2, 3.5, 3.5: (8 - 2) / 10
    assert rank_biserial(np.array([0.1, 0, -0.2, 0.3, 0.3])) == pytest.approx(0.6)


def test_holm_by_hand():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 and 0.5; none below the one before
    assert_allclose(holm(np.array([0.02, 0.5, 0.01, 0.03])), [0.06, 0.5, 0.04, 0.06])
    assert_allclose(holm(np.array([0.6, 0.9])), [1, 1])


def test_all_others_are_compared_without_correction(results):
    table = results.compare("b")
    assert list(table["other"]) == ["a", "c"]
    assert "p_holm" not in table


def test_named_comparisons_are_corrected_together_whatever_else_was_run(results):
    table = results.compare("b", ["c", "a", "c"])
    assert list(table["other"]) == ["c", "a"]
    assert_allclose(table["p_holm"], holm(table["p_value"].to_numpy()))
    alone = results.compare("b", "c")
    assert alone["p_holm"].equals(alone["p_value"])


@pytest.fixture
def curve():
    """Two estimators at two fractions of labels, and a baseline at all labels only."""
    records = make_results({"a": [0.5, 0.6], "b": [0.4, 0.3]}, label_fraction=0.1).records
    records += make_results({"a": [0.9, 0.8], "b": [0.8, 0.9]}, label_fraction=1.0).records
    records += make_results({"majority": [0.5, 0.4]}, label_fraction=1.0).records
    return StudyResults(records, {})


def test_estimators_are_compared_under_the_same_condition(curve):
    table = curve.compare("a", "b")
    assert list(table["label_fraction"]) == [0.1, 1.0]
    assert_allclose(table["difference"], [0.2, 0])
    assert list(curve.compare("a")["other"]) == ["b", "b", "majority"]


def test_a_comparison_can_be_of_one_condition_only(curve):
    assert_allclose(curve.compare("a", "b", label_fraction=0.1)["difference"], [0.2])
    with pytest.raises(ValueError, match="'a' and .*'majority'.*condition"):
        curve.compare("a", "majority", label_fraction=0.1)


@pytest.mark.parametrize(
    "arguments, conditions, match",
    [
        (("d",), {}, "'d'.*a, b, majority"),
        (("a", "d"), {}, "'d'.*a, b, majority"),
        (("a", "a"), {}, "'a'"),
        (("a", "b", "f1"), {}, "metric 'f1'"),
        (("a", "b"), {"target": "arousal"}, "'target'.*label_fraction"),
        (("a", "b"), {"label_fraction": 0.2}, r"label_fraction 0\.2"),
        (("a", "b"), {"confidence": 95}, "confidence.* 95"),
        (("a", "b"), {"n_resamples": 0}, "n_resamples.* 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(curve, arguments, conditions, match):
    with pytest.raises(ValueError, match=match):
        curve.compare(*arguments, **conditions)


def test_an_estimator_alone_cannot_be_compared():
    with pytest.raises(ValueError, match="'a'"):
        make_results({"a": [0.5]}).compare("a")


@pytest.mark.parametrize("metric", ["f1", ["auroc", "f1"]])
def test_an_unknown_metric_cannot_be_summarised(results, metric):
    with pytest.raises(ValueError, match="metric 'f1'"):
        results.summary(metric)


def test_a_subject_tested_in_several_folds_counts_once():
    records = [make_record(value=v, fold=fold) for fold, v in enumerate([0.2, 0.4])]
    row = StudyResults(records, {}).summary("auroc").iloc[0]
    assert (row["n_subjects"], row["mean"]) == (1, pytest.approx(0.3))


def test_the_table_has_a_row_per_subject_and_metric():
    frame = make_results({"a": [0.5, None], "b": [0.4, 0.3]}).to_frame()
    counts = ["n_windows", "n_class_rest", "n_class_stress"]
    assert list(frame) == ["estimator", "fold", "subject", *counts, "metric", "value"]
    assert len(frame) == 2 * 2 * len(METRICS)
    assert frame["value"].isna().sum() == len(METRICS)
    assert (frame[counts] == [4, 3, 1]).all(axis=None)


def test_the_table_holds_the_conditions_and_the_classes_of_each_target():
    records = [
        make_record(target="stress", repeat=0),
        make_record(target="arousal", repeat=0, class_counts={"low": 3, "high": 1}),
    ]
    frame = StudyResults(records, {}).to_frame()
    assert list(frame)[:4] == ["estimator", "target", "repeat", "fold"]
    assert list(frame)[-2:] == ["metric", "value"]
    assert frame.groupby("target")["n_class_low"].count().to_dict() == {"arousal": 5, "stress": 0}


def test_results_show_what_they_are(results, curve):
    assert repr(results) == "StudyResults(3 estimators, 15 subjects; leak_free)"
    assert repr(curve) == "StudyResults(3 estimators, 2 subjects, label_fraction: 0.1, 1.0)"
    assert str(results).startswith(repr(results) + "\n")
    assert "balanced_accuracy" in str(results)


@pytest.fixture
def joined():
    """An encoder, two baselines, and the features of one with the embedding, of two seeds."""
    records = make_results({"encoder": [0.9, 0.8, 0.7], "hand-crafted": [0.6, 0.7, None]}).records
    records += make_results({"clock": [0.8, 0.8, 0.8]}).records
    for seed, gain in enumerate([0.1, 0.3]):
        with_embedding = {"encoder": [0.6 + gain, 0.8 + gain - 0.2, 0.5]}
        more = {"added_to": "hand-crafted", "repeat": seed}
        records += make_results(with_embedding, **more).records
    return StudyResults(records, {"baselines": ["hand-crafted", "clock"]})


def test_added_value_is_features_with_the_embedding_minus_features(joined):
    row = joined.added_value("encoder").iloc[0]
    # over two seeds, 0.8 and 0.8 with the embedding, 0.6 and 0.7 without
    assert row["features"] == pytest.approx(0.65)
    assert row["with_embedding"] == pytest.approx(0.8)
    assert row["difference"] == pytest.approx(0.15)
    assert (row["estimator"], row["over"]) == ("encoder", "hand-crafted")
    assert (row["n_subjects"], row["n_missing"]) == (2, 1)


def test_added_value_is_tested_like_a_comparison(joined):
    found = joined.added_value("encoder").iloc[0]
    scores = {"a": [0.8, 0.8, 0.5], "b": [0.6, 0.7, None]}
    expected = make_results(scores).compare("a", "b").iloc[0]
    same = ["difference", "low", "high", "n_subjects", "n_missing", "p_value", "effect_size"]
    assert_allclose(found[same].astype(float), expected[same].astype(float))


def test_added_value_of_all_models_over_all_baselines_is_a_table(joined):
    records = joined.records + make_results({"encoder": [1, 1, 1]}, added_to="clock").records
    records += make_results({"net": [1, 1, 1]}, added_to="clock").records
    results = StudyResults(records, {})
    table = results.added_value(over=None)
    expected = [("encoder", "hand-crafted"), ("encoder", "clock"), ("net", "clock")]
    assert list(zip(table["estimator"], table["over"], strict=True)) == expected
    assert results.added_value(over="clock").equals(table.iloc[1:].reset_index(drop=True))


def test_added_value_belongs_to_a_condition():
    records = make_results({"e": [0.9], "f": [0.1]}, label_fraction=0.1).records
    records += make_results({"e": [0.7]}, label_fraction=0.1, added_to="f").records
    records += make_results({"e": [0.9], "f": [0.5]}, label_fraction=1.0).records
    records += make_results({"e": [0.6]}, label_fraction=1.0, added_to="f").records
    results = StudyResults(records, {})
    assert_allclose(results.added_value("e", "f")["difference"], [0.6, 0.1])
    assert_allclose(results.added_value("e", "f", label_fraction=0.1)["difference"], [0.6])


def test_added_value_that_nobody_has_is_missing():
    records = make_results({"e": [0.9], "f": [None]}).records
    records += make_results({"e": [0.7]}, added_to="f").records
    row = StudyResults(records, {}).added_value("e", "f").iloc[0]
    missing = ["features", "with_embedding", "difference", "low", "high", "p_value", "effect_size"]
    assert row[missing].isna().all()
    assert (row["n_subjects"], row["n_missing"]) == (0, 1)


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("net",), "over 'hand-crafted' of 'net', only encoder"),
        (("encoder", "clock"), "over 'clock', only hand-crafted"),
        (("encoder", "hand-crafted", "f1"), "metric 'f1'"),
    ],
)
def test_added_value_that_is_not_there_is_refused(joined, arguments, match):
    with pytest.raises(ValueError, match=match):
        joined.added_value(*arguments)


def test_a_study_without_baselines_has_no_added_value(results):
    with pytest.raises(ValueError, match="with baselines.*embedding"):
        results.added_value("a")


def test_scores_with_features_added_are_no_model_of_the_study(joined):
    assert joined.estimators == ["encoder", "hand-crafted", "clock"]
    assert list(joined.summary("auroc")["estimator"]) == joined.estimators
    assert joined.summary("auroc").iloc[0]["mean"] == pytest.approx(0.8)
    assert joined.compare("encoder", "clock").iloc[0]["difference"] == pytest.approx(0)


def test_the_table_tells_which_scores_have_features_added(joined, results):
    frame = joined.to_frame()
    assert frame["added_to"].value_counts().to_dict() == {"hand-crafted": 6 * len(METRICS)}
    assert "added_to" not in results.to_frame()


def test_printed_results_mark_baselines_and_show_the_added_value(joined):
    text = str(joined)
    assert "clock (baseline)" in text
    assert "encoder (baseline)" not in text
    assert "what an embedding adds to hand-crafted" in text
    assert "No baselines" not in text


@pytest.mark.parametrize("protocol", [{}, {"baselines": []}])
def test_printed_results_say_that_there_were_no_baselines(results, protocol):
    last = str(StudyResults(results.records, protocol)).splitlines()[-1]
    assert last == "No baselines were run: the scores have nothing to be compared with."


def test_results_come_back_from_a_file_as_they_were(tmp_path):
    records = make_results({"a": [0.1 + 0.2, None]}, label_fraction=0.1).records
    records[0] |= {
        "subject": "Søren",
        "best_params": {"C": 1.0, "penalty": None},
        "seconds": 1.5,
        "predictions": {"row": [3, 4], "predicted": ["rest", "rest"], "probability": [[1, 0]] * 2},
    }
    results = StudyResults(records, {"protocol": "leak_free", "audit": {"passed": True}})
    results.save(tmp_path / "study.json")
    again = StudyResults.load(tmp_path / "study.json")
    assert again == results
    assert again.summary().equals(results.summary())


def test_saving_replaces_the_file_and_leaves_no_other(tmp_path, results, curve):
    results.save(tmp_path / "study.json")
    curve.save(tmp_path / "study.json")
    assert StudyResults.load(tmp_path / "study.json") == curve
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


@pytest.mark.parametrize("value, error", [(np.nan, ValueError), (object(), TypeError)])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path, results, value, error):
    results.save(tmp_path / "study.json")
    with pytest.raises(error, match="JSON"):
        StudyResults(results.records, {"value": value}).save(tmp_path / "study.json")
    assert StudyResults.load(tmp_path / "study.json") == results


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "'version': 2"),
        ({"version": "1"}, "'version': '1'"),
        ({"records": None}, "KeyError.*records"),
        ({"protocol": None}, "KeyError.*protocol"),
        ({"protocol": []}, r"study\.json.*protocol"),
        ({"records": []}, r"study\.json.*records"),
        ({"records": [{"estimator": "a", "fold": 0}]}, "Record 0.*subject, n_windows"),
    ],
)
def test_a_file_of_other_content_is_refused(tmp_path, results, changes, match):
    path = tmp_path / "study.json"
    results.save(path)
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: v for name, v in content.items() if v is not None}))
    with pytest.raises(ValueError, match=match):
        StudyResults.load(path)


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "JSON"),
        ("\x00PK", "JSON"),
        ('{"format": NaN}', "NaN.*JSON"),
        ("[" * 100_000, "JSON"),
        ("[1, 2]", "results"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, match):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(ValueError, match=match):
        StudyResults.load(tmp_path / "study.json")


def test_a_file_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        StudyResults.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "records, error, match",
    [
        ([], ValueError, "records"),
        (["a"], TypeError, "Record 0.*dict"),
        ([make_record(), make_record()], ValueError, "Record 1 repeats.*'a', 'S1'"),
        ([make_record(subject=1)], TypeError, "subject.* 1"),
        ([make_record(added_to=1)], TypeError, "added_to.* 1"),
        ([make_record(value=np.nan)], ValueError, "finite accuracy.*nan"),
        ([make_record(kappa="0.5")], ValueError, "finite kappa.*0.5"),
        ([make_record(confusion=[[4]])], ValueError, "2 classes"),
    ],
)
def test_records_that_make_no_sense_are_refused(records, error, match):
    with pytest.raises(error, match=match):
        StudyResults(records, {})
