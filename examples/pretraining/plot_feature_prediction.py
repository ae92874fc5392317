"""
How can a network beat the features that it learned from?
=========================================================

In feature prediction, a network sees a distorted window and predicts the features of the clean one.
It learns from hand-crafted features, so why should it know more than they do? Because it had to
find the heartbeats where the features' own beat detector fails.
"""

# %%
# A clean corpus, and a noisy day
# -------------------------------
# The unlabelled recordings have little noise. Over the windows of the study lies noise of twice the
# power of the pulse.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import HandcraftedFeatures, SSLEncoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.networks import ResNet1d
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Resample, Standardize
from physio_ssl.pretext import FeaturePrediction
from physio_ssl.transforms import GaussianNoise

steps = [BandpassFilter(0.5, 8, sampling_rate=None), Resample(None, 32), Standardize()]
preprocessor = Preprocessor({"bvp": steps}, {"bvp": 32}, duration=16)
corpus = preprocessor.make_windows(simulate_wristband(16, signals=("bvp",), random_state=1), step=8)
study = preprocessor.make_windows(simulate_wristband(8, signals=("bvp",), random_state=0), step=16)
noisy = GaussianNoise(snr_db=-3)(study.X["bvp"], rng=np.random.default_rng(0))

# %%
# Pre-train
# ---------
# The features are heart rate and its variability. The network never sees a clean window.

features = HandcraftedFeatures({"bvp": 32}, statistics=False)
encoder = SSLEncoder(
    ResNet1d,
    FeaturePrediction(features, views=[GaussianNoise(snr_db=-3)]),
    module__widths=(16, 24, 32),
    max_epochs=8,
    batch_size=64,
    lr=2e-3,
    random_state=0,
).fit(corpus.X)

# %%
# Heart rate on the noisy day
# ---------------------------
# The heart rate of the clean windows is the truth. A ridge regression reads it from the embedding
# of the noisy windows, tested on people it has not seen, and so it does from the features.

clean = features.fit_transform(study.X)
known = np.isfinite(clean[:, 0])
truth, groups = clean[known, 0], study.groups[known]
noisy = {"bvp": noisy[known]}
inputs = {
    "features": features.transform(noisy),
    "untrained network": encoder.untrained(0).transform(noisy),
    "pre-trained network": encoder.transform(noisy),
}
read = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(10))
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, inputs.items(), strict=True):
    predicted = cross_val_predict(read, values, truth, groups=groups, cv=GroupKFold(8))
    error = np.abs(predicted - truth).mean()
    ax.axline((70, 70), slope=1, color="0.7")
    ax.plot(truth, predicted, ".")
    ax.set_title(f"{name}\nmean error {error:.1f} beats/min")
    ax.set_xlabel("true heart rate (beats/min)")
    print(f"{name:20} {error:.1f}")
axes[0].set_ylabel("predicted (beats/min)")
plt.show()

# %%
# The detector loses beats in the noise, and what it returns then says little about heart rate. The
# network has seen noise on windows of known heart rate, so it learned to look through it: its
# error is half of that of the features that it learned from. Without pre-training, the same network
# is no better than the features.
