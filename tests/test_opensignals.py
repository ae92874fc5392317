"""Tests of the reader of OpenSignals' text files."""

import json

import numpy as np
import pytest

from physio_ssl.datasets import load_opensignals

SENSORS = {"A1": "ECG", "A2": "EDA", "A3": "EMG", "A4": "PZT", "A5": "TEMP", "A6": "ACC"}


def settings(**changed):
    return {
        "sensor": [*SENSORS.values()],
        "device name": "20:15:10:26:64:21",
        "column": ["nSeq", "I1", "I2", "O1", "O2", *SENSORS],
        "sampling rate": 100,
        "label": [*SENSORS],
        "device": "bitalino_rev",
        "resolution": [4, 1, 1, 1, 1, 10, 10, 10, 10, 6, 6],
        "date": "2023-11-14",
        "time": "22:13:20.0",
    } | changed


def write(folder, rows=None, header=None):
    """Write ramps, from 0 to the most that a channel holds."""
    if rows is None:
        ramp = np.arange(1024)
        rows = np.stack([ramp % 16, *[ramp * 0] * 4, *[ramp] * 4, *[ramp // 16] * 2], axis=1)
    header = {"20:15:10:26:64:21": header or settings()}
    lines = ["# OpenSignals Text File Format", f"# {json.dumps(header)}", "# EndOfHeader"]
    lines += ["\t".join(map(str, row)) + "\t" for row in rows]  # a tab ends each line
    path = folder / "rest.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_sensors_of_bitalino_have_units(tmp_path):
    recording = load_opensignals(write(tmp_path))
    assert recording.subject == "rest"
    assert set(recording.sampling_rate.values()) == {100}
    ends = {
        "ecg": (-1.5, 1.5, "mV"),
        "eda": (0, 25, "uS"),
        "emg": (-1.635, 1.635, "mV"),
        "pzt": (-50, 50, "%"),
        "temp": (-50, 280, "degC"),
        "acc": (0, 64, "raw"),
    }
    for name, (low, high, unit) in ends.items():
        x = recording.signals[name][0, 0]
        step = (high - low) / (1024 if name in ("ecg", "eda", "emg", "pzt") else 64)
        assert (x[0], x[-1] + step) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))
        assert recording.metadata["units"][name] == unit


def test_other_devices_are_raw(tmp_path):
    header = settings(
        device="biosignalsplux",
        column=["nSeq", "DI", "CH1", "CH2"],
        label=["CH1", "CH2"],
        sensor=["ECG", "RAW"],
        resolution=[16, 16],
    )
    rows = [(i, 0, 60_000, i) for i in range(100)]
    recording = load_opensignals(write(tmp_path, rows, header))
    assert list(recording.signals) == ["ecg", "raw_ch2"]
    assert (recording.signals["ecg"] == 60_000).all()
    assert recording.metadata["units"] == {"ecg": "raw", "raw_ch2": "raw"}


def test_channels_of_one_sensor_are_told_apart_and_joined(tmp_path):
    header = settings(sensor=["ECG", "EDA", "EMG", "ACC", "ACC", "ACC"])
    path = write(tmp_path, header=header)
    assert [*load_opensignals(path).signals][-3:] == ["acc_a4", "acc_a5", "acc_a6"]
    recording = load_opensignals(path, {"acc": ["ACC A4", "ACC A5", "ACC A6"]})
    assert recording.signals["acc"].shape == (1, 3, 1024)


def test_lost_rows_are_gaps_and_counted(tmp_path):
    rows = [(i % 16, 0, 0, 0, 0, *[i] * 4, 0, 0) for i in range(100) if not 30 <= i < 40]
    with pytest.warns(UserWarning, match=r"rest\.txt lacks 10 of 100 samples"):
        ecg = load_opensignals(write(tmp_path, rows)).signals["ecg"][0, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(ecg)), np.arange(30, 40))


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("# OpenSignals", "# Open", "must start with '# OpenSignals"),
        ("# EndOfHeader", "# End", "'# EndOfHeader'"),
        ('"sampling rate": 100', '"sampling rate": 0', "the sampling rate must be .* got 0"),
        ('"sampling rate": 100', '"sampling rate": "fast"', "sampling rate must be a number"),
        ('"sampling rate"', '"rate"', "its header lacks 'sampling rate'"),
        ('"label": ["A1", ', '"label": [', "must have a column, label, sensor and resolution"),
        ('"A6"], "sampling', '"A7"], "sampling', "must have a column, label, sensor and"),
        (
            "1023\t1023\t1023\t1023\t63\t63\t\n",
            "1024\t0\t0\t0\t0\t0\t\n",
            "from 0 to 1023, .* 1024",
        ),
        ("1023\t1023\t1023\t1023\t63\t63\t\n", "1023\t1023\t1023", "end with a whole row"),
        ("1023\t1023\t1023\t1023\t63\t63\t\n", "1023\t1023\t1023\n", "rows must hold 11 integers"),
        ("1023\t1023\t1023\t1023\t63\t63\t\n", "1\t1\t1\t1\tnone\t1\t\n", "rows must hold 11 inte"),
    ],
)
def test_malformed_files_are_refused(old, new, message, tmp_path):
    path = write(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=rf"rest\.txt .*{message}"):
        load_opensignals(path)


def test_missing_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*away"):
        load_opensignals(tmp_path / "away.txt")
    path = write(tmp_path)
    data = path.read_bytes()
    for length in (0, 50, 500, len(data) - 2):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"rest\.txt"):
            load_opensignals(path)


def test_unknown_signals_are_refused(tmp_path):
    with pytest.raises(ValueError, match="signals must be .* ecg, eda, .* got"):
        load_opensignals(write(tmp_path), ["bvp"])


def test_files_of_several_devices_are_refused(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("}}\n", '}, "other": {}}\n'))
    with pytest.raises(ValueError, match="of one device"):
        load_opensignals(path)
