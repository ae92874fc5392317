"""label_efficiency: scores against how many windows, or subjects, are labelled."""

from numbers import Integral

import numpy as np

from ._study import derive_seed, run_study

_SHARES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)


def label_efficiency(
    estimators, X, y, groups, *, shares=None, n_subjects=None, n_repeats=3, **settings
):
    """Test estimators that were given only some of the training labels.

    The folds are those of ``leave_subjects_out``. An unfitted ``SSLEncoder`` is pre-trained on
    *all* windows of the training subjects, once per fold, as these need no labels; what is
    fitted with labels sees the labelled windows only.

    Parameters
    ----------
    estimators, X, y, groups
        As in ``leave_subjects_out``.
    shares : sequence of float, default=(0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
        Shares of the training windows that are labelled, drawn within each subject and
        class, of which at least one window is; records count them as ``n_labelled``. A
        smaller draw is part of a larger one.
    n_subjects : sequence of int, default=None
        Instead of shares: numbers of training subjects, all of whose windows are labelled;
        the others' are not. At most as many as each fold has. Those drawn together have
        windows of all classes that the training subjects have.
    n_repeats : int, default=3
        Draws per share or number, each with another seed of what is fitted with labels.
    **settings
        Those of ``leave_subjects_out``: ``onset``, ``duration``, ``recording``, ``cv``,
        ``search``, ``transductive``, ``n_jobs``, ``random_state``, ``folder``, ...

    Returns
    -------
    StudyResults
        With the condition ``share`` or ``n_labelled_subjects``, and ``repeat``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As ``leave_subjects_out``; and if shares or numbers of subjects do not fit.
    """
    if settings.get("protocol", "leak_free") != "leak_free":
        raise ValueError("label_efficiency is leak-free only; leave protocol out.")
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a positive integer, got {n_repeats!r}.")
    if n_subjects is None:
        draw = _draw_shares(_SHARES if shares is None else shares, n_repeats)
    elif shares is None:
        draw = _draw_subjects(n_subjects, n_repeats)
    else:
        raise ValueError("Give shares or n_subjects, not both.")
    return run_study(estimators, X, y, groups, draw, **settings)


def _draw_shares(shares, n_repeats):
    shares = [float(share) for share in shares]
    if not shares or not all(0 < share <= 1 for share in shares) or _repeats(shares):
        raise ValueError(f"shares must be above 0, at most 1, and differ, got {shares}.")

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
            for share in shares:
                rows = [s[: max(1, round(share * len(s)))] for s in strata]
                labelled = np.sort(np.concatenate(rows))
                draws.append((seed, labelled, {"share": share, "repeat": repeat}))
        return draws

    return draw


def _draw_subjects(numbers, n_repeats):
    numbers = list(numbers)
    if not numbers or not all(isinstance(n, Integral) and n > 0 for n in numbers):
        raise ValueError(f"n_subjects must be positive integers, got {numbers}.")
    if _repeats(numbers):
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
                condition = {"n_labelled_subjects": int(n), "repeat": repeat}
                draws.append((seed, labelled, condition))
        return draws

    return draw


def _order_subjects(train, y, groups, n_first, seed):
    """Return subjects in an order whose first ones have windows of all classes."""
    rng, n_classes = np.random.default_rng(seed), len(np.unique(y[train]))
    for _ in range(1000):
        order = rng.permutation(np.unique(groups[train]))
        if len(np.unique(y[train][np.isin(groups[train], order[:n_first])])) == n_classes:
            return order
    raise ValueError(f"Hardly any {n_first} training subjects have windows of all classes.")


def _repeats(values):
    return len(set(values)) < len(values)
