"""Hand-crafted features of windows: the baseline that learned embeddings have to beat."""

from collections.abc import Mapping

import numpy as np
from scipy.signal import butter, find_peaks, sosfiltfilt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from ._check import check_sampling_rate, check_windows
from .containers import SignalDict

_STATISTICS = (
    "mean",
    "std",
    "min",
    "max",
    "skewness",
    "kurtosis",
    "slope",
    "mean_abs_change",
)
_PULSE = ("heart_rate", "rmssd", "sdnn", "pnn50", "n_beats")
_SKIN_CONDUCTANCE = (
    "tonic_mean",
    "tonic_slope",
    "phasic_std",
    "n_scrs",
    "scr_amplitude",
)


def _slope(X, sampling_rate):
    """Return the least-squares slope per second along the last axis, 0 for one sample."""
    times = (np.arange(X.shape[-1]) - (X.shape[-1] - 1) / 2) / sampling_rate
    # a sum and not a matrix product: BLAS rounds a row differently in another batch
    return (X * times).sum(axis=-1) / max((times**2).sum(), np.finfo(float).tiny)


def _statistics(X, sampling_rate):
    """Return the statistics of each channel: (..., n_times) to (..., n_statistics)."""
    low, high = X.min(axis=-1), X.max(axis=-1)
    constant = low == high
    # rounding would leave a constant window a spread of about 1e-16, and any skewness
    mean = np.where(constant, low, X.mean(axis=-1))
    centred = X - mean[..., np.newaxis]
    std = np.sqrt((centred**2).mean(axis=-1))
    scores = centred / np.where(std > 0, std, 1)[..., np.newaxis]
    squares = scores**2
    skewness = (squares * scores).mean(axis=-1)
    kurtosis = np.where(std > 0, (squares**2).mean(axis=-1) - 3, 0)
    change = np.abs(np.diff(X, axis=-1)).sum(axis=-1) / max(X.shape[-1] - 1, 1)
    return np.stack(
        [
            mean,
            std,
            low,
            high,
            skewness,
            kurtosis,
            _slope(centred, sampling_rate),
            change * sampling_rate,
        ],
        axis=-1,
    )


def _butterworth(X, cutoff, btype, sampling_rate):
    """Filter a batch as NeuroKit2 filters a signal: order 2, forwards and backwards."""
    sos = butter(2, cutoff, btype=btype, fs=sampling_rate, output="sos")
    padlen = min(3 * (2 * len(sos) + 1), X.shape[-1] - 1)
    return sosfiltfilt(sos, X, axis=-1, padlen=padlen)


def _find_beats(pulse, sampling_rate):
    """Return the times of the beats, in seconds, of one band-passed window."""
    from neurokit2 import ppg_findpeaks

    if not pulse.any() or len(pulse) < sampling_rate:  # NeuroKit2 refuses less than a beat
        return np.empty(0)
    try:
        peaks = ppg_findpeaks(pulse, sampling_rate, method="elgendi")["PPG_Peaks"]
    except IndexError:  # NeuroKit2's answer to a window in which no pulse wave starts
        return np.empty(0)
    peaks = peaks[(peaks > 0) & (peaks < len(pulse) - 1)]
    # one sample at 64 Hz is 16 ms, as much as the variability: take the parabola's top
    before, top, after = pulse[peaks - 1], pulse[peaks], pulse[peaks + 1]
    bend = 2 * top - before - after
    offset = np.divide(after - before, 2 * bend, out=np.zeros(len(peaks)), where=bend > 0)
    return (peaks + offset) / sampling_rate


def _pulse_features(X, sampling_rate, missing, min_scr_amplitude):
    """Return heart rate and variability: (..., n_times) to (..., n_features)."""
    pulse = _butterworth(X, (0.5, 8.0), "bandpass", sampling_rate)
    # the filter leaves a constant window rounding errors, in which beats would be found
    pulse *= (X.max(axis=-1) > X.min(axis=-1))[..., np.newaxis]
    features = np.full((*X.shape[:-1], len(_PULSE)), float(missing))
    for row in np.ndindex(X.shape[:-1]):
        beats = _find_beats(pulse[row], sampling_rate)
        features[row][-1] = len(beats)
        intervals = np.diff(beats)
        # a missed or an extra beat, common on a moving wrist, would dominate variability
        plausible = (intervals >= 0.3) & (intervals <= 2.0)
        typical = np.median(intervals[plausible]) if plausible.any() else np.nan
        plausible &= np.abs(intervals - typical) <= 0.3 * typical
        differences = np.diff(intervals)[plausible[1:] & plausible[:-1]] * 1000
        if len(differences):
            features[row][:-1] = (
                60 / np.median(intervals[plausible]),
                np.sqrt(np.mean(differences**2)),
                np.std(intervals[plausible], ddof=1) * 1000,
                np.mean(np.abs(differences) > 50),
            )
    return features


def _skin_conductance_features(X, sampling_rate, missing, min_scr_amplitude):
    """Return tonic and phasic features: (..., n_times) to (..., n_features)."""
    tonic = _butterworth(X, 0.05, "lowpass", sampling_rate)
    phasic = _butterworth(X, 0.05, "highpass", sampling_rate)
    responses = np.zeros((*X.shape[:-1], 2))  # their number and mean amplitude
    for row in np.ndindex(X.shape[:-1]):
        _, found = find_peaks(phasic[row], prominence=min_scr_amplitude)
        if len(found["prominences"]):
            responses[row] = len(found["prominences"]), found["prominences"].mean()
    levels = (tonic.mean(axis=-1), _slope(tonic, sampling_rate), phasic.std(axis=-1))
    return np.concatenate([np.stack(levels, axis=-1), responses], axis=-1)


# names, function and lowest sampling rate (Hz) of the features of one modality only
_SPECIFIC = {
    "bvp": (_PULSE, _pulse_features, 32.0),
    "eda": (_SKIN_CONDUCTANCE, _skin_conductance_features, 1.0),
}


class HandcraftedFeatures(TransformerMixin, BaseEstimator):
    """Describe each window by statistics, pulse and skin-conductance features.

    Every channel of every modality gives eight statistics:

    - ``mean``, ``std``, ``min``, ``max``, in the unit of the signal;
    - ``skewness`` and ``kurtosis`` (excess), both 0 for a constant window;
    - ``slope``, of the least-squares line, and ``mean_abs_change``, the mean absolute
      difference of neighbouring samples; both in units per second, 0 for one sample.

    Pulse, of the modality ``bvp``, where NeuroKit2 finds the beats [1]_ in the band of
    0.5-8 Hz:

    - ``heart_rate``, 60 over the median interval between beats, in beats per minute;
    - ``rmssd`` and ``sdnn``, in milliseconds, and ``pnn50``, a share between 0 and 1. At
      64 Hz, on a moving wrist and within a minute they are rough;
    - ``n_beats``, the number of beats found.

    Intervals outside 0.3-2 s (30-200 beats per minute), or more than 30 % off their median
    in the window, are taken for missed or extra beats and left out. A window without two
    successive intervals that remain, as from a sensor that was not worn, has no heart rate:
    the first four features are then ``missing`` and ``n_beats`` is what was counted.

    Skin conductance, of the modality ``eda``, split at 0.05 Hz as by NeuroKit2's
    ``eda_phasic(method="highpass")`` [2]_:

    - ``tonic_mean`` and ``tonic_slope`` (per second), ``phasic_std``;
    - ``n_scrs``, the number of skin conductance responses: peaks of the phasic part that
      stand out by ``min_scr_amplitude``, and ``scr_amplitude``, how far they stand out on
      average, 0 where there is none.

    Features of a window depend on that window alone, and are float64. Nothing is learned
    but the modalities and their numbers of channels.

    Parameters
    ----------
    sampling_rate : float or mapping from str to float
        Sampling rate, in Hz, of each modality; a number counts for all. Modalities that
        ``X`` does not hold may be named.
    specific : tuple of str, default=("bvp", "eda")
        Modalities that get their own features beside the statistics, where ``X`` holds
        them. ``bvp`` then needs at least 32 Hz (below, NeuroKit2 misses fast beats) and
        ``eda`` 1 Hz: leave out of ``specific`` what was resampled to less.
    min_scr_amplitude : float, default=0.05
        Smallest skin conductance response to count, in the unit of ``eda``:
        microsiemens, or standard deviations where it was standardised.
    missing : float, default=nan
        Value of heart rate and variability where there is no pulse. NaN passes through
        ``StandardScaler`` but is refused by most classifiers: put ``SimpleImputer`` into
        the same pipeline, so that what is filled in comes from the training subjects.

    Attributes
    ----------
    n_channels_ : dict
        Number of channels of each modality; an array is the modality ``signal``.
    n_features_in_ : int
        Number of samples of a window, where ``X`` was one array.

    References
    ----------
    .. [1] Elgendi, M., Norton, I., Brearley, M., Abbott, D., Schuurmans, D. (2013).
       Systolic peak detection in acceleration photoplethysmograms measured from emergency
       responders in tropical conditions. PLoS ONE 8(10), e76585.
    .. [2] Makowski, D. et al. (2021). NeuroKit2: A Python toolbox for neurophysiological
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

    With pulse features, a pipeline imputes those that are missing:

    >>> from sklearn.impute import SimpleImputer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> baseline = make_pipeline(
    ...     HandcraftedFeatures(sampling_rate={"bvp": 64, "eda": 4, "temp": 4}),
    ...     SimpleImputer(keep_empty_features=True),
    ...     StandardScaler(),
    ...     LogisticRegression(),
    ... )
    """

    def __init__(
        self,
        sampling_rate,
        specific=("bvp", "eda"),
        min_scr_amplitude=0.05,
        missing=np.nan,
    ):
        self.sampling_rate = sampling_rate
        self.specific = specific
        self.min_scr_amplitude = min_scr_amplitude
        self.missing = missing

    def fit(self, X, y=None):
        """Check ``X`` and note its modalities and channels; ``y`` is ignored.

        Raises
        ------
        ValueError
            If a modality has no sampling rate, or too low a one for its own features.
        """
        unknown = [name for name in self.specific if name not in _SPECIFIC]
        if isinstance(self.specific, str) or unknown:
            raise ValueError(
                f"specific must be a tuple of modalities among {', '.join(_SPECIFIC)}, got "
                f"{self.specific!r}."
            )
        if not self.min_scr_amplitude > 0:
            raise ValueError(
                f"min_scr_amplitude must be positive, got {self.min_scr_amplitude}: "
                "otherwise every wiggle of the noise counts as a response."
            )
        signals = self._check_signals(X, reset=True)
        self._check_rates(signals)
        self.n_channels_ = {name: signal.shape[1] for name, signal in signals.items()}
        return self

    def transform(self, X):
        """Compute the features of windows.

        Parameters
        ----------
        X : SignalDict, mapping from str to array, or array
            Windows, each modality of shape (n_windows, n_channels, n_times) or
            (n_windows, n_times), which counts as one channel.

        Returns
        -------
        ndarray of shape (n_windows, n_features)
            Features by modality, then by channel, as ``get_feature_names_out`` names them.

        Raises
        ------
        ValueError
            If modalities or numbers of channels are not those of ``fit``.
        """
        check_is_fitted(self)
        signals = self._check_signals(X)
        rates = self._check_rates(signals)
        received = {name: signal.shape[1] for name, signal in signals.items()}
        if received != self.n_channels_:
            raise ValueError(
                "Modalities and their numbers of channels must be those of fit, expected "
                f"{self.n_channels_}, received {received}."
            )
        # in batches only to bound the memory of intermediate results
        batches = gen_batches(len(signals), 256)
        return np.concatenate([self._compute(signals[rows], rates) for rows in batches])

    def get_feature_names_out(self, input_features=None):
        """Name the features: ``bvp_heart_rate``, or ``acc_0_mean`` with several channels.

        Parameters
        ----------
        input_features : ignored
            Exists for scikit-learn's interface.
        """
        check_is_fitted(self)
        names = []
        for modality, n_channels in self.n_channels_.items():
            features = _STATISTICS
            if modality in self._specific_modalities():
                features += _SPECIFIC[modality][0]
            for channel in range(n_channels):
                prefix = f"{modality}_{channel}" if n_channels > 1 else modality
                names += [f"{prefix}_{feature}" for feature in features]
        return np.array(names, dtype=object)

    def _compute(self, signals, rates):
        features = []
        for name in self.n_channels_:
            # contiguous, so that a sum over times is rounded alike in every batch
            signal = np.ascontiguousarray(signals[name], dtype=np.float64)
            parts = [_statistics(signal, rates[name])]
            if name in self._specific_modalities():
                _, compute, _ = _SPECIFIC[name]
                parts.append(compute(signal, rates[name], self.missing, self.min_scr_amplitude))
            features.append(np.concatenate(parts, axis=-1).reshape(len(signal), -1))
        return np.concatenate(features, axis=1)

    def _specific_modalities(self):
        return [name for name in self.n_channels_ if name in self.specific]

    def _check_signals(self, X, reset=False):
        """Return the modalities as 3-D arrays, by name."""
        if not isinstance(X, Mapping) or issparse(X):  # SciPy's dok_array is a dict
            signals = {"signal": check_windows(X, self, reset=reset)}
        else:
            signals = {}
            for name, signal in SignalDict(X).items():
                try:
                    signals[name] = check_windows(signal)
                except ValueError as error:
                    raise ValueError(f"Modality {name!r}: {error}") from error
        return SignalDict(signals)

    def _check_rates(self, signals):
        """Return the sampling rate of each modality, in Hz."""
        rates = self.sampling_rate
        if not isinstance(rates, Mapping):
            rates = dict.fromkeys(signals, rates)
        absent = [name for name in signals if name not in rates]
        if absent:
            raise ValueError(
                "sampling_rate must name every modality of X (an array is named 'signal'; "
                f"else pass e.g. SignalDict(bvp=X)), expected {', '.join(signals)}, "
                f"received {', '.join(rates)}."
            )
        rates = {
            name: check_sampling_rate(rates[name], f"sampling_rate[{name!r}]") for name in signals
        }
        for name in self.specific:
            if name in rates and rates[name] < _SPECIFIC[name][2]:
                raise ValueError(
                    f"The features specific to {name!r} need a sampling rate of at least "
                    f"{_SPECIFIC[name][2]:g} Hz, received {rates[name]:g} Hz: keep the "
                    f"original rate, or leave {name!r} out of specific="
                    f"{self.specific!r} to have its statistics only."
                )
        return rates

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
