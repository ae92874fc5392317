"""Windows, and a table of what is known about each of them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from .._check import check_choice, check_context, check_duration, check_mapping, has_modalities
from ..containers import SignalDict

# Columns that the package reads and what they hold; labels and further columns hold anything.
COLUMNS = {"subject": "str", "corpus": "str", "recording": "integers", "onset": "numbers"}
_KINDS = {"str": "U", "integers": "iu", "numbers": "iuf"}  # NumPy's codes

QUALITY = "quality_"  # begins the names of columns of quality

# What is the same for all windows.
SETTINGS = ("duration", "context", "sampling_rate", "native_sampling_rate", "scaling")


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

    They are not changed in place: use ``select`` or ``dataclasses.replace(windows, X=features)``.

    Parameters
    ----------
    X : SignalDict, or array with one row per window
        Windows, of shape (n_windows, n_channels, n_times) for each modality, or what was
        computed from them, e.g. features of shape (n_windows, n_features).
    info : DataFrame
        One row per window, with the default index. ``subject`` is required and becomes str. Other
        known columns are ``recording`` (int, place in the list that was cut), ``onset`` (float,
        seconds from the recording's start), ``corpus`` (str), ``label`` and ``quality_...``.
    duration : float, default=None
        Length of the windows, in seconds; None if unknown.
    sampling_rate : mapping from str to float, default=None
        Sampling rate of each modality, in Hz; None if unknown.
    dropped : mapping from str to int, default=()
        Number of windows that were left out, for each reason.
    scaling : {None, "recording", "subject", "past"}, default=None
        What the signals were scaled over before windows were cut, as ``Preprocessor.make_windows``
        notes it; None if they were not scaled, or it is unknown.
    native : SignalDict, default=None
        The same windows of the signals as they were recorded, as
        ``Preprocessor.make_windows(..., keep_native=True)`` keeps them.
    native_sampling_rate : mapping from str to float, default=None
        Sampling rate of each modality of ``native``, in Hz.
    context : (float, float), default=(0.0, 0.0)
        How much of the recording before and after each window is in ``X`` as well, in seconds.

    Raises
    ------
    TypeError, ValueError
        If ``info`` is not a DataFrame that fits ``X``, a known column holds values of a wrong
        kind, a sampling rate names other modalities than its signals, ``native`` has other rows
        than ``X``, or ``scaling`` is unknown.

    See Also
    --------
    make_windows, concatenate_windows

    Examples
    --------
    >>> import pandas as pd
    >>> from physio_ssl import Windows
    >>> info = pd.DataFrame({"subject": ["S1", "S1", "S2"], "label": [0, 1, 1]})
    >>> windows = Windows([[0.1], [0.7], [0.9]], info)
    >>> windows
    Windows(3, 2 subjects, class 0: 1, class 1: 2; dropped none)
    >>> windows.select(windows.groups == "S1").y
    array([0, 1])
    """

    X: SignalDict
    info: pd.DataFrame
    duration: float | None = None
    sampling_rate: dict | None = None
    dropped: dict | None = None
    scaling: str | None = None
    native: SignalDict | None = None
    native_sampling_rate: dict | None = None
    context: tuple = (0.0, 0.0)

    def __post_init__(self):
        X, rates = self.X, self.sampling_rate
        duration = None if self.duration is None else check_duration(self.duration)
        if has_modalities(X):
            X = SignalDict(X)
        elif not issparse(X):
            X = np.asanyarray(X)
        if rates is not None and isinstance(X, SignalDict) and set(rates) != set(X):
            raise ValueError(f"sampling_rate must name the modalities {', '.join(X)}, got {rates}.")
        native = None if self.native is None else SignalDict(self.native)
        rates = None if rates is None else check_mapping(rates, "sampling_rate")
        native_rates = check_mapping(self.native_sampling_rate, "native_sampling_rate")
        if set(native_rates) != set(native or ()) or native and native.shape != X.shape[:1]:
            raise ValueError(
                f"native must have a row per window of {X.shape} and native_sampling_rate its "
                f"modalities, got {native} and {native_rates}."
            )
        check_choice("scaling", self.scaling, (None, "recording", "subject", "past"))
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "info", _check_info(self.info, X.shape))
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "sampling_rate", rates)
        object.__setattr__(self, "dropped", check_mapping(self.dropped, "dropped"))
        object.__setattr__(self, "context", check_context(self.context))
        object.__setattr__(self, "native", native)
        object.__setattr__(self, "native_sampling_rate", native_rates or None)

    def __len__(self):
        return len(self.info)

    def __array__(self, dtype=None, copy=None):  # which estimators ask for
        raise TypeError(
            "Windows are no array: give an estimator their parts, X=windows.X, y=windows.y and "
            "groups=windows.groups."
        )

    def __repr__(self):
        duration = "" if self.duration is None else f" of {self.duration:g} s"
        if any(self.context):
            duration += f" in {self.total_duration:g} s"
        parts = [f"{len(self)}{duration}", f"{self.info['subject'].nunique()} subjects"]
        y = self.y
        if y is not None and y.dtype.kind != "f":
            classes = zip(*np.unique(y, return_counts=True), strict=True)
            parts += [f"class {c}: {n}" for c, n in classes]
        dropped = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items())
        return f"Windows({', '.join(parts)}; dropped {dropped or 'none'})"

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
    def total_duration(self):
        """Length of the windows with their context, in seconds, or None."""
        return None if self.duration is None else self.duration + sum(self.context)

    @property
    def recording(self):
        """Number of each window's recording, as a new array of int, or None."""
        return self._get("recording")

    @property
    def quality(self):
        """Quality of each modality and wear, from 0 to 1, as a new DataFrame, or None.

        These are the columns ``quality_...`` of ``info``, which ``add_quality`` computes.
        """
        names = [name for name in self.info if name.startswith(QUALITY)]
        return self.info[names].rename(columns=lambda name: name[len(QUALITY) :]) if names else None

    def select(self, rows, dropped=None):
        """Return new ``Windows`` with some of the rows.

        Parameters
        ----------
        rows : array-like of bool or of int
            One truth value per window, or places in any order.
        dropped : mapping from str to int, default=None
            Number of windows that this leaves out, for each reason; added to ``dropped``.
        """
        rows = np.asarray(rows)
        if rows.shape == (0,) and rows.dtype.kind == "f":  # NumPy's type for []
            rows = rows.astype(int)
        return replace(
            self,
            X=self.X[rows],
            native=None if self.native is None else self.native[rows],
            info=self.info.iloc[rows].reset_index(drop=True),
            dropped=Counter(self.dropped) + Counter(dropped or {}),
        )


def _check_info(info, shape):
    """Return a copy of the table, or raise if it does not fit windows of a shape."""
    if not isinstance(info, pd.DataFrame):
        raise TypeError(f"info must be a pandas DataFrame, got a {type(info).__name__}.")
    if shape[:1] != (len(info),) or not info.index.equals(pd.RangeIndex(len(info))):
        raise ValueError(
            f"info must have one row per window and the index 0, 1, ..., got {len(info)} rows with "
            f"the index {info.index[:3].tolist()}... for X of shape {shape}."
        )
    names = info.columns.tolist()
    if not (info.columns.is_unique and all(isinstance(name, str) for name in names)):
        raise ValueError(f"The columns of info must have different names, as str, got {names}.")
    if "subject" not in names or info["subject"].isna().any():
        problem = "incomplete" if "subject" in names else "missing"
        raise ValueError(f"info must name each window's subject, but 'subject' is {problem}.")
    info = info.copy()
    if not _holds_str(info["subject"]):
        info["subject"] = info["subject"].astype(str)
    for name in [name for name in COLUMNS if name in names and len(info)]:
        dtype = as_array(info[name]).dtype
        if dtype.kind not in _KINDS[COLUMNS[name]] or info[name].isna().any():
            raise ValueError(
                f"Column {name!r} of info must hold {COLUMNS[name]} without missing values, got "
                f"{dtype}."
            )
    return info
