"""Readers of WFDB records, PhysioNet's format, and of its drivers under stress."""

import re
import warnings
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._open import import_library
from ._wfdb_header import parse_header
from .reading import choose_signals, find_paths, open_file, read_subjects

_BITS = {  # of one sample in each of WFDB's formats; None where it is compressed
    **{"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12},
    **{"310": Fraction(32, 3), "311": Fraction(32, 3), "508": None, "516": None, "524": None},
}
_DRIVEDB = {
    **{"ecg": "ECG", "emg": "EMG", "eda_foot": "foot GSR", "eda_hand": "hand GSR"},
    **{"hr": "HR", "marker": "marker", "resp": "RESP"},
}


def _name_modalities(names, path):
    """Map the names in a header, as modalities, to their indices."""
    modalities = [re.sub(r"\W+", "_", name.lower()).strip("_") for name in names]
    if len(set(modalities)) < len(names) or not all(map(str.isidentifier, modalities)):
        raise ValueError(
            f"The signals of {path} must have different names that can be modalities, got "
            f"{', '.join(names)}. Name them by signals, e.g. {{'ecg': {names[0]!r}}}."
        )
    return {modality: [index] for index, modality in enumerate(modalities)}


def _choose_channels(header, signals, path):
    """Map the modalities to the indices of their signals in the header."""
    names = [signal.name for signal in header.signals]
    if not isinstance(signals, Mapping):
        known = _name_modalities(names, path)
        return {modality: known[modality] for modality in choose_signals(signals, known)}
    if not signals:
        raise ValueError("signals must name one or more modalities, got none.")
    chosen = {}
    for modality, wanted in signals.items():
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        if not wanted or any(names.count(name) != 1 for name in wanted):
            raise ValueError(
                f"{path} must have each signal of {modality!r} once, {', '.join(wanted)}, "
                f"found {', '.join(names)}. Leave {modality!r} out of signals."
            )
        chosen[modality] = [names.index(name) for name in wanted]
        if len({header.signals[index].samples_per_frame for index in chosen[modality]}) > 1:
            raise ValueError(
                f"Channels of {modality!r} must have one sampling rate, which differs between "
                f"{', '.join(wanted)} of {path}."
            )
    return chosen


def _check_files(header, path):
    """Raise if the files of the samples are missing, or shorter than the header says."""
    for file in dict.fromkeys(signal.file for signal in header.signals):
        lines = [signal for signal in header.signals if signal.file == file]
        formats = {signal.format for signal in lines}
        if len(formats) > 1 or not formats <= _BITS.keys():
            found = ", ".join(sorted(formats))
            raise ValueError(
                f"The signals of {file} in {path} must have one format of {', '.join(_BITS)}, got "
                f"{found}."
            )
        if not (path.parent / file).is_file():
            raise ValueError(f"{path.parent} must hold {file}, which {path.name} names.")
        bits = _BITS[formats.pop()]
        if not bits:
            continue  # wfdb checks the length of compressed samples
        bits *= sum(signal.samples_per_frame for signal in lines)
        n_bytes = (path.parent / file).stat().st_size - lines[0].offset
        n_frames = header.n_frames or max(1, int(n_bytes * 8 // bits))
        expected = ceil(n_frames * bits / 8)
        if n_bytes < expected or (n_bytes > expected and not header.n_frames):
            raise ValueError(
                f"{path.parent / file} is cut off: it must have {expected} bytes for "
                f"{n_frames} frames of its signals, as {path.name} says, got {n_bytes}."
            )


def _read_samples(header, indices, path):
    """Map the indices of signals to their samples, in physical units."""
    wfdb, name = import_library("wfdb"), str(path.with_suffix("").absolute())
    try:
        record = wfdb.rdrecord(name, channels=indices, smooth_frames=False, return_res=32)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a WFDB record: {error}.") from error
    lines = [header.signals[index] for index in indices]
    read = list(zip(record.adc_gain, record.baseline, strict=True))
    if read != [(line.gain, line.baseline) for line in lines]:  # wfdb skips what it cannot parse
        raise ValueError(
            f"{path} must be written as wfdb reads it, which takes gains and baselines of "
            f"{read} from {[(line.gain, line.baseline) for line in lines]}."
        )
    for line in lines:
        if not line.calibrated:
            warnings.warn(
                f"{line.name!r} of {path} is not calibrated: {line.gain:g} digital units per "
                f"{line.unit} are taken, as WFDB does.",
                stacklevel=3,
            )
    return dict(zip(indices, record.e_p_signal, strict=True))


def load_wfdb(path, signals=None, *, subject=None):
    """Read one record of WFDB, the format of PhysioNet, each signal at its own rate.

    Parameters
    ----------
    path : str or path-like
        The record's header, or its path without the ending ``.hea``. All files that the
        header names must lie in its folder.
    signals : sequence of str, or mapping from str to str or sequence of str, default=None
        Signals to read, by default all. Each is a modality named as in the header, in lower
        case and with underscores: "foot GSR" is "foot_gsr". A mapping gives modalities other
        names: it holds the names in the header, one, or several of the same rate that
        become the channels of one modality, e.g. ``{"ecg": ("I", "II"), "resp": "RESP"}``.
    subject : str, default=None
        Who was recorded; by default the name of the record.

    Returns
    -------
    Recording
        The signals, as float32, in the units of the header; WFDB takes mV for a signal
        without one. Samples marked as invalid, such as gaps in a long recording, are NaN;
        :func:`~physio_ssl.make_windows` leaves out windows with them. Annotation files are
        not read, and ``start_time`` is None, as headers do not state the time zone.

    Raises
    ------
    FileNotFoundError
        If there is no such header.
    ImportError
        If wfdb is not installed.
    ValueError
        If the header is malformed, of several segments, without a sampling rate or names a
        file outside its folder; if a file is missing or cut off; or if there is no such
        signal.

    See Also
    --------
    load_drivedb : Reads the WFDB records of one data set.

    Examples
    --------
    >>> from physio_ssl.datasets import load_wfdb
    >>> load_wfdb("drivedb/drive17a", {"ecg": "ECG", "resp": "RESP"})  # doctest: +SKIP
    Recording(drive17a: 1742 s, ecg 1 x 480 Hz, resp 1 x 30 Hz)
    """
    path = Path(path)
    path = path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")
    with open_file(path) as file:
        header = parse_header(file.read(), path)
    chosen = _choose_channels(header, signals, path)
    _check_files(header, path)
    indices = sorted({index for channels in chosen.values() for index in channels})
    samples = _read_samples(header, indices, path)
    return Recording(
        {name: np.stack([samples[index] for index in chosen[name]]) for name in chosen},
        {
            name: header.frame_rate * header.signals[channels[0]].samples_per_frame
            for name, channels in chosen.items()
        },
        path.stem if subject is None else subject,
    )


def load_drivedb(path, subjects=None, signals=None, *, n_jobs=None):
    """Read drivedb: physiology of people who drive through a city and on highways.

    The files do not say who drove [1]_: each drive counts as a subject, so two drives of
    one person may get to both sides of a split. drive17a and drive17b are parts of one drive
    and so of one subject, "drive17". The files do not say in words when the driver rested
    or was in the city; the signal "marker" has the bounds.

    Parameters
    ----------
    path : str or path-like
        Folder with ``drive01.hea``, ``drive01.dat`` and so on.
    subjects : sequence of str, default=None
        Drives to read, such as ``("drive01", "drive17")``; by default all.
    signals : sequence of str, default=None
        Signals to read, by default all: "ecg" and "emg" (mV), "eda_foot" and "eda_hand"
        (microsiemens, by their size), "hr" (beats per minute), "marker" and "resp" (in units
        that are not stated). Not every drive has all of them.
    n_jobs : int, default=None
        Number of records read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        One recording for each record, sorted by name, without annotations. The signals are
        float32, as :func:`load_wfdb` reads them: each at its own rate, which differs between
        records (ECG 480 Hz in drive17a, 496 Hz in drive17b), so they need resampling before
        they are cut into windows together. The headers state the unit of the heart rate
        only. WFDB takes mV for the others, which is wrong for EDA, respiration and marker.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ImportError
        If wfdb is not installed.
    ValueError
        If a drive is missing or malformed, or has not all of the signals.

    See Also
    --------
    load_wfdb : Reads any WFDB record.

    References
    ----------
    .. [1] Healey, J. A., & Picard, R. W. (2005). Detecting stress during real-world driving
       tasks using physiological sensors. IEEE Transactions on Intelligent Transportation
       Systems, 6(2), 156-166.
    """
    wanted = {name: _DRIVEDB[name] for name in choose_signals(signals, _DRIVEDB)}
    found = find_paths(path, r"(drive\d\d)[a-z]?\.hea", "drives, drive01.hea and so on")
    return read_subjects(
        lambda subject, header: load_wfdb(header, wanted, subject=subject),
        found,
        subjects,
        place=path,
        n_jobs=n_jobs,
    )
