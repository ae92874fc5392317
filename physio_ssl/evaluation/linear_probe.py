"""Linear models of features whose regularisation is chosen within the training people."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._check import check_count, check_list, check_positive, check_weight

_LIMIT = 5.0  # standard deviations


class _Probe(BaseEstimator):
    """Scale features, choose a regularisation on training people held out, and fit.

    ``_penalty`` is the name of the parameter to choose from.
    """

    def fit(self, X, y, groups=None, sample_weight=None):
        """Choose the regularisation and fit.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_features)
            Features; NaN where missing.
        y : array-like of shape (n_windows,)
            Classes, or numbers for a regressor.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window.
        sample_weight : array-like of shape (n_windows,), default=None
            Weight of each window. Windows of weight 0 are left out; else, medians that replace
            missing values count each window alike.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the widths do not add up to the number of columns, the values to choose from are
            not a tuple of positive numbers, ``y`` has fewer than two classes, or weights are
            negative or all zero.
        """
        how = {"ensure_all_finite": "allow-nan", "dtype": np.float64}
        X, y = validate_data(self, X, y, y_numeric=is_regressor(self), **how)
        check_consistent_length(X, groups)
        weight = check_weight(sample_weight, len(X), "sample_weight")
        if weight is not None:
            used = np.flatnonzero(weight)
            X, y, weight = X[used], y[used], weight[used]
            groups = None if groups is None else np.asarray(groups)[used]
        self._check_target(y)
        widths = (X.shape[1],) if self.widths is None else tuple(check_list(self.widths, "widths"))
        whole = all(isinstance(width, Integral) and width > 0 for width in widths)
        if not whole or sum(widths) != X.shape[1]:
            raise ValueError(f"widths must add up to {X.shape[1]} columns, got {widths}.")
        given = getattr(self, self._penalty)
        candidates = [given] if isinstance(given, Real) else check_list(given, self._penalty)
        candidates = np.sort([check_positive(value, self._penalty) for value in candidates])
        if not len(candidates):
            raise ValueError(f"{self._penalty} must hold a positive number, got {given!r}.")
        chosen = self._choose(X, y, groups, weight, widths, candidates)
        setattr(self, f"{self._penalty}_", chosen)
        self.scaler_ = _fit_scaler(X, weight, widths)
        self.model_ = self._make_model(chosen)
        self.model_.fit(self.scaler_.transform(X), y, sample_weight=self._weigh(y, weight))
        return self

    def _check_target(self, y):
        """Note the classes; a regressor takes any numbers."""

    def _can_learn(self, y):
        """Whether a fold of the choice may train on these."""
        return True

    def _weigh(self, y, weight):
        """Return the weights in the fit and in the loss."""
        return weight

    def _choose(self, X, y, groups, weight, widths, candidates):
        """Return the value of the penalty with the lowest loss on held-out groups."""
        n_groups = 0 if groups is None else len(np.unique(groups))
        middle = float(candidates[len(candidates) // 2])
        if n_groups < 2 or len(candidates) == 1:
            return middle
        check_count(self.cv, "cv", 2)
        losses = []
        for train, test in GroupKFold(min(self.cv, n_groups)).split(X, y, groups):
            if not self._can_learn(y[train]):
                continue
            of_known, of_new = (None if weight is None else weight[fold] for fold in (train, test))
            scaler = _fit_scaler(X[train], of_known, widths)
            known, new = scaler.transform(X[train]), scaler.transform(X[test])
            of_known, of_new = self._weigh(y[train], of_known), self._weigh(y[test], of_new)
            model, path = self._make_model(middle), []
            for value in candidates:
                model.set_params(**{self._penalty: value})
                model.fit(known, y[train], sample_weight=of_known)
                path.append(self._measure_loss(model, new, y[test], of_new))
            losses.append(path)
        return float(candidates[np.mean(losses, axis=0).argmin()]) if losses else middle

    def predict(self, X):
        """Return the most probable class, or the number, of each window."""
        X = self._scale(X)
        return self.model_.predict(X)

    def _scale(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, ensure_all_finite="allow-nan", dtype=np.float64, reset=False)
        return self.scaler_.transform(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class LinearProbe(ClassifierMixin, _Probe):
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
    C : float or tuple of float, default=(0.01, 0.1, 1.0, 10.0, 100.0)
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

    Raises
    ------
    ValueError
        In ``fit``, if ``y`` holds fewer than two classes.

    See Also
    --------
    LinearProbeRegressor : The same for continuous targets.
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

    _penalty = "C"

    def __init__(self, widths=None, C=(0.01, 0.1, 1.0, 10.0, 100.0), cv=5, max_iter=1000):
        self.widths = widths
        self.C = C
        self.cv = cv
        self.max_iter = max_iter

    def _check_target(self, y):
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least two classes, got one class: {self.classes_}.")

    def _can_learn(self, y):
        return len(np.unique(y)) == len(self.classes_)  # a class may be in the held-out group only

    def _make_model(self, C):
        return LogisticRegression(C=C, max_iter=self.max_iter, warm_start=True)

    def _weigh(self, y, weight):
        """Return weights by which all classes count alike."""
        classes, codes = np.unique(y, return_inverse=True)
        total = np.bincount(codes, weight)
        balanced = (total.sum() / (len(classes) * total))[codes]
        return balanced if weight is None else balanced * weight

    def _measure_loss(self, model, X, y, weight):
        return log_loss(y, model.predict_proba(X), sample_weight=weight, labels=self.classes_)

    @property
    def n_iter_(self):
        """Iterations of the solver in the last fit."""
        return self.model_.n_iter_

    def decision_function(self, X):
        """Return the scores of windows, as ``LogisticRegression`` does."""
        X = self._scale(X)
        return self.model_.decision_function(X)

    def predict_proba(self, X):
        """Return probabilities of the classes, of shape (n_windows, n_classes)."""
        X = self._scale(X)
        return self.model_.predict_proba(X)


class LinearProbeRegressor(RegressorMixin, _Probe):
    """Ridge regression on features, with the regularisation chosen within the training people.

    The sibling of ``LinearProbe`` for continuous targets: missing values, scaling and blocks of
    columns are treated alike. The regularisation ``alpha`` is the value with the lowest mean
    squared error on training people that were held out.

    Parameters
    ----------
    widths : tuple of int, default=None
        Number of columns of each block. None means that all columns are one block.
    alpha : float or tuple of float, default=(0.1, 1.0, 10.0, 100.0, 1000.0)
        Values to choose from. Without groups, or with one, the middle one is taken.
    cv : int, default=5
        Number of folds of the choice, by group; at most the number of groups.

    Attributes
    ----------
    alpha_ : float
        The chosen value of ``alpha``.

    See Also
    --------
    LinearProbe : The same for classes.
    make_baselines : Baselines that end in this regressor.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.evaluation import LinearProbeRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, groups = rng.normal(size=(60, 4)), np.repeat([1, 2, 3], 20)
    >>> probe = LinearProbeRegressor().fit(X, 70 + 5 * X[:, 0], groups=groups)
    >>> probe.alpha_
    0.1
    """

    _penalty = "alpha"

    def __init__(self, widths=None, alpha=(0.1, 1.0, 10.0, 100.0, 1000.0), cv=5):
        self.widths = widths
        self.alpha = alpha
        self.cv = cv

    def _make_model(self, alpha):
        return Ridge(alpha)

    def _measure_loss(self, model, X, y, weight):
        return mean_squared_error(y, model.predict(X), sample_weight=weight)


def _fit_scaler(X, weight, widths):
    """Return the steps that fill, standardise and weight the columns, fitted."""
    factors = np.concatenate([np.full(width, width**-0.5) for width in widths])
    steps = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(_clip_and_weight, kw_args={"factors": factors}),
    )
    return steps.fit(X, standardscaler__sample_weight=weight)


def _clip_and_weight(X, factors):
    return X.clip(-_LIMIT, _LIMIT) * factors
