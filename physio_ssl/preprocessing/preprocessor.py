"""From recordings to the windows that an encoder expects, as one object."""

import math
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import make_pipeline

from .._check import check_sampling_rate
from ..containers import Recording
from ..windows import make_windows
from .filters import Resample


def _list_names(names):
    return ", ".join(map(str, names)) or "none"


def _check_parameters(preprocessor):
    """Raise if the parameters do not fit each other."""
    columns = {
        name: getattr(preprocessor, name)
        for name in ("steps", "input_sampling_rate", "sampling_rate")
    }
    for name, column in columns.items():
        if not isinstance(column, dict):
            raise TypeError(f"{name} must be a dict with an item per modality, got {column!r}.")
    if not preprocessor.steps or len({frozenset(column) for column in columns.values()}) > 1:
        got = "; ".join(f"{name}: {_list_names(column)}" for name, column in columns.items())
        raise ValueError(
            "steps, input_sampling_rate and sampling_rate must name the same modalities, got "
            f"{got}."
        )
    for name, steps in preprocessor.steps.items():
        _check_steps(
            name, steps, preprocessor.input_sampling_rate[name], preprocessor.sampling_rate[name]
        )
    duration = preprocessor.duration
    if not isinstance(duration, Real) or isinstance(duration, bool):
        raise TypeError(f"duration must be a number, in seconds, got {duration!r}.")
    if not 0 < duration < math.inf:
        raise ValueError(f"duration must be positive and finite, in seconds, got {duration}.")


def _check_steps(name, steps, input_sampling_rate, sampling_rate):
    """Raise if a step was told another rate than that of what it gets."""
    rate = check_sampling_rate(input_sampling_rate, f"input_sampling_rate[{name!r}]")
    last = check_sampling_rate(sampling_rate, f"sampling_rate[{name!r}]")
    if not isinstance(steps, (list, tuple)):
        raise TypeError(f"The steps of {name!r} must be a list of transformers, got {steps!r}.")
    for step in steps:
        if not isinstance(step, TransformerMixin):
            raise TypeError(f"Each step of {name!r} must be a transformer, got {step!r}.")
        expected = check_sampling_rate(
            getattr(step, "sampling_rate", rate), f"sampling_rate of {step!r}"
        )
        if expected != rate:
            raise ValueError(
                f"Each step must be told the rate of what it gets, but {step!r} of {name!r} "
                f"gets {rate:g} Hz."
            )
        rate = check_sampling_rate(
            getattr(step, "new_sampling_rate", rate), f"new_sampling_rate of {step!r}"
        )
    if rate != last:
        raise ValueError(
            f"The steps of {name!r} must lead from input_sampling_rate to sampling_rate, got "
            f"{input_sampling_rate:g} and {sampling_rate:g} Hz, but they end at {rate:g} Hz."
        )


def _find_modalities(recordings, steps):
    """Return the modalities to prepare, or raise if recordings have none or others."""
    first = None
    for recording in recordings:
        if not isinstance(recording, Recording):
            raise TypeError(f"Expected recordings, got a {type(recording).__name__}.")
        names = [name for name in steps if name in recording.signals]
        if not names:
            raise ValueError(
                f"A recording must have at least one of the modalities {_list_names(steps)}, but "
                f"that of {recording.subject} has {_list_names(recording.signals)}."
            )
        first = names if first is None else first
        if names != first:
            raise ValueError(
                f"All recordings must have the same of the modalities {_list_names(steps)}, got "
                f"{_list_names(first)} for {recordings[0].subject} and {_list_names(names)} for "
                f"{recording.subject}: prepare them apart, or leave a modality out of all."
            )
    return first


def _prepare_signal(recording, name, steps, input_sampling_rate, sampling_rate):
    """Return one modality after all steps, of shape (1, n_channels, n_times)."""
    rate = recording.sampling_rate[name]
    if not math.isclose(rate, input_sampling_rate):
        if rate < input_sampling_rate:
            raise ValueError(
                f"{name!r} must be sampled at {input_sampling_rate:g} Hz or faster, but that of "
                f"{recording.subject} is at {rate!r} Hz, which does not hold all that is "
                "expected: leave it out."
            )
        steps = [Resample(rate, input_sampling_rate), *steps]
    if not steps:
        return recording.signals[name]
    alone = Recording({name: recording.signals[name]}, {name: rate}, recording.subject)
    try:
        return alone.apply({name: make_pipeline(*steps)}, {name: sampling_rate}).signals[name]
    except ValueError as error:  # which knows neither modality nor subject
        raise ValueError(f"{name!r} of {recording.subject} cannot be prepared: {error}") from error


class Preprocessor(BaseEstimator):
    """All that happens between recordings and the windows that an encoder expects.

    Each modality goes through its steps as a whole recording, and is then cut into windows.
    An encoder keeps its preprocessor, in its file too, so that recordings of another study,
    or device, become windows like those that it was trained on.

    Parameters
    ----------
    steps : dict from str to list of transformers
        What is applied to each modality, in turn; copies are fitted on each recording. They
        must be those of ``physio_ssl.preprocessing`` to be saved with an encoder; others must
        keep the sampling rate.
    input_sampling_rate : dict from str to float
        Sampling rate that the first step of each modality expects, in Hz.
    sampling_rate : dict from str to float
        Sampling rate of each modality after the last step, in Hz.
    duration : float
        Length of the windows, in seconds.

    Notes
    -----
    A signal that was sampled faster than ``input_sampling_rate`` is resampled to it, with an
    anti-aliasing filter, before the first step. One that was sampled slower is an error.

    A recording may lack modalities, if it has one at least and all recordings of a call have the
    same ones. Modalities that are not in ``steps`` are left out.

    ``Standardize`` among the steps makes z-scores per recording. They see the unlabelled data
    of the test subjects too, which is to be said in the result.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.preprocessing import Preprocessor, Resample, Standardize
    >>> preprocessor = Preprocessor(
    ...     {"bvp": [Resample(64, 4), Standardize()], "eda": [Standardize()]},
    ...     input_sampling_rate={"bvp": 64, "eda": 4},
    ...     sampling_rate={"bvp": 4, "eda": 4},
    ...     duration=60,
    ... )
    >>> noise = np.random.default_rng(0).normal(size=128 * 300)
    >>> recording = Recording({"bvp": noise, "eda": noise[:1200]}, {"bvp": 128, "eda": 4}, "S1")
    >>> preprocessor.prepare(recording)
    Recording(S1: 300 s, bvp 1 x 4 Hz, eda 1 x 4 Hz)
    >>> preprocessor.make_windows(recording, step=30).X
    SignalDict(9 windows: bvp (1, 240), eda (1, 240))
    """

    def __init__(self, steps, input_sampling_rate, sampling_rate, duration):
        self.steps = steps
        self.input_sampling_rate = input_sampling_rate
        self.sampling_rate = sampling_rate
        self.duration = duration

    def prepare(self, recordings):
        """Apply the steps, without cutting windows.

        Parameters
        ----------
        recordings : Recording or list of Recording
            With at least one of the modalities.

        Returns
        -------
        Recording or list of Recording
            New recordings, with the modalities that were there and are in ``steps``.

        Raises
        ------
        TypeError
            If a parameter, a step or a recording is of a wrong kind.
        ValueError
            If the parameters do not fit each other, a recording has none of the modalities or
            others than the first one, a signal is sampled too slowly, or a step refuses it,
            e.g. as it is constant or has gaps.
        """
        if isinstance(recordings, Recording):
            return self.prepare([recordings])[0]
        _check_parameters(self)
        recordings = list(recordings)
        names = _find_modalities(recordings, self.steps)
        return [self._prepare_one(recording, names) for recording in recordings]

    def _prepare_one(self, recording, names):
        signals = {
            name: _prepare_signal(
                recording,
                name,
                self.steps[name],
                self.input_sampling_rate[name],
                self.sampling_rate[name],
            )
            for name in names
        }
        rates = {name: self.sampling_rate[name] for name in names}
        return Recording(
            signals, rates, recording.subject, recording.annotations, recording.start_time
        )

    def make_windows(self, recordings, step=None, *, labels=None, dtype=np.float32):
        """Apply the steps and cut windows.

        Parameters
        ----------
        recordings : Recording or list of Recording
            With at least one of the modalities.
        step : float, default=None
            Time from one window's start to the next, in seconds; None stands for
            ``duration``, windows without overlap.
        labels, dtype
            As of ``physio_ssl.make_windows``. Its ``valid_range`` is of signals in their
            unit, which the steps may have changed, and is no option here.

        Returns
        -------
        Windows
            As of ``physio_ssl.make_windows``; their ``X`` is what the encoder takes.

        Raises
        ------
        TypeError, ValueError
            As of ``prepare`` and ``physio_ssl.make_windows``.
        """
        prepared = self.prepare(recordings)
        return make_windows(prepared, self.duration, step, labels=labels, dtype=dtype)


def check_preprocessor(preprocessor, n_times):
    """Return a copy of an encoder's preprocessor, or raise if it makes other windows.

    Parameters
    ----------
    preprocessor : Preprocessor or None
        None, where it is not known how the windows were made, is returned as it is.
    n_times : dict from str to int
        Samples per window of each modality of the encoder.

    Returns
    -------
    Preprocessor or None
        A copy, which does not change with the original.

    Raises
    ------
    TypeError
        If ``preprocessor`` is something else.
    ValueError
        If its windows have other modalities or lengths.
    """
    if preprocessor is None:
        return None
    if not isinstance(preprocessor, Preprocessor):
        raise TypeError(f"preprocessor must be a Preprocessor or None, got {preprocessor!r}.")
    _check_parameters(preprocessor)
    made = {  # rounded, as 0.1 s at 30 Hz would be a little more than 3 samples
        name: round(preprocessor.duration * rate, 6)
        for name, rate in preprocessor.sampling_rate.items()
    }
    if made != n_times:
        shown = [
            _list_names(f"{name} {n:g}" for name, n in lengths.items())
            for lengths in (made, n_times)
        ]
        raise ValueError(
            "An encoder's windows must have the modalities and numbers of samples that its "
            f"preprocessor makes, {shown[0]}, got {shown[1]}: make them with its make_windows, or "
            "set preprocessor=None."
        )
    return clone(preprocessor)
