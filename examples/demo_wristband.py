"""The main job, end to end: pre-train on unlabelled recordings, then test on unseen people.

    python examples/demo_wristband.py                                  # simulated cohort
    python examples/demo_wristband.py --data WESAD --corpus NurseStress

The demo compares the pre-trained encoder, leave-one-subject-out, with the baselines that every
study of this library runs: the majority class, a clock, hand-crafted features, statistics of the
encoder's own channels, and the untrained encoder with several seeds.
The encoder is pre-trained on people who are not in the test. With ``--corpus``, and on the
simulated cohort, this happens once, on other recordings; with ``--data`` alone it happens in each
fold, on the training subjects. Every signal is standardised over its whole recording, which uses a
test subject's data without labels.

The demo writes ``results.json``, the scores of every subject as ``study_....json``, and figures.
"""

import argparse
import json
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import SSLEncoder, StageLabels
from physio_ssl.datasets import load_empatica_corpus, load_wesad, simulate_wristband
from physio_ssl.evaluation import LinearProbe, leave_subjects_out
from physio_ssl.plotting import PretrainingCurveDisplay, SubjectScoresDisplay
from physio_ssl.preprocessing import wristband_preprocessor
from physio_ssl.transforms import (
    CropResize,
    GaussianNoise,
    MagnitudeWarp,
    Permutation,
    TimeWarp,
)

DURATION = 60  # seconds
PREPROCESSOR = wristband_preprocessor(duration=DURATION)
METRICS = ["accuracy", "balanced_accuracy", "macro_f1", "auroc"]


def main():
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    recordings, corpus, tasks = load(options)
    print(f"{len(recordings)} recordings to test on, {read_clock(start)}")

    encoder = SSLEncoder(
        max_epochs=options.epochs,
        pretext__n_views=options.n_views,
        random_state=options.seed,
        verbose=1,
    )
    if corpus is None:
        print("No corpus: the encoder is pre-trained in each fold, on its training subjects.")
    else:
        unlabelled = PREPROCESSOR.make_windows(corpus, options.corpus_step)
        unlabelled = name_subjects(unlabelled, options.corpus or "other")
        print(f"Pre-training on {unlabelled}")
        encoder.fit(unlabelled.X, groups=unlabelled.groups)  # the groups are for the audit
        save_figure(PretrainingCurveDisplay.from_encoder(encoder), options, "pretraining.png")
        print(f"pre-trained, {read_clock(start)}")
        encoder = FrozenEstimator(encoder)

    results = {
        "date": date.today().isoformat(),
        "data": describe(options),
        "seed": options.seed,
        "epochs": options.epochs,
        "n_views": options.n_views,
        "protocol": f"leave one subject out; windows of 60 s every {options.step:g} s; each "
        "signal z-scored over its recording, which uses a test subject's unlabelled data; "
        "logistic regression with its C chosen within the training people",
        "tasks": {},
    }
    for task, classes in tasks.items():
        windows = PREPROCESSOR.make_windows(recordings, options.step, labels=StageLabels(classes))
        windows = name_subjects(windows, options.data or "cohort")
        print(f"\n{task}: {windows}")
        study = leave_subjects_out(
            {"pre-trained encoder": make_pipeline(encoder, LinearProbe())},
            windows,
            recordings=recordings,
            transductive="each signal is z-scored over its recording",
            n_jobs=options.n_jobs,
            random_state=options.seed,
        )
        name = task.replace(" ", "_")
        study.save(options.output / f"study_{name}.json")
        print_tables(study)
        save_figure(SubjectScoresDisplay.from_results(study), options, f"scores_{name}.png")
        results["tasks"][task] = summarise(study)
    plot_views(windows, options.output / "views.png")
    results["seconds"] = round(time.perf_counter() - start, 1)
    (options.output / "results.json").write_text(json.dumps(results, indent=1))
    print(f"\nFigures and results are in {options.output}/ ({read_clock(start)})")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of WESAD")
    parser.add_argument("--corpus", type=Path, help="folder of Empatica E4 sessions")
    parser.add_argument("--output", type=Path, default=Path("demo_results"))
    parser.add_argument("--epochs", type=int, help="epochs over the unlabelled windows")
    parser.add_argument("--n-views", type=int, default=6, help="versions of a window to show")
    parser.add_argument("--step", type=float, default=15, help="seconds between test windows")
    parser.add_argument("--corpus-step", type=float, help="seconds between unlabelled windows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    options = parser.parse_args()
    if options.epochs is None:
        options.epochs = 1 if options.data else 2
    options.corpus_step = options.corpus_step or 15
    return options


def describe(options):
    tested = "simulated cohort" if options.data is None else "WESAD"
    if options.data is not None and options.corpus is None:
        return f"{tested}; pre-trained in each fold, on its labelled subjects' windows"
    corpus = "other simulated people" if options.corpus is None else options.corpus.name
    return f"{tested}; pre-trained on {corpus}, windows every {options.corpus_step:g} s"


def load(options):
    """Return labelled recordings, unlabelled recordings of other people, and the tasks."""
    corpus = None if options.corpus is None else load_empatica_corpus(options.corpus)
    if options.data is not None:
        tasks = {
            "stress vs rest": {"baseline": 0, "amusement": 0, "stress": 1},
            "3 classes": {"baseline": 0, "stress": 1, "amusement": 2},
        }
        return load_wesad(options.data), corpus, tasks
    recordings = simulate_wristband(14, random_state=options.seed)
    if corpus is None:
        corpus = simulate_wristband(60, random_state=options.seed + 1)
    return recordings, corpus, {"stress vs rest": {"rest": 0, "stress": 1}}


def name_subjects(windows, folder):
    """Return windows whose subjects carry the name of their data set, as many have an S2."""
    names = [f"{Path(folder).name}/{subject}" for subject in windows.groups]
    return replace(windows, info=windows.info.assign(subject=names))


def print_tables(study):
    scores = study.to_frame().query("metric == 'macro_f1' and added_to.isna()")
    scores = scores.pivot_table("value", index="subject", columns="estimator")  # mean over seeds
    print("\nmacro-F1 of each held-out subject")
    print(scores.loc[study.subjects, study.estimators].to_string(float_format="{:.3f}".format))
    summary = study.summary(METRICS)
    summary["score"] = [
        f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for _, row in summary.iterrows()
    ]
    table = summary.pivot(index="estimator", columns="metric", values="score")
    print("\nmean over subjects [95 % interval]")
    print(table.loc[study.estimators, METRICS].to_string())
    print("\nwhat the embedding adds to features, macro-F1, paired by subject")
    columns = ["over", "features", "with_embedding", "difference", "low", "high"]
    added = study.added_value(over=None)[columns]
    print(added.to_string(index=False, float_format="{:.3f}".format))


def summarise(study):
    """Return {estimator: {metric: [mean, low, high]}}."""
    summary = {name: {} for name in study.estimators}
    for _, row in study.summary(METRICS).iterrows():
        summary[row["estimator"]][row["metric"]] = [row["mean"], row["low"], row["high"]]
    return summary


def save_figure(display, options, name):
    display.figure_.savefig(options.output / name, dpi=110, bbox_inches="tight")
    plt.close(display.figure_)


def read_clock(start):
    return f"{time.perf_counter() - start:.0f} s"


def plot_views(windows, path):
    """Draw a window of each modality, before and after each of the five transforms."""
    transforms = [GaussianNoise(), Permutation(), TimeWarp(), CropResize(), MagnitudeWarp()]
    names = list(windows.X)
    middle = len(windows) // 2
    figure, axes = plt.subplots(
        6,
        len(names),
        figsize=(4 * len(names), 8),
        sharex=True,
        sharey="col",
        squeeze=False,
        layout="constrained",
    )
    for column, name in zip(axes.T, names, strict=True):
        window = windows.X[name][middle : middle + 1]
        times = np.arange(window.shape[-1]) / windows.sampling_rate[name]
        column[0].plot(times, window[0, 0], linewidth=1)
        for ax, transform in zip(column[1:], transforms, strict=True):
            view = transform.set_params(random_state=0).transform(window)
            ax.plot(times, window[0, 0], color="0.8", linewidth=1)
            ax.plot(times, view[0, 0], color="C0", linewidth=1)
        column[0].set_title(f"{name} (z-score)")
        column[-1].set_xlabel("time (s)")
    for ax, transform in zip(axes[:, 0], [None, *transforms], strict=True):
        ax.set_ylabel("original" if transform is None else type(transform).__name__)
    figure.suptitle("One window and its five views (grey: the original)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
