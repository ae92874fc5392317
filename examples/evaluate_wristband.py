"""How good is a wristband encoder on people, and in studies, that it has not seen?

    python examples/evaluate_wristband.py wristband-small --wesad WESAD
    python examples/evaluate_wristband.py seed0.safetensors seed1.safetensors --wesad WESAD

The embeddings of the frozen encoder are compared, leave-one-subject-out, with all baselines that
need no encoder (a clock, hand-crafted features scaled as the encoder's signals are, statistics of
the encoder's own channels) and with the same network untrained. All of them, the encoder too, end
in the same linear classifier. The script also prints what else tells the classes, and scores of
windows at the same time of the recording. An encoder that was trained with modality dropout is also
tested without each modality; the classifier is then trained without it as well.

The script writes ``results.json``, the scores of every subject as ``study_....json``, and the
figure of each audit of confounds to the output folder. It writes the result of each fold as it
ends; the same command continues from there.
"""

import argparse
import hashlib
import json
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from physio_ssl import HeadClassifier, SignalDict, SSLClassifier, StageLabels, load_encoder
from physio_ssl.datasets import load_stress_predict, load_wesad
from physio_ssl.evaluation import (
    LinearProbe,
    audit_confounds,
    leave_subjects_out,
    make_baselines,
)
from physio_ssl.plotting import ConfoundsDisplay

OURS, UNTRAINED = "pre-trained", "pre-trained, untrained"
FROZEN_HEAD, TUNED = "pre-trained, head on the frozen network", "pre-trained and fine-tuned"
BOTH = "hand-crafted + channel statistics"
HEAD = {  # chosen while looking at WESAD
    "class_weight": "balanced",
    "max_epochs": 2,
    "min_steps": 0,
    "batch_size": 64,
    "head__hidden_sizes": (256,),
    "head__dropout": 0.7,
    "random_state": 0,
}
STEPS = {"WESAD": 15, "Stress-Predict": 30}  # seconds between windows
TASKS = {  # classes
    "WESAD": {
        "stress vs amusement": {"amusement": 0, "stress": 1},
        "3 classes": {"baseline": 0, "stress": 1, "amusement": 2},
    },
    "Stress-Predict": {
        "stress vs rest": {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1}
    },
}
TRANSDUCTIVE = "each signal is scaled over its whole recording"


def main():
    options = parse_options()
    encoder, *others = map(load_encoder, options.encoders)
    if encoder.preprocessor_ is None:
        raise SystemExit(f"{options.encoders[0]} must be saved with its preprocessor")
    options.output.mkdir(parents=True, exist_ok=True)
    data = {
        "WESAD": (partial(load_wesad, signals=["bvp", "eda", "temp", "acc"]), options.wesad),
        "Stress-Predict": (load_stress_predict, options.stress_predict),
    }
    tasks = {}
    for name, (load, folder) in data.items():
        if folder is not None:
            recordings = load(folder)
            for task, classes in TASKS[name].items():
                title = f"{name}, {task}"
                labels = StageLabels(classes)
                windows = encoder.preprocessor_.make_windows(recordings, STEPS[name], labels=labels)
                windows = name_subjects(windows, folder.resolve().name)
                print(f"\n{title}: {windows}", flush=True)
                models = make_models(encoder, others, options.fine_tuned)
                found = run(title, models, windows, recordings, options)
                tasks[title] = {"step": STEPS[name], **found}
    results = {
        "sha256": read_digest(options.encoders[0]),
        "date": date.today().isoformat(),
        "seed": options.seed,
        "protocol": "Leave one subject out; windows of "
        f"{encoder.preprocessor_.duration:g} s{describe_context(encoder)}; logistic regression "
        "with its C "
        f"chosen within the training people; {TRANSDUCTIVE}, which uses a test subject's data "
        "without labels.",
        "tasks": tasks,
    }
    (options.output / "results.json").write_text(json.dumps(results, indent=1))


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "encoders",
        nargs="+",
        help="file, or name of an encoder of physio_ssl; then files of other seeds of its recipe",
    )
    parser.add_argument("--wesad", type=Path, help="folder of WESAD")
    parser.add_argument("--stress-predict", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--output", type=Path, default=Path("wristband_results"))
    parser.add_argument("--fine-tuned", action="store_true", help="also fine-tune in each fold")
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.wesad is None and options.stress_predict is None:
        parser.error("give --wesad, --stress-predict or both")
    return options


def read_digest(encoder):
    """Return the digest of an encoder's file, for its model card, or None for a name."""
    path = Path(encoder)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def describe_context(encoder):
    before, after = np.broadcast_to(encoder.preprocessor_.context, 2)
    return f", with {before:g} s before and {after:g} s after" if before or after else ""


def name_subjects(windows, data_set):
    """Return windows whose subjects carry the name of their data set, as many have an S2."""
    subjects = [f"{data_set}/{subject}" for subject in windows.groups]
    return replace(windows, info=windows.info.assign(subject=subjects))


def make_models(encoder, others=(), fine_tuned=False):
    """Return the models to compare beside the baselines."""
    models = {OURS: make_pipeline(FrozenEstimator(encoder), LinearProbe())}
    for number, other in enumerate(others, start=2):
        name = f"{OURS}, seed {number} of {len(others) + 1}"
        models[name] = make_pipeline(FrozenEstimator(other), LinearProbe())
    if fine_tuned:
        frozen = FrozenEstimator(encoder)
        models[FROZEN_HEAD] = make_pipeline(frozen, HeadClassifier(**HEAD))
        models[TUNED] = SSLClassifier(frozen, mode="fine_tuned", linear_probe_first=True, **HEAD)
    if encoder.module_.network.accepts_missing:
        names = list(encoder.n_times_)
        for left_out in names:
            rest = {"names": [name for name in names if name != left_out]}
            select = FunctionTransformer(select_modalities, kw_args=rest)
            model = make_pipeline(select, FrozenEstimator(encoder), LinearProbe())
            models[f"{OURS}, without {left_out}"] = model
    return models


def select_modalities(X, names):
    return SignalDict({name: X[name] for name in names})


def run(task, models, windows, recordings, options):
    """Return the scores of each model, and what the encoder adds, with intervals."""
    # random weights of one network are enough
    baselines = make_baselines(windows, recordings, models={OURS: models[OURS]})
    study = leave_subjects_out(
        models,
        windows,
        recordings=recordings,
        baselines=baselines,
        added_value=[name for name in models if name == OURS or "seed" in name],
        transductive=TRANSDUCTIVE,
        n_jobs=options.n_jobs,
        random_state=options.seed,
        folder=options.output / "folds",
        verbose=1,
    )
    name = task.replace(", ", "_").replace(" ", "_")
    study.save(options.output / f"study_{name}.json")
    confounds = audit_confounds(windows, recordings=recordings, results=study)
    figure = ConfoundsDisplay.from_report(confounds).figure_
    figure.savefig(options.output / f"confounds_{name}.png", dpi=110, bbox_inches="tight")
    gains = study.compare(OURS, [UNTRAINED, BOTH, "hand-crafted", "clock"])
    added, matched = study.added_value(OURS, over=None), study.position_matched()
    others = [study.added_value(name, over=None) for name in models if "seed" in name]
    for table in (study, gains.to_string(index=False), *others, confounds):
        print(table, flush=True)
    values, gain = ["mean", "low", "high"], ["difference", "low", "high"]
    scores = {
        metric: study.summary(metric).set_index("estimator")[values].T.to_dict("list")
        for metric in ("macro_f1", "auroc")
    }
    return {
        "n_windows": len(windows),
        "n_people": len(study.subjects),
        **scores,
        "position_matched": to_lists(matched, "estimator", ["auroc", "low", "high"]),
        "gain": to_lists(gains, "other", gain),
        "added_value": to_lists(added, "over", gain),
        "flagged": confounds.flagged,
    }


def to_lists(table, key, columns):
    """Return some columns of a table, by another one, with None where undefined."""
    rows = table.set_index(key)[columns].astype(object)
    return rows.where(rows.notna(), None).T.to_dict("list")


if __name__ == "__main__":
    main()
