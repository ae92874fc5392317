"""label_efficiency: scores against how many windows, or subjects, are labelled."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from .engine import run_study
from .fold import Draw, derive_seed
from .study import StudySettings

_FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)


def label_efficiency(models, windows, *, fractions=None, n_subjects=None, n_repeats=3, **settings):
    """Test models that were given only some of the training labels.

    The folds are those of ``leave_subjects_out``. An unfitted ``SSLEncoder`` is pre-trained on
    *all* windows of the training subjects, once per fold, as these need no labels. Estimators
    that are fitted with labels see the labelled windows only.

    Parameters
    ----------
    models, windows
        As in ``leave_subjects_out``.
    fractions : sequence of float, default=(0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
        Fractions of the training windows that are labelled, drawn within each subject and class,
        at least one window of each. A smaller draw is part of a larger one.
    n_subjects : sequence of int, default=None
        Instead of fractions: numbers of training subjects whose windows are all labelled. The
        subjects drawn together have windows of all classes.
    n_repeats : int, default=3
        Draws of labels per fraction or number. Each also seeds the models anew.
    **settings
        Those of ``leave_subjects_out``, with the same defaults: ``targets``, ``cv``, ``search``,
        ``inner_cv``, ``scoring``, ``transductive``, ``on_leak``, ``n_jobs``, ``random_state``,
        ``folder``, ``baselines`` and ``verbose``; but ``keep_predictions`` and ``added_value``
        are False unless set.

    Returns
    -------
    StudyResults
        With the condition ``label_fraction`` or ``n_labelled_subjects``, ``repeat``, and the
        number of labelled windows as ``n_labelled``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As ``leave_subjects_out``; also if fractions or numbers of subjects do not fit.

    See Also
    --------
    leave_subjects_out : The same with all labels.
    """
    check_scalar(n_repeats, "n_repeats", Integral, min_val=1)
    if fractions is not None and n_subjects is not None:
        raise ValueError("Give fractions or n_subjects, not both.")
    if n_subjects is None:
        name, pick = "label_fraction", _pick_fractions
        values = [float(value) for value in (_FRACTIONS if fractions is None else fractions)]
        valid, rule = (
            all(0 < value <= 1 for value in values),
            "fractions must be above 0, at most 1",
        )
    else:
        name, pick, values = "n_labelled_subjects", _pick_subjects, list(n_subjects)
        valid = all(isinstance(value, Integral) and value > 0 for value in values)
        rule = "n_subjects must be positive integers"
    if not valid or not values or len(set(values)) < len(values):
        raise ValueError(f"{rule}, and differ, got {values}.")

    def draw_labels(windows, train, test, fold, random_state):
        y, groups, draws = windows.y, windows.groups, []
        for repeat in range(n_repeats):
            seed = derive_seed(random_state, fold, repeat)
            rng = np.random.default_rng(seed)
            for value, rows in pick(values, train, y, groups, rng):
                draws.append(Draw(rows, {name: value, "repeat": repeat}, seed))
        return draws

    settings = {"keep_predictions": False, "added_value": False, **settings}
    return run_study(models, windows, StudySettings(**settings), draw_labels)


def _pick_fractions(fractions, train, y, groups, rng):
    """Yield each fraction, and that part of the training rows of each subject and class."""
    order = rng.permutation(train)
    strata = [
        order[(groups[order] == group) & (y[order] == label)]
        for group in np.unique(groups[train])
        for label in np.unique(y[train])
    ]
    for fraction in fractions:
        rows = [rows[: max(1, round(fraction * len(rows)))] for rows in strata]
        yield fraction, np.sort(np.concatenate(rows))


def _pick_subjects(numbers, train, y, groups, rng):
    """Yield each number, and the training rows of so many subjects, the first in one order."""
    y, groups = y[train], groups[train]
    subjects = np.unique(groups)
    check_scalar(max(numbers), "n_subjects", Integral, max_val=len(subjects))
    for _ in range(1000):
        order = rng.permutation(subjects)
        first = np.isin(groups, order[: min(numbers)])
        if len(np.unique(y[first])) == len(np.unique(y)):
            break
    else:
        raise ValueError(f"No draw of {min(numbers)} training subjects covers all classes.")
    for n in numbers:
        yield int(n), train[np.isin(groups, order[:n])]
