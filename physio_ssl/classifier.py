"""SSLClassifier: an encoder's network trained together with a head."""

import copy

import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from skorch.dataset import Dataset

from .encoder import SSLEncoder
from .head_classifier import HeadClassifier
from .training import ClassificationModel, add_groups

_MODES = ("fine_tuned", "supervised")


class FineTuning:
    """Train an encoder's network together with a head: what both estimators that do it share.

    A mixin, listed before the estimator that trains the head alone, which ``_head_net`` names.
    """

    _head_net = HeadClassifier

    def __init__(
        self,
        encoder=None,
        mode="fine_tuned",
        *,
        encoder_lr=1e-4,
        linear_probe_first=False,
        **kwargs,
    ):
        self.encoder = encoder
        self.mode = mode
        self.encoder_lr = encoder_lr
        self.linear_probe_first = linear_probe_first
        super().__init__(**kwargs)

    def pretrain(self, X, groups=None):
        """Return an unfitted copy whose encoder is pre-trained on windows and frozen.

        There is nothing to pre-train for ``mode="supervised"`` or a frozen encoder.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window.

        Returns
        -------
        SSLClassifier or SSLRegressor
        """
        pretrained = clone(self)
        if self.mode == "supervised" or isinstance(self.encoder, FrozenEstimator):
            return pretrained
        return pretrained.set_params(encoder=FrozenEstimator(self._pretrain(X, groups)))

    def _pretrain(self, X, groups):
        encoder = SSLEncoder() if self.encoder is None else clone(self.encoder)
        return self._seed(encoder).fit(X, groups=groups)

    def _seed(self, encoder):
        """Give an encoder without a seed one."""
        if encoder.random_state is None and self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            encoder.set_params(random_state=seed)
        return encoder

    def _check_settings(self, groups):
        super()._check_settings(groups)
        if self.mode not in _MODES:
            raise ValueError(
                f"mode must be one of {', '.join(_MODES)}, got {self.mode!r}; a frozen encoder "
                f"goes in front of a {self._head_net.__name__}."
            )
        encoder = self.encoder
        if isinstance(encoder, FrozenEstimator):
            check_is_fitted(encoder)
            encoder = encoder.estimator
        if encoder is not None and not isinstance(encoder, SSLEncoder):
            raise TypeError(f"encoder must be an SSLEncoder, fitted if frozen, got {encoder!r}.")
        has_weights = isinstance(getattr(encoder, "module", None), torch.nn.Module)
        if self.mode == "supervised" and has_weights:
            raise ValueError("mode='supervised' needs the class of the network, not an instance.")

    def _start(self, X, groups):
        """Set ``encoder_``, the network's start, and return the windows, checked."""
        given = getattr(self.encoder, "estimator", self.encoder)
        if self.mode == "supervised":
            # Only the scaling of channels and the random weights of this fit are used.
            encoder = SSLEncoder() if given is None else clone(given)
            self._seed(encoder.set_params(max_epochs=0, random_state=None))
            self.encoder_ = encoder.fit(X, groups=groups)
        elif isinstance(self.encoder, FrozenEstimator):
            self.encoder_ = copy.deepcopy(given)  # folds must not share weights
            self.encoder_.groups_seen_ = add_groups(given.groups_seen_, groups)
        else:
            self.encoder_ = self._pretrain(X, groups)
        self.encoder_.device = self.device
        self.encoder_.module_.to(self.device)
        if hasattr(self.encoder_, "n_features_in_"):
            self.n_features_in_ = self.encoder_.n_features_in_
        return self._inputs(X)

    def _inputs(self, X):
        return self.encoder_.check_windows(X)

    def _warm_up(self, X, y, groups, weight):
        if not self._probes_first:
            return
        params = self.get_params(deep=False)
        for own in ("encoder", "mode", "encoder_lr", "linear_probe_first"):
            del params[own]
        probe = clone(self._head_net(**params))
        if self.train_split is not None:
            probe.train_split = self._split_embedding
        probe.fit(self.encoder_.transform(X), y, groups=groups, sample_weight=weight)
        self.module_.head.load_state_dict(probe.module_.state_dict())

    def _split_embedding(self, dataset, y=None, **fit_params):
        """Split as ``train_split``, and embed the windows of ``predefined_split``."""
        train, valid = self.train_split(dataset, y, **fit_params)
        if isinstance(valid, Dataset):
            valid = Dataset(self.encoder_.transform(valid.X), valid.y)
        return train, valid

    @property
    def _probes_first(self):
        return self.linear_probe_first and self.mode == "fine_tuned"

    def initialize_module(self):
        """Build the head on the encoder's network."""
        parts = self.encoder_.module_
        head = self._build_head(sum(parts.network.embedding_size.values()))
        self.module_ = ClassificationModel(parts.scaler, parts.network, head)
        return self

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Put a pre-trained network in a parameter group with its own learning rate."""
        named = list(named_parameters)
        if self.encoder_lr is None or self.mode != "fine_tuned":
            return super().get_params_for_optimizer(prefix, named)
        network = [p for name, p in named if name.startswith("network.")]
        others = [(name, p) for name, p in named if not name.startswith("network.")]
        (groups,), kwargs = super().get_params_for_optimizer(prefix, others)
        return ([*groups, {"params": network, "lr": self.encoder_lr}],), kwargs

    def _set_training(self, training=True):
        super()._set_training(training)
        if self._probes_first:
            self.module_.network.eval()

    def _score(self, inputs):
        return self.module_(**inputs)

    def set_params(self, **params):
        """Set parameters, also those of the encoder, as ``encoder__module__d_model``."""
        if "encoder" in params:  # first, as the others refer to it
            super().set_params(encoder=params.pop("encoder"))
        # skorch would take these for parameters of its own.
        inner = [name for name in params if name.startswith("encoder__")]
        if inner:
            if not hasattr(self.encoder, "set_params"):
                raise ValueError(f"{inner[0]} needs an encoder, got encoder={self.encoder!r}.")
            self.encoder.set_params(
                **{name.removeprefix("encoder__"): params.pop(name) for name in inner}
            )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class SSLClassifier(FineTuning, HeadClassifier):
    """Train an encoder's network together with a head on labelled windows.

    *Fine-tuned*, it trains head and pre-trained network; *supervised*, both start from random
    weights. To keep an encoder *frozen*, put it in front of any classifier in a pipeline.

    Parameters
    ----------
    encoder : SSLEncoder or FrozenEstimator, default=None
        An ``SSLEncoder`` is pre-trained in ``fit``, without labels, on the windows given to
        ``fit``; None means one with default settings. ``FrozenEstimator(encoder)`` is one
        that was pre-trained before, ideally on other people. With ``mode="supervised"`` only
        the encoder's settings are used, never its weights or seed.
    mode : {"fine_tuned", "supervised"}, default="fine_tuned"
        Where training starts: from the pre-trained network, or from random weights.
    encoder_lr : float or None, default=1e-4
        Learning rate of the pre-trained network; None means ``lr``.
    linear_probe_first : bool, default=False
        Whether to train the head alone first, on the frozen network, so that a random head
        does not distort the pre-trained network [1]_. The network is then fine-tuned
        without its dropout, which the head was not trained with. Only for "fine_tuned".
    **kwargs
        Parameters of ``HeadClassifier``, such as ``head``, ``max_epochs``, ``lr`` or
        ``random_state``, which is also the seed of an encoder that has none.

    Attributes
    ----------
    encoder_ : SSLEncoder
        The fine-tuned copy of the encoder; it shares its network with ``module_``.
    module_ : torch.nn.Module
        The trained model, with the parts ``scaler``, ``network`` and ``head``.
    classes_, groups_seen_, history_
        As in ``HeadClassifier``.
    n_features_in_ : int
        As in ``SSLEncoder``.

    See Also
    --------
    HeadClassifier : Train a head on a frozen encoder.
    SSLRegressor : The same for continuous targets.

    Notes
    -----
    Several targets, such as valence and arousal, need one model each:
    ``sklearn.multioutput.MultiOutputClassifier(SSLClassifier(...))``.

    With an encoder fitted with ``module__modality_dropout`` above 0, ``fit`` and ``predict``
    take windows that lack some modalities. Unless ``linear_probe_first``, modalities are
    dropped during ``fit`` too, so that the head learns to do without them.

    References
    ----------
    Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
    learning for wearable emotion recognition", IEEE Transactions on Affective Computing
    15(1), 2024.

    .. [1] A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang, "Fine-tuning can distort
       pretrained features and underperform out-of-distribution", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLClassifier, SSLEncoder
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> encoder = SSLEncoder(max_epochs=1, module__d_model=8)
    >>> classifier = SSLClassifier(encoder, min_steps=5, random_state=0)
    >>> classifier.fit(X, ["rest", "stress"] * 4).predict_proba(X).shape
    (8, 2)
    """
