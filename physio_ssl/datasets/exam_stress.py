"""Reader of the wearable exam stress data set: wrist signals in three exams, with grades."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from ._common import decode_text, find_inner, list_names, parse_number, read_file
from .empatica import read_session
from .reading import find_paths, read_subjects

_GRADES = "StudentGrades.txt"
_MOST_POINTS = 100  # unless a heading of the grades says otherwise


def _name_exam(text):
    """Return the name of an exam, of a folder or a heading: "midterm 1" or "final"."""
    return re.sub(r"[\s_]+", " ", text).strip().lower()


def _read_grades(path):
    """Return the grade and the most points by exam and number of the student."""
    grades, exam, most = {}, None, _MOST_POINTS
    # The dash between student and grade is in another encoding, and not needed.
    for number, line in enumerate(decode_text(read_file(path), path, "replace").splitlines(), 1):
        if match := re.match(r"\s*GRADES\s*-\s*([\w\s]+?)\s*(?:\(OUT OF (\d{1,4})\)\s*)?$", line):
            exam, most = _name_exam(match[1]), int(match[2] or _MOST_POINTS)
        elif match := re.fullmatch(r"\s*S(\d{1,3})\W+(\S+)\s*", line):
            grade = parse_number(match[2], f"The grade in line {number} of {path}")
            if not 0 <= grade <= most or exam is None:
                raise ValueError(
                    f"Line {number} of {path} must hold a grade from 0 to {most}, below the "
                    f"heading of an exam, got {line!r}."
                )
            grades[exam, int(match[1])] = grade, most
    if not grades:
        raise ValueError(f"{path} must hold lines like 'S01 - 78' below 'GRADES - MIDTERM 1'.")
    return grades


def _load_session(subject, session, signals, grades):
    """Read one exam of a subject."""
    exam = _name_exam(session.name)
    if (key := (exam, int(subject[1:]))) not in grades:
        known = list_names(sorted({name for name, _ in grades}))
        raise ValueError(f"{_GRADES} must have a grade for {session}, got those of {known}.")
    grade, most = grades[key]
    recording = read_session(session, signals, subject, with_tags=True)
    return replace(recording, metadata={"exam": exam, "grade": grade, "most_points": most})


def load_exam_stress(path, subjects=None, signals=None, *, n_jobs=None):
    """Read wearable exam stress: wrist signals of students in three exams, with their grades.

    Each of ten students wore an Empatica E4 in two midterm exams and the final one [1]_. The
    sensors were not worn well in all of them: look at the quality of the signals first.

    Parameters
    ----------
    path : str or path-like
        Folder of the data set, with ``StudentGrades.txt`` and the folders of the students, in
        ``Data`` or right in it.
    subjects : sequence of str, default=None
        Subjects to read, as the folders are named, such as ``("S1", "S2")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    n_jobs : int, default=None
        Number of exams read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each exam, grouped by subject. ``metadata`` has "exam"
        ("midterm 1", "midterm 2" or "final"), "grade" and "most_points", which are 100, or 200 in
        the final exam. Annotations are the tags, as in :func:`load_empatica`.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, an exam has no grade, or the
        wristband cannot have measured a value, as in :func:`load_empatica`.

    See Also
    --------
    fetch_exam_stress : Download the files.

    References
    ----------
    .. [1] Amin, M. R., Wickramasuriya, D., Faghih, R. T. (2022). A wearable exam stress dataset for
       predicting cognitive performance in real-world settings. PhysioNet.

    Examples
    --------
    >>> from physio_ssl.datasets import load_exam_stress
    >>> recordings = load_exam_stress("exam_stress")  # doctest: +SKIP
    """
    folder = find_inner(path, "Data", "data")
    expected = "the folders of exams, such as S1/Final, S1/midterm_1 and S1/midterm_2"
    found = find_paths(folder, r"(S\d{1,3})/(?i:midterm[ _]\d|final)", expected)
    grades = _read_grades(Path(path, _GRADES))
    load = partial(_load_session, signals=signals, grades=grades)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
