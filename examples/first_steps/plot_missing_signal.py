"""
What if a signal is missing?
============================

Signals come at their own rates, and sensors fail. An encoder that was pre-trained with
``modality_dropout`` works with the signals that are there. What about the classifier behind it?
"""

# %%
# Three signals at three rates
# ----------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from physio_ssl import SignalDict, SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe
from physio_ssl.preprocessing import Preprocessor, Resample, Standardize

rates = {"bvp": 8, "eda": 4, "temp": 1}
preprocessor = Preprocessor(
    {name: [Resample(None, rate), Standardize()] for name, rate in rates.items()},
    output_sampling_rate=rates,
    duration=60,
)
unlabelled = preprocessor.make_windows(simulate_wristband(20, random_state=1), step=30)
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(simulate_wristband(12, random_state=0), step=30, labels=labels)
print(windows.X)

# %%
# Pre-train, with signals dropped at random
# -----------------------------------------

encoder = SSLEncoder(
    module__modality_dropout=0.3,
    module__d_model=32,
    pretext__n_views=2,
    max_epochs=4,
    random_state=0,
)
encoder.fit(unlabelled.X)

# %%
# Train and test, with and without skin conductance
# -------------------------------------------------
# Four groups of people are held out in turn.

without = SignalDict({name: x for name, x in windows.X.items() if name != "eda"})
cases = {
    "trained and tested\nwith all": (windows.X, windows.X),
    "trained and tested\nwithout": (without, without),
    "trained with all,\ntested without": (windows.X, without),
}
model = make_pipeline(FrozenEstimator(encoder), LinearProbe())
scores = {name: [] for name in cases}
for train, test in GroupKFold(4).split(windows.X, windows.y, windows.groups):
    for name, (X_train, X_test) in cases.items():
        model.fit(X_train[train], windows.y[train])
        predicted = model.predict(X_test[test])
        for person in np.unique(windows.groups[test]):
            rows = windows.groups[test] == person
            score = balanced_accuracy_score(windows.y[test][rows], predicted[rows])
            scores[name].append(score)

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for place, (name, values) in enumerate(scores.items()):
    ax.plot(np.full(len(values), place), values, "o", color="0.75")
    ax.plot(place, np.mean(values), "D", color="C3")
    print(f"{name!r:40} {np.mean(values):.2f}")
ax.set_xlim(-0.5, 2.5)
ax.axhline(0.5, color="0.6", linestyle=":")
ax.set_xticks(range(3), scores)
ax.set_ylabel("balanced accuracy of a held-out person")
plt.show()

# %%
# Without skin conductance the score falls, as part of the evidence is gone. It falls further if the
# classifier was trained on complete windows: the encoder fills the missing part of the embedding
# with its guess, which the classifier does not know. So train the classifier on windows that lack
# the same signal. The encoder need not be trained again.
