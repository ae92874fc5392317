"""Tests of the reader of PsPM's format, on files written in its layout."""

import numpy as np
import pytest
from scipy.io import savemat

from physio_ssl import make_windows
from physio_ssl.datasets import load_pspm

SECONDS = 20


def channel(kind, rate, units="mV", data=None, **header):
    if data is None:
        data = np.arange(SECONDS * rate)[:, np.newaxis] / rate + len(kind)
    return {"data": data, "header": {"chantype": kind, "sr": rate, "units": units, **header}}


def markers(times):
    return channel("marker", 1, "events", np.array(times, dtype=float).reshape(-1, 1))


def write(path, channels=None, duration=SECONDS, **variables):
    if channels is None:
        channels = [
            channel("ecg", 100),
            channel("scr", 10, "uS"),
            channel("resp", 20),
            channel("ppg", 50),
            markers([12.5, 3.25]),
        ]
    data = np.empty((len(channels), 1), object)
    for i, item in enumerate(channels):
        data[i, 0] = item
    content = {"infos": {"duration": duration, "sourcefile": "a.smr"}, "data": data, **variables}
    savemat(path, {name: value for name, value in content.items() if value is not None})
    return path


@pytest.fixture
def path(tmp_path):
    """File of one recording."""
    return write(tmp_path / "PsPM_FR_01.mat")


def test_signals_come_from_the_channel_of_their_type(path):
    for name, kind, rate in [("ecg", "ecg", 100), ("eda", "scr", 10), ("resp", "resp", 20)]:
        (recording,) = load_pspm(path, signals=[name])
        expected = channel(kind, rate)["data"].T.astype(np.float32)
        assert recording.signals[name].dtype == np.float32
        np.testing.assert_array_equal(recording.signals[name][0], expected)
        assert recording.sampling_rate == {name: rate}


def test_signals_are_in_one_recording(path):
    (recording,) = load_pspm(path, signals=("bvp", "ecg", "eda"))
    assert recording.sampling_rate == {"bvp": 50, "ecg": 100, "eda": 10}
    assert recording.duration == SECONDS


def test_subject_is_the_name_of_the_file(path):
    assert load_pspm(path)[0].subject == "PsPM_FR_01"


def test_markers_are_annotations(path):
    annotations = load_pspm(path)[0].annotations
    assert annotations["onset"].tolist() == [3.25, 12.5]
    assert annotations["duration"].tolist() == [0, 0]
    assert annotations["description"].tolist() == ["marker", "marker"]


def test_markers_of_several_channels_are_joined(tmp_path):
    path = write(tmp_path / "a.mat", [channel("ecg", 100), markers([5]), markers([]), markers([2])])
    assert load_pspm(path)[0].annotations["onset"].tolist() == [2, 5]


def test_recording_without_marker_channel_has_no_annotations(tmp_path):
    path = write(tmp_path / "a.mat", [channel("ecg", 100)])
    assert load_pspm(path)[0].annotations is None


def test_folder_gives_one_recording_for_each_file(tmp_path):
    for name, rate in [("b", 200), ("a", 100)]:
        write(tmp_path / f"{name}.mat", [channel("ecg", rate)])
    (tmp_path / "readme.txt").touch()
    recordings = load_pspm(tmp_path, n_jobs=2)
    assert [(r.subject, r.sampling_rate["ecg"]) for r in recordings] == [("a", 100), ("b", 200)]


def test_unusable_files_of_a_folder_are_left_out_and_named(tmp_path):
    write(tmp_path / "a.mat")
    write(tmp_path / "b.mat", [channel("scr", 10)])
    savemat(tmp_path / "c_cogent.mat", {"subject": 1})
    with pytest.warns(UserWarning, match=r"2 of 3 .* left out: .*b\.mat must .*c_cogent\.mat must"):
        recordings = load_pspm(tmp_path)
    assert [r.subject for r in recordings] == ["a"]


def test_unusable_file_that_was_asked_for_is_refused(tmp_path):
    write(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"subject": 1})
    with pytest.raises(ValueError, match=r"b\.mat must hold the variable\(s\) infos, data, got s"):
        load_pspm(tmp_path, subjects=["a", "b"])


def test_folder_without_usable_files_is_refused(tmp_path):
    savemat(tmp_path / "b.mat", {"subject": 1})
    with pytest.raises(ValueError, match=r"must hold recordings, got none: .*b\.mat"):
        load_pspm(tmp_path)


def test_type_of_older_versions_is_read(tmp_path):
    older = channel("ecg", 100)
    older["header"]["channeltype"] = older["header"].pop("chantype").upper()
    assert load_pspm(write(tmp_path / "a.mat", [older]))[0].signals["ecg"].shape == (1, 1, 2000)


def test_row_is_read_as_a_column(tmp_path):
    turned = channel("ecg", 100)
    turned["data"] = turned["data"].T
    (recording,) = load_pspm(write(tmp_path / "a.mat", [turned]))
    expected = channel("ecg", 100)["data"][:, 0].astype(np.float32)
    np.testing.assert_array_equal(recording.signals["ecg"][0, 0], expected)


def test_nan_is_kept_for_make_windows_to_drop(tmp_path):
    recording = channel("ecg", 100)
    recording["data"][:1000] = np.nan
    recordings = load_pspm(write(tmp_path / "a.mat", [recording]))
    assert np.isnan(recordings[0].signals["ecg"][..., :1000]).all()
    with pytest.warns(UserWarning, match="1 of . windows are dropped: .* gap"):
        assert make_windows(recordings, 10).dropped == {"non-finite": 1}


def test_malformed_channel_is_refused(tmp_path):
    for channels, message in [
        ([channel("scr", 10)], "one channel of type ecg, got 0 among scr"),
        ([channel("ecg", 10)] * 2, "one channel of type ecg, got 2 among ecg"),
        ([channel("ecg", 0)], r"data\{1\}\.header\.sr in .* must be positive"),
        ([channel("ecg", "", data=np.ones(9))], r"one number as data\{1\}\.header\.sr, got"),
        ([channel("ecg", 50, data=channel("ecg", 100)["data"])], "20 s, got 2000 samples at 50 Hz"),
        ([channel("ecg", 100, "events")], r"unit of samples as data\{1\}\.header\.units, got"),
        ([channel("ecg", 100, data=np.zeros((0, 0)))], r"data\{1\}\.data .* got 0 samples"),
        ([channel("ecg", 100, data=np.ones((2000, 2)))], "numbers in one row or column"),
        ([channel("ecg", 100, data="none")], "numbers in one row or column .* got text"),
        ([channel("ecg", 100), channel("marker", 100)], r"'events' as data\{2\}\.header\.units"),
        ([channel("ecg", 100), markers([1, 21])], "within 0 to 20 s, got 1 to 21"),
        ([channel("ecg", 100), markers([-1])], "within .* got -1"),
        ([channel("ecg", 100), markers([np.nan])], "within .* got nan"),
        ([channel(3, 100, data=np.ones(2000))], r"text as data\{1\}\.header\.chantype, got arr"),
        ([{"data": np.ones(2000)}], r"struct with the field header as data\{1\}, got struct"),
        ([np.ones(3)], r"one struct as data\{1\}, got array"),
        ([], "one channel of type ecg, got 0 among nothing"),
    ]:
        path = write(tmp_path / "a.mat", channels)
        with pytest.raises(ValueError, match=message):
            load_pspm(path)


def test_header_without_a_field_is_refused(tmp_path):
    for name in ["sr", "units", "chantype"]:
        broken = channel("ecg", 100)
        del broken["header"][name]
        path = write(tmp_path / "a.mat", [broken])
        with pytest.raises(ValueError, match=rf"with the field {name} as data\{{1\}}\.header, got"):
            load_pspm(path)


def test_impossible_duration_is_refused(tmp_path):
    for duration in [0, np.nan, np.inf]:
        path = write(tmp_path / "a.mat", duration=duration)
        with pytest.raises(ValueError, match=r"infos\.duration in .* must be positive and finite"):
            load_pspm(path)


def test_length_may_differ_from_the_duration_by_three_samples(tmp_path):
    for n_times, fits in [(1996, False), (1997, True), (2003, True), (2004, False)]:
        path = write(tmp_path / "a.mat", [channel("ecg", 100, data=np.ones(n_times))])
        if fits:
            assert load_pspm(path)[0].signals["ecg"].shape[-1] == n_times
        else:
            with pytest.raises(ValueError, match=f"got {n_times} samples at 100 Hz"):
                load_pspm(path)
