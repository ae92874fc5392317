"""Reader of files in the format of PsPM, a toolbox for psychophysiology."""

import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from .._check import check_sampling_rate
from ..containers import Recording
from ._matlab import load_mat
from ._signals import check_signals
from ._trials import choose_subjects

_SIGNALS = {"ecg": "ecg", "eda": "scr", "resp": "resp", "bvp": "ppg"}  # PsPM's words
_SLACK = 3  # samples by which PsPM lets a signal differ from the duration


def _find_files(path):
    """Return the recording's file, or those in a folder, by their names without ending."""
    if path.is_file():
        return {path.stem: path}
    if not path.is_dir():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    found = {file.stem: file for file in sorted(path.glob("*.mat")) if file.is_file()}
    if not found:
        others = ", ".join(sorted(file.name for file in path.iterdir())[:10])
        raise ValueError(
            f"{path} must hold PsPM's files, one .mat for each recording, found "
            f"{others or 'nothing'}."
        )
    return found


def _read_type(channel):
    """Return the type of a channel, whose field older versions call otherwise."""
    fields = channel.field("header").fields()
    name = "channeltype" if "channeltype" in fields else "chantype"
    return channel.field("header").field(name).text().lower()


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
        if channel.field("header").field("units").text() != "events":
            raise channel.field("header").field("units").error("'events'")
        if channel.field("data").is_empty:
            continue
        marks = channel.field("data").vector()
        if not ((marks >= 0) & (marks <= duration)).all():  # NaN is not either
            raise ValueError(
                f"The markers of {channel.name} in {channel.path} must lie within the "
                f"recording, 0 to {duration:g} s, got {marks.min():g} to {marks.max():g} s."
            )
        times.extend(marks.astype(float))
    onset = np.sort(np.array(times, dtype=float))
    return {
        "onset": onset,
        "duration": np.zeros_like(onset),
        "description": np.full(onset.shape, "marker"),
    }


def _load_file(path, signals):
    """Read one recording."""
    content = load_mat(path, ("infos", "data"))
    duration = content["infos"].field("duration").number()
    if not 0 < duration < np.inf:
        raise ValueError(
            f"infos.duration in {path} must be positive and finite, in seconds, got {duration}."
        )
    channels = content["data"].cells()
    types = [_read_type(channel) for channel in channels]
    samples, rates = {}, {}
    for name in signals:
        mine = [
            channel for channel, kind in zip(channels, types, strict=True) if kind == _SIGNALS[name]
        ]
        if len(mine) != 1:
            raise ValueError(
                f"{path} must hold one channel of type {_SIGNALS[name]!r} for {name!r}, got "
                f"{len(mine)} among {', '.join(types) or 'none'}."
            )
        samples[name], rates[name] = _read_signal(mine[0], duration)
    markers = [channel for channel, kind in zip(channels, types, strict=True) if kind == "marker"]
    return Recording(samples, rates, path.stem, _read_markers(markers, duration))


def _load_or_explain(path, signals):
    """Return the recording, or the error, of one file of a folder."""
    try:
        return _load_file(path, signals)
    except ValueError as error:
        return error


def load_pspm(path, subjects=None, signals=("ecg",), n_jobs=None):
    """Read recordings in the format of PsPM, such as PsPM-FR, -HRM5, -RRM1-2 and -VIS.

    A file holds the struct ``infos`` and the cell ``data``, with one struct for each
    channel: its ``data``, and a ``header`` with type, sampling rate and units [1]_. Signals
    are kept as they are, NaN included: ``make_windows`` leaves such windows out. Sampling
    rates differ between the sets, and ``make_windows`` needs them to be the same: see
    ``Recording.apply``.

    Parameters
    ----------
    path : str or path-like
        File of one recording, or folder with one file for each.
    subjects : sequence of str, default=None
        Names of the files to read, without ``.mat``; by default all. If a file that was not
        asked for by its name cannot be used, it is left out: folders of PsPM also hold files
        of the experiment.
    signals : sequence of str, default=("ecg",)
        Signals to read, of "ecg", "eda" (PsPM's type scr), "resp" and "bvp" (PsPM's type
        ppg), in the units of the file.
    n_jobs : int, default=None
        Number of files read at the same time, in threads; None is one, -1 is one for each
        processor.

    Returns
    -------
    list of Recording
        One recording for each file, sorted by name, with signals as float32. Its subject is
        the name of the file without ``.mat``, so two files of one person count as two
        subjects. Its annotations are the markers, of duration 0 and description "marker".
        Files that were left out are named in one warning that says why.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If a file that was asked for is malformed or has not one channel of each signal, if
        no file of a folder can be used, or if a subject or signal is unknown.

    References
    ----------
    .. [1] Bach, D. R., & Friston, K. J. (2013). Model-based analysis of skin conductance
       responses: Towards causal models in psychophysiology. Psychophysiology, 50(1), 15-22.

    Examples
    --------
    >>> from physio_ssl.datasets import load_pspm
    >>> recordings = load_pspm("PsPM-FR", signals=("ecg", "eda"))  # doctest: +SKIP
    """
    signals, path = check_signals(signals, _SIGNALS), Path(path)
    files = choose_subjects(_find_files(path), subjects, path)
    asked = path.is_file() or subjects is not None
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_load_file if asked else _load_or_explain)(file, signals) for file in files.values()
    )
    recordings = [result for result in results if isinstance(result, Recording)]
    reasons = [str(result) for result in results if not isinstance(result, Recording)]
    if not recordings:
        raise ValueError(f"None of the {len(files)} files in {path} can be used: {reasons[0]}")
    if reasons:
        warnings.warn(
            f"{len(reasons)} of {len(files)} files in {path} are left out: {' '.join(reasons)}",
            stacklevel=2,
        )
    return recordings
