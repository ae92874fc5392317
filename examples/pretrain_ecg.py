"""The recipe of the ECG encoder that comes with physio_ssl: from recordings to weights.

    python examples/pretrain_ecg.py --cinc2017 training2017.zip --output ecg-small
    python examples/pretrain_ecg.py --output ecg-small    # write the card again

A residual network learns, without labels, to predict the heart rhythm of a clean window from a
distorted view of it (``FeaturePrediction``). The first command trains with a fixed seed and writes
a checkpoint and ``metrics.csv`` after each epoch. If it is killed, the same command continues from
the checkpoint, to the same weights. In the end it writes ``<output>.safetensors``, for
``load_encoder``, and the model card ``<output>.md``, whose numbers all come from files of the run.
The second command adds the results that ``study_ecg.py`` has written to the same folder.

A fifth of the recordings, the same as in ``study_ecg.py``, is held out for the tests there.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from model_card import check_output, describe_run, join_card, show_interval, tabulate
from sklearn.model_selection import GroupShuffleSplit

from physio_ssl import HandcraftedFeatures, SSLEncoder, fit_resumable, save_encoder
from physio_ssl.datasets import load_cinc2017
from physio_ssl.networks import ResNet1d
from physio_ssl.preprocessing import ecg_preprocessor
from physio_ssl.pretext import FeaturePrediction
from physio_ssl.quality import drop_poor_ecg
from physio_ssl.transforms import (
    CircularShift,
    GaussianNoise,
    Negation,
    RandomApply,
    TimeMask,
)

DURATION, RATE = 10, 128  # seconds, Hz
# Up to 40 Hz, which devices from 100 Hz record; the network standardises each window.
PREPROCESSOR = ecg_preprocessor(DURATION, RATE, band=(0.8, 40.0), standardize=None)
STEP = 5  # seconds between windows
HELD_OUT, SPLIT_SEED = 0.2, 0  # of the recordings, for tests
PRETEXT = FeaturePrediction(
    HandcraftedFeatures({"ecg": RATE}, statistics=False),
    views=[
        RandomApply(GaussianNoise(10.0)),
        CircularShift(),
        RandomApply(TimeMask()),
        RandomApply(Negation(), 0.1),
    ],
)
SETTINGS = {
    "module": ResNet1d,
    "module__standardize_windows": True,
    "pretext": PRETEXT,
    "standardize": False,
    "max_epochs": 60,
    "batch_size": 128,
    "lr": 2e-3,
    "optimizer": torch.optim.AdamW,
    "optimizer__fused": True,
    "callbacks__lr_schedule__warmup": 0.1,
    "callbacks__lr_schedule__decay": "cosine",
}
CORPUS = {
    "corpus": "CinC 2017",
    "licence": "ODC-By 1.0",
    "citation": "G. D. Clifford et al., AF classification from a short single lead ECG recording: "
    "the PhysioNet/Computing in Cardiology Challenge 2017, Computing in Cardiology 44, 2017",
}


def main():
    options = parse_options()
    if options.cinc2017 is not None:
        check_output(options.output, get_settings(options))
        if not (options.output / "training.json").exists():
            train(options)
    print(f"Wrote {write_card(options.output)}")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cinc2017",
        type=Path,
        help="training2017.zip. Without it, only the card of a finished training is written again",
    )
    parser.add_argument("--output", type=Path, default=Path("ecg-small"))
    parser.add_argument("--device", default="cpu", help="or cuda")
    parser.add_argument(
        "--precision", default="float32", help="or bfloat16, on processors that have it"
    )
    parser.add_argument("--n-threads", type=int, default=1, help="on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def get_settings(options):
    """Return all on which the weights depend, as text."""
    return {
        "preprocessor": repr(PREPROCESSOR.get_params()),
        "settings": repr(SETTINGS),
        "step": STEP,
        "held_out": [HELD_OUT, SPLIT_SEED],
        "seed": options.seed,
        "device": options.device,
        "precision": options.precision,
        "n_threads": options.n_threads,
    }


def cut(recordings, step=STEP, labels=None):
    """Return the windows that hold a readable heartbeat."""
    return drop_poor_ecg(PREPROCESSOR.make_windows(recordings, step, labels=labels), recordings)


def hold_out(groups, seed=SPLIT_SEED):
    """Return a fifth of the recordings."""
    recordings = np.unique(groups)
    split = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    _, rows = next(split.split(recordings, groups=recordings))
    return recordings[rows]


def train(options):
    """Train the encoder, or resume its training, and write its file and the facts about it."""
    recordings = load_cinc2017(options.cinc2017)
    windows = cut(recordings)
    held_out = hold_out(windows.groups)
    training = windows.select(~np.isin(windows.groups, held_out))
    print(f"Pre-training on {training}; {len(held_out)} recordings held out", flush=True)
    encoder = SSLEncoder(
        **SETTINGS,
        preprocessor=PREPROCESSOR,
        random_state=options.seed,
        device=options.device,
        precision=options.precision,
        n_threads=options.n_threads,
        verbose=1,
    )
    groups = [f"cinc2017/{subject}" for subject in training.groups]
    fit_resumable(encoder, training.X, options.output, groups=groups)
    path = options.output / f"{options.output.resolve().name}.safetensors"
    save_encoder(encoder.set_params(n_threads=1, verbose=0), path)
    facts = {
        "corpus": CORPUS,
        "hours": sum(recording.duration for recording in recordings) / 3600,
        "n_windows": len(training),
        "n_recordings": len(set(groups)),
        "n_held_out": len(held_out),
        "step": STEP,
        **describe_run(encoder, SETTINGS, path, options),
    }
    (options.output / "training.json").write_text(json.dumps(facts, indent=1))


def write_card(folder):
    """Write the model card from the files of a finished training, and return its path."""
    parts = describe_use, describe_data, describe_results, LIMITS
    return join_card(folder, "--cinc2017", *parts)


def describe_use(name):
    return f"""
# {name}

An encoder of one lead of the ECG for physio_ssl. It turns each window of 10 s into 256 numbers, on
which you can train a small classifier with few labels. It was trained without labels, to predict
the heart rhythm of the clean window from a distorted one, by `examples/pretrain_ecg.py`.

```python
from physio_ssl import load_encoder

encoder = load_encoder("{name}")  # or the path of {name}.safetensors
windows = encoder.preprocessor_.make_windows(recordings, step=10)  # physio_ssl.Recording objects
embedding = encoder.transform(windows.X)  # one row per window
```

In cross-validation, use `sklearn.frozen.FrozenEstimator(encoder)`: it keeps the weights fixed. The
recordings may have any rate from 100 Hz and any unit. `physio_ssl.quality.drop_poor_ecg` drops
windows without a readable heartbeat."""


def describe_data(facts):
    corpus = facts["corpus"]
    row = (corpus["corpus"], f"{facts['hours']:.1f}", corpus["licence"], corpus["citation"])
    return f"""
## Data

{tabulate([row], "corpus", "hours", "licence", "citation")}

Recordings of a handheld device, used without labels. The encoder was trained on
{facts["n_windows"]} windows of {facts["n_recordings"]} recordings.
{facts["n_held_out"]} other recordings were held out for the tests below. The corpus does not
name people: one person may have several recordings."""


def describe_results(folder, digest):
    path = folder / "results.json"
    if not path.exists():
        return "## Results\n\nNot evaluated yet (`examples/study_ecg.py`)."
    results = json.loads(path.read_text())
    if results["sha256"] != digest:
        raise SystemExit(f"{path} holds results of other weights: evaluate these, or remove it")
    tables = [
        f"{table['caption']}\n\n"
        + tabulate(
            [(name, *map(show_interval, row)) for name, row in table["rows"].items()],
            *table["columns"],
        )
        for table in results["tables"]
    ]
    protocol = f"{results['protocol']} Evaluated on {results['date']}."
    return "\n\n".join(["## Results", *tables, protocol])


LIMITS = """
## Limits

- The encoder has seen one handheld device, and people of whom nothing is known. Test it on your
  device, lead and people before you build anything on it.
- It was trained on features of the heart rhythm. What the shape of the ECG tells (ischaemia,
  conduction, electrolytes) was no target; nobody has tested how much of it the embedding keeps.
- Windows without a readable heartbeat were dropped, in training and in the tests.
- The network, the views and the number of epochs of this recipe were chosen while looking at the
  scores on these held-out recordings. So the scores are a little too kind.

## What it must not be used for

- Diagnosis, treatment or monitoring of patients: it is no medical device.
- Decisions about people, such as hiring, insurance, pay, supervision at work or school.
- Monitoring people who have not consented."""


if __name__ == "__main__":
    main()
