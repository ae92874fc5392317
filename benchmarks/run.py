"""Time this library against plain loops and stock layers, side by side, as ratios.

    python benchmarks/run.py [--rounds 3]

The two sides take turns, so that a slow spell of the machine hits both; the table shows the
median rate of each and the median of the ratios. Windows are 60 s of three modalities at
4 Hz. "Plain" is always the published network with attention dropout and six views; for ECG, 10 s
at 128 Hz, that of Vazquez-Rodriguez et al. (2022). With PHYSIO_SSL_DATA set, reading WESAD is
timed too.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import plain
import torch

from physio_ssl import SignalDict, SSLEncoder, load_encoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.networks import ECGTransformer
from physio_ssl.pretext import MaskedPrediction
from physio_ssl.transforms import (
    CropResize,
    GaussianNoise,
    MagnitudeWarp,
    Permutation,
    TimeWarp,
)

NAMES = ("eda", "bvp", "temp")
PAPER = {
    "module__token_size": 1,
    "module__d_model": 128,
    "optimizer": torch.optim.SGD,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 5e-7,
    "lr": 5e-3,
    "batch_size": 32,
}
RECOMMENDED = {
    "module__patch_size": 16,
    "module__d_model": 128,
    "module__dim_feedforward": 512,
}


def make_windows(n_windows, dtype=np.float32):
    X = np.random.default_rng(0).standard_normal((n_windows, len(NAMES), 240)).astype(dtype)
    return X, SignalDict({name: X[:, i] for i, name in enumerate(NAMES)})


def measure(function, *args, **kwargs):
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def compare(ours, theirs, rounds):
    """Time two functions in turns; each returns (seconds, windows)."""
    rates = []
    for _ in range(rounds):
        rates.append([windows / seconds for seconds, windows in (theirs(), ours())])
    plain_rate, our_rate = (median(column) for column in zip(*rates, strict=True))
    return plain_rate, our_rate, median(ours / theirs for theirs, ours in rates)


def bench_transforms(rounds, batch_size):
    loops, _ = make_windows(128, np.float64)
    _, X = make_windows(4096)
    rng = np.random.default_rng(0)
    transforms = [GaussianNoise(), Permutation(), TimeWarp(), CropResize(), MagnitudeWarp()]

    def run():
        for first in range(0, len(X), batch_size):
            for array in X[first : first + batch_size].values():
                for transform in transforms:
                    transform(array, rng=rng)

    run()
    return compare(
        lambda: (measure(run), len(X)),
        lambda: (measure(plain.transform, loops, rng), len(loops)),
        rounds,
    )


def bench_pretraining(rounds, n_windows, **settings):
    loops, _ = make_windows(32, np.float64)
    _, X = make_windows(n_windows)
    rng = np.random.default_rng(0)
    encoder = SSLEncoder(max_epochs=1, random_state=0, standardize=False, n_threads=2, **settings)
    encoder.fit(X[:64])
    return compare(
        lambda: (measure(encoder.fit, X), n_windows),
        lambda: (measure(plain.pretrain, loops, rng), len(loops)),
        rounds,
    )


def bench_ecg(rounds, n_windows, **settings):
    """Paper B's pre-training on 10 s of ECG at 128 Hz, against its network of stock layers."""
    X = np.random.default_rng(0).standard_normal((n_windows, 1, 1280), dtype=np.float32)
    rng = np.random.default_rng(0)
    encoder = SSLEncoder(
        ECGTransformer,
        MaskedPrediction(),
        max_epochs=1,
        batch_size=32,
        random_state=0,
        standardize=False,
        n_threads=2,
        optimizer__fused=True,
        optimizer__weight_decay=5e-3,
        **settings,
    )
    encoder.fit(X[:32])
    network = plain.ECGNetwork(1280)
    return compare(
        lambda: (measure(encoder.fit, X), n_windows),
        lambda: (measure(plain.pretrain_ecg, X[:32], network, rng, 32), 32),
        rounds,
    )


def bench_embedding(rounds):
    array, X = make_windows(1024)
    network = plain.Network().eval()
    encoder = SSLEncoder(max_epochs=0, random_state=0).fit(X)
    encoder.transform(X)
    return compare(
        lambda: (measure(encoder.transform, X), len(X)),
        lambda: (measure(plain.embed, array[:384], network), 384),
        rounds,
    )


def bench_hour():
    """Return the seconds from one hour of a wristband's signals to embeddings every 15 s."""
    encoder = load_encoder("wristband-small")
    recordings = simulate_wristband(1, n_blocks=2, stage_duration=885, random_state=0)

    def run():
        return encoder.transform(encoder.preprocessor_.make_windows(recordings, step=15).X)

    n_windows = len(run())  # a warm-up, too
    return median(measure(run) for _ in range(3)), n_windows


def bench_import():
    """Return the seconds of importing scikit-learn, and of physio_ssl on top of it."""
    code = (
        "import sys, time; import sklearn.base, sklearn.utils.validation;"
        "start = time.perf_counter(); import physio_ssl; physio_ssl.SignalDict;"
        "print(time.perf_counter() - start, 'torch' in sys.modules, 'neurokit2' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
        for _ in range(5)
    ]
    return median(float(run.stdout.split()[0]) for run in runs), runs[0].stdout.split()[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(2)

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds\n")
    print(f"| {'windows per second':66} | {'plain':>8} | {'ours':>8} | {'ratio':>6} |")
    print("| --- | --- | --- | --- |")
    rows = {
        "five transforms, three modalities, batches of 512": lambda: bench_transforms(rounds, 512),
        "the same, batches of 32": lambda: bench_transforms(rounds, 32),
        "pre-training, paper's network without attention dropout, six views": lambda: (
            bench_pretraining(rounds, 32, **PAPER)
        ),
        "pre-training, default network, six views": lambda: bench_pretraining(rounds, 512),
        "the same, fused Adam, batches of 32": lambda: bench_pretraining(
            rounds, 512, optimizer__fused=True, batch_size=32
        ),
        "pre-training, default network, three views": lambda: bench_pretraining(
            rounds, 1024, pretext__n_views=3
        ),
        "pre-training, default network, one view": lambda: bench_pretraining(
            rounds, 2048, pretext__n_views=1
        ),
        "embedding, default network": lambda: bench_embedding(rounds),
        "ECG: masked prediction, paper's network without attention dropout": lambda: bench_ecg(
            rounds, 32
        ),
        "the same in bfloat16": lambda: bench_ecg(rounds, 64, precision="bfloat16"),
        "patches of 16 samples, half the width, as recommended": lambda: bench_ecg(
            rounds, 1024, **RECOMMENDED
        ),
        "the same in bfloat16 ": lambda: bench_ecg(
            rounds, 2048, precision="bfloat16", **RECOMMENDED
        ),
    }
    for name, bench in rows.items():
        theirs, ours, ratio = bench()
        print(f"| {name:66} | {theirs:8.1f} | {ours:8.1f} | {ratio:6.1f} |", flush=True)

    torch.set_num_threads(1)
    seconds, n_windows = bench_hour()
    print(f"\nOne hour, prepared and embedded on one core: {seconds:.2f} s ({n_windows} windows)")
    seconds, heavy = bench_import()
    print(f"\nimport physio_ssl: {seconds:.3f} s after scikit-learn; torch, neurokit2: {heavy}")
    folder = os.environ.get("PHYSIO_SSL_DATA")
    if folder and (Path(folder) / "WESAD").is_dir():
        print("\nReading and windowing WESAD against pandas.read_csv:", flush=True)
        script = Path(__file__).with_name("reading.py")
        subprocess.run([sys.executable, str(script), str(Path(folder) / "WESAD")], check=True)


if __name__ == "__main__":
    main()
