"""Tests of the reader of the CinC Challenge 2017."""

import struct
import zipfile
from collections import Counter

import numpy as np
import pytest

from physio_ssl import make_windows
from physio_ssl.datasets import load_cinc2017

SAMPLES = np.array([-127, 500, 0, 1000, 32767, -32767] * 300)  # 6 s
HEADER = "{0} 1 300 {1} 05:05:15 1/05/2000 \r\n{0}.mat 16+24 1000/mV 16 0 -127 0 0 ECG \r\n"
REFERENCE = "A00001,N\nA00002,A\nA00003,O\nA00004,~\nA00005,N\n"  # of one more than there is


def _matrix(samples=SAMPLES, kind=30, name=b"val\0"):
    header = struct.pack("<5i", kind, 1, len(samples), 0, len(name))
    return header + name + samples.astype("<i2").tobytes()


def _files():
    """Return the files of four recordings."""
    files = {"REFERENCE.csv": REFERENCE}
    for number in (4, 1, 3, 2):
        name = f"A0000{number}"
        files[f"{name}.hea"] = HEADER.format(name, len(SAMPLES))
        files[f"{name}.mat"] = _matrix(SAMPLES)
    return files


def _write_zip(folder, files, inner="training2017/"):
    path = folder / "training2017.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(inner + name, content)
    return path


def _write_folder(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture
def path(tmp_path):
    return _write_zip(tmp_path, _files())


def test_ecg_is_in_millivolts_by_the_gain_of_the_header(path):
    recording = load_cinc2017(path)[0]
    assert recording.signals["ecg"].dtype == np.float32
    assert recording.signals["ecg"].shape == (1, 1, 1800)
    np.testing.assert_allclose(recording.signals["ecg"][0, 0], SAMPLES / 1000, rtol=1e-6)
    assert recording.sampling_rate == {"ecg": 300}


def test_gain_and_baseline_of_the_header_are_used(tmp_path):
    for old, new, expected in [
        ("1000/mV", "200/mV", SAMPLES / 200),
        ("1000/mV", "1000(27)/mV", (SAMPLES - 27) / 1000),
        ("16 0 -127", "16 27 -127", (SAMPLES - 27) / 1000),
        ("1000/mV", "1000(-3)/mV", (SAMPLES + 3) / 1000),
    ]:
        files = _files()
        files["A00001.hea"] = files["A00001.hea"].replace(old, new)
        recording = load_cinc2017(_write_zip(tmp_path, files))[0]
        np.testing.assert_allclose(recording.signals["ecg"][0, 0], expected, rtol=1e-5)


def test_rate_of_the_header_is_used(tmp_path):
    files = _files()
    files["A00001.hea"] = files["A00001.hea"].replace(" 300 ", " 250.5 ")
    recording = load_cinc2017(_write_zip(tmp_path, files))[0]
    assert recording.sampling_rate == {"ecg": 250.5}
    assert recording.annotations["duration"].tolist() == [1800 / 250.5]


def test_labels_span_the_recordings(path):
    recordings = load_cinc2017(path)
    labels = [recording.annotations["description"].item() for recording in recordings]
    assert labels == ["normal", "AF", "other", "noisy"]
    assert recordings[0].annotations["onset"].tolist() == [0]
    assert recordings[0].annotations["duration"].tolist() == [6]


@pytest.mark.parametrize("inside", ["", "training2017"])
def test_extracted_folder_is_read_as_the_zip_file(tmp_path, path, inside):
    _write_folder(tmp_path / "folder", {})
    _write_folder(tmp_path / "folder" / inside, _files())
    extracted = load_cinc2017(tmp_path / "folder")
    for one, other in zip(load_cinc2017(path), extracted, strict=True):
        assert (one.signals, one.subject) == (other.signals, other.subject)


def test_zip_file_is_found_in_its_folder(path):
    assert len(load_cinc2017(path.parent)) == 4


def test_samples_marked_as_invalid_are_nan_and_not_in_windows(tmp_path):
    files = _files()
    samples = SAMPLES.copy()
    samples[[700, 701]] = -32768
    files["A00001.mat"] = _matrix(samples)
    recording = load_cinc2017(_write_zip(tmp_path, files))[0]
    assert np.flatnonzero(np.isnan(recording.signals["ecg"])).tolist() == [700, 701]
    with pytest.warns(UserWarning, match=r"1 of \d+ windows are dropped: .* gap"):
        windows = make_windows(recording, 2)
    assert windows.onset.tolist() == [0, 4]
    assert windows.dropped == {"non-finite": 1}


def test_labels_are_of_the_newest_reference(tmp_path):
    for names, label in [
        (["REFERENCE-original.csv"], "AF"),
        (["REFERENCE-original.csv", "REFERENCE.csv"], "normal"),
        (["REFERENCE.csv", "REFERENCE-original.csv", "REFERENCE-v2.csv"], "other"),
        (["REFERENCE-v3.csv", "REFERENCE-v2.csv", "REFERENCE.csv"], "noisy"),
    ]:
        letters = {"-original": "A", "": "N", "-v2": "O", "-v3": "~"}
        files = _files()
        del files["REFERENCE.csv"]
        for name in names:
            letter = letters[name.removeprefix("REFERENCE").removesuffix(".csv")]
            files[name] = "".join(f"A0000{n},{letter}\r\n" for n in range(1, 5))
        recordings = load_cinc2017(_write_zip(tmp_path, files))
        assert {recording.annotations["description"].item() for recording in recordings} == {label}


def test_reference_can_be_chosen(tmp_path):
    files = _files()
    files["REFERENCE-v3.csv"] = REFERENCE.replace("A00001,N", "A00001,A")
    path = _write_zip(tmp_path, files)
    for reference, label in [("REFERENCE.csv", "normal"), ("REFERENCE-v3.csv", "AF")]:
        recording = load_cinc2017(path, reference=reference)[0]
        assert recording.annotations["description"].item() == label


def test_reference_that_is_not_there_is_refused(path):
    with pytest.raises(
        ValueError, match=r"must hold the labels, .*'\.\./labels\.csv'.*, found none"
    ):
        load_cinc2017(path, reference="../labels.csv")


def test_missing_or_malformed_file_is_refused(tmp_path):
    for name, content, message in [
        ("REFERENCE.csv", None, r"labels, .*REFERENCE-v3\.csv.* found none"),
        ("REFERENCE.csv", "A00001,N\nA00002,X\n", "Line 2 .* one label of .* got .*'X'"),
        ("REFERENCE.csv", "A00001,N\nA00001,A\n", "Line 2 .* new record .* got .*'A00001', 'A'"),
        ("REFERENCE.csv", "A00001,N\nA00002\n", r"Line 2 .* got \['A00002'\]"),
        ("REFERENCE.csv", "A00001,N\n", "labels .* all recordings, got none of A00002"),
        ("A00002.mat", None, r"must hold A00002\.mat, the samples of A00002\.hea"),
        ("A00002.mat", b"", r"A00002\.mat must be a MATLAB v4 file .* got 0 bytes"),
        ("A00002.mat", _matrix(kind=50), "one row of int16 named val"),
        ("A00002.mat", _matrix(name=b"vol\0"), "one row of int16 named val"),
        ("A00002.mat", _matrix()[:-1], "1800, got 3623"),
        ("A00002.mat", _matrix() + b"more", "1800, got 3628"),
        ("A00002.mat", _matrix(SAMPLES[:-1]), "1800, got 3622"),
    ]:
        files = _files()
        files[name] = content
        path = _write_zip(
            tmp_path, {name: files[name] for name in files if files[name] is not None}
        )
        with pytest.raises(ValueError, match=message):
            load_cinc2017(path)


def test_malformed_header_is_refused(tmp_path):
    for old, new, message in [
        ("A00001 1", "A00009 1", "named A00001, got 'A00009 1"),
        ("A00001.mat", "A00002.mat", r"A00001\.mat.* got .*A00002\.mat"),
        ("A00001.mat", "../secret.mat", r"no path.* got '\.\./secret\.mat"),
        (" 16+24 ", " 212+24 ", "'16'.* got .*'212'"),
        ("1000/mV", "1000/uV", "'mV', True.* got .*'uV', True"),
        ("1000/mV", "0/mV", "True.* got .*False"),
    ]:
        files = _files()
        assert old in files["A00001.hea"]
        files["A00001.hea"] = files["A00001.hea"].replace(old, new)
        with pytest.raises(ValueError, match=message) as caught:
            load_cinc2017(_write_zip(tmp_path, files))
        assert "A00001.hea" in str(caught.value)


def test_two_files_of_one_name_in_the_zip_file_are_refused(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("validation/A00001.hea", "")
    with pytest.raises(ValueError, match=r"different names, got .*A00001\.hea"):
        load_cinc2017(path)


@pytest.fixture(scope="module")
def real(data_folder):
    return load_cinc2017(data_folder / "cinc2017")


def test_zip_file_has_the_recordings_that_it_is_said_to_have(real, data_folder):
    expected = (data_folder / "cinc2017" / "RECORDS-included").read_text().split()
    assert [recording.subject for recording in real] == sorted(expected)


def test_labels_are_of_the_third_version(real):
    labels = Counter(recording.annotations["description"].item() for recording in real)
    assert labels == {"normal": 1500, "AF": 757, "other": 600, "noisy": 142}


def test_recordings_last_10_to_61_s_at_300_hz(real):
    assert {recording.sampling_rate["ecg"] for recording in real} == {300}
    durations = [recording.duration for recording in real]
    assert 9 < min(durations) < 11
    assert 60 < max(durations) < 62


def test_amplitudes_are_of_an_ecg_in_millivolts(real):
    peaks = [np.abs(recording.signals["ecg"]).max() for recording in real]
    assert np.isfinite(peaks).all()
    assert 0.5 < np.median(peaks) < 2
