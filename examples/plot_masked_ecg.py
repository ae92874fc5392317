"""
Filling in a masked ECG
=======================

The pretext task of the second paper: about half of the samples are hidden, and the network
learns to predict them. To put a heartbeat where it belongs, it has to know the
rhythm. Here it learns that of simulated people; the same lines work on recordings.
"""

# %%
# Recordings, and windows of them
# -------------------------------
# ``prepare_ecg`` filters, resamples to 128 Hz and z-scores; ``drop_poor_ecg`` looks at the
# recordings as they were read, and leaves out windows without a readable heartbeat.

import matplotlib.pyplot as plt
import neurokit2 as nk
import numpy as np

from physio_ssl import Recording, SSLEncoder, make_windows
from physio_ssl.evaluation import reconstruct_masked
from physio_ssl.networks import ECGTransformer
from physio_ssl.preprocessing import prepare_ecg
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
windows = make_windows(prepare_ecg(recordings), duration=10, step=2)
windows = drop_poor_ecg(windows, recordings)
windows

# %%
# Pre-train
# ---------
# With tokens of 16 samples and a narrow network this takes a minute or less. The paper's
# network has a token for each sample, and is 256 wide.

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
    n_threads=2,
).fit(windows.select(known).X)

plt.plot(range(1, 13), encoder.history_[:, "train_error_ecg"], "o-")
plt.xlabel("epoch")
plt.ylabel("squared error on masked samples")
plt.show()

# %%
# People it has not seen
# ----------------------
# What a straight line across each gap would give is the yardstick.

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
