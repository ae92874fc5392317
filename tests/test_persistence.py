"""Encoders in files: the same after saving and loading, and no code of a file is run."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit

from physio_ssl import (
    Recording,
    SignalDict,
    SSLEncoder,
    load_encoder,
    load_wu2023,
    save_encoder,
)
from physio_ssl.evaluation import reconstruct_masked
from physio_ssl.networks import ConvEncoder, ECGTransformer, MultimodalTransformer
from physio_ssl.persistence import encoder_file
from physio_ssl.preprocessing import Clip, Preprocessor, Resample, Standardize
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition, TransformRecognition
from physio_ssl.published import wu2023
from physio_ssl.transforms import GaussianNoise, Negation, Permutation, TimeWarp

SMALL = {"max_epochs": 2, "module__d_model": 8, "random_state": 0}
RECOGNITION = TransformRecognition([GaussianNoise(10.0), Permutation(n_pieces=3)], head_size=8)
GROUPS = np.repeat(["S2", "S3", "S4"], 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "encoder.safetensors"


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return SignalDict(
        temp=rng.normal(33, 1, size=(12, 1, 40)),
        acc=rng.normal(size=(12, 3, 64)) * [[[1], [2], [3]]],
    )


@pytest.fixture
def saved(X, path):
    """The file of a small encoder that was fitted."""
    save_encoder(SSLEncoder(**SMALL).fit(X, groups=GROUPS), path)
    return path


@pytest.fixture
def preprocessor():
    """What would make X of recordings."""
    return Preprocessor(
        {"temp": [Clip(-np.inf, 40.0)], "acc": [Resample(64, 32), Standardize()]},
        input_sampling_rate={"temp": 20, "acc": 64},
        output_sampling_rate={"temp": 20, "acc": 32.0},
        duration=2,
    )


@pytest.fixture
def shipped(saved, monkeypatch):
    """The folder of encoders that come with the package, with a small one."""
    folder = saved.parent / "weights"
    folder.mkdir()
    monkeypatch.setattr(encoder_file, "_WEIGHTS", folder)
    save_encoder(load_encoder(saved), folder / "small-1.0.safetensors")
    (folder / "README.md").write_text("no encoder")
    return folder


def rewrite(path, change=None, **tensors):
    """Write a file anew, with its settings changed and some tensors replaced or left out."""
    with safe_open(path, framework="pt") as file:
        content = json.loads(file.metadata()["physio_ssl"])
        found = {name: file.get_tensor(name) for name in file.keys()} | tensors
    if change is not None:
        change(content)
    found = {name: tensor for name, tensor in found.items() if tensor is not None}
    safetensors.torch.save_file(found, path, {"physio_ssl": json.dumps(content)})


def save_and_load(encoder, path):
    save_encoder(encoder, path)
    return load_encoder(path)


@pytest.mark.parametrize(
    "settings",
    [
        {"standardize": False, "max_epochs": 0},
        {"pretext": RECOGNITION},
        {"pretext": RECOGNITION, "pretext__n_views": 1},
        {"pretext__transforms": [Negation()]},
        {"module__token_size": {"temp": 5, "acc": 16}, "module__n_layers": np.int64(2)},
        {"optimizer__betas": (0.8, 0.99), "lr": np.float64(1e-2), "batch_size": -1},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "callbacks__lr_schedule": None},
    ],
)
def test_a_loaded_encoder_is_the_saved_one(settings, X, path):
    encoder = SSLEncoder(**{**SMALL, **settings}).fit(X)
    loaded = save_and_load(encoder, path)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    for metric in ("train_loss", "train_accuracy_acc") if encoder.max_epochs else ():
        assert loaded.history_[:, metric] == encoder.history_[:, metric]
    assert len(loaded.history_) == encoder.max_epochs
    assert list(loaded.get_feature_names_out()) == list(encoder.get_feature_names_out())
    new, first = clone(loaded).fit(X), clone(encoder).fit(X)
    np.testing.assert_array_equal(new.transform(X), first.transform(X))
    ours, theirs = (net.get_params(deep=False) for net in (loaded, encoder))
    assert {name: str(value) for name, value in ours.items()} == {
        name: str(value) for name, value in theirs.items()
    }


@pytest.mark.parametrize(
    "pretext",
    [
        MultiTaskRecognition,
        MultiTaskRecognition(
            [GaussianNoise(10.0), TimeWarp(n_pieces=4, stretch=1.2, squeeze=1 / 1.2)],
            n_views=2,
            task_weights=(0.5, 0.2, 0.3),
            l2=1e-3,
        ),
    ],
)
def test_a_convolutional_encoder_of_many_tasks_is_loaded(pretext, X, path):
    encoder = SSLEncoder(
        ConvEncoder,
        pretext,
        module__n_filters=(4, 8),
        module__kernel_sizes=[6, 3],
        module__pool_size=4,
        max_epochs=2,
        random_state=0,
    ).fit(X)
    loaded = save_and_load(encoder, path)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    for name, weight in encoder.module_.state_dict().items():
        assert torch.equal(loaded.module_.state_dict()[name], weight)
    assert str(loaded.pretext) == str(encoder.pretext)
    assert str(loaded.pretext_.transforms) == str(encoder.pretext_.transforms)
    new, first = clone(loaded).fit(X), clone(encoder).fit(X)
    np.testing.assert_array_equal(new.transform(X), first.transform(X))
    assert new.history_[:, "train_loss"] == first.history_[:, "train_loss"]


def test_a_masked_encoder_is_loaded_with_how_it_fills_gaps(X, path):
    encoder = SSLEncoder(
        ECGTransformer,
        MaskedPrediction(mask_length=5),
        module__patch_size=4,
        module__d_model=8,
        module__n_filters=(4, 8),
        module__embedding="max",
        callbacks__lr_schedule__warmup=0.5,
        max_epochs=2,
        random_state=0,
    ).fit(X["temp"])
    loaded = save_and_load(encoder, path)
    np.testing.assert_array_equal(loaded.transform(X["temp"]), encoder.transform(X["temp"]))
    ours, theirs = (reconstruct_masked(some, X["temp"]).predicted for some in (loaded, encoder))
    np.testing.assert_array_equal(ours["signal"], theirs["signal"])
    new = clone(loaded).fit(X["temp"])
    np.testing.assert_array_equal(new.transform(X["temp"]), encoder.transform(X["temp"]))


@pytest.mark.parametrize("shape", [(12, 40), (12, 2, 40)])
def test_an_encoder_of_one_array_is_loaded(shape, path):
    X = np.random.default_rng(0).normal(size=shape)
    encoder = SSLEncoder(**SMALL).fit(X)
    loaded = save_and_load(encoder, path)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    assert getattr(loaded, "n_features_in_", None) == getattr(encoder, "n_features_in_", None)


def test_a_frozen_encoder_is_loaded_and_used_by_folds(X, path):
    encoder = SSLEncoder(**SMALL).fit(X)
    frozen = FrozenEstimator(save_and_load(FrozenEstimator(encoder), path))
    y = np.tile([0, 1], 6)
    scores = [
        cross_val_score(make_pipeline(step, LogisticRegression()), X, y, cv=3)
        for step in (frozen, FrozenEstimator(encoder))
    ]
    np.testing.assert_array_equal(*scores)


def test_a_loaded_encoder_asks_for_windows_like_those_of_fit(X, saved):
    with pytest.raises(ValueError, match=r"'temp' must have shape .* \(1, 40\)"):
        load_encoder(saved).transform(SignalDict(temp=X["temp"][..., :39], acc=X["acc"]))


@pytest.mark.parametrize(
    "groups", [GROUPS, np.repeat([2, 3, 4], 4), np.repeat([1, np.inf], 6), None]
)
def test_a_loaded_encoder_remembers_the_subjects(groups, X, path):
    encoder = SSLEncoder(**SMALL).fit(X, groups=groups)
    np.testing.assert_equal(save_and_load(encoder, path).groups_seen_, encoder.groups_seen_)


def test_a_loaded_encoder_can_be_pickled_and_trained_on(X, saved):
    encoder = load_encoder(saved)
    again = pickle.loads(pickle.dumps(encoder))
    before = encoder.transform(X)
    np.testing.assert_array_equal(again.transform(X), before)
    assert len(encoder.partial_fit(X).history_) == 4
    assert not np.array_equal(encoder.transform(X), before)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_loaded_encoder_has_its_preparation(when, preprocessor, X, path):
    encoder = SSLEncoder(**SMALL, preprocessor=preprocessor if when == "before" else None).fit(X)
    if when == "after":
        encoder.preprocessor_ = preprocessor
    loaded = save_and_load(encoder, path)
    assert repr(loaded.preprocessor_) == repr(loaded.preprocessor) == repr(preprocessor)
    noise = np.random.default_rng(1).normal(37, 3, size=6400)
    rates = {"temp": 20, "acc": 100}
    recording = Recording({"temp": noise[:1280], "acc": np.stack([noise] * 3)}, rates, "S1")
    made = loaded.preprocessor_.make_windows(recording).X
    assert made == preprocessor.make_windows(recording).X
    assert loaded.transform(made).shape == (32, 16)
    assert save_and_load(loaded, path).preprocessor_.steps["temp"][0].low == -np.inf


def test_an_encoder_of_the_package_is_loaded_by_name(X, shipped, monkeypatch):
    monkeypatch.chdir(shipped.parent)  # names are no paths
    expected = load_encoder(shipped / "small-1.0.safetensors")
    assert expected.preprocessor_ is None
    for name in ("small-1.0", Path("small-1.0")):
        np.testing.assert_array_equal(load_encoder(name).transform(X), expected.transform(X))


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(shipped, monkeypatch):
    monkeypatch.chdir(shipped.parent)
    for name in ("large", "../encoder", "README", "weights/small-1.0", ""):
        with pytest.raises(FileNotFoundError, match=rf"at {name}: .* small-1\.0"):
            load_encoder(name)


def test_the_encoders_of_the_package_can_be_loaded():
    for file in encoder_file._WEIGHTS.glob("*.safetensors"):
        encoder = load_encoder(file.stem)
        assert encoder.preprocessor_.duration > 0
        assert file.with_suffix(".md").is_file()


def test_loading_draws_no_random_number(X, path):
    save_encoder(SSLEncoder(**{**SMALL, "random_state": None}).fit(X), path)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert load_encoder(path).random_state is None
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_file_that_exists_is_replaced_whole_or_not_at_all(X, saved, monkeypatch):
    before = saved.read_bytes()
    encoder = load_encoder(saved).partial_fit(X)

    def fail(file):
        raise OSError("disk full")

    monkeypatch.setattr("physio_ssl._files.flush", fail)
    with pytest.raises(OSError, match="disk full"):
        save_encoder(encoder, saved)
    assert list(saved.parent.iterdir()) == [saved]
    assert saved.read_bytes() == before


@pytest.mark.parametrize(
    "settings, left_out",
    [
        ({"callbacks": [("stop", EarlyStopping("train_loss"))]}, "callbacks"),
        ({"train_split": ValidSplit(GroupKFold(3))}, "train_split"),
        ({"random_state": np.random.RandomState(0)}, "random_state"),
        (
            {"iterator_train": lambda *args, **kwargs: None, "iterator_train__timeout": 0},
            "iterator_train, iterator_train__timeout",
        ),
    ],
)
def test_what_only_training_needs_is_left_out_with_a_warning(settings, left_out, X, path):
    encoder = SSLEncoder(**{**SMALL, **settings}).fit(X, groups=GROUPS)
    with pytest.warns(UserWarning, match=f"cannot be written as JSON: {left_out}. The"):
        save_encoder(encoder, path)
    loaded = load_encoder(path)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    for name in left_out.split(", "):
        assert getattr(loaded, name, None) == getattr(SSLEncoder(), name, None)


class Own:
    class OwnNetwork(MultimodalTransformer):
        """A network that a user wrote, inside another class."""


class OwnTransform(Negation):
    """A signal transform that a user wrote."""


class OwnStep(Clip):
    """A preprocessing step that a user wrote."""


OWN = [Own.OwnNetwork, OwnTransform, OwnStep]


def test_a_file_can_name_classes_that_its_reader_gives(preprocessor, X, path):
    preprocessor.set_params(steps={**preprocessor.steps, "temp": [OwnStep(-np.inf, 40.0)]})
    settings = {"pretext": TransformRecognition([OwnTransform()]), "preprocessor": preprocessor}
    encoder = SSLEncoder(Own.OwnNetwork, **settings, **SMALL).fit(X)
    save_encoder(encoder, path)
    for classes in ([], OWN[:2], OWN[1:]):
        with pytest.raises(
            ValueError, match=r"not of physio_ssl, \[.*test_persistence\.Own.*\]: .*classes="
        ):
            load_encoder(path, classes=classes)
    loaded = load_encoder(path, classes=OWN)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    assert type(loaded.module_.network) is Own.OwnNetwork
    assert type(loaded.preprocessor_.steps["temp"][0]) is OwnStep
    np.testing.assert_array_equal(clone(loaded).fit(X).transform(X), encoder.transform(X))


def unchanged(X, *, rng):
    return X


class Outer:
    @staticmethod
    def make():
        class Local(MultimodalTransformer):
            pass

        return Local


SHAPES = {"temp": 1, "acc": 3}, {"temp": 40, "acc": 64}


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"module": MultimodalTransformer(*SHAPES)}, "module .* give its class"),
        ({"module": Outer.make()}, "module .*Local is defined inside a function"),
        ({"pretext": TransformRecognition([unchanged])}, "pretext .*function is neither"),
        ({"pretext__transforms": [unchanged]}, "pretext__transforms .*function is neither"),
        (
            {"pretext__transforms": [Permutation(random_state=np.random.RandomState(0))]},
            "pretext__transforms .*RandomState is neither",
        ),
    ],
)
def test_a_network_or_pretext_that_cannot_be_written_is_refused(settings, message, X, path):
    settings = {"max_epochs": 1, **settings}
    encoder = SSLEncoder(**settings).fit(X)
    with pytest.raises(ValueError, match=message):
        save_encoder(encoder, path)
    assert not path.exists()


def test_subjects_that_cannot_be_written_are_refused(X, path):
    encoder = SSLEncoder(**SMALL).fit(X, groups=np.repeat([b"S2", b"S3"], 6))
    with pytest.raises(ValueError, match="groups_seen_ .*bytes is neither"):
        save_encoder(encoder, path)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (
            {"steps": {"temp": [FunctionTransformer(len)], "acc": []}},
            ValueError,
            "preprocessor_ .*function",
        ),
        ({"duration": 4}, ValueError, "'temp': 80, .* got .*'temp': 40"),
        ({"duration": None}, TypeError, "duration must be a number"),
    ],
)
def test_a_preparation_that_cannot_be_written_is_refused(
    change, error, message, preprocessor, X, path
):
    encoder = SSLEncoder(**SMALL).fit(X)
    params = {
        "output_sampling_rate": {"temp": 20, "acc": 32},
        "input_sampling_rate": {"temp": 20, "acc": 32},
    }
    params |= {"steps": {"temp": [], "acc": []}}
    encoder.preprocessor_ = preprocessor.set_params(**{**params, **change})
    with pytest.raises(error, match=message):
        save_encoder(encoder, path)
    assert not path.exists()


def test_only_a_fitted_encoder_can_be_saved(X, path):
    with pytest.raises(TypeError, match="got LogisticRegression"):
        save_encoder(LogisticRegression(), path)
    with pytest.raises(NotFittedError, match="fitted"):
        save_encoder(SSLEncoder(), path)
    encoder = SSLEncoder(**SMALL).fit(X).set_params(module__d_model=16)
    with pytest.raises(NotFittedError, match="present parameters"):
        save_encoder(encoder, path)


def test_the_file_name_says_what_the_file_is(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.safetensors, got encoder\.pkl"):
        save_encoder(SSLEncoder(), tmp_path / "encoder.pkl")


def test_other_defaults_of_a_later_version_do_not_matter(X, path):
    encoder = SSLEncoder(**SMALL, module__n_heads=2).fit(X)
    save_encoder(encoder, path)

    def leave_to_default(content):  # as if 2 had been the default when it was saved
        content["defaults"]["module__n_heads"] = content["params"].pop("module__n_heads")

    rewrite(path, leave_to_default)
    np.testing.assert_array_equal(load_encoder(path).transform(X), encoder.transform(X))


def test_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(FileNotFoundError, match="No encoder at"):
            load_encoder(path)


def test_other_and_truncated_files_are_refused(saved):
    whole = saved.read_bytes()
    parts = [whole[: int(fraction * len(whole))] for fraction in (0.001, 0.1, 0.5, 0.999)]
    for content in (b"", b"epoch 3", pickle.dumps(np.zeros(100)), b"\xff" * 99, *parts):
        saved.write_bytes(content)
        with pytest.raises(ValueError, match="not a safetensors file, or damaged"):
            load_encoder(saved)


@pytest.mark.parametrize("text", [None, "[]", '{"format": "physio_ssl.study", "version": 1}'])
def test_weights_of_something_else_are_refused(text, path):
    metadata = None if text is None else {"physio_ssl": text}
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path, metadata)
    with pytest.raises(ValueError, match=r"must be 'physio_ssl\.encoder'"):
        load_encoder(path)


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_settings_that_are_no_json_are_refused(text, path):
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path, {"physio_ssl": text})
    with pytest.raises(ValueError, match="damaged"):
        load_encoder(path)


def test_another_version_of_the_format_is_refused(saved):
    for version in (4, 2, None, "3"):
        rewrite(saved, lambda content, version=version: content.update(version=version))
        with pytest.raises(ValueError, match=f"version {version!r}, .* reads 3"):
            load_encoder(saved)


def test_settings_that_are_missing_are_named(saved):
    gone = ("params", "preprocessor", "n_times")
    rewrite(saved, lambda content: [content.pop(name) for name in gone])
    with pytest.raises(ValueError, match="lacks params, preprocessor, n_times"):
        load_encoder(saved)


@pytest.mark.parametrize(
    "name, tensor, match",
    [
        ("network.layers.0.qkv.bias", None, "lacks the tensors"),
        ("heads.acc.0.weight", None, "lacks the tensors"),
        ("scaler.scale_temp", None, "lacks the tensors"),
        ("network.extra", torch.zeros(1), "must not hold the tensors"),
        ("network.layers.0.qkv.bias", torch.zeros(25), r"\(25,\)"),
        ("network.layers.0.qkv.bias", torch.zeros(24, dtype=torch.float16), "float16"),
        ("scaler.center_acc", torch.zeros(1, 1), r"\(1, 1\)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(name, tensor, match, saved):
    rewrite(saved, **{name: tensor})
    with pytest.raises(ValueError, match=match) as error:
        load_encoder(saved)
    assert name in str(error.value)


def test_settings_that_do_not_fit_the_tensors_are_refused(saved):
    rewrite(saved, lambda content: content["n_channels"].update(temp=2))
    with pytest.raises(ValueError, match="the tensor .*, got"):
        load_encoder(saved)


@pytest.mark.parametrize("name", ["trap.Trap", "os.system", "torch.nn.Linear", "", ["x"]])
def test_a_class_that_a_file_may_not_name_is_not_imported(name, saved, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("open('ran', 'w')\nclass Trap: pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    whole = saved.read_bytes()
    for parameter in ("module", "pretext", "optimizer", "train_split"):
        saved.write_bytes(whole)
        change = {parameter: {"class": name}}
        rewrite(saved, lambda content, change=change: content["params"].update(change))
        with pytest.raises(ValueError, match="No encoder can be built"):
            load_encoder(saved)
        assert not Path("ran").exists()


@pytest.mark.parametrize(
    "params",
    [
        {"module": {"class": "torch.optim.Adam"}},
        {"pretext": {"class": "physio_ssl.transforms.Negation"}},
        {"pretext": {"class": "torch.optim.Adam", "params": {}}},
        {"module__n_heads": 0},
        {"module__unknown": 1},
        {"unknown": 1},
        {"transform": "x"},
        {"module_": "x"},
        {"lr": {"function": "x"}},
    ],
)
def test_settings_that_make_no_encoder_are_refused(params, saved):
    rewrite(saved, lambda content: content["params"].update(params))
    with pytest.raises(ValueError, match="No encoder can be built"):
        load_encoder(saved)


TRAP = {"class": "trap.Trap", "params": {}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "wristband",
        lambda _: {"class": "physio_ssl.preprocessing.Preprocessor"},
        lambda _: {"class": "physio_ssl.preprocessing.Clip", "params": {"low": 0, "high": 1}},
        lambda _: {"class": "physio_ssl.preprocessing.Preprocessor", "params": {"duration": 2}},
        lambda _: TRAP,
        lambda params: params.update(duration=4),
        lambda params: params.update(duration="2"),
        lambda params: params.update(duration={"float": "inf"}),
        lambda params: params.update(duration={"float": "two"}),
        lambda params: params.update(own=1),
        lambda params: params["steps"]["dict"].update(acc=[TRAP]),
        lambda params: params["steps"]["dict"].update(acc=[{"class": "os.system"}]),
        lambda params: params["steps"]["dict"].update(acc={"class": "torch.optim.SGD"}),
        lambda params: params["steps"]["dict"].update(acc=[]),
        lambda params: params["input_sampling_rate"]["dict"].update(acc=-64),
        lambda params: params["output_sampling_rate"]["dict"].pop("acc"),
    ],
)
def test_a_damaged_preparation_is_refused(damage, preprocessor, X, path, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("open('ran', 'w')\nclass Trap: pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    save_encoder(SSLEncoder(**SMALL, preprocessor=preprocessor).fit(X), path)

    def change(content):
        new = damage(content["preprocessor"]["params"])
        if isinstance(new, (str, dict)):
            content["preprocessor"] = new

    rewrite(path, change)
    with pytest.raises(ValueError, match="No encoder can be built"):
        load_encoder(path)
    assert not Path("ran").exists()


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        load_wu2023(tmp_path / "none.pth")
    path = tmp_path / "notes.pth"
    path.write_text("epoch 3")
    with pytest.raises(ValueError, match=r"notes\.pth is not a file of plain tensors"):
        load_wu2023(path)


@pytest.mark.parametrize(
    "content, match",
    [
        ({"state_dict": {}}, "'state_dict_fusion', got"),
        ([1, 2], "'state_dict_fusion', got"),
        ({"state_dict_fusion": {}}, r"model_fusion\.tcn1\.network\.0\.conv1\.weight_g"),
    ],
)
def test_a_checkpoint_that_lacks_weights_is_refused(content, match, tmp_path):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=match):
        load_wu2023(tmp_path / "other.pth")


def test_a_checkpoint_gives_back_its_weights(tmp_path):
    rng, shape = np.random.default_rng(0), (2, 1, 240)
    X = SignalDict({name: rng.normal(size=shape) for name in ("eda", "bvp", "temp")})
    settings = {"max_epochs": 0, "standardize": False, "random_state": 5}
    encoder = SSLEncoder(**wu2023.PRETRAINING, **settings).fit(X)
    ours = {part: getattr(encoder.module_, part).state_dict() for part in ("network", "heads")}
    state = {theirs: ours[part][name] for part, name, theirs in wu2023._names()}
    torch.save({"state_dict_fusion": state}, tmp_path / "checkpoint.pth")
    again = load_wu2023(tmp_path / "checkpoint.pth")
    np.testing.assert_array_equal(again.transform(X), encoder.transform(X))


class _Evil:
    def __reduce__(self):
        return open, ("ran", "w")


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_code_in_a_file_is_not_run(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save({"state_dict_fusion": _Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="not a file of plain tensors"):
        load_wu2023(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
