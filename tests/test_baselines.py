"""Baselines that run beside the models of a study, and what an embedding adds to them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from study_parts import GROUPS, SIGNALS, Encoder, Y, make_signals

from physio_ssl import SSLEncoder, StageLabels, Windows, make_windows
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, label_efficiency, leave_subjects_out, make_baselines
from physio_ssl.features import ChannelStatistics, HandcraftedFeatures
from physio_ssl.preprocessing import Preprocessor, Resample, Standardize

NAMES = [
    "majority class",
    "clock",
    "clock, forest",
    "hand-crafted",
    "hand-crafted, forest",
    "channel statistics",
    "hand-crafted + channel statistics",
]
STRESS = StageLabels({"rest": 0, "stress": 1})


@pytest.fixture(scope="module")
def people():
    signals = ("bvp", "eda")
    return simulate_wristband(4, n_blocks=1, stage_duration=120, signals=signals, random_state=0)


@pytest.fixture(scope="module")
def windows(people):
    steps = {"bvp": [Resample(None, 4), Standardize()], "eda": [Standardize()]}
    preprocessor = Preprocessor(steps, {"bvp": 4, "eda": 4}, duration=20)
    return preprocessor.make_windows(people, step=20, labels=STRESS)


@pytest.fixture(scope="module")
def encoder(windows):
    settings = {"module__d_model": 16, "module__n_heads": 2, "max_epochs": 1, "random_state": 0}
    return SSLEncoder(**settings).fit(windows.X)


def probe(encoder):
    return make_pipeline(encoder, StandardScaler(), LogisticRegression(max_iter=500))


@pytest.fixture(scope="module")
def study(windows, encoder):
    return leave_subjects_out(
        {"encoder": probe(FrozenEstimator(encoder))}, windows, transductive="z-scored by recording"
    )


# What runs


def test_a_study_runs_all_baselines_unless_told_not_to(study, windows):
    assert study.protocol["baselines"] == [*NAMES, "encoder, untrained"]
    assert study.estimators == ["encoder", *NAMES, "encoder, untrained"]
    plain = leave_subjects_out(LogisticRegression(), table(), baselines=False)
    assert plain.protocol["baselines"] == [] and plain.estimators == ["logisticregression"]


def test_a_models_own_name_wins_over_that_of_a_baseline():
    model = DummyClassifier(strategy="constant", constant=1)
    results = leave_subjects_out({"majority class": model}, table())
    assert "majority class" not in results.protocol["baselines"]
    assert results.records[0]["confusion"] == [[0, 5], [0, 5]]


def table(**columns):
    rng = np.random.default_rng(0)
    info = {"subject": np.repeat(["S1", "S2", "S3"], 10), "label": np.tile([0, 1], 15), **columns}
    return Windows(rng.normal(size=(30, 4)), pd.DataFrame(info))


def test_a_table_of_features_without_times_has_fewer_baselines():
    assert list(make_baselines(table())) == ["majority class", "channel statistics"]
    _, X = make_baselines(table())["channel statistics"]
    np.testing.assert_array_equal(X, table().X)
    results = leave_subjects_out(DummyClassifier(), table())
    assert "baselines that did not run: clock, hand-crafted" in str(results)


def test_a_sparse_table_keeps_the_baselines_that_need_no_columns():
    sparse = replace(table(onset=np.arange(30.0)), X=csr_array(table().X))
    assert list(make_baselines(sparse)) == ["majority class", "clock", "clock, forest"]


def test_the_clock_sees_minutes_since_the_recording_began(windows):
    for name in ("clock", "clock, forest"):
        _, X = make_baselines(windows)[name]
        np.testing.assert_array_equal(X[:, 0], windows.onset / 60)


def test_a_clock_finds_a_label_that_follows_time():
    onset = np.tile(np.arange(10) * 60.0, 3)
    timed = table(onset=onset, label=(np.tile(np.arange(10), 3) // 3 == 1).astype(int))
    results = leave_subjects_out(DummyClassifier(), timed)
    scores = results.summary("accuracy").set_index("estimator")["mean"]
    assert scores["clock"] >= 0.9 and scores["clock, forest"] >= 0.9
    assert scores["channel statistics"] < 0.8


# Features


def test_features_are_of_the_recorded_signals_at_their_rates(people, windows):
    raw = make_windows(people, 20, labels=STRESS)
    expected = HandcraftedFeatures(raw.sampling_rate).fit_transform(raw.X)
    model, X = make_baselines(windows, people, scaling=None)["hand-crafted"]
    assert isinstance(model, LinearProbe)
    np.testing.assert_allclose(X, expected, rtol=1e-6, equal_nan=True)


def test_features_without_recordings_leave_out_what_a_low_rate_cannot_give(windows):
    _, X = make_baselines(windows, scaling=None)["hand-crafted"]
    rates = windows.sampling_rate
    expected = HandcraftedFeatures(rates, specific=("eda",)).fit_transform(windows.X)
    np.testing.assert_array_equal(X, expected)


def test_statistics_are_those_of_the_channels_that_a_model_sees(windows):
    _, X = make_baselines(windows)["channel statistics"]
    np.testing.assert_array_equal(X, ChannelStatistics().fit_transform(windows.X))


def test_both_are_joined_and_weighted_alike(windows):
    baselines = make_baselines(windows)
    crafted, statistics = (baselines[n][1] for n in ("hand-crafted", "channel statistics"))
    model, X = baselines["hand-crafted + channel statistics"]
    np.testing.assert_array_equal(X, np.hstack([crafted, statistics]))
    assert model.widths == (crafted.shape[1], statistics.shape[1])


def test_features_are_scaled_as_the_windows_are(windows):
    assert windows.scaling == "recording"
    _, X = make_baselines(windows)["hand-crafted"]
    for subject in np.unique(windows.groups):
        own = X[windows.groups == subject]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(own.std(axis=0)[own.std(axis=0) > 0], 1)
    _, raw = make_baselines(replace(windows, scaling=None))["hand-crafted"]
    assert np.abs(raw.mean(axis=0)).max() > 0.1


def test_scaling_by_the_past_ignores_the_future(windows):
    n = np.flatnonzero(windows.groups == windows.groups[0])
    half = windows.select(n[: len(n) // 2])
    _, all_of_it = make_baselines(windows, scaling="past")["hand-crafted"]
    _, first_half = make_baselines(half, scaling="past")["hand-crafted"]
    np.testing.assert_allclose(all_of_it[: len(first_half)], first_half, atol=1e-9)
    np.testing.assert_array_equal(first_half[0], 0)  # nothing before it


def test_scaling_by_subject_joins_recordings():
    info = {"recording": np.tile(np.repeat([0, 1], 5), 3), "onset": np.tile(np.arange(10.0), 3)}
    several = table(**info)
    X = np.abs(several.X[:, np.newaxis].repeat(8, axis=-1)) * np.linspace(1, 2, 32)
    several = replace(several, X={"eda": X}, sampling_rate={"eda": 4})
    for scaling, n in (("subject", 10), ("recording", 5)):
        _, features = make_baselines(several, scaling=scaling)["hand-crafted"]
        np.testing.assert_allclose(features[:n].mean(axis=0), 0, atol=1e-9)
        assert (np.abs(features[:5].mean(axis=0)).max() > 0.01) == (scaling == "subject")


def test_missing_features_stay_missing(windows):
    X = {name: x.copy() for name, x in windows.X.items()}
    silent = replace(
        windows, X={"bvp": np.repeat(X["bvp"], 16, axis=-1)}, sampling_rate={"bvp": 64}
    )
    silent.X["bvp"][0] = 0.0
    _, features = make_baselines(silent)["hand-crafted"]
    assert np.isnan(features[0]).any() and not np.isnan(features[:, :8]).any()
    results = leave_subjects_out(DummyClassifier(), silent, keep_predictions=False)
    assert "hand-crafted, forest" in results.estimators


# Untrained networks


def test_an_untrained_network_is_repeated_with_several_seeds(study):
    records = [r for r in study.records if r["estimator"] == "encoder, untrained"]
    assert {r["repeat"] for r in records} == set(range(5))
    assert len(records) == 5 * len(study.subjects)
    assert len({tuple(map(tuple, r["confusion"])) for r in records}) > 1


def test_untrained_weights_are_those_that_fit_starts_from(encoder, windows):
    start = clone(encoder).set_params(max_epochs=0, random_state=3).fit(windows.X)
    np.testing.assert_array_equal(
        encoder.untrained(3).transform(windows.X), start.transform(windows.X)
    )
    assert not np.allclose(encoder.untrained(3).transform(windows.X), encoder.transform(windows.X))


def test_an_untrained_network_scales_as_the_encoder_does(encoder, windows):
    shifted = {name: 3 * x + 1 for name, x in windows.X.items()}
    other = clone(encoder).set_params(max_epochs=0).fit(shifted)
    ours, theirs = encoder.untrained(0), other.untrained(0)
    np.testing.assert_allclose(ours.transform(windows.X), theirs.transform(shifted), atol=1e-3)


def test_an_encoder_trained_in_each_fold_has_an_untrained_one_in_each_fold(windows):
    model = probe(SSLEncoder(module__d_model=16, module__n_heads=2, max_epochs=1))
    several = make_baselines(windows, models={"inside": model}, n_seeds=2)["inside, untrained"]
    assert [one.steps[0][1].random_state for one in several] == [0, 1]
    assert all(one.steps[0][1].max_epochs == 0 for one in several)


def test_few_labels_take_another_seed_in_each_repeat(windows, encoder):
    model = {"encoder": probe(FrozenEstimator(encoder))}
    results = label_efficiency(model, windows, n_subjects=[2], n_repeats=2, transductive=True)
    records = [r for r in results.records if r["estimator"] == "encoder, untrained"]
    assert sorted({r["repeat"] for r in records}) == [0, 1]
    assert len(records) == 2 * len(results.subjects)


# What an embedding adds


def test_an_embedding_joins_each_table_of_features(study, windows, encoder):
    added = {r["added_to"] for r in study.records if "added_to" in r}
    assert added == {"hand-crafted", "channel statistics", "hand-crafted + channel statistics"}
    _, features = make_baselines(windows)["hand-crafted"]
    X = np.hstack([features, encoder.transform(windows.X)])
    joined = {"joined": (LinearProbe((features.shape[1], X.shape[1] - features.shape[1])), X)}
    by_hand = leave_subjects_out(joined, windows, baselines=False, transductive=True)
    scores = [r["macro_f1"] for r in study.records if r.get("added_to") == "hand-crafted"]
    assert scores == [r["macro_f1"] for r in by_hand.records]


def test_features_join_the_embedding_of_the_same_windows():
    encoder = Encoder().fit(make_signals(1), groups=np.repeat("other", 60))
    features = np.random.default_rng(1).normal(Y == "stress")[:, np.newaxis]
    settings = {"baselines": {"features": (LinearProbe(), features)}, "keep_predictions": True}
    model = make_pipeline(FrozenEstimator(encoder), LogisticRegression())
    records = leave_subjects_out({"m": model}, SIGNALS, **settings).records
    joined = np.hstack([features, encoder.transform(SIGNALS.X)])
    for record in (record for record in records if "added_to" in record):
        test = GROUPS == record["subject"]
        expected = LinearProbe((1, 3)).fit(joined[~test], Y[~test], groups=GROUPS[~test])
        found = record["predictions"]["probability"]
        np.testing.assert_allclose(found, expected.predict_proba(joined[test]))


def test_only_the_models_named_join_the_features(windows, encoder):
    models = {name: probe(FrozenEstimator(encoder)) for name in ("a", "b")}
    some = {
        name: model for name, model in make_baselines(windows).items() if name == "hand-crafted"
    }
    settings = {"baselines": some, "transductive": True}
    results = leave_subjects_out(models, windows, added_value=["b"], **settings)
    assert {r["estimator"] for r in results.records if "added_to" in r} == {"b"}
    with pytest.raises(ValueError, match="No model 'c'"):
        leave_subjects_out(models, windows, added_value=["c"], **settings)


def test_models_without_an_encoder_add_nothing(windows):
    results = leave_subjects_out(
        {"statistics": make_pipeline(ChannelStatistics(), LogisticRegression())}, windows
    )
    assert not any("added_to" in r for r in results.records)


# A model's own input


def test_a_model_may_have_its_own_input():
    windows = table()
    rng = np.random.default_rng(1)
    X = np.column_stack([windows.y, np.zeros(30)]) + rng.uniform(-0.35, 0.35, (30, 2))
    models = {
        "own": (LogisticRegression(C=100), X),
        "theirs": LogisticRegression(),
    }
    results = leave_subjects_out(models, windows, baselines=False)
    scores = results.summary("accuracy").set_index("estimator")["mean"]
    assert scores["own"] == 1 and scores["theirs"] < 0.8


def test_a_models_own_input_is_audited():
    windows = table()
    X = np.column_stack([windows.y, windows.X])
    results = leave_subjects_out(
        {"own": (LogisticRegression(), X)}, windows, baselines=False, on_leak="record"
    )
    assert results.protocol["protocol"] == "with_leaks"


def test_a_forest_by_itself_is_a_model():
    assert "majority class" in make_baselines(table(), models=RandomForestClassifier())


def test_each_seed_of_a_model_is_audited():
    models = {"two": [LogisticRegression(C=1), LogisticRegression(C=2)]}
    results = leave_subjects_out(models, table(), baselines=False)
    looked_at = " ".join(results.protocol["audit"]["looked_at"])
    assert "'two, seed 0'" in looked_at and "'two, seed 1'" in looked_at


@pytest.mark.parametrize(
    ("models", "error", "match"),
    [
        ({"a": (LogisticRegression(), np.zeros((29, 2)))}, ValueError, "30 windows, got 29"),
        (
            {"a": (LogisticRegression(), np.zeros((30, 2)), 3)},
            TypeError,
            "'a' must be a classifier",
        ),
        ({"a": StandardScaler()}, TypeError, "'a' must be a classifier"),
        ({"a": []}, TypeError, "'a' must be a classifier"),
        ({}, TypeError, "dict of them by name"),
    ],
)
def test_models_that_do_not_fit_are_refused(models, error, match):
    with pytest.raises(error, match=match):
        leave_subjects_out(models, table())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scaling": "person"}, "scaling"),
        ({"recordings": []}, "'missing'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, match, windows):
    with pytest.raises(ValueError, match=match):
        make_baselines(windows, **change)


def test_recordings_in_another_order_are_refused(windows, people):
    with pytest.raises(ValueError, match="in order"):
        make_baselines(windows, people[::-1])


# LinearProbe


def test_a_probe_chooses_c_on_people_held_out():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 40)
    y = np.tile([0, 1], 120)
    own = np.where(y == 1, 1, -1) * rng.normal(size=6)[groups]  # the sign differs by person
    X = np.column_stack([own, rng.normal(size=(240, 30))])
    assert LinearProbe().fit(X, y, groups=groups).C_ == 0.01
    shared = np.column_stack([3.0 * y, rng.normal(size=(240, 30))])
    assert LinearProbe().fit(shared, y, groups=groups).C_ > 1


def test_a_probe_chooses_as_a_loop_by_hand():
    rng = np.random.default_rng(0)
    groups, y = np.repeat(np.arange(4), 12), (rng.random(48) < 0.3).astype(int)
    X = rng.normal(size=(48, 12)) * (1 + groups[:, np.newaxis]) ** 2 + y[:, np.newaxis]
    candidates, losses = np.logspace(-3, 2, 21), []
    for C in candidates:
        losses.append([])
        for train, test in GroupKFold(4).split(X, y, groups):
            found = LinearProbe(C=(C,)).fit(X[train], y[train]).predict_proba(X[test])
            weight = compute_sample_weight("balanced", y[test])
            losses[-1].append(log_loss(y[test], found, sample_weight=weight))
    expected = candidates[np.mean(losses, axis=1).argmin()]
    assert LinearProbe(C=tuple(candidates)).fit(X, y, groups=groups).C_ == expected


def test_a_probe_scales_by_people_it_is_trained_on(monkeypatch):
    class Watched(SimpleImputer):
        def fit(self, X, y=None):
            seen.append(set(X[:, 0]))
            return super().fit(X, y)

    monkeypatch.setattr("physio_ssl.evaluation.linear_probe.SimpleImputer", Watched)
    groups, seen = np.repeat([0, 1, 2], 10), []
    X = np.column_stack([groups, np.random.default_rng(0).normal(size=30)])
    LinearProbe().fit(X, np.tile([0, 1], 15), groups=groups)
    assert sorted(map(sorted, seen[:-1])) == [[0, 1], [0, 2], [1, 2]]
    assert seen[-1] == {0, 1, 2}


def test_a_probe_without_people_to_hold_out_takes_the_middle_value():
    X, y = table().X, table().y
    assert LinearProbe().fit(X, y).C_ == LinearProbe().fit(X, y, groups=np.zeros(30)).C_ == 1


def test_a_column_that_hardly_varies_in_training_does_not_decide_elsewhere():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 50)
    X = np.column_stack([y + 0.5 * rng.normal(size=100), 1 + 1e-3 * rng.normal(size=100)])
    elsewhere = X + [0, 0.5]  # 500 standard deviations
    found = LinearProbe().fit(X, y).predict(elsewhere)
    assert np.mean(found == y) > 0.7


def test_a_wide_block_does_not_drown_a_narrow_one():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 60)
    X = np.column_stack([y + rng.normal(size=120), rng.normal(size=(120, 100))])
    plain, weighted = (LinearProbe(w, C=(0.1,)).fit(X, y) for w in (None, (1, 100)))
    step = [[0.0] * 101, [0.5] + [0.0] * 100]  # in the narrow block, too small to be clipped
    effect = [np.ptp(p.decision_function(step)) for p in (plain, weighted)]
    assert effect[1] > 3 * effect[0]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"widths": (1, 2)}, "4 columns"),
        ({"widths": (0, 4)}, "4 columns"),
        ({"C": ()}, "positive"),
        ({"C": (0.0, 1.0)}, "positive"),
    ],
)
def test_a_probe_refuses_settings_that_do_not_fit(settings, match):
    with pytest.raises(ValueError, match=match):
        LinearProbe(**settings).fit(table().X, table().y)
