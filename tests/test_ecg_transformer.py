"""ECGTransformer: the sizes of the paper, and what its arguments mean."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from physio_ssl.networks import ECGTransformer

SMALL = {"d_model": 16, "n_filters": (4, 8), "kernel_sizes": (9, 5, 3), "dim_feedforward": 32}


def make_network(n_channels=1, n_times=128, **kwargs):
    torch.manual_seed(0)
    return ECGTransformer({"ecg": n_channels}, {"ecg": n_times}, **kwargs).eval()


def make_ecg(n_windows=3, n_channels=1, n_times=128):
    return torch.randn(n_windows, n_channels, n_times, generator=torch.Generator().manual_seed(1))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_sizes_are_those_of_the_paper():
    network = make_network(n_times=1280)
    convolutions = (65 + 1) * 64 + (33 * 64 + 1) * 128 + (17 * 128 + 1) * 256
    layer = 4 * (256 + 1) * 256 + (256 + 1) * 1024 + (1024 + 1) * 256 + 2 * 2 * 256
    assert count(network.convolutions) == convolutions
    assert count(network) == convolutions + 2 * 256 + 256 + 2 * layer
    assert network.tokens(ecg=make_ecg(1, n_times=1280))["ecg"].shape == (1, 1281, 256)


def test_one_token_of_the_convolutions_sees_113_samples():
    convolutions = make_network(n_times=1280).convolutions
    x = make_ecg(1, n_times=400).requires_grad_()
    convolutions(x)[..., 200].sum().backward()
    seen = x.grad[0, 0].nonzero()[:, 0]
    assert (seen[0].item(), seen[-1].item()) == (200 - 56, 200 + 56)


def test_it_computes_what_stock_layers_compute():
    network = make_network(**SMALL)
    layers = []
    for ours in network.layers:
        stock = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        attention = stock.self_attn
        attention.in_proj_weight, attention.in_proj_bias = ours.qkv.weight, ours.qkv.bias
        attention.out_proj = ours.out
        stock.linear1, stock.linear2 = ours.linear1, ours.linear2
        stock.norm1, stock.norm2 = ours.norm1, ours.norm2
        layers.append(stock)
    x = make_ecg()
    h = x
    for conv in network.convolutions[::2]:
        h = torch.relu(nn.functional.conv1d(h, conv.weight, conv.bias, padding="same"))
    h = nn.functional.layer_norm(
        h.transpose(1, 2), (16,), weight=network.norm.weight, bias=network.norm.bias
    )
    position, k = np.arange(128)[:, None], np.arange(8)
    angle = position / 10000 ** (2 * k / 16)
    h = h + torch.from_numpy(np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(128, 16))
    h = torch.cat([network.cls.expand(3, 1, 16), h.float()], dim=1)
    with torch.no_grad():
        for stock in layers:
            h = stock(h)
        assert_allclose(network.tokens(ecg=x)["ecg"], h, atol=1e-5)


def test_the_patch_size_is_the_samples_per_token():
    for patch_size, n_tokens in [(1, 128), (8, 16), (10, 13), (128, 1)]:
        network = make_network(patch_size=patch_size, **SMALL)
        assert network.tokens(ecg=make_ecg())["ecg"].shape == (3, 1 + n_tokens, 16)
        assert count(network) == count(make_network(**SMALL))


def test_the_patch_size_is_the_product_of_the_strides():
    for patch_size, strides in [(1, [1, 1, 1]), (16, [4, 2, 2]), (10, [5, 2, 1]), (32, [4, 4, 2])]:
        convolutions = make_network(patch_size=patch_size, **SMALL).convolutions[::2]
        assert [conv.stride[0] for conv in convolutions] == strides


def test_a_token_sees_as_many_samples_before_as_after_it():
    convolutions = make_network(patch_size=16, n_times=640, **SMALL).convolutions
    x = make_ecg(1, n_times=640).requires_grad_()
    convolutions(x)[..., 20].sum().backward()
    seen = x.grad[0, 0].nonzero()[:, 0].double()
    assert seen.min() + seen.max() == 2 * 20 * 16


def test_the_embedding_is_that_asked_for():
    network, x = make_network(**SMALL), make_ecg()
    tokens = network.tokens(ecg=x)["ecg"]
    expected = {
        "cls": tokens[:, 0],
        "mean": tokens[:, 1:].mean(1),
        "max": tokens[:, 1:].max(1).values,
        "last": tokens[:, -1],
    }
    for embedding, expected_values in expected.items():
        torch.testing.assert_close(
            make_network(embedding=embedding, **SMALL)(ecg=x), expected_values
        )


def test_order_matters():
    # Convolutions of one sample do not know the order: only the position encodings do.
    network = make_network(embedding="mean", **{**SMALL, "kernel_sizes": (1, 1, 1)})
    x = make_ecg()
    assert not torch.allclose(network(ecg=x), network(ecg=x.flip(-1)), atol=1e-3)
    network.positions.zero_()
    torch.testing.assert_close(network(ecg=x), network(ecg=x.flip(-1)), atol=1e-4, rtol=1e-4)


def test_leads_are_channels_of_the_first_convolution():
    network = make_network(n_channels=2, **SMALL)
    assert network(ecg=make_ecg(n_channels=2)).shape == (3, 16)


def test_dropout_is_on_in_training():
    network, x = make_network(**SMALL).train(), make_ecg()
    assert not torch.equal(network(ecg=x), network(ecg=x))


def test_bad_arguments_are_refused():
    for kwargs, match in [
        ({"embedding": "first"}, "embedding .* 'cls' or 'mean' or 'max' or 'last', got 'first'"),
        ({"d_model": 15}, "n_heads .* got 2 and 15"),
        ({"dropout": 1.0}, "dropout .* got 1.0"),
        ({"kernel_sizes": (65, 32, 17)}, r"odd .* got \(65, 32, 17\)"),
        ({"kernel_sizes": (65, 33)}, r"one more .* got \(65, 33\)"),
        ({"d_model": 16.0}, "d_model must be a positive integer, got 16.0"),
        ({"n_filters": (64, 0)}, "n_filters must be .* got 65, 33, 17, 64, 0"),
        ({"patch_size": 16.0}, "patch_size .* not float"),
        ({"patch_size": 0}, "patch_size == 0"),
        ({"patch_size": 129}, "patch_size == 129, must be <= 128"),
    ]:
        with pytest.raises((TypeError, ValueError), match=match):
            make_network(**kwargs)


def test_several_modalities_are_refused():
    with pytest.raises(ValueError, match="one modality, .* got ecg, eda"):
        ECGTransformer({"ecg": 1, "eda": 1}, {"ecg": 128, "eda": 128})


def test_windows_longer_than_the_positions_are_refused():
    with pytest.raises(ValueError, match="128 samples .* got 256"):
        make_network(**SMALL)(ecg=make_ecg(n_times=256))
