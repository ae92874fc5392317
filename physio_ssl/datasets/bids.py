"""Reader of physiological recordings in BIDS, the Brain Imaging Data Structure."""

import csv
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .._check import check_number
from .._units import choose_unit, spell_unit
from ..containers import Recording
from ._common import (
    check_device_rate,
    decode_text,
    explain_errors,
    name_modalities,
    parse_number,
    read_file,
    read_gzip,
)
from ._table import read_rows
from .reading import annotate_intervals, choose_signals, find_paths, read_subjects

_FIELDS = ("SamplingFrequency", "StartTime", "Columns")
_LONGEST = 86400  # s, of events and between the starts of the files of a run


def _split_name(path):
    """Return the entities of a file's name, such as sub-01 and task-rest, and the rest of it."""
    *entities, rest = path.name.split("_")
    return frozenset(entities), rest


def _find_applicable(entities, suffix, folder, root):
    """Return files about the entities, from those of all subjects to the most specific one."""
    folders = [folder, *folder.parents]
    folders = folders[: folders.index(root) + 1][::-1]
    found = [path for place in folders for path in sorted(place.glob(f"*{suffix}"))]
    names = [(path, *_split_name(path)) for path in found]
    return [path for path, other, rest in names if other <= entities and rest == suffix]


def _read_sidecar(path, root):
    """Return what JSON files say of a file; the more specific ones win."""
    fields = {}
    for file in _find_applicable(_split_name(path)[0], "physio.json", path.parent, root):
        with explain_errors(file, "JSON"):
            fields.update(json.loads(decode_text(read_file(file), file)))
    with explain_errors(path):
        if missing := [name for name in _FIELDS if name not in fields]:
            raise ValueError(f"its JSON files must have {', '.join(_FIELDS)}, and lack {missing}")
        columns = fields["Columns"]
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            raise ValueError(f"Columns must be a list of names, got {columns!r}")
        rate = check_device_rate(fields["SamplingFrequency"], "SamplingFrequency")
        start = check_number(fields["StartTime"], "StartTime", -1e9, 1e9, "a number of seconds")
        units = [_get_unit(fields.get(name)) for name in columns]
    return name_modalities(columns, path), rate, start, units


def _get_unit(column):
    """Return the unit of a column's description, with u for micro."""
    unit = column.get("Units") if isinstance(column, dict) else None
    return spell_unit(unit) if isinstance(unit, str) else None


def _read_samples(path, n_columns):
    """Return the samples of a file, of shape (n_columns, n_times)."""
    text = decode_text(read_gzip(path), path)
    with explain_errors(path, "tab-separated numbers"):
        table = pd.read_csv(
            io.StringIO(text),
            sep="\t",
            header=None,
            dtype=float,
            na_values=["n/a"],
            keep_default_na=False,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
        )
        if table.shape[1] != n_columns:
            raise ValueError(f"each row must have the {n_columns} columns of the JSON file")
        if np.isinf(table).any(axis=None):
            raise ValueError("samples must be finite or n/a, got infinity")
    return table.to_numpy().T


def _read_events(path, start):
    """Return the rows of an events file as annotations, on the clock of the recording."""
    events = []
    rows = read_rows(path, ("onset", "duration"), delimiter="\t", quoting=csv.QUOTE_NONE)
    for place, row in rows:
        duration = row["duration"].replace("n/a", "0")
        seconds = [parse_number(row["onset"], place), parse_number(duration, place)]
        if not (np.abs(seconds) <= _LONGEST).all():
            raise ValueError(f"{place} must hold seconds of at most a day, got {seconds}.")
        events.append((seconds[0] - start, seconds[1], row.get("trial_type", "event")))
    return annotate_intervals(events)


def _load_run(subject, files, chosen, root):
    """Return the recording of files of one run, or say why there is none."""
    starts = [start for _, (_, _, start, _) in files]
    first = min(starts)
    if max(starts) - first > _LONGEST:
        raise ValueError(f"{files[0][0]} and the others of its run must start within a day.")
    signals, rates, units = {}, {}, {}
    for path, (names, rate, start, found) in files:
        if not set(chosen) & set(names):
            continue
        samples = _read_samples(path, len(names))
        for name, unit, x in zip(names, found, samples, strict=True):
            if name in signals:
                raise ValueError(f"{path} must not hold {name!r}, which is in another of its run.")
            if name in chosen:
                units[name], factor = choose_unit(unit)
                gap = [round((start - first) * rate), 0]
                signals[name] = np.pad(x * factor, gap, constant_values=np.nan).astype(np.float32)
                rates[name] = rate
    entities, path = _split_name(files[0][0])[0], files[0][0]
    if missing := set(chosen) - set(signals):
        return f"{path} and the others of its run hold no {', '.join(sorted(missing))}."
    run = frozenset(part for part in entities if not part.startswith("recording-"))
    events = _find_applicable(run, "events.tsv", path.parent, root)
    known = dict(part.split("-", 1) for part in sorted(run) if "-" in part and part != subject)
    return Recording(
        {name: signals[name] for name in chosen},
        {name: rates[name] for name in chosen},
        subject,
        _read_events(events[-1], first) if events else None,
        start_offset=first,
        metadata={**known, "units": units},
    )


def _load_subject(subject, folder, root, signals):
    """Read the runs of one subject."""
    pattern = f"{subject}_*physio.tsv.gz"
    paths = sorted([*folder.glob(f"*/{pattern}"), *folder.glob(f"ses-*/*/{pattern}")])
    if not paths:
        return [f"{folder} holds no {pattern}."]
    files = {path: _read_sidecar(path, root) for path in paths}
    known = dict.fromkeys(name for names, *_ in files.values() for name in names)
    chosen = choose_signals(signals, known, [name for name in known if name != "trigger"])
    runs = {}
    for path, header in files.items():
        parts = path.name.split("_")
        run = path.parent, *(part for part in parts if not part.startswith("recording-"))
        runs.setdefault(run, []).append((path, header))
    return [_load_run(subject, run, chosen, root) for run in runs.values()]


def load_bids_physio(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the physiological recordings of a BIDS data set, ``*_physio.tsv.gz``.

    The sampling frequency, start, columns and units are those of the JSON files: the one beside
    each recording, and those in folders above it that apply to it, such as
    ``task-rest_physio.json`` [1]_.

    Parameters
    ----------
    path : str or path-like
        Folder of the data set, with ``sub-01`` and others.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("sub-01", "sub-02")``; None for all.
    signals : sequence of str, default=None
        Columns to read, in lower case, such as "cardiac" and "respiratory"; None for all but
        "trigger".
    n_jobs : int, default=None
        Number of subjects read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One float32 recording for each run, sorted by subject, session and file name. Files that
        differ in ``recording-`` only are of one run. Time 0 is its first ``StartTime``, which is
        ``start_offset``; a signal that starts later starts with a gap, and ``n/a`` is a gap, too.
        Volts become mV, siemens become microsiemens, and mg becomes g. Others are kept.
        ``metadata["units"]`` has the unit of each signal, None if it is not stated. The other
        metadata are the session ("ses"), task and so on. Annotations are the
        ``trial_type`` in ``*_events.tsv``.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, or a choice is unknown.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Notes
    -----
    BIDS has no time of day: ``start_time`` is None. An event of the duration ``n/a`` has none.

    References
    ----------
    .. [1] Gorgolewski, K. J., Auer, T., Calhoun, V. D., et al. (2016). The brain imaging data
       structure, a format for organizing and describing outputs of neuroimaging experiments.
       Scientific Data, 3, 160044.

    Examples
    --------
    >>> from physio_ssl.datasets import load_bids_physio
    >>> recordings = load_bids_physio("bids_physio")  # doctest: +SKIP
    """
    found = find_paths(path, r"(sub-[A-Za-z0-9]+)", "the folders of subjects in BIDS, sub-01, ...")
    load = partial(_load_subject, root=Path(path), signals=signals)
    return read_subjects(load, found, subjects, place=path, n_jobs=n_jobs)
