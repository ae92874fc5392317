"""The windows of several corpora as one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..containers import SignalDict
from ._windows import COLUMNS, Windows, as_array
from .folder import new_folder, open_windows, write_windows


def concatenate_windows(corpora, folder=None):
    """Put the windows of several corpora together, e.g. for pre-training.

    Parameters
    ----------
    corpora : mapping from str to Windows, or to an iterable of Windows
        Windows of each corpus, with the same modalities, channels, rates, duration and dtype. A
        generator's windows are taken one after the other: with ``folder``, a corpus is never
        in memory as a whole. The windows of one recording must come together.
    folder : str or path, default=None
        A new folder to write the windows to; an existing one is never changed. None keeps
        them in memory.

    Returns
    -------
    Windows
        In the order of the corpora. The column ``corpus`` of ``info`` is new. ``subject``
        becomes corpus and subject, ``"cinc2017/A00001"``, so that equal names in two corpora
        stay two people. ``recording`` is counted on from corpus to corpus, ``dropped`` is summed.
        With ``folder``, ``X`` holds read-only ``np.memmap`` arrays.

        Other columns are kept if all windows have them. Columns of floats are also kept if only
        some windows have them: the others get NaN. ``label``, ``recording`` and ``onset``, and
        columns of integers, bool or str, which have no missing value of their own type, are left
        out unless all windows have them.

    Raises
    ------
    FileExistsError
        If there is something called ``folder``.
    TypeError
        If a corpus holds anything but ``Windows`` of signals.
    ValueError
        If windows do not fit those before, a column mixes values of several kinds, or a corpus
        has no windows.

    See Also
    --------
    corpus_weights : Choose how often the windows of each corpus are drawn.
    open_windows : Open windows that were written to a folder.

    Notes
    -----
    The folder holds a file ``.npy`` for each modality, ``windows.npz`` with one array for each
    column of ``info``, and ``windows.json`` with all else. It is written under another name,
    ending in ``.part``, and renamed once all of it is on disk: a write that was killed leaves no
    folder that could be opened.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, concatenate_windows, make_windows
    >>> one = make_windows(Recording({"ecg": np.ones(3840)}, {"ecg": 128}, "S1"), 10)
    >>> two = make_windows(Recording({"ecg": np.ones(1280)}, {"ecg": 128}, "S1"), 10)
    >>> print(*concatenate_windows({"rest": one, "driving": two}).groups)
    rest/S1 rest/S1 rest/S1 driving/S1
    """
    merged = _Merged(_check_corpora(corpora))
    if folder is not None:
        with new_folder(Path(folder)) as part:
            write_windows(part, merged)
        return open_windows(folder)
    parts = list(merged.signals())
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Windows(
        SignalDict(X),
        pd.DataFrame(merged.columns()),
        duration=merged.duration,
        sampling_rate=merged.sampling_rate,
        dropped=merged.dropped,
    )


class _Merged:
    """Windows of several corpora, checked as they come.

    ``signals`` must be exhausted first: the other members describe all windows that it gave.
    """

    def __init__(self, corpora):
        self.corpora = corpora
        self.first = None  # the name of the first corpus, and how all windows must be
        self.n_recordings, self.parts = 0, []
        self.dropped = Counter()

    def signals(self):
        """Yield the signals of some windows after the other."""
        for corpus, parts in self.corpora.items():
            n_parts = len(self.parts)
            for windows in [parts] if isinstance(parts, Windows) else parts:
                self._check(corpus, windows)
                self.dropped.update(windows.dropped)
                if len(windows):
                    self.parts.append(self._name_columns(corpus, windows))
                    yield windows.X
            if len(self.parts) == n_parts:
                raise ValueError(f"Every corpus must hold windows, but {corpus!r} has none.")

    def _check(self, corpus, windows):
        """Raise if windows do not fit those before."""
        if not isinstance(windows, Windows) or not isinstance(windows.X, SignalDict):
            raise TypeError(
                f"Corpus {corpus!r} must hold Windows of signals only, got a "
                f"{type(getattr(windows, 'X', windows)).__name__}."
            )
        for name, array in windows.X.items():
            if array.dtype.kind not in "fiu":
                raise ValueError(
                    f"Modality {name!r} must hold real numbers, got {array.dtype} in {corpus!r}."
                )
        kinds = {name: (*array.shape[1:], str(array.dtype)) for name, array in windows.X.items()}
        ours = {
            "duration": windows.duration,
            "sampling_rate": windows.sampling_rate,
            "channels, samples and dtype": kinds,
        }
        self.first = (corpus, ours) if self.first is None else self.first
        for what, expected in self.first[1].items():
            if ours[what] != expected:
                raise ValueError(
                    f"All windows must have the same {what}, got {expected} in "
                    f"{self.first[0]!r} and {ours[what]} in {corpus!r}."
                )

    def _name_columns(self, corpus, windows):
        """Return the columns of some windows, with subjects and recordings unique over corpora."""
        columns = {name: as_array(windows.info[name]) for name in windows.info}
        columns["subject"] = np.array([f"{corpus}/{name}" for name in columns["subject"]])
        columns["corpus"] = np.full(len(windows), corpus)
        if "recording" in columns:
            columns["recording"] = columns["recording"].astype(int) + self.n_recordings
            self.n_recordings = int(columns["recording"].max()) + 1
        return columns

    @property
    def duration(self):
        return self.first[1]["duration"]

    @property
    def sampling_rate(self):
        return self.first[1]["sampling_rate"]

    def columns(self):
        """Return the columns of all windows, by name."""
        columns = {}
        for name in dict.fromkeys(name for part in self.parts for name in part):
            arrays = [part[name] for part in self.parts if name in part]
            kinds = {"i" if array.dtype.kind in "iub" else array.dtype.kind for array in arrays}
            if len(arrays) < len(self.parts):
                if name == "label" or name in COLUMNS or kinds != {"f"}:
                    continue
                arrays = [
                    part.get(name, np.full(len(part["subject"]), np.nan)) for part in self.parts
                ]
            # objects may be of several kinds, except as labels
            if name == "label" and "O" in kinds or len(kinds - {"O"}) > 1:
                found = ", ".join(sorted({str(array.dtype) for array in arrays}))
                raise ValueError(
                    f"Column {name!r} must be all integers, all floats or all str, got {found}: "
                    f"translate it, or leave it out with info.drop(columns={name!r})."
                )
            columns[name] = np.concatenate(arrays)
        return columns


def _check_corpora(corpora):
    if not isinstance(corpora, Mapping):
        raise TypeError(
            f"corpora must be a mapping from names to windows, got a {type(corpora).__name__}."
        )
    if not corpora:
        raise ValueError("There must be at least one corpus, got none.")
    for name, corpus in corpora.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(
                "A corpus's name must be a str without '/', which ends it in subjects' names, got "
                f"{name!r}."
            )
        if isinstance(corpus, (str, Mapping)) or not isinstance(corpus, (Windows, Iterable)):
            raise TypeError(
                f"Corpus {name!r} must be Windows, or an iterable of them, got a "
                f"{type(corpus).__name__}."
            )
    return corpora
