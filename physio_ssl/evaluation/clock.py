"""Models of a few columns, such as the time, that predict people left out of the training."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

_MAX_FOLDS = 50  # beyond, one person hardly changes a model of a few columns


def predict_left_out(columns, y, subjects, random_state=0):
    """Predict each person by models of all others: cubic logistic regression and a forest.

    Parameters
    ----------
    columns : ndarray of shape (n_windows, n_columns)
        What the models see.
    y, subjects : ndarray of shape (n_windows,)
        Classes, and the person of each window. With more than 50 people, several are left out
        together.
    random_state : int, default=0
        Seed of the forest.

    Returns
    -------
    list of two ndarray, of shape (n_windows, n_classes)
        Probabilities of the sorted classes, by either model.
    """
    classes, n_people = np.unique(y), len(np.unique(subjects))
    models = _make_models(len(y), random_state)
    predicted = [np.zeros((len(y), len(classes))) for _ in models]
    folds = GroupKFold(min(n_people, _MAX_FOLDS)).split(columns, groups=subjects)
    for train, test in folds:
        learned = np.isin(classes, y[train])
        for model, probability in zip(models, predicted, strict=True):
            if learned.sum() == 1:
                probability[np.ix_(test, learned)] = 1
            else:
                model.fit(columns[train], y[train])
                probability[np.ix_(test, learned)] = model.predict_proba(columns[test])
    return predicted


def _make_models(n_windows, random_state):
    cubic = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(3, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    # Windows overlap: a leaf of a few windows may be one moment of one person.
    leaf = max(1, min(20, n_windows // 20))
    forest = RandomForestClassifier(15, min_samples_leaf=leaf, random_state=random_state)
    return cubic, forest
