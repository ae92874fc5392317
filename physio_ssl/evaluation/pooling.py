"""Pool the difference of two models over the people of several studies."""

from collections.abc import Mapping

import pandas as pd

from .inference import compare_pairs
from .records import check_name, choose_metric, name_models, pair_scores
from .results import StudyResults


def pool_studies(
    studies,
    estimator,
    other=None,
    *,
    over=None,
    metric=None,
    confidence=0.95,
    n_resamples=10_000,
    random_state=0,
    **conditions,
):
    """Pool the difference of two models over the people of several studies.

    The pooled number estimates the mean difference over the people of these studies: each person
    counts once, so a larger study counts more. The bootstrap resamples people within their study.
    The interval does not say what to expect in a further study, whose mean may differ: look at
    the rows of the single studies.

    Parameters
    ----------
    studies : dict of StudyResults
        Names and results of two or more studies.
    estimator : str
        Name of a model that all studies tested.
    other : str, default=None
        Name of the model to compare it with, as in ``StudyResults.compare``.
    over : str, default=None
        Name of a baseline, to pool the added value of ``estimator`` over its features instead, as
        in ``StudyResults.added_value``. Give either ``other`` or ``over``.
    metric : str, default=None
        Which metric, as in ``StudyResults.compare``.
    confidence, n_resamples : float, default=0.95, and int, default=10_000
        Coverage of the intervals, and number of bootstrap samples.
    random_state : int, Generator or None, default=0
        Seed of the bootstrap.
    **conditions
        Compare under this condition, e.g. ``label_fraction=0.1``. It must leave one in each study.

    Returns
    -------
    DataFrame
        A row per study and the last one, ``"pooled"``, over all people: ``study`` and the columns
        of ``StudyResults.compare`` without ``p_holm``.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two studies, a name is unknown, a study has several conditions or
        fewer than two people with both scores, or a person is in several studies.

    See Also
    --------
    StudyResults.compare : The same in one study.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from physio_ssl import Windows
    >>> from physio_ssl.evaluation import leave_subjects_out, pool_studies
    >>> import numpy as np, pandas as pd
    >>> rng, studies = np.random.default_rng(0), {}
    >>> models = {"linear": LogisticRegression(), "guess": DummyClassifier()}
    >>> for name in ("lab", "field"):
    ...     info = pd.DataFrame({"subject": [f"{name}/{i}" for i in range(6) for _ in range(20)]})
    ...     info["label"] = rng.integers(2, size=120)
    ...     X = rng.normal(info[["label"]])
    ...     studies[name] = leave_subjects_out(models, Windows(X, info), baselines=False)
    >>> table = pool_studies(studies, "linear", "guess")
    >>> table[["study", "n_subjects"]]
        study  n_subjects
    0     lab           6
    1   field           6
    2  pooled          12
    """
    _check_studies(studies)
    if (other is None) == (over is None):
        raise ValueError(f"Give either other or over, got other={other!r} and over={over!r}.")
    models = (
        ((estimator, None), (other, None)) if over is None else ((estimator, over), (over, None))
    )
    metric = choose_metric(next(iter(studies.values())).records, metric)
    how, rows, tables = (confidence, n_resamples, random_state), {}, []
    for study, results in studies.items():
        for name, added_to in models:
            what = f"added value over {over!r} in study {study!r} of"
            what = what if added_to else f"estimator of study {study!r} named"
            check_name(name, name_models(results.records, added_to), what)
        found = [pairs for _, pairs in pair_scores(results.records, metric, *models, conditions)]
        if len(found) != 1:
            raise ValueError(
                f"Study {study!r} must have one condition under which both were tested, got "
                f"{len(found)}: choose among {results.conditions}."
            )
        rows[study] = compare_pairs(found[0], metric, *how)
        if rows[study]["n_subjects"] < 2:
            raise ValueError(f"Study {study!r} has fewer than two people with both {metric}.")
        tables.append(found[0].assign(study=study))
    rows["pooled"] = compare_pairs(pd.concat(tables), metric, *how, strata="study")
    names = {"estimator": estimator, **({"other": other} if over is None else {"over": over})}
    return pd.DataFrame(
        [{"study": study, **names, "metric": metric, **rows[study]} for study in rows]
    )


def _check_studies(studies):
    """Raise unless there are several studies of different people."""
    if not isinstance(studies, Mapping) or not all(
        isinstance(results, StudyResults) for results in studies.values()
    ):
        raise TypeError(f"studies must be a dict of StudyResults, got {studies!r}.")
    if len(studies) < 2 or "pooled" in studies:
        raise ValueError(f"studies must be two or more, none named 'pooled', got {list(studies)}.")
    study_of = {}
    for study, results in studies.items():
        for subject in results.subjects:
            if subject in study_of:
                where = f"{study_of[subject]!r} and {study!r}"
                raise ValueError(
                    f"Nobody may be in two studies, but {subject!r} is in {where}. Other people "
                    "need other names, e.g. 'study/subject'."
                )
            study_of[subject] = study
