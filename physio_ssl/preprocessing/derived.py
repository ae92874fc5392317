"""Channels derived from a wristband's signals: heart rate, slope and activity."""

import math
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from .. import functional
from .._check import check_duration, check_sampling_rate
from ..heartbeats import (
    PLAUSIBLE,
    WRIST_BAND,
    find_plausible,
    find_wrist_beats,
    measure_regularity,
)
from ._base import WindowTransformer, apply_between_gaps
from .filters import bandpass_between_gaps

_FEWEST = 6  # plausible intervals that a heart rate needs
_FLOOR = 1e-3  # of the usual amplitude, below which there is no pulse
_LOST = 5.0  # s of heart rate, amplitude and regularity on each side of a gap
_LEAST_ACTIVITY = 1e-4  # of the signal's standard deviation, below which there is no activity


def _append_channels(X, n_new, derive):
    """Append to each channel those that ``derive`` makes of it; of constant ones they are 0.

    ``derive`` gets a signal with gaps, if ``X`` has some, but never one that is a single gap.
    """
    X = X if X.ndim == 3 else X[:, np.newaxis]
    n_windows, n_channels, n_times = X.shape
    joined = np.zeros((n_windows, n_channels, 1 + n_new, n_times), X.dtype)
    joined[:, :, 0] = X
    empty = np.isnan(X).all(axis=-1)
    joined[empty] = np.nan
    # a filter leaves a constant signal rounding errors, in which beats would be found
    for row in np.argwhere(~functional.is_constant(X) & ~empty):
        joined[*row, 1:] = derive(X[*row].astype(np.float64))
    return joined.reshape(n_windows, -1, n_times)


def _local_mean(signal, duration, sampling_rate):
    return uniform_filter1d(signal, max(1, round(duration * sampling_rate)))


class HeartRateChannels(WindowTransformer):
    """Append heart rate, pulse amplitude and rhythm regularity as channels.

    Each channel, a pulse wave of a wristband (BVP, PPG), becomes four: the signal; its heart
    rate, in beats per minute; the natural logarithm of the pulse's amplitude, in its unit; and the
    regularity of the rhythm, from 1 where intervals between beats are plausible to 0 where they
    are not. A short window holds few beats: derive the channels of the recording, then cut it.

    Parameters
    ----------
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz, above 8. ``Preprocessor`` fills in None.
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept. "keep" looks for beats in the
        stretches between gaps; the three new channels also lack 5 s on each side of a gap.

    Raises
    ------
    TypeError, ValueError
        If the sampling rate is not a number above 8 Hz, or ``X`` has gaps and ``gaps="error"``.

    See Also
    --------
    SlopeChannels : Append slope and activity, e.g. of skin conductance.
    physio_ssl.HandcraftedFeatures : Heart rate and its variability of short windows.

    Notes
    -----
    Beats are peaks of the signal at 0.6-4 Hz, at least 0.33 s apart and with a prominence of 0.7
    of its root mean square in 8 s. Intervals outside 0.33-1.7 s, or that differ by more than
    25 % from the median of the 21 nearest, are not plausible: straight lines bridge their heart
    rate, and fewer than six others give a heart rate of 0. Regularity is 0, too, in more than
    5 s without a beat. Amplitude is the root mean square at 0.6-4 Hz in 4 s, at least a
    thousandth of the usual one.

    All three are 0 for a constant signal: ``Standardize`` then needs ``constant="zero"``.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import HeartRateChannels
    >>> pulse = np.sin(2 * np.pi * 1.2 * np.arange(0, 60, 1 / 64))
    >>> channels = HeartRateChannels(64).fit_transform(pulse[np.newaxis, np.newaxis])
    >>> channels.shape
    (1, 4, 3840)
    >>> channels[0, 1:, 1920].round(2)
    array([72.  , -0.33,  1.  ])
    """

    def __init__(self, sampling_rate, gaps="error"):
        self.sampling_rate = sampling_rate
        self.gaps = gaps

    def _check(self):
        if check_sampling_rate(self.sampling_rate) <= 2 * WRIST_BAND[1]:
            raise ValueError(f"sampling_rate must be above 8 Hz, got {self.sampling_rate}.")

    def _apply(self, X):
        return _append_channels(X, 3, self._derive)

    def _derive(self, signal):
        """Return heart rate, log amplitude and regularity of (n_times,), as (3, n_times)."""
        gap = np.isnan(signal)
        channels = self._derive_between_gaps(signal - signal[~gap].mean())
        reach = math.ceil(_LOST * self.sampling_rate)
        channels[:, maximum_filter1d(gap, 2 * reach + 1)] = np.nan
        return channels

    def _derive_between_gaps(self, signal):
        scale = np.nanmax(np.abs(signal))  # as squares of a tiny unit would be zero
        pulse = bandpass_between_gaps(signal / scale, *WRIST_BAND, self.sampling_rate, order=2)
        pulse[np.isnan(pulse)] = 0  # a gap is a flat stretch, in which there are no beats
        power = pulse**2
        # without the stretches that are flat up to rounding, which may be most of a recording
        typical = np.median(power[power >= 1e-15 * power.max()])
        floor = max(_FLOOR**2 * typical, np.finfo(float).eps ** 2)
        usual, local = (
            np.sqrt(np.maximum(_local_mean(power, duration, self.sampling_rate), 0) + floor)
            for duration in (8.0, 4.0)  # s
        )
        channels = np.zeros((3, len(signal)))
        channels[1] = np.log(local) + np.log(scale)
        beats = find_wrist_beats(pulse, usual, self.sampling_rate) / self.sampling_rate
        if len(beats) < 2:
            return channels
        intervals = np.diff(beats)
        plausible = find_plausible(intervals, **PLAUSIBLE["wrist"])
        times = np.arange(len(signal)) / self.sampling_rate
        if plausible.sum() >= _FEWEST:
            middles = (beats[1:] + beats[:-1]) / 2
            channels[0] = np.interp(times, middles[plausible], 60 / intervals[plausible])
        channels[2] = measure_regularity(beats, plausible, times)
        return channels


class SlopeChannels(WindowTransformer):
    """Append the slope of each channel, and its activity, as channels.

    Each channel becomes two, the signal and its slope, or three with ``window``: activity is the
    natural logarithm of how much the signal changes from sample to sample, at least a
    ten-thousandth of its standard deviation. Both are 0 for a constant signal.

    Parameters
    ----------
    sampling_rate : float or None
        Sampling rate of ``X``, in Hz. ``Preprocessor`` fills in None.
    smoothing : float
        Standard deviation, in seconds, of the Gaussian that smooths the signal before its slope
        is taken, in the unit of ``X`` per second.
    window : float, default=None
        Seconds over which activity takes the standard deviation of the differences between
        samples, in the unit of ``X``. None for no activity.
    gaps : {"error", "keep"}, default="error"
        Whether gaps, which are samples of NaN, are refused or kept. "keep" takes the stretches
        between gaps one by one; the new channels also lack ``2 * smoothing`` s on each side of a
        gap, or ``window / 2`` s where that is longer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a positive number, ``window`` is shorter than two samples, or ``X``
        has gaps and ``gaps="error"``.

    See Also
    --------
    HeartRateChannels : Append heart rate, pulse amplitude and regularity.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import SlopeChannels
    >>> X = np.zeros((1, 1, 240))
    >>> SlopeChannels(sampling_rate=4, smoothing=5, window=10).fit_transform(X).shape
    (1, 3, 240)
    """

    def __init__(self, sampling_rate, smoothing, window=None, gaps="error"):
        self.sampling_rate = sampling_rate
        self.smoothing = smoothing
        self.window = window
        self.gaps = gaps

    def _check(self):
        shortest = 2 / check_sampling_rate(self.sampling_rate)
        check_duration(self.smoothing, "smoothing")
        if self.window is not None and check_duration(self.window, "window") < shortest:
            raise ValueError(f"window must last two samples, {shortest:g} s, got {self.window} s.")

    def _apply(self, X):
        return _append_channels(X, self._n_new, self._derive)

    @property
    def _n_new(self):
        return 1 if self.window is None else 2

    def _derive(self, signal):
        """Return slope and, if asked for, activity of (n_times,), as (1 or 2, n_times)."""
        spread = signal[~np.isnan(signal)].std()
        derive = partial(self._derive_stretch, spread=spread)
        lost = max(2 * self.smoothing, (self.window or 0) / 2)
        return apply_between_gaps(
            derive, signal, math.ceil(lost * self.sampling_rate), (self._n_new,)
        )

    def _derive_stretch(self, signal, spread):
        smooth = gaussian_filter1d(signal - signal.mean(), self.smoothing * self.sampling_rate)
        slope = np.gradient(smooth) * self.sampling_rate
        if self.window is None:
            return slope[np.newaxis]
        steps = np.diff(signal, prepend=signal[0]) / spread
        mean, power = (_local_mean(x, self.window, self.sampling_rate) for x in (steps, steps**2))
        local = np.sqrt(np.maximum(power - mean**2, 0))  # which may round to below zero
        return np.stack([slope, np.log(local + _LEAST_ACTIVITY) + np.log(spread)])
