"""Planted leaks in the data are found, or named as not seen; honest designs are not refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly
from sklearn.model_selection import GroupKFold, KFold

from physio_ssl import (
    SignalDict,
    StageLabels,
    Windows,
    make_windows,
)
from physio_ssl.datasets import load_stress_predict, load_wesad, simulate_wristband
from physio_ssl.evaluation import make_baselines
from physio_ssl.features import HandcraftedFeatures
from physio_ssl.leakage import LeakKind, audit_leakage

LABELS = StageLabels({"rest": 0, "stress": 1})


@pytest.fixture(scope="module")
def people():
    return simulate_wristband(5, n_blocks=1, random_state=0)


@pytest.fixture(scope="module")
def windows(people):
    return make_windows(people, 30, 15, labels=LABELS)


@pytest.fixture(scope="module")
def table(windows):
    """Features with the skew and the levels of people that physiology has."""
    rng = np.random.default_rng(0)
    level = rng.gamma(3, size=5)[np.unique(windows.groups, return_inverse=True)[1], np.newaxis]
    X = level * (1 + 0.2 * windows.y[:, np.newaxis]) + rng.gamma(2, size=(len(windows), 6))
    return replace(windows, X=X, sampling_rate=None)


def audit(windows, cv=None, **options):
    return audit_leakage(windows, cv, on_leak="record", **options)


def kinds(report):
    return {leak.kind for leak in report.leaks}


# a recording under two names


def change(signal, how):
    rng = np.random.default_rng(1)
    return {
        "equal": lambda x: x,
        "scaled": lambda x: 1.01 * x,
        "negated": lambda x: -x,
        "offset": lambda x: x + 3,
        "shifted by a sample": lambda x: np.roll(x, 1, axis=-1),
        "noise": lambda x: x + 1e-6 * x.std() * rng.normal(size=x.shape),
        "more noise": lambda x: x + 1e-3 * x.std() * rng.normal(size=x.shape),
        "float16": lambda x: x.astype(np.float16).astype(float),
        "float32": lambda x: x.astype(np.float32),
        "rounded": lambda x: x.round(1),
        "resampled": lambda x: resample_poly(resample_poly(x, 3, 4, axis=-1), 4, 3, axis=-1)[
            ..., : x.shape[-1]
        ],
        "cut": lambda x: x[..., : x.shape[-1] // 2],
    }[how](np.asarray(signal))


def copy_person(person, how, but=()):
    signals = {
        name: signal if name in but else change(signal, how)
        for name, signal in person.signals.items()
    }
    return replace(person, signals=SignalDict(signals), subject="copy")


HOW = ["equal", "scaled", "negated", "offset", "shifted by a sample", "noise", "more noise"]
HOW += ["float16", "float32", "rounded", "resampled"]


@pytest.mark.parametrize("how", HOW)
def test_a_recording_under_two_names_is_found(people, how):
    both = make_windows([*people, copy_person(people[1], how)], 30, 15, labels=LABELS)
    report = audit(both)
    assert kinds(report) == {LeakKind.DUPLICATE}
    people_of_rows = {both.groups[row] for leak in report.leaks for row in leak.test_rows}
    assert people_of_rows == {people[1].subject, "copy"}


@pytest.mark.parametrize("changed", ["bvp", "eda", "temp"])
def test_a_recording_with_one_other_modality_is_found(people, changed):
    other = {**people[1].signals, changed: people[2].signals[changed]}
    twin = replace(people[1], signals=SignalDict(other), subject="copy")
    assert kinds(audit(make_windows([*people, twin], 30, 15, labels=LABELS))) == {
        LeakKind.DUPLICATE
    }


def test_features_of_a_recording_under_two_names_are_found(table):
    rows = np.flatnonzero(table.groups == table.groups[0])
    twin = table.info.iloc[rows].assign(subject="copy", recording=9)
    info = pd.concat([table.info, twin], ignore_index=True)
    X = np.concatenate([table.X, table.X[rows] * (1 + 1e-7)])
    assert kinds(audit(replace(table, X=X, info=info))) == {LeakKind.DUPLICATE}


def test_copies_on_one_side_of_a_split_are_no_leak(people):
    both = make_windows([*people, copy_person(people[1], "noise")], 30, 15, labels=LABELS)
    is_copy = np.isin(both.groups, ["copy", people[1].subject])
    assert audit(both, [(np.flatnonzero(~is_copy), np.flatnonzero(is_copy))]).ok


def test_a_few_windows_alike_by_chance_are_no_copies(windows):
    bvp = np.array(windows.X["bvp"])
    others = np.flatnonzero(windows.groups != windows.groups[0])
    for n_alike, is_found in [(2, False), (len(bvp) // 5, True)]:
        X = bvp.copy()
        X[others[:n_alike]] = 1.01 * bvp[:n_alike]
        assert (LeakKind.DUPLICATE in kinds(audit(replace(windows, X=X)))) == is_found


def test_what_everybody_shares_is_noted_as_a_stimulus(windows):
    rng = np.random.default_rng(0)
    per_person = np.unique(windows.groups, return_counts=True)[1].min()
    windows = windows.select(
        np.concatenate(
            [np.flatnonzero(windows.groups == s)[:per_person] for s in set(windows.groups)]
        )
    )
    sound = np.tile(rng.normal(size=(per_person, 1, 200)), (5, 1, 1))
    sound *= rng.uniform(1, 2, size=(len(sound), 1, 1))
    report = audit(replace(windows, X=SignalDict(**windows.X, sound=sound), sampling_rate=None))
    assert report.ok
    assert any("stimulus" in note for note in report.notes)


# features made from labels or from time


def count_class(windows):
    counts = windows.info.groupby(["subject", "label"])["label"].transform("size")
    return counts + 0.5 * windows.y


RNG = np.random.default_rng(2)
PLANTED = {
    "label": (LeakKind.LABEL, lambda w: w.y),
    "label, coded otherwise": (LeakKind.LABEL, lambda w: 7 - 3.5 * w.y),
    "label with noise": (LeakKind.LABEL, lambda w: w.y + 0.1 * RNG.normal(size=len(w))),
    "windows of the class": (LeakKind.LABEL, count_class),
    "mean of the class per person": (
        LeakKind.LABEL,
        lambda w: (
            w.info.assign(x=RNG.normal(size=len(w)))
            .groupby(["subject", "label"])["x"]
            .transform("mean")
        ),
    ),
    "onset": (LeakKind.TIME, lambda w: w.onset),
    "onset, backwards, as float32": (LeakKind.TIME, lambda w: np.float32(-w.onset)),
    "logarithm of time": (LeakKind.TIME, lambda w: np.log1p(w.onset)),
    "time scaled over each recording": (
        LeakKind.TIME,
        lambda w: w.info.groupby("subject")["onset"].transform(lambda t: (t - t.mean()) / t.std()),
    ),
    "clock of each recording": (LeakKind.TIME, lambda w: w.onset + 1e6 * w.recording),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_column_that_is_no_measurement_is_found(table, windows, name):
    kind, make = PLANTED[name]
    column = np.asarray(make(table), dtype=float)
    report = audit(replace(table, X=np.c_[table.X, column]))
    assert kinds(report) == {kind}
    assert "column 6 of X" in report.verdict
    channel = np.repeat(column, 40).reshape(-1, 1, 40)
    signals = SignalDict(bvp=windows.X["bvp"], extra=channel)
    assert kinds(audit(replace(windows, X=signals, sampling_rate=None))) == {kind}


def test_a_label_among_several_classes_is_found(table):
    y = np.arange(len(table)) % 3
    some = replace(table, info=table.info.assign(label=y))
    for column in (y, y == 1, np.array([4, 1, 9])[y]):
        assert kinds(audit(replace(some, X=np.c_[table.X, column]))) == {LeakKind.LABEL}


def test_a_continuous_label_is_found(table):
    rating = np.random.default_rng(0).normal(size=len(table))
    some = replace(table, info=table.info.assign(label=rating))
    assert kinds(audit(replace(some, X=np.c_[table.X, 2 * rating]))) == {LeakKind.LABEL}
    assert audit(some).ok


# scaling


def scale_robustly(X):
    low, median, high = np.percentile(X, (25, 50, 75), axis=0)
    return (X - median) / (high - low)


def standardise(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def by(labels, scale, X):
    scaled = np.empty_like(X)
    for label in np.unique(labels):
        scaled[labels == label] = scale(X[labels == label])
    return scaled


def test_robust_scaling_over_all_rows_or_subjects_is_found(table):
    assert kinds(audit(replace(table, X=scale_robustly(table.X)))) == {LeakKind.SCALED}
    scaled = by(table.groups, scale_robustly, table.X)
    assert kinds(audit(replace(table, X=scaled))) == {LeakKind.SCALED_BY_SUBJECT}


def test_scaling_of_each_test_fold_is_found(table):
    cv = GroupKFold(2)
    fold = np.zeros(len(table), dtype=int)
    for number, (_, test) in enumerate(cv.split(table.X, groups=table.groups)):
        fold[test] = number
    (leak,) = audit(replace(table, X=by(fold, standardise, table.X)), cv).leaks
    assert leak.kind == LeakKind.SCALED_BY_SUBJECT and "each test fold" in leak.message


@pytest.mark.parametrize("scale", [standardise, scale_robustly])
def test_scaling_before_rows_were_dropped_is_noted(table, scale):
    some = replace(table, X=scale(table.X)).select(np.arange(len(table)) % 9 > 0)
    report = audit(some)
    assert report.ok
    assert any("all rows have" in note and "near 0" in note for note in report.notes)


# rows that share samples, or a person


def test_overlapping_windows_without_onset_are_found(windows):
    names = [f"{chr(97 + i % 26)}{i}" for i in range(len(windows))]
    unknown = replace(windows, info=windows.info[["label"]].assign(subject=names))
    for cv in (KFold(4), KFold(5, shuffle=True, random_state=0)):
        assert kinds(audit(unknown, cv)) == {LeakKind.OVERLAP}


def test_sessions_named_as_subjects_are_noted(table):
    half = np.where(table.onset < np.median(table.onset), 1, 2)
    for pattern in ("{}_{}", "{}-ses-{}", "{} session {}", "{}visit{}"):
        names = [pattern.format(*pair) for pair in zip(table.groups, half, strict=True)]
        report = audit(replace(table, info=table.info.assign(subject=names)))
        assert any("sessions of one person" in note for note in report.notes)
    for pattern in ("{}", "WESAD {}", "P{}"):
        names = [pattern.format(name) for name in table.groups]
        report = audit(replace(table, info=table.info.assign(subject=names)))
        assert not any("sessions" in note for note in report.notes)


@pytest.mark.parametrize(
    "text", ["selected by the labels of all subjects", "inside a model over a test batch"]
)
def test_what_no_audit_can_see_is_printed(table, text):
    assert text in str(audit(table))


# honest designs


def test_signals_of_simulated_people_are_honest(people):
    for duration, step in [(5, 5), (10, 5), (60, 15)]:
        windows = make_windows(people, duration, step, labels=LABELS)
        for X in (windows.X, *windows.X.values()):
            report = audit(replace(windows, X=X, sampling_rate=None))
            assert report.ok, report.verdict


def test_handcrafted_features_of_simulated_people_are_honest(people):
    windows = make_windows(people, 30, 30, labels=LABELS)
    coarse = SignalDict(temp=windows.X["temp"].round(1), eda=windows.X["eda"].round(1))
    for signals in (windows.X, coarse):
        rates = {name: windows.sampling_rate[name] for name in signals}
        X = HandcraftedFeatures(rates, specific=()).fit_transform(signals)
        report = audit(replace(windows, X=X, sampling_rate=None))
        assert report.ok, report.verdict


def quantise(X, n_levels):
    return np.floor(n_levels * X / X.max(axis=0))


HONEST = {
    "integers of few levels": lambda X: quantise(X, 4),
    "integers": lambda X: quantise(X, 30).astype(int),
    "one column of few levels": lambda X: quantise(X[:, :1], 4),
    "true or false": lambda X: X > np.median(X),
    "fractions from 0 to 1": lambda X: (quantise(X, 40) / 20 - 0.2).clip(0, 1),
    "one fraction reaches 0 and 1 once": lambda X: (X - X.min()) / np.ptp(X),
    "z-scores in the fold": lambda X: X / X[::2].std(axis=0),
    "constant": lambda X: np.ones_like(X),
    "a column twice": lambda X: np.c_[X, X],
    "float16": lambda X: X.astype(np.float16),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_table_is_not_refused(table, name):
    report = audit(replace(table, X=HONEST[name](table.X)))
    assert report.ok, report.verdict


def test_a_strong_feature_is_not_refused(table):
    strong = table.y + np.random.default_rng(0).normal(scale=0.3, size=len(table))
    assert audit(replace(table, X=np.c_[table.X, strong])).ok


def test_one_row_per_person_and_class_is_not_refused():
    rng = np.random.default_rng(0)
    info = make_info(n_people=12, n_each=1)
    X = by(info["subject"], standardise, rng.normal(size=(24, 3)) + 4 * info[["label"]].to_numpy())
    assert kinds(audit(Windows(X, info), transductive=True)) == set()


def make_info(n_people, n_each):
    names = np.repeat([f"S{i}" for i in range(n_people)], 2 * n_each)
    return pd.DataFrame({"subject": names, "label": np.tile([0, 1], n_people * n_each)})


def test_flat_and_quantised_windows_are_not_refused(windows):
    temp = windows.X["temp"].round(0)
    temp[::3] = 33
    for shape in [(-1, 1, temp.shape[2]), (-1, temp.shape[2])]:
        assert audit(replace(windows, X=temp.reshape(shape), sampling_rate=None)).ok


def test_the_clock_is_a_baseline_and_is_noted(windows):
    for name in ("clock", "clock, forest"):
        _, minutes = make_baselines(windows)[name]
        report = audit(replace(windows, X=np.c_[minutes, minutes**2], sampling_rate=None))
        assert report.ok
        assert any("a clock" in note for note in report.notes)


def test_simulated_sessions_drift_without_being_a_clock(table):
    drift = table.onset / 600 + np.random.default_rng(0).normal(scale=0.05, size=len(table))
    level = np.unique(table.groups, return_inverse=True)[1]
    assert audit(replace(table, X=np.c_[table.X, drift + level])).ok


STAGES = {
    "WESAD": {"baseline": 0, "amusement": 0, "stress": 1},
    "StressPredict": {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1},
}


@pytest.mark.parametrize("data_set", STAGES)
def test_real_people_are_not_refused(data_set, data_folder):
    if data_set == "WESAD":
        recordings = load_wesad(data_folder / data_set)
    else:
        some = [f"S{number:02d}" for number in range(2, 26)]
        recordings = load_stress_predict(data_folder / data_set, subjects=some)
    for duration, step in [(5, 5), (10, 10), (30, 30), (60, 15)]:
        windows = make_windows(recordings, duration, step, labels=StageLabels(STAGES[data_set]))
        temp = SignalDict(temp=windows.X["temp"])
        features = HandcraftedFeatures({"temp": 4}, specific=()).fit_transform(temp)
        for X in (windows.X, *windows.X.values(), features):
            report = audit(replace(windows, X=X, sampling_rate=None))
            assert report.ok, report.verdict


def test_hearts_that_beat_alike_are_not_copies(draw_ecg):
    X, subject = [], []
    for number in range(6):
        rng = np.random.default_rng(number)
        for window in range(5):
            wander = np.sin(
                2 * np.pi * rng.uniform(0.15, 0.4) * np.arange(1280) / 128 + rng.uniform(0, 6)
            )
            beats = np.arange(rng.uniform(0, 0.8), 10, 0.8)
            X.append(draw_ecg(beats, seed=5 * number + window) + 0.1 * wander)
            subject.append(f"S{number}")
    info = {"subject": subject, "onset": np.tile(np.arange(5) * 10.0, 6)}
    assert audit(Windows(np.array(X)[:, np.newaxis], pd.DataFrame(info), 10)).ok
