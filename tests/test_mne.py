"""Recordings from MNE's Raw, and back."""

import sys
from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from physio_ssl import Recording

UNITS = {"ecg": 1e-3, "eda": 1e-6, "temp": 1.0, "bvp": 1.0}
STAGES = {"onset": [5.0, 20.0], "duration": [10.0, 15.0], "description": ["rest", "BAD_motion"]}
DATE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_recording(names=UNITS, rate=4.0, **kwargs):
    values = np.random.default_rng(0).normal(size=(len(names), 160))
    signals = dict(zip(names, values, strict=True))
    return Recording(signals, dict.fromkeys(names, rate), "S01", **kwargs)


def test_what_is_written_comes_back():
    signals = {**make_recording().signals, "acc": np.random.default_rng(1).normal(size=(3, 160))}
    for gap, name in [(slice(0, 7), "eda"), (slice(30, 50), "acc"), (slice(150, 160), "bvp")]:
        signals[name] = signals[name].copy()
        signals[name][..., gap] = np.nan
    recording = Recording(signals, dict.fromkeys(signals, 4.0), "S01", STAGES, DATE.timestamp())
    back = Recording.from_mne(
        recording.to_mne(),
        channels={**{name: name for name in UNITS}, "acc": ["acc_0", "acc_1", "acc_2"]},
    )
    for name, signal in recording.signals.items():
        np.testing.assert_allclose(back.signals[name], signal, rtol=1e-12)
    assert (back.subject, back.start_time) == ("S01", recording.start_time)
    assert {k: x.tolist() for k, x in back.annotations.items()} == STAGES


@pytest.mark.parametrize("name", UNITS)
def test_mne_has_units_of_the_si(name):
    recording = make_recording(["chest_" + name])
    raw = recording.to_mne()
    np.testing.assert_allclose(raw.get_data(), recording.signals["chest_" + name][0] * UNITS[name])
    assert raw.get_channel_types() == [
        {"ecg": "ecg", "eda": "gsr", "temp": "temperature", "bvp": "misc"}[name]
    ]


def test_a_gap_is_marked_for_the_channels_that_have_it():
    signals = {name: signal.copy() for name, signal in make_recording().signals.items()}
    for name in signals:
        signals[name][..., 20:40] = np.nan
    signals["eda"][..., 60:80] = np.nan
    raw = Recording(signals, dict.fromkeys(signals, 4.0), "S01").to_mne()
    assert not np.isnan(raw.get_data()).any()
    assert raw.annotations.onset.tolist() == [5, 15]
    assert raw.annotations.description.tolist() == ["BAD_ACQ_SKIP"] * 2
    assert [list(names) for names in raw.annotations.ch_names] == [[], ["eda"]]


@pytest.mark.parametrize("date", [DATE, None])
def test_annotations_count_from_the_start_of_a_cropped_raw(date):
    raw = make_recording(annotations=STAGES).to_mne().set_meas_date(date).crop(2.0)
    recording = Recording.from_mne(raw)
    assert recording.annotations["onset"].tolist() == [3, 18]
    assert recording.start_time == (None if date is None else DATE.timestamp() + 2)


def test_signals_of_several_rates_become_several_raws():
    recording = Recording({"bvp": np.ones(640), "eda": np.ones(40)}, {"bvp": 64, "eda": 4}, "S01")
    rates = {name: raw.info["sfreq"] for name, raw in recording.to_mne().items()}
    assert rates == {"bvp": 64, "eda": 4}
    assert recording.to_mne({"eda": "GSR"}).ch_names == ["GSR"]


def test_channels_are_chosen_by_name_or_by_pick_without_stimuli():
    info = mne.create_info(["STI 014", "ECG", "Fp1"], 4.0, ["stim", "ecg", "eeg"])
    raw = mne.io.RawArray(np.arange(480.0).reshape(3, 160), info, verbose="error")
    chosen = [
        Recording.from_mne(raw, "S01", **kwargs)
        for kwargs in ({}, {"picks": "ecg"}, {"channels": {"eeg": ["Fp1", "ECG"]}})
    ]
    assert [list(recording.signals) for recording in chosen] == [["ECG", "Fp1"], ["ECG"], ["eeg"]]
    np.testing.assert_allclose(chosen[2].signals["eeg"][0, :, 0], [320e6, 160e3])


def test_the_raw_stays_as_it_is():
    raw = make_recording(annotations=STAGES).to_mne()
    before = raw.copy()
    Recording.from_mne(raw, picks=["eda"])
    np.testing.assert_array_equal(raw.get_data(), before.get_data())
    assert raw.annotations == before.annotations


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"channels": {"eda": "GSR"}}, "channels must be of ecg, eda, temp, bvp, got GSR"),
        ({"channels": {"skin temp": "temp"}}, r"got 'skin temp'.*channels="),
    ],
)
def test_channels_that_do_not_fit_are_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        Recording.from_mne(make_recording().to_mne(), **settings)


def test_a_raw_without_a_subject_needs_one():
    raw = make_recording().to_mne()
    raw.info["subject_info"] = None
    with pytest.raises(ValueError, match="subject must be given"):
        Recording.from_mne(raw)


def test_what_is_no_raw_is_an_error():
    with pytest.raises(TypeError, match="raw must be an MNE Raw, got 3"):
        Recording.from_mne(3, "S01")


def test_without_mne_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(ImportError, match=r'pip install "physio_ssl\[mne\]"'):
        make_recording().to_mne()
