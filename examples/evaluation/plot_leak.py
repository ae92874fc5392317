"""
How much does a leak flatter?
=============================

Shuffled windows put the same people, and even the same seconds, into training and test. How high
can the score get that way? We ask on people for whom there is nothing to find: stress changes none
of their signals. An honest score is one half.
"""

# %%
# People without an effect
# ------------------------
# Windows of 60 s, one every 15 s: neighbours share three quarters of their samples.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from physio_ssl import ChannelStatistics, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.leakage import audit_leakage
from physio_ssl.preprocessing import wristband_preprocessor

people = simulate_wristband(12, n_blocks=2, effect=None, random_state=0)
labels = StageLabels({"rest": 0, "stress": 1})
windows = wristband_preprocessor(duration=60).make_windows(people, step=15, labels=labels)
model = make_pipeline(ChannelStatistics(), RandomForestClassifier(100, random_state=0))

# %%
# Two ways to split
# -----------------
# The same model, the same windows.

shuffled, by_person = KFold(6, shuffle=True, random_state=0), GroupKFold(6)
ways = {"shuffled windows": (shuffled, None), "people held out": (by_person, windows.groups)}
scores = {
    name: cross_val_score(
        model, windows.X, windows.y, groups=groups, cv=cv, scoring="balanced_accuracy"
    )
    for name, (cv, groups) in ways.items()
}
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for place, (name, values) in enumerate(scores.items()):
    ax.plot(np.full(len(values), place), values, "o", color="0.7")
    ax.plot(place, values.mean(), "D", color="C3")
    print(f"{name:18} {values.mean():.2f}")
ax.axhline(0.5, color="0.6", linestyle=":")
ax.set_xticks([0, 1], list(scores))
ax.set(xlim=(-0.5, 1.5), ylim=(0.3, 1), ylabel="balanced accuracy of a fold")
plt.show()

# %%
# The forest remembers where each stretch of a recording lies, and finds it again in the overlapping
# window next to it. Nothing about stress was learned, as there was nothing to learn.
#
# Ask before you believe
# ----------------------
# :func:`~physio_ssl.leakage.audit_leakage` looks at the split and the model, and says what is
# wrong. By default a leak is an error; here we only want to read it.

for cv in (shuffled, by_person):
    report = audit_leakage(windows, cv, model, transductive=True, on_leak="record")
    print(type(cv).__name__, sorted({leak.kind.value for leak in report.leaks}))

# %%
# The split by person passes: the audit finds no leak. ``print(report)`` says what it looked at, and
# what it cannot see.
