"""What contradicts a format's own redundancy, or what its device can measure, is never silent."""

import warnings

import numpy as np
import pytest
import test_amigos
import test_dreamer
import test_eegmat
import test_physionet
import test_stress_predict
import test_wesad
from test_empatica import START, _export, _write

from physio_ssl.datasets import (
    load_amigos,
    load_dreamer,
    load_eegmat,
    load_empatica,
    load_stress_predict,
    load_wesad,
    load_wfdb,
)

RATES = {"BVP": 64, "EDA": 4, "TEMP": 4, "ACC": 32, "HR": 1}
SECONDS = 30


def session_files(seed=0):
    """Return the files of a session with all five signals, which start as a device's do."""
    rng = np.random.default_rng(seed)
    noise = {name: rng.normal(size=rate * SECONDS) for name, rate in RATES.items()}
    files = {
        "BVP.csv": _export(50 * noise["BVP"], 64),
        "EDA.csv": _export([0, *(2 + 0.1 * noise["EDA"])], 4),
        "TEMP.csv": _export([382.21, *(33 + 0.1 * noise["TEMP"])], 4),
        "HR.csv": _export(70 + noise["HR"], 1),
    }
    rows = [f"{x},{y},{z}" for x, y, z in rng.integers(-64, 65, (32 * SECONDS, 3))]
    header = [", ".join([f"{START}.000000"] * 3), ", ".join(["32.000000"] * 3)]
    return files | {"ACC.csv": "\n".join([*header, *rows]) + "\n"}


def write_session(folder):
    _write(folder / "S1", session_files())


def read_session(folder):
    return load_empatica(folder / "S1", [name.lower() for name in RATES])


def write_record(folder):
    test_physionet._write(folder)


def read_record(folder):
    return load_wfdb(folder / "drive05")


def write_edf(folder):
    test_eegmat._write(folder, test_eegmat._contents("00"))


def write_pickle(folder):
    test_wesad._write_pickle(folder / "S2", test_wesad._pickled())


def write_export(folder):
    test_wesad._write_export(folder / "S2")


def write_stress_predict(folder):
    test_stress_predict._write_subject(folder, "S02")
    test_stress_predict._write_labels(folder, test_stress_predict._labels(2))


FORMATS = {  # how to write files without damage, and to read them
    "e4": (write_session, read_session),
    "wfdb": (write_record, read_record),
    "edf": (write_edf, load_eegmat),
    "wesad pickle": (write_pickle, load_wesad),
    "wesad export": (write_export, lambda folder: load_wesad(folder, signals=["eda"])),
    "stress-predict": (
        write_stress_predict,
        lambda folder: load_stress_predict(folder, signals=["eda"]),
    ),
    "amigos": (
        lambda folder: test_amigos.write(folder, variables=test_amigos.content()),
        load_amigos,
    ),
    "dreamer": (test_dreamer.write, lambda folder: load_dreamer(folder / "DREAMER.mat")),
}


def edit(name, change):
    """Return a damage that changes the bytes of a file."""

    def damage(folder):
        path = folder / name
        before = path.read_bytes()
        after = change(before)
        assert after != before
        path.write_bytes(after)

    return damage


def put(name, old, new):
    return edit(name, lambda data: data.replace(old.encode(), new.encode(), 1))


def set_row(name, row, value):
    """Return a damage that sets one row of a file of a session."""

    def change(data):
        rows = data.split(b"\n")
        rows[row] = str(value).encode()
        return b"\n".join(rows)

    return edit(f"S1/{name}.csv", change)


def swap(one, other):
    def damage(folder):
        files = session_files()
        _write(folder / "S1", {f"{one}.csv": files[f"{other}.csv"]})
        _write(folder / "S1", {f"{other}.csv": files[f"{one}.csv"]})

    return damage


def scale_signal(name, factor, rate):
    """Return a damage that removes the decimal point, or multiplies all samples."""
    values = factor * np.random.default_rng(0).normal(30, 1, rate * SECONDS)
    return lambda folder: _write(folder / "S1", {f"{name}.csv": _export(values, rate)})


def hold(name, other):
    """Return a damage that puts another signal, at the right rate, into a file."""
    values = np.random.default_rng(0).normal(*other, RATES[name] * SECONDS)
    return lambda folder: _write(folder / "S1", {f"{name}.csv": _export(values, RATES[name])})


def twice(data):
    return data + data


def samples_twice(data):
    start, rate, samples = data.split(b"\n", 2)
    return b"\n".join([start, rate, samples + samples])


def pickled(change):
    def damage(folder):
        content = test_wesad._pickled()
        change(content)
        test_wesad._write_pickle(folder / "S2", content)

    return damage


def set_wrist(name, value):
    return pickled(lambda content: content["signal"]["wrist"][name].__setitem__(3, value))


def questionnaire(old, new):
    return put("S2/S2_quest.csv", old, new)


def set_label(start, end, value):
    return pickled(lambda content: content["label"].__setitem__(slice(start, end), value))


def rate_amigos(folder):
    variables = test_amigos.content()
    variables["labels_selfassessment"][0, 3][0, 1] = 90
    test_amigos.write(folder, variables=variables)


def rate_dreamer(folder):
    content = test_dreamer.content()
    content["Data"][0, 0]["ScoreArousal"][1] = 7
    test_dreamer.write(folder, content)


def count_dreamer(folder):
    test_dreamer.write(folder, test_dreamer.content() | {"noOfSubjects": 3.0})


DAT, HEA, EDF = "drive05.dat", "drive05.hea", "Subject00_1.edf"
LABELS = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"
ERRORS = {  # kind of damage: format, damage, what the error says
    **{
        f"{name} at {rate} Hz": ("e4", set_row(name, 1, rate), f"{name}.csv must be sampled at")
        for name, rates in [("BVP", (4, 32, 63.9)), ("EDA", (1, 64)), ("TEMP", (64,)), ("HR", (4,))]
        for rate in rates
    },
    "ACC at 64 Hz": ("e4", set_row("ACC", 1, "64,64,64"), "ACC.csv must be sampled at 32 Hz"),
    **{
        f"{one} and {other} exchanged": ("e4", swap(one, other), "must|are exchanged")
        for one in RATES
        for other in RATES
        if one < other
    },
    **{
        f"-9999 in {name}": ("e4", set_row(name, 50, -9999), f"{name}.csv must lie .* -9999")
        for name in ("EDA", "TEMP", "BVP")
    },
    **{
        f"{name} without decimal points": (
            "e4",
            scale_signal(name, 1e4, 4),
            f"{name}.csv must lie within",
        )
        for name in ("EDA", "TEMP")
    },
    "one value without its decimal point": ("e4", set_row("EDA", 50, 523), "EDA.csv .* first 523"),
    "late sentinel of TEMP": ("e4", set_row("TEMP", 50, 382.21), "got 1 late sentinel"),
    "BVP.csv with EDA at 64 Hz": ("e4", hold("BVP", (2, 0.1)), "must swing around 0"),
    "EDA.csv with BVP at 4 Hz": ("e4", hold("EDA", (0, 50)), "EDA.csv must lie within"),
    "HR.csv with EDA at 1 Hz": ("e4", hold("HR", (2, 0.1)), "HR.csv must lie within"),
    **{
        f"{name} written twice": ("e4", edit(f"S1/{name}.csv", twice), f"{name}.csv must")
        for name in RATES
    },
    "samples one byte longer": ("wfdb", edit(DAT, lambda data: data + b"\0"), "got 7801"),
    "samples one byte shorter": ("wfdb", edit(DAT, lambda data: data[:-1]), "got 7799"),
    "samples one byte off": ("wfdb", edit(DAT, lambda data: b"\0" + data[:-1]), "checksum"),
    "samples written twice": ("wfdb", edit(DAT, twice), "got 15600"),
    "one bit of the samples": (
        "wfdb",
        edit(DAT, lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:]),
        "checksum",
    ),
    "number of frames cut": ("wfdb", put(HEA, "15 300", "15 30"), "must have 780 bytes"),
    "checksum of the header changed": ("wfdb", put(HEA, " 0 HR", "7 0 HR"), "'HR' must fit"),
    **{
        f"gain of {gain}": ("wfdb", put(HEA, "1/bpm", f"{gain}/bpm"), "Line 6 .*gain must be")
        for gain in ("1e999", "-1", "5e-324", "1e300")
    },
    "header cut inside a checksum": (
        "wfdb",
        edit(HEA, lambda data: data[: data.rindex(b" 0 RESP") - 1]),
        "checksum",
    ),
    "EDF with another size of header": ("edf", put(EDF, "512     ", "768     "), "512 bytes"),
    "EDF written twice": ("edf", edit(EDF, twice), "must have .* bytes"),
    "EDF with a record more in the header": (
        "edf",
        put(EDF, "4       1", "5       1"),
        "must have",
    ),
    "EDF with values outside their range": ("edf", put(EDF, "32767 ", "2000  "), "lie within"),
    "pickle of another subject": (
        "wesad pickle",
        pickled(lambda c: c.update(subject="S3")),
        "'S3'",
    ),
    "label that does not exist": ("wesad pickle", set_label(0, 9, 8), r"0 to 7, got \{8\}"),
    "condition twice in the labels": ("wesad pickle", set_label(-9, None, 1), "baseline again"),
    "temperature of -9999 in a pickle": ("wesad pickle", set_wrist("TEMP", -9999), "first -9999"),
    "EDA of 1e5 in a pickle": ("wesad pickle", set_wrist("EDA", 1e5), "first 100000"),
    "condition twice": ("wesad export", questionnaire("TSST", "Base"), "once, got Base again"),
    "conditions that overlap": ("wesad export", questionnaire("1;1.3;", "1;1.5;"), "not overlap"),
    "questionnaire of another subject": ("wesad export", questionnaire("S2", "S3"), "got .*S3"),
    "unknown label": ("stress-predict", put(LABELS, ",0\n", ",2\n"), "0 .rest. or 1"),
    "labels written twice": ("stress-predict", edit(LABELS, twice), "whole numbers"),
    "task without labels": (
        "stress-predict",
        edit(LABELS, lambda data: data.replace(b",1\n", b",0\n", 40)),
        "must mark",
    ),
    "another number of subjects": ("dreamer", count_dreamer, "must hold 3 subjects, got 2"),
}
WARNINGS = {  # the same; files in the wild break these rules, or may do so
    **{
        f"{name} with its samples twice": (
            "e4",
            edit(f"S1/{name}.csv", samples_twice),
            f"{name}.csv should be written once",
        )
        for name in ("BVP", "ACC", "HR")
    },
    "TEMP.csv with EDA": ("e4", hold("TEMP", (2, 0.1)), "median temperature of at least 15"),
    "EDA.csv with temperatures": ("e4", hold("EDA", (33, 0.1)), "median EDA of at most 20"),
    "gain of 0": ("wfdb", put(HEA, "1/bpm", "0/bpm"), "'HR' .* not calibrated"),
    "header cut inside a gain": (
        "wfdb",
        edit(HEA, lambda data: data[: data.rindex(b"100 16 0") + 2]),
        "must end with a whole line",
    ),
    "rating outside its scale": ("amigos", rate_amigos, "valence in trial 4 .* 1 to 9, got 90"),
    "score outside its scale": ("dreamer", rate_dreamer, "arousal in clip 2 .* 1 to 5, got 7"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_files_without_damage_are_read_without_a_warning(tmp_path, name):
    write, read = FORMATS[name]
    write(tmp_path)
    assert read(tmp_path)  # warnings are errors here


@pytest.mark.parametrize("kind", ERRORS)
def test_contradiction_is_an_error(tmp_path, kind):
    name, damage, message = ERRORS[kind]
    write, read = FORMATS[name]
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(tmp_path)


@pytest.mark.parametrize("kind", WARNINGS)
def test_contradiction_of_files_in_the_wild_is_a_warning(tmp_path, kind):
    name, damage, message = WARNINGS[kind]
    write, read = FORMATS[name]
    write(tmp_path)
    damage(tmp_path)
    with pytest.warns(UserWarning, match=message):
        assert read(tmp_path)


def test_short_or_constant_signals_are_not_taken_for_two_copies(tmp_path):
    files = session_files() | {
        "TEMP.csv": _export([31, 32] * 4, 4),
        "HR.csv": _export([70] * 20, 1),
    }
    assert load_empatica(_write(tmp_path, files), ("temp", "hr")).duration == 2
