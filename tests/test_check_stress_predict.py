"""The check of Stress-Predict's boundaries: how it reads times and which of them it prefers."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from physio_ssl import Recording

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'
)
STRINGS = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</sst>'
NOON = 1644235200  # unix time
LABEL = np.array([600, 960, 1300, 1900, 2200, 2330])  # s since the recording's start


@pytest.fixture(scope="module")
def check(load_script):
    return load_script("check_stress_predict")


def _make_recording(subject="S02"):
    bounds = np.r_[0, LABEL, 3000]
    stages = ["rest", "stroop", "rest", "interview", "rest", "hyperventilation", "rest"]
    annotations = {"onset": bounds[:-1], "duration": np.diff(bounds), "description": stages}
    return Recording({"eda": np.ones(12_000)}, {"eda": 4}, subject, annotations, NOON - 900)


def _write_tags(folder, tags, subject="S02"):
    path = folder / "Raw_data" / subject / f"tags_{subject}.csv"
    path.parent.mkdir(parents=True)
    np.savetxt(path, NOON - 900 + np.asarray(tags), fmt="%.2f")


def test_the_log_is_read_as_seconds_on_a_clock_of_12_hours(check, tmp_path):
    minutes = {"I": 11 * 60 + 59, "J": 12 * 60 + 4, "M": 9, "N": 20, "Q": 25, "R": 27}
    cells = "".join(f'<c r="{name}4"><v>{m / 1440}</v></c>' for name, m in minutes.items())
    row = f'<row><c r="A4" t="s"><v>1</v></c><c r="B4"/>{cells}</row>'
    heading = '<row><c r="A1" t="s"><v>0</v></c></row>'
    with zipfile.ZipFile(tmp_path / "log.xlsx", "w") as file:
        file.writestr("xl/worksheets/sheet1.xml", SHEET.format(heading + row))
        texts = "<si><t>S. ID.</t></si><si><r><t>S</t></r><r><t>02</t></r></si>"
        file.writestr("xl/sharedStrings.xml", STRINGS.format(texts))
    times = check.read_log(tmp_path / "log.xlsx")
    assert list(times) == ["S02"]
    assert (times["S02"] / 60).tolist() == [11 * 60 + 59, 4, 9, 20, 25, 27]


def test_boundaries_are_traced_to_tags_or_to_the_log(check, tmp_path):
    """One tag is far, one was entered on a clock of 12 hours; the log runs past noon."""
    _write_tags(tmp_path, LABEL + [0, 0, 0.4, -60, 0, 4 - 43200])
    log = {"S02": (NOON - 900 + LABEL + [-30, 20, 100, 0, 5, 0]) % 43200}
    table = check.compare_times([_make_recording()], tmp_path, log)
    assert table["source"].tolist() == ["tag", "tag", "tag", "log", "tag", "log"]
    assert table["log"].to_numpy() == pytest.approx(LABEL + [-30, 20, 100, 0, 5, 0])
    assert table["tag"].iloc[[3, 5]].to_numpy() == pytest.approx([1840, 2334])
    assert table["tag_moved"].tolist() == [False] * 5 + [True]


def test_signals_fit_the_time_at_which_other_people_change(check):
    """Heart rate rises at the boundary; one subject's label is 60 s late, and the log is right."""
    rng, rows, traces = np.random.default_rng(0), [], {}
    for i in range(6):
        rises = np.where(np.arange(3000) < 1000, 60.0, 80.0)
        traces[f"S{i}"] = {"heart rate": rises + rng.normal(size=3000)}
        late = 60 * (i == 5)
        source = "log" if i == 5 else "tag"
        rows.append((f"S{i}", "stroop, start", 1000.0 + late, 1000.0 + late, 1000.0, source))
    names = ["subject", "boundary", "label", "tag", "log", "source"]
    table = pd.DataFrame(rows, columns=names)
    check.add_matches(table, traces)
    assert table["best shift, heart rate"].iloc[5] == pytest.approx(
        -60, abs=16
    )  # s around the press are left out
    assert table["heart rate at log"].iloc[5] > table["heart rate at label"].iloc[5] + 0.2
