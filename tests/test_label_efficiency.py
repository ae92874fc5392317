"""label_efficiency: draws of people, of windows and of calibration minutes."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
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
    linear,
    table,
)

from physio_ssl import evaluation
from physio_ssl.evaluation.calibration import choose_calibration

# Baselines have tests of their own.
leave_subjects_out = partial(evaluation.leave_subjects_out, baselines=False)
label_efficiency = partial(evaluation.label_efficiency, baselines=False)


@pytest.fixture(autouse=True)
def seen():
    for watched in (Watched.seen, Encoder.fits, Encoder.embedded):
        watched.clear()
    return Watched.seen


def rows_of(seen, kind):
    return [rows for name, rows in seen if name == kind]


def fits_of_folds(seen):
    """Rows of each fit, by fold: a study fits draws of the same rows only once."""
    folds = {}
    for (kind, rows), (_, test) in pairwise(seen):
        if kind == "fit":
            folds.setdefault(GROUPS[test[0]], []).append(rows)
    assert len(folds) == len(SUBJECTS)
    return folds.values()


# Numbers of people, fractions of windows


def test_people_are_labelled_unless_told_otherwise():
    results = label_efficiency({"l": linear()}, FEATURES, n_repeats=1)
    assert results.conditions == {"n_labelled_subjects": [1, 2, 4]}


def test_all_is_the_number_of_training_people(seen):
    results = label_efficiency({"w": Watched()}, ROWS, n_subjects=["all", 3, 9], n_repeats=1)
    assert results.conditions == {"n_labelled_subjects": [3, 4]}
    assert [len(rows) for rows in rows_of(seen, "fit")] == [36, 48] * 5


def test_one_labelled_person_has_all_classes(seen):
    y = np.where(np.isin(GROUPS, SUBJECTS[:3]), "rest", Y)
    label_efficiency({"w": Watched()}, table(ROWS.X, y), n_subjects=[1], n_repeats=5)
    assert all(GROUPS[rows[0]] in SUBJECTS[3:] for rows in rows_of(seen, "fit"))


def test_the_fewest_labelled_people_have_all_classes(seen):
    y = np.where(np.isin(GROUPS, SUBJECTS[:3]), "rest", Y)
    label_efficiency({"w": Watched()}, table(ROWS.X, y), n_subjects=[1, 4], n_repeats=5)
    few = [rows for rows in rows_of(seen, "fit") if len(rows) == 12]
    assert {GROUPS[rows[0]] for rows in few} == set(SUBJECTS[3:])


def test_repeats_label_other_people(seen):
    label_efficiency({"w": Watched()}, ROWS, n_subjects=[1], n_repeats=6)
    for fits in fits_of_folds(seen):
        assert len({GROUPS[rows[0]] for rows in fits}) > 1


def test_a_model_without_a_seed_is_fitted_once_on_equal_labels(seen):
    results = label_efficiency({"w": Watched()}, ROWS, n_subjects=["all"], n_repeats=3)
    assert len(rows_of(seen, "fit")) == 5
    assert len(results.records) == 15


def test_seeds_that_no_repeat_takes_are_not_embedded():
    models = [make_pipeline(Encoder(), StandardScaler(), linear()) for _ in range(5)]
    label_efficiency({"several": models}, SIGNALS, n_subjects=["all"], n_repeats=2)
    assert len(Encoder.fits) == 2 * 5  # seeds and folds


def test_fractions_are_drawn_within_subject_and_class(seen):
    results = label_efficiency({"w": Watched()}, ROWS, fractions=[0.25, 1], n_repeats=2)
    assert results.conditions == {"label_fraction": [0.25, 1.0]}
    assert len(results.records) == 5 * 2 * 2
    fits = rows_of(seen, "fit")
    quarter, whole = fits[0], fits[1]
    assert len(whole) == 48
    for subject in SUBJECTS[1:]:
        drawn = quarter[GROUPS[quarter] == subject]
        assert sorted(Y[drawn]) == ["rest", "rest", "stress"]


def test_few_labels_are_part_of_more_labels_and_repeats_differ(seen):
    label_efficiency({"w": Watched()}, ROWS, fractions=[0.1, 0.5], n_repeats=2)
    for fits in fits_of_folds(seen):
        assert len(fits) == 4
        few, more, other_few, other_more = map(set, fits)
        assert few < more and other_few < other_more
        assert few != other_few and more != other_more


def test_each_repeat_seeds_the_models_anew():
    model = DummyClassifier(strategy="stratified")
    draws = label_efficiency(model, FEATURES, fractions=[1], n_repeats=2)
    first, second = (
        [r["confusion"] for r in draws.records if r["repeat"] == repeat] for repeat in (0, 1)
    )
    assert first != second
    assert first == [r["confusion"] for r in leave_subjects_out(model, FEATURES).records]


def test_every_class_of_every_subject_keeps_a_window(seen):
    label_efficiency({"w": Watched()}, ROWS, fractions=[0.01], n_repeats=1)
    assert [len(rows) for rows in rows_of(seen, "fit")] == [8] * 5


def test_numbers_of_subjects_are_whole_subjects(seen):
    results = label_efficiency({"w": Watched()}, ROWS, n_subjects=[1, 3], n_repeats=1)
    assert results.conditions == {"n_labelled_subjects": [1, 3]}
    fits = rows_of(seen, "fit")
    assert [len(rows) for rows in fits] == [12, 36] * 5
    assert all(len(set(GROUPS[rows])) * 12 == len(rows) for rows in fits)


def test_all_labels_give_the_scores_of_a_plain_study():
    few = label_efficiency({"l": linear()}, FEATURES, fractions=[1], n_repeats=1)
    assert accuracies(few) == accuracies(leave_subjects_out({"l": linear()}, FEATURES))


def test_pretraining_sees_all_training_windows_whatever_is_labelled():
    models = {
        "inside": make_pipeline(Encoder(), StandardScaler(), linear()),
        "tuned": Tuned(Encoder()),
    }
    label_efficiency(models, SIGNALS, fractions=[0.1, 0.5], n_repeats=2)
    expected = [(48, None, set(SUBJECTS) - {subject}) for subject in SUBJECTS]
    assert Encoder.fits == expected * 2  # once per fold, not per draw


@pytest.mark.parametrize("last", [Tuned(Encoder()), make_pipeline(Encoder(), linear())])
def test_an_encoder_that_would_see_labelled_windows_only_is_refused(last):
    model = make_pipeline(StandardScaler(), FunctionTransformer(), last)
    with pytest.raises(RuntimeError, match="all training windows"):
        label_efficiency({"m": model}, FEATURES, fractions=[0.5], n_repeats=1)


# Calibration


ONSET = np.tile(15.0 * np.arange(12), 5)  # windows of 60 s, every 15 s
TIMED = replace(table(ROWS.X, onset=ONSET), duration=60)


def calibrate(windows=TIMED, minutes=(0, 1, 1.5), model=None, **settings):
    models = {"w": Watched() if model is None else model}
    # the features are the numbers of the rows, which the audit would take for a clock
    settings = {"on_leak": "record", **settings}
    return label_efficiency(models, windows, calibration=minutes, **settings)


def test_the_first_minutes_join_all_other_people(seen):
    results = calibrate()
    fits = rows_of(seen, "fit")[:3]
    assert [sorted(set(rows) - set(range(12, 60))) for rows in fits] == [[], [0], [0, 1, 2]]
    assert all(set(range(12, 60)) <= set(rows) for rows in fits)
    conditions = {"calibration_minutes": [0, 1, 1.5], "calibration_order": ["time"]}
    assert results.conditions == conditions
    assert not any("repeat" in record for record in results.records)


def test_all_numbers_of_minutes_are_tested_on_windows_that_do_not_overlap_them(seen):
    calibrate()
    assert [rows.tolist() for rows in rows_of(seen, "predict")[:3]] == [[6, 7, 8, 9, 10, 11]] * 3


def test_minutes_are_those_of_one_recording_after_the_other(seen):
    recording = np.tile(np.repeat([1, 0], 6), 5) + np.repeat(2 * np.arange(5), 12)
    onset = np.tile(15.0 * np.r_[:6, :6], 5)
    calibrate(replace(table(ROWS.X, recording=recording, onset=onset), duration=60))
    assert [sorted(set(rows) - set(range(12, 60))) for rows in rows_of(seen, "fit")[:3]] == [
        [],
        [6],
        [6, 7, 8],
    ]
    assert rows_of(seen, "predict")[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_random_minutes_may_lie_anywhere(seen):
    results = calibrate(calibration_order="random", minutes=(0, 1), n_repeats=4)
    own = [set(rows) - set(range(12, 60)) for rows in rows_of(seen, "fit") if 59 in rows]
    first = [rows for rows in own if len(rows) == 1]
    assert len({next(iter(rows)) for rows in first}) > 1
    assert {record["repeat"] for record in results.records} == {0, 1, 2, 3}


@pytest.mark.parametrize("seed", range(5))
def test_random_draws_cover_their_minutes_and_no_test_window(seed):
    rng = np.random.default_rng(seed)
    start = np.cumsum(rng.choice([5, 15, 60, 90], size=80))
    seconds = start[:, np.newaxis] + np.arange(60)  # whole seconds of each window
    minutes = (0, 1, 2.5, 10)
    chosen, rest = choose_calibration(start, 60, minutes, rng.permutation(80))
    for fewer, more in zip(minutes, minutes[1:], strict=False):
        assert set(chosen[fewer]) < set(chosen[more])
        covered = np.unique(seconds[chosen[more]])
        assert 60 * (more - 1) < len(covered) <= 60 * more  # a window more would not fit
    touches = np.isin(seconds, covered).any(axis=1)
    np.testing.assert_array_equal(rest, np.flatnonzero(~touches))


def test_both_orders_can_be_compared():
    results = calibrate(calibration_order=("time", "random"), n_repeats=2)
    assert results.conditions["calibration_order"] == ["time", "random"]
    table = results.summary("accuracy")
    assert len(table) == 3 * 2


def test_each_person_of_a_fold_is_calibrated_alone(seen):
    calibrate(cv=GroupKFold(2), minutes=(1,))
    fits = rows_of(seen, "fit")
    assert len(fits) == 5
    assert {len(rows) % 12 for rows in fits} == {1}


def test_calibrated_people_are_not_called_unseen():
    noise = np.random.default_rng(0).normal(size=(len(TIMED), 3))
    results = calibrate(replace(TIMED, X=noise), model=linear())
    assert results.protocol["protocol"] == "calibrated"
    assert "1.5 minutes of each test subject" in results.protocol["audit"]["declared"][-1]
    assert "; calibrated" in repr(results)


def test_scores_that_need_a_class_that_calibration_used_up_are_missing():
    y = np.tile(np.repeat(["stress", "rest"], [2, 10]), 5)
    results = calibrate(replace(TIMED, info=TIMED.info.assign(label=y)), model=linear())
    summary = results.summary(["accuracy", "macro_f1"]).set_index("metric")
    assert (summary.loc["macro_f1", "n_missing"] == 5).all()
    assert (summary.loc["accuracy", "n_missing"] == 0).all()


def test_seeds_are_repeats_where_draws_are_not():
    orders = ("time", "random")
    settings = {"calibration_order": orders, "n_repeats": 2}
    results = calibrate(minutes=[1], model=[linear(), linear()], **settings)
    found = {(r["calibration_order"], r["repeat"]) for r in results.records}
    assert found == {(order, repeat) for order in orders for repeat in (0, 1)}


@pytest.mark.parametrize(
    "windows, change, match",
    [
        (FEATURES, {}, r"duration=None.*\['subject', 'label'\]"),
        (TIMED, {"minutes": [-1]}, r"0 or more.*\[-1\]"),
        (TIMED, {"minutes": [1, 1]}, "differ"),
        (TIMED, {"minutes": [0.5]}, "60 s, got 0.5"),
        (TIMED, {"minutes": [4]}, "4 minutes leaves no window of 'S0'"),
        (TIMED, {"calibration_order": "last"}, "time, random.*'last'"),
        (TIMED, {"n_subjects": [1]}, r"one of.*\['n_subjects', 'calibration'\]"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(windows, change, match):
    with pytest.raises(ValueError, match=match):
        calibrate(windows, **change)


# What is refused


@pytest.mark.parametrize(
    "change, match",
    [
        ({"fractions": [0, 0.5]}, "above 0"),
        ({"fractions": [0.5, 0.5]}, "differ"),
        ({"n_subjects": [5]}, "n_subjects == 5.* 4"),
        ({"n_subjects": [0]}, r"positive.*\[0\]"),
        ({"n_subjects": [2, 2]}, "differ"),
        ({"fractions": [0.1], "n_subjects": [1]}, "one of"),
        ({"n_repeats": 0}, "n_repeats"),
    ],
)
def test_draws_that_do_not_fit_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        label_efficiency({"linear": linear()}, FEATURES, **change)


def test_draws_that_cannot_cover_all_classes_are_refused():
    one_class_each = np.where(np.isin(GROUPS, SUBJECTS[:2]), "rest", "stress")
    windows = table(FEATURES.X, one_class_each)
    with pytest.raises(ValueError, match="1 training subjects.*all classes"):
        label_efficiency({"linear": linear()}, windows, n_subjects=[1])


def test_an_unknown_setting_of_label_efficiency_is_named():
    with pytest.raises(TypeError, match="shares"):
        label_efficiency({"linear": linear()}, FEATURES, shares=[0.5])
