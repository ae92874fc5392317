"""Estimators of one modality, put to work on several."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.metaestimators import _BaseComposition, available_if
from sklearn.utils.validation import check_is_fitted

from ._check import StatelessMixin, check_windows, has_modalities
from .containers import SignalDict, as_modalities

_REMAINDERS = ("passthrough", "drop")


def _check_known(names, signals):
    """Raise if one of ``names`` is not a modality of ``signals``."""
    unknown = [name for name in names if name not in signals]
    if unknown:
        note = "" if list(signals) != ["signal"] else " (as a plain array is called)"
        raise ValueError(
            f"No modality {', '.join(map(repr, unknown))}, only {', '.join(signals)}{note}."
        )


class SelectModality(StatelessMixin, TransformerMixin, BaseEstimator):
    """Take the array of one modality out of several.

    Parameters
    ----------
    name : str
        Name of the modality. A plain array counts as one modality called ``"signal"``.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SelectModality, SignalDict
    >>> X = SignalDict(bvp=np.zeros((5, 1, 3840)), eda=np.zeros((5, 1, 240)))
    >>> SelectModality("eda").fit_transform(X).shape
    (5, 1, 240)
    """

    def __init__(self, name):
        self.name = name

    def fit(self, X, y=None):
        """Check that the modality is there; nothing is learned."""
        self._select(X, reset=True)
        return self

    def transform(self, X):
        """Return the array of the modality, of shape (n_windows, n_channels, n_times)."""
        return self._select(X)

    def _select(self, X, reset=False):
        signals = as_modalities(X, self, reset=reset)
        _check_known([self.name], signals)
        if not has_modalities(X):
            return signals[self.name]
        return check_windows(signals[self.name], self, reset=reset)


def _all_name_their_features(estimator):
    transformers = getattr(estimator, "transformers_", None) or dict(estimator._pairs)
    modalities = getattr(estimator, "modalities_", transformers)
    passes = estimator.remainder == "passthrough" and set(modalities) > set(transformers)
    return not passes and all(
        hasattr(transformer, "get_feature_names_out") for transformer in transformers.values()
    )


class PerModality(TransformerMixin, _BaseComposition):
    """Apply one transformer to each modality.

    Parameters
    ----------
    transformers : mapping from str to transformer, or list of (str, transformer)
        Transformer of each modality; copies of them are fitted. Their parameters are
        reached as ``bvp__low``. A plain array counts as one modality called ``"signal"``.
    remainder : {"passthrough", "drop"}, default="passthrough"
        Whether the other modalities are kept as they are or left out.

    Attributes
    ----------
    transformers_ : dict from str to transformer
        Fitted transformers, in the order of the modalities seen in ``fit``.
    modalities_ : list of str
        Names of the modalities seen in ``fit``, those of the remainder too.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import PerModality, SignalDict
    >>> from physio_ssl.preprocessing import Detrend, Resample
    >>> X = SignalDict(bvp=np.zeros((5, 1, 3840)), eda=np.zeros((5, 1, 240)))
    >>> PerModality({"bvp": Resample(64, 4), "eda": Detrend()}).fit_transform(X)
    SignalDict(5 windows: bvp (1, 240), eda (1, 240))
    """

    def __init__(self, transformers, remainder="passthrough"):
        self.transformers = transformers
        self.remainder = remainder

    @property
    def _pairs(self):
        """The transformers as the list of pairs that scikit-learn's machinery wants."""
        if isinstance(self.transformers, Mapping):
            return list(self.transformers.items())
        return self.transformers

    @_pairs.setter
    def _pairs(self, pairs):
        kind = dict if isinstance(self.transformers, Mapping) else list
        self.transformers = kind(pairs)

    def get_params(self, deep=True):
        """Return the parameters, with those of the transformers if ``deep``."""
        return self._get_params("_pairs", deep=deep)

    def set_params(self, **params):
        """Set parameters, also those of the transformers, as ``bvp__low=0.5``."""
        if "transformers" in params:  # first, as the others refer to it
            self.transformers = params.pop("transformers")
        return self._set_params("_pairs", **params)

    def fit(self, X, y=None):
        """Fit a copy of each transformer on the windows of its modality."""
        if self.remainder not in _REMAINDERS:
            raise ValueError(
                f"remainder must be one of {', '.join(_REMAINDERS)}, got {self.remainder!r}."
            )
        pairs = self._pairs
        self._validate_names([name for name, _ in pairs])
        signals = as_modalities(X, self, reset=True)
        transformers = dict(pairs)
        _check_known(transformers, signals)
        self.transformers_ = {
            name: clone(transformers[name]).fit(signal, y)
            for name, signal in signals.items()
            if name in transformers
        }
        self.modalities_ = list(signals)
        return self

    def transform(self, X):
        """Transform the windows of each modality.

        Parameters
        ----------
        X : SignalDict or array of shape (n_windows, n_channels, n_times)
            Windows of the modalities seen in ``fit``.

        Returns
        -------
        SignalDict or ndarray
            A ``SignalDict`` in the order of the modalities in ``fit``. Where all
            transformers give features, of shape (n_windows, n_features), these side by
            side, in the same order. For a plain array, its transform.

        Raises
        ------
        ValueError
            If the modalities differ from those in ``fit``, or only some transformers
            give features.
        """
        check_is_fitted(self)
        signals = as_modalities(X, self)
        if set(signals) != set(self.modalities_):
            raise ValueError(
                "The modalities must be those seen in fit, "
                f"{', '.join(self.modalities_)}, got {', '.join(signals)}."
            )
        transformed = {
            name: self.transformers_[name].transform(signals[name])
            if name in self.transformers_
            else signals[name]
            for name in self.modalities_
            if name in self.transformers_ or self.remainder == "passthrough"
        }
        if not has_modalities(X):
            return transformed["signal"]
        n_dims = {name: np.ndim(array) for name, array in transformed.items()}
        if set(n_dims.values()) == {2}:
            return np.hstack(list(transformed.values()))
        if 2 in n_dims.values():
            features = [name for name, n_dim in n_dims.items() if n_dim == 2]
            raise ValueError(
                "Features and signals cannot be put side by side, got features of "
                f"{', '.join(features)} only: give each modality a transformer to "
                "features, or set remainder='drop'."
            )
        return SignalDict(transformed)

    @available_if(_all_name_their_features)
    def get_feature_names_out(self, input_features=None):
        """Return the names of the features, after the modality and two underscores."""
        check_is_fitted(self)
        return np.array(
            [
                f"{name}__{feature}"
                for name, transformer in self.transformers_.items()
                for feature in transformer.get_feature_names_out()
            ],
            dtype=object,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
