"""Run a study: audit the splits, run each model in each fold, resume from files."""

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.utils.multiclass import check_classification_targets
from tqdm.auto import tqdm

from .. import __version__
from .._files import replace_file
from ..leakage import audit_leakage
from ..leakage.audit import split_windows
from ..windows import Windows
from .embedding import embed_once
from .fingerprint import fingerprint
from .fold import Fold, Trial, derive_seed, run_fold
from .results import StudyResults

# Folds that other versions computed are computed again.
_VERSIONS = {
    "python": platform.python_version(),
    **{name: version(name) for name in ("numpy", "scikit-learn", "torch", "skorch")},
    "physio_ssl": __version__,
}


@dataclass(frozen=True)
class _Task:
    """A fold of a trial, and the file of its records, if the study has a folder."""

    trial: Trial
    fold: Fold
    path: Path | None


def run_study(models, windows, settings, draw_labels):
    """Fit and score each model in each fold.

    Parameters
    ----------
    models, windows
        As in ``leave_subjects_out``.
    settings : StudySettings
        Its settings.
    draw_labels : callable
        ``draw_labels(train, y, groups, fold, random_state)`` returns a list of ``Draw`` for the
        training rows of a fold.

    Returns
    -------
    StudyResults
        As of ``leave_subjects_out``.
    """
    models = _name_models(models)
    _check_search(settings.search, models)
    check_scoring(next(iter(models.values())), settings.scoring)
    if settings.folder is not None:
        settings.folder.mkdir(parents=True, exist_ok=True)
    reports, tasks, embedded = {}, [], {}
    for target, labelled in _choose_targets(windows, settings.targets).items():
        splits = split_windows(settings.cv, labelled)
        reports[target] = audit_leakage(
            labelled,
            splits,
            models,
            transductive=settings.transductive,
            on_leak=settings.on_leak,
        )
        folds = _make_folds(splits, labelled, draw_labels, settings.random_state)
        for name, model in models.items():
            trial = _make_trial(name, model, target, labelled, settings, embedded)
            tasks += _make_tasks(trial, folds, settings.folder)
    records = _run(tasks, settings.n_jobs, settings.verbose)
    return StudyResults(records, _describe(models, windows, settings, _join(reports)))


def _name_models(models):
    if hasattr(models, "fit"):
        models = {type(models).__name__.lower(): models}
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f"models must be a dict from name to estimator, got {models!r}.")
    for name, model in models.items():
        if not isinstance(name, str):
            raise TypeError(f"The name of a model must be a str, got {name!r}.")
        if not isinstance(model, BaseEstimator) or not hasattr(model, "predict"):
            raise TypeError(f"{name!r} must be an estimator with fit and predict, got {model!r}.")
    return dict(models)


def _check_search(search, models):
    unknown = [name for name in search if name not in models]
    if unknown:
        raise ValueError(
            f"search names {', '.join(map(repr, unknown))}, but the models are {', '.join(models)}."
        )
    for name, grid in search.items():
        known = models[name].get_params(deep=True)
        wrong = [key for key in grid if key not in known and key.partition("__")[0] not in known]
        if wrong:
            raise ValueError(
                f"{name!r} has no parameter {', '.join(wrong)}, only {', '.join(sorted(known))}."
            )


def _choose_targets(windows, targets):
    """Return, by target, windows whose column "label" holds its labels."""
    if not isinstance(windows, Windows):
        raise TypeError(f"windows must be Windows(X, info), got a {type(windows).__name__}.")
    subjects = np.unique(windows.groups)
    if len(subjects) < 2:
        raise ValueError(f"A study needs at least two subjects, got {subjects.tolist()}.")
    chosen = {None: "label"} if targets is None else {name: name for name in targets}
    return {target: _label(windows, column) for target, column in chosen.items()}


def _label(windows, column):
    if column not in windows.info:
        raise ValueError(
            f"No column {column!r} in windows.info, only {', '.join(windows.info)}: name the "
            "labels by targets=..., or assign them to the column 'label'."
        )
    labels = windows.info[column]
    if labels.isna().any():
        raise ValueError(
            f"Every window needs a label, but {labels.isna().sum()} of column {column!r} are "
            "missing: leave these windows out with windows.select."
        )
    labelled = replace(windows, info=windows.info.assign(label=labels))
    if labelled.y.dtype == object:  # e.g. of Python's integers
        labelled = replace(windows, info=windows.info.assign(label=np.asarray(labels.tolist())))
    check_classification_targets(labelled.y)
    classes = np.unique(labelled.y)
    if len(classes) < 2:
        raise ValueError(f"Column {column!r} must hold at least two classes, got {classes}.")
    return labelled


def _make_folds(splits, windows, draw_labels, random_state):
    y, groups = windows.y, windows.groups
    return [
        Fold(
            number,
            train,
            test,
            derive_seed(random_state, number, 0),
            draw_labels(train, y, groups, number, random_state),
        )
        for number, (train, test) in enumerate(splits)
    ]


def _make_trial(name, model, target, windows, settings, embedded):
    """Return the trial of a model, after the steps that are the same in all folds."""
    grid = settings.search.get(name)
    model, X = embed_once(model, windows.X, grid or (), embedded)
    return Trial(
        name=name,
        target=target,
        model=model,
        X=X,
        y=windows.y,
        groups=windows.groups,
        grid=grid,
        inner_cv=settings.inner_cv,
        scoring=settings.scoring,
        keep_predictions=settings.keep_predictions,
    )


def _make_tasks(trial, folds, folder):
    if folder is None:
        return [_Task(trial, fold, None) for fold in folds]
    # The name of a file holds all that the fold's numbers depend on.
    known = fingerprint(_VERSIONS, trial)
    name = re.sub(r"\W+", "_", trial.name)[:40]
    return [
        _Task(trial, fold, folder / f"{name}-{fold.number}-{fingerprint(known, fold)}.json")
        for fold in folds
    ]


def _run(tasks, n_jobs, verbose):
    """Run the folds that have no file yet, and return all records in order."""
    results = [_read(task.path) for task in tasks]
    left = [i for i, result in enumerate(results) if result is None]
    done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_run_and_write)(i, tasks[i]) for i in left
    )
    with tqdm(
        total=len(tasks), initial=len(tasks) - len(left), desc="folds", disable=not verbose
    ) as bar:
        for i, records in done:
            results[i] = records
            bar.update()
    return [record for records in results for record in records]


def _run_and_write(i, task):
    records = run_fold(task.trial, task.fold)
    if task.path is not None:
        replace_file(task.path, json.dumps({"records": records}, allow_nan=False).encode())
    return i, records


def _read(path):
    """Return the records of a fold that has been done, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["records"] if path else None
    except (FileNotFoundError, ValueError, KeyError):  # not there, or damaged
        return None


def _join(reports):
    """Return one verdict for all targets; the splits may depend on the target."""
    verdicts = {target: report.to_dict() for target, report in reports.items()}
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    lists = ("declared", "notes", "looked_at", "not_seen")
    return {
        "ok": all(verdict["ok"] for verdict in verdicts.values()),
        "leaks": [
            {"target": target, **leak}
            for target, verdict in verdicts.items()
            for leak in verdict["leaks"]
        ],
        **{
            name: list(dict.fromkeys(item for v in verdicts.values() for item in v[name]))
            for name in lists
        },
    }


def _describe(models, windows, settings, verdict):
    """Return how the scores came about, in plain values."""
    search = settings.search.items()
    return {
        "protocol": "leak_free" if verdict["ok"] else "with_leaks",
        "transductive": settings.transductive,
        "audit": verdict,
        "random_state": settings.random_state,
        "n_windows": len(windows),
        "n_subjects": len(np.unique(windows.groups)),
        "cv": "default" if settings.cv is None else repr(settings.cv),
        "search": {name: {k: repr(v) for k, v in grid.items()} for name, grid in search},
        "inner_cv": settings.inner_cv,
        "scoring": settings.scoring
        if isinstance(settings.scoring, str)
        else repr(settings.scoring),
        "estimators": {name: repr(model) for name, model in models.items()},
        "date": date.today().isoformat(),
        "versions": _VERSIONS,
    }
