"""Frozen, fine-tuned or supervised? A leave-one-subject-out study, with few and all labels.

    python examples/study_wristband.py                                    # simulated cohort
    python examples/study_wristband.py --wesad WESAD --corpus NurseStress
    python examples/study_wristband.py --stress-predict StressPredict --corpus NurseStress

Six models are compared on people that they have not seen: the majority class, hand-crafted
features with a random forest, logistic regression on the frozen encoder, and the paper's
head on the frozen (F), the fine-tuned (T) and the untrained network (S). The encoder is
pre-trained, without labels, on recordings of other people. With ``--published`` F and T are
also scored as the two papers' code or text does, to show by how much that flatters.

Every fold's result is written to the output folder as it ends: a study that was stopped goes
on from there.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from physio_ssl import (
    HandcraftedFeatures,
    SignalDict,
    SSLClassifier,
    SSLEncoder,
    load_encoder,
    make_windows,
    save_encoder,
)
from physio_ssl.datasets import (
    load_empatica_corpus,
    load_stress_predict,
    load_wesad,
    simulate_wristband,
)
from physio_ssl.evaluation import label_efficiency, leave_subjects_out
from physio_ssl.plotting import SubjectScoresDisplay
from physio_ssl.preprocessing import Standardize, prepare_wristband

DURATION = 60  # seconds
TRANSDUCTIVE = "each signal is z-scored over its whole recording"


def main():
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    recordings, tasks = load(options)
    encoder = pretrain(options)
    for number, (task, label) in enumerate(tasks.items()):
        windows = cut(recordings, label, options.step)
        print(f"\n{task}: {windows}", flush=True)
        run(task, windows, encoder, options, published=options.published and number == 0)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--wesad", type=Path, help="folder of WESAD")
    data.add_argument("--stress-predict", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--corpus", type=Path, help="folder of Empatica E4 sessions")
    parser.add_argument("--output", type=Path, default=Path("study_results"))
    parser.add_argument("--epochs", type=int, default=10, help="passes with labels")
    parser.add_argument("--step", type=float, default=15, help="seconds between windows")
    parser.add_argument("--share", type=float, default=0.1, help="share of labels, where few")
    parser.add_argument("--repeats", type=int, default=3, help="draws of few labels")
    parser.add_argument(
        "--published", action="store_true", help="first task by the published protocols, too"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    options = parser.parse_args()
    if (options.wesad or options.stress_predict) and options.corpus is None:
        parser.error("real recordings need a --corpus of other people to pre-train on")
    return options


def load(options):
    """Return labelled recordings and the tasks."""
    stress = {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1}
    if options.stress_predict is not None:
        return load_stress_predict(options.stress_predict), {"stress vs rest": stress}
    if options.wesad is not None:
        return load_wesad(options.wesad), {
            "stress vs rest": {"baseline": 0, "amusement": 0, "stress": 1},
            "3 classes": {"baseline": 0, "stress": 1, "amusement": 2},
        }
    recordings = simulate_wristband(8, random_state=options.seed)
    return recordings, {"stress vs rest": {"rest": 0, "stress": 1}}


def pretrain(options):
    """Return an encoder pre-trained on other people, from its file where there is one."""
    path = options.output / "encoder.safetensors"
    if path.exists():
        return load_encoder(path)
    if options.corpus is None:
        corpus = simulate_wristband(30, random_state=options.seed + 1)
    else:
        corpus = load_empatica_corpus(options.corpus)
    unlabelled = make_windows(prepare_wristband(corpus), DURATION, step=15)
    print(f"Pre-training on {unlabelled}", flush=True)
    encoder = SSLEncoder(max_epochs=1, random_state=options.seed, n_threads=2, verbose=1)
    # Told whose windows these are, the encoder can be audited.
    encoder.fit(unlabelled.X, groups=[f"corpus {subject}" for subject in unlabelled.groups])
    encoder.set_params(n_threads=1, verbose=0)  # folds run side by side
    save_encoder(encoder, path)
    return load_encoder(path)


def cut(recordings, label, step):
    """Return windows that hold the pulse twice: at 4 Hz, and at 64 Hz for the features."""
    windows = make_windows(prepare_wristband(recordings), DURATION, step, label=label)
    native = [r.apply({name: Standardize() for name in r.signals}) for r in recordings]
    native = make_windows(native, DURATION, step, label=label)
    return replace(windows, X=SignalDict(windows.X, bvp_64hz=native.X["bvp"]))


def at_4_hz(X):
    return SignalDict({name: X[name] for name in ("bvp", "eda", "temp")})


def at_native_rates(X):
    return SignalDict(bvp=X["bvp_64hz"], eda=X["eda"], temp=X["temp"])


def count(X):
    return [[0]] * len(X)


def make_models(encoder, options):
    frozen, slow = FrozenEstimator(encoder), FunctionTransformer(at_4_hz)
    rates = {"bvp": 64, "eda": 4, "temp": 4}

    def classify(mode):
        settings = {"max_epochs": options.epochs, "class_weight": "balanced"}
        return make_pipeline(slow, SSLClassifier(frozen, mode, **settings))

    return {
        "majority class": make_pipeline(FunctionTransformer(count), DummyClassifier()),
        "hand-crafted, random forest": make_pipeline(
            FunctionTransformer(at_native_rates),
            HandcraftedFeatures(rates),
            SimpleImputer(),
            RandomForestClassifier(300, class_weight="balanced"),
        ),
        "frozen, logistic regression": make_pipeline(
            slow,
            frozen,
            StandardScaler(),
            LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
        ),
        "S supervised": classify("supervised"),
        "F frozen": classify("frozen"),
        "T fine-tuned": classify("fine_tuned"),
    }


def run(task, windows, encoder, options, published):
    models = make_models(encoder, options)
    place = {
        "onset": windows.onset,
        "duration": windows.duration,
        "transductive": TRANSDUCTIVE,
        "n_jobs": options.n_jobs,
        "random_state": options.seed,
        "folder": options.output / "folds",
        "verbose": 1,
    }
    data = (windows.X, windows.y, windows.groups)
    name = task.replace(" ", "_")

    few = label_efficiency(
        models, *data, shares=[options.share], n_repeats=options.repeats, **place
    )
    few.save(options.output / f"{name}_few_labels.json")
    show(few, f"{task}, {options.share:.0%} of the labels")

    study = leave_subjects_out(models, *data, **place)
    study.save(options.output / f"{name}.json")
    show(study, f"{task}, all labels")
    SubjectScoresDisplay.from_results(study).figure_.savefig(
        options.output / f"{name}.png", dpi=110, bbox_inches="tight"
    )

    if published:
        nets = {model: models[model] for model in ("F frozen", "T fine-tuned")}
        for protocol in ("published_a", "published_b"):
            study = leave_subjects_out(nets, *data, protocol=protocol, **place)
            study.save(options.output / f"{name}_{protocol}.json")
            show(study, f"{task}, all labels, protocol {protocol}", compare=False)


def show(study, title, compare=True):
    start = time.strftime("%H:%M:%S")
    print(f"\n{title} ({start})\n")
    summary = study.summary(["accuracy", "balanced_accuracy", "macro_f1", "auroc", "kappa"])
    cells = summary.apply(
        lambda row: f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]", axis=1
    )
    table = pd.DataFrame(
        {"estimator": summary["estimator"], "metric": summary["metric"], "score": cells}
    )
    print(table.pivot(index="estimator", columns="metric", values="score").to_string())
    if compare:
        for model in ("F frozen", "T fine-tuned"):
            columns = ["estimator", "other", "difference", "low", "high", "p_value", "effect_size"]
            row = study.compare(model, ["S supervised", "hand-crafted, random forest"])
            print(row[[*columns, "p_holm"]].to_string(index=False, float_format="{:.3f}".format))
    print(flush=True)


if __name__ == "__main__":
    main()
