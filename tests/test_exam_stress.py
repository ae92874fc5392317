"""Tests of the reader of the wearable exam stress data set."""

import pytest
import test_empatica

from physio_ssl.datasets import load_exam_stress

# As in the real file, the dash is neither ASCII nor UTF-8.
GRADES = b"""
GRADES - MIDTERM 1
------------------

S01 \x96 78
S10 \x96 82

GRADES - FINAL (OUT OF 200)
---------------------------

S01 \x96 182
S10 \x96 116.5
"""


def write(folder):
    """Write two exams of S1 and one of S10 in the layout of PhysioNet."""
    for session in ("S10/Final", "S1/midterm_1", "S1/Final"):
        test_empatica._write(folder / "Data" / session, test_empatica._files())
    (folder / "StudentGrades.txt").write_bytes(GRADES)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def test_exam_and_grade_are_metadata(folder):
    read = [(one.subject, *one.metadata.values()) for one in load_exam_stress(folder)]
    assert sorted(read[:2]) == [("S1", "final", 182, 200), ("S1", "midterm 1", 78, 100)]
    assert read[2:] == [("S10", "final", 116.5, 200)]


def test_tags_are_annotations(folder):
    session = folder / "Data" / "S10" / "Final"
    (session / "tags.csv").write_text(f"{test_empatica.START + 3}\n")
    (recording,) = load_exam_stress(folder, ["S10"])
    assert recording.annotations["onset"].tolist() == [3]


def test_folders_may_be_named_with_spaces_and_lie_right_in_the_folder(folder):
    data = folder / "Data"
    (data / "S1" / "midterm_1").rename(data / "S1" / "Midterm 1")
    for student in ("S1", "S10"):
        (data / student).rename(folder / student)
    data.rmdir()
    assert {one.metadata["exam"] for one in load_exam_stress(folder)} == {"midterm 1", "final"}


def test_missing_grades_are_refused(folder):
    (folder / "StudentGrades.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*StudentGrades\.txt"):
        load_exam_stress(folder)


@pytest.mark.parametrize(
    "old, new, message",
    [
        (b"S10 \x96 116.5", b"", r"must have a grade for .*S10/Final"),
        (b"116.5", b"201", "Line 12 of .* must hold a grade from 0 to 200"),
        (b"116.5", b"good", "The grade in line 12 of .* must be a number, got 'good'"),
        (b"GRADES - MIDTERM 1", b"", "below the heading of an exam"),
        (b"S", b"X", "must hold lines like 'S01 - 78'"),
    ],
)
def test_malformed_grades_are_refused(folder, old, new, message):
    path = folder / "StudentGrades.txt"
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_exam_stress(folder)


def test_signal_that_is_cut_off_is_refused(folder):
    (folder / "Data" / "S1" / "Final" / "EDA.csv").write_text(f"{test_empatica.START}\n4\n")
    with pytest.raises(ValueError, match=r"EDA\.csv must hold start, sampling rate and samples"):
        load_exam_stress(folder)


def test_real_student_has_two_midterms(data_folder):
    if not (folder := data_folder / "exam_stress").is_dir():
        pytest.skip("PHYSIO_SSL_DATA holds no exam_stress")
    first, second = load_exam_stress(folder)
    assert [one.metadata["exam"] for one in (first, second)] == ["midterm 1", "midterm 2"]
    assert [one.metadata["grade"] for one in (first, second)] == [92, 88]
    assert first.duration > 9000
