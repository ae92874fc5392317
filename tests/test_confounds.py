import numpy as np
import pandas as pd
import pytest

from physio_ssl import Recording, SignalDict, Windows, make_windows
from physio_ssl.evaluation import LinearProbe, audit_confounds, leave_subjects_out
from physio_ssl.evaluation.clock import predict_left_out
from physio_ssl.plotting import ConfoundsDisplay

RATE, DURATION = 16, 20.0
TIMES = np.arange(0, DURATION, 1 / RATE)


def simulate(planted=None, n_people=10, seed=0):
    """Return windows of people whose labels follow the planted confound, and nothing else does.

    Without one, blocks of two classes take turns; half of the people begin with each.
    """
    rng = np.random.default_rng(seed)
    onset = np.tile(np.arange(15) * DURATION, 2)
    recording = np.repeat([0, 1], 15)
    info, bvp, acc = [], [], []
    for person in range(n_people):
        label = (onset // 100 + person) % 2
        if planted == "time":
            label = (onset >= rng.choice([120, 140, 160])).astype(float)
        if planted == "order":
            label = recording.astype(float)
        loose = rng.random(30) < 0.05 + 0.8 * label * (planted == "wear")
        energy = np.exp(0.5 * rng.normal(size=30) + 2 * label * (planted == "movement"))
        phase = rng.uniform(0, 6, (30, 1))
        pulse = np.sin(2 * np.pi * 1.2 * TIMES + phase) + 0.3 * rng.normal(size=(30, len(TIMES)))
        pulse[loose, len(TIMES) // 3 :] = 0
        bvp.append(pulse)
        acc.append(energy[:, np.newaxis, np.newaxis] * rng.normal(size=(30, 3, len(TIMES))))
        columns = {"subject": f"S{person}", "recording": recording + 2 * person, "onset": onset}
        info.append(pd.DataFrame({**columns, "label": label.astype(int)}))
    X = SignalDict(bvp=np.concatenate(bvp), acc=np.concatenate(acc))
    return Windows(X, pd.concat(info, ignore_index=True), DURATION)


def audit(windows, **kwargs):
    return audit_confounds(windows, n_resamples=50, **kwargs)


def row(report, confound):
    return report.table.set_index("confound").loc[confound]


def test_a_clock_predicts_people_left_out():
    rng = np.random.default_rng(0)
    subjects, y = np.repeat(np.arange(8), 10), rng.integers(2, size=80)
    minutes = rng.normal(size=(80, 1))
    before = predict_left_out(minutes, y, subjects)
    own = np.where(subjects == 3, 1 - y, y)  # one's own labels make no difference
    after = predict_left_out(minutes, own, subjects)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[subjects == 3], other[subjects == 3])
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "planted, flagged",
    [
        # the later part of each recording is also the second in order
        ("time", ["time in the recording", "order of conditions"]),
        ("order", ["order of conditions"]),
        ("wear", ["signal quality"]),
        ("movement", ["movement"]),
        (None, []),
    ],
)
def test_planted_confound_is_named_and_no_other(planted, flagged):
    report = audit(simulate(planted))
    assert report.flagged == flagged
    for name in flagged:
        assert f"{name.capitalize()} alone tells the classes" in report.verdict
        assert row(report, name)["auroc"] > 0.8


def test_length_of_the_recording_is_found():
    windows = simulate("order")
    report = audit(windows.select((windows.y == 0) | (windows.onset < 100)))
    assert "number of windows" in report.flagged


def test_class_that_differs_between_people_is_found():
    windows = simulate()
    label = np.isin(windows.groups, ["S0", "S1", "S2", "S3"]).astype(int)
    report = audit(Windows(windows.X, windows.info.assign(label=label), DURATION))
    assert report.flagged == ["subject"]
    assert row(report, "subject")["auroc"] == 1
    assert "only 0 people" in row(report, "movement")["note"]


def test_report_says_what_was_not_looked_at():
    windows = simulate()
    bare = Windows(np.zeros((len(windows), 2)), windows.info[["subject", "label"]])
    report = audit(bare)
    names = ["time in the recording", "order of conditions", "signal quality", "movement"]
    assert report.table.loc[report.table["auroc"].isna(), "confound"].tolist() == [
        *names,
        "number of windows",
    ]
    assert "windows have no onset" in str(report)
    assert "Not looked at: " in report.verdict
    assert all(name in report.verdict and "onset" in report.verdict for name in names)


def test_verdict_says_first_what_few_people_hide():
    verdict = audit(simulate("time", n_people=4)).verdict
    assert verdict.startswith("Not looked at: time in the recording")
    assert "only 4 people have windows of all classes." in verdict


def test_wear_is_measured_in_the_recordings_where_they_are_given():
    stages = pd.DataFrame(
        {"onset": [0.0, 200.0], "duration": [200.0, 200.0], "description": ["a", "b"]}
    )
    rng, recordings = np.random.default_rng(0), []
    for person in range(6):
        eda = 2 + rng.random(1600)
        eda[800 * (person % 2) :][:800] = 0.01  # no contact in the first or second half
        annotations = {name: stages[name].to_numpy() for name in stages}
        recordings.append(Recording({"eda": eda}, {"eda": 4}, f"S{person}", annotations))

    class DryHalf:
        def assign(self, recording, onset, duration):
            starts_dry = int(recording.subject[1:]) % 2
            return ((onset >= 200) == starts_dry).astype(int), np.ones(len(onset), dtype=bool)

    windows = make_windows(recordings, DURATION, labels=DryHalf())
    standardised = Windows(rng.normal(size=(len(windows), 1)), windows.info, DURATION)
    assert "signal quality" in audit(standardised, recordings=recordings).flagged
    assert "signal quality" not in audit(standardised).flagged
    with pytest.raises(ValueError, match="in order"):
        audit(standardised, recordings=recordings[::-1])


def test_traces_in_an_embedding_are_found():
    windows = simulate()
    rng = np.random.default_rng(0)
    person = np.unique(windows.groups, return_inverse=True)[1]
    knows_time = np.column_stack([windows.onset, rng.normal(size=(len(windows), 3))])
    found = audit(windows, embedding=knows_time).embedding_table.set_index("trace")["value"]
    assert found["minutes"] > 0.9
    assert found["movement: acc deviation"] < 0.3
    assert found["person"] < 0.3
    knows_person = np.eye(10)[person] + 0.1 * rng.normal(size=(len(windows), 10))
    found = audit(windows, embedding=knows_person).embedding_table.set_index("trace")["value"]
    assert found["person"] > 0.9
    assert found["minutes"] < 0.3


def test_results_get_position_matched_scores_beside_the_clock():
    windows = simulate()
    rng = np.random.default_rng(0)
    truth = np.column_stack([windows.y + 0.25 * rng.normal(size=len(windows))])
    features = Windows(truth, windows.info, DURATION)
    results = leave_subjects_out({"truth": LinearProbe()}, features, baselines=False)
    report = audit(windows, results=results)
    table = report.position_table.set_index("estimator")
    assert table.loc["truth", "auroc"] > 0.9
    clock = table.loc["the time alone"]
    assert clock["low"] <= 0.5 <= clock["high"]
    assert "better than chance: truth" in report.verdict
    assert "the time alone" in str(report)


def test_display_draws_what_is_flagged_in_colour():
    pytest.importorskip("matplotlib").use("Agg")
    report = audit(simulate("movement"))
    display = ConfoundsDisplay.from_report(report)
    colors = [point.get_color() for point in display.points_]
    flagged = report.table["flagged"].to_numpy()
    assert [color == colors[flagged.argmax()] for color in colors] == flagged.tolist()
    display.figure_.clear()


@pytest.mark.parametrize(
    "change, kwargs, message",
    [
        ({"label": 1}, {}, "two or more classes"),
        ({}, {"embedding": np.zeros((3, 2))}, "embedding must have"),
        ({}, {"embedding": np.full((300, 2), np.nan)}, "embedding contains NaN"),
    ],
)
def test_bad_input_is_refused(change, kwargs, message):
    windows = simulate()
    windows = Windows(windows.X, windows.info.assign(**change), DURATION)
    with pytest.raises(ValueError, match=message):
        audit(windows, **kwargs)


def test_only_results_of_a_study_are_taken():
    with pytest.raises(TypeError, match="StudyResults"):
        audit(simulate(), results={"auroc": 1})
