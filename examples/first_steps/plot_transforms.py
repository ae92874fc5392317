"""
What do signal transforms do to a pulse?
========================================

Many pretext tasks change a window and ask the network about the change. A change that it should
notice must be visible, and one that it should ignore must not destroy what you want to know. So
look at them first, on your own signals.
"""

# %%
# Ten seconds of pulse
# --------------------

import matplotlib.pyplot as plt
import numpy as np

from physio_ssl.datasets import simulate_wristband
from physio_ssl.features import HandcraftedFeatures
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Standardize
from physio_ssl.transforms import (
    CircularShift,
    CropResize,
    GaussianNoise,
    MagnitudeWarp,
    Negation,
    Permutation,
    TimeMask,
    TimeReverse,
    TimeWarp,
)

people = simulate_wristband(6, n_blocks=1, signals=("bvp",), random_state=0)
steps = {"bvp": [BandpassFilter(0.5, 8, sampling_rate=None), Standardize()]}
X = Preprocessor(steps, {"bvp": 64}, duration=10).make_windows(people).X["bvp"]
print(X.shape)

# %%
# The same window, changed
# ------------------------
# A transform is called with windows and a random generator. Its parameters are those of
# Wu, Daoudi & Amad (2024), unless you say otherwise.

transforms = [
    GaussianNoise(),
    MagnitudeWarp(),
    Permutation(),
    TimeWarp(),
    CropResize(),
    TimeMask(),
    CircularShift(),
    TimeReverse(),
    Negation(),
]
rng = np.random.default_rng(0)
times = np.arange(X.shape[-1]) / 64
figure, axes = plt.subplots(5, 2, figsize=(9, 8), sharex=True, sharey=True, layout="constrained")
axes = axes.ravel()
axes[0].plot(times, X[5, 0], color="0.3")
axes[0].set_title("unchanged")
for ax, transform in zip(axes[1:], transforms, strict=True):
    ax.plot(times, X[5, 0], color="0.8")
    ax.plot(times, transform(X[5:6], rng=rng)[0, 0])
    ax.set_title(type(transform).__name__)
figure.supxlabel("time (s)")
figure.supylabel("pulse (z-score)")
plt.show()

# %%
# What do they keep?
# ------------------
# If heart rate matters, a transform that changes it is one to recognise, not one to ignore. Here
# is how far each moves the heart rate that the features find, in beats per minute.

features = HandcraftedFeatures({"bvp": 64}, statistics=False).set_output(transform="pandas")


def heart_rate(X):
    return features.fit_transform({"bvp": X})["bvp_heart_rate"]


before = heart_rate(X)
moved = {
    type(transform).__name__: (heart_rate(transform(X, rng=rng)) - before).abs().median()
    for transform in transforms
}
for name, change in sorted(moved.items(), key=lambda item: item[1]):
    print(f"{name:14} {change:5.1f}")

# %%
# Noise, a warped amplitude and reversal keep heart rate. Permutation moves it a little, by the
# beats that it cuts in two. ``CropResize`` stretches a part of the window to its full length, and
# with it every beat: a network that learns to ignore it forgets heart rate.
