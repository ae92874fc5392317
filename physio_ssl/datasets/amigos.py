"""Reader of AMIGOS: ECG, EDA and EEG while watching videos, with self-ratings."""

from functools import partial

import numpy as np

from ..containers import Recording
from ._matlab import load_mat
from .reading import annotate_ratings, choose_signals, find_paths, read_subjects

_RATE = 128
_N_COLUMNS = 17
_SIGNALS = {
    "ecg": slice(15, 16),
    "ecg_right": slice(14, 15),
    "eda": slice(16, 17),
    "eeg": slice(0, 14),
}
_RATINGS = (  # arousal comes first: others have read it as valence, and valence as dominance
    *("arousal", "valence", "dominance", "liking", "familiarity"),
    *("neutral", "disgust", "happiness", "surprise", "anger", "fear", "sadness"),
)
_N_SHORT = 16
_N_TRIALS = 20
_TRIALS = {
    "all": range(1, _N_TRIALS + 1),
    "short": range(1, _N_SHORT + 1),
    "long": range(_N_SHORT + 1, _N_TRIALS + 1),
}


def _find_files(folder):
    """Return the file of each subject, flat or in a folder of its name."""
    expected = (
        "AMIGOS' files Data_Preprocessed_P01.mat to Data_Preprocessed_P40.mat, each flat or in a "
        "folder of its name"
    )
    found = find_paths(folder, r"Data_Preprocessed_(P\d+)(?:\.mat)?", expected)
    for paths in found.values():
        if len(paths) > 1:
            raise ValueError(
                f"{folder} must hold one file of each subject, got {paths[0]} and {paths[1]}."
            )
    return {
        subject: path if path.suffix else path / f"{path.name}.mat"
        for subject, (path,) in found.items()
    }


def _load_subject(subject, path, signals, numbers):
    """Return the recordings of one subject; name the trials without signals."""
    content = load_mat(path, ("joined_data", "labels_selfassessment"))
    trials, labels = (content[name].cells() for name in ("joined_data", "labels_selfassessment"))
    # Three subjects saw no long videos: their cells are empty or not there.
    if len(trials) != len(labels) or len(trials) not in (_N_SHORT, _N_TRIALS):
        raise ValueError(
            f"{path} must hold joined_data and labels_selfassessment of {_N_TRIALS} (or "
            f"{_N_SHORT}) trials each, got {len(trials)} and {len(labels)}."
        )
    recordings = []
    for number in numbers:
        if number > len(trials) or trials[number - 1].is_empty:
            recordings.append(f"Trial {number} of {subject} has no signals.")
            continue
        samples, label = trials[number - 1].matrix(_N_COLUMNS).T, labels[number - 1]
        ratings = [np.nan] * len(_RATINGS) if label.is_empty else label.vector(len(_RATINGS))
        ratings = {**dict(zip(_RATINGS, ratings, strict=True)), "trial": number}
        recordings.append(
            Recording(
                {name: samples[_SIGNALS[name]].astype(np.float32, order="C") for name in signals},
                dict.fromkeys(signals, _RATE),
                subject,
                annotate_ratings(samples.shape[1] / _RATE, ratings),
            )
        )
    return recordings


def load_amigos(path, subjects=None, signals=None, *, trials="all", n_jobs=None):
    """Read AMIGOS: ECG, EDA and EEG of 40 subjects who watch videos, and their ratings.

    The authors' preprocessed files are read [1]_, in which all signals are at 128 Hz. Three
    subjects did not see the long videos. Trials without signals are left out, with one
    warning that names them. Trials without ratings have NaN as ratings. Signals are kept as
    they are, NaN included: ``make_windows`` leaves such windows out.

    Parameters
    ----------
    path : str or path-like
        Folder ``data_preprocessed``, with ``Data_Preprocessed_P01.mat`` and so on, flat or
        each in a folder of its name.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("P01", "P02")``; by default all.
    signals : sequence of str, default=None
        Signals to read, in the units of the files: "ecg" (left arm, the default),
        "ecg_right" (right arm), "eda" and "eeg" (14 channels).
    trials : {"all", "short", "long"}, default="all"
        Trials to read: 1 to 16 are short videos, 17 to 20 are long ones.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each subject and trial, sorted by their numbers, as float32.
        Annotations hold for the whole trial, one row for each second: the self-ratings
        "arousal", "valence", "dominance", "liking" and "familiarity" (1 to 9), whether an
        emotion was felt (0 or 1) as "neutral", "disgust", "happiness", "surprise", "anger",
        "fear" and "sadness", and the number of the "trial".

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file is malformed, a choice is unknown, or no trial has signals.

    See Also
    --------
    load_dreamer, load_ascertain : ECG of people who watch film clips, in MATLAB files too.

    References
    ----------
    .. [1] Miranda-Correa, J. A., Abadi, M. K., Sebe, N., & Patras, I. (2021). AMIGOS: A
       dataset for affect, personality and mood research on individuals and groups. IEEE
       Transactions on Affective Computing, 12(2), 479-493.

    Examples
    --------
    High and low arousal, divided at the mean rating over the dataset:

    >>> import numpy as np
    >>> from physio_ssl.datasets import load_amigos
    >>> from physio_ssl.windows import RatingLabels, make_windows  # doctest: +SKIP
    >>> recordings = load_amigos("AMIGOS/data_preprocessed")  # doctest: +SKIP
    >>> mean = np.nanmean([r.annotations["arousal"][0] for r in recordings])  # doctest: +SKIP
    >>> labels = RatingLabels("arousal", bins=[mean])  # doctest: +SKIP
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, ("ecg",))
    if trials not in _TRIALS:
        raise ValueError(f"trials must be one of {', '.join(_TRIALS)}, got {trials!r}.")
    load = partial(_load_subject, signals=signals, numbers=_TRIALS[trials])
    return read_subjects(load, _find_files(path), subjects, place=path, n_jobs=n_jobs)
