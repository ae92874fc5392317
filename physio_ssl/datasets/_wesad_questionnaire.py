"""Parser of WESAD's questionnaire, SX_quest.csv, and of what SX_readme.txt says of a person."""

import math
import re
import warnings
from itertools import pairwise

from ._common import decode_text, parse_number, read_file

_CONDITIONS = {"Base": "baseline", "TSST": "stress", "Fun": "amusement"}
_CONDITIONS |= {"Medi 1": "meditation 1", "Medi 2": "meditation 2"}
_READING = ("bRead", "fRead", "sRead")
_FEELINGS = (
    *("active", "distressed", "interested", "inspired", "annoyed", "strong", "guilty", "scared"),
    *("hostile", "excited", "proud", "irritable", "enthusiastic", "ashamed", "alert", "nervous"),
    *("determined", "attentive", "jittery", "afraid", "stressed", "frustrated", "happy", "sad"),
    *("angry", "irritated"),  # after stress only
)
_N_ALWAYS = 24  # feelings
_SCALES = {  # row of the file: name, items, highest answer
    "PANAS": ("panas", _FEELINGS, 5),
    "STAI": ("stai", ("at ease", "nervous", "jittery", "relaxed", "worried", "pleasant"), 4),
    "DIM": ("sam", ("valence", "arousal"), 9),
    "SSSQ": (
        "sssq",
        (
            *("committed to goals", "wanted to succeed", "motivated", "reflected about myself"),
            *("worried about opinions", "concerned about impression"),
        ),
        5,
    ),
}
_PERSON = {
    "Age:": "age",
    "Height (cm):": "height",
    "Weight (kg):": "weight",
    "Gender:": "gender",
    "Dominant hand:": "dominant_hand",
    "Did you drink coffee today?": "coffee_today",
    "Did you drink coffee within the last hour?": "coffee_last_hour",
    "Did you do any sports today?": "sports_today",
    "Are you a smoker?": "smoker",
    "Did you smoke within the last hour?": "smoked_last_hour",
    "Do you feel ill today?": "ill_today",
}
_NUMBERS = ("age", "height", "weight")
_NOTES = "### Additional notes ###"


def _parse_minutes(text, path):
    """Return the seconds in a questionnaire's time: "50.3" is 50 minutes and 30 seconds."""
    match = re.fullmatch(r"(\d+)(?:\.([0-5]\d?))?", text)
    if not match:
        raise ValueError(f"Times in {path} must be like 50.3 for 50 min 30 s, got {text!r}.")
    return 60 * int(match[1]) + int((match[2] or "0").ljust(2, "0"))


def _read_rows(path):
    """Return the cells that are not empty of all rows, by the name of the row."""
    rows = {}
    for line in decode_text(read_file(path), path).splitlines():
        key, *cells = (cell.strip() for cell in line.lstrip("# ").split(";"))
        rows.setdefault(key.rstrip(":"), []).append([cell for cell in cells if cell])
    return rows


def read_blocks(path):
    """Return the start, end and name of conditions, in order, on the chest's clock.

    Times of reading are left out.
    """
    rows = _read_rows(path)
    subject = path.name.removesuffix("_quest.csv")
    if rows.get("Subj", [[subject]])[0] != [subject]:
        raise ValueError(f"{path} must be of the subject {subject}, got {rows['Subj'][0]} in it.")
    order, starts, ends = (rows.get(key, [[]])[0] for key in ("ORDER", "START", "END"))
    if not len(order) == len(starts) == len(ends) > 0:
        counts = [len(order), len(starts), len(ends)]
        raise ValueError(f"Rows ORDER, START and END of {path} must be equally long, got {counts}.")
    known = (*_CONDITIONS, *_READING)
    if unknown := [condition for condition in order if condition not in known]:
        raise ValueError(f"Conditions in {path} must be of {', '.join(known)}, got {unknown}.")
    if twice := sorted(condition for condition in {*order} if order.count(condition) > 1):
        raise ValueError(f"{path} must hold each condition once, got {', '.join(twice)} again.")
    times = [[_parse_minutes(text, path) for text in row] for row in (starts, ends)]
    blocks = sorted(zip(*times, order, strict=True))
    for (_, end, first), (start, _, second) in pairwise(blocks):
        if start < end:
            raise ValueError(
                f"Conditions in {path} must not overlap, got {second} from {start} s on, before "
                f"the end of {first} at {end} s."
            )
    return [(*times, _CONDITIONS[name]) for *times, name in blocks if name in _CONDITIONS]


def _parse_answers(row, conditions, answers):
    """Return the answers to a scale by condition and item; None if they do not fit the scale."""
    _, items, highest = _SCALES[row]
    if len(answers) != len(conditions):
        return None
    parsed = {}
    for condition, cells in zip(conditions, answers, strict=True):
        n_items = _N_ALWAYS if row == "PANAS" and condition != "stress" else len(items)
        known = {str(answer): answer for answer in range(1, highest + 1)} | {"Nan": math.nan}
        if len(cells) != n_items or not known.keys() >= set(cells):
            return None
        parsed[condition] = dict(zip(items, map(known.get, cells), strict=False))
    return parsed


def _read_reports(path):
    """Return the self-reports by scale, condition and item; warn of what is left out."""
    rows, reports = _read_rows(path), {}
    order = [_CONDITIONS[name] for name in rows.get("ORDER", [[]])[0] if name in _CONDITIONS]
    for row, (name, items, highest) in _SCALES.items():
        if row not in rows:
            continue
        conditions = ["stress"] if row == "SSSQ" else order
        reports[name] = _parse_answers(row, conditions, rows[row])
        if reports[name] is None:
            warnings.warn(
                f"Answers to {row} in {path} should be {len(items)} numbers from 1 to {highest} "
                f"for each of {', '.join(conditions)}, and are left out, got "
                f"{str(rows[row])[:200]}.",
                stacklevel=4,
            )
    return {name: report for name, report in reports.items() if report is not None}


def _read_person(path):
    """Return what the authors say of a person."""
    text = decode_text(read_file(path), path, errors="replace")
    facts, _, notes = text.partition(_NOTES)
    person = {}
    for line in facts.splitlines():
        match = re.fullmatch(r"(.+?[:?])\s*(\S.*?)\s*", line)
        if match and (name := _PERSON.get(match[1])):
            answer = match[2]
            person[name] = {"YES": True, "NO": False}.get(answer, answer)
            if name in _NUMBERS:
                person[name] = parse_number(answer, f"{match[1]} in {path}")
    if notes := notes.strip(" -\r\n"):
        person["notes"] = notes
    return person


def read_metadata(folder):
    """Return what the files of a subject say beside the signals, as far as they are there."""
    readme, quest = (folder / f"{folder.name}_{end}" for end in ("readme.txt", "quest.csv"))
    person = _read_person(readme) if readme.exists() else {}
    return person | (_read_reports(quest) if quest.exists() else {})
