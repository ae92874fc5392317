"""Tests of the reader of WESAD."""

import csv
import os
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from numpy._core.multiarray import _reconstruct

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_empatica, load_wesad

E4_START = 1495437325  # of S2, whose chest device started 1413.7656 s later
CHEST_START = 1413.7656
SECONDS = 1700
PANAS = "# PANAS" + 12 * ";1;5"
QUEST = f"""# Subj;S2;;;;
# ORDER;Base;TSST;Medi 1;Fun;Medi 2;sRead;;
# START;0.30;1;1.4;2.2;3;3.5;;
# END;1;1.3;2.10;2.50;3.3;4.1;;
;;;;;;;;
{PANAS};;
{PANAS};2;3
{PANAS};;
{PANAS};;
{PANAS};;
# STAI;3;2;1;4;2;3;;
# STAI;1;3;2;1;3;1;;
# STAI;4;1;1;4;2;4;;
# STAI;3;1;1;3;1;4;;
# STAI;4;1;1;4;1;Nan;;
# DIM;7;2;;
# DIM;5;9;;
# DIM;7;2;;
# DIM;8;1;;
# DIM;7;2;;
# SSSQ;5;5;4;4;3;1;;
"""
README = """### Personal information ###
Age: 27
Height (cm): 175
Weight (kg): 80.5
Gender: female
Dominant hand: left

### Study pre-requisites ###
Did you drink coffee today? YES
Did you drink coffee within the last hour? NO
Are you a smoker? NO

### Additional notes ###
Subject felt rather cold.
"""
CHEST = ("chest_acc", "chest_ecg", "chest_eda", "chest_emg", "chest_resp", "chest_temp")
_MEANS = {"EDA": 10, "TEMP": 30}  # of the wrist, in microsiemens and degrees Celsius
DESCRIPTIONS = ["baseline", "stress", "meditation", "amusement", "meditation"]


def _write_export(folder, start=E4_START, quest=QUEST, seconds=SECONDS):
    """Write an E4 export of noise, and a questionnaire."""
    subject, rng = folder.name, np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{subject}_E4_Data.zip", "w") as archive:
        for name, rate, middle in [("BVP", 64, 0), ("EDA", 4, 10), ("TEMP", 4, 30)]:
            samples = middle + rng.integers(-5, 6, rate * seconds)
            rows = [f"{start}.00", f"{rate}.00", *map(str, samples)]
            archive.writestr(f"{name}.csv", "\n".join(rows) + "\n")
    if quest:
        (folder / f"{subject}_quest.csv").write_text(quest)
    return folder


def _pickled(seconds=30, subject="S2"):
    """Return the content of an official pickle."""
    rng = np.random.default_rng(0)
    wrist = {"ACC": (3, 32), "BVP": (1, 64), "EDA": (1, 4), "TEMP": (1, 4)}
    chest = {"ACC": 3, "ECG": 1, "EMG": 1, "EDA": 1, "Temp": 1, "Resp": 1}
    signal = {
        "wrist": {
            name: rng.normal(_MEANS.get(name, 0), size=(seconds * rate, n_channels))
            for name, (n_channels, rate) in wrist.items()
        },
        "chest": {name: rng.normal(size=(seconds * 700, n)) for name, n in chest.items()},
    }
    label = np.repeat([0, 1, 0, 2, 5, 6, 3, 7, 4, 0], seconds * 70)
    return {"signal": signal, "label": label.astype(np.int32), "subject": subject}


def _write_pickle(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{folder.name}.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 2))
    return folder


@pytest.fixture
def exported(tmp_path):
    """Folder of WESAD with the E4 export of S2."""
    _write_export(tmp_path / "S2")
    return tmp_path


@pytest.fixture
def pickled(tmp_path):
    """Folder of WESAD with the pickle of S2."""
    _write_pickle(tmp_path / "S2", _pickled())
    return tmp_path


def test_export_has_the_signals_of_the_wristband(exported):
    (recording,) = load_wesad(exported)
    assert recording.signals == load_empatica(exported / "S2" / "S2_E4_Data.zip").signals
    assert recording.start_time == E4_START
    assert recording.subject == "S2"


def test_conditions_are_moved_to_the_clock_of_the_wrist_and_shrunk_at_both_ends(exported):
    annotations = load_wesad(exported)[0].annotations
    onset = annotations["onset"] - CHEST_START
    np.testing.assert_allclose(onset, [40, 70, 110, 150, 190], atol=1e-3)
    np.testing.assert_allclose(annotations["duration"], [10, 10, 10, 10, 10])
    assert annotations["description"].tolist() == DESCRIPTIONS  # without reading blocks


def test_conditions_move_with_the_start_of_the_recording(tmp_path):
    _write_export(tmp_path / "S2", start=E4_START + 100)
    (recording,) = load_wesad(tmp_path)
    assert recording.annotations["onset"][0] == pytest.approx(CHEST_START + 40 - 100, abs=1e-3)


def test_conditions_are_sorted_by_time(tmp_path):
    quest = "# ORDER;Fun;Base\n# START;2.28;1\n# END;3;1.30\n"
    _write_export(tmp_path / "S2", quest=quest)
    (recording,) = load_wesad(tmp_path)
    assert recording.annotations["description"].tolist() == ["baseline", "amusement"]


def test_decimals_of_a_time_are_seconds(tmp_path):
    for text, duration in [
        ("50.3", 30),
        ("50.03", 3),
        ("50.30", 30),
        ("50.59", 59),
        ("51", 60),
        ("102.4", 3160),
    ]:
        quest = f"# ORDER;Base\n# START;49.4\n# END;{text}\n"
        _write_export(tmp_path / "S2", quest=quest, seconds=8000)
        (recording,) = load_wesad(tmp_path, signals=["eda"])
        assert recording.annotations["duration"][0] == duration


def test_pickle_has_the_signals_of_the_wrist(pickled):
    (recording,) = load_wesad(pickled)
    wrist = _pickled()["signal"]["wrist"]
    for name, key in [("bvp", "BVP"), ("eda", "EDA"), ("temp", "TEMP")]:
        np.testing.assert_allclose(recording.signals[name][0], wrist[key].T, rtol=1e-6)
    assert recording.sampling_rate == {"bvp": 64, "eda": 4, "temp": 4}
    assert recording.subject == "S2"


def test_signals_of_a_pickle_are_float32(pickled):
    (recording,) = load_wesad(pickled, signals=("bvp", "acc", "chest_ecg"))
    assert {signal.dtype for signal in recording.signals.values()} == {np.dtype(np.float32)}


def test_acceleration_of_the_wrist_is_in_g(pickled):
    (recording,) = load_wesad(pickled, signals=["acc"])
    expected = _pickled()["signal"]["wrist"]["ACC"].T / 64
    np.testing.assert_allclose(recording.signals["acc"][0], expected, rtol=1e-6)


def test_signals_of_the_chest_are_at_700_hz(pickled):
    (recording,) = load_wesad(pickled, signals=["chest_ecg", "chest_acc"])
    for name, key in [("chest_ecg", "ECG"), ("chest_acc", "ACC")]:
        expected = _pickled()["signal"]["chest"][key].T
        np.testing.assert_allclose(recording.signals[name][0], expected, rtol=1e-6)
        assert recording.sampling_rate[name] == 700


def test_runs_of_labels_are_annotations(pickled):
    (recording,) = load_wesad(pickled)
    assert recording.annotations["onset"].tolist() == [3, 9, 18, 24]
    assert recording.annotations["duration"].tolist() == [3, 3, 3, 3]
    descriptions = ["baseline", "stress", "amusement", "meditation"]
    assert recording.annotations["description"].tolist() == descriptions


def test_pickle_of_python_3_may_hold_scalars_and_bytes(tmp_path):
    content = {**_pickled(), "age": np.float64(27), "id": b"\xff"}
    for protocol in (2, 4):
        _write_pickle(tmp_path / "S2", pickle.dumps(content, protocol))
        assert load_wesad(tmp_path)[0].duration == 30


def test_pickle_goes_before_the_export_unless_another_source_is_chosen(exported):
    _write_pickle(exported / "S2", _pickled())
    for source, duration in [("auto", 30), ("pkl", 30), ("e4", SECONDS)]:
        assert load_wesad(exported, source=source)[0].duration == duration


def test_self_reports_are_metadata_by_scale_and_condition(exported):
    metadata = load_wesad(exported)[0].metadata
    conditions = ["baseline", "stress", "meditation 1", "amusement", "meditation 2"]
    for scale in ("panas", "stai", "sam"):
        assert list(metadata[scale]) == conditions
    assert metadata["panas"]["baseline"]["active"] == 1
    assert metadata["panas"]["baseline"]["sad"] == 5
    assert {name: len(answers) for name, answers in metadata["panas"].items()} == {
        **dict.fromkeys(conditions, 24),
        "stress": 26,
    }
    assert metadata["panas"]["stress"]["irritated"] == 3
    assert metadata["stai"]["stress"]["nervous"] == 3
    assert np.isnan(metadata["stai"]["meditation 2"]["pleasant"])
    assert metadata["sam"]["stress"] == {"valence": 5, "arousal": 9}
    assert metadata["sssq"]["stress"]["concerned about impression"] == 1


def test_person_is_metadata(exported):
    (exported / "S2" / "S2_readme.txt").write_text(README)
    person = {k: v for k, v in load_wesad(exported)[0].metadata.items() if type(v) is not dict}
    assert person == {
        **{"age": 27, "height": 175, "weight": 80.5, "gender": "female", "dominant_hand": "left"},
        **{"coffee_today": True, "coffee_last_hour": False, "smoker": False},
        "notes": "Subject felt rather cold.",
    }


def test_both_sources_have_the_same_metadata(exported):
    (exported / "S2" / "S2_readme.txt").write_text(README)
    _write_pickle(exported / "S2", _pickled())
    one, other = (load_wesad(exported, source=name)[0].metadata for name in ("pkl", "e4"))
    assert str(one) == str(other)


def test_pickle_alone_has_no_metadata(pickled):
    assert load_wesad(pickled)[0].metadata == {}


@pytest.mark.parametrize(
    "old, new, scale",
    [
        ("# DIM;5;9", "# DIM;5;10", "DIM"),
        ("# DIM;5;9", "# DIM;5", "DIM"),
        ("# DIM;5;9", "", "DIM"),
        ("# STAI;4;1", "# STAI;5;1", "STAI"),
        ("# SSSQ;5", "# SSSQ;yes", "SSSQ"),
        (";2;3", ";2", "PANAS"),
    ],
)
def test_answers_that_do_not_fit_their_scale_are_left_out(tmp_path, old, new, scale):
    _write_export(tmp_path / "S2", quest=QUEST.replace(old, new, 1))
    with pytest.warns(UserWarning, match=f"Answers to {scale} in .*S2_quest.csv .* left out"):
        metadata = load_wesad(tmp_path)[0].metadata
    kept = {"panas", "stai", "sam", "sssq"} - {"sam" if scale == "DIM" else scale.lower()}
    assert set(metadata) == kept


def test_number_of_a_person_that_is_none_is_refused(exported):
    (exported / "S2" / "S2_readme.txt").write_text(README.replace("27", "young"))
    with pytest.raises(ValueError, match=r"Age: in .*S2_readme.txt must be a number, got 'young'"):
        load_wesad(exported)


def test_signals_of_the_chest_keep_the_units_of_the_pickle(tmp_path):
    content, n_times = _pickled(), 30 * 700
    chest = {"ACC": 1, "ECG": 0.5, "EDA": 5, "EMG": 0.01, "Resp": 3, "Temp": 34}  # g, mV, uS, ...
    content["signal"]["chest"] = {
        key: np.full((n_times, 3 if key == "ACC" else 1), value) for key, value in chest.items()
    }
    _write_pickle(tmp_path / "S2", content)
    (recording,) = load_wesad(tmp_path, signals=CHEST)
    for name, value in zip(CHEST, chest.values(), strict=True):
        assert recording.signals[name].shape == (1, 3 if name == "chest_acc" else 1, n_times)
        np.testing.assert_allclose(recording.signals[name], value)
        assert recording.sampling_rate[name] == 700


class _Exploit:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function, name",
    [(os.system, r"posix\.system|nt\.system"), (eval, r"__builtin__\.eval")],
)
def test_pickle_that_runs_code_is_refused_and_not_run(tmp_path, function, name):
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w')" if function is eval else f"echo run > {trace}"
    _write_pickle(tmp_path / "S2", {"signal": _Exploit(function, code)})
    with pytest.raises(ValueError, match=f"S2.pkl .* plain data, got ({name})"):
        load_wesad(tmp_path)
    assert not trace.exists()


class _Array:
    """Pickled as an array, with any state."""

    def __init__(self, *state):
        self.state = state

    def __reduce__(self):
        return _reconstruct, (np.ndarray, (0,), b"b"), self.state


class _Type:
    """Pickled as the dtype of 8 bytes, with any state."""

    def __init__(self, *state):
        self.state = state

    def __reduce__(self):
        return np.dtype, ("V8", False, True), self.state


def test_array_that_reads_beyond_its_bytes_is_refused(tmp_path):
    outside = _Type(3, "|", None, ("x",), {"x": (np.dtype("f8"), 2**20)}, 8, 1, 16)
    for array in [
        _Array(1, (1,), outside, False, bytes(8)),
        _Array(1, (1000,), np.dtype("f8"), False, bytes(8)),
        _Array(1, (-1,), np.dtype("f8"), False, bytes(8)),
        np.array([{}], object),
        np.zeros(3, "f8,i4"),
    ]:
        _write_pickle(tmp_path / "S2", {**_pickled(), "label": array})
        with pytest.raises(ValueError, match=r"S2\.pkl cannot be read as a pickle of WESAD"):
            load_wesad(tmp_path)


def test_pickle_that_asks_for_memory_is_refused(tmp_path):
    huge = (2**40).to_bytes(8, "little")
    for code in (b"\x96" + huge, b"\x8e" + huge, b"Nr\xff\xff\xff\x7f0", b"\x8d" + huge):
        _write_pickle(tmp_path / "S2", b"\x80\x05" + code + b".")
        with pytest.raises(ValueError, match=r"S2\.pkl cannot be read as a pickle of WESAD"):
            load_wesad(tmp_path)


def test_fields_of_a_pickle_that_are_none_are_refused(tmp_path):
    for change in ({"label": None}, {"label": 3}, {"signal": None}):
        _write_pickle(tmp_path / "S2", {**_pickled(), **change})
        with pytest.raises(ValueError, match=r"S2.*\.pkl|S2 cannot be read"):
            load_wesad(tmp_path)


def test_file_that_is_no_whole_pickle_is_refused(tmp_path):
    for content in [b"", b"no pickle", pickle.dumps(_pickled(), 2)[:-500]]:
        _write_pickle(tmp_path / "S2", content)
        with pytest.raises(ValueError, match=r"S2\.pkl cannot be read as a pickle of WESAD"):
            load_wesad(tmp_path)


def test_pickle_of_something_else_is_refused(tmp_path):
    for content, found in [({"label": 1, "more": 2}, "label, more"), ([1], "<class 'list'>")]:
        _write_pickle(tmp_path / "S2", content)
        with pytest.raises(ValueError, match=f"must hold a dict with signal, label, got {found}"):
            load_wesad(tmp_path)


def test_missing_signal_in_a_pickle_is_refused(tmp_path):
    content = _pickled()
    content["signal"]["chest"] = {}
    _write_pickle(tmp_path / "S2", content)
    with pytest.raises(ValueError, match=r"must hold 'chest_ecg' as \['signal'\]\['chest'\]"):
        load_wesad(tmp_path, signals=["chest_ecg"])


def test_labels_of_another_length_are_refused(tmp_path):
    content = _pickled()
    content["label"] = content["label"][:-7000]
    _write_pickle(tmp_path / "S2", content)
    with pytest.raises(
        ValueError, match="'bvp' of .*S2.pkl must be as long as its labels, 20.0 s, got 30.0 s"
    ):
        load_wesad(tmp_path)


def test_labels_without_any_condition_are_refused(tmp_path):
    content = _pickled()
    content["label"][:] = 7
    _write_pickle(tmp_path / "S2", content)
    with pytest.raises(ValueError, match=r"labels of .* must mark the conditions .* got \[7\]"):
        load_wesad(tmp_path)


def test_samples_in_a_pickle_that_are_not_finite_are_refused(tmp_path):
    content = _pickled()
    content["signal"]["wrist"]["EDA"][3] = np.nan
    _write_pickle(tmp_path / "S2", content)
    with pytest.raises(ValueError, match=r"S2\.pkl must hold finite .* in 'eda'"):
        load_wesad(tmp_path)


def test_malformed_questionnaire_is_refused(tmp_path):
    for quest, message in [
        ("# Subj;S2\n", r"must be equally long, got \[0, 0, 0\]"),
        ("# ORDER;Base\n# START;1;2\n# END;3\n", r"must be equally long, got \[1, 2, 1\]"),
        ("# ORDER;Nap\n# START;1\n# END;3\n", "must be of Base, .* got .*'Nap'"),
        ("# ORDER;Base\n# START;1.75\n# END;3\n", r"like 50\.3 for 50 min 30 s, got '1\.75'"),
        ("# ORDER;Base\n# START;1.123\n# END;3\n", r"got '1\.123'"),
        ("# ORDER;Base\n# START;soon\n# END;3\n", "got 'soon'"),
        ("# ORDER;Base\n# START;1\n# END;1.2\n", r"longer than 20 s, .* from 60 to 80 s"),
        (
            "# ORDER;Base\n# START;1\n# END;60\n",
            "within 0 to 1700.0 s, got baseline from",
        ),
    ]:
        _write_export(tmp_path / "S2", quest=quest)
        with pytest.raises(ValueError, match=f"S2_quest.csv .*{message}"):
            load_wesad(tmp_path)


def test_missing_questionnaire_is_refused(tmp_path):
    _write_export(tmp_path / "S2", quest=None)
    with pytest.raises(FileNotFoundError, match=r"no file .*S2_quest\.csv"):
        load_wesad(tmp_path)


def test_export_of_a_subject_without_a_known_clock_is_refused(tmp_path):
    _write_export(tmp_path / "S12")
    with pytest.raises(ValueError, match="Clocks must be known, .* S2, S3, .*, got S12"):
        load_wesad(tmp_path)


def test_signals_of_the_chest_are_refused_for_an_export(exported):
    with pytest.raises(ValueError, match=r"chest_ecg must be read from S2\.pkl"):
        load_wesad(exported, signals=("bvp", "chest_ecg"))


@pytest.mark.parametrize(
    "source, expected",
    [
        ("auto", r"S2\.pkl or S2_E4_Data\.zip"),
        ("pkl", r"S2\.pkl"),
        ("e4", r"S2_E4_Data\.zip"),
    ],
)
def test_missing_file_of_a_subject_is_refused(tmp_path, source, expected):
    (tmp_path / "S2").mkdir()
    with pytest.raises(ValueError, match=f"S2 must hold {expected} for source='{source}'"):
        load_wesad(tmp_path, source=source)


def test_unknown_source_is_refused(pickled):
    with pytest.raises(ValueError, match="source must be .* got 'zip'"):
        load_wesad(pickled, source="zip")


@pytest.fixture(scope="module")
def real_export(data_folder):
    return load_wesad(data_folder / "WESAD", signals=("bvp", "eda", "temp", "acc"), n_jobs=2)


@pytest.fixture(scope="module")
def real_pickle(data_folder):
    folder = data_folder / "WESAD_pkl"
    return load_wesad(folder, signals=("bvp", "eda", "temp", "acc"))[0]


def test_wesad_has_15_subjects(real_export):
    numbers = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17]
    assert [recording.subject for recording in real_export] == [f"S{n}" for n in numbers]


def test_conditions_lie_where_they_were_found_on_the_clock_of_the_wrist(real_export, data_folder):
    text = (data_folder / "WESAD_derived" / "e4_condition_intervals.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    text = (data_folder / "WESAD_derived" / "e4_sync.csv").read_text()
    starts = {row["subject"]: row for row in csv.DictReader(text.splitlines())}
    for recording in real_export:
        expected = sorted(
            (float(row["e4_label_start_s"]), float(row["e4_label_end_s"]))
            for row in rows
            if row["subject"] == recording.subject and "Read" not in row["condition"]
        )
        shift = recording.start_time - float(starts[recording.subject]["e4_start_utc"])
        onset = recording.annotations["onset"] + shift
        offset = onset + recording.annotations["duration"]
        np.testing.assert_allclose(np.stack([onset, offset], axis=1), expected, atol=2e-3)


def test_both_sources_have_the_same_conditions(real_export, real_pickle):
    exported, pickled = real_export[0].annotations, real_pickle.annotations
    delay = exported["onset"] - pickled["onset"]
    np.testing.assert_allclose(delay, delay[0], atol=0.01)
    np.testing.assert_allclose(exported["duration"], pickled["duration"], atol=0.01)
    assert exported["description"].tolist() == pickled["description"].tolist() == DESCRIPTIONS


def test_both_sources_have_the_same_signals(real_export, real_pickle):
    delay = real_export[0].annotations["onset"][0] - real_pickle.annotations["onset"][0]
    for name, expected in real_pickle.signals.items():
        first = int(np.ceil(delay * real_pickle.sampling_rate[name] - 0.1))  # both round up
        cut = real_export[0].signals[name][..., first : first + expected.shape[-1]]
        np.testing.assert_array_equal(cut, expected)


def test_both_sources_give_the_same_windows(real_export, real_pickle):
    """Cut the longer export to the time of the pickle, and compare labels and samples."""
    exported = real_export[0]
    shift = exported.annotations["onset"] - real_pickle.annotations["onset"]
    delay = np.median(shift)
    first = {name: round(delay * rate) for name, rate in exported.sampling_rate.items()}
    signals = {name: x[..., first[name] :] for name, x in exported.signals.items()}
    annotations = {**exported.annotations, "onset": exported.annotations["onset"] - delay}
    cut = replace(exported, signals=signals, annotations=annotations)
    labels = StageLabels({"baseline": 0, "stress": 1, "amusement": 2})
    one, other = (make_windows(r, 60, 10, labels=labels) for r in (real_pickle, cut))
    assert one.y.tolist() == other.y.tolist()
    assert one.onset.tolist() == other.onset.tolist()
    assert set(one.y) == {0, 1, 2}
    for name in one.X:
        a, b = one.X[name], other.X[name]
        shifted = [(a[..., :-1], b[..., 1:]), (a, b), (a[..., 1:], b[..., :-1])]
        assert any(np.array_equal(*pair) for pair in shifted)


def test_everyone_filled_in_the_questionnaires(real_export):
    conditions = {"baseline", "stress", "meditation 1", "amusement", "meditation 2"}
    for recording in real_export:
        metadata = recording.metadata
        assert metadata["panas"].keys() == metadata["stai"].keys() == conditions
        assert metadata["sam"].keys() == conditions
        assert 20 < metadata["age"] < 40 and metadata["gender"] in ("male", "female")
    missing = sum(
        np.isnan(answer)
        for recording in real_export
        for scale in ("panas", "stai", "sam", "sssq")
        for answers in recording.metadata[scale].values()
        for answer in answers.values()
    )
    assert missing == 1
    arousal = [r.metadata["sam"] for r in real_export]
    assert np.mean([x["stress"]["arousal"] > x["baseline"]["arousal"] for x in arousal]) > 0.8
