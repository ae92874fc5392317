"""MultimodalTransformer: the published numbers, and what its arguments mean."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from physio_ssl import SignalDict, load_wu2023
from physio_ssl.networks import MultimodalTransformer
from physio_ssl.networks._layers import TransformerLayer, fast_dropout
from physio_ssl.networks.multimodal_transformer import WeightNormConv1d
from physio_ssl.pretext import TransformRecognition

PAPER = {"eda": 1, "bvp": 1, "temp": 1}


def make_network(n_channels=PAPER, n_times=240, **kwargs):
    times = n_times if isinstance(n_times, dict) else dict.fromkeys(n_channels, n_times)
    torch.manual_seed(0)
    return MultimodalTransformer(n_channels, times, **kwargs).eval()


def make_signals(n_channels=PAPER, n_times=240, n_windows=3):
    times = n_times if isinstance(n_times, dict) else dict.fromkeys(n_channels, n_times)
    torch.manual_seed(1)
    return {name: torch.randn(n_windows, c, times[name]) for name, c in n_channels.items()}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def published(reference_folder):
    return np.load(reference_folder / "wer_ssl_forward.npz")


@pytest.fixture
def encoder(published, tmp_path):
    names = [name for name in published.files if name.startswith("state/")]
    state = {name[6:]: torch.from_numpy(published[name]) for name in names}
    torch.save({"epoch": 3, "state_dict_fusion": state}, tmp_path / "checkpoint.pth")
    return load_wu2023(tmp_path / "checkpoint.pth")


def test_a_published_checkpoint_embeds_as_published(published, encoder):
    X = SignalDict({name: published["x"][:, i] for i, name in enumerate(PAPER)})
    embedding = encoder.transform(X).reshape(8, 3, 128)
    assert_allclose(embedding, published["pooled"], rtol=0, atol=1e-5)


def test_a_published_checkpoint_gives_the_published_tokens_and_logits(published, encoder):
    signals = {n: torch.from_numpy(published["x"][:, i : i + 1]) for i, n in enumerate(PAPER)}
    with torch.no_grad():
        tokens = encoder.module_.tokens(**signals)
        embedding = encoder.module_.embed(tokens)
        for i, name in enumerate(PAPER):
            logits = encoder.heads_[name](embedding[name])
            assert_allclose(tokens[name][:2], published["tokens"][:, i], rtol=0, atol=1e-5)
            assert_allclose(logits, published["logits"][:, i], rtol=0, atol=1e-5)


def test_the_parameters_are_as_many_as_published():
    network = make_network(token_size=1, d_model=128)
    assert count(network.tokenizers["bvp"].tcn) == 4864
    assert count(network) == 121_472
    assert count(network) + count(TransformRecognition().make_heads(network)) == 147_794


def test_tokens_come_per_modality_each_at_its_own_rate():
    channels, times = {"bvp": 1, "acc": 3}, {"bvp": 3840, "acc": 1920}
    network = make_network(channels, times, token_size={"bvp": 64, "acc": 40})
    tokens = network.tokens(**make_signals(channels, times))
    assert tokens["bvp"].shape == (3, 60, 64)
    assert tokens["acc"].shape == (3, 48, 64)


@pytest.mark.parametrize("n_times, n_tokens", [(40, 20), (60, 30), (240, 30), (250, 28)])
def test_a_window_has_at_most_thirty_tokens_by_default(n_times, n_tokens):
    tokens = make_network(n_times=n_times).tokens(**make_signals(n_times=n_times))
    assert tokens["eda"].shape[1] == n_tokens


def test_a_token_is_the_mean_of_its_samples():
    fine, coarse = make_network(token_size=1), make_network(token_size=7)
    x = make_signals()["eda"]
    y = torch.sigmoid(fine.tokenizers["eda"].tcn(x))
    parts = torch.stack([part.mean(-1) for part in y.split(7, dim=-1)], dim=1)
    tokenizer = coarse.tokenizers["eda"]
    expected = tokenizer.norm(tokenizer.project(parts) * 64**0.5)
    assert_allclose(tokenizer(x).detach(), expected.detach(), atol=1e-5)


def test_a_tcn_sees_the_past_only_and_as_far_as_its_receptive_field():
    network = make_network()
    tcn = network.tokenizers["eda"].tcn
    x = torch.zeros(1, 1, 100, requires_grad=True)
    tcn(x + torch.randn(1, 1, 100))[0, :, 60].sum().backward()
    reached = x.grad[0, 0].nonzero().ravel()
    assert network.receptive_field == 31
    assert reached.max() <= 60
    assert reached.min() >= 60 - 30


def test_token_sizes_go_by_name_not_by_order():
    network = MultimodalTransformer({"a": 1, "b": 1}, {"b": 60, "a": 300})
    assert network.tokenizers["a"].token_size == 10
    assert network.tokenizers["b"].token_size == 2
    with pytest.raises(ValueError, match="same modalities, got a and b"):
        MultimodalTransformer({"a": 1}, {"b": 60})


def test_the_embedding_joins_the_means_of_the_tokens():
    network, signals = make_network(), make_signals()
    parts = [tokens.mean(1) for tokens in network.tokens(**signals).values()]
    assert_allclose(network(**signals).detach(), torch.cat(parts, 1).detach())


def test_modalities_are_fused():
    network, signals = make_network(), make_signals()
    other = {**signals, "bvp": signals["bvp"] + 1}
    before, after = network.tokens(**signals)["eda"], network.tokens(**other)["eda"]
    assert (before - after).abs().max() > 1e-4


def test_it_can_be_pickled_and_copied():
    network, signals = make_network(), make_signals()
    for again in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert torch.equal(again(**signals), network(**signals))


def test_a_weight_normalised_convolution_starts_as_a_plain_one():
    torch.manual_seed(0)
    plain = torch.nn.Conv1d(2, 4, 3, padding=2)
    torch.manual_seed(0)
    ours = WeightNormConv1d(2, 4, 3, dilation=1)
    x = torch.randn(1, 2, 20)
    assert_allclose(ours(x).detach(), plain(x)[..., :-2].detach(), atol=1e-6)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.2, 0.6])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    x = fast_dropout(torch.ones(1001, 999), p, training=True)
    assert (x == 0).float().mean() == pytest.approx(p, abs=0.004)
    assert x.mean() == pytest.approx(1, abs=0.006)


def test_dropout_is_off_when_not_training():
    x = torch.randn(10)
    assert fast_dropout(x, 0.5, training=False) is x


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"n_times": 30}, "receptive field of 31 samples, got eda: 30"),
        ({"n_heads": 3}, "n_heads must divide d_model, got 3 and 64"),
        ({"token_size": 0}, "got eda: 0"),
        ({"token_size": {"eda": 4}}, "modalities eda, bvp, temp, got eda: 4"),
        ({"dropout": 1.0}, "dropout .* below 1, got 1.0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(kwargs, match):
    with pytest.raises(ValueError, match=match):
        make_network(**kwargs)


def test_attention_in_half_precision_is_the_same_to_its_precision():
    torch.manual_seed(0)
    layer, x = TransformerLayer(32, 4, 64, 0.0, 0.0), torch.randn(3, 50, 32)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(x)
    torch.testing.assert_close(rough.float(), layer(x), atol=0.05, rtol=0)
