"""
Could a clock do this?
======================

In many studies rest comes first and stress second, for everybody. Then whatever drifts with time
tells the classes: a sensor that warms up, sweat under the electrodes, tired people. A model that
scores well may have learned no more than a clock knows.
"""

# %%
# Two cohorts without any effect
# ------------------------------
# Stress changes nothing in these people. In the first cohort the order is drawn for each person. In
# the second rest always comes first, while the skin warms up and sweats under the band.

import matplotlib.pyplot as plt
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from physio_ssl import ChannelStatistics, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import LinearProbe, audit_confounds, leave_subjects_out, make_baselines
from physio_ssl.plotting import ConfoundsDisplay
from physio_ssl.preprocessing import wristband_preprocessor

labels = StageLabels({"rest": 0, "stress": 1})
preprocessor = wristband_preprocessor(duration=30, modalities=("eda", "temp"))


def study(confound):
    people = simulate_wristband(
        16,
        n_blocks=1,
        stage_duration=300,
        signals=("eda", "temp"),
        effect=None,
        confound=confound,
        random_state=0,
    )
    windows = preprocessor.make_windows(people, labels=labels)
    models = {"statistics": make_pipeline(ChannelStatistics(), LinearProbe())}
    clock = {"clock": make_baselines(windows)["clock"]}
    results = leave_subjects_out(
        models,
        windows,
        cv=GroupKFold(4),
        baselines=clock,
        added_value=False,
        transductive="z-scores per recording",
    )
    return people, windows, results


results = {}
for confound in (None, "order"):
    people, windows, results[confound] = study(confound)
    table = results[confound].summary("auroc").set_index("estimator")["mean"]
    print(f"confound={confound!r:8} " + "  ".join(f"{k} {v:.2f}" for k, v in table.items()))

# %%
# With a fixed order the model looks good without any effect of stress, and the clock does even
# better. So a study runs a clock beside each model. Where the order is drawn, the clock falls below
# one half: if few of the people held out begin with stress, many of the others do.
#
# What else tells the classes?
# ----------------------------
# :func:`~physio_ssl.evaluation.audit_confounds` asks this of time, order, the person, signal
# quality and more. Those in colour tell the classes without any physiology.

report = audit_confounds(windows, recordings=people, results=results["order"])
ConfoundsDisplay.from_report(report)
plt.show()

# %%
print(report.verdict)

# %%
# No analysis repairs such a study, as no two windows at the same time differ in class. The remedy
# is the protocol: let half of the people begin with stress, or repeat the stages.
