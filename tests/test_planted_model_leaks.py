"""Leaks planted in models are found or named as unknown; honest designs raise no alarm."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler

from physio_ssl import (
    ChannelStatistics,
    HeadClassifier,
    PerModality,
    SelectModality,
    SignalDict,
    SSLClassifier,
    SSLEncoder,
    Windows,
    load_encoder,
)
from physio_ssl.evaluation import label_efficiency, leave_datasets_out, leave_subjects_out
from physio_ssl.leakage import LeakageError, LeakKind, audit_leakage

N_SUBJECTS, N_EACH = 5, 8
GROUPS = np.repeat([f"S{i}" for i in range(1, N_SUBJECTS + 1)], N_EACH)
RNG = np.random.default_rng(0)
X = RNG.gamma(2, size=(len(GROUPS), 1, 20)).round(3)
Y = RNG.permutation(np.tile([0, 1], len(GROUPS) // 2))  # coin flips
INFO = {"subject": GROUPS, "label": Y, "onset": np.tile(10.0 * np.arange(N_EACH), N_SUBJECTS)}
WINDOWS = Windows(X, pd.DataFrame(INFO), duration=10)
TABLE = replace(WINDOWS, X=X[:, 0])
OTHERS = np.array(["nurses/N1", "nurses/N2"])


class Encoder(TransformerMixin, BaseEstimator):
    """Stands for an SSLEncoder: it remembers the groups that it was fitted with."""

    def fit(self, X, y=None, groups=None):
        self.groups_seen_ = None if groups is None else np.unique(groups)
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


def fit_encoder(groups):
    return Encoder().fit(X, groups=groups)


def probe(*steps):
    return make_pipeline(*steps, LogisticRegression())


def audit(model, windows=WINDOWS, **declared):
    return audit_leakage(windows, models={"m": model}, on_leak="record", **declared)


# Where an encoder that has seen test subjects may hide

LEAKY = fit_encoder(GROUPS[:N_EACH])
HOLDER = {"encoder": LEAKY}


class Stateless(TransformerMixin, BaseEstimator):
    """A base of transformers that learn nothing themselves."""

    def fit(self, X, y=None):
        return self


class InAttribute(Stateless):
    def __init__(self):
        self._model = LEAKY

    def transform(self, X):
        return self._model.transform(X)


class InClass(Stateless):
    model = LEAKY

    def transform(self, X):
        return self.model.transform(X)


class InMethod(Stateless):
    def transform(self, X):
        return LEAKY.transform(X)


class InProperty(Stateless):
    @property
    def model(self):
        return HOLDER["encoder"]

    def transform(self, X):
        return self.model.transform(X)


class InMapping(Stateless):
    def __init__(self, models=None):
        self.models = models

    def transform(self, X):
        return self.models["encoder"].transform(X)


class NeverCloned(Stateless):
    def __init__(self, model=None):
        self.model = model

    def __sklearn_clone__(self):
        return self

    def transform(self, X):
        return self.model.transform(X)


class Callable:
    def __init__(self, model):
        self.model = model

    def __call__(self, X):
        return self.model.transform(X)


def embed(X):
    return _helper(X)


def _helper(X):
    return [LEAKY.transform(some) for some in [X]][0]


def close_over(model):
    return lambda X: model.transform(X)


def with_model(X, model):
    return model.transform(X)


def in_class_of_closure(model):
    class Local(Stateless):
        def transform(self, X):
            return model.transform(X)

    return Local()


def in_search(model):
    search = GridSearchCV(Encoder(), {})
    search.best_estimator_ = model
    return FrozenEstimator(search)


HIDDEN = {
    "frozen": FrozenEstimator(LEAKY),
    "frozen pipeline": FrozenEstimator(make_pipeline(LEAKY)),
    "frozen search": in_search(LEAKY),
    "column transformer": ColumnTransformer([("e", FrozenEstimator(LEAKY), [0])]),
    "union": make_union(FrozenEstimator(LEAKY), Encoder()),
    "bound method": FunctionTransformer(LEAKY.transform),
    "closure": FunctionTransformer(close_over(LEAKY)),
    "closure of a method": in_class_of_closure(LEAKY),
    "global variable": FunctionTransformer(embed),
    "global of a method": InMethod(),
    "global mapping of a property": InProperty(),
    "partial": FunctionTransformer(partial(with_model, model=LEAKY)),
    "keyword argument": FunctionTransformer(with_model, kw_args={"model": LEAKY}),
    "callable object": FunctionTransformer(Callable(LEAKY)),
    "attribute": InAttribute(),
    "class attribute": InClass(),
    "mapping": InMapping(HOLDER),
    "never cloned": NeverCloned(LEAKY),
}


@pytest.mark.parametrize("place", HIDDEN)
def test_an_encoder_that_saw_test_subjects_is_found_wherever_it_hides(place):
    model = probe(HIDDEN[place])
    # Scaling is declared, which excuses no encoder.
    report = audit(model, transductive="z-scored by recording")
    assert {(leak.kind, leak.fold) for leak in report.leaks} == {(LeakKind.PRETRAINED, 0)}
    assert not any("each fold fits a new copy" in note for note in report.notes)
    assert audit(model, pretrained_on_test_subjects=True).ok


# Learned from test rows before the study


FITTED = {
    "scaler": (probe(FrozenEstimator(StandardScaler().fit(TABLE.X))), LeakKind.SCALED),
    "PCA": (probe(FrozenEstimator(PCA(3).fit(TABLE.X))), LeakKind.SCALED),
    "scaler in a frozen pipeline": (
        FrozenEstimator(make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(TABLE.X, Y)),
        LeakKind.SCALED,
    ),
    "classifier": (FrozenEstimator(LogisticRegression().fit(TABLE.X, Y)), LeakKind.TRAINED),
    "classifier in prefit selection": (
        probe(SelectFromModel(LogisticRegression().fit(TABLE.X, Y), prefit=True)),
        LeakKind.TRAINED,
    ),
    "classifier in calibration": (
        CalibratedClassifierCV(FrozenEstimator(LogisticRegression().fit(TABLE.X, Y))),
        LeakKind.TRAINED,
    ),
    "head": (
        FrozenEstimator(
            HeadClassifier(max_epochs=1, min_steps=1).fit(np.float32(TABLE.X), Y, groups=GROUPS)
        ),
        LeakKind.TRAINED,
    ),
}


@pytest.mark.parametrize("name", FITTED)
def test_what_was_fitted_on_all_rows_and_frozen_is_found(name):
    model, kind = FITTED[name]
    declared = {"transductive": True, "pretrained_on_test_subjects": True}
    assert {leak.kind for leak in audit(model, TABLE, **declared).leaks} == {kind}


# Nobody can know


def fitted(estimator):
    return estimator.fit(TABLE.X, Y)


def stack(estimator, cv):
    return StackingClassifier([("a", estimator), ("b", LogisticRegression())], cv=cv)


def standardize(mean, std):
    return lambda X: (X - mean) / std


LINEAR = fitted(LogisticRegression())
FOREST = fitted(RandomForestClassifier(3, random_state=0))
MEAN = TABLE.X.mean(axis=0)
NETWORK = torch.nn.Linear(20, 2)
NET = fit_encoder(None)


class Centred:
    def __init__(self, mean):
        self.mean = mean

    def __call__(self, X):
        return X - self.mean


def run_network(X):
    return NETWORK(torch.as_tensor(X, dtype=torch.float32)).detach().numpy()


UNKNOWN = {
    "fitted without groups": (probe(FrozenEstimator(NET)), "whom Encoder has seen"),
    "without groups, bound method": (probe(FunctionTransformer(NET.transform)), "whom Encoder"),
    "told numbers": (probe(FrozenEstimator(fit_encoder(np.arange(5)))), "who are the 5 people"),
    "told other names": (probe(FrozenEstimator(fit_encoder(["a", "b"]))), "who are the 2 people"),
    "told names of a data set": (
        probe(FrozenEstimator(fit_encoder(["WESAD/S1", "WESAD/S9"]))),
        "as WESAD/S1 may be in the study",
    ),
    "network instance": (probe(SSLEncoder(NETWORK)), "weights of a network"),
    "head instance": (HeadClassifier(NETWORK), "weights of a network"),
    "network in a function": (probe(FunctionTransformer(run_network)), "weights of a network"),
    "numbers in a closure": (
        probe(FunctionTransformer(standardize(MEAN, TABLE.X.std(axis=0)))),
        "from which windows numbers",
    ),
    "numbers in a global variable": (
        probe(FunctionTransformer(lambda X: X - MEAN)),
        "from which windows numbers",
    ),
    "numbers as keyword arguments": (
        probe(FunctionTransformer(np.subtract, kw_args={"x2": MEAN})),
        "from which windows numbers",
    ),
    "PCA of other rows": (
        probe(FrozenEstimator(PCA(2).fit(TABLE.X[::2]))),
        "on which rows PCA was fitted",
    ),
    "PCA's method": (
        probe(FunctionTransformer(PCA(2).fit(TABLE.X).transform)),
        "on which rows PCA was fitted",
    ),
    "PCA behind a frozen encoder": (
        probe(FrozenEstimator(fit_encoder(OTHERS)), FrozenEstimator(PCA(2).fit(TABLE.X))),
        "on which rows PCA was fitted",
    ),
    "PCA in a frozen pipeline": (
        probe(FrozenEstimator(make_pipeline(fit_encoder(OTHERS), PCA(2).fit(TABLE.X)))),
        "on which rows PCA was fitted",
    ),
    "numbers of an object": (
        probe(FunctionTransformer(Centred(MEAN))),
        "from which windows numbers",
    ),
    "nearest neighbours": (
        FrozenEstimator(fitted(KNeighborsClassifier(1))),
        "on which rows KNeighborsClassifier was fitted",
    ),
    "forest": (FrozenEstimator(FOREST), "on which rows RandomForestClassifier was fitted"),
    "calibration": (CalibratedClassifierCV(FrozenEstimator(FOREST)), "on which rows RandomForest"),
    "threshold": (FixedThresholdClassifier(FrozenEstimator(FOREST)), "on which rows RandomForest"),
    "stacking": (stack(FrozenEstimator(FOREST), 3), "on which rows RandomForest"),
    "prefit stacking": (stack(LINEAR, "prefit"), "on which rows LogisticRegression"),
    "frozen selection": (
        probe(SelectFromModel(FrozenEstimator(FOREST), prefit=True)),
        "on which rows RandomForest",
    ),
    "frozen search": (
        FrozenEstimator(GridSearchCV(RandomForestClassifier(2), {}, cv=2).fit(TABLE.X, Y)),
        "on which rows RandomForest",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_can_know_is_named_in_the_printed_verdict(name):
    model, text = UNKNOWN[name]
    report = audit(model, TABLE)
    assert report.ok
    for printed in (str(report), repr(report), report.to_dict()["verdict"]):
        assert "No leak found. Not known: " in printed and text in printed


# Honest designs


def log_of_range(X):
    return np.log1p(np.ptp(X, axis=-1, keepdims=True))


class Ranges(Stateless):
    columns = (0, 1)

    def transform(self, X):
        return log_of_range(X)


def fit_all(model):
    return model.fit(TABLE.X, Y)


HONEST = {
    "pipeline": probe(StandardScaler()),
    "fitted pipeline": fit_all(probe(StandardScaler(), KBinsDiscretizer(encode="onehot-dense"))),
    "search": GridSearchCV(LogisticRegression(), {"C": np.logspace(-2, 2, 3)}, cv=3),
    "calibration": CalibratedClassifierCV(RandomForestClassifier(3), cv=3),
    "stacking": stack(RandomForestClassifier(3), 3),
    "selection": probe(SelectFromModel(LINEAR)),
    "encoder of other people": probe(FrozenEstimator(fit_encoder(OTHERS))),
    "encoder of other people, by its method": probe(
        FunctionTransformer(fit_encoder(OTHERS).transform)
    ),
    "shipped encoder": probe(FrozenEstimator(load_encoder("wristband-small"))),
    "shipped encoder, fine-tuned": SSLClassifier(FrozenEstimator(load_encoder("wristband-small"))),
    "encoder in the fold": probe(SSLEncoder(max_epochs=1)),
    "functions of your own": probe(FunctionTransformer(log_of_range), Ranges()),
    "library functions": probe(FunctionTransformer(np.log1p), ChannelStatistics()),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_design_has_no_leak_and_nothing_unknown(name):
    report = audit(HONEST[name], TABLE)
    assert report.verdict == "No leak found."
    assert report.unknown == report.declared == []


def test_transformers_that_a_container_fits_in_each_fold_are_no_leak():
    signals = replace(WINDOWS, X=SignalDict(eda=X))
    report = audit(probe(PerModality({"eda": LEAKY})), signals)
    assert report.verdict == "No leak found."


# Studies

SETTINGS = {"baselines": False, "added_value": False}


def test_a_frozen_classifier_is_a_model_of_a_study():
    with pytest.raises(LeakageError, match="classifier trained on test subjects"):
        leave_subjects_out({"x": FrozenEstimator(LINEAR)}, TABLE, **SETTINGS)
    results = leave_subjects_out({"x": FrozenEstimator(FOREST)}, TABLE, **SETTINGS)
    np.testing.assert_array_equal(
        np.concatenate([r["predictions"]["predicted"] for r in results.records]),
        FOREST.predict(TABLE.X),
    )
    assert results.protocol["protocol"] == "no_leak_found"


STUDIES = {
    "leave_subjects_out": leave_subjects_out,
    "label_efficiency": partial(label_efficiency, n_subjects=["all"], n_repeats=1),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_prints_what_is_not_known(name):
    model = probe(FrozenEstimator(NET))
    results = STUDIES[name](model, WINDOWS, **SETTINGS)
    text = "No leak found. Not known: whom Encoder has seen"
    assert text in str(results) and text in results.protocol["audit"]["verdict"]
    assert "no_leak_found (1 not known)" in repr(results)
    assert "No audit can see how windows and features were made" in str(results)


@pytest.mark.parametrize("name", STUDIES)
def test_an_honest_study_prints_no_alarm(name):
    results = STUDIES[name](probe(FrozenEstimator(fit_encoder(OTHERS))), WINDOWS, **SETTINGS)
    assert repr(results).endswith("leak_free)")
    assert "Leak audit: No leak found.\n" in str(results) and "Not known" not in str(results)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_declares_encoders_apart_from_scaling(name):
    model = probe(FrozenEstimator(LEAKY))
    with pytest.raises(LeakageError, match="encoder pre-trained on test subjects"):
        STUDIES[name](model, WINDOWS, transductive="z-scored by recording", **SETTINGS)
    why = "the paper pre-trains on all people"
    results = STUDIES[name](model, WINDOWS, pretrained_on_test_subjects=why, **SETTINGS)
    assert results.protocol["pretrained_on_test_subjects"] == why
    assert results.protocol["transductive"] is False
    assert "pre-trained on test subjects" in repr(results)


def test_what_a_study_searches_is_audited():
    search = {"m": {"encoder": [FrozenEstimator(fit_encoder(OTHERS)), FrozenEstimator(LEAKY)]}}
    model = Pipeline([("encoder", Encoder()), ("linear", LogisticRegression())])
    with pytest.raises(LeakageError, match="encoder pre-trained on test subjects"):
        leave_subjects_out({"m": model}, WINDOWS, search=search, **SETTINGS)


def test_encoders_are_declared_over_data_sets_too():
    signals = [SignalDict(eda=array) for array in (X, RNG.gamma(2, size=X.shape))]
    datasets = {name: replace(WINDOWS, X=some) for name, some in zip("ab", signals, strict=True)}
    model = probe(SelectModality("eda"), FrozenEstimator(fit_encoder(["a/S1"])))
    with pytest.raises(LeakageError, match="a/S1"):
        leave_datasets_out(model, datasets, transductive=True, **SETTINGS)
    results = leave_datasets_out(model, datasets, pretrained_on_test_subjects=True, **SETTINGS)
    assert results.protocol["protocol"] == "leak_free"
