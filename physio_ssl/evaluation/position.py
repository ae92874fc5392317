"""position_matched_auroc: scores of windows of different people at the same time."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d

from .._check import check_number
from .clock import predict_left_out
from .inference import check_bootstrap
from .records import find_conditions

MIN_PAIRS, MIN_SUBJECTS = 100, 6
_TOO_FEW = f"fewer than {MIN_PAIRS} pairs at the same time, or than {MIN_SUBJECTS} people in them"
_TIE = 2.0  # in differences of a clock; at 1, clocks of other kinds than ours reach .4
_CHUNK = 2_000_000  # pairs at a time, to bound the memory


def position_matched_auroc(
    y,
    probability,
    onset,
    subject,
    *,
    tolerance=30.0,
    confidence=0.95,
    n_resamples=1000,
    random_state=0,
    clocks=None,
):
    """Compare windows of different class at the same time since their recordings' start.

    The AUROC is that of pairs of windows of two people, of different class, whose onsets differ
    by at most ``tolerance``. A model that knows only the time cannot tell them apart: it scores .5.

    Parameters
    ----------
    y : array-like of shape (n_windows,)
        Classes.
    probability : array-like of shape (n_windows, n_classes)
        Predicted probabilities of the sorted classes, for people left out of the training. An
        array of shape (n_repeats, n_windows, n_classes) holds repeats; their scores are averaged.
    onset : array-like of shape (n_windows,)
        Start of each window, in seconds since its recording's start.
    subject : array-like of shape (n_windows,)
        Names of people.
    tolerance : float, default=30.0
        Largest difference of two onsets, in seconds.
    confidence, n_resamples : float, default=0.95, and int, default=1000
        Coverage of the interval, and number of bootstrap samples.
    random_state : int, default=0
        Seed of the bootstrap and of the forest.
    clocks : list of arrays of shape (n_windows, n_classes), default=None
        Predictions of models that know only the time. None fits them, each person left out.

    Returns
    -------
    dict
        ``auroc`` with the interval ``low`` to ``high``; ``n_pairs``, ``n_subjects`` in the pairs;
        ``tied``, the fraction of pairs that count as ties; ``classes``, the pairs of classes
        that are estimable; and ``estimable``. The scores are NaN where that is false: fewer than
        100 pairs of windows or 6 people in them, for each pair of classes.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite, or these are no probabilities.

    See Also
    --------
    StudyResults.position_matched : The same for the models of a study.
    audit_confounds : What else than physiology tells the classes.

    Notes
    -----
    Each person's mean probability is subtracted first. With more than two classes, the score is
    the mean over ordered pairs of classes of the AUROC of the first one's probability (Hand and
    Till 2001, Machine Learning 45).

    Leaving people out makes a clock differ between two people at the same time: the model for each
    lacks his or her own labels, so it always errs against the truth, and an AUROC of such small
    differences is near 0 instead of .5. A pair therefore counts as a tie, of a half, where its
    scores differ by no more than twice the difference of a clock, the larger of two (cubic
    logistic regression and a forest). This draws weak and underconfident models towards .5; it
    flatters none.

    The interval is that of a bootstrap over people. A tie says nothing about who is ahead: each
    sample decides ties by random ranks of people. A score of many ties has a wide interval.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.evaluation import position_matched_auroc
    >>> subject = np.repeat([f"S{i}" for i in range(8)], 40)
    >>> onset = np.tile(np.arange(40) * 15.0, 8)
    >>> y = (onset // 300 + np.repeat(np.arange(8), 40)) % 2  # half of the people start with 1
    >>> probability = np.column_stack([0.9 - 0.8 * y, 0.1 + 0.8 * y])
    >>> score = position_matched_auroc(y, probability, onset, subject)
    >>> round(score["auroc"], 2), score["n_pairs"]
    (1.0, 3080)
    """
    y, subject = column_or_1d(y), column_or_1d(subject)
    onset = check_array(onset, ensure_2d=False, dtype=float, input_name="onset")
    classes = np.unique(y)
    probability = _check_probability(probability, (len(y), len(classes)))
    _check(onset, subject, tolerance, confidence, n_resamples)
    repeats = probability.reshape(-1, *probability.shape[-2:])
    people, person = np.unique(subject, return_inverse=True)
    tables = []
    for first, second in _order_pairs(len(classes)):
        rows = [np.flatnonzero(y == classes[which]) for which in (first, second)]
        pairs = find_pairs(*rows, onset, person, tolerance)
        if _is_enough(pairs, person):
            if clocks is None:
                clocks = predict_left_out(onset[:, np.newaxis], y, subject, random_state)
            column = np.stack([scores[..., first] for scores in (*repeats, *clocks)])
            column = _centre(column, person)
            table = _count(pairs, column[: len(repeats)], column[len(repeats) :], person)
            tables.append((f"{classes[first]}|{classes[second]}", pairs, table))
    return _summarise(tables, person, len(people), confidence, n_resamples, random_state)


def find_pairs(first, second, onset, person, tolerance):
    """Return the rows of all pairs, one of ``first`` and one of ``second``, at the same time."""
    second = second[np.argsort(onset[second], kind="stable")]
    slack = 1e-9 * max(1.0, tolerance)
    start = np.searchsorted(onset[second], onset[first] - tolerance - slack)
    stop = np.searchsorted(onset[second], onset[first] + tolerance + slack, side="right")
    number = stop - start
    places = np.arange(number.sum()) - np.repeat(number.cumsum() - number - start, number)
    first, second = np.repeat(first, number), second[places]
    others = person[first] != person[second]
    return first[others], second[others]


def tabulate_positions(results, estimator, tolerance, confidence, n_resamples, random_state):
    """Return the table of ``StudyResults.position_matched``."""
    names = results.estimators if estimator is None else np.atleast_1d(estimator).tolist()
    known = list(find_conditions(results.records))
    options = {"tolerance": tolerance, "confidence": confidence, "n_resamples": n_resamples}
    options["random_state"] = random_state
    studies = {}
    for record in results.records:
        if record["estimator"] in names and not record.get("added_to"):
            key = record["estimator"], *(record.get(name) for name in known)
            studies.setdefault(key, {}).setdefault(record.get("repeat"), []).append(record)
    rows, clocks = [], {}
    for key, repeats in studies.items():
        title = dict(zip(("estimator", *known), key, strict=True))
        rows.append({**title, **_score_repeats(list(repeats.values()), options, clocks)})
    return pd.DataFrame(rows)


def _score_repeats(repeats, options, clocks):
    """Return the score of a model from the records of its repeats."""
    parts = [_join(records) for records in repeats]
    y, onset, subject = (parts[0][name] for name in ("true", "onset", "subject"))
    for part in parts:
        if not all(np.array_equal(part[name], parts[0][name]) for name in ("row", "subject")):
            return _not_estimable("the repeats were tested on different windows")
        if part["probability"] is None:
            return _not_estimable("the model predicts no probabilities")
    probability = np.stack([part["probability"] for part in parts])
    if probability.shape[-1] != len(np.unique(y)):
        return _not_estimable("the windows lack a class of the study")
    if not _are_probabilities(probability):
        return _not_estimable("the model's scores are no probabilities")
    if len(np.unique(subject)) < MIN_SUBJECTS:
        return _not_estimable(_TOO_FEW)
    key = y.tobytes(), onset.tobytes(), subject.tobytes()
    if key not in clocks:
        column = onset[:, np.newaxis]
        clocks[key] = predict_left_out(column, y, subject, options["random_state"])
    return position_matched_auroc(y, probability, onset, subject, **options, clocks=clocks[key])


def _join(records):
    """Return the predictions of all people as arrays."""
    for record in records:
        kept = record.get("predictions") or {}
        if kept.get("true") is None or kept.get("onset") is None:
            raise ValueError(
                "Position-matched scores need the predictions of each window and its onset, but "
                f"those of {record['estimator']!r} on {record['subject']} hold "
                f"{[name for name in kept if kept[name] is not None] or 'nothing'}."
            )
    kept = [record["predictions"] for record in records]
    joined = {name: np.concatenate([p[name] for p in kept]) for name in ("row", "true", "onset")}
    names = [record["subject"] for record in records]
    joined["subject"] = np.repeat(names, [len(p["row"]) for p in kept])
    unknown = any(p["probability"] is None for p in kept)
    joined["probability"] = None if unknown else np.concatenate([p["probability"] for p in kept])
    return joined


def _check(onset, subject, tolerance, confidence, n_resamples):
    if not (onset.shape == subject.shape and onset.ndim == 1 and np.isfinite(onset).all()):
        raise ValueError(
            f"onset must be finite seconds, one per window, got shape {onset.shape} for subjects "
            f"of shape {subject.shape}."
        )
    check_number(tolerance, "tolerance", 0, rule="a number of at least 0, in seconds")
    check_bootstrap(confidence, n_resamples)


def _check_probability(probability, shape):
    probability = check_array(
        probability, ensure_2d=False, allow_nd=True, dtype=float, input_name="probability"
    )
    if probability.ndim not in (2, 3) or probability.shape[-2:] != shape or shape[1] < 2:
        raise ValueError(
            f"probability must have a row per window and a column per class, two or more, "
            f"{shape}, got {probability.shape}."
        )
    if not _are_probabilities(probability):
        raise ValueError("probability must lie between 0 and 1, and each row must sum to 1.")
    return probability


def _are_probabilities(values):
    within = (values >= -1e-6).all() and (values <= 1 + 1e-6).all()
    return bool(within and np.allclose(values.sum(axis=-1), 1, atol=1e-3))


def _order_pairs(n_classes):
    if n_classes == 2:
        return [(1, 0)]  # the other order has the same score
    return [(c, d) for c in range(n_classes) for d in range(n_classes) if c != d]


def _is_enough(pairs, person):
    return len(pairs[0]) >= MIN_PAIRS and len(np.unique(person[np.stack(pairs)])) >= MIN_SUBJECTS


def _centre(scores, person):
    """Subtract each person's mean from scores of shape (n_models, n_windows)."""
    number = np.bincount(person)
    means = np.stack([np.bincount(person, row) / number for row in scores])
    return scores - means[:, person]


def _count(pairs, models, clocks, person):
    """Return wins, ties and pairs, for each two people, of models' scores, averaged."""
    n_people = person.max() + 1
    tables = np.zeros((3, n_people**2))
    for start in range(0, len(pairs[0]), _CHUNK):
        first, second = (rows[start : start + _CHUNK] for rows in pairs)
        key = person[first] * n_people + person[second]
        margin = _TIE * np.abs(clocks[:, first] - clocks[:, second]).max(axis=0) + 1e-9
        ahead = models[:, first] - models[:, second]
        won, tied = (ahead > margin).mean(axis=0), (np.abs(ahead) <= margin).mean(axis=0)
        for table, weight in zip(tables, (won, tied, np.ones(len(key))), strict=True):
            table += np.bincount(key, weight, n_people**2)
    return tables.reshape(3, n_people, n_people)


def _summarise(tables, person, n_people, confidence, n_resamples, random_state):
    if not tables:
        return _not_estimable(_TOO_FEW)
    counts = np.stack([table for _, _, table in tables])  # (n_class_pairs, 3, people, people)
    won, tied, total = counts.sum(axis=(2, 3)).T
    rng, scores = np.random.default_rng(random_state), []
    for _ in range(n_resamples):
        drawn = np.bincount(rng.integers(n_people, size=n_people), minlength=n_people)
        weight = drawn[:, np.newaxis] * drawn
        # Who is ahead in a tie depends on both people, and not on windows.
        ranks = rng.random((2, n_people))
        n_won, n_tied, n_all = np.moveaxis(counts * weight, 1, 0)
        ahead = n_won + n_tied * (ranks[0][:, np.newaxis] > ranks[1])
        ahead, n_all = ahead.sum(axis=(1, 2)), n_all.sum(axis=(1, 2))
        if n_all.any():
            scores.append(np.mean(ahead[n_all > 0] / n_all[n_all > 0]))
    low, high = np.quantile(scores, [(1 - confidence) / 2, (1 + confidence) / 2])
    rows = np.concatenate([np.concatenate(pairs) for _, pairs, _ in tables])
    both_orders = len(tables) > 1  # the same pairs of windows, in either order of classes
    return {
        "auroc": float(np.mean((won + tied / 2) / total)),
        "low": float(low),
        "high": float(high),
        "n_pairs": int(total.sum()) // (2 if both_orders else 1),
        "n_subjects": len(np.unique(person[rows])),
        "tied": float(tied.sum() / total.sum()),
        "classes": ", ".join(name for name, _, _ in tables),
        "estimable": True,
        "why_not": "",
    }


def _not_estimable(why):
    nan = dict.fromkeys(("auroc", "low", "high"), np.nan)
    counts = {"n_pairs": 0, "n_subjects": 0, "tied": np.nan, "classes": ""}
    return {**nan, **counts, "estimable": False, "why_not": why}
