"""Tests of the reader of EmbracePlus files."""

import copy
import sys

import fastavro
import numpy as np
import pytest

from physio_ssl import load_encoder
from physio_ssl.datasets import load_embraceplus, load_wesad, simulate_wristband
from physio_ssl.datasets.reading import file_limits

START = 1_700_000_000
RATES = {"bvp": 64, "eda": 4, "temperature": 1, "accelerometer": 64, "gyroscope": 64}
IMU = {"physicalMin": -16, "physicalMax": 16, "digitalMin": -32768, "digitalMax": 32767}
_SERIES = [("timestampStart", "long"), ("samplingFrequency", "float")]


def _record(name, fields):
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": key, "type": kind} for key, kind in fields],
    }


def _array(kind):
    return {"type": "array", "items": kind}


def _schema(values="float"):
    imu = _record("ImuParams", [(key, "int") for key in IMU])
    axes = [(axis, _array("int")) for axis in "xyz"]
    series = {name: [*_SERIES, ("values", _array(values))] for name in ("eda", "temperature")}
    raw = [
        ("accelerometer", _record("Accelerometer", [*_SERIES, ("imuParams", imu), *axes])),
        ("gyroscope", _record("Gyroscope", [*_SERIES, ("imuParams", "ImuParams"), *axes])),
        *((name, _record(name, fields)) for name, fields in series.items()),
        ("tags", _record("Tags", [("tagsTimeMicros", _array("long"))])),
        ("bvp", _record("BVP", [*_SERIES, ("values", _array("float"))])),
        ("systolicPeaks", _record("Peaks", [("peaksTimeNanos", _array("long"))])),
        ("steps", _record("Steps", [*_SERIES, ("values", _array("int"))])),
    ]
    enrollment = [(key, "string") for key in ("participantID", "siteID", "studyID")]
    fields = [
        ("timezone", "int"),
        ("enrollment", _record("Enrollment", enrollment)),
        ("deviceSn", "string"),
        ("rawData", _record("RawData", raw)),
    ]
    return _record("EmbracePlus", fields)


def content(start=START, seconds=60, rates=None, tags=(), participant="P01", device="3YK1"):
    """Return the content of a file: ramps of seconds since 1,700,000,000, of motion in digits."""
    raw = {}
    for name, nominal in RATES.items():
        rate = (rates or {}).get(name, nominal)
        times = start - START + np.arange(round(seconds * rate)) / (rate or 1)
        part = {"timestampStart": round(start * 1e6), "samplingFrequency": rate}
        if name in ("accelerometer", "gyroscope"):
            digits = (times * 10).astype(int).tolist()
            part |= {"imuParams": IMU, "x": digits, "y": digits, "z": digits}
        else:
            part["values"] = times.tolist()
        raw[name] = part
    none = {"timestampStart": 0, "samplingFrequency": 0.0, "values": []}
    raw |= {"tags": {"tagsTimeMicros": [round(tag * 1e6) for tag in tags]}}
    raw |= {"systolicPeaks": {"peaksTimeNanos": []}, "steps": none}
    enrollment = {"participantID": participant, "siteID": "1", "studyID": "1"}
    return {"timezone": 3600, "enrollment": enrollment, "deviceSn": device, "rawData": raw}


def write(folder, *contents, codec="deflate", schema=None):
    """Write files in the layout of the device, and return the first."""
    folder = folder / "2023-11-14" / "P01-3YK1" / "raw_data" / "v6"
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(contents):
        with (folder / f"1-1-P01_{START + number}.avro").open("wb") as file:
            fastavro.writer(file, schema or _schema(), [each], codec=codec)
    return folder / f"1-1-P01_{START}.avro"


def test_signals_have_their_rates_units_and_clock(tmp_path):
    write(tmp_path, content(tags=[START + 30]))
    recording = load_embraceplus(tmp_path, ["bvp", "eda", "temp", "acc", "gyro"])
    assert recording.sampling_rate == {"bvp": 64, "eda": 4, "temp": 1, "acc": 64, "gyro": 64}
    assert {x.dtype for x in recording.signals.values()} == {np.dtype("float32")}
    np.testing.assert_allclose(recording.signals["eda"][0, 0], np.arange(240) / 4)
    np.testing.assert_allclose(recording.signals["acc"][0, 2, -1], 599 * 32 / 65535, rtol=1e-6)
    assert recording.signals["acc"].shape == (1, 3, 3840)
    assert (recording.subject, recording.start_time) == ("P01", START)
    assert recording.annotations["onset"].tolist() == [30]
    assert recording.annotations["description"].tolist() == ["tag"]
    assert dict(recording.metadata) == {"device": "3YK1", "timezone": 3600}


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_file_a_folder_and_a_list_of_them_are_read_alike(tmp_path, codec):
    file = write(tmp_path, content(), codec=codec)
    recordings = [load_embraceplus(path) for path in (file, tmp_path, [file], [str(tmp_path)])]
    assert all(recording.signals == recordings[0].signals for recording in recordings)


def test_gaps_between_files_are_nan(tmp_path):
    write(tmp_path, content(seconds=60), content(START + 100.25, seconds=60))
    recording = load_embraceplus(tmp_path)
    eda = recording.signals["eda"][0, 0]
    times = np.arange(641) / 4
    np.testing.assert_array_equal(np.isnan(eda), (times >= 60) & (times < 100.25))
    np.testing.assert_allclose(eda[~np.isnan(eda)], times[~np.isnan(eda)])
    assert recording.signals["bvp"].shape[-1] == 641 * 16


def test_a_signal_without_samples_in_a_file_is_a_gap(tmp_path):
    write(tmp_path, content(rates={"eda": 0}), content(START + 60))
    eda, bvp = (load_embraceplus(tmp_path).signals[name][0, 0] for name in ("eda", "bvp"))
    assert np.isnan(eda[:240]).all()
    assert not np.isnan(eda[240:]).any()
    assert not np.isnan(bvp).any()


@pytest.mark.parametrize("rate", [63.99, 64.01])
def test_a_drifting_rate_is_put_on_the_grid_of_the_device(tmp_path, rate):
    first = content(seconds=900, rates={"bvp": rate})
    second = content(START + round(900 * rate) / rate + 0.003, 900, {"bvp": rate})
    write(tmp_path, first, second)
    bvp = load_embraceplus(tmp_path, ["bvp"]).signals["bvp"][0, 0]
    np.testing.assert_allclose(bvp, np.arange(len(bvp)) / 64, atol=0.5 / 64)
    assert abs(len(bvp) - 1800 * 64) <= 1


def test_order_of_the_files_does_not_matter(tmp_path):
    write(tmp_path / "a", content(), content(START + 60))
    write(tmp_path / "b", content(START + 60), content())
    signals = [load_embraceplus(tmp_path / name).signals for name in "ab"]
    assert signals[0] == signals[1]


def test_copied_files_are_left_out_with_their_names(tmp_path):
    file = write(tmp_path, content(), content())
    with pytest.warns(UserWarning, match=rf"{START + 1}\.avro is left out: .*_{START}\.avro"):
        recording = load_embraceplus(tmp_path)
    assert recording.signals == load_embraceplus(file).signals


def test_overlapping_files_are_refused_with_their_names(tmp_path):
    write(tmp_path, content(), content(START + 59))
    with pytest.raises(ValueError, match=rf"not overlap, .*_{START}\.avro .*_{START + 1}\.avro"):
        load_embraceplus(tmp_path)


@pytest.mark.parametrize("key, other", [("participant", "P02"), ("device", "3YK2")])
def test_files_of_several_people_or_devices_are_refused(tmp_path, key, other):
    write(tmp_path, content(), content(START + 60, **{key: other}))
    with pytest.raises(ValueError, match=f"files of one {key}, got .*, {other}"):
        load_embraceplus(tmp_path)


def test_tags_outside_the_recording_are_left_out(tmp_path):
    write(tmp_path, content(tags=[START - 5, START + 5]), content(START + 60, tags=[START + 5]))
    with pytest.warns(UserWarning, match="1 of 2 tags"):
        assert load_embraceplus(tmp_path).annotations["onset"].tolist() == [5]


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*away"):
        load_embraceplus(tmp_path / "away")
    with pytest.raises(ValueError, match="must hold Avro files"):
        load_embraceplus(tmp_path)
    with pytest.raises(ValueError, match="must name one or more files"):
        load_embraceplus([])


def test_a_truncated_file_is_refused(tmp_path):
    file = write(tmp_path, content())
    data = file.read_bytes()
    for length in (0, 3, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match=rf"_{START}\.avro cannot be read"):
            load_embraceplus(file)


def test_unknown_signals_are_refused(tmp_path):
    write(tmp_path, content())
    with pytest.raises(ValueError, match="signals must be .* got"):
        load_embraceplus(tmp_path, ["ecg"])


@pytest.mark.parametrize("rate", [0, 32, 63, np.nan, -64])
def test_a_rate_that_is_not_of_the_device_is_refused(tmp_path, rate):
    wrong = content()
    wrong["rawData"]["bvp"]["samplingFrequency"] = rate
    write(tmp_path, wrong)
    with pytest.raises(ValueError, match=r"within 1 % of 64 Hz.* got -?\w+ Hz and 3840 samples"):
        load_embraceplus(tmp_path)


def test_a_signal_that_no_file_has_is_refused(tmp_path):
    write(tmp_path, content(rates={"temperature": 0}))
    with pytest.raises(ValueError, match="must hold samples of 'temp', got none"):
        load_embraceplus(tmp_path)
    assert list(load_embraceplus(tmp_path, ["bvp", "eda"]).signals) == ["bvp", "eda"]


def test_a_lacking_field_is_named(tmp_path):
    schema = _schema()
    schema["fields"][-1]["type"]["fields"].pop(2)
    write(tmp_path, content(), schema=schema)
    with pytest.raises(ValueError, match="lacks the field 'eda'"):
        load_embraceplus(tmp_path)


def test_a_start_in_another_age_is_refused(tmp_path):
    write(tmp_path, content(), content(START - 1_600_000_000))
    with pytest.raises(ValueError, match="must span at most"):
        load_embraceplus(tmp_path)


def test_a_file_that_expands_beyond_the_limits_is_refused(tmp_path):
    bomb = content()
    bomb["rawData"]["bvp"]["values"] = [0.0] * 100_000
    file = write(tmp_path, bomb)
    assert file.stat().st_size < 20_000
    with file_limits(max_bytes=20_000):
        with pytest.raises(ValueError, match="must expand to at most 20000 bytes"):
            load_embraceplus(tmp_path)
    assert load_embraceplus(tmp_path).signals["bvp"].shape[-1] == 100_000


@pytest.mark.parametrize(
    "kind, message",
    [
        (_array("null"), "schema must be records of numbers"),
        (_array(_record("Nothing", [])), "schema must be records of numbers"),
        ({"type": "map", "values": "null"}, "schema must be records of numbers"),
        (_record("Loop", [("next", "Loop")]), "schema must be records of numbers"),
    ],
)
def test_a_schema_that_makes_much_of_few_bytes_is_refused(tmp_path, kind, message):
    schema = copy.deepcopy(_schema())
    schema["fields"].append({"name": "more", "type": ["int", kind]})
    write(tmp_path, content() | {"more": 1}, schema=schema)
    with pytest.raises(ValueError, match=message):
        load_embraceplus(tmp_path)


def test_a_schema_of_many_fields_is_refused(tmp_path):
    kind = "int"
    for level in range(12):
        kind = _record(
            f"Level{level}", [("a", kind), ("b", f"Level{level - 1}" if level else kind)]
        )
    schema = _schema()
    schema["fields"].append({"name": "more", "type": ["int", kind]})
    write(tmp_path, content() | {"more": 1}, schema=schema)
    with pytest.raises(ValueError, match="at most 1000 fields, got 4"):
        load_embraceplus(tmp_path)


def test_missing_library_is_named_and_how_to_install_it(tmp_path, monkeypatch):
    write(tmp_path, content())
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ImportError, match=r'needs fastavro: pip install "physio_ssl\[data\]"'):
        load_embraceplus(tmp_path)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("wristband-small")


def _embed(encoder, recording):
    return encoder.transform(encoder.preprocessor_.make_windows(recording, 30).X)


def _change(Z, reference):
    """Return the root mean square change of an embedding, in standard deviations of a column."""
    n_windows = min(len(Z), len(reference))
    change = (Z[:n_windows] - reference[:n_windows]) / reference.std(axis=0)
    return np.sqrt((change**2).mean())


def _write_wristband(folder, recording, rate):
    """Write a recording as a file of the device, with every so many temperatures."""
    each = content()
    names = {"bvp": "bvp", "eda": "eda", "temp": "temperature"}
    for name, field in names.items():
        step = int(recording.sampling_rate["temp"] / rate) if name == "temp" else 1
        each["rawData"][field]["values"] = recording.signals[name][0, 0, ::step].tolist()
    return write(folder, each)


def test_the_shipped_encoder_takes_temperature_at_1_hz(tmp_path, encoder):
    recording = simulate_wristband(1, random_state=0)[0]
    slow = load_embraceplus(_write_wristband(tmp_path, recording, 1))
    assert slow.sampling_rate == {"bvp": 64, "eda": 4, "temp": 1}
    Z, reference = _embed(encoder, slow), _embed(encoder, recording)
    assert np.isfinite(Z).all()
    assert _change(Z, reference) < 0.1


def test_temperature_of_an_e4_is_of_1_hz_so_that_nothing_is_lost(tmp_path, encoder, data_folder):
    (recording,) = load_wesad(data_folder / "WESAD", ["S2"], ["bvp", "eda", "temp"])
    temp = recording.signals["temp"][0, 0]
    np.testing.assert_array_equal(np.repeat(temp[::4], 4)[: len(temp)], temp)
    slow = load_embraceplus(_write_wristband(tmp_path, recording, 1))
    assert _change(_embed(encoder, slow), _embed(encoder, recording)) < 0.01
