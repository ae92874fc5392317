"""FeaturePrediction, RecordingContrast and Combined."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from physio_ssl import (
    ChannelStatistics,
    SignalDict,
    SSLEncoder,
    Windows,
    fit_resumable,
    load_encoder,
    save_encoder,
)
from physio_ssl.networks import ConvEncoder, ResNet1d
from physio_ssl.pretext import (
    Combined,
    FeaturePrediction,
    MaskedPrediction,
    RecordingContrast,
    StatisticsPrediction,
    check_pretext,
)
from physio_ssl.transforms import GaussianNoise

SMALL = {"module": ResNet1d, "module__widths": (8, 16), "random_state": 0, "batch_size": 8}


def make_windows(n_subjects=4, n_each=8, seed=0):
    """Return windows of waves whose frequency is that of the subject."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), n_each)
    times = np.arange(64) / 64
    phase = rng.uniform(0, 2 * np.pi, (len(subject), 1))
    waves = np.sin(2 * np.pi * (3 + 4 * subject[:, np.newaxis]) * times + phase)
    info = pd.DataFrame(
        {
            "subject": subject.astype(str),
            "onset": np.tile(np.arange(n_each) * 5.0, n_subjects),
        }
    )
    X = SignalDict(bvp=waves[:, np.newaxis] + 0.1 * rng.standard_normal((len(subject), 1, 64)))
    return Windows(X, info, duration=5)


def count_changes(X):
    """Return how often each wave crosses 0."""
    return (np.diff(np.sign(X["bvp"][:, 0]), axis=1) != 0).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "task",
    [
        FeaturePrediction(ChannelStatistics()),
        RecordingContrast(),
        RecordingContrast(negatives_within=True, max_distance=600),
        Combined([FeaturePrediction(ChannelStatistics()), RecordingContrast()], [1, 0.5]),
        Combined([MaskedPrediction(), StatisticsPrediction()]),
    ],
)
def test_tasks_keep_the_contract(task):
    check_pretext(task)
    if "Masked" not in repr(task):
        check_pretext(task, ConvEncoder({"ecg": 1}, {"ecg": 256}))


def test_targets_are_robustly_standardised_features_of_the_clean_windows():
    windows = make_windows()
    raw = count_changes(windows.X).astype(float)
    task = FeaturePrediction(FunctionTransformer(count_changes))
    targets = task.make_targets(windows.X)["features"]
    low, center, high = np.quantile(raw, [0.25, 0.5, 0.75])
    expected = ((raw - center) / ((high - low) / 1.349)).clip(-5, 5)
    np.testing.assert_allclose(targets, expected, rtol=1e-5)


def test_later_windows_are_scaled_as_the_first():
    first, later = make_windows(), make_windows(n_subjects=2)
    flatten = FunctionTransformer(lambda X: X["bvp"][:, 0])
    task = FeaturePrediction(make_pipeline(flatten, PCA(3, random_state=0)))
    before = task.make_targets(first.X)["features"]
    task.make_targets(later.X)
    np.testing.assert_array_equal(task.make_targets(first.X)["features"], before)


def test_missing_targets_are_left_out_of_the_loss():
    network = torch.nn.Linear(3, 2)
    embedding, target = torch.randn(4, 3), torch.randn(4, 2)
    task = FeaturePrediction(ChannelStatistics())
    holes = target.clone()
    holes[[0, 2], [1, 0]] = torch.nan
    known = holes.isfinite()
    loss, metrics = task.embedding_loss(network, embedding, holes)
    error = torch.nn.functional.smooth_l1_loss(network(embedding)[known], target[known])
    torch.testing.assert_close(loss, error)
    assert np.isfinite(metrics["error_features"])
    nothing, _ = task.embedding_loss(network, embedding, torch.full((4, 2), torch.nan))
    assert nothing == 0


def test_constant_and_missing_features_are_no_error():
    X = np.c_[np.ones(6), np.full(6, np.nan), np.arange(6)]
    task = FeaturePrediction(FunctionTransformer(lambda signals: X))
    targets = task.make_targets(SignalDict(bvp=np.zeros((6, 1, 4))))["features"]
    assert (targets[:, 0] == 0).all()
    assert np.isnan(targets[:, 1]).all()
    assert len(np.unique(targets[:, 2])) == 6


@pytest.mark.parametrize("features", [np.zeros((6, 0)), np.zeros(6), np.full((6, 1), np.nan)])
def test_features_must_be_a_table_with_some_values(features):
    task = FeaturePrediction(FunctionTransformer(lambda X: features))
    with pytest.raises(ValueError, match="transformer must give"):
        task.make_targets(SignalDict(bvp=np.zeros((6, 1, 4))))


def test_the_embedding_learns_the_features():
    windows, unseen = make_windows(n_each=16), make_windows(n_each=8, seed=1)
    task = FeaturePrediction(FunctionTransformer(count_changes), views=[GaussianNoise(10)])
    encoder = SSLEncoder(**SMALL, pretext=task, max_epochs=12, lr=5e-3).fit(windows.X)
    predict = Ridge().fit(encoder.transform(windows.X), count_changes(windows.X))
    errors = predict.predict(encoder.transform(unseen.X)) - count_changes(unseen.X).ravel()
    assert np.abs(errors).mean() < 0.2 * count_changes(unseen.X).std()


def test_an_encoder_can_be_the_teacher(tmp_path):
    windows = make_windows()
    teacher = SSLEncoder(**SMALL, pretext=StatisticsPrediction(), max_epochs=1).fit(windows.X)
    task = FeaturePrediction(FrozenEstimator(teacher))
    student = SSLEncoder(**SMALL, pretext=task, max_epochs=1).fit(windows.X)
    assert len(student.pretext_.center_) == 32
    with pytest.warns(UserWarning, match="teacher in FeaturePrediction, is left out"):
        save_encoder(student, tmp_path / "student.safetensors")
    loaded = load_encoder(tmp_path / "student.safetensors")
    np.testing.assert_array_equal(loaded.transform(windows.X), student.transform(windows.X))


def test_partners_are_of_the_same_recording_and_do_not_overlap():
    windows = make_windows()
    task = RecordingContrast(max_distance=10)
    targets = task.make_targets(windows.X, windows)
    rng = np.random.default_rng(0)
    rows = np.arange(len(windows))
    partners = {row: set() for row in rows}
    for _ in range(200):
        both = task.add_windows(rows, targets, rng)
        assert (both[: len(rows)] == rows).all()
        for row, partner in zip(rows, both[len(rows) :], strict=True):
            partners[row].add(partner)
    onset = windows.onset
    for row, found in partners.items():
        distance = np.abs(onset - onset[row])
        allowed = (windows.groups == windows.groups[row]) & (distance >= 5) & (distance <= 10)
        assert found == set(np.flatnonzero(allowed))


def test_other_windows_of_the_recording_are_negatives_only_on_request():
    # Two recordings; the embeddings of one recording are all alike.
    target = {
        "recording": torch.tensor([0, 0, 1, 0, 0, 1]),
        "onset": torch.tensor([0.0, 10, 0, 20, 30, 20]),
    }
    embedding = torch.tensor([[1.0, 0], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]])
    apart, _ = RecordingContrast().embedding_loss(torch.nn.Identity(), embedding, target)
    within = RecordingContrast(negatives_within=True)
    confused, _ = within.embedding_loss(torch.nn.Identity(), embedding, target)
    assert apart < 0.01  # nothing in the other recording is similar
    assert confused > 0.5  # each window finds three that look like its partner


def test_windows_without_partner_are_left_out_of_the_loss():
    target = {"recording": torch.tensor([0, 1, 0, 1]), "onset": torch.tensor([0.0, 5, 10, 5])}
    embedding = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    embedding[3] = embedding[1]
    loss, _ = RecordingContrast().embedding_loss(torch.nn.Identity(), embedding, target)
    x = torch.nn.functional.normalize(embedding, dim=1)
    similarity = x @ x.T / 0.1
    similarity.fill_diagonal_(-torch.inf)
    expected = torch.nn.functional.cross_entropy(similarity[[0, 2]], torch.tensor([2, 0]))
    torch.testing.assert_close(loss, expected)


def test_contrast_learns_to_find_partners():
    windows = make_windows(n_each=24)
    encoder = SSLEncoder(
        **{**SMALL, "batch_size": 16}, pretext=RecordingContrast(), max_epochs=12, lr=5e-3
    )
    losses = encoder.fit(windows.X, windows=windows).history_[:, "train_loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("task", "windows", "error"),
    [
        (RecordingContrast(), None, "needs fit"),
        (RecordingContrast(min_distance=2), make_windows(), "min_distance must be"),
        (RecordingContrast(), make_windows(n_subjects=1), "several recordings"),
        (RecordingContrast(temperature=0), make_windows(), "temperature must be"),
        (Combined([]), None, "at least one"),
        (Combined([StatisticsPrediction()], [1, 2]), None, "weights must hold"),
        (Combined([StatisticsPrediction()], [-1]), None, "weights must hold"),
    ],
)
def test_wrong_parameters_are_named(task, windows, error):
    X = make_windows().X if windows is None else windows.X
    with pytest.raises(ValueError, match=error):
        SSLEncoder(**SMALL, pretext=task, max_epochs=1).fit(X, windows=windows)


def test_tasks_on_the_embedding_share_one_pass():
    windows = make_windows()
    calls = []

    class Counting(ResNet1d):
        def tokens(self, **signals):
            calls.append(len(signals["bvp"]))
            return super().tokens(**signals)

    tasks = [FeaturePrediction(ChannelStatistics()), RecordingContrast()]
    settings = {**SMALL, "module": Counting, "batch_size": -1}
    encoder = SSLEncoder(**settings, pretext=Combined(tasks), max_epochs=1)
    encoder.fit(windows.X, windows=windows)
    assert calls == [2 * len(windows)]


def test_the_loss_is_the_weighted_sum():
    signals = {"ecg": torch.randn(4, 1, 256)}
    network = ResNet1d({"ecg": 1}, {"ecg": 256}, widths=(8, 16)).eval()
    tasks = [StatisticsPrediction(), MaskedPrediction()]
    task = Combined(tasks, [2, 0.5])
    heads = task.make_heads(network)
    inputs, parts = task.make_views(signals, np.random.default_rng(0))
    loss, _ = task.loss(network, heads, inputs, parts)
    rng, expected = np.random.default_rng(0), 0
    for one, head, weight in zip(tasks, heads, (2, 0.5), strict=True):
        expected = expected + weight * one.loss(network, head, *one.make_views(signals, rng))[0]
    torch.testing.assert_close(loss, expected)


def test_files_and_checkpoints_keep_what_a_task_has_learned(tmp_path):
    windows = make_windows()
    tasks = [FeaturePrediction(ChannelStatistics()), RecordingContrast()]
    encoder = SSLEncoder(**SMALL, pretext=Combined(tasks), max_epochs=2)
    encoder.fit(windows.X, windows=windows)
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    np.testing.assert_array_equal(loaded.transform(windows.X), encoder.transform(windows.X))
    assert loaded.pretext_.get_learned() == encoder.pretext_.get_learned()

    half = SSLEncoder(**SMALL, pretext=Combined(tasks), max_epochs=2)
    resumed = fit_resumable(half, windows.X, tmp_path, windows=windows)
    np.testing.assert_array_equal(resumed.transform(windows.X), encoder.transform(windows.X))
    again = SSLEncoder(**SMALL, pretext=Combined(tasks), max_epochs=2)
    again = fit_resumable(again, windows.X, tmp_path, windows=windows)
    np.testing.assert_array_equal(again.transform(windows.X), encoder.transform(windows.X))
    moved = replace(windows, info=windows.info.assign(onset=2 * windows.onset))
    with pytest.raises(ValueError, match="the same windows"):
        fit_resumable(again, windows.X, tmp_path, windows=moved)


def test_windows_name_the_subjects():
    windows = make_windows()
    encoder = SSLEncoder(**SMALL, pretext=RecordingContrast(), max_epochs=1)
    encoder.fit(windows.X, windows=windows)
    assert encoder.groups_seen_.tolist() == ["0", "1", "2", "3"]
