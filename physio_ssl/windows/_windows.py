"""Windows, and a table of what is known about each of them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from .._check import has_modalities
from ..containers import SignalDict

# Columns that the package reads, and NumPy's codes for the types that they may hold. Columns of
# labels, and those that users add, may hold anything.
COLUMNS = {
    "subject": ("U", "str"),
    "corpus": ("U", "str"),
    "recording": ("iu", "integers"),
    "onset": ("iuf", "numbers"),
}


def _holds_str(column):
    return pd.api.types.infer_dtype(column, skipna=False) in ("string", "empty")


def as_array(column):
    """Return a copy of a table's column, with str as NumPy's own type instead of objects."""
    array = column.to_numpy()
    if array.dtype.hasobject and _holds_str(column):
        return array.astype(str)
    return array.copy()  # pandas may give a read-only view


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Windows with a table of what is known about each of them.

    It is meant not to be changed: use ``select``, or ``dataclasses.replace``, e.g.
    ``replace(windows, X=features)``.

    Parameters
    ----------
    X : SignalDict, or array with one row per window
        The windows, each modality of shape (n_windows, n_channels, n_times); or what was
        computed from them, e.g. features of shape (n_windows, n_features).
    info : DataFrame
        One row per window, with the default index. The column ``subject`` is required; its
        values become str. Known columns are ``recording`` (int, number of the recording in the
        list that was cut), ``onset`` (float, start of the window in seconds from the
        recording's start), ``corpus`` (str) and ``label``. Further columns may hold other
        labels or anything else, e.g. age.
    duration : float, default=None
        Length of the windows, in seconds; None if unknown.
    sampling_rate : mapping from str to float, default=None
        Sampling rate of each modality, in Hz; None if unknown.
    dropped : mapping from str to int, default=()
        Number of windows that were left out, for each reason.

    Raises
    ------
    TypeError
        If ``info`` is not a DataFrame.
    ValueError
        If ``info`` does not have one row per window, has an index other than 0, 1, ..., lacks
        subjects or holds values of a wrong kind, or if ``sampling_rate`` names other modalities
        than ``X``.

    See Also
    --------
    make_windows : Cut recordings into windows.
    concatenate_windows : Put the windows of several corpora together.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from physio_ssl import Windows
    >>> info = pd.DataFrame({"subject": ["S1", "S1", "S2"], "label": [0, 1, 1]})
    >>> windows = Windows(np.zeros((3, 20)), info)
    >>> windows
    Windows(3, 2 subjects, class 0: 1, class 1: 2; dropped none)
    >>> windows.select(windows.groups == "S1").y
    array([0, 1])
    """

    X: SignalDict
    info: pd.DataFrame
    duration: float | None = None
    sampling_rate: dict | None = None
    dropped: dict = ()

    def __post_init__(self):
        X = SignalDict(self.X) if has_modalities(self.X) else self.X
        if not (isinstance(X, SignalDict) or issparse(X)):
            X = np.asanyarray(X)
        rates = None if self.sampling_rate is None else dict(self.sampling_rate)
        if rates is not None and isinstance(X, SignalDict) and set(rates) != set(X):
            raise ValueError(
                f"sampling_rate must name the modalities of X, {', '.join(X)}, got {rates}."
            )
        duration = None if self.duration is None else float(self.duration)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "info", _check_info(self.info, X.shape))
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "sampling_rate", rates)
        object.__setattr__(self, "dropped", dict(self.dropped))

    def __len__(self):
        return len(self.info)

    def __repr__(self):
        text = f"Windows({len(self)}" + (
            "" if self.duration is None else f" of {self.duration:g} s"
        )
        text += f", {self.info['subject'].nunique()} subjects"
        y = self.y
        if y is not None and y.dtype.kind != "f":
            classes, counts = np.unique(y, return_counts=True)
            for c, n in zip(classes, counts, strict=True):
                text += f", class {c}: {n}"
        dropped = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items())
        return text + f"; dropped {dropped or 'none'})"

    def _get(self, name):
        return as_array(self.info[name]) if name in self.info else None

    @property
    def y(self):
        """The column ``label`` as a new array, of shape (n_windows,), or None."""
        return self._get("label")

    @property
    def groups(self):
        """The subject of each window, as a new array of str, of shape (n_windows,)."""
        return self._get("subject")

    @property
    def onset(self):
        """Start of each window in its recording, in seconds, as a new array, or None."""
        onset = self._get("onset")
        return None if onset is None else onset.astype(float, copy=False)

    @property
    def recording(self):
        """Number of each window's recording, as a new array of int, or None."""
        return self._get("recording")

    def select(self, rows, dropped=None):
        """Keep some of the windows.

        Parameters
        ----------
        rows : array-like of bool or of int
            Which windows to keep: one truth value each, or their places, in any order. An empty
            list keeps no windows.
        dropped : mapping from str to int, default=None
            Number of windows that this leaves out, for each reason, to be added to those that
            were left out before.

        Returns
        -------
        Windows
            New windows, with all columns of ``info``.
        """
        rows = np.asarray(rows)
        if rows.shape == (0,) and rows.dtype.kind == "f":  # NumPy's type for []
            rows = rows.astype(np.intp)
        return replace(
            self,
            X=self.X[rows],
            info=self.info.iloc[rows].reset_index(drop=True),
            dropped=Counter(self.dropped) + Counter(dropped or {}),
        )


def _check_info(info, shape):
    """Return a copy of the table, or raise if it does not fit windows of a shape."""
    if not isinstance(info, pd.DataFrame):
        raise TypeError(f"info must be a pandas DataFrame, got a {type(info).__name__}.")
    if shape[:1] != (len(info),):
        raise ValueError(
            f"info must have one row per window, got {len(info)} rows for X of shape {shape}."
        )
    if not info.index.equals(pd.RangeIndex(len(info))):
        raise ValueError(
            "info must have the default index 0, 1, ..., as windows are found by their place, got "
            f"{info.index[:3].tolist()}...: use info.reset_index(drop=True)."
        )
    names = info.columns.tolist()
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"The columns of info must have different names, as str, got {names}.")
    if "subject" not in names or info["subject"].isna().any():
        raise ValueError(
            "info must name the subject of every window, so that no subject is on both sides of a "
            f"split: column 'subject' is {'incomplete' if 'subject' in names else 'missing'}."
        )
    info = info.copy()
    if not _holds_str(info["subject"]):
        info["subject"] = info["subject"].astype(str)
    for name, (kinds, words) in COLUMNS.items():
        array = as_array(info[name]) if name in names else np.empty(0)
        if len(array) and (array.dtype.kind not in kinds or info[name].isna().any()):
            raise ValueError(
                f"Column {name!r} of info must hold {words} without missing values, got "
                f"{array.dtype}."
            )
    return info
