"""audit_leakage: run every check over every split, and report or raise."""

import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from .._check import check_duration
from ..windows import Windows
from .columns import find_columns
from .duplicates import find_duplicates
from .overlap import encode, find_overlaps, find_subjects, hash_windows
from .pretrained import find_numbers, find_pretrained, find_validation_windows
from .report import LeakageError, LeakageReport
from .scaling import find_frozen_scalers, find_scaled_windows
from .shared_runs import find_shared_runs
from .traversal import is_estimator, walk


def audit_leakage(
    windows,
    cv=None,
    models=None,
    *,
    transductive=False,
    pretrained_on_test_subjects=False,
    on_leak="raise",
):
    """Look for test subjects' data that reach training, and fail loudly.

    The audit looks for

    - a subject on both sides of a split;
    - windows on both sides that overlap, by their onset and duration or, where these are not
      known, by runs of equal samples;
    - windows on both sides with equal samples, and recordings under two names that are nearly
      copies (scaled, shifted by some samples, with noise, rounded, resampled), where windows
      carry enough information to tell;
    - single features, or channels that are constant in each window, that hold the label or
      the time. A table of nothing but time is a clock, which is noted and allowed;
    - a frozen encoder that was pre-trained, with ``groups``, on test subjects;
    - scaling outside the fold: a frozen scaler that was fitted on all rows, or windows that
      are standardised (by mean or median, or scaled to 0 to 1) over all rows, each subject or
      each test fold;
    - test windows in ``train_split`` or a callback of a model, where they choose the epoch.

    Models are searched through their parameters, nested estimators and containers; through what
    functions and other objects in parameters hold; and through the attributes and methods of
    your own classes, with the global variables that these name.

    Where nobody can know on whom something was fitted, there is no leak, but the verdict says
    what is not known: e.g. an encoder that was fitted without ``groups``, or that has seen people
    whose names are not of the form "data set/subject", or a scaler that was fitted before.

    Parameters
    ----------
    windows : Windows
        Windows, or features of them.
    cv : splitter or iterable of (train, test), default=None
        The splits, as row numbers or masks. None holds out one subject at a time.
    models : estimator or mapping from str to estimator, default=None
        What the study compares. Those that predict are fitted in each fold, so only what is
        frozen in them counts as fitted; one that only transforms is used as it is.
    transductive : bool or str, default=False
        Whether, or a text how, signals are scaled over the *unlabelled* windows of each subject.
        Such scaling is then declared, not a leak.
    pretrained_on_test_subjects : bool or str, default=False
        Whether, or a text why, encoders were pre-trained on test subjects, without labels. That
        is then declared, not a leak.
    on_leak : {"raise", "record"}, default="raise"
        Whether leaks are raised or only reported.

    Returns
    -------
    LeakageReport
        What was found, what was looked at, and what no audit can see.

    Raises
    ------
    LeakageError
        If there are leaks; it names their kinds, folds and rows.
    TypeError, ValueError
        If an argument is wrong.

    See Also
    --------
    physio_ssl.evaluation.leave_subjects_out : A study, which starts with this audit.
    physio_ssl.evaluation.audit_confounds : What tells the classes and is no physiology.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.model_selection import KFold
    >>> from physio_ssl import Windows
    >>> from physio_ssl.leakage import audit_leakage
    >>> info = pd.DataFrame({"subject": np.repeat(["S1", "S2"], 4)})
    >>> windows = Windows(np.random.default_rng(0).gamma(2, size=(8, 1, 40)), info)
    >>> print(audit_leakage(windows, KFold(4), on_leak="record").leaks[0].kind)
    subject on both sides
    """
    if on_leak not in ("raise", "record"):
        raise ValueError(f"on_leak must be 'raise' or 'record', got {on_leak!r}.")
    declared = {
        "transductive": transductive,
        "pretrained_on_test_subjects": pretrained_on_test_subjects,
    }
    for name, value in declared.items():
        if not isinstance(value, (bool, str)) or value == "":
            raise TypeError(f"{name} must be True, False or a text, got {value!r}.")
    folds, models = split_windows(cv, windows), name_models(models)
    if windows.onset is not None and not np.isfinite(windows.onset).all():
        raise ValueError("onset must be finite, in seconds, got infinity.")
    if windows.duration is not None:
        check_duration(windows.duration)
    arrays = _get_arrays(windows.X)
    digests = {name: hash_windows(array) for name, array in arrays.items()}

    report = LeakageReport(**declared)
    if getattr(cv, "shuffle", True) and not isinstance(getattr(cv, "random_state", 0), Integral):
        name = type(cv).__name__
        report.add_note(f"{name} draws other splits at each call: give it a random_state.")
    names, codes = encode(windows.groups)
    find_subjects(report, folds, names, codes)
    find_overlaps(report, folds, windows)
    if windows.onset is None or windows.duration is None:
        find_shared_runs(report, folds, arrays)
    find_duplicates(report, folds, arrays, digests, names, codes)
    find_scaled_windows(report, arrays, codes, folds)
    find_columns(report, arrays, windows, codes)
    for name, model in models.items():
        parts = list(walk(name, model))
        report.looked_at.append(
            f"{name!r}: subjects of encoders, frozen scalers, windows that choose the epoch, in "
            f"{sum(is_estimator(part.value) for part in parts)} estimators and their parameters"
        )
        find_pretrained(report, parts, windows.groups, folds)
        find_frozen_scalers(report, parts, model, windows.X, windows.y, folds)
        find_numbers(report, parts)
        find_validation_windows(report, parts, digests, folds)
    if not models:
        report.add_unknown("what the models have seen, as none were given")
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
        raise ValueError(f"cv needs pairs (train, test), got lengths {list(map(len, folds))}.")
    return folds


def _check_rows(rows, n_windows, fold):
    """Return row numbers, or those of a mask."""
    numbers = np.asarray(rows)
    if numbers.dtype.kind == "b" and numbers.shape == (n_windows,):
        numbers = np.flatnonzero(numbers)
    whole = numbers.ndim == 1 and len(numbers) and numbers.dtype.kind in "iu"
    if not whole or not 0 <= numbers.min() <= numbers.max() < n_windows:
        raise ValueError(f"Fold {fold} needs rows from 0 to {n_windows - 1}, got {numbers}.")
    return numbers


def _get_arrays(X):
    """Return the arrays by modality, of two dimensions or more; a plain array is called X."""
    arrays = dict(X) if isinstance(X, Mapping) else {"X": X}
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
    named = isinstance(models, Mapping) and all(isinstance(name, str) for name in models)
    if not named or not all(map(is_estimator, models.values())):
        raise TypeError(f"models must be an estimator or a dict of them by name, got {models!r}.")
    return models
