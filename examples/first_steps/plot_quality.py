"""
Which windows of a real recording can I trust?
==============================================

Simulated people sit still. Nurses do not: this is ten minutes of a shift, recorded by a wristband.
The hand moves, and the pulse is lost now and then. And a recording may have gaps.
"""

# %%
# Look first
# ----------
# The excerpt comes with the package, from the Nurse Stress data set of Hosseini et al. (2022),
# which is in the public domain. Below each signal stands its quality, second by second.

import matplotlib.pyplot as plt
import numpy as np

from physio_ssl import Recording
from physio_ssl.datasets import load_example_wristband
from physio_ssl.preprocessing import wristband_preprocessor
from physio_ssl.quality import drop_poor, measure_quality

recording = load_example_wristband()
recording.plot()
plt.show()

# %%
# Quality in numbers
# ------------------
# 1 is good, 0 is useless. A pulse whose rate can be read, but not each beat, has 0.5.

quality = measure_quality(recording)
print(quality.mean().round(2))

# %%
# A gap
# -----
# Let the band have been off for 40 s. What is missing is NaN, in all signals. Nothing is
# interpolated: windows that hold or touch a gap are dropped and counted.

signals = {name: signal[0].copy() for name, signal in recording.signals.items()}
for name, signal in signals.items():
    rate = recording.sampling_rate[name]
    signal[:, round(300 * rate) : round(340 * rate)] = np.nan
torn = Recording(signals, dict(recording.sampling_rate), recording.subject)

preprocessor = wristband_preprocessor(duration=30)
windows = preprocessor.make_windows(torn, step=30, quality=True)
print(len(windows), windows.dropped)

# %%
# Keep, drop, or weigh
# --------------------
# ``windows.quality`` has a row per window. What to do with it is your choice. Here we keep windows
# in which the pulse can be read at least half as well as it could be.

kept = drop_poor(windows, {"bvp": 0.5})
print(len(kept), kept.dropped)

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
good = windows.quality["bvp"].to_numpy() >= 0.5
for chosen, color, label in ((good, "C0", "kept"), (~good, "C3", "dropped")):
    ax.bar(
        windows.onset[chosen],
        windows.quality["bvp"][chosen],
        width=28,
        align="edge",
        color=color,
        label=label,
    )
ax.axvspan(300, 340, color="0.85", label="gap")
ax.axhline(0.5, color="0.6", linestyle=":")
ax.set(xlabel="time (s)", ylabel="quality of the pulse", ylim=(0, 1))
ax.legend()
plt.show()

# %%
# Most of the time the pulse's rate can be read, but not each beat: enough for heart rate, too
# little for its variability. Skin conductance, temperature and wear are good throughout. If you
# drop windows, report how many: people move more under stress, so dropping may favour one class.
