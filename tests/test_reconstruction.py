"""reconstruct_masked: its errors are those of the masked samples."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.evaluation import reconstruct_masked
from physio_ssl.networks import ECGTransformer
from physio_ssl.pretext import MaskedPrediction

SMALL = {
    "module__d_model": 16,
    "module__n_filters": (4, 8),
    "module__kernel_sizes": (9, 5, 3),
    "module__dim_feedforward": 32,
}


def make_rhythm(n_windows=40, offset=0.0, scale=1.0):
    rng = np.random.default_rng(0)
    t = np.arange(80) + rng.uniform(0, 20, size=(n_windows, 1, 1))
    return offset + scale * np.sin(2 * np.pi * t / 20).astype(np.float32)


@pytest.fixture(scope="module")
def encoder():
    task = MaskedPrediction(mask_length=6)
    encoder = SSLEncoder(ECGTransformer, task, max_epochs=40, lr=5e-3, random_state=0, **SMALL)
    return encoder.fit(SignalDict(ecg=make_rhythm(offset=50, scale=3)))


def test_a_rhythm_is_filled_in_better_than_by_lines(encoder):
    result = reconstruct_masked(encoder, SignalDict(ecg=make_rhythm(offset=50, scale=3)))
    error = result.error["ecg"]
    mask = result.mask["ecg"]
    x = result.original["ecg"]
    assert error["network"] == pytest.approx(
        np.mean((x[mask].astype(float) - result.predicted["ecg"][mask]) ** 2), rel=1e-4
    )
    assert error["ratio"] == pytest.approx(error["network"] / error["interpolation"])
    assert error["ratio"] < 0.8
    assert result.predicted["ecg"].mean() == pytest.approx(50, abs=1)  # in the given unit
    assert f"{error['ratio']:.2f} times" in repr(result)


def test_lines_join_what_was_not_masked(encoder):
    X = np.tile(np.arange(80, dtype=np.float32), (10, 1, 1))
    result = reconstruct_masked(encoder, SignalDict(ecg=X))
    lines, mask = result.interpolated["ecg"], result.mask["ecg"]
    np.testing.assert_array_equal(lines[~mask], X[~mask])
    first, last = (~mask[:, 0]).argmax(1), 79 - (~mask[:, 0, ::-1]).argmax(1)
    for row in range(10):
        np.testing.assert_allclose(
            lines[row, 0], np.clip(np.arange(80), first[row], last[row]), atol=1e-3
        )


def test_masks_depend_on_the_seed(encoder):
    X = SignalDict(ecg=make_rhythm())
    one, same, other = (reconstruct_masked(encoder, X, seed).mask["ecg"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_frozen_encoder_will_do_and_is_left_as_it_was(encoder):
    X = SignalDict(ecg=make_rhythm())
    before = encoder.transform(X)
    reconstruct_masked(FrozenEstimator(encoder), X)
    np.testing.assert_array_equal(encoder.transform(X), before)


def test_other_encoders_are_refused():
    X = make_rhythm()
    with pytest.raises(NotFittedError):
        reconstruct_masked(SSLEncoder(ECGTransformer, MaskedPrediction()), X)
    with pytest.raises(TypeError, match="MaskedPrediction, got TransformRecognition"):
        reconstruct_masked(SSLEncoder(max_epochs=0).fit(X), X)


def test_a_fully_masked_window_is_compared_with_the_mean():
    X = SignalDict(ecg=make_rhythm(offset=33, scale=0.1))
    task = MaskedPrediction(0.9, mask_length=80)
    encoder = SSLEncoder(ECGTransformer, task, max_epochs=1, random_state=0, **SMALL).fit(X)
    result = reconstruct_masked(encoder, X)
    whole = result.mask["ecg"].all(axis=2)[:, 0]
    assert whole.any()
    np.testing.assert_allclose(result.interpolated["ecg"][whole], 33, atol=0.05)
