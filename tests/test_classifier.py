"""SSLClassifier: three modes, heads, class weights, early stopping, and scikit-learn."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from physio_ssl import SignalDict, SSLClassifier, SSLEncoder, save_encoder
from physio_ssl.classifier import PUBLISHED_SETTINGS

GROUPS = np.repeat(["S1", "S2", "S3"], 20)
Y = np.tile(["rest", "stress"], 30)


def make_windows(seed=0):
    """Windows in which stress is a higher amplitude of the pulse."""
    rng = np.random.default_rng(seed)
    amplitude = np.where(Y == "stress", 2.0, 0.5)[:, np.newaxis, np.newaxis]
    return SignalDict(
        bvp=amplitude * rng.normal(size=(60, 1, 80)), eda=rng.normal(5, 1, size=(60, 1, 40))
    )


X = make_windows()


def make_encoder(**kwargs):
    return SSLEncoder(**{"module__d_model": 8, "max_epochs": 1, "random_state": 0, **kwargs})


def make_classifier(encoder=None, mode="frozen", **kwargs):
    encoder = make_encoder() if encoder is None else encoder
    small = {"max_epochs": 5, "min_steps": 60, "random_state": 0, "lr": 5e-3}
    return SSLClassifier(encoder, mode, **{**small, **kwargs})


@pytest.fixture(scope="module")
def frozen():
    return FrozenEstimator(make_encoder().fit(X))


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("mode", ["frozen", "fine_tuned", "supervised"])
def test_each_mode_learns_what_is_easy(mode, frozen):
    classifier = make_classifier(frozen, mode).fit(X[:40], Y[:40])
    assert classifier.score(X[40:], Y[40:]) > 0.9
    assert_array_equal(classifier.classes_, ["rest", "stress"])


def test_half_the_precision_is_that_of_training_only(frozen):
    settings = {"mode": "fine_tuned", "max_epochs": 1, "min_steps": 0, "lr": 1e-4}
    exact = make_classifier(frozen, **settings).fit(X, Y)
    rough = make_classifier(frozen, precision="bfloat16", **settings).fit(X, Y)
    assert rough.predict_proba(X).dtype == np.float32
    assert_allclose(rough.predict_proba(X), exact.predict_proba(X), atol=0.02)
    assert not np.array_equal(rough.predict_proba(X), exact.predict_proba(X))
    assert {p.dtype for p in rough.module_.parameters()} == {torch.float32}
    with pytest.raises(ValueError, match="one of float32, bfloat16, got 'half'"):
        make_classifier(frozen, precision="half").fit(X, Y)


def test_a_frozen_encoder_stays_as_it_is(frozen):
    before = weights(frozen.estimator.module_).clone()
    classifier = make_classifier(frozen).fit(X, Y)
    assert torch.equal(weights(classifier.encoder_.module_), before)


def test_fine_tuning_starts_from_the_encoder_and_changes_a_copy(frozen):
    before = weights(frozen.estimator.module_).clone()
    tuned = make_classifier(frozen, "fine_tuned").fit(X, Y)
    assert torch.equal(weights(frozen.estimator.module_), before)
    assert not torch.equal(weights(tuned.encoder_.module_), before)
    untrained = make_classifier(frozen, "fine_tuned", max_epochs=0, min_steps=0).fit(X, Y)
    assert torch.equal(weights(untrained.encoder_.module_), before)


def test_the_head_may_be_trained_before_the_network(frozen):
    alone = make_classifier(frozen, "frozen").fit(X, Y)
    at_once, after = (
        make_classifier(frozen, "fine_tuned", linear_probe_first=first).fit(X, Y)
        for first in (False, True)
    )
    first_losses = [model.history_[0, "train_loss"] for model in (alone, at_once, after)]
    assert first_losses[2] < 0.5 * min(first_losses[:2])
    assert len(after.history_) == len(at_once.history_)
    assert not torch.equal(weights(after.encoder_.module_), weights(frozen.estimator.module_))
    again = make_classifier(frozen, "fine_tuned", linear_probe_first=True).fit(X, Y)
    assert_array_equal(again.predict_proba(X), after.predict_proba(X))


def test_a_head_may_be_linear(frozen):
    linear = make_classifier(frozen, module__hidden_size=None).fit(X[:40], Y[:40])
    layers = linear.module_.layers
    assert [type(layer).__name__ for layer in layers] == ["BatchNorm1d", "Linear"]
    assert linear.score(X[40:], Y[40:]) > 0.9


def test_the_fine_tuned_encoder_can_be_had(frozen):
    tuned = make_classifier(frozen, "fine_tuned").fit(X, Y)
    assert tuned.encoder_.transform(X).shape == (60, 16)
    assert not np.allclose(tuned.encoder_.transform(X), frozen.transform(X))


def test_supervised_training_uses_no_weights_of_the_encoder(frozen):
    ours = make_classifier(frozen, "supervised").fit(X, Y)
    theirs = make_classifier(make_encoder(), "supervised").fit(X, Y)
    assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_an_unfitted_encoder_is_pretrained_on_the_windows_given():
    encoder = make_encoder()
    classifier = make_classifier(encoder).fit(X, Y, groups=GROUPS)
    by_hand = clone(encoder).fit(X)
    assert_array_equal(classifier.encoder_.transform(X), by_hand.transform(X))
    assert_array_equal(classifier.encoder_.groups_seen_, ["S1", "S2", "S3"])
    assert not encoder.initialized_


def test_embeddings_may_be_computed_before(frozen):
    ours = make_classifier("precomputed").fit(frozen.transform(X), Y)
    theirs = make_classifier(frozen).fit(X, Y)
    assert_array_equal(ours.predict_proba(frozen.transform(X)), theirs.predict_proba(X))


def test_saved_weights_are_named_by_their_path(frozen, tmp_path):
    save_encoder(frozen.estimator, tmp_path / "encoder.safetensors")
    for path in (tmp_path / "encoder.safetensors", str(tmp_path / "encoder.safetensors")):
        classifier = make_classifier(path).fit(X, Y)
        expected = make_classifier(frozen).fit(X, Y).predict_proba(X)
        assert_array_equal(classifier.predict_proba(X), expected)


def test_any_frozen_transformer_can_feed_the_head():
    flat = make_pipeline(FunctionTransformer(lambda X: X["bvp"][:, 0]), PCA(3)).fit(X)
    assert make_classifier(FrozenEstimator(flat)).fit(X, Y).predict(X).shape == (60,)


def test_each_window_is_embedded_once_per_fit(frozen, monkeypatch):
    seen = []
    transform = SSLEncoder.transform
    monkeypatch.setattr(
        SSLEncoder, "transform", lambda self, X: seen.append(len(X)) or transform(self, X)
    )
    make_classifier(frozen, max_epochs=7).fit(X, Y)
    assert seen == [60]


def test_probabilities_are_of_the_classes_in_order(frozen):
    y = np.array([3, 1, 7])[np.arange(60) % 3]
    classifier = make_classifier(frozen).fit(X, y)
    probability = classifier.predict_proba(X)
    assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    assert_array_equal(classifier.predict(X), np.array([1, 3, 7])[probability.argmax(axis=1)])


@pytest.mark.parametrize("mode", ["frozen", "fine_tuned"])
def test_the_same_seed_gives_the_same_bits(mode):
    ours, theirs = (make_classifier(mode=mode).fit(X, Y).predict_proba(X) for _ in range(2))
    assert_array_equal(ours, theirs)


def test_the_seed_is_the_encoders_too_where_it_has_none():
    encoder = make_encoder(random_state=None)
    ours, theirs = (make_classifier(encoder).fit(X, Y).predict_proba(X) for _ in range(2))
    assert_array_equal(ours, theirs)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    make_classifier().fit(X, Y).predict(X)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("mode", ["frozen", "fine_tuned"])
def test_a_pickled_classifier_predicts_the_same(mode):
    classifier = make_classifier(mode=mode).fit(X, Y)
    restored = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(restored.predict_proba(X), classifier.predict_proba(X))


def test_few_windows_get_more_passes():
    classifier = make_classifier(max_epochs=2, min_steps=12, batch_size=30).fit(X[:30], Y[:30])
    assert len(classifier.history_) == 12
    classifier = make_classifier(max_epochs=2, min_steps=3, batch_size=30).fit(X, Y)
    assert len(classifier.history_) == 2


def test_the_encoder_can_have_its_own_learning_rate(frozen):
    slow = make_classifier(frozen, "fine_tuned", encoder_lr=0.0).fit(X, Y)
    assert torch.equal(weights(slow.encoder_.module_), weights(frozen.estimator.module_))
    rates = [group["lr"] for group in slow.optimizer_.param_groups]
    assert rates == [5e-3, 0.0]


def test_class_weights_shift_the_predictions(frozen):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(60) < 0.15, "stress", "rest")  # noise: only the shares tell
    plain = make_classifier(frozen, max_epochs=3, min_steps=0).fit(X, y)
    balanced = clone(plain).set_params(class_weight="balanced").fit(X, y)
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.1
    given = clone(plain).set_params(class_weight={"rest": 0.0, "stress": 1.0}).fit(X, y)
    assert set(given.predict(X)) == {"stress"}


def test_early_stopping_holds_out_whole_subjects(frozen):
    classifier = make_classifier(frozen, early_stopping=2, validation_fraction=0.3)
    dataset = classifier.fit(X, Y, groups=GROUPS).get_split_datasets(
        classifier._inputs(X), np.zeros(60, int), groups=GROUPS
    )
    train, valid = (set(GROUPS[part.indices]) for part in dataset)
    assert len(valid) == 1 and not train & valid


def test_early_stopping_goes_back_to_the_best_pass(frozen):
    noise = np.random.default_rng(0).permutation(Y)
    settings = {"early_stopping": 3, "max_epochs": 100, "lr": 0.02, "min_steps": 0}
    classifier = make_classifier(frozen, **settings).fit(X, noise, groups=GROUPS)
    losses = classifier.history_[:, "valid_loss"]
    assert len(losses) < 100
    _, valid = classifier.get_split_datasets(
        classifier._inputs(X), np.unique(noise, return_inverse=True)[1], groups=GROUPS
    )
    rows = valid.indices
    probability = classifier.predict_proba(X[rows])
    right = probability[np.arange(len(rows)), np.searchsorted(classifier.classes_, noise[rows])]
    assert -np.log(right).mean() == pytest.approx(min(losses), rel=1e-4)


def test_published_settings_train_with_sgd_at_a_constant_rate(frozen):
    classifier = SSLClassifier(frozen, random_state=0, **PUBLISHED_SETTINGS["wesad"])
    classifier.fit(X, Y)
    assert isinstance(classifier.optimizer_, torch.optim.SGD)
    assert classifier.optimizer_.param_groups[0]["lr"] == 1e-4
    assert len(classifier.history_) == 20


def test_the_published_head_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    names = ("eda", "bvp", "temp")
    windows = SignalDict({name: rng.normal(size=(4, 1, 240)) for name in names})
    encoder = SSLEncoder(max_epochs=0, module__d_model=128, random_state=0)
    for n_classes, size in [(2, 49_794), (3, 49_923)]:
        settings = {**PUBLISHED_SETTINGS["wesad"], "max_epochs": 1}
        classifier = SSLClassifier(encoder, random_state=0, **settings)
        classifier.fit(windows, np.arange(4) % n_classes)
        assert sum(p.numel() for p in classifier.module_.parameters()) == size
        kinds = [type(layer).__name__ for layer in classifier.module_.layers]
        assert kinds == ["Identity", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]


def test_supervised_training_starts_from_its_own_seed():
    ours, theirs = (
        make_classifier(make_encoder(random_state=0), "supervised", random_state=seed, lr=0.0)
        for seed in (1, 2)
    )
    networks = [weights(c.fit(X, Y).encoder_.module_) for c in (ours, theirs)]
    assert not torch.equal(*networks)


def test_a_failed_fit_leaves_no_mixture(frozen):
    classifier = make_classifier(frozen).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent"):
        classifier.fit(X, ["calm"] * 59)
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_it_works_in_a_search_by_subject(frozen):
    grid = {"module__hidden_size": [4, 8], "lr": [1e-3], "mode": ["frozen", "fine_tuned"]}
    search = GridSearchCV(make_classifier(frozen), grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y, groups=GROUPS)
    assert set(search.best_params_) == set(grid)


def test_the_encoders_settings_can_be_searched():
    grid = {"encoder__module__d_model": [8, 12]}
    search = GridSearchCV(make_classifier(), grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y, groups=GROUPS)
    width = search.best_params_["encoder__module__d_model"]
    assert search.best_estimator_.encoder_.module_.d_model == width


def test_the_number_of_jobs_changes_nothing():
    classifier = make_classifier(mode="fine_tuned")
    kwargs = {"groups": GROUPS, "cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}
    alone = cross_val_score(classifier, X, Y, n_jobs=1, **kwargs)
    assert_array_equal(cross_val_score(classifier, X, Y, n_jobs=2, **kwargs), alone)


def test_several_targets_take_one_model_each(frozen):
    valence = np.random.default_rng(0).permutation(Y)
    model = MultiOutputClassifier(make_classifier(frozen)).fit(X, np.column_stack([Y, valence]))
    assert_array_equal(model.predict(X)[:, 0], make_classifier(frozen).fit(X, Y).predict(X))


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"mode": "thawed"}, ValueError, "one of frozen, fine_tuned, supervised, got 'thawed'"),
        ({"mode": "fine_tuned", "encoder": "precomputed"}, ValueError, "must be 'frozen'"),
        ({"encoder": PCA()}, TypeError, "needs an SSLEncoder"),
        ({"encoder": "no/such.safetensors"}, FileNotFoundError, "no/such.safetensors"),
        ({"early_stopping": 3}, ValueError, "fit\\(X, y, groups=groups\\)"),
        ({"early_stopping": 3, "train_split": len}, ValueError, "not both"),
        ({"encoder": SSLEncoder(torch.nn.Identity()), "mode": "supervised"}, ValueError, "class"),
        ({"class_weight": "heavy"}, ValueError, "heavy"),
    ],
)
def test_what_does_not_fit_is_refused(change, error, match):
    with pytest.raises(error, match=match):
        make_classifier().set_params(**change).fit(X, Y)


def test_fine_tuning_refuses_what_is_no_network():
    flat = FrozenEstimator(FunctionTransformer(lambda X: X["bvp"][:, 0]).fit(X))
    with pytest.raises(TypeError, match="needs an SSLEncoder"):
        make_classifier(flat, "fine_tuned").fit(X, Y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="60 windows hold one class or none: 'rest'"):
        make_classifier().fit(X, np.full(60, "rest"))


def test_other_modalities_than_in_fit_are_refused(frozen):
    classifier = make_classifier(frozen).fit(X, Y)
    with pytest.raises(ValueError, match="Modalities must be those of fit"):
        classifier.predict(SignalDict(bvp=X["bvp"]))
