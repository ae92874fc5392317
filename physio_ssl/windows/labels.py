"""Labels of windows, from stages or from ratings."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._check import check_count, check_list, check_number


def _check_coverage(min_coverage):
    rule = "above 0.5 and at most 1"
    check_number(min_coverage, "min_coverage", 0.5, 1, rule, above=True)


def _get_annotations(recording, *names):
    """Return columns of a recording's annotations, or raise if one is missing."""
    table = recording.ratings if "time" in names and recording.ratings else recording.annotations
    found = table or {}
    if not found.keys() >= set(names):
        raise ValueError(
            f"Labels need the annotations {', '.join(names)}, got {', '.join(found) or 'none'} for "
            f"{recording.subject}."
        )
    return [found[name] for name in names]


def _union(start, stop):
    """Merge intervals that overlap, so that no time counts twice."""
    merged = []
    for a, b in sorted(zip(start, stop, strict=True)):
        if merged and a <= merged[-1][1]:
            merged[-1][1] = max(b, merged[-1][1])
        else:
            merged.append([a, b])
    return merged


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
    TypeError, ValueError
        If ``classes`` does not map to numbers or to str, or ``min_coverage`` is out of range.

    See Also
    --------
    RatingLabels, make_windows

    Examples
    --------
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> recordings = simulate_wristband(1, signals=["eda"], random_state=0)
    >>> labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=1)
    >>> make_windows(recordings, duration=60, labels=labels).y.tolist()
    [0, 1, 0, 1, 1, 0, 1]
    """

    classes: Mapping
    min_coverage: float = 1.0

    def __post_init__(self):
        if not isinstance(self.classes, Mapping):
            raise TypeError(f"classes must map stages to classes, got {self.classes!r}.")
        if len({isinstance(value, str) for value in self.classes.values()}) != 1:
            raise ValueError(f"classes must be all numbers or all str, got {dict(self.classes)}.")
        _check_coverage(self.min_coverage)

    def check(self, recordings):
        """Raise if a stage is in none of the recordings, e.g. because of a typing error."""
        annotations = [recording.annotations or {} for recording in recordings]
        known = {stage for columns in annotations for stage in columns.get("description", ())}
        unknown = [str(stage) for stage in self.classes if stage not in known]
        if known and unknown:
            known = ", ".join(sorted(map(str, known)))
            raise ValueError(f"classes must be of the stages {known}, got {', '.join(unknown)}.")

    def warn_of_short(self, recordings, duration):
        """Warn of stages that are shorter than what a window of ``duration`` seconds needs."""
        lengths = [b - a for r in recordings for _, spans in self._find(r) for a, b in spans]
        # Seconds are rounded in annotation files: allow a thousandth of the window.
        needed = (self.min_coverage - 1e-3) * duration
        n_short = sum(length < needed for length in lengths)
        if n_short:
            warnings.warn(
                f"{n_short} of {len(lengths)} stages are shorter than a window of {duration:g} s "
                f"needs (min_coverage={self.min_coverage:g}), and label none: choose shorter "
                "windows or a lower min_coverage.",
                stacklevel=5,
            )

    def _find(self, recording):
        """Yield each class, and the start and end of its stages; adjacent ones are one."""
        start, length, stages = _get_annotations(recording, "onset", "duration", "description")
        for c in np.unique(list(self.classes.values())):
            chosen = [self.classes.get(stage) == c for stage in stages]
            yield c, _union(start[chosen], (start + length)[chosen])

    def assign(self, recording, onset, duration):
        """Return the class of each window, and whether it covers enough of the window."""
        classes = np.unique(list(self.classes.values()))
        coverage = np.zeros((len(onset), len(classes)))
        for i, (_, spans) in enumerate(self._find(recording)):
            for a, b in spans:
                overlap = np.minimum(onset + duration, b) - np.maximum(onset, a)
                coverage[:, i] += np.clip(overlap, 0, None) / duration
        # Seconds are rounded in annotation files: allow a thousandth of the window.
        known = coverage.max(axis=1) >= self.min_coverage - 1e-3
        return classes[coverage.argmax(axis=1)], known


@dataclass(frozen=True)
class RatingLabels:
    """Label windows by the mean of a continuous rating.

    Parameters
    ----------
    scale : str
        Name of the rating's column in the ratings or annotations, e.g. ``"arousal"``.
    bins : list of float, default=None
        Increasing thresholds of classes 0, 1, ...; ``[5]`` gives class 1 to mean ratings of 5 and
        above. None keeps the mean rating as a float.
    min_coverage : float, default=1.0
        Fraction of a window, above 0.5, that must lie between the first and the last rating.
        A window with a missing rating stays unlabelled.

    Raises
    ------
    TypeError, ValueError
        If ``scale`` is not a str, ``bins`` do not increase, or ``min_coverage`` is out of range.

    See Also
    --------
    StageLabels, make_windows

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import RatingLabels, Recording, make_windows
    >>> ratings = {"time": [0, 60, 120], "arousal": [2.0, 2.0, 8.0]}
    >>> recording = Recording({"eda": np.ones(480)}, {"eda": 4}, "P01", ratings)
    >>> make_windows(recording, duration=60, labels=RatingLabels("arousal", bins=[5])).y.tolist()
    [0, 0]
    """

    scale: str
    bins: list | None = None
    min_coverage: float = 1.0

    def __post_init__(self):
        if not isinstance(self.scale, str):
            raise TypeError(f"scale must be the name of a rating, as str, got {self.scale!r}.")
        bins = [] if self.bins is None else check_list(self.bins, "bins")
        bins = [check_number(threshold, "bins", rule="numbers") for threshold in bins]
        if not (np.diff(bins) > 0).all():
            raise ValueError(f"bins must be increasing thresholds, got {self.bins!r}.")
        _check_coverage(self.min_coverage)

    @classmethod
    def equal_width(cls, scale, low, high, n_classes=2, *, min_coverage=1.0):
        """Divide a scale into classes of equal width: at its middle, by its thirds, ...

        Parameters
        ----------
        scale : str
            Name of the rating's column.
        low, high : float
            Ends of the scale, e.g. 1 and 9.
        n_classes : int, default=2
            Number of classes, at least two.
        min_coverage : float, default=1.0
            As for the class.

        Returns
        -------
        RatingLabels
            Labels with ``n_classes - 1`` thresholds.

        Examples
        --------
        >>> from physio_ssl import RatingLabels
        >>> RatingLabels.equal_width("valence", 1, 10, n_classes=3).bins
        [4.0, 7.0]
        """
        low = check_number(low, "low", rule="a number")
        high = check_number(high, "high", low, rule="above low", above=True)
        check_count(n_classes, "n_classes", 2)
        bins = np.linspace(low, high, n_classes + 1)[1:-1].tolist()
        return cls(scale, bins, min_coverage)

    def assign(self, recording, onset, duration):
        """Return the rating of each window, and whether it is known for all of the window."""
        time, rating = _get_annotations(recording, "time", self.scale)
        first, last = np.searchsorted(time, [onset, onset + duration])
        # A missing rating spoils the windows that hold it, not those after it.
        finite = np.isfinite(rating)
        missing = np.concatenate([[0], np.cumsum(~finite)])
        # Sums of differences from the first rating: the mean of a constant rating is exactly
        # that rating, which may be the threshold of two classes.
        reference = float(rating[finite][0]) if finite.any() else 0.0
        total = np.concatenate([[0], np.cumsum(np.where(finite, rating - reference, 0))])
        mean = reference + (total[last] - total[first]) / np.maximum(last - first, 1)
        values = mean if self.bins is None else np.digitize(mean, self.bins)
        if len(time) == 0:
            return values, np.zeros(len(onset), dtype=bool)
        covered = np.minimum(onset + duration, time[-1]) - np.maximum(onset, time[0])
        # A rating holds until the next one: the last covers one more interval.
        interval = np.median(np.diff(time)) if len(time) > 1 else duration
        # Seconds are rounded in files of ratings: allow a thousandth of the window.
        covers = covered + interval >= (self.min_coverage - 1e-3) * duration
        return values, covers & (last > first) & (missing[last] == missing[first])
