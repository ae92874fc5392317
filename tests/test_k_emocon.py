"""Tests of the reader of K-EmoCon."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import RatingLabels, make_windows
from physio_ssl.datasets import load_k_emocon

START = 1_553_586_474_000  # unix time in ms, of the device
DEBATE = (20_000, 50_000)  # ms after it
SECONDS = 60
RATES = {"BVP": 64, "EDA": 4, "TEMP": 4, "ACC": 32}
MEANS = {"BVP": 0, "EDA": 5, "TEMP": 33}


def signal(name, device="A01525", start=START, seconds=SECONDS):
    """Return the columns of a file of one device."""
    rng = np.random.default_rng(0)
    time = start + np.arange(seconds * RATES[name]) * 1000 / RATES[name]
    columns = ("x", "y", "z") if name == "ACC" else ("value",)
    values = {column: MEANS.get(name, 64) + rng.normal(size=len(time)) for column in columns}
    return pd.DataFrame({"timestamp": np.round(time), **values, "device_serial": device})


def rating(arousal=3, first=5, n=6):
    seconds = first + 5 * np.arange(n)
    table = {"seconds": seconds, "arousal": arousal, "valence": 4, "sad": 1, "boredom": "x"}
    return pd.DataFrame(table)


def write(folder, subject="1", signals=None, ratings=None):
    """Write the files of a participant."""
    signals = {name: signal(name) for name in RATES} | (signals or {})
    ratings = {"self": rating(1), "partner": rating(2), "external": rating(5)} | (ratings or {})
    data = folder / "e4_data" / subject
    data.mkdir(parents=True, exist_ok=True)
    for name, table in signals.items():
        table.to_csv(data / f"E4_{name}.csv", index=False)
    for rater, table in ratings.items():
        kind = f"{'aggregated_' if rater == 'external' else ''}{rater}_annotations"
        place = folder / "emotion_annotations" / kind
        place.mkdir(parents=True, exist_ok=True)
        table.to_csv(place / f"P{subject}.{rater}.csv", index=False)
    (folder / "metadata").mkdir(exist_ok=True)
    times = pd.DataFrame({"pid": range(1, 33), "initTime": START})
    times["startTime"], times["endTime"] = (START + time for time in DEBATE)
    times.to_csv(folder / "metadata" / "subjects.csv", index=False)
    return folder


def test_signals_are_those_of_the_files(tmp_path):
    (recording,) = load_k_emocon(write(tmp_path), signals=("bvp", "eda", "temp", "acc"))
    for name in ("bvp", "eda", "temp"):
        assert_allclose(recording.signals[name][0, 0], signal(name.upper())["value"], rtol=1e-5)
    expected = signal("ACC")[["x", "y", "z"]].to_numpy().T / 64  # in g
    assert_allclose(recording.signals["acc"][0], expected, rtol=1e-5)
    assert recording.sampling_rate == {"bvp": 64, "eda": 4, "temp": 4, "acc": 32}
    assert recording.subject == "1"
    assert recording.start_time == START / 1000


def test_recording_starts_with_the_last_signal(tmp_path):
    late = signal("EDA", start=START + 2500)
    (recording,) = load_k_emocon(write(tmp_path, signals={"EDA": late}))
    assert recording.start_time == START / 1000 + 2.5
    assert recording.start_offset == 2.5
    bvp = signal("BVP")["value"][160:]
    assert_allclose(recording.signals["bvp"][0, 0], bvp, rtol=1e-5)


def test_debate_is_an_annotation_and_ratings_begin_with_it(tmp_path):
    (recording,) = load_k_emocon(write(tmp_path))
    annotations = recording.annotations
    assert (annotations["onset"], annotations["duration"]) == (20, 30)
    assert annotations["description"] == "debate"
    assert recording.ratings["time"].tolist() == [20, 25, 30, 35, 40, 45]
    assert set(recording.ratings) == {"time", "arousal", "valence", "sad"}


def test_time_of_a_rating_is_the_start_of_its_interval(tmp_path):
    for first in (0, 5):
        write(tmp_path, ratings={"self": rating(first=first)})
        assert load_k_emocon(tmp_path)[0].ratings["time"][0] == 20


@pytest.mark.parametrize("raters, arousal", [("self", 1), ("partner", 2), ("external", 5)])
def test_raters_can_be_chosen(tmp_path, raters, arousal):
    ratings = load_k_emocon(write(tmp_path), raters=raters)[0].ratings
    assert ratings["arousal"].tolist() == [arousal] * 6


def test_all_raters_are_columns_and_what_one_did_not_rate_is_missing(tmp_path):
    write(tmp_path, ratings={"partner": rating(2, first=10, n=4)})
    ratings = load_k_emocon(tmp_path, raters="all")[0].ratings
    assert ratings["self_arousal"].tolist() == [1] * 6
    assert_array_equal(ratings["partner_arousal"], [np.nan] + [2] * 4 + [np.nan])
    assert_array_equal(ratings["external_valence"], [4] * 6)


def test_unknown_raters_are_refused(tmp_path):
    with pytest.raises(ValueError, match="raters must be .* got 'me'"):
        load_k_emocon(write(tmp_path), raters="me")


def test_ratings_of_1_and_2_are_low(tmp_path):
    ratings = rating(np.array([1, 2, 2, 3, 4, 5]))
    labels = RatingLabels("arousal", bins=[2.5])
    windows = make_windows(
        load_k_emocon(write(tmp_path, ratings={"self": ratings})), 5, labels=labels
    )
    assert windows.y.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("subject, device", [("31", "A013E1"), ("32", "A01A3A")])
def test_participants_with_two_devices_keep_their_own(tmp_path, subject, device):
    both = {}
    for name in RATES:
        own, other = signal(name, device), signal(name, "A99999", START + 3)
        other[other.columns[1:-1]] += 1
        both[name] = pd.concat([own, other]).sort_values("timestamp", kind="stable")
    (recording,) = load_k_emocon(write(tmp_path, subject, both))
    assert_allclose(recording.signals["eda"][0, 0], signal("EDA")["value"], rtol=1e-5)
    with pytest.raises(
        ValueError, match=r"E4_BVP\.csv must hold samples of one device, got .* A99999"
    ):
        load_k_emocon(write(tmp_path / "other", "5", both))


def test_participants_without_a_file_are_left_out(tmp_path):
    write(write(tmp_path), "2")
    (tmp_path / "e4_data" / "2" / "E4_EDA.csv").unlink()
    with pytest.warns(UserWarning, match=r"1 of 2 .* left out: 2 has no E4_EDA\.csv"):
        assert [recording.subject for recording in load_k_emocon(tmp_path)] == ["1"]
    assert len(load_k_emocon(tmp_path, signals=["bvp"])) == 2
    with pytest.raises(ValueError, match=r"got none: 2 has no E4_EDA\.csv"):
        load_k_emocon(tmp_path, ["2"])


@pytest.mark.parametrize("file", ["metadata/subjects.csv", "self_annotations/P1.self.csv"])
def test_missing_file_is_refused(tmp_path, file):
    write(tmp_path)
    next(tmp_path.rglob(file)).unlink()
    with pytest.raises(FileNotFoundError, match=file.rpartition("/")[2]):
        load_k_emocon(tmp_path)


FILES = ["E4_EDA.csv", "P1.self.csv", "subjects.csv"]


@pytest.mark.parametrize("file", FILES)
def test_file_that_is_cut_off_is_refused(tmp_path, file):
    path = next(write(tmp_path).rglob(file))
    rows = path.read_text().splitlines(keepends=True)
    for content, message in [
        ("", "must have each of the columns"),
        (rows[0], "must hold rows below its header"),
        ("".join(rows[:5]) + rows[5][:2], "must hold a finite number|must be of|rising"),
    ]:
        path.write_text(content)
        with pytest.raises(ValueError, match=f"{file}.* {message}|{file} {message}"):
            load_k_emocon(tmp_path)


@pytest.mark.parametrize(
    "file, column",
    [("E4_EDA.csv", "device_serial"), ("P1.self.csv", "valence"), ("subjects.csv", "endTime")],
)
def test_missing_column_is_refused(tmp_path, file, column):
    path = next(write(tmp_path).rglob(file))
    path.write_text(path.read_text().replace(column, "other"))
    with pytest.raises(
        ValueError, match=f"{file} must have each of the columns {column} once, got"
    ):
        load_k_emocon(tmp_path)


def test_participant_without_a_debate_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"subjects\.csv must hold the participant 40, got 1, 2"):
        load_k_emocon(write(tmp_path, "40"))


def test_part_of_the_debate_without_signals_is_a_warning(tmp_path):
    for seconds, error in [(40, None), (15, ValueError)]:
        write(tmp_path, signals={name: signal(name, seconds=seconds) for name in RATES})
        message = rf"debate of .*, 20.0 to 50.0 s, should lie within .* got 0 to {seconds}.0 s"
        with pytest.raises(error, match=message) if error else pytest.warns(match=message):
            load_k_emocon(tmp_path)


@pytest.mark.parametrize(
    "seconds, arousal, message",
    [([5, 5, 10], 1, "rising multiples of 5"), ([5, 11, 15], 1, "rising multiples of 5")],
)
def test_seconds_of_ratings_rise_by_whole_intervals(tmp_path, seconds, arousal, message):
    table = pd.DataFrame({"seconds": seconds, "arousal": arousal, "valence": 1})
    with pytest.raises(ValueError, match=rf"P1\.self\.csv must be {message}, got 5"):
        load_k_emocon(write(tmp_path, ratings={"self": table}))


def test_rating_outside_the_scale_is_a_warning(tmp_path):
    write(tmp_path, ratings={"self": rating(6)})
    with pytest.warns(
        UserWarning, match=r"arousal in .*P1\.self\.csv should be from 1 to 5, got 6"
    ):
        load_k_emocon(tmp_path)


def test_values_that_no_e4_measures_are_refused(tmp_path):
    hot = signal("TEMP").assign(value=200.0)
    with pytest.raises(ValueError, match=r"E4_TEMP\.csv must lie within"):
        load_k_emocon(write(tmp_path, signals={"TEMP": hot}))


def test_sampling_rate_of_another_device_is_refused(tmp_path):
    slow = signal("EDA").iloc[::2]
    with pytest.raises(ValueError, match=r"E4_EDA\.csv .* within 2 %, 4 Hz, got 2 Hz"):
        load_k_emocon(write(tmp_path, signals={"EDA": slow}))
