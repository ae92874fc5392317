"""The second paper on open ECG: masked prediction, and what its embedding is good for.

    python examples/study_ecg.py --cinc2017 training2017.zip --eegmat eegmat

An ``ECGTransformer`` is pre-trained by masked prediction, and a ``ConvEncoder`` by seven-task
recognition, on handheld ECG without labels (CinC 2017). Three questions follow:

1. How well are masked samples of recordings that were held out predicted?
2. Rest or mental arithmetic (EEGMAT, other people, another device)? Logistic regression on the
   frozen embeddings against heart rate and its variability, leave-one-subject-out.
3. Atrial fibrillation or normal rhythm (CinC 2017, recordings that were held out)? A linear
   probe against the same network trained from scratch, with 1, 10 and 100 % of the labels.

Windows are of 10 s, and standardised one by one: nothing else about a test person is used.
What takes long is written to the output folder as it ends, and read from there next time.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import (
    HandcraftedFeatures,
    PerModality,
    SSLClassifier,
    SSLEncoder,
    load_encoder,
    make_windows,
    save_encoder,
)
from physio_ssl.datasets import load_cinc2017, load_eegmat
from physio_ssl.evaluation import leave_subjects_out, reconstruct_masked
from physio_ssl.networks import ConvEncoder, ECGTransformer
from physio_ssl.preprocessing import Standardize, prepare_ecg
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition
from physio_ssl.quality import drop_poor_ecg

DURATION, RATE = 10, 128  # seconds, Hz
SHARES = {0.01: 5, 0.1: 5, 1.0: 1}  # of the labelled recordings: how many draws
TRANSFORMER = {
    "module": ECGTransformer,
    "module__patch_size": 16,
    "module__d_model": 128,
    "module__dim_feedforward": 512,
    "module__embedding": "mean",
    "pretext": MaskedPrediction(probability=0.01, span=64),  # half a second
    "callbacks__linear_decay__warmup": 0.1,
}
CONVOLUTIONS = {"module": ConvEncoder, "pretext": MultiTaskRecognition(views="one")}


def main():
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    corpus = cut(load_cinc2017(options.cinc2017), step=5, label=None)
    rhythms = cut(load_cinc2017(options.cinc2017), step=5, label={"normal": 0, "AF": 1})
    held_out = hold_out(corpus, options.seed)
    unlabelled = corpus.select(~np.isin(corpus.groups, held_out))
    print(f"Pre-training on {unlabelled}; {len(held_out)} recordings held out", flush=True)

    encoders = {
        "pre-trained ECGTransformer": pretrain("transformer", TRANSFORMER, unlabelled, options),
        "pre-trained ConvEncoder": pretrain("convolutions", CONVOLUTIONS, unlabelled, options),
    }
    for name, settings in (("ECGTransformer", TRANSFORMER), ("ConvEncoder", CONVOLUTIONS)):
        untrained = SSLEncoder(**settings, max_epochs=0, random_state=options.seed)
        encoders[f"untrained {name}"] = untrained.fit(unlabelled.X[:64])

    test = corpus.select(np.isin(corpus.groups, held_out))
    print(reconstruct_masked(encoders["pre-trained ECGTransformer"], test.X, options.seed).error)
    compare_on_arithmetic(encoders, options)
    compare_on_rhythms(encoders, rhythms, held_out, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cinc2017", type=Path, required=True, help="training2017.zip")
    parser.add_argument("--eegmat", type=Path, required=True, help="folder of EEGMAT")
    parser.add_argument("--output", type=Path, default=Path("study_ecg_results"))
    parser.add_argument("--epochs", type=int, default=10, help="passes of pre-training")
    parser.add_argument("--precision", default="float32", help="or bfloat16: faster where known")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def cut(recordings, step, label):
    """Return good windows, each standardised by itself."""
    prepared = prepare_ecg(recordings, RATE, standardize=None)
    windows = make_windows(prepared, DURATION, step, label=label)
    windows = drop_poor_ecg(windows, recordings)
    X = PerModality({"ecg": Standardize()}).fit_transform(windows.X)
    return replace(windows, X=X)


def hold_out(corpus, seed):
    """Return a fifth of the recordings."""
    recordings = np.unique(corpus.groups)
    split = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    _, rows = next(split.split(recordings, groups=recordings))
    return recordings[rows]


def pretrain(name, settings, windows, options):
    path = options.output / f"{name}_{options.epochs}_epochs_seed_{options.seed}.safetensors"
    if not path.exists():
        start = time.perf_counter()
        encoder = SSLEncoder(
            **settings,
            max_epochs=options.epochs,
            batch_size=32,
            optimizer__fused=True,
            precision=options.precision,
            random_state=options.seed,
            n_threads=2,
            verbose=1,
        )
        encoder.fit(windows.X, groups=[f"cinc2017/{name}" for name in windows.groups])
        minutes = (time.perf_counter() - start) / 60
        print(f"{name}: {minutes:.1f} min, losses {encoder.history_[:, 'train_loss']}", flush=True)
        encoder.set_params(n_threads=1, verbose=0)
        save_encoder(encoder, path)
    return load_encoder(path)


def linear(*steps):
    return make_pipeline(
        *steps,
        StandardScaler(),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
    )


def compare_on_arithmetic(encoders, options):
    """Rest or mental arithmetic, of people with a heartbeat in both files."""
    label = {"rest": 0, "arithmetic": 1}
    windows = cut(load_eegmat(options.eegmat), step=DURATION, label=label)
    both = [g for g in np.unique(windows.groups) if len(set(windows.y[windows.groups == g])) == 2]
    windows = windows.select(np.isin(windows.groups, both))
    print(f"\nrest vs mental arithmetic: {windows}", flush=True)
    heart = HandcraftedFeatures({"ecg": RATE}, statistics=False)
    models = {
        "majority class": DummyClassifier(),
        "heart rate and variability": linear(heart, SimpleImputer()),
        **{name: linear(FrozenEstimator(encoder)) for name, encoder in encoders.items()},
    }
    study = leave_subjects_out(
        models,
        windows.X,
        windows.y,
        np.array([f"eegmat/{name}" for name in windows.groups]),
        onset=windows.onset,
        duration=windows.duration,
        recording=windows.recording,
        random_state=options.seed,
        n_jobs=2,
    )
    study.save(options.output / "eegmat.json")
    print(study.summary(["balanced_accuracy", "auroc"]).to_string())
    ours, others = "pre-trained ECGTransformer", [*models]
    others = [name for name in others if name not in (ours, "majority class")]
    print(study.compare(ours, others, metric="balanced_accuracy").to_string(), flush=True)


def compare_on_rhythms(encoders, windows, held_out, options):
    """AUROC of atrial fibrillation, by window, on held-out recordings."""
    path = options.output / "rhythms.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    test = windows.select(np.isin(windows.groups, held_out))
    train = windows.select(~np.isin(windows.groups, held_out))
    print(f"\nAF vs normal: train on {train}, test on {test}", flush=True)
    probes = {name: linear(FrozenEstimator(encoder)) for name, encoder in encoders.items()}
    scratch = SSLEncoder(**TRANSFORMER, max_epochs=0)
    probes["from scratch"] = SSLClassifier(
        scratch, "supervised", class_weight="balanced", max_epochs=10, n_threads=2
    )
    for share, n_draws in SHARES.items():
        for draw in range(n_draws):
            some = draw_recordings(train, share, np.random.default_rng([options.seed, draw]))
            for name, probe in probes.items():
                if any((r["model"], r["share"], r["draw"]) == (name, share, draw) for r in rows):
                    continue
                if name == "from scratch":
                    probe.set_params(random_state=options.seed + draw)
                start = time.perf_counter()
                scores = probe.fit(some.X, some.y).predict_proba(test.X)[:, 1]
                seconds = time.perf_counter() - start
                auroc, low, high = bootstrap_auroc(test, scores)
                rows.append(
                    {
                        "model": name,
                        "share": share,
                        "draw": draw,
                        "n_recordings": len(set(some.groups)),
                        "auroc": auroc,
                        "low": low,
                        "high": high,
                        "seconds": round(seconds, 1),
                    }
                )
                path.write_text(json.dumps(rows, indent=1))
    table = pd.DataFrame(rows).groupby(["model", "share"], sort=False)
    print(table[["n_recordings", "auroc", "low", "high", "seconds"]].mean().to_string(), flush=True)


def draw_recordings(windows, share, rng):
    """Return the windows of a share of each class's recordings."""
    kept = []
    for label in np.unique(windows.y):
        recordings = np.unique(windows.groups[windows.y == label])
        n_kept = max(1, round(share * len(recordings)))
        kept.extend(rng.choice(recordings, n_kept, replace=False))
    return windows.select(np.isin(windows.groups, kept))


def bootstrap_auroc(windows, scores, n_resamples=500):
    """Return the AUROC and its 95 % interval over recordings."""
    rng = np.random.default_rng(0)
    names, member = np.unique(windows.groups, return_inverse=True)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    resampled = []
    for _ in range(n_resamples):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(names), size=len(names))])
        resampled.append(roc_auc_score(windows.y[drawn], scores[drawn]))
    return roc_auc_score(windows.y, scores), *np.quantile(resampled, [0.025, 0.975])


if __name__ == "__main__":
    main()
