"""ConvEncoder: the published numbers, and what its arguments mean."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from physio_ssl.networks import ConvEncoder


def make_network(n_channels=None, n_times=200, **kwargs):
    n_channels = n_channels or {"ecg": 1}
    times = n_times if isinstance(n_times, dict) else dict.fromkeys(n_channels, n_times)
    torch.manual_seed(0)
    return ConvEncoder(n_channels, times, **kwargs).eval()


def make_signals(n_channels=None, n_times=200, n_windows=3):
    n_channels = n_channels or {"ecg": 1}
    times = n_times if isinstance(n_times, dict) else dict.fromkeys(n_channels, n_times)
    torch.manual_seed(1)
    return {name: torch.randn(n_windows, c, times[name]) for name, c in n_channels.items()}


def naive_convolution(x, weight, bias):
    """Add zeros so that the length is kept, one more at the end for an even kernel."""
    n_out, n_in, kernel_size = weight.shape
    before = (kernel_size - 1) // 2
    padded = np.zeros((n_in, x.shape[1] + kernel_size - 1))
    padded[:, before : before + x.shape[1]] = x
    y = [
        sum(np.correlate(padded[i], weight[o, i], "valid") for i in range(n_in)) + bias[o]
        for o in range(n_out)
    ]
    return np.stack(y)


def naive_pool(x, size, stride):
    starts = range(0, x.shape[1] - size + 1, stride)
    return np.stack([x[:, start : start + size].max(axis=1) for start in starts], axis=1)


def naive_trunk(trunk, x, pool_size, pool_stride):
    """Return the tokens of one window."""
    for i, stage in enumerate(trunk.stages):
        if i:
            x = naive_pool(x, pool_size, pool_stride)
        for conv in stage:
            y = naive_convolution(x, conv.weight.detach().numpy()[:, :, 0], conv.bias.tolist())
            x = np.where(y > 0, y, 0.2 * y)
    return x.T


def test_the_parameters_are_as_many_as_published():
    network = make_network(n_times=2560)
    assert sum(parameter.numel() for parameter in network.parameters()) == 329_152


def test_the_lengths_are_as_published():
    for n_times, n_tokens in [(2560, 635), (1280, 315), (22, 1)]:
        network = make_network(n_times=n_times)
        tokens = network.tokens(**make_signals(n_times=n_times, n_windows=1))
        assert tokens["ecg"].shape == (1, n_tokens, 128)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"n_filters": (3, 5), "kernel_sizes": (5, 2), "pool_size": 3, "pool_stride": 3},
        {"n_filters": (4,), "kernel_sizes": (1,)},
    ],
)
def test_tokens_are_those_of_plain_loops(kwargs):
    network = make_network({"ecg": 2}, **kwargs)
    for parameter in network.parameters():  # also the biases
        torch.nn.init.normal_(parameter, 0, 0.1)
    x = make_signals({"ecg": 2}, n_windows=1)["ecg"]
    sizes = kwargs.get("pool_size", 8), kwargs.get("pool_stride", 2)
    expected = naive_trunk(network.trunks["ecg"], x[0].numpy().astype(float), *sizes)
    assert_allclose(network.tokens(ecg=x)["ecg"][0].detach(), expected, rtol=1e-4, atol=1e-4)


def test_a_slice_of_memory_in_another_order_changes_nothing():
    network, x = make_network({"ecg": 2}), make_signals({"ecg": 2})["ecg"]
    turned = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert_allclose(network(ecg=turned).detach(), network(ecg=x).detach(), atol=1e-6)


def test_the_embedding_is_the_maximum_over_time():
    network, signals = make_network(), make_signals()
    tokens = network.tokens(**signals)["ecg"].detach().numpy()
    assert_allclose(network(**signals).detach(), tokens.max(axis=1))


def test_modalities_have_a_trunk_each_and_do_not_meet():
    channels, times = {"ecg": 1, "acc": 3}, {"acc": 100, "ecg": 300}
    network, signals = make_network(channels, times), make_signals(channels, times)
    assert network.embedding_size == {"ecg": 128, "acc": 128}
    embedding = network(**signals)
    other = network(**{**signals, "acc": signals["acc"] + 1})
    assert embedding.shape == (3, 256)
    assert torch.equal(embedding[:, :128], other[:, :128])
    assert not torch.allclose(embedding[:, 128:], other[:, 128:])


def test_initial_values_are_those_of_glorot():
    for stage, n_in, n_out in zip(
        make_network().trunks["ecg"].stages, (1, 32, 64), (32, 64, 128), strict=True
    ):
        first = stage[0]
        n_around = (n_in + n_out) * first.kernel_size[1]
        limit = (6 / n_around) ** 0.5
        assert 0.95 * limit < first.weight.abs().max() <= limit
        assert not first.bias.any()


def test_windows_may_be_as_short_as_the_pooling_allows():
    for n_times, stride in [(22, 2), (15, 1)]:
        kwargs = {"pool_stride": stride}
        make_network(n_times=n_times, **kwargs)(**make_signals(n_times=n_times))
        with pytest.raises(ValueError, match=f"at least {n_times} .* got .*ecg': {n_times - 1}"):
            make_network(n_times=n_times - 1, **kwargs)


def test_sizes_that_do_not_fit_are_refused():
    for kwargs, match in [
        ({"n_filters": (8, 8)}, r"n_filters .* got \(8, 8\) and \(32, 16, 8\)"),
        ({"n_filters": (), "kernel_sizes": ()}, r"n_filters .* got \(\) and \(\)"),
        ({"kernel_sizes": (4, 0, 2)}, "kernel_sizes .* got 4, 0, 2"),
        ({"n_filters": (1.5, 8, 8)}, "n_filters .* got 1.5, 8, 8"),
        ({"pool_stride": 2.0}, "pool_stride .* got 2.0"),
        ({"pool_size": 0}, "pool_size .* got 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            make_network(**kwargs)
