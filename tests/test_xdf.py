"""Tests of the reader of XDF files."""

import struct
import sys

import numpy as np
import pytest

from physio_ssl.datasets import load_xdf

START = 5000.0  # of the computer's clock
ECG = np.sin(np.arange(2500) / 10).astype(np.float32)


def _chunk(kind, content):
    return b"\4" + struct.pack("<IH", len(content) + 2, kind) + content


def _header(number, name, kind, rate, labels, form="float32"):
    channels = "".join(f"<channel><label>{x}</label><unit>uV</unit></channel>" for x in labels)
    xml = (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{len(labels)}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    return _chunk(2, struct.pack("<I", number) + xml.encode())


def _samples(number, times, samples):
    """Return a chunk of samples, with a time each; samples are arrays of channels, or texts."""
    content = struct.pack("<I", number) + b"\4" + struct.pack("<I", len(times))
    for time, values in zip(times, samples, strict=True):
        content += b"\x08" + struct.pack("<d", time)
        if isinstance(values, str):
            content += b"\1" + bytes([len(values)]) + values.encode()
        else:
            content += np.asarray(values, "<f4").tobytes()
    return _chunk(3, content)


def _offsets(number, offset):
    return b"".join(_chunk(4, struct.pack("<Idd", number, START + 2 * n, offset)) for n in range(6))


def write(folder, rate=250, chunks=()):
    """Write an ECG on another computer's clock, accelerations and markers."""
    data = b"XDF:" + _chunk(1, b"<info><version>1.0</version></info>")
    data += _header(1, "Polar H10", "ECG", 250, ["ECG", "Ref"])
    data += _header(2, "Motion", "ACC", 50, "xyz") + _header(
        3, "Events", "Markers", 0, "m", "string"
    )
    times = START - 100 + np.arange(len(ECG)) / rate
    data += _samples(1, times[:1000], np.stack([ECG, -ECG], axis=1)[:1000]) + _offsets(1, 100)
    data += _samples(1, times[1000:], np.stack([ECG, -ECG], axis=1)[1000:])
    data += _samples(2, START + 1 + np.arange(450) / 50, np.arange(1350).reshape(-1, 3))
    data += _samples(3, [START + 7, START + 2], ["stress", "rest"]) + b"".join(chunks)
    path = folder / "sub-01.xdf"
    path.write_bytes(data)
    return path


def test_streams_are_on_one_clock_at_their_own_rates(tmp_path):
    recording = load_xdf(write(tmp_path))
    assert recording.sampling_rate == {"polar_h10": 250, "motion": 50}
    assert (recording.subject, recording.start_time) == ("sub-01", None)
    np.testing.assert_allclose(recording.signals["polar_h10"][0], [ECG, -ECG], atol=1e-6)
    motion = recording.signals["motion"][0, 0]
    assert np.isnan(motion[:50]).all()  # it starts a second later
    np.testing.assert_array_equal(motion[50:], 3 * np.arange(450))
    assert recording.metadata["labels"]["motion"] == ["x", "y", "z"]
    assert recording.metadata["units"]["polar_h10"] == ["uV", "uV"]


def test_markers_are_annotations_in_the_order_of_their_times(tmp_path):
    annotations = load_xdf(write(tmp_path)).annotations
    np.testing.assert_allclose(annotations["onset"], [2, 7], atol=1e-6)
    assert annotations["description"].tolist() == ["rest", "stress"]
    assert annotations["duration"].tolist() == [0, 0]


@pytest.mark.parametrize("stream", ["Polar H10", "ECG"])
def test_streams_are_chosen_by_name_or_type_and_channels_by_label(stream, tmp_path):
    recording = load_xdf(write(tmp_path), {"ecg": (stream, ["Ref"]), "acc": "Motion"}, subject="a")
    np.testing.assert_allclose(recording.signals["ecg"][0], [-ECG], atol=1e-6)
    assert recording.metadata["labels"] == {"ecg": ["Ref"], "acc": ["x", "y", "z"]}
    assert recording.subject == "a"


def test_a_drifting_rate_is_put_on_the_nominal_grid(tmp_path):
    signals = load_xdf(write(tmp_path, rate=249.5), ["polar_h10"]).signals
    expected = np.sin(np.arange(2505) / 250 * 249.5 / 10)
    np.testing.assert_allclose(signals["polar_h10"][0, 0, :2500], expected[:2500], atol=0.02)


def test_a_break_is_a_gap(tmp_path):
    later = START - 100 + 30 + np.arange(1000) / 250
    chunk = _samples(1, later, np.ones((1000, 2)))
    ecg = load_xdf(write(tmp_path, chunks=[chunk]), ["polar_h10"]).signals["polar_h10"][0, 0]
    assert np.isnan(ecg).sum() == 30 * 250 - 2500
    assert ecg.shape == (34 * 250,)


@pytest.mark.parametrize(
    "signals, message",
    [
        (["ecg"], "signals must be .* polar_h10, motion, got"),
        ({"ecg": "EEG"}, r"one stream 'EEG' .* got Polar H10 \(ECG\), Motion \(ACC\)"),
        ({"markers": "Events"}, "one stream 'Events' with a rate"),
        ({"ecg": ("ECG", ["V1"])}, r"each signal of 'ecg' once, \['V1'\], got \['ECG', 'Ref'\]"),
    ],
)
def test_a_wrong_choice_of_signals_is_refused(signals, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_xdf(write(tmp_path), signals)


def test_a_rate_that_is_not_that_of_the_header_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rate of its header within 1 %, 250 Hz, got 2500"):
        load_xdf(write(tmp_path, rate=240))


@pytest.mark.parametrize(
    "old, new, message",
    [
        (b"XDF:", b"XDZ:", "start with b'XDF:'"),
        (b"float32", b"float16", "got 2 in 'float16'"),
        (b"<channel_count>2", b"<channel_count>0", "from 1 to 4096 channels"),
        (b"<channel_count>2", b"<channel_count>3", "must hold 1000 samples|must have"),
        (b"<nominal_srate>250", b"<nominal_srate>1e9", "from 0.001 to 1e.06 Hz"),
        (b"<nominal_srate>250", b"<nominal_srate>abc", "must be a number"),
        (b"<version>", b"<!ENTITY>", "no document type"),
    ],
)
def test_malformed_files_are_refused(old, new, message, tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    assert old in data
    length = len(new) - len(old)
    if length:  # the chunk's length changes with it
        start = max(i for i in _starts(data) if i <= data.index(old))
        (size,) = struct.unpack_from("<I", data, start + 1)
        data = data[: start + 1] + struct.pack("<I", size + length) + data[start + 5 :]
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"sub-01\.xdf .*({message})"):
        load_xdf(path)


def _starts(data):
    """Yield where the chunks of a file start."""
    position = 4
    while position < len(data):
        yield position
        position += 5 + struct.unpack_from("<I", data, position + 1)[0]


def test_missing_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*away"):
        load_xdf(tmp_path / "away.xdf")
    path = write(tmp_path)
    data = path.read_bytes()
    for length in (0, 6, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"sub-01\.xdf"):
            load_xdf(path)


def test_missing_library_is_named_and_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(ImportError, match=r'needs pyxdf: pip install "physio_ssl\[data\]"'):
        load_xdf(write(tmp_path))
