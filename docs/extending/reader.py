"""A reader: one folder per subject, with a file per signal and a table of stages."""

from functools import partial

import numpy as np
import pandas as pd

from physio_ssl import Recording
from physio_ssl.datasets.reading import choose_signals, find_paths, read_subjects

SAMPLING_RATE = {"bvp": 64, "eda": 4}  # Hz


def load_lab(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the recordings of our lab.

    Parameters
    ----------
    path : str or path
        Folder that holds ``P01/bvp.csv``, ``P01/eda.csv``, ``P01/stages.csv``, and so on.
    subjects : sequence of str, default=None
        Subjects to read; None reads all of them.
    signals : sequence of str, default=("bvp", "eda")
        BVP in arbitrary units, EDA in microsiemens.
    n_jobs : int, default=None
        Number of subjects to read at the same time.
    """
    load = partial(load_subject, signals=choose_signals(signals, SAMPLING_RATE))
    folders = find_paths(path, r"(P\d+)", "folders P01, P02 and so on")
    return read_subjects(load, folders, subjects, place=path, n_jobs=n_jobs)


def load_subject(subject, folder, signals):
    stages = pd.read_csv(folder / "stages.csv")  # columns onset, duration, description
    return Recording(
        {name: np.loadtxt(folder / f"{name}.csv") for name in signals},
        {name: SAMPLING_RATE[name] for name in signals},
        subject,
        annotations=stages.to_dict("list"),
    )
