"""
How do I choose settings without looking at the test people?
============================================================

An encoder is a scikit-learn estimator, so ``GridSearchCV`` can search its settings. With
``LeaveOneGroupOut`` each candidate is judged on a person that it has not seen. The best score of a
search is too good all the same: it is the best of several. So test on people whom the search did
not see.
"""

# %%
# People to choose with, and people to test on
# --------------------------------------------

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import SSLEncoder, StageLabels
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import wristband_preprocessor
from physio_ssl.pretext import StatisticsPrediction

preprocessor = wristband_preprocessor(duration=30, modalities=("eda", "temp"))
labels = StageLabels({"rest": 0, "stress": 1})
people = simulate_wristband(14, signals=("eda", "temp"), n_blocks=2, random_state=0)
known = preprocessor.make_windows(people[:6], labels=labels)
unseen = preprocessor.make_windows(people[6:], labels=labels)

# %%
# Search
# ------
# The encoder is pre-trained in each fold, on training people only. ``memory=`` of the pipeline
# would save trainings that differ in nothing but the classifier.

model = Pipeline(
    [
        ("encoder", SSLEncoder(pretext=StatisticsPrediction(), module__d_model=16, random_state=0)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=2000, class_weight="balanced")),
    ]
)
grid = {"encoder__max_epochs": [0, 5], "classify__C": [0.001, 0.1, 10]}
search = GridSearchCV(model, grid, cv=LeaveOneGroupOut(), scoring="balanced_accuracy")
search.fit(known.X, known.y, groups=known.groups)
table = pd.DataFrame(search.cv_results_)
print(table[["param_encoder__max_epochs", "param_classify__C", "mean_test_score"]].round(3))

# %%
# Test
# ----
# Each grey point at the right is one of eight people whom the search did not see.

predicted = search.predict(unseen.X)
scores = [
    balanced_accuracy_score(unseen.y[rows], predicted[rows])
    for rows in (unseen.groups == person for person in pd.unique(unseen.groups))
]
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for epochs, part in table.groupby("param_encoder__max_epochs"):
    ax.semilogx(
        part["param_classify__C"].astype(float),
        part["mean_test_score"],
        "o-",
        label=f"{epochs} epochs",
    )
ax.plot([40] * len(scores), scores, "o", color="0.75")
ax.plot(40, sum(scores) / len(scores), "D", color="C3", label="best, on unseen people")
ax.set(xlabel="C of the logistic regression", ylabel="balanced accuracy")
ax.legend()
plt.show()
print(search.best_params_)
print(f"in the search {search.best_score_:.2f}, on unseen people {sum(scores) / len(scores):.2f}")

# %%
# The score of the search is higher than that of unseen people. Part of this is chance, as people
# differ much and there are few. Part is the choice: the best of six candidates may have been lucky
# as well as good. Report the score of the people whom the search did not see.
#
# :func:`~physio_ssl.evaluation.leave_subjects_out` does both at once, with ``search=``: each person
# is tested with settings that were chosen on the others.
