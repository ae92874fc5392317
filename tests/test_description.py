"""A look at recordings: the table of describe and the figure of plot."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import Recording, describe
from physio_ssl.datasets import load_empatica, simulate_wristband
from physio_ssl.plotting import RecordingDisplay

WAVE = np.sin(2 * np.pi * 1.2 * np.arange(240 * 64) / 64)
STAGES = {
    "onset": [10.0, 100.0, 150.0, 200.0],
    "duration": [60.0, 30.0, 60.0, 0.0],
    "description": ["rest", "stress", "rest", "tag"],
}


@pytest.fixture(autouse=True)
def close_figures():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


def record(bvp=WAVE, temp=33.0, **more):
    signals = {"bvp": bvp, "temp": temp + np.sin(np.arange(960) / 9)}
    return Recording(signals, {"bvp": 64, "temp": 4}, "P1", **more)


def row_of(recording):
    return describe(recording).to_dataframe().iloc[0]


def change(start, stop, value):
    """Return the wave with a value from a time to another, in s."""
    bvp = WAVE.copy()
    bvp[start * 64 : stop * 64] = value
    return bvp


def test_a_good_recording_has_nothing_to_look_at():
    row = row_of(record())
    assert row["subject"] == "P1"
    assert row["hours"] == pytest.approx(240 / 3600)
    assert row["rate_bvp"] == 64
    assert (row[["missing_bvp", "flat_bvp", "clipped_bvp"]] == 0).all()
    assert (row[["worn", "usable_bvp", "usable_temp"]] == 1).all()
    assert "look at" not in repr(describe(record()))


@pytest.mark.parametrize(
    "bvp, column, fraction",
    [
        (change(0, 60, np.nan), "missing_bvp", 0.25),
        (change(0, 60, 0.1), "flat_bvp", 0.25),
        (np.clip(WAVE, -1, 0), "clipped_bvp", 0.5),
        (np.zeros(240 * 64), "clipped_bvp", 1),
        (change(0, 60, np.nan), "usable_bvp", 0.75),
    ],
)
def test_each_fault_is_a_fraction_of_the_recording(bvp, column, fraction):
    assert row_of(record(bvp))[column] == pytest.approx(fraction, abs=0.02)


@pytest.mark.parametrize(
    "recording, text",
    [
        (record(change(0, 60, np.nan)), "0 (P1): bvp: missing 25%"),
        (record(change(0, 60, 0.1)), "bvp: flat 25%"),
        (record(np.clip(WAVE, -1, 0.99)), "bvp: clipped"),
        (record(change(0, 240, 0)), "no pulse 100%"),
        (record(temp=20.0), "temp: not as warm as skin 100%"),
        (record(change(0, 240, 0), temp=20.0), "off the wrist 100%"),
    ],
)
def test_what_is_wrong_is_said(recording, text):
    for output in (repr(describe(recording)), describe(recording)._repr_html_()):
        assert text in output


def test_the_balance_of_stages_is_in_minutes():
    row = row_of(record(annotations=STAGES))
    assert row["minutes_rest"] == 2
    assert row["minutes_stress"] == 0.5
    assert "rest 2.0, stress 0.5" in repr(describe(record(annotations=STAGES)))
    assert "minutes_tag" not in row


def test_recordings_with_different_signals_and_rates_share_a_table():
    recordings = [
        record(),
        Recording({"bvp": WAVE[::2], "acc": WAVE}, {"bvp": 32, "acc": 64}, "P2"),
    ]
    description = describe(recordings)
    assert description.to_dataframe()["rate_bvp"].tolist() == [64, 32]
    assert np.isnan(description.to_dataframe()["usable_temp"][1])
    assert repr(description).startswith("2 recordings of 2 subjects, 0.13 hours")
    assert " bvp " in repr(description)
    assert "acc 64 Hz" in repr(description)
    assert " -" in repr(description)


def test_the_table_is_a_copy():
    description = describe(record())
    description.to_dataframe()["hours"] = 0
    assert description.to_dataframe()["hours"][0] > 0


def test_the_page_of_a_notebook_shows_names_as_text():
    recording = Recording({"temp": np.zeros(100)}, {"temp": 4}, "<b>")
    assert "<b>" not in describe(recording)._repr_html_()


def test_nothing_cannot_be_described():
    with pytest.raises(ValueError, match="at least one recording"):
        describe([])


def test_a_short_recording_is_drawn_sample_by_sample():
    display = record(WAVE[:2000]).plot(quality=False)
    assert_array_equal(display.lines_["bvp"][0].get_ydata(), WAVE[:2000])
    assert_allclose(display.lines_["bvp"][0].get_xdata()[:3], [0, 1 / 64, 2 / 64])


def test_a_long_recording_keeps_its_extremes_and_loses_its_length():
    bvp = np.random.default_rng(0).normal(size=8 * 3600 * 64)
    bvp[1_000_000], bvp[1_500_000] = 50, -70
    display = Recording({"bvp": bvp}, {"bvp": 64}, "P1").plot(quality=False)
    (line,) = display.lines_["bvp"]
    assert len(line.get_xdata()) < 4000
    assert line.get_ydata().max() == 50
    assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(1e6 / 64 / 3600, abs=0.01)
    assert line.get_ydata().min() == -70
    assert display.axes_[-1].get_xlabel().endswith(", h")


def test_gaps_are_marked_where_they_are():
    bvp = change(60, 90, np.nan)
    bvp[:128] = np.nan
    display = record(bvp).plot()
    spans = [(gap.get_x(), gap.get_x() + gap.get_width()) for gap in display.gaps_["bvp"]]
    assert_allclose(spans, [(0, 2), (60, 90)])
    assert display.gaps_["temp"] == []
    assert "gap" in [text.get_text() for text in display.figure_.legends[0].get_texts()]


def test_annotations_are_bands_and_lines_in_each_panel():
    display = record(annotations=STAGES).plot()
    assert {name: len(bands) for name, bands in display.bands_.items()} == {
        "rest": 2,
        "stress": 1,
        "tag": 1,
    }
    assert [band.get_x() for band in display.bands_["rest"]] == [10, 150]
    assert [len(panel.patches) for panel in display.axes_] == [3, 3, 0]


def test_ratings_get_a_panel():
    ratings = {"time": np.arange(240.0), "arousal": np.arange(240.0)}
    for recording in (record(ratings=ratings), record(annotations=ratings)):
        display = recording.plot(["bvp"])
        assert [panel.get_ylabel() for panel in display.axes_] == [
            "bvp\n64 Hz",
            "ratings",
            "quality",
        ]
        assert_array_equal(display.lines_["ratings"][0].get_ydata(), ratings["arousal"])


def test_quality_is_drawn_per_signal_and_second():
    display = record(change(120, 240, 0), temp=20.0).plot()
    names = [label.get_text() for label in display.axes_[-1].get_yticklabels()]
    assert names == ["bvp", "temp", "wear"]
    grades = display.quality_.get_array()
    assert (grades[0, :120] == 0).all()  # good
    assert (grades[0, 120:] == 2).all()  # poor
    assert (grades[1] == 2).all()
    assert "worn for 50%" in display.axes_[0].get_title(loc="left")
    assert record().plot(quality=False).quality_ is None


def test_signals_can_be_chosen_and_drawn_on_axes_of_ones_own():
    figure, axes = plt.subplots(2)
    display = record().plot(["temp"], ax=axes)
    assert display.figure_ is figure
    assert list(display.lines_) == ["temp"]
    with pytest.raises(ValueError, match="signals must name some of bvp, temp, got"):
        record().plot(["eda"])


def test_channels_of_one_signal_share_a_panel():
    recording = Recording({"acc": np.random.default_rng(0).normal(size=(3, 320))}, {"acc": 32}, "P")
    display = recording.plot()
    assert len({line.get_color() for line in display.lines_["acc"]}) == 3


def test_no_label_is_cut_with_many_stages():
    stages = {
        "onset": np.arange(12) * 20.0,
        "duration": np.full(12, 10.0),
        "description": [f"a stage with a long name {i}" for i in range(12)],
    }
    display = record(annotations=stages).plot(["temp"])
    display.figure_.draw_without_rendering()
    width, height = display.figure_.get_size_inches() * display.figure_.dpi
    texts = [*display.figure_.legends[0].get_texts(), display.axes_[-1].xaxis.label]
    texts += [panel.yaxis.label for panel in display.axes_] + [display.axes_[0]._left_title]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    assert len({(b[0].get_facecolor(), b[0].get_hatch()) for b in display.bands_.values()}) == 12


def test_a_simulated_wristband_is_drawn():
    recording = simulate_wristband(1, n_blocks=1, stage_duration=30, random_state=0)[0]
    display = RecordingDisplay.from_recording(recording)
    assert display.quality_ is not None


def test_poor_wear_of_a_real_session_is_said_in_both(data_folder):
    folder = data_folder / "exam_stress" / "Data" / "S08"
    poor, worn = (load_empatica(folder / f"Midterm {n}", subject=f"Midterm {n}") for n in (1, 2))
    lines = repr(describe([poor, worn])).splitlines()
    faults = lines[lines.index("look at:") + 1 :]
    assert [n for n, text in enumerate(faults) if "off the wrist" in text] == [0]
    assert "Midterm 1" in faults[0]
    assert "worn for 26%" in poor.plot().axes_[0].get_title(loc="left")
