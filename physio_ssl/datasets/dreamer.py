"""Reader of DREAMER: ECG and EEG while watching film clips, with self-ratings."""

from functools import partial

import numpy as np

from .._check import check_choice
from ..containers import Recording
from ._common import check_device_rate
from ._matlab import load_mat
from ._plausible import warn_of_ratings
from .reading import annotate_ratings, choose_signals, read_subjects

_SIGNALS = {  # field, number of its columns, columns to read
    "ecg": ("ECG", 2, slice(0, 1)),
    "ecg_2": ("ECG", 2, slice(1, 2)),
    "eeg": ("EEG", 14, slice(0, 14)),
}
_RATES = {"ECG": 256, "EEG": 128}
_RATINGS = {"arousal": "ScoreArousal", "valence": "ScoreValence", "dominance": "ScoreDominance"}
_SCALES = dict.fromkeys(_RATINGS, (1, 5))
_PARTS = ("stimuli", "baseline")


def _read_rate(dreamer, field):
    """Return the sampling rate that the file states, or else the documented one."""
    name = f"{field}_SamplingRate"
    if name not in dreamer.fields():
        return _RATES[field]
    rate = dreamer.field(name)
    return check_device_rate(rate.number(), f"{rate.name} in {rate.path}")


def _load_subject(name, subject, signals, rates, part):
    """Return the recordings of one subject; name the clips without signals."""
    ratings = {key: subject.field(field).vector() for key, field in _RATINGS.items()}
    fields = [_SIGNALS[key][0] for key in signals]
    clips = {field: subject.field(field).field(part).cells() for field in fields}
    counts = {key: len(column) for key, column in {**ratings, **clips}.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"{subject.path} must hold as many ratings as clips in {subject.name}, got {counts}."
        )
    recordings = []
    for number in range(1, counts["arousal"] + 1):
        cells = {field: column[number - 1] for field, column in clips.items()}
        if any(cell.is_empty for cell in cells.values()):
            recordings.append(f"Clip {number} of {name} has no signals.")
            continue
        samples = {}
        for key in signals:
            field, n_columns, columns = _SIGNALS[key]
            matrix = cells[field].matrix(n_columns)
            samples[key] = matrix[:, columns].T.astype(np.float32, order="C")
        duration = max(samples[key].shape[1] / rates[key] for key in signals)
        values = {key: column[number - 1] for key, column in ratings.items()}
        warn_of_ratings(values, _SCALES, f"clip {number} of {name} in {subject.path}")
        values = {**(values if part == "stimuli" else {}), "clip": number}
        recordings.append(Recording(samples, rates, name, annotate_ratings(duration, values)))
    return recordings


def load_dreamer(path, subjects=None, signals=None, *, part="stimuli", n_jobs=None):
    """Read DREAMER: ECG and EEG of 23 subjects who watch 18 film clips, and their ratings.

    One warning names clips without signals, which are left out [1]_. NaN is kept: ``make_windows``
    drops it.

    Parameters
    ----------
    path : str or path-like
        File ``DREAMER.mat``.
    subjects : sequence of str, default=None
        Subjects to read, "S01" to "S23" in the order of the file; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read, in the units of the file: "ecg" and "ecg_2" (first and second channel of
        the ECG, 256 Hz) and "eeg" (14 channels, 128 Hz).
    part : {"stimuli", "baseline"}, default="stimuli"
        What to read: the clips, or the neutral film before each, which has no ratings.
    n_jobs : int, default=None
        Number of subjects converted at the same time, in threads. One thread reads the file.

    Returns
    -------
    list of Recording
        One float32 recording for each subject and clip. Annotations, one row per second, are the
        self-ratings "arousal", "valence" and "dominance" (1 to 5), which baselines lack, and the
        number of the "clip".

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or malformed, a choice is unknown, no clip has signals, or there are
        not as many subjects as ``noOfSubjects`` in the file says.

    Warns
    -----
    UserWarning
        If a clip is left out, or a rating is outside its scale.

    See Also
    --------
    load_amigos : Its example turns ratings into labels.

    References
    ----------
    .. [1] Katsigiannis, S., & Ramzan, N. (2018). DREAMER: A database for emotion recognition. IEEE
       Journal of Biomedical and Health Informatics, 22(1), 98-107.

    Examples
    --------
    >>> from physio_ssl.datasets import load_dreamer
    >>> recordings = load_dreamer("dreamer")  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, ("ecg",))
    check_choice("part", part, tuple(_PARTS))
    dreamer = load_mat(path, ("DREAMER",))["DREAMER"]
    people = dreamer.field("Data").cells()
    stated = dreamer.fields().get("noOfSubjects")
    if stated is not None and stated.number() != len(people):
        raise ValueError(f"{path} must hold {stated.number():g} subjects, got {len(people)}.")
    found = {f"S{number:02d}": person for number, person in enumerate(people, start=1)}
    rates = {key: _read_rate(dreamer, _SIGNALS[key][0]) for key in signals}
    load = partial(_load_subject, signals=signals, rates=rates, part=part)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
