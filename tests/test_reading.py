"""Tests of what readers of recordings need, for users' own readers too."""

import os
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest

from physio_ssl import Recording
from physio_ssl.datasets._common import (
    check_finite_rows,
    decode_text,
    open_file,
    open_files,
    parse_number,
    parse_rate,
    read_file,
)
from physio_ssl.datasets.reading import (
    annotate_events,
    annotate_intervals,
    annotate_ratings,
    choose_signals,
    file_limits,
    find_paths,
    read_subjects,
)


def load_tables(path, subjects=None, signals=None, *, n_jobs=None):
    """Read a data set with one table of numbers for each subject, as a user's reader does."""
    columns = {"ecg": 0, "resp": 1}
    signals = choose_signals(signals, columns, ("ecg",))

    def load(subject, file):
        table = np.loadtxt(file, delimiter=",", ndmin=2)
        samples = {name: table[:, columns[name]] for name in signals}
        return Recording(samples, dict.fromkeys(signals, 256), subject)

    found = find_paths(path, r"person-(\d+)\.csv", "the tables person-1.csv and so on")
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)


@pytest.fixture
def tables(tmp_path):
    """Folder of three subjects, whose signals are constant and of their number."""
    for number in (10, 2, 1):
        np.savetxt(tmp_path / f"person-{number}.csv", [[number, -number]] * 4, delimiter=",")
    (tmp_path / "readme.txt").touch()
    return tmp_path


def test_a_reader_of_ones_own_is_short(tables):
    recordings = load_tables(tables, subjects=["10", "2"], signals=("resp",), n_jobs=2)
    assert [r.subject for r in recordings] == ["2", "10"]
    assert [r.signals["resp"].max() for r in recordings] == [-2, -10]


def test_signals_are_the_default_unless_others_are_asked_for():
    assert choose_signals(None, ("ecg", "eda")) == ("ecg", "eda")
    assert choose_signals(None, ("ecg", "eda"), ("eda",)) == ("eda",)
    assert choose_signals(["eda", "ecg"], ("ecg", "eda")) == ("eda", "ecg")


def test_unknown_signals_are_refused():
    for signals in [("ppg",), ("ecg", "ppg"), (), "ecg"]:
        with pytest.raises(ValueError, match="signals must be .* ecg, eda, got") as caught:
            choose_signals(signals, ("ecg", "eda"))
        assert repr(signals) in str(caught.value)


def test_unknown_subjects_are_refused(tables):
    for subjects, got in [(["2", "4"], r"\['4'\]"), ("2", "'2'"), ([2], r"\[2\]"), ([], r"\[\]")]:
        with pytest.raises(ValueError, match=f"subjects must be of 1, 2, 10 in .*, got {got}"):
            load_tables(tables, subjects)


def test_paths_are_sorted_by_the_numbers_in_their_names(tmp_path):
    for name in ("S10.csv", "S2.csv", "S2b.csv", "notes.txt"):
        (tmp_path / name).touch()
    found = find_paths(tmp_path, r"(S\d+)b?\.csv", "tables")
    assert {key: [path.name for path in paths] for key, paths in found.items()} == {
        "S2": ["S2.csv", "S2b.csv"],
        "S10": ["S10.csv"],
    }
    assert list(found) == ["S2", "S10"]


def test_paths_are_found_in_folders(tmp_path):
    (tmp_path / "raw" / "S1" / "more").mkdir(parents=True)
    (tmp_path / "S2").mkdir()
    assert find_paths(tmp_path, r"raw/(S\d)", "folders") == {"S1": [tmp_path / "raw" / "S1"]}


def test_folder_without_what_is_expected_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*away"):
        find_paths(tmp_path / "away", "(.*)", "tables")
    with pytest.raises(ValueError, match="must hold tables, found nothing"):
        find_paths(tmp_path, "(.*)", "tables")
    for number in range(12):
        (tmp_path / f"{number:02d}.txt").touch()
    with pytest.raises(ValueError, match=r"tables, found 00\.txt, .* 09\.txt, \.\.\."):
        find_paths(tmp_path, r"(.*)\.csv", "tables")


def make(subject, value, start_time=None):
    return Recording({"ecg": np.full(3, value)}, {"ecg": 1}, subject, start_time=start_time)


def test_a_source_may_hold_several_recordings_and_a_subject_several_sources():
    found = {"A": [1, 2], "B": 3}
    recordings = read_subjects(lambda who, n: [make(who, n), make(who, -n)], found, place="here")
    assert [r.subject for r in recordings] == ["A"] * 4 + ["B"] * 2
    assert [r.signals["ecg"][0, 0, 0] for r in recordings] == [1, -1, 2, -2, 3, -3]


def test_what_is_left_out_is_named_in_one_warning():
    def load(subject, number):
        return [make(subject, number), f"Trial 2 of {subject} has no signals."]

    with pytest.warns(
        UserWarning, match="2 of 4 .* here .* Trial 2 of A .* Trial 2 of B"
    ) as caught:
        assert len(read_subjects(load, {"A": 1, "B": 2}, place="here")) == 2
    assert len(caught) == 1


def test_warning_points_to_the_call_of_the_reader():
    def load_some():
        return read_subjects(lambda *_: [make("A", 1), "Clip 2 is empty."], {"A": 1}, place="here")

    with pytest.warns(UserWarning, match="Clip 2") as caught:
        load_some()
    assert caught[0].filename == __file__
    assert caught[0].lineno == load_some.__code__.co_firstlineno + 4


def test_no_recording_at_all_is_refused():
    with pytest.raises(ValueError, match=r"here must hold .* Clip 1 is empty\."):
        read_subjects(lambda *_: ["Clip 1 is empty."], {"A": 1}, place="here")


def fail_on_two(subject, number):
    if number == 2:
        raise ValueError("2.csv is cut off.")
    if number == 3:
        open_file("3.csv")
    return make(subject, number)


def test_unusable_source_is_an_error_if_strict():
    with pytest.raises(ValueError, match=r"2\.csv is cut off"):
        read_subjects(fail_on_two, {"A": [1, 2]}, place="here")


def test_unusable_source_is_left_out_if_not_strict():
    with pytest.warns(UserWarning, match=r"2 of 3 .* 2\.csv is cut off\. .* no file 3\.csv"):
        recordings = read_subjects(fail_on_two, {"A": [1, 2, 3]}, place="here", strict=False)
    assert len(recordings) == 1


def test_recording_found_twice_is_left_out_if_not_strict():
    found = {"A": ["1.zip", "1"], "B": ["2"]}

    def load(subject, source):
        return make(subject, float(subject == "A"), start_time=5)

    with pytest.warns(UserWarning, match=r"1 of 3 .* 1 holds the same signals as 1\.zip"):
        assert len(read_subjects(load, found, place="here", strict=False)) == 2
    assert len(read_subjects(load, found, place="here")) == 3


def test_recordings_without_a_start_are_never_the_same():
    recordings = read_subjects(make, {"A": [1, 1]}, place="here", strict=False)
    assert len(recordings) == 2


FILES = {"a.csv": b"1", "b.csv": b"2"}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_folder_and_zip_file_give_the_same_files(tmp_path):
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    for path in (folder, write_zip(tmp_path / "a.zip", FILES)):
        with open_files(path) as (files, read):
            assert {str(file): read(file) for file in files} == FILES


def test_folders_in_a_zip_file_are_kept_and_nothing_is_extracted(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"day/": b"", "day/a.csv": b"1"})
    with open_files(path) as (files, read):
        assert files == [PurePosixPath("day/a.csv")]
        assert read(files[0]) == b"1"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_lead_out_of_a_zip_file_are_refused(tmp_path):
    for member in ["../a.csv", "/etc/a.csv", "a/../../b.csv", "a\\..\\b.csv"]:
        path = write_zip(tmp_path / "a.zip", {**FILES, member: b""})
        with pytest.raises(ValueError, match="Files in .*a.zip must be within it") as caught:
            open_files(path).__enter__()
        assert repr(member) in str(caught.value)


def test_zip_file_that_is_cut_off_is_refused(tmp_path):
    for n_bytes in [0, 30, 150]:
        path = write_zip(tmp_path / "a.zip", FILES)
        path.write_bytes(path.read_bytes()[:n_bytes])
        with pytest.raises(ValueError, match=r"a\.zip cannot be read as a zip file"):
            open_files(path).__enter__()


def test_damaged_member_of_a_zip_file_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": b"31.25"})
    path.write_bytes(path.read_bytes().replace(b"31.25", b"39.25"))
    with (
        pytest.raises(ValueError, match=r"a\.zip.a\.csv cannot be read as .*CRC"),
        open_files(path) as (files, read),
    ):
        read(files[0])


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*a\.csv"):
        open_file(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"no folder or zip file .*a\.zip"):
        open_files(tmp_path / "a.zip").__enter__()


def test_annotations_of_events_intervals_and_ratings_fit_a_recording():
    events = annotate_events([1, 2.5], "tag")
    assert events["duration"].tolist() == [0, 0]
    assert events["description"].tolist() == ["tag", "tag"]
    ratings = annotate_ratings(2.5, {"arousal": 4})
    assert ratings["time"].tolist() == [0, 1, 2, 2.5]
    assert ratings["arousal"].tolist() == [4] * 4
    intervals = annotate_intervals([(0, 1, "rest"), (1, 1.5, "stress")])
    assert intervals["description"].tolist() == ["rest", "stress"]
    for annotations in (events, intervals, annotate_intervals([]), ratings):
        recording = Recording({"ecg": np.ones(5)}, {"ecg": 2}, "A", annotations)
        assert set(recording.annotations) == set(annotations)


def test_rows_that_are_not_finite_are_named_by_their_line():
    samples = np.array([[1.0], [np.nan], [np.inf]])
    with pytest.raises(ValueError, match=r"a\.csv must be finite, got 2 bad row.* line 4"):
        check_finite_rows(samples, "a.csv", first_line=3)


def test_any_error_of_a_source_becomes_one_that_names_it():
    for error in (KeyError("ecg"), ZeroDivisionError(), TypeError("no"), ValueError("no")):

        def load(subject, path, error=error):
            raise error

        with pytest.raises(ValueError, match=r"a/1\.csv cannot be read") as caught:
            read_subjects(load, {"A": "a/1.csv"}, place="a")
        assert caught.value.__cause__ is error
        with pytest.raises(ValueError, match=r"a must hold .*, got none: a/1\.csv cannot"):
            read_subjects(load, {"A": "a/1.csv"}, place="a", strict=False)


def test_lack_of_memory_is_not_the_file_s_fault():
    def load(subject, path):
        raise MemoryError

    with pytest.raises(MemoryError):
        read_subjects(load, {"A": "1.csv"}, place="a", strict=False)


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "whole").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "whole")
    for name, kind in [("folder", "a folder"), ("pipe", "a device or a pipe"), ("device", "a dev")]:
        with pytest.raises(ValueError, match=f"{name} must be a regular file, got {kind}"):
            open_file(tmp_path / name)
    with pytest.raises(OSError, match="symbolic links: .*loop"):
        open_file(tmp_path / "loop")
    assert read_file(tmp_path / "link") == b"1"


def test_pipe_is_no_zip_file(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"a\.zip must be a regular file"):
        open_files(tmp_path / "a.zip").__enter__()


def read_zip(path):
    with open_files(path) as (files, read):
        return {str(file): read(file) for file in files}


def write_bomb(path, n_bytes=17 * 2**20):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(n_bytes // 2))
        archive.writestr("b.csv", bytes(n_bytes // 2))
    return path


def test_zip_file_that_expands_a_hundredfold_is_refused_unless_the_limit_is_raised(tmp_path):
    path = write_bomb(tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"a\.zip must expand to at most 16777216 bytes"):
        read_zip(path)
    with file_limits(max_ratio=2000):
        assert len(read_zip(path)) == 2
    with pytest.raises(ValueError, match="at most"):  # the limit is the former again
        read_zip(path)


def test_size_is_counted_while_it_is_decompressed(tmp_path):
    path = write_bomb(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    start = data.rindex(b"PK\1\2") + 24  # what the directory says of the size of the last file
    data[start : start + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with file_limits(max_ratio=2000), pytest.raises(ValueError, match=r"b\.csv cannot be read"):
        read_zip(path)


def test_large_files_and_many_members_are_refused_unless_the_limit_is_raised(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(200))
    path = write_zip(tmp_path / "a.zip", FILES)
    with file_limits(max_bytes=100, max_members=1):
        with pytest.raises(ValueError, match=r"a\.csv must have at most 100 bytes, got 200"):
            read_file(tmp_path / "a.csv")
        with file_limits(max_bytes=1000):
            assert len(read_file(tmp_path / "a.csv")) == 200
            with pytest.raises(ValueError, match="at most 1 files, got 2"):
                read_zip(path)
    with (
        pytest.raises(ValueError, match="must be positive, got .'max_ratio': -1"),
        file_limits(max_ratio=-1),
    ):
        pass


def test_members_that_are_encrypted_or_compressed_otherwise_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a.csv", b"1" * 99)
        with pytest.raises(ValueError, match=r"a\.csv cannot .* must be stored or deflated"):
            read_zip(path)
    write_zip(path, FILES)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip.a\.csv cannot be read .* encrypted"):
        read_zip(path)


def test_text_is_utf_8_with_or_without_a_mark():
    for data in ("µV".encode(), "µV".encode("utf-8-sig")):
        assert decode_text(data, "a.csv") == "µV"
    for data, found in [
        ("1".encode("utf-16"), "NUL bytes: it is binary or UTF-16"),
        ("1 µV".encode("latin-1"), r"b'\\xb5V' at byte 2"),
    ]:
        with pytest.raises(ValueError, match=rf"a\.csv must be text in UTF-8, got {found}"):
            decode_text(data, "a.csv")


def test_numbers_and_rates_are_those_that_devices_have():
    assert parse_rate("0.001", "rate") == 0.001
    for text in ("5e-324", "1e-4", "2e6", "1e308", "9" * 5000, "nan", "0", "-4"):
        with pytest.raises(ValueError, match="rate must be .* got"):
            parse_rate(text, "rate")
    for kind in (int, float):
        for text in ("9" * 5000, "-" + "9" * 40, "x"):
            with pytest.raises(ValueError, match="length must be a number.*got .{,70}$"):
                parse_number(text, "length", kind)


def test_an_error_in_a_zip_file_names_the_member_and_the_file():
    def load(subject, source):
        raise KeyError("no such field")

    found = {"A1": PurePosixPath("A1.hea")}
    with pytest.raises(ValueError, match=r"A1\.hea in all\.zip cannot be read"):
        read_subjects(load, found, place="all.zip")
