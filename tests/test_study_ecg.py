"""The parts of the ECG study in which a leak or a wrong figure would be made."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from physio_ssl import Recording, StageLabels, make_windows


@pytest.fixture(scope="module")
def study(load_script):
    return load_script("study_ecg")


@pytest.fixture(scope="module")
def windows():
    """Three windows of each of forty recordings; every fourth one is of class 1."""
    return make_windows(
        [
            Recording(
                {"ecg": np.random.default_rng(i).normal(size=300)},
                {"ecg": 10},
                f"A{i:02d}",
                {"onset": [0], "duration": [30], "description": ["AF" if i % 4 == 0 else "normal"]},
            )
            for i in range(40)
        ],
        10,
        labels=StageLabels({"normal": 0, "AF": 1}),
    )


def test_a_fifth_of_the_recordings_is_held_out(study, windows):
    held_out = study.hold_out(windows, seed=0)
    assert len(set(held_out)) == 8
    assert set(held_out) <= set(windows.groups)
    assert set(study.hold_out(windows, seed=1)) != set(held_out)


def test_labels_are_drawn_by_recording_and_class(study, windows):
    some = windows.select(study.draw_recordings(windows, 0.2, np.random.default_rng(0)))
    assert len(some) == 3 * (2 + 6)
    assert len(set(some.groups[some.y == 1])) == 2
    fewest = study.draw_recordings(windows, 0.001, np.random.default_rng(0))
    assert sorted(windows.y[fewest]) == [0, 0, 0, 1, 1, 1]


def test_the_table_holds_aurocs_and_gains(study, windows):
    rng = np.random.default_rng(0)
    good = [windows.y + rng.normal(size=len(windows)) for _ in range(2)]
    chance = [rng.normal(size=len(windows)) for _ in range(2)]
    table = study.summarise({(0.1, "good"): good, (0.1, study.SCRATCH): chance}, windows)
    expected = [np.mean([roc_auc_score(windows.y, s) for s in some]) for some in (good, chance)]
    np.testing.assert_allclose(table["auroc"], expected)
    np.testing.assert_allclose(table["gain"], [expected[0] - expected[1], 0])
    assert table.index.names == ["fraction", "model"]
    row = table.loc[(0.1, "good")]
    assert row["low"] < row["auroc"] < row["high"]
    assert row["gain_low"] < row["gain"] < row["gain_high"]


def test_results_of_other_settings_are_not_taken_for_these(study, tmp_path):
    class Options:
        output, precision, seed = tmp_path / "out", "float32", 0

    study.check_output(Options)
    study.check_output(Options)
    Options.seed = 1
    with pytest.raises(SystemExit, match="other settings"):
        study.check_output(Options)
