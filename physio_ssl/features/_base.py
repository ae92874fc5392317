"""What all features of windows have in common."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .. import functional
from ..containers import SignalDict, as_modalities


def compute_slope(X, sampling_rate):
    """Return the least-squares slope per second along the last axis, 0 for one sample."""
    times = (np.arange(X.shape[-1]) - (X.shape[-1] - 1) / 2) / sampling_rate
    # a sum and not a matrix product: BLAS rounds a row differently in another batch
    return (X * times).sum(axis=-1) / max((times**2).sum(), np.finfo(float).tiny)


def centre(X):
    """Return the mean and the standard deviation of each channel, and what is above the mean."""
    # rounding would leave a constant window a spread of about 1e-16, and any skewness
    constant = functional.is_constant(X)
    mean = np.where(constant, X[..., 0], X.mean(axis=-1))
    centred = np.where(constant[..., np.newaxis], 0, X - mean[..., np.newaxis])
    return mean, np.sqrt((centred**2).mean(axis=-1)), centred


class ChannelFeatures(TransformerMixin, BaseEstimator):
    """Base of transformers that compute features of each channel of each modality.

    Subclasses define ``_name_features(modality)``, a tuple of names, and
    ``_compute_features(signal, modality)``, from (n_windows, n_channels, n_times) to
    (n_windows, n_channels, n_features). Their ``fit`` calls ``_learn_channels``.

    The features of a window depend on no other window, so ``transform`` needs no ``fit``, which
    only fixes the modalities and channels that later windows must have.
    """

    def _learn_channels(self, X):
        """Learn the modalities and their numbers of channels, and return their arrays."""
        signals = SignalDict(as_modalities(X, self, reset=True, check=True))
        self.n_channels_ = {name: signal.shape[1] for name, signal in signals.items()}
        return signals

    def transform(self, X):
        """Compute the features of windows.

        Parameters
        ----------
        X : SignalDict, mapping from str to array, or array
            Windows, of shape (n_windows, n_channels, n_times) or (n_windows, n_times).

        Returns
        -------
        ndarray of float64, of shape (n_windows, n_features)
            Features by modality, then by channel, as ``get_feature_names_out`` names them.

        Raises
        ------
        ValueError
            If modalities or numbers of channels are not those of ``fit``, if it was called.
        """
        if not hasattr(self, "n_channels_"):
            return clone(self).fit(X).transform(X)
        signals = SignalDict(as_modalities(X, self, check=True))
        received = {name: signal.shape[1] for name, signal in signals.items()}
        if received != self.n_channels_:
            raise ValueError(f"Channels must be those of fit, {self.n_channels_}, got {received}.")
        batches = gen_batches(len(signals), 256)  # only to bound the memory
        return np.concatenate([self._compute(signals[rows]) for rows in batches])

    def get_feature_names_out(self, input_features=None):
        """Name the features: ``bvp_heart_rate``, or ``acc_0_mean`` with several channels.

        ``input_features`` is ignored.
        """
        check_is_fitted(self)
        names = []
        for modality, n_channels in self.n_channels_.items():
            for channel in range(n_channels):
                prefix = f"{modality}_{channel}" if n_channels > 1 else modality
                names += [f"{prefix}_{feature}" for feature in self._name_features(modality)]
        return np.array(names, dtype=object)

    def _compute(self, signals):
        """Return the features of some windows, of shape (n_windows, n_features)."""
        features = []
        for name in self.n_channels_:
            if self._name_features(name):
                # contiguous, so that a sum over times is rounded alike in every batch
                signal = np.ascontiguousarray(signals[name], dtype=np.float64)
                computed = self._compute_features(signal, name)
                features.append(computed.reshape(len(signal), -1))
        return np.concatenate(features, axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        return tags
