"""Tests of the cache of recordings and windows."""

import json
import multiprocessing
import os
import time
import warnings
import zlib
from dataclasses import replace

import numpy as np
import pytest
import test_ppg_dalia

from physio_ssl import Recording, StageLabels, make_windows
from physio_ssl.datasets import Cache, load_ppg_dalia, load_wesad
from physio_ssl.preprocessing import Preprocessor, Standardize

LABELS = StageLabels({"sitting": 0, "walking": 1})


@pytest.fixture
def data(tmp_path):
    """PPG-DaLiA of two subjects: with annotations, ratings and metadata."""
    folder = tmp_path / "data"
    folder.mkdir()
    test_ppg_dalia.write(folder)
    return folder


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


class _Reader:
    """Counts its calls, under the name of a function."""

    def __init__(self):
        self.__name__ = self.__qualname__ = "reader"
        self.n_calls = 0

    def __call__(self, path, *args, **settings):
        self.n_calls += 1
        return load_ppg_dalia(path, *args, **settings)


@pytest.fixture
def reader():
    return _Reader()


def _equal(one, other):
    """Return whether recordings are equal in all that they hold."""
    tables = [
        {name: column.tolist() for name, column in (table or {}).items()}
        for recording in (one, other)
        for table in (recording.annotations, recording.ratings, recording.metadata)
        for table in [{k: np.asarray(v) for k, v in (table or {}).items()}]
    ]
    rest = [(x.subject, x.start_time, x.start_offset, dict(x.sampling_rate)) for x in (one, other)]
    same = one.signals == other.signals and list(one.signals) == list(other.signals)
    return same and tables[:3] == tables[3:] and rest[0] == rest[1]


def test_recordings_of_the_cache_equal_those_of_the_reader(cache, data):
    for _ in range(2):
        recordings = cache.load(load_ppg_dalia, data, signals=("bvp", "acc"))
        expected = load_ppg_dalia(data, signals=("bvp", "acc"))
        assert all(map(_equal, recordings, expected)) and len(recordings) == 2
        assert isinstance(recordings[0].signals["bvp"], np.memmap)
        assert not recordings[0].signals["bvp"].flags.writeable


def test_one_recording_stays_one(cache, data):
    recording = cache.load(_first, data)
    assert _equal(recording, load_ppg_dalia(data)[0])
    assert isinstance(cache.load(_first, data), Recording)


def _first(path):
    return load_ppg_dalia(path)[0]


def test_reader_is_called_once_for_each_choice_of_arguments(cache, data, reader):
    for settings in ({}, {"subjects": ["S3"]}, {"signals": ["eda"]}, {"signals": ["temp"]}):
        for n_jobs in (None, 2):
            cache.load(reader, data, n_jobs=n_jobs, **settings)
    assert reader.n_calls == 4


def test_reader_is_called_again_if_a_file_changes(cache, data, reader):
    def load():
        return len(cache.load(reader, data))

    path = data / "S3" / "S3.pkl"
    assert (load(), load(), reader.n_calls) == (2, 2, 1)
    os.utime(path, ns=(0, 5))  # as long as before
    assert (load(), reader.n_calls) == (2, 2)
    (data / "S3" / "note.txt").write_text("new")
    assert (load(), reader.n_calls) == (2, 3)
    path.unlink()
    (data / "S3" / "note.txt").unlink()
    (data / "S3").rmdir()
    assert (load(), reader.n_calls) == (1, 4)


def test_another_version_of_the_package_reads_again(cache, data, reader, monkeypatch):
    cache.load(reader, data)
    monkeypatch.setattr("physio_ssl.datasets.cache.__version__", "99")
    cache.load(reader, data)
    assert reader.n_calls == 2


def _damage(cache, pattern, change):
    (path, *_) = sorted(cache.folder.glob(pattern))
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("file", ["*/0.bvp.npy", "*/0.annotations.0.npy", "*/recordings.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-5],
        lambda data: data[:-5] + bytes(5),
        lambda data: b"",
        lambda data: data.replace(b"S10", b"S11") + b"1",
    ],
)
def test_damaged_entry_is_made_again_with_a_warning(cache, data, reader, file, change):
    cache.load(reader, data)
    _damage(cache, file, change)
    with pytest.warns(UserWarning, match="reader-.* is damaged and made again"):
        recordings = cache.load(reader, data)
    assert all(map(_equal, recordings, load_ppg_dalia(data)))
    assert reader.n_calls == 2
    cache.load(reader, data)
    assert reader.n_calls == 2


def test_entry_names_no_file_outside_of_it(cache, data, reader, tmp_path):
    cache.load(reader, data)
    outside = tmp_path / "outside.npy"
    np.save(outside, np.zeros((1, 1, 5)))

    def change(content):
        content = json.loads(content.partition(b" ")[2])
        content["recordings"][0]["signals"]["bvp"]["file"] = str(outside)
        content = json.dumps(content).encode()
        return b"%08x %s" % (zlib.crc32(content), content)

    _damage(cache, "*/recordings.json", change)
    with pytest.warns(UserWarning, match="damaged"):
        cache.load(reader, data)


def test_failed_write_leaves_nothing(cache, data, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="no space left"):
        cache.load(load_ppg_dalia, data)
    assert list(cache.folder.iterdir()) == []


def _load_in_process(folder, data, queue, barrier):
    barrier.wait()
    recordings = Cache(folder).load(load_ppg_dalia, data)
    queue.put([float(one.signals["bvp"].sum()) for one in recordings])


def test_two_processes_may_write_at_once(cache, data):
    context = multiprocessing.get_context("spawn")
    queue, barrier = context.Queue(), context.Barrier(2)
    arguments = (cache.folder, data, queue, barrier)
    processes = [context.Process(target=_load_in_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    sums = [queue.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)
    expected = [float(one.signals["bvp"].sum()) for one in load_ppg_dalia(data)]
    assert sums == [expected, expected]
    assert len(list(cache.folder.iterdir())) == 1  # no part is left


def test_entry_that_another_process_wrote_meanwhile_is_used(cache, data):
    made = []

    def first(path):
        if not made:
            made.append(1)
            cache.load(first, path)
        return _first(path)

    first.__qualname__ = "first"
    assert _equal(cache.load(first, data), _first(data))
    assert len(list(cache.folder.iterdir())) == 1


def test_warnings_of_the_reader_are_given_each_time(cache, tmp_path):
    folder = test_ppg_dalia._write_export(tmp_path / "data" / "S3")
    for _ in range(2):
        with pytest.warns(UserWarning, match="Activities of S3"):
            cache.load(load_ppg_dalia, folder)


def test_windows_of_the_cache_equal_those_that_are_cut(cache, data):
    recordings = cache.load(load_ppg_dalia, data)
    expected = make_windows(load_ppg_dalia(data), 7, labels=LABELS)
    for _ in range(2):
        windows = cache.make_windows(recordings, 7, labels=LABELS)
        assert windows.X == expected.X and windows.info.equals(expected.info)
        assert (windows.dropped, windows.duration) == (expected.dropped, expected.duration)
        assert isinstance(windows.X["bvp"], np.memmap)


def test_windows_are_cut_once_for_each_choice(cache, data, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "physio_ssl.datasets.cache.make_windows",
        lambda *args, **settings: calls.append(1) or make_windows(*args, **settings),
    )
    recordings = load_ppg_dalia(data)
    changed = [replace(one, subject=f"x{one.subject}") for one in recordings]
    other = StageLabels({"sitting": 1, "walking": 0})
    for _ in range(2):
        cache.make_windows(recordings, 7)
        cache.make_windows(recordings, 7, step=2)
        cache.make_windows(recordings, 7, labels=LABELS)
        cache.make_windows(recordings, 7, labels=other)
        cache.make_windows(changed, 7)
    assert len(calls) == 5


def test_preprocessor_may_make_the_windows(cache, data):
    recordings = load_ppg_dalia(data, signals=["eda", "temp"])
    for scaled in (True, False):
        preprocessor = _preprocessor(scaled)
        expected = preprocessor.make_windows(recordings)
        for _ in range(2):
            assert cache.make_windows(recordings, preprocessor=preprocessor).X == expected.X
    assert len(list(cache.folder.iterdir())) == 2


def _preprocessor(scaled):
    steps = {"eda": [Standardize()] if scaled else [], "temp": []}
    return Preprocessor(steps, {"eda": 4, "temp": 4}, 5)


def test_damaged_windows_are_cut_again_with_a_warning(cache, data):
    recordings = load_ppg_dalia(data)
    cache.make_windows(recordings, 7)
    _damage(cache, "windows-*/bvp.npy", lambda content: content[:-1])
    with pytest.warns(UserWarning, match="windows-.* is damaged and made again"):
        windows = cache.make_windows(recordings, 7)
    assert windows.X == make_windows(recordings, 7).X


@pytest.mark.parametrize("value", [object(), np.array([{}]), lambda path: None])
def test_arguments_that_cannot_be_told_apart_are_refused(cache, data, value):
    with pytest.raises(TypeError, match="be cached|What is cached"):
        cache.load(load_ppg_dalia, data, source=value)


def test_reader_without_a_name_is_refused(cache, data):
    with pytest.raises(TypeError, match="must have a name to be cached with"):
        cache.load(lambda path: _first(path), data)
    with pytest.raises(TypeError, match="reader must be"):
        cache.load("load_wesad", data)


def _with_array_in_metadata(path):
    return replace(_first(path), metadata={"mask": np.zeros(3)})


def test_metadata_that_json_cannot_hold_is_refused(cache, data):
    with pytest.raises(TypeError, match="metadata must be numbers, text, lists and dicts"):
        cache.load(_with_array_in_metadata, data)
    assert list(cache.folder.iterdir()) == []


def test_missing_files_and_a_cache_among_the_files_are_refused(cache, data):
    with pytest.raises(FileNotFoundError, match="There is no file or folder .*away"):
        cache.load(load_ppg_dalia, data / "away")
    with pytest.raises(ValueError, match="The cache must be outside of"):
        Cache(data / "cache").load(load_ppg_dalia, data)


def test_clear_removes_entries_and_nothing_else(cache, data):
    cache.load(load_ppg_dalia, data)
    (entry,) = cache.folder.iterdir()
    (cache.folder / f"{entry.name}.0123abcd.part").mkdir()
    (cache.folder / "notes").mkdir()
    cache.clear()
    assert [path.name for path in cache.folder.iterdir()] == ["notes"]


def test_second_load_of_wesad_takes_a_tenth_of_the_first(cache, data_folder):
    seconds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            start = time.perf_counter()
            cache.load(load_wesad, data_folder / "WESAD")
            seconds.append(time.perf_counter() - start)
    assert min(seconds[1:]) < seconds[0] / 10
