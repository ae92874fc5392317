"""HeadRegressor and SSLRegressor, and sample weights of all heads."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from physio_ssl import (
    HeadClassifier,
    HeadRegressor,
    SignalDict,
    SSLClassifier,
    SSLEncoder,
    SSLRegressor,
)

GROUPS = np.repeat(["S1", "S2", "S3"], 20)
RNG = np.random.default_rng(0)
AMPLITUDE = RNG.uniform(0.5, 2, size=60)
X = SignalDict(bvp=AMPLITUDE[:, None, None] * RNG.normal(size=(60, 1, 80)))
FEATURES = RNG.normal(size=(60, 3)).astype(np.float32)
TARGET = 70 + 10 * FEATURES[:, 0].astype(float)
CLASSES = np.where(FEATURES[:, 0] > 0, "high", "low")

SMALL = {"max_epochs": 2, "min_steps": 0, "random_state": 0, "batch_size": 64}
FROZEN = FrozenEstimator(
    SSLEncoder(module__d_model=8, max_epochs=0, random_state=0).fit(X, groups=GROUPS)
)


def make_regressor(mode="fine_tuned", **kwargs):
    return SSLRegressor(FROZEN, mode, **{**SMALL, **kwargs})


def test_it_learns_what_is_easy():
    head = HeadRegressor(min_steps=150, lr=1e-2, random_state=0)
    assert head.fit(FEATURES[:40], TARGET[:40]).score(FEATURES[40:], TARGET[40:]) > 0.8


def test_it_is_a_regressor_without_probabilities():
    for regressor in (HeadRegressor(), make_regressor(), make_pipeline(FROZEN, HeadRegressor())):
        assert is_regressor(regressor)
        assert not hasattr(regressor, "predict_proba")


@pytest.mark.parametrize("mode", ["fine_tuned", "supervised"])
def test_the_unit_of_the_target_does_not_matter(mode):
    regressor = make_regressor(mode)
    in_bpm = regressor.fit(X, AMPLITUDE).predict(X)
    assert in_bpm.shape == (60,)
    assert_allclose(regressor.fit(X, 5 - 3 * AMPLITUDE).target_mean_, 5 - 3 * AMPLITUDE.mean())
    scaled = regressor.fit(X, 5 + 3 * AMPLITUDE).predict(X)
    assert_allclose(scaled, 5 + 3 * in_bpm, rtol=1e-3)


def test_a_constant_target_is_predicted():
    predicted = HeadRegressor(**SMALL).fit(FEATURES, np.full(60, 7.0)).predict(FEATURES)
    assert abs(predicted - 7).max() < 3


def test_the_loss_can_be_chosen():
    huber = {"criterion": torch.nn.HuberLoss, "criterion__delta": 0.1}
    heads = [HeadRegressor(**SMALL, **kwargs).fit(FEATURES, TARGET) for kwargs in ({}, huber)]
    assert isinstance(heads[1].criterion_, torch.nn.HuberLoss)
    assert heads[0].history[-1, "train_loss"] > heads[1].history[-1, "train_loss"]


def test_the_encoder_remembers_whom_it_was_tuned_on():
    regressor = make_regressor().fit(X[:40], AMPLITUDE[:40], groups=np.repeat(["A", "B"], 20))
    assert_array_equal(regressor.encoder_.groups_seen_, ["A", "B", "S1", "S2", "S3"])


def test_early_stopping_holds_out_subjects():
    head = HeadRegressor(**{**SMALL, "max_epochs": 5}, early_stopping=2, validation_fraction=0.3)
    head.fit(FEATURES, TARGET, groups=GROUPS)
    assert "valid_loss" in head.history[0]


def test_held_out_targets_are_scaled_as_the_training_is():
    held_out = predefined_split(Dataset(FEATURES, TARGET))
    head = HeadRegressor(**SMALL, train_split=held_out, lr=0.0, head__dropout=0.0)
    head.fit(FEATURES, TARGET)
    own = (TARGET - head.predict(FEATURES)) / head.target_scale_
    assert head.history[-1, "valid_loss"] == pytest.approx(np.mean(own**2), rel=1e-4)


@pytest.mark.parametrize(
    "y, match",
    [(["rest"] * 60, "rest"), (np.full(60, np.nan), "NaN"), (TARGET[:59], "inconsistent")],
)
def test_targets_must_be_finite_numbers_one_per_window(y, match):
    with pytest.raises(ValueError, match=match):
        HeadRegressor(**SMALL).fit(FEATURES, y)


def test_windows_are_not_features():
    with pytest.raises(ValueError, match="HeadRegressor takes features, got windows"):
        HeadRegressor(**SMALL).fit(X, AMPLITUDE)


# Sample weights

ALL = {
    "head of classes": (HeadClassifier(**SMALL), FEATURES, CLASSES),
    "balanced": (HeadClassifier(**SMALL, class_weight="balanced"), FEATURES, CLASSES),
    "head of numbers": (HeadRegressor(**SMALL), FEATURES, TARGET),
    "network, classes": (SSLClassifier(FROZEN, **SMALL), X, CLASSES),
    "network, numbers": (make_regressor(linear_probe_first=True), X, AMPLITUDE),
}
every_head = pytest.mark.parametrize("net, X, y", ALL.values(), ids=ALL)


def predict(net, *args, **kwargs):
    net = clone(net).fit(*args, **kwargs)
    return net.predict_proba if hasattr(net, "predict_proba") else net.predict


@every_head
def test_windows_of_weight_zero_are_as_if_left_out(net, X, y):
    weight = np.tile([1.0, 0.0, 2.0], 20)
    used = np.flatnonzero(weight)
    weighted = predict(net, X, y, groups=GROUPS, sample_weight=weight)(X)
    without = predict(net, X[used], y[used], groups=GROUPS[used], sample_weight=weight[used])(X)
    assert_array_equal(weighted, without)


@every_head
def test_equal_weights_change_nothing(net, X, y):
    weighted = predict(net, X, y, sample_weight=np.full(60, 3.0))(X)
    assert_allclose(weighted, predict(net, X, y)(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [HeadClassifier, HeadRegressor])
def test_the_loss_is_the_weighted_mean_over_the_batch(make):
    y = CLASSES if make is HeadClassifier else TARGET
    weight = RNG.uniform(0.1, 3, size=60)
    net = make(**{**SMALL, "max_epochs": 1}, lr=0.0, head__dropout=0.0)
    net.fit(FEATURES, y, sample_weight=weight)
    net.module_.train()
    with torch.no_grad():
        outputs = net.infer({"features": torch.from_numpy(FEATURES)[:, None]})
        losses = net.criterion_(outputs, torch.from_numpy(net._encode(y)))
    expected = np.average(losses.numpy(), weights=weight)
    assert net.history[-1, "train_loss"] == pytest.approx(expected, rel=1e-4)


def test_class_weights_and_sample_weights_multiply():
    weight = RNG.uniform(0.5, 2, size=60)
    product = weight * np.where(CLASSES == "high", 3.0, 1.0)
    both = HeadClassifier(**SMALL, class_weight={"high": 3.0, "low": 1.0})
    both = predict(both, FEATURES, CLASSES, sample_weight=weight)(FEATURES)
    one = predict(HeadClassifier(**SMALL), FEATURES, CLASSES, sample_weight=product)(FEATURES)
    assert_allclose(both, one, rtol=1e-5)


def test_balanced_classes_have_equal_weights_in_sum():
    weight = np.where(CLASSES == "high", 2.0, 5.0) * RNG.uniform(0.5, 2, size=60)
    equal = weight / np.where(
        CLASSES == "high", *(weight[CLASSES == c].sum() for c in ("high", "low"))
    )
    balanced = HeadClassifier(**SMALL, class_weight="balanced")
    balanced = predict(balanced, FEATURES, CLASSES, sample_weight=weight)(FEATURES)
    expected = predict(HeadClassifier(**SMALL), FEATURES, CLASSES, sample_weight=equal)(FEATURES)
    assert_allclose(balanced, expected, rtol=1e-5)


def test_weights_go_with_a_validation_set_that_has_none():
    held_out = predefined_split(Dataset(FEATURES, TARGET))
    head = HeadRegressor(**SMALL, train_split=held_out).fit(
        FEATURES, TARGET, sample_weight=np.ones(60)
    )
    assert np.isfinite(head.history[-1, "valid_loss"])


@pytest.mark.parametrize(
    "weight, match", [(np.ones(59), "each of 60"), (-np.ones(60), "non-negative")]
)
def test_weights_must_fit_the_windows(weight, match):
    with pytest.raises(ValueError, match=match):
        HeadRegressor(**SMALL).fit(FEATURES, TARGET, sample_weight=weight)
