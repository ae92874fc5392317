"""Readers of Empatica E4 exports: one session, or every session below a folder."""

import math
import os
import warnings
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import decode_text, list_names, open_files, parse_number
from ._empatica_csv import parse_signal
from .reading import annotate_events, choose_signals, read_subjects

_FILES = {name: f"{name.upper()}.csv" for name in ("bvp", "eda", "temp", "acc", "hr")}
WRIST_SIGNALS = ("bvp", "eda", "temp")  # read unless others are asked for
_HIGHEST_TEMPERATURE = 100  # degrees C; an unsettled sensor reports about 382


def _locate(paths, wanted, session):
    """Map the names of a session's wanted files, and then of its tags, to their paths."""
    parents = {path.parent for path in paths if path.name in wanted}
    if len(parents) > 1:
        folders = ", ".join(sorted(map(str, parents)))
        raise ValueError(f"{session} must hold one session, got files of the folders {folders}.")
    found = {path.name: path for path in paths if path.parent in parents}
    if missing := [name for name in wanted if name not in found]:
        names = list_names(sorted({path.name for path in paths}), 10)
        raise ValueError(f"{session} must hold {', '.join(missing)}, found {names}.")
    # Some distributions add the subject: tags_S02.csv.
    tags = [name for name in found if fnmatch(name, "tags*.csv")]
    if len(tags) > 1:
        raise ValueError(f"{session} must hold one file of tags at most, got {', '.join(tags)}.")
    return {name: found[name] for name in (*wanted, *tags)}


def _count_unsettled(samples, name, file):
    """Count the samples before the sensor has settled; raise if it never does."""
    settled = samples[0] <= _HIGHEST_TEMPERATURE if name == "temp" else samples.any(axis=0)
    if not settled.any():
        raise ValueError(
            f"{file} must hold a measurement, got {len(settled)} samples of {samples[0, 0]:g}. "
            f"Leave {name!r} out of signals."
        )
    n_unsettled = int(settled.argmax())
    late = np.flatnonzero(~settled[n_unsettled:]) + n_unsettled
    if name == "temp" and late.size:
        raise ValueError(
            f"{file} must stay below {_HIGHEST_TEMPERATURE} degrees Celsius, got {late.size} late "
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


def _read_tags(data, file, start, end):
    """Return the tags from start to end, in unix time, as annotations; warn of the others."""
    lines = enumerate(decode_text(data, file).splitlines(), start=1)
    times = [parse_number(row, f"Line {i} of {file}") for i, row in lines if row.strip()]
    times = np.sort(np.array(times, dtype=float))
    inside = (times >= start) & (times <= end)
    if not inside.all():
        others = times[~inside]
        warnings.warn(
            f"{len(others)} of {len(times)} tags in {file} are left out, {others.min():.2f} to "
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
        located = _locate(paths, list(files.values()), session)
        contents = {name: read(path) for name, path in located.items()}
    starts, rates, samples, n_unsettled = {}, {}, {}, dict.fromkeys(files, 0)
    for name, file in files.items():
        data = contents.pop(file)
        starts[name], rates[name], samples[name] = parse_signal(data, name, session / file)
        if trim_start:
            n_unsettled[name] = _count_unsettled(samples[name], name, session / file)
    start, samples = _align(starts, rates, samples, n_unsettled, session)
    annotations = None
    if with_tags:
        end = start + max(x.shape[-1] / rates[name] for name, x in samples.items())
        file, data = next(iter(contents.items()), ("tags.csv", b""))
        annotations = _read_tags(data, session / file, start, end)
    subject = _name_session(session) if subject is None else subject
    return Recording(samples, rates, subject, annotations, start)


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
        degrees Celsius, and zeros of the EDA, usually a second. Temperatures above 100 degrees
        Celsius later on, or a signal without any measurement, are errors. Otherwise, all samples
        are kept.

    Returns
    -------
    Recording
        The signals, as float32. ``start_time`` is the unix time of the first sample. Annotations
        are the tags, presses of the button, of duration 0 and description "tag". Tags outside the
        recording are left out with a warning.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, or holds no measurement.

    See Also
    --------
    load_empatica_corpus : Reads every session below a folder.
    """
    return read_session(path, signals, subject, trim_start, with_tags=True)


def _find_sessions(folder):
    """Return the sessions, folders and zip files, at or below a folder by their subject."""
    sessions = []
    for parent, _, names in os.walk(folder):
        if not set(names).isdisjoint(_FILES.values()):
            sessions.append(Path(parent))
        sessions += [Path(parent, name) for name in names if name.lower().endswith(".zip")]
    found = {}
    for session in sorted(sessions):
        directly = folder in (session, session.parent)
        subject = _name_session(session) if directly else session.parent.name
        found.setdefault(subject, []).append(session)
    return found


def load_empatica_corpus(path, subjects=None, signals=None, *, n_jobs=None):
    """Read every E4 session, folder with E4 files or zip file, at or below a folder.

    The subject of a session is the folder that holds it: ``corpus/15/15_1594238057.zip`` and
    ``corpus/15/monday/BVP.csv`` are of the subject "15". A session directly below ``path`` is a
    subject of its own, so ``corpus/S01/BVP.csv`` is of the subject "S01".

    Parameters
    ----------
    path : str or path-like
        Folder of the corpus.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("15", "S01")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each session, sorted by path and grouped by subject. One warning names
        sessions that cannot be used, or were found twice (zipped and extracted), and are left out.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or no session that can be used, or a choice is unknown.
    """
    folder, signals = Path(path), choose_signals(signals, _FILES, WRIST_SIGNALS)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = _find_sessions(folder)
    if not found:
        raise ValueError(f"{folder} must hold zip files or folders with BVP.csv, found none.")

    def load(subject, session):
        return load_empatica(session, signals, subject=subject)

    return read_subjects(load, found, subjects, place=folder, strict=False, n_jobs=n_jobs)
