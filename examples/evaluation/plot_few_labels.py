"""
How far do a few labelled people go?
====================================

Recordings are cheap, labels are not. How does the score grow with the number of people who are
labelled, with and without pre-training on people who are not?
"""

# %%
# An encoder of other people
# --------------------------
# It learns to recognise pulses that run backwards, from people at rest. ``groups`` records whose
# windows it sees: the study below checks that they are not among its own people.

import matplotlib.pyplot as plt
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, label_efficiency, make_baselines
from physio_ssl.networks import ResNet1d
from physio_ssl.plotting import LabelEfficiencyDisplay
from physio_ssl.preprocessing import BandpassFilter, Preprocessor, Resample, Standardize
from physio_ssl.pretext import TransformRecognition
from physio_ssl.transforms import TimeReverse

pulse = {"signals": ("bvp",), "effect": "shape"}
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
# Draw people, label them, test on others
# ---------------------------------------
# :func:`~physio_ssl.evaluation.label_efficiency` holds out each person, draws some of the others,
# labels all their windows, and repeats the draw. Beside the encoder run its network with the random
# weights of two seeds, and hand-crafted features, computed from the recordings as they are.

models = {"pre-trained": make_pipeline(FrozenEstimator(encoder), LinearProbe())}
baselines = make_baselines(windows, cohort, models=models, n_seeds=2)
shown = ["pre-trained, untrained", "hand-crafted"]
curve = label_efficiency(
    models,
    windows,
    n_subjects=[1, 2, 4, "all"],
    n_repeats=3,
    transductive="z-scores per recording",
    baselines={name: baselines[name] for name in shown},
)
LabelEfficiencyDisplay.from_results(curve)
plt.show()

# %%
# The same as numbers: the mean macro-F1 of people who were held out.

table = curve.summary("macro_f1")
print(table.pivot(index="estimator", columns="n_labelled_subjects", values="mean").round(2))

# %%
# With one labelled person, the pre-trained encoder is better than the untrained network with all
# eleven. More labelled people hardly help it, as what they could teach is known already. Features
# stay at chance, however many people are labelled: they cannot see this difference.
