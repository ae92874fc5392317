"""Reader of Stress-Predict: rest and three stressful tasks, on the wrist."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ._common import list_names
from ._table import read_rows
from .empatica import read_session
from .reading import find_paths, read_subjects

_LABELS = Path("Processed_data", "Improved_All_Combined_hr_rsp_binary.csv")
_COLUMNS = ("Participant", "Time(sec)", "Label")
_TASKS = ("stroop", "interview", "hyperventilation")  # every subject's order
_UNLABELLED = "S01"
_TOLERANCE = 10  # s; labels start 9 s after the signals and end within 5 s of any of them


def _read_labels(path):
    """Return the rows of each subject: the unix time of a second, and its label."""
    rows = {}
    for place, row in read_rows(path, _COLUMNS):
        cells = [row[column] for column in _COLUMNS]
        try:
            subject, time, label = map(int, cells)
            if label not in (0, 1):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{place} must hold whole numbers as {_COLUMNS}, the label 0 (rest) or 1 (stress), "
                f"got {cells}."
            ) from None
        rows.setdefault(f"S{subject:02d}", []).append((time, label))
    return rows


def _find_intervals(rows, subject):
    """Return the bounds, in unix time, and descriptions of runs of equal labels."""
    times, labels = np.array(rows).T
    gaps = np.flatnonzero(np.diff(times) != 1)
    if gaps.size:
        before, after = times[gaps[0] : gaps[0] + 2]
        raise ValueError(
            f"{_LABELS} must label each second of {subject}, got {after} after {before}."
        )
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    bounds = np.append(times, times[-1] + 1)[edges]  # a label holds for its second
    stressful = labels[edges[:-1]] == 1
    if stressful.sum() != len(_TASKS):
        raise ValueError(f"{_LABELS} must mark {_TASKS} of {subject}, got {stressful.sum()} times.")
    tasks = iter(_TASKS)
    return bounds, [next(tasks) if task else "rest" for task in stressful]


def _load_subject(subject, folder, signals, rows):
    """Read one subject and move the labels to the recording's clock."""
    if subject == _UNLABELLED:
        return [f"{subject} has no labels in Stress-Predict."]
    if subject not in rows:
        raise ValueError(f"{_LABELS} must have labels of {subject}, got {list_names(rows)}.")
    recording = read_session(folder, signals)
    bounds, descriptions = _find_intervals(rows[subject], subject)
    bounds = bounds - recording.start_time
    first, last = bounds[[0, -1]]
    # Labels may start early: the sensors may settle, and the recording start, late.
    if first > _TOLERANCE or abs(last - recording.duration) > _TOLERANCE:
        raise ValueError(
            f"{_LABELS} must span 0 to {recording.duration:.1f} s of {subject}, got {first:.1f} to "
            f"{last:.1f} s."
        )
    bounds = bounds.clip(0, recording.duration)
    inside = np.diff(bounds) > 0
    annotations = {
        "onset": bounds[:-1][inside],
        "duration": np.diff(bounds)[inside],
        "description": np.array(descriptions)[inside],
    }
    return replace(recording, annotations=annotations)


def load_stress_predict(path, subjects=None, signals=None, *, n_jobs=None):
    """Read Stress-Predict: wrist signals at rest and in three stressful tasks.

    The authors label each second but the first nine as stress, in the order Stroop test, interview
    and hyperventilation, or as rest: the time before, between and, for 13 to 22 minutes, after them
    [1]_. Labels are taken as published; see the notes for those of S06 and S17, which are doubtful.

    Parameters
    ----------
    path : str or path-like
        Folder of Stress-Predict, with ``Raw_data`` and ``Processed_data``.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S02", "S03")``; None for all with labels. S01 has none: it is
        left out, with a warning if it was asked for.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`: "bvp" (arbitrary unit), "eda" (microsiemens)
        and "temp" (degrees Celsius).
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject, sorted by number. Annotations are "rest", "stroop",
        "interview" and "hyperventilation".

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, or the labels of a subject have
        gaps, do not mark three tasks or do not span the recording.

    See Also
    --------
    fetch_stress_predict : Download the files.

    Notes
    -----
    Each of S02 to S25 has six starts and ends of tasks. Of these 144, 134 agree to the second with
    a tag, a press of the wristband's button. The other ten are whole minutes of the authors' log
    (``Time_logs.xlsx``), which differs from other tags by up to 163 s:

    - all six of S06. The last three are within 33 s of a tag. The first three, start and end of
      the Stroop test and start of the interview, are not within 80 s, so they may be minutes off;
    - three of S17. The Stroop test starts 75 s after the tag; two are within 7 s of a tag;
    - the start of the Stroop test of S18, which is within 4 s of a tag.

    Signals do not tell which is right, so nothing is corrected. To leave both people out::

        recordings = load_stress_predict(path)
        recordings = [one for one in recordings if one.subject not in ("S06", "S17")]

    To use times of your own, replace the ``annotations`` of a recording by
    ``dataclasses.replace``. S26 to S35 were not compared.

    References
    ----------
    .. [1] Iqbal, T., Simpkin, A. J., Roshan, D., et al. (2022). Stress monitoring using wearable
       sensors: a pilot study and Stress-Predict dataset. Sensors, 22(21), 8135.

    Examples
    --------
    >>> from physio_ssl.datasets import load_stress_predict
    >>> recordings = load_stress_predict("stress_predict")  # doctest: +SKIP
    """
    expected = "the folders of Stress-Predict's subjects, Raw_data/S02 to Raw_data/S35"
    found = find_paths(path, r"Raw_data/(S\d\d)", expected)
    if subjects is None:
        found.pop(_UNLABELLED, None)
    rows = _read_labels(Path(path) / _LABELS)
    load = partial(_load_subject, signals=signals, rows=rows)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
