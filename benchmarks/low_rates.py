"""Measure how slowly a wristband may sample for the encoder wristband-small.

Usage: python benchmarks/low_rates.py WESAD

The signals of WESAD are resampled to lower rates without aliases, one signal at a time. The
encoder's preprocessor then resamples them to the rates that it was trained on. For each rate the
table shows how the embeddings correlate with those of the signals as recorded, each column
standardised by the latter, and the macro-F1 of stress and rest, leaving one subject out: a linear
probe is trained and tested on signals of that rate. Nothing is drawn at random.
"""

import argparse
from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import SignalDict, StageLabels, functional, load_encoder
from physio_ssl.datasets import load_wesad
from physio_ssl.evaluation import LinearProbe, leave_subjects_out

LABELS = StageLabels({"baseline": 0, "amusement": 0, "stress": 1})
STEP = 60  # seconds between windows
RECORDED = "as recorded"
RATES = {"bvp": (32, 25, 20, 15, 10), "eda": (2, 1, 0.5, 0.25), "temp": (2, 1, 0.5, 0.25)}


def prepare(preprocessor, recordings, name, rate):
    """Return the windows of one signal that was recorded at a lower rate."""
    slow = []
    for recording in recordings:
        signal = recording.signals[name]
        signal = functional.resample(signal, recording.sampling_rate[name], rate)
        slow.append(replace(recording, signals={name: signal}, sampling_rate={name: rate}))
    return preprocessor.make_windows(slow, STEP, labels=LABELS).X[name]


def correlate(Z, reference):
    """Return the correlation of two embeddings, each column standardised by the reference."""
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    return np.corrcoef(((Z - mean) / std).ravel(), ((reference - mean) / std).ravel())[0, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder of WESAD")
    recordings = load_wesad(parser.parse_args().folder, signals=tuple(RATES))
    encoder = load_encoder("wristband-small")
    lowest = encoder.preprocessor_.lowest_sampling_rate
    preprocessor = clone(encoder.preprocessor_).set_params(lowest_sampling_rate=0.1)
    windows = preprocessor.make_windows(recordings, STEP, labels=LABELS)
    inputs, slowest = {RECORDED: windows.X}, dict(windows.X)
    for name, rates in RATES.items():
        for rate in rates:
            signal = prepare(preprocessor, recordings, name, rate)
            inputs[f"{name} at {rate:g} Hz"] = SignalDict({**windows.X, name: signal})
            if rate == lowest[name]:
                slowest[name] = signal
        others = {other: x for other, x in windows.X.items() if other != name}
        inputs[f"without {name}"] = SignalDict(others)
    inputs["all at their lowest rates"] = SignalDict(slowest)
    model = make_pipeline(FrozenEstimator(encoder), LinearProbe())
    results = leave_subjects_out(
        {name: (model, X) for name, X in inputs.items()},
        windows,
        baselines=False,
        transductive="each signal is scaled over its recording",
    )
    scores = results.summary("macro_f1").set_index("estimator")
    reference = encoder.transform(windows.X)
    print("| signals | correlation | macro-F1 [95 % interval] |\n| --- | --- | --- |")
    for name, X in inputs.items():
        mean, low, high = scores.loc[name, ["mean", "low", "high"]]
        r = correlate(encoder.transform(X), reference)
        print(f"| {name} | {r:.4f} | {mean:.3f} [{low:.3f}, {high:.3f}] |")


if __name__ == "__main__":
    main()
