"""Readers of Empatica E4 exports: one session, or every session below a folder."""

import math
import os
import warnings
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import decode_text, list_names, open_files
from ._empatica_csv import parse_signal, parse_time
from ._plausible import check_exchange, is_sentinel
from .reading import annotate_events, choose_signals, read_subjects

_FILES = {name: f"{name.upper()}.csv" for name in ("bvp", "eda", "temp", "acc", "hr")}
WRIST_SIGNALS = ("bvp", "eda", "temp")  # read unless others are asked for


def _locate(paths, wanted, session):
    """Return the paths of a session's wanted files, by their names, and of its files of tags."""
    parents = {path.parent for path in paths if path.name in wanted}
    if len(parents) > 1:
        folders = ", ".join(sorted(map(str, parents)))
        raise ValueError(f"{session} must hold one session, got files of the folders {folders}.")
    found = {path.name: path for path in paths if path.parent in parents}
    if missing := [name for name in wanted if name not in found]:
        names = list_names(sorted({path.name for path in paths}), 10)
        raise ValueError(f"{session} must hold {', '.join(missing)}, found {names}.")
    # Some distributions add the subject: tags_S02.csv.
    tags = [path for name, path in found.items() if fnmatch(name, "tags*.csv")]
    return {name: found[name] for name in wanted}, tags


def _count_unsettled(samples, name, file):
    """Count the samples before the sensor has settled; raise if it never does."""
    settled = ~is_sentinel(samples[0]) if name == "temp" else samples.any(axis=0)
    if not settled.any():
        raise ValueError(
            f"{file} must hold a measurement, got {len(settled)} samples of {samples[0, 0]:g}. "
            f"Leave {name!r} out of signals."
        )
    n_unsettled = int(settled.argmax())
    late = np.flatnonzero(~settled[n_unsettled:]) + n_unsettled
    if name == "temp" and late.size:
        raise ValueError(
            f"{file} must hold temperatures once the sensor has settled, got {late.size} late "
            f"sentinel(s), the first in line {late[0] + 3}. trim_start=False reads all samples."
        )
    return n_unsettled if name in ("eda", "temp") else 0  # zeros are values of the others


def _align(starts, rates, samples, n_unsettled, session):
    """Cut the signals to their latest start; return it and the signals."""
    settled = {name: starts[name] + n_unsettled[name] / rates[name] for name in samples}
    latest = max(settled, key=settled.get)
    start_time, signals = settled[latest], {}
    for name, signal in samples.items():
        # The first sample at or after the start, unless it is late by a rounding error.
        n_before = math.ceil((start_time - starts[name]) * rates[name] - 1e-3)
        signals[name] = signal[:, n_before:]
        if not signals[name].size:
            raise ValueError(f"{name} of {session} must overlap {latest}, got an earlier end.")
    return start_time, signals


def _read_tags(paths, read, session):
    """Return the times of tags, in unix time; warn of those that cannot be read."""
    times, reasons = [], []
    if len(paths) > 1:
        reasons = [f"one file is expected, got {', '.join(sorted(path.name for path in paths))}."]
        paths = []
    for path in paths:
        try:
            rows = decode_text(read(path), session / path.name).splitlines()
        except (OSError, ValueError) as error:
            reasons, rows = [str(error)], []
        for number, row in enumerate(rows, start=1):
            try:
                if row := row.strip():
                    times.append(parse_time(row, f"Line {number} of {session / path.name}"))
            except ValueError as error:
                reasons.append(str(error))
    if reasons:
        warnings.warn(f"Tags of {session} are left out: {list_names(reasons, 3)}", stacklevel=4)
    return np.sort(times)


def annotate_tags(times, start, end, session):
    """Return the tags from start to end, in unix time, as annotations; warn of the others."""
    inside = (times >= start) & (times <= end)
    if not inside.all():
        others = times[~inside]
        warnings.warn(
            f"{len(others)} of {len(times)} tags of {session} are left out, {others.min():.2f} to "
            f"{others.max():.2f}: the recording is from {start:.2f} to {end:.2f} (unix time).",
            stacklevel=4,
        )
    return annotate_events(times[inside] - start, "tag")


def _name_session(session):
    return session.resolve().name if session.is_dir() else session.stem


def read_session(path, signals, subject=None, trim_start=True, with_tags=False):
    """Return the recording of one session."""
    session, signals = Path(path), choose_signals(signals, _FILES, WRIST_SIGNALS)
    files = {name: _FILES[name] for name in signals}
    with open_files(session) as (paths, read):
        located, tags = _locate(paths, list(files.values()), session)
        contents = {name: read(path) for name, path in located.items()}
        times = _read_tags(tags, read, session) if with_tags else None
    starts, rates, samples, n_unsettled = {}, {}, {}, dict.fromkeys(files, 0)
    for name, file in files.items():
        data = contents.pop(file)
        starts[name], rates[name], samples[name] = parse_signal(data, name, session / file)
        if trim_start:
            n_unsettled[name] = _count_unsettled(samples[name], name, session / file)
    start, samples = _align(starts, rates, samples, n_unsettled, session)
    check_exchange(samples, session)
    annotations = None
    if with_tags:
        end = start + max(x.shape[-1] / rates[name] for name, x in samples.items())
        annotations = annotate_tags(times, start, end, session)
    subject = _name_session(session) if subject is None else subject
    return Recording(samples, rates, subject, annotations, start, start - min(starts.values()))


def load_empatica(path, signals=None, *, subject=None, trim_start=True):
    """Read one session exported from an Empatica E4 wristband.

    All signals start with the last of them, as whole samples before it are dropped: a signal is off
    by less than one of its samples. Their ends may differ by seconds.

    Parameters
    ----------
    path : str or path-like
        Folder of the session, or zip file with the same files in it or in one of its folders. It is
        read in memory, nothing is extracted.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read: "bvp" (blood volume pulse, arbitrary unit), "eda" (microsiemens), "temp"
        (skin temperature, degrees Celsius), "acc" (three channels, in g) and "hr" (heart rate,
        beats per minute, which starts ten seconds late).
    subject : str, default=None
        Who was recorded; None for the name of the folder, or of the zip file.
    trim_start : bool, default=True
        Whether to start once the sensors have settled: after the first temperatures, near 382
        degrees Celsius, and zeros of the EDA, usually a second. Such temperatures later on, or a
        signal without any measurement, are errors. Otherwise, all samples are kept.
        ``start_offset`` of the recording says how much was dropped.

    Returns
    -------
    Recording
        The signals, as float32. ``start_time`` is the unix time of the first sample. Annotations
        are the tags, presses of the button, of duration 0 and description "tag". Tags outside the
        recording, or that cannot be read, are left out with a warning.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, or holds what no E4 measures: another sampling rate than
        64 Hz (BVP), 4 Hz (EDA, temperature), 32 Hz (acceleration) or 1 Hz (heart rate); values
        outside 0 to 100 microsiemens, -40 to 115 degrees Celsius, 8 g, 20 to 250 beats per minute
        or 9000 units of the BVP; a BVP of one sign; EDA and temperature exchanged; a header among
        the samples, of a file written twice. 119 published sessions hold none of these.

    Warns
    -----
    UserWarning
        If the samples of a file are there twice in a row, as in one of the 119 sessions; if the
        median EDA is above 20 microsiemens or the median temperature below 15 degrees Celsius,
        which is rare: the file may hold another signal.

    See Also
    --------
    load_empatica_corpus : Reads every session below a folder.
    physio_ssl.Recording.annotate : Adds labels of your own, on the recording's or the files' clock.

    Examples
    --------
    >>> from physio_ssl.datasets import load_empatica
    >>> recording = load_empatica("session.zip")  # doctest: +SKIP
    """
    return read_session(path, signals, subject, trim_start, with_tags=True)


def _find_sessions(folder, name_subject):
    """Return the sessions, folders and zip files, at or below a folder by their subject."""
    sessions = []
    for parent, _, names in os.walk(folder):
        if not set(names).isdisjoint(_FILES.values()):
            sessions.append(Path(parent))
        sessions += [Path(parent, name) for name in names if name.lower().endswith(".zip")]
    found = {}
    for session in sorted(sessions):
        if name_subject is not None:
            place = session.relative_to(folder)
            try:
                subject = name_subject(place)
            except Exception as error:
                raise ValueError(f"subject raised {error!r} for the path {place}.") from error
        else:
            directly = folder in (session, session.parent)
            subject = _name_session(session) if directly else session.parent.name
        if not isinstance(subject, str) or not subject:
            raise TypeError(f"subject must return a name of {session} as text, got {subject!r}.")
        found.setdefault(subject, []).append(session)
    return found


def _warn_if_sessions_may_be_people(found, folder):
    """Warn if several subjects have several sessions of the same names, who may be the people."""
    subjects = {}
    for subject, sessions in found.items():
        for name in {_name_session(session) for session in sessions}:
            subjects.setdefault(name, []).append(subject)
    shared = [name for name, owners in subjects.items() if len(owners) > 1]
    if len(shared) > 1:
        warnings.warn(
            f"Subjects in {folder} are taken to be {list_names(found, 10)}, but several of them "
            f"have sessions named {list_names(sorted(shared), 10)}. If these are the people, pass "
            "subject=lambda path: path.stem, otherwise subject=lambda path: path.parent.name.",
            stacklevel=3,
        )


def load_empatica_corpus(path, subjects=None, signals=None, *, subject=None, n_jobs=None):
    """Read every E4 session, folder with E4 files or zip file, at or below a folder.

    The subject of a session is the folder that holds it: ``corpus/15/15_1594238057.zip`` and
    ``corpus/15/monday/BVP.csv`` are of the subject "15". A session directly below ``path`` is a
    subject of its own, so ``corpus/S01/BVP.csv`` is of the subject "S01". In other layouts,
    ``subject`` says whose a session is.

    Parameters
    ----------
    path : str or path-like
        Folder of the corpus.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("15", "S01")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    subject : callable, default=None
        Function of a session's path, relative to ``path``, that returns its subject. For
        ``corpus/stress/S01/BVP.csv``, the path is ``stress/S01``, and
        ``lambda path: path.parts[1]`` returns "S01". None for the folder that holds the session.
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each session, sorted by path and grouped by subject. One warning names
        sessions that cannot be used, or were found twice (zipped and extracted), and are left out.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no such folder or no session that can be used, a choice is unknown, or
        ``subject`` returns no text.

    Warns
    -----
    UserWarning
        If ``subject`` is None and several subjects have sessions of the same names, so the
        folders may be conditions and the sessions people.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl.datasets import load_empatica_corpus
    >>> recordings = load_empatica_corpus("empatica_corpus")  # doctest: +SKIP
    """
    folder, signals = Path(path), choose_signals(signals, _FILES, WRIST_SIGNALS)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = _find_sessions(folder, subject)
    if not found:
        raise ValueError(f"{folder} must hold zip files or folders with BVP.csv, found none.")
    if subject is None:
        _warn_if_sessions_may_be_people(found, folder)

    def load(name, session):
        return load_empatica(session, signals, subject=name)

    return read_subjects(load, found, subjects, place=folder, strict=False, n_jobs=n_jobs)
