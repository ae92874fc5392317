"""
How far do a few labels go, and is the score to be believed?
============================================================

Recordings are cheap, labels are not. This study asks how scores grow with the fraction of
windows that are labelled, for hand-crafted features and for a pre-trained encoder, always on
people who were not in the training. Then it breaks the rules, to show what difference that makes.
"""

# %%
# Windows, and an encoder that was trained on other people
# --------------------------------------------------------
# ``groups`` records whose windows the encoder sees. The audit then checks that they are not
# people of the study.

import matplotlib.pyplot as plt
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import HandcraftedFeatures, HeadClassifier, SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import label_efficiency, leave_subjects_out
from physio_ssl.leakage import audit_leakage
from physio_ssl.plotting import (
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    SubjectConfusionDisplay,
    SubjectScoresDisplay,
)
from physio_ssl.preprocessing import wristband_preprocessor

preprocessor = wristband_preprocessor(duration=60)
unlabelled = preprocessor.make_windows(simulate_wristband(20, random_state=1))
encoder = SSLEncoder(max_epochs=4, random_state=0)
encoder.fit(unlabelled.X, groups=[f"other {subject}" for subject in unlabelled.groups])

cohort = simulate_wristband(8, random_state=0)
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(cohort, step=30, labels=labels)
windows.info.head(3)

# %%
# The models
# ----------
# A frozen encoder embeds each window once for the whole study. (At 4 Hz the pulse has no beats
# left, so its features are statistics only. A fair baseline needs the native rate, as in
# ``make_baselines``.)

frozen = FrozenEstimator(encoder)
features = HandcraftedFeatures({"bvp": 4, "eda": 4, "temp": 4}, specific=("eda",))
models = {
    "hand-crafted": make_pipeline(
        features, SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=2000)
    ),
    "encoder, linear": make_pipeline(frozen, StandardScaler(), LogisticRegression(max_iter=2000)),
    "encoder, head": make_pipeline(frozen, HeadClassifier(min_steps=50)),
}
transductive = "each signal is z-scored over its recording"

# %%
# Few labels
# ----------
# Labelled windows are drawn within each person and class, and the draw is repeated.

curve = label_efficiency(
    models, windows, fractions=[0.05, 0.2, 0.5, 1], n_repeats=2, transductive=transductive
)
LabelEfficiencyDisplay.from_results(curve)
plt.show()

# %%
# All labels, person by person
# ----------------------------
# Each line is one person: means hide that some gain and others lose.

study = leave_subjects_out(models, windows, transductive=transductive)
SubjectScoresDisplay.from_results(study)
plt.show()

# %%
# The differences, paired by person. With eight people, hardly any is certain.

study.compare("encoder, linear")[["other", "difference", "low", "high", "p_value"]]

# %%
# Whom does it fail on, and how?

SubjectConfusionDisplay.from_results(study, "encoder, linear")
plt.show()

# %%
# The same model with the rules broken
# ------------------------------------
# Shuffled windows put each person into training *and* test. The score rises, although nothing
# about the model is better, and the audit says why.

cv = KFold(10, shuffle=True, random_state=0)
model = models["encoder, linear"]
shuffled = cross_val_score(model, windows.X, windows.y, cv=cv, scoring="f1_macro")
unseen = study.summary("macro_f1").set_index("estimator").loc["encoder, linear", "mean"]
print(f"unseen people     {unseen:.3f}\nshuffled windows  {shuffled.mean():.3f}")

report = audit_leakage(windows, cv, model, transductive=transductive, on_leak="record")
print(report)

# %%
# Why shuffling helps: windows of one person lie together in the embedding.

EmbeddingDisplay.from_estimator(encoder, windows.X, windows.y, windows.groups)
plt.show()

# %%
# The people here are simulated: this shows how to ask the question. The results pages have
# answers on real recordings.
