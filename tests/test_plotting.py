"""Displays: what is drawn are the numbers, where it was asked for, and readable."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.dataset import ValidSplit

from physio_ssl import SSLEncoder
from physio_ssl.evaluation.results import METRICS, StudyResults
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


def make_results(estimators=("supervised", "frozen"), conditions=({},), unit="subject"):
    """Results with scores drawn at random, the same for the same names."""
    rng = np.random.default_rng(0)
    records = [
        make_record(name, subject, round(rng.uniform(0.4, 0.9), 3), **condition)
        for name in estimators
        for condition in conditions
        for subject in SUBJECTS
    ]
    return StudyResults(records, {"protocol": "leak_free", "unit": unit})


def lose_score(results, estimator, subject):
    for record in results.records:
        if (record["estimator"], record["subject"]) == (estimator, subject):
            record.update(dict.fromkeys(METRICS))
    return results


def scores_of(results, estimator, **condition):
    return [
        record["macro_f1"]
        for record in results.records
        if record["estimator"] == estimator
        and all(record[name] == value for name, value in condition.items())
    ]


def texts(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


SHARES = [{"share": share} for share in (0.01, 0.1, 1.0)]


# Scores of subjects


def test_every_subject_is_a_dot_in_its_estimators_column():
    results = make_results()
    display = SubjectScoresDisplay.from_results(results)
    for place, (name, dots) in enumerate(zip(results.estimators, display.points_, strict=True)):
        assert_array_equal(dots.get_xdata(), place)
        assert_array_equal(dots.get_ydata(), scores_of(results, name))


def test_a_line_joins_each_subjects_scores():
    results = make_results()
    display = SubjectScoresDisplay.from_results(results)
    assert len(display.lines_) == len(SUBJECTS)
    expected = list(
        zip(scores_of(results, "supervised"), scores_of(results, "frozen"), strict=True)
    )
    assert_array_equal([line.get_ydata() for line in display.lines_], expected)


def test_means_and_intervals_are_those_of_the_summary():
    results = make_results()
    display = SubjectScoresDisplay.from_results(results, "kappa", confidence=0.8)
    table = results.summary("kappa", confidence=0.8)
    assert_array_equal([line.get_ydata()[0] for line in display.means_], table["mean"])
    drawn = [line.get_ydata() for line in display.intervals_]
    assert_array_equal(drawn, table[["low", "high"]])
    assert "80%\ninterval over subjects" in display.ax_.get_xlabel()


def test_missing_scores_are_left_out_and_counted():
    results = lose_score(make_results(), "frozen", "S5")
    display = SubjectScoresDisplay.from_results(results)
    assert len(display.points_[1].get_ydata()) == len(SUBJECTS) - 1
    assert texts(display.ax_) == ["supervised", "frozen\n1 missing"]


def test_an_estimator_without_any_score_is_an_empty_column():
    results = make_results()
    for subject in SUBJECTS:
        lose_score(results, "frozen", subject)
    display = SubjectScoresDisplay.from_results(results)
    assert len(display.points_[1].get_ydata()) == 0
    assert texts(display.ax_)[1] == f"frozen\n{len(SUBJECTS)} missing"
    display.figure_.draw_without_rendering()


def test_one_estimator_has_no_lines():
    display = SubjectScoresDisplay.from_results(make_results(), estimators="frozen")
    assert list(display.lines_) == []
    assert len(display.points_) == 1


def test_estimators_come_in_the_order_asked_for():
    results = make_results(("a", "b", "c"))
    display = SubjectScoresDisplay.from_results(results, estimators=["c", "a"])
    assert texts(display.ax_) == ["c", "a"]
    assert_array_equal(display.points_[0].get_ydata(), scores_of(results, "c"))


def test_chance_is_drawn_where_it_is_given():
    assert SubjectScoresDisplay.from_results(make_results()).chance_ is None
    display = SubjectScoresDisplay.from_results(make_results(), chance=0.5)
    assert_array_equal(display.chance_.get_ydata(), 0.5)


def test_repeats_are_averaged_within_subjects():
    results = make_results(conditions=[{"repeat": 0}, {"repeat": 1}])
    display = SubjectScoresDisplay.from_results(results)
    repeats = [scores_of(results, "frozen", repeat=i) for i in (0, 1)]
    assert_allclose(display.points_[1].get_ydata(), np.mean(repeats, axis=0))


def test_one_condition_is_drawn():
    results = make_results(conditions=SHARES)
    display = SubjectScoresDisplay.from_results(results, share=0.1)
    assert_array_equal(display.points_[1].get_ydata(), scores_of(results, "frozen", share=0.1))


def test_a_condition_with_several_values_must_be_chosen():
    with pytest.raises(ValueError, match=r"differ in share: choose one of share=0.01, share=0.1"):
        SubjectScoresDisplay.from_results(make_results(conditions=SHARES))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"metric": "f1"}, "No metric 'f1', only accuracy, balanced_accuracy, macro_f1"),
        ({"estimators": ["frozen", "F"]}, "No estimator 'F', only supervised, frozen"),
        ({"estimators": "F"}, "No estimator 'F'"),
        ({"target": "arousal"}, "No condition 'target', only share"),
    ],
)
@pytest.mark.parametrize("display", [SubjectScoresDisplay, LabelEfficiencyDisplay])
def test_unknown_names_are_refused_with_the_known_ones(display, arguments, message):
    with pytest.raises(ValueError, match=message):
        display.from_results(make_results(conditions=SHARES), **arguments)


def test_an_unknown_value_of_a_condition_is_refused():
    with pytest.raises(ValueError, match=r"No share 0\.3, only 0\.01, 0\.1, 1\.0"):
        SubjectScoresDisplay.from_results(make_results(conditions=SHARES), share=0.3)


def test_a_curve_along_a_condition_that_is_fixed_is_refused():
    with pytest.raises(ValueError, match="varies neither under {'share': 0.1}"):
        LabelEfficiencyDisplay.from_results(make_results(conditions=SHARES), share=0.1)


def test_an_estimator_without_results_under_the_condition_is_refused():
    results = make_results(conditions=SHARES)
    results.records.append(make_record("baseline", "S2", 0.5, share=1.0))
    with pytest.raises(ValueError, match="No result under {'share': 0.1} of 'baseline'"):
        SubjectScoresDisplay.from_results(results, estimators=["baseline"], share=0.1)


def test_the_metrics_have_names():
    assert tuple(METRIC_NAMES) == METRICS


def test_folds_are_called_folds():
    display = SubjectScoresDisplay.from_results(make_results(unit="fold"))
    assert display.ax_.get_ylabel() == "macro-F1 of a held-out fold"


@pytest.mark.parametrize("size, rotation", [((12, 4), 0), ((4, 4), 90)])
def test_long_names_stand_upright_where_room_is_short(size, rotation):
    names = ["hand-crafted features + random forest", "supervised", "fine_tuned", "frozen"]
    figure, ax = plt.subplots(figsize=size)
    SubjectScoresDisplay.from_results(make_results(names), ax=ax)
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {rotation}


# Few labels


def test_each_estimator_is_a_line_over_the_shares():
    results = make_results(conditions=SHARES)
    display = LabelEfficiencyDisplay.from_results(results)
    table = results.summary("macro_f1").set_index("estimator")
    for name, line in zip(results.estimators, display.lines_, strict=True):
        assert_array_equal(line.get_xdata(), [0.01, 0.1, 1.0])
        assert_array_equal(line.get_ydata(), table.loc[name, "mean"])
    assert legend_of(display.ax_) == ["supervised", "frozen"]


def test_bands_are_the_intervals_of_the_summary():
    results = make_results(conditions=SHARES)
    display = LabelEfficiencyDisplay.from_results(results, "auroc", "frozen", confidence=0.5)
    table = results.summary("auroc", confidence=0.5).set_index("estimator").loc["frozen"]
    (band,) = display.bands_
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    for end in ("low", "high"):
        assert set(zip(table["share"], table[end], strict=True)) <= corners


def test_shares_lie_on_a_logarithmic_axis_in_percent():
    display = LabelEfficiencyDisplay.from_results(make_results(conditions=SHARES))
    assert display.ax_.get_xscale() == "log"
    ticks = zip(display.ax_.get_xticks(), texts(display.ax_), strict=True)
    assert dict(ticks) == {1.0: "100%", 0.1: "10%", 0.01: "1%"}


def test_numbers_of_subjects_lie_on_a_linear_axis():
    conditions = [{"n_labelled_subjects": n} for n in (1, 5, 11)]
    display = LabelEfficiencyDisplay.from_results(make_results(conditions=conditions))
    assert display.ax_.get_xscale() == "linear"
    assert_array_equal(sorted(display.ax_.get_xticks()), [1, 5, 11])
    assert display.ax_.get_xlabel() == "number of labelled subjects"


def test_labels_of_ticks_do_not_overlap():
    conditions = [{"n_labelled_subjects": n} for n in range(1, 101)]
    display = LabelEfficiencyDisplay.from_results(make_results(["frozen"], conditions))
    display.figure_.draw_without_rendering()
    labels = sorted(display.ax_.get_xticklabels(), key=lambda label: label.get_position())
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) > 5
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_an_amount_that_an_estimator_lacks_is_left_out():
    results = make_results(conditions=SHARES)
    results.records[:] = [
        r for r in results.records if r["estimator"] != "frozen" or r["share"] == 1.0
    ]
    display = LabelEfficiencyDisplay.from_results(results)
    assert_array_equal(display.lines_[1].get_xdata(), [1.0])


def test_a_study_without_amounts_of_labels_has_no_curve():
    with pytest.raises(ValueError, match="the study varies neither"):
        LabelEfficiencyDisplay.from_results(make_results())


def test_one_of_two_amounts_must_be_chosen():
    results = make_results(conditions=[*SHARES, {"n_labelled_subjects": 3}])
    with pytest.raises(ValueError, match="varies share and n_labelled_subjects"):
        LabelEfficiencyDisplay.from_results(results)
    display = LabelEfficiencyDisplay.from_results(results, against="n_labelled_subjects")
    assert_array_equal(display.lines_[0].get_xdata(), [3])


def test_an_amount_that_the_study_lacks_is_refused():
    with pytest.raises(ValueError, match="does not vary against='epochs'"):
        LabelEfficiencyDisplay.from_results(make_results(conditions=SHARES), against="epochs")


def test_the_curve_is_that_of_one_target():
    targets = [{"target": target, "share": 1.0} for target in ("valence", "arousal")]
    results = make_results(conditions=targets)
    with pytest.raises(ValueError, match="choose one of target='valence', target='arousal'"):
        LabelEfficiencyDisplay.from_results(results)
    display = LabelEfficiencyDisplay.from_results(results, target="arousal", chance=0.5)
    mean = np.mean(scores_of(results, "frozen", target="arousal"))
    assert_allclose(display.lines_[1].get_ydata(), [mean])
    assert_array_equal(display.chance_.get_ydata(), 0.5)


# Confusion matrices


def make_confusion_results():
    results = make_results(["frozen"])
    for i, record in enumerate(results.records):
        record["confusion"] = [[5, 1], [0, i]]
    return results


def numbers_in(display):
    return [[text.get_text() for text in row] for row in display.text_]


def test_each_subject_has_a_panel_and_the_last_is_their_sum():
    display = SubjectConfusionDisplay.from_results(make_confusion_results(), "frozen")
    assert all(isinstance(panel, ConfusionMatrixDisplay) for panel in display.displays_)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == [*SUBJECTS, "all 12 subjects"]
    assert numbers_in(display.displays_[3]) == [["5", "1"], ["0", "3"]]
    assert numbers_in(display.displays_[-1]) == [["60", "12"], ["0", "66"]]


def test_normalised_rows_are_shares_of_the_true_class():
    results = make_confusion_results()
    display = SubjectConfusionDisplay.from_results(results, "frozen", normalize="true")
    assert numbers_in(display.displays_[-1]) == [["0.83", "0.17"], ["0.00", "1.00"]]


@pytest.mark.parametrize("normalize, expected", [("true", ["–", "–"]), (None, ["0", "0"])])
def test_a_class_that_a_subject_lacks_is_a_blank_row(normalize, expected):
    results = make_confusion_results()
    display = SubjectConfusionDisplay.from_results(results, "frozen", normalize=normalize)
    assert numbers_in(display.displays_[0])[1] == expected
    blank = np.ma.getmaskarray(display.displays_[0].im_.get_array())
    assert_array_equal(blank, [[False, False], [True, True]])


@pytest.mark.parametrize("normalize", [None, "true"])
def test_colours_are_shares_of_the_true_class(normalize):
    results = make_confusion_results()
    display = SubjectConfusionDisplay.from_results(results, "frozen", normalize=normalize)
    assert_allclose(display.displays_[-1].im_.get_array(), [[5 / 6, 1 / 6], [0, 1]])
    assert {panel.im_.get_clim() for panel in display.displays_} == {(0, 1)}


def test_counts_are_summed_over_repeats():
    results = make_results(["frozen"], [{"repeat": 0}, {"repeat": 1}])
    display = SubjectConfusionDisplay.from_results(results, "frozen")
    assert numbers_in(display.displays_[0]) == [["10", "2"], ["4", "4"]]


def test_subjects_are_in_natural_order():
    results = make_confusion_results()
    results.records.reverse()
    display = SubjectConfusionDisplay.from_results(results, "frozen")
    assert display.subjects == SUBJECTS


def test_other_ways_to_normalise_are_refused():
    with pytest.raises(ValueError, match="normalize must be 'true' or None, got 'pred'"):
        SubjectConfusionDisplay.from_results(make_confusion_results(), "frozen", "pred")


def test_confusions_of_an_unknown_estimator_are_refused():
    with pytest.raises(ValueError, match="No estimator 'F', only frozen"):
        SubjectConfusionDisplay.from_results(make_confusion_results(), "F")


def test_confusions_of_different_classes_are_refused():
    results = make_confusion_results()
    results.records[1]["class_counts"] = {"rest": 6, "meditation": 0}
    with pytest.raises(ValueError, match="must have the same classes"):
        SubjectConfusionDisplay.from_results(results, "frozen")


# Embeddings


@pytest.fixture
def embedding():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 2, 60), rng.choice(SUBJECTS, 60)
    return rng.normal(size=(60, 5)) + y[:, np.newaxis], y, groups


def test_points_are_those_of_the_method(embedding):
    Z, y, groups = embedding
    display = EmbeddingDisplay.from_embedding(Z, y, groups)
    expected = PCA(2, random_state=0).fit_transform(Z)
    for drawn in display.points_:
        assert_array_equal(drawn.get_offsets(), expected[display.order_])


def test_panels_show_label_and_subject(embedding):
    display = EmbeddingDisplay.from_embedding(*embedding)
    titles = [ax.get_legend().get_title().get_text() for ax in display.axes_]
    assert titles == ["label", "subject"]
    assert legend_of(display.axes_[0]) == ["0", "1"]
    assert legend_of(display.axes_[1]) == SUBJECTS


def test_points_have_the_colour_and_marker_of_their_level(embedding):
    _, y, _ = embedding
    display = EmbeddingDisplay.from_embedding(*embedding)
    (drawn, _), shown = display.points_, y[display.order_]
    handles = display.axes_[0].get_lines()
    for level, handle in enumerate(handles):
        colors = drawn.get_facecolors()[shown == level, :3]
        assert_allclose(
            colors, np.tile(matplotlib.colors.to_rgb(handle.get_color()), (len(colors), 1))
        )
    paths = drawn.get_paths()
    assert len(paths) == len(y)
    assert len({path.vertices.tobytes() for path in paths}) == 2


@pytest.mark.parametrize("names, n_panels", [({"y"}, 1), ({"groups"}, 1), (set(), 1)])
def test_one_panel_where_labels_or_subjects_are_missing(embedding, names, n_panels):
    given = dict(zip(("y", "groups"), embedding[1:], strict=True))
    display = EmbeddingDisplay.from_embedding(embedding[0], **{name: given[name] for name in names})
    assert len(display.axes_) == n_panels
    assert (display.axes_[0].get_legend() is None) == (not names)


def test_ratings_are_drawn_on_a_scale(embedding):
    ratings = np.linspace(1, 9, 60)
    display = EmbeddingDisplay.from_embedding(embedding[0], ratings)
    assert_array_equal(display.points_[0].get_array(), ratings[display.order_])
    assert display.axes_[0].get_legend() is None


def test_axes_of_pca_tell_their_share_of_the_variance(embedding):
    display = EmbeddingDisplay.from_embedding(embedding[0])
    share = PCA(2).fit(embedding[0]).explained_variance_ratio_[0]
    assert display.axes_[0].get_xlabel() == f"principal component 1 ({share:.0%} of variance)"


@pytest.mark.parametrize("n_windows", [4, 60])
def test_tsne_repeats_itself_and_takes_few_windows(embedding, n_windows):
    Z = embedding[0][:n_windows]
    first, second = (EmbeddingDisplay.from_embedding(Z, method="tsne") for _ in range(2))
    assert_array_equal(first.points, second.points)
    assert first.axes_[0].get_xlabel() == "t-SNE 1"


def test_a_transformer_is_cloned_and_fitted(embedding):
    method = make_pipeline(StandardScaler(), PCA(2))
    display = EmbeddingDisplay.from_embedding(embedding[0], method=method)
    assert_array_equal(display.points, method.fit_transform(embedding[0]))


def test_an_estimator_embeds_the_windows(embedding):
    encoder = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    display = EmbeddingDisplay.from_estimator(encoder, embedding[0][:, np.newaxis])
    assert_array_equal(display.points, EmbeddingDisplay.from_embedding(embedding[0]).points)


def test_a_legend_of_many_subjects_stays_within_the_figure(embedding):
    groups = [f"S{i}" for i in np.arange(60) % 45]
    display = EmbeddingDisplay.from_embedding(embedding[0], groups=groups)
    display.figure_.draw_without_rendering()
    box, figure = display.axes_[0].get_legend().get_window_extent(), display.figure_.bbox
    assert figure.x0 <= box.x0 < box.x1 <= figure.x1
    assert figure.y0 <= box.y0 < box.y1 <= figure.y1
    assert box.x0 >= display.axes_[0].get_window_extent().x1


def test_subjects_beyond_the_marks_are_counted_in_place_of_a_legend(embedding):
    display = EmbeddingDisplay.from_embedding(embedding[0], groups=np.arange(60))
    assert display.axes_[0].get_legend() is None
    assert display.axes_[0].get_title() == "60 subjects"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "umap"}, "method must be a transformer or one of pca, tsne, got 'umap'"),
        ({"method": PCA(1)}, r"must give two columns, got the shape \(60, 1\)"),
        ({"y": [0, 1]}, "inconsistent numbers of samples"),
        ({"groups": SUBJECTS}, "inconsistent numbers of samples"),
        ({"y": [np.nan] * 60}, "label contains NaN"),
        ({"Z": np.full((60, 5), np.nan)}, "Z contains NaN"),
        ({"Z": np.zeros((60, 1))}, "a minimum of 2 is required"),
        ({"Z": np.zeros((60, 5, 2))}, "Found array with dim 3"),
    ],
)
def test_unfit_embeddings_are_refused(embedding, change, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(**{"Z": embedding[0], **change})


def test_what_does_not_embed_is_refused(embedding):
    with pytest.raises(TypeError, match="its encoder_.*, got a GroupKFold"):
        EmbeddingDisplay.from_estimator(GroupKFold(), embedding[0])


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


def test_held_out_values_stand_at_the_ends_of_epochs(encoder):
    display = PretrainingCurveDisplay.from_encoder(encoder)
    for name in ("loss", "accuracy_eda"):
        line = display.valid_lines_[name]
        assert_array_equal(line.get_xdata(), [20, 40, 60])
        assert_allclose(line.get_ydata(), encoder.history_[:, f"valid_{name}"])


def test_the_chance_line_is_that_of_the_pretext_task(encoder):
    display = PretrainingCurveDisplay.from_encoder(FrozenEstimator(encoder))
    assert display.chance == encoder.pretext_.chance == 1 / 6
    assert legend_of(display.axes_[1]) == ["bvp", "eda", "chance", "held-out"]


def test_errors_have_a_panel_without_chance():
    X = np.random.default_rng(0).normal(size=(8, 1, 40))
    encoder = SSLEncoder(pretext=MaskedPrediction, module__d_model=8, max_epochs=1, random_state=0)
    display = PretrainingCurveDisplay.from_encoder(encoder.fit(X))
    assert [ax.get_ylabel() for ax in display.axes_[1:]] == ["pretext error"]
    assert list(display.lines_) == ["loss", "error_signal"]
    assert legend_of(display.axes_[1]) == ["signal"]


def test_each_kind_of_metric_has_a_panel():
    metrics = {
        name: [0.2, 0.4] for name in ("accuracy_bvp", "error_eda", "accuracy_eda", "similarity")
    }
    display = PretrainingCurveDisplay([4, 8], [2.0, 1.0], metrics, chance=0.5).plot()
    kinds = ["accuracy", "error", "similarity"]
    assert [ax.get_ylabel() for ax in display.axes_[1:]] == [f"pretext {kind}" for kind in kinds]
    assert legend_of(display.axes_[-1]) == ["bvp", "eda", "chance", "similarity"]
    colors = [display.lines_[name].get_color() for name in ("accuracy_eda", "error_eda")]
    assert colors[0] == colors[1] != display.lines_["accuracy_bvp"].get_color()


def test_without_held_out_windows_there_are_only_training_curves():
    display = PretrainingCurveDisplay([4, 8], [2.0, 1.0], {"accuracy_bvp": [0.2, 0.4]}).plot()
    assert display.valid_lines_ == {}
    assert legend_of(display.axes_[1]) == ["bvp"]


def test_a_task_without_metrics_has_one_panel():
    display = PretrainingCurveDisplay([4, 8], [2.0, 1.0]).plot()
    assert len(display.axes_) == 1
    assert_array_equal(display.lines_["loss"].get_ydata(), [2.0, 1.0])


def test_an_encoder_that_was_not_trained_has_no_curve():
    encoder = SSLEncoder(max_epochs=0, module__d_model=8, random_state=0)
    encoder.fit(np.random.default_rng(0).normal(size=(4, 1, 40)))
    with pytest.raises(ValueError, match="holds no batch"):
        PretrainingCurveDisplay.from_encoder(encoder)


def test_what_has_no_history_has_no_curve():
    for estimator in (SSLEncoder(), PCA()):
        with pytest.raises(TypeError, match=f"SSLEncoder, got a {type(estimator).__name__}"):
            PretrainingCurveDisplay.from_encoder(estimator)


def test_running_means_are_over_batches_that_exist():
    for n_batches in (0, 3):
        with pytest.raises(ValueError, match=f"n_batches .* got {n_batches}"):
            PretrainingCurveDisplay([4, 8], [2.0, 1.0]).plot(n_batches=n_batches)


# All displays


def make_displays():
    n = np.arange(1, 9)
    rng = np.random.default_rng(0)
    results = make_results(conditions=SHARES)
    return {
        "scores": (SubjectScoresDisplay.from_results(results, share=1.0), 1),
        "efficiency": (LabelEfficiencyDisplay.from_results(results), 1),
        "confusion": (SubjectConfusionDisplay.from_results(results, "frozen", share=0.1), 13),
        "embedding": (EmbeddingDisplay(rng.normal(size=(8, 2)), n % 2, n % 3).plot(), 2),
        "pre-training": (PretrainingCurveDisplay(n, 1 / n, {"accuracy_bvp": n / 8}).plot(), 2),
    }


every_display = pytest.mark.parametrize(
    "name", ["scores", "efficiency", "confusion", "embedding", "pre-training"]
)


@every_display
def test_a_display_makes_one_figure_and_a_second_only_where_plotted_again(name):
    display, _ = make_displays()[name]
    plt.close("all")
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first
    assert plt.get_fignums() == [display.figure_.number]


@every_display
def test_a_display_draws_on_the_axes_it_is_given(name):
    display, n_panels = make_displays()[name]
    plt.close("all")
    figure, axes = plt.subplots(n_panels, squeeze=False)
    display.plot(ax=axes if n_panels > 1 else axes[0, 0])
    drawn = display.axes_ if n_panels > 1 else [display.ax_]
    assert list(drawn) == list(axes.ravel())
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", ["confusion", "embedding", "pre-training"])
def test_panels_share_the_place_of_one_axes(name):
    display, n_panels = make_displays()[name]
    figure, (left, right) = plt.subplots(1, 2)
    display.plot(ax=right)
    assert display.figure_ is figure
    assert len(display.axes_) == n_panels
    assert min(ax.get_position().x0 for ax in display.axes_) > left.get_position().x1
    assert not right.axison


@pytest.mark.parametrize("name", ["confusion", "embedding", "pre-training"])
def test_too_few_axes_are_refused(name):
    display, n_panels = make_displays()[name]
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=f"one axes or {n_panels} of them, got 1"):
        display.plot(ax=[ax])


@every_display
def test_nothing_is_drawn_outside_the_figure(name):
    display, _ = make_displays()[name]
    display.figure_.draw_without_rendering()
    box, figure = display.figure_.get_tightbbox(), display.figure_.bbox_inches
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= figure.x1 + 0.01 and box.y1 <= figure.y1 + 0.01


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_loads_neither_matplotlib_nor_torch_and_needs_no_pandas():
    # scikit-learn loads pandas itself where it finds it
    code = (
        "import sys; sys.modules['pandas'] = None; import physio_ssl.plotting; print(*sys.modules)"
    )
    loaded = run_python(code).stdout.split()
    assert "physio_ssl.plotting" in loaded
    assert not {"matplotlib", "torch"} & set(loaded)


def test_without_matplotlib_plot_says_how_to_install_it():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from physio_ssl.plotting import EmbeddingDisplay\n"
        "EmbeddingDisplay([[0, 1], [1, 0]]).plot()"
    )
    expected = 'EmbeddingDisplay.plot needs matplotlib: pip install "physio_ssl[plot]".'
    assert expected in run_python(code).stderr


def test_marks_are_distinct():
    assert len({mark(i) for i in range(N_MARKS)}) == N_MARKS


def test_natural_order_is_that_of_the_numbers():
    assert natural_order(["S10", "S2", "S1", "S2"]) == ["S1", "S2", "S10"]
    assert natural_order([10, 9, 2]) == [2, 9, 10]


def test_names_break_at_spaces_and_underscores():
    assert wrap("fine_tuned encoder", 8) == "fine_\ntuned\nencoder"
