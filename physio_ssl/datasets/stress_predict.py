"""Reader of Stress-Predict: rest and three stressful tasks, on the wrist."""

import csv
import io
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from .empatica import read_session
from .reading import choose_subjects, find_paths, list_names, open_file, read_subjects

_LABELS = Path("Processed_data", "Improved_All_Combined_hr_rsp_binary.csv")
_COLUMNS = ("Participant", "Time(sec)", "Label")
_TASKS = ("stroop", "interview", "hyperventilation")  # every subject's order
_UNLABELLED = "S01"
_TOLERANCE = 10  # s; labels start 9 s after the signals and end within 5 s of any of them


def _choose_labelled(path, subjects):
    """Return the folders of the chosen subjects that have labels."""
    expected = "the folders of Stress-Predict's subjects, Raw_data/S02 to Raw_data/S35"
    chosen = choose_subjects(subjects, find_paths(path, r"Raw_data/(S\d\d)", expected), path)
    if chosen.pop(_UNLABELLED, None) and subjects is not None:
        message = f"{_UNLABELLED} has no labels in Stress-Predict and is left out."
        warnings.warn(message, stacklevel=3)
    if not chosen:
        raise ValueError(f"{path} must hold subjects with labels, got {_UNLABELLED} only.")
    return chosen


def _read_labels(path):
    """Return the rows of each subject: the unix time of a second, and its label."""
    if not path.exists():
        raise ValueError(f"{path.parents[1]} must hold {_LABELS}, which has the labels.")
    rows = {}
    with io.TextIOWrapper(open_file(path), encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or []
        if not set(_COLUMNS) <= set(header):
            columns, found = ", ".join(_COLUMNS), list_names(header)
            raise ValueError(f"{path} must have the columns {columns}, got {found}.")
        for row in reader:
            cells = [row[column] for column in _COLUMNS]
            try:
                subject, time, label = map(int, cells)
                if label not in (0, 1):
                    raise ValueError
            except (TypeError, ValueError):  # a row that is cut off has None
                raise ValueError(
                    f"Line {reader.line_num} of {path} must hold whole numbers as "
                    f"{', '.join(_COLUMNS)}, the label 0 (rest) or 1 (stress), got {cells}."
                ) from None
            rows.setdefault(f"S{subject:02d}", []).append((time, label))
    return rows


def _find_intervals(rows, subject):
    """Return the bounds, in unix time, and descriptions of runs of equal labels."""
    times, labels = np.array(rows).T
    gaps = np.flatnonzero(np.diff(times) != 1)
    if gaps.size:
        raise ValueError(
            f"{_LABELS} must have a label for each second of {subject}, got "
            f"{times[gaps[0] + 1]} after {times[gaps[0]]}."
        )
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    bounds = np.append(times, times[-1] + 1)[edges]  # a label holds for its second
    stressful = labels[edges[:-1]] == 1
    if stressful.sum() != len(_TASKS):
        raise ValueError(
            f"{_LABELS} must mark {len(_TASKS)} stressful times of {subject}, "
            f"{', '.join(_TASKS)}, got {stressful.sum()}."
        )
    tasks = iter(_TASKS)
    return bounds, [next(tasks) if task else "rest" for task in stressful]


def _load_subject(subject, folder, signals, rows):
    """Read one subject and move the labels to the recording's clock."""
    recording, *_ = read_session(folder, signals)  # the tags are not used
    bounds, descriptions = _find_intervals(rows[subject], subject)
    bounds = bounds - recording.start_time
    first, last = bounds[[0, -1]]
    # Labels may start early: the sensors may settle, and the recording start, late.
    if first > _TOLERANCE or abs(last - recording.duration) > _TOLERANCE:
        raise ValueError(
            f"The labels of {subject} in {_LABELS} must span its recording, 0 to "
            f"{recording.duration:.1f} s, got {first:.1f} to {last:.1f} s."
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

    The authors label each second as rest or stress [1]_. The stressful times of a subject
    are, in this order, a Stroop test, an interview and hyperventilation. Rest is all else:
    the time before, between and, for 13 to 22 minutes, after them. The first nine seconds
    have no label. Labels are taken as published: those of S06 are whole minutes, and its
    tags differ by minutes. Tags are not used: some of S17 and S18 are of a wrong clock.

    Parameters
    ----------
    path : str or path-like
        Folder of Stress-Predict, with ``Raw_data`` and ``Processed_data``.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S02", "S03")``; by default all with labels. S01 has
        none: it is left out, with a warning if it was asked for.
    signals : sequence of str, default=None
        Signals to read, of those of :func:`load_empatica`; by default "bvp" (arbitrary unit),
        "eda" (microsiemens) and "temp" (degrees Celsius).
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each subject, sorted by their number, as float32. Annotations are
        "rest", "stroop", "interview" and "hyperventilation".

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file is missing or malformed, a choice is unknown, or the labels of a subject
        have gaps, do not mark three tasks or do not span the recording.

    See Also
    --------
    load_empatica : Reads one E4 export.

    References
    ----------
    .. [1] Iqbal, T., Simpkin, A. J., Roshan, D., et al. (2022). Stress monitoring using
       wearable sensors: a pilot study and Stress-Predict dataset. Sensors, 22(21), 8135.

    Examples
    --------
    >>> from physio_ssl.datasets import load_stress_predict
    >>> from physio_ssl.windows import StageLabels, make_windows  # doctest: +SKIP
    >>> recordings = load_stress_predict("StressPredict")  # doctest: +SKIP
    >>> classes = {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1}
    >>> windows = make_windows(recordings, 60, 15, labels=StageLabels(classes))  # doctest: +SKIP
    """
    found = _choose_labelled(path, subjects)
    labels = Path(path) / _LABELS
    rows = _read_labels(labels)
    if missing := [name for name in found if name not in rows]:
        raise ValueError(
            f"{labels} must have labels of all subjects, got none of {', '.join(missing)}."
        )
    load = partial(_load_subject, signals=signals, rows=rows)
    return read_subjects(load, found, place=path, n_jobs=n_jobs)
