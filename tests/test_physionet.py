"""Tests of the readers of WFDB records and of drivedb."""

import sys

import numpy as np
import pytest

from physio_ssl import make_windows
from physio_ssl.datasets import load_drivedb, load_wfdb

N_FRAMES = 300  # 20 s of 15 frames per second
LINES = """{0}.dat 16x4 1000 16 0 {1} 0 ECG
{0}.dat 16 1000 16 0 {2} 0 EMG
{0}.dat 16x2 1000 16 0 {3} 0 foot GSR
{0}.dat 16x2 500(-20)/uS 16 0 {4} 0 hand GSR
{0}.dat 16 1/bpm 16 0 {5} 0 HR
{0}.dat 16 100 16 7 {6} 0 marker
{0}.dat 16x2 100 16 0 {7} 0 RESP
"""
PER_FRAME = {"ECG": 4, "EMG": 1, "foot GSR": 2, "hand GSR": 2, "HR": 1, "marker": 1, "RESP": 2}


def _digital():
    """Return the digital values of each signal, which all differ."""
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(-30000, 30000, N_FRAMES * count) for name, count in PER_FRAME.items()
    }


def _interleave(digital):
    frames = [digital[name].reshape(-1, count) for name, count in PER_FRAME.items()]
    return np.concatenate(frames, axis=1).astype("<i2").tobytes()


def _state(samples):
    """Return the first sample and the checksum, as a header states them."""
    return f"{samples[0]} {int(samples.sum()) % 2**16}"


def _write(folder, name="drive05", rate="15", lines=LINES, data=None, digital=None):
    folder.mkdir(exist_ok=True)
    digital = _digital() if digital is None else digital
    lines = lines.format(name, *map(_state, digital.values()))
    header = f"{name} {len(lines.splitlines())} {rate} {N_FRAMES}\n{lines}"
    (folder / f"{name}.hea").write_text(header.replace("\n", "\r\n"), newline="")
    (folder / f"{name}.dat").write_bytes(_interleave(digital) if data is None else data)
    return folder / f"{name}.hea"


@pytest.fixture
def header(tmp_path):
    return _write(tmp_path)


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_each_signal_is_at_its_own_rate(header):
    recording = load_wfdb(header)
    assert recording.sampling_rate == {
        "ecg": 60,
        "emg": 15,
        "foot_gsr": 30,
        "hand_gsr": 30,
        "hr": 15,
        "marker": 15,
        "resp": 30,
    }
    assert recording.duration == 20


def test_samples_are_in_physical_units(header):
    expected = {  # name, gain and baseline in the header
        "ecg": ("ECG", 1000, 0),
        "emg": ("EMG", 1000, 0),
        "foot_gsr": ("foot GSR", 1000, 0),
        "hand_gsr": ("hand GSR", 500, -20),
        "hr": ("HR", 1, 0),
        "marker": ("marker", 100, 7),
        "resp": ("RESP", 100, 0),
    }
    signals, digital = load_wfdb(header).signals, _digital()
    for modality, (name, gain, baseline) in expected.items():
        physical = (digital[name] - baseline) / gain
        np.testing.assert_allclose(signals[modality][0, 0], physical, rtol=1e-6)


def test_path_may_lack_the_ending(header):
    assert load_wfdb(str(header.with_suffix(""))).signals == load_wfdb(header).signals


def test_signals_can_be_chosen_and_named(header):
    recording = load_wfdb(header, {"resp": "RESP", "eda": ("hand GSR", "foot GSR")})
    whole = load_wfdb(header)
    assert list(recording.signals) == ["resp", "eda"]
    assert recording.sampling_rate == {"resp": 30, "eda": 30}
    np.testing.assert_array_equal(recording.signals["resp"], whole.signals["resp"])
    np.testing.assert_array_equal(recording.signals["eda"][:, :1], whole.signals["hand_gsr"])
    np.testing.assert_array_equal(recording.signals["eda"][:, 1:], whole.signals["foot_gsr"])


def test_signals_can_be_chosen_by_the_names_of_modalities(header):
    recording = load_wfdb(header, ("foot_gsr", "ecg"))
    assert recording.sampling_rate == {"foot_gsr": 30, "ecg": 60}
    with pytest.raises(ValueError, match="signals must be .* hand_gsr, .* got .*eda"):
        load_wfdb(header, ("eda",))


def test_subject_is_the_record_unless_given(header):
    assert load_wfdb(header).subject == "drive05"
    assert load_wfdb(header, subject="anna").subject == "anna"


def test_comments_and_empty_lines_are_skipped(header):
    expected = load_wfdb(header).signals
    header.write_text("# made by hand\n\n" + header.read_text() + "#<<<<<<< no conflict\n")
    assert load_wfdb(header).signals == expected


def test_time_of_day_and_counter_are_skipped(header):
    expected = load_wfdb(header).signals
    _edit(header, "7 15 300", "7 15/100(3) 300 12:30:00 01/02/2000")
    assert load_wfdb(header).signals == expected


def test_record_may_have_several_files(tmp_path):
    header = _write(tmp_path)
    digital = _digital()["ECG"]
    _edit(header, "drive05.dat 16x4", "ecg.dat 16x4+6")
    (tmp_path / "ecg.dat").write_bytes(b"before" + digital.astype("<i2").tobytes())
    others = np.frombuffer(_interleave(_digital()), "<i2").reshape(N_FRAMES, -1)[:, 4:]
    (tmp_path / "drive05.dat").write_bytes(others.tobytes())
    recording = load_wfdb(header)
    np.testing.assert_allclose(recording.signals["ecg"][0, 0], digital / 1000, rtol=1e-6)
    np.testing.assert_allclose(recording.signals["hr"][0, 0], _digital()["HR"], rtol=1e-6)


def test_packed_samples_are_read(tmp_path):
    # Format 212 packs two samples of 12 bits into three bytes.
    samples = np.arange(-300, 300) * 3
    low, high = (samples & 0xFFF).reshape(-1, 2).T
    packed = np.stack([low & 0xFF, low >> 8 | (high >> 8) << 4, high & 0xFF], axis=1)
    header = _write(
        tmp_path,
        lines="{0}.dat 212x2 200 12 0 0 0 0 ECG\n",
        data=packed.astype(np.uint8).tobytes(),
    )
    np.testing.assert_allclose(load_wfdb(header).signals["ecg"][0, 0], samples / 200, rtol=1e-6)


def test_length_that_the_header_does_not_say_follows_from_the_file(header):
    expected = load_wfdb(header).signals
    _edit(header, "7 15 300", "7 15")
    assert load_wfdb(header).signals == expected


def test_samples_marked_as_invalid_are_nan_and_not_in_windows(tmp_path):
    digital = _digital()
    digital["ECG"][400:500] = -32768
    header = _write(tmp_path, digital=digital)
    recording = load_wfdb(header, {"ecg": "ECG"})
    assert np.flatnonzero(np.isnan(recording.signals["ecg"])).tolist() == list(range(400, 500))
    with pytest.warns(UserWarning, match=r"2 of \d+ windows are dropped: .* gap"):
        windows = make_windows(recording, 4)
    assert windows.onset.tolist() == [0, 12, 16]
    assert windows.dropped == {"non-finite": 2}


@pytest.mark.parametrize("gain", ["0", ""])
def test_signal_that_is_not_calibrated_is_read_with_a_warning(tmp_path, gain):
    lines = f"{{0}}.dat 16 {gain}\n"
    header = _write(tmp_path, lines=lines, data=np.arange(N_FRAMES).astype("<i2").tobytes())
    with pytest.warns(UserWarning, match="'record drive05, signal 0' .* 200 digital units per mV"):
        recording = load_wfdb(header)
    signal = recording.signals["record_drive05_signal_0"]
    np.testing.assert_allclose(signal[0, 0], np.arange(N_FRAMES) / 200, rtol=1e-6)


def test_signals_that_are_not_there_are_refused(header):
    for signals, message in [
        ({"ecg": "ECG lead II"}, "signal of 'ecg' once, .*'ECG lead II'.*, got .*'ECG', 'EMG'"),
        ({"eda": ("foot GSR", "GSR")}, "signal of 'eda' once, .*'foot GSR', 'GSR'.*, got"),
        ({"ecg": ()}, "signals must name one or more for each modality"),
        ({"both": ("ECG", "EMG")}, "'both' must have one sampling rate, got .*'ECG', 'EMG'"),
        ({}, "signals must name one or more for each modality"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_wfdb(header, signals)


def test_names_that_make_no_modalities_must_be_given(tmp_path):
    for name in ["EMG", "emg", "12", "%"]:
        header = _write(tmp_path)
        _edit(header, "0 ECG", f"0 {name}")
        with pytest.raises(ValueError, match=f"different names.* got {name}, EMG, "):
            load_wfdb(header)
        assert list(load_wfdb(header, {"resp": "RESP"}).signals) == ["resp"]


def test_a_name_that_is_there_twice_cannot_be_chosen(header):
    _edit(header, "0 ECG", "0 EMG")
    with pytest.raises(ValueError, match="signal of 'emg' once, .* got .*'EMG', 'EMG'"):
        load_wfdb(header, {"emg": "EMG"})


def test_malformed_header_is_refused(tmp_path):
    for old, new, message in [
        ("drive05 7", "<<<<<<< HEAD\ndrive05 7", "Line 1 .*'<<<<<<< HEAD'"),
        ("0 RESP\n", "0 RESP\n=======\n", "Line 9 .*'======='"),
        ("0 RESP\n", "0 RESP\n>>>>>>> 1a2b3c\n", "Line 9 .*'>>>>>>> 1a2b3c'"),
        ("7 15 300", "7", "Line 1 .* sampling rate must be a number, got ''"),
        ("7 15 300", "7 ? 300", "Line 1 .* name a record and its rate, got 'drive05 7"),
        ("7 15 300", "7 1e 300", "Line 1 .* sampling rate must be a number, got '1e'"),
        ("7 15 300", "7 0 300", "must be positive and finite, in Hz, got 0.0"),
        ("7 15 300", "7 1e999 300", "sampling rate must be a number of at most 1e15, got .1e999"),
        ("16x4", "16x0", "Line 2 .* format, .* got .*16x0"),
        ("7 15 300", "8 15 300", "lines of 8 signals, got 7"),
        ("drive05 7", "drive06 7", "named drive05, got 'drive06"),
        ("drive05 7", "drive05/3 7", "one segment .* got 'drive05/3"),
        ("drive05.dat 16x4", "../../secret.dat 16x4", r"no path.* got '\.\./\.\./secret\.dat"),
        ("drive05.dat 16x4", "..\\secret.dat 16x4", "no path.* got"),
        ("drive05.dat 16x4", "s3://a/b.dat 16x4", "no path.* got 's3://"),
        ("drive05.dat 16x4", "~ 16x4", "no path.* got '~"),
        ("drive05.dat 16x4", "gone.dat 16x4", r"must hold gone\.dat, which drive05\.hea names"),
        ("drive05.dat 16x4", "drive05.dat 17x4", "one format of .* got .*'16', '17'"),
        (
            "drive05.dat 16x4",
            "drive05.dat pcm",
            "Line 2 .* format, gain, got 'drive05.dat pcm",
        ),
        ("16x4 1000", "16x4 many", "Line 2 .* format, gain, got 'drive05.dat 16x4 many"),
        ("16x4 1000", "16x4 1e", "Line 2 .* gain must be a number, got '1e'"),
        ("16x4 1000", "16x4 1E3", r"gains and baselines as wfdb reads them, .*1\.0"),
        ("7 15 300", "7 15 301", r"drive05\.dat must have 7826 bytes .* got 7800"),
        ("7 15 300", "7 15 300 99:99:99", "cannot be read as a WFDB record: "),
    ]:
        header = _write(tmp_path)
        _edit(header, old, new)
        with pytest.raises(ValueError, match=message) as caught:
            load_wfdb(header)
        assert "drive05" in str(caught.value)


def test_header_of_nothing_or_noise_is_refused(header):
    for content in [b"", b"# nothing\n", b"\x00\xff\x12" * 40]:
        header.write_bytes(content)
        with pytest.raises(ValueError, match=r"must .*drive05\.hea|drive05\.hea must"):
            load_wfdb(header)


def test_samples_that_are_cut_off_are_refused(tmp_path):
    for n_bytes in [0, 1, 7799]:
        header = _write(tmp_path)
        data = header.with_suffix(".dat")
        data.write_bytes(data.read_bytes()[:n_bytes])
        with pytest.raises(
            ValueError, match=rf"drive05\.dat must have 7800 bytes .* got {n_bytes}:"
        ):
            load_wfdb(header)


def test_incomplete_frame_is_refused_where_the_length_is_not_known(tmp_path):
    for n_bytes, expected in [(0, 26), (1, 26), (7799, 7774)]:
        header = _write(tmp_path)
        _edit(header, "7 15 300", "7 15")
        data = header.with_suffix(".dat")
        data.write_bytes(data.read_bytes()[:n_bytes])
        with pytest.raises(ValueError, match=f"must have {expected} bytes .* got {n_bytes}:"):
            load_wfdb(header)


def test_missing_header_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*drive01\.hea"):
        load_wfdb(tmp_path / "drive01")


def test_missing_library_is_named_and_how_to_install_it(header, monkeypatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(ImportError, match=r'needs wfdb: pip install "physio_ssl\[data\]"'):
        load_wfdb(header)


@pytest.fixture
def drives(tmp_path):
    for name, rate in [("drive17b", "15.5"), ("drive05", "15"), ("drive17a", "15")]:
        _write(tmp_path, name, rate)
    (tmp_path / "drivers.hea").touch()
    return tmp_path


def test_signals_of_drives_have_the_names_of_the_field(drives):
    recording = load_drivedb(drives)[0]
    assert recording.sampling_rate == {
        "ecg": 60,
        "emg": 15,
        "eda_foot": 30,
        "eda_hand": 30,
        "hr": 15,
        "marker": 15,
        "resp": 30,
    }
    digital = _digital()
    np.testing.assert_allclose(
        recording.signals["eda_foot"][0, 0], digital["foot GSR"] / 1000, rtol=1e-6
    )
    np.testing.assert_allclose(
        recording.signals["eda_hand"][0, 0], (digital["hand GSR"] + 20) / 500, rtol=1e-6
    )


def test_parts_of_a_drive_are_of_one_subject(drives):
    recordings = load_drivedb(drives)
    assert [recording.subject for recording in recordings] == ["drive05", "drive17", "drive17"]
    assert [recording.sampling_rate["ecg"] for recording in recordings] == [60, 60, 62]


def test_drives_can_be_chosen(drives):
    recordings = load_drivedb(drives, subjects=["drive17"], signals=["ecg", "resp"])
    assert [list(recording.signals) for recording in recordings] == [["ecg", "resp"]] * 2


def test_drive_without_one_of_the_signals_is_refused(drives):
    _edit(drives / "drive05.hea", "0 EMG", "0 other")
    with pytest.raises(ValueError, match=r"drive05\.hea must have .* 'emg' .* Leave 'emg' out of"):
        load_drivedb(drives)
    assert len(load_drivedb(drives, signals=["ecg"])) == 3


@pytest.fixture(scope="module")
def real(data_folder):
    return load_drivedb(data_folder / "drivedb")


def test_drive_was_cut_in_two_parts(real):
    assert [recording.subject for recording in real] == ["drive17", "drive17"]
    assert [recording.sampling_rate["ecg"] for recording in real] == [480, 496]
    assert real[0].duration == pytest.approx(26132 / 15)
    assert real[1].duration == pytest.approx(23655 / 15.5)
    for recording in real:
        for name, signal in recording.signals.items():
            assert signal.shape[-1] / recording.sampling_rate[name] == recording.duration


def test_samples_fit_the_checksums_of_the_header(real):
    expected = {  # of the first part: gain, first sample, and sum modulo 2 to the power of 16
        "ecg": (1000, -61, 22142),
        "emg": (1000, 166, 18703),
        "eda_foot": (1000, 1375, 31226),
        "eda_hand": (1000, 4994, -13103),
        "hr": (1, 77, -11837),
        "marker": (100, 1116, 24523),
        "resp": (100, 3831, -642),
    }
    for name, (gain, first, total) in expected.items():
        digital = np.rint(real[0].signals[name][0, 0].astype(float) * gain).astype(int)
        assert digital[0] == first
        assert (digital.sum() - total) % 2**16 == 0


def test_values_of_a_drive_are_plausible(real):
    for recording in real:
        signals = recording.signals
        assert 60 < np.median(signals["hr"]) < 90  # beats per minute
        assert 0.1 < signals["ecg"].std() < 1  # mV
        assert 0.5 < signals["eda_foot"].min() < signals["eda_hand"].max() < 25  # microsiemens
