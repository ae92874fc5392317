"""ChannelStatistics: the level, spread, trend and quantiles of every channel."""

import numpy as np

from ._base import ChannelFeatures, centre, compute_slope

_QUANTILES = {"quantile_10": 0.1, "median": 0.5, "quantile_90": 0.9}


class ChannelStatistics(ChannelFeatures):
    """Describe each channel by its mean, spread, slope and quantiles.

    These are the statistics of the very windows that an encoder is given. An encoder that is no
    better has learned nothing that its input does not show by itself: much of what separates
    conditions in wearable signals lies in the level of the channels, and in how the
    preprocessing prepared them. Every channel of every modality gives

    - ``mean``, ``std``, ``quantile_10``, ``median`` and ``quantile_90``, in the unit of the
      signal; the quantiles are interpolated linearly, as by ``numpy.quantile``;
    - ``slope``, the rise of the least-squares line within one window, in the unit of the signal,
      0 for one sample. It is per window, not per second, so no sampling rate is needed.

    Attributes
    ----------
    n_channels_ : dict
        Number of channels of each modality; an array is the modality ``signal``.

    See Also
    --------
    physio_ssl.HandcraftedFeatures : Heart-rate and skin-conductance features.
    physio_ssl.pretext.StatisticsPrediction : Pre-training that predicts such statistics.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import ChannelStatistics, SignalDict
    >>> X = SignalDict(temp=np.linspace(30, 36, 240).reshape(1, 240))
    >>> statistics = ChannelStatistics().set_output(transform="pandas")
    >>> print(statistics.fit_transform(X).round(1).T)
                         0
    temp_mean         33.0
    temp_std           1.7
    temp_slope         6.0
    temp_quantile_10  30.6
    temp_median       33.0
    temp_quantile_90  35.4
    """

    def fit(self, X, y=None):
        """Check ``X`` and learn its modalities and channels; ``y`` is ignored."""
        self._learn_channels(X)
        return self

    def _name_features(self, modality):
        return ("mean", "std", "slope", *_QUANTILES)

    def _compute_features(self, signal, modality):
        mean, std, centred = centre(signal)
        slope = compute_slope(centred, signal.shape[-1])  # samples per window
        quantiles = np.quantile(signal, list(_QUANTILES.values()), axis=-1)
        return np.stack([mean, std, slope, *quantiles], axis=-1)
