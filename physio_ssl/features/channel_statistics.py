"""ChannelStatistics: the level, spread, trend and quantiles of every channel."""

import numpy as np

from .._check import check_count
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

    Parameters
    ----------
    n_parts : int, default=1
        If more than 1, the same statistics of each of so many equal parts of the window follow, as
        ``part1_mean`` and so on: what happened when, as far as statistics can tell it. Of a number
        of samples that cannot be divided, the first parts are one longer.

    Attributes
    ----------
    n_channels_ : dict
        Number of channels of each modality; an array is the modality ``signal``.

    Raises
    ------
    ValueError
        If windows have fewer samples than ``n_parts``.

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

    def __init__(self, n_parts=1):
        self.n_parts = n_parts

    def fit(self, X, y=None):
        """Check ``X`` and learn its modalities and channels; ``y`` is ignored."""
        check_count(self.n_parts, "n_parts")
        for name, signal in self._learn_channels(X).items():
            if signal.shape[-1] < self.n_parts:
                raise ValueError(
                    f"n_parts must be at most the {signal.shape[-1]} samples of a window of "
                    f"{name!r}, got {self.n_parts}."
                )
        return self

    def _name_features(self, modality):
        names = ("mean", "std", "slope", *_QUANTILES)
        parts = range(1, self.n_parts + 1) if self.n_parts > 1 else ()
        return (*names, *(f"part{part}_{name}" for part in parts for name in names))

    def _compute_features(self, signal, modality):
        parts = np.array_split(signal, self.n_parts, axis=-1) if self.n_parts > 1 else []
        described = [_describe(np.ascontiguousarray(part)) for part in [signal, *parts]]
        return np.concatenate(described, axis=-1)


def _describe(signal):
    """Return the statistics of each channel, of shape (n_windows, n_channels, n_statistics)."""
    mean, std, centred = centre(signal)
    slope = compute_slope(centred, signal.shape[-1])  # samples per window
    quantiles = np.quantile(signal, list(_QUANTILES.values()), axis=-1)
    return np.stack([mean, std, slope, *quantiles], axis=-1)
