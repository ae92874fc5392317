"""Tests of the reader of PPG-DaLiA."""

import pickle
import zipfile

import numpy as np
import pytest
import test_empatica

from physio_ssl import RatingLabels, StageLabels, make_windows
from physio_ssl.datasets import load_empatica, load_ppg_dalia

SECONDS = 28
ACTIVITY = "# SUBJECT_ID, S3\n# NO_ACTIVITY, 0\n# BASELINE, 2\n# STAIRS, 5\n# NO_ACTIVITY, 7\n"
QUEST = "# SUBJECT_ID, S3\n# AGE, 25\n# GENDER, m\n# HEIGHT, 170.5\n \n"


def _pickled(subject="S3", seconds=SECONDS, **changes):
    """Return the content of an official pickle."""
    rng = np.random.default_rng(0)

    def draw(rate, n_channels=1, mean=0.0):
        return rng.normal(mean, 0.1, size=(seconds * rate, n_channels))

    return {
        "signal": {
            "wrist": {"ACC": draw(32, 3), "BVP": draw(64), "EDA": draw(4, 1, 5)}
            | {"TEMP": draw(4, 1, 30)},
            "chest": {"ACC": draw(700, 3), "ECG": draw(700), "Resp": draw(700)},
        },
        "label": 70.0 + np.arange((seconds - 8) // 2 + 1),
        "activity": np.repeat([0, 1, 0, 7], seconds)[:, np.newaxis],
        "rpeaks": np.arange(0, seconds * 700, 600),
        "questionnaire": {"AGE": 25, "Gender": " m", "SKIN": 3},
        "subject": subject,
    } | changes


def _write_pickle(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{folder.name}.pkl").write_bytes(pickle.dumps(content, 2))
    return folder.parent


def _write_export(folder, seconds=10):
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{folder.name}_E4.zip", "w") as archive:
        for name, text in test_empatica._files(seconds).items():
            archive.writestr(name, text)
    for name, text in (("activity", ACTIVITY), ("quest", QUEST)):
        (folder / f"{folder.name}_{name}.csv").write_text(text.replace("S3", folder.name))
    return folder.parent


def write(folder):
    """Write the pickles of two subjects."""
    for subject in ("S10", "S3"):
        _write_pickle(folder / subject, _pickled(subject))


@pytest.fixture
def pickled(tmp_path):
    return _write_pickle(tmp_path / "S3", _pickled())


@pytest.fixture
def exported(tmp_path):
    return _write_export(tmp_path / "S3")


def test_signals_of_both_devices_are_read(pickled):
    signals = ("bvp", "acc", "chest_ecg", "chest_acc")
    (recording,) = load_ppg_dalia(pickled, signals=signals)
    content = _pickled()["signal"]
    np.testing.assert_allclose(recording.signals["acc"][0].T, content["wrist"]["ACC"], rtol=1e-6)
    np.testing.assert_allclose(
        recording.signals["chest_ecg"].ravel(), content["chest"]["ECG"][:, 0]
    )
    assert recording.sampling_rate == {"bvp": 64, "acc": 32, "chest_ecg": 700, "chest_acc": 700}


def test_heart_rate_is_at_the_middle_of_its_windows(pickled):
    (recording,) = load_ppg_dalia(pickled)
    assert recording.ratings["time"].tolist() == [4 + 2 * number for number in range(11)]
    windows = make_windows(recording, 8, labels=RatingLabels("heart_rate"))
    assert dict(zip(windows.onset, windows.y, strict=True)) == {8: 73.5, 16: 77.5}


def test_activities_are_annotations_without_the_time_between_them(pickled):
    (recording,) = load_ppg_dalia(pickled)
    assert recording.annotations["description"].tolist() == ["sitting", "walking"]
    assert recording.annotations["onset"].tolist() == [7, 21]
    assert recording.annotations["duration"].tolist() == [7, 7]
    windows = make_windows(recording, 7, labels=StageLabels({"sitting": 0, "walking": 1}))
    assert windows.y.tolist() == [0, 1]


def test_answers_are_metadata(pickled):
    metadata = load_ppg_dalia(pickled)[0].metadata
    assert (metadata["age"], metadata["skin"]) == (25, 3)


def test_pickle_is_preferred_to_the_export(pickled):
    _write_export(pickled / "S3")
    assert load_ppg_dalia(pickled)[0].start_time is None


def test_export_has_the_signals_of_the_wristband(exported):
    (recording,) = load_ppg_dalia(exported, chest_start={"S3": 1})
    expected = load_empatica(exported / "S3" / "S3_E4.zip")
    assert (recording.signals, recording.start_time) == (expected.signals, expected.start_time)
    assert dict(recording.metadata) == {"age": 25, "gender": "m", "height": 170.5}


def test_activities_of_an_export_count_from_the_start_of_the_chest_device(exported):
    annotations = load_ppg_dalia(exported, chest_start={"S3": 1})[0].annotations
    assert annotations["description"].tolist() == ["sitting", "stairs"]
    assert annotations["onset"].tolist() == [3, 6]
    assert annotations["duration"].tolist() == [3, 2]


def test_activities_are_left_out_if_the_start_of_the_chest_device_is_unknown(exported):
    with pytest.warns(UserWarning, match="Activities of S3 .* chest_start"):
        (recording,) = load_ppg_dalia(exported)
    assert recording.annotations is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"subject": "S4"}, "must be of the subject S3, got 'S4'"),
        ({"label": np.full(11, 500.0)}, "from 20 to 250 beats"),
        ({"label": np.full(30, 70.0)}, "'bvp' of .* must be as long as its labels, 66.0 s"),
        ({"activity": np.full(112, 9)}, "whole numbers from 0 to 8, got 9"),
        ({"signal": {"wrist": {}}}, r"must hold 'bvp' as \['signal'\]\['wrist'\]\['BVP'\]"),
        ({"questionnaire": [1]}, "must hold a dict as questionnaire"),
    ],
)
def test_malformed_pickle_is_refused(tmp_path, changes, message):
    folder = _write_pickle(tmp_path / "S3", _pickled(**changes))
    with pytest.raises(ValueError, match=message):
        load_ppg_dalia(folder)


def test_pickle_that_is_cut_off_is_refused(pickled):
    path = pickled / "S3" / "S3.pkl"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"S3\.pkl cannot be read as a pickle of PPG-DaLiA"):
        load_ppg_dalia(pickled)


@pytest.mark.parametrize(
    "file, text, message",
    [
        ("activity", "# SUBJECT_ID, S3\n# FLYING, 2\n", "Activities .* got flying"),
        ("activity", "# STAIRS, 5\n# LUNCH, 2\n", "sorted by their starts"),
        ("activity", "# STAIRS, soon\n", "stairs in .* must be a number"),
        ("activity", "# STAIRS\n", "Line 1 of .* must be a name and a value"),
        ("quest", "# SUBJECT_ID, S4\n", "must be of the subject S3, got 'S4'"),
    ],
)
def test_malformed_tables_are_refused(exported, file, text, message):
    (exported / "S3" / f"S3_{file}.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_ppg_dalia(exported, chest_start={"S3": 0})


def test_missing_source_is_refused(exported):
    with pytest.raises(ValueError, match=r"must hold S3\.pkl for source='pkl'"):
        load_ppg_dalia(exported, source="pkl")


def test_chest_is_not_in_the_export(exported):
    with pytest.raises(ValueError, match=r"chest_ecg must be read from S3\.pkl"):
        load_ppg_dalia(exported, signals=["chest_ecg"])


def test_real_subject_moves_as_its_activities_say(data_folder):
    if not (folder := data_folder / "PPG_FieldStudy").is_dir():
        pytest.skip("PHYSIO_SSL_DATA holds no PPG_FieldStudy")
    (recording,) = load_ppg_dalia(folder, signals=["acc"], chest_start={"S3": 120})
    windows = make_windows(recording, 8, labels=StageLabels({"sitting": 0, "stairs": 1}))
    movement = np.linalg.norm(windows.X["acc"], axis=1).std(axis=1)
    assert np.median(movement[windows.y == 1]) > 10 * np.median(movement[windows.y == 0])
