"""Recordings from DataFrames, and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physio_ssl import Recording, make_windows

START = pd.Timestamp("2026-03-01 12:00:00.123456", tz="UTC")


def make_index(n_times=240, rate=4.0, jitter=0.0, seed=0):
    """Return datetimes at a rate, each moved by up to a part of the interval."""
    moved = np.random.default_rng(seed).uniform(-jitter, jitter, n_times)
    return START + pd.to_timedelta(np.round((np.arange(n_times) + moved) * 1e9 / rate))


def make_frame(names=("eda",), **kwargs):
    index = make_index(**kwargs)
    values = np.random.default_rng(0).normal(size=(len(index), len(names)))
    return pd.DataFrame(values, index, list(names))


def assert_same(a, b):
    pd.testing.assert_frame_equal(a, b, check_freq=False, check_index_type=False)


def remove_rows(frame, first, n_rows):
    return frame.drop(frame.index[first : first + n_rows])


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([1.0, 4.0, 31.25, 64.0, 100.0, 250.0, 1000.0]),
    n_times=st.integers(8, 300),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    gap=st.tuples(st.integers(0, 300), st.integers(0, 40)),
    dates=st.booleans(),
)
def test_a_frame_with_gaps_comes_back_equal(rate, n_times, dtype, gap, dates):
    frame = make_frame(("eda", "temp"), n_times=n_times, rate=rate).astype(dtype)
    frame.iloc[gap[0] : sum(gap), 0] = np.nan
    if frame["eda"].notna().sum() < 4:
        frame["eda"] = frame["temp"]
    if not dates:
        frame.index = 12.5 + np.arange(n_times) / rate
    assert_same(Recording.from_dataframe(frame, "S01").to_dataframe(), frame)


@settings(deadline=None, max_examples=40)
@given(
    rate=st.sampled_from([1.0, 4.0, 64.0, 130.0, 700.0]),
    jitter=st.floats(0, 0.35),
    gap=st.tuples(st.integers(5, 200), st.integers(0, 40)),
    seed=st.integers(0, 99),
)
def test_irregular_stamps_within_the_tolerance_keep_values_and_gaps(rate, jitter, gap, seed):
    frame = make_frame(n_times=240, rate=rate, jitter=jitter, seed=seed)
    recording = Recording.from_dataframe(remove_rows(frame, *gap), "S01", sampling_rate=rate)
    back = recording.to_dataframe()
    frame.iloc[gap[0] : sum(gap)] = np.nan
    end = frame["eda"].notna().to_numpy().nonzero()[0][-1] + 1  # what follows was not recorded
    np.testing.assert_array_equal(back["eda"], frame["eda"][:end])
    off = np.abs((back.index - frame.index[:end]).total_seconds()).max()
    assert off * rate <= 0.5 + 1e-3


@pytest.mark.parametrize("rate", [1 / 60, 0.2, 1, 4, 31.25, 64, 130])
def test_the_rate_is_estimated_from_stamps_in_milliseconds(rate):
    frame = make_frame(n_times=2000, rate=rate)
    frame.index = frame.index.round("ms")
    recording = Recording.from_dataframe(remove_rows(frame, 500, 400), "S01")
    assert recording.sampling_rate["eda"] == pytest.approx(rate, rel=1e-4)
    assert recording.signals["eda"].shape == (1, 1, 2000)


def test_a_rate_that_is_known_is_taken_where_stamps_are_too_coarse_to_tell():
    frame = make_frame(n_times=2000, rate=700.0)
    frame.index = frame.index.round("ms")
    recording = Recording.from_dataframe(remove_rows(frame, 500, 400), "S01", sampling_rate=700)
    assert recording.signals["eda"].shape == (1, 1, 2000)


def test_missing_rows_are_gaps_and_cost_the_windows_over_them():
    frame = remove_rows(make_frame(n_times=480), 100, 60)
    with pytest.warns(UserWarning):
        windows = make_windows(Recording.from_dataframe(frame, "S01"), 10)
    assert windows.dropped["non-finite"] == 2
    assert len(windows) == 10


def test_integers_without_gaps_keep_their_dtype_and_with_gaps_become_floats():
    frame = make_frame().round().astype("int16")
    whole, broken = (
        Recording.from_dataframe(df, "S01").signals["eda"]
        for df in (frame, frame.drop(frame.index[9]))
    )
    assert whole.dtype == "int16"
    assert broken.dtype == float
    np.testing.assert_array_equal(np.isnan(broken[0, 0]).nonzero()[0], [9])


def test_nullable_columns_give_nan_for_what_is_missing():
    frame = make_frame().round().astype("Int64")
    frame.iloc[3] = pd.NA
    signal = Recording.from_dataframe(frame, "S01").signals["eda"][0, 0]
    assert np.isnan(signal).nonzero()[0].tolist() == [3]


def test_a_mapping_makes_channels_of_columns_and_leaves_others_out():
    frame = make_frame(("EDA (uS)", "x", "y", "z", "note")).astype({"note": str})
    columns = {"eda": "EDA (uS)", "acc": ["x", "y", "z"]}
    recording = Recording.from_dataframe(frame, "S01", columns)
    assert {name: x.shape[1] for name, x in recording.signals.items()} == {"eda": 1, "acc": 3}
    assert_same(recording.to_dataframe(columns), frame.drop(columns="note"))
    assert list(recording.to_dataframe()) == ["eda", "acc_0", "acc_1", "acc_2"]


def test_frames_of_several_rates_come_back_equal():
    frames = {
        "bvp": make_frame(("bvp",), n_times=3840, rate=64.0),
        "acc": make_frame(("x", "y", "z"), n_times=1920, rate=32.0),
    }
    recording = Recording.from_dataframe(frames, "S01")
    back = recording.to_dataframe({"bvp": "bvp", "acc": ["x", "y", "z"]})
    for name, frame in frames.items():
        assert_same(back[name], frame)


def test_one_frame_with_slow_signals_gives_each_its_own_rate():
    fast, slow = make_frame(("bvp",), n_times=3840, rate=64.0), make_frame(n_times=240)
    recording = Recording.from_dataframe(fast.join(slow), "S01")
    assert dict(recording.sampling_rate) == {"bvp": 64, "eda": 4}
    assert_same(recording.to_dataframe()["eda"], slow)


def test_one_frame_holds_rates_without_common_stamps():
    frames = {
        name: make_frame((name,), n_times=int(rate * 60), rate=rate)
        for name, rate in {"ecg": 700.0, "bvp": 64.0, "resp": 50.0}.items()
    }
    merged = pd.concat(frames.values(), axis=1).sort_index()
    for name, frame in Recording.from_dataframe(merged, "S01").to_dataframe().items():
        assert_same(frame, frames[name])


def test_a_signal_that_starts_later_starts_with_a_gap():
    bvp = make_frame(("bvp",), n_times=3840, rate=64.0)
    recording = Recording.from_dataframe({"bvp": bvp, "eda": make_frame()[20:]}, "S01")
    assert np.isnan(recording.signals["eda"]).sum() == 20
    assert recording.start_time == START.timestamp()
    assert_same(recording.to_dataframe()["eda"].dropna(), make_frame()[20:])


@pytest.mark.parametrize("tz", ["Europe/Berlin", None])
def test_dates_of_any_time_zone_are_one_moment_and_naive_ones_are_utc(tz):
    frame = make_frame().tz_convert(tz)
    recording = Recording.from_dataframe(frame, "S01")
    assert recording.start_time == START.timestamp()
    assert_same(recording.to_dataframe(tz=tz), frame)


def test_other_stamps_are_times_of_the_file():
    frame = make_frame()
    seconds = 12.5 + np.arange(240) / 4
    by_column = Recording.from_dataframe(frame.assign(t=seconds), "S01", time="t")
    by_delta = Recording.from_dataframe(frame.set_axis(pd.to_timedelta(seconds, unit="s")), "S01")
    by_row = Recording.from_dataframe(
        frame.set_axis(range(50, 290)), "S01", sampling_rate={"eda": 4}
    )
    for recording in (by_column, by_delta, by_row):
        assert (recording.start_time, recording.start_offset) == (None, 12.5)
        assert_same(recording.to_dataframe(), frame.set_axis(seconds))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["rest", "stress", None]), min_size=4, max_size=60))
def test_labels_become_events_and_come_back_equal(labels):
    frame = make_frame(n_times=len(labels)).assign(stage=pd.Series(labels, dtype=object).to_numpy())
    recording = Recording.from_dataframe(frame, "S01", label="stage")
    assert_same(recording.to_dataframe(label="stage"), frame)


def test_a_label_ends_with_the_next_row_but_not_over_a_gap():
    frame = make_frame(n_times=40).assign(stage=[1.0] * 10 + [np.nan] * 10 + [2.0] * 20)
    annotations = Recording.from_dataframe(remove_rows(frame, 5, 10), "S01", label="stage")
    events = {name: column.tolist() for name, column in annotations.annotations.items()}
    assert events == {"onset": [0, 5], "duration": [1.25, 5], "description": ["1", "2"]}


def test_events_that_overlap_fit_no_column():
    recording = Recording.from_dataframe(make_frame(), "S01").annotate([0, 5], 10, ["a", "b"])
    with pytest.raises(ValueError, match=r"overlap at 5 s, 'b'"):
        recording.to_dataframe(label="stage")


def test_the_frame_stays_as_it_is():
    frame = make_frame().assign(t=np.arange(240) / 4, stage="rest")
    before = frame.copy(deep=True)
    recording = Recording.from_dataframe(frame, "S01", time="t", label="stage")
    back = recording.to_dataframe()
    back.iloc[:] = 0
    assert_same(frame, before)
    assert recording.signals["eda"].any()


def irregular():
    return np.random.default_rng(0).exponential(size=240).cumsum()


WRONG = {
    "a stamp twice": (
        lambda df: df.iloc[[0, 1, 1, 2]],
        {},
        "must increase, got 0.25.* at sample 2",
    ),
    "backward": (lambda df: df[::-1], {}, "must increase, got .* and 239 such"),
    "missing stamps": (
        lambda df: df.set_axis([pd.NaT, *df.index[1:]]),
        {},
        "240 rows and 1 missing",
    ),
    "no rows": (lambda df: df[:0], {}, "0 rows"),
    "irregular": (
        lambda df: df.set_axis(irregular()),
        {},
        r"within 0\.5 intervals.*median of 0\.\d",
    ),
    "beyond the tolerance": (
        lambda df: df.set_axis(make_index(jitter=0.3)),
        {"tolerance": 0.1},
        r"within 0\.1 .*got 0\.30",
    ),
    "another rate": (
        lambda df: df,
        {"sampling_rate": 5},
        "must be that of the stamps, 4 Hz, got 5",
    ),
    "too low a rate": (lambda df: df, {"sampling_rate": 3}, "grid of 3 Hz"),
    "milliseconds": (
        lambda df: df.set_axis(1.7e12 + np.arange(240) * 250.0),
        {},
        "must be seconds",
    ),
    "no stamps": (lambda df: df.reset_index(drop=True), {}, "needs the sampling_rate"),
    "only NaN": (lambda df: df * np.nan, {}, "'eda'.*NaN"),
    "no label": (lambda df: df, {"label": "stage"}, "got 'stage'"),
    "no time": (lambda df: df, {"time": "t"}, "got 't'"),
    "no column": (lambda df: df, {"columns": {"eda": "EDA"}}, "columns must be of eda, got EDA"),
    "no columns": (lambda df: df, {"columns": {"eda": []}}, r"got \{'eda': \[\]\}"),
    "no identifier": (lambda df: df.set_axis(["skin temp"], axis=1), {}, "got 'skin temp'"),
    "equal names": (lambda df: df[["eda", "eda"]], {}, "different names, got eda, eda"),
    "unknown modality": (lambda df: df, {"sampling_rate": {"bvp": 4}}, r"\['eda'\], got \['bvp'\]"),
    "no frames": (lambda df: {}, {}, "got 0 of them"),
    "columns of frames": (lambda df: {"eda": df}, {"columns": {"eda": "eda"}}, "without columns"),
    "dates and seconds": (
        lambda df: {"eda": df, "bvp": df.set_axis(np.arange(240.0))},
        {},
        "datetimes in all frames",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_an_error_with_the_numbers(name):
    change, settings, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        Recording.from_dataframe(change(make_frame()), "S01", **settings)


@pytest.mark.parametrize(
    "df, message",
    [
        (None, "df must be a DataFrame"),
        ({"eda": None}, "'eda'"),
        (make_frame().assign(eda="high"), "Column 'eda' must hold numbers"),
        (make_frame().set_axis(["a"] * 240), "convert them first"),
    ],
)
def test_what_is_no_signal_is_an_error(df, message):
    with pytest.raises(TypeError, match=message):
        Recording.from_dataframe(df, "S01")


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"acc": ["x", "y"]}, r"eda: 1, acc: 3, got acc: \['x', 'y'\]"),
        ({"bvp": "bvp"}, "got bvp"),
        ({"eda": "a", "acc": ["a", "b", "c"]}, "different names, got a, a"),
        ({}, r"got \{\}"),
    ],
)
def test_columns_to_write_name_each_channel_once(columns, message):
    recording = Recording({"eda": np.zeros(9), "acc": np.zeros((3, 9))}, {"eda": 4, "acc": 4}, "S")
    with pytest.raises(ValueError, match=message):
        recording.to_dataframe(columns)
