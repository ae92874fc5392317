"""TransformRecognition: which views a batch becomes, and what they are trained on."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from physio_ssl.networks import MultimodalTransformer
from physio_ssl.pretext import TransformRecognition
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


@pytest.mark.parametrize(
    "task, match",
    [
        (TransformRecognition(n_views="two"), "integer from 1 to 6, got 'two'"),
        (TransformRecognition(n_views=7), "from 1 to 6, got 7"),
        (TransformRecognition([]), "at least one transform"),
    ],
)
def test_bad_parameters_are_refused(task, match):
    with pytest.raises(ValueError, match=match):
        task.make_heads(make_network())
