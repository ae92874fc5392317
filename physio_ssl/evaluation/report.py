"""The text that a study prints: scores, and what the embeddings add to the baselines."""


def describe(results):
    """Yield the blocks of text that describe the scores of a study."""
    table, baselines = results.summary(), results.protocol.get("baselines") or []
    if (table["n_repeats"] == 1).all():
        table = table.drop(columns=["n_repeats", "std_repeats"])
    names = {name: f"{name} (baseline)" for name in baselines}
    yield _write(table.replace({"estimator": names}), ["estimator", *results.conditions, "metric"])
    if any(record.get("added_to") for record in results.records):
        added = results.added_value(over=None).drop(columns=["metric", "effect_size"])
        for name, rows in added.groupby("over", sort=False):
            yield f"\nAdded value over {name} (macro-F1, features with the embedding minus alone)"
            yield _write(rows.drop(columns="over"), ["estimator", *results.conditions])
    if not baselines:
        yield "No baselines were run: the scores have nothing to be compared with."


def _write(table, index):
    """Return a table as text, with each name once."""
    return table.set_index(index).to_string(float_format="{:.3f}".format)
