"""
Does the embedding add anything to features?
============================================

Hand-crafted features are cheap and known. An embedding is worth its cost if it knows something
else. So ask two questions: which of them is better, and are both together better than the features?
"""

# %%
# Levels and shapes
# -----------------
# In these people, stress changes heart rate and pulse amplitude, which features see, and the
# direction of the pulse wave, which they do not.

import matplotlib.pyplot as plt
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, leave_subjects_out, make_baselines
from physio_ssl.networks import ResNet1d
from physio_ssl.plotting import SubjectScoresDisplay
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Resample, Standardize
from physio_ssl.pretext import TransformRecognition
from physio_ssl.transforms import TimeReverse

pulse = {"signals": ("bvp",), "effect": "both"}
corpus = simulate_wristband(24, random_state=1, **pulse)
cohort = simulate_wristband(12, random_state=0, **pulse)
steps = [BandpassFilter(0.5, 7, sampling_rate=None), Resample(None, 16), Standardize()]
preprocessor = Preprocessor({"bvp": steps}, {"bvp": 16}, duration=20)
unlabelled = preprocessor.make_windows(corpus, step=5, labels=StageLabels({"rest": 0}))
labels = StageLabels({"rest": 0, "stress": 1})
windows = preprocessor.make_windows(cohort, labels=labels)

encoder = SSLEncoder(
    ResNet1d,
    TransformRecognition([TimeReverse()]),
    module__widths=(16, 24, 32),
    max_epochs=6,
    batch_size=64,
    lr=2e-3,
    random_state=0,
)
encoder.fit(unlabelled.X, groups=[f"corpus/{subject}" for subject in unlabelled.groups])

# %%
# A study
# -------
# ``make_baselines`` computes features from the pulse as it was recorded, at 64 Hz, and repeats the
# model with random weights. The study also joins features and embedding, so that ``added_value``
# can compare.

models = {"embedding": make_pipeline(FrozenEstimator(encoder), LinearProbe())}
baselines = make_baselines(windows, cohort, models=models, n_seeds=2)
shown = ["hand-crafted", "embedding, untrained"]
study = leave_subjects_out(
    models,
    windows,
    transductive="z-scores per recording",
    baselines={name: baselines[name] for name in shown},
)
scores = study.summary("auroc").set_index("estimator")["mean"]
print(scores.round(2).to_string())

# %%
# Person by person
# ----------------

SubjectScoresDisplay.from_results(study)
plt.show()

# %%
# Added value
# -----------
# The macro-F1 of features alone, then with the embedding beside them. The difference is paired by
# person, and its interval is over people.

study.added_value()[["features", "with_embedding", "difference", "low", "high"]].round(3)

# %%
# Features are good here, as stress changes heart rate. The embedding is better, and together they
# are better than the features alone: it saw the shape, which they cannot. A model that scores as
# high as features but adds nothing to them has probably found heart rate again.
