"""Tests of the reader of SWELL-KW, and of Poly5 files."""

import struct
from datetime import datetime, timedelta

import numpy as np
import pytest

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_swell

START = datetime(2012, 9, 18, 13, 16, 0)
RATE = 8  # Hz; 2048 in the published files
N_TIMES, N_CHANNELS, IN_BLOCK = 300 * RATE - 5, 8, 12
RAW = "0 - Raw data/D - Physiology - raw data/Mobi signals (raw and filtered)"
TABLE = "3 - Feature dataset/per sensor/D - Physiology features (HR_HRV_SCL - final).csv"
IDENTIFIERS = {
    203: b"POLY SAMPLE FILEversion 2.03\r\n\x1a",
    204: b"POLY SAMPLE FILE version 2.04\r\n\x1a",
}


def signals():
    """Return what is stored of each channel; its unit is a tenth."""
    return np.random.default_rng(0).normal(size=(N_CHANNELS, N_TIMES)).astype("f4")


def encode(version=203, n_channels=N_CHANNELS, start=START, rate=RATE):
    """Return a Poly5 file: values from -1 to 1 are stored for -0.1 to 0.1."""
    stored = signals()[:n_channels]
    n_blocks = -(-N_TIMES // IN_BLOCK)
    stored = np.pad(stored, [(0, 0), (0, n_blocks * IN_BLOCK - N_TIMES)]).T
    date = (start.year, start.month, start.day, 2, start.hour, start.minute, start.second)
    sizes = (n_blocks, IN_BLOCK, IN_BLOCK * n_channels * 4, 0)
    parts = [
        IDENTIFIERS[version] + struct.pack("<h", version) + b"\4test".ljust(81, b"\0"),
        struct.pack("<2hBhi4x", rate, rate, 0, 2 * n_channels, N_TIMES),
        struct.pack("<7hi2Hh64x", *date, *sizes),
    ]
    for number in range(2 * n_channels):
        name = f"({'Lo' if number % 2 == 0 else 'Hi'}) {number // 2}".encode()
        parts.append(struct.pack("<B40s4xB10s", len(name), name, 2, b"uV"))
        parts.append(struct.pack("<4f2h60x", -0.1, 0.1, -1, 1, number, 0))
    for number, block in enumerate(np.split(stored, n_blocks)):
        parts.append(struct.pack("<i4x7h64x", number * IN_BLOCK, *date) + block.tobytes())
    return b"".join(parts)


def rows(subject="PP1", block=1, conditions="RNNTI", start=START):
    for minute, condition in enumerate(conditions):
        time = start + timedelta(minutes=minute)
        yield f"{subject},{block},{time:%Y%m%dT%H%M%S}000,70,999,{condition},,"


def write(folder, subjects=("pp1",), data=None, table=None):
    """Write a block of each subject, and the table of minutes."""
    (folder / RAW).mkdir(parents=True, exist_ok=True)
    for subject in subjects:
        data = encode() if data is None else data
        (folder / RAW / f"{subject}_18-9-2012_c1.S00").write_bytes(data)
    if table is None:
        table = [row for subject in subjects for row in rows(subject.upper())]
    (folder / TABLE).parent.mkdir(parents=True, exist_ok=True)
    header = "PP,C,timestamp,HR,RMSSD,Condition,,"
    (folder / TABLE).write_text("\n".join([header, *table]) + "\n")
    return folder


@pytest.mark.parametrize("version", [203, 204])
def test_signals_are_channels_of_the_file_in_its_units(tmp_path, version):
    (recording,) = load_swell(write(tmp_path, data=encode(version)), signals=("ecg", "eda"))
    for name, channel in [("ecg", 7), ("eda", 6)]:
        expected = signals()[channel] / 10
        np.testing.assert_allclose(recording.signals[name][0, 0], expected, atol=1e-6)
    assert recording.sampling_rate == {"ecg": RATE, "eda": RATE}
    assert recording.subject == "pp1"


def test_minutes_are_annotations_on_the_clock_of_the_file(tmp_path):
    late = START + timedelta(seconds=30)
    annotations = load_swell(write(tmp_path, table=rows(start=late)))[0].annotations
    assert annotations["onset"].tolist() == [30, 90, 150, 210, 270]
    expected = ["rest", "neutral", "neutral", "time pressure", "interruptions"]
    assert annotations["description"].tolist() == expected


def test_windows_may_span_minutes_of_one_condition(tmp_path):
    labels = StageLabels({"neutral": 0, "time pressure": 1, "interruptions": 1})
    windows = make_windows(load_swell(write(tmp_path)), 60, 30, labels=labels)
    assert windows.onset.tolist() == [60, 90, 120, 180, 210]  # the file ends early
    assert windows.y.tolist() == [0, 0, 0, 1, 1]


def test_blocks_are_recordings_and_those_not_in_the_table_are_left_out(tmp_path):
    table = [*rows(), *rows(block=2), *rows(block=3)]
    write(tmp_path, table=table)
    for name in ("pp1_18-9-2012-c2", "pp1_18-9-2012_c3_cont", "pp1_18-9-2012_c4"):
        (tmp_path / RAW / f"{name}.S00").write_bytes(encode())
    with pytest.warns(UserWarning, match=r"1 of 4 .* left out: pp1_18-9-2012_c4\.S00 is not in D"):
        assert len(load_swell(tmp_path)) == 3


def test_missing_table_is_refused(tmp_path):
    (write(tmp_path) / TABLE).unlink()
    with pytest.raises(FileNotFoundError, match="no file .*Physiology features"):
        load_swell(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: b"", "must be a Poly5 file of version 2.03 or 2.04"),
        (lambda data: data[:40], "cannot be read as a Poly5 file"),
        (lambda data: data[:400], "cannot be read as a Poly5 file"),
        (lambda data: data[:-1], "must hold 200 blocks, at least one, in"),
        (lambda data: encode(n_channels=6), "must hold at least 8 channels, got 6"),
        (lambda data: encode(rate=0), "sampling_rate|sampling rate of .* got 0"),
        (lambda data: data[:119] + b"\3" + data[120:], "must hold pairs of signals"),
    ],
)
def test_file_that_is_no_whole_poly5_file_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=f"c1.S00.* {message}|{message}.*c1.S00"):
        load_swell(write(tmp_path, data=change(encode())))


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("Condition", "Label", "must have each of the columns Condition once, got PP, C"),
        ("T,,", "X,,", "must be of R, N, T, I, got X"),
        ("20120918T", "18-9-2012", "must be like 20120918T131600000, got '18-9-2012"),
        ("PP1,1", "PP1,x", "cannot be read as a table"),
        ("20120918T", "20130918T", r"must hold minutes within .*c1\.S00, which starts at 2012"),
    ],
)
def test_table_that_does_not_fit_is_refused(tmp_path, old, new, message):
    path = write(tmp_path) / TABLE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_swell(tmp_path)
