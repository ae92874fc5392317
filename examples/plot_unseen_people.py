"""
Does pre-training help on people never seen?
============================================

Labels are few, recordings are many. Here an encoder is pre-trained on simulated people
without labels, and a logistic regression on its embedding is tested on other people, one at a
time. The same model with an untrained encoder shows what the pre-training did.
"""

# %%
# Recordings, and windows of them
# -------------------------------
# A recording holds each signal at its own rate. ``wristband_preprocessor`` brings all signals to
# 4 Hz, z-scores them over the recording and cuts windows. ``windows.info`` is a table of what is
# known about each window.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import wristband_preprocessor

preprocessor = wristband_preprocessor(duration=60)
unlabelled = preprocessor.make_windows(simulate_wristband(20, random_state=1))

cohort = simulate_wristband(12, random_state=0)
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(cohort, step=30, labels=labels)
windows

# %%
# Pre-train
# ---------
# The task is to recognise which of five signal transforms, if any, was applied to a window. Chance
# is 1 / 6. ``history_`` keeps the accuracy of each modality.

encoder = SSLEncoder(max_epochs=6, random_state=0).fit(unlabelled.X)
for name in windows.X:
    accuracy = encoder.history_[:, f"train_accuracy_{name}"]
    plt.plot(range(1, 7), accuracy, "o-", label=name)
plt.axhline(1 / 6, color="0.6", linestyle=":", label="chance")
plt.xlabel("epoch")
plt.ylabel("accuracy of recognition")
plt.legend()
plt.show()

# %%
# Test on people never seen
# -------------------------
# ``FrozenEstimator`` keeps cross-validation from training the encoder again. All folds may
# share it, because it never saw anyone of this cohort. To learn from the cohort itself, put the
# encoder into the pipeline without it: then it is trained in each fold, on training subjects.

encoders = {
    "untrained": SSLEncoder(max_epochs=0, random_state=0),
    "pre-trained": FrozenEstimator(encoder),
}
scores = {}
for name, embed in encoders.items():
    model = make_pipeline(embed, StandardScaler(), LogisticRegression(max_iter=2000))
    scores[name] = cross_val_score(
        model,
        windows.X,
        windows.y,
        groups=windows.groups,
        cv=LeaveOneGroupOut(),
        scoring="balanced_accuracy",
    )
    print(f"{name:12} {scores[name].mean():.3f}")

# %%
# Each line is one person. The mean alone would hide that some people gain and others lose.

figure, ax = plt.subplots()
ax.plot([0, 1], list(scores.values()), "o-", color="0.7")
ax.plot([0, 1], [np.mean(values) for values in scores.values()], "D", color="C3")
ax.set_xticks([0, 1], list(scores))
ax.set_xlim(-0.3, 1.3)
ax.set_ylabel("balanced accuracy of a held-out subject")
plt.show()

# %%
# On simulated people this shows that the pieces fit, not that the method works on real people:
# for that, see the results pages.
