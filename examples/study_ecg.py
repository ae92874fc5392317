"""Masked prediction on open ECG, and what its embedding is good for.

    python examples/study_ecg.py --cinc2017 training2017.zip --eegmat eegmat

An ``ECGTransformer`` is pre-trained by masked prediction (Vazquez-Rodriguez et al., 2022), and a
``ConvEncoder`` by seven-task recognition (Sarkar & Etemad, 2022), on handheld ECG without labels
(CinC 2017; a fifth of the recordings is held out). The study asks three questions:

1. How well are masked samples of the held-out recordings predicted?
2. Rest or mental arithmetic (EEGMAT, other people, another device)? Logistic regression on the
   frozen embeddings against heart rate and its variability, leave-one-subject-out.
3. Atrial fibrillation or normal rhythm, on the held-out recordings? A linear probe and the
   fine-tuned network against the same network trained from scratch, with 1, 10 and 100 % of
   the labels.

Windows last 10 s and are standardised one by one; nothing else about a test person is used. The
script writes encoders and scores to the output folder as it goes, and continues from there.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import (
    HandcraftedFeatures,
    PerModality,
    SSLClassifier,
    SSLEncoder,
    StageLabels,
    load_encoder,
    save_encoder,
)
from physio_ssl.datasets import load_cinc2017, load_eegmat
from physio_ssl.evaluation import leave_subjects_out, reconstruct_masked
from physio_ssl.networks import ConvEncoder, ECGTransformer
from physio_ssl.preprocessing import Standardize, ecg_preprocessor
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition
from physio_ssl.quality import drop_poor_ecg

DURATION, RATE = 10, 128  # seconds, Hz
DRAWS = {0.01: 2, 0.1: 2, 1.0: 1}  # number of draws, by the fraction of labelled recordings
GRID = {"logisticregression__C": [0.001, 0.01, 0.1, 1.0]}
OURS = "pre-trained ECGTransformer"
SCRATCH, TUNED = "ECGTransformer from scratch", "fine-tuned ECGTransformer"
NETWORKS = {
    "ECGTransformer": {
        "module": ECGTransformer,
        "module__patch_size": 16,
        "module__d_model": 256,
        "module__dim_feedforward": 1024,
        "module__embedding": "mean",
        "pretext": MaskedPrediction(mask_prob=0.01, mask_length=64),  # half a second
        "lr": 1e-3,
        "callbacks__lr_schedule__warmup": 0.1,
        "max_epochs": 30,
    },
    "ConvEncoder": {
        "module": ConvEncoder,
        "pretext": MultiTaskRecognition(n_views=1),
        "max_epochs": 8,
    },
}


def main():
    options = parse_options()
    check_output(options)
    classes = {"normal": 0, "AF": 1, "other": 2, "noisy": 3}
    corpus = cut(load_cinc2017(options.cinc2017), step=5, classes=classes)
    rhythms = corpus.select(corpus.y <= 1)
    held_out = hold_out(corpus, options.seed)
    unlabelled = corpus.select(~np.isin(corpus.groups, held_out))
    print(f"Pre-training on {unlabelled}; {len(held_out)} recordings held out", flush=True)

    encoders = {}
    for name, settings in NETWORKS.items():
        untrained = SSLEncoder(**{**settings, "max_epochs": 0}, random_state=options.seed)
        encoders[f"untrained {name}"] = untrained.fit(unlabelled.X)
        encoders[f"pre-trained {name}"] = pretrain(name, settings, unlabelled, options)

    test = corpus.select(np.isin(corpus.groups, held_out))
    show_errors(encoders[OURS], test, options)
    compare_on_arithmetic(encoders, options)
    compare_on_rhythms(encoders, rhythms, held_out, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cinc2017", type=Path, required=True, help="training2017.zip")
    parser.add_argument("--eegmat", type=Path, required=True, help="folder of EEGMAT")
    parser.add_argument("--output", type=Path, default=Path("study_ecg_results"))
    parser.add_argument(
        "--precision", default="float32", help="or bfloat16, on processors that have it"
    )
    parser.add_argument("--n-threads", type=int, default=2, help="threads for pre-training")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def check_output(options):
    """Make the output folder, or check that its content was made with the same settings."""
    settings = {
        "networks": repr(NETWORKS),
        "precision": options.precision,
        "seed": options.seed,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "settings.json"
    if path.exists() and json.loads(path.read_text()) != settings:
        raise SystemExit(f"{options.output} holds results of other settings: give another --output")
    path.write_text(json.dumps(settings, indent=1))


def cut(recordings, step, classes):
    """Return windows with a readable heartbeat, each standardised by itself."""
    preprocessor = ecg_preprocessor(DURATION, RATE, standardize=None)
    windows = preprocessor.make_windows(recordings, step, labels=StageLabels(classes))
    windows = drop_poor_ecg(windows, recordings)
    return replace(windows, X=PerModality({"ecg": Standardize()}).fit_transform(windows.X))


def hold_out(corpus, seed):
    """Return a fifth of the recordings."""
    recordings = np.unique(corpus.groups)
    split = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    _, rows = next(split.split(recordings, groups=recordings))
    return recordings[rows]


def pretrain(name, settings, windows, options):
    path = options.output / f"{name}.safetensors"
    if not path.exists():
        encoder = SSLEncoder(
            **settings,
            batch_size=32,
            optimizer__fused=True,
            precision=options.precision,
            random_state=options.seed,
            n_threads=options.n_threads,
            verbose=1,
        )
        start = time.perf_counter()
        encoder.fit(windows.X, groups=[f"cinc2017/{subject}" for subject in windows.groups])
        log = {
            "minutes": (time.perf_counter() - start) / 60,
            "losses": encoder.history_[:, "train_loss"],
        }
        path.with_suffix(".json").write_text(json.dumps(log))
        save_encoder(encoder.set_params(n_threads=1, verbose=0), path)
    log = json.loads(path.with_suffix(".json").read_text())
    losses = ", ".join(f"{loss:.3f}" for loss in log["losses"])
    print(f"{name}: {log['minutes']:.1f} min; losses {losses}", flush=True)
    return load_encoder(path)


def show_errors(encoder, windows, options):
    """Print the error on masked samples, with the masks of training and the published masks."""
    for task in (encoder.pretext_, MaskedPrediction()):
        encoder.pretext_.set_params(**task.get_params())
        error = reconstruct_masked(encoder, windows.X, options.seed).error["ecg"]
        print(f"{task}: {', '.join(f'{name} {value:.3f}' for name, value in error.items())}")
    encoder.pretext_.set_params(**encoder.pretext.get_params())


def probe(*steps):
    return make_pipeline(
        *steps, StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000)
    )


def search_probe():
    """Return a probe that searches ``C`` on the labelled recordings, split by recording."""
    return GridSearchCV(probe(), GRID, scoring="roc_auc", cv=StratifiedGroupKFold(3))


def compare_on_arithmetic(encoders, options):
    """Compare on rest or mental arithmetic, for people with a heartbeat in both files."""
    classes = {"rest": 0, "arithmetic": 1}
    windows = cut(load_eegmat(options.eegmat), step=DURATION, classes=classes)
    n_classes = windows.info.groupby("subject")["label"].transform("nunique")
    windows = windows.select(n_classes == 2)
    print(f"\nrest vs mental arithmetic: {windows}", flush=True)
    heart = HandcraftedFeatures({"ecg": RATE}, statistics=False)
    models = {
        "heart rate and variability": probe(heart, SimpleImputer()),
        **{name: probe(FrozenEstimator(encoder)) for name, encoder in encoders.items()},
    }
    study = leave_subjects_out(
        {"majority class": DummyClassifier(), **models},
        replace(windows, info=windows.info.assign(subject="eegmat/" + windows.info["subject"])),
        search=dict.fromkeys(models, GRID),
        scoring="balanced_accuracy",
        random_state=options.seed,
        folder=options.output / "folds",
        n_jobs=2,
    )
    study.save(options.output / "eegmat.json")
    print(study.summary(["balanced_accuracy", "auroc"]).to_string())
    others = [name for name in models if name != OURS]
    print(study.compare(OURS, others, metric="balanced_accuracy").to_string(), flush=True)


def compare_on_rhythms(encoders, windows, held_out, options):
    """Compare by the AUROC of atrial fibrillation, by window, on held-out recordings."""
    is_test = np.isin(windows.groups, held_out)
    test, train = windows.select(is_test), windows.select(~is_test)
    print(f"\nAF vs normal: train on {train}, test on {test}", flush=True)

    @cache  # a frozen encoder embeds each window once
    def inputs(name):
        if name in nets:
            return train.X, test.X
        return encoders[name].transform(train.X), encoders[name].transform(test.X)

    nets = {
        name: SSLClassifier(
            FrozenEstimator(encoders[OURS]),
            mode=mode,
            class_weight="balanced",
            max_epochs=5,
            min_steps=400,
            callbacks__lr_schedule__warmup=0.1,
            precision=options.precision,
            n_threads=2,
        )
        for name, mode in ((SCRATCH, "supervised"), (TUNED, "fine_tuned"))
    }
    scores, seconds = {}, {}
    for fraction, n_draws in DRAWS.items():
        for draw in range(n_draws):
            rows = draw_recordings(train, fraction, np.random.default_rng([options.seed, draw]))
            for name in (*encoders, *nets):
                path = options.output / f"{name}, {fraction:.0%}, draw {draw}.json"
                if not path.exists():
                    X_train, X_test = inputs(name)
                    if name in nets:
                        model = nets[name].set_params(random_state=options.seed + draw)
                    else:
                        model = search_probe()
                    start = time.perf_counter()
                    model.fit(X_train[rows], train.y[rows], groups=train.groups[rows])
                    score = model.predict_proba(X_test)[:, 1]
                    log = {"seconds": time.perf_counter() - start, "scores": score.tolist()}
                    path.write_text(json.dumps(log))
                log = json.loads(path.read_text())
                scores.setdefault((fraction, name), []).append(log["scores"])
                seconds.setdefault((fraction, name), []).append(log["seconds"])
    table = summarise(scores, test)
    table["seconds"] = [np.mean(seconds[key]) for key in table.index]
    table.to_csv(options.output / "rhythms.csv")
    print(table.round(3).to_string(), flush=True)


def draw_recordings(windows, fraction, rng):
    """Draw a fraction of each class's recordings, and return the rows of their windows."""
    kept = []
    for label in np.unique(windows.y):
        recordings = np.unique(windows.groups[windows.y == label])
        n_kept = max(1, round(fraction * len(recordings)))
        kept.extend(rng.choice(recordings, n_kept, replace=False))
    return np.flatnonzero(np.isin(windows.groups, kept))


def summarise(scores, test, n_resamples=1000):
    """Return the mean AUROC over draws, and the gain on training from scratch.

    The 95 % intervals are over test recordings, resampled within each class, and over draws.
    All models are scored on the same resamples.
    """
    rng = np.random.default_rng(0)
    names, member = np.unique(test.groups, return_inverse=True)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    label = np.array([test.y[some[0]] for some in rows])
    scores = {key: np.array(value) for key, value in scores.items()}
    resampled = {key: [] for key in scores}
    for _ in range(n_resamples):
        chosen = [rng.choice(np.flatnonzero(label == c), (label == c).sum()) for c in (0, 1)]
        drawn = np.concatenate([rows[i] for i in np.concatenate(chosen)])
        luck = rng.random()
        for key, values in scores.items():
            values = values[int(luck * len(values))]
            resampled[key].append(roc_auc_score(test.y[drawn], values[drawn]))
    table = []
    for (fraction, name), values in scores.items():
        auroc = np.mean([roc_auc_score(test.y, value) for value in values])
        scratch = np.mean([roc_auc_score(test.y, value) for value in scores[fraction, SCRATCH]])
        gain = np.subtract(resampled[fraction, name], resampled[fraction, SCRATCH])
        low, high = np.quantile(resampled[fraction, name], [0.025, 0.975])
        gain_low, gain_high = np.quantile(gain, [0.025, 0.975])
        table.append([fraction, name, auroc, low, high, auroc - scratch, gain_low, gain_high])
    columns = ["fraction", "model", "auroc", "low", "high", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(table, columns=columns).set_index(["fraction", "model"])


if __name__ == "__main__":
    main()
