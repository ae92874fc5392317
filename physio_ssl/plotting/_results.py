"""Which part of a study's results a display shows, and the name of its axis."""

from dataclasses import replace

from ..evaluation.records import CONDITIONS, check_name, distinct, find_conditions

_NAMES = (*CONDITIONS, "repeat")
METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "auroc": "AUROC",
    "kappa": "Cohen's kappa",
}


def check_metric(metric):
    """Raise if there is no such metric."""
    check_name(metric, METRIC_NAMES, "metric")


def select_results(results, estimators, conditions, along=None):
    """Return the results of some estimators under one condition.

    Parameters
    ----------
    results : StudyResults
        All results.
    estimators : str, list of str or None
        Names; None means all.
    conditions : dict
        Value of each condition to show, e.g. ``{"label_fraction": 0.1}``.
    along : str, default=None
        The one condition that may keep several values.

    Returns
    -------
    StudyResults
        Those that were asked for.
    list of str
        The estimators, in the order asked for.

    Raises
    ------
    ValueError
        If a name or value is unknown, or a condition has several values left.
    """
    known = find_conditions(results.records, _NAMES)
    for name, value in conditions.items():
        check_name(name, known, "condition")
        check_name(value, known[name], name)
    wanted = [estimators] if isinstance(estimators, str) else estimators
    for name in wanted or ():
        check_name(name, results.estimators, "estimator")
    records = [
        record
        for record in results.records
        if (wanted is None or record["estimator"] in wanted)
        and all(record.get(name) == value for name, value in conditions.items())
        and (along is None or record.get(along) is not None)
    ]
    found = distinct(records, "estimator")
    for name in wanted or ():
        check_name(name, found, f"result under {conditions} of")
    if not records:
        raise ValueError(f"The study has no result under {conditions}.")
    for name in CONDITIONS:
        values = list(dict.fromkeys(record.get(name) for record in records))
        if len(values) > 1 and name != along:
            raise ValueError(
                f"The results differ in {name}: choose one of "
                f"{', '.join(f'{name}={value!r}' for value in values)}."
            )
    return replace(results, records=records), list(wanted or found)
