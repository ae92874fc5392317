"""Many corpora in one: what fits, whose windows, in files, how often drawn, in little memory."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from physio_ssl import (
    Recording,
    SSLEncoder,
    StageLabels,
    concatenate_windows,
    corpus_weights,
    make_windows,
    open_windows,
)

CLASSES = {"rest": 0, "stress": 1}
STAGES = {"onset": [0, 20], "duration": [20, 20], "description": ["rest", "stress"]}


def make_corpus(subjects=("S1", "S2"), seed=0, duration=10, dtype="float32", **rates):
    rng, rates = np.random.default_rng(seed), rates or {"ecg": 32, "eda": 4}
    recordings = [
        Recording(
            {name: rng.normal(5, 1, 40 * rate) for name, rate in rates.items()},
            rates,
            subject,
            STAGES,
        )
        for subject in subjects
    ]
    return make_windows(recordings, duration, labels=StageLabels(CLASSES), dtype=dtype)


def change_info(windows, **columns):
    """Return windows with other columns; None leaves a column out."""
    info = windows.info.assign(**columns)
    return replace(windows, info=info.drop(columns=[n for n, c in columns.items() if c is None]))


ONE, TWO = make_corpus(), make_corpus(("S1", "S3", "S4"), seed=1)


def assert_same(ours, theirs):
    assert list(ours.X) == list(theirs.X)
    for name in theirs.X:
        assert ours.X[name].dtype == theirs.X[name].dtype
        assert_array_equal(ours.X[name], theirs.X[name])
    pd.testing.assert_frame_equal(ours.info, theirs.info)
    assert ours.groups.dtype.kind == theirs.groups.dtype.kind == "U"
    for name in ("duration", "sampling_rate", "dropped", "scaling"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("on_disk", [False, True])
def test_native_signals_are_concatenated_and_written_with_the_windows(on_disk, tmp_path):
    rates = {"ecg": 128}
    one, two = (
        replace(w, native={"ecg": np.repeat(w.X["ecg"], 4, axis=-1)}, native_sampling_rate=rates)
        for w in (ONE, TWO)
    )
    both = concatenate_windows({"a": one, "b": two}, tmp_path / "both" if on_disk else None)
    assert list(both.X) == ["ecg", "eda"] and list(both.native) == ["ecg"]
    assert_array_equal(both.native["ecg"], np.repeat(both.X["ecg"], 4, axis=-1))
    assert both.native_sampling_rate == rates
    with pytest.raises(ValueError, match="same native_sampling_rate"):
        concatenate_windows({"a": one, "b": TWO})


def test_windows_of_all_corpora_follow_each_other():
    both = concatenate_windows({"a": ONE, "b": TWO})
    for name in ("ecg", "eda"):
        assert_array_equal(both.X[name], np.concatenate([ONE.X[name], TWO.X[name]]))
    assert_array_equal(both.y, np.concatenate([ONE.y, TWO.y]))
    assert_array_equal(both.onset, np.concatenate([ONE.onset, TWO.onset]))
    assert both.sampling_rate == {"ecg": 32, "eda": 4}


def test_people_of_the_same_name_in_two_corpora_stay_apart():
    both = concatenate_windows({"a": ONE, "b": TWO})
    assert sorted(set(both.groups)) == ["a/S1", "a/S2", "b/S1", "b/S3", "b/S4"]
    assert_array_equal(both.groups[:5], ["a/S1"] * 4 + ["a/S2"])
    assert_array_equal(both.info["corpus"], np.repeat(["a", "b"], [8, 12]))


def test_recordings_are_counted_on_and_dropped_windows_summed():
    one, two = replace(ONE, dropped={"unlabelled": 2}), replace(TWO, dropped={"unlabelled": 3})
    both = concatenate_windows({"a": one, "b": two})
    assert_array_equal(both.recording, np.repeat(np.arange(5), 4))
    assert both.dropped == {"unlabelled": 5}


def test_labels_are_kept_only_where_all_windows_have_them():
    assert concatenate_windows({"a": ONE, "b": change_info(TWO, label=None)}).y is None
    assert concatenate_windows({"a": ONE, "b": change_info(TWO, label=None, age=3.0)}).y is None
    assert concatenate_windows({"a": ONE, "b": TWO}).y is not None


@pytest.mark.parametrize("in_files", [False, True])
def test_columns_that_all_windows_have_are_kept(in_files, tmp_path):
    columns = {"file": "x y", "a/../b": pd.Timestamp("2026-01-01"), "sex": True}
    one = change_info(ONE, **columns, age=30, bmi=22.5)
    two = change_info(TWO, **columns, arousal=np.arange(12) / 2, onset=None)
    both = concatenate_windows({"a": one, "b": two}, tmp_path / "corpus" if in_files else None)
    assert set(both.info) == {"subject", "recording", "label", "corpus", *columns, "bmi", "arousal"}
    for name, value in columns.items():
        assert (both.info[name] == value).all()
    assert both.info["sex"].dtype == bool
    assert_array_equal(both.info["bmi"], [22.5] * 8 + [np.nan] * 12)
    assert_array_equal(both.info["arousal"], [np.nan] * 8 + [n / 2 for n in range(12)])


def test_a_corpus_may_come_in_parts():
    parts = (make_corpus([subject]) for subject in ("S1", "S2"))
    both = concatenate_windows({"a": parts, "b": TWO})
    assert_array_equal(both.recording, np.repeat(np.arange(5), 4))
    assert len(both) == 20


def test_modalities_are_taken_by_name_not_by_place():
    turned = replace(TWO, X=type(TWO.X)({"eda": TWO.X["eda"], "ecg": TWO.X["ecg"]}))
    assert_same(
        concatenate_windows({"a": ONE, "b": turned}), concatenate_windows({"a": ONE, "b": TWO})
    )


def test_a_part_without_windows_still_counts_what_it_dropped():
    none = TWO.select([], {"non-finite": 3})
    both = concatenate_windows({"a": [none, ONE]})
    assert both.dropped == {"non-finite": 3}
    assert len(both) == len(ONE)


@pytest.mark.parametrize(
    "other, match",
    [
        (make_corpus(duration=20), "duration.* 10.0 in 'a' and 20.0 in 'b'"),
        (make_corpus(ecg=64, eda=4), "rate.*32.* in 'a' and .*64"),
        (make_corpus(ecg=32), "sampling_rate"),
        (replace(TWO, scaling="past"), "scaling, got None in 'a' and past in 'b'"),
        (make_corpus(dtype="float64"), "dtype.*float32.* in 'a' and .*float64.* in 'b'"),
        (replace(TWO, X=type(TWO.X)(ecg=TWO.X["ecg"][..., :9], eda=TWO.X["eda"])), r"1, 9"),
        (change_info(TWO, label=TWO.y.astype(str)), "'label' .* <U.*, int64"),
        (change_info(TWO, label=TWO.y + 0.5), "'label' .* float64, int64"),
        (change_info(TWO, label=[0, None] * 6), "'label' .* float64"),
        (change_info(TWO, label=["a", None] * 6), "'label' .* object"),
        (replace(TWO, X=type(TWO.X)(TWO.X, ecg=TWO.X["ecg"] + 0j)), "real numbers, got complex"),
        ([], "'b' has none"),
    ],
)
def test_windows_that_do_not_fit_are_refused(other, match, tmp_path):
    for folder in (None, tmp_path / "corpus"):
        with pytest.raises(ValueError, match=match):
            concatenate_windows({"a": ONE, "b": other}, folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "corpora, error, match",
    [
        ([ONE, TWO], TypeError, "mapping.* got a list"),
        ({}, ValueError, r"names.* got \[\]"),
        ({"a/b": ONE}, ValueError, "'/'.* got .'a/b'"),
        ({"": ONE}, ValueError, "got .''"),
        ({"a": ONE.X}, TypeError, "'a' .* SignalDict"),
        ({"a": [ONE, ONE.X]}, TypeError, "'a' .* SignalDict"),
        ({"a": [replace(ONE, X=ONE.X["ecg"])]}, TypeError, "signals.* ndarray"),
    ],
)
def test_anything_but_named_windows_is_refused(corpora, error, match):
    with pytest.raises(error, match=match):
        concatenate_windows(corpora)


def test_files_hold_the_same_as_memory(tmp_path):
    corpora = {"a": ONE, "b": TWO}
    expected = concatenate_windows(corpora)
    written = concatenate_windows(corpora, tmp_path / "corpus")
    assert_same(written, expected)
    assert_same(open_windows(str(tmp_path / "corpus")), expected)
    for array in written.X.values():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


@pytest.mark.parametrize("scaling", ["subject", None])
def test_what_windows_were_scaled_over_comes_back_from_files(scaling, tmp_path):
    written = concatenate_windows({"a": replace(ONE, scaling=scaling)}, tmp_path / "corpus")
    assert written.scaling == scaling


def test_windows_in_older_files_have_no_known_scaling(tmp_path):
    concatenate_windows({"a": ONE}, tmp_path / "corpus")
    path = tmp_path / "corpus" / "windows.json"
    content = json.loads(path.read_text())
    del content["scaling"]
    path.write_text(json.dumps(content))
    assert open_windows(tmp_path / "corpus").scaling is None


def test_files_are_plain_npy(tmp_path):
    concatenate_windows({"a": ONE}, tmp_path / "corpus")
    assert_array_equal(np.load(tmp_path / "corpus" / "ecg.npy"), ONE.X["ecg"])


def test_labels_as_text_and_no_labels_come_back_from_files(tmp_path):
    text = concatenate_windows({"a": change_info(ONE, label=ONE.y.astype(str))}, tmp_path / "text")
    assert_array_equal(text.y, ONE.y.astype(str))
    assert concatenate_windows({"a": change_info(ONE, label=None)}, tmp_path / "none").y is None


def test_windows_in_files_can_be_concatenated_again(tmp_path, monkeypatch):
    monkeypatch.setattr("physio_ssl.windows.folder._BYTES_AT_ONCE", 3000)  # more blocks than one
    concatenate_windows({"a": ONE}, tmp_path / "one")
    both = concatenate_windows({"x": open_windows(tmp_path / "one"), "b": TWO}, tmp_path / "both")
    assert_array_equal(both.X["ecg"], np.concatenate([ONE.X["ecg"], TWO.X["ecg"]]))
    assert both.info.loc[0, ["corpus", "subject"]].tolist() == ["x", "x/a/S1"]


def test_a_folder_that_exists_is_left_alone(tmp_path):
    with pytest.raises(FileExistsError, match="must be new"):
        concatenate_windows({"a": ONE}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def parts():
        yield ONE
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        concatenate_windows({"a": parts()}, tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
import numpy as np
from physio_ssl import Recording, concatenate_windows, make_windows

def parts():
    yield make_windows(Recording({"ecg": np.ones(320)}, {"ecg": 32}, "S1"), 10)
    os._exit(3)

concatenate_windows({"a": parts()}, sys.argv[1])
"""


def test_a_write_that_is_killed_does_not_look_finished(tmp_path):
    folder = tmp_path / "corpus"
    assert subprocess.run([sys.executable, "-c", KILLED, str(folder)]).returncode == 3
    (part,) = tmp_path.iterdir()
    assert part.name.startswith("corpus.") and part.suffix == ".part"
    for name in (folder, part):
        with pytest.raises(FileNotFoundError, match="No windows"):
            open_windows(name)
    assert len(concatenate_windows({"a": ONE}, folder)) == len(ONE)


def rewrite(name, change):
    """Return a function that changes the bytes of a file in a folder."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def save(array):
    return lambda folder: np.save(folder / "ecg.npy", array, allow_pickle=True)


def remove(folder):
    (folder / "eda.npy").unlink()


def change(**changes):
    return rewrite(
        "windows.json", lambda text: json.dumps({**json.loads(text), **changes}).encode()
    )


def fewer_subjects(folder):
    columns = dict(np.load(folder / "windows.npz"))
    np.savez(folder / "windows.npz", **{name: column[:-1] for name, column in columns.items()})


def test_columns_that_were_not_written_are_not_read(tmp_path):
    expected = concatenate_windows({"a": ONE}, tmp_path / "corpus")
    columns = dict(np.load(tmp_path / "corpus" / "windows.npz"))
    np.savez(tmp_path / "corpus" / "windows.npz", **columns, more=np.array(False))
    assert_same(open_windows(tmp_path / "corpus"), expected)


def test_columns_of_objects_are_not_written(tmp_path):
    objects = change_info(ONE, drug=["none", None] * 4)
    both = concatenate_windows({"a": objects, "b": change_info(TWO, drug="none")})
    assert both.info["drug"].tolist() == ["none", None] * 4 + ["none"] * 12
    with pytest.raises(ValueError, match="'drug' .* object"):
        concatenate_windows({"a": objects}, tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage, match",
    [
        (rewrite("ecg.npy", lambda data: data[:-4]), "."),
        (rewrite("ecg.npy", lambda data: data + bytes(4)), "ecg.npy must hold"),
        (save(np.zeros((8, 1, 320))), "ecg.npy must hold .*f4.*, got .*f8"),
        (save(np.array([{}], dtype=object)), "object"),
        (remove, "eda.npy"),
        (rewrite("windows.npz", lambda data: b"PK garbage"), "."),
        (rewrite("windows.json", lambda text: text[:-20]), "."),
        (change(version=1), "version 2, got physio_ssl.windows, version 1"),
        (change(signals={"../ecg": {}}), "must be an identifier, got '../ecg'"),
        (change(signals=3), "."),
        (change(sampling_rate={"ecg": 32}), "sampling_rate .* ecg, eda"),
        (change(columns=["subject", "age"]), "age"),
        (fewer_subjects, r"7 rows .* \(8,\)"),
    ],
)
def test_damaged_files_are_refused(damage, match, tmp_path):
    concatenate_windows({"a": ONE}, tmp_path / "corpus")
    damage(tmp_path / "corpus")
    with pytest.raises(ValueError, match=f"corpus cannot be read: .*{match}"):
        open_windows(tmp_path / "corpus")


def test_weights_give_each_corpus_its_proportion():
    corpus = concatenate_windows({"a": ONE, "b": TWO}).info["corpus"]
    mine = (corpus == "a").to_numpy()
    for proportions, expected in ((None, 0.5), ({"a": 1, "b": 3}, 0.25), ({"a": 0, "b": 2}, 0.0)):
        weight = corpus_weights(corpus, proportions)
        assert weight[mine].sum() / weight.sum() == pytest.approx(expected)
        assert weight.mean() == pytest.approx(1)
        assert len(set(weight[mine])) == len(set(weight[~mine])) == 1


@pytest.mark.parametrize(
    "corpus, proportions, match",
    [
        (["a/S1", "a/S1"], None, "got .'a/S1'"),
        (["a", None], None, "got .*None"),
        ([], None, r"got \[\]"),
        (["a", "b"], {"a": 1}, r"a, b a finite .* got \{'a': 1\}"),
        (["a"], {"a": 1, "b": 1}, "each of a a"),
        (["a"], {"a": -1}, "-1"),
        (["a"], {"a": np.nan}, "nan"),
        (["a"], {"a": "1"}, "got"),
        (["a", "b"], {"a": 0, "b": 0}, "not all 0"),
    ],
)
def test_bad_proportions_are_refused(corpus, proportions, match):
    with pytest.raises(ValueError, match=match):
        corpus_weights(corpus, proportions)


def make_encoder(**kwargs):
    small = {"module__d_model": 8, "max_epochs": 1, "batch_size": 8, "random_state": 0}
    return SSLEncoder(**{**small, **kwargs})


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int16"])
def test_an_encoder_of_windows_in_files_is_that_of_windows_in_memory(dtype, tmp_path):
    scaled = {name: (100 * array).astype(dtype) for name, array in TWO.X.items()}
    windows = replace(TWO, X=type(TWO.X)(scaled))
    files = concatenate_windows({"a": windows}, tmp_path / "corpus")
    ours = make_encoder().fit(files.X)
    assert_array_equal(ours.transform(files.X), make_encoder().fit_transform(windows.X))
    alone = make_encoder().fit(files.X["ecg"]).transform(files.X["ecg"])
    assert_array_equal(alone, make_encoder().fit_transform(windows.X["ecg"]))


class _Watch(Callback):
    """Notes which windows are trained on."""

    def __init__(self, first_samples, seen):
        self.first_samples, self.seen = first_samples, seen

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        for sample in batch[0]["eda"][:, 0, 0].numpy():
            self.seen.append(int(np.flatnonzero(self.first_samples == sample)[0]))


def test_an_epoch_draws_corpora_by_their_proportions():
    both = concatenate_windows({"a": ONE, "b": TWO})
    seen = []
    watch = _Watch(both.X["eda"][:, 0, 0], seen)
    encoder = make_encoder(
        max_epochs=50, batch_size=20, pretext__n_views=1, callbacks=[watch], lr=0.0
    )
    encoder.fit(both.X, sampling_weight=corpus_weights(both.info["corpus"], {"a": 9, "b": 1}))
    assert len(seen) == 50 * len(both)
    assert_allclose(np.mean(np.array(seen) < len(ONE)), 0.9, atol=0.04)


# What a machine of little memory would do, where files are larger than what is left.
IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn
from physio_ssl import SignalDict, SSLClassifier, SSLEncoder


class Network(nn.Module):
    def __init__(self, n_channels, n_times, size=4):
        super().__init__()
        self.embedding_size = dict.fromkeys(n_times, size)
        self.layers = nn.ModuleDict({n: nn.Conv1d(1, size, 64, stride=64) for n in n_times})

    def tokens(self, **signals):
        return {name: self.layers[name](x).transpose(1, 2) for name, x in signals.items()}

    def embed(self, tokens):
        return {name: part.mean(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        return torch.cat(list(self.embed(self.tokens(**signals)).values()), dim=1)


class Stop(Callback):
    def on_train_begin(self, net, **kwargs):
        self.left_ = 10

    def on_batch_end(self, net, **kwargs):
        self.left_ -= 1
        if not self.left_:
            raise KeyboardInterrupt


def use(X, whole):
    groups, weight = np.arange(len(X)) % 5, np.arange(len(X))
    kwargs = {"max_epochs": 1, "callbacks": [Stop()], "random_state": 0}
    split = ValidSplit(GroupKFold(5))
    encoder = SSLEncoder(Network, pretext__n_views=1, train_split=split, **kwargs)
    encoder.fit(X, groups=groups, sampling_weight=weight).partial_fit(X, groups=groups)
    if whole:
        encoder.transform(X)
    classifier = SSLClassifier(FrozenEstimator(encoder), "fine_tuned", min_steps=0, **kwargs)
    classifier.fit(X, groups % 2, groups=groups)


def fails(function, error):
    try:
        function()
    except error:
        return True
    return False


torch.set_num_threads(1)
files = [np.load(path, mmap_mode="r") for path in sys.argv[1:]]
size = files[0].nbytes
use(SignalDict(ecg=np.array(files[0][:2048])), whole=True)  # what torch takes by itself
taken = int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (taken + size // 4, taken + size // 4))
for file in files[:2]:
    use(SignalDict(ecg=file), whole=file is files[0])
use(files[0], whole=False)
for X in (files[2], SignalDict(ecg=files[2])):
    print("NaN found:", fails(lambda: SSLEncoder(Network).fit(X), ValueError))
print("limit bites:", fails(lambda: np.array(files[0]), MemoryError))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limit and /proc of Linux")
def test_windows_in_files_are_never_in_memory_as_a_whole(tmp_path):
    paths = []
    for dtype, n_windows, last in (("f4", 40_000, 1), ("f8", 20_000, 1), ("f4", 40_000, np.nan)):
        paths.append(str(tmp_path / f"{len(paths)}.npy"))
        array = np.lib.format.open_memmap(paths[-1], "w+", dtype, (n_windows, 1, 1280))
        array[:2048] = np.random.default_rng(0).standard_normal((2048, 1, 1280))
        array[-1] = last  # the file is sparse: all else are zeros that take no disk
        del array
    found = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, *paths], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == ["NaN found: True"] * 2 + ["limit bites: True"]
