"""Readers of Empatica E4 exports: one session, or every session below a folder."""

import math
import os
import warnings
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._empatica_csv import parse_signal
from .reading import annotate_events, choose_signals, list_names, open_files, read_subjects

_FILES = {name: f"{name.upper()}.csv" for name in ("bvp", "eda", "temp", "acc", "hr")}
WRIST_SIGNALS = ("bvp", "eda", "temp")  # read unless others are asked for
_HIGHEST_TEMPERATURE = 100  # degrees C; an unsettled sensor reports about 382


def _is_tags(name):
    return fnmatch(name, "tags*.csv")  # some distributions add the subject: tags_S02.csv


def _locate(paths, wanted, session):
    """Map the names of the wanted files, and of the tags, of a session to their paths."""
    parents = {path.parent for path in paths if path.name in wanted}
    if len(parents) > 1:
        folders = ", ".join(sorted(map(str, parents)))
        raise ValueError(f"{session} must hold one session, got files of the folders {folders}.")
    found = {path.name: path for path in paths if path.parent in parents}
    if missing := [name for name in wanted if name not in found]:
        names = list_names(sorted({path.name for path in paths}), 10)
        raise ValueError(f"{session} must hold {', '.join(missing)}, found {names}.")
    if len(tags := list(filter(_is_tags, found))) > 1:
        raise ValueError(f"{session} must hold one file of tags at most, got {', '.join(tags)}.")
    return {name: path for name, path in found.items() if name in wanted or _is_tags(name)}


def _count_unsettled(samples, name, file):
    """Count the samples before the sensor has settled; raise if it never does."""
    if name == "temp":
        settled, otherwise = samples[0] <= _HIGHEST_TEMPERATURE, "sentinels"
    else:
        settled, otherwise = samples.any(axis=0), "zero"
    if not settled.any():
        raise ValueError(
            f"{file} must hold a measurement, got {len(settled)} samples that all are {otherwise}. "
            f"Leave {name!r} out of signals."
        )
    n_unsettled = int(settled.argmax())
    late = np.flatnonzero(~settled[n_unsettled:]) + n_unsettled
    if name == "temp" and late.size:
        raise ValueError(
            f"{file} must hold at most {_HIGHEST_TEMPERATURE} degrees Celsius once the sensor has "
            f"settled, got {late.size} sentinel(s) above, the first in line {late[0] + 3}. Set "
            "trim_start=False to read all samples."
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
            raise ValueError(
                f"The signals of {session} must overlap: {name} ends before {latest} begins."
            )
    return start_time, signals


def _read_tags(data, file, recording):
    """Return the tags within a recording as annotations; warn of the others."""
    start, rates = recording.start_time, recording.sampling_rate
    end = start + max(x.shape[-1] / rates[name] for name, x in recording.signals.items())
    times = []
    for number, row in enumerate(data.decode(errors="replace").splitlines(), start=1):
        try:
            times += [float(row)] if row.strip() else []
        except ValueError:
            raise ValueError(
                f"Line {number} of {file} must be the unix time of a tag, got {row!r}."
            ) from None
    times = np.sort(np.array(times, dtype=float))
    inside = (times >= start) & (times <= end)
    if not inside.all():
        warnings.warn(
            f"{np.count_nonzero(~inside)} of {len(times)} tags in {file} are left out. They lie "
            f"outside the recording, {start:.2f} to {end:.2f} (unix time): "
            f"{times[~inside].min():.2f} to {times[~inside].max():.2f}.",
            stacklevel=3,
        )
    return annotate_events(times[inside] - start, "tag")


def _name_session(session):
    return session.resolve().name if session.is_dir() else session.stem


def read_session(path, signals, subject=None, trim_start=True):
    """Return a session's recording without annotations, and the name and content of its tags."""
    session, signals = Path(path), choose_signals(signals, _FILES, WRIST_SIGNALS)
    with open_files(session) as (files, read):
        located = _locate(files, [_FILES[name] for name in signals], session)
        contents = {name: read(file) for name, file in located.items()}
    starts, rates, samples, n_unsettled = {}, {}, {}, dict.fromkeys(signals, 0)
    for name in signals:
        file = session / _FILES[name]
        starts[name], rates[name], samples[name] = parse_signal(contents[file.name], name, file)
        if trim_start:
            n_unsettled[name] = _count_unsettled(samples[name], name, file)
    start_time, samples = _align(starts, rates, samples, n_unsettled, session)
    subject = _name_session(session) if subject is None else subject
    tags = next(filter(_is_tags, contents), "tags.csv")
    recording = Recording(samples, rates, subject, start_time=start_time)
    return recording, session / tags, contents.get(tags, b"")


def load_empatica(path, signals=None, *, subject=None, trim_start=True):
    """Read one session exported from an Empatica E4 wristband.

    All signals are put on one clock, which starts where the last of them starts: whole
    samples before it are dropped, so a signal is off by less than one of its samples. The
    ends are left as they are and may differ by seconds.

    Parameters
    ----------
    path : str or path-like
        Folder of the session, or zip file with the same files in it or in one of its
        folders. It is read in memory, nothing is extracted.
    signals : sequence of str, default=None
        Signals to read, by default the first three: "bvp" (blood volume pulse, arbitrary
        unit), "eda" (microsiemens), "temp" (skin temperature, degrees Celsius), "acc" (three
        channels, in g) and "hr" (heart rate, beats per minute, which starts ten seconds
        late).
    subject : str, default=None
        Who was recorded; by default the name of the folder, or of the zip file.
    trim_start : bool, default=True
        Whether the recording starts only once the sensors have settled: after the sentinels
        near 382 degrees Celsius at the start of the temperature and the zeros at the start
        of the EDA, usually a second in all. Temperatures above 100 degrees Celsius later on,
        or a signal without any measurement, are errors. Otherwise, all samples are kept.

    Returns
    -------
    Recording
        The signals, as float32. Its ``start_time`` is the unix time of the first sample,
        its annotations are the tags: presses of the button, of duration 0 and description
        "tag". Tags outside the recording are left out with a warning.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If a file is missing, cut off or malformed, or holds samples that are not finite or
        no measurement at all.

    See Also
    --------
    load_empatica_corpus : Reads every session below a folder.

    Examples
    --------
    >>> from physio_ssl.datasets import load_empatica
    >>> recording = load_empatica("S2_E4_Data.zip")  # doctest: +SKIP
    >>> recording  # doctest: +SKIP
    Recording(S2_E4_Data: 7872 s, bvp 1 x 64 Hz, eda 1 x 4 Hz, temp 1 x 4 Hz)
    """
    recording, file, tags = read_session(path, signals, subject, trim_start)
    return replace(recording, annotations=_read_tags(tags, file, recording))


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


def _load_session(subject, session, signals):
    return load_empatica(session, signals, subject=subject)


def load_empatica_corpus(path, subjects=None, signals=None, *, n_jobs=None):
    """Read every E4 session at or below a folder.

    A session is a folder with E4 files or a zip file. Its subject is the name of the folder
    that holds it: ``corpus/15/15_1594238057.zip`` and ``corpus/15/monday/BVP.csv`` are of
    the subject "15". A session directly below ``path`` is a subject of its own, so
    ``corpus/S01/BVP.csv`` is of the subject "S01".

    Parameters
    ----------
    path : str or path-like
        Folder of the corpus.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("15", "S01")``; by default all.
    signals : sequence of str, default=None
        Signals to read, with units as in :func:`load_empatica`; by default "bvp", "eda" and
        "temp".
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each session, sorted by path and grouped by subject. Sessions that
        cannot be used, and those found twice (a zip file and what was extracted from it),
        are left out with one warning that names them and says why.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is no session that can be used, or a choice is unknown.

    See Also
    --------
    load_empatica : Reads one session.
    """
    folder, signals = Path(path), choose_signals(signals, _FILES, WRIST_SIGNALS)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = _find_sessions(folder)
    if not found:
        raise ValueError(
            f"{folder} must hold E4 sessions at any depth, zip files or folders with "
            f"{', '.join(_FILES.values())}, found none."
        )
    load = partial(_load_session, signals=signals)
    return read_subjects(load, found, subjects, place=folder, strict=False, n_jobs=n_jobs)
