"""How much do two published protocols flatter? The same models, scored three ways.

    python examples/published_protocols.py        # simulated people

As the code of Wu, Daoudi & Amad (2024), ``best_test_epoch`` keeps the epoch that is best *on the
held-out subject*; models are skorch classifiers, behind steps that are frozen or learn nothing. As
Vazquez-Rodriguez et al. (2022), ``shuffled_windows`` has *the same people on both sides*. Their
results say that they leak; ``leave_subjects_out`` gives the honest scores.
"""

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits

from physio_ssl import HeadClassifier, SSLClassifier, SSLEncoder, StageLabels, make_windows
from physio_ssl.datasets import simulate_wristband
from physio_ssl.evaluation import StudyResults, leave_subjects_out
from physio_ssl.evaluation.fold import derive_seed, find_unset_seeds, set_seeds
from physio_ssl.evaluation.metrics import score
from physio_ssl.leakage import LeakKind, audit_leakage


class EpochPredictions(Callback):
    """Predict the test windows after each epoch."""

    def __init__(self, X):
        self.X, self.probability_ = X, []

    def on_epoch_end(self, net, **kwargs):
        self.probability_.append(net.predict_proba(self.X))


def best_test_epoch(models, windows, *, transductive=False, random_state=0, n_jobs=None):
    """Hold out each subject, and keep the epoch with the best mean accuracy of its batches."""
    report = audit_leakage(windows, models=models, transductive=transductive)
    report.add_leak(LeakKind.EPOCHS, "The epoch is the best one on the held-out subject.")
    folds = list(enumerate(LeaveOneGroupOut().split(windows.X, windows.y, windows.groups)))
    run = delayed(score_best_epoch)
    records = Parallel(n_jobs)(
        run(name, models[name], windows, *fold, random_state) for name in models for fold in folds
    )
    used = {"transductive": transductive, "random_state": random_state, "audit": report.to_dict()}
    return StudyResults(records, {"protocol": "best_test_epoch", **used})


@threadpool_limits.wrap(1)  # the same bits, whatever n_jobs
def score_best_epoch(name, model, windows, fold, split, random_state):
    """Train on one side of a split, and return the record of the best epoch on the other.

    ``accuracy_by_epoch`` is that of all epochs, in order; the last one is not chosen on the test
    subject.
    """
    (train, test), X, y, groups = split, windows.X, windows.y, windows.groups
    model = clone(model)
    set_seeds(model, find_unset_seeds(model), derive_seed(random_state, fold, 0))
    *steps, (_, net) = getattr(model, "steps", [("net", model)])
    for _, step in steps:
        X = step.transform(X)
    epochs = EpochPredictions(X[test])
    net.set_params(callbacks=[*(net.callbacks or []), epochs])
    net.fit(X[train], y[train], groups=groups[train])
    batches = range(net.batch_size, len(test), net.batch_size) if net.batch_size > 0 else []
    right = [net.classes_[p.argmax(axis=1)] == y[test] for p in epochs.probability_]
    accuracies = [np.mean([part.mean() for part in np.split(some, batches)]) for some in right]
    best, classes = int(np.argmax(accuracies)), np.unique(y)
    probability = np.zeros((len(test), len(classes)))
    probability[:, np.searchsorted(classes, net.classes_)] = epochs.probability_[best]
    scores = score(y[test], classes[probability.argmax(axis=1)], probability, classes)
    scores |= {"accuracy": float(accuracies[best]), "epoch": best + 1}
    scores["accuracy_by_epoch"] = [float(accuracy) for accuracy in accuracies]
    return {"estimator": name, "fold": fold, "subject": str(groups[test][0]), **scores}


def shuffled_windows(models, windows, *, random_state=0, **settings):
    """Split windows at random into ten folds, and score each fold as if it was a subject."""
    folds = KFold(10, shuffle=True, random_state=random_state).split(windows.y)
    settings |= {"random_state": random_state, "on_leak": "record", "baselines": False}
    study = leave_subjects_out(models, windows, cv=folds, **settings)
    parts, records = {}, []
    for record in study.records:
        parts.setdefault((record["estimator"], record["fold"]), []).append(record["predictions"])
    for (name, fold), some in parts.items():
        joined = {key: sum((part[key] or [] for part in some), []) for key in some[0]}
        true, probability = windows.y[joined["row"]], joined["probability"] or None
        scores = score(true, joined["predicted"], probability, np.unique(windows.y))
        records.append({"estimator": name, "fold": fold, "subject": f"fold {fold}", **scores})
    return StudyResults(records, {**study.protocol, "protocol": "shuffled_windows"})


if __name__ == "__main__":
    settings = {"n_blocks": 2, "stage_duration": 60, "signals": ("eda", "temp")}
    others, people = (simulate_wristband(n, random_state=n, **settings) for n in (8, 5))
    encoder = SSLEncoder(max_epochs=2, random_state=0).fit(make_windows(others, 10).X)
    windows = make_windows(people, 10, labels=StageLabels({"rest": 0, "stress": 1}))
    frozen = make_pipeline(FrozenEstimator(encoder), HeadClassifier(max_epochs=5))
    tuned = SSLClassifier(FrozenEstimator(encoder), max_epochs=5, min_steps=0)
    models = {"frozen": frozen, "fine-tuned": tuned}
    for run in (leave_subjects_out, best_test_epoch, shuffled_windows):
        settings = {"baselines": False} if run is leave_subjects_out else {}
        study = run(models, windows, **settings)
        accuracy = study.summary("accuracy").set_index("estimator")["mean"]
        print(f"{run.__name__:20}", accuracy.to_dict())
