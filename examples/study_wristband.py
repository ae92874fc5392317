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
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from physio_ssl import (
    SignalDict,
    SSLClassifier,
    SSLEncoder,
    StageLabels,
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
from physio_ssl.evaluation import label_efficiency, leave_subjects_out, make_baselines
from physio_ssl.plotting import SubjectScoresDisplay
from physio_ssl.preprocessing import Standardize, prepare_wristband

DURATION = 60  # seconds
TRANSDUCTIVE = "each signal is z-scored over its whole recording"


def main():
    options = parse_options()
    recordings, tasks = load(options)
    options.output.mkdir(parents=True, exist_ok=True)
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
    corpus = "other people" if options.corpus is None else options.corpus.name
    path = options.output / f"encoder of {corpus}, seed {options.seed}.safetensors"
    if path.exists():
        return load_encoder(path)
    if options.corpus is None:
        recordings = simulate_wristband(30, random_state=options.seed + 1)
    else:
        recordings = load_empatica_corpus(options.corpus)
    unlabelled = make_windows(prepare_wristband(recordings), DURATION, step=15)
    print(f"Pre-training on {unlabelled}", flush=True)
    encoder = SSLEncoder(max_epochs=1, random_state=options.seed, n_threads=2, verbose=1)
    # Told whose windows these are, the encoder can be audited.
    encoder.fit(unlabelled.X, groups=name_subjects(corpus, unlabelled))
    encoder.set_params(n_threads=1, verbose=0)  # folds run side by side
    save_encoder(encoder, path)
    return load_encoder(path)


def cut(recordings, label, step):
    """Return windows that hold the pulse twice: at 4 Hz, and at 64 Hz for the features."""
    windows = make_windows(prepare_wristband(recordings), DURATION, step, labels=StageLabels(label))
    native = [r.apply({name: Standardize() for name in r.signals}) for r in recordings]
    native = make_windows(native, DURATION, step, labels=StageLabels(label))
    assert np.array_equal(native.onset, windows.onset), "models must see the same windows"
    return replace(
        windows,
        X=SignalDict(windows.X, bvp_64hz=native.X["bvp"]),
        sampling_rate={**windows.sampling_rate, "bvp_64hz": native.sampling_rate["bvp"]},
    )


def name_subjects(data_set, windows):
    """Return subjects with the name of their data set, as an S2 is in many."""
    return np.array([f"{data_set} {subject}" for subject in windows.groups])


def at_4_hz(X):
    return SignalDict({name: X[name] for name in ("bvp", "eda", "temp")})


def at_native_rates(X):
    return SignalDict(bvp=X["bvp_64hz"], eda=X["eda"], temp=X["temp"])


def make_models(encoder, options):
    frozen, slow = FrozenEstimator(encoder), FunctionTransformer(at_4_hz)
    baselines = make_baselines({"bvp": 64, "eda": 4, "temp": 4})

    def classify(mode):
        net = SSLClassifier(frozen, mode, max_epochs=options.epochs, class_weight="balanced")
        return make_pipeline(slow, net)

    return {
        "majority class": baselines["majority class"],
        "hand-crafted, random forest": make_pipeline(
            FunctionTransformer(at_native_rates), baselines["hand-crafted, random forest"]
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
    settings = {
        "onset": windows.onset,
        "duration": windows.duration,
        "transductive": TRANSDUCTIVE,
        "n_jobs": options.n_jobs,
        "random_state": options.seed,
        "folder": options.output / "folds",
        "verbose": 1,
    }
    folder = options.wesad or options.stress_predict
    data_set = "simulated" if folder is None else folder.name
    data = (windows.X, windows.y, name_subjects(data_set, windows))
    name = f"{data_set}_{task}".replace(" ", "_")

    few = label_efficiency(
        models, *data, shares=[options.share], n_repeats=options.repeats, **settings
    )
    few.save(options.output / f"{name}_few_labels.json")
    show(few, f"{task}, {options.share:.0%} of the labels")

    study = leave_subjects_out(models, *data, **settings)
    study.save(options.output / f"{name}.json")
    show(study, f"{task}, all labels")
    SubjectScoresDisplay.from_results(study).figure_.savefig(
        options.output / f"{name}.png", dpi=110, bbox_inches="tight"
    )

    if published:
        nets = {name: models[name] for name in ("F frozen", "T fine-tuned")}
        protocols = {"leak-free": study}
        for protocol in ("published_a", "published_b"):
            protocols[protocol] = leave_subjects_out(nets, *data, protocol=protocol, **settings)
            protocols[protocol].save(options.output / f"{name}_{protocol}.json")
        print(f"\n{task}, the same models by three protocols\n")
        tables = {
            name: tabulate(study, ["accuracy", "macro_f1"]) for name, study in protocols.items()
        }
        print(pd.concat(tables, names=["protocol"]).query("estimator in @nets").to_string())
        plot_protocols(protocols, nets, options.output / f"{name}_protocols.png")


def plot_protocols(protocols, nets, path):
    """Draw the accuracy of the same models by each protocol, with intervals."""
    labels = {
        "leak-free": "leak-free:\nunseen people,\nlast epoch",
        "published_a": "paper A's code:\nbest epoch on the\ntest person",
        "published_b": "paper B:\nshuffled windows,\npeople on both sides",
    }
    figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for shift, (net, color) in zip(
        (-0.08, 0.08), zip(nets, ("C0", "C1"), strict=True), strict=True
    ):
        rows = [
            study.summary("accuracy").set_index("estimator").loc[net]
            for study in protocols.values()
        ]
        mean, low, high = (
            np.array([row[name] for row in rows]) for name in ("mean", "low", "high")
        )
        places = np.arange(len(rows)) + shift
        ax.errorbar(places, mean, [mean - low, high - mean], fmt="o", color=color, label=net)
        for place, value in zip(places, mean, strict=True):
            side = "left" if shift > 0 else "right"
            ax.annotate(f"{value:.3f}", (place + shift / 2, value), ha=side, va="center")
    ax.set_xticks(range(len(protocols)), [labels[name] for name in protocols])
    ax.set(xlim=(-0.5, len(protocols) - 0.5), ylabel="accuracy (mean, 95 % interval)")
    ax.set_title("The same models, scored three ways")
    ax.legend(loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def tabulate(study, metrics):
    """Return mean and interval over subjects, estimators by metrics."""
    summary = study.summary(metrics)
    summary["score"] = [
        f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for _, row in summary.iterrows()
    ]
    table = summary.pivot(index="estimator", columns="metric", values="score")
    return table.loc[study.estimators, metrics]


def show(study, title):
    print(f"\n{title}\n")
    print(
        tabulate(study, ["accuracy", "balanced_accuracy", "macro_f1", "auroc", "kappa"]).to_string()
    )
    print("\nmacro-F1, paired by subject; p_holm is corrected for the two comparisons of a model")
    columns = [
        "estimator",
        "other",
        "difference",
        "low",
        "high",
        "p_value",
        "effect_size",
        "p_holm",
    ]
    for model in ("F frozen", "T fine-tuned"):
        row = study.compare(model, ["S supervised", "hand-crafted, random forest"])
        print(row[columns].to_string(index=False, float_format="{:.3f}".format))
    print(flush=True)


if __name__ == "__main__":
    main()
