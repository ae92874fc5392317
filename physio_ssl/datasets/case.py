"""Reader of CASE: eight signals and continuous ratings while watching videos."""

from functools import partial

import numpy as np

from ..containers import Recording
from ._plausible import warn_of_ratings
from ._table import read_table
from .reading import choose_signals, find_paths, read_subjects

_RATE = 1000
_SIGNALS = {  # column, and gain and offset from volts to units: the formulas of the authors
    "ecg": ("ecg", 20.0, -56.0),
    "bvp": ("bvp", 58.962, -115.09),
    "eda": ("gsr", 24.0, -49.2),
    "resp": ("rsp", 58.923, -115.01),
    "temp": ("skt", 21.341, -32.085),
    "emg_zygo": ("emg_zygo", 250.0, -500.0),
    "emg_coru": ("emg_coru", 250.0, -500.0),
    "emg_trap": ("emg_trap", 250.0, -500.0),
}
_DEFAULT = ("bvp", "eda", "temp")
_HIGHEST_VOLTAGE = 5  # of the skin temperature; in degrees Celsius, no skin is that cold
_COLDEST, _WARMEST = 10, 45  # degrees Celsius, median of a session
_SCALES = dict.fromkeys(("valence", "arousal"), (0.5, 9.5))
_VIDEOS = {number: f"video {number}" for number in range(1, 9)}
_VIDEOS |= {10: "start", 11: "blue screen", 12: "end"}
_TOLERANCE = 1  # s between the ends of both files


def _read_signals(path, signals):
    """Return the time in s, the signals in their units and the video of each sample."""
    types = {_SIGNALS[name][0]: "f4" for name in (*signals, "temp")}
    table = read_table(path, {"daqtime": "f8", **types, "video": "f4"})
    time = table["daqtime"] / 1000
    uneven = np.abs(np.diff(time) - 1 / _RATE) > 1e-5
    if uneven.any():
        line = uneven.argmax() + 3
        raise ValueError(
            f"daqtime in {path} must rise by 1 ms, got {uneven.sum()} other step(s) from line "
            f"{line} on."
        )
    in_volts = np.median(table["skt"]) < _HIGHEST_VOLTAGE
    samples = {}
    for name in {*signals, "temp"}:
        column, gain, offset = _SIGNALS[name]
        samples[name] = gain * table[column] + offset if in_volts else table[column]
    if not _COLDEST <= (median := np.median(samples["temp"])) <= _WARMEST:
        raise ValueError(
            f"skt in {path} must be a skin temperature, with a median from {_COLDEST} to "
            f"{_WARMEST} degrees Celsius, got {median:.1f}."
        )
    return time, {name: samples[name] for name in signals}, table["video"]


def _annotate(video, path):
    """Return the runs of a video, per sample, as annotations."""
    if unknown := sorted(set(np.unique(video).tolist()) - set(_VIDEOS)):
        raise ValueError(f"Videos in {path} must be of {[*_VIDEOS]}, got {unknown}.")
    edges = np.flatnonzero(np.diff(video, prepend=np.nan, append=np.nan))
    return {
        "onset": edges[:-1] / _RATE,
        "duration": np.diff(edges) / _RATE,
        "description": [_VIDEOS[number] for number in video[edges[:-1]]],
    }


def _read_ratings(path, time, video):
    """Return the ratings of a recording, whose videos they must be of."""
    table = read_table(path, dict.fromkeys(("jstime", *_SCALES, "video"), "f8"))
    rated = table["jstime"] / 1000
    if not (abs(rated[0] - time[0]) <= _TOLERANCE and abs(rated[-1] - time[-1]) <= _TOLERANCE):
        raise ValueError(
            f"{path} must cover {time[0]:.2f} to {time[-1]:.2f} s like the signals, got "
            f"{rated[0]:.2f} to {rated[-1]:.2f} s."
        )
    sample = np.rint((rated - time[0]) * _RATE).clip(0, len(video) - 1).astype(int)
    if (same := np.mean(video[sample] == table["video"])) < 0.99:
        raise ValueError(
            f"{path} must show the same videos as the signals, got others at {1 - same:.0%} of "
            "the ratings: both may be of different subjects."
        )
    ratings = {name: table[name] for name in _SCALES}
    warn_of_ratings(ratings, _SCALES, path)
    return {"time": rated - time[0], **ratings}


def _load_subject(subject, path, signals):
    """Read one subject's signals, videos and ratings."""
    time, samples, video = _read_signals(path, signals)
    ratings = _read_ratings(path.parents[1] / "annotations" / path.name, time, video)
    return Recording(
        samples,
        dict.fromkeys(signals, _RATE),
        subject,
        _annotate(video, path),
        start_offset=time[0],
        ratings=ratings,
    )


def load_case(path, subjects=None, signals=None, *, n_jobs=None):
    """Read CASE: signals of 30 subjects who rate videos with a joystick while they watch them.

    These are the authors' interpolated files [1]_. They are in the units below, as the authors
    converted them; files that still hold volts, in which the skin temperature is below 5, are
    converted by the authors' formulas.

    Parameters
    ----------
    path : str or path-like
        Folder of CASE, with ``data/interpolated/physiological/sub_1.csv`` and
        ``data/interpolated/annotations/sub_1.csv`` to ``sub_30.csv``.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("sub_1", "sub_2")``; None for all.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read, at 1000 Hz: "ecg" (millivolts), "bvp" (percent), "eda" (microsiemens),
        "resp" (percent), "temp" (skin temperature, degrees Celsius), and of three muscles
        "emg_zygo", "emg_coru" and "emg_trap" (microvolts, root mean square).
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject, sorted by number. Annotations are "start", "video 1"
        to "video 8" in the subject's order, the "blue screen" between them, and "end". ``ratings``
        are "valence" and "arousal", 0.5 to 9.5, at 20 Hz. Videos 1 and 2 are amusing, 3 and 4
        boring, 5 and 6 relaxing, 7 and 8 scary.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a choice is unknown, the time does not rise by 1 ms, the
        skin temperature is impossible, or signals and ratings differ in length or videos.

    Warns
    -----
    UserWarning
        If a rating is outside its scale.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    References
    ----------
    .. [1] Sharma, K. et al. (2019). A dataset of continuous affect annotations and physiological
       signals for emotion analysis. Scientific Data, 6, 196.

    Examples
    --------
    Two classes at the middle of the scale, and three by its thirds, of the mean rating in a window:

    >>> from physio_ssl import RatingLabels, make_windows
    >>> from physio_ssl.datasets import load_case
    >>> recordings = load_case("CASE")  # doctest: +SKIP
    >>> labels = {
    ...     "arousal": RatingLabels.equal_width("arousal", 0.5, 9.5, n_classes=2),
    ...     "valence": RatingLabels.equal_width("valence", 0.5, 9.5, n_classes=3),
    ... }
    >>> labels["arousal"].bins, labels["valence"].bins
    ([5.0], [3.5, 6.5])
    >>> windows = make_windows(recordings, 10, labels=labels)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, _DEFAULT)
    expected = "data/interpolated/physiological/sub_1.csv and so on, the files of CASE"
    found = find_paths(path, r"data/interpolated/physiological/(sub_\d+)\.csv", expected)
    load = partial(_load_subject, signals=signals)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
