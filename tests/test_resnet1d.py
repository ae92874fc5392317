"""ResNet1d, and the random views that suit it."""

import numpy as np
import pytest
import torch

from physio_ssl.networks import ResNet1d, check_network
from physio_ssl.transforms import (
    CircularShift,
    Negation,
    RandomApply,
    RandomScaling,
    TimeMask,
    circular_shift,
    random_scaling,
    time_mask,
)


@pytest.mark.parametrize("modality_dropout", [0.0, 0.3])
def test_network_keeps_the_contract(modality_dropout):
    shapes = {"ecg": 1, "eda": 2}, {"ecg": 1280, "eda": 9}
    check_network(ResNet1d(*shapes, widths=(8, 8, 16), modality_dropout=modality_dropout))


def test_slow_modalities_are_not_shortened_to_nothing():
    network = ResNet1d({"ecg": 1, "eda": 1}, {"ecg": 1280, "eda": 20}, widths=(4,) * 5)
    assert network.token_size == {"ecg": 64, "eda": 4}
    tokens = network.tokens(ecg=torch.zeros(2, 1, 1280), eda=torch.zeros(2, 1, 20))
    assert tokens["ecg"].shape == (2, 20, 4)
    assert tokens["eda"].shape == (2, 5, 4)


def test_embedding_is_mean_and_deviation_over_time():
    network = ResNet1d({"ecg": 1}, {"ecg": 64}, widths=(4,)).eval()
    tokens = network.tokens(ecg=torch.randn(3, 1, 64))["ecg"]
    embedding = network.embed({"ecg": tokens})["ecg"]
    torch.testing.assert_close(embedding[:, :4], tokens.mean(dim=1))
    torch.testing.assert_close(
        embedding[:, 4:], tokens.std(dim=1, correction=0), atol=4e-3, rtol=1e-3
    )


def test_slope_and_curvature_are_those_of_a_fitted_line_and_parabola():
    pooling = ("slope", "mean", "curvature")
    network = ResNet1d({"ecg": 1}, {"ecg": 64}, widths=(4,), pooling=pooling).eval()
    check_network(network)
    tokens = torch.randn(3, 21, 4)
    slope, mean, curvature = network.embed({"ecg": tokens})["ecg"].split(4, dim=1)
    time = np.linspace(-1, 1, 21)
    for window in range(3):
        fit = np.polynomial.legendre.legfit(time, tokens[window].numpy(), 1)
        np.testing.assert_allclose(slope[window], fit[1], atol=1e-5)
        line = np.polynomial.polynomial.polyfit(time**2, tokens[window].numpy(), 1)
        np.testing.assert_allclose(curvature[window], line[1], atol=1e-5)
    torch.testing.assert_close(mean, tokens.mean(dim=1))


def test_standardised_windows_have_no_level_and_no_gain():
    network = ResNet1d({"ecg": 2}, {"ecg": 64}, widths=(4,), standardize_windows=True).eval()
    check_network(network)
    x = torch.randn(3, 2, 64)
    moved = x * torch.tensor([2.0, 50.0])[:, None] + torch.tensor([-7.0, 300.0])[:, None]
    torch.testing.assert_close(network(ecg=moved), network(ecg=x), rtol=1e-3, atol=1e-3)
    flat = network(ecg=torch.full((1, 2, 64), 33.3))
    torch.testing.assert_close(flat, network(ecg=torch.zeros(1, 2, 64)))


def test_missing_modalities_are_zeros_and_dropped_ones_too():
    network = ResNet1d({"a": 1, "b": 1}, {"a": 32, "b": 32}, widths=(4,), modality_dropout=0.5)
    signals = {"a": torch.randn(400, 1, 32), "b": torch.randn(400, 1, 32)}
    torch.manual_seed(0)
    dropped = (network(**signals).unflatten(1, (2, 8)) == 0).all(dim=2)  # (windows, modalities)
    assert not dropped.all(dim=1).any()  # one is always kept
    assert dropped.any(dim=1).float().mean().item() == pytest.approx(0.75, abs=0.08)
    alone = network.eval()(a=signals["a"])
    assert (alone[:, 8:] == 0).all()
    torch.testing.assert_close(alone[:, :8], network(**signals)[:, :8])


@pytest.mark.parametrize(
    "params",
    [
        {"widths": ()},
        {"widths": (8, 0)},
        {"kernel_size": 8},
        {"stem_kernel_size": 0},
        {"modality_dropout": 1},
        {"pooling": ()},
        {"pooling": ("mean", "max")},
        {"pooling": ("mean", "mean")},
    ],
)
def test_wrong_sizes_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        ResNet1d({"ecg": 1}, {"ecg": 64}, **params)


WINDOWS = np.random.default_rng(0).standard_normal((200, 2, 40))


def test_random_scaling_multiplies_each_window_by_its_factor():
    changed = RandomScaling(0.3, random_state=0).fit_transform(WINDOWS)
    factors = changed / WINDOWS
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], factors.shape))
    assert np.log(factors[:, 0, 0]).std() == pytest.approx(0.3, rel=0.2)
    np.testing.assert_allclose(random_scaling(WINDOWS[:2], factor=[2, 3])[1], 3 * WINDOWS[1])


def test_circular_shift_rolls_all_channels_alike():
    changed = circular_shift(WINDOWS[:2], shift=[3, 0])
    np.testing.assert_array_equal(changed[0], np.roll(WINDOWS[0], 3, axis=-1))
    np.testing.assert_array_equal(changed[1], WINDOWS[1])
    few = CircularShift(0.05, random_state=0).fit_transform(WINDOWS)
    rolled = [
        [np.array_equal(np.roll(x, k, -1), y) for k in range(3)]
        for x, y in zip(WINDOWS, few, strict=True)
    ]
    assert np.any(rolled, axis=1).all()
    assert np.any(rolled, axis=0).all()


def test_time_mask_zeros_one_span():
    changed = time_mask(WINDOWS[:1], start=[5], length=[10])
    assert (changed[0, :, 5:15] == 0).all()
    np.testing.assert_array_equal(
        np.delete(changed[0], slice(5, 15), 1), np.delete(WINDOWS[0], slice(5, 15), 1)
    )
    masked = TimeMask(0.25, random_state=0).fit_transform(WINDOWS) == 0
    assert (masked[:, 0] == masked[:, 1]).all()
    lengths = masked[:, 0].sum(axis=1)
    assert set(lengths) == set(range(11))
    assert (np.diff(masked[:, 0], axis=1).sum(axis=1) <= 2).all()


def test_random_apply_changes_a_fraction_of_the_windows():
    changed = RandomApply(Negation(), 0.3, random_state=0).fit_transform(WINDOWS)
    negated = (changed == -WINDOWS).all(axis=(1, 2))
    np.testing.assert_array_equal(changed[~negated], WINDOWS[~negated])
    assert negated.mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (CircularShift(1.5), "max_fraction"),
        (TimeMask(-1), "max_fraction"),
        (RandomApply(Negation(), 2), "probability"),
    ],
)
def test_wrong_parameters_are_named(transform, name):
    with pytest.raises(ValueError, match=name):
        transform.fit_transform(WINDOWS)


def test_tensors_are_changed_like_arrays():
    views = [RandomScaling(), CircularShift(), TimeMask(), RandomApply(Negation())]
    for view in views:
        expected = view(WINDOWS, rng=np.random.default_rng(0))
        found = view(torch.as_tensor(WINDOWS), rng=np.random.default_rng(0))
        np.testing.assert_allclose(found.numpy(), expected)
