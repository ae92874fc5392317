"""Put the windows of many corpora together, in memory or in files, and weigh the corpora."""

import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, contextmanager
from numbers import Real
from pathlib import Path

import numpy as np

from .containers import SignalDict
from .windows import Windows

_FORMAT = "physio_ssl.windows"
_VERSION = 1
_BYTES_AT_ONCE = 2**24


class _Merged:
    """All of the windows but their signals, checked as they come and put together."""

    def __init__(self):
        self.first, self.n_windows, self.n_recordings = None, 0, 0
        self.groups, self.onset, self.recording, self.y = [], [], [], []
        self.dropped = Counter()

    def add(self, corpus, windows):
        """Take the next windows of a corpus, or raise if they do not fit those before."""
        _check_lengths(corpus, windows)
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


def _check_lengths(corpus, windows):
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
                f"A corpus's name must be a str without '/', which ends it in groups, got {name!r}."
            )
        if isinstance(corpus, (str, Mapping)) or not isinstance(corpus, (Windows, Iterable)):
            raise TypeError(
                f"Corpus {name!r} must be Windows, or an iterable of them, got a "
                f"{type(corpus).__name__}."
            )


def _merge(corpora, keep):
    """Put together all but the signals, which are handed to ``keep`` one after the other."""
    merged = _Merged()
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


def concatenate_windows(corpora, folder=None):
    """Put the windows of several corpora together, e.g. for one pre-training.

    Parameters
    ----------
    corpora : mapping from str to Windows, or to an iterable of Windows
        Windows of each corpus, alike in modalities, channels, rates, duration and dtype. From
        a generator they are taken one after the other, so that with ``folder`` a corpus never
        is in memory as a whole. The windows of one recording must come together.
    folder : str or path, default=None
        A new folder to write the windows to; an existing one is never changed. None keeps
        them in memory.

    Returns
    -------
    Windows
        In the order of the corpora. ``groups`` are corpus and subject,
        ``"cinc2017/A00001"``, so that equal names in two corpora stay two people.
        ``recording`` is counted on from corpus to corpus, ``dropped`` is summed. ``y`` is
        None unless all of the windows have labels. With ``folder``, ``X`` holds read-only
        ``np.memmap`` arrays, as of ``open_windows``.

    Raises
    ------
    FileExistsError
        If there is something called ``folder``.
    TypeError
        If a corpus holds anything but ``Windows``.
    ValueError
        If windows do not fit those before, labels are of several kinds, or a corpus has no
        windows.

    See Also
    --------
    corpus_weights : Say how often the windows of each corpus are drawn.

    Notes
    -----
    The folder holds a file ``.npy`` of each modality, ``windows.npz`` with one value per
    window of ``groups``, ``onset``, ``recording`` and ``y``, and ``windows.json`` with all
    else. It is written under another name, ending in ``.part``, and renamed once all of it is
    on disk: a write that was killed leaves no folder that could be opened.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, concatenate_windows, make_windows
    >>> one = make_windows(Recording({"ecg": np.ones(3840)}, {"ecg": 128}, "S1"), 10)
    >>> two = make_windows(Recording({"ecg": np.ones(1280)}, {"ecg": 128}, "S1"), 10)
    >>> print(*concatenate_windows({"rest": one, "driving": two}).groups)
    rest/S1 rest/S1 rest/S1 driving/S1
    """
    _check_corpora(corpora)
    if folder is not None:
        with _new_folder(Path(folder)) as part:
            _write(corpora, part)
        return open_windows(folder)
    parts = []
    merged = _merge(corpora, keep=parts.append)
    _, duration, rates, _ = merged.first
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns = {"y": None, **merged.columns()}
    return Windows(
        SignalDict(X),
        **columns,
        duration=duration,
        sampling_rate=rates,
        dropped=dict(merged.dropped),
    )


def _blocks(array):
    """Yield slices of rows that hold few bytes each."""
    n_rows = max(1, _BYTES_AT_ONCE // max(1, array.itemsize * int(np.prod(array.shape[1:]))))
    for first in range(0, len(array), n_rows):
        yield slice(first, first + n_rows)


class _GrowingArray:
    """A file ``.npy`` that windows are appended to; it is whole once closed."""

    def __init__(self, path, like):
        self.shape, self.dtype = like.shape[1:], like.dtype
        self.n_windows = 0
        self.file = path.open("xb")
        self._write_header()
        self.start = self.file.tell()

    def _write_header(self):
        # NumPy leaves room for any number of rows, so that the header keeps its length.
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_windows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, array):
        for rows in _blocks(array):
            self.file.write(np.ascontiguousarray(array[rows]))
        self.n_windows += len(array)

    def close(self):
        self.file.seek(0)
        self._write_header()
        if self.file.tell() != self.start:
            raise RuntimeError("This version of NumPy writes headers of another length.")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


@contextmanager
def _new_folder(folder):
    """Yield a folder that gets its name once everything was written, and goes away else."""
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(
            f"The folder must be a new one, but {folder} exists: open_windows reads it."
        )
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise


def _write(corpora, folder):
    files = {}
    with ExitStack() as stack:

        def append(X):
            for name, array in X.items():
                if name not in files:
                    files[name] = _GrowingArray(folder / f"{name}.npy", array)
                    stack.callback(files[name].file.close)
                files[name].append(array)

        merged = _merge(corpora, keep=append)
        columns = merged.columns()
        for file in files.values():
            file.close()
    _, duration, rates, _ = merged.first
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "duration": float(duration),
        "sampling_rate": {name: float(rates[name]) for name in files},
        "dropped": {reason: int(n) for reason, n in merged.dropped.items()},
        "signals": {
            name: {"shape": [file.n_windows, *file.shape], "dtype": file.dtype.str}
            for name, file in files.items()
        },
    }
    with (folder / "windows.npz").open("xb") as file:
        np.savez(file, allow_pickle=False, **columns)
        file.flush()
        os.fsync(file.fileno())
    with (folder / "windows.json").open("x", encoding="utf-8") as file:
        json.dump(content, file, allow_nan=False, indent=1)
        file.flush()
        os.fsync(file.fileno())


def open_windows(folder):
    """Open windows that ``concatenate_windows`` wrote.

    Their signals stay in the files: a batch reads its own windows only, so that a network can
    be trained on far more windows than the memory holds. Nothing in the files is run.

    Parameters
    ----------
    folder : str or path
        The folder.

    Returns
    -------
    Windows
        ``X`` holds read-only arrays of type ``np.memmap``.

    Raises
    ------
    FileNotFoundError
        If there are no windows in the folder.
    ValueError
        If a file is damaged, or was written by a newer version.
    """
    folder = Path(folder)
    path = folder / "windows.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"No windows in {folder}: concatenate_windows(corpora, folder=...) writes them."
        )
    try:
        return _open(folder, json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:  # what a damaged file holds can make a reader raise anything
        raise ValueError(f"The windows in {folder} cannot be read: {error}") from error


def _open(folder, content):
    if content["format"] != _FORMAT or content["version"] != _VERSION:
        raise ValueError(
            f"windows.json must be of {_FORMAT}, version {_VERSION}, got "
            f"{content['format']}, version {content['version']}."
        )
    signals = {name: _open_array(folder, name, kind) for name, kind in content["signals"].items()}
    X = SignalDict(signals)
    with np.load(folder / "windows.npz", allow_pickle=False) as file:
        columns = {"y": None, **{name: file[name] for name in file.files}}
    if set(content["sampling_rate"]) != set(X):
        raise ValueError(f"sampling_rate must name {', '.join(X)}, got {content['sampling_rate']}.")
    windows = Windows(
        X,
        **columns,
        duration=content["duration"],
        sampling_rate=content["sampling_rate"],
        dropped=content["dropped"],
    )
    _check_lengths(folder.name, windows)
    return windows


def _open_array(folder, name, kind):
    if not name.isidentifier():  # nor can it name a file elsewhere
        raise ValueError(f"A modality's name must be an identifier, got {name!r}.")
    path = folder / f"{name}.npy"
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap):
        raise ValueError(f"{path.name} is no file of one array.")
    found = {"shape": list(array.shape), "dtype": array.dtype.str}
    if found != kind or path.stat().st_size != array.offset + array.nbytes:
        raise ValueError(
            f"{path.name} must hold {kind}, got {found} in {path.stat().st_size} bytes."
        )
    return array


def corpus_weights(groups, shares=None):
    """Weigh windows so that each corpus has its share of those that are drawn.

    Parameters
    ----------
    groups : array-like of str, of shape (n_windows,)
        Corpus and subject of each window, as of ``concatenate_windows``.
    shares : mapping from str to float, default=None
        Share of each corpus, relative to each other: ``{"cinc2017": 3, "eegmat": 1}`` draws
        three windows of the first for one of the other, however many each has; 0 leaves a
        corpus out. None gives all corpora the same.

    Returns
    -------
    ndarray of float, of shape (n_windows,)
        For ``SSLEncoder.fit(X, groups=groups, sampling_weight=...)``. The mean is 1: a window
        of weight 2 is drawn twice per pass, on average.

    Raises
    ------
    ValueError
        If a group has no corpus, or ``shares`` are not one number that is not negative for
        each of the corpora.

    Examples
    --------
    >>> from physio_ssl import corpus_weights
    >>> corpus_weights(["rest/S1", "rest/S1", "rest/S2", "driving/S1"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    groups, subject, n_windows = np.unique(groups, return_inverse=True, return_counts=True)
    for group in groups.tolist():
        if not str(group).partition("/")[0] or "/" not in str(group):
            raise ValueError(
                f"Groups must be named 'corpus/subject', as by concatenate_windows, got {group!r}."
            )
    if not len(groups):
        raise ValueError("There must be at least one window, got none.")
    names, corpus = np.unique(
        [str(group).partition("/")[0] for group in groups], return_inverse=True
    )
    names, counts = names.tolist(), np.bincount(corpus, weights=n_windows)
    shares = dict.fromkeys(names, 1) if shares is None else dict(shares)
    good = all(isinstance(n, Real) and np.isfinite(n) and n >= 0 for n in shares.values())
    if set(shares) != set(names) or not good or not sum(shares.values()) > 0:
        raise ValueError(
            f"shares must give each of {', '.join(names)} a finite number, none negative and "
            f"not all 0, got {shares}."
        )
    share = np.array([shares[name] for name in names], dtype=float)
    return (share / share.sum() * n_windows.sum() / counts)[corpus[subject]]
