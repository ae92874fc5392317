"""What may the scaling of a wristband's signals see, and what does it give away?

    python examples/scaling_wristband.py wristband-small --wesad WESAD
    python examples/scaling_wristband.py wristband-small --stress-predict StressPredict

Many studies scale each signal over its whole recording, which no device can do while it is worn. A
recording that holds both rest and stress also tells the scaling how far a person's signals go. The
script prepares the same windows in three ways: scaled over the whole recording, over the past
only, and each by itself. Logistic regression on the frozen encoder's embeddings is compared,
leave-one-subject-out.

On WESAD it also cuts out each person's rest, as a recording of one state, and counts how many of
its windows are called stress. The scores of every subject are written to the output folder.
"""

import argparse
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import StageLabels, load_encoder
from physio_ssl.datasets import load_stress_predict, load_wesad
from physio_ssl.evaluation import leave_subjects_out

WHOLE = "whole recording"
REST = "baseline"  # WESAD's stage of rest
STAGES = {
    "WESAD": ("baseline", "stress", "amusement"),
    "Stress-Predict": ("rest", "stroop", "interview", "hyperventilation"),
}
STEP = {"WESAD": 15, "Stress-Predict": 30}  # seconds between windows
TASKS = {
    "WESAD": {
        "3 classes": {"baseline": 0, "stress": 1, "amusement": 2},
        "stress vs rest": {"baseline": 0, "amusement": 0, "stress": 1},
        "stress vs amusement": {"amusement": 0, "stress": 1},
    },
    "Stress-Predict": {
        "stress vs rest": {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1}
    },
}


def main():
    options = parse_options()
    encoder = load_encoder(options.encoder)
    options.output.mkdir(parents=True, exist_ok=True)
    results = {"date": date.today().isoformat(), "seed": options.seed}
    data = {
        "WESAD": (load_wesad, options.wesad),
        "Stress-Predict": (load_stress_predict, options.stress_predict),
    }
    for name, (load, folder) in data.items():
        if folder is None:
            continue
        recordings = load(folder, n_jobs=options.n_jobs)
        windows, embeddings = embed(encoder, recordings, name)
        for task, classes in TASKS[name].items():
            results[f"{name}, {task}"] = compare(windows, embeddings, classes, options)
        if name == "WESAD":
            classes = TASKS[name]["stress vs rest"]
            results["rest called stress"] = count_false_stress(
                encoder, recordings, windows, embeddings, classes
            )
    (options.output / "results.json").write_text(json.dumps(results, indent=1))


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("encoder", help="file, or name of an encoder of physio_ssl")
    parser.add_argument("--wesad", type=Path, help="folder of WESAD")
    parser.add_argument("--stress-predict", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--output", type=Path, default=Path("scaling_results"))
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.wesad is None and options.stress_predict is None:
        parser.error("give --wesad, --stress-predict or both")
    return options


def make_preprocessors(encoder):
    """Return the encoder's preprocessor with each scaling."""
    context = float(np.broadcast_to(encoder.preprocessor_.context, 2).sum())
    past = clone(encoder.preprocessor_).set_params(scaling="past", context=(context, 0.0))
    alone = clone(past).set_params(history=past.duration + context)
    return {WHOLE: encoder.preprocessor_, "past only": past, "each window by itself": alone}


def embed(encoder, recordings, name):
    """Return the windows that all scalings can make, with their stage, and the embeddings."""
    labels = StageLabels({stage: stage for stage in STAGES[name]})
    cuts = {
        scaling: preprocessor.make_windows(recordings, STEP[name], labels=labels)
        for scaling, preprocessor in make_preprocessors(encoder).items()
    }
    common = set.intersection(*(set(list_places(windows)) for windows in cuts.values()))
    embeddings = {}
    for scaling, windows in cuts.items():
        print(f"{name}, {scaling}: {windows}", flush=True)
        cuts[scaling] = windows.select([place in common for place in list_places(windows)])
        embeddings[scaling] = encoder.transform(cuts[scaling].X)
    return cuts[WHOLE], embeddings


def list_places(windows):
    return list(zip(windows.recording.tolist(), windows.onset.tolist(), strict=True))


def choose(windows, classes):
    """Return the rows of the classes' stages, and their classes."""
    rows = np.flatnonzero(np.isin(windows.y, list(classes)))
    return rows, np.array([classes[stage] for stage in windows.y[rows]])


def make_classifier():
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
    )


def compare(windows, embeddings, classes, options):
    """Return the scores of each scaling, and what it loses against the whole recording."""
    rows, y = choose(windows, classes)
    chosen = windows.select(rows)
    study = leave_subjects_out(
        {name: (make_classifier(), X[rows]) for name, X in embeddings.items()},
        replace(chosen, info=chosen.info.assign(label=y)),
        transductive="scaled over the recording, over its past, or by the window",
        baselines=False,
        n_jobs=options.n_jobs,
        random_state=options.seed,
    )
    summary = study.summary(["macro_f1", "auroc"])
    difference = study.compare(WHOLE)
    for table in (summary, difference):
        print(table.to_string(index=False, float_format="{:.3f}".format), flush=True)
    return {
        "n_windows": len(rows),
        "summary": summary.to_dict("records"),
        "difference": difference.to_dict("records"),
        "records": study.to_frame().to_dict("records"),
    }


def count_false_stress(encoder, recordings, windows, embeddings, classes):
    """Return the share of each person's rest that is called stress, cut out and in its place.

    The classifier has seen the whole recordings of the other people, prepared in the same way.
    """
    rows, y = choose(windows, classes)
    groups, onset, stage = windows.groups[rows], windows.onset[rows], windows.y[rows]
    found = {}
    for scaling, preprocessor in make_preprocessors(encoder).items():
        X, shares = embeddings[scaling][rows], {}
        for recording in recordings:
            own = groups == recording.subject
            model = make_classifier().fit(X[~own], y[~own])
            first = onset[own & (stage == REST)][0]
            alone = preprocessor.make_windows(cut_out(recording, first), STEP["WESAD"])
            shares[recording.subject] = {
                "rest alone": float(model.predict(encoder.transform(alone.X)).mean()),
                "in its recording": float(model.predict(X[own & (stage == REST)]).mean()),
                "n_windows": len(alone),
            }
        found[scaling] = shares
        for what in ("rest alone", "in its recording"):
            percent = 100 * np.array([share[what] for share in shares.values()])
            low, mean, high = percent.min(), percent.mean(), percent.max()
            print(
                f"{scaling}, {what}: {mean:.1f} % of the windows of rest called stress "
                f"({low:.1f} to {high:.1f} % by person)",
                flush=True,
            )
    return found


def cut_out(recording, first):
    """Return the stage of rest, from the onset of its first window, as a recording of its own."""
    stages = recording.annotations
    (place,) = np.flatnonzero(stages["description"] == REST)
    end = stages["onset"][place] + stages["duration"][place]
    signals = {}
    for name, signal in recording.signals.items():
        rate = recording.sampling_rate[name]
        signals[name] = signal[..., round(first * rate) : int(end * rate)]
    return replace(recording, signals=signals, annotations=None)


if __name__ == "__main__":
    main()
