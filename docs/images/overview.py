"""Draw the start page's pictures: ``python docs/images/overview.py`` (simulated people, seed 0)."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import StageLabels, load_encoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, leave_subjects_out
from physio_ssl.transforms import GaussianNoise, MagnitudeWarp, Permutation

FOLDER = Path(__file__).parent
COLOURS = {"rest": "#4477AA", "stress": "#EE6677"}
UNITS = {"bvp": "pulse", "eda": "EDA (µS)", "temp": "temp. (°C)"}
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})


def save(figure, name):
    figure.savefig(FOLDER / f"overview_{name}.png", dpi=160)
    plt.close(figure)


def draw_recording(recording, onset, duration):
    figure, axes = plt.subplots(3, figsize=(4.6, 3.6), sharex=True, layout="constrained")
    columns = [recording.annotations[name] for name in ("onset", "duration", "description")]
    for ax, (name, signal) in zip(axes, recording.signals.items(), strict=True):
        times = np.arange(signal.shape[-1]) / recording.sampling_rate[name] / 60
        ax.plot(times, np.ravel(signal), color="0.2", linewidth=0.6)
        for start, length, stage in zip(*columns, strict=True):
            ax.axvspan(start / 60, (start + length) / 60, color=COLOURS[stage], alpha=0.25, lw=0)
        ax.axvspan(onset / 60, (onset + duration) / 60, fill=False, edgecolor="black", lw=1.5)
        ax.set_ylabel(UNITS[name])
    axes[-1].set_xlabel("minutes; the box is one window")
    handles = [plt.Rectangle((0, 0), 1, 1, color=c, alpha=0.4) for c in COLOURS.values()]
    figure.legend(handles, COLOURS, ncols=2, loc="outside upper center", frameon=False)
    save(figure, "recording")


def draw_views(window):
    views = {
        "the window": window,
        "with noise": GaussianNoise(10, random_state=0).transform(window),
        "warped": MagnitudeWarp(random_state=0).transform(window),
        "permuted": Permutation(random_state=0).transform(window),
    }
    figure, axes = plt.subplots(4, figsize=(4.6, 3.6), sharex=True, layout="constrained")
    for ax, (name, view), colour in zip(
        axes, views.items(), ["0.2"] + ["#228833"] * 3, strict=True
    ):
        ax.plot(np.arange(view.shape[-1]) / 4, view[0, 0], color=colour, linewidth=1)
        ax.set_yticks([])
        ax.set_title(name, loc="left", fontsize=11, pad=2)
    axes[-1].set_xlabel("seconds (EDA)")
    save(figure, "views")


def draw_embedding(embedding, stages):
    points = PCA(2, random_state=0).fit_transform(embedding)
    figure, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    for code, (name, colour) in enumerate(COLOURS.items()):
        ax.scatter(*points[stages == code].T, s=14, color=colour, alpha=0.7, label=name, lw=0)
    ax.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")
    ax.legend(frameon=False, loc="upper right")
    save(figure, "embedding")


def draw_scores(results):
    frame = results.to_frame()
    scores = frame[frame["metric"] == "macro_f1"].set_index("subject")["value"].sort_values()
    figure, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    ax.axvline(0.5, color="0.6", linestyle=":", label="guessing")
    ax.plot(scores, scores.index, "o", color="#4477AA")
    ax.axvline(scores.mean(), color="#4477AA", label=f"mean {scores.mean():.2f}")
    ax.set(xlim=(0.3, 1.02), xlabel="macro-F1", ylabel="held-out person")
    ax.legend(edgecolor="none", framealpha=1, loc="upper left")
    save(figure, "scores")


def main():
    """Embed simulated people with the shipped encoder, and test on each of them."""
    recordings = simulate_wristband(n_subjects=10, random_state=0)
    encoder = load_encoder("wristband-small")
    labels = StageLabels({"rest": 0, "stress": 1})
    windows = encoder.preprocessor_.make_windows(recordings, step=30, labels=labels)
    onset = windows.onset[windows.groups == windows.groups[0]][4]
    draw_recording(recordings[0], onset, windows.duration)
    eda = recordings[0].signals["eda"].reshape(1, 1, -1)
    window = eda[..., int(onset * 4) : int((onset + 60) * 4)]
    draw_views(window - window.mean())  # noise is relative to the power
    draw_embedding(encoder.transform(windows.X), windows.y)
    model = {"wristband-small": make_pipeline(FrozenEstimator(encoder), LinearProbe())}
    draw_scores(leave_subjects_out(model, windows, baselines=False, transductive=True))


if __name__ == "__main__":
    main()
