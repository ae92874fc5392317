"""How much do two published protocols flatter? The same models, scored three ways.

    python examples/published_protocols.py        # simulated people

``best_test_epoch`` scores as the code of Wu, Daoudi & Amad (2024) does: it keeps the epoch that is
best *on the held-out subject*. ``shuffled_windows`` splits as Vazquez-Rodriguez et al. (2022) do:
ten folds over shuffled windows, *with the same people on both sides*. Both return StudyResults,
which say that they leak; ``leave_subjects_out`` gives the honest scores to compare them with.
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
from physio_ssl.evaluation.fold import derive_seed, set_random_states
from physio_ssl.evaluation.metrics import score
from physio_ssl.leakage import LeakKind, audit_leakage


class EpochPredictions(Callback):
    """Predict the test windows after each epoch."""

    def __init__(self, X):
        self.X = X

    def on_train_begin(self, net, **kwargs):
        self.probability_ = []

    def on_epoch_end(self, net, **kwargs):
        self.probability_.append(net.predict_proba(self.X))


def best_test_epoch(models, windows, *, transductive=False, random_state=0, n_jobs=None):
    """Hold out each subject, and keep the epoch with the best accuracy on that subject.

    ``models`` maps names to skorch classifiers, behind steps that are frozen or learn nothing.
    ``accuracy`` is the mean of the batches' accuracies, as in the authors' code.
    """
    report = audit_leakage(windows, models=models, transductive=transductive)
    report.add_leak(LeakKind.EPOCHS, "The epoch is the best one on the held-out subject.")
    folds = list(enumerate(LeaveOneGroupOut().split(windows.X, windows.y, windows.groups)))
    records = Parallel(n_jobs=n_jobs)(
        delayed(score_best_epoch)(
            name, model, windows, *fold, derive_seed(random_state, fold[0], 0)
        )
        for name, model in models.items()
        for fold in folds
    )
    protocol = {"protocol": "best_test_epoch", "transductive": transductive}
    return StudyResults(
        records, {**protocol, "random_state": random_state, "audit": report.to_dict()}
    )


def score_best_epoch(name, model, windows, fold, split, seed):
    """Train on one side of a split, and return the record of the best epoch on the other."""
    (train, test), X, y, groups = split, windows.X, windows.y, windows.groups
    model = set_random_states(clone(model), seed)
    *steps, (_, net) = getattr(model, "steps", [("net", model)])
    with threadpool_limits(1):  # the same bits, whatever n_jobs
        for _, step in steps:
            X = step.transform(X)
        epochs = EpochPredictions(X[test])
        net.set_params(callbacks=[*(net.callbacks or []), epochs])
        net.fit(X[train], y[train], groups=groups[train])
    size = net.batch_size if net.batch_size > 0 else len(test)
    batches = [slice(start, start + size) for start in range(0, len(test), size)]
    accuracies = []
    for probability in epochs.probability_:
        right = net.classes_[probability.argmax(axis=1)] == y[test]
        accuracies.append(np.mean([right[batch].mean() for batch in batches]))
    best = int(np.argmax(accuracies))
    classes, probability = np.unique(y), epochs.probability_[best]
    scores = np.zeros((len(test), len(classes)))
    scores[:, np.searchsorted(classes, net.classes_)] = probability
    predicted = net.classes_[probability.argmax(axis=1)]
    return {
        **{"estimator": name, "fold": fold, "subject": str(groups[test][0])},
        **score(y[test], predicted, scores, classes),
        **{"accuracy": float(accuracies[best]), "epoch": best + 1},
    }


def shuffled_windows(models, windows, *, random_state=0, **settings):
    """Split windows at random into ten folds, and score each fold as a whole.

    ``settings`` are those of ``leave_subjects_out``. Folds take the place of subjects.
    """
    folds = KFold(10, shuffle=True, random_state=random_state).split(windows.y)
    settings = {**settings, "on_leak": "record", "keep_predictions": True}
    study = leave_subjects_out(models, windows, cv=folds, random_state=random_state, **settings)
    classes, parts = np.unique(windows.y), {}
    for record in study.records:
        parts.setdefault((record["estimator"], record["fold"]), []).append(record["predictions"])
    records = []
    for (name, fold), some in parts.items():
        rows, predicted = (sum((part[key] for part in some), []) for key in ("row", "predicted"))
        has_scores = all(part["probability"] is not None for part in some)
        scores = np.concatenate([p["probability"] for p in some]) if has_scores else None
        record = {"estimator": name, "fold": fold, "subject": f"fold {fold}"}
        records.append(record | score(windows.y[rows], predicted, scores, classes))
    return StudyResults(records, {**study.protocol, "protocol": "shuffled_windows"})


def main():
    labels = StageLabels({"rest": 0, "stress": 1})
    settings = {"n_blocks": 2, "stage_duration": 60, "signals": ("eda", "temp")}
    others, people = (simulate_wristband(n, random_state=n, **settings) for n in (8, 5))
    encoder = SSLEncoder(max_epochs=2, random_state=0).fit(make_windows(others, 10).X)
    windows = make_windows(people, 10, labels=labels)
    frozen = FrozenEstimator(encoder)
    models = {
        "frozen": make_pipeline(frozen, HeadClassifier(max_epochs=5)),
        "fine-tuned": SSLClassifier(frozen, max_epochs=5, min_steps=0),
    }
    results = {
        "unseen people, last epoch": leave_subjects_out(models, windows),
        "best epoch on the test person": best_test_epoch(models, windows),
        "shuffled windows": shuffled_windows(models, windows),
    }
    for name, study in results.items():
        print(f"{name:30}", study.summary("accuracy").set_index("estimator")["mean"].to_dict())


if __name__ == "__main__":
    main()
