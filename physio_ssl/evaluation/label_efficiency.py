"""label_efficiency: scores against how many windows, or subjects, are labelled."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from .engine import run_study
from .fold import Draw, derive_seed
from .settings import StudySettings

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
        Fractions of the training windows that are labelled. They are drawn within each subject
        and class, at least one window of each; records count them as ``n_labelled``. A smaller
        draw is part of a larger one.
    n_subjects : sequence of int, default=None
        Instead of fractions: numbers of training subjects whose windows are all labelled; those
        of the others are not. The subjects drawn together have windows of all classes.
    n_repeats : int, default=3
        Draws of labels per fraction or number. Models keep their seed in all of them.
    **settings
        All settings of ``leave_subjects_out``: ``targets``, ``cv``, ``search``, ``inner_cv``,
        ``scoring``, ``transductive``, ``on_leak``, ``n_jobs``, ``random_state``, ``folder``,
        ``keep_predictions`` and ``verbose``, with the same defaults.

    Returns
    -------
    StudyResults
        With the condition ``label_fraction`` or ``n_labelled_subjects``, and ``repeat``.

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
        draw = _draw_fractions(_FRACTIONS if fractions is None else fractions, n_repeats)
    else:
        draw = _draw_subjects(list(n_subjects), n_repeats)
    return run_study(models, windows, StudySettings(**settings), draw)


def _draw_fractions(fractions, n_repeats):
    fractions = [float(fraction) for fraction in fractions]
    distinct = set(fractions)
    if not distinct or len(distinct) < len(fractions) or not all(0 < f <= 1 for f in distinct):
        raise ValueError(f"fractions must be above 0, at most 1, and differ, got {fractions}.")

    def draw(train, y, groups, fold, random_state):
        draws = []
        for repeat in range(n_repeats):
            seed = derive_seed(random_state, fold, repeat)
            order = np.random.default_rng(seed).permutation(train)
            strata = [
                order[(groups[order] == group) & (y[order] == label)]
                for group in np.unique(groups[train])
                for label in np.unique(y[train])
            ]
            for fraction in fractions:
                rows = [s[: max(1, round(fraction * len(s)))] for s in strata]
                condition = {"label_fraction": fraction, "repeat": repeat}
                draws.append(Draw(np.sort(np.concatenate(rows)), condition))
        return draws

    return draw


def _draw_subjects(numbers, n_repeats):
    whole = all(isinstance(n, Integral) and n > 0 for n in numbers)
    if not numbers or len(set(numbers)) < len(numbers) or not whole:
        raise ValueError(f"n_subjects must be positive integers that differ, got {numbers}.")

    def draw(train, y, groups, fold, random_state):
        subjects = np.unique(groups[train])
        check_scalar(max(numbers), f"n_subjects of fold {fold}", Integral, max_val=len(subjects))
        draws = []
        for repeat in range(n_repeats):
            rng = np.random.default_rng(derive_seed(random_state, fold, repeat))
            order = _order_subjects(subjects, y[train], groups[train], min(numbers), rng)
            for n in numbers:
                labelled = train[np.isin(groups[train], order[:n])]
                draws.append(Draw(labelled, {"n_labelled_subjects": int(n), "repeat": repeat}))
        return draws

    return draw


def _order_subjects(subjects, y, groups, n_first, rng):
    """Return subjects in an order whose first ones have windows of all classes."""
    for _ in range(1000):
        order = rng.permutation(subjects)
        if len(np.unique(y[np.isin(groups, order[:n_first])])) == len(np.unique(y)):
            return order
    raise ValueError(
        f"Could not draw {n_first} training subjects that cover all classes in 1,000 tries: raise "
        "the smallest of n_subjects."
    )
