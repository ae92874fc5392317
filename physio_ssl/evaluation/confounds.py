"""audit_confounds: what tells the classes and is no physiology."""

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import ttest_1samp
from sklearn.linear_model import RidgeClassifier, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..leakage.audit import require_windows
from .clock import predict_left_out
from .confound_columns import MOVEMENT, QUALITY, SUBJECT, TIME, find_confounds, find_runs
from .confound_report import CLOCK, ConfoundReport
from .inference import holm, summarise
from .metrics import auroc
from .position import position_matched_auroc
from .results import StudyResults

# Of all confounds together. People share the models' training, which the t-test does not know: at
# .05, 7 of 100 clean simulated studies had an alarm of .6 or more; at .02, 2 had one.
_LEVEL = 0.02
_SMALLEST = 0.6  # AUROC below which a confound explains little
_FEWEST = 5  # people on whom a score needs to be defined
_ALPHAS = 10.0 ** np.arange(0, 7)
_N_PERMUTATIONS = 500


def audit_confounds(
    windows,
    *,
    recordings=None,
    embedding=None,
    results=None,
    tolerance=30.0,
    confidence=0.95,
    n_resamples=2000,
    n_jobs=None,
    random_state=0,
):
    """Look for what tells the classes and is no physiology.

    A model may score well because it knows how late it is, or that the wristband sits loosely.
    The audit measures how well each such confound tells the classes by itself: the time in the
    recording; the order of conditions; the person; signal quality and wear; movement; and the
    length of the recording.

    Parameters
    ----------
    windows : Windows
        Windows, or features, with labels. Onsets and recordings are needed for time, order and
        length, signals for quality and movement.
    recordings : Recording or list of Recording, default=None
        The recordings as read, in the order in which the windows number them. Quality, wear and
        movement are then measured there: preprocessing hides flat lines, lost contact and scale.
    embedding : array of shape (n_windows, n_features) or fitted transformer, default=None
        What to look at for traces of confounds, e.g. a pre-trained encoder.
    results : StudyResults, default=None
        A study of these windows, with predictions, for position-matched scores of its models.
    tolerance : float, default=30.0
        Largest difference of onsets of position-matched windows, in seconds.
    confidence, n_resamples : float, default=0.95, and int, default=2000
        Coverage of the intervals over people, and number of bootstrap samples.
    n_jobs : int, default=None
        Number of confounds to look at at a time, in processes.
    random_state : int, default=0
        Seed of forests, permutations and bootstrap.

    Returns
    -------
    ConfoundReport
        Tables, the confounds that are flagged, and a verdict in words.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, e.g. windows without classes.

    See Also
    --------
    physio_ssl.leakage.audit_leakage : Test subjects' data that reach training.
    position_matched_auroc : The score of windows at the same time.
    physio_ssl.plotting.ConfoundsDisplay : Draw the report.

    Notes
    -----
    Each score, but that of the person, is the AUROC of the averaged probabilities of cubic logistic
    regression and of a random forest on the confound's few columns, for people left out of the
    training, averaged over people with windows of all classes (each class against the rest for
    more than two). Quality and movement are z-scored within each person.

    The person's score is the AUROC, over all windows, of the fractions of the classes among the
    person's own windows. It is .5 where all people have the same fractions, and is compared with
    permutations of the labels of runs of windows over people.

    The order of conditions is that of recordings and of runs of windows of one class, so its
    columns come from the labels: no model sees them, but most see a trace of them.

    A confound is flagged if its AUROC is at least .6 and, by a one-sided t-test over people (by
    the permutations, for the person), above chance at the 2 % level, corrected for the number of
    confounds by Holm's method.

    Traces in an embedding are within people: the correlation over a person's windows of minutes,
    quality or movement with a ridge regression trained on all others. The person is told from the
    other half of his or her recording, by ridge classification.

    Examples
    --------
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.evaluation import audit_confounds
    >>> people = simulate_wristband(6, signals=("eda",), random_state=0)
    >>> labels = StageLabels({"rest": 0, "stress": 1})
    >>> windows = make_windows(people, 60, 30, labels=labels)
    >>> report = audit_confounds(windows)
    >>> report.flagged
    []
    """
    _check_classes(windows)
    if results is not None and not isinstance(results, StudyResults):
        raise TypeError(f"results must be StudyResults, got a {type(results).__name__}.")
    features = _embed(embedding, windows)
    confounds, y, subjects = find_confounds(windows, recordings), windows.y, windows.groups
    summary = confidence, n_resamples, random_state
    looked_at = [confound for confound in confounds if confound.columns]
    predicted = Parallel(n_jobs=n_jobs)(
        delayed(predict_left_out)(confound.values, y, subjects, random_state)
        for confound in looked_at
    )
    predicted = {c.name: models for c, models in zip(looked_at, predicted, strict=True)}
    rows = [_score(c, predicted.get(c.name), y, subjects, summary) for c in confounds]
    rows.insert(2, _score_subjects(windows, random_state))
    traces = positions = None
    if features is not None:
        traced = [c for c in looked_at if c.name in (TIME, QUALITY, MOVEMENT)]
        traces = _find_traces(features, traced, windows, summary)
    if results is not None:
        options = {"confidence": confidence, "random_state": random_state, "tolerance": tolerance}
        options["n_resamples"] = n_resamples
        clock = next(row for row in rows if row["confound"] == TIME)
        positions = _match(results, windows, predicted.get(TIME), clock, options)
    return ConfoundReport(_flag(pd.DataFrame(rows)), traces, positions, confidence)


def _check_classes(windows):
    require_windows(windows)
    y = windows.y
    if y is None:
        raise ValueError("An audit of confounds needs labels, but the windows have none.")
    if type_of_target(y) == "continuous":
        raise ValueError(
            "An audit of confounds needs classes, but the labels are continuous: give them bins, "
            "as RatingLabels does."
        )
    check_classification_targets(y)
    n_classes, n_people = len(np.unique(y)), len(np.unique(windows.groups))
    if n_classes < 2 or n_people < 2:
        raise ValueError(
            f"An audit of confounds needs two or more classes and people, got {n_classes} and "
            f"{n_people}."
        )


def _embed(embedding, windows):
    """Return the embedding as an array, or None."""
    if embedding is None:
        return None
    if hasattr(embedding, "transform"):
        embedding = embedding.transform(windows.X)
    features = np.asarray(embedding, dtype=float)
    if features.ndim != 2 or len(features) != len(windows) or not np.isfinite(features).all():
        raise ValueError(
            f"embedding must hold finite numbers, of shape ({len(windows)}, n_features), got "
            f"{features.shape}."
        )
    return features


def _score(confound, predicted, y, subjects, summary):
    """Return the row of a confound: how well it tells the classes of people left out."""
    row = {"confound": confound.name, "columns": ", ".join(confound.columns)}
    if not confound.columns:
        return {**row, **_not_looked_at(f"not looked at: {confound.why_not}")}
    scores = _score_people(np.mean(predicted, axis=0), y, subjects)
    values = np.array([value for value in scores.values() if not np.isnan(value)])
    if len(values) < _FEWEST:
        why = f"not looked at: only {len(values)} people have windows of all classes"
        return {**row, **_not_looked_at(why)}
    found = summarise(scores, (0, 1), *summary)
    p_value = 1.0
    if values.mean() > 0.5:
        # the test divides by the spread, which equal scores lack
        equal = np.ptp(values) < 1e-9
        p_value = 0.0 if equal else ttest_1samp(values, 0.5, alternative="greater").pvalue
    note = "balanced: below .5, as each person is left out" if found["high"] < 0.5 else ""
    return {
        **row,
        **{"auroc": found["mean"], "low": found["low"], "high": found["high"]},
        **{"n_subjects": len(values), "p_value": float(p_value), "note": note},
    }


def _not_looked_at(why):
    nan = dict.fromkeys(("auroc", "low", "high"), np.nan)
    return {**nan, "n_subjects": 0, "p_value": np.nan, "note": why}


def _score_people(probability, y, subjects):
    """Return the AUROC of each person, NaN where a class is missing."""
    classes, true = np.unique(y, return_inverse=True)
    scores = {}
    for who in np.unique(subjects):
        own = subjects == who
        area = auroc(true[own], probability[own], len(classes))
        scores[who] = np.nan if area is None else area
    return scores


def _score_subjects(windows, random_state):
    """Return how well the person tells the class, against permuted runs of windows."""
    y, classes = windows.y, np.unique(windows.y)
    person = np.unique(windows.groups, return_inverse=True)[1]
    if windows.onset is None:
        note, runs = "labels of single windows permuted, as there are no onsets", np.arange(len(y))
    else:
        note = ""
        runs = np.unique(np.stack([person, find_runs(windows)]), axis=1, return_inverse=True)[1]
    runs = runs.ravel()
    first = np.unique(runs, return_index=True)[1]  # a row of each run, whose label it has
    observed = _score_shares(y, person, classes)
    if len(np.unique(np.stack([person, y]), axis=1).T) == person.max() + 1:
        note, p_value = "each person has one class: a score tells how people differ", 0.0
    else:
        rng = np.random.default_rng(random_state)
        labels, as_high = y[first], 0
        for _ in range(_N_PERMUTATIONS):
            permuted = _score_shares(rng.permutation(labels)[runs], person, classes)
            as_high += permuted >= observed - 1e-12
        p_value = (1 + as_high) / (1 + _N_PERMUTATIONS)
    return {
        "confound": SUBJECT,
        "columns": "person",
        **{"auroc": observed, "low": np.nan, "high": np.nan},
        **{"n_subjects": person.max() + 1, "p_value": p_value, "note": note},
    }


def _score_shares(y, person, classes):
    """Return the AUROC of the fractions of classes among each person's windows."""
    counts = np.stack([np.bincount(person, y == c) for c in classes], axis=1)
    share, scores = counts / counts.sum(axis=1, keepdims=True), []
    for c in [1] if len(classes) == 2 else range(len(classes)):
        # of a few distinct values: sums over people instead of ranks of windows
        order = np.argsort(share[:, c], kind="stable")
        inside, outside = counts[order, c], counts.sum(axis=1)[order] - counts[order, c]
        values, place = np.unique(share[order, c].round(12), return_inverse=True)
        inside, outside = (np.bincount(place, n, len(values)) for n in (inside, outside))
        below = np.cumsum(outside) - outside / 2
        if not inside.any() or not outside.any():
            return np.nan
        scores.append((inside * below).sum() / (inside.sum() * outside.sum()))
    return float(np.mean(scores))


def _flag(table):
    """Append the corrected p-values, and which confounds are flagged."""
    known = table["p_value"].notna().to_numpy()
    table["p_holm"] = np.nan
    table.loc[known, "p_holm"] = holm(table.loc[known, "p_value"].to_numpy())
    table["flagged"] = (table["p_holm"] < _LEVEL) & (table["auroc"] >= _SMALLEST)
    last = ["n_subjects", "p_value", "p_holm", "flagged", "note"]
    return table[["confound", "auroc", "low", "high", *last, "columns"]]


def _find_traces(features, confounds, windows, summary):
    """Return how well an embedding tells confounds within people, and people."""
    subjects, rows = windows.groups, []
    columns = {
        name if confound.name == TIME else f"{confound.name}: {name}": values
        for confound in confounds
        for name, values in confound.columns.items()
    }
    if columns:
        predicted, targets = _regress(features, np.column_stack(list(columns.values())), subjects)
        for i, name in enumerate(columns):
            found = {
                who: _correlate(predicted[subjects == who, i], targets[subjects == who, i])
                for who in np.unique(subjects)
            }
            if not np.isnan(list(found.values())).all():  # the same in all windows
                rows.append(_summarise_trace(name, "r within people", 0.0, found, summary))
    hits, chance = _identify(features, windows)
    if hits:
        rows.append(_summarise_trace("person", "accuracy", chance, hits, summary))
    return pd.DataFrame(rows)


def _summarise_trace(name, measure, chance, scores, summary):
    limits = (0, 1) if measure == "accuracy" else (-1, 1)
    row = summarise(scores, limits, *summary)
    interval = {key: row[key] for key in ("low", "high", "n_subjects")}
    return {"trace": name, "measure": measure, "chance": chance, "value": row["mean"], **interval}


def _regress(features, targets, subjects):
    """Return predictions of people left out, and the targets, both about the person's mean."""

    def centre(values):
        frame = pd.DataFrame(values)
        return (frame - frame.groupby(subjects).transform("mean")).to_numpy()

    features, targets = centre(features), centre(targets)
    predicted = np.zeros(targets.shape)
    n_folds = min(len(np.unique(subjects)), 30)
    for train, test in GroupKFold(n_folds).split(features, groups=subjects):
        scaler = StandardScaler().fit(features[train])
        ridge = RidgeCV(_ALPHAS).fit(scaler.transform(features[train]), targets[train])
        predicted[test] = ridge.predict(scaler.transform(features[test])).reshape(len(test), -1)
    return predicted, targets


def _correlate(a, b):
    if len(a) < 3 or np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _identify(features, windows):
    """Return the accuracy of naming each person, by a model of the other half of the time."""
    if windows.onset is None:
        return {}, np.nan
    subjects, number = windows.groups, windows.recording
    order = np.lexsort((windows.onset, np.zeros(len(subjects)) if number is None else number))
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    rank = pd.Series(place).groupby(subjects).rank(pct=True).to_numpy()
    # windows in the middle may overlap those of the other half
    halves, hits = (rank <= 0.45, rank > 0.55), {}
    if any(len(np.unique(subjects[half])) < 2 for half in halves):  # people have a window or two
        return {}, np.nan
    for train, test in (halves, halves[::-1]):
        scaler = StandardScaler().fit(features[train])
        model = RidgeClassifier(alpha=10.0).fit(scaler.transform(features[train]), subjects[train])
        right = model.predict(scaler.transform(features[test])) == subjects[test]
        for who in np.unique(subjects[test]):
            hits.setdefault(who, []).append(right[subjects[test] == who].mean())
    return {who: float(np.mean(of)) for who, of in hits.items()}, 1 / len(np.unique(subjects))


def _match(results, windows, predicted, clock, options):
    """Return plain and position-matched scores of a study's models and of the audit's clock."""
    matched = results.position_matched(**options)
    plain = results.summary("auroc")
    titles = ["estimator", *results.conditions]
    plain = plain[[*titles, "mean"]].rename(columns={"mean": "plain_auroc"})
    table = plain.merge(matched, on=titles, how="right")
    if predicted is not None:
        data = windows.y, np.mean(predicted, axis=0), windows.onset, windows.groups
        row = position_matched_auroc(*data, **options, clocks=predicted)
        row = {"estimator": CLOCK, "plain_auroc": clock["auroc"], **row}
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
    return table
