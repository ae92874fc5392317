"""Displays: what is drawn are the numbers, where it was asked for, and readable."""

import subprocess
import sys
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.dataset import ValidSplit

from physio_ssl import SSLEncoder
from physio_ssl.evaluation.metrics import METRICS, REGRESSION_METRICS
from physio_ssl.evaluation.results import StudyResults
from physio_ssl.plotting import (
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    PretrainingCurveDisplay,
    SubjectConfusionDisplay,
    SubjectScoresDisplay,
)
from physio_ssl.plotting._figure import N_MARKS, mark, natural_order, wrap
from physio_ssl.plotting._results import METRIC_NAMES
from physio_ssl.pretext import MaskedPrediction

SUBJECTS = [f"S{i}" for i in range(2, 14)]
FRACTIONS = [{"label_fraction": fraction} for fraction in (0.01, 0.1, 1.0)]


@pytest.fixture(autouse=True)
def close_figures():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before  # no display changes the user's style
    plt.close("all")


def make_record(estimator, subject, value, **more):
    return {
        "estimator": estimator,
        "fold": 0,
        "subject": subject,
        "n_windows": 10,
        "class_counts": {"rest": 6, "stress": 4},
        "confusion": [[5, 1], [2, 2]],
        **dict.fromkeys(METRICS, value),
        **more,
    }


def make_results(estimators=("supervised", "frozen"), conditions=({},)):
    """Results with scores drawn at random, the same for the same names."""
    rng = np.random.default_rng(0)
    records = [
        make_record(name, subject, round(rng.uniform(0.4, 0.9), 3), **condition)
        for name in estimators
        for condition in conditions
        for subject in SUBJECTS
    ]
    return StudyResults(records, {"protocol": "leak_free"})


def scores_of(results, estimator, **condition):
    return [
        record["macro_f1"]
        for record in results.records
        if {"estimator": estimator, **condition}.items() <= record.items()
    ]


def texts(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# Scores of subjects


def test_every_subject_is_a_dot_in_its_estimators_column_and_a_line_across():
    results = make_results()
    display = SubjectScoresDisplay.from_results(results)
    scores = [scores_of(results, name) for name in results.estimators]
    assert_array_equal([dots.get_ydata() for dots in display.points_], scores)
    for place, dots in enumerate(display.points_):
        assert_array_equal(dots.get_xdata(), place)
    assert_array_equal([line.get_ydata() for line in display.lines_], np.transpose(scores))


def test_means_and_intervals_are_those_of_the_summary():
    results = make_results()
    display = SubjectScoresDisplay.from_results(results, "kappa", confidence=0.8)
    table = results.summary("kappa", confidence=0.8)
    assert_array_equal([line.get_ydata()[0] for line in display.means_], table["mean"])
    drawn = [line.get_ydata() for line in display.intervals_]
    assert_array_equal(drawn, table[["low", "high"]])
    assert "80%\ninterval over subjects" in display.ax_.get_xlabel()
    assert display.ax_.get_ylabel() == "Cohen's kappa of a held-out subject"
    assert tuple(METRIC_NAMES) == METRICS + REGRESSION_METRICS


def test_scores_with_features_added_are_not_drawn():
    results = make_results()
    expected = SubjectScoresDisplay.from_results(results)
    more = [make_record("frozen", name, 0.1, added_to="supervised") for name in SUBJECTS]
    display = SubjectScoresDisplay.from_results(StudyResults([*results.records, *more], {}))
    assert_array_equal(display.scores, expected.scores)


@pytest.mark.parametrize("n_missing", [1, len(SUBJECTS)])
def test_missing_scores_are_left_out_and_counted(n_missing):
    results = make_results()
    for record in results.records[-n_missing:]:
        record.update(dict.fromkeys(METRICS))
    display = SubjectScoresDisplay.from_results(results)
    assert len(display.points_[1].get_ydata()) == len(SUBJECTS) - n_missing
    assert texts(display.ax_) == ["supervised", f"frozen\n{n_missing} missing"]
    display.figure_.draw_without_rendering()


def test_estimators_come_in_the_order_asked_for_and_one_has_no_lines():
    results = make_results(("a", "b", "c"))
    display = SubjectScoresDisplay.from_results(results, estimators=["c", "a"])
    assert texts(display.ax_) == ["c", "a"]
    assert_array_equal(display.points_[0].get_ydata(), scores_of(results, "c"))
    display = SubjectScoresDisplay.from_results(results, estimators="b")
    assert_array_equal([dots.get_ydata() for dots in display.points_], [scores_of(results, "b")])
    assert list(display.lines_) == []


@pytest.mark.parametrize("display", [SubjectScoresDisplay, LabelEfficiencyDisplay])
def test_chance_is_drawn_if_it_is_given(display):
    results = make_results(conditions=FRACTIONS[:1])
    assert display.from_results(results).chance_ is None
    drawn = display.from_results(results, chance=0.5)
    assert_array_equal(drawn.chance_.get_ydata(), 0.5)


def test_repeats_are_averaged_within_subjects():
    results = make_results(conditions=[{"repeat": 0}, {"repeat": 1}])
    repeats = [scores_of(results, "frozen", repeat=i) for i in (0, 1)]
    display = SubjectScoresDisplay.from_results(results)
    assert_allclose(display.points_[1].get_ydata(), np.mean(repeats, axis=0))
    display = SubjectScoresDisplay.from_results(results, repeat=1)
    assert_array_equal(display.points_[1].get_ydata(), repeats[1])


def test_one_condition_is_drawn_and_must_be_chosen():
    results = make_results(conditions=FRACTIONS)
    display = SubjectScoresDisplay.from_results(results, label_fraction=0.1)
    expected = scores_of(results, "frozen", label_fraction=0.1)
    assert_array_equal(display.points_[1].get_ydata(), expected)
    with pytest.raises(ValueError, match=r"label_fraction=0\.01, label_fraction=0\.1"):
        SubjectScoresDisplay.from_results(results)


def test_unknown_names_and_values_are_refused_with_the_known_ones():
    results = make_results(conditions=FRACTIONS)
    results.records.append(make_record("baseline", "S2", 0.5, label_fraction=1.0))
    for arguments, message in [
        ({"metric": "f1"}, "metric 'f1'.*macro_f1"),
        ({"estimators": ["frozen", "F"]}, "'F'.*supervised, frozen"),
        ({"estimators": "F"}, "'F'"),
        ({"target": "arousal"}, "'target'.*label_fraction"),
    ]:
        with pytest.raises(ValueError, match=message):
            LabelEfficiencyDisplay.from_results(results, **arguments)
        with pytest.raises(ValueError, match=message):
            SubjectScoresDisplay.from_results(results, **{"label_fraction": 1.0, **arguments})
    for arguments, message in [
        ({"label_fraction": 0.3}, r"0\.3.*0\.01, 0\.1, 1\.0"),
        ({"label_fraction": 0.1, "estimators": ["baseline"]}, r"0\.1.*'baseline'"),
        ({"label_fraction": 0.1, "estimators": []}, r"no result.*0\.1"),
    ]:
        with pytest.raises(ValueError, match=message):
            SubjectScoresDisplay.from_results(results, **arguments)


def test_long_names_stand_upright_where_room_is_short():
    names = ["hand-crafted features + random forest", "supervised", "fine_tuned", "frozen"]
    for width, rotation in ((12, 0), (4, 90)):
        _, ax = plt.subplots(figsize=(width, 4))
        SubjectScoresDisplay.from_results(make_results(names), ax=ax)
        assert {label.get_rotation() for label in ax.get_xticklabels()} == {rotation}


# Few labels


def test_each_estimator_is_a_line_over_the_fractions():
    results = make_results(conditions=FRACTIONS)
    display = LabelEfficiencyDisplay.from_results(results)
    table = results.summary("macro_f1").set_index("estimator")
    for name, line in zip(results.estimators, display.lines_, strict=True):
        assert_array_equal(line.get_xdata(), [0.01, 0.1, 1.0])
        assert_array_equal(line.get_ydata(), table.loc[name, "mean"])
    assert legend_of(display.ax_) == ["supervised", "frozen"]


def test_bands_are_the_intervals_of_the_summary():
    results = make_results(conditions=FRACTIONS)
    display = LabelEfficiencyDisplay.from_results(results, "auroc", "frozen", confidence=0.5)
    table = results.summary("auroc", confidence=0.5).set_index("estimator").loc["frozen"]
    (band,) = display.bands_
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    for end in ("low", "high"):
        assert set(zip(table["label_fraction"], table[end], strict=True)) <= corners


def test_fractions_lie_on_a_logarithmic_axis_in_percent():
    display = LabelEfficiencyDisplay.from_results(make_results(conditions=FRACTIONS))
    assert display.ax_.get_xscale() == "log"
    ticks = zip(display.ax_.get_xticks(), texts(display.ax_), strict=True)
    assert dict(ticks) == {1.0: "100%", 0.1: "10%", 0.01: "1%"}
    assert len(display.ax_.get_xticks(minor=True)) == 0


def test_numbers_of_subjects_lie_on_a_logarithmic_axis():
    conditions = [{"n_labelled_subjects": n} for n in (1, 5, 11)]
    display = LabelEfficiencyDisplay.from_results(make_results(conditions=conditions))
    assert display.ax_.get_xscale() == "log"
    assert_array_equal(sorted(display.ax_.get_xticks()), [1, 5, 11])
    assert display.ax_.get_xlabel() == "number of labelled subjects"


def test_minutes_of_calibration_begin_at_0():
    orders = ("time", "random")
    conditions = [
        {"calibration_minutes": k, "calibration_order": order} for order in orders for k in (0, 2)
    ]
    results = make_results(conditions=conditions)
    display = LabelEfficiencyDisplay.from_results(results, calibration_order="random")
    assert_array_equal(sorted(display.ax_.get_xticks()), [0, 2])


def test_baselines_are_dashed_and_without_bands():
    results = make_results(["encoder", "clock"], FRACTIONS)
    results = replace(results, protocol={"baselines": ["clock"]})
    display = LabelEfficiencyDisplay.from_results(results)
    assert [line.get_linestyle() for line in display.lines_] == ["-", "--"]
    assert len(display.bands_) == 1


def test_labels_of_ticks_do_not_overlap():
    amounts, scores = np.arange(1, 101), np.full((1, 100), 0.5)
    display = LabelEfficiencyDisplay(
        amounts,
        scores,
        np.stack([scores, scores], axis=-1),
        estimators=["frozen"],
        against="n_labelled_subjects",
    ).plot()
    display.figure_.draw_without_rendering()
    labels = sorted(display.ax_.get_xticklabels(), key=lambda label: label.get_position())
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) > 5
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_an_amount_that_an_estimator_lacks_is_left_out():
    results = make_results(conditions=FRACTIONS)
    results.records[:] = [
        r for r in results.records if r["estimator"] != "frozen" or r["label_fraction"] == 1.0
    ]
    display = LabelEfficiencyDisplay.from_results(results)
    assert_array_equal(display.lines_[1].get_xdata(), [1.0])


def test_the_curve_is_along_an_amount_that_the_study_varies():
    results = make_results(["frozen"], [*FRACTIONS, {"n_labelled_subjects": 3}])
    display = LabelEfficiencyDisplay.from_results(results, against="n_labelled_subjects")
    assert_array_equal(display.lines_[0].get_xdata(), [3])
    for study, arguments, message in [
        (results, {}, "against.*label_fraction', 'n_labelled_subjects'.*None"),
        (results, {"against": "epochs"}, "against.*'epochs'"),
        (make_results(), {}, r"against.*\[\]"),
        (make_results(conditions=FRACTIONS), {"label_fraction": 0.1}, r"against.*\[\].*0\.1"),
    ]:
        with pytest.raises(ValueError, match=message):
            LabelEfficiencyDisplay.from_results(study, **arguments)


def test_the_curve_is_that_of_one_target():
    targets = [{"target": target, "label_fraction": 1.0} for target in ("valence", "arousal")]
    results = make_results(conditions=targets)
    with pytest.raises(ValueError, match="target='valence', target='arousal'"):
        LabelEfficiencyDisplay.from_results(results)
    display = LabelEfficiencyDisplay.from_results(results, target="arousal")
    mean = np.mean(scores_of(results, "frozen", target="arousal"))
    assert_allclose(display.lines_[1].get_ydata(), [mean])


# Confusion matrices


def make_confusion_results():
    """One model on three subjects, the first of whom has no window of the second class."""
    records = [
        make_record("frozen", f"S{subject}", 0.5, confusion=[[5, 1], [0, i]])
        for i, subject in enumerate((2, 9, 10))
    ]
    return StudyResults(records, {})


def numbers_in(display):
    return [[text.get_text() for text in row] for row in display.text_]


def test_each_subject_has_a_panel_and_the_last_is_their_sum():
    results = make_confusion_results()
    results.records.reverse()
    display = SubjectConfusionDisplay.from_results(results, "frozen")
    assert all(isinstance(panel, ConfusionMatrixDisplay) for panel in display.displays_)
    assert display.subjects == ["S2", "S9", "S10"]  # in natural order
    assert [ax.get_title() for ax in display.axes_] == [*display.subjects, "all 3 subjects"]
    assert numbers_in(display.displays_[2]) == [["5", "1"], ["0", "2"]]
    assert numbers_in(display.displays_[-1]) == [["15", "3"], ["0", "3"]]


@pytest.mark.parametrize(
    "normalize, absent, total",
    [
        ("true", ["–", "–"], [["0.83", "0.17"], ["0.00", "1.00"]]),
        (None, ["0", "0"], [["15", "3"], ["0", "3"]]),
    ],
)
def test_colours_are_fractions_of_the_true_class_and_blank_if_it_is_absent(
    normalize, absent, total
):
    display = SubjectConfusionDisplay.from_results(make_confusion_results(), "frozen", normalize)
    first, last = display.displays_[0], display.displays_[-1]
    assert numbers_in(first)[1] == absent
    assert numbers_in(last) == total
    blank = np.ma.getmaskarray(first.im_.get_array())
    assert_array_equal(blank, [[False, False], [True, True]])
    assert_allclose(last.im_.get_array(), [[5 / 6, 1 / 6], [0, 1]])
    assert {panel.im_.get_clim() for panel in display.displays_} == {(0, 1)}


def test_counts_are_summed_over_repeats():
    records = [make_record("frozen", "S2", 0.5, repeat=i) for i in (0, 1)]
    display = SubjectConfusionDisplay.from_results(StudyResults(records, {}), "frozen")
    assert numbers_in(display.displays_[0]) == [["10", "2"], ["4", "4"]]


def test_confusions_of_unknown_or_different_kinds_are_refused():
    results = make_confusion_results()
    with pytest.raises(ValueError, match="normalize.*'pred'"):
        SubjectConfusionDisplay.from_results(results, "frozen", "pred")
    with pytest.raises(ValueError, match="'F'.*frozen"):
        SubjectConfusionDisplay.from_results(results, "F")
    results.records[1]["class_counts"] = {"rest": 6, "meditation": 0}
    with pytest.raises(ValueError, match="same classes.*meditation"):
        SubjectConfusionDisplay.from_results(results, "frozen")


# Embeddings


@pytest.fixture(scope="module")
def embedding():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 2, 60), rng.choice(SUBJECTS, 60)
    return rng.normal(size=(60, 5)) + y[:, np.newaxis], y, groups


def test_panels_show_the_points_by_label_and_by_subject(embedding):
    Z, y, groups = embedding
    display = EmbeddingDisplay.from_embedding(Z, y, groups)
    pca = PCA(2, random_state=0)
    expected = pca.fit_transform(Z)
    for drawn in display.points_:
        assert_array_equal(drawn.get_offsets(), expected[display.order_])
    ratio = pca.explained_variance_ratio_[0]
    assert display.axes_[0].get_xlabel() == f"principal component 1 ({ratio:.0%} of variance)"
    titles = [ax.get_legend().get_title().get_text() for ax in display.axes_]
    assert titles == ["label", "subject"]
    assert [legend_of(ax) for ax in display.axes_] == [["0", "1"], SUBJECTS]


def test_points_have_the_colour_and_marker_of_their_level(embedding):
    Z, y, _ = embedding
    display = EmbeddingDisplay.from_embedding(Z, y)
    (drawn,), shown = display.points_, y[display.order_]
    colors = [to_rgb(handle.get_color()) for handle in display.axes_[0].get_lines()]
    assert_allclose(drawn.get_facecolors()[:, :3], np.array(colors)[shown])
    markers = [path.vertices.tobytes() for path in drawn.get_paths()]
    assert len(set(zip(shown.tolist(), markers, strict=True))) == len(set(markers)) == 2


def test_one_panel_where_labels_or_subjects_are_missing(embedding):
    Z, y, groups = embedding
    for given in ({"y": y}, {"groups": groups}, {}):
        (panel,) = EmbeddingDisplay(Z[:, :2], **given).plot().axes_
        assert (panel.get_legend() is None) == (not given)


def test_ratings_are_drawn_on_a_scale(embedding):
    ratings = np.linspace(1, 9, 60)
    display = EmbeddingDisplay(embedding[0][:, :2], ratings).plot()
    assert_array_equal(display.points_[0].get_array(), ratings[display.order_])
    assert display.axes_[0].get_legend() is None


def test_tsne_repeats_itself_and_takes_few_windows(embedding):
    Z = embedding[0][:4]
    first, second = (EmbeddingDisplay.from_embedding(Z, method="tsne") for _ in range(2))
    assert_array_equal(first.points, second.points)
    assert first.axes_[0].get_xlabel() == "t-SNE 1"


def test_transformers_are_cloned_and_fitted_and_encoders_are_used_as_they_are(embedding):
    Z = embedding[0]
    method = make_pipeline(StandardScaler(), PCA(2))
    encoder = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    display = EmbeddingDisplay.from_estimator(encoder, Z[:, np.newaxis], method=method)
    assert not hasattr(method[-1], "components_")
    assert_array_equal(display.points, method.fit_transform(Z))
    with pytest.raises(TypeError, match="transform.*GroupKFold"):
        EmbeddingDisplay.from_estimator(GroupKFold(), Z)


def test_a_legend_of_many_subjects_stays_within_the_figure(embedding):
    groups = [f"S{i}" for i in np.arange(60) % 45]
    display = EmbeddingDisplay(embedding[0][:, :2], groups=groups).plot()
    display.figure_.draw_without_rendering()
    box, figure = display.axes_[0].get_legend().get_window_extent(), display.figure_.bbox
    assert figure.x0 <= box.x0 < box.x1 <= figure.x1
    assert figure.y0 <= box.y0 < box.y1 <= figure.y1
    assert box.x0 >= display.axes_[0].get_window_extent().x1


def test_subjects_beyond_the_marks_are_counted_in_place_of_a_legend(embedding):
    assert len({mark(i) for i in range(N_MARKS)}) == N_MARKS < 60
    display = EmbeddingDisplay(embedding[0][:, :2], groups=np.arange(60)).plot()
    assert display.axes_[0].get_legend() is None
    assert display.axes_[0].get_title() == "60 subjects"


def test_unfit_embeddings_are_refused(embedding):
    for change, message in [
        ({"method": "umap"}, "'pca' or 'tsne'.*'umap'"),
        ({"method": PCA(1)}, r"two columns.*\(60, 1\)"),
        ({"y": [0, 1]}, "inconsistent numbers of samples"),
        ({"groups": SUBJECTS}, "inconsistent numbers of samples"),
        ({"y": [np.nan] * 60}, "label contains NaN"),
        ({"Z": np.full((60, 5), np.nan)}, "Z contains NaN"),
        ({"Z": np.zeros((60, 1))}, "a minimum of 2 is required"),
        ({"Z": np.zeros((60, 5, 2))}, "Found array with dim 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            EmbeddingDisplay.from_embedding(**{"Z": embedding[0], **change})


# Pre-training


@pytest.fixture(scope="module")
def encoder():
    rng = np.random.default_rng(0)
    X = {"bvp": rng.normal(size=(30, 1, 80)), "eda": rng.normal(size=(30, 1, 40))}
    encoder = SSLEncoder(
        module__d_model=8,
        max_epochs=3,
        batch_size=4,
        random_state=0,
        train_split=ValidSplit(GroupKFold(3)),
    )
    return encoder.fit(X, groups=np.repeat([0, 1, 2], 10))


def test_curves_are_running_means_over_batches(encoder):
    display = PretrainingCurveDisplay.from_encoder(encoder, n_batches=4)
    batches = [b for row in encoder.history_ for b in row["batches"] if "train_loss" in b]
    losses = [batch["train_loss"] for batch in batches]
    line = display.lines_["loss"]
    assert_allclose(line.get_ydata(), [np.mean(losses[i : i + 4]) for i in range(len(losses) - 3)])
    assert line.get_xdata()[-1] == 3 * 20  # windows seen in three epochs
    assert list(display.lines_) == ["loss", "accuracy_bvp", "accuracy_eda"]


def test_held_out_values_and_chance_are_those_of_the_encoder(encoder):
    display = PretrainingCurveDisplay.from_encoder(FrozenEstimator(encoder))
    for name in ("loss", "accuracy_eda"):
        line = display.valid_lines_[name]
        assert_array_equal(line.get_xdata(), [20, 40, 60])  # at the ends of epochs
        assert_allclose(line.get_ydata(), encoder.history_[:, f"valid_{name}"])
    assert display.chance == encoder.pretext_.chance == 1 / 6
    assert legend_of(display.axes_[1]) == ["bvp", "eda", "chance", "held-out"]


def test_errors_have_a_panel_without_chance():
    X = np.random.default_rng(0).normal(size=(8, 1, 40))
    encoder = SSLEncoder(pretext=MaskedPrediction, module__d_model=8, max_epochs=1, random_state=0)
    display = PretrainingCurveDisplay.from_encoder(encoder.fit(X))
    assert [ax.get_ylabel() for ax in display.axes_[1:]] == ["pretext error"]
    assert list(display.lines_) == ["loss", "error_signal"]
    assert legend_of(display.axes_[1]) == ["signal"]
    assert display.valid_lines_ == {}


def test_each_kind_of_metric_has_a_panel():
    names = ("accuracy_bvp", "error_eda", "accuracy_eda", "similarity")
    metrics = {name: [0.2, 0.4] for name in names}
    display = PretrainingCurveDisplay([4, 8], [2.0, 1.0], metrics, chance=0.5).plot()
    kinds = ["accuracy", "error", "similarity"]
    assert [ax.get_ylabel() for ax in display.axes_[1:]] == [f"pretext {kind}" for kind in kinds]
    assert legend_of(display.axes_[-1]) == ["bvp", "eda", "chance", "similarity"]
    colors = [display.lines_[name].get_color() for name in ("accuracy_eda", "error_eda")]
    assert colors[0] == colors[1] != display.lines_["accuracy_bvp"].get_color()


def test_a_task_without_metrics_has_one_panel():
    display = PretrainingCurveDisplay([4, 8], [2.0, 1.0]).plot()
    assert len(display.axes_) == 1
    assert_array_equal(display.lines_["loss"].get_ydata(), [2.0, 1.0])
    for n_batches in (0, 3):
        with pytest.raises(ValueError, match=f"n_batches .* got {n_batches}"):
            display.plot(n_batches=n_batches)


def test_what_was_not_trained_has_no_curve():
    for estimator in (SSLEncoder(), PCA()):
        with pytest.raises(TypeError, match=f"SSLEncoder, got a {type(estimator).__name__}"):
            PretrainingCurveDisplay.from_encoder(estimator)
    encoder = SSLEncoder(max_epochs=0, module__d_model=8, random_state=0)
    encoder.fit(np.random.default_rng(0).normal(size=(4, 1, 40)))
    with pytest.raises(ValueError, match="no batch"):
        PretrainingCurveDisplay.from_encoder(encoder)


# All displays


def make_display(name):
    """Return a display, not drawn yet, and its number of panels."""
    n, x = np.arange(1, 9), np.random.default_rng(0).uniform(0.4, 0.9, (2, 8))
    intervals = np.stack([x - 0.1, x + 0.1], axis=-1)
    models = {"estimators": ["supervised", "frozen"]}
    confusion = np.ones((4, 2, 2), dtype=int)
    return {
        "scores": lambda: (SubjectScoresDisplay(x, x[:, 0], intervals[:, 0], **models), 1),
        "efficiency": lambda: (LabelEfficiencyDisplay(n / 8, x, intervals, **models), 1),
        "confusion": lambda: (
            SubjectConfusionDisplay(confusion, subjects="abcd", classes=["rest", "stress"]),
            5,
        ),
        "embedding": lambda: (EmbeddingDisplay(x.T, n % 2, n % 3), 2),
        "pre-training": lambda: (PretrainingCurveDisplay(n, 1 / n, {"accuracy_bvp": n / 8}), 2),
    }[name]()


@pytest.mark.parametrize("name", ["scores", "efficiency", "confusion", "embedding", "pre-training"])
def test_a_display_draws_in_a_figure_of_its_own_or_on_given_axes(name):
    display, n_panels = make_display(name)
    assert display.plot() is display
    own = display.figure_
    own.draw_without_rendering()
    box, bounds = own.get_tightbbox(), own.bbox_inches  # nothing is outside the figure
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= bounds.x1 + 0.01 and box.y1 <= bounds.y1 + 0.01

    figure, axes = plt.subplots(n_panels, squeeze=False)
    display.plot(ax=axes if n_panels > 1 else axes[0, 0])
    drawn = display.axes_ if n_panels > 1 else [display.ax_]
    assert list(drawn) == list(axes.ravel())
    assert display.figure_ is figure
    assert plt.get_fignums() == [own.number, figure.number]
    assert display.plot().figure_ not in (own, figure)


@pytest.mark.parametrize("name", ["confusion", "embedding", "pre-training"])
def test_panels_divide_the_place_of_one_axes(name):
    display, n_panels = make_display(name)
    figure, (left, right) = plt.subplots(1, 2)
    display.plot(ax=right)
    assert display.figure_ is figure
    assert len(display.axes_) == n_panels
    assert min(ax.get_position().x0 for ax in display.axes_) > left.get_position().x1
    assert not right.axison
    with pytest.raises(ValueError, match=f"{n_panels}.* 1"):
        display.plot(ax=[left])
    with pytest.raises(ValueError, match=f"subplot of a grid.* {n_panels}"):
        display.plot(ax=figure.add_axes((0, 0, 1, 1)))


def test_import_loads_neither_matplotlib_nor_torch_and_plot_says_how_to_install():
    code = (
        "import sys\n"
        "from physio_ssl.plotting import EmbeddingDisplay\n"
        "print({'matplotlib', 'torch'} & set(sys.modules))\n"
        "sys.modules['matplotlib'] = None\n"
        "EmbeddingDisplay([[0, 1], [1, 0]]).plot()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "set()"
    assert "ImportError" in run.stderr and "physio_ssl[plot]" in run.stderr


def test_natural_order_is_that_of_the_numbers():
    assert natural_order(["S10", "S2", "S1", "S2"]) == ["S1", "S2", "S10"]
    assert natural_order([10, 9, 2]) == [2, 9, 10]


def test_names_break_at_spaces_and_underscores():
    assert wrap("fine_tuned encoder", 8) == "fine_\ntuned\nencoder"
