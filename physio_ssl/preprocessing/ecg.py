"""Recordings of the electrocardiogram, as input of an encoder."""

import math
from dataclasses import replace

import numpy as np

from .. import functional
from .._check import check_sampling_rate
from ..containers import Recording


def prepare_ecg(recordings, sampling_rate=128.0, band=(0.8, 50.0), order=8, standardize="subject"):
    """Bring the ECG of all recordings to one band, rate and scale, as input of an encoder.

    The modality ``ecg`` is filtered at its own rate, then resampled with an anti-aliasing
    filter, then standardized; others are left as they are. The band, the rate and z-scores
    per subject are those of [1]_ as far as they are known: its code is not published.

    Gaps, which are samples of NaN, are not filled: the stretches between them are filtered
    one by one, and what touches a gap is NaN at the new rate too, so that `make_windows`
    drops and counts the windows with a gap. So are ``1 / band[0]`` seconds on each side of a
    gap (1.25 s by default), where the filter lacks what came before, and stretches that are no
    longer than this. The first and last second of a recording are kept, but less exact: by
    17 % of their root mean square on short recordings (CinC 2017), the next one by 4 %.

    Parameters
    ----------
    recordings : Recording or list of Recording
        With the modality ``ecg``, each at any rate above twice the band's upper end.
    sampling_rate : float, default=128.0
        New sampling rate of the ECG, in Hz.
    band : (float, float), default=(0.8, 50.0)
        Frequencies to keep, in Hz. An ECG at 100 Hz or less does not hold the default
        band, which is an error: choose a lower upper end, for all recordings.
    order : int, default=8
        Order of the Butterworth filter, applied forwards and backwards. As in
        ``BandpassFilter`` it is the order at each end of the band: 8 gives a band-pass of
        16 poles. Who takes the paper's "8th-order band-pass" to have 8 poles sets 4.
    standardize : {"subject", "recording", None}, default="subject"
        What to give zero mean and unit standard deviation in each channel: all recordings
        of a subject together, which keeps the differences between them, each recording by
        itself, or nothing. Both see the unlabelled data of the test subjects too,
        which is to be said in the result; windows standardized one by one do not. Subjects
        are told apart by name: prepare corpora that share names one by one.

    Returns
    -------
    Recording or list of Recording
        New recordings.

    Raises
    ------
    ValueError
        If a recording has no ECG, its rate is too low for the band, a sample is infinite,
        a channel has only gaps, or stretches too short between them, or there is nothing to
        standardize by.

    See Also
    --------
    physio_ssl.quality.drop_poor_ecg : Drop the windows without a readable heartbeat.

    References
    ----------
    .. [1] J. Vazquez-Rodriguez, G. Lefebvre, J. Cumin, J. L. Crowley, "Transformer-based
       self-supervised learning for emotion recognition", ICPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.preprocessing import prepare_ecg
    >>> noise = np.random.default_rng(0).normal(size=30_000)
    >>> prepare_ecg(Recording({"ecg": noise}, {"ecg": 500}, "S1"))
    Recording(S1: 60 s, ecg 1 x 128 Hz)
    """
    if isinstance(recordings, Recording):
        return prepare_ecg([recordings], sampling_rate, band, order, standardize)[0]
    if standardize not in ("subject", "recording", None):
        raise ValueError(
            f"standardize must be 'subject', 'recording' or None, got {standardize!r}."
        )
    if np.shape(band) != (2,):
        raise ValueError(f"band must be two frequencies, in Hz, got {band!r}.")
    sampling_rate = check_sampling_rate(sampling_rate)
    recordings = list(recordings)
    for number, recording in enumerate(recordings):
        _check_ecg(recording, number, band[1])
    signals = []
    for number, recording in enumerate(recordings):
        rate = recording.sampling_rate["ecg"]
        filtered = [_filter(signal, rate, band, order) for signal in recording.signals["ecg"][0]]
        empty = [channel for channel, signal in enumerate(filtered) if np.isnan(signal).all()]
        if empty:
            raise ValueError(
                f"The ECG of recording {number}, of {recording.subject}, must reach farther than "
                f"{1 / band[0]:g} s from its gaps, but channel {empty[0]} does not: leave it out."
            )
        signals.append(np.stack([_resample(signal, rate, sampling_rate) for signal in filtered]))
    if standardize:
        _standardize(signals, recordings, standardize)
    return [
        replace(
            recording,
            signals={**recording.signals, "ecg": signal},
            sampling_rate={**recording.sampling_rate, "ecg": sampling_rate},
        )
        for recording, signal in zip(recordings, signals, strict=True)
    ]


def _check_ecg(recording, number, high):
    """Raise if a recording has no ECG of which the band can be kept."""
    if not isinstance(recording, Recording):
        raise TypeError(f"Expected recordings, got a {type(recording).__name__}.")
    where = f"recording {number}, of {recording.subject}"
    if "ecg" not in recording.signals:
        raise ValueError(
            f"prepare_ecg needs the modality 'ecg', but {where}, has "
            f"{', '.join(recording.signals)}."
        )
    rate = recording.sampling_rate["ecg"]
    if rate <= 2 * high:
        raise ValueError(
            f"An ECG must be sampled at more than twice the band's upper end, {high:g} Hz, "
            f"but {where}, is at {rate:g} Hz: set a band that ends below {rate / 2:g} Hz "
            "for all recordings, or leave this one out."
        )
    signal = recording.signals["ecg"][0]
    if np.isinf(signal).any():
        raise ValueError(f"The ECG of {where}, holds infinite samples; gaps must be NaN.")
    empty = np.flatnonzero(np.isnan(signal).all(axis=-1))
    if len(empty):
        raise ValueError(f"The ECG of {where}, has only gaps in channel {empty[0]}: leave it out.")


def _filter(channel, rate, band, order):
    """Filter the stretches between gaps one by one, and widen the gaps by what is unsure."""
    gap = np.isnan(channel)
    edges = np.flatnonzero(np.diff(gap, prepend=True, append=True))
    stretches = [
        functional.bandpass(channel[start:stop], *band, rate, order)
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]
    filtered = np.full(channel.shape, np.nan, stretches[0].dtype)
    filtered[~gap] = np.concatenate(stretches)
    reach = math.ceil(rate / band[0])
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if start > 0:
            filtered[start : min(start + reach, stop)] = np.nan
        if stop < len(channel):
            filtered[max(stop - reach, start) : stop] = np.nan
    return filtered


def _resample(channel, rate, new_rate):
    """Resample across gaps, and make gaps of the new samples that touch one."""
    if rate == new_rate:
        return channel
    gap = np.isnan(channel)
    if not gap.any():
        return functional.resample(channel, rate, new_rate)
    there = np.flatnonzero(~gap)
    bridged = np.interp(np.arange(len(channel)), there, channel[there]).astype(channel.dtype)
    resampled = functional.resample(bridged, rate, new_rate)
    ratio = functional.resampling_ratio(rate, new_rate)
    before, rest = divmod(np.arange(len(resampled)) * ratio.denominator, ratio.numerator)
    after = np.minimum(before + (rest > 0), len(channel) - 1)
    resampled[gap[before] | gap[after]] = np.nan
    return resampled


def _standardize(signals, recordings, by):
    """Make z-scores, in place, of the signals that belong together."""
    together = {}
    for n, recording in enumerate(recordings):
        together.setdefault(recording.subject if by == "subject" else n, []).append(n)
    for rows in together.values():
        subject = recordings[rows[0]].subject
        n_channels = {len(signals[n]) for n in rows}
        if len(n_channels) > 1:
            raise ValueError(
                f"All recordings of a subject must have the same channels, got {n_channels} "
                f"channels of 'ecg' for {subject}: set standardize='recording'."
            )
        # of the signals before filtering, which leaves rounding errors of a constant one
        ends = [_ends(recordings[n].signals["ecg"][0]) for n in rows]
        constant = np.flatnonzero(np.all([low == high for low, high in ends], axis=0))
        if len(constant):
            raise ValueError(
                f"Standardizing needs spread, but the ECG of {subject} is constant in channel "
                f"{constant[0]}: leave it out, or set standardize=None."
            )
        count = sum((~np.isnan(signals[n])).sum(axis=-1, keepdims=True) for n in rows)
        mean = sum(_sum(signals[n]) for n in rows) / count
        std = np.sqrt(sum(_sum((signals[n] - mean) ** 2) for n in rows) / count)
        for n in rows:
            signals[n] = ((signals[n] - mean) / std).astype(signals[n].dtype, copy=False)


def _ends(signal):
    """Return the lowest and highest sample of each channel."""
    return np.nanmin(signal, axis=-1), np.nanmax(signal, axis=-1)


def _sum(signal):
    """Return the sum of each channel's samples that are no gaps."""
    return np.nansum(signal, axis=-1, keepdims=True, dtype=np.float64)
