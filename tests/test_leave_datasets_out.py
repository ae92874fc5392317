"""leave_datasets_out: models are tested on data sets that they have not seen."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from physio_ssl import (
    ChannelStatistics,
    SelectModality,
    SSLEncoder,
    StageLabels,
    make_windows,
)
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import leave_datasets_out, make_baselines
from physio_ssl.leakage import LeakageError

STRESS = StageLabels({"rest": 0, "stress": 1})
LINEAR = make_pipeline(ChannelStatistics(), LogisticRegression(max_iter=10_000))


@pytest.fixture(scope="module")
def recordings():
    settings = {"n_blocks": 1, "stage_duration": 120, "signals": ("eda", "temp")}
    return {
        name: simulate_wristband(n, **settings, random_state=n)
        for name, n in (("winter", 3), ("summer", 2))
    }


@pytest.fixture(scope="module")
def datasets(recordings):
    return {name: make_windows(people, 20, labels=STRESS) for name, people in recordings.items()}


@pytest.fixture(scope="module")
def encoder(datasets):
    settings = {"module__d_model": 16, "module__n_heads": 2, "max_epochs": 1, "random_state": 0}
    return SSLEncoder(**settings).fit(datasets["winter"].X["eda"])


def test_each_data_set_is_tested_by_models_of_the_others(datasets):
    results = leave_datasets_out({"linear": LINEAR}, datasets, baselines=False)
    assert results.conditions == {"dataset": ["winter", "summer"]}
    for name, other in (("winter", "summer"), ("summer", "winter")):
        windows = datasets[name]
        by_hand = LINEAR.fit(datasets[other].X, datasets[other].y).predict(windows.X)
        records = [record for record in results.records if record["dataset"] == name]
        assert [r["subject"] for r in records] == [f"{name}/{s}" for s in np.unique(windows.groups)]
        predicted = [label for r in records for label in r["predictions"]["predicted"]]
        np.testing.assert_array_equal(predicted, by_hand)


def test_the_summary_has_a_row_for_each_data_set(datasets):
    results = leave_datasets_out({"linear": LINEAR}, datasets, baselines=False)
    summary = results.summary("accuracy").set_index("dataset")
    assert summary["n_subjects"].to_dict() == {"winter": 3, "summer": 2}
    assert results.protocol["cv"] == "leave one data set out"


def test_baselines_see_the_recordings_of_every_data_set(recordings, datasets, monkeypatch):
    seen = []

    def watch(windows, recordings, **settings):
        seen.append((windows, recordings))
        return make_baselines(windows, recordings, **settings)

    monkeypatch.setattr("physio_ssl.evaluation.engine.make_baselines", watch)
    results = leave_datasets_out({"linear": LINEAR}, datasets, recordings=recordings)
    ((windows, joined),) = seen
    assert results.protocol["baselines"] == list(make_baselines(datasets["winter"]))
    expected = [subject.partition("/")[2] for subject in windows.groups]
    assert [joined[number].subject for number in windows.recording] == expected


@pytest.mark.parametrize("prefix", ["", "winter/"])
def test_an_encoder_that_saw_people_of_a_data_set_is_found(prefix, encoder, datasets):
    subjects = np.unique(datasets["winter"].groups)
    encoder.groups_seen_ = np.array([f"{prefix}{subject}" for subject in subjects])
    model = make_pipeline(SelectModality("eda"), FrozenEstimator(encoder), LogisticRegression())
    with pytest.raises(LeakageError, match="winter/"):
        leave_datasets_out({"encoder": model}, datasets, baselines=False)


def test_a_study_of_data_sets_can_be_resumed(datasets, tmp_path):
    settings = {"baselines": False, "folder": tmp_path}
    first = leave_datasets_out({"linear": LINEAR}, datasets, **settings)
    again = leave_datasets_out({"linear": LINEAR}, datasets, **settings)
    assert again.records == first.records  # the times, too: nothing was run


def rename(windows):
    return replace(windows, info=windows.info.assign(label=windows.y + 1))


@pytest.mark.parametrize(
    "change, match",
    [
        (rename, r"same classes in 'label'.*winter.*\[0, 1\].*summer.*\[1, 2\]"),
        (lambda windows: replace(windows, duration=30), "same duration"),
        (lambda windows: replace(windows, scaling="subject"), "same scaling"),
        (lambda windows: replace(windows, X={"eda": windows.X["eda"]}, sampling_rate=None), "same"),
        (
            lambda windows: replace(windows, info=windows.info.drop(columns="label")),
            "'summer'.*'label'",
        ),
    ],
)
def test_data_sets_that_differ_are_refused(change, match, datasets):
    changed = {**datasets, "summer": change(datasets["summer"])}
    with pytest.raises(ValueError, match=match):
        leave_datasets_out({"linear": LINEAR}, changed, baselines=False)


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda known: {"winter": known["winter"]}, r"winter, summer.*\['winter'\]"),
        (lambda known: {**known, "winter": known["winter"][:2]}, "'winter'.*2 recordings.* 2"),
        (lambda known: {**known, "winter": known["summer"] * 2}, "in order"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(change, match, recordings, datasets):
    with pytest.raises(ValueError, match=match):
        leave_datasets_out({"linear": LINEAR}, datasets, recordings=change(recordings))


def test_one_data_set_is_refused(datasets):
    with pytest.raises(ValueError, match=r"two or more.*\['winter'\]"):
        leave_datasets_out({"linear": LINEAR}, {"winter": datasets["winter"]})


def test_the_data_sets_are_the_only_splits(datasets):
    with pytest.raises(TypeError, match="cv"):
        leave_datasets_out({"linear": LINEAR}, datasets, cv=3)
