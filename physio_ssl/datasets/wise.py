"""Reader of PhysioNet's wearable device data set: stress, aerobic and anaerobic exercise."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ._common import find_inner, list_names
from ._table import read_rows
from .empatica import read_session
from .reading import find_paths, read_subjects

_SUBJECTS = "subject-info.csv"
_SESSIONS = ("STRESS", "AEROBIC", "ANAEROBIC")


def _read_subjects_info(path):
    """Return what the table says of each subject, whose name is in its first column."""
    table = {}
    for _, row in read_rows(path):
        subject, *_ = row
        table[row.pop(subject).lower()] = row
    return table


def _load_session(subject, folder, signals, table):
    """Read one session of a subject."""
    if subject.lower() not in table:
        raise ValueError(f"{_SUBJECTS} must have a row of {subject}, got {list_names(table)}.")
    recording = read_session(folder, signals, subject, with_tags=True)
    session, tags = folder.parent.name.lower(), recording.annotations
    annotations = {
        "onset": np.append(0.0, tags["onset"]),
        "duration": np.append(recording.duration, tags["duration"]),
        "description": np.append(session, tags["description"]),
    }
    metadata = {"session": session, "part": folder.name, **table[subject.lower()]}
    return replace(recording, annotations=annotations, metadata=metadata)


def load_wise(path, subjects=None, signals=None, *, n_jobs=None):
    """Read wearable device recordings of induced stress, aerobic and anaerobic exercise.

    Subjects wore an Empatica E4 in up to three sessions [1]_: tasks that induce stress, and
    cycling, steady or in sprints. The button was pressed between the phases of a session. What
    they are differs between the two versions of the protocol, "S" and "f" in the subjects' names.

    Parameters
    ----------
    path : str or path-like
        Folder with ``subject-info.csv`` and the folders STRESS, AEROBIC and ANAEROBIC, the two in
        ``Wearable_Dataset`` or right in it.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S01", "f01")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each session, or part of one, grouped by subject. The folders
        S11_a and S11_b are both of the subject "S11". Annotations are the session, "stress",
        "aerobic" or "anaerobic", which lasts for the whole recording, and the tags, as in
        :func:`load_empatica`. ``metadata`` has "session", "part" (the name of the folder) and, as
        text, the columns of ``subject-info.csv``. Start times in the files are ISO text in UTC.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, a subject is not in
        ``subject-info.csv``, or the wristband cannot have measured a value, as in
        :func:`load_empatica`.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    References
    ----------
    .. [1] Hongn, A., Bosch, F., Prado, L. E., Bonomini, P. (2025). Wearable device dataset from
       induced stress and structured exercise sessions. PhysioNet.

    Examples
    --------
    >>> from physio_ssl.datasets import load_wise
    >>> recordings = load_wise("wise")  # doctest: +SKIP
    """
    folder = find_inner(path, "Wearable_Dataset")
    pattern = rf"(?:{'|'.join(_SESSIONS)})/([Sf]\d\d)(?:_\w+)?"
    expected = "the folders of sessions, STRESS/S01, AEROBIC/S01 and so on"
    found = find_paths(folder, pattern, expected)
    places = [place for place in (folder, Path(path)) if (place / _SUBJECTS).exists()] or [folder]
    table = _read_subjects_info(places[0] / _SUBJECTS)
    load = partial(_load_session, signals=signals, table=table)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
