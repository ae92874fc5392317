"""Reader of AMIGOS: ECG, EDA and EEG while watching videos, with self-ratings."""

import re
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from ..containers import Recording
from ._matlab import load_mat
from ._signals import check_signals
from ._trials import choose_subjects, gather_trials, hold_values

_RATE = 128
_N_COLUMNS = 17
_SIGNALS = {
    "ecg": slice(15, 16),
    "ecg_right": slice(14, 15),
    "eda": slice(16, 17),
    "eeg": slice(0, 14),
}
_RATINGS = (  # arousal comes first: others have read it as valence, and valence as dominance
    "arousal",
    "valence",
    "dominance",
    "liking",
    "familiarity",
    "neutral",
    "disgust",
    "happiness",
    "surprise",
    "anger",
    "fear",
    "sadness",
)
_N_SHORT = 16
_N_TRIALS = 20
_TRIALS = {
    "all": range(1, _N_TRIALS + 1),
    "short": range(1, _N_SHORT + 1),
    "long": range(_N_SHORT + 1, _N_TRIALS + 1),
}


def _find_files(folder):
    """Return the file of each subject, sorted by their number."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = {}
    for entry in sorted(folder.iterdir()):
        match = re.fullmatch(r"Data_Preprocessed_(P\d+)(\.mat)?", entry.name)
        if not match:
            continue
        path = entry if match[2] else entry / f"{entry.name}.mat"
        if match[1] in found:
            raise ValueError(
                f"{folder} must hold one file of each subject, got {found[match[1]]} and {path}."
            )
        found[match[1]] = path
    if not found:
        others = ", ".join(sorted(path.name for path in folder.iterdir())[:10])
        raise ValueError(
            f"{folder} must hold AMIGOS' files Data_Preprocessed_P01.mat to "
            f"Data_Preprocessed_P40.mat, each flat or in a folder of its name, found "
            f"{others or 'nothing'}."
        )
    return {name: found[name] for name in sorted(found, key=lambda name: int(name[1:]))}


def _load_subject(path, subject, signals, numbers):
    """Return the recordings of one subject, and the numbers of trials without signals."""
    content = load_mat(path, ("joined_data", "labels_selfassessment"))
    trials, labels = (content[name].cells() for name in ("joined_data", "labels_selfassessment"))
    # Three subjects saw no long videos: their cells are empty or not there.
    if len(trials) != len(labels) or len(trials) not in (_N_SHORT, _N_TRIALS):
        raise ValueError(
            f"{path} must hold joined_data and labels_selfassessment of {_N_TRIALS} (or "
            f"{_N_SHORT}) trials each, got {len(trials)} and {len(labels)}."
        )
    recordings, missing = [], []
    for number in numbers:
        if number > len(trials) or trials[number - 1].is_empty:
            missing.append(number)
            continue
        samples, label = trials[number - 1].matrix(_N_COLUMNS).T, labels[number - 1]
        ratings = [np.nan] * len(_RATINGS) if label.is_empty else label.vector(len(_RATINGS))
        values = {**dict(zip(_RATINGS, ratings, strict=True)), "trial": number}
        recordings.append(
            Recording(
                {name: samples[_SIGNALS[name]].astype(np.float32, order="C") for name in signals},
                dict.fromkeys(signals, _RATE),
                subject,
                hold_values(samples.shape[1] / _RATE, values),
            )
        )
    return recordings, missing


def load_amigos(folder, subjects=None, signals=("ecg",), trials="all", n_jobs=None):
    """Read AMIGOS: ECG, EDA and EEG of 40 subjects who watch videos, and their ratings.

    The authors' preprocessed files are read [1]_, in which all signals are at 128 Hz. Three
    subjects did not see the long videos. Trials without signals are left out, with one
    warning that names them. Trials without a rating are kept for pre-training, with NaN as
    ratings, so ``make_windows`` counts their windows as unlabelled. Signals are kept as they
    are, NaN included: ``make_windows`` leaves such windows out.

    Parameters
    ----------
    folder : str or path-like
        Folder ``data_preprocessed``, with ``Data_Preprocessed_P01.mat`` and so on, flat or
        each in a folder of its name.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("P01", "P02")``; by default all.
    signals : sequence of str, default=("ecg",)
        Signals to read, of "ecg" (left arm), "ecg_right" (right arm), "eda" and "eeg" (14
        channels), in the units of the files.
    trials : {"all", "short", "long"}, default="all"
        Trials to read: 1 to 16 are short videos, 17 to 20 are long ones.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads; None is one, -1 is one for
        each processor.

    Returns
    -------
    list of Recording
        One recording for each subject and trial, sorted by their numbers, with signals as
        float32. Annotations hold for the whole trial, one row for each second: the
        self-ratings "arousal", "valence", "dominance", "liking" and "familiarity" (1 to 9),
        whether an emotion was felt (0 or 1) as "neutral", "disgust", "happiness",
        "surprise", "anger", "fear" and "sadness", and the number of the "trial".

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file is malformed, a subject, signal or kind of trials is unknown, or no trial
        has signals.

    References
    ----------
    .. [1] Miranda-Correa, J. A., Abadi, M. K., Sebe, N., & Patras, I. (2021). AMIGOS: A
       dataset for affect, personality and mood research on individuals and groups. IEEE
       Transactions on Affective Computing, 12(2), 479-493.

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
    signals = check_signals(signals, _SIGNALS)
    if trials not in _TRIALS:
        raise ValueError(f"trials must be one of {', '.join(_TRIALS)}, got {trials!r}.")
    folder = Path(folder)
    paths = choose_subjects(_find_files(folder), subjects, folder)
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_load_subject)(path, subject, signals, _TRIALS[trials])
        for subject, path in paths.items()
    )
    return gather_trials(dict(zip(paths, results, strict=True)), "trial", folder)
