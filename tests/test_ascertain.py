"""Tests of the reader of ASCERTAIN, on files written in its layout."""

import numpy as np
import pytest
from scipy.io import savemat

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_ascertain

RATE = 256
SECONDS = 20
START = np.array([[2014, 3, 5, 14, 30, 12.5]])


def table(n_columns=6, times=True, rate=RATE, base=0):
    """Return time stamps (ms, rounded), and columns that oscillate about 1000 times their number.

    The columns are numbered from 1, as MATLAB does.
    """
    seconds = np.arange(SECONDS * rate) / rate
    columns = np.sin(2 * np.pi * seconds)[:, np.newaxis] + 1000 * np.arange(1, n_columns + 1)
    columns += base
    if times:
        columns[:, 0] = np.round(1000 * seconds)
    return columns


def write(folder, samples, subject="P01", clip=1, name="Data_ECG", **others):
    path = folder / "ECGData" / f"Movie_{subject}" / f"ECG_Clip{clip}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"timeECG": START, name: samples, **others})
    return folder


@pytest.fixture
def folder(tmp_path):
    """Folder of ASCERTAIN with two subjects of two clips each, written out of order."""
    for subject, clip in [("P10", 1), ("P02", 10), ("P02", 9), ("P10", 2)]:
        write(tmp_path, table(base=clip), subject, clip)
    return tmp_path


def test_there_is_one_recording_for_each_subject_and_clip(folder):
    recordings = load_ascertain(folder, sampling_rate=RATE)
    assert [r.subject for r in recordings] == ["P02", "P02", "P10", "P10"]
    descriptions = [r.annotations["description"].tolist() for r in recordings]
    assert descriptions == [["clip 9"], ["clip 10"], ["clip 1"], ["clip 2"]]
    assert [round(r.signals["ecg"].mean()) for r in recordings] == [5009, 5010, 5001, 5002]


def test_arms_come_from_their_columns(tmp_path):
    for turned in [False, True]:
        for n_columns, times, left in [
            (3, True, 2),
            (5, True, 2),
            (6, True, 5),
            (7, True, 5),
            (2, False, 1),
        ]:
            samples = table(n_columns, times)
            write(tmp_path, samples.T if turned else samples)
            (recording,) = load_ascertain(
                tmp_path, sampling_rate=RATE, signals=("ecg", "ecg_right")
            )
            expected = samples[:, left - 1].astype(np.float32)
            np.testing.assert_array_equal(recording.signals["ecg"][0, 0], expected)
            expected = samples[:, left].astype(np.float32)
            np.testing.assert_array_equal(recording.signals["ecg_right"][0, 0], expected)


def test_signals_are_float32_at_the_given_rate(folder):
    recording = load_ascertain(folder, sampling_rate=RATE)[0]
    assert recording.signals["ecg"].dtype == np.float32
    assert recording.sampling_rate == {"ecg": RATE}
    assert recording.duration == SECONDS


@pytest.mark.parametrize("n_columns, times, mean", [(6, True, 5000), (2, False, 1000)])
def test_unsigned_integers_are_read(tmp_path, n_columns, times, mean):
    samples = table(n_columns, times)
    samples[:, -2:] += 5 * np.sin(np.arange(len(samples)))[:, np.newaxis]
    samples[-1, -2:] += 100  # differences of unsigned integers wrap: it must not seem to rise
    write(tmp_path, samples.astype(np.uint16))
    (recording,) = load_ascertain(tmp_path, sampling_rate=RATE)
    assert recording.signals["ecg"].mean() == pytest.approx(mean, abs=1)


def test_windows_can_be_cut(folder):
    labels = StageLabels({"clip 9": 0, "clip 1": 1})
    windows = make_windows(load_ascertain(folder, sampling_rate=RATE), 10, labels=labels)
    assert windows.y.tolist() == [0, 0, 1, 1]
    assert windows.X["ecg"].shape == (4, 1, 10 * RATE)


def test_only_table_of_numbers_is_taken_whatever_its_name(tmp_path):
    write(tmp_path, table(), name="signal", note="a text", n=3)
    (recording,) = load_ascertain(tmp_path, sampling_rate=RATE)
    assert recording.signals["ecg"].mean() == pytest.approx(5000, abs=1)


def test_named_table_is_taken_of_several(tmp_path):
    write(tmp_path, table(), Data_Acc=table() + 7)
    (recording,) = load_ascertain(tmp_path, sampling_rate=RATE)
    assert recording.signals["ecg"].mean() == pytest.approx(5000, abs=1)


def test_file_without_one_table_is_refused_and_listed(tmp_path):
    for others in [{"more": table()}, {"signal": "none"}]:
        write(tmp_path, table(), name="signal", **others)
        message = r"Data_ECG, .* got .*'timeECG': \(1, 6\), 'signal': \("
        with pytest.raises(ValueError, match=message):
            load_ascertain(tmp_path, sampling_rate=RATE)


def test_other_columns_are_refused(tmp_path):
    for samples in [
        table(1, times=False),
        table(2),
        table(3, times=False),
        np.ones((RATE, 6)),
        np.full((RATE, 6), np.nan),
        np.ones((1, 6)),
        np.ones((4, 5, 6)),
        "text",
    ]:
        write(tmp_path, samples)
        with pytest.raises(ValueError, match=r"ECG_Clip1\.mat must hold .* as Data_ECG, got "):
            load_ascertain(tmp_path, sampling_rate=RATE)


def test_sampling_rate_that_the_time_stamps_contradict_is_refused(folder):
    for rate in [240, 512]:
        message = rf"sampling_rate must be 25\d\.\d Hz .*, got {rate} Hz"
        with pytest.raises(ValueError, match=message):
            load_ascertain(folder, sampling_rate=rate)


def test_time_stamps_with_a_gap_keep_their_rate(tmp_path):
    samples = np.delete(table(), np.s_[1000:2000], axis=0)
    write(tmp_path, samples)
    (recording,) = load_ascertain(tmp_path, sampling_rate=RATE)
    assert recording.signals["ecg"].shape[-1] == SECONDS * RATE - 1000


@pytest.mark.filterwarnings("error")
def test_time_stamps_that_stand_still_are_refused(tmp_path):
    samples = table()
    samples[1:-1, 0] = 0
    write(tmp_path, samples)
    with pytest.raises(ValueError, match="inf Hz .* got 256 Hz"):
        load_ascertain(tmp_path, sampling_rate=RATE)


def test_sampling_rate_has_no_default(folder):
    with pytest.raises(TypeError, match="sampling_rate"):
        load_ascertain(folder)


def test_impossible_sampling_rate_is_refused(folder):
    with pytest.raises(ValueError, match="sampling_rate must be positive.* -256"):
        load_ascertain(folder, sampling_rate=-256)


def test_empty_clips_are_left_out_and_named(folder):
    write(folder, np.zeros((0, 0)), "P10", 36)
    with pytest.warns(UserWarning, match="1 of 5 .* left out: Clip 36 of P10"):
        assert len(load_ascertain(folder, sampling_rate=RATE)) == 4


def test_nan_is_kept_for_make_windows_to_drop(folder):
    samples = table()
    samples[:, 1:] = np.nan
    write(folder, samples, "P02", 9)
    recordings = load_ascertain(folder, sampling_rate=RATE)
    assert np.isnan(recordings[0].signals["ecg"]).all()
    with pytest.warns(UserWarning, match=r"2 of \d+ windows are dropped: .* gap"):
        assert make_windows(recordings, 10).dropped == {"non-finite": 2}


def test_subject_without_clips_is_refused(folder):
    (folder / "ECGData" / "Movie_P11").mkdir()
    (folder / "ECGData" / "Movie_P11" / "Clip1.mat").touch()
    with pytest.raises(ValueError, match=r"Movie_P11 must hold ECG_Clip1\.mat .* found Clip1\.mat"):
        load_ascertain(folder, sampling_rate=RATE)
