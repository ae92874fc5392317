"""What a reader of recordings needs, for readers of your own too."""

import os
import re
import warnings
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from joblib import Parallel, delayed

from .._check import check_jobs, check_list
from ._common import explain_errors, file_limits, list_names

__all__ = [
    "annotate_events",
    "annotate_intervals",
    "annotate_ratings",
    "choose_signals",
    "file_limits",
    "find_paths",
    "read_subjects",
]


def choose_signals(signals, known, default=None):
    """Return the signals to read as a tuple; raise ValueError if one is not known.

    Parameters
    ----------
    signals : sequence of str or None
        Signals that were asked for, one or more; None for the default.
    known : collection of str
        Signals that can be read.
    default : sequence of str, default=None
        Signals to read if ``signals`` is None; None for all that are known.

    Raises
    ------
    TypeError, ValueError
        If ``signals`` is no list, or holds one that is not known.

    See Also
    --------
    read_subjects : Read the files of each subject.

    Examples
    --------
    >>> from physio_ssl.datasets.reading import choose_signals
    >>> choose_signals(["eda"], known=("bvp", "eda"))
    ('eda',)
    """
    if signals is None:
        return tuple(known if default is None else default)
    listed = [] if isinstance(signals, str) else check_list(signals, "signals", of=str)
    if not listed or not set(listed) <= set(known):
        raise ValueError(f"signals must be a tuple of some of {', '.join(known)}, got {signals!r}.")
    return tuple(listed)


def _by_number(name):
    """Return a key that sorts S2 before S10."""
    parts = re.split("([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts


def find_paths(folder, pattern, expected):
    r"""Find the files or folders of each subject by their names.

    Parameters
    ----------
    folder : str or path-like
        Folder to search.
    pattern : str
        Regular expression of the paths, relative to ``folder`` and with ``/`` between folders. Its
        first group is the subject: ``r"Raw_data/(S\d+)"``.
    expected : str
        What the folder should hold, for the error message.

    Returns
    -------
    dict from str to list of Path
        Paths of each subject, both sorted by name; numbers in names are sorted by value.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, or no path in it fits.

    See Also
    --------
    read_subjects : Read what was found.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from physio_ssl.datasets.reading import find_paths
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("P10.csv", "P2.csv"):
    ...         Path(folder, name).touch()
    ...     subjects = list(find_paths(folder, r"(P\d+)\.csv", "a CSV file of each subject"))
    >>> subjects
    ['P2', 'P10']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = {}
    paths = folder.glob("*" + "/*" * pattern.count("/"))
    for path in sorted(paths, key=lambda path: _by_number(path.name)):
        if match := re.fullmatch(pattern, path.relative_to(folder).as_posix()):
            found.setdefault(match[1], []).append(path)
    if not found:
        names = sorted(path.name for path in folder.iterdir())
        raise ValueError(f"{folder} must hold {expected}, found {list_names(names, 10)}.")
    return {name: found[name] for name in sorted(found, key=_by_number)}


def _choose_subjects(subjects, found, place):
    """Return the chosen items of ``found``, in its order."""
    if subjects is None:
        return found
    missing = [name for name in subjects if name not in found]
    if isinstance(subjects, str) or missing or not len(subjects):
        got = subjects if isinstance(subjects, str) else missing
        raise ValueError(f"subjects must be of {list_names(found)} in {place}, got {got!r}.")
    return {name: item for name, item in found.items() if name in set(subjects)}


def _load_source(load, subject, source, place, strict):
    """Return what a source holds, or if not strict, say in words why it cannot be used."""
    name = source if isinstance(source, (str, os.PathLike)) else place
    if isinstance(source, PurePath) and not isinstance(source, Path):  # within a zip file
        name = f"{source} in {place}"
    try:
        with explain_errors(name):
            return load(subject, source)
    except (OSError, ValueError) as error:
        if strict:
            raise
        return str(error)


def _find_twin(recording, others):
    """Return the source of an earlier recording with the same start and signals."""
    key = recording.start_time, recording.signals
    twins = (source for other, source in others if (other.start_time, other.signals) == key)
    return None if recording.start_time is None else next(twins, None)


def read_subjects(load, found, subjects=None, *, place, strict=True, n_jobs=None):
    r"""Read the recordings of the chosen subjects.

    Parameters
    ----------
    load : callable
        Function of a subject and a source that returns a :class:`~physio_ssl.Recording`, or a list
        of them. A text in that list says why a recording is left out.
    found : mapping from str to source or list of sources
        What there is to read of each subject. A source is what ``load`` takes, such as a path.
    subjects : sequence of str, default=None
        Subjects to read; None for all.
    place : str or path-like
        Where the subjects were found, for messages.
    strict : bool, default=True
        Whether a source that cannot be used is an error. Otherwise it is left out, and so is a
        recording with the same start time and signals as an earlier one.
    n_jobs : int, default=None
        Number of sources loaded at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        Recordings in the order of ``found``. One warning says what was left out, and why.

    Raises
    ------
    ValueError
        If a subject was not found, ``load`` raises any error but OSError, or no recording is left.
        The message names the source, and the first error is the cause.

    See Also
    --------
    find_paths : Find the files of each subject.
    choose_signals : Check the signals to read.

    Examples
    --------
    >>> from physio_ssl.datasets.reading import find_paths, read_subjects
    >>> found = find_paths("lab", r"(P\d+)", "a folder of each subject")  # doctest: +SKIP
    >>> recordings = read_subjects(load, found, place="lab")  # doctest: +SKIP
    """
    sources = [
        (subject, source)
        for subject, item in _choose_subjects(subjects, found, place).items()
        for source in (item if isinstance(item, list) else [item])
    ]
    load_one = delayed(partial(_load_source, load, place=place, strict=strict))
    # Threads: most of the time goes to reading, unpacking and NumPy, which release the lock.
    check_jobs(n_jobs)
    results = Parallel(n_jobs=n_jobs, prefer="threads")(load_one(*source) for source in sources)
    recordings, reasons = [], []
    for (_, source), result in zip(sources, results, strict=True):
        for item in result if isinstance(result, list) else [result]:
            if isinstance(item, str):
                reasons.append(item)
            elif not strict and (twin := _find_twin(item, recordings)):
                reasons.append(f"{source} holds the same signals as {twin}.")
            else:
                recordings.append((item, source))
    if not recordings:
        raise ValueError(f"{place} must hold recordings, got none: {' '.join(reasons[:10])}")
    if reasons:
        warnings.warn(
            f"{len(reasons)} of {len(reasons) + len(recordings)} recordings in {place} are left "
            f"out: {' '.join(reasons)}",
            stacklevel=3,
        )
    return [recording for recording, _ in recordings]


def annotate_events(onset, description):
    """Return annotations of events: their onsets in seconds, without duration, all alike.

    See Also
    --------
    physio_ssl.Recording.annotate : Add annotations to a recording.

    Examples
    --------
    >>> from physio_ssl.datasets.reading import annotate_events
    >>> annotate_events([12.0, 30.0], "tag")["duration"]
    array([0., 0.])
    """
    onset = np.asarray(onset, dtype=float)
    return {
        "onset": onset,
        "duration": np.zeros_like(onset),
        "description": np.full(onset.shape, description),
    }


def annotate_intervals(intervals):
    """Return annotations of intervals, each of them its onset, duration and description.

    See Also
    --------
    physio_ssl.Recording.annotate : Add annotations to a recording.

    Examples
    --------
    >>> from physio_ssl.datasets.reading import annotate_intervals
    >>> annotate_intervals([(0, 300, "rest"), (300, 300, "stress")])["onset"]
    (0, 300)
    """
    onset, duration, description = zip(*intervals, strict=True) if intervals else ((), (), ())
    return {"onset": onset, "duration": duration, "description": np.array(description, str)}


def annotate_ratings(duration, ratings):
    """Return annotations of ratings, by scale, that hold for a recording of so many seconds.

    They are repeated every second, as the label of a window is the mean of the ratings within
    it. NaN is a rating that is not known.

    See Also
    --------
    physio_ssl.RatingLabels : Label windows by ratings.

    Examples
    --------
    >>> from physio_ssl.datasets.reading import annotate_ratings
    >>> annotate_ratings(2, {"arousal": 7})["time"]
    array([0, 1, 2])
    """
    time = np.append(np.arange(0, duration), duration)
    return {"time": time, **{name: np.full(len(time), value) for name, value in ratings.items()}}
