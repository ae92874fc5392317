"""
How far do a few labels go, and is the score to be believed?
============================================================

Recordings are cheap, labels are not. This study asks how scores grow with the share of
windows that are labelled, for hand-crafted features and for a pre-trained encoder, always on
people who were not in the training. Then it breaks the rules, to show what that is worth.
"""

# %%
# Windows, and an encoder of other people
# ---------------------------------------
# The encoder is told whose windows it sees, so that the audit can tell that no one of the
# study is among them.

import matplotlib.pyplot as plt
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import HandcraftedFeatures, SSLClassifier, SSLEncoder, StageLabels, make_windows
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import label_efficiency, leave_subjects_out
from physio_ssl.plotting import (
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    SubjectConfusionDisplay,
    SubjectScoresDisplay,
)
from physio_ssl.preprocessing import prepare_wristband

others = prepare_wristband(simulate_wristband(20, random_state=1))
unlabelled = make_windows(others, duration=60)
encoder = SSLEncoder(max_epochs=4, random_state=0)
encoder.fit(unlabelled.X, groups=[f"other {subject}" for subject in unlabelled.groups])

cohort = prepare_wristband(simulate_wristband(8, random_state=0))
labels = StageLabels({"rest": 0, "stress": 1})
windows = make_windows(cohort, duration=60, step=30, labels=labels)
data = (windows.X, windows.y, windows.groups)

# %%
# The models
# ----------
# What is frozen embeds each window once for the whole study. (At 4 Hz the
# pulse has no beats left: of it the features are statistics only. A fair baseline needs the
# native rate, as in ``make_baselines``.)

frozen = FrozenEstimator(encoder)
features = HandcraftedFeatures({"bvp": 4, "eda": 4, "temp": 4}, specific=("eda",))
models = {
    "hand-crafted": make_pipeline(
        features, SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=2000)
    ),
    "encoder, linear": make_pipeline(frozen, StandardScaler(), LogisticRegression(max_iter=2000)),
    "encoder, head": SSLClassifier(frozen, min_steps=50),
}
settings = {
    "onset": windows.onset,
    "duration": windows.duration,
    "transductive": "each signal is z-scored over its recording",
}

# %%
# Few labels
# ----------
# Labelled windows are drawn within each person and class, and the draw is repeated.

curve = label_efficiency(models, *data, shares=[0.05, 0.2, 0.5, 1], n_repeats=2, **settings)
LabelEfficiencyDisplay.from_results(curve)
plt.show()

# %%
# All labels, person by person
# ----------------------------
# Each line is one person: means hide that some gain and others lose.

study = leave_subjects_out(models, *data, **settings)
SubjectScoresDisplay.from_results(study)
plt.show()

# %%
# The differences, paired by person. With eight people hardly any is certain.

study.compare("encoder, linear")[["other", "difference", "low", "high", "p_value", "p_holm"]]

# %%
# Whom does it fail on, and how?

SubjectConfusionDisplay.from_results(study, "encoder, linear")
plt.show()

# %%
# The same model with the rules broken
# ------------------------------------
# Shuffled windows put each person into training *and* test. The audit says so in the result,
# and the score rises, although nothing about the model is better.

shuffled = leave_subjects_out(
    {"encoder, linear": models["encoder, linear"]}, *data, protocol="published_b", **settings
)
for name, results in {"unseen people": study, "shuffled windows": shuffled}.items():
    summary = results.summary("macro_f1").set_index("estimator")
    print(f"{name:17} {summary.loc['encoder, linear', 'mean']:.3f}")
print({leak["kind"] for leak in shuffled.protocol["audit"]["leaks"]})

# %%
# Why shuffling helps: windows of one person lie together in the embedding.

EmbeddingDisplay.from_estimator(encoder, windows.X, windows.y, windows.groups)
plt.show()

# %%
# The people here are simulated: this shows how to ask the question. For answers on real
# recordings see the tables in the README.
