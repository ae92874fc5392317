"""Recordings from pandas DataFrames, and back."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from .._check import check_kind, check_sampling_rate
from .._timestamps import check_time, place_on_grid
from ._columns import find_runs, group_columns, name_channels

_LATEST = 9e9  # seconds that fit into nanoseconds


def _read_stamps(frame, time, sampling_rate):
    """Return the stamps of a frame's rows in nanoseconds, and whether they are dates."""
    if not frame.columns.is_unique:
        raise ValueError(f"Columns must have different names, got {', '.join(map(str, frame))}.")
    if time is not None and time not in frame:
        names = ", ".join(map(str, frame.columns))
        raise ValueError(f"time must be a column of the DataFrame, {names}, got {time!r}.")
    stamps = frame.index if time is None else pd.Index(frame[time])
    is_date = isinstance(stamps, pd.DatetimeIndex)
    if stamps.hasnans or stamps.empty:
        raise ValueError(
            f"A DataFrame needs rows with a time stamp each, got {len(stamps)} rows and "
            f"{stamps.isna().sum()} missing stamps."
        )
    if is_date or isinstance(stamps, pd.TimedeltaIndex):
        if is_date and stamps.tz is not None:
            stamps = stamps.tz_convert("UTC")
        return stamps.as_unit("ns").asi8, is_date
    kind = getattr(stamps.dtype, "kind", "O")
    if kind not in "iuf" or isinstance(stamps, pd.MultiIndex):
        raise TypeError(
            "Time stamps must be datetimes, timedeltas or seconds as floats, got "
            f"{stamps.dtype}: convert them first, with pandas.to_datetime."
        )
    if kind in "iu" and time is None:  # no stamps: the numbers of the rows
        if sampling_rate is None:
            raise ValueError(
                "An index of integers counts samples, and needs the sampling_rate: pass it, or "
                "name the column of stamps, time=..."
            )
        stamps = stamps / check_sampling_rate(sampling_rate)
    seconds = stamps.to_numpy(float)
    if not (np.abs(seconds) < _LATEST).all():
        raise ValueError(
            f"Time stamps as numbers must be seconds, got {seconds[0]:g}: convert those in other "
            'units first, for example with pandas.to_datetime(..., unit="ms").'
        )
    return np.round(seconds * 1e9).astype(np.int64), is_date


def _get_values(frame, columns):
    """Return columns as an array of shape (n_channels, n_rows), with the dtype that holds all."""
    table = frame[columns]
    for name, dtype in zip(columns, table.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(dtype) or dtype.kind not in "iuf":
            raise TypeError(
                f"Column {name!r} must hold numbers to be a signal, got {dtype}: name the columns "
                "of each signal with columns={...}."
            )
    dtype = np.result_type(*(np.dtype(getattr(x, "numpy_dtype", x)) for x in table.dtypes))
    if table.isna().any(axis=None):
        dtype = np.result_type(dtype, np.float16 if dtype.kind == "f" else np.float64)
        return table.to_numpy(dtype, na_value=np.nan).T
    return table.to_numpy(dtype).T


def _pad(samples, before, after, dtype):
    """Return samples between gaps of NaN, with the dtype if it holds them."""
    if before or after:
        samples = samples.astype(np.result_type(samples, np.float16), copy=False)
        samples = np.pad(samples, [(0, 0), (before, after)], constant_values=np.nan)
    if dtype.kind == "f" or np.isfinite(samples).all():
        return samples.astype(dtype, copy=False)
    return samples


def _choose_rows(known, times, sampling_rate, tolerance):
    """Return the rows of a signal: all of them, or those known if others are of a faster signal."""
    rows = np.flatnonzero(known)
    if not rows.size:
        raise ValueError("it must hold numbers, got none but NaN.")
    if len(rows) == len(times):
        return rows
    if len(rows) > 1 and np.median(np.diff(times[rows])) > 1.5 * np.median(np.diff(times)):
        return rows
    try:
        place_on_grid(times, known, sampling_rate, tolerance)
    except ValueError:  # stamps of several rates
        return rows
    return np.arange(len(times))


def _place_signal(values, times, sampling_rate, tolerance):
    """Return the start, the rate and the samples of a signal, from the first row to the last."""
    rows = _choose_rows(~np.isnan(values).all(axis=0), times, sampling_rate, tolerance)
    start, rate, samples = place_on_grid(times[rows], values[:, rows], sampling_rate, tolerance)
    before, after = ((times[rows[[0, -1]]] - times[[0, -1]]) * [rate, -rate] + 1e-6).astype(int)
    return start - before / rate, rate, _pad(samples, before, after, samples.dtype)


def _find_events(labels, times):
    """Return runs of equal labels as annotations; a missing label is no event."""
    values, known = labels.to_numpy(object), labels.notna().to_numpy()
    if pd.api.types.is_float_dtype(labels) and (labels[known] % 1 == 0).all():
        values[known] = labels[known].astype(int)  # whole numbers, which NaN has made floats
    values = np.where(known, values.astype(str), None)
    bounds = find_runs(values)
    interval = np.median(np.diff(times)) if len(times) > 1 else 0.0
    # A label holds until the next row, but not over a gap.
    stop = np.minimum(np.append(times[1:], np.inf), times + interval)[bounds[1:] - 1]
    onset, description = times[bounds[:-1]], values[bounds[:-1]]
    chosen = known[bounds[:-1]]
    return {
        "onset": onset[chosen],
        "duration": (stop - onset)[chosen],
        "description": description[chosen].astype(str),
    }


def _split(df, columns, time, label):
    """Yield the frame, the modality's name and its columns for each modality of a frame."""
    others = {time, label} - {None}
    if isinstance(df, Mapping):
        if columns is not None or not df:
            raise ValueError(
                "df must map modalities to DataFrames, whose columns are the channels, without "
                f"columns, got {len(df)} of them and columns={columns!r}."
            )
        for name, frame in df.items():
            frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
            check_kind(frame, f"df[{name!r}]", pd.DataFrame, "a DataFrame or a Series")
            yield frame, name, [column for column in frame if column not in others]
        return
    check_kind(df, "df", pd.DataFrame, "a DataFrame, or a dict of them")
    default = [column for column in df if column not in others]
    for name, group in group_columns(columns, list(df), default).items():
        yield df, name, group


def from_dataframe(
    cls, df, subject, columns=None, *, time=None, sampling_rate=None, tolerance=0.5, label=None
):
    """Make a recording of a pandas DataFrame, or of one for each sampling rate.

    Samples are placed on the grid of their signal's sampling rate by their time stamps. Their
    values are not changed: each moves to the nearest point of the grid. Where stamps are missing,
    the signal has a gap, which is NaN.

    Parameters
    ----------
    df : DataFrame or mapping from str to DataFrame
        Signals, one sample in each row. Or the frame of each modality, each at its own rate, whose
        columns are the channels. If one frame holds several rates, NaN fills the rows between the
        samples of the slower signals.
    subject : str
        Who was recorded.
    columns : mapping from str to str or list of str, default=None
        Column of each modality, or several, one for each channel:
        ``{"eda": "EDA (uS)", "acc": ["x", "y", "z"]}``. Other columns are left out. None makes
        each column a modality of its own. Not for a mapping of frames.
    time : str, default=None
        Column of the time stamps; None for the index. Stamps are datetimes, timedeltas or numbers
        of seconds. Datetimes without a time zone are in UTC. An index of integers, as a
        DataFrame has by default, counts samples.
    sampling_rate : float or mapping from str to float, default=None
        Sampling rate of all signals or of each modality, in Hz. None estimates it from the stamps,
        and rounds it as far as they allow.
    tolerance : float, default=0.5
        How far a stamp may be off the grid of its signal, as a fraction of the sampling interval,
        at most 0.5. After a gap of more than three intervals, the grid may start anew by up to
        half an interval.
    label : str, default=None
        Column of labels. Runs of equal labels become annotations, described by the label as str.
        A missing label is no event.

    Returns
    -------
    Recording
        Signals that start with the first of them, the others after a gap; the start is moved to a
        sample of each signal, by up to half its interval. Dtypes are kept, but integers with gaps
        become floats. Datetimes give ``start_time``, other stamps ``start_offset``.

    Raises
    ------
    TypeError, ValueError
        If a column holds no numbers, stamps are missing, duplicated or go back, or are further off
        the grid than the tolerance; or if an argument does not fit the frame.

    See Also
    --------
    Recording.to_dataframe

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from physio_ssl import Recording
    >>> index = pd.date_range("2026-01-01 12:00", periods=240, freq="250ms", tz="UTC")
    >>> df = pd.DataFrame({"eda": np.ones(240), "stage": "rest"}, index)
    >>> Recording.from_dataframe(df, "S01", label="stage")
    Recording(S01: 60 s, eda 1 x 4 Hz)
    """
    check_kind(time, "time", Hashable, "the name of a column")
    check_kind(label, "label", Hashable, "the name of a column")
    parts, labels, kinds = {}, [], set()
    rate_of = sampling_rate if isinstance(sampling_rate, Mapping) else None
    for frame, name, group in _split(df, columns, time, label):
        rate = sampling_rate if rate_of is None else rate_of.get(name)
        stamps, is_date = _read_stamps(frame, time, rate)
        check_time((stamps - stamps[0]) / 1e9, len(stamps))
        kinds.add(is_date)
        parts[name] = _get_values(frame, group), stamps, rate
        if label is not None and label in frame:
            labels.append((frame[label], stamps))
    if unknown := set(rate_of or ()) - set(parts):
        raise ValueError(f"sampling_rate must name some of {[*parts]}, got {sorted(unknown)}.")
    if len(kinds) != 1:
        raise ValueError("Time stamps must be datetimes in all frames or in none, got both.")
    if label is not None and not labels:
        raise ValueError(f"label must be a column of a DataFrame, got {label!r}.")
    origin = min(stamps[0] for _, stamps, _ in parts.values())
    placed = {}
    for name, (values, stamps, rate) in parts.items():
        try:
            placed[name] = _place_signal(values, (stamps - origin) / 1e9, rate, tolerance)
        except ValueError as error:
            raise ValueError(f"Signal {name!r}: {error}") from error
    first = min(start for start, _, _ in placed.values())
    signals, rates = {}, {}
    for name, (start, rates[name], samples) in placed.items():
        signals[name] = _pad(samples, round((start - first) * rates[name]), 0, parts[name][0].dtype)
    begin = origin / 1e9 + first
    events = None
    if labels:
        series, stamps = max(labels, key=lambda pair: len(pair[1]))
        events = _find_events(series, (stamps - origin) / 1e9 - first)
    clock = {"start_time": begin} if is_date else {"start_offset": begin}
    return cls(signals, rates, subject, events, **clock)


def _make_index(recording, n_times, rate, tz):
    """Return the times of samples: datetimes if the start is known, else seconds."""
    if recording.start_time is None:
        return pd.Index(recording.start_offset + np.arange(n_times) / rate)
    first = round(recording.start_time * 1e6) * 1000  # a float holds microseconds since 1970
    stamps = first + np.round(np.arange(n_times) * (1e9 / rate)).astype(np.int64)
    return pd.to_datetime(stamps, unit="ns", utc=True).tz_convert(tz)


def _make_labels(recording, n_times, rate):
    """Return the description of the event at each sample, or None where there is none."""
    events = recording.annotations or {}
    labels = np.full(n_times, None, object)
    if "time" in events:
        raise ValueError(f"A column of labels needs events, got ratings over time, {[*events]}.")
    for onset, duration, description in zip(*events.values(), strict=True):
        first, last = round(onset * rate), round((onset + duration) * rate)
        covered = slice(max(first, 0), max(last, first + 1, 0))
        if any(label is not None for label in labels[covered]):
            raise ValueError(
                "A column of labels holds one for each sample, but events overlap at "
                f"{onset:g} s, {str(description)!r}: pass label=None."
            )
        labels[covered] = description
    return labels


def _make_frame(recording, groups, label, tz):
    """Return signals of one rate as a DataFrame, as long as the longest."""
    rate = recording.sampling_rate[next(iter(groups))]
    n_times = max(recording.signals[name].shape[-1] for name in groups)
    data = {}
    for name, channels in groups.items():
        signal = recording.signals[name][0]
        signal = _pad(signal, 0, n_times - signal.shape[-1], signal.dtype)
        data.update(zip(channels, signal, strict=True))
    if label in data:
        raise ValueError(f"label must not be the name of a signal's column, got {label!r}.")
    if label is not None:
        data[label] = _make_labels(recording, n_times, rate)
    return pd.DataFrame(data, _make_index(recording, n_times, rate, tz))


def to_dataframe(self, columns=None, *, label=None, tz="UTC"):
    """Return the signals as a pandas DataFrame, or one for each modality.

    Parameters
    ----------
    columns : mapping from str to str or list of str, default=None
        Names of the column of each modality, or of one for each channel, as in
        :meth:`from_dataframe`. Other modalities are left out. None takes all of them; columns of
        ``acc`` with three channels are ``acc_0``, ``acc_1`` and ``acc_2``.
    label : str, default=None
        Name of a column with the description of the event at each sample, None where there is no
        event. Events must not overlap. None leaves events out.
    tz : str or tzinfo, default="UTC"
        Time zone of the datetimes; None for UTC without a time zone.

    Returns
    -------
    DataFrame or dict from str to DataFrame
        One frame if all signals have one sampling rate; shorter ones end with NaN. Otherwise a
        frame for each modality. The index holds datetimes, exact to the microsecond, if the
        recording has a ``start_time``, and otherwise seconds, from ``start_offset`` on. Ratings
        and metadata are left out.

    Raises
    ------
    ValueError
        If ``columns`` does not fit the channels, two columns have one name, or events overlap.

    See Also
    --------
    Recording.from_dataframe

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> signals = {"eda": np.ones(3), "temp": np.zeros(3)}
    >>> recording = Recording(signals, {"eda": 4, "temp": 4}, "S01")
    >>> recording.to_dataframe()
          eda  temp
    0.00  1.0   0.0
    0.25  1.0   0.0
    0.50  1.0   0.0
    """
    check_kind(label, "label", Hashable, "the name of a column")
    groups = name_channels(self, columns)
    if len({self.sampling_rate[name] for name in groups}) == 1:
        return _make_frame(self, groups, label, tz)
    return {name: _make_frame(self, {name: groups[name]}, label, tz) for name in groups}
