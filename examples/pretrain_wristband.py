"""The recipe of the wristband encoder that comes with physio_ssl: from recordings to weights.

    python examples/pretrain_wristband.py --corpus NurseStress --output wristband-small
    python examples/pretrain_wristband.py --output wristband-small    # write the card again

A residual network learns, without labels, to predict statistics of a clean window, and of each of
its four minutes, from a distorted view (``FeaturePrediction``). A window is a minute with 90
seconds before and after it. The first command trains on Empatica E4 recordings, with a fixed seed.
After each epoch it writes a checkpoint and ``metrics.csv``. If it is killed, the same command
continues from the checkpoint, to the same weights. In the end it writes ``<output>.safetensors``,
for ``load_encoder``, and the model card ``<output>.md``, whose numbers all come from files of the
run.
The second command adds the results that ``evaluate_wristband.py`` has written to the same folder.

WESAD is refused as a corpus, because it is the test of how the encoder transfers. Some people are
held out to watch the loss on unseen people; nothing is chosen by it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from model_card import check_output, describe_run, join_card, show_interval, tabulate
from sklearn.model_selection import GroupShuffleSplit
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from physio_ssl import (
    ChannelStatistics,
    SSLEncoder,
    concatenate_windows,
    fit_resumable,
    save_encoder,
)
from physio_ssl.datasets import load_empatica_corpus
from physio_ssl.networks import ResNet1d
from physio_ssl.preprocessing import (
    HeartRateChannels,
    NormalScores,
    Preprocessor,
    Resample,
    SlopeChannels,
    Standardize,
)
from physio_ssl.pretext import FeaturePrediction
from physio_ssl.transforms import GaussianNoise, RandomApply, TimeMask

PREPROCESSOR = Preprocessor(
    {  # append slow derived channels, which tokens of 2 s at 4 Hz would lose
        "bvp": [
            HeartRateChannels(64, gaps="keep"),
            Resample(64, 4, gaps="keep"),
            Standardize(constant="zero", gaps="keep"),
        ],
        "eda": [SlopeChannels(4, smoothing=5, window=10, gaps="keep"), NormalScores(gaps="keep")],
        "temp": [SlopeChannels(4, smoothing=15, gaps="keep"), Standardize(gaps="keep")],
    },
    output_sampling_rate={"bvp": 4, "eda": 4, "temp": 4},
    duration=60,
    context=90,
    input_sampling_rate={"bvp": 64, "eda": 4, "temp": 4},
    lowest_sampling_rate={"bvp": 20, "eda": 1, "temp": 1},  # measured: benchmarks/low_rates.py
)
STEP = 30  # seconds between windows
N_HELD_OUT = 2  # people, for the validation loss
PRETEXT = FeaturePrediction(
    ChannelStatistics(n_parts=4),
    views=[RandomApply(GaussianNoise(10.0)), RandomApply(TimeMask(0.3), 0.7)],
)
SETTINGS = {
    "module": ResNet1d,
    "module__widths": (32, 48, 64),
    "module__modality_dropout": 0.3,
    "module__pooling": ("mean", "std", "slope", "curvature"),
    "pretext": PRETEXT,
    "standardize": False,  # the preprocessor does it
    "max_epochs": 8,
    "batch_size": 128,
    "lr": 2e-3,
    "optimizer": torch.optim.AdamW,
    "optimizer__fused": True,
    "callbacks__lr_schedule__warmup": 0.1,
    "callbacks__lr_schedule__decay": "cosine",
}
# For other folders, give --licence and --citation.
CORPORA = {
    "NurseStress": {
        "licence": "CC0",
        "citation": "S. Hosseini et al., A multimodal sensor dataset for continuous stress "
        "detection of nurses in a hospital, Scientific Data 9, 2022",
    },
    "PPG_FieldStudy": {
        "licence": "CC BY 4.0",
        "citation": "A. Reiss, I. Indlekofer, P. Schmidt, K. Van Laerhoven, Deep PPG: "
        "large-scale heart rate estimation with convolutional neural networks, Sensors 19(14), "
        "2019 (PPG-DaLiA)",
    },
    "exam_stress": {
        "licence": "ODC-By 1.0",
        "citation": "M. R. Amin, D. Wickramasuriya, R. T. Faghih, A wearable exam stress dataset "
        "for predicting cognitive performance in real-world settings, PhysioNet, 2022",
    },
}


def main():
    options = parse_options()
    if options.corpus:
        for folder in options.corpus:
            refuse_wesad(folder)
        sources = name_sources(options)
        check_output(options.output, get_settings(options, sources))
        if not (options.output / "training.json").exists():
            train(options, sources)
    print(f"Wrote {write_card(options.output)}")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        action="append",
        default=[],
        help="folder of Empatica E4 sessions; may be repeated. Without it, only the card of a "
        "finished training is written again",
    )
    parser.add_argument(
        "--licence", action="append", default=[], help="licence of each corpus not known here"
    )
    parser.add_argument(
        "--citation", action="append", default=[], help="citation of each corpus not known here"
    )
    parser.add_argument("--output", type=Path, default=Path("wristband-small"))
    parser.add_argument("--device", default="cpu", help="or cuda")
    parser.add_argument(
        "--precision", default="float32", help="or bfloat16, on processors that have it"
    )
    parser.add_argument("--n-threads", type=int, default=2, help="on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def refuse_wesad(folder):
    """Stop if a corpus is WESAD, is part of it or holds it."""
    inside = [folder, folder.resolve(), *folder.rglob("*")]
    found = [path for path in inside if is_wesad(path.name)]
    found += [path for path in folder.resolve().parents if path.name.lower() == "wesad"]
    if found:
        raise SystemExit(
            f"{folder} is, or holds, WESAD ({found[0]}), which is the test of how the encoder "
            "transfers to people of another study: give corpora without it"
        )


def is_wesad(name):
    return "wesad" in name.lower() or name.lower().endswith("_e4_data.zip")


def name_sources(options):
    """Return licence and citation of each corpus, by the name of its folder."""
    names = [folder.resolve().name for folder in options.corpus]
    unknown = [name for name in names if name not in CORPORA]
    if len(set(names)) < len(names):
        raise SystemExit(f"The corpora must have different names, got {', '.join(names)}")
    if not len(options.licence) == len(options.citation) == len(unknown):
        raise SystemExit(
            "Each unknown corpus needs a --licence and a --citation, in the same order; unknown: "
            f"{', '.join(unknown) or 'none'}; got {len(options.licence)} and "
            f"{len(options.citation)}"
        )
    columns = zip(unknown, options.licence, options.citation, strict=True)
    given = {
        name: {"licence": licence, "citation": citation} for name, licence, citation in columns
    }
    return {name: CORPORA.get(name) or given[name] for name in names}


def get_settings(options, sources):
    """Return all on which the weights depend, as text."""
    return {
        "corpora": sources,
        "preprocessor": repr(PREPROCESSOR.get_params()),
        "settings": repr(SETTINGS),
        "step": STEP,
        "n_held_out": N_HELD_OUT,
        "seed": options.seed,
        "device": options.device,
        "precision": options.precision,
        "n_threads": options.n_threads,
    }


def train(options, sources):
    """Train the encoder, or resume its training, and write its file and the facts about it."""
    corpora = {folder.resolve().name: load_empatica_corpus(folder) for folder in options.corpus}
    windows = concatenate_windows(
        {name: PREPROCESSOR.make_windows(some, STEP) for name, some in corpora.items()}
    )
    held_out = hold_out(windows, options.seed)
    is_held_out = np.isin(windows.groups, held_out)
    training, validation = windows.select(~is_held_out), windows.select(is_held_out)
    print(f"Pre-training on {training}; held out: {', '.join(held_out)}", flush=True)

    encoder = SSLEncoder(
        **SETTINGS,
        preprocessor=PREPROCESSOR,
        random_state=options.seed,
        device=options.device,
        precision=options.precision,
        n_threads=options.n_threads,
        train_split=predefined_split(Dataset(validation.X)),  # only watched
        verbose=1,
    )
    fit_resumable(encoder, training.X, options.output, groups=training.groups)
    path = options.output / f"{options.output.resolve().name}.safetensors"
    save_encoder(encoder.set_params(n_threads=1, verbose=0, train_split=None), path)

    facts = {
        "corpora": {name: {**sources[name], **measure(some)} for name, some in corpora.items()},
        "n_windows": len(training),
        "n_people": len(set(training.groups)),
        "n_validation_windows": len(validation),
        "held_out": held_out.tolist(),
        "step": STEP,
        **describe_run(encoder, SETTINGS, path, options),
    }
    (options.output / "training.json").write_text(json.dumps(facts, indent=1))


def hold_out(windows, seed):
    """Return the people to hold out."""
    people = np.unique(windows.groups)
    if len(people) <= N_HELD_OUT:
        raise SystemExit(f"The corpora must hold more than {N_HELD_OUT} people, got {len(people)}")
    split = GroupShuffleSplit(1, test_size=N_HELD_OUT, random_state=seed)
    _, rows = next(split.split(people, groups=people))
    return people[rows]


def measure(recordings):
    return {
        "hours": sum(recording.duration for recording in recordings) / 3600,
        "sessions": len(recordings),
        "people": len({recording.subject for recording in recordings}),
    }


def write_card(folder):
    """Write the model card from the files of a finished training, and return its path."""
    parts = describe_use, describe_data, describe_results, LIMITS
    return join_card(folder, "a --corpus", *parts)


def describe_use(name):
    return f"""
# {name}

An encoder of wristband signals for physio_ssl. It turns each minute of blood volume pulse, skin
conductance and skin temperature, with the 90 seconds before and after it, into a few numbers, on
which you can train a small classifier with few labels. It was trained without labels, by
`examples/pretrain_wristband.py`, to predict statistics of clean windows from distorted ones.

```python
from physio_ssl import load_encoder

encoder = load_encoder("{name}")  # or the path of {name}.safetensors
windows = encoder.preprocessor_.make_windows(recordings, step=15)  # physio_ssl.Recording objects
embedding = encoder.transform(windows.X)  # one row per window
```

In cross-validation, use `sklearn.frozen.FrozenEstimator(encoder)`: it keeps the weights fixed."""


def describe_data(facts):
    rows = [
        (name, f"{c['hours']:.1f}", c["sessions"], c["people"], c["licence"], c["citation"])
        for name, c in facts["corpora"].items()
    ]
    return f"""
## Data

{tabulate(rows, "corpus", "hours", "sessions", "people", "licence", "citation")}

All are recordings of the Empatica E4, used without labels. The encoder was trained on
{facts["n_windows"]} windows of {facts["n_people"]} people.
{facts["n_validation_windows"]} windows of {len(facts["held_out"])} other people
({", ".join(facts["held_out"])}) were held out for the validation loss; nothing was chosen by it.
The corpora contain no recording of WESAD."""


def describe_results(folder, digest):
    path = folder / "results.json"
    if not path.exists():
        return "## Results\n\nNot evaluated yet (`examples/evaluate_wristband.py`)."
    results = json.loads(path.read_text())
    if results["sha256"] != digest:
        raise SystemExit(f"{path} holds results of other weights: evaluate these, or remove it")
    scores, added = [], []
    for task, found in results["tasks"].items():
        who = f"{task} ({found['n_people']} people, windows every {found['step']:g} s)"
        for model in found["macro_f1"]:
            columns = (found[name].get(model) for name in ("macro_f1", "auroc", "position_matched"))
            scores.append((who, model, *map(show_interval, columns)))
        for over, gain in found["added_value"].items():
            added.append((who, over, show_interval(gain, "+.3f")))
    columns = ("task", "model", "macro-F1", "AUROC", "AUROC at the same time of the recording")
    return f"""
## Results

{tabulate(scores, *columns)}

Means over people, with 95 % intervals. {results["protocol"]} Evaluated on {results["date"]}.

What the embedding adds to cheap features of the same windows, macro-F1, paired by person:

{tabulate(added, "task", "features", "added by the embedding")}"""


LIMITS = """
## Limits

- The encoder has seen one device, worn on the wrist, and the people of the corpora above. Test it
  on your device and place on the body before you build anything on it.
- Poor contact, movement and temperature change these signals more than many states of interest do.
- Some steps standardise over the whole recording, and a window holds the 90 seconds after it.
  Neither can be had while the recording goes on: `encoder.preprocessor_.set_params(scaling="past",
  context=(180, 0))` sees the past only. Train the classifier with it, too.
- A recording of one state is standardised by that state alone, and its strongest moments look like
  another state. docs/results/scaling.rst has the numbers.
- The studies that it is tested on, WESAD and Stress-Predict, induced stress in few people.
- The preprocessor, the pretext task and the sizes of this recipe, and the classifier's `C`, were
  chosen while looking at the scores on these two studies. So the scores are a little too kind.
- If a signal is missing, train the classifier on windows that lack the same signal.

## What it must not be used for

- Diagnosis, treatment or monitoring of patients: it is no medical device.
- Decisions about people, such as hiring, insurance, pay, supervision at work or school.
- Monitoring people who have not consented.
- Other devices or places on the body, without a test."""


if __name__ == "__main__":
    main()
