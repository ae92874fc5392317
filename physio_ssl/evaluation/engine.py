"""Run a study: audit the splits, run each model in each fold, resume from files."""

import json
import platform
import re
from dataclasses import replace
from datetime import date
from importlib.metadata import version

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import check_scoring
from sklearn.utils.multiclass import check_classification_targets
from tqdm.auto import tqdm

from .. import __version__
from .._files import replace_file
from ..leakage import audit_leakage
from ..leakage.audit import name_models, require_windows, split_windows
from .embedding import embed_once
from .fingerprint import fingerprint
from .fold import Fold, Trial, derive_seed, run_fold
from .records import check_name
from .results import StudyResults

# Folds that other versions computed are computed again.
_VERSIONS = {
    "python": platform.python_version(),
    **{name: version(name) for name in ("numpy", "scikit-learn", "torch", "skorch")},
    "physio_ssl": __version__,
}


def run_study(models, windows, settings, draw_labels):
    """Fit and score each model in each fold, and return the ``StudyResults``.

    ``draw_labels(train, y, groups, fold, random_state)`` returns a list of ``Draw`` for the
    training rows of a fold.
    """
    models = _check_models(models, settings)
    if settings.folder is not None:
        settings.folder.mkdir(parents=True, exist_ok=True)
    options = settings.inner_cv, settings.scoring, settings.keep_predictions
    verdicts, tasks, embedded = {}, [], {}
    for target, labelled in _choose_targets(windows, settings.targets).items():
        X, y, groups = labelled.X, labelled.y, labelled.groups
        splits = split_windows(settings.cv, labelled)
        rules = {"transductive": settings.transductive, "on_leak": settings.on_leak}
        verdicts[target] = audit_leakage(labelled, splits, models, **rules).to_dict()
        folds = []
        for i, (train, test) in enumerate(splits):
            draws = draw_labels(train, y, groups, i, settings.random_state)
            folds.append(Fold(i, train, test, derive_seed(settings.random_state, i, 0), draws))
        for name, model in models.items():
            grid = settings.search.get(name)
            rest, embedding = embed_once(model, X, grid or (), embedded)
            trial = Trial(name, target, rest, embedding, y, groups, grid, *options)
            paths = _name_files(trial, folds, settings.folder)
            tasks += [(trial, *task) for task in zip(folds, paths, strict=True)]
    records = _run(tasks, settings.n_jobs, settings.verbose)
    return StudyResults(records, _describe(models, windows, settings, _join(verdicts)))


def _check_models(models, settings):
    models = name_models(models)
    if not models or not all(hasattr(model, "predict") for model in models.values()):
        raise TypeError(f"models must be a classifier or a dict of them by name, got {models!r}.")
    check_scoring(next(iter(models.values())), settings.scoring)
    for name, grid in settings.search.items():
        check_name(name, models, "model")
        for key in grid:
            check_name(key.partition("__")[0], models[name].get_params(), f"{name} parameter")
    return models


def _choose_targets(windows, targets):
    """Return, by target, windows whose column "label" holds its labels."""
    require_windows(windows)
    subjects = np.unique(windows.groups)
    if len(subjects) < 2:
        raise ValueError(f"A study needs at least two subjects, got {subjects.tolist()}.")
    labelled = {}
    for target in targets or [None]:
        column = "label" if target is None else target
        check_name(column, windows.info, "column of windows.info")
        labels = windows.info[column]
        if labels.isna().any():
            raise ValueError(f"Labels are missing in {labels.isna().sum()} of column {column!r}.")
        y = np.asarray(labels.tolist())  # no objects
        check_classification_targets(y)
        if len(np.unique(y)) < 2:
            raise ValueError(f"{column!r} must hold at least two classes, got {np.unique(y)}.")
        labelled[target] = replace(windows, info=windows.info.assign(label=y))
    return labelled


def _name_files(trial, folds, folder):
    """Return the file of each fold's records; its name holds all that the numbers depend on."""
    if folder is None:
        return [None] * len(folds)
    known = fingerprint(_VERSIONS, trial)
    name = re.sub(r"\W+", "_", trial.name)[:40]
    return [folder / f"{name}-{fold.number}-{fingerprint(known, fold)}.json" for fold in folds]


def _run(tasks, n_jobs, verbose):
    """Run the folds that have no file yet, and return all records in order."""
    results = [_read(path) for _, _, path in tasks]
    left = [i for i, result in enumerate(results) if result is None]
    done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_run_and_write)(i, *tasks[i]) for i in left
    )
    n_read = len(tasks) - len(left)
    for i, records in tqdm(done, "folds", total=len(tasks), initial=n_read, disable=not verbose):
        results[i] = records
    return [record for records in results for record in records]


def _run_and_write(i, trial, fold, path):
    records = run_fold(trial, fold)
    if path is not None:
        replace_file(path, json.dumps({"records": records}, allow_nan=False).encode())
    return i, records


def _read(path):
    """Return the records of a fold that has been done, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["records"] if path else None
    except (FileNotFoundError, ValueError, KeyError):  # not there, or damaged
        return None


def _join(verdicts):
    """Return one verdict for all targets; the splits may depend on the target."""
    leaks = [
        leak if target is None else {"target": target, **leak}
        for target, verdict in verdicts.items()
        for leak in verdict["leaks"]
    ]
    lists = {
        name: list(dict.fromkeys(item for some in verdicts.values() for item in some[name]))
        for name in ("declared", "notes", "looked_at", "not_seen")
    }
    return {"ok": not leaks, "leaks": leaks, **lists}


def _describe(models, windows, settings, verdict):
    """Return how the scores came about, in plain values."""
    search, scoring = settings.search.items(), settings.scoring
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
        "scoring": scoring if isinstance(scoring, str) else repr(scoring),
        "estimators": {name: repr(model) for name, model in models.items()},
        "date": date.today().isoformat(),
        "versions": _VERSIONS,
    }
