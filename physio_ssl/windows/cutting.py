"""Cut recordings into windows."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from .._check import check_context, check_dtype, check_duration, check_mapping
from ..containers import SignalDict, as_recordings
from ._windows import COLUMNS, Windows
from .labels import StageLabels


def make_windows(
    recordings,
    duration,
    step=None,
    *,
    labels=None,
    valid_range=None,
    dtype=np.float32,
    context=0,
):
    """Cut recordings into windows.

    Windows start every ``step`` seconds from each recording's start, as long as all of its
    signals last. A start between two samples is moved to the nearest one.

    Parameters
    ----------
    recordings : Recording or list of Recording
        Recordings with the same modalities and sampling rates.
    duration : float
        Length of a window, in seconds, a whole number of samples of each modality.
    step : float, default=None
        Time from one window's start to the next, in seconds. None means ``duration``: no overlap.
    labels : label object, mapping from str to label object, or None, default=None
        Source of the column ``label``, e.g. ``StageLabels({"rest": 0, "stress": 1})``, or of
        several columns, e.g. ``{"arousal": RatingLabels("arousal"), ...}``. Windows that lack
        any label are dropped. None gives no labels, for pre-training.
    valid_range : mapping from str to (float, float), default=None
        Range of a modality's samples, in the unit of the signal, e.g. ``{"temp": (25, 42)}`` for
        a wristband that is worn. Windows with a sample outside of it are dropped.
    dtype : dtype, default=float32
        Type of the windows' samples.
    context : float or (float, float), default=0
        How many seconds before and after each window its samples cover, too. Onsets, labels and
        ``duration`` stay those of the window. Where the context reaches into a gap or beyond the
        recording, it is filled with the mean of the channel.

    Returns
    -------
    Windows
        With the columns ``subject``, ``recording`` (place in ``recordings``), ``onset`` and the
        labels. ``dropped`` counts windows by the first reason that applies: ``"unlabelled"``,
        ``"non-finite"`` or ``"out of range"``.

    Raises
    ------
    TypeError
        If ``recordings`` are no recordings, or ``labels`` no label objects.
    ValueError
        If durations, rates or annotations do not fit, or no window is left.

    Warns
    -----
    UserWarning
        If windows are dropped because a sample in them is not finite, signals of a recording
        differ in length by more than 5 %, or stages are shorter than what a window needs.

    See Also
    --------
    StageLabels, RatingLabels, concatenate_windows

    Notes
    -----
    A label object of your own needs one method. It gets a recording, the onset of its windows and
    their duration, in seconds, and returns a label per window and whether it is known::

        class SecondHalf:
            def assign(self, recording, onset, duration):
                values = (onset >= recording.duration / 2).astype(int)
                return values, np.ones(len(onset), dtype=bool)

    It may have a method ``check(recordings)`` that raises if the labels do not fit all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, StageLabels, make_windows
    >>> stages = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}
    >>> recording = Recording({"eda": np.ones(480)}, {"eda": 4}, "S1", stages)
    >>> labels = StageLabels({"rest": 0, "stress": 1})
    >>> make_windows(recording, duration=30, step=15, labels=labels)
    Windows(6 of 30 s, 1 subjects, class 0: 3, class 1: 3; dropped 1 unlabelled)
    """
    recordings = as_recordings(recordings)
    rates = _check_rates(recordings)
    check_dtype(dtype)
    context = check_context(context)

    def cut(number, onset, n_times):
        signals = {
            name: cut_signal(signal, onset, rates[name], n_times[name], dtype, context)
            for name, signal in recordings[number].signals.items()
        }
        return signals, np.ones(len(onset), dtype=bool)

    return assemble_windows(recordings, rates, cut, duration, step, labels, context, valid_range)


def assemble_windows(recordings, rates, cut, duration, step, labels, context, valid_range=None):
    """Return the windows that a function cuts, with their labels and what was dropped.

    ``cut(number, onset, n_times)`` gets the number of a recording, the onsets of its labelled
    windows and their number of samples by modality. It returns the signals, by modality, of those
    windows that it can make, and a bool per onset: whether it could. ``rates`` are those of the
    windows. The rest is as for ``make_windows``.
    """
    step = duration if step is None else step
    _warn_of_lengths(recordings)
    check_duration(duration)
    check_duration(step, "step")
    n_times = count_samples(duration, rates)
    count_samples(duration + context[0], rates)
    count_samples(duration + sum(context), rates)
    labels = _check_labels(labels, recordings, duration)
    valid_range = check_mapping(valid_range, "valid_range")
    if not set(valid_range) <= set(rates):
        raise ValueError(f"valid_range must name {' or '.join(rates)}, got {list(valid_range)}.")

    tables, parts, dropped = [], [], Counter()
    for number, recording in enumerate(recordings):
        onset = np.arange(0, recording.duration - duration + 1e-9, step)
        subject = np.full(len(onset), recording.subject, dtype=object)
        table = {"subject": subject, "recording": np.full(len(onset), number), "onset": onset}
        known = np.ones(len(onset), dtype=bool)
        for column, label in labels.items():
            table[column], has_label = _assign(label, recording, onset, duration)
            known &= has_label
        dropped["unlabelled"] += np.count_nonzero(~known)
        rows = np.flatnonzero(known)
        signals, made = cut(number, onset[rows], n_times)
        dropped["unusable past"] += np.count_nonzero(~made)
        rows = rows[made]
        if not len(rows):
            continue
        finite = np.all([np.isfinite(x).all(axis=(1, 2)) for x in signals.values()], axis=0)
        keep = finite.copy()
        for name, (low, high) in valid_range.items():
            keep &= ~(signals[name].min(axis=(1, 2)) < low)
            keep &= ~(signals[name].max(axis=(1, 2)) > high)
        dropped["non-finite"] += np.count_nonzero(~finite)
        dropped["out of range"] += np.count_nonzero(finite & ~keep)
        parts.append({name: x if keep.all() else x[keep] for name, x in signals.items()})
        tables.append({column: values[rows[keep]] for column, values in table.items()})

    dropped = Counter({reason: int(n) for reason, n in dropped.items()})
    if not any(len(table["onset"]) for table in tables):
        longest = max(recording.duration for recording in recordings)
        hint = " Onsets and durations of annotations are in seconds." * (dropped["unlabelled"] > 0)
        raise ValueError(
            f"No window of {duration:g} s is left of recordings of at most {longest:g} s; dropped: "
            f"{dict(+dropped) or 'none'}.{hint}"
        )
    if dropped["non-finite"]:
        n_finite = sum(len(table["onset"]) for table in tables) + dropped["out of range"]
        warnings.warn(
            f"{dropped['non-finite']} of {dropped['non-finite'] + n_finite} windows are dropped: "
            "they hold or touch a gap, which are samples of NaN, or hold infinite samples.",
            stacklevel=3,
        )
    X = {name: np.concatenate([part[name] for part in parts]) for name in rates}
    info = {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
    return Windows(SignalDict(X), pd.DataFrame(info), duration, rates, +dropped, context=context)


def _warn_of_lengths(recordings):
    """Warn of recordings whose signals end at different times, as those with a wrong rate do."""
    for recording in recordings:
        rates, signals = recording.sampling_rate, recording.signals.items()
        lengths = {name: signal.shape[-1] / rates[name] for name, signal in signals}
        if max(lengths.values()) > 1.05 * min(lengths.values()) + 1:
            found = ", ".join(f"{name} {length:.0f} s" for name, length in lengths.items())
            warnings.warn(
                f"The signals of {recording.subject} last {found}: only the first "
                f"{recording.duration:.0f} s are cut into windows. If that is wrong, check their "
                "sampling rates, and that all begin at time 0.",
                stacklevel=4,
            )


def start_samples(onset, sampling_rate):
    """Return the sample nearest to each onset, in seconds; of two equally near ones, the later.

    The last window may be rounded up to end one sample beyond the signal.
    """
    return np.floor(np.asarray(onset) * sampling_rate + 0.5).astype(np.intp)


def _check_rates(recordings):
    """Return the sampling rate of each modality, the same for all recordings."""
    if not recordings:
        raise ValueError("There must be at least one recording, got none.")
    rates = dict(recordings[0].sampling_rate)
    for recording in recordings:
        found = dict(recording.sampling_rate)
        if found != rates:
            raise ValueError(
                f"All recordings must have the same sampling rates, got {rates} for "
                f"{recordings[0].subject} and {found} for {recording.subject}."
            )
    return rates


def count_samples(duration, rates):
    """Return the number of samples per window of each modality, at its rate, in Hz."""
    n_times = {}
    for name, rate in rates.items():
        n_times[name] = round(duration * rate)
        if n_times[name] < 1 or abs(duration * rate - n_times[name]) > 1e-6:
            raise ValueError(
                f"A window must be a whole number of samples, but {duration:g} s of "
                f"{name!r} at {rate:g} Hz are {duration * rate:g}."
            )
    return n_times


def _check_labels(labels, recordings, duration):
    """Return label objects by column."""
    if labels is None:
        return {}
    labels = dict(labels) if isinstance(labels, Mapping) else {"label": labels}
    for column, label in labels.items():
        if not callable(getattr(label, "assign", None)):
            raise TypeError(
                f"labels must be a label object, e.g. StageLabels, or a mapping, got {label!r}."
            )
        if not isinstance(column, str) or column in COLUMNS:
            raise ValueError(f"Labels need a column of their own, named by a str, got {column!r}.")
        if hasattr(label, "check"):
            label.check(recordings)
        if isinstance(label, StageLabels):
            label.warn_of_short(recordings, duration)
    return labels


def _assign(label, recording, onset, duration):
    """Return a label per window and whether it is known, as arrays of the right shape."""
    values, known = (np.asarray(array) for array in label.assign(recording, onset, duration))
    if values.shape != onset.shape or known.shape != onset.shape or known.dtype != bool:
        raise ValueError(
            f"assign must return {len(onset)} labels and as many bool, got {values.shape} and "
            f"{known.shape} of {known.dtype} from {label!r}."
        )
    return values, known


def cut_from_recordings(windows, recordings, context=(0.0, 0.0)):
    """Cut windows again, out of the recordings as they were read.

    Parameters
    ----------
    windows : Windows
        Windows with a duration, and the columns ``recording`` and ``onset``.
    recordings : Recording or list of Recording
        In the order in which the windows number them.
    context : (float, float), default=(0.0, 0.0)
        As for ``make_windows``.

    Yields
    ------
    rows : ndarray of int
        Places of the windows of one recording.
    signals : SignalDict
        These windows of all its signals, at the recorded rates.
    sampling_rate : dict from str to float
        The recorded rates, in Hz.

    Raises
    ------
    ValueError
        If the recordings are not those of the windows.
    """
    for rows, recording in find_recordings(windows, recordings):
        rates, onset = recording.sampling_rate, windows.onset[rows]
        n_times = count_samples(windows.duration, rates)
        cut = {
            name: cut_signal(signal, onset, rates[name], n_times[name], np.float32, context)
            for name, signal in recording.signals.items()
        }
        yield rows, SignalDict(cut), rates


def find_recordings(windows, recordings):
    """Yield the places of each recording's windows, and the recording, checked to be theirs.

    Arguments and errors are those of ``cut_from_recordings``.
    """
    number, onset, recordings = windows.recording, windows.onset, as_recordings(recordings)
    if number is None or onset is None or windows.duration is None:
        raise ValueError(
            "To find windows in their recordings they must have a duration, recording and onset, "
            f"got {list(windows.info)}."
        )
    for source in np.unique(number):
        rows = np.flatnonzero(number == source)
        subject, *others = np.unique(windows.groups[rows]).tolist()
        found = recordings[source].subject if source < len(recordings) else "missing"
        # Studies often prepend the name of the data set, "WESAD/S2": but "12" is not "2".
        prefix = subject.removesuffix(found)
        is_same = subject.endswith(found) and not prefix[-1:].isalnum()
        if source >= len(recordings) or not is_same or others:
            raise ValueError(
                f"Recordings must be those of the windows, in order, but recording {source} of "
                f"{subject!r} is {found!r}."
            )
        signals, rates = recordings[source].signals, recordings[source].sampling_rate
        end = onset[rows].max() + windows.duration
        for name, signal in signals.items():
            if end > signal.shape[-1] / rates[name] + 1:  # windows may be rounded to a sample
                raise ValueError(
                    f"Recordings must be those of the windows, in order, but {name!r} of recording "
                    f"{source} lasts {signal.shape[-1] / rates[name]:g} s, and its windows {end:g} "
                    "s."
                )
        yield rows, recordings[source]


def attach_native(windows, recordings):
    """Return the windows with ``native``: the same windows of all signals of the recordings.

    The windows must be in the order of their recordings, which have the same rates.
    """
    rates = _check_rates(recordings)
    parts = [signals for _, signals, _ in cut_from_recordings(windows, recordings)]
    native = {name: np.concatenate([part[name] for part in parts]) for name in rates}
    return replace(windows, native=native, native_sampling_rate=rates)


def cut_signal(signal, onset, rate, n_times, dtype, context=(0.0, 0.0)):
    """Copy the windows that start at ``onset`` out of a signal, (1, n_channels, n_times).

    ``n_times`` counts the samples of a window without its context.
    """
    before, after = (round(seconds * rate) for seconds in context)
    if not len(onset):
        return np.empty((0, signal.shape[1], before + n_times + after), dtype)
    # the last one may be rounded up by one sample
    start = np.minimum(start_samples(onset, rate), signal.shape[-1] - n_times)
    if not before + after:
        return _take(signal[0], start, n_times, dtype)
    finite = np.isfinite(signal[0])
    mean = np.mean(signal[0], axis=-1, keepdims=True, where=finite | ~finite.any(-1)[:, None])
    filled = np.where(finite, signal[0], mean)
    edges = [np.repeat(mean, n, axis=-1) for n in (before, after)]
    padded = np.concatenate([edges[0], filled, edges[1]], axis=-1)
    windows = _take(padded, start, before + n_times + after, dtype)
    # a gap in the window itself stays a gap
    windows[..., before : before + n_times] = _take(signal[0], start, n_times, dtype)
    return windows


def _take(signal, start, n_times, dtype):
    views = sliding_window_view(signal, n_times, axis=-1)  # (n_channels, starts, n_times)
    return np.moveaxis(views[:, start], 0, 1).astype(dtype, order="C", copy=False)
