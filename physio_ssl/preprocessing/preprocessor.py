"""From recordings to the windows that an encoder expects, as one object."""

import math
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone

from .._check import check_duration, check_sampling_rate
from ..containers import Recording, as_recordings
from ..functional import as_floats, is_constant
from ..windows import count_samples, make_windows
from .filters import Resample


class Preprocessor(BaseEstimator):
    """Turn recordings into the windows that an encoder expects.

    Each modality goes through its steps as a whole recording, then windows are cut. An encoder
    keeps its preprocessor, in its file too, so that recordings of another study or device become
    windows like those that it was trained on.

    Parameters
    ----------
    steps : dict from str to list of transformers
        What is applied to each modality, in order; an empty list keeps the signal as it is.
        Copies are fitted on each recording. A step's ``sampling_rate=None`` is the rate of
        the signal that reaches it; its ``new_sampling_rate``, if it has one, is the rate after
        it. Other steps must keep the rate.
    output_sampling_rate : dict from str to float
        Sampling rate of each modality after its last step, in Hz.
    duration : float
        Length of the windows, in seconds.
    input_sampling_rate : dict from str to float or None, default=None
        Sampling rate that reaches the first step of each modality, in Hz: faster signals are
        first resampled to it, slower ones are refused. None, for all or for one modality,
        accepts any rate.
    standardize : {None, "recording", "subject"} or dict of these, default=None
        Which samples get zero mean and unit standard deviation in each channel after the last
        step: those of each recording, or those of all recordings of a subject in the same call,
        which keeps the differences between them. Gaps, which are samples of NaN, do not count.
        A dict sets it by modality.

    See Also
    --------
    wristband_preprocessor : Bring the signals of a wristband to one rate and scale.
    ecg_preprocessor : Bring the ECG to one band, rate and scale.
    physio_ssl.PerModality : Transform windows rather than recordings, in a pipeline.

    Notes
    -----
    A recording may lack modalities, if it has at least one and all recordings of a call have the
    same ones. Modalities that are not in ``steps`` are left out.

    Z-scores per recording or subject use unlabelled data of the test subjects too, which should
    be reported with the result. Subjects are distinguished by name: transform corpora with the
    same names one by one.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.preprocessing import Preprocessor, Resample, Standardize
    >>> preprocessor = Preprocessor(
    ...     {"bvp": [Resample(None, 4), Standardize()], "eda": [Standardize()]},
    ...     output_sampling_rate={"bvp": 4, "eda": 4},
    ...     duration=60,
    ... )
    >>> noise = np.random.default_rng(0).normal(size=64 * 300)
    >>> recording = Recording({"bvp": noise, "eda": noise[:1200]}, {"bvp": 64, "eda": 4}, "S1")
    >>> preprocessor.transform(recording)
    Recording(S1: 300 s, bvp 1 x 4 Hz, eda 1 x 4 Hz)
    >>> preprocessor.make_windows(recording, step=30).X
    SignalDict(9 windows: bvp (1, 240), eda (1, 240))
    >>> preprocessor.n_times
    {'bvp': 240, 'eda': 240}
    """

    def __init__(
        self, steps, output_sampling_rate, duration, input_sampling_rate=None, standardize=None
    ):
        self.steps = steps
        self.output_sampling_rate = output_sampling_rate
        self.duration = duration
        self.input_sampling_rate = input_sampling_rate
        self.standardize = standardize

    @property
    def n_times(self):
        """Number of samples per window of each modality, as a dict; checks all parameters."""
        self._check()
        return count_samples(self.duration, self.output_sampling_rate)

    def transform(self, recordings):
        """Apply the steps, without cutting windows.

        Parameters
        ----------
        recordings : Recording or list of Recording
            With at least one of the modalities.

        Returns
        -------
        Recording or list of Recording
            New recordings, with those of their modalities that are in ``steps``.

        Raises
        ------
        TypeError
            If a parameter, a step or a recording is of a wrong kind.
        ValueError
            If the parameters do not fit each other, a recording has none of the modalities or
            others than the first one, a signal is sampled too slowly, or a step refuses it,
            e.g. because it is constant or has gaps.
        """
        if isinstance(recordings, Recording):
            return self.transform([recordings])[0]
        self._check()
        recordings = as_recordings(recordings)
        names = _find_modalities(recordings, self.steps)
        signals = {
            name: [self._transform_one(r, number, name) for number, r in enumerate(recordings)]
            for name in names
        }
        for name in names:
            if by := self._standardize_by(name):
                _standardize(name, signals[name], recordings, by)
        rates = {name: self.output_sampling_rate[name] for name in names}
        return [
            replace(r, signals={name: signals[name][n] for name in names}, sampling_rate=rates)
            for n, r in enumerate(recordings)
        ]

    def make_windows(self, recordings, step=None, *, labels=None, dtype=np.float32):
        """Apply the steps and cut windows.

        Parameters
        ----------
        recordings : Recording or list of Recording
            With at least one of the modalities.
        step : float, default=None
            Time from one window's start to the next, in seconds; None is ``duration``, which
            makes windows without overlap.
        labels, dtype
            As for ``physio_ssl.make_windows``. Its ``valid_range`` is in the unit of the
            recorded signals, which the steps may change, and is no option here.

        Returns
        -------
        Windows
            Their ``X`` is what the encoder takes.

        Raises
        ------
        TypeError, ValueError
            If ``transform`` or ``physio_ssl.make_windows`` refuses the recordings.
        """
        transformed = self.transform(recordings)
        return make_windows(transformed, self.duration, step, labels=labels, dtype=dtype)

    def _standardize_by(self, name):
        by = self.standardize
        return by[name] if isinstance(by, dict) else by

    def _input_rate(self, name):
        return None if self.input_sampling_rate is None else self.input_sampling_rate[name]

    def _check(self):
        """Raise if the parameters do not fit each other."""
        columns = {"steps": self.steps, "output_sampling_rate": self.output_sampling_rate}
        if self.input_sampling_rate is not None:
            columns["input_sampling_rate"] = self.input_sampling_rate
        if isinstance(self.standardize, dict):
            columns["standardize"] = self.standardize
        for name, column in columns.items():
            if not isinstance(column, dict):
                raise TypeError(f"{name} must be a dict with an item per modality, got {column!r}.")
        if not self.steps or len({frozenset(column) for column in columns.values()}) > 1:
            got = "; ".join(f"{name}: {_list_names(column)}" for name, column in columns.items())
            raise ValueError(f"All parameters must name the same modalities, got {got}.")
        for name, steps in self.steps.items():
            if not isinstance(steps, (list, tuple)):
                raise TypeError(f"The steps of {name!r} must be a list, got {steps!r}.")
            rate = self._input_rate(name)
            if rate is not None:
                rate = check_sampling_rate(rate, f"input_sampling_rate[{name!r}]")
            _fill_rates(name, steps, rate, self.output_sampling_rate[name])
            if self._standardize_by(name) not in (None, "recording", "subject"):
                raise ValueError(
                    "standardize must be None, 'recording' or 'subject', got "
                    f"{self._standardize_by(name)!r}."
                )
        check_duration(self.duration)

    def _transform_one(self, recording, number, name):
        """Return one modality after all steps, of shape (1, n_channels, n_times)."""
        where = f"{name!r} of {recording.subject} (recording {number})"
        signal, rate = recording.signals[name], recording.sampling_rate[name]
        steps, wanted = self.steps[name], self._input_rate(name) or rate
        if math.isclose(rate, wanted):
            rate = wanted
        elif rate > wanted:
            steps = [Resample(rate, wanted, gaps="keep"), *steps]
        else:
            raise ValueError(
                f"{name!r} must be sampled at {wanted:g} Hz or faster, but {where} is at {rate:g} "
                "Hz: leave it out."
            )
        filled = _fill_rates(name, steps, rate, self.output_sampling_rate[name])
        try:
            for step, new_rate in filled:
                signal, rate = _apply_step(step, signal, rate, new_rate), new_rate
        except ValueError as error:  # which knows neither modality nor subject
            raise ValueError(f"{where} cannot be transformed: {error}") from error
        empty = np.flatnonzero(np.isnan(signal[0]).all(axis=-1))
        if filled and len(empty):
            raise ValueError(
                f"Nothing is left of {where} but gaps, which filters widen, in channel "
                f"{empty[0]}: leave it out."
            )
        return signal


def _list_names(names):
    return ", ".join(map(str, names)) or "none"


def _fill_rates(name, steps, rate, output_rate):
    """Return copies of the steps that know the rate of what reaches them, and the rate after each.

    ``rate`` is that of the signal in Hz, or None if any is accepted.
    """
    output_rate = check_sampling_rate(output_rate, f"output_sampling_rate[{name!r}]")
    filled = []
    for step in steps:
        if not isinstance(step, TransformerMixin):
            raise TypeError(f"Each step of {name!r} must be a transformer, got {step!r}.")
        copy = clone(step)
        own = getattr(step, "sampling_rate", None)
        if own is not None:
            own = check_sampling_rate(own, f"sampling_rate of {step!r}")
            if rate is not None and not math.isclose(own, rate):
                raise ValueError(
                    "A step's sampling_rate must be that of the signal that reaches it, or None, "
                    f"but {step!r} of {name!r} gets {rate:g} Hz."
                )
            rate = own
        elif rate is not None and hasattr(step, "sampling_rate"):
            copy.set_params(sampling_rate=rate)
        new = getattr(step, "new_sampling_rate", None)
        if new is not None:
            rate = check_sampling_rate(new, f"new_sampling_rate of {step!r}")
        filled.append((copy, rate))
    if rate is not None and not math.isclose(rate, output_rate):
        raise ValueError(
            f"The steps of {name!r} must end at output_sampling_rate, {output_rate:g} Hz, but end "
            f"at {rate:g} Hz."
        )
    return filled


def _apply_step(step, signal, rate, new_rate):
    """Fit and apply one step, or raise if its result has another rate than expected."""
    expected = signal.shape[-1] * new_rate / rate
    result = step.fit_transform(signal)
    # resampling rounds up to a whole sample, and drifts by up to a millionth
    if abs(result.shape[-1] - expected) > 1 + 1e-6 * expected:
        raise ValueError(
            f"{step!r} made {result.shape[-1]} of {signal.shape[-1]} samples, which does not fit "
            f"{rate:g} Hz before and {new_rate:g} Hz after it: a step that changes the rate "
            "needs the parameter new_sampling_rate."
        )
    return result


def _find_modalities(recordings, steps):
    """Return the modalities to transform, or raise if recordings have none or others."""
    first = []
    for recording in recordings:
        names = [name for name in steps if name in recording.signals]
        if not names:
            raise ValueError(
                f"A recording must have at least one of the modalities {_list_names(steps)}, but "
                f"that of {recording.subject} has {_list_names(recording.signals)}."
            )
        first = first or names
        if names != first:
            raise ValueError(
                f"All recordings must have the same of the modalities {_list_names(steps)}, got "
                f"{_list_names(first)} for {recordings[0].subject} and {_list_names(names)} for "
                f"{recording.subject}: transform them in separate calls, or leave a modality out."
            )
    return first


def _standardize(name, signals, recordings, by):
    """Replace the signals of a list by z-scores over those that belong together."""
    together = {}
    for n, recording in enumerate(recordings):
        together.setdefault(recording.subject if by == "subject" else n, []).append(n)
    for rows in together.values():
        subject = recordings[rows[0]].subject
        # before the steps, too: a filter leaves rounding errors of a constant signal
        for stage in ([recordings[n].signals[name] for n in rows], [signals[n] for n in rows]):
            n_channels = {signal.shape[1] for signal in stage}
            if len(n_channels) > 1:
                raise ValueError(
                    f"All recordings of a subject must have the same channels, got {n_channels} "
                    f"channels of {name!r} for {subject}: set standardize='recording'."
                )
            constant = np.flatnonzero(np.all([is_constant(signal[0]) for signal in stage], axis=0))
            if len(constant):
                raise ValueError(
                    f"Standardizing needs spread, but {name!r} of {subject} is constant in channel "
                    f"{constant[0]}: leave it out, or set standardize=None."
                )
        for n in rows:
            signals[n] = as_floats(signals[n])
        count = sum((~np.isnan(signals[n])).sum(axis=-1, keepdims=True) for n in rows)
        mean = sum(_sum(signals[n]) for n in rows) / count
        std = np.sqrt(sum(_sum((signals[n] - mean) ** 2) for n in rows) / count)
        for n in rows:
            signals[n] = ((signals[n] - mean) / std).astype(signals[n].dtype, copy=False)


def _sum(signal):
    """Return the sum of each channel's samples that are no gaps."""
    return np.nansum(signal, axis=-1, keepdims=True, dtype=np.float64)
