"""Promises of all readers of data sets, on tiny files in the layout of each."""

import inspect

import numpy as np
import pytest
import test_amigos
import test_ascertain
import test_bids
import test_case
import test_cinc2017
import test_dreamer
import test_eegmat
import test_empatica
import test_exam_stress
import test_k_emocon
import test_nurse_stress
import test_physionet
import test_ppg_dalia
import test_pspm
import test_stress_predict
import test_swell
import test_wesad
import test_wise

from physio_ssl import datasets


def write_amigos(folder):
    for subject in ("P02", "P01"):
        test_amigos.write(folder, subject)


def write_ascertain(folder):
    for subject in ("P02", "P01"):
        test_ascertain.write(folder, test_ascertain.table(), subject)


def write_case(folder):
    for subject in ("sub_10", "sub_2"):
        test_case.write(folder, subject)


def write_corpus(folder):
    for subject, seconds in [("15", 10), ("5C", 20)]:
        test_empatica._write(folder / subject / "monday", test_empatica._files(seconds))


def write_drivedb(folder):
    for name in ("drive05", "drive17a", "drive17b"):
        test_physionet._write(folder, name)


def write_k_emocon(folder):
    for subject in ("10", "9"):
        test_k_emocon.write(folder, subject)


def write_pspm(folder):
    for name in ("a", "b"):
        test_pspm.write(folder / f"{name}.mat")


def write_stress_predict(folder):
    for subject in ("S02", "S10"):
        test_stress_predict._write_subject(folder, subject)
    test_stress_predict._write_labels(
        folder, test_stress_predict._labels(2) + test_stress_predict._labels(10)
    )


def write_wesad(folder):
    for subject in ("S2", "S10"):
        test_wesad._write_pickle(folder / subject, test_wesad._pickled(subject=subject))


READERS = {  # how to write the files of a data set, its subjects, and what else a reader needs
    "load_amigos": (write_amigos, ["P01", "P02"], {}),
    "load_ascertain": (write_ascertain, ["P01", "P02"], {"sampling_rate": test_ascertain.RATE}),
    "load_bids_physio": (test_bids.write, ["sub-01", "sub-10"], {}),
    "load_case": (write_case, ["sub_2", "sub_10"], {}),
    "load_cinc2017": (
        lambda folder: test_cinc2017._write_zip(folder, test_cinc2017._files()),
        ["A00001", "A00002", "A00003", "A00004"],
        {},
    ),
    "load_dreamer": (test_dreamer.write, ["S01", "S02"], {}),
    "load_drivedb": (write_drivedb, ["drive05", "drive17"], {}),
    "load_eegmat": (
        lambda folder: test_eegmat._write(folder, test_eegmat._contents("00", "10")),
        ["Subject00", "Subject10"],
        {},
    ),
    "load_empatica_corpus": (write_corpus, ["15", "5C"], {}),
    "load_k_emocon": (write_k_emocon, ["9", "10"], {}),
    "load_exam_stress": (test_exam_stress.write, ["S1", "S10"], {}),
    "load_nurse_stress": (test_nurse_stress.write, ["15", "5C"], {}),
    "load_ppg_dalia": (test_ppg_dalia.write, ["S3", "S10"], {}),
    "load_pspm": (write_pspm, ["a", "b"], {}),
    "load_stress_predict": (write_stress_predict, ["S02", "S10"], {}),
    "load_swell": (
        lambda folder: test_swell.write(folder, ["pp10", "pp9"]),
        ["pp9", "pp10"],
        {},
    ),
    "load_wesad": (write_wesad, ["S2", "S10"], {}),
    "load_wise": (test_wise.write, ["S01", "f02"], {}),
}
SINGLE = {  # these read one recording
    "load_example_wristband",
    *("load_biosppy", "load_csv", "load_edf", "load_embraceplus", "load_empatica"),
    *("load_opensignals", "load_wfdb", "load_xdf"),
}
every_reader = pytest.mark.parametrize("name", READERS)


@pytest.fixture
def read(name, tmp_path):
    """Return a function that reads tiny files with the reader of that name."""
    write, _, settings = READERS[name]
    path = write(tmp_path)
    reader = getattr(datasets, name)
    path = path if name == "load_dreamer" else tmp_path
    return lambda *args, **kwargs: reader(path, *args, **settings, **kwargs)


def test_every_reader_of_a_data_set_is_here():
    readers = {name for name in datasets.__all__ if name.startswith("load_")}
    assert readers - SINGLE == set(READERS)


def test_readers_have_one_signature():
    for name in READERS:
        parameters = inspect.signature(getattr(datasets, name)).parameters
        positional = [key for key, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["path", "subjects", "signals"]
        assert {parameters[key].default for key in ("subjects", "signals", "n_jobs")} == {None}


@every_reader
def test_all_subjects_are_read_in_order_as_float32(name, read):
    recordings = read()
    assert list(dict.fromkeys(recording.subject for recording in recordings)) == READERS[name][1]
    assert {x.dtype for r in recordings for x in r.signals.values()} == {np.dtype("float32")}


@every_reader
def test_subjects_can_be_chosen_and_keep_their_order(name, read):
    first, *_, last = READERS[name][1]
    assert {recording.subject for recording in read(subjects=[last])} == {last}
    chosen = [recording.subject for recording in read([last, first])]
    assert list(dict.fromkeys(chosen)) == [first, last]


@every_reader
def test_threads_read_the_same(name, read):
    for one, other in zip(read(), read(n_jobs=2), strict=True):
        assert (one.subject, one.signals) == (other.subject, other.signals)


@every_reader
def test_unknown_subjects_and_signals_are_refused(name, read):
    first = READERS[name][1][0]
    for subjects in ([first, "S99"], first, ["../S99"], [1], []):
        with pytest.raises(ValueError, match=f"subjects must be .* {first}, .* got"):
            read(subjects=subjects)
    for signals in (("gsr",), (), "ecg", "bvp"):
        with pytest.raises(ValueError, match="signals must be .* got"):
            read(signals=signals)


@every_reader
def test_missing_files_are_refused(name, tmp_path):
    reader, settings = getattr(datasets, name), READERS[name][2]
    with pytest.raises(FileNotFoundError, match="There is no .*away"):
        reader(tmp_path / "away", **settings)
    if name != "load_dreamer":  # it reads a file
        with pytest.raises(ValueError, match="must hold .* found"):
            reader(str(tmp_path), **settings)
