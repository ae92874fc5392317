"""Pretext tasks: their contract, and the views and the loss of TransformRecognition."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from physio_ssl.networks import ConvEncoder, ECGTransformer, MultimodalTransformer
from physio_ssl.pretext import (
    MaskedPrediction,
    MultiTaskRecognition,
    Pretext,
    StatisticsPrediction,
    TransformRecognition,
    check_pretext,
)
from physio_ssl.transforms import GaussianNoise, Negation, Scaling

CHANNELS = {"eda": 1, "acc": 3}


def make_signals(n_windows=10):
    rng = np.random.default_rng(0)
    return {
        name: torch.from_numpy(rng.standard_normal((n_windows, c, 80), dtype=np.float32))
        for name, c in CHANNELS.items()
    }


def make_network():
    torch.manual_seed(0)
    return MultimodalTransformer(CHANNELS, dict.fromkeys(CHANNELS, 80), d_model=16)


def test_all_views_are_every_window_in_six_versions():
    signals = make_signals()
    inputs, target = TransformRecognition().make_views(signals, np.random.default_rng(0))
    assert inputs["acc"].shape == (60, 3, 80)
    assert_array_equal(np.bincount(target), [10] * 6)
    assert torch.equal(inputs["eda"][target == 0], signals["eda"])


def test_each_class_is_its_transform_in_all_modalities():
    task = TransformRecognition([Negation(), Scaling(2)])
    signals = make_signals()
    inputs, target = task.make_views(signals, np.random.default_rng(0))
    for name, x in signals.items():
        assert torch.equal(inputs[name][target == 1], -x)
        assert torch.equal(inputs[name][target == 2], 2 * x)


def test_modalities_are_drawn_independently():
    x = make_signals()["eda"]
    task = TransformRecognition([GaussianNoise()])
    inputs, target = task.make_views({"a": x, "b": x}, np.random.default_rng(0))
    assert not torch.equal(inputs["a"][target == 1], inputs["b"][target == 1])


def test_one_view_shows_each_window_once_and_keeps_modalities_together():
    names = torch.arange(1.0, 41).reshape(-1, 1, 1).expand(-1, 1, 80)
    task = TransformRecognition([Negation(), Scaling(100)], n_views=1)
    rng = np.random.default_rng(0)
    inputs, target = task.make_views({"a": names, "b": names.clone()}, rng)
    original = inputs["a"] / torch.tensor([1.0, -1, 100])[target].reshape(-1, 1, 1)
    assert_array_equal(sorted(original[:, 0, 0]), np.arange(1, 41))
    assert torch.equal(inputs["a"], inputs["b"])


def test_one_view_draws_all_classes_alike():
    task = TransformRecognition(n_views=1)
    rng = np.random.default_rng(0)
    counts = sum(
        np.bincount(task.make_views(make_signals(50), rng)[1], minlength=6) for _ in range(40)
    )
    assert np.abs(counts / 2000 - 1 / 6).max() < 0.03


def test_a_number_of_views_shows_each_window_in_so_many_versions():
    names = torch.arange(1.0, 41).reshape(-1, 1, 1).expand(-1, 1, 80)
    task = TransformRecognition([Negation(), Scaling(100), Scaling(10)], n_views=2)
    inputs, target = task.make_views({"a": names}, np.random.default_rng(0))
    original = inputs["a"] / torch.tensor([1.0, -1, 100, 10])[target].reshape(-1, 1, 1)
    pairs = set(zip(original[:, 0, 0].tolist(), target.tolist(), strict=True))
    assert len(pairs) == 80  # no version of a window is shown twice
    assert_array_equal(np.bincount(original[:, 0, 0].int()), [0] + [2] * 40)


def test_any_callable_is_a_transform():
    def shift(X, *, rng):
        return X + 1

    inputs, target = TransformRecognition([shift]).make_views(make_signals(), None)
    assert torch.equal(inputs["eda"][target == 1], make_signals()["eda"] + 1)


def test_the_loss_is_the_sum_of_the_heads_cross_entropies():
    task, network = TransformRecognition(), make_network().eval()
    heads = task.make_heads(network).eval()
    inputs, target = task.make_views(make_signals(), np.random.default_rng(0))
    loss, metrics = task.loss(network, heads, inputs, target)
    logits = {n: heads[n](z) for n, z in network.embed(network.tokens(**inputs)).items()}
    expected = sum(-z.log_softmax(1)[range(60), target].mean() for z in logits.values())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    correct = (logits["acc"].argmax(1) == target).float().mean()
    assert metrics["accuracy_acc"] == pytest.approx(correct.item())


def test_it_learns_to_tell_a_scaling_from_the_window():
    task, network = TransformRecognition([Scaling(5)]), make_network()
    heads = task.make_heads(network)
    optimizer = torch.optim.Adam([*network.parameters(), *heads.parameters()], lr=3e-3)
    for _ in range(60):
        inputs, target = task.make_views(make_signals(), np.random.default_rng(0))
        loss, metrics = task.loss(network, heads, inputs, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert min(metrics.values()) > 0.9


def test_bad_parameters_are_refused():
    for task, match in [
        (TransformRecognition(n_views="two"), "n_views .* not str"),
        (TransformRecognition(n_views=7), "n_views == 7, must be <= 6"),
        (TransformRecognition([]), "at least one transform"),
    ]:
        with pytest.raises((TypeError, ValueError), match=match):
            task.make_heads(make_network())


def test_chance_is_one_over_the_number_of_classes():
    assert TransformRecognition().chance == 1 / 6
    assert TransformRecognition([Negation()], n_views=1).chance == 1 / 2


# The contract


def make_tasks():
    """Return every task, in settings that change what the contract is about."""
    return [
        TransformRecognition(),
        TransformRecognition([GaussianNoise(), Negation()], n_views=1),
        MultiTaskRecognition(),
        MultiTaskRecognition([GaussianNoise(), Negation()], n_views=1),
        MaskedPrediction(),
        MaskedPrediction(mask_value="noise"),
        StatisticsPrediction(),
        MeanPrediction(),
        NeedsOneModality(),
        Alike(),
    ]


class MeanPrediction(Pretext):
    """A task that keeps the contract: predict the mean of each channel from a noisy window."""

    def __init__(self, noise=1.0):
        self.noise = noise

    def make_heads(self, network):
        sizes = network.embedding_size
        return nn.ModuleDict({n: nn.Linear(sizes[n], network.n_channels[n]) for n in sizes})

    def make_views(self, signals, rng):
        inputs = {
            name: x + torch.as_tensor(rng.normal(scale=self.noise, size=x.shape)).to(x)
            for name, x in signals.items()
        }
        return inputs, {name: x.mean(dim=2) for name, x in signals.items()}

    def loss(self, network, heads, inputs, target):
        embeddings = network.embed(network.tokens(**inputs))
        errors = {
            name: nn.functional.mse_loss(heads[name](embeddings[name]), mean)
            for name, mean in target.items()
        }
        return sum(errors.values()), {f"error_{name}": x.item() for name, x in errors.items()}


class NeedsOneModality(MeanPrediction):
    def make_heads(self, network):
        if len(network.n_channels) > 1:
            raise ValueError("one modality, please")
        return super().make_heads(network)


class Alike:
    """A task that is no child of Pretext but has its members."""

    chance = None
    make_heads = MeanPrediction.make_heads
    loss = MeanPrediction.loss

    def get_params(self, deep=True):
        return {}

    def make_views(self, signals, rng):
        return signals, {name: x.mean(dim=2) for name, x in signals.items()}


class ChangesItsParameters(MeanPrediction):
    def __init__(self, noise=1.0):
        self.noise = float(noise) + 1


class HeadsInADict(MeanPrediction):
    def make_heads(self, network):
        return dict(super().make_heads(network))


class HeadsWithoutPickle(MeanPrediction):
    def make_heads(self, network):
        heads = super().make_heads(network)
        heads.extra = lambda x: x
        return heads


class ViewsWithoutTarget(MeanPrediction):
    def make_views(self, signals, rng):
        return super().make_views(signals, rng)[0]


class ViewsOfOneModality(MeanPrediction):
    def make_views(self, signals, rng):
        return {"bvp": signals["bvp"]}, {}


class ViewsInAList(MeanPrediction):
    def make_views(self, signals, rng):
        return list(signals.values()), {}


class UnequalViews(MeanPrediction):
    def make_views(self, signals, rng):
        return {**signals, "bvp": signals["bvp"][:2]}, {}


class DrawsFromTorch(MeanPrediction):
    def make_views(self, signals, rng):
        inputs, target = super().make_views(signals, rng)
        return {name: x + torch.randn_like(x) for name, x in inputs.items()}, target


class ChangesWindows(MeanPrediction):
    def make_views(self, signals, rng):
        return super().make_views({name: x.clamp_(-1, 1) for name, x in signals.items()}, rng)


class ChangesWindowsInLoss(Alike):
    def loss(self, network, heads, inputs, target):
        return MeanPrediction().loss(
            network, heads, {name: x.mul_(2) for name, x in inputs.items()}, target
        )


class LossRaises(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        raise RuntimeError("no loss today")


class FailsOnHeldOutWindows(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        loss, metrics = super().loss(network, heads, inputs, target)
        torch.autograd.grad(loss, list(heads.parameters()), retain_graph=True)
        return loss, metrics


class LossAlone(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        return super().loss(network, heads, inputs, target)[0]


class LossOfEachWindow(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        return network(**inputs).mean(dim=1), {}


class InfiniteLoss(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        return super().loss(network, heads, inputs, target)[0] * float("inf"), {}


class LossAsFloat(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        return super().loss(network, heads, inputs, target)[0].item(), {}


class MetricsAsTensors(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        loss, _ = super().loss(network, heads, inputs, target)
        return loss, {"error_bvp": loss.detach()}


class NetworkIsFrozen(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        loss = 0.0
        with torch.no_grad():
            embeddings = network.embed(network.tokens(**inputs))
        for name, mean in target.items():
            loss = loss + nn.functional.mse_loss(heads[name](embeddings[name]), mean)
        return loss, {}


class HeadsAreUnused(MeanPrediction):
    def loss(self, network, heads, inputs, target):
        return network(**inputs).square().mean(), {}


class ChanceAsPercentage(MeanPrediction):
    chance = 50.0


def test_every_task_keeps_the_contract():
    for task in make_tasks():
        check_pretext(task)


def test_every_task_keeps_the_contract_on_every_network():
    channels = {"bvp": 1, "acc": 3}
    two = channels, {"bvp": 160, "acc": 80}
    small = {"d_model": 8, "n_filters": (4,), "kernel_sizes": (5, 3), "dim_feedforward": 8}
    networks = [
        MultimodalTransformer(*two, d_model=8, modality_dropout=0.3),
        ConvEncoder(*two, n_filters=(4, 8), kernel_sizes=(8, 4)),
        ECGTransformer({"ecg": 2}, {"ecg": 100}, patch_size=8, **small),
    ]
    for task in make_tasks():
        for network in networks:
            if isinstance(task, NeedsOneModality) and len(network.n_channels) > 1:
                continue
            if isinstance(task, MaskedPrediction) and network.token_size is None:
                with pytest.raises(ValueError, match="token_size, got ConvEncoder"):
                    check_pretext(task, network)
            else:
                check_pretext(task, network)


def test_the_check_leaves_task_network_and_random_state_alone():
    task, network = MaskedPrediction(), make_network().train()
    weights = {name: x.clone() for name, x in network.state_dict().items()}
    state, before = torch.get_rng_state(), vars(task).copy()
    check_pretext(task, network)
    assert vars(task) == before and network.training
    assert all(torch.equal(x, weights[name]) for name, x in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_all_that_is_missing_is_listed_at_once():
    with pytest.raises(TypeError, match="abstract .* loss, make_heads, make_views$"):
        Pretext()
    with pytest.raises(ValueError, match="lacks make_heads, make_views, loss, chance$"):
        check_pretext(object())


def test_each_defect_is_named():
    for task, match in [
        (ChangesItsParameters(), "clone fails"),
        (MeanPrediction(noise=lambda: 1.0), "task cannot be pickled"),
        (TransformRecognition([]), "make_heads fails: ValueError: .* one transform"),
        (HeadsInADict(), "make_heads must .*Module, got dict"),
        (HeadsWithoutPickle(), "heads cannot be pickled"),
        (MeanPrediction(noise="much"), "make_views fails"),
        (ViewsWithoutTarget(), "make_views must .* two, got bvp"),
        (ViewsOfOneModality(), r"each of bvp, acc, got bvp: \(4, 2, 160\)$"),
        (ViewsInAList(), "inputs .* got list"),
        (UnequalViews(), r"equally many .* got bvp: \(2, 2, 160\), acc: \(4, 3, 240\)"),
        (DrawsFromTorch(), "from rng alone"),
        (ChangesWindows(), "make_views and loss must not change"),
        (ChangesWindowsInLoss(), "make_views and loss must not change"),
        (LossRaises(), "loss fails: RuntimeError: no loss today"),
        (FailsOnHeldOutWindows(), "loss in evaluation mode fails"),
        (LossAlone(), r"loss must .* got \(\)"),
        (LossOfEachWindow(), "loss must .* finite number"),
        (InfiniteLoss(), "loss must .* finite number, got tensor.inf"),
        (LossAsFloat(), "loss must be a tensor .* got "),
        (MetricsAsTensors(), "metrics .* float, got .*tensor"),
        (NetworkIsFrozen(), "no gradient .* the network"),
        (HeadsAreUnused(), "no gradient .* the heads"),
        (ChanceAsPercentage(), "chance .* from 0 to 1, got 50.0"),
    ]:
        with pytest.raises(ValueError, match=match):
            check_pretext(task)


def test_a_class_is_no_task():
    with pytest.raises(TypeError, match="instance .* got <class .*MeanPrediction"):
        check_pretext(MeanPrediction)
