"""HeadClassifier and SSLClassifier: modes, heads, class weights, early stopping."""

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
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from physio_ssl import HeadClassifier, SignalDict, SSLClassifier, SSLEncoder
from physio_ssl.published import wu2023

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


SMALL = {"max_epochs": 5, "min_steps": 60, "random_state": 0, "lr": 5e-3}
FROZEN = FrozenEstimator(make_encoder().fit(X))
FEATURES = FROZEN.transform(X)


def make_head(**kwargs):
    return HeadClassifier(**{**SMALL, **kwargs})


def make_classifier(encoder=FROZEN, mode="fine_tuned", **kwargs):
    return SSLClassifier(encoder, mode, **{**SMALL, **kwargs})


# Both classifiers, with what they are fitted on.
both = pytest.mark.parametrize(
    "classifier, X", [(make_head(), FEATURES), (make_classifier(), X)], ids=["head", "network"]
)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def network_weights(classifier):
    return weights(classifier.encoder_.module_.network)


# Both classifiers


@both
def test_it_learns_what_is_easy(classifier, X):
    classifier = clone(classifier).fit(X[:40], Y[:40])
    assert classifier.score(X[40:], Y[40:]) > 0.9
    assert_array_equal(classifier.classes_, ["rest", "stress"])


@both
def test_the_precision_is_that_of_training_only(classifier, X):
    settings = {"max_epochs": 1, "min_steps": 0, "lr": 1e-4}
    exact, rough = (
        clone(classifier).set_params(precision=precision, **settings).fit(X, Y)
        for precision in ("float32", "bfloat16")
    )
    assert rough.predict_proba(X).dtype == np.float32
    assert_allclose(rough.predict_proba(X), exact.predict_proba(X), atol=0.02)
    assert not np.array_equal(rough.predict_proba(X), exact.predict_proba(X))
    assert {p.dtype for p in rough.module_.parameters()} == {torch.float32}
    with pytest.raises(ValueError, match="'float32' or 'bfloat16', got 'half'"):
        clone(classifier).set_params(precision="half").fit(X, Y)


@both
def test_probabilities_are_those_of_the_classes_in_order(classifier, X):
    y = np.array([3, 1, 7])[np.arange(60) % 3]
    classifier = clone(classifier).fit(X, y)
    probability = classifier.predict_proba(X)
    assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    assert_array_equal(classifier.predict(X), np.array([1, 3, 7])[probability.argmax(axis=1)])


@both
def test_the_same_seed_gives_the_same_bits(classifier, X):
    before = torch.get_rng_state()
    ours, theirs = (clone(classifier).fit(X, Y).predict_proba(X) for _ in range(2))
    assert_array_equal(ours, theirs)
    assert torch.equal(torch.get_rng_state(), before)


@both
def test_a_pickled_classifier_predicts_the_same(classifier, X):
    classifier = clone(classifier).fit(X, Y)
    restored = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(restored.predict_proba(X), classifier.predict_proba(X))


@both
def test_parameters_count_from_the_next_fit(classifier, X):
    classifier = clone(classifier).fit(X, Y)
    before = classifier.predict_proba(X)
    classifier.set_params(head__hidden_sizes=(4,), lr=0.1)
    assert_array_equal(classifier.predict_proba(X), before)
    head = classifier.fit(X, Y).module_
    assert getattr(head, "head", head).layers[1].out_features == 4


def test_the_learning_rate_of_the_encoder_is_no_parameter_of_the_encoder():
    classifier = make_classifier().fit(X, Y)
    before = classifier.predict_proba(X)
    classifier.set_params(encoder_lr=1e-2)
    assert classifier.initialized_
    assert_array_equal(classifier.predict_proba(X), before)


def _fail(*args, **kwargs):
    raise OSError("no split")


@both
def test_a_failed_fit_leaves_no_mixture(classifier, X):
    classifier = clone(classifier).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent"):
        classifier.fit(X, ["calm"] * 59)
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    late = clone(classifier).set_params(train_split=_fail)  # after the module was built
    with pytest.raises(OSError, match="no split"):
        late.fit(X, Y)
    with pytest.raises(NotFittedError):
        pickle.loads(pickle.dumps(late)).predict(X)


@both
def test_it_is_trained_once(classifier, X):
    assert not hasattr(clone(classifier).fit(X, Y), "partial_fit")


def test_few_windows_get_more_epochs():
    for max_epochs, min_steps, n_epochs in [(2, 12, 12), (2, 1, 2)]:
        head = make_head(max_epochs=max_epochs, min_steps=min_steps, batch_size=30)
        assert len(head.fit(FEATURES[:30], Y[:30]).history_) == n_epochs


def test_class_weights_shift_the_predictions():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(60) < 0.15, "stress", "rest")  # unrelated to the features
    plain = make_head(max_epochs=3, min_steps=0).fit(FEATURES, y)
    balanced = clone(plain).set_params(class_weight="balanced").fit(FEATURES, y)
    difference = balanced.predict_proba(FEATURES) - plain.predict_proba(FEATURES)
    assert difference[:, 1].mean() > 0.1
    given = clone(plain).set_params(class_weight={"rest": 0.0, "stress": 1.0}).fit(FEATURES, y)
    assert set(given.predict(FEATURES)) == {"stress"}


def held_out(classifier, X, y):
    """Return the rows that early stopping holds out."""
    labels = np.unique(y, return_inverse=True)[1]
    inputs = SignalDict(features=X[:, np.newaxis])
    train, valid = classifier.get_split_datasets(inputs, labels, groups=GROUPS)
    assert not set(GROUPS[train.indices]) & set(GROUPS[valid.indices])
    return valid.indices


def test_early_stopping_holds_out_subjects_and_restores_the_best_epoch():
    noise = np.random.default_rng(0).permutation(Y)
    settings = {"early_stopping": 3, "max_epochs": 100, "lr": 0.02, "min_steps": 0}
    head = make_head(**settings).fit(FEATURES, noise, groups=GROUPS)
    losses = head.history_[:, "valid_loss"]
    assert len(losses) < 100
    rows = held_out(head, FEATURES, noise)
    assert len(set(GROUPS[rows])) == 1
    probability = head.predict_proba(FEATURES[rows])
    right = probability[np.arange(len(rows)), np.searchsorted(head.classes_, noise[rows])]
    assert -np.log(right).mean() == pytest.approx(min(losses), rel=1e-4)


def test_other_seeds_hold_out_other_people():
    settings = {"early_stopping": 1, "max_epochs": 1, "min_steps": 0}
    heads = [
        make_head(random_state=s, **settings).fit(FEATURES, Y, groups=GROUPS) for s in range(5)
    ]
    assert len({GROUPS[held_out(head, FEATURES, Y)[0]] for head in heads}) > 1


def test_several_targets_need_one_model_each():
    valence = np.random.default_rng(0).permutation(Y)
    model = MultiOutputClassifier(make_head()).fit(FEATURES, np.column_stack([Y, valence]))
    expected = make_head().fit(FEATURES, Y).predict(FEATURES)
    assert_array_equal(model.predict(FEATURES)[:, 0], expected)


@pytest.mark.parametrize(
    "change, match",
    [
        ({"early_stopping": 3}, r"fit\(X, y, groups=groups\)"),
        ({"early_stopping": 3, "train_split": len}, "not both"),
        ({"class_weight": "heavy"}, "heavy"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"head__width": 3}, "width"),
        ({"head__hidden_sizes": 8}, "hidden_sizes must be a list of positive integers, got 8"),
        ({"head__hidden_sizes": (8, 0)}, "each of hidden_sizes must be a positive .* got 8, 0"),
    ],
)
@both
def test_settings_that_do_not_fit_are_refused(classifier, X, change, match):
    with pytest.raises((ValueError, TypeError), match=match):
        clone(classifier).set_params(**change).fit(X, Y)


@both
def test_one_class_is_refused(classifier, X):
    with pytest.raises(ValueError, match="two classes or more, got .*'rest'"):
        clone(classifier).fit(X, np.full(60, "rest"))


# A head on features


@pytest.mark.parametrize("transformer", [FROZEN, make_pipeline(FROZEN, PCA(3))])
def test_a_head_is_trained_behind_any_transformer(transformer):
    before = network_weights_of(FROZEN)
    model = make_pipeline(transformer, make_head()).fit(X[:40], Y[:40])
    assert model.score(X[40:], Y[40:]) > 0.9
    assert torch.equal(network_weights_of(FROZEN), before)


def network_weights_of(frozen):
    return weights(frozen.estimator.module_).clone()


def test_a_head_may_be_linear():
    linear = make_head(head__hidden_sizes=()).fit(FEATURES[:40], Y[:40])
    names = [type(layer).__name__ for layer in linear.module_.layers]
    assert names == ["BatchNorm1d", "Linear"]
    assert linear.score(FEATURES[40:], Y[40:]) > 0.9


def test_a_head_may_have_several_layers():
    settings = {"head__hidden_sizes": (64, 32), "head__batch_norm": False}
    head = make_head(**settings, lr=0.01).fit(FEATURES[:40], Y[:40])
    layers = list(head.module_.layers)[1:]
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == [*["Linear", "ReLU", "Dropout"] * 2, "Linear"]
    assert [layers[i].out_features for i in (0, 3, 6)] == [64, 32, 2]
    assert head.score(FEATURES[40:], Y[40:]) > 0.9


@pytest.mark.parametrize("windows", [X, X["bvp"]])
def test_a_head_refuses_windows(windows):
    with pytest.raises(ValueError, match="features, got windows"):
        make_head().fit(windows, Y)


def test_published_settings_train_with_sgd_at_a_constant_rate():
    head = HeadClassifier(random_state=0, **wu2023.CLASSIFICATION["wesad"]).fit(FEATURES, Y)
    assert isinstance(head.optimizer_, torch.optim.SGD)
    assert head.optimizer_.param_groups[0]["lr"] == 1e-4
    assert len(head.history_) == 20
    tuned = SSLClassifier(FROZEN, encoder_lr=None, **wu2023.CLASSIFICATION["case"])
    assert tuned.set_params(max_epochs=0).fit(X, Y).optimizer_.param_groups[0]["lr"] == 1e-3


def test_the_published_head_has_the_published_layers():
    features = np.random.default_rng(0).normal(size=(4, 384))
    for n_classes, size in [(2, 49_794), (3, 49_923)]:
        settings = {**wu2023.CLASSIFICATION["wesad"], "max_epochs": 1}
        head = HeadClassifier(random_state=0, **settings).fit(features, np.arange(4) % n_classes)
        assert sum(p.numel() for p in head.module_.parameters()) == size
        kinds = [type(layer).__name__ for layer in head.module_.layers]
        assert kinds == ["Identity", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]


# A network with a head


def test_fine_tuning_starts_from_the_encoder_and_changes_a_copy():
    before = weights(FROZEN.estimator.module_.network).clone()
    tuned = make_classifier().fit(X, Y)
    assert torch.equal(weights(FROZEN.estimator.module_.network), before)
    assert not torch.equal(network_weights(tuned), before)
    assert not np.allclose(tuned.encoder_.transform(X), FEATURES)
    untrained = make_classifier(max_epochs=0, min_steps=0).fit(X, Y)
    assert torch.equal(network_weights(untrained), before)


def test_the_head_may_be_trained_before_the_network():
    alone = make_head().fit(FEATURES, Y)
    at_once, after = (
        make_classifier(linear_probe_first=first).fit(X, Y) for first in (False, True)
    )
    first_losses = [model.history_[0, "train_loss"] for model in (alone, at_once, after)]
    assert first_losses[2] < 0.5 * min(first_losses[:2])
    assert len(after.history_) == len(at_once.history_)
    assert not torch.equal(network_weights(after), weights(FROZEN.estimator.module_.network))


def test_a_head_trained_first_is_evaluated_on_windows_set_aside():
    split = predefined_split(Dataset(X[:8], Y[:8]))
    tuned = make_classifier(linear_probe_first=True, train_split=split).fit(X[8:], Y[8:])
    unsplit = make_classifier(linear_probe_first=True).fit(X[8:], Y[8:])
    assert torch.equal(network_weights(tuned), network_weights(unsplit))
    assert np.isfinite(tuned.history_[:, "valid_loss"]).all()


def test_the_encoder_computes_where_the_classifier_does():
    tuned = make_classifier(device="cpu:0", linear_probe_first=True).fit(X, Y)
    assert tuned.encoder_.device == "cpu:0"
    assert FROZEN.estimator.device == "cpu"


def test_fine_tuning_adds_to_the_people_seen():
    encoder = FrozenEstimator(make_encoder(max_epochs=0).fit(X, groups=np.repeat("other", 60)))
    tuned = make_classifier(encoder, max_epochs=0, min_steps=0).fit(X, Y, groups=GROUPS)
    assert_array_equal(tuned.encoder_.groups_seen_, ["S1", "S2", "S3", "other"])


def test_a_network_from_random_weights_has_the_rate_of_the_head():
    model = make_classifier(mode="supervised", max_epochs=1, min_steps=0).fit(X, Y)
    assert [group["lr"] for group in model.optimizer_.param_groups] == [SMALL["lr"]]


class Training(Callback):
    """Notes whether network and head are in training mode."""

    def on_train_begin(self, net, **kwargs):
        self.modes_ = set()

    def on_batch_end(self, net, **kwargs):
        self.modes_.add((net.module_.network.training, net.module_.head.training))


@pytest.mark.parametrize("first, expected", [(False, (True, True)), (True, (False, True))])
def test_the_network_has_no_dropout_after_a_linear_probe(first, expected):
    settings = {"max_epochs": 1, "min_steps": 0, "callbacks": [("modes", Training())]}
    model = make_classifier(linear_probe_first=first, **settings)
    # The probe has a head alone, and callbacks of its own.
    model._warm_up = lambda *args: None
    assert dict(model.fit(X, Y).callbacks_)["modes"].modes_ == {expected}


def test_other_seeds_pretrain_another_encoder():
    encoder = make_encoder(random_state=None, max_epochs=0)
    settings = {"max_epochs": 0, "min_steps": 0}
    one, other = (make_classifier(encoder, random_state=s, **settings).fit(X, Y) for s in (0, 1))
    assert not torch.equal(network_weights(one), network_weights(other))


def test_supervised_training_uses_no_weights_and_no_seed_of_the_encoder():
    ours = make_classifier(FROZEN, "supervised").fit(X, Y)
    theirs = make_classifier(make_encoder(random_state=7), "supervised").fit(X, Y)
    assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    other = make_classifier(FROZEN, "supervised", random_state=1, max_epochs=0, min_steps=0)
    start = clone(other).set_params(random_state=0)
    assert not torch.equal(*(network_weights(c.fit(X, Y)) for c in (start, other)))


def test_an_unfitted_encoder_is_pretrained_on_the_windows_given():
    encoder = make_encoder()
    settings = {"max_epochs": 0, "min_steps": 0}
    classifier = make_classifier(encoder, **settings).fit(X, Y, groups=GROUPS)
    assert_array_equal(classifier.encoder_.transform(X), clone(encoder).fit_transform(X))
    assert_array_equal(classifier.encoder_.groups_seen_, ["S1", "S2", "S3"])
    assert not encoder.initialized_


def test_a_classifier_can_be_pretrained_on_other_windows():
    pretrained = make_classifier(
        make_encoder(random_state=None), min_steps=5, max_epochs=1
    ).pretrain(X, groups=GROUPS)
    encoder = pretrained.encoder.estimator
    assert_array_equal(encoder.groups_seen_, ["S1", "S2", "S3"])
    by_fit = make_classifier(make_encoder(random_state=None), min_steps=5, max_epochs=1).fit(X, Y)
    assert_array_equal(pretrained.fit(X, Y).predict_proba(X), by_fit.predict_proba(X))
    for nothing in (make_classifier(), make_classifier(make_encoder(), "supervised")):
        assert repr(nothing.pretrain(X)) == repr(nothing)


def test_the_seed_is_also_that_of_an_encoder_without_one():
    encoder = make_encoder(random_state=None)
    ours, theirs = (
        make_classifier(encoder, min_steps=5, max_epochs=1).fit(X, Y).predict_proba(X)
        for _ in range(2)
    )
    assert_array_equal(ours, theirs)


def test_the_encoder_can_have_its_own_learning_rate():
    slow = make_classifier(encoder_lr=0.0).fit(X, Y)
    assert torch.equal(network_weights(slow), weights(FROZEN.estimator.module_.network))
    assert [group["lr"] for group in slow.optimizer_.param_groups] == [5e-3, 0.0]


def test_it_works_in_a_search_by_subject():
    grid = {
        "head__hidden_sizes": [(4,), (8, 4)],
        "lr": [1e-3],
        "mode": ["fine_tuned", "supervised"],
    }
    classifier = make_classifier(min_steps=5, max_epochs=1)
    search = GridSearchCV(classifier, grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y, groups=GROUPS)
    assert set(search.best_params_) == set(grid)


def test_the_settings_of_the_encoder_can_be_searched():
    grid = {"encoder__module__d_model": [8, 12]}
    classifier = make_classifier(make_encoder(), min_steps=5, max_epochs=1)
    search = GridSearchCV(classifier, grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y, groups=GROUPS)
    width = search.best_params_["encoder__module__d_model"]
    assert search.best_estimator_.encoder_.module_.network.token_width["bvp"] == width


def test_the_number_of_jobs_changes_nothing():
    kwargs = {"groups": GROUPS, "cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}
    alone = cross_val_score(make_classifier(min_steps=9), X, Y, n_jobs=1, **kwargs)
    several = cross_val_score(make_classifier(min_steps=9), X, Y, n_jobs=2, **kwargs)
    assert_array_equal(several, alone)


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"mode": "thawed"}, ValueError, "fine_tuned, supervised, got 'thawed'"),
        ({"mode": "frozen"}, ValueError, "HeadClassifier"),
        ({"encoder": PCA()}, TypeError, "SSLEncoder, .* got PCA"),
        ({"encoder": "wristband-small"}, TypeError, "got 'wristband-small'"),
        ({"encoder": FrozenEstimator(PCA().fit(FEATURES))}, TypeError, "got PCA"),
        ({"encoder": FrozenEstimator(make_encoder())}, NotFittedError, "not fitted"),
        ({"encoder": SSLEncoder(torch.nn.Identity()), "mode": "supervised"}, ValueError, "class"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(change, error, match):
    with pytest.raises(error, match=match):
        make_classifier().set_params(**change).fit(X, Y)


def test_other_modalities_than_in_fit_are_refused():
    classifier = make_classifier(min_steps=5).fit(X, Y)
    with pytest.raises(ValueError, match="those of fit, bvp, eda, got bvp"):
        classifier.predict(SignalDict(bvp=X["bvp"]))
