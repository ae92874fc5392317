"""Find and drop the windows of an ECG that show no readable heartbeat."""

from collections import Counter

import numpy as np
from sklearn.utils import gen_batches

from .._check import (
    check_kind,
    check_list,
    check_number,
    check_positive,
    check_sampling_rate,
    check_windows,
    has_modalities,
)
from ..functional import is_constant, resample
from ..heartbeats import ECG_HEART_RATES, LOWEST_ECG_RATE, QRS_BAND, filter_beats, find_ecg_beats
from ..windows import Windows, find_recordings, start_samples
from .plateaus import find_flat, measure_clipped

_COMPLEX = 0.15  # s before and after a beat by which beats are compared
_ALIKE = 0.5  # correlation of a window with its own recording; others reach 0.3 in 10 s


def _has_no_heartbeat(X, sampling_rate, heart_rate, min_similarity):
    qrs = filter_beats(X, QRS_BAND, sampling_rate)
    shortest, longest = 60 / heart_rate[1], 60 / heart_rate[0]
    poor = np.ones(len(X), dtype=bool)
    for row, beats in enumerate(find_ecg_beats(qrs, sampling_rate)):
        times = np.concatenate([[0], beats, [X.shape[-1]]]) / sampling_rate
        # the typical interval must be plausible; single ones may be short, long or missed
        if len(beats) > 1 and np.diff(times).max() <= 2 * longest:
            typical = np.median(np.diff(times[1:-1]))
            similarity = _similarity(qrs[row], beats, sampling_rate)
            poor[row] = not (shortest <= typical <= longest and similarity >= min_similarity)
    return poor


def _similarity(qrs, beats, sampling_rate):
    """Return the median correlation of two beats, 0 where there are no two."""
    reach = round(_COMPLEX * sampling_rate)
    beats = np.rint(beats).astype(np.intp)
    beats = beats[(beats >= reach) & (beats < len(qrs) - reach)]
    if len(beats) < 2:
        return 0.0
    correlation = np.corrcoef(qrs[beats[:, np.newaxis] + np.arange(-reach, reach + 1)])
    # the median, so that extra beats of another shape do not count against the others
    return np.median(correlation[np.triu_indices(len(beats), 1)])


def find_poor_ecg(
    X,
    sampling_rate,
    *,
    max_flat=0.5,
    max_clipped=0.01,
    heart_rate=ECG_HEART_RATES,
    min_similarity=0.7,
):
    """Find ECG windows that show no readable heartbeat, and say why.

    Heartbeats are found by their sharp QRS complexes, in 8-25 Hz: their typical interval must be
    plausible, and they must look alike. Sign and scale of the lead do not matter. Irregular
    intervals, as in atrial fibrillation, are kept.

    Parameters
    ----------
    X : array-like of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
        Windows as recorded: filters hide flat lines and clipping. One poor channel is enough.
    sampling_rate : float
        Sampling rate of ``X``, in Hz, at least 64.
    max_flat : float, default=0.5
        Longest time, in seconds, for which all samples may be equal. Constant windows are
        always flat.
    max_clipped : float, default=0.01
        Largest fraction of a window in plateaus of at least 20 ms (and three samples) at the
        window's highest or lowest value.
    heart_rate : (float, float), default=(30.0, 220.0)
        Plausible heart rates, in beats per minute, of the median interval. No stretch without
        a beat may last longer than two of the longest intervals.
    min_similarity : float, default=0.7
        Smallest median correlation between two beats of a window, over 0.3 s. Noise reaches
        about 0.6, because its peaks are found at the same phase.

    Returns
    -------
    dict from str to ndarray of bool, of shape (n_windows,)
        Which windows have a ``"flat line"``, ``"clipping"`` or ``"no heartbeat"``; a window
        may have several.

    Raises
    ------
    ValueError
        If a sample is not finite, a threshold is out of range, the rate is too low, or the
        windows are shorter than two of the longest plausible intervals.

    See Also
    --------
    drop_poor_ecg : Drop the windows that it finds.

    Examples
    --------
    >>> import numpy as np
    >>> import neurokit2 as nk
    >>> from physio_ssl.quality import find_poor_ecg
    >>> ecg = nk.ecg_simulate(duration=10, sampling_rate=250, random_state=0)
    >>> X = np.stack([ecg, np.zeros_like(ecg)])[:, None]
    >>> find_poor_ecg(X, sampling_rate=250)["flat line"]
    array([False,  True])
    """
    sampling_rate = check_sampling_rate(sampling_rate)
    check_number(sampling_rate, "sampling_rate", LOWEST_ECG_RATE, rule="at least 64 Hz")
    check_positive(max_flat, "max_flat", "seconds")
    check_number(max_clipped, "max_clipped", 0, 1, "a fraction between 0 and 1")
    check_number(min_similarity, "min_similarity", -1, 1, "between -1 and 1")
    rates = check_list(heart_rate, "heart_rate", "the lowest and the highest one, per minute")
    if len([check_positive(rate, "heart_rate") for rate in rates]) != 2 or rates[0] >= rates[1]:
        raise ValueError(
            f"heart_rate must be the lowest and the highest one, per minute, got {heart_rate!r}."
        )
    X = check_windows(X)
    X = X[:, np.newaxis] if X.ndim == 2 else X
    duration, needed = X.shape[-1] / sampling_rate, 2 * 60 / heart_rate[0]
    if duration < needed:
        raise ValueError(f"Windows must last two slow beats, {needed:g} s, got {duration:g} s.")
    flat, clipped, silent = np.zeros((3, len(X)), dtype=bool)
    for rows in gen_batches(len(X), 256):  # only to bound the memory
        for channel in np.moveaxis(X[rows], 1, 0):
            flat[rows] |= find_flat(channel, sampling_rate, max_flat)
            clipped[rows] |= measure_clipped(channel, sampling_rate) > max_clipped
            silent[rows] |= _has_no_heartbeat(channel, sampling_rate, heart_rate, min_similarity)
    return {"flat line": flat, "clipping": clipped, "no heartbeat": silent}


def drop_poor_ecg(windows, recordings, **thresholds):
    """Drop the windows whose ECG showed no readable heartbeat when it was recorded.

    The windows may come from a preprocessor. Its filters hide flat lines and clipping, so the
    recordings are judged, at the times of the windows. To find recordings in another order, a few
    windows that hold the ECG at 64 Hz or more are compared with their recording, in 8-25 Hz.

    Parameters
    ----------
    windows : Windows
        Windows of these recordings.
    recordings : Recording or list of Recording
        The recordings as read, in the order in which the windows number them.
    **thresholds : arguments
        Thresholds of ``find_poor_ecg``.

    Returns
    -------
    Windows
        Those that are left. ``dropped`` counts the others by the first reason that applies:
        ``"non-finite"`` (samples missing in the recording), ``"flat line"``, ``"clipping"`` or
        ``"no heartbeat"``.

    Raises
    ------
    TypeError, ValueError
        If the windows are not ``Windows``, the recordings are not theirs, or no window is left.

    See Also
    --------
    physio_ssl.preprocessing.ecg_preprocessor : Bring the ECG to one band, rate and scale.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.preprocessing import ecg_preprocessor
    >>> from physio_ssl.quality import drop_poor_ecg
    >>> since_beat = np.arange(0, 60, 1 / 250) % 0.8 - 0.4
    >>> ecg = np.exp(-((since_beat / 0.02) ** 2))
    >>> ecg[7500:] = 0  # the electrode falls off after half a minute
    >>> recordings = [Recording({"ecg": ecg}, {"ecg": 250}, "S1")]
    >>> windows = ecg_preprocessor().make_windows(recordings)
    >>> drop_poor_ecg(windows, recordings)
    Windows(3 of 10 s, 1 subjects; dropped 3 flat line)
    """
    check_kind(windows, "windows", Windows, "Windows")
    keep = np.ones(len(windows), dtype=bool)
    dropped = Counter()
    for rows, recording in find_recordings(windows, recordings):
        _check_ecg(windows, rows, recording)
        raw = _cut_ecg(recording, windows.onset[rows], windows.duration)
        finite = np.isfinite(raw).all(axis=(1, 2))
        raw[~finite] = 0  # whatever is found there, "non-finite" is counted
        found = find_poor_ecg(raw, recording.sampling_rate["ecg"], **thresholds)
        for reason, poor in {"non-finite": ~finite, **found}.items():
            dropped[reason] += int((keep[rows] & poor).sum())
            keep[rows] &= ~poor
    if not keep.any():
        raise ValueError(f"No window shows a readable heartbeat, got {dict(+dropped)}.")
    return windows.select(keep, dropped)


def _check_ecg(windows, rows, recording):
    """Raise if some windows hold another ECG than the recording, or that has none."""
    if "ecg" not in recording.signals:
        raise ValueError(
            f"Recordings must have the modality 'ecg', got {', '.join(recording.signals)}."
        )
    likeness = _likeness(windows, rows, windows.onset, recording)
    if likeness <= _ALIKE:
        raise ValueError(
            f"Recordings must be those of the windows, in order, but the ECG of "
            f"{windows.groups[rows[0]]} differs from that of recording "
            f"{windows.recording[rows[0]]}, with a correlation of at most {likeness:.2f}."
        )


def _likeness(windows, rows, onset, recording):
    """Return the best correlation of a few windows with the recording, 1 if none can be had."""
    rate, old_rate = (windows.sampling_rate or {}).get("ecg", 0), recording.sampling_rate["ecg"]
    if not has_modalities(windows.X) or min(rate, old_rate) < LOWEST_ECG_RATE:
        return 1
    X, n_channels = windows.X["ecg"], recording.signals["ecg"].shape[1]
    if X.shape[1:] != (n_channels, round(windows.duration * rate)):
        return 1
    found = []
    for row in rows:
        start = start_samples(onset[[row]], rate) / rate  # where the window was cut
        raw = _cut_ecg(recording, start, windows.duration)[0, 0]
        ecg = np.asarray(X[row, 0], dtype=float)
        if not (np.isfinite(ecg).all() and np.isfinite(raw).all()):
            continue
        raw = resample(raw.astype(float), old_rate, rate)
        n_times = min(len(ecg), len(raw))
        pair = filter_beats(np.stack([ecg[:n_times], raw[:n_times]]), QRS_BAND, rate)
        if is_constant(pair).any():
            continue
        found.append(abs(np.corrcoef(pair)[0, 1]))
        # one that fits is enough; one that does not may have been changed, e.g. by clipping
        if found[-1] > _ALIKE or len(found) == 3:
            break
    return max(found, default=1)


def _cut_ecg(recording, onset, duration):
    """Copy the samples of windows, to (n_windows, n_channels, n_times)."""
    signal, rate = recording.signals["ecg"][0], recording.sampling_rate["ecg"]
    n_times = min(round(duration * rate), signal.shape[-1])
    start = np.minimum(start_samples(onset, rate), signal.shape[-1] - n_times)
    return np.moveaxis(signal[:, start[:, np.newaxis] + np.arange(n_times)], 0, 1)
