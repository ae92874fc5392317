"""Samples with time stamps, onto an even clock."""

import numpy as np
from scipy.ndimage import median_filter

_SMOOTHING = 2  # s of time stamps, whose median is free of jitter
_TOLERANCE = 0.02  # of the sampling rate
_LONGEST = 24 * 3600  # s
_REACH = 0.75  # samples from one that is on time to one that is missing


def _check_times(time, rate, name):
    """Raise if time stamps go back, last too long or contradict the sampling rate."""
    if (back := np.diff(time) < 0).any():
        before, after = time[back.argmax() :][:2]
        raise ValueError(f"{name} must not go back in time, got {after:.3f} after {before:.3f} s.")
    if time[-1] - time[0] > _LONGEST:
        raise ValueError(f"{name} must last at most a day, got {time[-1] - time[0]:.0f} s.")
    lag = min(max(int(rate), 8), len(time) - 1)  # longer than one sample: stamps jitter
    span = np.median(time[lag:] - time[:-lag]) if lag else 0
    measured = lag / span if span else np.inf
    if abs(measured / rate - 1) > _TOLERANCE:
        raise ValueError(f"{name} must be sampled at {rate:g} Hz, got {measured:.4g} Hz.")


def _smooth(time, rate):
    """Return time stamps in samples since the first, without jitter."""
    number = np.arange(len(time))
    late = (time - time[0]) * rate - number  # in samples: rises by those that are missing
    width = 2 * int(_SMOOTHING * rate / 2) + 1
    return number + median_filter(late, width, mode="nearest")


def place_on_grid(time, samples, rate, start, name):
    """Return samples, of shape (n_channels, n_times), at an even rate from a time on.

    Time stamps may jitter, and the clock may be off by 2 %: a sample goes to the nearest place.
    Places without one are gaps, NaN. An error about the time stamps starts with ``name``.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Time of each sample, in seconds. It must not go back.
    samples : ndarray of shape (n_channels, n_times)
        Samples.
    rate : float
        Sampling rate, in Hz.
    start : float
        Time of the first place, to within half a sample.
    """
    _check_times(time, rate, name)
    place = _smooth(time, rate)
    first = np.abs(place - (start - time[0]) * rate).argmin()
    grid = np.arange(place[first], place[-1] + 0.5)
    index = np.searchsorted(place, grid - 0.5).clip(0, len(place) - 1)
    placed = samples[:, index].astype(np.float32)
    placed[:, np.abs(place[index] - grid) > _REACH] = np.nan
    return placed
