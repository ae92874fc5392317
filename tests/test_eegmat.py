"""Tests of the reader of EEGMAT."""

import csv
import re
import sys

import numpy as np
import pytest

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_eegmat

RATE = 500
DIGITAL = np.arange(-3000, 3000, 3)  # 4 s
# The range maps -32768 to -0.2 and 32767 to 0.6.
MILLIVOLTS = -0.2 + (DIGITAL + 32768) * 0.8 / 65535


def _edf(signals, n_records=4, duration=1, version="0", reserved=""):
    """Return an EDF file of signals, each its label, unit and samples (or bytes)."""
    count = len(signals)
    header = [(version, 8), ("0 M 01-JAN-1990 Subject00", 80), ("Startdate 01-JAN-2011", 80)]
    header += [("01.01.11", 8), ("00.00.00", 8), (256 * (count + 1), 8), (reserved, 44)]
    header += [(n_records, 8), (duration, 8), (count, 4)]
    sizes = [len(samples) // n_records for _, _, samples in signals]
    header += [(label, 16) for label, _, _ in signals]
    header += [("", 80)] * count + [(unit, 8) for _, unit, _ in signals]
    header += [("-0.2", 8)] * count + [("0.6", 8)] * count
    header += [("-32768", 8)] * count + [("32767", 8)] * count
    header += [("HP:0.5Hz", 80)] * count + [(size, 8) for size in sizes] + [("", 32)] * count
    data = b"".join(str(value).encode().ljust(length) for value, length in header)
    for n in range(n_records):
        for (_, _, samples), size in zip(signals, sizes, strict=True):
            data += np.asarray(samples[n * size : (n + 1) * size]).astype("<i2").tobytes()
    return data


def _ecg(unit="mV", label="ECG ECG", samples=DIGITAL):
    return label, unit, samples


def _write(folder, contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.edf").write_bytes(content)
    return folder


def _contents(*subjects):
    conditions = {1: DIGITAL, 2: DIGITAL[:1000]}
    return {
        f"Subject{subject}_{number}": _edf([_ecg(samples=samples)], len(samples) // RATE)
        for subject in subjects
        for number, samples in conditions.items()
    }


@pytest.fixture
def folder(tmp_path):
    return _write(tmp_path, _contents("10", "00"))


def test_ecg_is_in_millivolts_at_the_rate_of_the_file(folder):
    recording = load_eegmat(folder)[0]
    assert list(recording.signals) == ["ecg"]
    assert recording.signals["ecg"].dtype == np.float32
    np.testing.assert_allclose(recording.signals["ecg"][0, 0], MILLIVOLTS, atol=1e-7)
    assert recording.sampling_rate == {"ecg": 500}


def test_subjects_are_at_rest_and_then_in_arithmetic(folder):
    recordings = load_eegmat(folder)
    assert [recording.subject for recording in recordings] == ["Subject00"] * 2 + ["Subject10"] * 2
    conditions = [recording.annotations["description"].item() for recording in recordings]
    assert conditions == ["rest", "arithmetic"] * 2
    assert [recording.duration for recording in recordings] == [4, 2, 4, 2]


def test_annotations_span_the_recordings(folder):
    for recording in load_eegmat(folder):
        assert recording.annotations["onset"].tolist() == [0]
        assert recording.annotations["duration"].tolist() == [recording.duration]


def test_windows_get_the_conditions_as_labels(folder):
    labels = StageLabels({"rest": 0, "arithmetic": 1})
    windows = make_windows(load_eegmat(folder), 1, labels=labels)
    assert windows.y.tolist() == [0, 0, 0, 0, 1, 1] * 2


def test_files_may_be_in_the_folder_data(tmp_path):
    _write(tmp_path / "data", _contents("00"))
    assert len(load_eegmat(tmp_path)) == 2


def test_only_the_ecg_of_the_published_files_is_read(folder):
    brain = [(f"EEG {name}", "uV", DIGITAL[::-1]) for name in ("Fp1", "Fp2", "A2-A1")]
    slow = ("EEG slow", "uV", DIGITAL[:400])
    _write(folder, {"Subject00_1": _edf([*brain, _ecg(), slow])})
    recording = load_eegmat(folder)[0]
    assert list(recording.signals) == ["ecg"]
    np.testing.assert_allclose(recording.signals["ecg"][0, 0], MILLIVOLTS, atol=1e-7)


@pytest.mark.parametrize("unit, factor", [("uV", 1e-3), ("mV", 1), ("V", 1e3)])
def test_other_units_become_millivolts(folder, unit, factor):
    _write(folder, {"Subject00_1": _edf([_ecg(unit)])})
    ecg = load_eegmat(folder)[0].signals["ecg"]
    np.testing.assert_allclose(ecg[0, 0], MILLIVOLTS * factor, atol=1e-7 * factor)


@pytest.mark.parametrize("duration, rate", [(2, 250), (0.5, 1000)])
def test_rate_follows_from_the_duration_of_a_data_record(folder, duration, rate):
    _write(folder, {"Subject00_1": _edf([_ecg()], duration=duration)})
    recording = load_eegmat(folder)[0]
    assert recording.sampling_rate == {"ecg": rate}
    assert recording.annotations["duration"].tolist() == [2000 / rate]


def _timekeeping(onsets):
    """Return the signal of EDF+ with the start of each data record."""
    text = b"".join(f"+{onset}\x14\x14".encode().ljust(16, b"\0") for onset in onsets)
    return "EDF Annotations", "", np.frombuffer(text, "<i2")


def test_edf_plus_is_read(folder):
    data = _edf([_ecg(), _timekeeping([0, 1, 2, 3])], reserved="EDF+C")
    _write(folder, {"Subject00_1": data})
    np.testing.assert_allclose(load_eegmat(folder)[0].signals["ecg"][0, 0], MILLIVOLTS, atol=1e-7)


def test_edf_plus_with_gaps_is_refused(folder):
    data = _edf([_ecg(), _timekeeping([0, 1, 60, 61])], reserved="EDF+D")
    _write(folder, {"Subject00_1": data})
    with pytest.raises(
        ValueError, match=r"Subject00_1\.edf must be continuous, got EDF\+D, which has"
    ):
        load_eegmat(folder)


GOOD = _edf([_ecg()])


def _with(start, text):
    """Return the file with other text in its header."""
    return GOOD[:start] + text + GOOD[start + len(text) :]


def test_malformed_file_is_refused(folder):
    for content, message in [
        (b"", "an EDF file, .* got 0 bytes"),
        (GOOD[:200], "an EDF file, .* got 200 bytes"),
        (b"\xffBIOSEMI" + GOOD[8:], "starts with 0, got 4512 bytes: .*BIOSEMI"),
        (b"<<<<<<< HEAD\n" + GOOD, "starts with 0, .* b'<<<<<<< '"),
        (GOOD[:400], "must be a number, got ''"),
        (GOOD[:-1], "must have 4512 bytes .* got 4511"),
        (GOOD[:-1000], "must have 4512 bytes .* got 3512"),
        (GOOD + bytes(1000), "must have 4512 bytes .* got 5512"),
        (_with(252, b"none"), "must be a number, got 'none'"),
        (_with(252, b"0   "), "must have signals .* got 0 signals"),
        (_with(236, b"-1      "), r"got 1 signals and -1 data records of 1 s\."),
        (_with(236, b"\xff\xff\xff\xff"), "must be a number, got"),
        (_with(244, b"0       "), "more than 0 s, got .* of 0 s"),
        (_with(244, b"nan     "), "more than 0 s, got .* of nan s"),
        (_with(472, b"-500    "), r"\[-500\] samples, got 4512"),
        (_with(472, b"many    "), "must be a number, got 'many'"),
        (_with(256, b"EEG Fp1"), "must have one signal with ECG in its label, got EEG Fp1"),
        (_edf([_ecg(), _ecg(label="ECG 2")]), "one signal with ECG .* got ECG ECG, ECG 2"),
        (_with(352, b"g "), "the ECG must be in V, mV or uV, got 'g'"),
        (_with(352, b"  "), "the ECG must be in V, mV or uV, got ''"),
        (_with(360, b"0.6     "), r"ranges that are not 0, got \[0\.0, 65535\]"),
        (_with(360, b"low     "), "cannot be read as a file of EEGMAT: could not convert"),
        (_with(360, b"nan     "), "finite ranges .* got .nan, 65535"),
        (_with(376, b"32767   "), r"ranges that are not 0, got \[0\.8, 0\]"),
        (
            _edf([_ecg(samples=DIGITAL[:0]), ("EEG", "uV", DIGITAL)]),
            "the sampling rate of the ECG must be positive and finite, in Hz, got 0.0",
        ),
    ]:
        _write(folder, {"Subject00_1": content})
        with pytest.raises(ValueError, match=rf"Subject00_1\.edf .*{message}"):
            load_eegmat(folder)


def test_missing_file_of_a_subject_is_refused(folder):
    (folder / "Subject10_2.edf").unlink()
    with pytest.raises(ValueError, match=r"Subject10_2\.edf, got Subject10_1\.edf"):
        load_eegmat(folder)


def test_missing_file_of_another_subject_is_of_no_matter(folder):
    (folder / "Subject10_2.edf").unlink()
    assert len(load_eegmat(folder, subjects=["Subject00"])) == 2


def test_missing_library_is_named_and_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(ImportError, match=r'needs edfio: pip install "physio_ssl\[data\]"'):
        load_eegmat(folder)


@pytest.fixture(scope="module")
def real(data_folder):
    return load_eegmat(data_folder / "eegmat_ecg")


@pytest.fixture(scope="module")
def quality(data_folder):
    with (data_folder / "eegmat_ecg" / "quality.csv").open() as file:
        return {row["recording"]: row for row in csv.DictReader(file)}


def test_eegmat_has_24_subjects_in_two_conditions(real):
    subjects = [f"Subject{n:02d}" for n in range(24)]
    assert [recording.subject for recording in real[::2]] == subjects
    assert [recording.subject for recording in real[1::2]] == subjects
    conditions = [recording.annotations["description"].item() for recording in real]
    assert conditions == ["rest", "arithmetic"] * 24


def test_recordings_last_as_long_and_vary_as_much_as_was_found_before(real, quality):
    for recording in real:
        number = {"rest": 1, "arithmetic": 2}[recording.annotations["description"].item()]
        row = quality[f"{recording.subject}_{number}"]
        assert recording.sampling_rate == {"ecg": 500}
        assert recording.duration == float(row["seconds"])
        assert recording.signals["ecg"].std() == pytest.approx(float(row["ecg_std_mV"]), abs=1e-3)


def test_docstring_names_the_files_without_heartbeat(quality, real):
    silent = {name.split("_")[0] for name, row in quality.items() if row["ecg_usable"] == "0"}
    named = set(re.findall(r"Subject\d\d(?= and|\.)", load_eegmat.__doc__))
    assert named == silent & {recording.subject for recording in real}
