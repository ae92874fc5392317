"""
How does a recording become windows?
====================================

A recording is long, and each of its signals has its own sampling rate. A model takes windows: short
pieces of equal length, with the label and the person of each. Here we make windows of one recording
and look at them.
"""

# %%
# A recording
# -----------
# A :class:`~physio_ssl.Recording` holds signals, their sampling rates, the subject, and annotations
# of what happened when. This one is simulated: five minutes of rest and stress.

import matplotlib.pyplot as plt
import numpy as np

from physio_ssl import StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Resample, Standardize

recording = simulate_wristband(1, n_blocks=1, stage_duration=120, random_state=0)[0]
print(recording)
print(*zip(*recording.annotations.values(), strict=True), sep="\n")

# %%
# Preprocessing, and windows
# --------------------------
# A list of steps for each signal, applied to the whole recording. Windows of 30 s then begin every
# 15 s. A window gets a label if it lies within one stage.

preprocessor = Preprocessor(
    {
        "bvp": [BandpassFilter(0.5, 8, sampling_rate=None), Resample(None, 32), Standardize()],
        "eda": [Standardize()],
        "temp": [Standardize()],
    },
    output_sampling_rate={"bvp": 32, "eda": 4, "temp": 4},
    duration=30,
)
labels = StageLabels({"rest": 0, "stress": 1}, min_coverage=1)
windows = preprocessor.make_windows(recording, step=15, labels=labels)
windows

# %%
# ``windows.X`` holds the signals, ``windows.info`` what is known about each window.
# ``windows.dropped`` counts the windows that were left out: these lie between the stages.

print(windows.X)
print(windows.dropped)
windows.info.head()

# %%
# Look at them
# ------------
# Above the skin conductance as recorded, with a bar for each window. Below one window of each
# class, as a model gets it.

figure, axes = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
eda = recording.signals["eda"][0, 0]
axes[0].plot(np.arange(len(eda)) / 4, eda, color="0.3")
bottom, colors = eda.min(), ["C0", "C3"]
for number, (onset, label) in enumerate(zip(windows.onset, windows.y, strict=True)):
    height = bottom - 0.15 * (1 + number % 2) * np.ptp(eda)
    axes[0].hlines(height, onset + 1, onset + 29, colors[label], linewidth=4)
axes[0].set(xlabel="time (s)", ylabel="skin conductance (µS)")
axes[0].set_title("blue bars: windows of rest, red bars: windows of stress")

for label, name in enumerate(["rest", "stress"]):
    bvp = windows.X["bvp"][windows.y == label][3, 0]
    axes[1].plot(np.arange(len(bvp)) / 32, bvp - 3 * label, color=colors[label], label=name)
axes[1].set(xlabel="time in the window (s)", ylabel="pulse (z-score)", yticks=[])
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %%
# Neighbouring windows share half of their samples. That is why cross-validation must keep the
# windows of a person together: ``windows.groups`` names the person of each.
