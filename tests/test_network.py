"""Networks: the contract of TokenNetwork, and the published numbers of MultimodalTransformer."""

import copy
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from physio_ssl import SignalDict, load_wu2023
from physio_ssl.networks import (
    ConvEncoder,
    ECGTransformer,
    MultimodalTransformer,
    TokenNetwork,
    check_network,
)
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
        tokens = encoder.module_.network.tokens(**signals)
        embedding = encoder.module_.network.embed(tokens)
        for i, name in enumerate(PAPER):
            logits = encoder.module_.heads[name](embedding[name])
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


def test_a_window_has_at_most_thirty_tokens_by_default():
    for n_times, n_tokens in [(40, 20), (60, 30), (240, 30), (250, 28)]:
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


def test_the_last_step_of_a_tcn_is_a_relu():
    for block in make_network().tokenizers["eda"].tcn:
        x = torch.randn(2, block.conv1.weight_v.shape[1], 50)
        h = block.conv2(block.conv1(x).relu()).relu()
        assert_allclose(block(x).detach(), (h + block.residual(x)).relu().detach(), atol=1e-6)


def test_token_sizes_go_by_name_not_by_order():
    network = MultimodalTransformer({"a": 1, "b": 1}, {"b": 60, "a": 300})
    assert network.token_size == {"a": 10, "b": 2}


def test_modalities_are_fused():
    network, signals = make_network(), make_signals()
    other = {**signals, "bvp": signals["bvp"] + 1}
    before, after = network.tokens(**signals)["eda"], network.tokens(**other)["eda"]
    assert (before - after).abs().max() > 1e-4


def test_a_weight_normalised_convolution_starts_as_a_plain_one():
    torch.manual_seed(0)
    plain = torch.nn.Conv1d(2, 4, 3, padding=2)
    torch.manual_seed(0)
    ours = WeightNormConv1d(2, 4, 3, dilation=1)
    x = torch.randn(1, 2, 20)
    assert_allclose(ours(x).detach(), plain(x)[..., :-2].detach(), atol=1e-6)


def test_the_lengths_of_kernels_have_one_dimension():
    assert WeightNormConv1d(2, 4, 3, dilation=1).weight_g.shape == (4,)


def test_dropout_drops_its_fraction_and_keeps_the_mean():
    torch.manual_seed(0)
    for p in (0.0, 0.1, 0.2, 0.6):
        x = fast_dropout(torch.ones(1001, 999), p, training=True)
        assert (x == 0).float().mean() == pytest.approx(p, abs=0.004)
        assert x.mean() == pytest.approx(1, abs=0.006)


def test_dropout_is_off_when_not_training():
    x = torch.randn(10)
    assert fast_dropout(x, 0.5, training=False) is x


def test_sizes_that_do_not_fit_are_refused():
    for kwargs, match in [
        ({"n_times": 30}, "at least 31 samples, got .*'eda': 30"),
        ({"n_heads": 3}, "n_heads .* got 3 and 64"),
        ({"token_size": 0}, "token_size .* got 0"),
        ({"token_size": 1.5}, "token_size .* got 1.5"),
        *(
            ({name: size}, f"{name} must be .*positive integer, got {size}")
            for name in ("d_model", "n_heads", "n_layers", "n_filters", "kernel_size", "n_blocks")
            for size in (0, -1, 2.0)
            # tokens that do not attend, or samples without a TCN
            if (name, size) not in [("n_layers", 0), ("n_blocks", 0)]
        ),
        ({"token_size": {"eda": 4}}, "token_size .* got .*'eda': 4"),
        ({"dropout": 1.0}, "dropout .* got 1.0"),
        ({"norm": "group"}, "norm must be 'layer' or 'batch', got 'group'"),
    ]:
        with pytest.raises(ValueError, match=match):
            make_network(**kwargs)


def test_without_tcn_a_token_is_a_projection_of_its_own_samples():
    network = make_network(n_blocks=0, n_layers=0, token_size=6)
    assert network.receptive_field == 1
    x = make_signals()
    before = network.tokens(**x)["bvp"]
    x["bvp"][:, :, :6] = x["bvp"][:, :, :6].mean()
    after = network.tokens(**x)["bvp"]
    assert torch.equal(after[:, 1:], before[:, 1:])
    assert not torch.equal(after[:, 0], before[:, 0])


def test_batch_norm_is_over_all_tokens_of_a_batch():
    network = make_network(norm="batch", token_size=1, d_model=8, dropout=0.0).train()
    tokens = network.tokens(**make_signals(n_windows=40))  # more than fit in the cache
    x = torch.cat(list(tokens.values()), dim=1).flatten(0, 1)
    assert_allclose(x.mean(0).detach(), 0, atol=1e-5)
    assert_allclose(x.std(0, correction=0).detach(), 1, atol=1e-3)


def test_attention_in_half_precision_is_the_same_to_its_precision():
    torch.manual_seed(0)
    layer, x = TransformerLayer(32, 4, 64, 0.0, 0.0), torch.randn(3, 50, 32)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(x)
    torch.testing.assert_close(rough.float(), layer(x), atol=0.05, rtol=0)


# The contract


def make_networks():
    """Return every network, in settings that change what the contract is about."""
    two = {"bvp": 1, "acc": 3}, {"acc": 90, "bvp": 160}
    small = {"d_model": 8, "n_filters": (4,), "kernel_sizes": (5, 3), "dim_feedforward": 8}
    one = {"ecg": 2}, {"ecg": 100}
    return [
        MultimodalTransformer(*two, d_model=8),
        MultimodalTransformer(*two, d_model=8, modality_dropout=0.5, token_size=7),
        MultimodalTransformer(*two, d_model=8, norm="batch", n_blocks=0, token_size=7),
        ConvEncoder(*two, n_filters=(4, 8), kernel_sizes=(8, 4)),
        ConvEncoder(*one, n_filters=(4,), kernel_sizes=(8,)),
        *(ECGTransformer(*one, embedding=kind, **small) for kind in ("cls", "mean", "max", "last")),
        ECGTransformer(*one, patch_size=8, **small),
        Pieces(),
        WithBatchNorm(),
        Alike(),
    ]


class Alike(nn.Module):
    """A network that is no child of TokenNetwork but has its members."""

    n_channels, n_times = {"ecg": 1}, {"ecg": 16}
    token_width = embedding_size = {"ecg": 1}
    token_size, accepts_missing = None, False

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def tokens(self, ecg):
        return {"ecg": self.scale * ecg.transpose(1, 2)}

    def embed(self, tokens):
        return {"ecg": tokens["ecg"].amax(dim=1)}

    def forward(self, **signals):
        return self.embed(self.tokens(**signals))["ecg"]


class Pieces(TokenNetwork):
    """A network that keeps the contract: tokens of 8 samples each, and their means."""

    def __init__(self, **changes):
        super().__init__({"bvp": 1, "acc": 3}, {"acc": 32, "bvp": 64})
        self.token_width = {"bvp": 4, "acc": 6}
        self.token_size = {"bvp": 8, "acc": 8}
        self.layers = nn.ModuleDict(
            {
                name: nn.Conv1d(n, self.token_width[name], 8, 8)
                for name, n in self.n_channels.items()
            }
        )
        vars(self).update(changes)

    def tokens(self, **signals):
        return {name: self.layers[name](x).transpose(1, 2) for name, x in signals.items()}


class WithBatchNorm(Pieces):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def embed(self, tokens):
        parts = super().embed(tokens)
        return {**parts, "bvp": self.norm(parts["bvp"])}


class TokenWidthIsMissing(TokenNetwork):
    def __init__(self):
        super().__init__({"bvp": 1}, {"bvp": 64})

    def tokens(self, **signals):
        return signals


class TokensRaise(Pieces):
    def tokens(self, **signals):
        raise RuntimeError("no tokens today")


class TokensOfOneModality(Pieces):
    def tokens(self, **signals):
        return {"bvp": super().tokens(**signals)["bvp"]}


class TokensWithoutTime(Pieces):
    def tokens(self, **signals):
        return {name: part.mean(dim=1) for name, part in super().tokens(**signals).items()}


class TokensOfTensor(Pieces):
    def tokens(self, **signals):
        return super().tokens(**signals)["bvp"]


class EmbeddingAlongTime(Pieces):
    def embed(self, tokens):
        return {name: part.mean(dim=2) for name, part in tokens.items()}


class SizesInOtherOrder(Pieces):
    embedding_size = {"acc": 6, "bvp": 4}


class EmbeddingOfBatch(Pieces):
    def embed(self, tokens):
        return {name: part.mean(1) - part.mean((0, 1)) for name, part in tokens.items()}


class ForwardOfDict(Pieces):
    def forward(self, **signals):
        return self.embed(self.tokens(**signals))


class ForwardInOtherOrder(Pieces):
    def forward(self, **signals):
        return super().forward(**signals).roll(6, dims=1)


class ForwardSqueezes(Pieces):
    def forward(self, **signals):
        return super().forward(**signals).squeeze()


class RandomEmbedding(Pieces):
    def embed(self, tokens):
        return {name: nn.functional.dropout(x).mean(1) for name, x in tokens.items()}


class DividesByDeviation(Pieces):
    def tokens(self, **signals):
        return super().tokens(**{name: x / x.std(-1, keepdim=True) for name, x in signals.items()})


class ChangesWindows(Pieces):
    def tokens(self, **signals):
        return super().tokens(**{name: x.clamp_(-1, 1) for name, x in signals.items()})


class WithoutGradients(Pieces):
    @torch.no_grad()
    def tokens(self, **signals):
        return super().tokens(**signals)


class GradientsOfZero(Pieces):
    def embed(self, tokens):
        return {name: 0 * part for name, part in super().embed(tokens).items()}


class FailsInTraining(Pieces):
    def forward(self, **signals):
        if self.training:
            raise RuntimeError("not in training")
        return super().forward(**signals)


class RefusesCopies(Pieces):
    def __deepcopy__(self, memo):
        raise RuntimeError("one is enough")


class CopiesAreNew(Pieces):
    def __deepcopy__(self, memo):
        return type(self)()


def test_every_network_keeps_the_contract():
    for network in make_networks():
        check_network(network)


def test_the_check_leaves_network_and_random_state_alone():
    network = WithBatchNorm()
    network.layers.eval()
    weights, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    check_network(network)
    assert network.training and not network.layers.training
    assert all(torch.equal(x, weights[name]) for name, x in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_all_that_is_missing_is_listed_at_once():
    names = "n_channels, n_times, token_width, embedding_size, token_size, accepts_missing, "
    with pytest.raises(ValueError, match=f"lacks {names}tokens, embed, forward$"):
        check_network(nn.Module())


def test_several_defects_are_listed_at_once():
    sizes = {"bvp": 4, "acc": 8}
    with pytest.raises(ValueError) as error:
        check_network(DividesByDeviation(token_size=sizes, extra=lambda x: x))
    for text in ("pickled", "token_size 4 of bvp", "NaN .* bvp, acc"):
        assert re.search(text, str(error.value))


def test_a_child_must_define_tokens():
    with pytest.raises(TypeError, match="abstract .* tokens"):
        TokenNetwork({"bvp": 1}, {"bvp": 64})


def test_each_defect_is_named():
    for network, match in [
        (TokenWidthIsMissing(), "lacks token_width$"),
        (Pieces(n_channels={"bvp": 1, "acc": 0}), "n_channels .* positive .*'acc': 0"),
        (Pieces(n_times={"bvp": 64}), "n_times must map .*'bvp': 64"),
        (Pieces(token_width={"bvp": 5, "acc": 6}), r"tokens .*'bvp': 5.* got bvp: \(3, 8, 4\)"),
        (Pieces(token_width=4), "token_width .* got 4"),
        (Pieces(token_size={"bvp": 4, "acc": 8}), "token_size 4 of bvp .* 16 tokens, got 8"),
        (Pieces(token_size=8), "token_size .* got 8"),
        (TokensRaise(), "tokens fails: RuntimeError: no tokens today"),
        (TokensOfOneModality(), r"tokens must .* got bvp: \(3, 8, 4\)$"),
        (TokensWithoutTime(), r"tokens must .* n_tokens, width\).* got .*acc: \(3, 6\)"),
        (TokensOfTensor(), r"tokens must .* got \(3, 8, 4\)"),
        (EmbeddingAlongTime(), r"embed must .* \(3, size\).* got bvp: \(3, 8\)"),
        (SizesInOtherOrder(), "embedding_size .* order of n_channels"),
        (EmbeddingOfBatch(), "influence each other"),
        (ForwardOfDict(), r"forward must .* \(3, 10\), got bvp"),
        (ForwardInOtherOrder(), "forward must join .* order of n_channels"),
        (ForwardSqueezes(), "influence each other"),
        (RandomEmbedding(), "same windows"),
        (DividesByDeviation(), "NaN"),
        (ChangesWindows(), "in place"),
        (WithoutGradients(), "gradient fails: .* does not require grad"),
        (GradientsOfZero(), "no gradient .* reaches the network"),
        (FailsInTraining(), "training mode fails: RuntimeError: not in training"),
        (RefusesCopies(), "deepcopy fails: RuntimeError: one is enough"),
        (CopiesAreNew(), "copy must give the same embedding"),
        (Pieces(extra=lambda x: x), "cannot be pickled"),
        (Pieces(accepts_missing=True), "without bvp, although accepts_missing .* fails: KeyError"),
    ]:
        with pytest.raises(ValueError, match=match):
            check_network(network)


def test_a_class_is_no_network():
    with pytest.raises(TypeError, match="instance .* got <class .*Pieces"):
        check_network(Pieces)


def test_networks_refuse_lengths_of_other_modalities():
    for network in (MultimodalTransformer, ConvEncoder, ECGTransformer):
        with pytest.raises(ValueError, match="same modalities, got a and b"):
            network({"a": 1}, {"b": 60})
