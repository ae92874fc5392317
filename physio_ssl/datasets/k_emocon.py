"""Reader of K-EmoCon: wrist signals in debates, rated by oneself, the partner and others."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .._check import check_choice
from .._timestamps import join_parts, split_at_gaps
from ..containers import Recording
from ._common import explain_errors, list_names
from ._empatica_csv import ACC_UNITS_PER_G
from ._plausible import check_samples, warn_of_ratings
from ._table import read_table
from .empatica import WRIST_SIGNALS
from .reading import choose_signals, find_paths, read_subjects

_SIGNALS = {  # file, columns and sampling rate in Hz
    "bvp": ("E4_BVP.csv", ("value",), 64),
    "eda": ("E4_EDA.csv", ("value",), 4),
    "temp": ("E4_TEMP.csv", ("value",), 4),
    "acc": ("E4_ACC.csv", ("x", "y", "z"), 32),
}
# Files of these participants may hold samples of a second device, worn by somebody else.
_DEVICES = {"29": "A013E1", "30": "A01A3A", "31": "A013E1", "32": "A01A3A"}
_RATERS = ("self", "partner", "external")
_SCALES = {"arousal": (1, 5), "valence": (1, 5)}
_SCALES |= dict.fromkeys(("cheerful", "happy", "angry", "nervous", "sad"), (1, 4))
_INTERVAL = 5  # s, of one rating


def _read_signal(folder, name):
    """Return the unix time, in s, and the samples, (n_channels, n_times), of one device."""
    file, columns, _ = _SIGNALS[name]
    path = folder / file
    table = read_table(path, {"timestamp": "f8", **dict.fromkeys(columns, "f4")}, ["device_serial"])
    time, samples = table["timestamp"] / 1000, np.stack([table[column] for column in columns])
    if len(serials := sorted(set(table["device_serial"]))) > 1:
        device = _DEVICES.get(folder.name)
        if device not in serials:
            expected = f"one device, or also {device}" if device else "one device"
            raise ValueError(f"{path} must hold samples of {expected}, got {list_names(serials)}.")
        kept = table["device_serial"] == device
        time, samples = time[kept], samples[:, kept]
    samples = samples / np.float32(ACC_UNITS_PER_G) if name == "acc" else samples
    check_samples(samples, name, path)
    return time, samples


def _read_signals(folder, signals):
    """Return the unix time at which all signals have started, in s, and the signals from it on."""
    parts = {}
    for name in signals:
        with explain_errors(folder / _SIGNALS[name][0], "samples with time stamps"):
            parts[name] = split_at_gaps(*_read_signal(folder, name), _SIGNALS[name][2])
    starts = {name: found[0][0] for name, found in parts.items()}
    start, samples = max(starts.values()), {}
    for name, found in parts.items():
        file, _, rate = _SIGNALS[name]
        placed = join_parts(found, rate, starts[name], found[-1][1])
        samples[name] = placed[:, round((start - starts[name]) * rate) :]
        if not samples[name].size:
            raise ValueError(f"{folder / file} must overlap the other signals, got an earlier end.")
    return start, start - min(starts.values()), samples


def _read_rater(path, subject, rater):
    """Return the ratings of one rater, by scale, and the time since the debate's start, in s."""
    found = sorted(path.glob(f"emotion_annotations/*{rater}_annotations/P{subject}.{rater}.csv"))
    if len(found) != 1:
        expected = f"emotion_annotations/{rater}_annotations/P{subject}.{rater}.csv"
        kind = FileNotFoundError if not found else ValueError
        raise kind(f"{path} must hold one file {expected}, found {list_names(map(str, found))}.")
    columns = dict.fromkeys(("seconds", "arousal", "valence"), "f8")
    table = read_table(found[0], columns, optional=[*_SCALES][2:])
    seconds = table.pop("seconds")
    if (np.diff(seconds) <= 0).any() or (seconds % _INTERVAL).any() or seconds[0] < 0:
        raise ValueError(
            f"seconds in {found[0]} must be rising multiples of {_INTERVAL}, got "
            f"{list_names(map(str, seconds), 5)}."
        )
    warn_of_ratings(table, _SCALES, found[0])
    # The authors' code takes the first rating for the first 5 s, of which 5 is the end.
    return pd.DataFrame(table, index=seconds - _INTERVAL * (seconds[0] > 0))


def _read_ratings(path, subject, raters):
    """Return the ratings of one rater, or of all with the rater's name before each scale."""
    if raters != "all":
        return _read_rater(path, subject, raters)
    tables = [_read_rater(path, subject, rater).add_prefix(f"{rater}_") for rater in _RATERS]
    return pd.concat(tables, axis=1).sort_index()


def _read_debates(path):
    """Return the unix time, in s, of the start and end of each participant's debate."""
    file = path / "metadata" / "subjects.csv"
    table = read_table(file, dict.fromkeys(("pid", "startTime", "endTime"), "f8"))
    if not (wrong := table["endTime"] <= table["startTime"]).any():
        rows = zip(table["pid"], table["startTime"] / 1000, table["endTime"] / 1000, strict=True)
        return file, {f"{pid:g}": (start, end) for pid, start, end in rows}
    raise ValueError(f"Debates in {file} must end after they start, got {wrong.sum()} other(s).")


def _load_subject(subject, folder, path, signals, raters, debates):
    """Read one participant, or say which file is not there."""
    missing = [file for name in signals if not (folder / (file := _SIGNALS[name][0])).exists()]
    if missing:
        return [f"{subject} has no {', '.join(missing)}."]
    file, times = debates
    if subject not in times:
        raise ValueError(f"{file} must hold the participant {subject}, got {list_names(times)}.")
    start, offset, samples = _read_signals(folder, signals)
    rates = {name: _SIGNALS[name][2] for name in signals}
    first, last = (time - start for time in times[subject])
    end = min(samples[name].shape[1] / rates[name] for name in signals)
    if first < 0 or last > end:
        message = f"The debate of {folder}, {first:.1f} to {last:.1f} s, should lie within"
        if first > end or last < 0:
            raise ValueError(f"{message} its signals, got 0 to {end:.1f} s.")
        warnings.warn(f"{message} its signals, got 0 to {end:.1f} s.", stacklevel=3)
    ratings = _read_ratings(path, subject, raters)
    debate = {"onset": [first], "duration": [last - first], "description": ["debate"]}
    columns = {name: ratings[name].to_numpy() for name in ratings}
    ratings = {"time": ratings.index.to_numpy() + first, **columns}
    return Recording(samples, rates, subject, debate, start, offset, ratings)


def load_k_emocon(path, subjects=None, signals=None, *, raters="self", n_jobs=None):
    """Read K-EmoCon: wrist signals of 32 people in debates of two, with ratings every 5 s.

    Samples have time stamps that jitter [1]_. They are placed on the grid of an Empatica E4's rate,
    and are interpolated linearly where its clock was off. Samples that are missing are gaps, NaN,
    which ``make_windows`` drops.

    Parameters
    ----------
    path : str or path-like
        Folder of K-EmoCon, with ``e4_data``, ``emotion_annotations`` and ``metadata``.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("1", "2")``; None for all. Those without one of the files
        of the signals are left out with a warning.
    signals : sequence of str, default=("bvp", "eda", "temp")
        Signals to read: "bvp" (64 Hz, arbitrary unit), "eda" (4 Hz, microsiemens), "temp" (4 Hz,
        degrees Celsius) and "acc" (32 Hz, three channels, in g).
    raters : {"self", "partner", "external", "all"}, default="self"
        Who rated: the participant, the other one in the debate, or five other people, whose ratings
        the authors joined. "all" names the ratings "self_arousal" and so on.
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each subject, sorted by number. Participants 29 to 32 keep the
        samples of their own device, if a file holds those of two. The annotation is the "debate".
        ``ratings`` are "arousal" and "valence", from 1 (very low) to 5, and if the file has them
        "cheerful", "happy", "angry", "nervous" and "sad", from 1 to 4. The time of a rating is the
        start of its 5 s, and NaN is a rating that was not given.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed or a choice is unknown; if time stamps go back or the rate
        differs by more than 2 %; if samples are of several devices, or impossible for an E4 as in
        :func:`load_empatica`; if the debate is not within the signals at all.

    Warns
    -----
    UserWarning
        If a subject is left out, a part of the debate has no signals, or a rating is outside
        its scale.

    See Also
    --------
    fetch_k_emocon : Download the files, or say whom to ask.

    Notes
    -----
    The ratings of the file P1.self.csv begin at 5 s and are taken, as in the code of the authors,
    for the 5 s before. If they begin at 0 s, they are taken for the 5 s after.

    References
    ----------
    .. [1] Park, C. Y. et al. (2020). K-EmoCon, a multimodal sensor dataset for continuous emotion
       recognition in naturalistic conversations. Scientific Data, 7, 293.

    Examples
    --------
    The authors call ratings of 1 and 2 low and those of 3 to 5 high. For the mean rating in a
    window, the threshold lies between 2 and 3:

    >>> from physio_ssl import RatingLabels, make_windows
    >>> from physio_ssl.datasets import load_k_emocon
    >>> recordings = load_k_emocon("K-EmoCon")  # doctest: +SKIP
    >>> labels = {
    ...     "high": RatingLabels("arousal", bins=[2.5]),
    ...     "third": RatingLabels.equal_width("arousal", 1, 5, n_classes=3),
    ... }
    >>> windows = make_windows(recordings, 25, labels=labels)  # doctest: +SKIP
    """
    signals = choose_signals(signals, _SIGNALS, WRIST_SIGNALS)
    check_choice("raters", raters, (*_RATERS, "all"))
    found = find_paths(path, r"e4_data/(\d+)", "e4_data/1 and so on, the folders of K-EmoCon")
    load = partial(
        _load_subject,
        path=Path(path),
        signals=signals,
        raters=raters,
        debates=_read_debates(Path(path)),
    )
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
