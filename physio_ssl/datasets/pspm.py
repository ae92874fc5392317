"""Reader of files in the format of PsPM, a toolbox for psychophysiology."""

from functools import partial
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import check_device_rate, list_names
from ._matlab import load_mat
from .reading import annotate_events, choose_signals, find_paths, read_subjects

_SIGNALS = {"ecg": "ecg", "eda": "scr", "resp": "resp", "bvp": "ppg"}  # PsPM's words
_SLACK = 3  # samples by which PsPM lets a signal differ from the duration


def _read_type(channel):
    """Return the type of a channel; older versions name its field channeltype."""
    header = channel.field("header")
    name = "channeltype" if "channeltype" in header.fields() else "chantype"
    return header.field(name).text().lower()


def _read_data(channel, of_events=False):
    """Return the data of a channel, whose unit must fit events, or samples."""
    unit = channel.field("header").field("units")
    if (unit.text() == "events") != of_events:
        raise unit.error("'events'" if of_events else "the unit of samples")
    return channel.field("data")


def _read_signal(channel, duration):
    """Return the samples of a channel, and its sampling rate."""
    data, rate = _read_data(channel), channel.field("header").field("sr")
    rate = check_device_rate(rate.number(), f"{rate.name} in {rate.path}")
    samples = data.vector()
    if not samples.size or abs(len(samples) - duration * rate) > _SLACK:
        raise ValueError(
            f"{data.name} in {data.path} must last as long as infos.duration, {duration:g} s, got "
            f"{len(samples)} samples at {rate:g} Hz."
        )
    return samples.astype(np.float32), rate


def _read_markers(channels, duration):
    """Return the times in all marker channels as annotations, or None without any."""
    data = [_read_data(channel, of_events=True) for channel in channels]
    times = [marks.vector().astype(float) for marks in data if not marks.is_empty]
    times = np.sort(np.concatenate([[], *times]))
    if not ((times >= 0) & (times <= duration)).all():  # NaN is not either
        raise ValueError(
            f"Markers in {channels[0].path} must lie within 0 to {duration:g} s, got "
            f"{times.min():g} to {times.max():g} s."
        )
    return annotate_events(times, "marker") if channels else None


def _load_file(subject, path, signals):
    """Read one recording."""
    content = load_mat(path, ("infos", "data"))
    duration = content["infos"].field("duration").number()
    if not 0 < duration < np.inf:
        raise ValueError(f"infos.duration in {path} must be positive and finite, got {duration} s.")
    channels = {}
    for channel in content["data"].cells():
        channels.setdefault(_read_type(channel), []).append(channel)
    samples, rates = {}, {}
    for name in signals:
        found = channels.get(_SIGNALS[name], [])
        if len(found) != 1:
            raise ValueError(
                f"{path} must hold one channel of type {_SIGNALS[name]}, got {len(found)} among "
                f"{list_names(channels)}."
            )
        samples[name], rates[name] = _read_signal(found[0], duration)
    return Recording(samples, rates, subject, _read_markers(channels.get("marker", []), duration))


def load_pspm(path, subjects=None, signals=None, *, n_jobs=None):
    """Read recordings in the format of PsPM, such as PsPM-FR, -HRM5, -RRM1-2 and -VIS.

    A file holds the struct ``infos`` and the cell ``data``, with one struct for each channel: its
    ``data``, and a ``header`` with type, sampling rate and units [1]_. NaN is kept:
    ``make_windows`` drops it. Sampling rates differ between the sets: resample with a
    :class:`~physio_ssl.preprocessing.Preprocessor`.

    Parameters
    ----------
    path : str or path-like
        File of one recording, or folder with one file for each.
    subjects : sequence of str, default=None
        Names of the files to read, without ``.mat``; None for all that can be used, as folders of
        PsPM also hold files of the experiment.
    signals : sequence of str, default=("ecg",)
        Signals to read, in the units of the file: "ecg", "eda" (PsPM's type scr), "resp" and "bvp"
        (PsPM's type ppg).
    n_jobs : int, default=None
        Number of files read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each file, sorted by name. Its subject is the name of the file
        without ``.mat``, so two files of one person count as two subjects. Its annotations are the
        markers, of duration 0 and description "marker". One warning says which files were left out.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file that was asked for is missing or malformed or has not one channel of each signal,
        no file of a folder can be used, or a choice is unknown.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    References
    ----------
    .. [1] Bach, D. R., & Friston, K. J. (2013). Model-based analysis of skin conductance responses:
       Towards causal models in psychophysiology. Psychophysiology, 50(1), 15-22.

    Examples
    --------
    >>> from physio_ssl.datasets import load_pspm
    >>> recordings = load_pspm("pspm")  # doctest: +SKIP
    """
    signals, path = choose_signals(signals, _SIGNALS, ("ecg",)), Path(path)
    load, strict = partial(_load_file, signals=signals), path.is_file() or subjects is not None
    expected = "PsPM's files, one .mat for each recording"
    found = {path.stem: path} if path.is_file() else find_paths(path, r"(.+)\.mat", expected)
    return read_subjects(load, found, subjects, place=path, strict=strict, n_jobs=n_jobs)
