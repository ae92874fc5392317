"""
How far do a few labelled people go, and is the score to be believed?
=====================================================================

Recordings are cheap, labels are not. This study asks how scores grow with the number of people who
are labelled, for a pre-trained encoder and for what it has to beat, always on people who were not
in the training. Then it asks what else could tell the classes, and breaks the rules, to show
what difference that makes.
"""

# %%
# Windows, and an encoder that was trained on other people
# --------------------------------------------------------
# ``groups`` records whose windows the encoder sees. The audit then checks that they are not
# people of the study.

import matplotlib.pyplot as plt
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from physio_ssl import HeadClassifier, SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import (
    LinearProbe,
    audit_confounds,
    label_efficiency,
    leave_subjects_out,
    make_baselines,
)
from physio_ssl.leakage import audit_leakage
from physio_ssl.plotting import (
    ConfoundsDisplay,
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    SubjectConfusionDisplay,
    SubjectScoresDisplay,
)
from physio_ssl.preprocessing import wristband_preprocessor

preprocessor = wristband_preprocessor(duration=60)
unlabelled = preprocessor.make_windows(simulate_wristband(20, random_state=1))
encoder = SSLEncoder(max_epochs=4, random_state=0)
encoder.fit(unlabelled.X, groups=[f"other/{subject}" for subject in unlabelled.groups])

cohort = simulate_wristband(8, random_state=0)
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(cohort, step=30, labels=labels)
windows.info.head(3)

# %%
# The models
# ----------
# A frozen encoder embeds each window once for the whole study. ``make_baselines`` returns what it
# has to beat. It computes hand-crafted features from the recordings as they are: at 4 Hz the
# pulse has no beats left.

frozen = FrozenEstimator(encoder)
models = {
    "encoder, linear": make_pipeline(frozen, LinearProbe()),
    "encoder, head": make_pipeline(frozen, HeadClassifier(min_steps=50)),
}
baselines = make_baselines(windows, cohort, models=models, n_seeds=2)
transductive = "each signal is z-scored over its recording"

# %%
# Few labelled people
# -------------------
# Some people are drawn, all their windows are labelled, and the draw is repeated.

shown = ["clock", "hand-crafted", "encoder, linear, untrained"]
curve = label_efficiency(
    models,
    windows,
    n_subjects=[1, 2, 4, "all"],
    n_repeats=2,
    transductive=transductive,
    baselines={name: baselines[name] for name in shown},
)
LabelEfficiencyDisplay.from_results(curve)
plt.show()

# %%
# All labels
# ----------
# A study prints the scores of all models and baselines, and what the embedding adds to features.

study = leave_subjects_out(models, windows, transductive=transductive, baselines=baselines)
print(study)

# %%
# Each line is one person: means hide that some gain and others lose.

SubjectScoresDisplay.from_results(study)
plt.show()

# %%
# The differences, paired by person. With eight people, hardly any is certain.

others = ["clock", "hand-crafted", "encoder, linear, untrained"]
study.compare("encoder, linear", others)[["other", "difference", "low", "high", "p_holm"]]

# %%
# Whom does it fail on, and how?

SubjectConfusionDisplay.from_results(study, "encoder, linear")
plt.show()

# %%
# What else tells the classes?
# ----------------------------
# The time in the recording does if rest always comes first. These people take turns, so it tells
# nothing, and windows of different people at the same time differ as much as all windows do.

confounds = audit_confounds(windows, recordings=cohort, embedding=encoder, results=study)
print(confounds.verdict)
ConfoundsDisplay.from_report(confounds)
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
