"""Tests of the reader of CASE."""

import numpy as np
import pandas as pd
import pytest

from physio_ssl import RatingLabels, StageLabels, make_windows
from physio_ssl.datasets import load_case

VIDEOS = [10, 11, 3, 11, 8, 12]  # one second each
VOLTS = {"ecg": 2.85, "bvp": 2.5, "gsr": 2.4, "rsp": 2.4, "skt": 3.0}
VOLTS |= {"emg_zygo": 2.02, "emg_coru": 2.04, "emg_trap": 2.1}
UNITS = {  # what the authors' formulas make of these voltages
    "ecg": 1.0,  # (V - 2.8) / 50, in mV
    "bvp": 58.962 * 2.5 - 115.09,
    "eda": 24 * 2.4 - 49.2,
    "resp": 58.923 * 2.4 - 115.01,
    "temp": 21.341 * 3 - 32.085,
    "emg_zygo": 5.0,  # (V - 2) / 4000, in uV
    "emg_coru": 10.0,
    "emg_trap": 25.0,
}
ALL = tuple(UNITS)


def tables(volts=True, start=0, videos=VIDEOS):
    """Return the columns of both files of a subject, of a second per video."""
    values = VOLTS.values() if volts else UNITS.values()
    time = start + np.arange(1000 * len(videos))
    physiology = {"daqtime": time}
    physiology |= {n: np.full(len(time), v) for n, v in zip(VOLTS, values, strict=True)}
    physiology["video"] = np.repeat(videos, 1000)
    rated = start + np.arange(0, 1000 * len(videos), 50)
    ratings = {"jstime": rated, "valence": 5 + np.sin(rated), "arousal": np.full(len(rated), 6.5)}
    return physiology, {**ratings, "video": np.repeat(videos, 20)}


def write(folder, subject="sub_1", columns=None):
    """Write both files of a subject."""
    for kind, table in zip(("physiological", "annotations"), columns or tables(), strict=True):
        path = folder / "data" / "interpolated" / kind / f"{subject}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(table).to_csv(path, index=False)
    return folder


def physiology_path(folder, subject="sub_1"):
    return folder / "data" / "interpolated" / "physiological" / f"{subject}.csv"


def annotation_path(folder):
    return folder / "data" / "interpolated" / "annotations" / "sub_1.csv"


@pytest.mark.parametrize("volts", [True, False])
def test_signals_are_in_units_whether_the_file_holds_volts_or_units(tmp_path, volts):
    write(tmp_path, columns=tables(volts))
    (recording,) = load_case(tmp_path, signals=ALL)
    for name, expected in UNITS.items():
        np.testing.assert_allclose(recording.signals[name], expected, rtol=1e-4, atol=1e-4)
    assert set(recording.sampling_rate.values()) == {1000}


def test_runs_of_a_video_are_annotations(tmp_path):
    annotations = load_case(write(tmp_path))[0].annotations
    assert annotations["onset"].tolist() == [0, 1, 2, 3, 4, 5]
    assert annotations["duration"].tolist() == [1] * 6
    expected = ["start", "blue screen", "video 3", "blue screen", "video 8", "end"]
    assert annotations["description"].tolist() == expected


@pytest.mark.parametrize("start", [0, 250])
def test_ratings_keep_their_own_clock_and_start_with_the_recording(tmp_path, start):
    columns = tables(start=start)
    (recording,) = load_case(write(tmp_path, columns=columns))
    np.testing.assert_allclose(recording.ratings["time"], np.arange(0, 6, 0.05), atol=1e-9)
    np.testing.assert_allclose(recording.ratings["valence"], columns[1]["valence"])
    assert recording.start_offset == start / 1000


def test_ratings_and_videos_label_windows(tmp_path):
    labels = {
        "mean": RatingLabels("arousal"),
        "third": RatingLabels.equal_width("arousal", 0.5, 9.5, n_classes=3),
        "video": StageLabels({"video 3": "boring", "video 8": "scary"}),
    }
    windows = make_windows(load_case(write(tmp_path)), 1, labels=labels)
    assert windows.info["mean"].tolist() == [6.5, 6.5]
    assert windows.info["third"].tolist() == [2, 2]  # thirds begin at 0.5, 3.5 and 6.5
    assert windows.info["video"].tolist() == ["boring", "scary"]


def test_subjects_are_sorted_by_number(tmp_path):
    for subject in ("sub_10", "sub_2"):
        write(tmp_path, subject)
    assert [recording.subject for recording in load_case(tmp_path)] == ["sub_2", "sub_10"]


def test_missing_file_of_ratings_is_refused(tmp_path):
    write(tmp_path)
    annotation_path(tmp_path).unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*annotations.sub_1\.csv"):
        load_case(tmp_path)


@pytest.mark.parametrize("find", [physiology_path, annotation_path])
def test_file_that_is_cut_off_is_refused(tmp_path, find):
    path = find(write(tmp_path))
    rows = path.read_text().splitlines(keepends=True)
    middle = "".join(rows[: len(rows) // 2])
    for content, message in [
        ("", "must have each of the columns"),
        (rows[0], "must hold rows below its header"),
        (middle, "must cover .* got"),
        (middle + "3000,", "must hold a finite number"),
    ]:
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"sub_1\.csv {message}"):
            load_case(tmp_path)


@pytest.mark.parametrize(
    "find, column", [(physiology_path, "gsr"), (physiology_path, "skt"), (annotation_path, "video")]
)
def test_missing_column_is_refused(tmp_path, find, column):
    path = find(write(tmp_path))
    path.write_text(path.read_text().replace(column, "other", 1))
    with pytest.raises(
        ValueError, match=f"must have each of the columns {column} once, got .*other"
    ):
        load_case(tmp_path)


def test_columns_may_be_in_another_order(tmp_path):
    write(tmp_path / "a")
    physiology, ratings = tables()
    write(tmp_path / "b", columns=(dict(reversed(physiology.items())), ratings))
    assert load_case(tmp_path / "a")[0].signals == load_case(tmp_path / "b")[0].signals


@pytest.mark.parametrize(
    "column, row, value, message",
    [
        (
            "daqtime",
            7,
            70,
            r"daqtime in .* must rise by 1 ms, got 2 other .* from line 9 on",
        ),
        ("gsr", 7, "x", "cannot be read as a table of numbers"),
        ("gsr", 7, np.nan, r"must hold a finite number .* got 1 bad row\(s\) from line 9 on"),
        ("gsr", 7, np.inf, r"must hold a finite number .* from line 9 on"),
        ("video", 7, 9, r"Videos in .* must be of .* got \[9.0\]"),
        ("skt", slice(None), 1.9, r"skt in .* from 10 to 45 degrees Celsius, got 8\.5"),
    ],
)
def test_wrong_value_is_refused(tmp_path, column, row, value, message):
    physiology, ratings = tables()
    physiology[column] = physiology[column].astype(object)
    physiology[column][row] = value
    write(tmp_path, columns=(physiology, ratings))
    with pytest.raises(ValueError, match=message):
        load_case(tmp_path)


def test_ratings_of_another_subject_are_refused(tmp_path):
    physiology, _ = tables()
    write(tmp_path, columns=(physiology, tables(videos=[10, 11, 8, 11, 3, 12])[1]))
    with pytest.raises(ValueError, match=r"annotations.sub_1\.csv must show the same videos"):
        load_case(tmp_path)


def test_rating_outside_the_scale_is_a_warning(tmp_path):
    physiology, ratings = tables()
    ratings["valence"][3] = 9.7
    write(tmp_path, columns=(physiology, ratings))
    with pytest.warns(UserWarning, match=r"valence in .* from 0.5 to 9.5, got 9.7"):
        load_case(tmp_path)


@pytest.mark.parametrize("subject, video", [("sub_1", 3), ("sub_2", 2), ("sub_3", 5)])
def test_ratings_of_the_authors_are_read(data_folder, tmp_path, subject, video):
    source = data_folder / "CASE_annotations" / "data" / "interpolated" / "annotations"
    ratings = dict(pd.read_csv(source / f"{subject}.csv", nrows=4500))  # 225 s
    shown = np.repeat(ratings["video"].to_numpy(), 50)
    physiology = {name: np.full(len(shown), value) for name, value in VOLTS.items()}
    physiology |= {"daqtime": np.arange(len(shown)), "video": shown}
    write(tmp_path, subject, (physiology, ratings))
    (recording,) = load_case(tmp_path)
    descriptions = recording.annotations["description"].tolist()
    assert descriptions == ["start", "blue screen", f"video {video}"]
    np.testing.assert_array_equal(recording.ratings["arousal"], ratings["arousal"])
    windows = make_windows(recording, 25, labels=RatingLabels.equal_width("arousal", 0.5, 9.5))
    assert len(windows.y) == 9
