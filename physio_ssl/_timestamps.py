"""Samples with a time stamp each, placed on the grid of one sampling rate."""

import math
from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter

from ._check import check_number, check_sampling_rate

_GAP = 3  # intervals between two stamps that end a run: sensors start anew at any time after it
_OTHER_RATE = 0.05  # part of a rate that stamps cannot be off by jitter
_LARGEST_DRIFT = 0.02  # part of a rate by which the clock of a device may be off
_SMOOTHING = 2  # s of stamps, whose median is free of jitter
_FIRST_PART = 32  # stamps from which the rate is refined first
_MOST_EMPTY = 1000  # points of the grid for each sample, beside ten million


def check_time(time, n_times, may_repeat=False):
    """Return the stamps as floats, or raise if they are not finite and increasing."""
    time = np.asarray(time, dtype=float)
    if time.shape != (n_times,) or not n_times:
        raise ValueError(f"time must have one stamp for each sample, {n_times}, got {time.shape}.")
    if not np.isfinite(time).all():
        raise ValueError(
            f"Time stamps must be finite, got {time[~np.isfinite(time)][0]} at sample "
            f"{np.isfinite(time).argmin()}."
        )
    steps = np.diff(time)
    back = np.flatnonzero(steps < 0 if may_repeat else steps <= 0)
    if back.size:
        first = back[0]
        raise ValueError(
            f"Time stamps must increase, got {time[first]:.6f} s and then {time[first + 1]:.6f} s "
            f"at sample {first + 1}, and {len(back)} such place(s)."
        )
    return time


def _estimate_rate(time):
    """Return the sampling rate that fits the longest run of stamps."""
    if len(time) < 2:
        raise ValueError("A sampling rate needs two time stamps or more, got 1: pass the rate.")
    intervals = np.diff(time)
    is_gap = intervals > _GAP * np.median(intervals)
    # Stamps in ms of 130 Hz have a median interval of 8 ms, so the mean follows.
    steps = np.rint(intervals[~is_gap] / np.median(intervals))
    rate = max(steps.sum(), 1) / intervals[~is_gap].sum()
    bounds = np.concatenate([[0], np.flatnonzero(is_gap) + 1, [len(time)]])
    longest = np.diff(bounds).argmax()
    run = time[bounds[longest] : bounds[longest + 1]] - time[bounds[longest]]
    # In parts that double, as a rate must be exact to half an interval to count the next ones.
    n_stamps = _FIRST_PART
    while len(run) > 2:
        points, _ = _find_points(run[:n_stamps], rate)
        slope = np.polyfit(points, run[:n_stamps], 1)[0]
        rate = 1 / slope if slope > 0 else rate
        if n_stamps >= len(run):
            break
        n_stamps *= 2
    return rate


def _round_rate(rate, time):
    """Return the shortest decimal number that is the rate, as far as the stamps can tell."""
    n_points = (time[-1] - time[0]) * rate
    _, spread = _find_points(time, rate)
    for digits in range(2, 8):
        rounded = float(f"{rate:.{digits}g}")
        if abs(rounded / rate - 1) * n_points <= spread + 1e-3:
            return rounded
    return rate


def _find_points(time, rate):
    """Return the grid point of each stamp, and how far at most one is off, in intervals.

    Each run of stamps is moved as a whole to the grid, by at most half an interval. What is off
    is the stamp within its run.
    """
    position = (time - time[0]) * rate
    bounds = [0, *(np.flatnonzero(np.diff(position) > _GAP) + 1), len(time)]
    points, spread = np.empty(len(time)), 0.0
    for first, last in pairwise(bounds):
        run = position[first:last] - position[first]
        # The middle of the arc that has all phases, as the first stamp may be off like any other.
        phases = np.sort(run % 1)
        gaps = np.diff(phases, append=phases[0] + 1)
        half_arc = (1 - gaps.max()) / 2
        phase = np.roll(phases, -1)[gaps.argmax()] + half_arc
        phase -= np.rint(phase)
        points[first:last] = np.rint(position[first] + phase) + np.rint(run - phase)
        spread = max(spread, half_arc)
    return points.astype(np.int64), spread


def _check_span(n_samples, start, end, rate):
    """Raise if nearly all of a grid from start to end, in seconds, would be without a sample."""
    most = _MOST_EMPTY * n_samples + 10_000_000
    if (end - start) * rate > most:
        raise ValueError(
            f"{n_samples} samples must span at most {most} intervals, got times from {start:.3f} s "
            f"to {end:.3f} s at {rate:g} Hz: a time is wrong, or read them in parts."
        )


def place_on_grid(time, values, sampling_rate=None, tolerance=0.5):
    """Place samples, each with a time stamp, on the grid of one sampling rate.

    Values are not changed: each moves to the grid point that is nearest to its stamp. A stamp may
    be off its grid point by at most ``tolerance``. After a gap of more than three intervals, the
    samples up to the next gap are first moved together by at most half an interval, as a sensor
    starts at any time. Points without a sample are NaN.

    Parameters
    ----------
    time : array-like of shape (n_stamps,)
        Increasing times, in seconds.
    values : array-like of shape (n_stamps,) or (n_channels, n_stamps)
        The samples; NaN is a missing one.
    sampling_rate : float, default=None
        Sampling rate of the grid, in Hz. None estimates it from the stamps: number of intervals
        over time, without gaps, rounded as far as the stamps allow it.
    tolerance : float, default=0.5
        How far a stamp may be off its grid point, as a part of the interval, up to 0.5.

    Returns
    -------
    start : float
        Time of the first grid point, in seconds.
    sampling_rate : float
        Sampling rate of the grid, in Hz.
    samples : ndarray of shape (n_channels, n_times)
        The samples, as float32 if ``values`` are, else float64.

    Raises
    ------
    TypeError, ValueError
        If stamps are not finite or do not increase, one is off by more than the tolerance, two
        have the same grid point, their rate is another, or nearly
        all of the grid is empty.
    """
    values = np.atleast_2d(np.asarray(values))
    values = values.astype(np.float32 if values.dtype == np.float32 else float, copy=False)
    time = check_time(time, values.shape[-1])
    tolerance = check_number(tolerance, "tolerance", 0, 0.5, "from 0 to 0.5 intervals")
    found = _estimate_rate(time) if sampling_rate is None or len(time) > 1 else sampling_rate
    if sampling_rate is None:
        rate = _round_rate(found, time)
    else:
        rate = check_sampling_rate(sampling_rate)
        # A lower rate puts two samples on one point, which is refused below. Of stamps in ms, a
        # rate such as 700 Hz is estimated too high.
        if rate / found - 1 > _OTHER_RATE:
            raise ValueError(
                f"sampling_rate must be that of the stamps, {found:g} Hz, got {rate:g}."
            )
    _check_span(len(time), time[0], time[-1], rate)
    points, spread = _find_points(time, rate)
    steps = np.diff(points)
    # A drifting clock: neighbours come to the same point, or skip one.
    wrong = (steps < 1) | ((steps > 1) & (np.diff(time) * rate < 1.25))
    if wrong.any() or spread > tolerance + 1e-3:
        raise ValueError(
            f"Time stamps must be within {tolerance:g} intervals of the grid of {rate:g} Hz, got "
            f"{spread:.2f} intervals and {wrong.sum()} neighbours that are nearer or further than "
            f"one. Intervals are from {np.diff(time).min():.6g} to {np.diff(time).max():.6g} s, "
            f"with a median of {np.median(np.diff(time)):.6g} s. Pass the sampling_rate if another "
            "is known."
        )
    samples = np.full((len(values), points[-1] - points[0] + 1), np.nan, values.dtype)
    samples[:, points - points[0]] = values
    return _find_start(time, points - points[0], rate), rate, samples


def _find_start(time, points, rate):
    """Return the time of the first grid point: that of the stamps of the first run."""
    offset = time[0] - time + points / rate
    first_run = slice(0, 1 + np.append(np.diff(points) > _GAP, True).argmax())
    return time[0] - np.round(np.mean(offset[first_run]) * rate, 3) / rate


def split_at_gaps(time, samples, rate):
    """Return the parts of a signal between lost samples, for :func:`join_parts`.

    Stamps, in seconds, may repeat and jitter by some samples: their running median tells when
    samples, of shape (n_channels, n_times), were taken. The clock may be off by 2 % of the rate.
    """
    time = check_time(time, samples.shape[-1], may_repeat=True)
    lag = min(max(int(rate), 8), len(time) - 1)  # longer than one sample: stamps jitter
    span = np.median(time[lag:] - time[:-lag]) if lag else 0
    measured = lag / span if span else np.inf
    if not abs(measured / rate - 1) <= _LARGEST_DRIFT:
        raise ValueError(
            f"Samples must have the rate of the device within {100 * _LARGEST_DRIFT:g} %, "
            f"{rate:g} Hz, got {measured:.4g} Hz."
        )
    number = np.arange(len(time))
    late = (time - time[0]) * rate - number  # in samples: rises by those that are lost
    position = number + median_filter(late, 2 * int(_SMOOTHING * rate / 2) + 1, mode="nearest")
    bounds = [0, *(np.flatnonzero(np.diff(position) > 1.5) + 1), len(time)]
    return [
        (
            time[0] + position[first] / rate,
            time[0] + (position[last - 1] + 1) / rate,
            samples[:, first:last],
        )
        for first, last in pairwise(bounds)
    ]


def join_parts(parts, rate, start, end):
    """Place parts of a signal on one grid from start to end, in seconds; the rest is NaN.

    A part is its start, its end and its samples, of shape (n_channels, n_times). Samples are
    interpolated linearly if there are more or fewer than grid points, else unchanged.
    """
    _check_span(sum(samples.shape[-1] for *_, samples in parts), start, end, rate)

    def nearest(time):
        # rounded first: half-way times must go the same way at both ends of a part
        return math.floor(round((time - start) * rate, 3) + 0.5)

    samples = np.full((len(parts[0][2]), nearest(end)), np.nan, np.float32)
    for part_start, part_end, values in parts:
        first, last = nearest(part_start), nearest(part_end)
        # Of 63.99 Hz, each sample is used where it was taken, not the next one at 64 Hz.
        if values.shape[-1] != last - first:
            places = np.linspace(0, values.shape[-1], last - first, endpoint=False)
            numbers = np.arange(values.shape[-1])
            values = [np.interp(places, numbers, row) for row in values]
        samples[:, first:last] = values
    return samples


def join_signals(parts, rates):
    """Return the first start and the last end of all signals, and each signal between them.

    ``parts`` of each signal are as in :func:`join_parts`, sorted by time.
    """
    start = min(found[0][0] for found in parts.values())
    end = max(found[-1][1] for found in parts.values())
    signals = {name: join_parts(found, rates[name], start, end) for name, found in parts.items()}
    return start, end, signals
