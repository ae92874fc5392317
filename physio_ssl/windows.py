"""Cut recordings into windows with labels, subjects and onsets."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .containers import Recording, SignalDict


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """What ``make_windows`` returns.

    Attributes
    ----------
    X : SignalDict
        The windows, each modality of shape (n_windows, n_channels, n_times).
    y : ndarray of shape (n_windows,), or None
        Label of each window; None where no labels were asked for.
    groups : ndarray of str, of shape (n_windows,)
        Subject of each window.
    onset : ndarray of float, of shape (n_windows,)
        Start of each window, in seconds from its recording's start.
    recording : ndarray of int, of shape (n_windows,)
        Which of the recordings each window comes from.
    duration : float
        Length of the windows, in seconds.
    sampling_rate : dict from str to float
        Sampling rate of each modality, in Hz.
    dropped : dict from str to int
        Number of windows that were left out, for each reason.
    """

    X: SignalDict
    y: np.ndarray | None
    groups: np.ndarray
    onset: np.ndarray
    recording: np.ndarray
    duration: float
    sampling_rate: dict
    dropped: dict

    def __len__(self):
        return len(self.X)

    def __repr__(self):
        text = f"Windows({len(self)} of {self.duration:g} s, {len(set(self.groups))} subjects"
        if self.y is not None and self.y.dtype.kind != "f":
            classes, counts = np.unique(self.y, return_counts=True)
            text += ", " + ", ".join(
                f"class {c}: {n}" for c, n in zip(classes, counts, strict=True)
            )
        dropped = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items())
        return text + f"; dropped {dropped or 'none'})"

    def select(self, rows, dropped=None):
        """Keep some of the windows.

        Parameters
        ----------
        rows : array-like of bool or of int
            Which windows to keep: one truth value each, or their places, in any order. None
            are kept of an empty list.
        dropped : mapping from str to int, default=None
            Number of windows that are left out by this, for each reason, to be added to
            those that were before.

        Returns
        -------
        Windows
            New windows.
        """
        rows = np.asarray(rows)
        if rows.shape == (0,) and rows.dtype.kind == "f":  # which NumPy makes of []
            rows = rows.astype(np.intp)
        return replace(
            self,
            X=self.X[rows],
            y=None if self.y is None else self.y[rows],
            groups=self.groups[rows],
            onset=self.onset[rows],
            recording=self.recording[rows],
            dropped=dict(Counter(self.dropped) + Counter(dropped or {})),
        )


def make_windows(
    recordings,
    duration,
    step=None,
    *,
    label=None,
    min_coverage=1.0,
    bins=None,
    valid_range=None,
    dtype=np.float32,
):
    """Cut recordings into windows.

    Windows start every ``step`` seconds from each recording's start, as long as all of its
    signals last. Where a start falls between two samples the nearest one is taken.

    Parameters
    ----------
    recordings : Recording or list of Recording
        Recordings with the same modalities and sampling rates.
    duration : float
        Length of a window, in seconds; must be a whole number of samples of each modality.
    step : float, default=None
        Time from one window's start to the next, in seconds; None stands for
        ``duration``, windows without overlap.
    label : mapping, str or None, default=None
        Where labels come from. A mapping from an annotation's description to a class, e.g.
        ``{"baseline": 0, "amusement": 0, "stress": 1}``: the class that covers at least
        ``min_coverage`` of the window. The name of a rating scale, e.g. ``"arousal"``: its mean
        over the window. None: no labels, for pre-training.
    min_coverage : float, default=1.0
        Share of a window, above 0.5, that one class must cover; or, for a rating, share that
        must lie between its first and its last time.
    bins : list of float, default=None
        Thresholds that turn mean ratings into classes 0, 1, ...; a rating at a
        threshold belongs to the higher class.
    valid_range : mapping from str to (float, float), default=None
        Range, in the unit of the signal, outside which a sample of that modality
        makes its window be left out, e.g. ``{"temp": (25, 42)}`` for a wristband that is worn.
    dtype : dtype, default=float32
        Type of the windows' samples.

    Returns
    -------
    Windows
        With ``X``, ``y``, ``groups``, ``onset`` and a count of what was dropped, and why:
        ``"unlabelled"``, ``"non-finite"`` or ``"out of range"``.

    Raises
    ------
    TypeError
        If an item of ``recordings`` is not a ``Recording``.
    ValueError
        If durations, rates or annotations do not fit, or no window is left.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, make_windows
    >>> stages = {"onset": [0, 60], "duration": [60, 60], "description": ["rest", "stress"]}
    >>> recording = Recording({"eda": np.ones(480)}, {"eda": 4}, "S1", stages)
    >>> make_windows(recording, duration=30, step=15, label={"rest": 0, "stress": 1})
    Windows(6 of 30 s, 1 subjects, class 0: 3, class 1: 3; dropped 1 unlabelled)
    """
    recordings = [recordings] if isinstance(recordings, Recording) else list(recordings)
    step = duration if step is None else step
    rates = _check_recordings(recordings)
    n_times = _check_durations(duration, step, rates)
    _check_label(label, min_coverage, bins, recordings)
    for name in valid_range or ():
        if name not in rates:
            raise ValueError(f"valid_range names {name!r}, but there is only {', '.join(rates)}.")

    parts, y, groups, onsets, sources = [], [], [], [], []
    dropped = Counter()
    for source, recording in enumerate(recordings):
        onset = np.arange(0, recording.duration - duration + 1e-9, step)
        labels, keep = _label_windows(recording, onset, duration, label, min_coverage, bins)
        dropped["unlabelled"] += int((~keep).sum())
        onset, labels = onset[keep], labels[keep]
        windows, keep = {}, np.ones(len(onset), dtype=bool)
        for name, signal in recording.signals.items():
            windows[name] = _cut(signal, onset, rates[name], n_times[name], dtype)
        for reason, bad in _find_bad(windows, valid_range or {}):
            dropped[reason] += int((keep & bad).sum())
            keep &= ~bad
        if not keep.all():
            windows = {name: array[keep] for name, array in windows.items()}
        parts.append(windows)
        y.append(labels[keep])
        onsets.append(onset[keep])
        groups.append(np.full(keep.sum(), recording.subject))
        sources.append(np.full(keep.sum(), source))
    dropped = {reason: n for reason, n in dropped.items() if n}
    if not sum(map(len, onsets)):
        raise ValueError(
            f"No window of {duration:g} s is left of {len(recordings)} recordings lasting "
            f"{min(r.duration for r in recordings):g} to "
            f"{max(r.duration for r in recordings):g} s; dropped: {dropped or 'none'}."
        )
    return Windows(
        X=SignalDict({name: np.concatenate([part[name] for part in parts]) for name in rates}),
        y=None if label is None else np.concatenate(y),
        groups=np.concatenate(groups),
        onset=np.concatenate(onsets),
        recording=np.concatenate(sources),
        duration=float(duration),
        sampling_rate=rates,
        dropped=dropped,
    )


def _check_recordings(recordings):
    """Return the sampling rate of each modality, the same for all recordings."""
    if not recordings:
        raise ValueError("There must be at least one recording, got none.")
    for recording in recordings:
        if not isinstance(recording, Recording):
            raise TypeError(f"Expected recordings, got a {type(recording).__name__}.")
    rates = dict(recordings[0].sampling_rate)
    for recording in recordings[1:]:
        if recording.sampling_rate != rates:
            raise ValueError(
                "All recordings must have the same modalities and sampling rates, got "
                f"{rates} for {recordings[0].subject} and {dict(recording.sampling_rate)} "
                f"for {recording.subject}: resample them, or leave a modality out."
            )
    return rates


def _check_durations(duration, step, rates):
    """Return the number of samples per window of each modality."""
    if not (duration > 0 and step > 0):
        raise ValueError(
            f"duration and step must be positive, in seconds, got {duration} and {step}."
        )
    n_times = {}
    for name, rate in rates.items():
        n_times[name] = round(duration * rate)
        if n_times[name] < 1 or abs(duration * rate - n_times[name]) > 1e-6:
            raise ValueError(
                f"A window must be a whole number of samples, but {duration:g} s of "
                f"{name!r} at {rate:g} Hz are {duration * rate:g}."
            )
    return n_times


def _check_label(label, min_coverage, bins, recordings):
    if label is not None and not isinstance(label, (str, Mapping)):
        raise TypeError(
            "label must be a mapping from descriptions to classes, the name of a rating "
            f"scale, or None, got {label!r}."
        )
    if isinstance(label, Mapping):
        known = {
            description
            for recording in recordings
            for description in (recording.annotations or {}).get("description", ())
        }
        kinds = {isinstance(value, str) for value in label.values()}
        if len(kinds) > 1:
            raise ValueError(f"Classes must be all numbers or all str, got {dict(label)}.")
        unknown = [description for description in label if description not in known]
        if known and (unknown or not label):
            raise ValueError(
                "label must give classes to descriptions in the recordings' annotations, "
                f"{', '.join(sorted(map(str, known)))}, got {', '.join(unknown) or 'none'}."
            )
    if not 0.5 < min_coverage <= 1:
        raise ValueError(f"min_coverage must be above 0.5 and at most 1, got {min_coverage}.")
    if bins is not None and not isinstance(label, str):
        raise ValueError("bins are for ratings: label must then name a rating scale.")


def _cut(signal, onset, rate, n_times, dtype):
    """Copy the windows that start at ``onset`` out of a signal, (1, n_channels, n_times)."""
    if not len(onset):
        return np.empty((0, signal.shape[1], n_times), dtype)
    start = np.floor(onset * rate + 0.5).astype(np.intp)
    start = np.minimum(start, signal.shape[-1] - n_times)  # the last may round up by one
    views = sliding_window_view(signal[0], n_times, axis=-1)  # (n_channels, starts, n_times)
    return np.moveaxis(views[:, start], 0, 1).astype(dtype, order="C", copy=False)


def _find_bad(windows, valid_range):
    """Yield reasons to leave windows out, and which ones have them."""
    n_windows = len(next(iter(windows.values())))
    bad = np.zeros(n_windows, dtype=bool)
    for array in windows.values():
        bad |= ~np.isfinite(array).all(axis=(1, 2))
    yield "non-finite", bad
    bad = np.zeros(n_windows, dtype=bool)
    for name, (low, high) in valid_range.items():
        bad |= (windows[name].min(axis=(1, 2)) < low) | (windows[name].max(axis=(1, 2)) > high)
    yield "out of range", bad


def _label_windows(recording, onset, duration, label, min_coverage, bins):
    """Return the label of each window and whether it has one."""
    if label is None:
        return np.zeros(len(onset)), np.ones(len(onset), dtype=bool)
    annotations = recording.annotations
    needed = "description" if isinstance(label, Mapping) else label
    if annotations is None or needed not in annotations:
        raise ValueError(
            f"Labels need annotations with the column {needed!r}, but those of "
            f"{recording.subject} have {', '.join(annotations or ()) or 'none'}."
        )
    if isinstance(label, Mapping):
        return _label_by_annotation(annotations, onset, duration, label, min_coverage)
    return _label_by_rating(
        annotations["time"], annotations[label], onset, duration, min_coverage, bins
    )


def _label_by_annotation(annotations, onset, duration, label, min_coverage):
    classes = np.unique(list(label.values()))
    start, stop = annotations["onset"], annotations["onset"] + annotations["duration"]
    share = np.zeros((len(onset), len(classes)))
    for i, c in enumerate(classes):
        mine = [label.get(description) == c for description in annotations["description"]]
        for a, b in _union(start[mine], stop[mine]):
            overlap = np.minimum(onset + duration, b) - np.maximum(onset, a)
            share[:, i] += np.clip(overlap, 0, None) / duration
    # Seconds are rounded in annotation files: allow a thousandth of the window.
    keep = share.max(axis=1, initial=0) >= min_coverage - 1e-3
    return classes[share.argmax(axis=1)], keep


def _union(start, stop):
    """Merge intervals that overlap, so that no time counts twice."""
    merged = []
    for a, b in sorted(zip(start, stop, strict=True)):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


def _label_by_rating(time, rating, onset, duration, min_coverage, bins):
    first, last = np.searchsorted(time, [onset, onset + duration])
    count = last - first
    # A missing rating spoils the windows that hold it, not those after it.
    finite = np.isfinite(rating)
    missing = np.concatenate([[0], np.cumsum(~finite)])
    # Sums of differences from the first: the mean of a rating that does not change is exactly
    # that rating, which may be the threshold of two classes.
    reference = float(rating[finite][0]) if finite.any() else 0.0
    total = np.concatenate([[0], np.cumsum(np.where(finite, rating - reference, 0))])
    mean = reference + (total[last] - total[first]) / np.maximum(count, 1)
    if len(time) == 0:
        return mean, np.zeros(len(onset), dtype=bool)
    covered = np.minimum(onset + duration, time[-1]) - np.maximum(onset, time[0])
    # A rating holds until the next one: the last covers one more interval.
    interval = np.median(np.diff(time)) if len(time) > 1 else duration
    keep = (count > 0) & (covered + interval >= min_coverage * duration)
    keep &= missing[last] == missing[first]
    return (mean if bins is None else np.digitize(mean, bins)), keep
