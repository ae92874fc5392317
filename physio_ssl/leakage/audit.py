"""audit_leakage: run every check over every split, and report or raise."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from .._check import check_duration
from ..windows import Windows
from .overlap import encode, find_duplicates, find_overlaps, find_subjects
from .pretrained import find_pretrained, find_validation_windows
from .report import LeakageError, LeakageReport
from .scaling import find_frozen_scalers, find_scaled_windows
from .traversal import is_estimator, walk


def audit_leakage(windows, cv=None, models=None, *, transductive=False, on_leak="raise"):
    """Look for test subjects' data that reach training, and fail loudly.

    Six kinds of leak are looked for:

    - a subject on both sides of a split;
    - windows on both sides that overlap (needs the windows' onset and duration);
    - windows of identical samples on both sides, also of two subjects: one person under
      two names;
    - an encoder that was pre-trained on test subjects and is frozen (needs ``models``, and
      an encoder that was fitted with ``groups``);
    - scaling outside the fold: a frozen scaler that was fitted on all rows, or windows that
      are standardised (or scaled to 0 to 1) over all rows, or over each subject;
    - test windows inside a model, in ``train_split`` or a callback, where they choose the
      epoch.

    Models are searched through their parameters, nested estimators, containers, and what
    functions and other objects in parameters hold.

    Parameters
    ----------
    windows : Windows
        Windows, or features of them, with their subjects and what else is known.
    cv : splitter or iterable of (train, test), default=None
        The splits, as row numbers or masks. None holds out one subject at a time.
    models : estimator or mapping from str to estimator, default=None
        What the study compares. Those that predict are fitted again in each fold, so only
        what is frozen in them counts as fitted; one that only transforms is used as it is.
    transductive : bool or str, default=False
        Whether, or a text how, the study uses *unlabelled* data of its test subjects: an
        encoder pre-trained on them, or scaling of each subject over its own windows. The
        report then lists these two as declared, not as leaks. The others always are leaks.
    on_leak : {"raise", "record"}, default="raise"
        Whether leaks are raised or only reported.

    Returns
    -------
    LeakageReport
        What was found, what was looked at, and what no audit can see.

    Raises
    ------
    LeakageError
        If there are leaks; names their kinds, folds and rows.
    TypeError, ValueError
        If an argument has a wrong type, rows do not fit, or there is no split.

    See Also
    --------
    physio_ssl.evaluation.leave_subjects_out : A study, which starts with this audit.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.model_selection import KFold
    >>> from physio_ssl import Windows
    >>> from physio_ssl.leakage import audit_leakage
    >>> info = pd.DataFrame({"subject": np.repeat(["S1", "S2"], 4)})
    >>> windows = Windows(np.random.default_rng(0).gamma(2, size=(8, 1, 40)), info)
    >>> audit_leakage(windows).ok
    True
    >>> report = audit_leakage(windows, KFold(4), on_leak="record")
    >>> print(report.leaks[0].kind)
    subject on both sides
    """
    if on_leak not in ("raise", "record"):
        raise ValueError(f"on_leak must be 'raise' or 'record', got {on_leak!r}.")
    if not isinstance(transductive, (bool, str)) or transductive == "":
        raise TypeError(f"transductive must be True, False or a text, got {transductive!r}.")
    folds, models = split_windows(cv, windows), name_models(models)
    arrays = _check_arrays(windows)

    report = LeakageReport(transductive)
    _note_random_splits(report, cv)
    names, codes = encode(windows.groups)
    find_subjects(report, folds, names, codes)
    find_overlaps(report, folds, windows)
    find_duplicates(report, folds, arrays)
    find_scaled_windows(report, arrays, codes)
    for name, model in models.items():
        parts = list(walk(name, model))
        report.looked_at.append(
            f"{name!r}: subjects of encoders, frozen scalers, windows that choose the epoch, in "
            f"{sum(is_estimator(part.value) for part in parts)} estimators and their parameters"
        )
        find_pretrained(report, parts, windows.groups, folds)
        find_frozen_scalers(report, parts, model, windows.X, windows.y, folds)
        find_validation_windows(report, parts, arrays, folds)
    if not models:
        report.add_note("Encoders, frozen scalers and choice of epochs: no models were given.")
    if not report.ok and on_leak == "raise":
        raise LeakageError(report)
    return report


def require_windows(windows):
    """Raise unless these are ``Windows``."""
    if not isinstance(windows, Windows):
        raise TypeError(f"windows must be Windows(X, info), got a {type(windows).__name__}.")


def split_windows(cv, windows):
    """Return the splits of windows as a list of pairs of arrays of row numbers."""
    require_windows(windows)
    cv = LeaveOneGroupOut() if cv is None else cv
    if hasattr(cv, "split") and not isinstance(cv, str):
        with warnings.catch_warnings():
            # The audit itself says so if subjects are on both sides.
            warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            cv = list(cv.split(windows.X, windows.y, windows.groups))
    if isinstance(cv, str) or not isinstance(cv, Iterable):
        raise TypeError(f"cv must be a splitter or pairs of (train, test) rows, got {cv!r}.")
    folds = [
        tuple(_check_rows(rows, len(windows), fold) for rows in split)
        for fold, split in enumerate(cv)
    ]
    if not folds or any(len(split) != 2 for split in folds):
        lengths = [len(split) for split in folds]
        raise ValueError(f"cv must hold pairs (train, test), at least one, got lengths {lengths}.")
    return folds


def _check_rows(rows, n_windows, fold):
    """Return row numbers, or those of a mask."""
    numbers = np.asarray(rows)
    if numbers.dtype.kind == "b" and numbers.shape == (n_windows,):
        numbers = np.flatnonzero(numbers)
    if (
        numbers.ndim != 1
        or not len(numbers)
        or numbers.dtype.kind not in "iu"
        or numbers.min() < 0
        or numbers.max() >= n_windows
    ):
        raise ValueError(
            f"Fold {fold} must have row numbers from 0 to {n_windows - 1}, or a mask, got {numbers}."
        )
    return numbers


def _note_random_splits(report, cv):
    draws = hasattr(cv, "random_state") and getattr(cv, "shuffle", True)
    if draws and not isinstance(cv.random_state, (int, np.integer)):
        report.add_note(
            f"{type(cv).__name__} draws other splits at each call: give it a random_state, "
            "or use list(cv.split(X, y, groups))."
        )


def _check_arrays(windows):
    """Return the arrays by modality, of at least two dimensions; a plain array is called X."""
    if windows.onset is not None and not np.isfinite(windows.onset).all():
        raise ValueError("onset must be finite, in seconds, got infinity.")
    if windows.duration is not None:
        check_duration(windows.duration)
    arrays = dict(windows.X) if isinstance(windows.X, Mapping) else {"X": windows.X}
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise TypeError(f"{name} must be an array of real numbers, got {array.dtype}.")
        arrays[name] = array.reshape(len(array), -1) if array.ndim == 1 else array
    return arrays


def name_models(models):
    """Return the models by name; one model is called by its type."""
    if is_estimator(models):
        models = {type(models).__name__.lower(): models}
    models = {} if models is None else models
    if not isinstance(models, Mapping) or not all(
        isinstance(name, str) and is_estimator(model) for name, model in models.items()
    ):
        raise TypeError(f"models must be an estimator or a dict of them by name, got {models!r}.")
    return dict(models)
