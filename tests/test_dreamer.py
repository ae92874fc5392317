"""Tests of the reader of DREAMER, on files written in its layout."""

import numpy as np
import pytest
from scipy.io import savemat

from physio_ssl import RatingLabels, make_windows
from physio_ssl.datasets import load_dreamer

SECONDS = 20
N_CLIPS = 3
RATINGS = {"arousal": [1, 2, 3], "valence": [4, 5, 1], "dominance": [2, 4, 5]}


def cell(items):
    """Return a MATLAB cell of one column."""
    array = np.empty((len(items), 1), object)
    for i, item in enumerate(items):
        array[i, 0] = item
    return array


def samples(n_columns, rate, base):
    """Return columns that start at 1000 times their number plus a base."""
    times = np.arange(SECONDS * rate)[:, np.newaxis] / (SECONDS * rate)
    return times + 1000 * np.arange(1, n_columns + 1) + base


def part(n_columns, rate, base):
    return cell([samples(n_columns, rate, base + n) for n in range(1, N_CLIPS + 1)])


def person(number):
    """Return the struct of one subject, in the order of DREAMER's fields."""
    base = 100 * number
    columns = {name: np.array([ratings]).T for name, ratings in RATINGS.items()}
    return {
        "Age": "22",
        "Gender": "male",
        "EEG": {"baseline": part(14, 128, base + 50), "stimuli": part(14, 128, base)},
        "ECG": {"baseline": part(2, 256, base + 50), "stimuli": part(2, 256, base)},
        "ScoreValence": columns["valence"],
        "ScoreArousal": columns["arousal"],
        "ScoreDominance": columns["dominance"],
    }


def content(n_subjects=2):
    data = np.empty((1, n_subjects), object)
    for i in range(n_subjects):
        data[0, i] = person(i + 1)
    return {"Data": data}


def write(folder, dreamer=None):
    path = folder / "DREAMER.mat"
    savemat(path, {"DREAMER": content() if dreamer is None else dreamer})
    return path


@pytest.fixture
def path(tmp_path):
    """File of DREAMER with two subjects of three clips."""
    return write(tmp_path)


def test_there_is_one_recording_for_each_subject_and_clip(path):
    recordings = load_dreamer(path)
    assert [r.subject for r in recordings] == ["S01"] * 3 + ["S02"] * 3
    assert [r.annotations["clip"][0] for r in recordings] == [1, 2, 3] * 2
    assert {r.duration for r in recordings} == {SECONDS}


def test_signals_come_from_their_columns(path):
    for part, base in [("stimuli", 0), ("baseline", 50)]:
        for name, n_columns, rate, columns in [
            ("ecg", 2, 256, [0]),
            ("ecg_2", 2, 256, [1]),
            ("eeg", 14, 128, list(range(14))),
        ]:
            recording = load_dreamer(path, signals=[name], part=part)[
                4
            ]  # clip 2 of the second subject
            expected = samples(n_columns, rate, 200 + base + 2)[:, columns].T
            assert recording.signals[name].dtype == np.float32
            np.testing.assert_array_equal(recording.signals[name][0], expected.astype(np.float32))
            assert recording.sampling_rate == {name: rate}


def test_ratings_are_those_of_their_scale_and_clip(path):
    recordings = load_dreamer(path)
    for scale, ratings in RATINGS.items():
        assert [set(r.annotations[scale]) for r in recordings[:3]] == [{n} for n in ratings]


def test_ratings_label_all_windows_of_their_clip(path):
    windows = make_windows(load_dreamer(path), 5, labels=RatingLabels("valence", bins=[3]))
    assert windows.dropped == {}
    assert windows.y.tolist() == [1] * 8 + [0] * 4 + [1] * 8 + [0] * 4


def test_baselines_have_no_ratings(path):
    recordings = load_dreamer(path, part="baseline")
    assert set(recordings[0].annotations) == {"time", "clip"}
    with pytest.raises(ValueError, match="valence, got time, clip"):
        make_windows(recordings, 5, labels=RatingLabels("valence"))


def test_ecg_and_eeg_are_in_one_recording(path):
    recording = load_dreamer(path, signals=("ecg", "eeg"))[0]
    assert recording.sampling_rate == {"ecg": 256, "eeg": 128}
    assert recording.duration == SECONDS


def test_sampling_rate_of_the_file_wins(tmp_path):
    path = write(tmp_path, {**content(), "ECG_SamplingRate": 512, "EEG_SamplingRate": 64})
    recording = load_dreamer(path, signals=("ecg", "eeg"))[0]
    assert recording.sampling_rate == {"ecg": 512, "eeg": 64}


def test_impossible_sampling_rate_is_refused(tmp_path):
    path = write(tmp_path, {**content(), "ECG_SamplingRate": 0})
    with pytest.raises(ValueError, match=r"DREAMER\.ECG_SamplingRate in .* must be positive"):
        load_dreamer(path)


def test_sampling_rate_that_is_no_number_is_refused(tmp_path):
    path = write(tmp_path, {**content(), "ECG_SamplingRate": "256 Hz"})
    with pytest.raises(ValueError, match=r"one number as DREAMER.ECG_SamplingRate, got text"):
        load_dreamer(path)


def test_empty_clips_are_left_out_and_named(tmp_path):
    dreamer = content()
    dreamer["Data"][0, 1]["ECG"]["stimuli"][1, 0] = np.zeros((0, 0))
    path = write(tmp_path, dreamer)
    with pytest.warns(UserWarning, match="1 of 6 .* left out: Clip 2 of S02"):
        recordings = load_dreamer(path)
    assert [r.annotations["clip"][0] for r in recordings] == [1, 2, 3, 1, 3]
    assert [r.annotations["arousal"][0] for r in recordings] == [1, 2, 3, 1, 3]


def test_nan_is_kept_for_make_windows_to_drop(tmp_path):
    dreamer = content(1)
    dreamer["Data"][0, 0]["ECG"]["stimuli"][0, 0][:] = np.nan
    recordings = load_dreamer(write(tmp_path, dreamer))
    assert np.isnan(recordings[0].signals["ecg"]).all()
    with pytest.warns(UserWarning, match=r"2 of \d+ windows are dropped: .* gap"):
        assert make_windows(recordings, 10).dropped == {"non-finite": 2}


def test_unknown_part_is_refused(path):
    with pytest.raises(ValueError, match="part must be stimuli or baseline, got 'clips'"):
        load_dreamer(path, part="clips")


def test_missing_field_is_refused(tmp_path):
    for field in ["ECG", "ScoreArousal"]:
        dreamer = content()
        del dreamer["Data"][0, 1][field]
        message = (
            rf"struct with the field {field} as DREAMER.Data\{{2\}}, got struct .*'Age', 'Gender'"
        )
        with pytest.raises(ValueError, match=message):
            load_dreamer(write(tmp_path, dreamer))


def test_missing_part_is_refused(tmp_path):
    dreamer = content()
    del dreamer["Data"][0, 0]["ECG"]["baseline"]
    path = write(tmp_path, dreamer)
    assert len(load_dreamer(path)) == 6
    with pytest.raises(ValueError, match=r"field baseline as DREAMER\.Data\{1\}\.ECG, got str"):
        load_dreamer(path, part="baseline")


def test_malformed_clip_is_refused(tmp_path):
    for field, value, message in [
        ("stimuli", np.ones((2, 512)), r"\(n, 2\) as DREAMER\.Data\{1\}\.ECG\.stimuli\{3\}, got"),
        ("stimuli", np.ones((512, 1)), r"got array of shape \(512, 1\)"),
        ("stimuli", {"a": 1}, "got struct of shape .*'a'"),
    ]:
        dreamer = content()
        dreamer["Data"][0, 0]["ECG"][field][2, 0] = value
        path = write(tmp_path, dreamer)
        with pytest.raises(ValueError, match=message):
            load_dreamer(path)


def test_ratings_of_fewer_clips_are_refused(tmp_path):
    dreamer = content()
    dreamer["Data"][0, 1]["ScoreValence"] = np.array([[1], [2]])
    path = write(tmp_path, dreamer)
    message = (
        r"as many ratings as clips in DREAMER\.Data\{2\}, got .*'arousal': 3, 'valence': 2, .* 3"
    )
    with pytest.raises(ValueError, match=message):
        load_dreamer(path)


def test_file_without_dreamer_is_refused(tmp_path):
    savemat(tmp_path / "DREAMER.mat", {"data": 1})
    with pytest.raises(ValueError, match=r"must hold the variable\(s\) DREAMER, got data"):
        load_dreamer(tmp_path / "DREAMER.mat")


def test_array_in_place_of_dreamer_is_refused(tmp_path):
    path = write(tmp_path, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"one struct as DREAMER, got array of shape \(3, 2\)"):
        load_dreamer(path)
