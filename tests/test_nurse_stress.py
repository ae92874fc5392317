"""Tests of the reader of the stress of nurses."""

from datetime import UTC, datetime

import numpy as np
import pytest
import test_empatica

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_nurse_stress

START = datetime(2020, 7, 1, 12, tzinfo=UTC).timestamp()  # 7 o'clock in summer in Louisiana
SECONDS = 600
HEADER = "ID,Start time,End time,duration,date,Stress level,COVID related,Description"
SURVEYS = [
    "15,07:01:00,07:03:00,0:02:00,2020-07-01,2,1,a patient",
    "15,07:09:00,07:20:00,0:11:00,7/1/2020,0,,",
    "15,07:04:00,07:05:00,0:01:00,2020-07-02,1,,of another day",
    "83,06:00:00,06:30:00,0:30:00,2020-07-01,na,,before the session",
    ",,,,,,,",
]


def _write_session(folder, subject, start=START, seconds=SECONDS):
    rng = np.random.default_rng([*subject.encode()])
    files = {
        f"{name}.csv": test_empatica._export(
            middle + rng.integers(-3, 4, rate * seconds), rate, int(start)
        )
        for name, rate, middle in [("BVP", 64, 0), ("EDA", 4, 10), ("TEMP", 4, 30)]
    }
    test_empatica._write_zip(
        folder / "Stress_dataset" / subject / f"{subject}_{start:.0f}.zip", files
    )


def _write_surveys(folder, rows=SURVEYS, header=HEADER):
    (folder / "SurveyResults.csv").write_text("\n".join([header, *rows]) + "\n")


def write(folder):
    """Write a short session of two nurses, and surveys."""
    for subject in ("15", "5C"):
        _write_session(folder, subject, seconds=20)
    _write_surveys(folder)


@pytest.fixture
def folder(tmp_path):
    _write_session(tmp_path, "15")
    _write_session(tmp_path, "83")
    _write_surveys(tmp_path)
    return tmp_path


def test_surveys_are_events_in_the_time_of_the_hospital(folder):
    first, second = load_nurse_stress(folder)
    assert first.annotations["description"].tolist() == ["stress level 2", "stress level 0"]
    assert first.annotations["onset"].tolist() == [60, 540]
    assert first.annotations["duration"].tolist() == [120, 60]  # the second one is cut
    assert second.annotations["onset"].size == 0


def test_answers_are_metadata(folder):
    first, second = load_nurse_stress(folder)
    assert [row["Description"] for row in first.metadata["surveys"]] == ["a patient", ""]
    assert first.metadata["surveys"][0]["COVID related"] == "1"
    assert second.metadata["surveys"] == []


def test_time_without_a_survey_has_no_label(folder):
    labels = StageLabels({"stress level 2": 1, "stress level 0": 0})
    windows = make_windows(load_nurse_stress(folder, ["15"]), 60, labels=labels)
    assert windows.y.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    "date, clock, hour",
    [("2020-07-01", "7:00 AM", 12), ("2020-12-01", "07:00", 13), ("12/1/20", "7:00:00 AM", 13)],
)
def test_daylight_saving_time_and_forms_of_dates_are_known(tmp_path, date, clock, hour):
    month = 7 if "-07-" in date else 12
    start = datetime(2020, month, 1, hour, tzinfo=UTC).timestamp()
    _write_session(tmp_path, "15", start, seconds=20)
    _write_surveys(tmp_path, [f"15,{clock},{clock.replace('00', '01', 1)},,{date},1,,"])
    assert load_nurse_stress(tmp_path)[0].annotations["onset"].tolist() == [0]


def test_survey_may_end_after_midnight(tmp_path):
    start = datetime(2020, 7, 2, 5, tzinfo=UTC).timestamp()  # midnight
    _write_session(tmp_path, "15", start, seconds=20)
    _write_surveys(tmp_path, ["15,23:30,00:10,,2020-07-01,1,,"])
    annotations = load_nurse_stress(tmp_path)[0].annotations
    assert (annotations["onset"][0], annotations["duration"][0]) == (0, 20)


def test_sessions_are_read_without_surveys(folder):
    (folder / "SurveyResults.csv").unlink()
    assert [one.subject for one in load_nurse_stress(folder)] == ["15", "83"]


def test_surveys_in_an_excel_file_are_refused(folder):
    (folder / "SurveyResults.csv").rename(folder / "SurveyResults.xlsx")
    with pytest.raises(ValueError, match=r"must be in CSV: .* save it as SurveyResults\.csv"):
        load_nurse_stress(folder)


def test_surveys_of_other_columns_are_refused(folder):
    _write_surveys(folder, header=HEADER.replace("Start time", "Start"))
    with pytest.raises(ValueError, match="each of the columns Start time once, got ID, Start,"):
        load_nurse_stress(folder)


@pytest.mark.parametrize(
    "row, message",
    [
        ("15,07:01,07:03,,soon,2,,", "Line 2 .* date must be like 2020-04-14"),
        ("15,late,07:03,,2020-07-01,2,,", "Start time must be like 18:05:00"),
        ("15,07:01,07:03,,2020-07-01,9,,", "Stress level must be of 0, 1, 2, na"),
        ("15,07:01", "Line 2 .* must have 8 cells"),
    ],
)
def test_malformed_survey_is_refused(folder, row, message):
    _write_surveys(folder, [row])
    with pytest.raises(ValueError, match=message):
        load_nurse_stress(folder)


def test_session_that_is_cut_off_is_left_out_with_a_warning(folder):
    (path,) = (folder / "Stress_dataset" / "83").iterdir()
    path.write_bytes(path.read_bytes()[:500])
    with pytest.warns(UserWarning, match="1 of 2 recordings .* are left out"):
        assert [one.subject for one in load_nurse_stress(folder)] == ["15"]
