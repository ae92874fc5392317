"""Labels of windows, from stages or from ratings.

A label object has the method ``assign`` and may have ``check``; `make_windows` describes both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


def _check_coverage(min_coverage):
    if not 0.5 < min_coverage <= 1:
        raise ValueError(f"min_coverage must be above 0.5 and at most 1, got {min_coverage}.")


def _get_annotations(recording, *names):
    """Return columns of a recording's annotations, or raise if one is missing."""
    annotations = recording.annotations or {}
    for name in names:
        if name not in annotations:
            raise ValueError(
                f"Labels need annotations with the column {name!r}, but those of "
                f"{recording.subject} have {', '.join(annotations) or 'none'}."
            )
    return [annotations[name] for name in names]


@dataclass(frozen=True)
class StageLabels:
    """Label windows by the stage of the recording that covers them.

    Parameters
    ----------
    classes : mapping from str to int or str
        Class of each stage, by its description in the annotations, e.g.
        ``{"baseline": 0, "amusement": 0, "stress": 1}``. Stages of one class count together.
        Windows in other stages stay unlabelled.
    min_coverage : float, default=1.0
        Fraction of a window, above 0.5, that one class must cover.

    Raises
    ------
    TypeError
        If ``classes`` is not a mapping.
    ValueError
        If it is empty or mixes numbers and str, or ``min_coverage`` is out of range.

    See Also
    --------
    RatingLabels : Label windows by a continuous rating.
    make_windows : Cut and label windows.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, StageLabels
    >>> stages = {"onset": [0, 50], "duration": [50, 70], "description": ["rest", "stress"]}
    >>> recording = Recording({"eda": np.ones(480)}, {"eda": 4}, "S1", stages)
    >>> labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=0.8)
    >>> labels.assign(recording, onset=np.array([0, 20, 40, 60]), duration=40)
    (array([0, 0, 1, 1]), array([ True, False, False,  True]))
    """

    classes: Mapping
    min_coverage: float = 1.0

    def __post_init__(self):
        if not isinstance(self.classes, Mapping):
            raise TypeError(
                "classes must be a mapping from descriptions of stages to classes, got "
                f"{self.classes!r}."
            )
        if len({isinstance(value, str) for value in self.classes.values()}) != 1:
            raise ValueError(
                f"classes must be all numbers or all str, and not empty, got {dict(self.classes)}."
            )
        _check_coverage(self.min_coverage)

    def check(self, recordings):
        """Raise if a stage is in none of the recordings, e.g. because of a typing error."""
        known = {
            description
            for recording in recordings
            for description in (recording.annotations or {}).get("description", ())
        }
        unknown = [description for description in self.classes if description not in known]
        if known and unknown:
            there = ", ".join(sorted(map(str, known)))
            raise ValueError(
                f"classes must name stages of the recordings, {there}, got "
                f"{', '.join(map(str, unknown))}."
            )

    def assign(self, recording, onset, duration):
        """Label the windows of one recording.

        Parameters
        ----------
        recording : Recording
            With annotations ``onset``, ``duration`` and ``description``.
        onset : ndarray of float, of shape (n_windows,)
            Start of each window, in seconds.
        duration : float
            Length of the windows, in seconds.

        Returns
        -------
        values : ndarray of shape (n_windows,)
            Class of each window.
        known : ndarray of bool, of shape (n_windows,)
            Whether the class covers enough of the window.
        """
        start, length, descriptions = _get_annotations(
            recording, "onset", "duration", "description"
        )
        classes = np.unique(list(self.classes.values()))
        coverage = np.zeros((len(onset), len(classes)))
        for i, c in enumerate(classes):
            chosen = [self.classes.get(description) == c for description in descriptions]
            for a, b in _union(start[chosen], (start + length)[chosen]):
                overlap = np.minimum(onset + duration, b) - np.maximum(onset, a)
                coverage[:, i] += np.clip(overlap, 0, None) / duration
        # Seconds are rounded in annotation files: allow a thousandth of the window.
        known = coverage.max(axis=1) >= self.min_coverage - 1e-3
        return classes[coverage.argmax(axis=1)], known


def _union(start, stop):
    """Merge intervals that overlap, so that no time counts twice."""
    merged = []
    for a, b in sorted(zip(start, stop, strict=True)):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


@dataclass(frozen=True)
class RatingLabels:
    """Label windows by the mean of a continuous rating.

    Parameters
    ----------
    scale : str
        Name of the rating's column in the annotations, e.g. ``"arousal"``.
    bins : list of float, default=None
        Increasing thresholds that turn mean ratings into classes 0, 1, ...; a rating at a
        threshold belongs to the higher class. None keeps the mean rating as a float.
    min_coverage : float, default=1.0
        Fraction of a window, above 0.5, that must lie between the first and the last rating.
        A window with a missing rating stays unlabelled.

    Raises
    ------
    TypeError
        If ``scale`` is not a str.
    ValueError
        If ``bins`` do not increase, or ``min_coverage`` is out of range.

    See Also
    --------
    StageLabels : Label windows by stages.
    make_windows : Cut and label windows.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import RatingLabels, Recording
    >>> ratings = {"time": np.arange(120), "arousal": np.repeat([2.0, 7.0], 60)}
    >>> recording = Recording({"eda": np.ones(480)}, {"eda": 4}, "S1", ratings)
    >>> RatingLabels("arousal", bins=[5]).assign(recording, onset=np.array([0, 60]), duration=60)
    (array([0, 1]), array([ True,  True]))
    """

    scale: str
    bins: list | None = None
    min_coverage: float = 1.0

    def __post_init__(self):
        if not isinstance(self.scale, str):
            raise TypeError(f"scale must be the name of a rating, as str, got {self.scale!r}.")
        if self.bins is not None and not (
            np.ndim(self.bins) == 1 and (np.diff(np.asarray(self.bins, dtype=float)) > 0).all()
        ):
            raise ValueError(f"bins must be increasing thresholds, got {self.bins!r}.")
        _check_coverage(self.min_coverage)

    def assign(self, recording, onset, duration):
        """Return the rating of each window and whether it is known, like ``StageLabels.assign``.

        The recording needs the annotations ``time`` and one named like ``scale``.
        """
        time, rating = _get_annotations(recording, "time", self.scale)
        first, last = np.searchsorted(time, [onset, onset + duration])
        count = last - first
        # A missing rating spoils the windows that hold it, not those after it.
        finite = np.isfinite(rating)
        missing = np.concatenate([[0], np.cumsum(~finite)])
        # Sums of differences from the first rating: the mean of a constant rating is exactly
        # that rating, which may be the threshold of two classes.
        reference = float(rating[finite][0]) if finite.any() else 0.0
        total = np.concatenate([[0], np.cumsum(np.where(finite, rating - reference, 0))])
        mean = reference + (total[last] - total[first]) / np.maximum(count, 1)
        values = mean if self.bins is None else np.digitize(mean, self.bins)
        if len(time) == 0:
            return values, np.zeros(len(onset), dtype=bool)
        covered = np.minimum(onset + duration, time[-1]) - np.maximum(onset, time[0])
        # A rating holds until the next one: the last covers one more interval.
        interval = np.median(np.diff(time)) if len(time) > 1 else duration
        known = (count > 0) & (covered + interval >= self.min_coverage * duration)
        known &= missing[last] == missing[first]
        return values, known
