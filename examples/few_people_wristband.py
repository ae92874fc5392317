"""What is a pre-trained encoder worth when few people are labelled?

    python examples/few_people_wristband.py wristband-small --wesad WESAD
    python examples/few_people_wristband.py my.safetensors --stress-predict StressPredict

The frozen encoder is compared with the same network untrained, and with baselines that need no
encoder, in three ways, always on people whom no model has seen without saying so:

- the labels of 1, 2, 4, 8 or all other people, leave-one-subject-out;
- the labels of all other people and of some minutes of the new person, the first ones or random;
- with both data sets, the labels of all people of the other data set.

All models end in the same linear classifier. The script writes the scores of every subject, as
``people_....json``, ``calibration_....json`` and ``datasets.json``, and a figure for each of the
first two to the output folder. It writes the result of each fold as it ends; the same command
continues from there.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import StageLabels, load_encoder
from physio_ssl.datasets import load_stress_predict, load_wesad
from physio_ssl.evaluation import (
    LinearProbe,
    label_efficiency,
    leave_datasets_out,
    make_baselines,
)
from physio_ssl.plotting import LabelEfficiencyDisplay

OURS = "pre-trained"
BOTH = "hand-crafted + channel statistics"
STEP = 30  # seconds between windows
N_REPEATS = 3
STRESS_VS_REST = {
    "WESAD": {"baseline": 0, "amusement": 0, "stress": 1},
    "Stress-Predict": {"rest": 0, "stroop": 1, "interview": 1, "hyperventilation": 1},
}
TASKS = {  # classes
    "WESAD": {
        "3 classes": {"baseline": 0, "stress": 1, "amusement": 2},
        "stress vs amusement": {"amusement": 0, "stress": 1},
        "stress vs rest": STRESS_VS_REST["WESAD"],
    },
    "Stress-Predict": {"stress vs rest": STRESS_VS_REST["Stress-Predict"]},
}
CALIBRATED = ("WESAD, 3 classes", "Stress-Predict, stress vs rest")
MINUTES = (0, 1, 2, 5)
TRANSDUCTIVE = "each signal is scaled over its whole recording"


def main():
    options = parse_options()
    encoder = load_encoder(options.encoder)
    if encoder.preprocessor_ is None:
        raise SystemExit(f"{options.encoder} must be saved with its preprocessor")
    options.output.mkdir(parents=True, exist_ok=True)
    data = {
        "WESAD": (load_wesad, options.wesad),
        "Stress-Predict": (load_stress_predict, options.stress_predict),
    }
    recordings = {name: load(path) for name, (load, path) in data.items() if path is not None}
    models = {OURS: make_pipeline(FrozenEstimator(encoder), LinearProbe())}
    settings = {
        "transductive": TRANSDUCTIVE,
        "n_jobs": options.n_jobs,
        "random_state": options.seed,
        "folder": options.output / "folds",
        "verbose": 1,
    }

    def cut(name, classes):
        labels = StageLabels(classes)
        return encoder.preprocessor_.make_windows(recordings[name], STEP, labels=labels)

    tasks = {}
    for name, people in recordings.items():
        for task, classes in TASKS[name].items():
            title, windows = f"{name}, {task}", cut(name, classes)
            print(f"\n{title}: {windows}", flush=True)
            baselines = make_baselines(windows, people, models=models, n_seeds=N_REPEATS)
            # Forests would take most of the time.
            baselines = {key: model for key, model in baselines.items() if "forest" not in key}
            run_people(title, models, windows, {**settings, "baselines": baselines}, options)
            tasks[title] = windows, {key: baselines[key] for key in (BOTH, "clock")}
    if len(recordings) == 2:
        datasets = {name: cut(name, STRESS_VS_REST[name]) for name in recordings}
        results = leave_datasets_out(models, datasets, recordings=recordings, **settings)
        results.save(options.output / "datasets.json")
        print(results, flush=True)
    for title in [title for title in CALIBRATED if title in tasks]:
        windows, baselines = tasks[title]
        run_calibration(title, models, windows, {**settings, "baselines": baselines}, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("encoder", help="file, or name of an encoder of physio_ssl")
    parser.add_argument("--wesad", type=Path, help="folder of WESAD")
    parser.add_argument("--stress-predict", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--output", type=Path, default=Path("few_people"))
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.wesad is None and options.stress_predict is None:
        parser.error("give --wesad, --stress-predict or both")
    return options


def run_people(title, models, windows, settings, options):
    """Score the models with the labels of 1, 2, 4, 8 and all other people."""
    results = label_efficiency(models, windows, n_repeats=N_REPEATS, **settings)
    finish(results, f"people_{title}", LabelEfficiencyDisplay.from_results(results), options)


def run_calibration(title, models, windows, settings, options):
    """Score the models with minutes of the new person, the first ones and random ones."""
    results = label_efficiency(
        models,
        windows,
        calibration=MINUTES,
        calibration_order=("time", "random"),
        **settings,
    )
    display = LabelEfficiencyDisplay.from_results(results, calibration_order="time")
    finish(results, f"calibration_{title}", display, options)


def finish(results, name, display, options):
    """Save and print the results, and save the figure."""
    name = name.replace(", ", "_").replace(" ", "_")
    results.save(options.output / f"{name}.json")
    figure = display.figure_
    figure.savefig(options.output / f"{name}.png", dpi=110, bbox_inches="tight")
    print(results, flush=True)


if __name__ == "__main__":
    main()
