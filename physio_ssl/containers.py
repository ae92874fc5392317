"""Containers: windows of several modalities, and one continuous recording."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from types import MappingProxyType

import numpy as np

from ._check import check_list, check_sampling_rate, check_windows, has_modalities
from .interchange.dataframe import from_dataframe, to_dataframe
from .interchange.mne import from_mne, to_mne

_MOST_CHANNELS = 32  # of a signal that is shorter than it is wide; more were transposed


class SignalDict(Mapping):
    """Windows of several modalities, each at its own sampling rate.

    An immutable mapping from modality to array that scikit-learn can split: its length is
    the number of *windows*, and rows index a ``SignalDict`` of those windows.

    Parameters
    ----------
    signals : mapping, default=()
        Array of each modality, of shape (n_windows, n_channels, n_times) or
        (n_windows, n_times), which counts as one channel.
    **more : arrays
        The same, as keywords: ``SignalDict(bvp=..., eda=...)``.

    Raises
    ------
    TypeError
        If a name is not an identifier (modalities become keyword arguments).
    ValueError
        If there is no modality, or their numbers of windows differ.

    See Also
    --------
    Windows : Windows and what is known about them.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SignalDict
    >>> X = SignalDict(bvp=np.zeros((5, 1, 3840)), eda=np.zeros((5, 240)))
    >>> X
    SignalDict(5 windows: bvp (1, 3840), eda (1, 240))
    >>> X["eda"].shape
    (5, 1, 240)
    >>> X[[0, 2]].shape
    (2,)
    """

    __slots__ = ("_signals",)

    def __init__(self, signals=(), /, **more):
        arrays = {}
        try:
            signals = dict(signals)
        except (TypeError, ValueError) as error:
            raise TypeError(f"signals must be a dict of arrays, got {signals!r}.") from error
        for name, array in {**signals, **more}.items():
            if not (isinstance(name, str) and name.isidentifier()):
                raise TypeError(f"A modality's name must be an identifier, got {name!r}.")
            array = np.asanyarray(array)
            if array.ndim not in (2, 3):
                raise ValueError(
                    f"Modality {name!r} must have the shape (n_windows, n_channels, n_times) or "
                    f"(n_windows, n_times), got {array.shape}."
                )
            arrays[name] = array if array.ndim == 3 else array[:, np.newaxis]
        if not arrays:
            raise ValueError("A SignalDict needs at least one modality, got none.")
        if len({len(array) for array in arrays.values()}) > 1:
            counts = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
            raise ValueError(f"All modalities must have the same number of windows, got {counts}.")
        object.__setattr__(self, "_signals", arrays)

    def __setattr__(self, name, value):
        raise AttributeError("A SignalDict cannot be changed: build a new one.")

    def __reduce__(self):
        return type(self), (self._signals,)

    def __getitem__(self, key):
        if isinstance(key, str):
            if key not in self._signals:
                raise KeyError(f"No modality {key!r}, only {', '.join(self)}.")
            return self._signals[key]
        if isinstance(key, tuple):  # scikit-learn indexes rows as X[rows, ...]
            key, *rest = key
            if rest != [...]:
                raise IndexError(f"Index a SignalDict by modality or by windows; {self._advice}.")
        if np.ndim(key) == 0 and not isinstance(key, slice):
            key = [key]  # one window stays a SignalDict of windows
        return type(self)({name: array[key] for name, array in self._signals.items()})

    def __iter__(self):
        return iter(self._signals)

    def __len__(self):
        return len(next(iter(self._signals.values())))

    def __contains__(self, key):
        return key in self._signals

    def __eq__(self, other):
        if not isinstance(other, SignalDict):
            return NotImplemented
        return list(self) == list(other) and all(
            np.array_equal(self[name], other[name]) for name in self
        )

    __hash__ = None

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"A SignalDict is not one array; {self._advice}.")

    def __repr__(self):
        parts = ", ".join(f"{name} {array.shape[1:]}" for name, array in self.items())
        return f"SignalDict({len(self)} windows: {parts})"

    @property
    def shape(self):
        """The number of windows, as a tuple."""
        return (len(self),)

    @property
    def _advice(self):
        return (
            "embed first, e.g. encoder.fit_transform(X), or select one modality, "
            f"e.g. X[{next(iter(self))!r}]"
        )


def _check_mapping(value, name):
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping by name, got a {type(value).__name__}.")


def _check_columns(table, name):
    """Return annotations or ratings as a read-only mapping of equally long arrays, or None."""
    if table is None:
        return None
    _check_mapping(table, name)
    columns = {key: np.asarray(column) for key, column in table.items()}
    if name == "ratings" and "time" not in columns:
        raise ValueError(
            "Ratings need the column time and one per rating scale, got "
            f"{', '.join(columns) or 'none'}."
        )
    if "time" not in columns and set(columns) != {"onset", "duration", "description"}:
        raise ValueError(
            "Annotations need the columns onset, duration and description, or time and "
            f"one column per rating scale, got {', '.join(columns) or 'none'}."
        )
    shapes = {key: column.shape for key, column in columns.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 1:
        raise ValueError(f"Columns of {name} must be 1-D and equally long, got {shapes}.")
    for key in ("onset", "duration", "time"):
        if key in columns:
            columns[key] = columns[key].astype(float)
            if not np.isfinite(columns[key]).all():
                raise ValueError(f"Column {key!r} of {name} must be finite, in seconds.")
    if (np.diff(columns.get("time", ())) < 0).any():
        raise ValueError(f"Column 'time' of {name} must not go back, in seconds.")
    if "duration" in columns and (columns["duration"] < 0).any():
        shortest = columns["duration"].min()
        raise ValueError(f"Annotation durations must not be negative, got {shortest} s.")
    return MappingProxyType(columns)


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """Continuous signals of one subject on one clock.

    A recording is one long window: each signal is stored with the shape
    (1, n_channels, n_times), so every preprocessing estimator works on it.

    Parameters
    ----------
    signals : mapping from str to array
        Signal of each modality, of shape (n_times,), (n_channels, n_times) or
        (1, n_channels, n_times), with more samples than channels. All start at time 0 of the
        recording's clock.
    sampling_rate : mapping from str to float
        Sampling rate of each modality, in Hz.
    subject : str
        Who was recorded; becomes the group of each window.
    annotations : mapping from str to 1-D array, default=None
        Either ``onset`` and ``duration`` (seconds) and ``description`` (str) of events
        and stages, or ``time`` (seconds) and one column per rating scale.
    start_time : float, default=None
        Unix time (UTC, seconds) of the recording's start.
    start_offset : float, default=0
        Time from the start of the files to that of the recording, in seconds: what a reader
        dropped before all sensors had started.
    ratings : mapping from str to 1-D array, default=None
        ``time`` (seconds) and one column per rating scale, for a recording whose annotations are
        events and stages.
    metadata : mapping from str to any value, default={}
        What is known of the whole recording: answers to questionnaires, grades, the device.

    See Also
    --------
    make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl import Recording
    >>> Recording({"eda": [0.5] * 40}, {"eda": 4}, "P01")
    Recording(P01: 10 s, eda 1 x 4 Hz)
    """

    signals: SignalDict
    sampling_rate: Mapping
    subject: str
    annotations: Mapping | None = None
    start_time: float | None = None
    start_offset: float = 0.0
    ratings: Mapping | None = None
    metadata: Mapping = field(default_factory=dict)

    def __post_init__(self):
        _check_mapping(self.signals, "signals")
        _check_mapping(self.sampling_rate, "sampling_rate")
        signals = {}
        for name, signal in self.signals.items():
            signal = np.asanyarray(signal)
            if signal.ndim < 3:
                signal = signal.reshape((1,) * (3 - signal.ndim) + signal.shape)
            if len(signal) != 1 or signal.ndim != 3:
                raise ValueError(
                    f"Signal {name!r} must be one window, of shape (1, n_channels, n_times), got "
                    f"{signal.shape}."
                )
            if signal.shape[1] > max(signal.shape[2], _MOST_CHANNELS):
                raise ValueError(
                    f"Signal {name!r} must have more samples than channels, got {signal.shape[2]} "
                    f"samples of {signal.shape[1]} channels: transpose it, signal.T."
                )
            signals[name] = signal
        signals = SignalDict(signals)
        if set(self.sampling_rate) != set(signals):
            names = ", ".join(self.sampling_rate)
            raise ValueError(f"sampling_rate must name {', '.join(signals)}, got {names}.")
        rates = {
            name: check_sampling_rate(self.sampling_rate[name], f"sampling_rate[{name!r}]")
            for name in signals
        }
        object.__setattr__(self, "signals", signals)
        object.__setattr__(self, "sampling_rate", MappingProxyType(rates))
        object.__setattr__(self, "subject", str(self.subject))
        object.__setattr__(self, "annotations", _check_columns(self.annotations, "annotations"))
        object.__setattr__(self, "ratings", _check_columns(self.ratings, "ratings"))
        _check_mapping(self.metadata, "metadata")
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __reduce__(self):  # a read-only mapping cannot be pickled as it is
        values = (getattr(self, item.name) for item in fields(self))
        return type(self), tuple(
            dict(value) if isinstance(value, MappingProxyType) else value for value in values
        )

    def __array__(self, dtype=None, copy=None):  # which estimators ask for
        raise TypeError(
            "A Recording is no array: cut it with make_windows, or with Preprocessor.make_windows, "
            "and give an estimator windows.X."
        )

    def __repr__(self):
        parts = ", ".join(
            f"{name} {signal.shape[1]} x {self.sampling_rate[name]:g} Hz"
            for name, signal in self.signals.items()
        )
        return f"Recording({self.subject}: {self.duration:.0f} s, {parts})"

    @property
    def duration(self):
        """Time covered by all of the signals, in seconds."""
        return min(
            signal.shape[-1] / self.sampling_rate[name] for name, signal in self.signals.items()
        )

    from_dataframe = classmethod(from_dataframe)
    to_dataframe = to_dataframe
    from_mne = classmethod(from_mne)
    to_mne = to_mne

    def plot(self, signals=None, *, quality=True, ax=None):
        """Draw signals, annotations, gaps and quality: ``RecordingDisplay.from_recording``."""
        display = import_module(f"{__package__}.plotting").RecordingDisplay  # imports matplotlib
        return display.from_recording(self, signals, quality=quality, ax=ax)

    def annotate(self, onset, duration, description, *, clock="recording"):
        """Return a new recording with events or stages added to its annotations.

        Parameters
        ----------
        onset : array-like of shape (n_events,)
            When the events start, in seconds.
        duration : float or array-like of shape (n_events,)
            How long they last, in seconds.
        description : str or array-like of shape (n_events,)
            What they are.
        clock : {"recording", "file", "unix"}, default="recording"
            What ``onset`` counts from: the start of the recording; the start of its files, which
            is ``start_offset`` seconds earlier; or 1970, as unix time, which needs ``start_time``.

        Returns
        -------
        Recording
            The same signals, with all annotations sorted by onset. This recording is unchanged.

        Raises
        ------
        ValueError
            If the clock is unknown, the columns do not fit together, the recording has ratings over
            time in place of events, or an event does not overlap the recording.

        Examples
        --------
        >>> import numpy as np
        >>> from physio_ssl import Recording
        >>> recording = Recording({"eda": np.zeros(480)}, {"eda": 4}, "S01", start_offset=0.5)
        >>> recording = recording.annotate([10, 70], 30, ["rest", "stress"], clock="file")
        >>> recording.annotations["onset"].tolist()
        [9.5, 69.5]
        """
        starts = {"recording": 0.0, "file": self.start_offset, "unix": self.start_time}
        if starts.get(clock) is None:
            raise ValueError(
                f"clock must be one of {', '.join(starts)}, the last with a start_time, got "
                f"{clock!r} for a recording with start_time={self.start_time}."
            )
        columns = [np.atleast_1d(x) for x in (onset, duration, description)]
        shapes = {x.shape for x in columns} - {(1,)}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise ValueError(
                "onset, duration and description must be 1-D and equally long, or one value, got "
                f"the shapes {', '.join(str(x.shape) for x in columns)}."
            )
        onset, duration, description = np.broadcast_arrays(*columns)
        onset = onset.astype(float) - starts[clock]
        added = {"onset": onset, "duration": duration, "description": description}
        end = max(x.shape[-1] / self.sampling_rate[name] for name, x in self.signals.items())
        outside = ~((onset <= end) & (onset + duration >= 0))
        if outside.any():
            raise ValueError(
                f"Events must overlap the recording, 0 to {end:g} s, got {outside.sum()} outside, "
                f"the first at {onset[outside][0]:g} s of it. The clock was {clock!r}."
            )
        present = self.annotations or dict.fromkeys(added, [])
        if "time" in present:
            raise ValueError(f"Events cannot be added to ratings over time, got {[*present]}.")
        columns = {name: np.concatenate([present[name], added[name]]) for name in added}
        order = np.argsort(columns["onset"], kind="stable")
        return replace(self, annotations={name: x[order] for name, x in columns.items()})


def as_modalities(X, estimator=None, *, reset=False, check=False):
    """Return the arrays of ``X`` by modality.

    Parameters
    ----------
    X : SignalDict, mapping from str to array, or array-like
        Windows, as for ``check_windows``. A plain array is one modality called ``"signal"``.
    estimator : estimator, default=None
        Named in errors about a plain array.
    reset : bool, default=False
        Whether this is a call from ``fit``.
    check : bool, default=False
        Whether to check the arrays of a mapping, too, with ``check_windows``.

    Returns
    -------
    dict from str to ndarray
        Arrays of three dimensions; a plain array keeps its two.
    """
    if not has_modalities(X):
        return {"signal": check_windows(X, estimator, reset=reset)}
    signals = dict(SignalDict(X))
    for name in signals if check else ():
        try:
            signals[name] = check_windows(signals[name])
        except ValueError as error:
            raise ValueError(f"Modality {name!r}: {error}") from error
    return signals


def as_recordings(recordings):
    """Return a new list of recordings, given one or an iterable of them."""
    many = isinstance(recordings, Iterable) and not isinstance(recordings, (str, bytes, Mapping))
    recordings = check_list(recordings, "recordings") if many else [recordings]
    for recording in recordings:
        if not isinstance(recording, Recording):
            kind = type(recording).__name__
            raise TypeError(f"recordings must be a Recording or several, got a {kind}.")
    return recordings
