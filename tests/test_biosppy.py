"""Tests of the reader of BioSPPy's text files."""

import numpy as np
import pytest

from physio_ssl.datasets import load_biosppy

HEADER = """# Simple Text Format
# Sampling Rate (Hz):= {rate}
# Resolution:= 12
# Labels:= {labels}
"""


def _write(path, labels="ECG", rows=("2044.0", "2046.5", "-3"), rate="1000.00", header=HEADER):
    path.parent.mkdir(exist_ok=True)
    path.write_text(header.format(rate=rate, labels=labels) + "".join(f"{row}\n" for row in rows))
    return path


def test_samples_are_as_in_the_file(tmp_path):
    recording = load_biosppy(_write(tmp_path / "ecg.txt"))
    assert recording.signals["ecg"].dtype == np.float32
    assert recording.signals["ecg"].tolist() == [[[2044, 2046.5, -3]]]
    assert recording.sampling_rate == {"ecg": 1000}
    assert recording.annotations is None


def test_label_becomes_the_name_of_the_modality(tmp_path):
    for label, name in [
        ("ECG", "ecg"),
        ("EDA", "eda"),
        ("PPG", "bvp"),
        ("Resp", "resp"),
        ("EMG 2", "emg_2"),
    ]:
        assert list(load_biosppy(_write(tmp_path / "a.txt", label)).signals) == [name]


def test_axes_become_channels_of_the_acceleration(tmp_path):
    header = HEADER.replace("# Labels", "# Units:= m/s^2\n# Labels")
    rows = ["3\t1\t2\t7", "6\t4\t5\t8"]
    path = _write(tmp_path / "a.txt", "acc_z\tacc_x\tacc_y\tPPG", rows, "100.00", header)
    recording = load_biosppy(path)
    assert recording.signals["acc"].tolist() == [[[1, 4], [2, 5], [3, 6]]]
    assert recording.signals["bvp"].tolist() == [[[7, 8]]]
    assert recording.sampling_rate == {"acc": 100, "bvp": 100}


def test_several_files_make_one_recording(tmp_path):
    paths = [
        _write(tmp_path / "first" / "ecg.txt"),
        _write(tmp_path / "first" / "eda.txt", "EDA", ["1", "2"], "4"),
    ]
    recording = load_biosppy(paths)
    assert recording.sampling_rate == {"ecg": 1000, "eda": 4}
    assert recording.signals["eda"].tolist() == [[[1, 2]]]


def test_signals_can_be_chosen(tmp_path):
    paths = [_write(tmp_path / "ecg.txt"), _write(tmp_path / "eda.txt", "EDA", ["1", "2"], "4")]
    assert load_biosppy(paths, ("eda",)).sampling_rate == {"eda": 4}
    with pytest.raises(ValueError, match="signals must be .* ecg, eda, got .*resp"):
        load_biosppy(paths, ("resp",))


def test_subject_is_the_folder(tmp_path):
    path = _write(tmp_path / "anna" / "ecg.txt")
    assert load_biosppy(path).subject == "anna"
    assert load_biosppy(str(path), subject="bo").subject == "bo"


def test_files_of_several_folders_need_a_subject(tmp_path):
    paths = [_write(tmp_path / "a" / "ecg.txt"), _write(tmp_path / "b" / "eda.txt", "EDA")]
    with pytest.raises(ValueError, match=r"several folders must have a subject, got .*ecg\.txt"):
        load_biosppy(paths)
    assert load_biosppy(paths, subject="anna").subject == "anna"


def test_a_signal_in_two_files_is_refused(tmp_path):
    paths = [_write(tmp_path / "a.txt"), _write(tmp_path / "b.txt")]
    with pytest.raises(ValueError, match=r"in one file only, got .*'ecg'.* in .*b\.txt"):
        load_biosppy(paths)


def test_malformed_file_is_refused(tmp_path):
    for change, message in [
        ({"header": "2044\n"}, "start with '# Simple Text Format', got '2044'"),
        ({"header": "<<<<<<< HEAD\n" + HEADER}, "start with .* got '<<<<<<< HEAD'"),
        ({"rate": ""}, r"and Labels, got no .*Sampling Rate \(Hz\)"),
        ({"rate": "unknown"}, r"Sampling Rate \(Hz\) in .* must be a number, got 'unknown'"),
        ({"rate": "0"}, "must be positive and finite, in Hz, got 0.0"),
        ({"rate": "nan"}, "must be positive and finite, in Hz, got nan"),
        ({"labels": ""}, r"got no .*Labels"),
        ({"rows": ()}, "whole row of samples, got '# Labels:= ECG'"),
        ({"rows": ("1", "x")}, "must hold one number for each label: could not convert .*'x'"),
        ({"rows": ("1", "2 3")}, "must hold one number for each label: .* columns"),
        ({"rows": ("1", "# 2")}, "must hold one number for each label: "),
        ({"rows": ("1 2", "2 3")}, "one number for each label: 2 columns for ECG"),
        ({"rows": ("1", "nan", "inf")}, r"finite, got 2 bad .* line 6"),
        ({"labels": "acc_x\tacc_y", "rows": ("1 2",)}, "all of .* got .*'acc_x', 'acc_y'"),
        ({"labels": "ECG\tecg", "rows": ("1 2",)}, "different names.* ECG, ecg"),
        ({"labels": "12"}, "of letters and digits.* got 12"),
    ]:
        path = _write(tmp_path / "a.txt", **change)
        with pytest.raises(ValueError, match=message) as caught:
            load_biosppy(path)
        assert "a.txt" in str(caught.value)


def test_file_that_is_cut_off_is_refused(tmp_path):
    path = _write(tmp_path / "a.txt")
    path.write_text(path.read_text()[:-2])
    with pytest.raises(ValueError, match=r"a\.txt must end with a whole row .* got '-'"):
        load_biosppy(path)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*a\.txt"):
        load_biosppy(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="path must name one or more files, got none"):
        load_biosppy([])


@pytest.mark.parametrize(
    "file, name, n_channels, rate, seconds, low, high",
    [
        ("ecg", "ecg", 1, 1000, 15, 1500, 3000),
        ("eda", "eda", 1, 1000, 150, 2000, 3500),
        ("ppg", "bvp", 1, 1000, 20, 1800, 2500),
        ("resp", "resp", 1, 1000, 60, 0, 4096),
        ("acc", "acc", 3, 100, 20, -3, 3),
    ],
)
def test_example_is_read(data_folder, file, name, n_channels, rate, seconds, low, high):
    recording = load_biosppy(data_folder / "biosppy_examples" / f"{file}.txt")
    assert recording.signals[name].shape == (1, n_channels, rate * seconds)
    assert recording.sampling_rate == {name: rate}
    assert recording.subject == "biosppy_examples"
    assert low < recording.signals[name].min() < recording.signals[name].max() < high


def test_acceleration_at_rest_is_of_gravity(data_folder):
    recording = load_biosppy(data_folder / "biosppy_examples" / "acc.txt")
    size = np.linalg.norm(recording.signals["acc"], axis=1)
    assert np.median(size) == pytest.approx(1, abs=0.1)  # in g, though the header says m/s^2
