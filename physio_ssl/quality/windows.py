"""The quality of windows, and what may be done about the poor ones."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from .._check import check_kind, check_mapping, check_number, has_modalities
from ..windows import Windows, find_recordings
from ..windows._windows import QUALITY
from .seconds import measure_quality


def add_quality(windows, recordings):
    """Grade windows by the quality of their recordings, as these were read.

    Quality does not change what is in the windows: weigh by it, drop by it, or report it.

    Parameters
    ----------
    windows : Windows
        Windows of these recordings, also if they were preprocessed.
    recordings : Recording or list of Recording
        The recordings as read, in the order in which the windows number them.

    Returns
    -------
    Windows
        With a column of ``info`` for each modality of the windows, ``quality_bvp``, say, and
        ``quality_wear``, which ``windows.quality`` returns: the means of ``measure_quality`` over
        the seconds of each window.

    Raises
    ------
    TypeError, ValueError
        If ``windows`` are no ``Windows``, or the recordings are not theirs.

    See Also
    --------
    drop_poor : Drop windows of poor quality.
    measure_quality : Grade a recording, second by second.

    Examples
    --------
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.preprocessing import wristband_preprocessor
    >>> recordings = simulate_wristband(2, random_state=0)
    >>> windows = wristband_preprocessor().make_windows(recordings, step=60, quality=True)
    >>> list(windows.quality)
    ['bvp', 'eda', 'temp', 'wear']
    >>> weight = windows.quality["bvp"]  # for fit(..., sample_weight=weight)
    """
    check_kind(windows, "windows", Windows, "Windows")
    parts = []
    for rows, recording in find_recordings(windows, recordings):
        seconds = measure_quality(recording)
        if has_modalities(windows.X):
            seconds = seconds[[name for name in seconds if name in [*windows.X, "wear"]]]
        part = _average(seconds, windows.onset[rows], windows.duration)
        parts.append(part.set_axis(rows).add_prefix(QUALITY))
    quality = pd.concat(parts).sort_index()
    info = windows.info.drop(columns=quality.columns, errors="ignore")
    return replace(windows, info=info.join(quality))


def _average(seconds, onset, duration):
    """Return the means of the seconds that each window overlaps, without those that are NaN."""
    start = np.floor(onset + 1e-6).astype(np.intp)
    stop = np.minimum(np.ceil(onset + duration - 1e-6).astype(np.intp), len(seconds))
    means = {}
    for name, values in seconds.items():
        known = np.isfinite(values.to_numpy())
        sums, counts = (
            np.concatenate([[0], np.cumsum(x)]) for x in (np.where(known, values, 0), known)
        )
        n_known = counts[stop] - counts[start]
        unknown = np.full(len(onset), np.nan)
        means[name] = np.divide(sums[stop] - sums[start], n_known, unknown, where=n_known > 0)
    return pd.DataFrame(means)


def drop_poor(windows, least):
    """Drop the windows whose quality is below a threshold.

    Parameters
    ----------
    windows : Windows
        With quality, from ``add_quality`` or ``Preprocessor.make_windows(..., quality=True)``.
    least : float or mapping from str to float
        Smallest quality to keep, from 0 to 1, of all columns of ``windows.quality`` or of those
        that are named: ``{"wear": 0.5}`` keeps what was worn for half of its time. Windows of
        unknown quality, NaN, are kept.

    Returns
    -------
    Windows
        Those that are left. ``dropped`` counts the others by the first column that is too low:
        ``"poor bvp"``, say.

    Raises
    ------
    TypeError, ValueError
        If ``windows`` have no quality, ``least`` is not from 0 to 1, names another column, or no
        window is left.

    See Also
    --------
    drop_poor_ecg : Drop windows without a readable heartbeat.

    Examples
    --------
    >>> import pandas as pd
    >>> from physio_ssl import Windows
    >>> from physio_ssl.quality import drop_poor
    >>> info = pd.DataFrame({"subject": ["S1", "S1"], "quality_wear": [0.1, 0.9]})
    >>> drop_poor(Windows([[0.1], [0.7]], info), {"wear": 0.5})
    Windows(1, 1 subjects; dropped 1 poor wear)
    """
    check_kind(windows, "windows", Windows, "Windows")
    quality = windows.quality
    if quality is None:
        raise ValueError(
            f"windows must have quality, which add_quality adds, got {list(windows.info)}."
        )
    if not isinstance(least, Mapping):
        least = dict.fromkeys(quality, least)
    if not set(check_mapping(least, "least")) <= set(quality):
        raise ValueError(f"least must name some of {', '.join(quality)}, got {list(least)}.")
    keep, dropped = np.ones(len(windows), dtype=bool), {}
    for name, threshold in least.items():
        threshold = check_number(threshold, "least", 0, 1, "from 0 to 1")
        poor = keep & (quality[name] < threshold).to_numpy()
        dropped[f"poor {name}"] = int(poor.sum())
        keep &= ~poor
    if not keep.any():
        raise ValueError(f"No window is as good as least={least}, got {dropped}.")
    return windows.select(keep, dropped)
