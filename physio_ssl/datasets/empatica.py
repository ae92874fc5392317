"""Readers of Empatica E4 exports: one session, or every session below a folder."""

import math
import os
import warnings
import zipfile
import zlib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import numpy as np
from joblib import Parallel, delayed

from ..containers import Recording
from ._empatica_csv import parse_signal
from ._signals import check_signals

_FILES = {
    "bvp": "BVP.csv",
    "eda": "EDA.csv",
    "temp": "TEMP.csv",
    "acc": "ACC.csv",
    "hr": "HR.csv",
}
_HIGHEST_TEMPERATURE = 100  # degrees C; an unsettled sensor reports about 382


def _is_tags(name):
    return fnmatch(name, "tags*.csv")  # some distributions add the subject: tags_S02.csv


def _locate(paths, wanted, session):
    """Map the names of the wanted files, and of the tags, of a session to their paths."""
    parents = {path.parent for path in paths if path.name in wanted}
    if len(parents) > 1:
        raise ValueError(
            f"{session} must hold one session, got files of several folders: "
            f"{', '.join(sorted(map(str, parents)))}."
        )
    found = {path.name: path for path in paths if path.parent in parents}
    missing = [name for name in wanted if name not in found]
    if missing:
        names = sorted({path.name for path in paths})
        others = ", ".join(names[:10] + ["..."] * (len(names) > 10)) or "no files at all"
        raise ValueError(
            f"{session} must hold one file for each signal, but has no "
            f"{', '.join(missing)}; found {others}."
        )
    if sum(map(_is_tags, found)) > 1:
        tags = ", ".join(filter(_is_tags, found))
        raise ValueError(f"{session} must hold one file of tags at most, got {tags}.")
    return {name: path for name, path in found.items() if name in wanted or _is_tags(name)}


def _read_files(session, wanted):
    """Read the wanted files, and the tags, of a folder or zip into memory."""
    if not session.exists():
        raise FileNotFoundError(f"There is no folder or zip file {session}.")
    if session.is_dir():
        files = [path for path in sorted(session.iterdir()) if path.is_file()]
        return {name: path.read_bytes() for name, path in _locate(files, wanted, session).items()}
    try:
        with zipfile.ZipFile(session) as archive:
            members = {
                PurePosixPath(member): member
                for member in archive.namelist()
                if not member.endswith("/")
            }
            return {
                name: archive.read(members[path])
                for name, path in _locate(list(members), wanted, session).items()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(
            f"An E4 session must be a folder or a readable zip file, got {session}: {error}."
        ) from error


def _count_unsettled(samples, name, file):
    """Count the samples before the sensor has settled; raise if it never does."""
    if name == "temp":
        settled, otherwise = samples[0] <= _HIGHEST_TEMPERATURE, "sentinels"
    else:
        settled, otherwise = samples.any(axis=0), "zero"
    if not settled.any():
        raise ValueError(
            f"{file} holds no measurement: all of its {len(settled)} samples are "
            f"{otherwise}. Leave {name!r} out of signals."
        )
    n_unsettled = int(settled.argmax())
    late = np.flatnonzero(~settled[n_unsettled:]) + n_unsettled
    if name == "temp" and late.size:
        raise ValueError(
            f"{file} must hold temperatures up to {_HIGHEST_TEMPERATURE} degrees Celsius "
            f"once the sensor has settled, got {late.size} sentinel(s) above, the first "
            f"in line {late[0] + 3}. Read it with trim_start=False to see all samples."
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
                f"The signals of {session} must overlap, but {name} ends before the first "
                f"usable sample of {latest}."
            )
    return start_time, signals


def _read_tags(data, file, start_time, end_time):
    """Return the tags within a recording as annotations; warn of the others."""
    times = []
    for number, row in enumerate(data.decode(errors="replace").splitlines(), start=1):
        try:
            times += [float(row)] if row.strip() else []
        except ValueError:
            raise ValueError(
                f"Line {number} of {file} must be the unix time of a tag, got {row!r}."
            ) from None
    times = np.sort(np.array(times, dtype=float))
    inside = (times >= start_time) & (times <= end_time)
    if not inside.all():
        warnings.warn(
            f"{np.count_nonzero(~inside)} of {len(times)} tags in {file} lie outside the "
            f"recording, from {start_time:.2f} to {end_time:.2f} (unix time), and are left "
            f"out: {times[~inside].min():.2f} to {times[~inside].max():.2f}.",
            stacklevel=3,
        )
    onset = times[inside] - start_time
    return {
        "onset": onset,
        "duration": np.zeros_like(onset),
        "description": np.full(onset.shape, "tag"),
    }


def load_empatica(path, signals=("bvp", "eda", "temp"), subject=None, trim_start=True):
    """Read one session exported from an Empatica E4 wristband.

    All signals are put on one clock, which starts where the last of them starts: whole
    samples before it are dropped, so a signal is off by less than one of its samples. The
    ends are left as they are and may differ by seconds.

    Parameters
    ----------
    path : str or path-like
        Folder of the session, or zip file with the same files in it or in one of its
        folders. It is read in memory, nothing is extracted.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, of "bvp" (blood volume pulse, arbitrary unit), "eda"
        (microsiemens), "temp" (skin temperature, degrees Celsius), "acc" (three channels,
        in g) and "hr" (heart rate, beats per minute, which starts ten seconds late).
    subject : str, default=None
        Who was recorded; by default the name of the folder, or of the zip file.
    trim_start : bool, default=True
        Whether the recording starts only once the sensors have settled: after the sentinels
        near 382 degrees Celsius at the start of the temperature and the zeros at the start
        of the EDA, usually a second in all. ``start_time`` and all onsets move along, and
        temperatures above 100 degrees Celsius later on, or a signal without any
        measurement, are errors. Otherwise, all samples are returned as they are.

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

    Examples
    --------
    >>> from physio_ssl.datasets import load_empatica
    >>> recording = load_empatica("S2_E4_Data.zip")  # doctest: +SKIP
    >>> recording  # doctest: +SKIP
    Recording(S2_E4_Data: 7872 s, bvp 1 x 64 Hz, eda 1 x 4 Hz, temp 1 x 4 Hz)
    """
    session, signals = Path(path), check_signals(signals, _FILES)
    contents = _read_files(session, [_FILES[name] for name in signals])
    starts, rates, samples, n_unsettled = {}, {}, {}, dict.fromkeys(signals, 0)
    for name in signals:
        file = session / _FILES[name]
        starts[name], rates[name], samples[name] = parse_signal(contents[_FILES[name]], name, file)
        if trim_start:
            n_unsettled[name] = _count_unsettled(samples[name], name, file)
    start_time, samples = _align(starts, rates, samples, n_unsettled, session)
    end_time = start_time + max(signal.shape[-1] / rates[name] for name, signal in samples.items())
    tags = next(filter(_is_tags, contents), "tags.csv")
    annotations = _read_tags(contents.get(tags, b""), session / tags, start_time, end_time)
    if subject is None:
        subject = session.resolve().name if session.is_dir() else session.stem
    return Recording(samples, rates, subject, annotations, start_time)


def _find_sessions(folder):
    """Return the session folders and zip files at or below a folder, sorted by path."""
    sessions = []
    for parent, _, names in os.walk(folder):
        if not set(names).isdisjoint(_FILES.values()):
            sessions.append(Path(parent))
        sessions += [Path(parent, name) for name in names if name.lower().endswith(".zip")]
    return sorted(sessions)


def _load_or_explain(session, folder, signals):
    """Return the recording, or the error, of one session of a corpus."""
    subject = None if folder in (session, session.parent) else session.parent.name
    try:
        return load_empatica(session, signals, subject)
    except ValueError as error:
        return error


def load_empatica_corpus(folder, signals=("bvp", "eda", "temp"), n_jobs=None):
    """Read every E4 session at or below a folder.

    A session is a folder with E4 files or a zip file. Its subject is the name of the folder
    that holds it: ``corpus/15/15_1594238057.zip`` and ``corpus/15/monday/BVP.csv`` are of
    the subject "15". A session directly below ``folder`` is a subject of its own, so
    ``corpus/S01/BVP.csv`` is of the subject "S01".

    Parameters
    ----------
    folder : str or path-like
        Folder of the corpus.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads; None is one, -1 is one for
        each processor.

    Returns
    -------
    list of Recording
        One recording for each session, sorted by path. Sessions that cannot be used, and
        those found twice (a zip file and what was extracted from it), are left out with one
        warning that names them and says why.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is no session below the folder, or none can be used.
    """
    folder, signals = Path(folder), check_signals(signals, _FILES)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    sessions = _find_sessions(folder)
    if not sessions:
        raise ValueError(
            f"{folder} must hold E4 sessions at any depth: folders with "
            f"{', '.join(_FILES.values())}, or zip files. Found none."
        )
    # Threads: the time goes to unpacking and NumPy, which release the lock.
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_load_or_explain)(session, folder, signals) for session in sessions
    )
    recordings, reasons = {}, []
    for session, result in zip(sessions, results, strict=True):
        if isinstance(result, ValueError):
            reasons.append(str(result))
            continue
        for twin, other in recordings.items():
            if other.start_time == result.start_time and other.signals == result.signals:
                reasons.append(f"{session} holds the same signals as {twin}.")
                break
        else:
            recordings[session] = result
    if not recordings:
        raise ValueError(
            f"None of the {len(sessions)} sessions below {folder} can be used: " + " ".join(reasons)
        )
    if reasons:
        warnings.warn(
            f"{len(reasons)} of {len(sessions)} sessions below {folder} are left out: "
            + " ".join(reasons),
            stacklevel=2,
        )
    return list(recordings.values())
