"""LinearProbe: logistic regression whose regularisation is chosen within the training people."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._check import check_count

_LIMIT = 5.0  # standard deviations


class LinearProbe(ClassifierMixin, BaseEstimator):
    """Logistic regression on features, with the regularisation chosen within the training people.

    Missing values become the column's median, columns are standardised, and clipped at five
    standard deviations: what is nearly constant in few training people may lie a hundred away in
    others. Where columns come in blocks, e.g. five features beside an embedding of 64 numbers,
    each block is divided by the square root of its number of columns, so that a wide block does
    not drown a narrow one. The inverse regularisation ``C`` is the value with the lowest log loss,
    classes balanced, on training people that were held out.

    Parameters
    ----------
    widths : tuple of int, default=None
        Number of columns of each block. None means that all columns are one block.
    C : tuple of float, default=(0.01, 0.1, 1.0, 10.0, 100.0)
        Values to choose from. Without groups, or with one, the middle one is taken.
    cv : int, default=5
        Number of folds of the choice, by group; at most the number of groups.
    max_iter : int, default=1000
        Iterations of the solver, at most.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
        The chosen value of ``C``.
    n_iter_ : ndarray of int
        Iterations of the solver in the last fit.

    See Also
    --------
    make_baselines : Baselines that end in this classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.evaluation import LinearProbe
    >>> rng = np.random.default_rng(0)
    >>> X, groups = rng.normal(size=(60, 4)), np.repeat([1, 2, 3], 20)
    >>> probe = LinearProbe().fit(X, X[:, 0] > 0, groups=groups)
    >>> probe.C_
    10.0
    """

    def __init__(self, widths=None, C=(0.01, 0.1, 1.0, 10.0, 100.0), cv=5, max_iter=1000):
        self.widths = widths
        self.C = C
        self.cv = cv
        self.max_iter = max_iter

    def fit(self, X, y, groups=None):
        """Choose ``C`` and fit.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_features)
            Features; NaN where missing.
        y : array-like of shape (n_windows,)
            Classes.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the widths do not add up to the number of columns, ``C`` is not a tuple of positive
            numbers, or ``y`` has fewer than two classes.
        """
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=np.float64)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least two classes, got one class: {self.classes_}.")
        widths = (X.shape[1],) if self.widths is None else tuple(self.widths)
        whole = all(isinstance(width, Integral) and width > 0 for width in widths)
        if not whole or sum(widths) != X.shape[1]:
            raise ValueError(f"widths must add up to {X.shape[1]} columns, got {widths}.")
        candidates = np.sort(np.asarray(self.C, dtype=float), axis=None)
        if np.ndim(self.C) != 1 or not len(candidates) or not candidates[0] > 0:
            raise ValueError(f"C must be a tuple of positive numbers, got {self.C!r}.")
        check_count(self.cv, "cv", 2)
        self.C_ = self._choose(X, y, groups, widths, candidates)
        self.scaler_ = _make_scaler(widths).fit(X)
        self.classifier_ = self._make_classifier(self.C_).fit(self.scaler_.transform(X), y)
        self.n_iter_ = self.classifier_.n_iter_
        return self

    def _choose(self, X, y, groups, widths, candidates):
        """Return the value of C with the lowest loss on held-out groups."""
        n_groups = 0 if groups is None else len(np.unique(groups))
        middle = float(candidates[len(candidates) // 2])
        if n_groups < 2 or len(candidates) == 1:
            return middle
        losses = []
        for train, test in GroupKFold(min(self.cv, n_groups)).split(X, y, groups):
            if len(np.unique(y[train])) < len(self.classes_):
                continue  # a class that only the group held out has
            scaler = _make_scaler(widths).fit(X[train])
            known, new = scaler.transform(X[train]), scaler.transform(X[test])
            weight = compute_sample_weight("balanced", y[test])
            classifier, path = self._make_classifier(middle).set_params(warm_start=True), []
            for value in candidates:
                classifier.set_params(C=value).fit(known, y[train])
                predicted = classifier.predict_proba(new)
                path.append(
                    log_loss(y[test], predicted, sample_weight=weight, labels=self.classes_)
                )
            losses.append(path)
        return float(candidates[np.mean(losses, axis=0).argmin()]) if losses else middle

    def _make_classifier(self, C):
        return LogisticRegression(C=C, class_weight="balanced", max_iter=self.max_iter)

    def decision_function(self, X):
        """Return the scores of windows, as ``LogisticRegression`` does."""
        X = self._scale(X)
        return self.classifier_.decision_function(X)

    def predict_proba(self, X):
        """Return probabilities of the classes, of shape (n_windows, n_classes)."""
        X = self._scale(X)
        return self.classifier_.predict_proba(X)

    def predict(self, X):
        """Return the most probable class of each window."""
        X = self._scale(X)
        return self.classifier_.predict(X)

    def _scale(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, ensure_all_finite="allow-nan", dtype=np.float64, reset=False)
        return self.scaler_.transform(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _make_scaler(widths):
    """Return the steps that fill, standardise and weight the columns."""
    factors = np.concatenate([np.full(width, width**-0.5) for width in widths])
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(_clip_and_weight, kw_args={"factors": factors}),
    )


def _clip_and_weight(X, factors):
    return X.clip(-_LIMIT, _LIMIT) * factors
