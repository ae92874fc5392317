"""label_efficiency: scores against how many windows, or subjects, are labelled."""

from numbers import Integral

import numpy as np

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
        of the others are not. At most as many as each fold has. The subjects drawn together
        have windows of all classes that the training subjects have.
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
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a positive integer, got {n_repeats!r}.")
    if n_subjects is None:
        draw = _draw_fractions(_FRACTIONS if fractions is None else fractions, n_repeats)
    elif fractions is None:
        draw = _draw_subjects(n_subjects, n_repeats)
    else:
        raise ValueError("Give fractions or n_subjects, not both.")
    return run_study(models, windows, StudySettings.from_keywords(settings), draw)


def _draw_fractions(fractions, n_repeats):
    fractions = [float(fraction) for fraction in fractions]
    in_range = fractions and all(0 < fraction <= 1 for fraction in fractions)
    if not in_range or _has_repeats(fractions):
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
    numbers = list(numbers)
    if not numbers or not all(isinstance(n, Integral) and n > 0 for n in numbers):
        raise ValueError(f"n_subjects must be positive integers, got {numbers}.")
    if _has_repeats(numbers):
        raise ValueError(f"n_subjects must differ, got {numbers}.")

    def draw(train, y, groups, fold, random_state):
        known = np.unique(groups[train])
        if max(numbers) > len(known):
            raise ValueError(
                f"n_subjects must be at most the {len(known)} training subjects of fold {fold}, "
                f"got {max(numbers)}."
            )
        draws = []
        for repeat in range(n_repeats):
            seed = derive_seed(random_state, fold, repeat)
            order = _order_subjects(train, y, groups, min(numbers), seed)
            for n in numbers:
                labelled = train[np.isin(groups[train], order[:n])]
                draws.append(Draw(labelled, {"n_labelled_subjects": int(n), "repeat": repeat}))
        return draws

    return draw


def _order_subjects(train, y, groups, n_first, seed):
    """Return subjects in an order whose first ones have windows of all classes."""
    rng, n_classes = np.random.default_rng(seed), len(np.unique(y[train]))
    for _ in range(1000):
        order = rng.permutation(np.unique(groups[train]))
        if len(np.unique(y[train][np.isin(groups[train], order[:n_first])])) == n_classes:
            return order
    raise ValueError(
        f"Could not draw {n_first} training subjects that cover all classes in 1,000 tries: raise "
        "the smallest of n_subjects."
    )


def _has_repeats(values):
    return len(set(values)) < len(values)
