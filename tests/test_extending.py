"""The code that docs/extending.rst shows, run as it stands there."""

import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from physio_ssl import Recording, SSLEncoder, StageLabels, load_encoder, make_windows, save_encoder
from physio_ssl.networks import ConvEncoder, MultimodalTransformer, check_network
from physio_ssl.preprocessing import Preprocessor, Standardize
from physio_ssl.pretext import (
    MaskedPrediction,
    MultiTaskRecognition,
    StatisticsPrediction,
    TransformRecognition,
    check_pretext,
)

DOCS = Path(__file__).parents[1] / "docs"
RATES = {"bvp": 64, "eda": 4}


def load_page(name):
    """Import one file of the page, so that pickle finds its classes by name."""
    spec = importlib.util.spec_from_file_location(
        f"extending_{name}", DOCS / f"extending/{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network():
    return load_page("network").RecurrentEncoder


@pytest.fixture(scope="module")
def pretext():
    return load_page("pretext").SwapRecognition


@pytest.fixture(scope="module")
def step():
    return load_page("step").RunningMedian


@pytest.fixture
def X():
    """Twelve windows of two modalities, short enough for a recurrent network."""
    rng = np.random.default_rng(0)
    windows = {"bvp": rng.normal(size=(12, 1, 160)), "eda": rng.normal(size=(12, 2, 160))}
    return {name: x.astype(np.float32) for name, x in windows.items()}


@pytest.fixture
def make_encoder(network, pretext):
    def make(**settings):
        own = {"module": network, "pretext": pretext, "module__width": 8}
        return SSLEncoder(**{**own, "max_epochs": 2, "random_state": 0, **settings})

    return make


def test_the_page_shows_these_files():
    page = (DOCS / "extending.rst").read_text()
    files = sorted((DOCS / "extending").glob("*.py"))
    assert len(files) == 5
    for file in files:
        assert f".. literalinclude:: extending/{file.name}\n" in page
        assert len(file.read_text().splitlines()) <= 45


# A pretext task and a network


def test_network_and_task_keep_their_contracts(network, pretext):
    built = network({"bvp": 1, "eda": 2}, {"bvp": 160, "eda": 160})
    check_network(built)
    check_pretext(pretext(), built)


def test_the_encoder_trains(make_encoder, X):
    encoder = make_encoder().fit(X)
    untrained = make_encoder(max_epochs=0).fit(X)
    assert encoder.transform(X).shape == (12, 16)
    assert not np.allclose(encoder.transform(X), untrained.transform(X))
    assert all(0 <= value <= 1 for value in encoder.history_[:, "train_accuracy_eda"])


def test_the_network_learns_to_recognise_swaps(make_encoder):
    ramp = np.linspace(-1, 1, 40, dtype=np.float32)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(64, 1, 40)).astype(np.float32)
    encoder = make_encoder(max_epochs=20, lr=0.02).fit({"eda": ramp + noise})
    assert encoder.history_[-1, "train_accuracy_eda"] > 0.9


def test_a_clone_trains_to_the_same_embedding(make_encoder, X):
    encoder = make_encoder().fit(X)
    np.testing.assert_array_equal(clone(encoder).fit(X).transform(X), encoder.transform(X))


def test_the_encoder_pickles(make_encoder, X):
    encoder = make_encoder().fit(X)
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again.transform(X), encoder.transform(X))


def test_the_encoder_is_saved_and_loaded(make_encoder, network, pretext, X, tmp_path):
    encoder = make_encoder(pretext=pretext(swap_prob=0.3)).fit(X)
    save_encoder(encoder, tmp_path / "mine.safetensors")
    loaded = load_encoder(tmp_path / "mine.safetensors", classes=[network, pretext])
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    assert loaded.pretext_.swap_prob == 0.3
    assert loaded.partial_fit(X).transform(X).shape == (12, 16)


@pytest.mark.parametrize(
    "given, missing",
    [
        (["network"], "SwapRecognition"),
        (["pretext"], "RecurrentEncoder"),
        ([], "SwapRecognition|RecurrentEncoder"),
    ],
)
def test_a_file_does_not_import_classes_that_are_not_given(
    given, missing, make_encoder, X, tmp_path, request
):
    save_encoder(make_encoder(max_epochs=0).fit(X), tmp_path / "mine.safetensors")
    classes = [request.getfixturevalue(name) for name in given]
    with pytest.raises(ValueError, match=missing):
        load_encoder(tmp_path / "mine.safetensors", classes=classes)


@pytest.mark.parametrize(
    "task", [TransformRecognition, MaskedPrediction, MultiTaskRecognition, StatisticsPrediction]
)
def test_every_task_of_the_library_runs_on_the_network(task, make_encoder, X):
    encoder = make_encoder(pretext=task, max_epochs=1).fit(X)
    assert np.isfinite(encoder.history_[-1, "train_loss"])
    assert encoder.transform(X).shape == (12, 16)


@pytest.mark.parametrize(
    "module, settings",
    [
        (MultimodalTransformer, {"module__d_model": 8}),
        (ConvEncoder, {"module__n_filters": (4, 4, 4)}),
    ],
)
def test_the_task_runs_on_networks_of_the_library(module, settings, pretext, X):
    encoder = SSLEncoder(module, pretext, max_epochs=1, random_state=0, **settings).fit(X)
    assert np.isfinite(encoder.history_[-1, "train_loss"])


# A reader


@pytest.fixture
def lab(tmp_path):
    """Two subjects with a minute of two signals and two stages."""
    rng = np.random.default_rng(0)
    for subject in ("P01", "P02"):
        folder = tmp_path / subject
        folder.mkdir()
        for name, rate in RATES.items():
            np.savetxt(folder / f"{name}.csv", rng.normal(size=60 * rate))
        (folder / "stages.csv").write_text("onset,duration,description\n0,30,rest\n30,30,stress\n")
    return tmp_path


def test_the_reader_returns_recordings_with_stages(lab):
    recordings = load_page("reader").load_lab(lab)
    assert [recording.subject for recording in recordings] == ["P01", "P02"]
    assert all(recording.duration == 60 for recording in recordings)
    assert dict(recordings[0].sampling_rate) == RATES
    labels = StageLabels({"rest": 0, "stress": 1})
    windows = make_windows(recordings, duration=10, labels=labels)
    assert windows.y.tolist() == [0, 0, 0, 1, 1, 1] * 2


def test_the_reader_chooses_subjects_and_signals(lab):
    (recording,) = load_page("reader").load_lab(lab, subjects=["P02"], signals=["eda"], n_jobs=2)
    assert recording.subject == "P02"
    assert list(recording.signals) == ["eda"]
    expected = np.loadtxt(lab / "P02" / "eda.csv")
    np.testing.assert_array_equal(recording.signals["eda"][0, 0], expected)


@pytest.mark.parametrize("choice", [{"subjects": ["P03"]}, {"signals": ["ecg"]}])
def test_the_reader_refuses_what_is_not_there(lab, choice):
    with pytest.raises(ValueError, match="P03|ecg"):
        load_page("reader").load_lab(lab, **choice)


# A preprocessing step


@pytest.fixture
def recording():
    eda = np.sin(np.arange(240) / 40)
    eda[100] = 50  # a spike
    return Recording({"eda": eda}, {"eda": 4}, "S1")


@pytest.fixture
def preprocessor(step):
    return Preprocessor(
        {"eda": [step(0.5), Standardize()]}, output_sampling_rate={"eda": 4}, duration=30
    )


@pytest.mark.parametrize("shape", [(240,), (1, 1, 240), (3, 2, 240)])
def test_the_step_removes_a_spike_and_keeps_the_rest(step, shape):
    smooth = np.sin(np.arange(240) / 40)
    spiked = smooth.copy()
    spiked[100] = 50
    X = np.broadcast_to(spiked, shape).astype(np.float32)
    cleaned = step(0.5, sampling_rate=4).fit(X).transform(X)
    assert cleaned.shape == shape and cleaned.dtype == np.float32
    np.testing.assert_allclose(cleaned, np.broadcast_to(smooth, shape), atol=0.05)
    assert X.max() == 50  # the input is left alone


def test_the_step_refuses_a_negative_duration(step):
    with pytest.raises(ValueError, match="positive.*-1"):
        step(-1, sampling_rate=4).fit(np.zeros((1, 1, 8)))


def test_the_step_needs_no_fitted_attribute(step):
    X = np.zeros((1, 1, 8))
    check_is_fitted(step(0.5, sampling_rate=4))
    np.testing.assert_array_equal(make_pipeline(step(0.5, sampling_rate=4)).fit(X).transform(X), X)


def test_a_preprocessor_gives_the_step_the_sampling_rate(preprocessor, step, recording):
    explicit = clone(preprocessor).set_params(
        steps={"eda": [step(0.5, sampling_rate=4), Standardize()]}
    )
    result, expected = preprocessor.transform(recording), explicit.transform(recording)
    np.testing.assert_array_equal(result.signals["eda"], expected.signals["eda"])
    assert result.signals["eda"].max() < 3


def test_the_step_is_saved_with_an_encoder(preprocessor, step, recording, tmp_path):
    windows = preprocessor.make_windows(recording, step=5)
    encoder = SSLEncoder(
        max_epochs=0, preprocessor=preprocessor, random_state=0, module__d_model=8
    ).fit(windows.X)
    save_encoder(encoder, tmp_path / "mine.safetensors")
    loaded = load_encoder(tmp_path / "mine.safetensors", classes=[step])
    again = loaded.preprocessor_.make_windows(recording, step=5)
    np.testing.assert_array_equal(again.X["eda"], windows.X["eda"])
    np.testing.assert_array_equal(loaded.transform(again.X), encoder.transform(windows.X))


# Weights of others


class Published(nn.Module):
    """What others may have written: the same network, with convolutions in one dimension."""

    def __init__(self):
        super().__init__()
        sizes = [(1, 32, 32), (32, 32, 32), (32, 64, 16), (64, 64, 16), (64, 128, 8), (128, 128, 8)]
        for i, (n_in, n_out, kernel_size) in enumerate(sizes, start=1):
            setattr(self, f"conv{i}", nn.Conv1d(n_in, n_out, kernel_size))

    def forward(self, x):
        for i in range(1, 7):
            conv = getattr(self, f"conv{i}")
            (kernel_size,) = conv.kernel_size
            x = nn.functional.pad(x, ((kernel_size - 1) // 2, kernel_size // 2))
            x = nn.functional.leaky_relu(conv(x), 0.2)
            if i in (2, 4):
                x = nn.functional.max_pool1d(x, 8, 2)
        return x.amax(dim=-1)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a network of others and the file of its weights."""
    path = tmp_path_factory.mktemp("published") / "weights.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Published()
    torch.save(network.state_dict(), path)
    return network, path


def test_weights_of_others_give_the_embedding_of_their_own_code(published):
    network, path = published
    encoder = load_page("weights").load_convolutions(path, n_times=640)
    x = np.random.default_rng(0).normal(size=(3, 1, 640)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(encoder.transform({"ecg": x}), expected, atol=1e-5)


def test_an_encoder_with_weights_of_others_is_saved_and_loaded(published, tmp_path):
    encoder = load_page("weights").load_convolutions(published[1], n_times=640)
    save_encoder(encoder, tmp_path / "others.safetensors")
    x = {"ecg": np.random.default_rng(0).normal(size=(3, 1, 640)).astype(np.float32)}
    loaded = load_encoder(tmp_path / "others.safetensors")
    np.testing.assert_array_equal(loaded.transform(x), encoder.transform(x))


def test_a_file_that_lacks_a_weight_is_refused(published, tmp_path):
    state = torch.load(published[1], weights_only=True)
    del state["conv6.bias"]
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(KeyError, match=r"conv6\.bias"):
        load_page("weights").load_convolutions(tmp_path / "part.pt")


def test_a_weight_of_another_shape_is_refused(published, tmp_path):
    state = torch.load(published[1], weights_only=True)
    state["conv6.bias"] = state["conv6.bias"][1:]
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_page("weights").load_convolutions(tmp_path / "other.pt", n_times=640)
