"""The main job, end to end: pre-train on unlabelled recordings, then test on unseen people.

    python examples/demo_wristband.py                                  # simulated cohort
    python examples/demo_wristband.py --data WESAD --corpus NurseStress

Four models are compared leave-one-subject-out: the majority class, hand-crafted features, an
untrained encoder and a pre-trained one, the last three with the same logistic regression.
The encoder is pre-trained on people who are not in the test: with ``--corpus`` (and on the
simulation) once, on another set of recordings; with ``--data`` alone in each fold, on the
training subjects. Every signal is standardised over its whole recording, so a test subject's
unlabelled data is used; labels never are.

Writes ``results.json`` and three figures.
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from physio_ssl import HandcraftedFeatures, SSLEncoder, make_windows
from physio_ssl.datasets import load_empatica_corpus, load_wesad, simulate_wristband
from physio_ssl.preprocessing import Standardize, prepare_wristband
from physio_ssl.transforms import (
    CropResize,
    GaussianNoise,
    MagnitudeWarp,
    Permutation,
    TimeWarp,
)

DURATION = 60  # seconds
MODELS = (
    "majority class",
    "hand-crafted features",
    "untrained encoder",
    "pre-trained encoder",
)
METRICS = {
    "accuracy": accuracy_score,
    "balanced accuracy": balanced_accuracy_score,
    "macro-F1": lambda y, p: f1_score(y, p, average="macro", labels=np.unique(y)),
}


def main():
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    recordings, corpus, tasks = load(options)
    print(f"{len(recordings)} recordings to test on, {read_clock(start)}")

    encoder = SSLEncoder(
        max_epochs=options.epochs,
        random_state=options.seed,
        n_threads=1 if corpus is None else 2,  # folds run side by side
        verbose=1,
    )
    if corpus is None:
        print("No corpus: the encoder is pre-trained in each fold, on its training subjects.")
    else:
        unlabelled = make_windows(prepare_wristband(corpus), DURATION, options.corpus_step)
        print(f"Pre-training on {unlabelled}")
        encoder.fit(unlabelled.X)
        plot_curve(encoder, options.output / "pretraining.png")
        print(f"pre-trained, {read_clock(start)}")

    results = {
        "date": date.today().isoformat(),
        "data": describe(options),
        "seed": options.seed,
        "epochs": options.epochs,
        "protocol": f"leave one subject out; windows of 60 s every {options.step:g} s; each "
        "signal z-scored over its recording, which uses a test subject's unlabelled data; "
        "logistic regression with C=0.1",
        "tasks": {},
    }
    prepared = prepare_wristband(recordings)
    for task, label in tasks.items():
        windows = make_windows(prepared, DURATION, options.step, label=label)
        print(f"\n{task}: {windows}")
        pretrained = encoder if corpus is None else FrozenEstimator(encoder)
        predictions = predict_all(recordings, windows, label, pretrained, options)
        scores = score_by_subject(windows, predictions)
        summary = summarise(scores)
        print_table(scores, summary)
        plot_scores(scores, task, options.output / f"scores_{task.replace(' ', '_')}.png")
        results["tasks"][task] = {"summary": summary, "subjects": scores}
    plot_views(windows, options.output / "views.png")
    results["seconds"] = round(time.perf_counter() - start, 1)
    (options.output / "results.json").write_text(json.dumps(results, indent=1))
    print(f"\nFigures and results.json are in {options.output}/ ({read_clock(start)})")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of WESAD")
    parser.add_argument("--corpus", type=Path, help="folder of Empatica E4 sessions")
    parser.add_argument("--output", type=Path, default=Path("demo_results"))
    parser.add_argument("--epochs", type=int, help="passes over the unlabelled windows")
    parser.add_argument("--step", type=float, help="seconds between test windows")
    parser.add_argument("--corpus-step", type=float, help="seconds between unlabelled windows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    options = parser.parse_args()
    if options.epochs is None:
        options.epochs = 1 if options.data else 2
    options.corpus_step = options.corpus_step or 15
    options.step = options.step or (5 if options.data else 15)
    return options


def describe(options):
    tested = "simulated cohort" if options.data is None else "WESAD"
    if options.data is not None and options.corpus is None:
        return f"{tested}; pre-trained in each fold, on its labelled subjects' windows"
    corpus = "other simulated people" if options.corpus is None else options.corpus.name
    return f"{tested}; pre-trained on {corpus}, windows every {options.corpus_step:g} s"


def load(options):
    """Return labelled recordings, unlabelled ones of other people, and the tasks."""
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


def predict_all(recordings, windows, label, pretrained, options):
    """Return the predictions of each model for each window, by leave-one-subject-out."""
    native = [
        recording.apply({name: Standardize() for name in recording.signals})
        for recording in recordings
    ]
    native = make_windows(native, DURATION, options.step, label=label)
    assert np.array_equal(native.onset, windows.onset), "models must see the same windows"
    features = HandcraftedFeatures(native.sampling_rate)
    untrained = SSLEncoder(max_epochs=0, random_state=options.seed)
    models = dict(
        zip(
            MODELS,
            [
                (make_pipeline(FunctionTransformer(count), DummyClassifier()), windows.X),
                (classify(SimpleImputer()), features.fit_transform(native.X)),
                (classify(untrained), windows.X),
                (classify(pretrained), windows.X),
            ],
            strict=True,
        )
    )
    predictions = {}
    for name, (model, X) in models.items():
        if isinstance(model[0], FrozenEstimator):
            # What is frozen embeds a window alike in every fold: once is enough.
            X, model = model[0].transform(X), model[1:]
        predictions[name] = cross_val_predict(
            model,
            X,
            windows.y,
            groups=windows.groups,
            cv=LeaveOneGroupOut(),
            n_jobs=options.n_jobs,
        )
    return predictions


def classify(features):
    # C below its default of 1: windows overlap, so they are fewer than they seem.
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    return make_pipeline(features, StandardScaler(), classifier)


def count(X):
    return np.zeros((len(X), 1))


def score_by_subject(windows, predictions):
    """Return {subject: {model: {metric: score}}}."""
    scores = {}
    for subject in dict.fromkeys(windows.groups.tolist()):
        mine = windows.groups == subject
        scores[subject] = {
            model: {
                metric: float(function(windows.y[mine], predicted[mine]))
                for metric, function in METRICS.items()
            }
            for model, predicted in predictions.items()
        }
    return scores


def summarise(scores, n_draws=5000):
    """Return the mean over subjects and its 95 % interval, from resampled subjects."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(scores), size=(n_draws, len(scores)))
    summary = {}
    for model in MODELS:
        summary[model] = {}
        for metric in METRICS:
            values = np.array([row[model][metric] for row in scores.values()])
            low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
            summary[model][metric] = [float(values.mean()), float(low), float(high)]
    return summary


def print_table(scores, summary):
    print(f"\n{'macro-F1':>10}" + "".join(f"{model:>23}" for model in MODELS))
    for subject, row in scores.items():
        print(f"{subject:>10}" + "".join(f"{row[m]['macro-F1']:23.3f}" for m in MODELS))
    print(f"\n{'mean over subjects [95 % interval]':>23}")
    print(f"{'':>23}" + "".join(f"{metric:>23}" for metric in METRICS))
    for model in MODELS:
        cells = (
            f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in summary[model].values()
        )
        print(f"{model:>23}" + "".join(f"{cell:>23}" for cell in cells))


def read_clock(start):
    return f"{time.perf_counter() - start:.0f} s"


def plot_views(windows, path):
    """Draw a window of each modality as it is and after each of the five transforms."""
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
    figure.suptitle("One window and its five views (grey: as it was)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_curve(encoder, path):
    """Draw the pretext task's loss and accuracy, as running means over batches."""
    batches = [batch for epoch in encoder.history_ for batch in epoch["batches"]]
    n_windows = np.cumsum([batch["train_batch_size"] for batch in batches])
    width = max(1, len(batches) // 20)

    def smooth(name):
        values = np.convolve([batch[name] for batch in batches], np.ones(width) / width, "valid")
        return n_windows[width - 1 :], values

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    left.plot(*smooth("train_loss"), color="0.3")
    left.set(xlabel="windows seen", ylabel="loss (sum over modalities)")
    for name in encoder.n_channels_:
        right.plot(*smooth(f"train_accuracy_{name}"), label=name)
    right.axhline(1 / 6, color="0.6", linestyle=":", label="chance")
    right.set(xlabel="windows seen", ylabel="accuracy of recognition", ylim=(0, 1))
    right.legend()
    figure.suptitle("Pre-training: which transform was applied?")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_scores(scores, task, path):
    """Draw each subject's score under each model, joined by a line, and the means."""
    values = np.array([[row[m]["macro-F1"] for m in MODELS] for row in scores.values()])
    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    places = np.arange(len(MODELS))
    ax.plot(places, values.T, "o-", color="0.7", linewidth=0.7, markersize=4)
    ax.plot(
        places,
        values.mean(axis=0),
        "D",
        color="C3",
        markersize=8,
        label="mean over subjects",
    )
    ax.set_xticks(places, [name.replace(" ", "\n", 1) for name in MODELS])
    ax.set(ylabel="macro-F1 of a held-out subject", ylim=(0, 1.02), title=task)
    ax.legend(loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
