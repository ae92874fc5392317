"""Tests of the readers of Empatica E4 exports."""

import warnings
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physio_ssl.datasets import load_empatica, load_empatica_corpus
from physio_ssl.datasets._empatica_csv import _parse_samples

START = 1495437325


def _export(values, rate, start=START):
    rows = [f"{start}.000000", f"{rate}.000000", *(f"{value:.2f}" for value in values)]
    return "\n".join(rows) + "\n"


def _files(seconds=10):
    """Return the files of a session without any trap."""
    return {
        "BVP.csv": _export(np.arange(64 * seconds) - 100.25, 64),
        "EDA.csv": _export(np.arange(4 * seconds) / 4 + 0.5, 4),
        "TEMP.csv": _export(np.arange(4 * seconds) / 4 + 30, 4),
    }


def _write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, newline="")
    return folder


def _write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def session(tmp_path):
    return _write(tmp_path / "S1", _files())


@pytest.fixture
def temperatures(session):
    """Return a function that replaces the session's temperatures."""

    def replace(*values):
        (session / "TEMP.csv").write_text(_export(values, 4))
        return session

    return replace


def test_signals_are_what_the_files_hold(session):
    recording = load_empatica(session)
    np.testing.assert_array_equal(recording.signals["bvp"][0, 0], np.arange(640) - 100.25)
    np.testing.assert_array_equal(recording.signals["eda"][0, 0], np.arange(40) / 4 + 0.5)
    np.testing.assert_array_equal(recording.signals["temp"][0, 0], np.arange(40) / 4 + 30)
    assert recording.sampling_rate == {"bvp": 64, "eda": 4, "temp": 4}


def test_only_the_signals_asked_for_are_read(session):
    (session / "TEMP.csv").unlink()
    assert list(load_empatica(session, signals=("eda", "bvp")).signals) == ["eda", "bvp"]


def test_acceleration_is_in_g_and_has_three_channels(session):
    rows = [", ".join([f"{START}.000000"] * 3), ", ".join(["32.000000"] * 3), "64,-32,0"]
    (session / "ACC.csv").write_text("\n".join([*rows, "63,0,1\n"]))
    acc = load_empatica(session, signals=["acc"]).signals["acc"]
    np.testing.assert_array_equal(acc[0], [[1, 63 / 64], [-0.5, 0], [0, 1 / 64]])


def test_heart_rate_that_starts_late_starts_the_recording(session):
    (session / "HR.csv").write_text(_export([60.5, 61.5], 1, start=START + 5))
    recording = load_empatica(session, signals=("bvp", "hr"))
    assert recording.start_time == START + 5
    assert recording.signals["bvp"][0, 0, 0] == 5 * 64 - 100.25


def test_subject_is_the_name_of_the_folder_unless_given(session):
    assert load_empatica(session).subject == "S1"
    assert load_empatica(session, subject="anna").subject == "anna"


@pytest.mark.parametrize("prefix", ["", "A0123/"])
def test_zip_file_gives_what_its_folder_gives(session, tmp_path, prefix):
    files = {prefix + name: text for name, text in _files().items()}
    zipped = load_empatica(_write_zip(tmp_path / "S1.zip", files))
    assert zipped.signals == load_empatica(session).signals
    assert zipped.subject == "S1"


def test_files_that_macos_adds_to_a_zip_are_ignored(tmp_path):
    added = {"__MACOSX/S1/._BVP.csv": "binary", "__MACOSX/S1/._tags.csv": "binary"}
    files = {f"S1/{name}": text for name, text in _files().items()}
    assert load_empatica(_write_zip(tmp_path / "S1.zip", {**added, **files})).duration == 10


def test_start_as_iso_text_is_utc(session):
    for start in ["2017-05-22 07:15:25", "2017-05-22T07:15:25Z"]:
        text = _files()["BVP.csv"].replace(f"{START}.000000", start)
        (session / "BVP.csv").write_text(text)
        expected = datetime(2017, 5, 22, 7, 15, 25, tzinfo=UTC).timestamp()
        assert load_empatica(session, signals=["bvp"]).start_time == expected


def test_other_ends_of_lines_are_read(session):
    for newline in ["\r\n", "\r"]:
        expected = load_empatica(session).signals
        _write(session, {name: text.replace("\n", newline) for name, text in _files().items()})
        assert load_empatica(session).signals == expected


def test_mark_that_spreadsheets_put_first_is_ignored(session):
    (session / "EDA.csv").write_text("\ufeff1495437325\n4\n1\n2\n", encoding="utf-8")
    eda = load_empatica(session, signals=["eda"]).signals["eda"]
    assert eda.tolist() == [[[1, 2]]]


def test_numbers_of_any_form_are_read(session):
    (session / "BVP.csv").write_text(f"{START}\n64\n1\n-2.5\n3e-2\n+0.125")
    bvp = load_empatica(session, signals=["bvp"]).signals["bvp"]
    np.testing.assert_allclose(bvp[0, 0], [1, -2.5, 0.03, 0.125])


@given(
    integers=st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=20),
    n_decimals=st.integers(0, 8),
)
def test_numbers_are_read_as_python_reads_them(integers, n_decimals):
    texts = [f"{integer / 10**n_decimals:.{n_decimals}f}" for integer in integers]
    samples = _parse_samples("\n".join([*texts, ""]).encode(), 1, "BVP.csv")
    np.testing.assert_array_equal(samples[:, 0], list(map(float, texts)))


def test_clock_starts_at_the_latest_start(session):
    (session / "EDA.csv").write_text(_export(np.arange(40) + 0.5, 4, start=START + 3))
    recording = load_empatica(session)
    assert recording.start_time == START + 3
    assert recording.signals["bvp"][0, 0, 0] == 3 * 64 - 100.25
    assert recording.signals["temp"][0, 0, 0] == 33


def test_signal_is_off_by_less_than_a_sample_after_a_start_between_samples(session):
    text = _files()["BVP.csv"].replace(f"{START}.000000", f"{START}.100000")
    (session / "BVP.csv").write_text(text)
    recording = load_empatica(session)
    assert recording.start_time == pytest.approx(START + 0.1, abs=1e-6)
    assert recording.signals["eda"][0, 0, 0] == 0.75


def test_ends_of_signals_are_left_as_they_are(session):
    (session / "EDA.csv").write_text(_export(np.arange(48) / 4 + 0.5, 4))
    assert load_empatica(session).signals["eda"].shape == (1, 1, 48)


def test_sentinels_at_the_start_of_temperature_move_the_start(temperatures):
    session = temperatures(382.21, 382.21, 31, 32, 33, 34)
    recording = load_empatica(session)
    assert recording.start_time == START + 0.5
    assert recording.signals["temp"].tolist() == [[[31, 32, 33, 34]]]
    assert recording.signals["bvp"][0, 0, 0] == 0.5 * 64 - 100.25


def test_zeros_at_the_start_of_eda_move_the_start(session):
    (session / "EDA.csv").write_text(_export([0, 0, 0, 0.5, 0, 0.5], 4))
    recording = load_empatica(session)
    assert recording.start_time == START + 0.75
    assert recording.signals["eda"].tolist() == [[[0.5, 0, 0.5]]]


def test_zeros_at_the_start_of_bvp_are_kept(session):
    (session / "BVP.csv").write_text(_export([0, 0, 1, 2], 64))
    assert load_empatica(session).signals["bvp"].tolist() == [[[0, 0, 1, 2]]]


def test_all_samples_are_kept_without_trimming(temperatures):
    recording = load_empatica(temperatures(382.25, 31, 382.25), trim_start=False)
    assert recording.signals["temp"].tolist() == [[[382.25, 31, 382.25]]]
    assert recording.start_time == START


def test_later_sentinels_are_refused(temperatures):
    session = temperatures(382.21, 31, 382.21, 32, 382.21)
    with pytest.raises(ValueError, match=r"TEMP\.csv must .* got 2 late .* in line 5"):
        load_empatica(session)


@pytest.mark.parametrize("name, rate, value", [("BVP", 64, 0), ("EDA", 4, 0), ("TEMP", 4, 382.21)])
def test_signal_without_any_measurement_is_refused(session, name, rate, value):
    (session / f"{name}.csv").write_text(_export([value] * 20, rate))
    with pytest.raises(ValueError, match=rf"{name}\.csv must hold a measurement, got 20 samples"):
        load_empatica(session)


def test_signals_that_do_not_overlap_are_refused(session):
    (session / "EDA.csv").write_text(_export([1, 2], 4, start=START + 60))
    with pytest.raises(ValueError, match="bvp of .* must overlap eda"):
        load_empatica(session)


@pytest.mark.parametrize("name", ["tags.csv", "tags_S1.csv"])
def test_tags_are_annotations(session, name):
    (session / name).write_text(f"{START + 2}.50\n{START + 7}\n")
    annotations = load_empatica(session).annotations
    assert annotations["onset"].tolist() == [2.5, 7]
    assert annotations["duration"].tolist() == [0, 0]
    assert annotations["description"].tolist() == ["tag", "tag"]


def test_tags_move_with_the_start(temperatures):
    session = temperatures(382.21, 382.21, *range(30, 40))
    (session / "tags.csv").write_text(f"{START + 2}\n")
    assert load_empatica(session).annotations["onset"].tolist() == [1.5]


def test_tags_in_a_zip_file_are_read(tmp_path):
    path = _write_zip(tmp_path / "S1.zip", {**_files(), "tags.csv": f"{START + 2}\n"})
    assert load_empatica(path).annotations["onset"].tolist() == [2]


def test_tags_outside_the_recording_are_left_out_with_a_warning(session):
    (session / "tags.csv").write_text(f"{START - 9}\n{START + 1}\n{START + 99}\n")
    with pytest.warns(UserWarning, match=f"2 of 3 tags.* {START - 9}.00 to {START + 99}.00"):
        assert load_empatica(session).annotations["onset"].tolist() == [1]


def test_files_without_content_give_no_annotations(session):
    for files in [{}, {"tags.csv": ""}, {"IBI.csv": "", "info.txt": ""}]:
        assert len(load_empatica(_write(session, files)).annotations["onset"]) == 0


def test_tags_may_be_iso_text_in_utc(session):
    (session / "tags.csv").write_text("2017-05-22 07:15:27.5\n2017-05-22T07:15:32Z\n")
    assert load_empatica(session).annotations["onset"].tolist() == [2.5, 7]


@pytest.mark.parametrize(
    "files, message, onset",
    [
        ({"tags.csv": f"{START + 1}\nnoon\n"}, r"Line 2 of .*tags\.csv .* got 'noon'", [1]),
        ({"tags.csv": "\x00\ufffd\n"}, r"tags\.csv must be text", []),
        ({"tags.csv": "1\n", "tags_S1.csv": ""}, r"one file .* got tags\.csv, tags_S1", []),
    ],
)
def test_bad_tags_are_a_warning_and_no_loss_of_the_session(session, files, message, onset):
    with pytest.warns(UserWarning, match=f"Tags of .* are left out: .*{message}"):
        recording = load_empatica(_write(session, files))
    assert recording.duration == 10
    assert recording.annotations["onset"].tolist() == onset


def test_unknown_signals_are_refused(session):
    for signals in [("ppg",), (), "bvp"]:
        with pytest.raises(ValueError, match="signals must be .* bvp, eda, temp"):
            load_empatica(session, signals=signals)


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder or zip file .*S9"):
        load_empatica(tmp_path / "S9")


def test_missing_file_is_refused(session, tmp_path):
    (session / "EDA.csv").unlink()
    with pytest.raises(ValueError, match=r"must hold EDA\.csv, found BVP\.csv, TEMP\.csv"):
        load_empatica(session)
    path = _write_zip(tmp_path / "S1.zip", {"BVP.csv": "", "A.txt": ""})
    with pytest.raises(ValueError, match=r"must hold EDA\.csv, TEMP\.csv, found A\.txt, BVP\.csv"):
        load_empatica(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="found nothing"):
        load_empatica(tmp_path / "empty")


def test_zip_file_of_several_sessions_is_refused(tmp_path):
    files = {f"{day}/{name}": text for day in "AB" for name, text in _files().items()}
    with pytest.raises(ValueError, match="must hold one session, .* folders A, B"):
        load_empatica(_write_zip(tmp_path / "S1.zip", files))


def test_file_that_is_no_zip_file_is_refused(session):
    with pytest.raises(ValueError, match=r"BVP\.csv cannot be read as a zip file"):
        load_empatica(session / "BVP.csv")


def test_malformed_file_is_refused(session):
    for text, message in [
        ("", r"EDA\.csv must hold start, .* got 0"),
        ("2020-07-08 19:54:17\n4.0\n", "must hold start, .* got 2"),
        ("today\n4\n1\n", r"Line 1 of .*EDA\.csv must be unix time .* got 'today'"),
        ("1e308\n4\n1\n", r"Line 1 of .*EDA\.csv must be unix time .* got '1e308'"),
        ("1495437325\n4 Hz\n1\n", "rate in line 2 of .* must be a number, got '4 Hz'"),
        ("1495437325\n0\n1\n", "sampling rate in line 2 of .* must be positive.* got 0"),
        ("1495437325,1495437326\n4\n1\n", "Line 1 of .* same for all channels"),
        (
            "1495437325\n4\n1.0\nx\n3.0\n",
            r"Line 4 of .*EDA\.csv must hold 1 number.* got 'x'",
        ),
        ("1495437325\n4\n1.0\n2.0,3.0\n", "Line 4 of .* got '2.0,3.0'"),
        ("1495437325\n4\n1.0\n2.0 3.0\n", "Line 4 of .* got '2.0 3.0'"),
        ("1495437325\n4\n1.0\n\n3.0\n", "Line 4 of .* got ''"),
        ("1495437325\n4\n1.00\n1.2.3\n", r"Line 4 of .* got '1\.2\.3'"),
        ("1495437325\n4\n1\n1-2\n", "Line 4 of .* got '1-2'"),
        ("1495437325\n4\n1\n1_000\n", "Line 4 of .* got '1_000'"),
        ("1495437325\n4\n1.00\n2.00\n-", "Line 5 of .* got '-'"),
        (
            "1495437325\n4\n1.00\n2.00\n3.5",
            r"EDA\.csv must end with a whole row, got '3\.5'",
        ),
        ("1495437325\n4\n1\nnan\nnan\n", "finite, got 2 bad row.* line 4"),
        ("1495437325\n4\n1.0\n2.0\n-inf\n", "finite, got 1 bad row.* line 5"),
    ]:
        (session / "EDA.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            load_empatica(session)


def test_row_of_acceleration_without_three_numbers_is_refused(session):
    for row in ["62,-21", "62", "62,-21,107,3", "62,-21,x"]:
        header = "1495437325,1495437325,1495437325\n32,32,32\n1,2,3\n"
        (session / "ACC.csv").write_text(header + row)
        with pytest.raises(ValueError, match=f"Line 4 of .*ACC.csv must hold 3 .* got '{row}'"):
            load_empatica(session, signals=["acc"])


def test_rows_of_acceleration_that_only_add_up_are_refused(session):
    header = "1495437325,1495437325,1495437325\n32,32,32\n"
    (session / "ACC.csv").write_text(header + "1,2,3,4\n5,6\n")
    with pytest.raises(ValueError, match="Line 3 of .* got '1,2,3,4'"):
        load_empatica(session, signals=["acc"])


@pytest.fixture
def corpus(tmp_path):
    """Two sessions of one subject, zipped, and one of another."""
    _write_zip(tmp_path / "data" / "15" / "15_1.zip", _files(10))
    _write_zip(tmp_path / "data" / "15" / "15_2.zip", _files(20))
    _write(tmp_path / "data" / "5C" / "monday", _files(30))
    return tmp_path


def test_corpus_has_every_session_at_any_depth_of_the_subject_of_its_folder(corpus):
    recordings = load_empatica_corpus(corpus)
    assert [(r.subject, r.duration) for r in recordings] == [("15", 10), ("15", 20), ("5C", 30)]


def test_sessions_directly_in_a_corpus_are_subjects_of_their_own(tmp_path):
    _write(tmp_path / "S01", _files(10))
    _write_zip(tmp_path / "S02.zip", _files(20))
    subjects = [recording.subject for recording in load_empatica_corpus(tmp_path)]
    assert subjects == ["S01", "S02"]


def test_session_is_a_corpus_of_one(session):
    (recording,) = load_empatica_corpus(session)
    assert recording.subject == "S1"


@pytest.fixture
def conditions(tmp_path):
    """Two people in two conditions, one folder for each condition."""
    for seconds, session in enumerate(["rest/S01", "rest/S02", "stress/S01", "stress/S02"], 10):
        _write(tmp_path / session, _files(seconds))
    return tmp_path


def test_subject_of_a_session_can_be_said_by_its_path(conditions):
    recordings = load_empatica_corpus(conditions, subject=lambda path: path.parts[1])
    found = [(recording.subject, recording.duration) for recording in recordings]
    assert found == [("S01", 10), ("S01", 12), ("S02", 11), ("S02", 13)]
    (rest, stress) = load_empatica_corpus(conditions, ["S02"], subject=lambda path: path.name)
    assert (rest.duration, stress.duration) == (11, 13)


def test_folders_that_may_be_conditions_are_named_in_a_warning(conditions):
    with pytest.warns(UserWarning, match="taken to be rest, stress, .* sessions named S01, S02"):
        recordings = load_empatica_corpus(conditions)
    assert [recording.subject for recording in recordings] == ["rest", "rest", "stress", "stress"]


def test_a_folder_of_one_name_in_each_subject_is_no_sign_of_conditions(tmp_path):
    for subject in ("S01", "S02"):
        _write(tmp_path / subject / "E4", _files(int(subject[1:]) + 10))
    subjects = [recording.subject for recording in load_empatica_corpus(tmp_path)]
    assert subjects == ["S01", "S02"]


def test_subject_must_be_text(conditions):
    for value in [None, "", 1]:
        with pytest.raises(TypeError, match=f"must return a name of .*S01 as text, got {value!r}"):
            load_empatica_corpus(conditions, subject=lambda path, value=value: value)
    with pytest.raises(ValueError, match=r"subject raised IndexError.* for the path rest/S01"):
        load_empatica_corpus(conditions, subject=lambda path: path.parts[5])


def test_labels_on_the_clock_of_the_files_move_with_the_start(temperatures):
    session = temperatures(382.21, 382.21, *range(30, 40))
    recording = load_empatica(session)
    assert recording.start_offset == 0.5
    for onset, clock in [(2, "file"), (1.5, "recording"), (START + 2, "unix")]:
        annotations = recording.annotate(onset, 1, "stress", clock=clock).annotations
        assert annotations["onset"].tolist() == [1.5]
    assert load_empatica(session, trim_start=False).start_offset == 0


def test_signals_of_a_corpus_can_be_chosen(corpus):
    recordings = load_empatica_corpus(corpus, signals=["eda"])
    assert [list(recording.signals) for recording in recordings] == [["eda"]] * 3


def test_session_found_twice_is_left_out_with_a_warning(corpus):
    _write(corpus / "data" / "15" / "15_1", _files(10))
    with pytest.warns(UserWarning, match=r"1 of 4 .*15_1\.zip holds the same .* as .*15_1\."):
        assert len(load_empatica_corpus(corpus)) == 3


def test_sessions_that_cannot_be_used_are_left_out_with_one_warning(corpus):
    (corpus / "data" / "15" / "15_1.zip").write_text("no zip file")
    (corpus / "data" / "5C" / "monday" / "EDA.csv").write_text(_export([0, 0], 4))
    with pytest.warns(UserWarning, match="2 of 3 .*15_1.zip .*EDA.csv") as caught:
        assert [recording.duration for recording in load_empatica_corpus(corpus)] == [20]
    assert len(caught) == 1


def test_corpus_without_any_usable_session_is_refused(session):
    (session / "EDA.csv").write_text("")
    with pytest.raises(ValueError, match="must hold recordings, got none: .*EDA.csv must hold"):
        load_empatica_corpus(session)


def test_corpus_without_any_session_is_refused(tmp_path):
    with pytest.raises(ValueError, match="zip files or folders .* found none"):
        load_empatica_corpus(tmp_path)


def test_nurse_stress_has_76_sessions_of_15_subjects(data_folder):
    with pytest.warns(UserWarning, match=r"BG_1607218219\.zip.* should be written once") as caught:
        recordings = load_empatica_corpus(data_folder / "NurseStress")
    assert len({str(one.message).split(".zip")[0] for one in caught}) == 1
    assert len(recordings) == 76
    assert len({recording.subject for recording in recordings}) == 15
    assert sum(recording.duration for recording in recordings) / 3600 == pytest.approx(119, abs=0.5)


def test_sessions_of_the_exam_stress_set_are_of_one_subject(data_folder):
    recordings = load_empatica_corpus(data_folder / "exam_stress")
    assert [recording.subject for recording in recordings] == ["S08", "S08"]


def test_stress_predict_warns_of_the_tags_of_a_wrong_clock(data_folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = load_empatica_corpus(data_folder / "StressPredict" / "Raw_data")
    assert [recording.subject for recording in recordings] == [f"S{n:02d}" for n in range(1, 26)]
    assert len(caught) == 2
    assert "S17" in str(caught[0].message) and "S18" in str(caught[1].message)


def test_ppg_dalia_has_a_resting_acceleration_of_about_1_g(data_folder):
    path = data_folder / "PPG_FieldStudy" / "S3" / "S3_E4.zip"
    acc = load_empatica(path, signals=["acc"]).signals["acc"]
    assert np.median(np.linalg.norm(acc[0], axis=0)) == pytest.approx(1, abs=0.05)
