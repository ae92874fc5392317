"""Differences pooled over the people of several studies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_results import make_record

from physio_ssl.evaluation import StudyResults, pool_studies
from physio_ssl.evaluation.inference import bootstrap_mean


def make_study(name, scores, **more):
    return [
        make_record(estimator, f"{name}/{number}", value, **more)
        for estimator, values in scores.items()
        for number, value in enumerate(values)
    ]


@pytest.fixture
def studies():
    lab = {"encoder": [0.9, 0.8, 0.7], "features": [0.6, 0.6, 0.5]}
    field = {"encoder": [0.5, 0.7, 0.6, 0.5, None], "features": [0.6, 0.5, 0.5, 0.4, 0.5]}
    added = make_study("lab", {"encoder": [0.7, 0.9, 0.6]}, added_to="features")
    added_in_field = make_study("field", {"encoder": [0.7] * 5}, added_to="features")
    return {
        "lab": StudyResults(make_study("lab", lab) + added, {}),
        "field": StudyResults(make_study("field", field) + added_in_field, {}),
    }


def test_every_person_counts_once(studies):
    table = pool_studies(studies, "encoder", "features").set_index("study")
    assert list(table.index) == ["lab", "field", "pooled"]
    differences = [0.3, 0.2, 0.2, -0.1, 0.2, 0.1, 0.1]
    assert table.loc["pooled", "difference"] == pytest.approx(np.mean(differences))
    assert list(table["n_subjects"]) == [3, 4, 7]
    assert list(table["n_missing"]) == [0, 1, 1]


def test_people_are_resampled_within_their_study(studies):
    row = pool_studies(studies, "encoder", "features").iloc[-1]
    differences = np.array([0.3, 0.2, 0.2, -0.1, 0.2, 0.1, 0.1])
    strata = ["lab"] * 3 + ["field"] * 4
    expected = bootstrap_mean(differences, 0.95, 10_000, 0, (-1, 1), strata=strata)
    assert_allclose(row[["low", "high"]].astype(float), expected)


def test_the_row_of_a_study_is_its_own_comparison(studies):
    row = pool_studies(studies, "encoder", "features").iloc[1]
    expected = studies["field"].compare("encoder", "features").iloc[0].drop("p_holm")
    assert row.drop("study").equals(expected.rename(1))


def test_the_added_value_can_be_pooled(studies):
    table = pool_studies(studies, "encoder", over="features").set_index("study")
    expected = [study.added_value("encoder", "features") for study in studies.values()]
    assert_allclose(table["difference"].iloc[:2], [row.loc[0, "difference"] for row in expected])
    assert table.loc["pooled", "n_subjects"] == 8
    assert table.loc["pooled", "over"] == "features"


def test_the_order_of_the_studies_does_not_matter(studies):
    turned = dict(reversed(studies.items()))
    expected = pool_studies(studies, "encoder", "features").iloc[-1]
    assert pool_studies(turned, "encoder", "features").iloc[-1].equals(expected)


def test_one_condition_is_chosen():
    studies = {}
    for name in ("lab", "field"):
        few = make_study(name, {"a": [0.4, 0.6], "b": [0.3, 0.4]}, label_fraction=0.1)
        studies[name] = StudyResults(few + make_study(name, {"a": [1], "b": [1]}), {})
    found = pool_studies(studies, "a", "b", label_fraction=0.1)
    assert_allclose(found["difference"], 0.15)
    with pytest.raises(ValueError, match=r"'lab'.*one condition.*label_fraction"):
        pool_studies(studies, "a", "b")


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("encoder",), "either other or over"),
        (("encoder", "clock"), "'lab' named 'clock', only encoder"),
        (("net", "features"), "'lab' named 'net', only encoder"),
    ],
)
def test_what_cannot_be_pooled_is_refused(studies, arguments, match):
    with pytest.raises(ValueError, match=match):
        pool_studies(studies, *arguments)


def test_an_added_value_that_a_study_lacks_is_refused(studies):
    with pytest.raises(ValueError, match="over 'clock' in study 'lab' of 'encoder'"):
        pool_studies(studies, "encoder", over="clock")


def test_a_person_in_two_studies_is_refused(studies):
    with pytest.raises(ValueError, match="'lab/0' is in 'lab' and 'again'"):
        pool_studies({**studies, "again": studies["lab"]}, "encoder", "features")


def test_one_study_cannot_be_pooled(studies):
    with pytest.raises(ValueError, match=r"two or more.*\['lab'\]"):
        pool_studies({"lab": studies["lab"]}, "encoder", "features")


def test_a_study_of_one_person_is_refused(studies):
    alone = make_study("case", {"encoder": [0.9], "features": [0.8]})
    with pytest.raises(ValueError, match="'case' has fewer than two people"):
        pool_studies({**studies, "case": StudyResults(alone, {})}, "encoder", "features")


def test_studies_are_results():
    with pytest.raises(TypeError, match="dict of StudyResults"):
        pool_studies([1, 2], "encoder", "features")
