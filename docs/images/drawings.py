"""Draw the networks and the pretext tasks: ``python docs/images/drawings.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch

FOLDER = Path(__file__).parent
COLOURS = {"signal": "#EEEEEE", "layer": "#CCDDEE", "shared": "#CCEEDD", "out": "#FFDDCC"}
plt.rcParams.update({"font.size": 10, "svg.hashsalt": "physio_ssl"})

# Per network: title, then rows from top to bottom of (kind, text of each box side by side).
NETWORKS = {
    "MultimodalTransformer\nWu, Daoudi & Amad (2024)": [
        ("signal", ["EDA\n240 samples", "BVP\n240 samples", "temp.\n240 samples"]),
        ("layer", ["causal TCN\nkernel 6"] * 3),
        ("layer", ["mean of 8 samples\n30 tokens of 64"] * 3),
        ("shared", ["one transformer over the tokens of all modalities"]),
        ("layer", ["mean"] * 3),
        ("out", ["embedding: 64 per modality"]),
    ],
    "ECGTransformer\nVazquez-Rodriguez et al. (2022)": [
        ("signal", ["ECG\n1280 samples"]),
        ("layer", ["three convolutions, kernels 65, 33, 17"]),
        ("layer", ["CLS token + 1280 tokens of 256\nwith position"]),
        ("shared", ["two transformer layers"]),
        ("layer", ["CLS token (or mean, max, last)"]),
        ("out", ["embedding: 256"]),
    ],
    "ConvEncoder\nSarkar & Etemad (2022)": [
        ("signal", ["ECG\n2560 samples"]),
        ("layer", ["two convolutions, kernel 32, 32 filters\nmax-pooling"]),
        ("layer", ["two convolutions, kernel 16, 64 filters\nmax-pooling"]),
        ("layer", ["two convolutions, kernel 8, 128 filters"]),
        ("layer", ["maximum over time"]),
        ("out", ["embedding: 128 per modality"]),
    ],
    "ResNet1d\n": [
        ("signal", ["EDA\n240 samples", "BVP\n240 samples", "temp.\n240 samples"]),
        ("layer", ["convolution\nstride 2"] * 3),
        ("layer", ["residual blocks\neach halves the length"] * 3),
        ("layer", ["tokens of 128"] * 3),
        ("layer", ["mean, deviation"] * 3),
        ("out", ["embedding: 256 per modality"]),
    ],
}


def draw_box(ax, x, y, width, height, text, colour, size=9):
    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch((x, y), width, height, style, fc=colour, ec="0.4", lw=0.8))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size)


def draw_network(ax, title, rows):
    width, height, step = 4.6, 0.6, 0.9
    for number, (kind, boxes) in enumerate(rows):
        y, each = -number * step, width / len(boxes)
        for place, text in enumerate(boxes):
            size = 9 if len(boxes) == 1 else 7
            draw_box(ax, place * each + 0.05, y, each - 0.1, height, text, COLOURS[kind], size)
        if number:
            n_arrows = max(len(boxes), len(rows[number - 1][1]))
            for place in range(n_arrows):
                x = (place + 0.5) * width / n_arrows
                start, end = (x, y + step), (x, y + height)
                ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.4"})
    ax.set(xlim=(0, width), ylim=(-(len(rows) - 1) * step - 0.05, height + 0.1))
    ax.set_title(title, fontsize=10)
    ax.axis("off")


def make_pulse(times):
    """Return a pulse-like wave of one beat per second."""
    phase = times % 1
    return np.exp(-(((phase - 0.25) / 0.1) ** 2)) + 0.4 * np.exp(-(((phase - 0.6) / 0.12) ** 2))


def draw_tasks():
    times = np.linspace(0, 8, 400)
    rng = np.random.default_rng(0)
    wave = make_pulse(times) * (1 + 0.2 * np.sin(times))
    masked = np.where((times > 3) & (times < 5), np.nan, wave)
    noisy = wave + rng.normal(scale=0.15, size=len(times))
    bent = wave * np.interp(times, [0, 2, 4, 6, 8], [1, 1.8, 0.6, 1.5, 1])
    later = make_pulse(times * 0.95) * (1 + 0.2 * np.cos(times))
    tasks = {
        "TransformRecognition": ([bent], "which transform?\nmagnitude warp"),
        "MultiTaskRecognition": ([noisy], "a question per transform:\nnoise? warp? permuted? ..."),
        "MaskedPrediction": ([masked], "which samples are\nhidden in the gap?"),
        "StatisticsPrediction": (
            [masked],
            "mean, deviation, slope,\nquantiles of the whole window",
        ),
        "FeaturePrediction": ([noisy], "heart rate, rhythm, ...\nof the clean window"),
        "RecordingContrast": ([wave, later], "from the same recording,\nor from another?"),
    }
    figure, axes = plt.subplots(6, 2, figsize=(7, 7), width_ratios=[3, 2], layout="constrained")
    for (shown, asked), (title, (waves, question)) in zip(axes, tasks.items(), strict=True):
        for number, one in enumerate(waves):
            shown.plot(times, one - 1.8 * number, color="0.2", linewidth=1)
        shown.set_title(title, loc="left", fontsize=10, pad=2)
        shown.axis("off")
        draw_box(asked, 0, 0, 4, 1.2, question, COLOURS["out"], 9)
        asked.set(xlim=(-0.2, 4.2), ylim=(-0.1, 1.3))
        asked.axis("off")
    return figure


def main():
    """Write both drawings beside this file."""
    plt.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(2, 2, figsize=(9, 9.6), layout="constrained")
    for ax, network in zip(axes.flat, NETWORKS.items(), strict=True):
        draw_network(ax, *network)
    for name, drawing in {"networks": figure, "pretexts": draw_tasks()}.items():
        drawing.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
