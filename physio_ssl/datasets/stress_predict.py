"""Reader of Stress-Predict: rest and three stressful tasks, on the wrist."""

import csv
import re
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from ..containers import Recording
from .empatica import load_empatica

_LABELS = Path("Processed_data", "Improved_All_Combined_hr_rsp_binary.csv")
_COLUMNS = ("Participant", "Time(sec)", "Label")
_TASKS = ("stroop", "interview", "hyperventilation")  # every subject's order
_UNLABELLED = "S01"
_TOLERANCE = 10  # s; labels start 9 s after the signals and end within 5 s of any of them


def _find_subjects(folder, subjects):
    """Return the folders of subjects with labels, sorted by their number."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    raw = folder / "Raw_data"
    found = {path.name: path for path in raw.glob("S*") if re.fullmatch(r"S\d\d", path.name)}
    if not found.keys() - {_UNLABELLED}:
        raise ValueError(
            f"{folder} must hold the folders of Stress-Predict's subjects, Raw_data/S02 to "
            f"Raw_data/S35, found {', '.join(found) or 'none'}."
        )
    missing = [] if subjects is None else [name for name in subjects if name not in found]
    if isinstance(subjects, str) or missing:
        raise ValueError(
            f"subjects must be a sequence of folders' names in {raw}, which has "
            f"{', '.join(sorted(found))}, got {subjects!r}."
        )
    chosen = sorted(found if subjects is None else set(subjects))
    if _UNLABELLED in chosen:
        chosen.remove(_UNLABELLED)
        if subjects is not None:
            message = f"{_UNLABELLED} has no labels in Stress-Predict and is left out."
            warnings.warn(message, stacklevel=3)
    if not chosen:
        raise ValueError(f"subjects must name one or more with labels, got {subjects!r}.")
    return [found[name] for name in chosen]


def _read_labels(path):
    """Return the rows of each subject: the unix time of a second, and its label."""
    if not path.exists():
        raise ValueError(f"{path.parents[1]} must hold {_LABELS}, which has the labels.")
    rows = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or []
        if not set(_COLUMNS) <= set(header):
            raise ValueError(
                f"{path} must have the columns {', '.join(_COLUMNS)}, got "
                f"{', '.join(header) or 'none'}."
            )
        for row in reader:
            cells = [row[column] for column in _COLUMNS]
            try:
                subject, time, label = map(int, cells)
                if label not in (0, 1):
                    raise ValueError
            except (TypeError, ValueError):  # a row that is cut off has None
                raise ValueError(
                    f"Line {reader.line_num} of {path} must hold whole numbers as "
                    f"{', '.join(_COLUMNS)}, and 0 (rest) or 1 (stress) as the label, got "
                    f"{cells}."
                ) from None
            rows.setdefault(f"S{subject:02d}", []).append((time, label))
    return rows


def _find_intervals(rows, subject):
    """Return the bounds, in unix time, and descriptions of runs of equal labels."""
    times, labels = np.array(rows).T
    gaps = np.flatnonzero(np.diff(times) != 1)
    if gaps.size:
        raise ValueError(
            f"{_LABELS} must have a label for each second, got {times[gaps[0] + 1]} after "
            f"{times[gaps[0]]} for {subject}."
        )
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    bounds = np.append(times, times[-1] + 1)[edges]  # a label holds for its second
    stressful = labels[edges[:-1]] == 1
    if stressful.sum() != len(_TASKS):
        raise ValueError(
            f"{_LABELS} must mark {len(_TASKS)} stressful times of a subject, "
            f"{', '.join(_TASKS)}, got {stressful.sum()} of {subject}."
        )
    tasks = iter(_TASKS)
    return bounds, [next(tasks) if task else "rest" for task in stressful]


def _load_subject(folder, signals, rows):
    """Read one subject and move the labels to the recording's clock."""
    recording = load_empatica(folder, signals)
    bounds, descriptions = _find_intervals(rows, folder.name)
    bounds = bounds - recording.start_time
    first, last = bounds[[0, -1]]
    # Labels may start early: the sensors may settle, and the recording start, late.
    if first > _TOLERANCE or abs(last - recording.duration) > _TOLERANCE:
        raise ValueError(
            f"The labels of {folder.name} in {_LABELS} must reach from start to end of its "
            f"recording, 0 to {recording.duration:.1f} s, got labels from {first:.1f} to "
            f"{last:.1f} s."
        )
    bounds = bounds.clip(0, recording.duration)
    inside = np.diff(bounds) > 0
    annotations = {
        "onset": bounds[:-1][inside],
        "duration": np.diff(bounds)[inside],
        "description": np.array(descriptions)[inside],
    }
    return Recording(
        recording.signals,
        recording.sampling_rate,
        recording.subject,
        annotations,
        recording.start_time,
    )


def load_stress_predict(folder, signals=("bvp", "eda", "temp"), subjects=None, n_jobs=None):
    """Read Stress-Predict: wrist signals at rest and in three stressful tasks.

    The authors label each second as rest or stress [1]_. The stressful times of a subject
    are, in this order, a Stroop test, an interview and hyperventilation. Rest is all else:
    the time before, between and, for 13 to 22 minutes, after them. The first nine seconds
    have no label.

    Labels are taken as they are published. Those of S06 are whole minutes, which the tags
    of that recording contradict by minutes. Tags are not used: some of S17 and S18 are of a
    wrong clock.

    Parameters
    ----------
    folder : str or path-like
        Folder of Stress-Predict, with the folders ``Raw_data`` and ``Processed_data``.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("S02", "S03")``; by default all but S01, who was not
        labelled and is left out, with a warning, where asked for by name.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads; None is one, -1 is one for
        each processor.

    Returns
    -------
    list of Recording
        One recording for each subject, sorted by their number, on the clock of
        :func:`load_empatica`. Annotations are "rest", "stroop", "interview" and
        "hyperventilation".

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a subject or file is missing or malformed, a signal is unknown, or the labels of
        a subject have gaps, do not mark three tasks or do not span the recording.

    References
    ----------
    .. [1] Iqbal, T., Simpkin, A. J., Roshan, D., et al. (2022). Stress monitoring using
       wearable sensors: a pilot study and Stress-Predict dataset. Sensors, 22(21), 8135.

    Examples
    --------
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import load_stress_predict
    >>> recordings = load_stress_predict("StressPredict")  # doctest: +SKIP
    >>> labels = StageLabels({"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1})
    >>> windows = make_windows(recordings, 60, 15, labels=labels)  # doctest: +SKIP
    """
    folder = Path(folder)
    paths = _find_subjects(folder, subjects)
    rows = _read_labels(folder / _LABELS)
    missing = [path.name for path in paths if path.name not in rows]
    if missing:
        raise ValueError(
            f"{folder / _LABELS} must have labels of all subjects, got none of "
            f"{', '.join(missing)}."
        )
    with warnings.catch_warnings():
        # The tags are not used, so none of them is missed.
        warnings.filterwarnings("ignore", r"\d+ of \d+ tags in .* lie outside the recording")
        return Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_load_subject)(path, signals, rows[path.name]) for path in paths
        )
