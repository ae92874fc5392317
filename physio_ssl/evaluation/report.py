"""The text that a study prints: scores, and what the embeddings add to the baselines."""

from .metrics import REGRESSION_METRICS
from .records import choose_metric, list_metrics

_METRICS = ["balanced_accuracy", "macro_f1", "auroc"]


def describe(results):
    """Yield the blocks of text that describe the scores of a study."""
    baselines, conditions = results.protocol.get("baselines") or [], list(results.conditions)
    known, default = list_metrics(results.records), choose_metric(results.records)
    metrics = list(known) if known == REGRESSION_METRICS else _METRICS
    table = results.summary(metrics)
    table["score"] = _show_intervals(table, "mean", "{:.3f}")
    table["estimator"] = [
        name
        + (" (baseline)" if name in baselines else "")
        + (f" (mean of {n} repeats)" if n > 1 else "")
        for name, n in zip(table["estimator"], table["n_repeats"], strict=True)
    ]
    rows = table.pivot(index=["estimator", *conditions], columns="metric", values="score")
    order = table.drop_duplicates(["estimator", *conditions])[["estimator", *conditions]]
    yield "mean over subjects [interval]"
    yield _write(order.merge(rows[metrics].reset_index()))
    if any(record.get("added_to") for record in results.records):
        added = results.added_value(over=None)
        added["added"] = _show_intervals(added, "difference", "{:+.3f}")
        columns = ["estimator", *conditions, "features", "with_embedding", "added"]
        for name, rows in added.groupby("over", sort=False):
            yield f"\nwhat an embedding adds to {name}, {default}, paired by subject"
            yield _write(rows[columns])
    missing = [name for name in ("clock", "hand-crafted") if name not in baselines]
    if baselines and missing:
        yield f"baselines that did not run: {', '.join(missing)}"
    if not baselines:
        yield "No baselines were run: the scores have nothing to be compared with."
    audit = results.protocol.get("audit", {})
    if "verdict" in audit:
        yield f"Leak audit: {audit['verdict']}"
        yield from (f"Note: {note}" for note in audit["notes"])
        yield f"No audit can see {'; '.join(audit['not_seen'])}."


def _show_intervals(table, name, form):
    """Return values with their intervals as text; nothing where a value is undefined."""
    return [
        "" if value != value else f"{form} [{form}, {form}]".format(value, low, high)
        for value, low, high in zip(table[name], table["low"], table["high"], strict=True)
    ]


def _write(table):
    return table.to_string(index=False, float_format="{:.3f}".format)
