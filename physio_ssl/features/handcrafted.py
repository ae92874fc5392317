"""HandcraftedFeatures: statistics, heart rate, rhythm and skin conductance."""

from collections.abc import Mapping

import numpy as np
from scipy.signal import find_peaks

from .. import functional, heartbeats
from .._check import check_choice, check_kind, check_list, check_positive, check_sampling_rate
from ._base import ChannelFeatures, centre, compute_slope

_STATISTICS = ("mean", "std", "min", "max", "skewness", "kurtosis", "slope", "mean_abs_change")
_HEART_RATE = ("heart_rate", "rmssd", "sdnn", "pnn50", "n_beats")
_RHYTHM = ("pnn50_all", "irregularity", "sample_entropy")
_SKIN_CONDUCTANCE = ("tonic_mean", "tonic_slope", "phasic_std", "n_scrs", "scr_amplitude")

_ENTROPY_TOLERANCE = 0.1  # of the median interval, within which intervals count as alike


def _compute_statistics(X, sampling_rate):
    """Return the statistics of each channel: (..., n_times) to (..., n_statistics)."""
    mean, std, centred = centre(X)
    scores = centred / np.where(std > 0, std, 1)[..., np.newaxis]
    squares = scores**2
    skewness = (squares * scores).mean(axis=-1)
    kurtosis = np.where(std > 0, (squares**2).mean(axis=-1) - 3, 0)
    slope = compute_slope(centred, sampling_rate)
    change = np.abs(np.diff(X, axis=-1)).sum(axis=-1) / max(X.shape[-1] - 1, 1) * sampling_rate
    return np.stack(
        [mean, std, X.min(axis=-1), X.max(axis=-1), skewness, kurtosis, slope, change], axis=-1
    )


def _describe_beats(beats, kind, missing):
    """Return heart rate and variability of beats at some times, in seconds."""
    intervals = np.diff(beats)
    # a missed or an extra beat, common on a moving wrist, would dominate variability
    plausible = heartbeats.find_plausible(intervals, **heartbeats.PLAUSIBLE[kind])
    differences = np.diff(intervals)[plausible[1:] & plausible[:-1]] * 1000
    if not len(differences):
        return missing, missing, missing, missing, len(beats)
    return (
        60 / np.median(intervals[plausible]),
        np.sqrt(np.mean(differences**2)),
        np.std(intervals[plausible], ddof=1) * 1000,
        np.mean(np.abs(differences) > 50),
        len(beats),
    )


def _describe_rhythm(beats, missing):
    """Return how irregular all beats at some times, in seconds, are."""
    intervals = np.diff(beats)
    if len(intervals) < 2:
        return (missing,) * len(_RHYTHM)
    differences = np.abs(np.diff(intervals))
    typical = np.median(intervals)
    similar = np.abs(intervals[:, np.newaxis] - intervals) <= _ENTROPY_TOLERANCE * typical
    before, after = similar[:-1, :-1], similar[1:, 1:]
    n_alike, n_still_alike = ((pairs.sum() - len(pairs)) / 2 for pairs in (before, before & after))
    return (
        np.mean(differences > 0.05),
        np.median(differences) / typical,
        # ten seconds may hold no such pair: Laplace's rule keeps the fraction defined
        -np.log((n_still_alike + 1) / (n_alike + 2)),
    )


def _compute_heart_rate(X, sampling_rate, kind, missing):
    """Return heart rate, variability and rhythm: (..., n_times) to (..., n_features)."""
    X, shape = X.reshape(-1, X.shape[-1]), X.shape[:-1]
    if kind == "ecg":
        qrs = heartbeats.filter_beats(X, heartbeats.QRS_BAND, sampling_rate)
        beats = heartbeats.find_ecg_beats(qrs, sampling_rate)
    else:
        pulse = heartbeats.filter_beats(X, heartbeats.PULSE_BAND, sampling_rate)
        beats = (heartbeats.find_pulse_beats(x, sampling_rate) for x in pulse)
    features = []
    for samples in beats:
        times = samples / sampling_rate
        rhythm = _describe_rhythm(times, missing) if kind == "ecg" else ()
        features.append((*_describe_beats(times, kind, missing), *rhythm))
    return np.array(features, dtype=float).reshape(*shape, -1)


def _compute_skin_conductance(X, sampling_rate, min_scr_amplitude):
    """Return tonic and phasic features: (..., n_times) to (..., n_features)."""
    # order 2 and 0.05 Hz, as in NeuroKit2
    tonic = functional.lowpass(X, 0.05, sampling_rate, order=2)
    highpass = functional.butterworth(sampling_rate, low=0.05, order=2)
    phasic = functional.filter_both_ways(highpass, X)
    responses = np.zeros((*X.shape[:-1], 2))  # their number and mean amplitude
    for row in np.ndindex(X.shape[:-1]):
        _, found = find_peaks(phasic[row], prominence=min_scr_amplitude)
        if len(found["prominences"]):
            responses[row] = len(found["prominences"]), found["prominences"].mean()
    levels = (tonic.mean(axis=-1), compute_slope(tonic, sampling_rate), phasic.std(axis=-1))
    return np.concatenate([np.stack(levels, axis=-1), responses], axis=-1)


# Features of one modality only, and the lowest sampling rate that they need, in Hz.
_SPECIFIC = {"bvp": _HEART_RATE, "ecg": _HEART_RATE + _RHYTHM, "eda": _SKIN_CONDUCTANCE}
LOWEST_RATES = {"bvp": 32.0, "ecg": heartbeats.LOWEST_ECG_RATE, "eda": 1.0}


class HandcraftedFeatures(ChannelFeatures):
    """Describe each window by statistics, heart-rate, rhythm and skin-conductance features.

    Every channel of every modality gives eight statistics:

    - ``mean``, ``std``, ``min``, ``max``, in the unit of the signal;
    - ``skewness`` and ``kurtosis`` (excess), both 0 for a constant window;
    - ``slope``, of the least-squares line, and ``mean_abs_change``, the mean absolute
      difference of neighbouring samples; both in units per second, 0 for one sample.

    Heart rate, of the modalities ``bvp`` and ``ecg``. In the pulse, NeuroKit2 finds the beats
    [1]_ in the band of 0.5-8 Hz. In the ECG they are peaks of the power in 8-25 Hz.

    - ``heart_rate``, 60 over the median interval between beats, in beats per minute;
    - ``rmssd`` and ``sdnn``, in milliseconds, and ``pnn50``, a fraction. They are rough in one
      minute of a pulse on a moving wrist, and in 10 s of an ECG, which hold few beats;
    - ``n_beats``, the number of beats found.

    Intervals below 30 beats per minute or above 200 (in an ECG 220), or that differ by more than
    30 % from their median in the window, are left out of heart rate and variability, as most of
    them are missed or extra beats. If no two successive intervals remain, the first four
    features are ``missing``.

    Heart rhythm, of the modality ``ecg``. Arrhythmias look milder than they are where irregular
    intervals are left out, so these features count all beats found. They are ``missing`` if
    there are fewer than three beats.

    - ``pnn50_all``, the fraction of intervals that differ by more than 50 ms from the one before;
    - ``irregularity``, the median absolute difference of successive intervals, divided by their
      median;
    - ``sample_entropy`` of the intervals [2]_, with templates of one interval and a tolerance of
      0.1 of their median. Among the pairs of intervals that are alike within the tolerance, it is
      minus the logarithm of the fraction whose next intervals are alike, too. One pair that is
      and one that is not are added to the counts (Laplace's rule of succession), so that short
      windows have a value: log(2) if no intervals are alike.

    Skin conductance, of the modality ``eda``, split at 0.05 Hz as by NeuroKit2's
    ``eda_phasic(method="highpass")`` [3]_:

    - ``tonic_mean`` and ``tonic_slope`` (per second), ``phasic_std``;
    - ``n_scrs``, the number of skin conductance responses: peaks of the phasic part with a
      prominence of at least ``min_scr_amplitude``, and ``scr_amplitude``, their mean prominence,
      0 if there are none.

    Parameters
    ----------
    sampling_rate : float or mapping from str to float
        Sampling rate, in Hz, of each modality, and perhaps of others; a number counts for all.
    specific : tuple of str, default=("bvp", "ecg", "eda")
        Modalities that get their own features in addition to the statistics, if ``X`` holds
        them. ``bvp`` then needs at least 32 Hz (below, NeuroKit2 misses fast beats),
        ``ecg`` 64 Hz and ``eda`` 1 Hz: leave out modalities that were resampled to less.
    min_scr_amplitude : float, default=0.05
        Smallest skin conductance response to count, in the unit of ``eda``:
        microsiemens, or standard deviations if it was standardized.
    missing : float, default=nan
        Value of heart rate, variability and rhythm if there is no pulse. Most classifiers refuse
        NaN: put ``SimpleImputer`` into the same pipeline.
    statistics : bool, default=True
        Whether to compute the statistics of every modality, or only the specific features.

    Attributes
    ----------
    n_channels_, sampling_rate_ : dict
        Of each modality; an array is the modality ``signal``.

    See Also
    --------
    ChannelStatistics : Statistics of all channels that an encoder sees.
    physio_ssl.preprocessing.HeartRateChannels : Heart rate as a channel of long recordings.
    physio_ssl.evaluation.make_baselines : Classifiers of these features, among other baselines.
    physio_ssl.quality.find_poor_ecg : Find windows of an ECG without a readable heartbeat.

    References
    ----------
    .. [1] Elgendi, M., Norton, I., Brearley, M., Abbott, D., Schuurmans, D. (2013).
       Systolic peak detection in acceleration photoplethysmograms measured from emergency
       responders in tropical conditions. PLoS ONE 8(10), e76585.
    .. [2] Lake, D. E., Moorman, J. R. (2011). Accurate estimation of entropy in very short
       physiological time series: the problem of atrial fibrillation detection in implanted
       ventricular devices. American Journal of Physiology: Heart and Circulatory Physiology
       300(1), H319-H325.
    .. [3] Makowski, D. et al. (2021). NeuroKit2: A Python toolbox for neurophysiological
       signal processing. Behavior Research Methods 53, 1689-1696.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.containers import SignalDict
    >>> from physio_ssl.features import HandcraftedFeatures
    >>> X = SignalDict(temp=np.linspace(30, 36, 240).reshape(1, 240))
    >>> features = HandcraftedFeatures(sampling_rate={"temp": 4}).fit(X)
    >>> features.transform(X).round(1)[0, [0, 6]]
    array([33. ,  0.1])
    >>> print(features.get_feature_names_out()[[0, 6]])
    ['temp_mean' 'temp_slope']
    """

    def __init__(
        self,
        sampling_rate,
        specific=("bvp", "ecg", "eda"),
        min_scr_amplitude=0.05,
        missing=np.nan,
        statistics=True,
    ):
        self.sampling_rate = sampling_rate
        self.specific = specific
        self.min_scr_amplitude = min_scr_amplitude
        self.missing = missing
        self.statistics = statistics

    def fit(self, X, y=None):
        """Check ``X`` and learn its modalities and channels; ``y`` is ignored.

        Raises
        ------
        ValueError
            If a modality has no sampling rate, or one too low for its own features, no modality
            has features, or another parameter is wrong.
        """
        for name in check_list(self.specific, "specific", f"a tuple of {list(_SPECIFIC)}"):
            check_choice("specific", name, tuple(_SPECIFIC))
        check_positive(self.min_scr_amplitude, "min_scr_amplitude")
        check_kind(self.statistics, "statistics", (bool, np.bool_), "True or False")
        signals = self._learn_channels(X)
        found = ", ".join(signals)
        if found == "signal":
            found += " (an array: use e.g. SignalDict(bvp=X))"
        rates = self.sampling_rate
        rates = rates if isinstance(rates, Mapping) else dict.fromkeys(signals, rates)
        if not set(signals) <= set(rates):
            raise ValueError(
                f"sampling_rate must name every modality of X, {found}, got {', '.join(rates)}."
            )
        for name in signals:
            rate = check_sampling_rate(rates[name], f"sampling_rate[{name!r}]")
            if name in self.specific and rate < LOWEST_RATES[name]:
                raise ValueError(
                    f"Features specific to {name!r} need {LOWEST_RATES[name]:g} Hz, got {rate:g} "
                    f"Hz: leave it out of specific={self.specific!r}."
                )
        if not self.statistics and not set(self.specific) & set(signals):
            raise ValueError(
                f"Without statistics, X must hold one of specific={self.specific!r}, got {found}."
            )
        self.sampling_rate_ = dict(rates)
        return self

    def _name_features(self, modality):
        names = _STATISTICS if self.statistics else ()
        return names + _SPECIFIC[modality] if modality in self.specific else names

    def _compute_features(self, signal, modality):
        rate = self.sampling_rate_[modality]
        parts = [_compute_statistics(signal, rate)] if self.statistics else []
        if modality in self.specific and modality == "eda":
            parts.append(_compute_skin_conductance(signal, rate, self.min_scr_amplitude))
        elif modality in self.specific:
            parts.append(_compute_heart_rate(signal, rate, modality, self.missing))
        return np.concatenate(parts, axis=-1)
