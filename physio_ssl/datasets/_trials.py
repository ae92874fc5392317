"""What datasets of several short trials per subject share: subjects and ratings."""

import warnings

import numpy as np


def choose_subjects(found, subjects, place):
    """Return the chosen of the found, a mapping from subject to anything, in its order."""
    missing = [] if subjects is None else [name for name in subjects if name not in found]
    if isinstance(subjects, str) or missing or (subjects is not None and not len(subjects)):
        raise ValueError(
            f"subjects must be a sequence of subjects in {place}, which has "
            f"{', '.join(found)}, got {subjects!r}."
        )
    return {name: found[name] for name in found if subjects is None or name in subjects}


def hold_values(duration, values):
    """Return annotations of a recording in which each of the values, a mapping, holds.

    They are repeated every second: ``make_windows`` gives a window the mean of the ratings
    within it, so every window of a second or more must hold one.
    """
    time = np.append(np.arange(0, duration), duration)
    return {"time": time, **{name: np.full(len(time), value) for name, value in values.items()}}


def gather_trials(results, kind, place):
    """Return the recordings of all subjects as one list, and warn of trials without any.

    The results map a subject to its recordings and the numbers of its trials without any.
    """
    recordings = [recording for found, _ in results.values() for recording in found]
    missing = [
        f"{kind}s {', '.join(map(str, numbers))} of {subject}"
        for subject, (_, numbers) in results.items()
        if numbers
    ]
    if not recordings:
        raise ValueError(f"{place} must hold signals of some {kind}s, got none of any subject.")
    if missing:
        count = sum(len(numbers) for _, numbers in results.values())
        warnings.warn(
            f"{count} {kind}(s) in {place} have no signals and are left out: {'; '.join(missing)}.",
            stacklevel=3,
        )
    return recordings
