"""The windows of several corpora as one, and how often those of each corpus are drawn."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from .._check import check_mapping
from ..containers import SignalDict
from ._windows import COLUMNS, SETTINGS, Windows, as_array
from .folder import join_native, open_windows, split_native, write_windows


def concatenate_windows(corpora, folder=None):
    """Concatenate the windows of several corpora, e.g. for pre-training.

    Parameters
    ----------
    corpora : mapping from str to Windows, or to an iterable of Windows
        Windows of each corpus, with the same modalities, channels, rates, duration, scaling
        and dtype, also of their native signals if one has some.
        The windows of one recording must come together. A generator is read one item at a time:
        with ``folder``, a corpus is never in memory as a whole.
    folder : str or path, default=None
        A new folder to write to, a file ``.npy`` per modality; it gets its name once all is on
        disk. None keeps the windows in memory.

    Returns
    -------
    Windows
        In the order of the corpora. ``info`` has the new column ``corpus``, and ``subject``
        becomes ``"corpus/subject"``, so that equal names in two corpora stay two people.
        Recordings are numbered over all corpora, and ``dropped`` is summed. A column that only
        some windows have is left out, unless it holds floats (NaN for the others) and is not
        ``label``, ``recording`` or ``onset``. With ``folder``, as ``open_windows`` returns them.

    Raises
    ------
    FileExistsError
        If ``folder`` exists.
    TypeError, ValueError
        If a corpus holds no ``Windows`` of signals, or they do not fit those before.

    See Also
    --------
    corpus_weights : Choose how often the windows of each corpus are drawn.
    open_windows : Open windows in files.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, concatenate_windows, make_windows
    >>> windows = make_windows(Recording({"ecg": np.ones(3840)}, {"ecg": 128}, "S1"), 15)
    >>> print(*concatenate_windows({"rest": windows, "driving": windows}).groups)
    rest/S1 rest/S1 driving/S1 driving/S1
    """
    if not isinstance(corpora, Mapping):
        raise TypeError(f"corpora must be a mapping of windows, got a {type(corpora).__name__}.")
    names = list(corpora)
    if not names or not all(isinstance(name, str) and name and "/" not in name for name in names):
        raise ValueError(f"Corpora must have names, as str without '/', got {names}.")
    if folder is not None:
        write_windows(Path(folder), partial(_merge, corpora))
        return open_windows(folder)
    parts = []
    columns, settings = _merge(corpora, parts.append)
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Windows(info=pd.DataFrame(columns), **split_native(X), **settings)


def _merge(corpora, append):
    """Append the signals part by part; return the columns of all windows and their settings."""
    tables, dropped, n_recordings = [], Counter(), 0
    for corpus, windows in _iterate(corpora):
        dropped.update(windows.dropped)
        if len(windows) == 0:
            continue
        append(join_native(windows))
        table = {name: as_array(windows.info[name]) for name in windows.info}
        table["subject"] = np.array([f"{corpus}/{name}" for name in table["subject"]])
        table["corpus"] = np.full(len(windows), corpus)
        if "recording" in table:
            table["recording"] = table["recording"].astype(int) + n_recordings
            n_recordings = int(table["recording"].max()) + 1
        tables.append(table)
    # the settings are the same for all
    return _concatenate_columns(tables), {**_get_settings(windows), "dropped": dropped}


def _iterate(corpora):
    """Yield each corpus and its windows, part by part, or raise if they do not fit the first."""
    first = None
    for corpus, parts in corpora.items():
        n_windows = 0
        many = isinstance(parts, Iterable) and not isinstance(parts, (str, Mapping))
        for windows in parts if many else [parts]:
            kind = _describe(corpus, windows)
            first = first or (corpus, kind)
            for what, expected in first[1].items():
                if kind[what] != expected:
                    raise ValueError(
                        f"All windows must have the same {what}, got {expected} in {first[0]!r} "
                        f"and {kind[what]} in {corpus!r}."
                    )
            n_windows += len(windows)
            yield corpus, windows
        if not n_windows:
            raise ValueError(f"Every corpus must hold windows, but {corpus!r} has none.")


def _describe(corpus, windows):
    """Return what must be the same for all windows, or raise if they are not of signals."""
    if not isinstance(windows, Windows) or not isinstance(windows.X, SignalDict):
        kind = type(getattr(windows, "X", windows)).__name__
        raise TypeError(f"Corpus {corpus!r} must hold Windows of signals only, got a {kind}.")
    signals = join_native(windows)
    for name, array in signals.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(
                f"Modality {name!r} must hold real numbers, got {array.dtype} in {corpus!r}."
            )
    shapes = {name: (*array.shape[1:], str(array.dtype)) for name, array in signals.items()}
    return {**_get_settings(windows), "channels, samples and dtype": shapes}


def _get_settings(windows):
    return {name: getattr(windows, name) for name in SETTINGS}


def _concatenate_columns(tables):
    """Return the columns of all windows that can be kept; parts may lack some."""
    columns = {}
    for name in dict.fromkeys(name for table in tables for name in table):
        arrays = [table[name] for table in tables if name in table]
        kinds = {"i" if array.dtype.kind in "iub" else array.dtype.kind for array in arrays}
        if len(arrays) < len(tables):
            if name == "label" or name in COLUMNS or kinds != {"f"}:
                continue
            arrays = [table.get(name, np.full(len(table["subject"]), np.nan)) for table in tables]
        # objects may be of several kinds, except as labels
        if name == "label" and "O" in kinds or len(kinds - {"O"}) > 1:
            found = ", ".join(sorted({str(array.dtype) for array in arrays}))
            raise ValueError(
                f"Column {name!r} must hold all integers, all floats or all str, got {found}."
            )
        columns[name] = np.concatenate(arrays)
    return columns


def corpus_weights(corpus, proportions=None):
    """Weight windows so that each corpus gets its proportion of the windows that are drawn.

    Parameters
    ----------
    corpus : array-like of str, of shape (n_windows,)
        Name of each window's corpus, ``windows.info["corpus"]`` after ``concatenate_windows``.
    proportions : mapping from str to float, default=None
        Number of windows to draw from each corpus, relative to the others, whatever its size:
        ``{"cinc2017": 3, "eegmat": 1}`` draws three of the first for one of the second. 0
        leaves a corpus out. None draws equally from all.

    Returns
    -------
    ndarray of float, of shape (n_windows,)
        For ``SSLEncoder.fit(X, groups=groups, sampling_weight=...)``. The mean is 1: a window
        of weight 2 is drawn twice per epoch, on average.

    Raises
    ------
    ValueError
        If ``corpus`` does not hold names of corpora, or ``proportions`` do not give each a finite
        number, not negative and not 0 for all.

    See Also
    --------
    concatenate_windows : Join the windows of corpora.

    Examples
    --------
    >>> from physio_ssl import corpus_weights
    >>> corpus_weights(["rest", "rest", "rest", "driving"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    corpus = np.asarray(corpus)
    if corpus.ndim != 1:
        raise ValueError(f"corpus must have the shape (n_windows,), got {corpus.shape}.")
    names = list(dict.fromkeys(corpus.tolist()))
    if not names or not all(isinstance(name, str) and "/" not in name for name in names):
        raise ValueError(f"corpus must hold names of corpora, as info['corpus'], got {names[:5]}.")
    names, place, n_windows = np.unique(corpus.astype(str), return_inverse=True, return_counts=True)
    names = names.tolist()
    proportions = dict.fromkeys(names, 1) if proportions is None else proportions
    proportions = check_mapping(proportions, "proportions")
    good = all(isinstance(n, Real) and np.isfinite(n) and n >= 0 for n in proportions.values())
    if set(proportions) != set(names) or not good or not sum(proportions.values()) > 0:
        raise ValueError(
            f"proportions must give each of {', '.join(names)} a finite number, not negative and "
            f"not all 0, got {proportions}."
        )
    proportion = np.array([proportions[name] for name in names], dtype=float)
    return (proportion / proportion.sum() * len(corpus) / n_windows)[place]
