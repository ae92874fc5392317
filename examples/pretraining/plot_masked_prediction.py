"""
Can a network fill in a masked ECG?
===================================

In the pretext task of Vazquez-Rodriguez et al. (2022) about half of the samples are hidden, and the
network learns to predict them. To put a heartbeat where it belongs, it has to know the rhythm. Here
it learns the rhythm of simulated people; the same lines work on real recordings.
"""

# %%
# Recordings, and windows of them
# -------------------------------
# ``ecg_preprocessor`` filters, resamples to 128 Hz and z-scores. ``drop_poor_ecg`` looks at the
# recordings as they were read, and drops windows without a readable heartbeat.

import matplotlib.pyplot as plt
import neurokit2 as nk
import numpy as np

from physio_ssl import Recording, SSLEncoder
from physio_ssl.evaluation import reconstruct_masked
from physio_ssl.networks import ECGTransformer
from physio_ssl.preprocessing import ecg_preprocessor
from physio_ssl.pretext import MaskedPrediction
from physio_ssl.quality import drop_poor_ecg

rng = np.random.default_rng(0)
recordings = [
    Recording(
        {
            "ecg": nk.ecg_simulate(
                duration=120,
                sampling_rate=250,
                heart_rate=rate,
                noise=0.02,
                random_state=number,
            )
        },
        {"ecg": 250},
        subject=f"P{number:02d}",
    )
    for number, rate in enumerate(rng.integers(50, 110, size=12))
]
windows = ecg_preprocessor(duration=10).make_windows(recordings, step=4)
windows = drop_poor_ecg(windows, recordings)
windows

# %%
# Pre-train
# ---------
# With tokens of 16 samples and a narrow network this takes half a minute. The published
# network has one token per sample, and is 256 wide.

known = np.isin(windows.groups, ["P10", "P11"], invert=True)
encoder = SSLEncoder(
    ECGTransformer,
    MaskedPrediction(),
    module__patch_size=16,
    module__d_model=64,
    module__dim_feedforward=256,
    module__embedding="mean",
    max_epochs=12,
    lr=2e-3,
    callbacks__lr_schedule__warmup=0.1,
    random_state=0,
).fit(windows.select(known).X)

plt.plot(range(1, 13), encoder.history_[:, "train_error_ecg"], "o-")
plt.xlabel("epoch")
plt.ylabel("squared error on masked samples")
plt.show()

# %%
# People it has not seen
# ----------------------
# The predictions are compared with a straight line across each gap.

result = reconstruct_masked(encoder, windows.select(~known).X)
print(result)

row, times = 2, np.arange(512) / 128
hidden = result.mask["ecg"][row, 0, :512]
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
ax.fill_between(times, -3, 8, where=hidden, color="0.9", label="masked")
ax.plot(times, result.original["ecg"][row, 0, :512], color="0.4", label="ECG")
for name, color, values in (
    ("predicted", "C0", result.predicted),
    ("straight lines", "C1", result.interpolated),
):
    ax.plot(times, np.where(hidden, values["ecg"][row, 0, :512], np.nan), color=color, label=name)
ax.set(xlabel="time (s)", ylabel="ECG (z-score)", ylim=(-3, 8))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
plt.show()

# %%
# The squared error is a fraction of that of straight lines. The network puts each heartbeat where
# the rhythm before and after the gap asks for one, also for people whom it has not seen.
