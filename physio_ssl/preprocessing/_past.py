"""Windows that are transformed with the past of their recording only."""

import math
from dataclasses import replace

import numpy as np

from ..windows import assemble_windows, cut_signal


def make_windows_of_pasts(
    transform, recordings, rates, duration, history, step, labels, dtype, context
):
    """Return the last ``duration`` seconds of each window's past, transformed, with context before.

    ``transform`` maps a list of recordings to new ones, with the modalities and at the rates of
    ``rates``. A window is left out if it raises a ValueError for its past.
    """
    recordings = [select_modalities(recording, rates) for recording in recordings]

    def cut(number, onset, n_times):
        recording, made, parts = recordings[number], np.zeros(len(onset), dtype=bool), []
        for row, end in enumerate(onset + duration):
            start = 0 if history is None else max(0, end - history)
            try:
                (past,) = transform([_cut_out(recording, start, end)])
                parts.append(_take_last(past, n_times, dtype, context))
                made[row] = True
            except ValueError as error:
                reason = error
        if len(onset) and not parts:  # a mistake, rather than too little past
            where = f"{recording.subject} (recording {number})"
            raise ValueError(f"No past of {where} can be transformed: {reason}") from reason
        names = rates if parts else ()
        windows = {name: np.concatenate([part[name] for part in parts]) for name in names}
        return windows, made

    return assemble_windows(recordings, rates, cut, duration, step, labels, context)


def select_modalities(recording, names):
    """Return a recording of some of the modalities."""
    signals = {name: recording.signals[name] for name in names}
    rates = {name: recording.sampling_rate[name] for name in names}
    return replace(recording, signals=signals, sampling_rate=rates)


def _cut_out(recording, start, end):
    """Return the samples of a recording from ``start`` until just before ``end``, in seconds."""
    signals = {}
    for name, signal in recording.signals.items():
        rate = recording.sampling_rate[name]
        # times that are meant to be those of a sample may be rounded
        first, stop = (math.ceil(time * rate - 1e-6) for time in (start, end))
        signals[name] = signal[..., first:stop]
    return replace(recording, signals=signals)


def _take_last(recording, n_times, dtype, context):
    """Return the last samples of each modality, or raise if there are too few."""
    windows = {}
    for name, n in n_times.items():
        signal, rate = recording.signals[name], recording.sampling_rate[name]
        if signal.shape[-1] < n:
            raise ValueError(f"{name!r} must have {n} samples, got {signal.shape}.")
        last = [(signal.shape[-1] - n) / rate]
        windows[name] = cut_signal(signal, last, rate, n, dtype, context)
    return windows
