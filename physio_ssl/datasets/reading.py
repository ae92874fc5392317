"""What a reader of recordings needs, for readers of your own too."""

import re
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from ._open import open_file, open_files

__all__ = [
    "annotate_events",
    "annotate_ratings",
    "check_finite_rows",
    "choose_signals",
    "choose_subjects",
    "find_paths",
    "list_names",
    "open_file",
    "open_files",
    "read_subjects",
]


def list_names(names, most=60):
    """Return names as text, at most so many of them, for a message."""
    names = list(names)
    return ", ".join(names[:most] + ["..."] * (len(names) > most)) or "nothing"


def choose_signals(signals, known, default=None):
    """Return the signals to read as a tuple; raise ValueError if one is not known.

    Parameters
    ----------
    signals : sequence of str or None
        Signals that were asked for, one or more; None for the default.
    known : collection of str
        Signals that can be read.
    default : sequence of str, default=None
        Signals to read if ``signals`` is None; by default all that are known.
    """
    if signals is None:
        return tuple(known if default is None else default)
    if isinstance(signals, str) or not signals or any(name not in known for name in signals):
        raise ValueError(
            f"signals must be one or more of {', '.join(known)}, in a tuple, got {signals!r}."
        )
    return tuple(signals)


def choose_subjects(subjects, found, place):
    """Return the chosen items of ``found``; raise ValueError if a subject is not in it.

    Parameters
    ----------
    subjects : sequence of str or None
        Subjects that were asked for, one or more; None for all.
    found : mapping from str
        What there is of each subject; its order is kept.
    place : str or path-like
        Where the subjects were found, for messages.
    """
    if subjects is None:
        return dict(found)
    missing = [name for name in subjects if name not in found]
    if isinstance(subjects, str) or missing or not len(subjects):
        raise ValueError(
            f"subjects must be a sequence of subjects in {place}, which has "
            f"{list_names(found)}, got {subjects if isinstance(subjects, str) else missing!r}."
        )
    wanted = set(subjects)
    return {name: item for name, item in found.items() if name in wanted}


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
        Regular expression of the paths, relative to ``folder`` and with ``/`` between folders.
        Its first group is the subject: ``r"Raw_data/(S\d+)"``.
    expected : str
        What the folder should hold, for the error message.

    Returns
    -------
    dict from str to list of Path
        Paths of each subject, both sorted by name; numbers in names are sorted by value.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no path in it fits.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = {}
    for path in folder.glob("*" + "/*" * pattern.count("/")):
        if match := re.fullmatch(pattern, path.relative_to(folder).as_posix()):
            found.setdefault(match[1], []).append(path)
    if not found:
        names = sorted(path.name for path in folder.iterdir())
        raise ValueError(f"{folder} must hold {expected}, found {list_names(names, 10)}.")
    return {
        name: sorted(found[name], key=lambda path: _by_number(path.name))
        for name in sorted(found, key=_by_number)
    }


def _load_or_explain(load, subject, source):
    """Return what a source holds, or say in words why it cannot be used."""
    try:
        return load(subject, source)
    except (FileNotFoundError, ValueError) as error:
        return str(error)


def _find_twin(recording, others):
    """Return the source of an earlier recording with the same start and signals."""
    for other, source in others:
        same_start = recording.start_time is not None and recording.start_time == other.start_time
        if same_start and recording.signals == other.signals:
            return source
    return None


def read_subjects(load, found, subjects=None, *, place, strict=True, n_jobs=None):
    """Read the recordings of the chosen subjects.

    Parameters
    ----------
    load : callable
        Function of a subject and a source that returns a
        :class:`~physio_ssl.Recording`, or a list of them. A text in that list says why a
        recording is left out: "Trial 3 of P08 has no signals."
    found : mapping from str to source or list of sources
        What there is to read of each subject. A source is what ``load`` takes, such as a
        path; those of a list are loaded one by one.
    subjects : sequence of str, default=None
        Subjects to read; by default all.
    place : str or path-like
        Where the subjects were found, for messages.
    strict : bool, default=True
        Whether a source that cannot be used is an error. Otherwise it is left out, and so
        is a recording with the same start time and signals as an earlier one.
    n_jobs : int, default=None
        Number of sources loaded at the same time, in threads; None is one, -1 is one for
        each processor.

    Returns
    -------
    list of Recording
        Recordings in the order of ``found``. One warning says what was left out, and why.

    Raises
    ------
    ValueError
        If a subject was not found, ``load`` raises one, or no recording is left.

    See Also
    --------
    find_paths : Finds the files of each subject.
    choose_signals : Checks the signals that were asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.datasets.reading import read_subjects
    >>> def load(subject, samples):
    ...     return Recording({"ecg": samples}, {"ecg": 128}, subject)
    >>> found = {"S1": np.zeros(1280), "S2": np.zeros(2560)}
    >>> read_subjects(load, found, subjects=["S2"], place="memory")
    [Recording(S2: 20 s, ecg 1 x 128 Hz)]
    """
    sources = [
        (subject, source)
        for subject, item in choose_subjects(subjects, found, place).items()
        for source in (item if isinstance(item, list) else [item])
    ]
    load_one = load if strict else lambda *source: _load_or_explain(load, *source)
    # Threads: most of the time goes to reading, unpacking and NumPy, which release the lock.
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(load_one)(*source) for source in sources
    )
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
        raise ValueError(
            f"{place} must hold a usable recording, got none: {' '.join(reasons[:10])}"
        )
    if reasons:
        warnings.warn(
            f"{len(reasons)} of {len(reasons) + len(recordings)} recordings in {place} are left "
            f"out: {' '.join(reasons)}",
            stacklevel=3,
        )
    return [recording for recording, _ in recordings]


def annotate_events(onset, description):
    """Return annotations of events: their onsets in seconds, without duration, all alike."""
    onset = np.asarray(onset, dtype=float)
    return {
        "onset": onset,
        "duration": np.zeros_like(onset),
        "description": np.full(onset.shape, description),
    }


def annotate_ratings(duration, ratings):
    """Return annotations of ratings, by scale, that hold for a whole recording.

    They are repeated every second of its duration, as the label of a window is the mean of the
    ratings within it. NaN is a rating that is not known.
    """
    time = np.append(np.arange(0, duration), duration)
    return {"time": time, **{name: np.full(len(time), value) for name, value in ratings.items()}}


def check_finite_rows(samples, file, first_line):
    """Raise if rows of a text file, of shape (n_times, n_channels), hold NaN or infinity."""
    bad = ~np.isfinite(samples).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{file} must hold finite samples, got NaN or infinity in {bad.sum()} row(s), "
            f"the first in line {bad.argmax() + first_line}."
        )
