"""Tests of the reader of recordings of induced stress and exercise."""

from datetime import UTC, datetime

import numpy as np
import pytest
import test_empatica

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_wise

START = datetime.fromtimestamp(test_empatica.START, UTC).strftime("%Y-%m-%d %H:%M:%S")
INFO = "Info ,Gender,Age\nS01,m,20\nf02,f,30\n\n"


def _write_session(folder, tags="", seconds=10):
    files = test_empatica._files(seconds)
    old = f"{test_empatica.START}.000000"
    files = {name: text.replace(old, START) for name, text in files.items()}
    return test_empatica._write(folder, {**files, "tags.csv": tags})


def write(folder):
    """Write sessions of two subjects in the layout of PhysioNet."""
    for name in ("STRESS/S01", "AEROBIC/S01_a", "AEROBIC/S01_b", "ANAEROBIC/f02"):
        _write_session(folder / "Wearable_Dataset" / name)
    (folder / "subject-info.csv").write_text(INFO)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def test_start_and_tags_are_iso_text_in_utc(folder):
    tag = datetime.fromtimestamp(test_empatica.START + 3, UTC).strftime("%Y-%m-%d %H:%M:%S.50")
    _write_session(folder / "Wearable_Dataset" / "STRESS" / "S01", f"{tag}\n")
    (recording,) = [r for r in load_wise(folder, ["S01"]) if r.metadata["session"] == "stress"]
    assert recording.start_time == test_empatica.START
    assert recording.annotations["description"].tolist() == ["stress", "tag"]
    assert recording.annotations["onset"].tolist() == [0, 3.5]


def test_sessions_of_a_subject_have_their_type_and_the_row_of_the_subject(folder):
    recordings = load_wise(folder)
    read = {(one.subject, one.metadata["session"], one.metadata["part"]) for one in recordings}
    assert read == {
        ("S01", "stress", "S01"),
        ("S01", "aerobic", "S01_a"),
        ("S01", "aerobic", "S01_b"),
        ("f02", "anaerobic", "f02"),
    }
    assert recordings[-1].metadata["Age"] == "30"


def test_type_of_session_labels_its_windows(folder):
    labels = StageLabels({"stress": 1, "aerobic": 0, "anaerobic": 0})
    windows = make_windows(load_wise(folder), 5, labels=labels)
    np.testing.assert_array_equal(np.bincount(windows.y), [6, 2])


def test_files_may_lie_right_in_the_folder(folder):
    (folder / "subject-info.csv").rename(folder / "Wearable_Dataset" / "subject-info.csv")
    assert len(load_wise(folder / "Wearable_Dataset")) == len(load_wise(folder)) == 4


def test_missing_table_of_subjects_is_refused(folder):
    (folder / "subject-info.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*subject-info\.csv"):
        load_wise(folder)


@pytest.mark.parametrize(
    "text, message",
    [
        ("Info,Age\nS01,20\n", "must have a row of f02, got s01"),
        ("Info,Age\nS01\n", "Line 2 of .* must have 2 cells"),
        ("Info,Age,Age\nS01,20,21\n", "each of the columns Age once, got Info"),
        ("", "must have a row of S01, got nothing"),
    ],
)
def test_malformed_table_of_subjects_is_refused(folder, text, message):
    (folder / "subject-info.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_wise(folder)


def test_signal_that_is_cut_off_is_refused(folder):
    path = folder / "Wearable_Dataset" / "STRESS" / "S01" / "BVP.csv"
    path.write_text(path.read_text()[:-3])
    with pytest.raises(ValueError, match=r"BVP\.csv must end with a whole row"):
        load_wise(folder)
