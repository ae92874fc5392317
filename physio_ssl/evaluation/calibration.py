"""Which windows of a new person are labelled, and which are left to test on."""

from bisect import bisect_left, insort

import numpy as np

ORDERS = ("time", "random")
_ROUNDING = 1e-6  # seconds


def place_in_time(windows):
    """Return when each window starts, in seconds, with the recordings one after the other."""
    if windows.onset is None or windows.duration is None:
        raise ValueError(
            "Calibration needs the duration of the windows and the onset of each, got "
            f"duration={windows.duration} and the columns {list(windows.info)}."
        )
    if windows.recording is None:
        return windows.onset
    return windows.onset + (np.ptp(windows.onset) + windows.total_duration) * windows.recording


def choose_calibration(start, duration, minutes, order, distance=None):
    """Choose windows of one person that cover so many minutes.

    Parameters
    ----------
    start : ndarray of shape (n_windows,)
        When each window starts, in seconds.
    duration : float
        Length of the windows, in seconds.
    minutes : sequence of float
        Minutes to cover; time in two windows counts once.
    order : ndarray of int, of shape (n_windows,)
        In which order windows are taken; those that would cover more are passed over.
    distance : float, default=None
        Least time between the starts of windows without a common sample; None is ``duration``.

    Returns
    -------
    chosen : dict
        Places of the windows, as a list, for each number of minutes; fewer are part of more.
    rest : ndarray of int
        Places of the windows that overlap none of the chosen ones.
    """
    chosen, rows, starts, seconds = {}, [], [], 0.0
    for n_minutes in sorted(minutes):
        for row in order:
            if row in rows:
                continue
            added = _count_new_seconds(starts, start[row], duration)
            if seconds + added <= 60 * n_minutes + _ROUNDING:
                seconds += added
                rows.append(row)
                insort(starts, start[row])
        chosen[n_minutes] = list(rows)
    distance = duration if distance is None else distance
    apart = np.abs(start[:, np.newaxis] - start[rows])
    return chosen, np.flatnonzero((apart >= distance - _ROUNDING).all(axis=1))


def _count_new_seconds(starts, start, duration):
    """Return how much of a window those that start at sorted times do not cover."""
    place = bisect_left(starts, start)
    gap_before = start - starts[place - 1] if place else duration
    gap_after = starts[place] - start if place < len(starts) else duration
    return max(0.0, min(gap_before, duration) + min(gap_after, duration) - duration)
