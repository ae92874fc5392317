"""audit_leakage: run every check over every split, and report or raise."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from ._crossings import encode, find_duplicates, find_overlaps, find_subjects
from ._held import find_pretrained, find_validation_windows
from ._leak import TRANSDUCTIVE, Leak, LeakageError, LeakageReport, describe
from ._scaling import find_frozen_scalers, find_scaled_windows
from ._walk import is_estimator, walk

_ON_LEAK = ("raise", "record")


def audit_leakage(
    cv,
    X=None,
    y=None,
    groups=None,
    *,
    onset=None,
    duration=None,
    recording=None,
    estimators=None,
    transductive=False,
    on_leak="raise",
):
    """Look for test subjects' data that reach training, and fail loudly.

    Six kinds of leak are looked for:

    - a subject on both sides of a split (needs ``groups``);
    - windows on both sides that share samples (needs ``onset``, ``duration``, and
      ``recording`` or ``groups``);
    - windows of identical samples on both sides, also of two subjects: one person under
      two names (needs ``X``);
    - an encoder that was pre-trained on test subjects and stays so (needs ``estimators``
      and ``groups``, and the encoder to have been told its groups, as ``groups_seen_``);
    - scaling outside the fold: a frozen scaler fitted on all rows, or windows that are
      standardised (or scaled to 0 to 1) over all rows, or over each subject;
    - test windows inside an estimator, in ``train_split`` or a callback, where they choose
      the epoch.

    Parameters
    ----------
    cv : splitter or iterable of (train, test)
        The splits, as row numbers or masks.
    X : array of shape (n_windows, ...) or mapping of such arrays, default=None
        Windows, or features of them.
    y : array of shape (n_windows,), default=None
        Labels, where ``cv`` or a frozen estimator needs them.
    groups : array of shape (n_windows,), default=None
        Subject of each window.
    onset : array of shape (n_windows,), default=None
        Start of each window, in seconds from its recording's start.
    duration : float, default=None
        Length of the windows, in seconds.
    recording : array of shape (n_windows,), default=None
        Recording of each window, with a name or number that no other recording has. None:
        all windows of a subject are on one clock.
    estimators : estimator or mapping from str to estimator, default=None
        What the study compares. Those that predict are fitted anew in each fold, so only
        what is frozen in them counts as fitted; one that only transforms is taken as it is.
    transductive : bool or str, default=False
        Whether, or a text how, the study uses *unlabelled* data of its test subjects: an
        encoder pre-trained on them, or scaling of each subject over its own windows. These
        two are then noted and are no leak. The others always are.
    on_leak : {"raise", "record"}, default="raise"
        Whether leaks are raised or only reported.

    Returns
    -------
    LeakageReport
        With ``leaks``, ``notes`` on what could not be checked, and ``ok``.

    Raises
    ------
    LeakageError
        If there are leaks; names their kinds, folds and rows.
    ValueError
        If lengths or rows do not fit, or there is no split.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import KFold, LeaveOneGroupOut
    >>> from physio_ssl.evaluation.leakage import audit_leakage
    >>> X = np.random.default_rng(0).gamma(2, size=(8, 1, 40))
    >>> groups = np.repeat(["S1", "S2"], 4)
    >>> audit_leakage(LeaveOneGroupOut(), X, groups=groups).ok
    True
    >>> report = audit_leakage(KFold(4), X, groups=groups, on_leak="record")
    >>> report.leaks[0].kind
    'subject on both sides'
    """
    if on_leak not in _ON_LEAK:
        raise ValueError(f"on_leak must be one of {', '.join(_ON_LEAK)}, got {on_leak!r}.")
    if not isinstance(transductive, (bool, str)) or transductive == "":
        raise TypeError(f"transductive must be True, False or a text, got {transductive!r}.")
    arrays = _check_arrays(X)
    columns = {"y": y, "groups": groups, "onset": onset, "recording": recording}
    n_windows, columns = _check_columns(arrays, columns)
    _check_times(columns["onset"], duration)
    folds = check_folds(cv, n_windows, columns["y"], columns["groups"])
    estimators = _check_estimators(estimators)

    found = [_random_note(cv)]
    found += _audit_rows(folds, arrays, columns, duration, n_windows)
    names, codes = _encode(columns["groups"])
    clocks = codes if codes is not None else _encode(columns["recording"])[1]
    found += find_scaled_windows(arrays, clocks, transductive)
    for name, estimator in estimators.items():
        held = list(walk(name, estimator))
        found += find_pretrained(held, names, codes, folds)
        found += find_frozen_scalers(held, estimator, X, columns["y"], folds)
        if arrays:
            found += find_validation_windows(held, arrays, folds)
    if not estimators:
        found.append("Encoders, frozen scalers and choice of epochs: no estimators were given.")

    leaks = [item for item in found if isinstance(item, Leak)]
    declared = []
    if transductive:
        declared = [leak for leak in leaks if leak.kind in TRANSDUCTIVE]
        leaks = [leak for leak in leaks if leak.kind not in TRANSDUCTIVE]
    text = f" ({transductive})" if isinstance(transductive, str) else ""
    notes = [f"Declared as transductive{text}: {line}" for line in describe(declared)]
    notes += dict.fromkeys(item for item in found if isinstance(item, str))
    report = LeakageReport(leaks, notes)
    if not report.ok and on_leak == "raise":
        raise LeakageError(report)
    return report


def _audit_rows(folds, arrays, columns, duration, n_windows):
    """Return what is on both sides of a split, and notes on what could not be compared."""
    groups, onset, recording = (columns[name] for name in ("groups", "onset", "recording"))
    found = []
    if groups is None:
        found.append("Subjects on both sides: no groups were given.")
    else:
        found += find_subjects(folds, *_encode(groups))
    key = groups if recording is None else recording
    if onset is None:
        found.append("Overlapping windows: no onset was given.")
    elif key is None:
        found.append("Overlapping windows: neither recording nor groups were given.")
    else:
        found += find_overlaps(folds, *_encode(key), groups, onset, duration)
    if not arrays:
        found.append("Duplicated and scaled windows: no X was given.")
    found += find_duplicates(folds, arrays, n_windows)
    return found


def _encode(labels):
    return (None, None) if labels is None else encode(labels)


def _random_note(cv):
    """Return a note where the study would draw other splits than those looked at."""
    draws = hasattr(cv, "random_state") and getattr(cv, "shuffle", True)
    if draws and not isinstance(cv.random_state, (int, np.integer)):
        return (
            f"{type(cv).__name__} draws other splits at each call: give it a random_state, "
            "or hand over list(cv.split(X, y, groups))."
        )
    return None


# Checks


def _check_arrays(X):
    """Return the arrays by modality; a plain array is called X."""
    if X is None:
        return {}
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


def _check_columns(arrays, columns):
    """Return the number of windows and all columns as arrays of that length."""
    columns = {
        name: None if column is None else np.asarray(column) for name, column in columns.items()
    }
    given = {**arrays, **{name: c for name, c in columns.items() if c is not None}}
    if not given:
        raise ValueError("There is nothing to audit: give at least X or groups.")
    for name in ("groups", "onset", "recording"):
        column = columns[name]
        if column is not None and column.ndim != 1:
            raise ValueError(f"{name} must be 1-D, a value per window, got {column.shape}.")
        if column is not None and any(v is None or v != v for v in column.tolist()):
            raise ValueError(f"{name} must have a value for every window, got missing ones.")
    lengths = {name: len(array) for name, array in given.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        counts = ", ".join(f"{name}: {n}" for name, n in lengths.items())
        raise ValueError(f"All must have the same number of windows, at least 1, got {counts}.")
    return next(iter(lengths.values())), columns


def _check_times(onset, duration):
    if onset is None:
        return
    if onset.dtype.kind not in "iuf" or not np.isfinite(onset).all():
        raise ValueError(f"onset must be finite numbers, in seconds, got {onset.dtype}.")
    if duration is None:
        raise ValueError("onset needs duration, the length of the windows in seconds.")
    if np.ndim(duration) or not 0 < duration < np.inf:
        raise ValueError(f"duration must be one positive number of seconds, got {duration}.")


def check_folds(cv, n_windows, y, groups):
    """Return the splits as a list of pairs of arrays of row numbers."""
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise TypeError(f"cv must be a splitter or pairs of (train, test) rows, got {cv!r}.")
    if hasattr(cv, "split"):
        with warnings.catch_warnings():
            # That windows are split without their groups is what the audit is about to say.
            warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            cv = list(cv.split(np.zeros(n_windows), y, groups))
    folds = []
    for fold, split in enumerate(cv):
        if len(split) != 2:
            raise ValueError(f"A split is a pair of train and test rows, fold {fold} is {split}.")
        train, test = split
        folds.append(
            (
                _check_rows(train, n_windows, f"train rows of fold {fold}"),
                _check_rows(test, n_windows, f"test rows of fold {fold}"),
            )
        )
    if not folds:
        raise ValueError("cv must have at least one split, got none.")
    return folds


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


def _check_estimators(estimators):
    if estimators is None:
        return {}
    if is_estimator(estimators):
        return {type(estimators).__name__: estimators}
    if not isinstance(estimators, Mapping):
        raise TypeError(
            "estimators must be an estimator or a mapping from names to estimators, got "
            f"{type(estimators).__name__}."
        )
    for name, estimator in estimators.items():
        if not is_estimator(estimator):
            raise TypeError(f"estimators[{name!r}] has no fit and get_params: {estimator!r}.")
    return dict(estimators)
