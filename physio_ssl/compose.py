"""Estimators of one modality, applied to several."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.metaestimators import _BaseComposition, available_if
from sklearn.utils.validation import check_is_fitted

from ._check import (
    StatelessMixin,
    check_choice,
    check_list,
    check_windows,
    has_modalities,
)
from .containers import SignalDict, as_modalities


def _check_known(names, signals):
    """Raise if one of ``names`` is not a modality of ``signals``."""
    unknown = ", ".join(repr(name) for name in names if name not in signals)
    if unknown:
        raise ValueError(f"No modality {unknown}, only {', '.join(signals)}.")


class SelectModality(StatelessMixin, TransformerMixin, BaseEstimator):
    """Take the array of one modality out of several.

    Parameters
    ----------
    name : str
        Name of the modality. A plain array counts as one modality called ``"signal"``.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is no mapping of modalities, or lacks this one.

    See Also
    --------
    PerModality : Transform each modality.

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
        if not isinstance(self.name, str):
            raise TypeError(
                f"name must be the name of one modality, got {self.name!r}: for several, build a "
                "SignalDict of them, or use PerModality(..., remainder='drop')."
            )
        signals = as_modalities(X, self, reset=reset)
        _check_known([self.name], signals)
        return check_windows(signals[self.name]) if has_modalities(X) else signals[self.name]


def _all_name_their_features(estimator):
    """Return whether all modalities have transformers, which name their features."""
    transformers = getattr(estimator, "transformers_", None) or dict(estimator._pairs)
    names = transformers
    if estimator.remainder == "passthrough":
        names = getattr(estimator, "modalities_", transformers)
    return all(hasattr(transformers.get(name), "get_feature_names_out") for name in names)


class PerModality(TransformerMixin, _BaseComposition):
    """Apply one transformer to each modality.

    Parameters
    ----------
    transformers : mapping from str to transformer, or list of (str, transformer)
        Transformer of each modality; copies are fitted. Parameters are set as ``bvp__low``. A
        plain array counts as one modality called ``"signal"``.
    remainder : {"passthrough", "drop"}, default="passthrough"
        Whether the other modalities are kept as they are or left out.

    Attributes
    ----------
    modalities_ : list of str
        Names of the modalities seen in ``fit``, those of the remainder too.
    transformers_ : dict from str to transformer
        Fitted transformers, in the order of ``modalities_``.

    See Also
    --------
    SelectModality : Keep one modality.

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
        """The transformers as pairs, as scikit-learn's base class reads and sets them."""
        if isinstance(self.transformers, Mapping):
            return list(self.transformers.items())
        return self.transformers

    @_pairs.setter
    def _pairs(self, pairs):
        self.transformers = dict(pairs) if isinstance(self.transformers, Mapping) else pairs

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
        check_choice("remainder", self.remainder, ("passthrough", "drop"))
        if not isinstance(self.transformers, Mapping):
            check_list(self.transformers, "transformers", "a dict or a list of pairs", of=tuple)
        self._validate_names([name for name, _ in self._pairs])
        transformers, signals = dict(self._pairs), as_modalities(X, self, reset=True)
        _check_known(transformers, signals)
        self.transformers_ = {
            name: clone(transformers[name]).fit(signal, y)
            for name, signal in signals.items()
            if name in transformers
        }
        self.modalities_ = list(signals)
        return self

    def transform(self, X):
        """Transform the windows of the modalities seen in ``fit``.

        Returns
        -------
        SignalDict or ndarray
            Modalities in the order of ``fit``. If all transformers give features, of shape
            (n_windows, n_features), they are concatenated. A plain array gives an array.

        Raises
        ------
        ValueError
            If the modalities differ from those in ``fit``, or only some give features.
        """
        check_is_fitted(self)
        signals = as_modalities(X, self)
        if set(signals) != set(self.modalities_):
            expected, found = ", ".join(self.modalities_), ", ".join(signals)
            raise ValueError(f"The modalities must be those of fit, {expected}, got {found}.")
        transformed = {}
        for name in self.modalities_:
            if name in self.transformers_:
                transformed[name] = self.transformers_[name].transform(signals[name])
            elif self.remainder == "passthrough":
                transformed[name] = signals[name]
        if not has_modalities(X):
            return transformed["signal"]
        features = [name for name, array in transformed.items() if np.ndim(array) == 2]
        if not features:
            return SignalDict(transformed)
        if len(features) < len(transformed):
            raise ValueError(
                f"Got features of {', '.join(features)} only: give all modalities a transformer to "
                "features, or set remainder='drop'."
            )
        return np.hstack(list(transformed.values()))

    @available_if(_all_name_their_features)
    def get_feature_names_out(self, input_features=None):
        """Return the names of the features, after the modality and two underscores."""
        check_is_fitted(self)
        names = [
            f"{name}__{feature}"
            for name, transformer in self.transformers_.items()
            for feature in transformer.get_feature_names_out()
        ]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
