"""Reader of ASCERTAIN: ECG while watching film clips, for pre-training."""

import re
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from .._check import check_sampling_rate
from ..containers import Recording
from ._matlab import load_mat
from ._signals import check_signals
from ._trials import choose_subjects, gather_trials

_VARIABLE = "Data_ECG"
_SIGNALS = {"ecg": 0, "ecg_right": 1}  # which of the two channels
_TOLERANCE = 0.05  # of the sampling rate, by the time stamps


def _find_folders(folder):
    """Return the folder of each subject, sorted by their number."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    parent = folder / "ECGData"
    entries = sorted(parent.iterdir()) if parent.is_dir() else []
    found = {
        entry.name.removeprefix("Movie_"): entry
        for entry in entries
        if re.fullmatch(r"Movie_P\d+", entry.name)
    }
    if not found:
        others = ", ".join(sorted(path.name for path in entries or folder.iterdir())[:10])
        raise ValueError(
            f"{folder} must hold the folders of ASCERTAIN's subjects, ECGData/Movie_P01 to "
            f"ECGData/Movie_P58, found {others or 'nothing'}."
        )
    return {name: found[name] for name in sorted(found, key=lambda name: int(name[1:]))}


def _find_clips(folder):
    """Return the file of each clip, sorted by its number."""
    found = {}
    for path in folder.glob("*.mat"):
        match = re.fullmatch(r"ECG_Clip(\d+)", path.stem)
        if match:
            found[int(match[1])] = path
    if not found:
        others = ", ".join(sorted(path.name for path in folder.glob("*"))[:10])
        raise ValueError(
            f"{folder} must hold ECG_Clip1.mat to ECG_Clip36.mat, found {others or 'nothing'}."
        )
    return dict(sorted(found.items()))


def _find_variable(path):
    """Return the variable with the ECG: the one named so, or the only table of numbers."""
    content = load_mat(path)
    if _VARIABLE in content:
        return content[_VARIABLE]
    tables = [  # the date and time of the start is one row
        value
        for value in content.values()
        if value.is_numeric and value.value.ndim == 2 and min(value.value.shape) > 1
    ]
    if len(tables) != 1:
        found = [f"{name} {getattr(value.value, 'shape', '')}" for name, value in content.items()]
        raise ValueError(
            f"{path} must hold the ECG as {_VARIABLE}, or as the only 2-D array of numbers, "
            f"got {', '.join(found) or 'no variables'}."
        )
    return tables[0]


def _check_rate(times, sampling_rate, path):
    """Raise if the time stamps, in milliseconds, contradict the sampling rate."""
    lag = min(64, len(times) - 1)  # longer than one sample: stamps are rounded
    span = np.median(times[lag:] - times[:-lag])
    measured = 1000 * lag / span if span else np.inf
    if abs(measured / sampling_rate - 1) > _TOLERANCE:
        raise ValueError(
            f"sampling_rate must agree with the time stamps (ms) in the first column of "
            f"{path}, which are those of {measured:.1f} Hz, got {sampling_rate:g} Hz."
        )


def _read_channels(variable, sampling_rate):
    """Return the channels of the left and the right arm, of shape (2, n_times)."""
    if not variable.is_numeric or variable.value.ndim != 2:
        raise variable.error("a 2-D array of numbers")
    samples = variable.value.astype(float)  # differences of unsigned integers never fall
    samples = samples if len(samples) > samples.shape[1] else samples.T  # (n_times, n_columns)
    n_columns = samples.shape[1]
    # A signal does not rise all the time: such a first column holds time stamps.
    has_times = bool((np.diff(samples[:, 0]) >= 0).all() and samples[-1, 0] > samples[0, 0])
    if has_times and n_columns >= 3:
        _check_rate(samples[:, 0], sampling_rate, variable.path)
        first = 1 if n_columns < 6 else 4  # before that, the device's other sensors
    elif not has_times and n_columns == 2:
        first = 0
    else:
        raise variable.error(
            "rising time stamps, left and right arm in columns 1 to 3, or 1, 5 and 6 of six or "
            "more (or both arms only)"
        )
    return samples[:, first : first + 2].T


def _load_subject(folder, subject, signals, sampling_rate):
    """Return the recordings of one subject, and the numbers of clips without signals."""
    recordings, missing = [], []
    for number, path in _find_clips(folder).items():
        variable = _find_variable(path)
        if variable.is_empty:
            missing.append(number)
            continue
        channels = _read_channels(variable, sampling_rate)
        annotation = {
            "onset": [0.0],
            "duration": [channels.shape[1] / sampling_rate],
            "description": [f"clip {number}"],
        }
        recordings.append(
            Recording(
                {name: channels[_SIGNALS[name]].astype(np.float32) for name in signals},
                dict.fromkeys(signals, sampling_rate),
                subject,
                annotation,
            )
        )
    return recordings, missing


def load_ascertain(folder, sampling_rate, subjects=None, signals=("ecg",), n_jobs=None):
    """Read ASCERTAIN: ECG of 58 subjects who watch 36 film clips, for pre-training.

    The layout is known from public code that reads these files, not from the files
    themselves [1]_. ``Data_ECG``, or the only 2-D array of numbers in a file, holds time
    stamps in milliseconds, and both arms in columns 2 and 3, or in 5 and 6 where the device
    recorded more. What does not fit is an error that says what was found. Samples that the
    device lost are not filled in.

    Clips without signals are left out, with one warning that names them. Signals are kept as
    they are, NaN included: ``make_windows`` leaves such windows out.

    Parameters
    ----------
    folder : str or path-like
        Folder of ASCERTAIN, with ``ECGData/Movie_P01/ECG_Clip1.mat`` and so on.
    sampling_rate : float
        Sampling rate, in Hz. The files do not state it: 256 is what others use. It is
        checked against the time stamps, to 5 %, where a file has them.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("P01", "P02")``, as their folders are called; by default
        all.
    signals : sequence of str, default=("ecg",)
        Signals to read, of "ecg" (left arm) and "ecg_right" (right arm), in the unit of the
        files.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads; None is one, -1 is one for
        each processor.

    Returns
    -------
    list of Recording
        One recording for each subject and clip, sorted by their numbers, with signals as
        float32. The annotation is the clip, "clip 1" to "clip 36".

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file is malformed, the time stamps contradict the sampling rate, a subject or
        signal is unknown, or no clip has signals.

    References
    ----------
    .. [1] Subramanian, R., Wache, J., Abadi, M. K., Vieriu, R. L., Winkler, S., & Sebe, N.
       (2018). ASCERTAIN: Emotion and personality recognition using commercial sensors. IEEE
       Transactions on Affective Computing, 9(2), 147-160.

    Examples
    --------
    >>> from physio_ssl.datasets import load_ascertain
    >>> recordings = load_ascertain("ASCERTAIN", sampling_rate=256)  # doctest: +SKIP
    """
    signals = check_signals(signals, _SIGNALS)
    sampling_rate = check_sampling_rate(sampling_rate)
    folder = Path(folder)
    folders = choose_subjects(_find_folders(folder), subjects, folder)
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_load_subject)(path, subject, signals, sampling_rate)
        for subject, path in folders.items()
    )
    return gather_trials(dict(zip(folders, results, strict=True)), "clip", folder)
