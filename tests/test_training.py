"""Schedules, clipping, held-out windows, early stopping and checkpoints, with both nets."""

import json
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    GradientNormClipping,
    LoadInitState,
    LRScheduler,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

from physio_ssl import HeadClassifier, SignalDict, SSLClassifier, SSLEncoder
from physio_ssl.pretext import TransformRecognition
from physio_ssl.training import measure_scale
from physio_ssl.training.models import Scaler

RNG = np.random.default_rng(0)
Y, GROUPS = np.tile(["rest", "stress"], 12), np.repeat([0, 1, 2], 8)
X = SignalDict(bvp=RNG.normal(0, 30, (24, 1, 80)), eda=RNG.normal(5, 1, (24, 1, 40)))


def make_encoder(**kwargs):
    small = {"module__d_model": 8, "max_epochs": 2, "batch_size": 8, "random_state": 0}
    return SSLEncoder(**{**small, "pretext__n_views": 2, **kwargs})


FROZEN = FrozenEstimator(make_encoder().fit(X))


def make_classifier(encoder=FROZEN, **kwargs):
    small = {"max_epochs": 2, "min_steps": 0, "batch_size": 8, "random_state": 0}
    return SSLClassifier(encoder, **{**small, **kwargs})


both_nets = pytest.mark.parametrize("make_net", [make_encoder, make_classifier])


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


class Rates(Callback):
    """Notes the learning rates of each step."""

    def initialize(self):
        self.rates_ = []
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates_.append([group["lr"] for group in net.optimizer_.param_groups])


class Scores(Callback):
    """Records given scores, as if each epoch had been evaluated."""

    def __init__(self, scores):
        self.scores = scores

    def on_epoch_end(self, net, **kwargs):
        n_epochs = len(net.history)
        score = self.scores[n_epochs - 1]
        net.history.record("score", score)
        net.history.record("score_best", score == min(self.scores[:n_epochs]))


def rates_of(net):
    return np.array(dict(net.callbacks_)["rates"].rates_)


def with_rates(*more):
    return [("rates", Rates()), *more]


# Schedules


@both_nets
def test_the_rate_rises_before_it_falls(make_net):
    net = make_net(callbacks=with_rates(), lr=0.6, callbacks__lr_schedule__warmup=1 / 3)
    factors = rates_of(net.fit(X, Y))[:, 0] / 0.6
    assert_allclose(factors, [1 / 3, 2 / 3, 1, 3 / 4, 1 / 2, 1 / 4])


def test_a_warmup_of_6_percent_ends_after_30_of_500_epochs():
    encoder = make_encoder(max_epochs=500, callbacks=with_rates(), batch_size=24, lr=1e-3)
    encoder.set_params(callbacks__lr_schedule__warmup=0.06, pretext__n_views=1)
    rates = rates_of(encoder.fit(SignalDict(eda=X["eda"])))[:, 0]
    assert rates.argmax() == 30
    assert rates[30] == 1e-3
    assert_allclose(rates[:30], 1e-3 * np.arange(1, 31) / 31)
    assert_allclose(rates[30:], 1e-3 * np.arange(470, 0, -1) / 470)


@pytest.mark.parametrize("warmup", [-0.1, 1.0, np.nan])
def test_a_bad_warmup_is_refused(warmup):
    with pytest.raises(ValueError, match="warmup must be at least 0 and below 1"):
        make_encoder(callbacks__lr_schedule__warmup=warmup).fit(X)


@both_nets
def test_the_rate_may_fall_as_half_a_cosine(make_net):
    net = make_net(callbacks=with_rates(), lr=0.6, callbacks__lr_schedule__decay="cosine")
    expected = 0.3 * (1 + np.cos(np.pi * np.arange(6) / 6))
    assert_allclose(rates_of(net.fit(X, Y))[:, 0], expected)


@both_nets
def test_a_scheduler_lowers_the_rate_of_all_parameters_in_steps(make_net):
    step = LRScheduler(policy="StepLR", step_size=2, gamma=0.65)
    net = make_net(callbacks=with_rates(("step", step)))
    rates = rates_of(net.set_params(max_epochs=5, batch_size=24).fit(X, Y))
    assert_allclose(rates / rates[0], [[r] * rates.shape[1] for r in (1, 1, 0.65, 0.65, 0.65**2)])
    assert rates.shape[1] == (1 if make_net is make_encoder else 2)
    assert_allclose(net.history_[:, "event_lr"], rates[:, 0])
    assert len(pickle.loads(pickle.dumps(net)).history_) == 5


@both_nets
def test_a_scheduler_replaces_the_default_schedule(make_net):
    net = make_net(callbacks=with_rates(LRScheduler(policy="StepLR", step_size=1, gamma=0.5)))
    rates = rates_of(net.set_params(batch_size=24).fit(X, Y))
    assert_allclose(rates[1], rates[0] / 2)
    with pytest.raises(ValueError, match="LRScheduler .* not both, got warmup=0.1"):
        net.set_params(callbacks__lr_schedule__warmup=0.1).fit(X, Y)


def falling(epoch):
    return 0.5 ** (epoch // 2)


def test_a_scheduler_goes_on_where_partial_fit_does():
    scheduler = LRScheduler(policy="LambdaLR", lr_lambda=falling)
    encoder = make_encoder(batch_size=24, lr=0.8, callbacks=with_rates(("falling", scheduler)))
    encoder.fit(X).partial_fit(X).partial_fit(X)
    assert_allclose(rates_of(encoder)[:, 0], [0.8, 0.8, 0.4, 0.4, 0.2, 0.2])


# Clipping


@both_nets
def test_gradients_are_clipped_to_a_norm(make_net):
    kwargs = {"optimizer": torch.optim.SGD, "lr": 1.0, "max_epochs": 1, "batch_size": 24}
    if make_net is make_classifier:
        kwargs["encoder_lr"] = 1.0
    before = weights(make_net(**{**kwargs, "max_epochs": 0}).fit(X, Y))
    free = weights(make_net(**kwargs).fit(X, Y)) - before
    clipping = GradientNormClipping(0.01)
    clipped = weights(make_net(callbacks=[clipping], **kwargs).fit(X, Y)) - before
    assert torch.linalg.norm(free) > 0.1
    assert torch.linalg.norm(clipped) == pytest.approx(0.01, rel=1e-2)
    assert_allclose(clipped, free * 0.01 / torch.linalg.norm(free), atol=1e-5)


# Held-out windows


@both_nets
def test_windows_of_held_out_subjects_are_not_trained_on(make_net):
    net = make_net(train_split=ValidSplit(GroupKFold(3))).fit(X, Y, groups=GROUPS)
    assert np.isfinite(net.history_[:, "valid_loss"]).all()
    held_out = next(GroupKFold(3).split(GROUPS, groups=GROUPS))[1]
    changed = SignalDict({name: array.copy() for name, array in X.items()})
    for array in changed.values():  # the scaling stays, as noise is drawn of the same windows
        array[held_out] = array[held_out][::-1]
    again = make_net(train_split=ValidSplit(GroupKFold(3))).fit(changed, Y, groups=GROUPS)
    assert_allclose(weights(again), weights(net), atol=1e-6)


class Modes(Callback):
    """Notes which batches are of training, and whether the module was then."""

    def on_train_begin(self, net, **kwargs):
        self.modes_ = set()

    def on_batch_end(self, net, training=False, **kwargs):
        self.modes_.add((training, net.module_.training, net.module_.network.training))


@both_nets
def test_dropout_is_on_in_training_and_off_in_validation(make_net):
    split = ValidSplit(GroupKFold(3))
    net = make_net(train_split=split, callbacks=[("modes", Modes())]).fit(X, Y, groups=GROUPS)
    assert dict(net.callbacks_)["modes"].modes_ == {(True,) * 3, (False,) * 3}


def test_the_accuracy_of_an_epoch_is_that_of_its_windows():
    encoder = make_encoder(batch_size=7, pretext__n_views=1).fit(X[:23])
    for epoch in encoder.history_:
        size, right = np.array(
            [
                (row["train_batch_size"], row["train_batch_size"] * row["train_accuracy_bvp"])
                for row in epoch["batches"]
            ]
        ).T
        assert len(set(size)) == 2
        assert epoch["train_accuracy_bvp"] == pytest.approx(right.sum() / 23)


class Watching(TransformRecognition):
    seen = []

    def make_views(self, signals, rng):
        Watching.seen.append(signals)
        return super().make_views(signals, rng)


def test_training_sees_scaled_windows():
    Watching.seen.clear()
    make_encoder(pretext=Watching, batch_size=-1).fit(X)
    for signals in Watching.seen:
        for x in signals.values():
            assert_allclose(torch.std_mean(x, correction=0), (1, 0), atol=1e-5)


def test_a_scaler_undoes_what_it_does():
    scaler = Scaler({name: 1 for name in X})
    scaler.set_scale(measure_scale(X))
    signals = {name: torch.from_numpy(x) for name, x in X.items()}
    for name, x in scaler.inverse(scaler(signals)).items():
        assert_allclose(x, X[name], rtol=1e-5, atol=1e-4)


def test_an_epoch_is_evaluated_on_windows_set_aside_before():
    encoder = make_encoder(train_split=predefined_split(Dataset(X[:5]))).fit(X[5:])
    rows = encoder.history_[-1]["batches"]
    for prefix, n_windows in (("train", 19), ("valid", 5)):
        assert sum(row.get(f"{prefix}_batch_size", 0) for row in rows) == n_windows
    assert np.isfinite(encoder.history_[:, ("valid_loss", "valid_accuracy_eda")]).all()
    alone = make_encoder(train_split=predefined_split(Dataset(X["bvp"][:5]))).fit(X["bvp"][5:])
    assert np.isfinite(alone.history_[:, "valid_loss"]).all()


def test_windows_set_aside_are_checked():
    bad = SignalDict(bvp=X["bvp"], eda=np.full((24, 1, 40), np.nan))
    for make_net in (make_encoder, make_classifier):
        net = make_net(train_split=predefined_split(Dataset(bad, Y)))
        with pytest.raises(ValueError, match="Input eda contains NaN"):
            net.fit(X, Y)


@pytest.mark.parametrize("make_net", [make_classifier, HeadClassifier])
def test_the_loss_on_labelled_windows_set_aside_is_that_of_the_predictions(make_net):
    inputs = X if make_net is make_classifier else FROZEN.transform(X)
    split = predefined_split(Dataset(inputs[:7], Y[:7]))
    classifier = make_net(train_split=split).fit(inputs[7:], Y[7:])
    expected = log_loss(Y[:7], classifier.predict_proba(inputs[:7]))
    assert classifier.history_[-1, "valid_loss"] == pytest.approx(expected, rel=1e-4)


def test_unknown_labels_of_windows_set_aside_are_refused():
    split = predefined_split(Dataset(X[:2], np.array(["rest", "sleep"])))
    with pytest.raises(ValueError, match="rest. .stress.*, got .*sleep"):
        make_classifier(train_split=split).fit(X, Y)


# Early stopping


@both_nets
def test_early_stopping_restores_the_best_epoch(make_net):
    stopping = EarlyStopping(monitor="score", patience=2, load_best=True)
    kwargs = {"callbacks__lr_schedule": None, "batch_size": 8}
    callbacks = [Scores([3, 1, 2, 2, 0]), stopping]
    net = make_net(max_epochs=5, callbacks=callbacks, **kwargs).fit(X, Y)
    assert len(net.history_) == 4
    best, last = (make_net(max_epochs=n, **kwargs).fit(X, Y) for n in (2, 4))
    # The running means of batch norm in the heads, too, are those of the best epoch.
    for name, value in best.module_.state_dict().items():
        assert torch.equal(net.module_.state_dict()[name], value)
    assert not torch.equal(weights(net), weights(last))


def test_the_last_epoch_is_kept_where_it_is_the_best():
    stopping = EarlyStopping(monitor="score", patience=2, load_best=True)
    encoder = make_encoder(callbacks=[Scores([2, 1]), stopping]).fit(X)
    assert torch.equal(weights(encoder), weights(make_encoder().fit(X)))


def test_callbacks_need_no_epoch_where_an_encoder_is_only_built(tmp_path):
    stopping = EarlyStopping("train_loss", load_best=True)
    checkpoint = Checkpoint("train_loss_best", dirname=str(tmp_path), load_best=True)
    encoder = make_encoder(max_epochs=0, callbacks=[stopping, checkpoint]).fit(X)
    assert torch.equal(weights(encoder), weights(make_encoder(max_epochs=0).fit(X)))


# Parameters


@both_nets
@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": torch.optim.SGD},
        {"optimizer__weight_decay": 0.5, "lr": 0.1},
        {"iterator_train__batch_size": 3},
    ],
)
def test_parameters_set_on_a_fitted_net_count_from_the_next_fit(make_net, params):
    net = make_net().fit(X, Y)
    before = weights(net)
    net.set_params(**params)
    assert torch.equal(weights(net), before)
    assert net.get_params().items() >= params.items()
    assert torch.equal(weights(net.fit(X, Y)), weights(make_net(**params).fit(X, Y)))


# Checkpoints


def make_checkpoint(folder, **kwargs):
    return Checkpoint(monitor=None, dirname=str(folder), **kwargs)


def test_an_encoder_continues_from_a_checkpoint_as_if_uninterrupted(tmp_path):
    checkpoint = make_checkpoint(tmp_path)
    encoder = make_encoder(callbacks=[checkpoint]).fit(X, groups=GROUPS)
    names = ["criterion.pt", "history.json", "optimizer.pt", "params.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert len(json.loads((tmp_path / "history.json").read_text())) == 2

    resumed = make_encoder(max_epochs=0).fit(X, groups=GROUPS)
    resumed.load_params(checkpoint=checkpoint)
    assert_array_equal(resumed.transform(X), encoder.transform(X))
    resumed.set_params(max_epochs=2).partial_fit(X, groups=GROUPS)
    encoder.partial_fit(X, groups=GROUPS)
    assert len(resumed.history_) == 4
    assert torch.equal(weights(resumed), weights(encoder))
    assert_array_equal(resumed.transform(X), encoder.transform(X))


@both_nets
def test_an_initial_state_that_is_loaded_leaves_the_schedule_whole(make_net, tmp_path):
    checkpoint = make_checkpoint(tmp_path)
    first = make_net(callbacks=[checkpoint]).fit(X, Y)
    net = make_net(callbacks=with_rates(LoadInitState(checkpoint)), lr=0.6).fit(X, Y)
    assert len(net.history_) == len(first.history_) + 2
    assert_allclose(rates_of(net)[:, 0], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_a_checkpoint_holds_the_rate_that_training_began_with(tmp_path):
    encoder = make_encoder(callbacks=[make_checkpoint(tmp_path)], lr=0.5).fit(X)
    stored = torch.load(tmp_path / "optimizer.pt", weights_only=True)
    assert stored["param_groups"][0]["lr"] == encoder.lr == 0.5


def test_a_pickled_checkpoint_is_the_whole_encoder(tmp_path):
    files = dict.fromkeys(["f_params", "f_optimizer", "f_criterion", "f_history"])
    checkpoint = make_checkpoint(tmp_path, **files, f_pickle="encoder.pkl")
    encoder = make_encoder(callbacks=[checkpoint], verbose=1).fit(X, groups=GROUPS)
    resumed = pickle.loads((tmp_path / "encoder.pkl").read_bytes())
    assert_array_equal(resumed.transform(X), encoder.transform(X))
    assert_array_equal(resumed.partial_fit(X).transform(X), encoder.partial_fit(X).transform(X))


def test_a_checkpoint_holds_the_scaling(tmp_path):
    checkpoint = make_checkpoint(tmp_path)
    encoder = make_encoder(callbacks=[checkpoint]).fit(X)
    other = make_encoder(max_epochs=0).fit(SignalDict({name: 10 * x for name, x in X.items()}))
    other.load_params(checkpoint=checkpoint)
    assert_array_equal(other.transform(X), encoder.transform(X))


def test_a_checkpoint_is_loaded_into_a_fitted_encoder_only(tmp_path):
    checkpoint = make_checkpoint(tmp_path)
    make_encoder(callbacks=[checkpoint]).fit(X)
    with pytest.raises(NotFittedError, match="max_epochs=0 only builds it"):
        make_encoder().load_params(checkpoint=checkpoint)


@both_nets
def test_the_best_checkpoint_is_loaded_in_the_end(make_net, tmp_path):
    checkpoint = Checkpoint(monitor="score_best", dirname=str(tmp_path), load_best=True)
    kwargs = {"callbacks__lr_schedule": None, "batch_size": 8}
    net = make_net(max_epochs=3, callbacks=[Scores([3, 1, 2]), checkpoint], **kwargs).fit(X, Y)
    best = make_net(max_epochs=2, **kwargs).fit(X, Y)
    assert torch.equal(weights(net), weights(best))
