"""From recordings to the windows that an encoder expects, as one object."""

import math
import warnings
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._check import check_choice, check_context, check_duration, check_kind, check_sampling_rate
from ..containers import Recording, as_recordings
from ..quality import add_quality
from ..windows import attach_native, count_samples, make_windows
from ._past import make_windows_of_pasts, select_modalities
from .amplitude import standardize_recordings
from .filters import Resample


class Preprocessor(BaseEstimator):
    """Turn recordings into the windows that an encoder expects.

    Each modality goes through its steps as a whole recording, then windows are cut. An encoder
    keeps its preprocessor, so that recordings of another device become windows like those that
    it was trained on.

    Parameters
    ----------
    steps : dict from str to list of transformers
        What is applied to each modality, in order; an empty list keeps the signal as it is.
        Copies are fitted on each recording. A step's ``sampling_rate=None`` is the rate of the
        signal that reaches it. A step that changes the rate has a ``new_sampling_rate``.
    output_sampling_rate : dict from str to float
        Sampling rate of each modality after its last step, in Hz.
    duration : float
        Length of the windows, in seconds.
    input_sampling_rate : None, float or dict of these, default=None
        Sampling rate that reaches the first step of each modality, in Hz: other signals are first
        resampled to it. None accepts any rate.
    lowest_sampling_rate : None, float or dict of these, default=None
        Lowest sampling rate of a recording's signal, in Hz; slower ones are refused. None is
        ``input_sampling_rate``.
    context : float or (float, float), default=0
        How many seconds before and after each window its samples cover, too, as for
        ``physio_ssl.make_windows``. With ``scaling="past"`` only before: ``(180, 0)``.
    standardize : {None, "recording", "subject"} or dict of these, default=None
        Whether channels get zero mean and unit standard deviation after the last step, over
        each recording or over all recordings of a subject in a call. Gaps do not count.
    scaling : {"recording", "past"}, default="recording"
        What a window's samples may depend on. "recording": each recording goes through its steps
        as a whole. "past": each window goes through them with what its recording holds up to the
        window's end, as when the recording still goes on. That is slow: every window costs a
        pass over its past.
    history : float, default=None
        How far back the past of a window goes from its end, in seconds, at least ``duration``.
        None goes back to the recording's start. Only with ``scaling="past"``.

    See Also
    --------
    wristband_preprocessor : Bring the signals of a wristband to one rate and scale.
    ecg_preprocessor : Bring the ECG to one band, rate and scale.
    physio_ssl.PerModality : Transform windows rather than recordings, in a pipeline.

    Notes
    -----
    The recordings of a call may lack modalities, but the same ones. Modalities without steps are
    left out, with a warning if others are missing: they may be the same under another name.
    Signals may have gaps, which are samples of NaN, if the steps keep them (``gaps="keep"``).
    ``make_windows`` then drops and counts the windows with a gap.

    Subjects are distinguished by name: transform corpora with the same names one by one. Z-scores
    use unlabelled data of the test subjects too, which should be reported.

    With ``scaling="past"`` a window is the last ``duration`` seconds of its recording, cut off at
    the window's end and transformed. The first windows have little past, and the very first is
    scaled by itself: leave them out with ``windows.select(windows.onset >= 240)``, say. A past
    that the steps refuse, e.g. as the signal is constant so far, costs its window, which is
    counted as "unusable past". ``history=duration`` scales each window by itself.

    Examples
    --------
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.preprocessing import Preprocessor, Resample, Standardize
    >>> steps = {"bvp": [Resample(None, 4), Standardize()], "eda": [Standardize()]}
    >>> preprocessor = Preprocessor(steps, {"bvp": 4, "eda": 4}, duration=60)
    >>> preprocessor.make_windows(simulate_wristband(2, random_state=0), step=30).X
    SignalDict(52 windows: bvp (1, 240), eda (1, 240))
    >>> preprocessor.n_times
    {'bvp': 240, 'eda': 240}
    """

    def __init__(
        self,
        steps,
        output_sampling_rate,
        duration,
        input_sampling_rate=None,
        standardize=None,
        scaling="recording",
        history=None,
        lowest_sampling_rate=None,
        context=0,
    ):
        self.steps = steps
        self.output_sampling_rate = output_sampling_rate
        self.duration = duration
        self.input_sampling_rate = input_sampling_rate
        self.standardize = standardize
        self.scaling = scaling
        self.history = history
        self.lowest_sampling_rate = lowest_sampling_rate
        self.context = context

    @property
    def n_times(self):
        """Number of samples per window of each modality, as a dict; checks all parameters."""
        self._check()
        seconds = self.duration + sum(check_context(self.context))
        return count_samples(seconds, self.output_sampling_rate)

    def transform(self, recordings):
        """Apply the steps, without cutting windows.

        Parameters
        ----------
        recordings : Recording or list of Recording

        Returns
        -------
        Recording or list of Recording
            New recordings, of the modalities that have steps.

        Raises
        ------
        TypeError, ValueError
            If the parameters do not fit each other, recordings have none of the modalities or
            different ones, a signal is too slow, constant or only gaps, or a step refuses it.
            With ``scaling="past"``, as each window then has a signal of its own.

        Warns
        -----
        UserWarning
            If recordings lack modalities that have steps, and hold others that have none.
        """
        self._check()
        if self.scaling == "past":
            raise ValueError("transform needs scaling='recording'; use make_windows for 'past'.")
        transformed = self._transform(as_recordings(recordings))
        return transformed[0] if isinstance(recordings, Recording) else transformed

    def _transform(self, recordings):
        signals = {}
        for name in _find_modalities(recordings, self.steps):
            signals[name] = [self._transform_one(r, n, name) for n, r in enumerate(recordings)]
            if by := _of(self.standardize, name):
                signals[name] = standardize_recordings(name, signals[name], recordings, by)
        rates = {name: self.output_sampling_rate[name] for name in signals}
        return [
            replace(r, signals={name: signals[name][n] for name in signals}, sampling_rate=rates)
            for n, r in enumerate(recordings)
        ]

    def make_windows(
        self,
        recordings,
        step=None,
        *,
        labels=None,
        dtype=np.float32,
        keep_native=False,
        quality=False,
    ):
        """Apply the steps and cut windows.

        Parameters
        ----------
        recordings : Recording or list of Recording
        step : float, default=None
            Time from one window's start to the next, in seconds; None is ``duration``.
        labels, dtype
            As for ``physio_ssl.make_windows``. Steps may change the unit of a ``valid_range``.
        keep_native : bool, default=False
            Whether ``windows.native`` holds the same windows of the recorded signals, without the
            steps and at their own rates, e.g. for hand-crafted features.
        quality : bool, default=False
            Whether ``windows.quality`` holds the quality of the recorded signals in each window, as
            ``physio_ssl.quality.add_quality`` computes it.

        Returns
        -------
        Windows
            Their ``scaling`` is "subject", "recording" or "past" where ``standardize`` or a step,
            such as ``Standardize``, scales any of their signals, else None.

        Raises
        ------
        TypeError, ValueError
            If ``transform`` or ``physio_ssl.make_windows`` refuses the recordings, or with
            ``scaling="past"`` none of the pasts of a recording can be transformed.

        Warns
        -----
        UserWarning
            As ``transform`` and ``physio_ssl.make_windows`` do.
        """
        recordings = as_recordings(recordings)
        check_kind(quality, "quality", bool, "True or False")
        self._check()
        context = check_context(self.context)
        settings = {"step": step, "labels": labels, "dtype": dtype, "context": context}
        if self.scaling == "past":
            names = _find_modalities(recordings, self.steps)
            rates = {name: self.output_sampling_rate[name] for name in names}
            windows = make_windows_of_pasts(
                self._transform, recordings, rates, self.duration, self.history, **settings
            )
        else:
            windows = make_windows(self.transform(recordings), self.duration, **settings)
        if keep_native:
            chosen = [select_modalities(recording, windows.X) for recording in recordings]
            windows = attach_native(windows, chosen)
        if quality:
            windows = add_quality(windows, recordings)
        return replace(windows, scaling=self._find_scaling(windows.X))

    def _find_scaling(self, names):
        """Return what the signals of these modalities are scaled over, or None."""
        over = {_of(self.standardize, name) for name in names}
        # steps of one's own may lack the attribute
        if any(getattr(step, "scales", False) for name in names for step in self.steps[name]):
            over.add("recording")
        over = next((by for by in ("subject", "recording") if by in over), None)
        return over and ("past" if self.scaling == "past" else over)

    def _check(self):
        """Raise if the parameters do not fit each other."""
        by_name = ("steps", "output_sampling_rate")
        settings = ("input_sampling_rate", "lowest_sampling_rate", "standardize")
        for parameter in by_name + settings:
            value = getattr(self, parameter)
            if not isinstance(value, dict) and parameter in by_name:
                raise TypeError(f"{parameter} must be a dict by modality, got {value!r}.")
            if isinstance(value, dict) and (not value or set(value) != set(self.steps)):
                raise ValueError(
                    f"Parameters must name the same modalities, got {list(value)} in {parameter}."
                )
        for name, steps in self.steps.items():
            if not isinstance(steps, (list, tuple)):
                raise TypeError(f"The steps of {name!r} must be a list, got {steps!r}.")
            check_sampling_rate(self.output_sampling_rate[name], f"output_sampling_rate[{name!r}]")
            for parameter in settings[:2]:
                rate = _of(getattr(self, parameter), name)
                if rate is not None:
                    check_sampling_rate(rate, f"{parameter}[{name!r}]")
            rate, wanted = _of(self.input_sampling_rate, name), self.output_sampling_rate[name]
            _fill_rates(name, steps, rate, wanted)
            check_choice("standardize", _of(self.standardize, name), (None, "recording", "subject"))
        check_duration(self.duration)
        self._check_scaling()
        _, after = check_context(self.context)
        if after and self.scaling == "past":
            raise ValueError(f"With scaling='past', context must be (seconds, 0), got {after:g} s.")

    def _check_scaling(self):
        check_choice("scaling", self.scaling, ("recording", "past"))
        by = {_of(self.standardize, name) for name in self.steps}
        if self.scaling == "past" and "subject" in by:
            raise ValueError("standardize='subject' needs whole recordings, not scaling='past'.")
        if self.history is None:
            return
        if self.scaling != "past":
            raise ValueError(f"history needs scaling='past', got {self.scaling!r}.")
        if check_duration(self.history, "history") < self.duration:
            raise ValueError(
                f"history must be at least the duration, {self.duration:g} s, got "
                f"{self.history:g} s."
            )

    def _transform_one(self, recording, number, name):
        """Return one modality after all steps, of shape (1, n_channels, n_times)."""
        where = f"{name!r} of {recording.subject} (recording {number})"
        signal, rate = recording.signals[name], recording.sampling_rate[name]
        steps, wanted = self.steps[name], _of(self.input_sampling_rate, name) or rate
        lowest = _of(self.lowest_sampling_rate, name) or _of(self.input_sampling_rate, name) or 0
        if rate < lowest and not math.isclose(rate, lowest):
            raise ValueError(
                f"{where} must have at least {lowest:g} Hz, got {rate:g} Hz: a slower signal lacks "
                "frequencies that the steps use, and resampling does not bring them back."
            )
        if math.isclose(rate, wanted):
            rate = wanted
        else:
            steps = [Resample(rate, wanted, gaps="keep"), *steps]
        for step, new_rate in _fill_rates(name, steps, rate, self.output_sampling_rate[name]):
            expected = signal.shape[-1] * new_rate / rate
            try:
                signal, rate = step.fit_transform(signal), new_rate
            except ValueError as error:  # which knows neither modality nor subject
                raise ValueError(f"{where} cannot be transformed: {error}") from error
            # resampling rounds up to a whole sample, and drifts by up to a millionth
            if abs(signal.shape[-1] - expected) > 1 + 1e-6 * expected:
                raise ValueError(
                    f"{step!r} must have a new_sampling_rate, or make {expected:g} samples of "
                    f"{where}, got {signal.shape[-1]}."
                )
        empty = np.flatnonzero(np.isnan(signal[0]).all(axis=-1))
        if len(empty):
            raise ValueError(f"{where} has only gaps, which filters widen, in channel {empty[0]}.")
        return signal


def _fill_rates(name, steps, rate, wanted):
    """Return copies of the steps that know their rate (None for any), and the rates after."""
    filled = []
    for step in map(clone, steps):
        own = getattr(step, "sampling_rate", None)
        if own is not None:
            own = check_sampling_rate(own, f"sampling_rate of {step!r}")
            if rate is not None and not math.isclose(own, rate):
                raise ValueError(
                    f"{step!r} of {name!r} must have a sampling_rate of {rate:g} Hz or None."
                )
            rate = own
        elif hasattr(step, "sampling_rate"):
            step.set_params(sampling_rate=rate)
        rate = getattr(step, "new_sampling_rate", None) or rate
        filled.append((step, rate))
    if rate is not None and not math.isclose(rate, wanted):
        raise ValueError(
            f"output_sampling_rate of {name!r} must be that after its steps, {rate:g} Hz, got "
            f"{wanted:g} Hz."
        )
    return filled


def _of(setting, name):
    """Return what a dict sets for a modality, or what is set for all of them."""
    return setting[name] if isinstance(setting, dict) else setting


def _find_modalities(recordings, steps):
    """Return the modalities to transform, which must be the same in all recordings."""
    found = [[name for name in steps if name in r.signals] for r in recordings]
    for names, recording in zip(found, recordings, strict=True):
        if not names or names != found[0]:
            raise ValueError(
                f"Recordings must have the same of the modalities {list(steps)}, at least one, got "
                f"{list(recordings[0].signals)} for {recordings[0].subject} and "
                f"{list(recording.signals)} for {recording.subject}."
            )
    missing = [name for name in steps if recordings and name not in found[0]]
    others = sorted({name for r in recordings for name in r.signals} - set(steps))
    if missing and others:
        warnings.warn(
            f"Recordings lack {missing}, and their signals {others} are left out, as the steps are "
            f"those of {list(steps)}: rename signals that are the same.",
            stacklevel=4,
        )
    return found[0] if found else []
