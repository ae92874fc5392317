"""Reader of the stress of nurses in a hospital: wrist signals of whole shifts, with surveys."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from ._common import find_inner
from ._table import read_rows
from .empatica import load_empatica_corpus

_SURVEYS = "SurveyResults"
_COLUMNS = ("ID", "Start time", "End time", "date", "Stress level")
_LEVELS = ("0", "1", "2", "na")
_CLOCK = ZoneInfo("America/Chicago")  # of the hospital; signals are in UTC
_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d %H:%M:%S")
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")


def _parse(text, formats, what):
    """Return text as a datetime, in the first format that fits."""
    for style in formats:
        with suppress(ValueError):
            return datetime.strptime(text, style)
    raise ValueError(f"{what} must be like {datetime(2020, 4, 14, 18, 5).strftime(formats[0])}")


def _parse_survey(row):
    """Return the start and end, in unix time, and the level of stress in a row."""
    day = _parse(row["date"], _DATES, "date")
    start, end = (
        datetime.combine(day, _parse(row[name], _TIMES, name).time(), _CLOCK)
        for name in ("Start time", "End time")
    )
    if end < start:  # after midnight
        end += timedelta(days=1)
    level = row["Stress level"].lower().removesuffix(".0") or "na"
    if level not in _LEVELS:
        raise ValueError(f"Stress level must be of {', '.join(_LEVELS)}")
    return start.timestamp(), end.timestamp(), level


def _read_surveys(path):
    """Return the surveys of each subject: start, end, level of stress and all cells."""
    surveys = {}
    for place, cells in read_rows(path, _COLUMNS):
        if not cells["ID"]:
            continue
        try:
            survey = _parse_survey(cells)
        except ValueError as error:
            raise ValueError(f"{place} is no survey, {cells}: {error}.") from None
        surveys.setdefault(cells["ID"], []).append((*survey, cells))
    return surveys


def _add_surveys(recording, surveys):
    """Return a recording with those surveys as events that overlap it."""
    first, last = recording.start_time, recording.start_time + recording.duration
    inside = [survey for survey in surveys if survey[0] < last and survey[1] > first]
    metadata = {"surveys": [cells for *_, cells in inside]}
    recording = replace(recording, metadata=metadata)
    if not inside:
        return recording
    start, end, level, _ = zip(*inside, strict=True)
    start, end = np.array(start).clip(first), np.array(end).clip(None, last)
    description = [f"stress level {one}" for one in level]
    return recording.annotate(start, end - start, description, clock="unix")


def load_nurse_stress(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the wrist signals of nurses in a hospital, with surveys of their stress.

    Fifteen nurses wore an Empatica E4 on their shifts, and said afterwards how stressful certain
    times were [1]_. Time that no survey is about is not known to be free of stress.

    Parameters
    ----------
    path : str or path-like
        Folder with the folders of the nurses, in ``Stress_dataset`` or right in it, which hold
        sessions such as ``15/15_1594140175.zip``. If ``SurveyResults.csv`` is there, too, it is
        read. The authors have ``SurveyResults.xlsx``: save it as CSV in UTF-8.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("15", "5C")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, as in :func:`load_empatica`.
    n_jobs : int, default=None
        Number of sessions read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each session, grouped by subject. One warning names sessions that
        cannot be used, as in :func:`load_empatica_corpus`. Annotations are the surveys that
        overlap the session, "stress level 0", "stress level 1", "stress level 2" or "stress level
        na", cut to the session, and tags. ``metadata["surveys"]`` lists all answers of these
        surveys, as text by the name of the column. Without surveys, only the tags are there.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no such folder or no session that can be used, a choice is unknown, or the
        surveys are malformed or in an Excel file only.

    See Also
    --------
    fetch_nurse_stress : Download the files.

    Notes
    -----
    Surveys have the local time of the hospital, in Louisiana. It is converted to UTC, with daylight
    saving time. A survey that ends before it starts ends on the next day.

    References
    ----------
    .. [1] Hosseini, S., Gottumukkala, R., Katragadda, S., et al. (2022). A multimodal sensor
       dataset for continuous stress detection of nurses in a hospital. Scientific Data, 9, 255.

    Examples
    --------
    >>> from physio_ssl.datasets import load_nurse_stress
    >>> recordings = load_nurse_stress("nurse_stress")  # doctest: +SKIP
    """
    table, workbook = (Path(path, f"{_SURVEYS}{ending}") for ending in (".csv", ".xlsx"))
    if workbook.exists() and not table.exists():
        raise ValueError(f"Surveys must be in CSV: open {workbook} and save it as {table.name}.")
    surveys = _read_surveys(table) if table.exists() else None
    folder = find_inner(path, "Stress_dataset")
    recordings = load_empatica_corpus(folder, subjects, signals, n_jobs=n_jobs)
    if surveys is None:
        return recordings
    return [_add_surveys(one, surveys.get(one.subject, [])) for one in recordings]
