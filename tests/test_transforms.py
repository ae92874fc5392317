"""Signal transforms: published values, naive references, NumPy and torch alike."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import CubicSpline
from scipy.signal import resample

from physio_ssl import transforms as tf

KINDS = [np.asarray, torch.as_tensor]


def cropped_time_warp(X, *, rng=None, **draws):
    return tf.time_warp(X, squeeze=1 / 1.05, rng=rng, **draws)


FUNCTIONS = [
    tf.gaussian_noise,
    tf.magnitude_warp,
    tf.permutation,
    tf.time_warp,
    tf.crop_resize,
    cropped_time_warp,
    tf.scaling,
    tf.negation,
    tf.time_reverse,
]
SHAPES = [(7, 1, 240), (3, 2, 101), (1, 1, 31)]


def make_windows(shape=(7, 1, 240), dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.fixture(scope="module")
def published(reference_folder):
    return np.load(reference_folder / "wer_ssl_transforms.npz")


@pytest.mark.parametrize("as_kind", KINDS)
@pytest.mark.parametrize(
    "function, name, draw, argument",
    [
        (tf.time_warp, "timewarp", "timewarp_stretched", "stretched"),
        (tf.permutation, "permutation", "permutation_order", "order"),
        (tf.crop_resize, "crop", "crop_piece", "piece"),
        (tf.magnitude_warp, "magwarp", "magwarp_anchors", "anchors"),
    ],
)
def test_published_draws_give_the_published_views(
    published, as_kind, function, name, draw, argument
):
    X = as_kind(published["x"][:, np.newaxis])
    view = function(X, **{argument: published[draw]})
    assert_allclose(np.asarray(view)[:, 0], published[name], rtol=0, atol=1e-6)


def test_noise_has_the_published_standard_deviation(published):
    X = published["x"][:, np.newaxis]
    added = tf.gaussian_noise(X, noise=np.ones(X.shape)) - X
    assert_allclose(added[:, 0, 0], published["noise_std"], atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_numpy_and_torch_agree(function, dtype, shape):
    X = make_windows(shape, dtype)
    on_numpy = function(X, rng=np.random.default_rng(1))
    on_torch = function(torch.from_numpy(X), rng=np.random.default_rng(1))
    assert isinstance(on_torch, torch.Tensor)
    assert_allclose(on_torch.numpy(), on_numpy, atol=2e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("as_kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_shape_dtype_and_input_are_kept(function, as_kind):
    for dtype in (np.float32, np.float64):
        X = as_kind(make_windows((4, 3, 57), dtype))
        view = function(X, rng=np.random.default_rng(0))
        assert tuple(view.shape) == (4, 3, 57)
        assert view.dtype == X.dtype
        assert_array_equal(np.asarray(X), make_windows((4, 3, 57), dtype))


@pytest.mark.parametrize(
    "function, draws",
    [
        (tf.magnitude_warp, {"anchors": np.random.default_rng(0).normal(1, 0.2, (3, 6))}),
        (tf.permutation, {"order": np.array([[1, 0, 2], [2, 1, 0], [0, 1, 2]])}),
        (tf.time_warp, {"stretched": np.array([[0, 1, 2, 3, 4]] * 3)}),
        (tf.crop_resize, {"piece": np.array([0, 3, 1])}),
        (
            cropped_time_warp,
            {"stretched": np.array([[0, 1, 2, 3, 4]] * 3), "start": np.array([0, 1, 3])},
        ),
    ],
)
def test_channels_of_a_window_share_its_draw(function, draws):
    X = make_windows((3, 1, 101))
    both = function(np.concatenate([X, 2 * X], axis=1), **draws)
    assert_allclose(both[:, 1], 2 * both[:, 0], atol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS[:6])
def test_windows_are_changed_independently(function):
    X = np.tile(make_windows((1, 1, 240)), (6, 1, 1))
    views = function(X, rng=np.random.default_rng(0))
    assert len(np.unique(views, axis=0)) > 2


@pytest.mark.parametrize("snr_db", [0, 15])
def test_noise_has_the_asked_ratio(snr_db):
    X = 3 * make_windows((200, 1, 400))
    noise = tf.gaussian_noise(X, snr_db, rng=np.random.default_rng(0)) - X
    assert 10 * np.log10(np.mean(X**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)


def test_magnitude_warp_is_the_cubic_spline_through_the_anchors():
    X = make_windows((5, 1, 97))
    anchors = np.random.default_rng(1).normal(1, 0.2, (5, 6))
    curves = [CubicSpline(np.linspace(0, 96, 6), row)(np.arange(97)) for row in anchors]
    warped = tf.magnitude_warp(X, anchors=anchors)
    assert_allclose(warped[:, 0], X[:, 0] * curves)


def test_a_magnitude_warp_has_its_knots_between_two_ends():
    X = make_windows((5, 1, 97))
    for n_knots in (0, 3):
        anchors = np.random.default_rng(1).normal(1, 0.3, (5, n_knots + 2))
        drawn = tf.magnitude_warp(X, n_knots, 0.3, rng=np.random.default_rng(1))
        assert_array_equal(drawn, tf.magnitude_warp(X, anchors=anchors))


def test_every_piece_may_be_kept():
    steps = np.tile(np.repeat(np.arange(4.0), 10), (200, 1, 1))  # constant in each piece
    kept = tf.crop_resize(steps, 4, rng=np.random.default_rng(0)).mean(axis=-1)
    assert_allclose(np.bincount(np.rint(kept.ravel()).astype(int)), 50, atol=20)


@pytest.mark.parametrize("n_pieces, n_times", [(10, 240), (7, 100), (100, 100), (1, 9)])
def test_permutation_shuffles_the_pieces_of_array_split(n_pieces, n_times):
    X = make_windows((6, 1, n_times))
    rng = np.random.default_rng(0)
    order = np.array([rng.permutation(n_pieces) for _ in X])
    views = tf.permutation(X, n_pieces, order=order)
    for window, row, view in zip(X[:, 0], order, views[:, 0], strict=True):
        pieces = np.array_split(window, n_pieces)
        assert_array_equal(view, np.concatenate([pieces[i] for i in row]))


def naive_time_warp(window, n_pieces, stretch, stretched):
    size = len(window) // n_pieces
    long = int(np.ceil(round(size * stretch, 9)))
    squeezed = [i for i in range(n_pieces) if i not in stretched]
    left = len(window) - len(stretched) * long
    lengths = np.full(n_pieces, left // len(squeezed))
    lengths[list(stretched)] = long
    lengths[squeezed[-1]] += left % len(squeezed)
    pieces = []
    for i, n in enumerate(lengths):
        piece = window[i * size : (i + 1) * size]
        at = np.clip((np.arange(n) + 0.5) * size / n - 0.5, 0, size - 1)
        pieces.append(np.interp(at, np.arange(size), piece))
    return np.concatenate(pieces)


@pytest.mark.parametrize(
    "n_pieces, n_times, stretch",
    [(9, 240, 1.05), (9, 9, 1.0), (4, 101, 1.5), (20, 640, 1.05)],
)
def test_time_warp_interpolates_each_piece(n_pieces, n_times, stretch):
    X = make_windows((8, 1, n_times))
    rng = np.random.default_rng(0)
    stretched = np.array([rng.permutation(n_pieces)[: -(-n_pieces // 2)] for _ in X])
    views = tf.time_warp(X, n_pieces, stretch, stretched=stretched)
    for window, row, view in zip(X[:, 0], stretched, views[:, 0], strict=True):
        assert_allclose(view, naive_time_warp(window, n_pieces, stretch, row), atol=1e-5)


def naive_cropped_time_warp(window, n_pieces, stretch, squeeze, stretched, start):
    size = len(window) // n_pieces
    pieces = []
    for i in range(n_pieces):
        piece = window[i * size : (i + 1) * size]
        n = int(np.ceil(round(size * (stretch if i in stretched else squeeze), 9)))
        at = np.clip((np.arange(n) + 0.5) * size / n - 0.5, 0, size - 1)
        pieces.append(np.interp(at, np.arange(size), piece))
    warped = np.concatenate([*pieces, window[n_pieces * size :]])
    return warped[start : start + len(window)], len(warped) - len(window)


@pytest.mark.parametrize("as_kind", KINDS)
@pytest.mark.parametrize(
    "n_pieces, n_times, stretch, squeeze, n_spare",
    [
        (9, 2560, 1.05, 1 / 1.05, 5 * 299 + 4 * 271 + 4 - 2560),
        (9, 188, 1.05, 1 / 1.05, 5 * 21 + 4 * 20 + 8 - 188),
        (4, 101, 1.5, 0.5, 2 * 38 + 2 * 13 + 1 - 101),
        (9, 9, 1.0, 1.0, 0),
    ],
)
def test_a_squeezed_time_warp_is_a_crop_of_the_longer_result(
    n_pieces, n_times, stretch, squeeze, n_spare, as_kind
):
    X = make_windows((8, 1, n_times))
    rng = np.random.default_rng(0)
    stretched = np.array([rng.permutation(n_pieces)[: -(-n_pieces // 2)] for _ in X])
    start = np.r_[0, n_spare, rng.integers(n_spare + 1, size=6)]
    views = tf.time_warp(as_kind(X), n_pieces, stretch, squeeze, stretched=stretched, start=start)
    views = np.asarray(views)[:, 0]
    for window, row, first, view in zip(X[:, 0], stretched, start, views, strict=True):
        expected = naive_cropped_time_warp(window, n_pieces, stretch, squeeze, row, first)
        assert_allclose(view, expected[0], atol=1e-4)
        assert expected[1] == n_spare


def test_a_squeezed_time_warp_begins_anywhere_in_the_spare():
    ramp = np.tile(np.arange(240.0), (4000, 1, 1))
    stretched = np.tile(np.arange(5), (4000, 1))
    warp = {"stretch": 1.2, "squeeze": 0.9, "stretched": stretched}
    every = [
        tf.time_warp(ramp[:1], **{**warp, "stretched": stretched[:1], "start": [i]})
        for i in range(23)
    ]
    views = tf.time_warp(ramp, **warp, rng=np.random.default_rng(0))
    counts = [(views == one).all(axis=(1, 2)).sum() for one in every]
    assert sum(counts) == 4000
    assert_allclose(counts, 4000 / 23, atol=45)


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"squeeze": 0.0}, "above 0 .* 0.0"),
        ({"squeeze": 1.05}, "at most 1.* 1.05"),
        ({"squeeze": 0.5}, "240 samples become 198"),
        ({"squeeze": 1.0, "start": [0, 17]}, "start .* 0 to 10, got 0 to 17"),
        ({"squeeze": 1.0, "start": [-1, 0]}, "start .* got -1 to 0"),
        ({"stretch": 2.5}, "5 of 9 pieces of 26 samples by 2.5"),
        ({"stretch": 0.9}, "stretch .* 0.9"),
    ],
)
def test_a_time_warp_that_does_not_fit_is_refused(kwargs, match):
    with pytest.raises(ValueError, match=match):
        tf.time_warp(make_windows((2, 1, 240)), **kwargs, rng=np.random.default_rng(0))


@given(n_pieces=st.integers(2, 12), piece=st.integers(2, 60), tail=st.integers(0, 11))
@settings(max_examples=50, deadline=None)
def test_a_time_warped_ramp_still_rises_within_its_pieces(n_pieces, piece, tail):
    n_times = n_pieces * piece + min(tail, n_pieces - 1)
    ramp = np.arange(n_times, dtype=float).reshape(1, 1, -1)
    view = tf.time_warp(ramp, n_pieces, 1.0, rng=np.random.default_rng(0))
    assert view.shape == ramp.shape
    assert (np.diff(view[0, 0]) >= 0).all()


@pytest.mark.parametrize("n_pieces, n_times", [(4, 240), (4, 101), (3, 10), (1, 50)])
def test_crop_resize_is_scipys_resampling_of_one_piece(n_pieces, n_times):
    X = make_windows((n_pieces, 2, n_times))
    size = -(-n_times // n_pieces)
    views = tf.crop_resize(X, n_pieces, piece=np.arange(n_pieces))
    for i, (window, view) in enumerate(zip(X, views, strict=True)):
        piece = window[:, i * size : (i + 1) * size]
        assert_allclose(view, resample(piece, n_times, axis=-1), atol=1e-12)


def test_scaling_negation_and_reversal_are_what_they_say():
    X = make_windows()
    assert_allclose(tf.scaling(X, 0.9), 0.9 * X)
    assert_array_equal(tf.negation(X), -X)
    assert_array_equal(tf.time_reverse(X), X[..., ::-1])


def test_every_class_of_draw_is_as_likely():
    X = np.tile(np.arange(40.0).repeat(6).reshape(1, 1, 240), (4000, 1, 1))
    crops = tf.crop_resize(X, rng=np.random.default_rng(0)).mean(axis=(1, 2))
    counts = np.unique(crops.round(), return_counts=True)[1]
    assert len(counts) == 4
    assert_allclose(counts / 4000, 0.25, atol=0.03)


RANDOM = [tf.GaussianNoise(), tf.MagnitudeWarp(), tf.Permutation(), tf.TimeWarp(), tf.CropResize()]


@pytest.mark.parametrize("transform", [*RANDOM, tf.TimeWarp(squeeze=0.97)])
def test_an_integer_seed_repeats_the_view(transform):
    X = make_windows()
    transform.set_params(random_state=3)
    assert_array_equal(transform.fit_transform(X), transform.transform(X))
    other = transform.set_params(random_state=4).transform(X)
    assert not np.array_equal(other, transform.set_params(random_state=3).transform(X))


def test_more_pieces_than_samples_are_refused():
    for function in (tf.permutation, tf.time_warp, tf.crop_resize):
        with pytest.raises(ValueError, match="11, .* 12"):
            function(make_windows((2, 1, 11)), 12, rng=np.random.default_rng(0))


def test_a_piece_outside_the_window_is_refused():
    for piece in ([4, 0], [-1, 0]):
        with pytest.raises(ValueError, match=f"piece .* 0 to 3, got {min(piece)}"):
            tf.crop_resize(make_windows((2, 1, 240)), piece=piece)
