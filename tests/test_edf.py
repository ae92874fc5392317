"""Tests of the reader of EDF files; those of EEGMAT test malformed headers, too."""

import edfio
import numpy as np
import pytest

from physio_ssl.datasets import load_edf


def write(folder):
    """Write a file of ECG, three axes and respiration, with two annotations."""
    times = np.arange(0, 10, 1 / 256)
    axes = [np.sin(times[: 10 * 32] + phase) for phase in range(3)]
    signals = [edfio.EdfSignal(np.sin(times), 256, label="ECG II", physical_dimension="mV")]
    signals += [
        edfio.EdfSignal(axis, 32, label=name, physical_dimension="g")
        for name, axis in zip("XYZ", axes, strict=True)
    ]
    signals += [edfio.EdfSignal(times[:40] - 1, 4, label="Thorax", physical_dimension="V")]
    events = [edfio.EdfAnnotation(5, None, "button"), edfio.EdfAnnotation(1, 2.5, "rest")]
    path = folder / "P1.edf"
    edfio.Edf(signals, annotations=events).write(path)
    return path


def test_signals_have_their_own_rates_and_units(tmp_path):
    recording = load_edf(write(tmp_path))
    assert recording.sampling_rate == {"ecg_ii": 256, "x": 32, "y": 32, "z": 32, "thorax": 4}
    assert recording.metadata["units"]["ecg_ii"] == "mV"
    assert recording.signals["ecg_ii"].dtype == np.float32
    np.testing.assert_allclose(
        recording.signals["ecg_ii"][0, 0], np.sin(np.arange(0, 10, 1 / 256)), atol=1e-4
    )
    assert (recording.subject, recording.start_time) == ("P1", None)


def test_annotations_are_sorted_and_may_have_no_duration(tmp_path):
    annotations = load_edf(write(tmp_path)).annotations
    assert annotations["onset"].tolist() == [1, 5]
    assert annotations["duration"].tolist() == [2.5, 0]
    assert annotations["description"].tolist() == ["rest", "button"]


def test_channels_become_the_modalities_that_a_mapping_names(tmp_path):
    recording = load_edf(write(tmp_path), {"ecg": "ECG II", "acc": ["X", "Y", "Z"]}, subject="S1")
    assert {name: x.shape for name, x in recording.signals.items()} == {
        "ecg": (1, 1, 2560),
        "acc": (1, 3, 320),
    }
    assert recording.subject == "S1"


@pytest.mark.parametrize(
    "signals, message",
    [
        (["ecg"], "signals must be .* ecg_ii, x, y, z, thorax, got"),
        ({"ecg": "ECG V1"}, r"each signal of 'ecg' once, \['ECG V1'\], got .*'ECG II'"),
        ({"all": ["ECG II", "X"]}, "one rate and unit, got 256 Hz in 'mV', 32 Hz in 'g'"),
        ({}, "one or more for each modality"),
    ],
)
def test_a_wrong_choice_of_signals_is_refused(signals, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_edf(write(tmp_path), signals)


def test_missing_and_truncated_files_are_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file .*away"):
        load_edf(tmp_path / "away.edf")
    data = path.read_bytes()
    for length in (0, 300, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"P1\.edf"):
            load_edf(path)


def test_a_rate_of_no_device_is_refused(tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:244] + b"1e-7    " + data[252:])  # duration of a data record
    with pytest.raises(ValueError, match=r"P1\.edf .*the sampling rate of ECG II must be"):
        load_edf(path)
