"""What leave_subjects_out and label_efficiency share: checks, folds, processes, files."""

import json
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.metadata import version
from numbers import Integral
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, LeaveOneGroupOut
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets
from tqdm.auto import tqdm

from .. import __version__
from .._files import replace_file
from ._embedding import embed_once, load_weights
from ._fingerprint import fingerprint
from ._fold import Fold, run_fold
from .leakage import LeakageError, LeakageReport, audit_leakage
from .leakage._audit import check_folds
from .leakage._leak import DUPLICATE, EPOCHS, OVERLAP, SUBJECT
from .results import StudyResults

PROTOCOLS = {
    "leak_free": "held-out subjects; the last epoch",
    "published_a": "held-out subjects; the best epoch, chosen on the held-out subject; mean of "
    "the batches' accuracies",
    "published_b": "ten folds over shuffled windows, which share subjects",
}
# Folds that other versions computed are computed anew.
_VERSIONS = {
    "python": platform.python_version(),
    **{name: version(name) for name in ("numpy", "scikit-learn", "torch", "skorch")},
    "physio_ssl": __version__,
}
# The leaks that a protocol consists of.
_KNOWN_LEAKS = {
    "leak_free": (),
    "published_a": (EPOCHS,),
    "published_b": (SUBJECT, OVERLAP, DUPLICATE),
}


def run_study(
    estimators,
    X,
    y,
    groups,
    draw_labels,
    *,
    onset=None,
    duration=None,
    recording=None,
    cv=None,
    search=None,
    inner_cv=5,
    scoring="f1_macro",
    protocol="leak_free",
    transductive=False,
    on_leak="raise",
    n_jobs=None,
    random_state=0,
    folder=None,
    keep_predictions=False,
    verbose=0,
):
    """Fit and score each estimator in each fold; the parameters are the callers'.

    ``draw_labels(train, y, groups, fold, random_state)`` returns, for a fold's training rows,
    a list of (seed, labelled rows, condition).
    """
    if on_leak not in ("raise", "record"):
        raise ValueError(f"on_leak must be 'raise' or 'record', got {on_leak!r}.")
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}.")
    estimators = {name: load_weights(e) for name, e in _name_estimators(estimators).items()}
    targets, groups = _check_data(X, y, groups)
    search = _check_search(search, estimators, protocol)
    random_state = _check_seed(random_state, folder)
    if not isinstance(inner_cv, Integral) or inner_cv < 2:
        raise ValueError(f"inner_cv must be an integer of 2 or more, got {inner_cv!r}.")
    check_scoring(next(iter(estimators.values())), scoring)
    settings = {
        "protocol": protocol,
        "inner_cv": inner_cv,
        "scoring": scoring,
        "keep_predictions": keep_predictions,
    }
    audited = {
        "onset": onset,
        "duration": duration,
        "recording": recording,
        "estimators": estimators,
        "transductive": transductive,
    }
    if folder is not None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)

    if cv is not None and not hasattr(cv, "split"):
        cv = list(cv) if isinstance(cv, Iterable) else cv  # a generator would be used up
    audits, tasks, embedded = {}, [], {}
    for target, labels in targets.items():
        splits = _split(cv, X, labels, groups, protocol, random_state)
        report = audit_leakage(splits, X, labels, groups, **audited, on_leak="record")
        audits[target] = _judge(report, protocol, on_leak)
        classes = np.unique(labels)
        draws = [
            draw_labels(train, labels, groups, number, random_state)
            for number, (train, _) in enumerate(splits)
        ]
        for name, estimator in estimators.items():
            grid = search.get(name)
            # Once per study: what is fixed is alike in all folds.
            common = (*embed_once(estimator, X, grid or (), embedded), labels, groups, classes)
            common = (*common, grid, settings)
            known = None if folder is None else fingerprint(_VERSIONS, name, *common)
            for number, (train, test) in enumerate(splits):
                fold = Fold(
                    name, number, train, test, draws[number], target, protocol != "published_b"
                )
                path = None if folder is None else _name_file(folder, fold, known)
                tasks.append((path, fold, *common))

    records = _run(tasks, n_jobs, verbose)
    return StudyResults(
        records,
        {
            "protocol": protocol,
            "meaning": PROTOCOLS[protocol],
            "unit": "fold" if protocol == "published_b" else "subject",
            "transductive": transductive,
            "audit": _join(audits),
            "random_state": random_state,
            "n_windows": len(groups),
            "n_subjects": len(np.unique(groups)),
            "cv": "default" if cv is None else repr(cv),
            "search": {
                name: {k: repr(v) for k, v in grid.items()} for name, grid in search.items()
            },
            "inner_cv": inner_cv,
            "scoring": scoring if isinstance(scoring, str) else repr(scoring),
            "estimators": {name: repr(estimator) for name, estimator in estimators.items()},
            "date": date.today().isoformat(),
            "versions": _VERSIONS,
        },
    )


def _name_estimators(estimators):
    if hasattr(estimators, "fit"):
        estimators = {type(estimators).__name__.lower(): estimators}
    if not isinstance(estimators, Mapping) or not estimators:
        raise TypeError(f"estimators must be a dict from name to estimator, got {estimators!r}.")
    for name, estimator in estimators.items():
        if not isinstance(name, str):
            raise TypeError(f"The name of an estimator must be a text, got {name!r}.")
        if not isinstance(estimator, BaseEstimator) or not hasattr(estimator, "predict"):
            raise TypeError(
                f"{name!r} must be an estimator with fit and predict, got {estimator!r}."
            )
    return dict(estimators)


def _check_data(X, y, groups):
    """Return the labels of each target, and the groups, as arrays."""
    if groups is None:
        raise ValueError("A study needs groups, the subject of each window.")
    named = isinstance(y, Mapping) or hasattr(y, "columns")
    targets = {str(name): y[name] for name in y} if named else {None: y}
    for target, labels in targets.items():
        of = "" if target is None else f" of {target!r}"
        labels = column_or_1d(labels)
        indexable(X, labels, groups)  # raises where lengths differ
        check_classification_targets(labels)
        if labels.dtype == object:
            labels = np.asarray(labels.tolist())
        if len(np.unique(labels)) < 2:
            raise ValueError(f"The labels{of} must be of two classes at least, got {labels[:1]}.")
        targets[target] = labels
    groups = column_or_1d(groups)
    if groups.dtype == object:
        groups = np.asarray(groups.tolist())
    if len(np.unique(groups)) < 2:
        raise ValueError(
            f"A study over subjects needs two subjects at least, got one: {groups[:1].tolist()}."
        )
    return targets, groups


def _check_search(search, estimators, protocol):
    search = dict(search or {})
    unknown = [name for name in search if name not in estimators]
    if unknown:
        raise ValueError(
            f"search names {', '.join(map(repr, unknown))}, but the estimators are "
            f"{', '.join(estimators)}."
        )
    if search and protocol == "published_a":
        raise ValueError("protocol='published_a' chooses an epoch, and knows no search.")
    for name, grid in search.items():
        known = estimators[name].get_params(deep=True)
        wrong = [key for key in grid if key not in known and key.partition("__")[0] not in known]
        if wrong:
            raise ValueError(
                f"{name!r} has no parameter {', '.join(wrong)}, only {', '.join(sorted(known))}."
            )
    return search


def _check_seed(random_state, folder):
    if random_state is None and folder is not None:
        raise ValueError("A study that is to go on needs a seed: random_state is None.")
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)):
        raise TypeError(
            f"random_state must be an integer or None, as it is recorded, got {random_state!r}."
        )
    return int(random_state)


def _split(cv, X, y, groups, protocol, random_state):
    if protocol == "published_b":
        if cv is not None:
            raise ValueError("protocol='published_b' has its own cv, ten folds over windows.")
        splits = KFold(10, shuffle=True, random_state=random_state).split(y)
    elif hasattr(cv, "split"):
        splits = cv.split(X, y, groups)
    else:
        splits = LeaveOneGroupOut().split(y, groups=groups) if cv is None else cv
    folds = check_folds(splits, len(groups), y, groups)
    if protocol == "published_a" and any(len(np.unique(groups[test])) > 1 for _, test in folds):
        raise ValueError("protocol='published_a' holds out one subject at a time; leave cv out.")
    return folds


def _judge(report, protocol, on_leak):
    """Return the audit's verdict; raise on leaks but those that the protocol consists of."""
    verdict = report.to_dict()
    if protocol == "published_a":
        verdict["ok"] = False
        verdict["leaks"].append(
            {
                "kind": EPOCHS,
                "message": "protocol='published_a' takes, of each fold, the epoch that is best "
                "on the held-out subject.",
            }
        )
    leaks = [leak for leak in report.leaks if leak.kind not in _KNOWN_LEAKS[protocol]]
    if leaks and on_leak == "raise":
        raise LeakageError(LeakageReport(leaks, report.notes))
    return verdict


def _join(audits):
    """Return one verdict for all targets; the splits may depend on the target."""
    if len(audits) == 1:
        return next(iter(audits.values()))
    return {
        "ok": all(verdict["ok"] for verdict in audits.values()),
        "leaks": [
            {"target": target, **leak}
            for target, verdict in audits.items()
            for leak in verdict["leaks"]
        ],
        "notes": list(dict.fromkeys(n for verdict in audits.values() for n in verdict["notes"])),
    }


def _run(tasks, n_jobs, verbose):
    """Run the folds that have no file yet, and return all records in order."""
    results = [_read(path) for path, *_ in tasks]
    left = [i for i, result in enumerate(results) if result is None]
    done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_run_and_write)(i, *tasks[i]) for i in left
    )
    with tqdm(
        total=len(tasks), initial=len(tasks) - len(left), desc="folds", disable=not verbose
    ) as bar:
        for i, records in done:
            results[i] = records
            bar.update()
    return [record for records in results for record in records]


def _run_and_write(i, path, *task):
    records = run_fold(*task)
    if path is not None:
        replace_file(path, json.dumps({"records": records}, allow_nan=False).encode())
    return i, records


def _name_file(folder, fold, known):
    """Name a fold's file after all that its numbers depend on."""
    key = fingerprint(known, fold.target, fold.train, fold.test, fold.draws)
    name = re.sub(r"\W+", "_", fold.name)[:40]
    return folder / f"{name}-{fold.number}-{key}.json"


def _read(path):
    """Return the records of a fold that has been done, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["records"] if path else None
    except (FileNotFoundError, ValueError, KeyError):  # not there, or damaged
        return None


def derive_seed(*numbers):
    """Return a seed for, say, a repeat of a fold of a study: the same whoever asks."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)
