"""Reader of BioSPPy's Simple Text Format."""

import os
from pathlib import Path

import numpy as np

from ..containers import Recording
from ._common import (
    check_finite_rows,
    decode_text,
    list_names,
    list_paths,
    name_modalities,
    parse_rate,
    read_file,
)
from .reading import choose_signals

_FIRST_LINE = "# Simple Text Format"
_RATE, _LABELS = "Sampling Rate (Hz)", "Labels"
_AXES = ("acc_x", "acc_y", "acc_z")


def _split_header(text, path):
    """Return the fields of the header, the rows below it and the number of their first line."""
    lines = text.splitlines()
    first = lines[0] if lines else ""
    if first.strip() != _FIRST_LINE:
        raise ValueError(f"{path} must start with {_FIRST_LINE!r}, got {first[:60]!r}.")
    n_lines = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    fields = (line.lstrip("# ").partition(":=") for line in lines[1:n_lines])
    header = {key.strip(): value.strip() for key, _, value in fields if value.strip()}
    if missing := [key for key in (_RATE, _LABELS) if key not in header]:
        raise ValueError(f"The header of {path} must have {_RATE} and {_LABELS}, got no {missing}.")
    if n_lines == len(lines) or not text.endswith("\n"):
        raise ValueError(f"{path} must end with a whole row of samples, got {lines[-1][-60:]!r}.")
    return header, lines[n_lines:], n_lines + 1


def _name_columns(labels, path):
    """Map the modalities to the columns of their channels."""
    names = name_modalities(["bvp" if name.lower() == "ppg" else name for name in labels], path)
    axes = [name for name in names if name in _AXES]
    if axes and (len(axes) < len(_AXES) or "acc" in names):
        raise ValueError(f"{path} must have all of {_AXES} and no acc, or none, got {names}.")
    modalities = {"acc": [names.index(axis) for axis in _AXES]} if axes else {}
    return modalities | {name: [i] for i, name in enumerate(names) if name not in axes}


def _read_file(path):
    """Return the signals of a file, each of shape (n_channels, n_times), and their rate."""
    header, rows, first_line = _split_header(decode_text(read_file(path), path), path)
    rate = parse_rate(header[_RATE], f"The {_RATE} in {path}")
    labels = [label.strip() for label in header[_LABELS].split("\t")]
    try:
        samples = np.loadtxt(rows, ndmin=2, comments=None)
        if samples.shape[1] != len(labels):
            raise ValueError(f"{samples.shape[1]} columns for {', '.join(labels)}")
    except ValueError as error:
        raise ValueError(f"Rows of {path} must hold one number for each label: {error}.") from error
    check_finite_rows(samples, path, first_line)
    samples = samples.T.astype(np.float32)
    modalities = _name_columns(labels, path)
    return {name: samples[columns] for name, columns in modalities.items()}, rate


def load_biosppy(path, signals=None, *, subject=None):
    """Read text files of BioSPPy's Simple Text Format, with one or more signals each.

    Parameters
    ----------
    path : str, path-like or sequence of them
        The file, or the files of one session, which all start at the same time.
    signals : sequence of str, default=None
        Signals to read, "ecg", "eda", "resp" and so on, the labels in lower case; None for all. The
        label PPG is "bvp", and acc_x, acc_y and acc_z are the three channels of "acc".
    subject : str, default=None
        Who was recorded; None for the name of the folder that has the files.

    Returns
    -------
    Recording
        The signals, each at its file's rate, as float32 and with the numbers that the files hold:
        often digital units of the resolution in the header, which is not applied.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed, a signal is in none or several of the files, or they lie
        in several folders and ``subject`` is not given.

    See Also
    --------
    physio_ssl.make_windows : Cut recordings into windows.

    Examples
    --------
    >>> from physio_ssl.datasets import load_biosppy
    >>> recording = load_biosppy("signals.txt")  # doctest: +SKIP
    """
    paths = list_paths(path)
    folders = {Path(os.path.realpath(one)).parent for one in paths}  # resolve fails in loops
    if subject is None and len(folders) > 1:
        found = list_names(map(str, paths))
        raise ValueError(f"Files of several folders must have a subject, got {found} without one.")
    samples, rates = {}, {}
    for one in paths:
        found, rate = _read_file(one)
        if twice := found.keys() & samples:
            raise ValueError(f"Each signal must be in one file only, got {twice} in {one} again.")
        samples.update(found)
        rates.update(dict.fromkeys(found, rate))
    samples = {name: samples[name] for name in choose_signals(signals, samples)}
    rates = {name: rates[name] for name in samples}
    return Recording(samples, rates, folders.pop().name if subject is None else subject)
