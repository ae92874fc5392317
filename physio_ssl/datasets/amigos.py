"""Reader of AMIGOS: ECG, EDA and EEG while watching videos, with self-ratings."""

from functools import partial

import numpy as np

from .._check import check_choice
from ..containers import Recording
from ._common import list_names
from ._matlab import load_mat
from ._plausible import warn_of_ratings
from .reading import annotate_ratings, choose_signals, find_paths, read_subjects

_RATE = 128
_SIGNALS = {"ecg": [15], "ecg_right": [14], "eda": [16], "eeg": range(14)}  # columns
_RATINGS = (  # arousal comes first: others have read it as valence, and valence as dominance
    *("arousal", "valence", "dominance", "liking", "familiarity"),
    *("neutral", "disgust", "happiness", "surprise", "anger", "fear", "sadness"),
)
_SCALES = dict.fromkeys(_RATINGS[:5], (1, 9)) | dict.fromkeys(_RATINGS[5:], (0, 1))
_TRIALS = {"all": range(1, 21), "short": range(1, 17), "long": range(17, 21)}


def _load_subject(subject, path, signals, numbers):
    """Return the recordings of one subject; name the trials without signals."""
    path = path if path.suffix else path / f"{path.name}.mat"
    content = load_mat(path, ("joined_data", "labels_selfassessment"))
    trials, labels = (content[name].cells() for name in ("joined_data", "labels_selfassessment"))
    # Three subjects saw no long videos: their cells are empty or not there.
    if len(trials) != len(labels) or len(trials) not in (16, 20):
        raise ValueError(
            f"{path} must hold signals and labels of 16 or 20 trials each, got {len(trials)} and "
            f"{len(labels)}."
        )
    recordings, rates = [], dict.fromkeys(signals, _RATE)
    for number in numbers:
        if number > len(trials) or trials[number - 1].is_empty:
            recordings.append(f"Trial {number} of {subject} has no signals.")
            continue
        matrix, label = trials[number - 1].matrix(n_columns=17), labels[number - 1]
        ratings = [np.nan] * len(_RATINGS) if label.is_empty else label.vector(len(_RATINGS))
        ratings = dict(zip(_RATINGS, ratings, strict=True)) | {"trial": number}
        warn_of_ratings(ratings, _SCALES, f"trial {number} of {path}")
        samples = {name: matrix.T[_SIGNALS[name]].astype(np.float32, order="C") for name in signals}
        annotations = annotate_ratings(len(matrix) / _RATE, ratings)
        recordings.append(Recording(samples, rates, subject, annotations))
    return recordings


def load_amigos(path, subjects=None, signals=None, *, trials="all", n_jobs=None):
    """Read AMIGOS: ECG, EDA and EEG of 40 subjects who watch videos, and their ratings.

    These are the authors' preprocessed files [1]_. One warning names trials without signals, which
    are left out: three subjects did not see the long videos. Missing ratings and samples are NaN,
    which ``make_windows`` drops.

    Parameters
    ----------
    path : str or path-like
        Folder ``data_preprocessed``, with ``Data_Preprocessed_P01.mat`` and so on, flat or each in
        a folder of its name.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("P01", "P02")``; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read, at 128 Hz and in the units of the files: "ecg" (left arm), "ecg_right",
        "eda" and "eeg" (14 channels).
    trials : {"all", "short", "long"}, default="all"
        Trials to read: 1 to 16 are short videos, 17 to 20 are long ones.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject and trial, sorted by number. Annotations, one row per
        second, are the self-ratings "arousal", "valence", "dominance", "liking" and "familiarity"
        (1 to 9), whether an emotion was felt (0 or 1) as "neutral", "disgust", "happiness",
        "surprise", "anger", "fear" and "sadness", and the number of the "trial".

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, or no trial has signals.

    Warns
    -----
    UserWarning
        If a trial is left out, or a rating is outside its scale.

    See Also
    --------
    fetch_amigos : Download the files, or say whom to ask.

    References
    ----------
    .. [1] Miranda-Correa, J. A. et al. (2021). AMIGOS: A dataset for affect, personality and mood
       research on individuals and groups. IEEE Transactions on Affective Computing, 12(2).

    Examples
    --------
    High and low arousal, divided at the mean rating over the dataset:

    >>> import numpy as np
    >>> from physio_ssl import RatingLabels, make_windows
    >>> from physio_ssl.datasets import load_amigos
    >>> recordings = load_amigos("AMIGOS/data_preprocessed")  # doctest: +SKIP
    >>> mean = np.nanmean([r.annotations["arousal"][0] for r in recordings])  # doctest: +SKIP
    >>> labels = RatingLabels("arousal", bins=[mean])  # doctest: +SKIP
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, ("ecg",))
    check_choice("trials", trials, tuple(_TRIALS))
    expected = "Data_Preprocessed_P01.mat and so on, the files of AMIGOS, or a folder for each"
    found = find_paths(path, r"Data_Preprocessed_(P\d+)(?:\.mat)?", expected)
    for paths in found.values():
        if len(paths) > 1:
            raise ValueError(
                f"{path} must hold one file of each subject, got {list_names(map(str, paths))}."
            )
    load = partial(_load_subject, signals=signals, numbers=_TRIALS[trials])
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
