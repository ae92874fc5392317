"""Masked prediction on open ECG, and what its embedding is good for.

    python examples/study_ecg.py --cinc2017 training2017.zip --eegmat eegmat

An ``ECGTransformer`` is pre-trained by masked prediction (Vazquez-Rodriguez et al., 2022), and a
``ConvEncoder`` by seven-task recognition (Sarkar & Etemad, 2022), on handheld ECG without labels
(CinC 2017; a fifth of the recordings is held out). The study asks three questions:

1. How well are masked samples of the held-out recordings predicted?
2. Rest or mental arithmetic (EEGMAT, other people, another device)? Linear probes of the frozen
   embeddings, leave-one-subject-out.
3. Atrial fibrillation or normal rhythm, on the held-out recordings? Linear probes and the
   fine-tuned network, with 1, 10 and 100 % of the labels.

Both comparisons have the baselines: the heart rhythm (rate, variability and irregularity), the
time since the recording began, statistics of the samples, and the same networks with random
weights. The third also has the network trained from scratch. Both show what an embedding adds to
the heart rhythm.

Windows last 10 s and are standardised one by one. Only the rows "z-scored by person" use more of
a test person, without labels. The script writes encoders and scores to the output folder as it
goes, and continues from there.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import has_fit_parameter

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
from physio_ssl.evaluation import (
    LinearProbe,
    leave_subjects_out,
    make_baselines,
    reconstruct_masked,
)
from physio_ssl.networks import ConvEncoder, ECGTransformer
from physio_ssl.preprocessing import Standardize, ecg_preprocessor
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition
from physio_ssl.quality import drop_poor_ecg

DURATION, RATE = 10, 128  # seconds, Hz
DRAWS = {0.01: 3, 0.1: 3, 1.0: 1}  # number of draws, by the fraction of labelled recordings
NETWORK_DRAWS = 2  # of networks that are trained with labels, which takes minutes
N_SEEDS = 3  # of random weights
RHYTHMS = {"normal": 0, "AF": 1, "other": 2, "noisy": 3}
ARITHMETIC = {"rest": 0, "arithmetic": 1}
OURS, HEART = "ECGTransformer", "heart rhythm"
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
    corpus = cut(load_cinc2017(options.cinc2017), step=5, classes=RHYTHMS)
    rhythms = corpus.select(corpus.y <= 1)
    held_out = hold_out(corpus, options.seed)
    unlabelled = corpus.select(~np.isin(corpus.groups, held_out))
    print(f"Pre-training on {unlabelled}; {len(held_out)} recordings held out", flush=True)

    encoders = {
        name: pretrain(name, settings, unlabelled, options) for name, settings in NETWORKS.items()
    }
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
    parser.add_argument("--n-threads", type=int, default=2, help="threads for training networks")
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


def describe_hearts(windows):
    """Return the features of the heart rhythm of each window, as a table."""
    features = HandcraftedFeatures({"ecg": RATE}, statistics=False)
    return features.set_output(transform="pandas").fit_transform(windows.X)


def compare_on_arithmetic(encoders, options):
    """Compare on rest or mental arithmetic."""
    windows = choose_complete(cut(load_eegmat(options.eegmat), step=DURATION, classes=ARITHMETIC))
    print(f"\nrest vs mental arithmetic: {windows}", flush=True)
    models = {
        name: make_pipeline(FrozenEstimator(encoder), LinearProbe())
        for name, encoder in encoders.items()
    }
    study, tables = score_arithmetic(models, windows, options)
    study.save(options.output / "eegmat.json")
    for metric in ("balanced_accuracy", "auroc"):
        print(study.summary(metric).to_string())
        print(study.compare(OURS, list(study.baselines), metric=metric).to_string())
        print(study.added_value(over=tables, metric=metric).to_string())
    # windows of rest and arithmetic at the same time since their recordings began
    print(study.position_matched().to_string(), flush=True)


def choose_complete(windows):
    """Return the windows of people with a heartbeat in both files of EEGMAT."""
    n_classes = windows.info.groupby("subject")["label"].transform("nunique")
    windows = windows.select(n_classes == 2)
    return replace(windows, info=windows.info.assign(subject="eegmat/" + windows.groups))


def score_arithmetic(models, windows, options):
    """Score models and baselines, and return the study and the names of the heart's tables."""
    baselines = make_baselines(windows, models=models, n_seeds=N_SEEDS)
    forest, _ = baselines["hand-crafted, forest"]
    hearts = describe_hearts(windows)
    by_person = hearts.groupby(windows.groups)
    scaled = (hearts - by_person.transform("mean")) / by_person.transform("std")
    tables = {
        "heart rate alone": hearts[["ecg_heart_rate"]],
        HEART: hearts,
        f"{HEART}, z-scored by person": scaled,
    }
    for name, features in tables.items():
        X = features.to_numpy()
        baselines |= {name: (LinearProbe(), X), f"{name}, forest": (forest, X)}
    study = leave_subjects_out(
        models,
        windows,
        baselines=baselines,
        transductive="rows 'z-scored by person' are scaled over each test person's windows",
        random_state=options.seed,
        folder=options.output / "folds",
    )
    return study, list(tables)


def compare_on_rhythms(encoders, windows, held_out, options):
    """Compare by the AUROC of atrial fibrillation, by window, on held-out recordings."""
    is_test = np.isin(windows.groups, held_out)
    test, train = windows.select(is_test), windows.select(~is_test)
    print(f"\nAF vs normal: train on {train}, test on {test}", flush=True)
    probes, networks = (
        make_probes(encoders, windows, options),
        make_networks(encoders, windows, options),
    )
    scores = {}
    for models in (probes, networks):  # the networks last, as they take hours
        for fraction, n_draws in DRAWS.items():
            n_draws = min(n_draws, NETWORK_DRAWS) if models is networks else n_draws
            for name, seeds in models.items():
                # with all labels, draws are the same and only the seeds differ
                for draw in range(len(seeds) if fraction == 1 else n_draws):
                    path = options.output / f"{name}, {fraction:.0%}, draw {draw}.json"
                    if not path.exists():
                        rng = np.random.default_rng([options.seed, draw])
                        rows = np.flatnonzero(~is_test)[draw_recordings(train, fraction, rng)]
                        model, make_input = seeds[draw % len(seeds)]
                        if models is networks:
                            model.set_params(random_state=options.seed + draw)
                        score = fit_and_score(model, make_input(), windows, rows, is_test)
                        path.write_text(json.dumps(score.tolist()))
                    scores.setdefault((fraction, name), []).append(json.loads(path.read_text()))
        table = summarise(scores, test)
        table.to_csv(options.output / "rhythms.csv")
        print(table.round(3).to_string(), flush=True)


def make_probes(encoders, windows, options):
    """Return lists of pairs, one per seed: a classifier, and a function that gives its input."""
    hearts = describe_hearts(windows)
    baselines = make_baselines(windows, random_state=options.seed)
    tables = {name: model for name, model in baselines.items() if isinstance(model, tuple)}
    forest, _ = tables["hand-crafted, forest"]
    tables |= {HEART: (LinearProbe(), hearts), f"{HEART}, forest": (forest, hearts)}
    tables["irregularity alone, no labels"] = None, hearts["ecg_irregularity"]
    probes = {name: [(model, partial(np.asarray, X))] for name, (model, X) in tables.items()}

    @cache  # each network embeds each window once
    def embed(name, seed=None):
        encoder = encoders[name] if seed is None else encoders[name].untrained(seed)
        return encoder.transform(windows.X)

    def join(name):
        return np.hstack([hearts, embed(name)])

    for name, encoder in encoders.items():
        widths = hearts.shape[1], len(encoder.get_feature_names_out())
        probes |= {
            f"{name}, untrained": [
                (LinearProbe(), partial(embed, name, seed)) for seed in range(N_SEEDS)
            ],
            name: [(LinearProbe(), partial(embed, name))],
            f"{HEART} + {name}": [(LinearProbe(widths), partial(join, name))],
        }
    return probes


def make_networks(encoders, windows, options):
    """Return the networks that are trained with labels, in the form of ``make_probes``."""
    networks = {}
    for name, mode in ((SCRATCH, "supervised"), (TUNED, "fine_tuned")):
        network = SSLClassifier(
            FrozenEstimator(encoders[OURS]),
            mode=mode,
            class_weight="balanced",
            max_epochs=5,
            min_steps=400,
            callbacks__lr_schedule__warmup=0.1,
            precision=options.precision,
            n_threads=options.n_threads,
        )
        networks[name] = [(network, lambda: windows.X)]
    return networks


def fit_and_score(model, X, windows, rows, is_test):
    """Return the scores of the test windows, after training on some rows; None has learned."""
    if model is None:
        return X[is_test]
    # so that C is chosen on recordings that were held out
    groups = {"groups": windows.groups[rows]} if has_fit_parameter(model, "groups") else {}
    return model.fit(X[rows], windows.y[rows], **groups).predict_proba(X[is_test])[:, 1]


def draw_recordings(windows, fraction, rng):
    """Draw a fraction of each class's recordings, and return the rows of their windows."""
    kept = []
    for label in np.unique(windows.y):
        recordings = np.unique(windows.groups[windows.y == label])
        n_kept = max(1, round(fraction * len(recordings)))
        kept.extend(rng.choice(recordings, n_kept, replace=False))
    return np.flatnonzero(np.isin(windows.groups, kept))


def summarise(scores, test, n_resamples=2000, scratch=SCRATCH):
    """Return the mean AUROC over draws, and the gain on heart rhythm and training from scratch.

    The 95 % intervals are over test recordings, resampled within each class, and over draws.
    All models are scored on the same resamples, and gains are those in the same draws. One
    score, of a model without draws, counts for all of them.
    """
    rng = np.random.default_rng(0)
    names, first, member = np.unique(test.groups, return_index=True, return_inverse=True)
    weights = np.ones((1 + n_resamples, len(names)))  # first all recordings, once each
    for label in (0, 1):
        some = np.flatnonzero(test.y[first] == label)
        weights[1:, some] = rng.multinomial(
            len(some), np.full(len(some), 1 / len(some)), n_resamples
        )
    luck = rng.random(n_resamples)
    aurocs = {
        key: np.array([resample_auroc(score, test.y, member, weights) for score in several])
        for key, several in scores.items()
    }

    def describe(name, values):
        chosen = values[(luck * len(values)).astype(int), 1 + np.arange(n_resamples)]
        low, high = np.quantile(chosen, [0.025, 0.975])
        return {name: values[:, 0].mean(), f"{name}_low": low, f"{name}_high": high}

    table = []
    for (fraction, name), values in aurocs.items():
        row = {"fraction": fraction, "model": name, **describe("auroc", values)}
        for kind, other in (("over_rhythm", HEART), ("over_scratch", scratch)):
            if (fraction, other) in aurocs and other != name:
                pair = values, aurocs[fraction, other]
                n_draws = [len(some) for some in pair]
                n_draws = max(n_draws) if min(n_draws) == 1 else min(n_draws)
                pair = [np.resize(some, (n_draws, some.shape[1])) for some in pair]
                row |= describe(kind, pair[0] - pair[1])
        table.append(row)
    return pd.DataFrame(table).set_index(["fraction", "model"])


def resample_auroc(score, y, member, weights):
    """Return the AUROC of windows with recordings weighted as in each row of ``weights``."""
    belongs = (member[:, np.newaxis] == np.arange(weights.shape[1])).astype(float)
    positive, negative = belongs[y == 1], belongs[y == 0]
    score = np.asarray(score)
    difference = score[y == 1][:, np.newaxis] - score[y == 0]
    wins = positive.T @ ((np.sign(difference) + 1) / 2) @ negative  # of pairs of recordings
    n_pairs = (weights @ positive.sum(axis=0)) * (weights @ negative.sum(axis=0))
    return ((weights @ wins) * weights).sum(axis=1) / n_pairs


if __name__ == "__main__":
    main()
