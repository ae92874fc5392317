"""A training that is interrupted and resumed gives the weights of an uninterrupted one."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.model_selection import GroupKFold
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler, PassthroughScoring
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

import physio_ssl
from physio_ssl import SignalDict, SSLClassifier, SSLEncoder, fit_resumable, save_encoder
from physio_ssl.pretext import MaskedPrediction

RNG = np.random.default_rng(0)
GROUPS = np.repeat(["a", "b", "c"], 8)
X = SignalDict(bvp=RNG.normal(0, 30, (24, 1, 80)), eda=RNG.normal(5, 1, (24, 1, 40)))


def make_encoder(max_epochs=4, **kwargs):
    small = {"module__d_model": 8, "batch_size": 8, "random_state": 0}
    return SSLEncoder(max_epochs=max_epochs, **{**small, **kwargs})


class StopAt(Callback):
    """Interrupt the training in the middle of an epoch."""

    def __init__(self, n_epochs, error=MemoryError):
        self.n_epochs = n_epochs
        self.error = error

    def on_batch_end(self, net, training=False, **kwargs):
        if len(net.history) == self.n_epochs:
            raise self.error


def tensors(encoder):
    """Return the state of the model and of the optimizer."""
    state = encoder.optimizer_.state_dict()["state"]
    return {
        **encoder.module_.state_dict(),
        **{f"{i}.{name}": x for i, row in state.items() for name, x in row.items()},
    }


def assert_same(one, other):
    one, other = tensors(one), tensors(other)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "lr": 5e-3},
        {"optimizer__fused": True, "callbacks__lr_schedule__decay": "cosine"},
        {"pretext": MaskedPrediction(mask_length=5), "precision": "bfloat16"},
        {"standardize": False, "train_split": predefined_split(Dataset(X[:5]))},
        {"callbacks": [LRScheduler(policy="StepLR", step_size=2, gamma=0.1)]},
        {"callbacks": [LRScheduler("ExponentialLR", gamma=0.5)], "precision": "bfloat16"},
        {"callbacks": [LRScheduler("CosineAnnealingLR", T_max=4)]},
        {"callbacks": [("best", PassthroughScoring("train_accuracy_eda", False, on_train=True))]},
        {"train_split": ValidSplit(GroupKFold(3))},
    ],
)
def test_a_resumed_training_gives_the_weights_of_fit(settings, tmp_path):
    whole = make_encoder(**settings).fit(X, groups=GROUPS)
    callbacks = [*settings.get("callbacks", []), StopAt(3)]
    stopped = make_encoder(**{**settings, "callbacks": callbacks})
    with pytest.raises(MemoryError):
        fit_resumable(stopped, X, tmp_path / "stopped", GROUPS)
    assert stopped.max_epochs == 4
    assert len(pd.read_csv(tmp_path / "stopped" / "metrics.csv")) == 2
    resumed = fit_resumable(make_encoder(**settings), X, tmp_path / "stopped", GROUPS)
    assert_same(resumed, whole)
    same = [name for name in whole.history_[-1] if name not in ("dur", "batches")]
    assert resumed.history_[:, same] == whole.history_[:, same]
    assert list(resumed.groups_seen_) == ["a", "b", "c"]


def test_weighted_draws_are_resumed(tmp_path):
    weight = np.where(GROUPS == "a", 5.0, 1.0)
    whole = make_encoder().fit(X, sampling_weight=weight)
    with pytest.raises(MemoryError):
        stopped = make_encoder(callbacks=[StopAt(2)])
        fit_resumable(stopped, X, tmp_path / "stopped", sampling_weight=weight)
    resumed = fit_resumable(make_encoder(), X, tmp_path / "stopped", sampling_weight=weight)
    assert_same(resumed, whole)


def test_a_training_stopped_by_hand_ends_at_once(tmp_path):
    stopped = make_encoder(callbacks=[StopAt(2, KeyboardInterrupt)])
    with pytest.raises(KeyboardInterrupt):
        fit_resumable(stopped, X, tmp_path)
    resumed = fit_resumable(make_encoder(), X, tmp_path)
    assert [epoch["epoch"] for epoch in resumed.history_] == [1, 2, 3, 4]


def test_metrics_are_written_for_each_epoch(tmp_path):
    encoder = make_encoder(lr=0.5, callbacks__lr_schedule__decay="cosine")
    fit_resumable(encoder, X, tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    last = np.arange(2, 12, 3)  # of the twelve steps, the last ones of each epoch
    np.testing.assert_allclose(metrics["learning_rate"], 0.25 * (1 + np.cos(np.pi * last / 12)))
    assert metrics["train_loss"].nunique() == 4
    assert {"epoch", "seconds", "train_accuracy_bvp", "train_accuracy_eda"} <= set(metrics)


def test_a_training_that_has_ended_is_loaded(tmp_path):
    encoder = fit_resumable(make_encoder(), X, tmp_path)
    written = (tmp_path / "checkpoint.safetensors").stat().st_mtime_ns
    again = fit_resumable(make_encoder(callbacks=[StopAt(5)]), X, tmp_path)
    assert_same(again, encoder)
    np.testing.assert_array_equal(again.transform(X), encoder.transform(X))
    assert (tmp_path / "checkpoint.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lr": 0.5}, r"lr=0.001 \(now 0.5\)"),
        ({"random_state": 1}, r"random_state=0 \(now 1\)"),
        ({"max_epochs": 5}, r"max_epochs=4 \(now 5\)"),
        ({"module__n_layers": 2}, r"module__n_layers=None \(now 2\)"),
        ({"pretext": MaskedPrediction()}, "pretext="),
    ],
)
def test_other_settings_are_refused(change, message, tmp_path):
    fit_resumable(make_encoder(), X, tmp_path)
    with pytest.raises(ValueError, match=message):
        fit_resumable(make_encoder(**change), X, tmp_path)


def test_other_windows_are_refused(tmp_path):
    fit_resumable(make_encoder(), X, tmp_path, GROUPS)
    other = SignalDict(bvp=X["bvp"], eda=X["eda"][::-1].copy())  # of the same mean and spread
    for data in ((other, GROUPS), (X, GROUPS[::-1]), (X, GROUPS, np.arange(24))):
        with pytest.raises(ValueError, match="same windows"):
            fit_resumable(make_encoder(), data[0], tmp_path, *data[1:])
    fit_resumable(make_encoder(), X, tmp_path, GROUPS)


def test_a_training_on_another_version_is_refused(tmp_path, monkeypatch):
    fit_resumable(make_encoder(), X, tmp_path)
    monkeypatch.setattr(physio_ssl, "__version__", "9.9")
    with pytest.raises(ValueError, match=r"physio_ssl='.*' \(now '9.9'\)"):
        fit_resumable(make_encoder(), X, tmp_path)


def test_damaged_checkpoints_are_refused(tmp_path):
    encoder = fit_resumable(make_encoder(max_epochs=1), X, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="damaged"):
        fit_resumable(make_encoder(max_epochs=1), X, tmp_path)
    save_encoder(encoder, path)
    with pytest.raises(ValueError, match="physio_ssl.checkpoint"):
        fit_resumable(make_encoder(max_epochs=1), X, tmp_path)
    for damage in (b"optimizer.0.exp_avg", b"optimizer.x.exp_avg"), (b"r.cpu", b"r.cpx"):
        path.write_bytes(whole.replace(*damage))
        with pytest.raises(ValueError, match="no state of this training"):
            fit_resumable(make_encoder(max_epochs=1), X, tmp_path)
    path.write_bytes(whole)
    with safe_open(path, framework="pt") as file:
        content = json.loads(file.metadata()["physio_ssl"])
    metadata = {"physio_ssl": json.dumps({**content, "settings": 7})}
    save_file(load_file(path), path, metadata)
    with pytest.raises(ValueError, match="no state of this training"):
        fit_resumable(make_encoder(max_epochs=1), X, tmp_path)


def test_a_checkpoint_holds_tensors_and_json_only(tmp_path):
    fit_resumable(make_encoder(max_epochs=1), X, tmp_path)
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        names = {name.split(".")[0] for name in file.keys()}
        content = json.loads(file.metadata()["physio_ssl"])
    assert names == {"model", "optimizer", "generator"}
    assert content["settings"]["lr"] == 1e-3
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"checkpoint.safetensors", "metrics.csv"}


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"random_state": None}, "integer random_state"),
        ({"warm_start": True}, "warm_start must be False"),
        ({"callbacks": [EarlyStopping("train_loss")]}, "got EarlyStopping"),
        ({"callbacks": [Freezer("network.*")]}, "got Freezer"),
        ({"callbacks": [LRScheduler("StepLR", step_size=1, step_every="batch")]}, "per batch"),
        ({"callbacks": [LRScheduler("ReduceLROnPlateau")]}, "got LRScheduler"),
        ({"callbacks__lr_schedule__decay": "square"}, "linear, cosine, got 'square'"),
    ],
)
def test_settings_that_cannot_be_resumed_are_refused(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        fit_resumable(make_encoder(**settings), X, tmp_path / "new")
    assert not list(tmp_path.glob("new/*"))


def test_other_nets_are_refused(tmp_path):
    with pytest.raises(TypeError, match="Only an SSLEncoder"):
        fit_resumable(SSLClassifier(), X, tmp_path)
