"""Tests of the reader of CSV files with time stamps."""

import numpy as np
import pandas as pd
import pytest

from physio_ssl.datasets import load_csv

UNIX = 1_700_000_000
ECG = np.arange(1300)


def write(folder, rows, names, separator=";", name="ecg.txt"):
    lines = [separator.join(names), *(separator.join(map(str, row)) for row in rows)]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_polar(folder):
    """Write an ECG of 130 Hz as Polar's recorder does, with milliseconds in decimals."""
    times = np.round(ECG / 130 * 1e3, 6)
    rows = [
        (f"2023-11-14T22:13:2{i // 130}.000", 599_616_000_000_000_000 + round(ms * 1e6), ms, i)
        for i, ms in enumerate(times)
    ]
    names = ["Phone timestamp", "sensor timestamp [ns]", "timestamp [ms]", "ecg [uV]"]
    return write(folder, rows, names)


@pytest.mark.parametrize("time", ["sensor timestamp [ns]", "timestamp [ms]"])
def test_an_ecg_of_polar_has_its_rate_and_millivolts(time, tmp_path):
    recording = load_csv(write_polar(tmp_path), time, {"ecg": "ecg [uV]"})
    assert recording.sampling_rate == {"ecg": 130}
    np.testing.assert_allclose(recording.signals["ecg"][0, 0], ECG / 1e3, rtol=1e-6)
    assert dict(recording.metadata) == {"units": {"ecg": "mV"}}
    assert (recording.subject, recording.start_time) == ("ecg", None)


@pytest.mark.parametrize(
    "unit, factor, ours",
    [
        ("V", 1e3, "mV"),
        ("\u00b5V", 1e-3, "mV"),
        ("mS", 1e3, "uS"),
        ("mg", 1e-3, "g"),
        ("ms", 1, "ms"),
        ("bpm", 1, "bpm"),
    ],
)
def test_units_become_those_of_recordings(tmp_path, unit, factor, ours):
    path = write(tmp_path, [(i, i) for i in range(5)], ["t [s]", f"x [{unit}]"])
    recording = load_csv(path, "t [s]", {"x": f"x [{unit}]"})
    np.testing.assert_allclose(recording.signals["x"][0, 0], factor * np.arange(5), rtol=1e-6)
    assert recording.metadata["units"] == {"x": ours}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "unit, stamps",
    [
        ("s", UNIX + np.arange(8) / 4),
        ("ms", UNIX * 10**3 + np.arange(8) * 250),
        ("us", UNIX * 10**6 + np.arange(8) * 250_000),
        ("ns", UNIX * 10**9 + np.arange(8) * 250_000_000),
        ("iso", [f"2023-11-14T22:13:{20 + i // 4}.{i % 4 * 25:02d}Z" for i in range(8)]),
        ("iso", [f"2023-11-14 23:13:{20 + i // 4}.{i % 4 * 25:02d}+01:00" for i in range(8)]),
    ],
)
def test_unix_times_are_found_in_any_unit(unit, stamps, separator, tmp_path):
    path = write(tmp_path, zip(stamps, range(8), strict=True), ["time", "eda"], separator)
    recording = load_csv(path, "time", ["eda"])
    assert recording.sampling_rate == {"eda": 4}
    assert recording.start_time == UNIX
    assert recording.signals["eda"][0, 0].tolist() == list(range(8))


def test_times_of_the_day_pass_midnight(tmp_path):
    stamps = ["23:59:59.250", "23:59:59.500", "23:59:59.750", "00:00:00.000", "00:00:00.250"]
    path = write(tmp_path, zip(stamps, range(5), strict=True), ["time", "eda"])
    recording = load_csv(path, "time", ["eda"])
    assert recording.signals["eda"][0, 0].tolist() == [0, 1, 2, 3, 4]
    assert recording.start_time is None


def test_dates_without_a_zone_give_no_start_time(tmp_path):
    stamps = [f"2023-11-14T22:13:2{i}" for i in range(5)]
    path = write(tmp_path, zip(stamps, range(5), strict=True), ["time", "temp"])
    assert load_csv(path, "time", ["temp"]).start_time is None


def test_small_numbers_need_a_unit(tmp_path):
    path = write(tmp_path, [(0, 1), (250, 2), (500, 3)], ["time", "eda"])
    with pytest.raises(ValueError, match=r"ecg\.txt .*time_unit of column 'time' must be given"):
        load_csv(path, "time", ["eda"])
    assert load_csv(path, "time", ["eda"], time_unit="ms").sampling_rate == {"eda": 4}


def test_signals_in_one_table_have_rates_of_their_own(tmp_path):
    rows = [(i / 8, i, i if i % 8 == 4 else "", -i, i, i) for i in range(80)]
    names = ["Time (s)", "Acc x", "HR [bpm]", "Acc y", "Acc z", "note"]
    columns = {"acc": ["Acc x", "Acc y", "Acc z"], "hr": "HR [bpm]"}
    recording = load_csv(write(tmp_path, rows, names, ","), "Time (s)", columns)
    assert recording.sampling_rate == {"acc": 8, "hr": 1}
    assert np.isfinite(recording.signals["acc"]).sum() == 3 * 80
    assert recording.metadata["units"] == {"acc": None, "hr": "bpm"}
    # half a second after the start is nearest to the grid's second point
    np.testing.assert_array_equal(recording.signals["hr"][0, 0], [np.nan, *range(4, 80, 8)])


def test_gaps_become_nan_and_neighbours_stay(tmp_path):
    rows = [(i / 4, i) for i in range(100) if not 20 <= i < 60]
    eda = load_csv(write(tmp_path, rows, ["t [s]", "eda"]), "t [s]", ["eda"]).signals["eda"][0, 0]
    np.testing.assert_array_equal(eda, [*range(20), *[np.nan] * 40, *range(60, 100)])


def test_files_of_one_recording_are_joined_on_their_clock(tmp_path):
    ecg = [(UNIX * 1000 + i * 8, i) for i in range(1000)]
    acc = [(UNIX * 1000 + 500 + i * 40, i) for i in range(200)]
    paths = [
        write(tmp_path, ecg, ["timestamp [ms]", "ecg [uV]"]),
        write(tmp_path, acc, ["timestamp [ms]", "X [mg]"], name="acc.txt"),
    ]
    columns = {"ecg": "ecg [uV]", "acc": "X [mg]"}
    recording = load_csv(paths, "timestamp [ms]", columns)
    assert recording.sampling_rate == {"ecg": 125, "acc": 25}
    assert recording.start_time == UNIX
    acc = recording.signals["acc"][0, 0]
    assert np.isnan(acc[:13]).all()  # half a second
    np.testing.assert_allclose(acc[13:], np.arange(200) / 1e3, rtol=1e-6)
    with pytest.raises(ValueError, match="in one file only, got .*'ecg'.* again"):
        load_csv([paths[0], paths[0]], "timestamp [ms]", {"ecg": "ecg [uV]"})
    with pytest.raises(ValueError, match="must have the columns of {'acc': "):
        load_csv(paths[0], "timestamp [ms]", {"acc": ["X [mg]"]})


def test_irregular_stamps_are_refused_with_their_values(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(600, 1200, 100))  # of heartbeats
    path = write(tmp_path, zip(times, times, strict=True), ["time [ms]", "ppi [ms]"])
    with pytest.raises(ValueError, match=r"ecg\.txt .*within 0.5 intervals of the grid"):
        load_csv(path, "time [ms]", ["ppi [ms]"])


def test_units_can_be_given(tmp_path):
    path = write(tmp_path, [(0, 1), (1, 2), (2, 3)], ["t [s]", "ecg"])
    recording = load_csv(path, "t [s]", ["ecg"], units={"ecg": "V"})
    assert recording.signals["ecg"][0, 0].tolist() == [1000, 2000, 3000]
    assert recording.metadata["units"] == {"ecg": "mV"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "a line of names"),
        ("t [s];eda\n", "a line of names"),
        ("t [s]\n0\n1\n", "a line of names"),
        ("t [s];eda\n0;1\n1;2", "a whole row of 2 columns and a line break, got '1;2'"),
        ("t [s];eda\n0;1\n1\n", "a whole row of 2 columns .* got '1'"),
        ("t [s];eda\n0;1\n;2\n", "a time in each row"),
        ("t [s];eda\n0;1\n1;high\n", "column 'eda' must hold numbers, got 'high'"),
        ("t [s];eda\n0;1\n1;inf\n", "must be finite"),
        ("t [s];eda\n0;1\n0;2\n", "must increase"),
        ("t [s];eda\nnow;1\nthen;2\n", "must hold numbers, ISO 8601 or HH:MM:SS.mmm, got 'now'"),
        ("t [s];eda;eda\n0;1;1\n1;2;2\n", "each signal of 'eda' once"),
        ("t [s];eda\n0;\n1;\n", "one stamp for each sample, 0"),
        ("time;eda\n0;1\n1;2\n", r"each of the columns t \[s\] once, got time, eda"),
        ("t [s];temp\n0;1\n1;2\n", "the columns of {'eda'"),
    ],
)
def test_malformed_files_are_refused(text, message, tmp_path):
    path = tmp_path / "ecg.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"ecg\.txt .*{message}"):
        load_csv(path, "t [s]", ["eda"])


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*away"):
        load_csv(tmp_path / "away", "time", ["eda"])


def test_a_wrong_rate_is_refused(tmp_path):
    path = write(tmp_path, [(i / 4, i) for i in range(100)], ["t [s]", "eda"])
    wrong = {2: "within 0.5 intervals of the grid of 2 Hz", 5: "that of the stamps, 4 Hz, got 5"}
    for rate, message in wrong.items():
        with pytest.raises(ValueError, match=message):
            load_csv(path, "t [s]", ["eda"], sampling_rate=rate)
    assert load_csv(path, "t [s]", ["eda"], sampling_rate={"eda": 4}).duration == 25


def test_a_table_of_pandas_is_read_back(tmp_path):
    table = pd.DataFrame({"eda": np.arange(10.0)}, pd.date_range("2024", periods=10, freq="250ms"))
    table.to_csv(tmp_path / "a.csv", index_label="time")
    eda = load_csv(tmp_path / "a.csv", "time", ["eda"]).signals["eda"]
    np.testing.assert_array_equal(eda[0, 0], table["eda"])
