"""Measure how slowly a wristband may sample for the encoder wristband-small.

Usage: python benchmarks/low_rates.py WESAD

The signals of WESAD are resampled to lower rates, one signal at a time, without aliases. The encoder's
preprocessor then resamples them to the rates that it was trained on. The table shows, for each rate,
how the embeddings correlate with those of the recorded signals, each column standardised by the
latter, and the macro-F1 of stress and rest, leaving one subject out: a linear probe is trained
and tested on signals of that rate..
"""

import argparse
from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import StageLabels, functional, load_encoder
from physio_ssl.datasets import load_wesad
from physio_ssl.evaluation import LinearProbe, leave_subjects_out

LABELS = StageLabels({"baseline": 0, "amusement": 0, "stress": 1})
RATES = {"bvp": (32, 25, 20, 15, 10), "eda": (2, 1, 0.5, 0.25), "temp": (2, 1, 0.5, 0.25)}
STEP = 60  # seconds between windows
RECORDED = "as recorded"


def slow_down(recording, rates):
    """Return a recording with some signals at lower rates."""
    signals = {
        name: functional.resample(signal, recording.sampling_rate[name], rates[name])
        if name in rates
        else signal
        for name, signal in recording.signals.items()
    }
    return replace(recording, signals=signals, sampling_rate={**recording.sampling_rate, **rates})


def leave_out(recording, name):
    """Return a recording without one signal."""
    signals = {other: x for other, x in recording.signals.items() if other != name}
    rates = {other: recording.sampling_rate[other] for other in signals}
    return replace(recording, signals=signals, sampling_rate=rates)


def list_conditions(lowest):
    """Yield the name of each condition, and what it does to a recording."""
    yield RECORDED, lambda recording: recording
    chosen = [{name: rate} for name, rates in RATES.items() for rate in rates]
    for rates in [*chosen, lowest]:
        name = ", ".join(f"{name} {rate:g} Hz" for name, rate in rates.items())
        yield name, lambda recording, rates=rates: slow_down(recording, rates)
    for name in RATES:
        yield f"without {name}", lambda recording, name=name: leave_out(recording, name)


def correlate(Z, reference):
    """Return the correlation of two embeddings, each column standardised by the reference."""
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    return np.corrcoef(((Z - mean) / std).ravel(), ((reference - mean) / std).ravel())[0, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder of WESAD")
    recordings = load_wesad(parser.parse_args().folder, signals=("bvp", "eda", "temp"))
    encoder = load_encoder("wristband-small")
    lowest = encoder.preprocessor_.lowest_sampling_rate
    preprocessor = clone(encoder.preprocessor_).set_params(lowest_sampling_rate=0.1)
    model = make_pipeline(FrozenEstimator(encoder), LinearProbe())
    models, correlation, reference = {}, {}, None
    for name, change in list_conditions(lowest):
        changed = [change(recording) for recording in recordings]
        windows = preprocessor.make_windows(changed, STEP, labels=LABELS)
        Z = encoder.transform(windows.X)
        if reference is None:
            reference, first = Z, windows
        models[name] = (model, windows.X)
        correlation[name] = correlate(Z, reference)
    results = leave_subjects_out(
        models, first, baselines=False, transductive="each signal is scaled over its recording"
    )
    scores = results.summary("macro_f1").set_index("estimator")
    print("| signals | r | macro-F1 [95 % interval] |\n| --- | --- | --- |")
    for name, r in correlation.items():
        mean, low, high = scores.loc[name, ["mean", "low", "high"]]
        print(f"| {name} | {r:.4f} | {mean:.3f} [{low:.3f}, {high:.3f}] |")


if __name__ == "__main__":
    main()
