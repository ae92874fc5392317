"""Subjects, times and samples that lie on both sides of a split."""

import re
from collections import Counter
from hashlib import blake2b

import numpy as np

from ..functional import is_constant
from .report import LeakKind, show

# A name that ends in a number, and what marks a session: S1_a, S1b, sub-01_ses-2.
_SESSION = re.compile(
    r"(.*\d)(?:[ _.-]*(?:ses|session|visit|day|run)[ _.-]?\w+|[ _.-]\w|[a-z])", re.I
)


def encode(labels):
    """Return the distinct labels, in order of appearance, and the number of each label."""
    labels = list(labels)
    codes = {name: code for code, name in enumerate(dict.fromkeys(labels))}
    return list(codes), np.array([codes[label] for label in labels])


def hash_windows(array):
    """Return a digest of each window as float32, which nets are given; None if it is constant."""
    flat = is_constant(array).reshape(len(array), -1).all(axis=1)
    return [
        None if constant else blake2b(np.float32(window).tobytes(), digest_size=16).digest()
        for window, constant in zip(array, flat, strict=True)
    ]


def find_subjects(report, folds, names, codes):
    """Look for subjects that are both trained and tested on."""
    report.looked_at.append(f"subjects on both sides: {len(folds)} folds, {len(names)} subjects")
    for fold, (train, test) in enumerate(folds):
        train_rows, test_rows = on_both_sides(codes, train, test)
        if len(test_rows):
            subjects = show(dict.fromkeys(names[code] for code in codes[test_rows]))
            message = f"windows of {subjects} are both trained and tested on"
            add_rows(report, LeakKind.SUBJECT, message, fold, train_rows, test_rows)
    _note_sessions(report, names)


def _note_sessions(report, names):
    """Note subjects whose names look like those of several sessions of one person."""
    sessions = {name: match[1] for name in map(str, names) if (match := _SESSION.fullmatch(name))}
    n_sessions = Counter(sessions.values())
    repeated = [name for name, person in sessions.items() if n_sessions[person] > 1]
    if repeated and len(n_sessions) > 1:
        report.add_note(
            f"{show(repeated)} may be sessions of one person: subject must name the person."
        )


def find_overlaps(report, folds, windows):
    """Look for windows on both sides that contain the same part of a recording."""
    groups, recording, duration = windows.groups, windows.recording, windows.total_duration
    if windows.onset is None or duration is None:
        missing = "onset" if windows.onset is None else "duration"
        report.add_note(f"Overlapping windows were not looked for: {missing} is not known.")
        return
    clock = "subject" if recording is None else "recording"
    report.looked_at.append(f"windows of {duration:g} s on both sides that overlap in a {clock}")
    names, codes = encode(groups if recording is None else recording)
    # One time axis for all recordings, which are further apart than a window is long.
    times = windows.onset - windows.onset.min()
    times = times + codes * (times.max() + 2 * duration)
    # Windows that touch have no sample in common, but their onsets are rounded.
    largest = float(np.abs(windows.onset).max() + times.max())
    gap = duration - max(1e-9 * duration, 4 * np.spacing(largest))
    for fold, (train, test) in enumerate(folds):
        test_rows = np.unique(test[_is_near(times[test], times[train], gap)])
        if not len(test_rows):
            continue
        train_rows = np.unique(train[_is_near(times[train], times[test], gap)])
        row, apart = test_rows[0], np.abs(times[train_rows] - times[test_rows[0]])
        other = train_rows[apart.argmin()]
        message = (
            f"windows of {duration:g} s start {apart.min():g} s apart, e.g. train row {other} of "
            f"{groups[other]} and test row {row} of {groups[row]} in {clock} {names[codes[row]]}"
        )
        add_rows(report, LeakKind.OVERLAP, message, fold, train_rows, test_rows)


def _is_near(times, others, gap):
    """Return which times are less than ``gap`` from one of the others."""
    others = np.sort(others)
    after = np.searchsorted(others, times)
    nearest = others[(after - 1).clip(min=0)], others[after.clip(max=len(others) - 1)]
    return np.abs(nearest - times).min(axis=0) < gap


def on_both_sides(codes, train, test):
    """Return the rows of train and of test whose code is on the other side, too."""
    common = np.intersect1d(codes[train], codes[test])
    return train[np.isin(codes[train], common)], test[np.isin(codes[test], common)]


def add_rows(report, kind, message, fold, train_rows, test_rows):
    """Append a leak of these rows."""
    message += f"; train rows {show(train_rows)}; test rows {show(test_rows)}"
    report.add_leak(kind, message, fold, train_rows, test_rows)
