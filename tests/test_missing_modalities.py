"""modality_dropout: windows that lack modalities, from the network to the classifier."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import (
    HeadClassifier,
    SignalDict,
    SSLClassifier,
    SSLEncoder,
    load_encoder,
    save_encoder,
)
from physio_ssl.evaluation import reconstruct_masked
from physio_ssl.networks import ConvEncoder, MultimodalTransformer
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition, TransformRecognition
from physio_ssl.transforms import GaussianNoise, Negation

CHANNELS = {"bvp": 1, "eda": 1, "temp": 1}
TIMES = {"bvp": 160, "eda": 40, "temp": 40}
Y = np.tile(["rest", "stress"], 12)


def make_network(modality_dropout=0.5, **kwargs):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "dropout": 0.0, **kwargs}
    return MultimodalTransformer(CHANNELS, TIMES, modality_dropout=modality_dropout, **sizes)


def make_signals(n_windows=6):
    torch.manual_seed(1)
    return {name: torch.randn(n_windows, 1, n) for name, n in TIMES.items()}


def make_windows():
    """Windows in which stress is a higher amplitude of the pulse."""
    rng = np.random.default_rng(0)
    amplitude = np.where(Y == "stress", 60.0, 15.0)[:, None, None]
    return SignalDict(
        bvp=amplitude * rng.normal(size=(24, 1, 160)),
        eda=rng.normal(5, 1, size=(24, 1, 40)),
        temp=rng.normal(33, 2, size=(24, 1, 40)),
    )


def make_encoder(**kwargs):
    small = {"module__d_model": 16, "max_epochs": 2, "batch_size": 8, "random_state": 0}
    return SSLEncoder(**{**small, "module__modality_dropout": 0.4, **kwargs})


def without(X, *names):
    return {name: x for name, x in X.items() if name not in names}


def find_dropped(p, n_windows, names=tuple(CHANNELS)):
    """Return which modalities of each window a network without layers drops in training."""
    torch.manual_seed(0)
    sizes = {"n_layers": 0, "n_blocks": 1, "kernel_size": 1, "n_filters": 2, "d_model": 8}
    network = MultimodalTransformer(
        CHANNELS, dict.fromkeys(CHANNELS, 2), modality_dropout=p, **sizes
    )
    for token in network.missing.values():
        token.data.fill_(7.0)  # as no token of a signal is
    tokens = network.tokens(**{name: torch.randn(n_windows, 1, 2) for name in names})
    return torch.stack([(tokens[n] == network.missing[n]).all((1, 2)) for n in tokens], dim=1)


X = make_windows()


@pytest.fixture(scope="module")
def encoder():
    return make_encoder().fit(X)


# The network


def test_without_modality_dropout_the_network_is_as_it_was():
    plain, other = make_network(0.0).state_dict(), make_network(0.5).state_dict()
    added = {f"missing.{name}" for name in CHANNELS}
    assert other.keys() - plain.keys() == added
    assert not plain.keys() - other.keys()
    assert all(torch.equal(plain[name], other[name]) for name in plain)


def test_a_missing_signal_is_at_first_one_at_its_mean():
    network, signals = make_network(token_size=160, n_layers=0).eval(), make_signals()
    flat = network.tokens(**{**signals, "bvp": torch.zeros(6, 1, 160)})
    missing = network.tokens(**without(signals, "bvp"))
    assert_allclose(missing["bvp"].detach(), flat["bvp"].detach(), atol=1e-5)
    assert network.missing["bvp"].std().item() == pytest.approx(1, abs=0.1)  # as tokens of signals


def test_dropout_is_off_when_not_training():
    signals = make_signals()
    expected = make_network(0.0).eval()(**signals)
    assert torch.equal(make_network(0.9).eval()(**signals), expected)


def test_each_modality_is_dropped_with_the_probability_unless_all_were():
    for p in (0.2, 0.6):
        dropped = find_dropped(p, 20_000).float()
        # Of the windows that would lose all, one in three keeps this modality.
        assert_allclose(dropped.mean(dim=0), p - p**3 / 3, atol=0.012)
        two = (dropped.sum(dim=1) == 2).float().mean()
        assert_allclose(two, 3 * p**2 * (1 - p) + p**3, atol=0.012)


def test_a_window_never_loses_all_modalities():
    assert (find_dropped(0.99, 2000).sum(dim=1) <= 2).all()
    lacking_eda = find_dropped(0.99, 2000, ["bvp", "temp"])
    assert lacking_eda[:, 1].all()
    assert (lacking_eda.sum(dim=1) <= 2).all()  # of bvp and temp, one is kept
    assert not find_dropped(0.99, 2000, ["temp"])[:, 2].any()


def test_the_seed_of_torch_decides_what_is_dropped():
    network, signals = make_network(0.5), make_signals(50)
    embeddings = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        embeddings.append(network(**signals))
    assert torch.equal(embeddings[0], embeddings[1])
    assert not torch.allclose(embeddings[0], embeddings[2], atol=1e-3)


def test_what_is_dropped_in_training_is_what_is_missing_later():
    network, signals = make_network(0.5), make_signals()
    embedding = network.eval()(**without(signals, "temp"))
    dropped = torch.tensor([[False, False, True]])
    network._drop = lambda tokens: {
        name: torch.where(rows, network.missing[name], part)
        for (name, part), rows in zip(tokens.items(), dropped.T, strict=True)
    }
    assert_allclose(network.train()(**signals).detach(), embedding.detach(), atol=1e-6)


def test_a_missing_modality_has_as_many_tokens_as_it_would_have():
    for size, n_times in [(1, 40), (3, 40), (4, 40), (None, 61)]:
        sizes = {"bvp": 1, "eda": 1}, {"bvp": 40, "eda": n_times}
        network = MultimodalTransformer(*sizes, token_size=size, d_model=8, modality_dropout=0.1)
        signals = {"bvp": torch.randn(2, 1, 40), "eda": torch.randn(2, 1, n_times)}
        complete = network.tokens(**signals)["eda"]
        assert network.tokens(bvp=signals["bvp"])["eda"].shape == complete.shape


def test_the_part_of_what_is_missing_tells_of_the_others():
    network, signals = make_network().eval(), make_signals()
    loud = {**signals, "bvp": 5 * signals["bvp"]}
    hot = {**signals, "temp": 5 * signals["temp"]}
    part, of_loud, of_hot = (
        network(**without(given, "temp"))[:, 32:].detach() for given in (signals, loud, hot)
    )
    assert (part - of_loud).abs().mean() > 1e-3
    assert torch.equal(of_hot, part)


def test_gradients_reach_the_learned_tokens():
    for left_out in [(), ("temp",)]:
        network = make_network()
        torch.manual_seed(0)
        network(**without(make_signals(30), *left_out)).square().sum().backward()
        assert all(token.grad.abs().max() > 0 for token in network.missing.values())


def test_half_the_precision_is_that_of_the_learned_tokens_too():
    network, signals = make_network(dropout=0.1), make_signals()
    for given in (signals, without(signals, "eda")):
        with torch.autocast("cpu", torch.bfloat16):
            parts = network.tokens(**given).values()
        assert len({part.dtype for part in parts}) == 1
    half = make_network().bfloat16().eval()
    rough = half(bvp=signals["bvp"].bfloat16())
    exact = make_network().eval()(bvp=signals["bvp"])
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.1, rtol=0)


def test_the_order_of_names_does_not_matter():
    signals = {name: torch.randn(3, 1, 40) for name in ("temp", "bvp", "acc")}
    network = MultimodalTransformer(
        dict.fromkeys(signals, 1), dict.fromkeys(signals, 40), d_model=8, modality_dropout=0.5
    ).eval()
    assert list(network.tokens(acc=signals["acc"])) == ["temp", "bvp", "acc"]
    lacking = without(signals, "bvp")
    there, back = network(**lacking), network(**dict(reversed(lacking.items())))
    assert torch.equal(there, back)


def test_a_network_refuses_other_modalities():
    for p, names, match in [
        (0.0, ["bvp", "eda"], "temp .all, without modality_dropout., got bvp, eda"),
        (0.0, [], "got none"),
        (0.5, [], "bvp, eda, temp .* got none"),
        (0.5, ["bvp", "tmp"], "got bvp, tmp"),
        (0.5, ["ecg"], "got ecg"),
    ]:
        with pytest.raises(ValueError, match=match):
            make_network(p).tokens(**{name: torch.randn(2, 1, 160) for name in names})


def test_a_probability_is_refused_that_is_none():
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"modality_dropout .* got {p}"):
            make_network(p)


# The encoder


@pytest.mark.parametrize("left_out", [["bvp"], ["eda"], ["temp"], ["bvp", "temp"]])
def test_an_encoder_embeds_windows_that_lack_modalities(left_out, encoder):
    embedding = encoder.transform(SignalDict(without(X, *left_out)))
    assert embedding.shape == (24, 48)
    assert embedding.shape[1] == len(encoder.get_feature_names_out())
    for i, name in enumerate(TIMES):  # the part of what is missing is not a constant
        assert embedding[:, 16 * i : 16 * i + 16].std(axis=0).max() > 1e-4, name
    assert not np.allclose(embedding, encoder.transform(X), atol=1e-3)


def test_any_mapping_in_any_order_will_do(encoder):
    expected = encoder.transform(SignalDict(eda=X["eda"], temp=X["temp"]))
    assert_array_equal(encoder.transform({"temp": X["temp"], "eda": X["eda"]}), expected)
    assert list(encoder.check_windows({"temp": X["temp"], "eda": X["eda"]})) == ["eda", "temp"]


def test_windows_that_lack_modalities_are_embedded_one_by_one(encoder):
    lacking = SignalDict(without(X, "eda"))
    assert_array_equal(encoder.transform(lacking[5:6]), encoder.transform(lacking)[5:6])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "pretext",
    [
        TransformRecognition([GaussianNoise(), Negation()]),
        MultiTaskRecognition([GaussianNoise(), Negation()]),
        MaskedPrediction(mask_length=4),
    ],
)
def test_every_pretext_task_trains_the_learned_tokens(pretext, precision):
    settings = {"pretext": pretext, "precision": precision}
    first, last = (make_encoder(max_epochs=n, **settings).fit(X) for n in (0, 2))
    for name in X:
        moved = first.module_.network.missing[name] - last.module_.network.missing[name]
        assert moved.abs().max() > 1e-5
    assert np.isfinite(last.transform(SignalDict(without(X, "temp")))).all()


def test_training_repeats_itself_to_the_last_bit(encoder):
    again = make_encoder().fit(X)
    assert_array_equal(again.transform(X), encoder.transform(X))
    other = make_encoder(module__modality_dropout=0.1).fit(X)
    assert not np.allclose(other.transform(X), encoder.transform(X), atol=1e-4)


@pytest.mark.parametrize(
    "bad, match",
    [
        (without(X, "temp") | {"tmp": X["temp"]}, "got bvp, eda, tmp.$"),
        ({**X, "ecg": X["bvp"]}, "got bvp, eda, temp, ecg.$"),
        (X["bvp"], "got signal.$"),
        ({"bvp": X["eda"]}, r"\(1, 160\), .* got \(1, 40\)"),
        ({"eda": np.full((24, 1, 40), np.nan)}, "NaN"),
        ({}, "at least one modality"),
    ],
)
def test_other_windows_are_refused_as_ever(bad, match, encoder):
    with pytest.raises(ValueError, match=match):
        encoder.transform(bad)


def test_without_modality_dropout_the_error_tells_of_it():
    plain = make_encoder(module__modality_dropout=0.0).fit(X)
    with pytest.raises(ValueError, match="got eda: .*module__modality_dropout"):
        plain.transform({"eda": X["eda"]})
    # What counts is the network that was trained, not what the next one will be.
    plain.set_params(module__modality_dropout=0.5)
    with pytest.raises(ValueError, match="got eda"):
        plain.transform({"eda": X["eda"]})


def test_other_networks_need_all_modalities():
    settings = {"module__n_filters": (4, 8), "module__kernel_sizes": (2, 1), "max_epochs": 0}
    with pytest.raises(ValueError, match="fit, bvp, eda, temp, got eda"):
        SSLEncoder(ConvEncoder, **settings).fit(X).transform({"eda": X["eda"]})


@pytest.mark.parametrize("pretext", [TransformRecognition, MaskedPrediction(mask_length=4)])
def test_partial_fit_trains_on_with_fewer_modalities(pretext):
    encoder = make_encoder(pretext=pretext).fit(X)
    before = {name: p.clone() for name, p in encoder.module_.state_dict().items()}
    lacking = without(X, "temp")
    encoder.partial_fit(lacking)
    after = encoder.module_.state_dict()
    assert not torch.equal(after["network.missing.temp"], before["network.missing.temp"])
    kept = [name for name in before if name.startswith("network.tokenizers.temp")]
    moved = [name for name in before if name.startswith("network.tokenizers.eda")]
    assert all(torch.equal(after[name], before[name]) for name in kept)
    assert not any(torch.equal(after[name], before[name]) for name in moved)
    assert torch.equal(after["scaler.center_temp"], before["scaler.center_temp"])
    assert encoder.partial_fit(X).transform(X).shape == (24, 48)
    encoder.fit(lacking)  # starts anew, with the modalities it is given
    assert encoder.transform(lacking).shape == (24, 32)


def test_partial_fit_refuses_fewer_modalities_without_modality_dropout():
    plain = make_encoder(module__modality_dropout=0.0).fit(X)
    with pytest.raises(ValueError, match="module__modality_dropout"):
        plain.partial_fit(without(X, "temp"))


def test_a_saved_encoder_embeds_windows_that_lack_modalities(encoder, tmp_path):
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    for given in (X, SignalDict(without(X, "bvp"))):
        assert_array_equal(loaded.transform(given), encoder.transform(given))


def test_masked_samples_of_what_is_there_are_predicted():
    encoder = make_encoder(pretext=MaskedPrediction(mask_length=4)).fit(X)
    result = reconstruct_masked(encoder, without(X, "bvp"))
    assert list(result.predicted) == ["eda", "temp"]
    assert result.predicted["temp"].mean() == pytest.approx(33, abs=1.5)  # in the given unit


# The classifiers


def make_classifier(encoder, mode):
    settings = {"min_steps": 120, "lr": 5e-3, "random_state": 0}
    if mode == "frozen":
        return make_pipeline(FrozenEstimator(encoder), HeadClassifier(**settings))
    return SSLClassifier(FrozenEstimator(encoder), mode, **settings)


@pytest.mark.parametrize("mode", ["frozen", "fine_tuned", "supervised"])
def test_a_classifier_learns_from_windows_that_lack_a_modality(mode, encoder):
    lacking = SignalDict(without(X, "temp"))
    classifier = make_classifier(encoder, mode).fit(lacking, Y)
    assert classifier.score(lacking, Y) > 0.9


@pytest.mark.parametrize("mode", ["fine_tuned", "supervised"])
def test_training_the_network_teaches_the_head_to_do_without(mode, encoder):
    classifier = make_classifier(encoder, mode).fit(X, Y)
    for left_out in (["temp"], ["eda", "temp"], []):
        assert classifier.score(SignalDict(without(X, *left_out)), Y) > 0.9
    assert classifier.score(SignalDict(without(X, "bvp")), Y) < 0.8  # the pulse shows the stress
