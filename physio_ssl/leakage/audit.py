"""audit_leakage: run every check over every split, and report or raise."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

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
    - windows on both sides that share samples (needs the windows' onset and duration);
    - windows of identical samples on both sides, also of two subjects: one person under
      two names;
    - an encoder that was pre-trained on test subjects and is frozen (needs ``models``, and
      an encoder that was fitted with ``groups``);
    - scaling outside the fold: a frozen scaler that was fitted on all rows, or windows that
      are standardised (or scaled to 0 to 1) over all rows, or over each subject;
    - test windows inside a model, in ``train_split`` or a callback, where they choose the
      epoch.

    Models are searched through their parameters, nested estimators, containers, and what
    functions and other objects in parameters hold. The report lists what was looked at, what
    could not be checked, and what no audit can see.

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
        With ``leaks``, ``declared``, ``notes``, ``looked_at``, ``not_seen`` and ``ok``.

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
    _check_settings(windows, transductive, on_leak)
    arrays, y = _check_arrays(windows.X), windows.y
    _check_times(windows.onset, windows.duration)
    folds = split_windows(cv, windows)
    models = _check_models(models)

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
        find_pretrained(report, parts, names, codes, folds)
        find_frozen_scalers(report, parts, model, windows.X, y, folds)
        find_validation_windows(report, parts, arrays, folds)
    if not models:
        report.add_note("Encoders, frozen scalers and choice of epochs: no models were given.")
    if not report.ok and on_leak == "raise":
        raise LeakageError(report)
    return report


def split_windows(cv, windows):
    """Return the splits as a list of pairs of arrays of row numbers.

    Parameters
    ----------
    cv : splitter, iterable of (train, test) or None
        As in ``audit_leakage``.
    windows : Windows
        What is split; ``windows.y`` is handed to a splitter.
    """
    cv = LeaveOneGroupOut() if cv is None else cv
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise TypeError(f"cv must be a splitter or pairs of (train, test) rows, got {cv!r}.")
    if hasattr(cv, "split"):
        with warnings.catch_warnings():
            # The audit itself says so if subjects are on both sides.
            warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            cv = list(cv.split(windows.X, windows.y, windows.groups))
    folds = []
    for fold, split in enumerate(cv):
        if len(split) != 2:
            raise ValueError(f"A split is a pair of train and test rows, fold {fold} is {split}.")
        sides = zip(("train", "test"), split, strict=True)
        folds.append(
            tuple(
                _check_rows(rows, len(windows), f"{name} rows of fold {fold}")
                for name, rows in sides
            )
        )
    if not folds:
        raise ValueError("cv must have at least one split, got none.")
    return folds


def _note_random_splits(report, cv):
    draws = hasattr(cv, "random_state") and getattr(cv, "shuffle", True)
    if draws and not isinstance(cv.random_state, (int, np.integer)):
        report.add_note(
            f"{type(cv).__name__} draws other splits at each call: give it a random_state, "
            "or use list(cv.split(X, y, groups))."
        )


# Checks


def _check_settings(windows, transductive, on_leak):
    if not isinstance(windows, Windows):
        raise TypeError(f"windows must be Windows(X, info), got a {type(windows).__name__}.")
    if on_leak not in ("raise", "record"):
        raise ValueError(f"on_leak must be 'raise' or 'record', got {on_leak!r}.")
    if not isinstance(transductive, (bool, str)) or transductive == "":
        raise TypeError(f"transductive must be True, False or a text, got {transductive!r}.")


def _check_arrays(X):
    """Return the arrays by modality; a plain array is called X."""
    arrays = dict(X.items()) if isinstance(X, Mapping) else {"X": X}
    arrays = {str(name): np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise TypeError(
                f"{name} must be an array of real numbers, got one of {array.dtype} and "
                f"shape {array.shape}."
            )
    return {
        name: array[:, np.newaxis] if array.ndim == 1 else array for name, array in arrays.items()
    }


def _check_times(onset, duration):
    if onset is not None and not np.isfinite(onset).all():
        raise ValueError("onset must be finite, in seconds, got infinity.")
    if duration is not None and not 0 < duration < np.inf:
        raise ValueError(f"duration must be a positive number of seconds, got {duration}.")


def _check_rows(rows, n_windows, name):
    rows = np.asarray(rows)
    if rows.dtype.kind == "b" and rows.shape == (n_windows,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not len(rows):
        raise ValueError(f"The {name} must be a list of at least one row, got {rows.shape}.")
    if rows.dtype.kind not in "iu":
        raise ValueError(f"The {name} must be row numbers or a mask, got {rows.dtype}.")
    if rows.min() < 0 or rows.max() >= n_windows:
        raise ValueError(
            f"The {name} must lie in 0 to {n_windows - 1}, got {rows.min()} to {rows.max()}."
        )
    return rows


def _check_models(models):
    if models is None:
        return {}
    if is_estimator(models):
        return {type(models).__name__: models}
    if not isinstance(models, Mapping):
        raise TypeError(
            "models must be an estimator or a mapping from names to estimators, got a "
            f"{type(models).__name__}."
        )
    for name, model in models.items():
        if not is_estimator(model):
            raise TypeError(f"models[{name!r}] has no fit and get_params, got {model!r}.")
    return dict(models)
