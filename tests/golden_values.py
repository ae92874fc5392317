"""Numbers that must stay the same from one version to the next: outputs of seeded code.

They are our own, in ``tests/golden/values.json``. Where a number is meant to change, write them
anew, and look at what else has changed:

    python tests/golden_values.py
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from skorch.dataset import ValidSplit

from physio_ssl import SignalDict, SSLClassifier, SSLEncoder, Windows, load_encoder
from physio_ssl import transforms as tf
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, label_efficiency
from physio_ssl.networks import ConvEncoder, ECGTransformer, MultimodalTransformer
from physio_ssl.pretext import (
    MaskedPrediction,
    MultiTaskRecognition,
    StatisticsPrediction,
    TransformRecognition,
)

FILE = Path(__file__).with_name("golden") / "values.json"


def embed_a_simulated_recording():
    encoder = load_encoder("wristband-small")
    recording = simulate_wristband(1, n_blocks=1, stage_duration=75, random_state=0)[0]
    embedding = encoder.transform(encoder.preprocessor_.make_windows(recording, step=60).X)
    return {"wristband-small": embedding[0], "mean": embedding.mean(axis=0)}


def embed_by_networks():
    sizes = {"bvp": 1, "acc": 2}, {"bvp": 120, "acc": 70}
    one = {"ecg": 1}, {"ecg": 64}
    small = {"d_model": 6, "n_filters": (3,), "kernel_sizes": (5, 3), "dim_feedforward": 8}
    networks = {
        "MultimodalTransformer": lambda: MultimodalTransformer(*sizes, d_model=8),
        "with modality_dropout": lambda: MultimodalTransformer(
            *sizes, d_model=8, modality_dropout=0.3
        ),
        "ConvEncoder": lambda: ConvEncoder(*sizes, n_filters=(4, 6), kernel_sizes=(8, 4)),
    }
    for kind in ("cls", "mean", "max", "last"):
        networks[f"ECGTransformer, {kind}"] = lambda kind=kind: ECGTransformer(
            *one, patch_size=4, embedding=kind, **small
        )
    embedded = {}
    for name, make in networks.items():
        torch.manual_seed(0)
        network = make().eval()
        signals = {
            key: torch.randn(1, n, network.n_times[key]) for key, n in network.n_channels.items()
        }
        with torch.no_grad():
            embedded[name] = network(**signals).numpy()
    return embedded


def transform():
    X = 2 * np.random.default_rng(0).standard_normal((3, 1, 17)) + 1
    functions = {
        "gaussian_noise": tf.gaussian_noise,
        "magnitude_warp": tf.magnitude_warp,
        "permutation": lambda X, rng: tf.permutation(X, 4, rng=rng),
        "time_warp": lambda X, rng: tf.time_warp(X, 5, 1.2, rng=rng),
        "cropped time_warp": lambda X, rng: tf.time_warp(X, 5, 1.2, 0.8, rng=rng),
        "crop_resize": tf.crop_resize,
        "scaling": tf.scaling,
        "negation": tf.negation,
        "time_reverse": tf.time_reverse,
    }
    views = {name: f(X, rng=np.random.default_rng(1)) for name, f in functions.items()}
    knots = tf.magnitude_warp(np.ones((1, 1, 9)), 2, rng=np.random.default_rng(1))
    return {**views, "curve of magnitude_warp": knots}


def measure_pretext_losses():
    torch.manual_seed(0)
    network = MultimodalTransformer({"bvp": 1, "acc": 2}, {"bvp": 120, "acc": 70}, d_model=8)
    signals = {"bvp": torch.randn(8, 1, 120), "acc": torch.randn(8, 2, 70)}
    some = [tf.GaussianNoise(), tf.MagnitudeWarp(), tf.Negation()]
    tasks = [
        TransformRecognition(),
        TransformRecognition(some, n_views=2),
        MaskedPrediction(),
        MaskedPrediction(mask_value="noise"),
        StatisticsPrediction(),
        MultiTaskRecognition(some, n_views=2),
    ]
    losses = {}
    for number, task in enumerate(tasks):
        torch.manual_seed(1)
        heads = task.make_heads(network)
        views = task.make_views(signals, np.random.default_rng(2))
        with torch.no_grad():
            loss, metrics = task.loss(network.eval(), heads.eval(), *views)
            torch.manual_seed(3)
            in_training, _ = task.loss(network.train(), heads.train(), *views)
        values = [loss.item(), in_training.item(), *metrics.values()]
        losses[f"{number} {type(task).__name__}"] = np.array(values)
    return losses


def make_windows():
    rng = np.random.default_rng(0)
    y, groups = np.tile(["rest", "stress"], 13), np.repeat(["a", "b", "c"], [9, 9, 8])
    amplitude = np.where(y == "stress", 2.0, 0.7)[:, np.newaxis, np.newaxis]
    X = SignalDict(
        bvp=amplitude * rng.normal(size=(26, 1, 80)), eda=rng.normal(5, 1, size=(26, 1, 40))
    )
    return X, y, groups


def train():
    X, y, groups = make_windows()
    split = ValidSplit(GroupKFold(3))
    settings = {"batch_size": 8, "max_epochs": 2, "random_state": 0}
    encoder = SSLEncoder(module__d_model=8, train_split=split, **settings).fit(X, groups=groups)
    names = ("train_loss", "valid_loss", "train_accuracy_bvp", "valid_accuracy_eda")
    trained = {
        "history of an encoder": np.array(encoder.history_[:, names]),
        "embedding": encoder.transform(X)[:3],
    }
    frozen = FrozenEstimator(encoder)
    kinds = {
        "fine-tuned": {"class_weight": {"rest": 1, "stress": 3}},
        "head first": {"linear_probe_first": True},
        "supervised": {"mode": "supervised", "early_stopping": 5},
    }
    for name, kind in kinds.items():
        tuned = SSLClassifier(frozen, min_steps=0, **settings, **kind).fit(X, y, groups=groups)
        trained[f"loss, {name}"] = np.array(tuned.history_[:, "train_loss"])
        trained[f"probability, {name}"] = tuned.predict_proba(X)[:4]
    return trained


def study():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(2, size=72), rng.permutation(np.repeat(list("abcdef"), 12))
    X = rng.normal(size=(72, 3)) + 0.7 * y[:, np.newaxis]
    windows = Windows(X, pd.DataFrame({"subject": groups, "label": y}))
    models = {
        "probe": LinearProbe(C=(0.01, 1.0), cv=2),
        "searched": LogisticRegression(),
        "guess": DummyClassifier(strategy="stratified"),
    }
    search = {"searched": {"C": [1e-3, 1.0]}}
    settings = {"n_subjects": [2, "all"], "n_repeats": 2, "search": search, "baselines": False}
    results = label_efficiency(models, windows, **settings)
    columns = ["mean", "low", "high", "std", "std_repeats"]
    summary = results.summary(["macro_f1", "auroc", "kappa"], n_resamples=500)
    compared = results.compare("probe", ["searched", "guess"], n_resamples=500)
    columns_compared = ["difference", "low", "high", "p_value", "effect_size", "p_holm"]
    return {
        "accuracies of a study": np.array([record["accuracy"] for record in results.records]),
        "summary of a study": summary[columns].to_numpy(),
        "comparison in a study": compared[columns_compared].to_numpy(),
    }


GOLDEN = [
    embed_a_simulated_recording,
    embed_by_networks,
    transform,
    measure_pretext_losses,
    train,
    study,
]


def main():
    numbers = {
        f"{compute.__name__}: {name}": [float(f"{x:.5g}") for x in np.ravel(values)]
        for compute in GOLDEN
        for name, values in compute().items()
    }
    rows = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in numbers.items()]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
