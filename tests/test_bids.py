"""The reader of physiological recordings in BIDS."""

import gzip
import json

import numpy as np
import pytest

from physio_ssl.datasets import load_bids_physio
from physio_ssl.datasets.reading import file_limits

HEADER = {"SamplingFrequency": 4, "StartTime": -2.5, "Columns": ["EDA", "cardiac", "trigger"]}
UNITS = {"EDA": {"Units": "S"}, "cardiac": {"Description": "pulse"}}
ROWS = np.random.default_rng(0).normal(size=(40, 3)).round(3)


def write_table(folder, name, rows=ROWS, header=HEADER):
    """Write the samples and, unless None, the JSON file of a recording."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join("n/a" if np.isnan(x) else repr(float(x)) for x in row) for row in rows]
    path = folder / f"{name}_physio.tsv.gz"
    path.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0))
    if header is not None:
        (folder / f"{name}_physio.json").write_text(json.dumps(header))
    return path


def write(folder):
    """Write two subjects, whose samples are described above and beside them."""
    (folder / "task-rest_physio.json").write_text(json.dumps({**HEADER, **UNITS}))
    for subject in ("sub-10", "sub-01"):
        write_table(folder / subject / "func", f"{subject}_task-rest", header={"StartTime": 0.5})
        events = "onset\tduration\ttrial_type\n1.5\t2\tcue\n4\tn/a\tpress\n"
        (folder / subject / "func" / f"{subject}_task-rest_events.tsv").write_text(events)
    return folder


def write_one(folder, rows=ROWS, **changes):
    """Write one recording, and return its table and the JSON file."""
    path = write_table(folder / "sub-01" / "beh", "sub-01_task-x", rows, {**HEADER, **changes})
    return path, path.with_name("sub-01_task-x_physio.json")


def test_samples_units_and_events_are_those_of_the_files(tmp_path):
    recording = load_bids_physio(write(tmp_path))[0]
    np.testing.assert_array_equal(
        recording.signals["eda"][0, 0], (ROWS[:, 0] * 1e6).astype(np.float32)
    )
    np.testing.assert_array_equal(recording.signals["cardiac"][0, 0], ROWS[:, 1].astype("f4"))
    assert dict(recording.sampling_rate) == {"eda": 4, "cardiac": 4}
    assert dict(recording.metadata) == {"task": "rest", "units": {"eda": "uS", "cardiac": None}}
    assert (recording.start_offset, recording.start_time) == (0.5, None)
    assert {name: column.tolist() for name, column in recording.annotations.items()} == {
        "onset": [1.0, 3.5],
        "duration": [2.0, 0.0],
        "description": ["cue", "press"],
    }


def test_the_trigger_is_read_if_it_is_asked_for(tmp_path):
    recording = load_bids_physio(write(tmp_path), signals=["trigger"])[0]
    assert list(recording.signals) == ["trigger"]


def test_not_available_samples_are_gaps(tmp_path):
    rows = ROWS.copy()
    rows[5:9, 0] = np.nan
    write_one(tmp_path, rows)
    signals = load_bids_physio(tmp_path)[0].signals
    assert np.isnan(signals["eda"][0, 0]).nonzero()[0].tolist() == [5, 6, 7, 8]
    assert not np.isnan(signals["cardiac"]).any()


def test_files_of_one_run_are_one_recording_and_later_ones_start_with_a_gap(tmp_path):
    folder = tmp_path / "sub-01" / "ses-b" / "func"
    for name, start, rate in [("ecg", 0, 100), ("resp", 3, 10)]:
        header = {"SamplingFrequency": rate, "StartTime": start, "Columns": [name]}
        rows = np.arange(1.0, 20 * rate)[:, np.newaxis]
        write_table(folder, f"sub-01_ses-b_task-x_recording-{name}", rows, header)
    (recording,) = load_bids_physio(tmp_path)
    assert dict(recording.sampling_rate) == {"ecg": 100, "resp": 10}
    assert np.isnan(recording.signals["resp"]).sum() == 30
    assert recording.signals["resp"][0, 0, 30] == 1
    assert recording.metadata["ses"] == "b"


@pytest.mark.parametrize(
    "unit, factor, new",
    [("mS", 1e3, "uS"), ("\u00b5S", 1, "uS"), ("V", 1e3, "mV"), ("uV", 1e-3, "mV"), ("K", 1, "K")],
)
def test_units_are_those_of_the_other_readers(unit, factor, new, tmp_path):
    write_one(tmp_path, EDA={"Units": unit})
    recording = load_bids_physio(tmp_path, signals=["eda"])[0]
    np.testing.assert_allclose(recording.signals["eda"][0, 0], ROWS[:, 0] * factor, rtol=1e-6)
    assert recording.metadata["units"] == {"eda": new}


def test_subjects_without_physiology_are_left_out_with_a_warning(tmp_path):
    (write(tmp_path) / "sub-02" / "func").mkdir(parents=True)
    with pytest.warns(UserWarning, match=r"1 of 3 .*sub-02"):
        assert len(load_bids_physio(tmp_path)) == 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"SamplingFrequency": "4"}, "SamplingFrequency must be a number, in Hz, got '4'"),
        ({"SamplingFrequency": 0}, "SamplingFrequency must be positive"),
        ({"StartTime": None}, "StartTime must be a number of seconds, got None"),
        ({"Columns": "EDA"}, "Columns must be a list of names, got 'EDA'"),
        ({"Columns": ["EDA", "cardiac"]}, "each row must have the 2 columns"),
        ({"Columns": ["EDA", "eda", "trigger"]}, "different names"),
    ],
)
def test_a_wrong_field_is_an_error_that_names_the_file(changes, message, tmp_path):
    write_one(tmp_path, **changes)
    with pytest.raises(ValueError, match=rf"sub-01_task-x_physio.*{message}"):
        load_bids_physio(tmp_path)


@pytest.mark.parametrize(
    "row, message",
    [
        ("1\t2", "float"),
        ("1\t2\t3\t4", "line 41"),
        ("1\t2\tx", "'x'"),
        ("1\t\t3", "float"),
        ("", "float"),
        ("1\t2\tinf", "finite"),
        ("1\t2\t1_0", "float"),
    ],
)
def test_a_wrong_row_is_an_error_that_names_the_file(row, message, tmp_path):
    path, _ = write_one(tmp_path)
    data = gzip.decompress(path.read_bytes()) + row.encode() + b"\n"
    path.write_bytes(gzip.compress(data))
    with pytest.raises(ValueError, match=rf"{path.name}.*({message})"):
        load_bids_physio(tmp_path)


def test_a_file_that_is_cut_off_is_an_error(tmp_path):
    path, sidecar = write_one(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"{path.name} cannot be read as a gzip file"):
        load_bids_physio(tmp_path)
    sidecar.write_text(sidecar.read_text()[:-9])
    with pytest.raises(ValueError, match=f"{sidecar.name} cannot be read as JSON"):
        load_bids_physio(tmp_path)
    sidecar.unlink()
    with pytest.raises(ValueError, match=f"{path.name} .*must have SamplingFrequency"):
        load_bids_physio(tmp_path)


def test_a_small_file_must_not_expand_to_a_large_one(tmp_path):
    path, _ = write_one(tmp_path)
    path.write_bytes(gzip.compress(b"1\t2\t3\n" * 4_000_000))
    with pytest.raises(ValueError, match=rf"{path.name} must expand to at most \d+ bytes"):
        load_bids_physio(tmp_path)
    with file_limits(max_ratio=1e6):
        assert load_bids_physio(tmp_path)[0].duration == 1_000_000


@pytest.mark.parametrize(
    "text, message",
    [
        ("time\tx\n", "each of the columns onset, duration once, got time"),
        ("onset\tduration\n1\n", "Line 2 .* 2 cells"),
        ("onset\tduration\nn/a\t1\n", "Line 2 .* got 'n/a'"),
        ("onset\tduration\n1e9\t1\n", "Line 2 .* at most a day"),
        ("onset\tduration\n1\t-1\n", r"got -1\.0 s"),
    ],
)
def test_wrong_events_are_an_error(text, message, tmp_path):
    write(tmp_path)
    path = tmp_path / "sub-01" / "func" / "sub-01_task-rest_events.tsv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_bids_physio(tmp_path)
    assert "sub-01" in str(error.value)
