"""FeaturePrediction: predict what a feature extractor makes of the clean window."""

import numpy as np
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from ._embedding_task import EmbeddingTask, count_features

_LARGEST = 5.0  # robust standard deviations, beyond which a target is an outlier


class FeaturePrediction(EmbeddingTask):
    """Predict the features of a clean window from a distorted view of it.

    The targets are what any scikit-learn transformer of windows makes of the undistorted
    windows: hand-crafted features, statistics of the channels, or the embedding of another
    encoder (``FrozenEstimator(encoder)``, distillation). A network that reads them from raw,
    distorted signals must find what they stand for in the signal, such as each heartbeat, and
    a linear probe of its embedding may know more than the features themselves.

    The targets are computed once, before training. Each is centred by its median, scaled by its
    interquartile range and clipped to 5 standard deviations of a normal distribution. A missing
    target (NaN) is left out of the loss, the mean smooth L1 error (squared up to 1, absolute
    beyond). The metric is the mean squared error.

    Parameters
    ----------
    transformer : transformer
        Fitted on the windows of ``fit``, as a clone. Windows are a ``SignalDict``, or an array if
        ``fit`` got one, as they were before the encoder's scaling.
    views : sequence of callables, or mapping from str to such, default=None
        Signal transforms that distort the windows of every modality, or of those that are named,
        one after the other, called as ``view(X, rng=rng)``. None means a random gain, noise,
        circular shift, zeroed span and, seldom, a change of sign.

    Attributes
    ----------
    transformer_ : transformer
        Fitted.
    center_, scale_ : list of float
        Median and scale of each target.

    Raises
    ------
    TypeError, ValueError
        In ``SSLEncoder.fit``, if ``transformer`` is none, or its features do not fit the windows.

    See Also
    --------
    RecordingContrast : Tell recordings apart.
    Combined : Several tasks on one network.
    StatisticsPrediction : Predict statistics of each channel.
    physio_ssl.HandcraftedFeatures : Features of the heart and of skin conductance.

    Notes
    -----
    A circular shift changes no heart rate, but the slope of a window. Choose views that keep
    what the features tell.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import ChannelStatistics, SSLEncoder
    >>> from physio_ssl.pretext import FeaturePrediction
    >>> from physio_ssl.transforms import GaussianNoise
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> task = FeaturePrediction(ChannelStatistics(), views=[GaussianNoise()])
    >>> SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit_transform(X).shape
    (8, 8)
    """

    def __init__(self, transformer, views=None):
        self.transformer = transformer
        self.views = views

    def make_targets(self, X, windows=None):
        """Return standardised features of each window, with NaN where they are missing."""
        X = X["signal"] if list(X) == ["signal"] else X
        if not hasattr(self, "transformer_"):
            if not hasattr(self.transformer, "transform"):
                raise TypeError(f"transformer must be a transformer, got {self.transformer!r}.")
            self.transformer_ = clone(self.transformer).fit(X, None)
        features = np.asarray(self.transformer_.transform(X), dtype=float)
        if features.ndim != 2 or len(features) != len(X) or not features.shape[1]:
            raise ValueError(
                f"transformer must give features of shape ({len(X)}, n_features), got "
                f"{features.shape}."
            )
        features[~np.isfinite(features)] = np.nan
        if not hasattr(self, "center_"):
            self._learn_scale(features)
        if len(self.center_) != features.shape[1]:
            raise ValueError(
                f"transformer must give {len(self.center_)} features, as in the first training, "
                f"got {features.shape[1]}."
            )
        scaled = (features - self.center_) / self.scale_
        return {"features": scaled.clip(-_LARGEST, _LARGEST).astype(np.float32)}

    def _learn_scale(self, features):
        known = np.isfinite(features).any(axis=0)
        if not known.any():
            raise ValueError("transformer must give some features that are not missing.")
        quartiles = np.full((3, features.shape[1]), np.nan)
        quartiles[:, known] = np.nanquantile(features[:, known], [0.25, 0.5, 0.75], axis=0)
        low, center, high = quartiles
        scale = (high - low) / 1.349  # the standard deviation of a normal distribution
        spread = np.full(len(scale), np.nan)
        spread[known] = np.nanstd(features[:, known], axis=0)
        # counts and fractions may have the same quartiles, but still vary
        scale = np.where(scale > 1e-6 * spread, scale, spread)
        self.center_ = np.nan_to_num(center).tolist()
        self.scale_ = np.where(scale > 1e-9 * np.abs(center), scale, 1.0).tolist()

    def make_heads(self, network):
        """Return one linear layer."""
        if not hasattr(self, "center_"):
            raise ValueError("FeaturePrediction must make its targets before its heads.")
        self.check_views()
        return nn.Linear(count_features(network), len(self.center_))

    def choose_targets(self, signals, targets):
        """Return the features of the batch."""
        return targets["features"]

    def embedding_loss(self, heads, embedding, target):
        """Return the mean smooth L1 error of the known targets, and the squared error."""
        predicted, known = heads(embedding).float(), target.isfinite()
        if not known.any():
            return predicted.sum() * 0.0, {"error_features": 0.0}
        predicted, target = predicted[known], target[known]
        error = F.mse_loss(predicted.detach(), target).item()
        return F.smooth_l1_loss(predicted, target), {"error_features": error}
