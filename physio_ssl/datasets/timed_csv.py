"""Reader of CSV files in which each sample has a time stamp."""

import io
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .._check import check_choice, check_groups, check_list, check_mapping
from .._timestamps import join_signals, place_on_grid
from .._units import choose_unit, spell_unit
from ..containers import Recording
from ._channels import choose_channels
from ._common import decode_text, explain_errors, list_paths, name_modalities, read_file
from ._table import check_columns

_PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
_UNIX = 1e9, 4.1e9  # seconds of the years 2001 to 2099
_DAY = 86400


def _find_unit(column):
    """Return the unit at the end of a column's name, in brackets, or None."""
    match = re.search(r"[\[(]([^\])]+)[\])]\s*$", column)
    return match and spell_unit(match[1])


def _split_names(text):
    """Return the separator, and the names of the columns in the first line."""
    lines = text.splitlines()
    separator = max(";,\t", key=lines[0].count) if lines else ","
    names = [name.strip().strip('"') for name in lines[0].split(separator)] if lines else []
    names = names[:-1] if names and not names[-1] else names
    if len(names) < 2 or len(lines) < 2:
        raise ValueError(
            f"it must have a line of names separated by ; , or tabs and rows, got {text[:60]!r}"
        )
    if not text.endswith("\n") or lines[-1].count(separator) < len(names) - 1:
        raise ValueError(
            f"it must end with a whole row of {len(names)} columns and a line break, got "
            f"{lines[-1][-60:]!r}"
        )
    return separator, names


def _read_columns(text, separator, indices):
    """Return the columns of a table, by index."""
    table = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        skiprows=1,
        usecols=sorted(set(indices)),
        low_memory=False,
    )
    return {index: table[index] for index in indices}


def _to_samples(column, name):
    """Return the numbers of a column; empty cells are NaN."""
    if column.dtype.kind not in "iuf":
        wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        got = str(wrong.iloc[0]) if len(wrong) else str(column.iloc[0])
        raise ValueError(f"column {name!r} must hold numbers, got {got[:60]!r}")
    return column.to_numpy(float)


def _to_seconds(column, name, unit):
    """Return stamps as seconds since the first, and the first in unix time, None if unknown."""
    if column.isna().any():
        raise ValueError(f"column {name!r} must have a time in each row, got an empty cell")
    if column.dtype.kind not in "iuf":
        return _parse_times(column.astype(str), name)
    first = column.iloc[0]
    unit = unit or _find_unit(name)
    if unit not in _PER_SECOND:
        near = [u for u, n in _PER_SECOND.items() if _UNIX[0] <= first / n <= _UNIX[1]]
        if not near:
            raise ValueError(f"time_unit of column {name!r} must be given, got {first} without one")
        (unit,) = near
    # integers first, as nanoseconds of unix time are not exact as float64
    seconds = (column - first).to_numpy(float) / _PER_SECOND[unit]
    start = float(first) / _PER_SECOND[unit]
    return seconds, start if _UNIX[0] <= start <= _UNIX[1] else None


def _parse_times(column, name):
    """Return times of day, or dates and times, as ``_to_seconds`` does."""
    first = column.iloc[0].strip()
    try:
        if re.match(r"\d+:\d\d:\d\d", first):
            seconds = pd.to_timedelta(column).to_numpy() / np.timedelta64(1, "s")
            return seconds - seconds[0] + _DAY * np.cumsum(
                np.diff(seconds, prepend=0) < -_DAY / 2
            ), None
        times = pd.to_datetime(column, format="ISO8601", utc=True).dt.tz_localize(None)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"column {name!r} must hold numbers, ISO 8601 or HH:MM:SS.mmm, got {first[:60]!r}: "
            f"{error}"
        ) from error
    has_zone = re.search(r"(Z|[+-]\d\d:?\d\d)$", first)
    times = times.to_numpy("datetime64[ns]")
    seconds = (times - times[0]) / np.timedelta64(1, "s")
    return seconds, times[0].astype(float) / 1e9 if has_zone else None


def _read_file(path, time, signals, time_unit):
    """Return stamps, first unix time, and the samples by modality that are all in this file."""
    with explain_errors(path, "a table of samples"):
        text = decode_text(read_file(path), path)
        separator, names = _split_names(text)
        check_columns(names, [time], path)
        here = {key: columns for key, columns in signals.items() if set(columns) <= set(names)}
        if not here:
            raise ValueError(f"it must have the columns of {signals}, got {names[:60]}")
        chosen = choose_channels(names, here, path)
        found = names.index(time)
        columns = _read_columns(text, separator, [found, *sum(chosen.values(), [])])
        seconds, start = _to_seconds(columns[found], time, time_unit)
        samples = {
            modality: np.stack([_to_samples(columns[i], names[i]) for i in indices])
            for modality, indices in chosen.items()
        }
    return seconds, start, samples


def _convert(samples, unit):
    """Return samples as float32 in the unit that recordings have, and that unit."""
    unit, factor = choose_unit(unit)
    with np.errstate(over="ignore"):
        samples = (samples * factor).astype(np.float32)
    if np.isinf(samples).any():
        raise ValueError("samples must be finite as float32, got infinity")
    return samples, unit


def _check_signals(signals):
    """Return the columns of each modality as lists."""
    if not isinstance(signals, Mapping):
        columns = check_list(signals, "signals", "a mapping or a list of columns", of=str)
        names = [re.sub(r"[\[(][^\])]*[\])]\s*$", "", column) for column in columns]
        signals = dict(zip(name_modalities(names, "signals"), columns, strict=True))
    return check_groups(signals, "signals")


def load_csv(
    path,
    time,
    signals,
    *,
    time_unit=None,
    units=None,
    sampling_rate=None,
    tolerance=0.5,
    subject=None,
):
    """Read signals from CSV files with a column of times, such as those of Polar and Bangle.js.

    Columns are separated by ``;`` or ``,`` or tabs, and the first line has their names. Each signal
    has the rate of its stamps, and rows in which it is empty do not count. A stamp may be off its
    grid point by at most ``tolerance``, and grid points without a stamp are gaps: samples of NaN.

    Parameters
    ----------
    path : str, path-like or sequence of them
        The file, or files of one recording with the same column of times.
    time : str
        Column of the times: numbers, ISO 8601, or times of the day as ``HH:MM:SS.mmm``.
    signals : mapping from str to str or list of str, or sequence of str
        Columns of each modality: ``{"ecg": "ecg [uV]", "acc": ["X [mg]", "Y [mg]", "Z [mg]"]}``. A
        sequence has columns that become modalities of their own, in lower case, without units.
    time_unit : {None, "s", "ms", "us", "ns"}, default=None
        Unit of times that are numbers. None is the unit in brackets at the end of the column's
        name, or that in which the first time is unix time of the years 2001 to 2099.
    units : mapping from str to str, default=None
        Unit of each modality's columns; None for the one in brackets at the end of their names.
        Volts become mV, siemens become microsiemens, and mg becomes g. Others are kept.
    sampling_rate : float or mapping from str to float, default=None
        Sampling rate in Hz, of each modality; None estimates it from the stamps, as whole as they
        allow.
    tolerance : float, default=0.5
        How far a stamp may be off its grid point, as a part of the interval, up to 0.5. More is an
        error: the signal is irregular, or its rate is another.
    subject : str, default=None
        Who was recorded; None for the name of the first file.

    Returns
    -------
    Recording
        The signals, as float32, from the first sample of any to the last. ``metadata["units"]`` has
        their units, None if unknown. ``start_time`` is known from unix times, and from ISO 8601
        with a time zone.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If a file is missing, cut off or malformed, a column is missing or holds no numbers, a
        signal is in none or several of the files, times do not increase, are further off the grid
        than the tolerance, or have no known unit.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Notes
    -----
    Times at which a phone received samples are no use: a packet of samples shares one. Take those
    of the sensor. Intervals between heartbeats, as in Polar's PPI files, are no signal with a rate.

    Examples
    --------
    >>> from physio_ssl.datasets import load_csv
    >>> recording = load_csv("ecg.txt", "timestamp [ms]", {"ecg": "ecg [uV]"})  # doctest: +SKIP
    """
    check_choice("time_unit", time_unit, (None, *_PER_SECOND))
    units = check_mapping(units, "units")
    signals = _check_signals(signals)
    paths, placed, starts = list_paths(path), {}, []
    for file in paths:
        seconds, start, samples = _read_file(file, time, signals, time_unit)
        starts.append(start)
        if twice := samples.keys() & placed:
            raise ValueError(f"Each signal must be in one file only, got {twice} in {file} again.")
        for name, values in samples.items():
            with explain_errors(file, f"a table of {name!r}"):
                unit = units.get(name) or _find_unit(signals[name][0])
                values, unit = _convert(values, unit)
                there = ~np.isnan(values).all(axis=0)
                rate = (
                    sampling_rate.get(name) if isinstance(sampling_rate, Mapping) else sampling_rate
                )
                first, rate, values = place_on_grid(
                    seconds[there], values[:, there], rate, tolerance
                )
            first += start or 0
            placed[name] = [(first, first + values.shape[-1] / rate, values)], rate, unit
    if missing := [name for name in signals if name not in placed]:
        raise ValueError(f"{path} must have the columns of {missing}, got them in no file.")
    if len(paths) > 1 and None in starts:
        raise ValueError(f"Several files must have unix times, got others in {path}.")
    parts, rates, units = ({name: placed[name][i] for name in signals} for i in range(3))
    start, _, samples = join_signals(parts, rates)
    return Recording(
        samples,
        rates,
        paths[0].stem if subject is None else subject,
        start_time=None if None in starts else start,
        metadata={"units": units},
    )
