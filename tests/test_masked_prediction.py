"""MaskedPrediction: which samples are masked, and what the error is taken over."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.networks import ECGTransformer, MultimodalTransformer
from physio_ssl.pretext import MaskedPrediction

SMALL = {"d_model": 16, "n_filters": (4, 8), "kernel_sizes": (9, 5, 3), "dim_feedforward": 32}


def make_rng(seed=0):
    return np.random.default_rng(seed)


def make_signals(n_windows=10, n_times=80, **n_channels):
    n_channels = n_channels or {"ecg": 1}
    return {
        name: torch.from_numpy(make_rng().standard_normal((n_windows, c, n_times), np.float32))
        for name, c in n_channels.items()
    }


def make_network(n_times=80, n_channels=1, **kwargs):
    torch.manual_seed(0)
    return ECGTransformer({"ecg": n_channels}, {"ecg": n_times}, **{**SMALL, **kwargs})


def test_at_the_defaults_48_percent_are_masked():
    _, target = MaskedPrediction().make_views(make_signals(2000, 1280), make_rng())
    mask = target["ecg"][1]
    # a sample is free if none of those up to 19 before it, within the window, starts a span
    before = np.minimum(np.arange(1280) + 1, 20)
    expected = 1 - 0.9675**before
    assert expected.mean() == pytest.approx(0.48, abs=0.002)
    assert mask.float().mean().item() == pytest.approx(expected.mean(), abs=0.003)
    np.testing.assert_allclose(mask.float().mean(0)[0], expected, atol=0.06)


def test_masked_spans_have_their_length():
    _, target = MaskedPrediction(0.001, mask_length=7).make_views(
        make_signals(500, 300), make_rng()
    )
    mask = target["ecg"][1][:, 0].numpy()
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(int))
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    lengths = (stops - starts)[:, 1]
    ends_inside = stops[:, 1] < 300
    assert lengths[ends_inside].min() == 7
    assert np.median(lengths) == 7


def test_every_window_has_a_masked_sample():
    _, target = MaskedPrediction(1e-9, mask_length=5).make_views(make_signals(50, 10), make_rng())
    assert target["ecg"][1].any(dim=2).all()


def test_masked_samples_are_zero_and_the_others_as_they_were():
    signals = make_signals(ecg=2)
    inputs, target = MaskedPrediction().make_views(signals, make_rng())
    x, mask = target["ecg"]
    assert torch.equal(x, signals["ecg"])
    mask = mask.expand_as(x)
    assert (inputs["ecg"][mask] == 0).all()
    assert torch.equal(inputs["ecg"][~mask], x[~mask])


def test_masked_samples_may_become_noise():
    signals = {"ecg": torch.full((100, 1, 200), 9.0)}
    inputs, target = MaskedPrediction(mask_value="noise").make_views(signals, make_rng())
    filled = inputs["ecg"][target["ecg"][1]]
    assert filled.mean().item() == pytest.approx(0, abs=0.05)
    assert filled.std().item() == pytest.approx(1, abs=0.05)


def test_modalities_are_masked_independently():
    x = make_signals()["ecg"]
    _, target = MaskedPrediction().make_views({"a": x, "b": x}, make_rng())
    assert not torch.equal(target["a"][1], target["b"][1])


class Identity(nn.Module):
    """A network whose tokens are the input's samples, and heads that pass them on."""

    n_channels, token_size, token_width = {"ecg": 1}, {"ecg": 1}, {"ecg": 1}
    embedding_size = token_width

    def tokens(self, ecg):
        extra = torch.full((len(ecg), 1, 1), 1e6)  # as a CLS token: must not be used
        return {"ecg": torch.cat([extra, ecg.transpose(1, 2)], dim=1)}


def test_the_loss_is_the_mean_squared_error_on_masked_samples_only():
    task, heads = MaskedPrediction(), {"ecg": nn.Identity()}
    inputs, target = task.make_views(make_signals(), make_rng())
    loss, metrics = task.loss(Identity(), heads, inputs, target)
    x, mask = target["ecg"]
    assert loss.item() == pytest.approx(x[mask].square().mean().item(), rel=1e-6)
    assert metrics == {"error_ecg": pytest.approx(loss.item())}


def test_the_loss_is_the_sum_over_modalities():
    signals = make_signals(eda=1, acc=3)
    channels = {name: x.shape[1] for name, x in signals.items()}
    network = MultimodalTransformer(channels, {"eda": 80, "acc": 80}, d_model=16).eval()
    task = MaskedPrediction()
    heads = task.make_heads(network)
    loss, metrics = task.loss(network, heads, *task.make_views(signals, make_rng()))
    assert loss.item() == pytest.approx(metrics["error_eda"] + metrics["error_acc"], rel=1e-5)


@pytest.mark.parametrize("n_channels, patch_size", [(1, 1), (2, 8), (3, 7)])
def test_each_token_predicts_its_own_samples(n_channels, patch_size):
    task, network = MaskedPrediction(), make_network(80, n_channels, patch_size=patch_size)
    n_tokens = -(-80 // patch_size)
    tokens = torch.randn(4, 1 + n_tokens, 16)
    network.tokens = lambda **_: {"ecg": tokens}
    heads = task.make_heads(network)
    predicted = task.reconstruct(network, heads, {"ecg": torch.zeros(4, n_channels, 80)})["ecg"]
    for token in range(n_tokens):
        samples = slice(token * patch_size, min((token + 1) * patch_size, 80))
        parts = heads["ecg"](tokens[:, 1 + token]).reshape(4, n_channels, patch_size)
        expected = parts[..., : samples.stop - samples.start]
        torch.testing.assert_close(predicted[..., samples], expected)


@pytest.mark.parametrize("patch_size", [1, 4])
def test_it_learns_to_fill_gaps_in_a_rhythm(patch_size):
    t = torch.arange(80) + 20 * torch.rand(64, 1, 1, generator=torch.Generator().manual_seed(0))
    signals = {"ecg": torch.sin(2 * torch.pi * t / 20) * 2**0.5}  # mean square 1
    task, network = MaskedPrediction(mask_length=5), make_network(patch_size=patch_size)
    heads, rng = task.make_heads(network), make_rng()
    optimizer = torch.optim.Adam([*network.parameters(), *heads.parameters()], lr=3e-3)
    for _ in range(150):
        loss, _ = task.loss(network, heads, *task.make_views(signals, rng))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


def test_an_encoder_reports_the_error_and_repeats_itself():
    X = SignalDict(ecg=make_signals(32)["ecg"].numpy())
    settings = {f"module__{name}": value for name, value in SMALL.items()}
    encoder = SSLEncoder(
        ECGTransformer, MaskedPrediction(), max_epochs=2, random_state=0, **settings
    ).fit(X)
    assert np.isfinite(encoder.history_[:, "train_error_ecg"]).all()
    np.testing.assert_array_equal(clone(encoder).fit_transform(X), encoder.transform(X))


def test_bad_parameters_are_refused():
    for task, match in [
        (MaskedPrediction(mask_prob=0), "mask_prob .* got 0"),
        (MaskedPrediction(mask_prob=1.1), "mask_prob .* got 1.1"),
        (MaskedPrediction(mask_length=0), "mask_length must .* got 0"),
        (MaskedPrediction(mask_length=2.5), "mask_length must .* got 2.5"),
        (MaskedPrediction(mask_value="mean"), "mask_value .* 'zero' or 'noise', got 'mean'"),
    ]:
        with pytest.raises((TypeError, ValueError), match=match):
            task.make_heads(make_network())


def test_a_network_without_token_size_is_refused():
    with pytest.raises(TypeError, match="token_size, got Linear"):
        MaskedPrediction().make_heads(nn.Linear(3, 3))
