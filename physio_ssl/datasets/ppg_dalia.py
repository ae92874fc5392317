"""Reader of PPG-DaLiA: wrist and chest signals in daily activities, with the heart rate."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from .._check import check_choice, check_mapping, check_number
from ..containers import Recording
from ._common import decode_text, list_names, parse_number, read_file
from ._wrist_and_chest import (
    check_wrist,
    choose_source,
    list_signals,
    load_pickle,
    read_pickled_signals,
)
from .empatica import WRIST_SIGNALS, read_session
from .reading import annotate_intervals, choose_signals, find_paths, read_subjects

_SIGNALS = list_signals("ACC", "ECG", "Resp")
_ACTIVITIES = (
    *("no_activity", "sitting", "stairs", "soccer", "cycling"),
    *("driving", "lunch", "walking", "working"),
)
_NAMES = {"baseline": "sitting", "clean_baseline": "sitting"}  # of the export, in the pickle
_ACTIVITY_RATE = 4  # Hz
_WINDOW, _SHIFT = 8, 2  # s, of the heart rate
_TOLERANCE = 2  # s


def _annotate(starts, names, end):
    """Return activities, each until the next one starts, as annotations; leave out pauses."""
    bounds = [*starts, end]
    intervals = [
        (start, stop - start, name)
        for (start, stop), name in zip(pairwise(bounds), names, strict=True)
        if name != _ACTIVITIES[0] and stop > start
    ]
    return annotate_intervals(intervals)


def _find_activities(content, path):
    """Return the activities of a pickle as annotations."""
    numbers = np.ravel(content["activity"])
    if unknown := set(np.unique(numbers).tolist()) - {*range(len(_ACTIVITIES))}:
        got = list_names(map(str, unknown), 5)
        raise ValueError(f"Activities in {path} must be whole numbers from 0 to 8, got {got}.")
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    names = [_ACTIVITIES[int(number)] for number in numbers[starts]]
    return _annotate(starts / _ACTIVITY_RATE, names, len(numbers) / _ACTIVITY_RATE)


def _find_heart_rate(content, path):
    """Return the heart rate of a pickle as ratings, at the middle of each window."""
    rate = np.ravel(content["label"]).astype(float)
    if not ((rate >= 20) & (rate <= 250)).all():
        raise ValueError(f"Heart rates in {path} must be from 20 to 250 beats per minute.")
    return {"time": _WINDOW / 2 + _SHIFT * np.arange(len(rate)), "heart_rate": rate}


def _load_pickled(folder, signals, delay):
    """Read one subject from the pickle, where all is on one clock."""
    path, content = load_pickle(folder, "PPG-DaLiA", ("signal", "label", "activity"))
    ratings, annotations = _find_heart_rate(content, path), _find_activities(content, path)
    expected = _WINDOW + _SHIFT * (len(ratings["time"]) - 1)
    chosen = {name: _SIGNALS[name] for name in signals}
    samples = read_pickled_signals(
        content,
        chosen,
        path,
        duration=expected,
        tolerance=_TOLERANCE,
    )
    rates = {name: rate for name, (*_, rate) in chosen.items()}
    answers = content.get("questionnaire", {})
    if not isinstance(answers, Mapping):
        raise ValueError(f"{path} must hold a dict as questionnaire, got {type(answers)}.")
    metadata = {str(key).lower(): value for key, value in answers.items()}
    return Recording(samples, rates, folder.name, annotations, ratings=ratings, metadata=metadata)


def _read_rows(path):
    """Return the rows of a file like ``# AGE, 25``, without that of the subject."""
    subject, rows = path.name.split("_")[0], []
    for number, line in enumerate(decode_text(read_file(path), path).splitlines(), start=1):
        if not line.strip():
            continue
        key, comma, value = (part.strip() for part in line.lstrip("# ").partition(","))
        if not comma:
            raise ValueError(f"Line {number} of {path} must be a name and a value, got {line!r}.")
        if key == "SUBJECT_ID":
            if value != subject:
                raise ValueError(f"{path} must be of the subject {subject}, got {value!r} in it.")
        else:
            rows.append((key.lower(), value))
    return rows


def _read_activities(path):
    """Return the starts, on the chest device's clock, and names of activities."""
    rows = _read_rows(path)
    names = [_NAMES.get(name, name) for name, _ in rows]
    if not names or (unknown := [name for name in names if name not in _ACTIVITIES]):
        got = list_names(unknown if names else [], 5)
        raise ValueError(f"Activities in {path} must be of {', '.join(_ACTIVITIES)}, got {got}.")
    starts = [parse_number(value, f"{name} in {path}") for name, value in rows]
    if not (np.diff(starts) >= 0).all():
        raise ValueError(f"Activities in {path} must be sorted by their starts, got {starts}.")
    return np.array(starts), names


def _parse_answer(text):
    """Return an answer as a number where it is one."""
    return float(text) if text.replace(".", "", 1).isdigit() else text


def _load_exported(folder, signals, delay):
    """Read one subject from the E4 export; ``delay`` is that of the chest device, or None."""
    subject = folder.name
    check_wrist(signals, folder)
    recording = read_session(folder / f"{subject}_E4.zip", signals, subject)
    answers = _read_rows(folder / f"{subject}_quest.csv")
    metadata = {key: _parse_answer(text) for key, text in answers}
    starts, names = _read_activities(folder / f"{subject}_activity.csv")
    if delay is None:
        return replace(recording, metadata=metadata)
    onset = (starts + delay - recording.start_offset).clip(0, recording.duration)
    annotations = _annotate(onset, names, recording.duration)
    return replace(recording, annotations=annotations, metadata=metadata)


_SOURCES = {"pkl": ("{}.pkl", _load_pickled), "e4": ("{}_E4.zip", _load_exported)}


def _load_subject(subject, folder, signals, source, chest_start):
    """Read one subject from the first source that is there."""
    load = choose_source(folder, source, _SOURCES)
    return load(folder, signals, chest_start.get(subject))


def load_ppg_dalia(
    path, subjects=None, signals=None, *, source="auto", chest_start=None, n_jobs=None
):
    """Read PPG-DaLiA: wrist and chest signals in eight daily activities, with the heart rate.

    The pickle holds all on one clock, and the heart rate that an ECG measured [1]_. The export of
    the wristband is longer and has no heart rate. Its file of activities counts from the start of
    the chest device, which no file of the export tells: say it with ``chest_start``.

    Parameters
    ----------
    path : str or path-like
        Folder PPG_FieldStudy, with the folders S1 to S15.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S1", "S3")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read. Of the wrist: "bvp" (arbitrary unit), "eda" (microsiemens), "temp" (degrees
        Celsius) and "acc" (three channels, in g). Of the chest, in the pickle only, at 700 Hz and
        in its units: "chest_acc" (three channels), "chest_ecg" and "chest_resp".
    source : {"auto", "pkl", "e4"}, default="auto"
        File to read: ``SX/SX.pkl``, or ``SX/SX_E4.zip`` with ``SX_activity.csv`` and
        ``SX_quest.csv``; "auto" is the pickle if there is one. No code in a pickle is run: one that
        holds more than arrays, strings, numbers and dicts is refused.
    chest_start : mapping from str to float, default=None
        For exports: when the chest device of a subject started, in seconds after the first row of
        the wristband's files. The recording of a subject who is not in it has no annotations, with
        a warning. The movements of S3 fit a start after about two minutes.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject, sorted by number. Annotations are the activities
        "sitting", "stairs", "soccer", "cycling", "driving", "lunch", "walking" and "working"; the
        time between them is not annotated. Of pickles, ``ratings`` has the column "heart_rate", in
        beats per minute, of windows of 8 s every 2 s, at the middle of each window.
        ``metadata`` has the answers of the questionnaire, such as "age", "height" (cm), "weight"
        (kg), "skin" (type 1 to 6) and "sport" (1 to 6). ``start_time`` is None for pickles.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If a file is missing or malformed, or a choice is unknown; if a file is of another subject
        than its folder; if a signal is not as long as the heart rates, or the wristband cannot
        have measured a value, as in :func:`load_empatica`.

    See Also
    --------
    fetch_ppg_dalia : Download the files.

    References
    ----------
    .. [1] Reiss, A., Indlekofer, I., Schmidt, P., Van Laerhoven, K. (2019). Deep PPG: large-scale
       heart rate estimation with convolutional neural networks. Sensors, 19(14), 3079.

    Examples
    --------
    >>> from physio_ssl.datasets import load_ppg_dalia
    >>> recordings = load_ppg_dalia("ppg_dalia")  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, WRIST_SIGNALS)
    check_choice("source", source, ("auto", *_SOURCES))
    chest_start = {
        subject: check_number(delay, f"chest_start[{subject!r}]")
        for subject, delay in check_mapping(chest_start, "chest_start").items()
    }
    found = find_paths(path, r"(S\d+)", "the folders of PPG-DaLiA's subjects, S1 to S15")
    load = partial(_load_subject, signals=signals, source=source, chest_start=chest_start)
    recordings = read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
    if unplaced := [one.subject for one in recordings if one.annotations is None]:
        warnings.warn(
            f"Activities of {list_names(unplaced)} in {path} are left out: they count from the "
            "start of the chest device. Say when it started with chest_start.",
            stacklevel=2,
        )
    return recordings
