"""Reader of ASCERTAIN: ECG while watching film clips, for pre-training."""

from functools import partial

import numpy as np

from .._check import check_sampling_rate
from ..containers import Recording
from ._matlab import load_mat
from .reading import choose_signals, find_paths, read_subjects

_VARIABLE = "Data_ECG"
_SIGNALS = {"ecg": 0, "ecg_right": 1}  # which of the two channels
_TOLERANCE = 0.05  # of the sampling rate, by the time stamps


def _find_variable(path):
    """Return the variable with the ECG: the one named so, or the only table of numbers."""
    content = load_mat(path)
    arrays = [value for value in content.values() if value.is_numeric and value.value.ndim == 2]
    tables = [array for array in arrays if min(array.value.shape) > 1]  # the start is one row
    if _VARIABLE not in content and len(tables) != 1:
        found = {name: value.value.shape for name, value in content.items()}
        raise ValueError(f"{path} must hold {_VARIABLE}, or only one 2-D array, got {found}.")
    return content[_VARIABLE] if _VARIABLE in content else tables[0]


def _check_rate(times, sampling_rate, path):
    """Raise if the time stamps, in milliseconds, contradict the sampling rate."""
    lag = min(64, len(times) - 1)  # longer than one sample: stamps are rounded
    span = np.median(times[lag:] - times[:-lag])
    measured = 1000 * lag / span if span else np.inf
    if abs(measured / sampling_rate - 1) > _TOLERANCE:
        raise ValueError(
            f"sampling_rate must be {measured:.1f} Hz as in {path}, got {sampling_rate:g} Hz."
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
            "rising time stamps and both arms in columns 1 to 3, or 1, 5 and 6, or both arms only"
        )
    return samples[:, first : first + 2].T


def _load_subject(subject, folder, signals, sampling_rate):
    """Return the recordings of one subject; name the clips without signals."""
    recordings = []
    clips = find_paths(folder, r"ECG_Clip(\d+)\.mat", "ECG_Clip1.mat to ECG_Clip36.mat")
    for number, (path,) in clips.items():
        variable, clip = _find_variable(path), f"clip {int(number)}"
        if variable.is_empty:
            recordings.append(f"{clip.capitalize()} of {subject} has no signals.")
            continue
        channels = _read_channels(variable, sampling_rate)
        stages = {"onset": [0], "duration": [channels.shape[1] / sampling_rate]}
        samples = {name: channels[_SIGNALS[name]].astype(np.float32) for name in signals}
        rates = dict.fromkeys(signals, sampling_rate)
        recordings.append(Recording(samples, rates, subject, {**stages, "description": [clip]}))
    return recordings


def load_ascertain(path, subjects=None, signals=None, *, sampling_rate, n_jobs=None):
    """Read ASCERTAIN: ECG of 58 subjects who watch 36 film clips, for pre-training.

    The layout is known from public code that reads these files, not from the files themselves [1]_.
    ``Data_ECG``, or the only 2-D array of numbers in a file, holds time stamps in milliseconds, and
    both arms in columns 2 and 3, or in 5 and 6 if the device recorded more. Samples that the device
    lost are not filled in. One warning names clips without signals, which are left out. NaN is
    kept: ``make_windows`` drops it.

    Parameters
    ----------
    path : str or path-like
        Folder of ASCERTAIN, with ``ECGData/Movie_P01/ECG_Clip1.mat`` and so on.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("P01", "P02")``; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read, in the unit of the files: "ecg" (left arm) and "ecg_right".
    sampling_rate : float
        Sampling rate, in Hz. The files do not state it: others use 256. It is checked against the
        time stamps of a file, if there are any, to 5 %.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject and clip, sorted by number. The annotation is the
        clip, "clip 1" to "clip 36".

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, its time stamps contradict the sampling rate, a choice is
        unknown, or no clip has signals.

    See Also
    --------
    fetch_ascertain : Download the files, or say whom to ask.

    References
    ----------
    .. [1] Subramanian, R. et al. (2018). ASCERTAIN: Emotion and personality recognition using
       commercial sensors. IEEE Transactions on Affective Computing, 9(2), 147-160.

    Examples
    --------
    >>> from physio_ssl.datasets import load_ascertain
    >>> recordings = load_ascertain("ascertain", sampling_rate=128)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, ("ecg",))
    sampling_rate = check_sampling_rate(sampling_rate)
    expected = "the folders of ASCERTAIN's subjects, ECGData/Movie_P01 to ECGData/Movie_P58"
    found = find_paths(path, r"ECGData/Movie_(P\d+)", expected)
    load = partial(_load_subject, signals=signals, sampling_rate=sampling_rate)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
