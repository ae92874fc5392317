"""Reader of files in the format of PsPM, a toolbox for psychophysiology."""

from functools import partial
from pathlib import Path

import numpy as np

from .._check import check_sampling_rate
from ..containers import Recording
from ._matlab import load_mat
from .reading import annotate_events, choose_signals, find_paths, read_subjects

_SIGNALS = {"ecg": "ecg", "eda": "scr", "resp": "resp", "bvp": "ppg"}  # PsPM's words
_SLACK = 3  # samples by which PsPM lets a signal differ from the duration


def _read_type(channel):
    """Return the type of a channel; older versions name its field channeltype."""
    header = channel.field("header")
    name = "channeltype" if "channeltype" in header.fields() else "chantype"
    return header.field(name).text().lower()


def _read_signal(channel, duration):
    """Return the samples of a channel, and its sampling rate."""
    header = channel.field("header")
    if header.field("units").text() == "events":
        raise header.field("units").error("the unit of samples")
    name = f"{header.name}.sr in {header.path}"
    rate = check_sampling_rate(header.field("sr").number(), name)
    samples = channel.field("data").vector()
    if not samples.size:
        raise channel.field("data").error("samples")
    if abs(len(samples) - duration * rate) > _SLACK:
        raise ValueError(
            f"The samples of {channel.name} in {channel.path} must last as long as "
            f"infos.duration, {duration:g} s, got {len(samples)} at {rate:g} Hz."
        )
    return samples.astype(np.float32), rate


def _read_markers(channels, duration):
    """Return the times in all marker channels as annotations, or None without any."""
    if not channels:
        return None
    times = []
    for channel in channels:
        unit = channel.field("header").field("units")
        if unit.text() != "events":
            raise unit.error("'events'")
        if channel.field("data").is_empty:
            continue
        marks = channel.field("data").vector()
        if not ((marks >= 0) & (marks <= duration)).all():  # NaN is not either
            raise ValueError(
                f"The markers of {channel.name} in {channel.path} must lie within the "
                f"recording, 0 to {duration:g} s, got {marks.min():g} to {marks.max():g} s."
            )
        times.extend(marks.astype(float))
    return annotate_events(sorted(times), "marker")


def _load_file(subject, path, signals):
    """Read one recording."""
    content = load_mat(path, ("infos", "data"))
    duration = content["infos"].field("duration").number()
    if not 0 < duration < np.inf:
        raise ValueError(f"infos.duration in {path} must be positive and finite, got {duration} s.")
    channels = content["data"].cells()
    types = [_read_type(channel) for channel in channels]

    def of_type(wanted):
        return [channel for channel, kind in zip(channels, types, strict=True) if kind == wanted]

    samples, rates = {}, {}
    for name in signals:
        found = of_type(_SIGNALS[name])
        if len(found) != 1:
            raise ValueError(
                f"{path} must hold one channel of type {_SIGNALS[name]!r} for {name!r}, got "
                f"{len(found)} among {', '.join(types) or 'none'}."
            )
        samples[name], rates[name] = _read_signal(found[0], duration)
    return Recording(samples, rates, subject, _read_markers(of_type("marker"), duration))


def load_pspm(path, subjects=None, signals=None, *, n_jobs=None):
    """Read recordings in the format of PsPM, such as PsPM-FR, -HRM5, -RRM1-2 and -VIS.

    A file holds the struct ``infos`` and the cell ``data``, with one struct for each
    channel: its ``data``, and a ``header`` with type, sampling rate and units [1]_. Signals
    are kept as they are, NaN included: ``make_windows`` leaves such windows out. Sampling
    rates differ between the sets, and ``make_windows`` needs them to be the same: resample
    with a :class:`~physio_ssl.preprocessing.Preprocessor`.

    Parameters
    ----------
    path : str or path-like
        File of one recording, or folder with one file for each.
    subjects : sequence of str, default=None
        Names of the files to read, without ``.mat``; by default all. Then, files that cannot
        be used are left out, as folders of PsPM also hold files of the experiment.
    signals : sequence of str, default=None
        Signals to read, in the units of the file: "ecg" (the default), "eda" (PsPM's type
        scr), "resp" and "bvp" (PsPM's type ppg).
    n_jobs : int, default=None
        Number of files read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each file, sorted by name, as float32. Its subject is the name of
        the file without ``.mat``, so two files of one person count as two subjects. Its
        annotations are the markers, of duration 0 and description "marker". One warning says
        which files were left out, and why.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If a file that was asked for is malformed or has not one channel of each signal, no
        file of a folder can be used, or a choice is unknown.

    References
    ----------
    .. [1] Bach, D. R., & Friston, K. J. (2013). Model-based analysis of skin conductance
       responses: Towards causal models in psychophysiology. Psychophysiology, 50(1), 15-22.

    Examples
    --------
    >>> from physio_ssl.datasets import load_pspm
    >>> recordings = load_pspm("PsPM-FR", signals=("ecg", "eda"))  # doctest: +SKIP
    """
    signals, path = choose_signals(signals, _SIGNALS, ("ecg",)), Path(path)
    is_file = path.is_file()
    expected = "PsPM's files, one .mat for each recording"
    found = {path.stem: path} if is_file else find_paths(path, r"(.+)\.mat", expected)
    load = partial(_load_file, signals=signals)
    strict = is_file or subjects is not None
    return read_subjects(load, found, subjects, place=path, strict=strict, n_jobs=n_jobs)
