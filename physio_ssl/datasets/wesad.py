"""Reader of WESAD, from its pickles or from the exports of its E4 wristbands."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files

import numpy as np
import pandas as pd

from .._check import check_choice
from ..containers import Recording
from ._empatica_csv import ACC_UNITS_PER_G
from ._wesad_questionnaire import read_blocks, read_metadata
from ._wrist_and_chest import (
    check_wrist,
    choose_source,
    list_signals,
    load_pickle,
    read_pickled_signals,
)
from .empatica import WRIST_SIGNALS, read_session
from .reading import choose_signals, find_paths, read_subjects

_LABEL_RATE = 700
_TOLERANCE = 1  # s between the ends of signals and labels
_SIGNALS = list_signals("ACC", "ECG", "EDA", "EMG", "Resp", "Temp")
_LABEL_VALUES = range(8)  # 0, 5, 6 and 7 are of no condition
_LABELS = {1: "baseline", 2: "stress", 3: "amusement", 4: "meditation"}
_SHRINKAGE = 10  # s, by which the official labels shrink a condition at both ends


def _annotate(intervals, path):
    """Return intervals, of onset, duration and description, as sorted annotations."""
    onset, duration, description = zip(*sorted(intervals), strict=True)
    counts = Counter(description)
    if twice := sorted(name for name in counts if counts[name] > 1 + (name == "meditation")):
        raise ValueError(
            f"{path} must have each condition once, meditation twice, got {', '.join(twice)} again."
        )
    return {"onset": onset, "duration": duration, "description": description}


def _load_pickled(folder, signals):
    """Read one subject from the official pickle, whose labels are on the signals' clock."""
    path, content = load_pickle(folder, "WESAD", ("signal", "label"))
    label = np.ravel(content["label"])
    if unknown := set(np.unique(label).tolist()) - {*_LABEL_VALUES}:
        raise ValueError(f"Labels in {path} must be whole numbers from 0 to 7, got {unknown}.")
    edges = np.flatnonzero(np.diff(label, prepend=np.nan, append=np.nan))
    intervals = [
        (start / _LABEL_RATE, (end - start) / _LABEL_RATE, _LABELS[label[start]])
        for start, end in zip(edges[:-1], edges[1:], strict=True)
        if label[start] in _LABELS
    ]
    if not intervals:
        found = np.unique(label).tolist()
        raise ValueError(f"The labels of {path} must mark the conditions {_LABELS}, got {found}.")
    chosen = {name: _SIGNALS[name] for name in signals}
    samples = read_pickled_signals(
        content,
        chosen,
        path,
        duration=len(label) / _LABEL_RATE,
        tolerance=_TOLERANCE,
        acc_units_per_g=ACC_UNITS_PER_G,
    )
    rates = {name: rate for name, (*_, rate) in chosen.items()}
    annotations, metadata = _annotate(intervals, path), read_metadata(folder)
    return Recording(samples, rates, folder.name, annotations, metadata=metadata)


@cache
def _read_clocks():
    """Return the unix time of the chest device's t = 0 for each subject."""
    table = pd.read_csv(files(__package__) / "wesad_e4_sync.csv", comment="#", index_col="subject")
    return table.sum(axis=1).to_dict()


def _read_questionnaire(path):
    """Return the onset, duration and description of conditions, on the chest's clock."""
    intervals = []
    for start, end, condition in read_blocks(path):
        duration = end - start - 2 * _SHRINKAGE
        if duration <= 0:
            raise ValueError(
                f"Conditions in {path} must last longer than {2 * _SHRINKAGE} s, got {condition!r} "
                f"from {start} to {end} s."
            )
        intervals.append((start + _SHRINKAGE, duration, re.sub(r" \d", "", condition)))
    return intervals


def _load_exported(folder, signals):
    """Read one subject from the E4 export and the questionnaire."""
    subject, clocks = folder.name, _read_clocks()
    check_wrist(signals, folder)
    if subject not in clocks:
        raise ValueError(f"Clocks must be known, like those of {', '.join(clocks)}, got {subject}.")
    quest = folder / f"{subject}_quest.csv"
    recording = read_session(folder / f"{subject}_E4_Data.zip", signals, subject)
    delay = clocks[subject] - recording.start_time
    intervals = [(onset + delay, *rest) for onset, *rest in _read_questionnaire(quest)]
    for onset, duration, description in intervals:
        if onset < 0 or onset + duration > recording.duration:
            raise ValueError(
                f"Conditions in {quest} must lie within 0 to {recording.duration:.1f} s, got "
                f"{description} from {onset:.1f} to {onset + duration:.1f} s."
            )
    annotations, metadata = _annotate(intervals, quest), read_metadata(folder)
    return replace(recording, annotations=annotations, metadata=metadata)


_SOURCES = {"pkl": ("{}.pkl", _load_pickled), "e4": ("{}_E4_Data.zip", _load_exported)}


def _load_subject(subject, folder, signals, source):
    """Read one subject from the first source that is there."""
    return choose_source(folder, source, _SOURCES)(folder, signals)


def load_wesad(path, subjects=None, signals=None, *, source="auto", n_jobs=None):
    """Read WESAD: wrist and chest signals in baseline, stress, amusement and meditation.

    Both sources hold the same wrist signals and conditions [1]_. The pickle is cut to the time when
    both devices were on. The wristband's export is longer. Its conditions, in a questionnaire on
    the chest device's clock, are moved by an offset of each subject, found by aligning the signals
    of both devices, and shrunk by 10 s at both ends as the official labels are.

    Parameters
    ----------
    path : str or path-like
        Folder of WESAD, with the folders S2 to S17.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S2", "S3")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read. Of the wrist: "bvp" (arbitrary unit), "eda" (microsiemens), "temp" (degrees
        Celsius) and "acc" (three channels, in g). Of the chest, in the pickle only, at 700 Hz:
        "chest_acc" (three channels, in g), "chest_ecg" (millivolts), "chest_eda" (microsiemens),
        "chest_emg" (millivolts), "chest_resp" (percent of the range) and "chest_temp" (degrees
        Celsius).
    source : {"auto", "pkl", "e4"}, default="auto"
        File to read: ``SX/SX.pkl``, or ``SX/SX_E4_Data.zip`` with ``SX/SX_quest.csv``; "auto" is
        the pickle if there is one. No code in a pickle is run: one that holds more than arrays,
        strings, numbers and dicts is refused.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject, sorted by number. Annotations are the conditions
        "baseline", "stress", "amusement" and "meditation" (twice). ``start_time`` is None for
        pickles, which do not have it. ``metadata`` is what the questionnaire and
        ``SX/SX_readme.txt`` say, where they are there; see the notes.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, or a choice is unknown; if a file is of another subject
        than its folder; if a condition is there twice (meditation: three times), conditions overlap
        or a label is not of 0 to 7; if the wristband cannot have measured a value, as in
        :func:`load_empatica`.

    Warns
    -----
    UserWarning
        If answers in the questionnaire are left out of ``metadata`` because they are not as below.

    See Also
    --------
    fetch_wesad : Download the files.

    Notes
    -----
    ``metadata`` has the answers to "panas" (26 feelings, 1 not at all to 5 extremely; two of them
    after stress only), "stai" (6 statements on anxiety, 1 not at all to 4 very much so) and "sam"
    ("valence" and "arousal", 1 low to 9 high), for each of "baseline", "stress", "amusement",
    "meditation 1" and "meditation 2", and to "sssq" (6 statements on the task, 1 to 5) for
    "stress": ``recording.metadata["sam"]["stress"]["arousal"]``. NaN is an answer that was not
    given, one in all of WESAD. Of the person, it has "age",
    "height" (cm), "weight" (kg), "gender", "dominant_hand", whether true: "coffee_today",
    "coffee_last_hour", "sports_today", "smoker", "smoked_last_hour", "ill_today", and the authors'
    "notes".

    References
    ----------
    .. [1] Schmidt, P. et al. (2018). Introducing WESAD, a multimodal dataset for wearable stress
       and affect detection. ICMI.

    Examples
    --------
    >>> from physio_ssl.datasets import load_wesad
    >>> recordings = load_wesad("wesad")  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, WRIST_SIGNALS)
    check_choice("source", source, ("auto", *_SOURCES))
    found = find_paths(path, r"(S\d+)", "the folders of WESAD's subjects, S2 to S17")
    load = partial(_load_subject, signals=signals, source=source)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
