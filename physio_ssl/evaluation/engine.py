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
from sklearn.model_selection import GridSearchCV
from sklearn.utils.multiclass import check_classification_targets
from tqdm.auto import tqdm

from .. import __version__
from .._check import check_weight
from .._files import make_folder, replace_file
from ..leakage import audit_leakage
from ..leakage.audit import require_windows, split_windows
from ..leakage.report import write_verdict
from .baselines import make_baselines
from .candidates import list_candidates, predict_numbers
from .embedding import embed_once, find_encoder
from .fingerprint import fingerprint
from .fold import Fold, Trial, derive_seed, find_weight_argument, run_fold
from .linear_probe import LinearProbe, LinearProbeRegressor
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

    ``draw_labels(windows, train, test, fold, random_state)`` returns a list of ``Draw`` for the
    rows of a fold.
    """
    require_windows(windows)
    candidates = _check_models(models, windows, settings)
    own = {candidate.name for candidate in candidates}
    baselines, scaling = settings.baselines, None
    if baselines is True:
        scaling = windows.scaling or ("recording" if settings.transductive else None)
        baselines = make_baselines(windows, settings.recordings, models=models, scaling=scaling)
    known = {name: model for name, model in (baselines or {}).items() if name not in own}
    candidates += list_candidates(known, len(windows)) if known else []
    continuous = predict_numbers(candidates)
    if settings.scoring is None:
        scoring = "neg_mean_absolute_error" if continuous else "f1_macro"
        settings = replace(settings, scoring=scoring)
    weight = _check_weight(settings.sample_weight, candidates, len(windows))
    added = own if settings.added_value is True else settings.added_value or ()
    for name in added:
        check_name(name, own, "model")
    features = _find_features(known)
    if settings.folder is not None:
        make_folder(settings.folder)
    verdicts, tasks, embedded = [], [], {}
    for target, labelled in _choose_targets(windows, settings.targets, continuous).items():
        splits = split_windows(settings.cv, labelled)
        verdicts += _audit(labelled, splits, candidates, own, target, settings)
        folds = []
        # Draws of few labels cover all classes; a continuous target has none.
        drawn = replace(windows, info=windows.info.assign(label=0)) if continuous else labelled
        for i, (train, test) in enumerate(splits):
            draws = draw_labels(drawn, train, test, i, settings.random_state)
            folds.append(Fold(i, train, test, derive_seed(settings.random_state, i, 0), draws))
        for one in candidates:
            chosen = [_choose_draws(fold, one) for fold in folds]
            chosen = [fold for fold in chosen if fold.draws]
            if not chosen:
                continue
            grid = settings.search.get(one.name)
            X = windows.X if one.X is None else one.X
            rest, embedding = embed_once(one.estimator, X, grid or (), embedded)
            is_added = one.name in added and find_encoder(one.estimator) is not None
            trial = Trial(
                name=one.name,
                target=target,
                model=rest,
                X=embedding,
                y=labelled.y,
                groups=labelled.groups,
                grid=grid,
                inner_cv=settings.inner_cv,
                scoring=settings.scoring,
                keep_predictions=settings.keep_predictions,
                time={"onset": labelled.onset, "recording": labelled.recording},
                added=features if is_added else {},
                sample_weight=weight,
            )
            paths = _name_files(trial, chosen, settings.folder)
            tasks += [(trial, *task) for task in zip(chosen, paths, strict=True)]
    records = _run(tasks, settings.n_jobs, settings.verbose)
    protocol = _describe(candidates, windows, settings, _join(verdicts))
    scaled = {"windows": windows.scaling, "hand-crafted features": scaling}
    return StudyResults(records, {**protocol, "baselines": list(known), "scaling": scaled})


def _check_models(models, windows, settings):
    candidates = list_candidates(models, len(windows))
    check_scoring(candidates[0].estimator, settings.scoring)
    named = {candidate.name: candidate.estimator for candidate in candidates}
    for name, grid in settings.search.items():
        check_name(name, named, "model")
        for key in grid:
            check_name(key.partition("__")[0], named[name].get_params(), f"{name} parameter")
    return candidates


def _check_weight(sample_weight, candidates, n_windows):
    """Return the weights as an array or None, or raise if a model takes none."""
    weight = check_weight(sample_weight, n_windows, "sample_weight")
    for one in candidates if weight is not None else ():
        if find_weight_argument(one.estimator) is None:
            raise TypeError(
                f"With sample_weight, fit of each model must take it, but {one.name!r} does not: "
                f"{one.estimator!r}."
            )
    return weight


def _find_features(baselines):
    """Return the tables of features that a linear probe takes alone, and the probe.

    Embeddings join them as one more block.
    """
    pairs = {name: pair for name, pair in baselines.items() if isinstance(pair, tuple)}
    return {
        name: (X, model)
        for name, (model, X) in pairs.items()
        if isinstance(model, (LinearProbe, LinearProbeRegressor))
    }


def _audit(windows, splits, candidates, own, target, settings):
    """Return the verdicts on the windows and models, and on each input of a user's model."""
    inputs = {}
    for one in candidates:
        is_own = one.X is not None and one.name in own
        X = one.X if is_own else windows.X
        name = one.name if one.n_seeds == 1 else f"{one.name}, seed {one.seed}"
        grid = settings.search.get(one.name)
        model = GridSearchCV(one.estimator, grid) if grid else one.estimator
        inputs.setdefault(id(X), (X, {}))[1][name] = model
    names = ("transductive", "pretrained_on_test_subjects", "on_leak")
    rules = {name: getattr(settings, name) for name in names}
    verdicts = []
    for X, models in inputs.values():
        seen = windows if X is windows.X else replace(windows, X=X, sampling_rate=None)
        verdicts.append((target, audit_leakage(seen, splits, models, **rules).to_dict()))
    return verdicts


def _choose_draws(fold, candidate):
    """Return a fold with the draws that a model with several seeds takes with this seed.

    Where draws are repeated, each repeat takes the next seed; elsewhere the seeds are repeats.
    """
    seed, n_seeds = candidate.seed, candidate.n_seeds
    if n_seeds == 1:
        return fold
    draws = [
        replace(
            draw,
            condition={"repeat": seed, **draw.condition},
            seed=draw.seed if "repeat" in draw.condition else derive_seed(draw.seed, seed),
        )
        for draw in fold.draws
        if draw.condition.get("repeat", seed) % n_seeds == seed
    ]
    return replace(fold, draws=draws)


def _choose_targets(windows, targets, continuous):
    """Return, by target, windows whose column "label" holds its labels."""
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
        y = _check_labels(y, column, continuous)
        labelled[target] = replace(windows, info=windows.info.assign(label=y))
    return labelled


def _check_labels(y, column, continuous):
    """Return the labels, a continuous target as floats, or raise if a model cannot learn them."""
    if continuous:
        if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
            raise ValueError(f"Regressors need finite numbers, but {column!r} holds {y[:3]}....")
        y = y.astype(float)
    else:
        check_classification_targets(y)
    if len(np.unique(y)) < 2:
        what = "values" if continuous else "classes"
        raise ValueError(f"{column!r} must hold at least two {what}, got {np.unique(y)}.")
    return y


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
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # not there, or damaged
        return None


def _join(verdicts):
    """Return one verdict for all targets and inputs; the splits may depend on the target."""
    leaks = [
        leak if target is None else {"target": target, **leak}
        for target, verdict in verdicts
        for leak in verdict["leaks"]
    ]
    lists = {
        name: list(dict.fromkeys(item for _, some in verdicts for item in some[name]))
        for name in ("declared", "unknown", "notes", "looked_at", "not_seen")
    }
    texts = [verdict["verdict"] for _, verdict in verdicts if not verdict["ok"]]
    text = "\n".join(dict.fromkeys(texts)) or write_verdict([], lists["unknown"])
    return {"ok": not leaks, "verdict": text, "leaks": leaks, **lists}


def _describe(candidates, windows, settings, verdict):
    """Return how the scores came about, in plain values."""
    search, scoring = settings.search.items(), settings.scoring
    known = "no_leak_found" if verdict["unknown"] else "leak_free"
    return {
        "protocol": known if verdict["ok"] else "with_leaks",
        "transductive": settings.transductive,
        "pretrained_on_test_subjects": settings.pretrained_on_test_subjects,
        "audit": verdict,
        "random_state": settings.random_state,
        "n_windows": len(windows),
        "n_subjects": len(np.unique(windows.groups)),
        "cv": "default" if settings.cv is None else repr(settings.cv),
        "search": {name: {k: repr(v) for k, v in grid.items()} for name, grid in search},
        "inner_cv": settings.inner_cv,
        "scoring": scoring if isinstance(scoring, str) else repr(scoring),
        "weighted": settings.sample_weight is not None,
        "estimators": {one.name: repr(one.estimator) for one in candidates},
        "date": date.today().isoformat(),
        "versions": _VERSIONS,
    }
