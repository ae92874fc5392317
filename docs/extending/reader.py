"""A reader: one folder per subject, with a file per signal and a table of stages."""

from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from physio_ssl import Recording

SAMPLING_RATE = {"bvp": 64, "eda": 4}  # Hz


def load_lab(path, subjects=None, signals=None, *, n_jobs=None):
    """Read the recordings of our lab.

    Parameters
    ----------
    path : str or path
        Folder that holds ``P01/bvp.csv``, ``P01/eda.csv``, ``P01/stages.csv``, and so on.
    subjects : sequence of str, default=None
        Names of subfolders; None reads all of them.
    signals : sequence of str, default=("bvp", "eda")
        BVP in arbitrary units, EDA in microsiemens.
    n_jobs : int, default=None
        Subjects to read at a time.
    """
    if subjects is None:
        subjects = sorted(folder.name for folder in Path(path).iterdir() if folder.is_dir())
    names = tuple(SAMPLING_RATE if signals is None else signals)
    return Parallel(n_jobs=n_jobs)(
        delayed(load_subject)(Path(path) / subject, names) for subject in subjects
    )


def load_subject(folder, names):
    stages = pd.read_csv(folder / "stages.csv")  # columns onset, duration, description
    return Recording(
        {name: np.loadtxt(folder / f"{name}.csv") for name in names},
        {name: SAMPLING_RATE[name] for name in names},
        subject=folder.name,
        annotations=stages.to_dict("list"),
    )
