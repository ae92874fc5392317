"""Tests of the reader of Stress-Predict."""

import csv
import shutil

import numpy as np
import pytest

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_empatica, load_stress_predict

START = 1644227574
SECONDS = 200
DESCRIPTIONS = ["rest", "stroop", "rest", "interview", "rest", "hyperventilation", "rest"]
BOUNDS = [9, 40, 70, 90, 130, 150, 170, 201]  # s; labels end later than the signals
LABELS = StageLabels({"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1})


def _write_subject(folder, subject, zeros=0):
    """Write an E4 export, whose EDA begins with zeros, with tags of a wrong clock."""
    session = folder / "Raw_data" / subject
    session.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, rate, middle in [("BVP", 64, 0), ("EDA", 4, 10), ("TEMP", 4, 30)]:
        samples = middle + rng.integers(-5, 6, rate * SECONDS)
        samples[: zeros * (name == "EDA")] = 0
        rows = [f"{START}.00", f"{rate}.00", *map(str, samples)]
        (session / f"{name}.csv").write_text("\n".join(rows) + "\n")
    (session / f"tags_{subject}.csv").write_text(f"{START - 40000}\n{START + 40}\n")


def _labels(number, bounds=BOUNDS):
    """Return the rows of labels of one subject, the first of them without a heart rate."""
    label = np.repeat([0, 1, 0, 1, 0, 1, 0], np.diff(bounds))
    times = START + np.arange(bounds[0], bounds[-1])
    return [
        f"{number},{'' if time == times[0] else 70.5},12.1,{time},{value}"
        for time, value in zip(times, label, strict=True)
    ]


def _write_labels(folder, rows, header="Participant,HR,respr,Time(sec),Label"):
    path = folder / "Processed_data" / "Improved_All_Combined_hr_rsp_binary.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture
def folder(tmp_path):
    """Folder of Stress-Predict with S01, who has no labels, S02 and S10."""
    for subject in ("S10", "S02", "S01"):
        _write_subject(tmp_path, subject)
    _write_labels(tmp_path, _labels(2) + _labels(10))
    return tmp_path


@pytest.mark.filterwarnings("ignore:1 of 2 tags")
def test_recordings_have_the_signals_of_the_wristband(folder):
    recording = load_stress_predict(folder, signals=("eda", "temp"))[0]
    expected = load_empatica(folder / "Raw_data" / "S02", ("eda", "temp"))
    assert recording.signals == expected.signals
    assert recording.sampling_rate == {"eda": 4, "temp": 4}
    assert recording.start_time == START


def test_runs_of_labels_are_annotations(folder):
    annotations = load_stress_predict(folder)[0].annotations
    assert annotations["description"].tolist() == DESCRIPTIONS
    assert annotations["onset"].tolist() == BOUNDS[:-1]
    assert annotations["duration"].tolist() == [31, 30, 20, 40, 20, 20, 30]  # whole seconds


def test_labels_move_with_the_start_of_the_recording(folder):
    shutil.rmtree(folder / "Raw_data" / "S02")
    _write_subject(folder, "S02", zeros=6)
    recording = load_stress_predict(folder)[0]
    assert recording.start_time == START + 1.5
    assert recording.annotations["onset"].tolist() == [7.5, 38.5, 68.5, 88.5, 128.5, 148.5, 168.5]


def test_labels_before_the_recording_are_cut_off(folder):
    shutil.rmtree(folder / "Raw_data" / "S02")
    _write_subject(folder, "S02", zeros=4 * 50)
    annotations = load_stress_predict(folder)[0].annotations
    assert annotations["description"].tolist() == DESCRIPTIONS[1:]
    assert annotations["onset"].tolist() == [0, 20, 40, 80, 100, 120]
    assert annotations["duration"][0] == 20


def test_windows_get_the_labels_of_the_tasks(folder):
    windows = make_windows(load_stress_predict(folder)[:1], 10, labels=LABELS)
    assert windows.onset[windows.y == 1].tolist() == [40, 50, 60, 90, 100, 110, 120, 150, 160]
    assert windows.onset[windows.y == 0].tolist() == [10, 20, 30, 70, 80, 130, 140, 170, 180, 190]


def test_unlabelled_subject_is_left_out(folder):
    assert [recording.subject for recording in load_stress_predict(folder)] == ["S02", "S10"]


def test_unlabelled_subject_asked_for_by_name_is_left_out_with_a_warning(folder):
    with pytest.warns(UserWarning, match="S01 has no labels in Stress-Predict"):
        recordings = load_stress_predict(folder, subjects=("S01", "S02"))
    assert [recording.subject for recording in recordings] == ["S02"]


@pytest.mark.filterwarnings("ignore:S01 has no labels")
def test_no_labelled_subject_is_refused(folder):
    with pytest.raises(ValueError, match="must hold recordings, got none: S01 has no labels"):
        load_stress_predict(folder, subjects=["S01"])


def test_missing_labels_file_is_refused(folder):
    shutil.rmtree(folder / "Processed_data")
    with pytest.raises(FileNotFoundError, match=r"no file .*Improved_All_\w+\.csv"):
        load_stress_predict(folder)


def test_labels_file_of_other_columns_is_refused(folder):
    _write_labels(folder, _labels(2), header="Participant,HR,respr,Time,Label")
    with pytest.raises(ValueError, match=r"each of the columns Time\(sec\) once, got .*Time,"):
        load_stress_predict(folder)


def test_malformed_label_is_refused(folder):
    for row, cells in [
        (f"2,70.5,12.1,{START + 209},2", rf"\['2', '{START + 209}', '2'\]"),
        (f"2,70.5,12.1,{START + 209},stress", r"'stress'\]"),
        (f"2,70.5,12.1,{START + 209},", r"''\]"),
        ("2,70.5,12.1,1.64E+09,0", r"'1\.64E\+09', '0'\]"),
    ]:
        _write_labels(folder, [*_labels(2), row])
        with pytest.raises(ValueError, match=f"Line 194 of .* whole numbers .* got .*{cells}"):
            load_stress_predict(folder)
    _write_labels(folder, [*_labels(2), "2,70.5,12.1,16442"])
    with pytest.raises(ValueError, match="Line 194 of .* must have 5 cells"):
        load_stress_predict(folder)


def test_labels_without_one_of_the_subjects_are_refused(folder):
    _write_labels(folder, _labels(2))
    with pytest.raises(ValueError, match="labels of S10, got S02"):
        load_stress_predict(folder)


def test_labels_with_a_gap_are_refused(folder):
    rows = _labels(2)
    _write_labels(folder, rows[:50] + rows[51:] + _labels(10))
    with pytest.raises(
        ValueError, match=f"each second of S02, got {START + 60} after {START + 58}"
    ):
        load_stress_predict(folder)


def test_labels_cut_off_before_the_last_task_are_refused(folder):
    _write_labels(folder, _labels(2)[:130] + _labels(10))
    with pytest.raises(ValueError, match="must mark .*stroop.* of S02, got 2"):
        load_stress_predict(folder)


def test_labels_that_do_not_span_the_recording_are_refused(folder):
    for first, last, found in [
        (9, 180, "9.0 to 180.0"),
        (15, 201, "15.0 to 201.0"),
        (9, 220, "9.0 to 220.0"),
    ]:
        _write_labels(folder, _labels(2, [first, *BOUNDS[1:-1], last]) + _labels(10))
        with pytest.raises(ValueError, match=f"must span 0 to 200.0 s of S02, got {found} s"):
            load_stress_predict(folder)


@pytest.fixture(scope="module")
def real_folder(data_folder):
    return data_folder / "StressPredict"


@pytest.fixture(scope="module")
def real(real_folder):
    return load_stress_predict(real_folder)


def _task_times(recording):
    """Return the unix times of the onset and end of each task, of shape (3, 2)."""
    task = recording.annotations["description"] != "rest"
    onset = recording.annotations["onset"][task] + recording.start_time
    return np.stack([onset, onset + recording.annotations["duration"][task]], axis=1)


def test_stress_predict_has_24_labelled_subjects(real):
    assert [recording.subject for recording in real] == [f"S{n:02d}" for n in range(2, 26)]


def test_every_subject_has_the_tasks_in_the_same_order(real):
    for recording in real:
        assert recording.annotations["description"].tolist() == DESCRIPTIONS


def test_tasks_lie_where_they_were_found_before(real, real_folder):
    # The file ends a task with the start of its last second instead of the end.
    with (real_folder / "derived_stress_intervals.csv").open() as file:
        rows = list(csv.DictReader(file))
    for recording in real:
        start = np.loadtxt(real_folder / "Raw_data" / recording.subject / "EDA.csv", max_rows=1)
        times = [
            (float(row["start_s_from_session"]), float(row["end_s_from_session"]) + 1)
            for row in rows
            if row["subject"] == recording.subject
        ]
        np.testing.assert_array_equal(_task_times(recording), start + times)


def test_tasks_lie_between_the_tags(real, real_folder):
    for recording in real:
        subject = recording.subject
        if subject not in ("S06", "S17", "S18"):  # known to have other tags
            tags = np.loadtxt(real_folder / "Raw_data" / subject / f"tags_{subject}.csv")[:6]
            np.testing.assert_allclose(_task_times(recording), tags.reshape(3, 2), rtol=0, atol=1)


def test_every_signal_alone_lasts_as_long_as_its_labels(real_folder):
    for signal in ("bvp", "eda", "temp", "hr"):
        recordings = load_stress_predict(real_folder, signals=[signal])
        assert all(len(recording.annotations["onset"]) == 7 for recording in recordings)


def test_windows_of_60_s_are_stress_in_about_a_third(real):
    windows = make_windows(real, 60, 15, labels=LABELS)
    assert np.bincount(windows.y).tolist() == [3171, 1436]
