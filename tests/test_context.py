"""Windows whose samples cover some time before and after them, too."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl import (
    ChannelStatistics,
    Recording,
    SSLEncoder,
    StageLabels,
    concatenate_windows,
    make_windows,
    open_windows,
)
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import make_baselines
from physio_ssl.leakage import LeakKind, audit_leakage
from physio_ssl.preprocessing import Preprocessor, Standardize
from physio_ssl.pretext import RecordingContrast

RATE = 4
STAGES = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}


def record(signal=None, subject="S1"):
    signal = np.arange(120.0 * RATE) if signal is None else signal
    return Recording({"eda": signal}, {"eda": RATE}, subject, STAGES)


@pytest.mark.parametrize("context", [20, (30, 0), (0, 7.5)])
def test_samples_cover_the_context_and_all_else_is_that_of_the_window(context):
    labels = StageLabels({"rest": 0, "stress": 1})
    settings = {"duration": 20, "step": 10, "labels": labels}
    plain, wide = (
        make_windows(record(), **settings),
        make_windows(record(), **settings, context=context),
    )
    pd.testing.assert_frame_equal(wide.info, plain.info)
    before, after = (context, context) if np.isscalar(context) else context
    assert wide.duration == 20
    assert wide.total_duration == 20 + before + after
    n_before, mean = round(before * RATE), np.mean(np.arange(120.0 * RATE))
    for x, onset in zip(wide.X["eda"][:, 0], wide.onset, strict=True):
        time = np.arange(-n_before, round((20 + after) * RATE)) + onset * RATE
        inside = (time >= 0) & (time < 120 * RATE)
        assert_allclose(x, np.where(inside, time, mean), rtol=1e-6)
    inner = wide.X["eda"][..., n_before : n_before + 20 * RATE]
    assert_array_equal(inner, plain.X["eda"])


def test_a_gap_costs_the_windows_that_hold_it_not_those_with_it_in_their_context():
    signal = np.ones(120 * RATE)
    signal[50 * RATE : 52 * RATE] = np.nan
    with pytest.warns(UserWarning, match="gap"):
        windows = make_windows(record(signal), 20, 10, context=30)
    assert_array_equal(windows.onset, [0, 10, 20, 30, 60, 70, 80, 90, 100])
    assert_array_equal(windows.X["eda"], 1)


def test_a_preprocessor_gives_windows_with_context():
    preprocessor = Preprocessor({"eda": [Standardize()]}, {"eda": RATE}, 20, context=(30, 10))
    windows = preprocessor.make_windows(record(), 10)
    assert windows.context == (30, 10)
    assert windows.X["eda"].shape[-1] == preprocessor.n_times["eda"] == 60 * RATE
    assert windows.X["eda"][0, 0, 0] == pytest.approx(0, abs=1e-6)  # the mean


def test_the_past_ends_with_the_window():
    preprocessor = Preprocessor(
        {"eda": [Standardize()]}, {"eda": RATE}, 20, scaling="past", context=(30, 0)
    )
    windows = preprocessor.make_windows(record(), 10)
    later = np.arange(120.0 * RATE)
    later[70 * RATE :] = -5
    again = preprocessor.make_windows(record(later), 10)
    rows = windows.onset + 20 <= 70
    assert windows.X["eda"].shape[-1] == 50 * RATE
    assert_array_equal(windows.X["eda"][rows], again.X["eda"][rows])
    assert not np.array_equal(windows.X["eda"], again.X["eda"])
    with pytest.raises(ValueError, match=r"context must be \(seconds, 0\), got 5 s"):
        preprocessor.set_params(context=5).make_windows(record())


@pytest.mark.parametrize("context", [-1, (1, 2, 3), np.nan, "long", None, 1.1])
def test_bad_contexts_are_refused(context):
    with pytest.raises((TypeError, ValueError), match="context|whole number of samples"):
        make_windows(record(), 20, context=context)


def test_overlap_counts_the_context():
    windows = make_windows([record(), record(subject="S2")], 10, 20, context=5)
    halves = [(np.flatnonzero(windows.onset < 60), np.flatnonzero(windows.onset >= 60))]
    wider = make_windows([record(), record(subject="S2")], 10, 20, context=6)
    for some, overlap in ((windows, False), (wider, True)):
        report = audit_leakage(some, cv=halves, on_leak="record")
        assert (LeakKind.OVERLAP in {leak.kind for leak in report.leaks}) == overlap
    with pytest.raises(ValueError, match="at least the duration of a window, 22 s"):
        task = RecordingContrast(min_distance=20)
        SSLEncoder(pretext=task, max_epochs=1, standardize=False).fit(wider.X, windows=wider)


def test_baselines_see_the_context_and_the_window_alone():
    people = simulate_wristband(2, signals=("eda", "temp"), random_state=0)
    labels = StageLabels({"rest": 0, "stress": 1})
    plain = make_windows(people, 60, labels=labels)
    wide = make_windows(people, 60, labels=labels, context=30)
    for name in ("hand-crafted", "channel statistics"):
        alone, both = (make_baselines(windows, people)[name][1] for windows in (plain, wide))
        assert both.shape == (len(wide), 2 * alone.shape[1])
        assert_allclose(both[:, : alone.shape[1]], alone)
    assert_allclose(both[:, alone.shape[1] :], ChannelStatistics().fit_transform(wide.X))


def test_files_and_corpora_keep_the_context(tmp_path):
    windows = make_windows(record(), 10, context=(5, 0))
    concatenate_windows({"a": windows}, folder=tmp_path / "windows")
    assert open_windows(tmp_path / "windows").context == (5, 0)
    with pytest.raises(ValueError, match="the same context"):
        concatenate_windows({"a": windows, "b": make_windows(record(), 10, context=(0, 5))})
    assert windows.select([0]).context == (5, 0)
