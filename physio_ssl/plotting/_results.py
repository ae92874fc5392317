"""Which part of a study's results a display shows, and how its axis is called."""

from dataclasses import replace

METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "auroc": "AUROC",
    "kappa": "Cohen's kappa",
}


def check_metric(metric):
    """Raise if there is no such metric."""
    _check_name(metric, METRIC_NAMES, "metric")


def get_unit(results):
    """Return what was held out: "subject", unless the protocol says otherwise."""
    return results.protocol.get("unit", "subject")


def select_results(results, estimators, conditions, along=None):
    """Return the results of some estimators under one condition.

    Parameters
    ----------
    results : StudyResults
        All results.
    estimators : str, list of str or None
        Names; None stands for all.
    conditions : dict
        Value of each condition to show, e.g. ``{"share": 0.1}``.
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
    known = _conditions(results.records)
    for name, value in conditions.items():
        _check_name(name, known, "condition")
        _check_name(value, known[name], name)
    wanted = [estimators] if isinstance(estimators, str) else estimators
    for name in wanted or ():
        _check_name(name, results.estimators, "estimator")
    records = [
        record
        for record in results.records
        if (wanted is None or record["estimator"] in wanted)
        and all(record.get(name) == value for name, value in conditions.items())
        and (along is None or record.get(along) is not None)
    ]
    found = list(dict.fromkeys(record["estimator"] for record in records))
    for name in wanted or ():
        _check_name(name, found, f"result under {conditions} of")
    if not records:
        raise ValueError(f"The study has no result under {conditions}.")
    for name, values in _conditions(records).items():
        if len(values) > 1 and name not in (along, "repeat"):
            raise ValueError(
                f"The results differ in {name}: choose one of "
                f"{', '.join(f'{name}={value!r}' for value in values)}."
            )
    return replace(results, records=records), list(wanted or found)


def _conditions(records):
    """Return the values of each condition, also of the repeats."""
    names = ("target", "share", "n_labelled_subjects", "repeat")
    values = {name: list(dict.fromkeys(record.get(name) for record in records)) for name in names}
    return {name: found for name, found in values.items() if found != [None]}


def _check_name(name, known, what):
    if name not in known:
        raise ValueError(f"No {what} {name!r}, only {', '.join(map(str, known)) or 'none'}.")
