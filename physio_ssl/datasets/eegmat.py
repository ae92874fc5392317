"""Reader of EEGMAT: ECG at rest and in mental arithmetic."""

from pathlib import Path

import numpy as np

from .._units import choose_unit
from ..containers import Recording
from ._common import explain_errors
from .edf import read_edf, read_signal
from .reading import choose_signals, find_paths, read_subjects

_CONDITIONS = {"1": "rest", "2": "arithmetic"}  # by the number at the end of a file's name


def _read_ecg(path):
    """Return the ECG of a file, in mV, and its sampling rate."""
    with explain_errors(path, "a file of EEGMAT"):
        signals = read_edf(path).signals
        found = [signal for signal in signals if "ECG" in signal.label.upper()]
        if len(found) != 1:
            labels = ", ".join(signal.label for signal in signals)
            raise ValueError(f"it must have one signal with ECG in its label, got {labels}")
        ecg, rate, unit = read_signal(found[0], "the ECG")
        ours, factor = choose_unit(unit)
        if ours != "mV":
            raise ValueError(f"the ECG must be in V, mV or uV, got {unit!r}")
    return (ecg * factor).astype(np.float32), rate


def _load_file(subject, path):
    """Read the file of one subject in one condition, if there is one of both conditions."""
    for number in _CONDITIONS:
        if not (other := path.with_stem(f"{subject}_{number}")).exists():
            raise ValueError(f"{path.parent} must hold {other.name}, got {path.name} only.")
    ecg, rate = _read_ecg(path)
    condition = _CONDITIONS[path.stem[-1]]
    stages = {"onset": [0], "duration": [len(ecg) / rate], "description": [condition]}
    return Recording({"ecg": ecg}, {"ecg": rate}, subject, stages)


def load_eegmat(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the ECG of EEGMAT: at rest, and in mental arithmetic.

    Each subject rested for three minutes and then subtracted a number over and over for one [1]_.
    Rest always comes first, so order goes along with condition. Every file has a range of its own:
    compare amplitudes within a file only. Some files hold no heartbeat, such as those at rest of
    Subject02 and Subject13 and that in arithmetic of Subject20.

    Parameters
    ----------
    path : str or path-like
        Folder with the files ``Subject00_1.edf`` (rest), ``Subject00_2.edf`` (arithmetic) and so
        on, in it or in its folder ``data``. EEG in them is not read.
    subjects : sequence of str, default=None
        Subjects to read, such as ``("Subject00", "Subject01")``; None for all.
    signals : sequence of str, default=("ecg",)
        Signals to read: there is "ecg" only, in mV.
    n_jobs : int, default=None
        Number of files read at the same time, in threads, as in joblib.

    Returns
    -------
    list of Recording
        Two recordings for each subject, first the one at rest. The signal is "ecg", as float32, in
        mV, at the file's rate (500 Hz). The annotation "rest" or "arithmetic" spans the whole
        recording. ``start_time`` is None, as the files' dates are made up.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If a file is missing, cut off or malformed, has no ECG or more than one, or if edfio is not
        installed.

    See Also
    --------
    fetch_eegmat : Download the files.

    References
    ----------
    .. [1] Zyma, I., Tukaev, S., Seleznov, I., et al. (2019). Electroencephalograms during mental
       arithmetic task performance. Data, 4(1), 14.

    Examples
    --------
    >>> from physio_ssl.datasets import load_eegmat
    >>> recordings = load_eegmat("eegmat")  # doctest: +SKIP
    """
    choose_signals(signals, ("ecg",))
    inner = Path(path) / "data"
    expected = "the files of EEGMAT, Subject00_1.edf to Subject35_2.edf, or a folder data with them"
    place = inner if any(inner.glob("Subject*.edf")) else path
    found = find_paths(place, r"(Subject\d\d)_[12]\.edf", expected)
    return read_subjects(_load_file, found, subjects, place=path, n_jobs=n_jobs)
