"""HandcraftedFeatures: an estimator of windows."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._check import check_sampling_rate, check_windows
from .._heartbeats import LOWEST_RATE
from ..containers import SignalDict
from ._heart_rate import HEART_RATE, ecg_features, pulse_features
from ._skin_conductance import SKIN_CONDUCTANCE, skin_conductance_features
from ._summary import STATISTICS, compute_statistics

# names, function and lowest sampling rate (Hz) of the features of one modality only
_SPECIFIC = {
    "bvp": (HEART_RATE, pulse_features, 32.0),
    "ecg": (HEART_RATE, ecg_features, LOWEST_RATE),
    "eda": (SKIN_CONDUCTANCE, skin_conductance_features, 1.0),
}


class HandcraftedFeatures(TransformerMixin, BaseEstimator):
    """Describe each window by statistics, heart-rate and skin-conductance features.

    Every channel of every modality gives eight statistics:

    - ``mean``, ``std``, ``min``, ``max``, in the unit of the signal;
    - ``skewness`` and ``kurtosis`` (excess), both 0 for a constant window;
    - ``slope``, of the least-squares line, and ``mean_abs_change``, the mean absolute
      difference of neighbouring samples; both in units per second, 0 for one sample.

    Heart rate, of the modalities ``bvp`` and ``ecg``. In the pulse, NeuroKit2 finds the beats
    [1]_ in the band of 0.5-8 Hz. In the ECG they are peaks of the power in 8-25 Hz, where the
    QRS complexes are: neither the sign of the lead matters nor its scale.

    - ``heart_rate``, 60 over the median interval between beats, in beats per minute;
    - ``rmssd`` and ``sdnn``, in milliseconds, and ``pnn50``, a share between 0 and 1. In
      a pulse at 64 Hz, on a moving wrist, within a minute they are rough, and so they are
      within 10 s of an ECG, which hold few beats;
    - ``n_beats``, the number of beats found.

    Intervals of less than 30 beats per minute or more than 200 (in an ECG 220, as in
    `find_poor_ecg`), or more than 30 % off their median in the window, are taken for missed or
    extra beats and left out; this makes arrhythmias look milder than they are. A window without
    two successive intervals that remain, as from a sensor that was not worn, has no heart rate:
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
    specific : tuple of str, default=("bvp", "ecg", "eda")
        Modalities that get their own features beside the statistics, where ``X`` holds
        them. ``bvp`` then needs at least 32 Hz (below, NeuroKit2 misses fast beats),
        ``ecg`` 64 Hz and ``eda`` 1 Hz: leave out of ``specific`` what was resampled to less.
    min_scr_amplitude : float, default=0.05
        Smallest skin conductance response to count, in the unit of ``eda``:
        microsiemens, or standard deviations where it was standardised.
    missing : float, default=nan
        Value of heart rate and variability where there is no pulse. NaN passes through
        ``StandardScaler`` but is refused by most classifiers: put ``SimpleImputer`` into
        the same pipeline, so that what is filled in comes from the training subjects.
    statistics : bool, default=True
        Whether to give the statistics of every modality. False leaves the specific
        features only, such as heart rate and its variability.

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

    Heart rate and its variability alone, of an ECG:

    >>> heart = HandcraftedFeatures(sampling_rate={"ecg": 128}, statistics=False)
    >>> print(heart.fit({"ecg": np.zeros((1, 1280))}).get_feature_names_out())
    ['ecg_heart_rate' 'ecg_rmssd' 'ecg_sdnn' 'ecg_pnn50' 'ecg_n_beats']
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
        """Check ``X`` and note its modalities and channels; ``y`` is ignored.

        Raises
        ------
        ValueError
            If a modality has no sampling rate, or too low a one for its own features, or no
            modality has features.
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
        if not self.statistics and not set(self.specific) & set(signals):
            raise ValueError(
                "Without statistics there are only the features specific to "
                f"{', '.join(self.specific) or 'no modality'}, but X holds {', '.join(signals)} "
                "(an array is named 'signal'; else pass e.g. SignalDict(ecg=X))."
            )
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
            features = STATISTICS if self.statistics else ()
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
            parts = [compute_statistics(signal, rates[name])] if self.statistics else []
            if name in self._specific_modalities():
                _, compute, _ = _SPECIFIC[name]
                parts.append(compute(signal, rates[name], self.missing, self.min_scr_amplitude))
            if parts:
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
