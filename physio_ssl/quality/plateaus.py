"""Stretches of equal samples: flat lines, and waves that are clipped at the end of the range."""

import numpy as np

_PLATEAU = 0.02  # s, at least, that a clipped wave stays at the end of the range


def _run_lengths(same):
    """Return how many successive values are true up to each one, along the last axis."""
    places = np.arange(1, same.shape[-1] + 1)
    return places - np.maximum.accumulate(np.where(same, 0, places), axis=-1)


def _measure_runs(same):
    """Return the length of the run of true values at the last of each run, elsewhere 0."""
    length = _run_lengths(same)
    return np.where(np.diff(length, axis=-1, append=0) < 0, length, 0)


def find_flat(X, sampling_rate, max_flat):
    """Return which signals of (..., n_times) are constant for more than ``max_flat`` seconds."""
    run = _run_lengths(X[..., 1:] == X[..., :-1]).max(axis=-1) + 1
    return (run > max_flat * sampling_rate) | (run == X.shape[-1])


def measure_flat(x, sampling_rate, max_flat):
    """Return the fraction of (..., n_times) in runs of equal samples of over ``max_flat`` s."""
    run = _measure_runs(x[..., 1:] == x[..., :-1])
    run = np.where(run > 0, run + 1, 0)
    return np.where(run > max_flat * sampling_rate, run, 0).sum(axis=-1) / x.shape[-1]


def measure_clipped(X, sampling_rate):
    """Return the fraction of (..., n_times) in plateaus at the highest or lowest value.

    A plateau has three samples, and lasts 20 ms. The samples that are NaN are in none.
    """
    shortest = max(3, round(_PLATEAU * sampling_rate))
    n_clipped = np.zeros(X.shape[:-1])
    for end in (np.fmin, np.fmax):
        run = _measure_runs(end.reduce(X, axis=-1, keepdims=True) == X)
        n_clipped += np.where(run >= shortest, run, 0).sum(axis=-1)
    return np.minimum(n_clipped / X.shape[-1], 1)  # a constant signal is at both ends
