"""Windows and models of the tests of studies."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from physio_ssl import SignalDict, Windows

SUBJECTS = [f"S{i}" for i in range(5)]
GROUPS = np.repeat(SUBJECTS, 12)
Y = np.tile(["rest", "rest", "stress"], 20)


def make_signals(seed=0):
    rng = np.random.default_rng(seed)
    amplitude = np.where(Y == "stress", 2.0, 0.7)[:, np.newaxis, np.newaxis]
    return SignalDict(
        bvp=amplitude * rng.normal(size=(60, 1, 64)), eda=rng.normal(5, 1, size=(60, 1, 40))
    )


def table(X, y=Y, groups=GROUPS, **columns):
    return Windows(X, pd.DataFrame({"subject": groups, "label": y, **columns}))


FEATURES = table(np.random.default_rng(0).normal(size=(60, 4)) + (Y == "stress")[:, np.newaxis])
SIGNALS = table(make_signals())
ROWS = np.random.default_rng(0).normal(size=(60, 2))
ROWS[:, 0] = np.arange(60)
ROWS = table(ROWS)


def linear():
    return LogisticRegression(max_iter=1000)


def flatten(X):
    return np.hstack([array[:, 0] for array in X.values()])


def numbers(results):
    """All records without the time they took."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in results.records]


def accuracies(results):
    return [record["accuracy"] for record in results.records]


class Watched(ClassifierMixin, BaseEstimator):
    """Writes down the rows that it is fitted on and asked about; X holds row numbers."""

    seen = []

    def __init__(self, guess=0):
        self.guess = guess

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Watched.seen.append(("fit", np.sort(X[:, 0]).astype(int)))
        return self

    def predict(self, X):
        Watched.seen.append(("predict", X[:, 0].astype(int)))
        return np.repeat(self.classes_[:1], len(X))


class Encoder(TransformerMixin, BaseEstimator):
    """Stands for an SSLEncoder; writes down what it is fitted on, and how much it embeds."""

    learns_without_labels = True
    fits, embedded = [], []

    def __init__(self, size=3):
        self.size = size

    def fit(self, X, y=None, groups=None):
        Encoder.fits.append((len(X), y, None if groups is None else set(groups)))
        self.groups_seen_ = None if groups is None else np.unique(groups)
        return self

    def transform(self, X):
        Encoder.embedded.append(len(X))
        return flatten(X)[:, : self.size]


class Tuned(ClassifierMixin, BaseEstimator):
    """Stands for an SSLClassifier: a classifier with an encoder inside."""

    def __init__(self, encoder=None, mode="fine_tuned"):
        self.encoder = encoder
        self.mode = mode

    def pretrain(self, X, groups=None):
        encoder = FrozenEstimator(clone(self.encoder).fit(X, groups=groups))
        return clone(self).set_params(encoder=encoder)

    def fit(self, X, y, groups=None):
        encoder = self.encoder
        if not isinstance(encoder, FrozenEstimator):
            encoder = clone(encoder).fit(X, groups=groups)
        self.model_ = linear().fit(encoder.transform(X), y)
        self.encoder_, self.classes_ = encoder, self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self.encoder_.transform(X))
