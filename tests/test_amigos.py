"""Tests of the reader of AMIGOS, on files written in its layout."""

import numpy as np
import pytest
from scipy.io import savemat

from physio_ssl import RatingLabels, make_windows
from physio_ssl.datasets import load_amigos

RATE = 128
SECONDS = 20
# A different value in each column, as the order is what others got wrong.
RATINGS = [5.3, 7.25, 2.5, 8.75, 1.5, 0, 0, 1, 1, 0, 1, 0]
SCALES = [
    "arousal",
    "valence",
    "dominance",
    "liking",
    "familiarity",
    "neutral",
    "disgust",
    "happiness",
    "surprise",
    "anger",
    "fear",
    "sadness",
]


def cell(items):
    """Return a MATLAB cell of one row."""
    array = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def samples(number, seconds=SECONDS):
    """Return 17 columns: each starts at 1000 times its number plus that of the trial."""
    n_times = seconds * RATE
    return np.arange(n_times)[:, np.newaxis] / n_times + 1000 * np.arange(1, 18) + number


def content(n_trials=20):
    """Return the variables of one subject, whose arousal grows with the trial."""
    ratings = [np.array([[1 + 0.1 * n, *RATINGS[1:]]]) for n in range(1, n_trials + 1)]
    return {
        "VideoIDs": cell([f"v{n}" for n in range(n_trials)]),
        "joined_data": cell([samples(n) for n in range(1, n_trials + 1)]),
        "labels_selfassessment": cell(ratings),
    }


def write(folder, subject="P01", variables=None, nested=False):
    stem = f"Data_Preprocessed_{subject}"
    path = folder / stem / f"{stem}.mat" if nested else folder / f"{stem}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content() if variables is None else variables)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Folder of AMIGOS with one subject."""
    return write(tmp_path)


def test_there_is_one_recording_for_each_trial(folder):
    recordings = load_amigos(folder)
    assert [r.annotations["trial"][0] for r in recordings] == list(range(1, 21))
    assert {r.subject for r in recordings} == {"P01"}
    assert {r.duration for r in recordings} == {SECONDS}


def test_signals_come_from_their_columns(folder):
    for name, columns in [
        ("ecg", [16]),
        ("ecg_right", [15]),
        ("eda", [17]),
        ("eeg", list(range(1, 15))),
    ]:
        recording = load_amigos(folder, signals=[name])[2]
        expected = samples(3)[:, np.array(columns) - 1].T.astype(np.float32)
        assert recording.signals[name].dtype == np.float32
        np.testing.assert_array_equal(recording.signals[name][0], expected)
        assert recording.sampling_rate == {name: 128}


def test_ratings_come_from_their_columns(tmp_path):
    variables = content()
    variables["labels_selfassessment"][0, 4] = np.array([RATINGS])
    annotations = load_amigos(write(tmp_path, variables=variables))[4].annotations
    for scale, rating in zip(SCALES, RATINGS, strict=True):
        assert set(annotations[scale]) == {rating}


@pytest.mark.parametrize("seconds, duration, step", [(20, 10, 0.1), (20, 1, 1), (20.5, 7.5, 0.3)])
def test_a_rating_holds_for_all_windows_of_its_trial(tmp_path, seconds, duration, step):
    variables = content()
    variables["joined_data"][0, 0] = np.ones((int(seconds * RATE), 17))
    recording = load_amigos(write(tmp_path, variables=variables))[0]
    windows = make_windows(recording, duration, step, labels=RatingLabels("arousal"))
    assert windows.dropped == {}
    assert windows.onset[-1] + duration > seconds - step
    assert set(windows.y) == {1.1}


def test_ratings_are_annotated_from_start_to_end_of_the_trial(folder):
    time = load_amigos(folder)[0].annotations["time"]
    assert time.tolist() == list(range(SECONDS + 1))


def test_the_mean_rating_divides_trials_into_low_and_high(folder):
    recordings = load_amigos(folder)
    mean = np.nanmean([r.annotations["arousal"][0] for r in recordings])
    windows = make_windows(recordings, 10, labels=RatingLabels("arousal", bins=[mean]))
    assert mean == pytest.approx(2.05)
    assert windows.y.tolist() == [0] * 20 + [1] * 20


def test_trials_are_short_or_long(folder):
    for trials, numbers in [("short", range(1, 17)), ("long", range(17, 21))]:
        recordings = load_amigos(folder, trials=trials)
        assert [r.annotations["trial"][0] for r in recordings] == list(numbers)


def test_empty_trials_are_left_out_and_named(tmp_path):
    variables = content()
    for number in (3, 17, 20):
        variables["joined_data"][0, number - 1] = np.zeros((0, 0))
        variables["labels_selfassessment"][0, number - 1] = np.zeros((0, 0))
    write(tmp_path)
    write(tmp_path, "P08", variables)
    message = (
        r"3 of 40 recordings .* left out: Trial 3 of P08 .* Trial 17 of P08 .* Trial 20 of P08"
    )
    with pytest.warns(UserWarning, match=message):
        recordings = load_amigos(tmp_path)
    assert len(recordings) == 20 + 17
    assert 3 not in [r.annotations["trial"][0] for r in recordings[20:]]
    assert recordings[22].signals["ecg"][0, 0, 0] == 16000 + 4


def test_long_trials_that_are_not_there_are_named(tmp_path):
    write(tmp_path, variables=content(n_trials=16))
    with pytest.warns(UserWarning, match="4 of 20 .* Trial 17 of P01 .* Trial 20 of P01"):
        assert len(load_amigos(tmp_path)) == 16


def test_a_trial_without_ratings_is_kept_without_labels(tmp_path):
    variables = content()
    variables["labels_selfassessment"][0, 1] = np.zeros((0, 0))
    recordings = load_amigos(write(tmp_path, variables=variables))
    windows = make_windows(recordings[:2], 10, labels=RatingLabels("arousal"))
    assert windows.dropped == {"unlabelled": 2}
    assert len(make_windows(recordings[:2], 10)) == 4


def test_nan_is_kept_for_make_windows_to_drop(tmp_path):
    variables = content()
    variables["joined_data"][0, 0][:, 15] = np.nan
    recordings = load_amigos(write(tmp_path, variables=variables))
    assert np.isnan(recordings[0].signals["ecg"]).all()
    with pytest.warns(UserWarning, match=r"2 of \d+ windows are dropped: .* gap"):
        assert make_windows(recordings[:2], 10).dropped == {"non-finite": 2}


def test_subjects_are_sorted_by_number_wherever_their_files_are(tmp_path):
    for subject, nested in [("P20", False), ("P02", True), ("P100", False)]:
        write(tmp_path, subject, nested=nested)
    recordings = load_amigos(tmp_path, trials="long")
    assert [r.subject for r in recordings] == ["P02"] * 4 + ["P20"] * 4 + ["P100"] * 4
    assert {r.subject for r in load_amigos(tmp_path, subjects=["P20", "P02"])} == {"P02", "P20"}


def test_unknown_trials_are_refused(folder):
    with pytest.raises(ValueError, match="trials must be one of all, short, long, got 'both'"):
        load_amigos(folder, trials="both")


def test_missing_variable_is_refused(tmp_path):
    variables = content()
    del variables["joined_data"]
    write(tmp_path, variables=variables)
    with pytest.raises(ValueError, match="variable.* joined_data, .* got VideoIDs"):
        load_amigos(tmp_path)


def test_malformed_trial_is_refused(tmp_path):
    for name, value, message in [
        ("joined_data", np.ones((640, 14)), r"numbers of shape \(n, 17\) as joined_data\{2\}, got"),
        ("joined_data", np.ones((17, 640)), r"got array of shape \(17, 640\)"),
        ("joined_data", "text", "got text .*: text"),
        ("labels_selfassessment", np.ones((1, 5)), r"12 numbers .* labels_selfassessment\{2\}"),
        ("labels_selfassessment", np.ones((2, 12)), "numbers in one row or column"),
    ]:
        variables = content()
        variables[name][0, 1] = value
        write(tmp_path, variables=variables)
        with pytest.raises(ValueError, match=f"P01.mat must hold .*{message}"):
            load_amigos(tmp_path)


def test_array_in_place_of_a_cell_is_refused(tmp_path):
    write(tmp_path, variables={**content(), "joined_data": np.ones((640, 17))})
    message = r"a cell .* as joined_data, got array of shape \(640, 17\)"
    with pytest.raises(ValueError, match=message):
        load_amigos(tmp_path)


def test_wrong_number_of_trials_is_refused(tmp_path):
    for n_trials, n_labels in [(20, 19), (12, 12)]:
        labels = content(n_labels)["labels_selfassessment"]
        write(tmp_path, variables={**content(n_trials), "labels_selfassessment": labels})
        with pytest.raises(ValueError, match=f"trials each, got {n_trials} and {n_labels}"):
            load_amigos(tmp_path)


def test_subject_without_any_trial_is_refused(tmp_path):
    empty = cell([np.zeros((0, 0))] * 20)
    write(tmp_path, variables={"joined_data": empty, "labels_selfassessment": empty})
    with pytest.raises(ValueError, match="must hold .* got none: Trial 1 of P01"):
        load_amigos(tmp_path)


def test_two_files_of_one_subject_are_refused(folder):
    write(folder, nested=True)
    with pytest.raises(ValueError, match="must hold one file of each subject, got"):
        load_amigos(folder)


@pytest.mark.parametrize("compressed", [False, True])
def test_file_that_is_cut_off_is_refused(folder, compressed):
    path = folder / "Data_Preprocessed_P01.mat"
    savemat(path, content(), do_compression=compressed)
    whole = path.read_bytes()
    for fraction in (0, 0.001, 0.5, 0.99):
        path.write_bytes(whole[: int(fraction * len(whole))])
        with pytest.raises(ValueError, match=r"P01\.mat cannot be read as a MATLAB file"):
            load_amigos(folder)


def test_file_that_is_no_matlab_file_is_refused(folder):
    (folder / "Data_Preprocessed_P01.mat").write_bytes(b"<html>Please log in</html>" * 20)
    with pytest.raises(ValueError, match=r"P01\.mat cannot be read as a MATLAB file"):
        load_amigos(folder)


def test_file_of_version_7_3_is_refused_with_advice(folder):
    for start in [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", b"\x89HDF\r\n\x1a\n"]:
        (folder / "Data_Preprocessed_P01.mat").write_bytes(start.ljust(600))
        with pytest.raises(ValueError, match=r"7\.3 .* '-struct', 'content', '-v7'"):
            load_amigos(folder)
