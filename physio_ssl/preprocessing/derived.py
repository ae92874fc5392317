"""Slow traces that a wristband's signal holds, beside it as further channels."""

import math
from numbers import Real

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import find_peaks
from sklearn.base import BaseEstimator, TransformerMixin

from .. import functional
from .._check import StatelessMixin, check_sampling_rate, check_windows

_PULSE_BAND = (0.6, 4.0)  # Hz
_PULSE_ORDER = 2
_INTERVALS = (0.33, 1.7)  # s between two beats, 35 to 182 beats per minute
_TOLERANCE = 0.25  # share by which an interval may differ from those around it
_NEIGHBOURS = 21  # intervals, of which the median says what is usual
_GAP = 5.0  # s without a beat, as in a flat stretch, in which nothing is regular
_FEWEST = 6  # plausible intervals that heart rate is told from
_PROMINENCE = 0.7  # of a beat, in root mean squares of the pulse around
_USUAL = 8.0  # s of pulse that a beat is compared with
_AMPLITUDE = 4.0  # s of pulse that amplitude is told from
_FLOOR = 1e-3  # share of the usual amplitude below which there is no pulse
_LEAST_ACTIVITY = 1e-4  # share of the signal's spread below which there is no activity


def _add_traces(X, n_traces, find_traces):
    """Return windows with the traces of each channel after it; those of constant ones are 0."""
    X = X if X.ndim == 3 else X[:, np.newaxis]
    n_windows, n_channels, n_times = X.shape
    joined = np.zeros((n_windows, n_channels, 1 + n_traces, n_times), X.dtype)
    joined[:, :, 0] = X
    # a filter leaves a constant signal rounding errors, in which beats would be found
    for row in np.argwhere(~functional.is_constant(X)):
        joined[*row, 1:] = find_traces(X[*row].astype(np.float64))
    return joined.reshape(n_windows, -1, n_times)


def _local_mean(signal, duration, sampling_rate):
    return uniform_filter1d(signal, max(1, round(duration * sampling_rate)))


def _find_beats(pulse, usual, sampling_rate):
    """Return the times of the beats, in seconds, of a pulse of usual amplitude ``usual``."""
    relative = np.clip(pulse / usual, -3, 3)
    distance = max(1, round(_INTERVALS[0] * sampling_rate))
    peaks, _ = find_peaks(relative, distance=distance, prominence=_PROMINENCE)
    # one sample at 64 Hz is 16 ms, as much as the variability: take the parabola's top
    before, top, after = relative[peaks - 1], relative[peaks], relative[peaks + 1]
    bend = 2 * top - before - after
    offset = np.divide(after - before, 2 * bend, out=np.zeros(len(peaks)), where=bend > 0)
    return (peaks + offset) / sampling_rate


def _find_plausible(intervals):
    """Tell which intervals between beats are those of a heart, and like the ones around."""
    around = np.pad(intervals, _NEIGHBOURS // 2, mode="symmetric")
    typical = np.median(np.lib.stride_tricks.sliding_window_view(around, _NEIGHBOURS), axis=-1)
    shortest, longest = _INTERVALS
    return (
        (intervals > shortest)
        & (intervals < longest)
        & (np.abs(intervals - typical) < _TOLERANCE * typical)
    )


def _find_regularity(beats, plausible, times):
    """Return how plausible the intervals around some times are, from 0 to 1."""
    # the intervals on both sides of a gap are not joined by a line across it
    ends = np.concatenate([times[:1], beats, times[-1:]])
    far = np.diff(ends) > _GAP
    reach = _INTERVALS[1] / 2
    middles = (beats[1:] + beats[:-1]) / 2
    places = np.concatenate([middles, ends[:-1][far] + reach, ends[1:][far] - reach])
    regular = np.concatenate([plausible, np.zeros(2 * far.sum())])
    order = np.argsort(places)
    return np.interp(times, places[order], regular[order])


def _trace_pulse(signal, sampling_rate):
    """Return heart rate, log amplitude and regularity, of shape (3, n_times), of a pulse."""
    signal = signal - signal.mean()
    scale = np.abs(signal).max()  # as squares of a tiny unit would be zero
    pulse = functional.bandpass(signal / scale, *_PULSE_BAND, sampling_rate, _PULSE_ORDER)
    power = pulse**2
    # without the stretches that are flat up to rounding, which may be most of a recording
    typical = np.median(power[power >= 1e-15 * power.max()])
    floor = max(_FLOOR**2 * typical, np.finfo(float).eps ** 2)
    usual, local = (
        np.sqrt(np.maximum(_local_mean(power, duration, sampling_rate), 0) + floor)
        for duration in (_USUAL, _AMPLITUDE)
    )
    traces = np.zeros((3, len(signal)))
    traces[1] = np.log(local) + np.log(scale)
    beats = _find_beats(pulse, usual, sampling_rate)
    if len(beats) < 2:
        return traces
    intervals = np.diff(beats)
    plausible = _find_plausible(intervals)
    times = np.arange(len(signal)) / sampling_rate
    if plausible.sum() >= _FEWEST:
        middles = (beats[1:] + beats[:-1]) / 2
        traces[0] = np.interp(times, middles[plausible], 60 / intervals[plausible])
    traces[2] = _find_regularity(beats, plausible, times)
    return traces


class HeartRateChannels(StatelessMixin, TransformerMixin, BaseEstimator):
    """Put heart rate, amplitude and regularity of the pulse beside it, as further channels.

    Each channel becomes four: the signal as it is; heart rate, in beats per minute; the
    natural logarithm of the pulse's amplitude; and its regularity, which is 1 where the
    intervals between beats are those of a heart, and 0 where they are not, as the band moves
    or is not worn. All have the sampling rate of the signal. Resample them, and a network
    at 4 Hz sees heart rate, of which the signal's samples at that rate tell little.

    It is for the pulse wave of a wristband (BVP, PPG). For ECG see ``HandcraftedFeatures`` and
    ``physio_ssl.quality``, which find its heartbeats by their sharp peaks.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate of ``X``, in Hz, above 8.

    Notes
    -----
    Beats are peaks at least 0.33 s apart of the signal at 0.6-4 Hz, of a prominence of 0.7 of its
    root mean square in 8 s. Intervals outside 0.33-1.7 s, or that differ by 25 % or more from
    the median of the 21 around, are left out of heart rate and bridged by straight lines;
    before the first and after the last it is constant. Regularity tells how far to trust it; in
    gaps of more than 5 s without a beat it is 0.

    Heart rate is 0 throughout where fewer than six intervals are plausible, and so is
    regularity where there are no beats. All three are 0 where the signal is constant.
    ``Standardize`` then needs ``constant="zero"``.

    Amplitude is the root mean square at 0.6-4 Hz in 4 s, in the unit of the signal. It has a
    floor, a thousandth of the usual one, which it keeps in flat stretches.

    A short window holds few beats: add the traces to the recording, then cut it.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import HeartRateChannels
    >>> pulse = np.sin(2 * np.pi * 1.2 * np.arange(0, 60, 1 / 64))
    >>> traces = HeartRateChannels(64).fit_transform(pulse[np.newaxis, np.newaxis])
    >>> traces.shape
    (1, 4, 3840)
    >>> traces[0, 1:, 1920].round(2)
    array([72.  , -0.33,  1.  ])
    """

    def __init__(self, sampling_rate):
        self.sampling_rate = sampling_rate

    def fit(self, X, y=None):
        """Check the sampling rate; nothing is learned."""
        check_windows(X, self, reset=True)
        functional.butterworth(self.sampling_rate, *_PULSE_BAND, _PULSE_ORDER)
        return self

    def transform(self, X):
        """Turn ``X`` into an array of shape (n_windows, 4 * n_channels, n_times)."""
        X = check_windows(X, self)
        functional.butterworth(self.sampling_rate, *_PULSE_BAND, _PULSE_ORDER)
        return _add_traces(X, 3, lambda signal: _trace_pulse(signal, self.sampling_rate))


def _check_dynamics(sampling_rate, smoothing, window):
    """Raise if a length is no number of seconds, or too short."""
    sampling_rate = check_sampling_rate(sampling_rate)
    lengths = (
        {"smoothing": smoothing} if window is None else {"smoothing": smoothing, "window": window}
    )
    for name, value in lengths.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, in seconds, got {value!r}.")
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, in seconds, got {value}.")
    if window is not None and window * sampling_rate < 2:
        raise ValueError(
            "window must last two samples or more, to have a spread, which are "
            f"{2 / sampling_rate:g} s at {sampling_rate:g} Hz, got {window}."
        )


def _trace_dynamics(signal, sampling_rate, slope, activity):
    """Return slope and, where asked for, activity: (n_times,) to (1 or 2, n_times)."""
    smooth = gaussian_filter1d(signal - signal.mean(), slope * sampling_rate)
    traces = [np.gradient(smooth) * sampling_rate]
    if activity is not None:
        spread = signal.std()
        steps = np.diff(signal, prepend=signal[0]) / spread
        mean, power = (_local_mean(x, activity, sampling_rate) for x in (steps, steps**2))
        local = np.sqrt(np.maximum(power - mean**2, 0))  # which may round to below zero
        traces.append(np.log(local + _LEAST_ACTIVITY) + np.log(spread))
    return traces


class SlopeChannels(StatelessMixin, TransformerMixin, BaseEstimator):
    """Put the slope of each channel, and how much it changes, beside it as further channels.

    Each channel becomes two: the signal as it is, and its slope. Where ``window`` is given it
    becomes three, the last one the natural logarithm of how much the signal changes from sample
    to sample: skin conductance at rest drifts, that of a stressed or moving person fluctuates.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    smoothing : float
        Standard deviation of the Gaussian that smooths the signal before its slope is taken, in
        seconds. The slope is in the unit of ``X`` per second.
    window : float, default=None
        Length of the stretches, in seconds, in which activity is taken: the standard deviation
        of the differences between samples, in the unit of ``X``. None leaves activity out.

    Notes
    -----
    Activity has a floor, added before the logarithm: a ten-thousandth of the standard deviation
    of the channel in its window. A change of unit therefore changes nothing once the traces are
    standardized. Both traces are 0 throughout where a channel is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.preprocessing import SlopeChannels
    >>> ramp = np.arange(0, 60, 1 / 4)  # one unit per second
    >>> traces = SlopeChannels(4, smoothing=2).fit_transform(ramp[np.newaxis, np.newaxis])
    >>> traces.shape
    (1, 2, 240)
    >>> float(traces[0, 1, 120].round(6))
    1.0
    """

    def __init__(self, sampling_rate, smoothing, window=None):
        self.sampling_rate = sampling_rate
        self.smoothing = smoothing
        self.window = window

    def fit(self, X, y=None):
        """Check the parameters; nothing is learned."""
        check_windows(X, self, reset=True)
        _check_dynamics(self.sampling_rate, self.smoothing, self.window)
        return self

    def transform(self, X):
        """Turn ``X`` into an array of shape (n_windows, 2 or 3 * n_channels, n_times)."""
        X = check_windows(X, self)
        params = self.sampling_rate, self.smoothing, self.window
        _check_dynamics(*params)
        n_traces = 1 if self.window is None else 2
        return _add_traces(X, n_traces, lambda signal: _trace_dynamics(signal, *params))
