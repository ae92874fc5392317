"""StatisticsPrediction: what the targets are, and that an encoder learns them."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.networks import MultimodalTransformer
from physio_ssl.pretext import StatisticsPrediction


def make_signals(n_windows=40, n_times=80, seed=0, **n_channels):
    rng = np.random.default_rng(seed)
    return {
        name: torch.from_numpy(rng.standard_normal((n_windows, n, n_times), np.float32))
        for name, n in (n_channels or {"eda": 1}).items()
    }


def make_target(signals, task=None):
    return (task or StatisticsPrediction()).make_views(signals, np.random.default_rng(0))[1]


def z_score(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_targets_are_the_statistics_of_whole_windows_by_channel():
    signals = make_signals(n_times=81, eda=2)
    x = signals["eda"].numpy().astype(float)
    statistics = [
        x.mean(axis=2),
        x.std(axis=2),
        np.polynomial.polynomial.polyfit(np.arange(81), x.reshape(-1, 81).T, 1)[1].reshape(-1, 2),
        *np.quantile(x, [0.1, 0.5, 0.9], axis=2),
    ]
    expected = np.concatenate([z_score(part) for part in statistics], axis=1)
    np.testing.assert_allclose(make_target(signals)["eda"], expected, atol=1e-4)


def test_targets_do_not_depend_on_the_unit():
    signals = make_signals()
    scaled = {name: 1000 * x + 5 for name, x in signals.items()}
    np.testing.assert_allclose(make_target(scaled)["eda"], make_target(signals)["eda"], atol=1e-2)


def test_a_statistic_that_is_the_same_in_all_windows_is_zero():
    signals = {"eda": torch.full((6, 1, 50), 0.1), "temp": make_signals(6, 50)["eda"]}
    target = make_target(signals)
    assert (target["eda"] == 0).all()
    assert (target["temp"].std(dim=0, correction=0) - 1).abs().max() < 1e-4


def test_masked_samples_are_zero_and_targets_do_not_depend_on_the_mask():
    signals = make_signals(200, 240)
    task = StatisticsPrediction(mask_prob=0.01, mask_length=20)
    inputs, target = task.make_views(signals, np.random.default_rng(0))
    masked = inputs["eda"] == 0
    assert masked.float().mean().item() == pytest.approx(0.17, abs=0.02)
    assert torch.equal(inputs["eda"][~masked], signals["eda"][~masked])
    again = task.make_views(signals, np.random.default_rng(1))
    assert not torch.equal(again[0]["eda"], inputs["eda"])
    assert torch.equal(again[1]["eda"], target["eda"])


def test_heads_see_all_modalities():
    network = MultimodalTransformer({"eda": 1, "temp": 2}, {"eda": 80, "temp": 80}, d_model=8)
    heads = StatisticsPrediction().make_heads(network)
    assert heads["eda"].weight.shape == (6, 16)
    assert heads["temp"].weight.shape == (12, 16)


def test_the_loss_is_the_sum_over_modalities():
    signals = make_signals(eda=1, temp=1)
    torch.manual_seed(0)
    network = MultimodalTransformer({"eda": 1, "temp": 1}, {"eda": 80, "temp": 80}, d_model=8)
    task = StatisticsPrediction()
    heads = task.make_heads(network)
    for head in heads.values():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    inputs, target = task.make_views(signals, np.random.default_rng(0))
    loss, errors = task.loss(network, heads, inputs, target)
    size = {name: part.abs() for name, part in target.items()}
    expected = sum(torch.where(x < 1, x**2 / 2, x - 0.5).mean() for x in size.values())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert errors == {"error_eda": pytest.approx(1, abs=1e-4), "error_temp": pytest.approx(1, 1e-4)}


def test_a_missing_modality_is_predicted_from_the_others():
    rng = np.random.default_rng(0)
    level = rng.standard_normal((300, 1, 1))
    noise = rng.standard_normal((2, 300, 1, 80))
    X = SignalDict(hr=level + 0.3 * noise[0], eda=-level + 0.3 * noise[1])
    encoder = SSLEncoder(
        pretext=StatisticsPrediction,
        module__d_model=16,
        module__modality_dropout=0.4,
        max_epochs=6,
        lr=5e-3,
        random_state=0,
    ).fit(X[:200])
    part = encoder.transform(SignalDict(hr=X["hr"]))[:, 16:]  # that of eda, which is missing
    ridge = Ridge().fit(part[:200], level[:200, 0, 0])
    assert ridge.score(part[200:], level[200:, 0, 0]) > 0.6
    assert encoder.history_[-1, "train_error_eda"] < 0.7 * encoder.history_[0, "train_error_eda"]


def test_bad_parameters_are_refused():
    for task, match in [
        (StatisticsPrediction(mask_prob=0), "mask_prob .* got 0"),
        (StatisticsPrediction(mask_length=0), "mask_length must .* got 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            SSLEncoder(pretext=task).fit(np.zeros((4, 1, 40)) + np.arange(40))
