"""label_efficiency: scores against how many people, or windows, are labelled."""

from dataclasses import replace
from itertools import product
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from .._check import check_count, check_list, check_number
from .calibration import ORDERS, choose_calibration, place_in_time
from .engine import run_study
from .fold import Draw, derive_seed
from .study import StudySettings

_N_SUBJECTS = (1, 2, 4, 8, "all")


def label_efficiency(
    models,
    windows,
    *,
    n_subjects=None,
    fractions=None,
    calibration=None,
    calibration_order="time",
    n_repeats=3,
    **settings,
):
    """Test models that were given few labels: of few people, or also of the new person.

    The folds are those of ``leave_subjects_out``. An unfitted ``SSLEncoder`` is pre-trained on
    *all* windows of the training subjects, once per fold, as these need no labels. Estimators
    that are fitted with labels see the labelled windows only.

    Parameters
    ----------
    models, windows
        As in ``leave_subjects_out``.
    n_subjects : sequence of int or "all", default=(1, 2, 4, 8, "all")
        Numbers of training subjects whose windows are all labelled. The subjects drawn together
        have windows of all classes, if there are classes. "all" is recorded as the number of
        training subjects; numbers that are not smaller are then left out, and without "all" they
        may be no larger.
    fractions : sequence of float, default=None
        Instead: fractions of the training windows that are labelled, above 0 and at most 1,
        drawn within each subject and class, at least one window of each.
    calibration : sequence of float, default=None
        Instead: minutes of the *test* subject that are labelled and join the windows of all
        training subjects, e.g. ``(0, 1, 2, 5)``. Time in two windows counts once. Windows need
        a duration and onsets.
    calibration_order : {"time", "random"} or sequence of them, default="time"
        Which minutes. "time" takes the first ones, as a user of a new device could label, often
        of one class only. "random" draws them from the whole time of the subject, which
        flatters: they are of all classes, and lie between test windows. Each order tests all
        numbers of minutes on the same windows: those that overlap none of the largest draw.
    n_repeats : int, default=3
        Draws of labels, except of calibration in the order of time. Each draw seeds the models
        anew, and more labels hold the fewer ones.
    **settings
        Those of ``leave_subjects_out``, with the same defaults: ``targets``, ``cv``, ``search``,
        ``inner_cv``, ``scoring``, ``sample_weight``, ``transductive``,
        ``pretrained_on_test_subjects``, ``on_leak``, ``n_jobs``, ``random_state``, ``folder``,
        ``baselines``, ``recordings`` and ``verbose``; but
        ``keep_predictions`` and ``added_value`` are False unless set.

    Returns
    -------
    StudyResults
        With the condition ``n_labelled_subjects``, ``label_fraction``, or
        ``calibration_minutes`` and ``calibration_order``; with ``repeat``, and the number of
        labelled windows as ``n_labelled``. After calibration, the protocol says "calibrated":
        the test subjects are not unseen. A score is missing where the windows left to test on
        lack a class that it needs.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As ``leave_subjects_out``; also if the numbers do not fit, or calibration leaves no
        window of a subject to test on.

    See Also
    --------
    leave_subjects_out : The same with all labels.
    physio_ssl.plotting.LabelEfficiencyDisplay : Draws the scores against the amount of labels.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from physio_ssl import ChannelStatistics, StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.evaluation import label_efficiency
    >>> people = simulate_wristband(4, signals=("eda", "temp"), random_state=0)
    >>> windows = make_windows(people, 60, labels=StageLabels({"rest": 0, "stress": 1}))
    >>> model = make_pipeline(ChannelStatistics(), LogisticRegression(max_iter=10_000))
    >>> label_efficiency(model, windows, baselines=False)
    StudyResults(1 estimators, 4 subjects, n_labelled_subjects: 1, 2, 3; leak_free)
    >>> results = label_efficiency(model, windows, calibration=(0, 1), baselines=False)
    >>> results.protocol["protocol"]
    'calibrated'
    """
    check_count(n_repeats, "n_repeats")
    given = {"n_subjects": n_subjects, "fractions": fractions, "calibration": calibration}
    names = [name for name, values in given.items() if values is not None]
    if len(names) > 1:
        raise ValueError(f"Give one of n_subjects, fractions and calibration, got {names}.")
    settings = StudySettings(**{"keep_predictions": False, "added_value": False, **settings})
    if calibration is not None:
        return _calibrate(models, windows, settings, calibration, calibration_order, n_repeats)
    if fractions is not None:
        name, pick, values = "label_fraction", _pick_fractions, check_list(fractions, "fractions")
        rule = "above 0, at most 1"
        values = [check_number(value, "fractions", 0, 1, rule, above=True) for value in values]
        is_valid = True
    else:
        values = check_list(_N_SUBJECTS if n_subjects is None else n_subjects, "n_subjects")
        name, pick, rule = "n_labelled_subjects", _pick_subjects, 'positive integers or "all"'
        is_valid = all(_is_number_of_subjects(value) for value in values)
    _check_values(names[0] if names else "n_subjects", values, is_valid, rule)

    def draw_labels(windows, train, test, fold, random_state):
        y, groups, draws = windows.y, windows.groups, []
        for repeat in range(n_repeats):
            seed = derive_seed(random_state, fold, repeat)
            rng = np.random.default_rng(seed)
            for value, rows in pick(values, train, y, groups, rng):
                draws.append(Draw(rows, {name: value, "repeat": repeat}, seed))
        return draws

    return run_study(models, windows, settings, draw_labels)


def _is_number_of_subjects(value):
    if isinstance(value, str):
        return value == "all"
    return isinstance(value, Integral) and value > 0


def _check_values(name, values, is_valid, rule):
    if not values or not is_valid or len(set(values)) < len(values):
        raise ValueError(f"{name} must be {rule}, and differ, got {values}.")


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
    if "all" in numbers:
        n_all = len(subjects)
        numbers = [n for n in numbers if n != "all" and n < n_all] + [n_all]
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


def _calibrate(models, windows, settings, minutes, orders, n_repeats):
    """Run the study in which minutes of each test subject are labelled."""
    minutes, orders = list(minutes), [orders] if isinstance(orders, str) else list(orders)
    is_valid = all(isinstance(k, Real) and 0 <= k < np.inf for k in minutes)
    _check_values("calibration", minutes, is_valid, "finite minutes, 0 or more")
    is_valid = all(order in ORDERS for order in orders)
    _check_values("calibration_order", orders, is_valid, f"among {', '.join(ORDERS)}")
    minutes = [int(k) if k == int(k) else float(k) for k in minutes]

    def draw_labels(windows, train, test, fold, random_state):
        groups, start, draws = windows.groups, place_in_time(windows), []
        for subject, order in product(np.unique(groups[test]).tolist(), orders):
            rows = test[groups[test] == subject]
            rows = rows[np.argsort(start[rows], kind="stable")]
            for repeat in range(1 if order == "time" else n_repeats):
                seed, taken = derive_seed(random_state, fold, repeat), np.arange(len(rows))
                known = {"calibration_order": order}
                if order == "random":
                    taken = np.random.default_rng(seed).permutation(taken)
                    known["repeat"] = repeat
                chosen, rest = choose_calibration(
                    start[rows], windows.duration, minutes, taken, windows.total_duration
                )
                _check_calibration(subject, chosen, rest, windows.duration)
                for k, some in chosen.items():
                    labelled = np.concatenate([train, rows[some]])
                    condition = {"calibration_minutes": k, **known}
                    draws.append(Draw(labelled, condition, seed, rows[rest]))
        return draws

    results = run_study(models, windows, settings, draw_labels)
    protocol, audit = results.protocol["protocol"], results.protocol["audit"]
    declared = f"the classifiers have labels of up to {max(minutes)} minutes of each test subject"
    changed = {
        "protocol": "calibrated" if protocol == "leak_free" else f"{protocol}, calibrated",
        "audit": {**audit, "declared": [*audit["declared"], declared]},
    }
    return replace(results, protocol=results.protocol | changed)


def _check_calibration(subject, chosen, rest, duration):
    """Raise if calibration takes no window of a subject, or leaves none to test on."""
    for k, rows in chosen.items():
        if k and not rows:
            raise ValueError(
                f"Minutes of calibration must be 0 or hold a window of {duration:g} s, got {k}."
            )
    if not len(rest):
        raise ValueError(
            f"Calibration of {max(chosen)} minutes leaves no window of {subject!r} to test on."
        )
