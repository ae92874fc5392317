"""Find and drop the windows of an ECG that show no readable heartbeat."""

from collections import Counter

import numpy as np
from sklearn.utils import gen_batches

from ._check import check_sampling_rate, check_windows, has_modalities
from .containers import as_recordings
from .functional import is_constant, resample
from .heartbeats import ECG_HEART_RATES, LOWEST_ECG_RATE, QRS_BAND, filter_beats, find_ecg_beats
from .windows import Windows, start_samples

_PLATEAU = 0.02  # s, at least, that a clipped wave stays at the end of the range
_COMPLEX = 0.15  # s before and after a beat by which beats are compared
_ALIKE = 0.5  # correlation of a window with its own recording; others reach 0.3 in 10 s


def _run_lengths(same):
    """Return how many successive values are true up to each one, along the last axis."""
    places = np.arange(1, same.shape[-1] + 1)
    return places - np.maximum.accumulate(np.where(same, 0, places), axis=-1)


def _is_flat(X, sampling_rate, max_flat):
    run = _run_lengths(X[:, 1:] == X[:, :-1]).max(axis=-1) + 1
    return (run > max_flat * sampling_rate) | (run == X.shape[-1])


def _is_clipped(X, sampling_rate, max_clipped):
    n_clipped = np.zeros(len(X))
    for end in (X.min(axis=-1, keepdims=True), X.max(axis=-1, keepdims=True)):
        length = _run_lengths(end == X)
        last = np.diff(length, axis=-1, append=0) < 0
        long = length >= max(3, round(_PLATEAU * sampling_rate))
        n_clipped += np.where(last & long, length, 0).sum(axis=-1)
    return n_clipped > max_clipped * X.shape[-1]


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
    plausible, and they must look alike. Sign and scale of the lead do not matter, nor do
    irregular intervals: atrial fibrillation is kept.

    Flat lines and clipping are visible only in the signal as recorded: filters and resampling
    hide both.

    Parameters
    ----------
    X : array-like of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
        Windows as recorded, in any unit. One with a poor channel is poor.
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

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.quality import find_poor_ecg
    >>> poor = find_poor_ecg(np.zeros((3, 1, 2500)), sampling_rate=250)
    >>> {reason: int(rows.sum()) for reason, rows in poor.items()}
    {'flat line': 3, 'clipping': 3, 'no heartbeat': 3}
    """
    sampling_rate = check_sampling_rate(sampling_rate)
    _check_thresholds(max_flat, max_clipped, heart_rate, min_similarity)
    X = check_windows(X)
    X = X[:, np.newaxis] if X.ndim == 2 else X
    if sampling_rate < LOWEST_ECG_RATE:
        raise ValueError(
            f"Heartbeats are found in an ECG of at least {LOWEST_ECG_RATE:g} Hz, got "
            f"{sampling_rate:g} Hz."
        )
    duration, needed = X.shape[-1] / sampling_rate, 2 * 60 / heart_rate[0]
    if duration < needed:
        raise ValueError(
            f"Windows must last two beats at the lowest heart rate, {needed:g} s at "
            f"{heart_rate[0]:g} beats per minute, got {duration:g} s."
        )
    rules = {
        "flat line": (_is_flat, max_flat),
        "clipping": (_is_clipped, max_clipped),
        "no heartbeat": (_has_no_heartbeat, heart_rate, min_similarity),
    }
    poor = {reason: np.zeros(len(X), dtype=bool) for reason in rules}
    for rows in gen_batches(len(X), 256):  # only to bound the memory
        for channel in np.moveaxis(X[rows], 1, 0):
            for reason, (rule, *thresholds) in rules.items():
                poor[reason][rows] |= rule(channel, sampling_rate, *thresholds)
    return poor


def _check_thresholds(max_flat, max_clipped, heart_rate, min_similarity):
    if not max_flat > 0:
        raise ValueError(f"max_flat must be positive, in seconds, got {max_flat}.")
    if not 0 <= max_clipped <= 1:
        raise ValueError(f"max_clipped must be a fraction between 0 and 1, got {max_clipped}.")
    if np.shape(heart_rate) != (2,) or not 0 < heart_rate[0] < heart_rate[1]:
        raise ValueError(
            "heart_rate must be the lowest and the highest one, in beats per minute, got "
            f"{heart_rate!r}."
        )
    if not -1 <= min_similarity <= 1:
        raise ValueError(
            f"min_similarity must be a correlation, between -1 and 1, got {min_similarity}."
        )


def drop_poor_ecg(windows, recordings, **thresholds):
    """Drop the windows whose ECG showed no readable heartbeat when it was recorded.

    The windows may come from a preprocessor, whose filters hide flat lines and clipping. What is
    judged are the recordings as read, at the times of the windows. If the windows hold the ECG,
    in the same number of channels and at 64 Hz or more, a few of them are compared with their
    recording, in 8-25 Hz, to find recordings in another order.

    Parameters
    ----------
    windows : Windows
        Windows of these recordings, from ``make_windows``.
    recordings : Recording or list of Recording
        The recordings as read, in the order in which the windows number them.
    **thresholds : arguments
        Thresholds of ``find_poor_ecg``.

    Returns
    -------
    Windows
        Those that are left. ``dropped``, which their repr shows, counts the others by the
        first reason that applies: ``"non-finite"`` (samples missing in the recording),
        ``"flat line"``, ``"clipping"`` or ``"no heartbeat"``.

    Raises
    ------
    TypeError
        If the windows are not ``Windows``, or a recording is not a ``Recording``.
    ValueError
        If the recordings are not those of the windows, or no window is left.

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
    recordings = as_recordings(recordings)
    _check_match(windows, recordings)
    keep = np.ones(len(windows), dtype=bool)
    dropped = Counter()
    number, onset = windows.recording, windows.onset
    for source in np.unique(number):
        rows = np.flatnonzero(number == source)
        for batch in gen_batches(len(rows), 256):
            some = rows[batch]
            raw = _cut_ecg(recordings[source], onset[some], windows.duration)
            for reason, poor in _find_reasons(raw, recordings[source], thresholds):
                dropped[reason] += int((keep[some] & poor).sum())
                keep[some] &= ~poor
    if not keep.any():
        raise ValueError(
            f"None of {len(windows)} windows shows a readable heartbeat, got {dict(+dropped)}."
        )
    return windows.select(keep, dropped)


def _check_match(windows, recordings):
    """Raise if the windows cannot have been cut from the recordings."""
    if not isinstance(windows, Windows):
        raise TypeError(f"Expected what make_windows returns, got a {type(windows).__name__}.")
    number, subjects, onset = windows.recording, windows.groups, windows.onset
    if number is None or onset is None or windows.duration is None:
        raise ValueError(
            "Windows must have a duration and the columns recording and onset, which make_windows "
            f"gives them, got {windows!r} with {', '.join(windows.info)}."
        )
    for source in np.unique(number):
        rows = np.flatnonzero(number == source)
        problem = f"there is no recording {source} among {len(recordings)}"
        if source < len(recordings):
            recording, end = recordings[source], onset[rows].max() + windows.duration
            problem = _find_mismatch(recording, source, subjects[rows[0]], end, windows)
            likeness = None if problem else _likeness(windows, rows, onset, recording)
            if likeness is not None and likeness <= _ALIKE:
                problem = (
                    f"the ECG of the windows of {recording.subject} differs from that of recording "
                    f"{source}: in 8-25 Hz they correlate by at most {likeness:.2f}"
                )
        if problem:
            raise ValueError(
                f"The recordings must be those of the windows, in the same order, but {problem}."
            )


def _find_mismatch(recording, source, subject, end, windows):
    """Return why windows of a subject cannot have been cut from a recording, or None."""
    if "ecg" not in recording.signals:
        return f"recording {source} has no modality 'ecg', only {', '.join(recording.signals)}"
    rate = recording.sampling_rate["ecg"]
    # resampling rounds the duration up to a whole sample
    slack = 1 / rate + 1 / (windows.sampling_rate or {}).get("ecg", rate)
    if recording.subject != subject or recording.duration + slack < end:
        return f"windows of {subject} end at {end:g} s and recording {source} is {recording!r}"
    return None


def _likeness(windows, rows, onset, recording):
    """Return the best correlation of a few windows with the recording, None if none can be had."""
    rate, old_rate = (windows.sampling_rate or {}).get("ecg", 0), recording.sampling_rate["ecg"]
    if not has_modalities(windows.X) or min(rate, old_rate) < LOWEST_ECG_RATE:
        return None
    X, n_channels = windows.X["ecg"], recording.signals["ecg"].shape[1]
    if X.shape[1:] != (n_channels, round(windows.duration * rate)):
        return None
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
    return max(found, default=None)


def _cut_ecg(recording, onset, duration):
    """Copy the samples of windows, to (n_windows, n_channels, n_times)."""
    signal, rate = recording.signals["ecg"][0], recording.sampling_rate["ecg"]
    n_times = min(round(duration * rate), signal.shape[-1])
    start = np.minimum(start_samples(onset, rate), signal.shape[-1] - n_times)
    return np.moveaxis(signal[:, start[:, np.newaxis] + np.arange(n_times)], 0, 1)


def _find_reasons(raw, recording, thresholds):
    """Yield reasons to drop windows, and which ones have them."""
    finite = np.isfinite(raw).all(axis=(1, 2))
    yield "non-finite", ~finite
    if finite.any():
        found = find_poor_ecg(raw[finite], recording.sampling_rate["ecg"], **thresholds)
        for reason, rows in found.items():
            poor = np.zeros(len(raw), dtype=bool)
            poor[finite] = rows
            yield reason, poor
