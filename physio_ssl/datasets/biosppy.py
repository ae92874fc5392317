"""Reader of BioSPPy's Simple Text Format."""

import os
import re
from pathlib import Path

import numpy as np

from .._check import check_sampling_rate
from ..containers import Recording
from .reading import check_finite_rows, choose_signals, open_file

_FIRST_LINE = "# Simple Text Format"
_RATE, _LABELS = "Sampling Rate (Hz)", "Labels"
_MODALITIES = {"ppg": "bvp"}  # our name, where it is not the label in lower case
_AXES = ("acc_x", "acc_y", "acc_z")


def _split_header(text, path):
    """Return the fields of the header, the rows below it and the number of their first line."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FIRST_LINE:
        raise ValueError(
            f"{path} must be in BioSPPy's Simple Text Format, which starts with "
            f"{_FIRST_LINE!r}, got {lines[0][:60] if lines else ''!r}."
        )
    n_lines = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    fields = (line.lstrip("# ").partition(":=") for line in lines[1:n_lines])
    header = {key.strip(): value.strip() for key, _, value in fields if value.strip()}
    if missing := [key for key in (_RATE, _LABELS) if key not in header]:
        raise ValueError(
            f"The header of {path} must have {_RATE} and {_LABELS}, got no {', '.join(missing)}."
        )
    if n_lines == len(lines):
        raise ValueError(f"{path} must have samples below its header, got none.")
    if not text.endswith("\n"):
        raise ValueError(
            f"{path} is cut off: its last row must end with a new line, got {lines[-1][-60:]!r}."
        )
    return header, lines[n_lines:], n_lines + 1


def _parse_samples(rows, labels, path, first_line):
    """Return the samples, of shape (n_channels, n_times)."""
    try:
        samples = np.loadtxt(rows, ndmin=2, comments=None)
    except ValueError as error:
        raise ValueError(
            f"The rows of {path} below its header must hold one number for each label: {error}."
        ) from error
    if samples.shape[1] != len(labels):
        raise ValueError(
            f"{path} must have one column for each of its labels, got {samples.shape[1]} for "
            f"{', '.join(labels)}."
        )
    check_finite_rows(samples, path, first_line)
    return samples.T.astype(np.float32)


def _name_modalities(labels, path):
    """Map the modalities to the columns of their channels."""
    names = [re.sub(r"\W+", "_", label.lower()).strip("_") for label in labels]
    modalities = {}
    if found := [axis for axis in _AXES if axis in names]:
        if len(found) < len(_AXES):
            raise ValueError(
                f"{path} must have all of {', '.join(_AXES)} or none, got {', '.join(found)}."
            )
        modalities["acc"] = [names.index(axis) for axis in _AXES]
    for column, name in enumerate(names):
        if name not in _AXES:
            modalities[_MODALITIES.get(name, name)] = [column]
    if sum(map(len, modalities.values())) != len(labels) or not all(map(str.isidentifier, names)):
        raise ValueError(
            f"The labels of {path} must be different and can only be used as modalities if they "
            f"are made of letters and digits, got {', '.join(labels)}."
        )
    return modalities


def _read_file(path):
    """Return the signals of a file and their sampling rate."""
    with open_file(path) as file:
        text = file.read().decode("utf-8-sig", errors="replace")
    header, rows, first_line = _split_header(text, path)
    try:
        rate = float(header[_RATE])
    except ValueError:
        raise ValueError(
            f"The {_RATE} in {path} must be a number, got {header[_RATE][:60]!r}."
        ) from None
    rate = check_sampling_rate(rate, f"The {_RATE} in {path}")
    labels = [label.strip() for label in header[_LABELS].split("\t")]
    samples = _parse_samples(rows, labels, path, first_line)
    modalities = _name_modalities(labels, path)
    return {name: samples[columns] for name, columns in modalities.items()}, rate


def load_biosppy(path, signals=None, *, subject=None):
    """Read text files of BioSPPy's Simple Text Format, with one or more signals each.

    Parameters
    ----------
    path : str, path-like or sequence of them
        The file, or the files of one session, which all start at the same time.
    signals : sequence of str, default=None
        Signals to read, by default all that the files hold: "ecg", "eda", "resp" and so on,
        the labels in lower case. The label PPG becomes "bvp", and acc_x, acc_y and acc_z
        become the three channels of "acc".
    subject : str, default=None
        Who was recorded; by default the name of the folder that has the files.

    Returns
    -------
    Recording
        The signals, each at its file's rate, as float32 and with the numbers that the files
        hold: often digital units of the resolution in the header, which is not applied.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is cut off or malformed, holds samples that are not finite or only some
        axes of an acceleration, if several files hold the same signal or lie in several
        folders and ``subject`` is not given, or if a signal is in none of them.

    Examples
    --------
    >>> from physio_ssl.datasets import load_biosppy
    >>> load_biosppy(["examples/ecg.txt", "examples/resp.txt"])  # doctest: +SKIP
    Recording(examples: 15 s, ecg 1 x 1000 Hz, resp 1 x 1000 Hz)
    """
    paths = [Path(one) for one in ([path] if isinstance(path, (str, os.PathLike)) else path)]
    folders = {one.resolve().parent for one in paths}
    if not paths or (subject is None and len(folders) > 1):
        raise ValueError(
            "path must name one or more files, in one folder unless subject is given, got "
            f"{', '.join(map(str, paths)) or 'none'}."
        )
    samples, rates = {}, {}
    for one in paths:
        found, rate = _read_file(one)
        for name in found:
            if name in samples:
                raise ValueError(
                    f"Each signal must be in one of the files only, got {name!r} in {one} again."
                )
            samples[name], rates[name] = found[name], rate
    chosen = choose_signals(signals, samples)
    return Recording(
        {name: samples[name] for name in chosen},
        {name: rates[name] for name in chosen},
        folders.pop().name if subject is None else subject,
    )
