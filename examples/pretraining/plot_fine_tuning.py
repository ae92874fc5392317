"""
Frozen, fine-tuned, or supervised from scratch?
===============================================

A pre-trained encoder can stay as it is, with a small classifier on top (frozen), or go on learning
with the labels (fine-tuned). The network can also learn from the labels alone (supervised). Which
is best depends on how many people are labelled.
"""

# %%
# Pre-train on people at rest
# ---------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from physio_ssl import SSLClassifier, SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe
from physio_ssl.networks import ResNet1d
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Resample, Standardize
from physio_ssl.pretext import TransformRecognition
from physio_ssl.transforms import TimeReverse

pulse = {"signals": ("bvp",), "effect": "shape"}
steps = [BandpassFilter(0.5, 7, sampling_rate=None), Resample(None, 16), Standardize()]
preprocessor = Preprocessor({"bvp": steps}, {"bvp": 16}, duration=20)
corpus = simulate_wristband(24, random_state=1, **pulse)
unlabelled = preprocessor.make_windows(corpus, step=5, labels=StageLabels({"rest": 0}))
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(simulate_wristband(24, random_state=0, **pulse), labels=labels)

encoder = SSLEncoder(
    ResNet1d,
    TransformRecognition([TimeReverse()]),
    module__widths=(16, 24, 32),
    max_epochs=6,
    batch_size=64,
    lr=2e-3,
    random_state=0,
).fit(unlabelled.X)

# %%
# Three ways to use it
# --------------------
# ``SSLClassifier`` is a network with a head. An encoder that is frozen goes in with its weights,
# which fine-tuning changes in a copy. The last ten people are for the test.

pretrained = FrozenEstimator(encoder)
models = {
    "frozen": make_pipeline(pretrained, LinearProbe()),
    "fine-tuned": SSLClassifier(pretrained, max_epochs=10, random_state=0),
    "supervised": SSLClassifier(pretrained, mode="supervised", max_epochs=10, random_state=0),
}
people = np.unique(windows.groups)
test = np.isin(windows.groups, people[14:])
amounts = [1, 2, 4, 14]
scores = {name: [] for name in models}
for n_people in amounts:
    train = np.isin(windows.groups, people[:n_people])
    for name, model in models.items():
        model.fit(windows.X[train], windows.y[train])
        probability = model.predict_proba(windows.X[test])[:, 1]
        by_person = [
            roc_auc_score(windows.y[test][rows], probability[rows])
            for rows in (windows.groups[test] == person for person in people[14:])
        ]
        scores[name].append(np.mean(by_person))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in scores.items():
    ax.semilogx(amounts, values, "o-", label=name)
    print(f"{name:12}", *(f"{value:.2f}" for value in values))
ax.set_xticks(amounts, amounts)
ax.minorticks_off()
ax.set(xlabel="labelled people", ylabel="mean AUROC of ten other people")
ax.legend()
plt.show()

# %%
# From one person's labels, a network that starts from scratch learns little, and it stays behind
# with all fourteen. Fine-tuning gains next to nothing over the frozen encoder here, as the frozen
# embedding holds what is needed. It pays off where many labels tell something that pre-training
# missed. This is one seed and one draw of people:
# :func:`~physio_ssl.evaluation.label_efficiency` repeats both.
