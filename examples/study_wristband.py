"""Frozen, fine-tuned or supervised? A leave-one-subject-out study, with few and all labels.

    python examples/study_wristband.py                                    # simulated cohort
    python examples/study_wristband.py --wesad WESAD --corpus NurseStress
    python examples/study_wristband.py --stress-predict StressPredict --corpus NurseStress

The study compares three uses of one encoder on people that they have not seen: the head of Wu et
al. on the frozen (F), the fine-tuned (T) and the untrained network (S), and a linear probe on the
frozen encoder. The baselines of every study run beside them. The encoder is pre-trained, without
labels, on recordings of other people. With ``--published``, F and T are also scored by the
protocols of two papers (see ``published_protocols.py``), to show how much these flatter, on windows
that overlap and on windows that do not; ``--only-published`` leaves out all else.

The result of each fold is written to the output folder as it ends. If the study is stopped, the
same command continues from there.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from published_protocols import best_test_epoch, shuffled_windows
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import (
    HeadClassifier,
    SSLClassifier,
    SSLEncoder,
    StageLabels,
    load_encoder,
    save_encoder,
)
from physio_ssl.datasets import (
    load_empatica_corpus,
    load_stress_predict,
    load_wesad,
    simulate_wristband,
)
from physio_ssl.evaluation import (
    LinearProbe,
    label_efficiency,
    leave_subjects_out,
    make_baselines,
)
from physio_ssl.plotting import SubjectScoresDisplay
from physio_ssl.preprocessing import wristband_preprocessor

DURATION = 60  # seconds
PREPROCESSOR = wristband_preprocessor(duration=DURATION)
PROBE = "frozen, linear probe"
TRANSDUCTIVE = "each signal is z-scored over its whole recording"


def main():
    options = parse_options()
    recordings, tasks = load(options)
    options.output.mkdir(parents=True, exist_ok=True)
    encoder = pretrain(options)
    folder = options.wesad or options.stress_predict
    data_set = "simulated" if folder is None else folder.name
    for number, (task, classes) in enumerate(tasks.items()):
        windows = name_subjects(cut(recordings, classes, options.step), data_set)
        print(f"\n{task}: {windows}", flush=True)
        name = f"{data_set}_{task}".replace(" ", "_")
        if not options.only_published:
            run(task, name, make_models(encoder, options), windows, recordings, options)
        if number == 0 and (options.published or options.only_published):
            apart = name_subjects(cut(recordings, classes, DURATION), data_set)
            nets = make_nets(encoder, get_training(options))
            del nets["S supervised"]
            compare_protocols(task, name, nets, windows, apart, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--wesad", type=Path, help="folder of WESAD")
    data.add_argument("--stress-predict", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--corpus", type=Path, help="folder of Empatica E4 sessions")
    parser.add_argument("--output", type=Path, default=Path("study_results"))
    parser.add_argument("--epochs", type=int, default=10, help="epochs with labels")
    parser.add_argument("--step", type=float, default=15, help="seconds between windows")
    parser.add_argument("--fraction", type=float, default=0.1, help="fraction of labels, if few")
    parser.add_argument("--repeats", type=int, default=3, help="draws of few labels; 0 for none")
    parser.add_argument(
        "--published", action="store_true", help="also score the first task by published protocols"
    )
    parser.add_argument(
        "--only-published", action="store_true", help="score by these protocols, and nothing else"
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
    """Return an encoder pre-trained on other people, from its file if there is one."""
    corpus = "other people" if options.corpus is None else options.corpus.name
    path = options.output / f"encoder of {corpus}, seed {options.seed}.safetensors"
    if path.exists():
        return load_encoder(path)
    if options.corpus is None:
        recordings = simulate_wristband(30, random_state=options.seed + 1)
    else:
        recordings = load_empatica_corpus(options.corpus)
    unlabelled = name_subjects(PREPROCESSOR.make_windows(recordings, step=15), corpus)
    print(f"Pre-training on {unlabelled}", flush=True)
    encoder = SSLEncoder(max_epochs=1, random_state=options.seed, verbose=1)
    encoder.fit(unlabelled.X, groups=unlabelled.groups)  # the groups are for the audit
    encoder.set_params(verbose=0)
    save_encoder(encoder, path)
    return load_encoder(path)


def cut(recordings, classes, step):
    return PREPROCESSOR.make_windows(recordings, step, labels=StageLabels(classes))


def name_subjects(windows, data_set):
    """Return windows whose subjects carry the name of their data set, as many have an S2."""
    names = [f"{data_set}/{subject}" for subject in windows.groups]
    return replace(windows, info=windows.info.assign(subject=names))


def make_models(encoder, options):
    probe = make_pipeline(FrozenEstimator(encoder), LinearProbe())
    return {PROBE: probe, **make_nets(encoder, get_training(options))}


def get_training(options):
    return {"max_epochs": options.epochs, "class_weight": "balanced"}


def make_nets(encoder, training, **tuning):
    """Return the head of Wu et al. on the untrained, the frozen and the fine-tuned network."""
    frozen = FrozenEstimator(encoder)
    return {
        "S supervised": SSLClassifier(frozen, mode="supervised", **training),
        "F frozen": make_pipeline(frozen, HeadClassifier(**training)),
        "T fine-tuned": SSLClassifier(frozen, mode="fine_tuned", **training, **tuning),
    }


def get_settings(options):
    return {
        "transductive": TRANSDUCTIVE,
        "n_jobs": options.n_jobs,
        "random_state": options.seed,
        "folder": options.output / "folds",
        "verbose": 1,
    }


def run(task, name, models, windows, recordings, options):
    baselines = make_baselines(windows, recordings, models=models)  # features once, for both
    settings = {**get_settings(options), "baselines": baselines}
    if options.repeats:
        few = label_efficiency(
            models, windows, fractions=[options.fraction], n_repeats=options.repeats, **settings
        )
        few.save(options.output / f"{name}_few_labels.json")
        show(few, f"{task}, {options.fraction:.0%} of the labels")

    study = leave_subjects_out(models, windows, **settings)
    study.save(options.output / f"{name}.json")
    show(study, f"{task}, all labels")
    SubjectScoresDisplay.from_results(study).figure_.savefig(
        options.output / f"{name}.png", dpi=110, bbox_inches="tight"
    )


def compare_protocols(task, name, nets, windows, apart, options):
    """Score the same models by each protocol, on ``windows`` and on those that do not overlap."""
    settings = get_settings(options)
    common = {key: settings[key] for key in ("transductive", "random_state", "n_jobs")}
    often, seldom = f"every {options.step:g} s", f"every {DURATION} s"
    studies = {
        ("leak-free", often): leave_subjects_out(nets, windows, baselines=False, **settings),
        ("leak-free", seldom): leave_subjects_out(nets, apart, baselines=False, **settings),
        ("best test epoch", often): best_test_epoch(nets, windows, **common),
        ("shuffled windows", often): shuffled_windows(nets, windows, **settings),
        ("shuffled windows", seldom): shuffled_windows(nets, apart, **settings),
    }
    for key, study in studies.items():
        study.save(options.output / f"{name}_{' '.join(key)}.json".replace(" ", "_"))
    print(f"\n{task}, the same models by three protocols\n")
    tables = {key: tabulate(study, ["accuracy", "macro_f1"]) for key, study in studies.items()}
    print(pd.concat(tables, names=["protocol", "windows"]).to_string())
    plot_protocols(studies, nets, options.output / f"{name}_protocols.png")


def plot_protocols(studies, nets, path):
    """Draw the accuracy of the same models by each protocol, with intervals.

    Filled markers are overlapping windows, open ones are windows that do not overlap.
    """
    labels = {
        "leak-free": "leak-free:\nunseen people,\nlast epoch",
        "best test epoch": "code of Wu et al.:\nbest epoch on the\ntest person",
        "shuffled windows": "Vazquez-Rodriguez et al.:\nshuffled windows,\npeople on both sides",
    }
    protocols, steps = (list(dict.fromkeys(part)) for part in zip(*studies, strict=True))
    figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    for i, net in enumerate(nets):
        for j, step in enumerate(steps):
            used = [protocol for protocol in protocols if (protocol, step) in studies]
            places = np.array([protocols.index(protocol) for protocol in used])
            places = places + 0.45 * (i - 0.5) + 0.2 * (j - 0.5)
            rows = [
                studies[protocol, step].summary("accuracy").set_index("estimator").loc[net]
                for protocol in used
            ]
            mean, low, high = (
                np.array([row[column] for row in rows]) for column in ("mean", "low", "high")
            )
            style = {"fmt": "o", "color": f"C{i}", "mfc": "white" if j else f"C{i}"}
            label = f"{net}, windows {step}"
            ax.errorbar(places, mean, [mean - low, high - mean], label=label, **style)
            for place, value, top in zip(places, mean, high, strict=True):
                text = f"{value:.3f}".removeprefix("0")
                ax.annotate(text, (place, top), (0, 2), textcoords="offset points", ha="center")
    ax.set_xticks(range(len(protocols)), [labels[protocol] for protocol in protocols])
    ax.set(xlim=(-0.5, len(protocols) - 0.5), ylabel="accuracy (mean, 95 % interval)")
    ax.margins(y=0.12)
    ax.set_title("The same models, scored three ways")
    ax.legend(loc="lower right", fontsize="small")
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
    print(tabulate(study, ["accuracy", "macro_f1", "auroc"]).to_string())
    print("\nmacro-F1, paired by subject; p_holm is corrected for the comparisons of a model")
    columns = ["estimator", "other", "difference", "low", "high", "p_value", "p_holm"]
    others = ["S supervised", "clock", "hand-crafted + channel statistics"]
    for model in ("F frozen", "T fine-tuned"):
        rows = study.compare(model, others)
        print(rows[columns].to_string(index=False, float_format="{:.3f}".format))
    if any("added_to" in record for record in study.records):
        columns = ["over", "features", "with_embedding", "difference", "low", "high"]
        added = study.added_value(PROBE, over=None)
        print("\nadded by the frozen embedding to features, macro-F1")
        print(added[columns].to_string(index=False, float_format="{:.3f}".format))
        print("\nAUROC of windows at the same time of the recording")
        print(study.position_matched().to_string(index=False, float_format="{:.3f}".format))
    print(flush=True)


if __name__ == "__main__":
    main()
