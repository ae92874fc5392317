"""Compare models on the same subjects: with each other, and with features added."""

import pandas as pd

from .inference import compare_pairs, holm
from .records import check_name, distinct, name_models, pair_scores


def compare_models(records, estimator, other, metric, how, conditions):
    """Return the table of ``StudyResults.compare``; ``how`` are the settings of the bootstrap."""
    known = name_models(records)
    others = [name for name in known if name != estimator]
    if other is not None:
        others = list(dict.fromkeys([other] if isinstance(other, str) else other))
    for name in (estimator, *others):
        check_name(name, known, "estimator")
    if not others or estimator in others:
        raise ValueError(f"There must be other estimators than {estimator!r} to compare with.")
    rows = []
    for second in others:
        models = (estimator, None), (second, None)
        for named, pairs in pair_scores(records, metric, *models, conditions):
            row = compare_pairs(pairs, metric, *how)
            if not row["n_subjects"]:
                both = f"{estimator!r} and {second!r}"
                raise ValueError(f"No subject has {metric} of both {both}.")
            names = {"estimator": estimator, "other": second}
            rows.append({**names, **named, "metric": metric, **row})
    if not rows:
        raise ValueError(f"{estimator!r} and {others} were not tested under one condition.")
    frame = pd.DataFrame(rows)
    if other is not None:
        frame["p_holm"] = holm(frame["p_value"].to_numpy())
    return frame


def measure_added_value(records, estimator, over, metric, how, conditions):
    """Return the table of ``StudyResults.added_value``."""
    known = distinct([row for row in records if row.get("added_to")], "added_to")
    if not known:
        raise ValueError(
            "The study has no scores of features with an embedding: run it with baselines and "
            "with a model that has an embedding."
        )
    baselines = known if over is None else [over] if isinstance(over, str) else over
    for name in baselines:
        check_name(name, known, "added value over")
    names = [estimator] if isinstance(estimator, str) else estimator
    rows = []
    for name in baselines:
        added = name_models(records, added_to=name)
        for model in added if names is None else names:
            check_name(model, added, f"added value over {name!r} of")
            models = (model, name), (name, None)
            for named, pairs in pair_scores(records, metric, *models, conditions):
                means = pairs.dropna().mean()
                row = {"estimator": model, "over": name, **named, "metric": metric}
                row |= {"features": means["other"], "with_embedding": means["score"]}
                row |= compare_pairs(pairs, metric, *how)
                rows.append(row)
    if not rows:
        raise ValueError(f"{list(baselines)} were not tested alone under the same condition.")
    return pd.DataFrame(rows)
