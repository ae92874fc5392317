"""Which part of a study's results a display shows, and the names of the metrics."""

from dataclasses import replace

from ..evaluation.records import CONDITIONS, check_name, find_conditions, name_models

METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "auroc": "AUROC",
    "kappa": "Cohen's kappa",
    "mae": "mean absolute error",
    "r2": "R²",
    "ccc": "concordance",
}


def select_results(results, names, conditions, along=None):
    """Return the results under one condition, which only ``along`` may vary, and the names."""
    known = find_conditions(results.records, (*CONDITIONS, "repeat"))
    for name, value in conditions.items():
        check_name(name, known, "condition")
        check_name(value, known[name], name)
    records = [
        record
        for record in results.records
        if record.get("added_to") is None
        and all(record.get(name) == value for name, value in conditions.items())
        and (along is None or record.get(along) is not None)
    ]
    found = name_models(records)
    names = found if names is None else [names] if isinstance(names, str) else list(names)
    for name in names:
        check_name(name, found, f"estimator under {conditions}" if conditions else "estimator")
    records = [record for record in records if record["estimator"] in names]
    if not records:
        raise ValueError(f"The study has no result under {conditions}.")
    for name in CONDITIONS:
        values = dict.fromkeys(record.get(name) for record in records)
        if len(values) > 1 and name != along:
            choices = ", ".join(f"{name}={value!r}" for value in values)
            raise ValueError(f"The results differ in {name}: choose one of {choices}.")
    return replace(results, records=records), names
