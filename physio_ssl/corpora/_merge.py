"""Check that windows of several corpora fit, and put all but their signals together."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from ..windows import Windows


class Merged:
    """All of the windows but their signals, checked as they come and put together."""

    def __init__(self):
        self.first, self.n_windows, self.n_recordings = None, 0, 0
        self.groups, self.onset, self.recording, self.y = [], [], [], []
        self.dropped = Counter()

    def add(self, corpus, windows):
        """Take the next windows of a corpus, or raise if they do not fit those before."""
        check_lengths(corpus, windows)
        _check_signals(corpus, windows)
        if self.first is None:
            self.first = (corpus, windows.duration, dict(windows.sampling_rate), _kinds(windows))
        self._check_like_first(corpus, windows)
        self.dropped.update(windows.dropped)
        if not len(windows):
            return
        self.groups.append(np.array([f"{corpus}/{group}" for group in windows.groups]))
        self.onset.append(np.asarray(windows.onset, dtype=float))
        self.recording.append(np.asarray(windows.recording) + self.n_recordings)
        self.y.append(None if windows.y is None else np.asarray(windows.y))
        self.n_recordings = int(self.recording[-1].max()) + 1
        self.n_windows += len(windows)

    def _check_like_first(self, corpus, windows):
        name, duration, rates, kinds = self.first
        for what, mine, theirs in (
            ("duration, in seconds,", windows.duration, duration),
            ("modalities and sampling rates", dict(windows.sampling_rate), rates),
            ("channels, samples per window and dtype", _kinds(windows), kinds),
        ):
            if mine != theirs:
                raise ValueError(
                    f"All windows must have the same {what} got {theirs} in {name!r} and "
                    f"{mine} in {corpus!r}."
                )

    def columns(self):
        """Return the arrays with one value per window; ``y`` only where all have labels."""
        columns = {"groups": self.groups, "onset": self.onset, "recording": self.recording}
        if all(labels is not None for labels in self.y):
            kinds = {"number" if y.dtype.kind in "iub" else y.dtype.kind for y in self.y}
            if len(kinds) > 1 or kinds & {"O"}:
                found = ", ".join(sorted({str(y.dtype) for y in self.y}))
                raise ValueError(
                    "Labels must be all classes as integers, all classes as str, or all ratings "
                    f"as floats, got {found}: leave them out with dataclasses.replace(windows, "
                    "y=None), or translate them."
                )
            columns["y"] = self.y
        return {name: np.concatenate(parts) for name, parts in columns.items()}


def _kinds(windows):
    return {name: (*array.shape[1:], str(array.dtype)) for name, array in windows.X.items()}


def check_lengths(corpus, windows):
    columns = {"groups": windows.groups, "onset": windows.onset, "recording": windows.recording}
    if windows.y is not None:
        columns["y"] = windows.y
    for name, column in columns.items():
        if np.shape(column) != (len(windows),):
            raise ValueError(
                f"{name} must hold one value for each of the {len(windows)} windows, got the "
                f"shape {np.shape(column)} in {corpus!r}."
            )


def _check_signals(corpus, windows):
    for name, array in windows.X.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(
                f"Modality {name!r} must hold real numbers, got {array.dtype} in {corpus!r}."
            )


def check_corpora(corpora):
    if not isinstance(corpora, Mapping):
        raise TypeError(
            f"corpora must be a mapping from names to windows, got a {type(corpora).__name__}."
        )
    if not corpora:
        raise ValueError("There must be at least one corpus, got none.")
    for name, corpus in corpora.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(
                f"A corpus's name must be a str without '/', which ends it in groups, got {name!r}."
            )
        if isinstance(corpus, (str, Mapping)) or not isinstance(corpus, (Windows, Iterable)):
            raise TypeError(
                f"Corpus {name!r} must be Windows, or an iterable of them, got a "
                f"{type(corpus).__name__}."
            )


def merge(corpora, keep):
    """Put together all but the signals, which are handed to ``keep`` one after the other."""
    merged = Merged()
    for name, corpus in corpora.items():
        before = merged.n_windows
        for windows in [corpus] if isinstance(corpus, Windows) else corpus:
            if not isinstance(windows, Windows):
                raise TypeError(
                    f"Corpus {name!r} must hold Windows only, got a {type(windows).__name__}."
                )
            merged.add(name, windows)
            if len(windows):
                keep(windows.X)
        if merged.n_windows == before:
            raise ValueError(f"Every corpus must hold windows, but {name!r} has none.")
    return merged
