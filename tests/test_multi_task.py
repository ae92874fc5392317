"""MultiTaskRecognition: the published numbers, and what its heads are trained on."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from skorch.callbacks import Callback, LRScheduler

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.networks import ConvEncoder, MultimodalTransformer
from physio_ssl.pretext import MultiTaskRecognition
from physio_ssl.transforms import GaussianNoise, Negation, Scaling, TimeReverse

CHANNELS = {"ecg": 1, "acc": 3}
SMALL = {"n_filters": (4, 8), "kernel_sizes": (8, 4)}


def make_signals(n_windows=6):
    rng = np.random.default_rng(0)
    return {
        name: torch.from_numpy(rng.standard_normal((n_windows, c, 80), dtype=np.float32))
        for name, c in CHANNELS.items()
    }


def make_network(channels=CHANNELS, n_times=80, **kwargs):
    torch.manual_seed(0)
    return ConvEncoder(channels, dict.fromkeys(channels, n_times), **{**SMALL, **kwargs})


def make_ecg(n_windows, seed=0):
    """Make beats of a sharp and a broad wave, at 64 Hz."""
    rng = np.random.default_rng(seed)
    times = np.arange(256)[:, np.newaxis] / 64
    X = []
    for _ in range(n_windows):
        beats = np.cumsum(rng.normal(rng.uniform(0.7, 1.1), 0.03, 10)) - 1
        sharp, broad = ((times - beats) / 0.03) ** 2, ((times - beats - 0.2) / 0.06) ** 2
        X.append((np.exp(-sharp) + 0.3 * np.exp(-broad)).sum(axis=1))
    return np.stack(X)[:, np.newaxis].astype(np.float32)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_parameters_are_as_many_as_published():
    network = ConvEncoder({"ecg": 1}, {"ecg": 2560})
    heads = MultiTaskRecognition().make_heads(network)
    assert [count(head) for head in heads["ecg"]] == [33_153] * 7
    assert count(network) + count(heads) == 561_223


def test_the_versions_are_the_published_seven():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((100, 1, 2560)))
    inputs, target = MultiTaskRecognition().make_views({"ecg": x}, rng)
    assert_array_equal(target, np.repeat(np.arange(7), 100))
    versions = dict(enumerate(inputs["ecg"].split(100)))
    noise = versions[1] - x
    snr = 10 * torch.log10(x.square().mean() / noise.square().mean())
    assert snr == pytest.approx(15, abs=0.2)
    assert torch.equal(versions[0], x)
    assert torch.equal(versions[2], x * 1.1)
    assert torch.equal(versions[3], -x)
    assert torch.equal(versions[4], x.flip(-1))
    pieces = [
        {piece.numpy().tobytes() for piece in y[0].split(128)} for y in (versions[5][0], x[0])
    ]
    assert len(pieces[0]) == 20
    assert pieces[0] == pieces[1]  # the same ones, in another order
    assert not torch.equal(versions[5], x)
    # The crop of the time warp begins with a window's first sample in one of 24 cases.
    assert 0 < (versions[6][..., 0] == x[..., 0]).float().mean() < 0.15


def test_the_weights_of_the_tasks_are_the_published_ones():
    task, network = MultiTaskRecognition(l2=0.0), make_network().eval()
    heads = task.make_heads(network).eval()
    inputs, target = task.make_views(make_signals(), np.random.default_rng(0))
    loss, _ = task.loss(network, heads, inputs, target)
    expected = 0.0
    for name, embedding in network.embed(network.tokens(**inputs)).items():
        for i, weight in enumerate([0.195, 0.195, 0.195, 0.0125, 0.0125, 0.195, 0.195]):
            p = heads[name][i](embedding)[:, 0].sigmoid()
            entropy = torch.where(target == i, -p.log(), -(1 - p).log()).mean()
            expected += weight * entropy.item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("given, used", [(None, [1 / 3] * 3), ([1, 0, 2], [1, 0, 2])])
def test_other_transforms_have_weights_of_their_own(given, used):
    transforms = [Negation(), Scaling(2)]
    losses = []
    for weights in (given, *np.eye(3).tolist()):
        task = MultiTaskRecognition(transforms, task_weights=weights, l2=0.0)
        network = make_network().eval()
        heads = task.make_heads(network).eval()
        inputs, target = task.make_views(make_signals(), np.random.default_rng(0))
        losses.append(task.loss(network, heads, inputs, target)[0].item())
    assert losses[0] == pytest.approx(np.dot(losses[1:], used), rel=1e-5)


def measure_penalty(network, heads):
    """Return what ``l2=1`` adds to the loss."""
    views = MultiTaskRecognition().make_views(make_signals(), np.random.default_rng(0))
    with_it, without = (
        MultiTaskRecognition(l2=l2).loss(network, heads, *views)[0].item() for l2 in (1.0, 0.0)
    )
    return with_it - without


def test_l2_is_half_the_sum_of_squares_of_every_kernel():
    network = make_network().eval()
    heads = MultiTaskRecognition().make_heads(network).eval()
    for parameter in (*network.parameters(), *heads.parameters()):
        torch.nn.init.constant_(parameter, 0.01)  # also the biases, which do not count
    n_biases = sum(p.numel() for m in (network, heads) for p in m.parameters() if p.ndim == 1)
    n_kernels = count(network) + count(heads) - n_biases
    assert n_biases > 0
    assert measure_penalty(network, heads) == pytest.approx(n_kernels * 0.01**2 / 2, rel=1e-4)


class _SetLogits(torch.nn.Module):
    """A head with given logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.as_tensor(logits, dtype=torch.float32)[:, None]

    def forward(self, embedding):
        return self.logits


def test_the_accuracy_is_balanced_with_a_threshold_at_the_fraction_of_a_task():
    rng, target = np.random.default_rng(0), torch.arange(3).repeat_interleave(6)
    logits = rng.normal(size=(3, 18))
    heads = {"ecg": [_SetLogits(row) for row in logits]}
    task, network = MultiTaskRecognition([Negation(), TimeReverse()]), make_network({"ecg": 1})
    _, metrics = task.loss(network, _Heads(heads), {"ecg": torch.zeros(18, 1, 80)}, target)
    expected = [
        balanced_accuracy_score(target == i, 1 / (1 + np.exp(-row)) > 1 / 3)
        for i, row in enumerate(logits)
    ]
    assert metrics == {"accuracy_ecg": pytest.approx(np.mean(expected))}


class _Heads(dict):
    def parameters(self):
        return iter(())


def test_heads_that_always_say_the_same_are_at_chance():
    heads = _Heads({"ecg": [_SetLogits(np.full(9, value)) for value in (-9.0, 9.0, -9.0)]})
    task, network = MultiTaskRecognition([Negation(), TimeReverse()]), make_network({"ecg": 1})
    target = torch.arange(3).repeat_interleave(3)
    _, metrics = task.loss(network, heads, {"ecg": torch.zeros(9, 1, 80)}, target)
    assert metrics["accuracy_ecg"] == task.chance == 0.5


def test_a_version_that_no_window_shows_is_no_gap_in_the_accuracy():
    task = MultiTaskRecognition(n_views=1)
    network = make_network({"ecg": 1})
    heads = task.make_heads(network)
    signals = {"ecg": make_signals(1)["ecg"]}
    inputs, target = task.make_views(signals, np.random.default_rng(0))
    loss, metrics = task.loss(network, heads, inputs, target)
    assert len(target) == 1
    assert np.isfinite(loss.item())
    assert 0 <= metrics["accuracy_ecg"] <= 1


def test_initial_values_of_the_heads_are_those_of_glorot():
    head = MultiTaskRecognition().make_heads(make_network(n_filters=(4, 128)))["ecg"][0]
    limit = (6 / 256) ** 0.5
    for layer in (head[0], head[3]):
        assert 0.95 * limit < layer.weight.abs().max() <= limit
        assert not layer.bias.any()


def test_heads_become_clearly_better_than_chance_on_windows_not_trained_on():
    kwargs = {f"module__{name}": value for name, value in SMALL.items()}
    transforms = [GaussianNoise(), Negation(), TimeReverse()]
    task = MultiTaskRecognition(transforms, head_dropout=0.2)
    encoder = SSLEncoder(ConvEncoder, task, max_epochs=15, lr=5e-3, random_state=0, **kwargs)
    encoder.fit(SignalDict(ecg=make_ecg(160)))
    model = encoder.module_.eval()
    signals = model.scaler({"ecg": torch.from_numpy(make_ecg(80, seed=1))})
    views = task.make_views(signals, np.random.default_rng(1))
    _, metrics = task.loss(model.network, model.heads, *views)
    assert metrics["accuracy_ecg"] > 0.8
    accuracy = encoder.history_[:, "train_accuracy_ecg"]
    assert accuracy[-1] > accuracy[0] + 0.1
    losses = encoder.history_[:, "train_loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "module, kwargs",
    [
        (MultimodalTransformer, {"module__d_model": 8}),
        (ConvEncoder, {f"module__{name}": value for name, value in SMALL.items()}),
    ],
)
def test_it_trains_any_network_on_several_modalities(module, kwargs):
    X = SignalDict({name: x.numpy() for name, x in make_signals(12).items()})
    settings = {"max_epochs": 2, "batch_size": 4, "random_state": 0, **kwargs}
    encoder = SSLEncoder(module, MultiTaskRecognition, **settings).fit(X)
    assert set(encoder.module_.heads) == set(CHANNELS)
    for name in CHANNELS:
        assert len(encoder.history_[:, f"train_accuracy_{name}"]) == 2
    again = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(again.transform(X), encoder.transform(X))
    assert_array_equal(clone(encoder).fit(X).transform(X), encoder.transform(X))


def test_the_published_schedule_lowers_the_rate_in_steps():
    rates = []

    class Watch(Callback):
        def on_batch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    schedule = LRScheduler(policy="StepLR", step_size=3, gamma=0.9, step_every="batch")
    SSLEncoder(
        ConvEncoder,
        MultiTaskRecognition,
        max_epochs=4,
        batch_size=3,
        lr=1e-3,
        callbacks=[schedule, Watch()],
        callbacks__lr_schedule=None,
        **{f"module__{name}": value for name, value in SMALL.items()},
    ).fit(make_signals(6)["ecg"].numpy())
    assert_allclose(rates, [1e-3] * 3 + [9e-4] * 3 + [8.1e-4] * 2)


def test_l2_leaves_out_the_lengths_of_weight_normalised_kernels():
    network = MultimodalTransformer(CHANNELS, dict.fromkeys(CHANNELS, 80), d_model=8).eval()
    heads = MultiTaskRecognition().make_heads(network).eval()
    before = measure_penalty(network, heads)
    lengths = [x for name, x in network.named_parameters() if name.endswith("weight_g")]
    for parameter in lengths:
        torch.nn.init.constant_(parameter, 9.0)
    assert lengths and measure_penalty(network, heads) == pytest.approx(before, rel=1e-4)


def test_the_loss_of_half_the_precision_is_summed_in_full():
    network, task = make_network().eval(), MultiTaskRecognition(l2=0.0)
    heads = task.make_heads(network).eval()
    inputs, target = task.make_views(make_signals(), np.random.default_rng(0))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        loss, _ = task.loss(network, heads, inputs, target)
        embeddings = network.embed(network.tokens(**inputs))
        logits = {
            name: torch.cat([head(x) for head in heads[name]], dim=1)
            for name, x in embeddings.items()
        }
    assert all(x.dtype == torch.bfloat16 for x in logits.values())
    expected = 0
    for x in logits.values():
        own = torch.nn.functional.one_hot(target, 7).double()
        losses = torch.nn.functional.softplus(x.double()) - own * x.double()
        expected += losses.mean(dim=0) @ torch.tensor(task._weights()).double()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_bad_parameters_are_refused():
    for task, match in [
        (MultiTaskRecognition([]), "at least one transform"),
        (MultiTaskRecognition(n_views=8), "n_views == 8, must be <= 7"),
        (MultiTaskRecognition(task_weights=[1, 2]), r"task_weights .* 7 .* got \[1, 2\]"),
        (MultiTaskRecognition(task_weights=[1] * 6 + [-1]), "task_weights .* -1"),
        (MultiTaskRecognition(l2=-1), "l2 .* got -1"),
    ]:
        with pytest.raises(ValueError, match=match):
            task.make_heads(make_network())


def test_windows_too_short_for_the_published_transforms_are_refused():
    encoder = SSLEncoder(ConvEncoder, MultiTaskRecognition, module__pool_size=1)
    with pytest.raises(ValueError, match="from 1 to 19, .* got 20"):
        encoder.fit(np.random.default_rng(0).normal(size=(4, 19)))
