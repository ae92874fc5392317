"""Classifiers: a head on features, and a network with a head."""

import copy
from contextlib import nullcontext
from math import ceil

import numpy as np
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import Dataset, ValidSplit

from .containers import SignalDict
from .encoder import SSLEncoder
from .networks import ClassificationHead
from .training import ClassificationModel, WindowNet, add_groups, never

_MODES = ("fine_tuned", "supervised")


class HeadClassifier(WindowNet, NeuralNetClassifier):
    """Classify features, such as embeddings, with a small neural network.

    A skorch net that is a scikit-learn classifier. Behind any transformer of windows it trains
    the head while the transformer stays as it is:
    ``make_pipeline(FrozenEstimator(encoder), HeadClassifier())``.

    Parameters
    ----------
    head : class, default=ClassificationHead
        The head, built with the arguments ``head__...``; ``n_features`` and ``n_classes`` are
        filled in.
    max_epochs : int, default=20
        Epochs of training.
    min_steps : int, default=200
        Smallest number of training steps. If ``max_epochs`` epochs have fewer, because few
        windows are labelled, epochs are added.
    lr : float, default=1e-3
        Initial learning rate; it decays linearly to 0 at the last step. See ``SSLEncoder``
        for ``callbacks__lr_schedule__...``.
    batch_size : int, default=32
        Windows per training step. Batches differ by at most one window in size.
    optimizer : class, default=torch.optim.Adam
        Optimizer, with the arguments ``optimizer__...``.
    criterion : class, default=torch.nn.CrossEntropyLoss
        Loss, with the arguments ``criterion__...``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, as in scikit-learn.
    early_stopping : int or None, default=None
        Number of epochs without a lower loss on held-out *training* subjects after which
        training stops and the best epoch is restored. Needs ``fit(X, y, groups=groups)``.
    validation_fraction : float, default=0.2
        Fraction of the training subjects to hold out for ``early_stopping``.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, batches and dropout.
    device : str, default="cpu"
        Where to compute, e.g. "cuda".
    n_threads : int, default=1
        Threads of PyTorch on the CPU during ``fit``, as in ``SSLEncoder``.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the computations during ``fit``, as in ``SSLEncoder``.
    train_split : callable or None, default=None
        Another way to hold out windows, as in skorch; not with ``early_stopping``.
    callbacks : list of skorch callbacks, default=None
        More callbacks.
    verbose : int, default=0
        Whether to show a progress bar.
    **kwargs
        Arguments ``head__...``, ``optimizer__...`` and those of
        ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    groups_seen_ : ndarray or None
        The subjects trained on, if ``fit`` was given ``groups``.
    module_ : torch.nn.Module
        The trained head.
    history_ : skorch.history.History
        Loss per epoch, and that on held-out windows.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    SSLClassifier : Train the network together with the head.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import HeadClassifier
    >>> X = np.random.default_rng(0).normal(size=(8, 3))
    >>> HeadClassifier(random_state=0).fit(X, ["rest", "stress"] * 4).predict_proba(X).shape
    (8, 2)
    """

    prefixes_ = [*NeuralNetClassifier.prefixes_, "head"]  # a list, to which skorch adds its own
    _built_by = ("head",)
    _not_parameters = ("module",)

    def __init__(
        self,
        head=ClassificationHead,
        *,
        max_epochs=20,
        min_steps=200,
        lr=1e-3,
        batch_size=32,
        optimizer=torch.optim.Adam,
        criterion=torch.nn.CrossEntropyLoss,
        class_weight=None,
        early_stopping=None,
        validation_fraction=0.2,
        random_state=None,
        device="cpu",
        n_threads=1,
        precision="float32",
        train_split=None,
        callbacks=None,
        verbose=0,
        **kwargs,
    ):
        self.head = head
        self.min_steps = min_steps
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_threads = n_threads
        self.precision = precision
        super().__init__(
            None,  # skorch's module: the head, alone or on a network
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            optimizer=optimizer,
            criterion=criterion,
            device=device,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            **kwargs,
        )

    def fit(self, X, y, groups=None):
        """Train on labelled windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_features)
            Features. For ``SSLClassifier`` a SignalDict, or an array of shape (n_windows,
            n_channels, n_times): windows.
        y : array-like of shape (n_windows,)
            Labels, integers or strings.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window; needed for ``early_stopping``.

        Returns
        -------
        self
        """
        self._forget()
        self._check_settings(groups)
        y = self._check_labels(X, y, groups)
        inputs = self._start(X, groups)
        self._class_weight = self._weigh_classes(y)
        n_batches = max(1, ceil(len(inputs) / self.batch_size))
        self.epochs_ = range(max(self.max_epochs, ceil(self.min_steps / n_batches)))
        params = {} if groups is None else {"groups": np.asarray(groups)}
        with self._reproducible():
            self.initialize()
            self._warm_up(X, y, groups)
            super().partial_fit(inputs, y, epochs=len(self.epochs_), **params)
        return self

    def predict_proba(self, X):
        """Return the probability of each class, of shape (n_windows, n_classes)."""
        check_is_fitted(self)
        scores = torch.from_numpy(self._infer_all(self._inputs(X)))
        return self._get_predict_nonlinearity()(scores).numpy()

    def predict(self, X):
        """Return the most probable class of each window."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    partial_fit = available_if(never)(NeuralNetClassifier.partial_fit)  # trained by fit, once

    # Labels and inputs

    def _check_settings(self, groups):
        if self.early_stopping is None:
            return
        if self.train_split is not None:
            raise ValueError("Give early_stopping or train_split, not both.")
        if groups is None or len(np.unique(groups)) < 2:
            raise ValueError(
                "early_stopping holds out training subjects: call fit(X, y, groups=groups) "
                f"with at least two subjects, got {groups if groups is None else 'one'}."
            )

    def _check_labels(self, X, y, groups):
        """Return the number of each label's class."""
        check_consistent_length(X, y, groups)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_inferred_, y = np.unique(y, return_inverse=True)
        if len(self.classes_inferred_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes or more, but {len(y)} windows hold one "
                f"class: {', '.join(map(repr, self.classes_inferred_.tolist())) or 'none'}."
            )
        self.groups_seen_ = None if groups is None else np.unique(groups)
        return y

    def _encode(self, y):
        """Return the number of each label's class, for held-out windows."""
        y = np.asarray(y)
        unknown = np.setdiff1d(y, self.classes_inferred_)
        if len(unknown):
            raise ValueError(
                "Held-out windows must have labels of the training windows, "
                f"{', '.join(map(str, self.classes_inferred_))}, got "
                f"{', '.join(map(str, unknown))}."
            )
        return np.searchsorted(self.classes_inferred_, y)

    def _weigh_classes(self, y):
        if self.class_weight is None:
            return None
        labels = self.classes_inferred_[y]
        return compute_class_weight(self.class_weight, classes=self.classes_inferred_, y=labels)

    def _start(self, X, groups):
        """Return what the module is trained on."""
        return self._inputs(X, reset=True)

    def _warm_up(self, X, y, groups):
        """Change the initial weights before training; the head alone has nothing to change."""

    def _inputs(self, X, reset=False):
        """Return what the module is called with, checked."""
        if isinstance(X, SignalDict) or getattr(X, "ndim", 2) == 3:
            raise ValueError(
                "HeadClassifier takes features, of shape (n_windows, n_features), got windows: put "
                "an encoder in front, make_pipeline(FrozenEstimator(encoder), HeadClassifier())."
            )
        X = validate_data(self, X, reset=reset, dtype=np.float32)
        return SignalDict(features=X)

    # skorch's hooks

    def initialize_module(self):
        """Build the head."""
        self.module_ = self._build_head(self.n_features_in_)
        return self

    def _build_head(self, n_features):
        kwargs = {"n_classes": len(self.classes_inferred_), **self.get_params_for("head")}
        return self.head(n_features=n_features, **kwargs)

    def initialize_criterion(self):
        """Build the loss, with the weights of the classes."""
        kwargs = self.get_params_for("criterion")
        if self._class_weight is not None:
            kwargs["weight"] = torch.as_tensor(self._class_weight, dtype=torch.float32)
        self.criterion_ = self.initialized_instance(self.criterion, kwargs)
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Hold out training subjects for early stopping."""
        if self.early_stopping is None:
            train, valid = super().get_split_datasets(X, y, **fit_params)
            if isinstance(valid, Dataset):  # of predefined_split, which fit has not checked
                valid = self.get_dataset(self._inputs(valid.X), self._encode(valid.y))
            return train, valid
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        split = GroupShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)
        return ValidSplit(split)(self.get_dataset(X, y), y, **fit_params)

    def infer(self, x, **fit_params):
        """Score the classes for one batch; ``fit_params`` such as groups are not for the module."""
        with self._autocast() if self.module_.training else nullcontext():
            scores = self._score({name: signal.to(self.device) for name, signal in x.items()})
        return scores.float()

    def _score(self, inputs):
        return self.module_(inputs["features"][:, 0])

    @property
    def _default_callbacks(self):
        if self.early_stopping is None:
            return super()._default_callbacks
        patience = EarlyStopping(patience=self.early_stopping, load_best=True)
        return [*super()._default_callbacks, ("early_stopping", patience)]


class SSLClassifier(HeadClassifier):
    """Train an encoder's network together with a head on labelled windows.

    There are three ways to classify with an encoder. *Frozen*: any classifier behind the
    encoder in a pipeline, e.g. ``HeadClassifier``. *Fine-tuned*: this class, in which head and
    pre-trained network are trained. *Supervised*: this class with ``mode="supervised"``, in
    which both start from random weights.

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
        Learning rate of the pre-trained network, lower than that of the new head, so that few
        labels do not undo the pre-training; None means ``lr``.
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
        Samples per window; only if fitted on one 2-D array.

    See Also
    --------
    HeadClassifier : Train a head on a frozen encoder.

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

        A study calls it once per fold, before it fits copies to few labels or searches
        parameters. There is nothing to pre-train for ``mode="supervised"`` or a frozen encoder.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window.

        Returns
        -------
        SSLClassifier
        """
        pretrained = clone(self)
        if self.mode == "supervised" or isinstance(self.encoder, FrozenEstimator):
            return pretrained
        return pretrained.set_params(encoder=FrozenEstimator(self._pretrain(X, groups)))

    def _pretrain(self, X, groups):
        encoder = SSLEncoder() if self.encoder is None else clone(self.encoder)
        return self._seed(encoder).fit(X, groups=groups)

    def _seed(self, encoder):
        """Give an encoder without a seed one of its own."""
        if encoder.random_state is None and self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            encoder.set_params(random_state=seed)
        return encoder

    def _check_settings(self, groups):
        super()._check_settings(groups)
        if self.mode not in _MODES:
            raise ValueError(
                f"mode must be one of {', '.join(_MODES)}, got {self.mode!r}; for a frozen "
                "encoder use make_pipeline(FrozenEstimator(encoder), HeadClassifier())."
            )
        encoder = self.encoder
        if isinstance(encoder, FrozenEstimator):
            check_is_fitted(encoder)
            encoder = encoder.estimator
        if encoder is not None and not isinstance(encoder, SSLEncoder):
            raise TypeError(
                "encoder must be an SSLEncoder, a FrozenEstimator around a fitted one, or None, "
                f"got {encoder!r}."
            )
        has_weights = isinstance(getattr(encoder, "module", None), torch.nn.Module)
        if self.mode == "supervised" and has_weights:
            raise ValueError(
                "mode='supervised' starts from random weights, but the encoder's module is a "
                "network with weights: give its class, with arguments module__..."
            )

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
        if hasattr(self.encoder_, "n_features_in_"):
            self.n_features_in_ = self.encoder_.n_features_in_
        return self._inputs(X)

    def _inputs(self, X):
        return self.encoder_.check_windows(X)

    def _warm_up(self, X, y, groups):
        if not self._probes_first:
            return
        own = ("encoder", "mode", "encoder_lr", "linear_probe_first")
        params = self.get_params(deep=False)
        probe = HeadClassifier(**{name: params[name] for name in params if name not in own})
        embedding = self.encoder_.transform(X)
        probe = clone(probe).fit(embedding, self.classes_inferred_[y], groups=groups)
        self.module_.head.load_state_dict(probe.module_.state_dict())

    @property
    def _probes_first(self):
        return self.linear_probe_first and self.mode == "fine_tuned"

    # skorch's hooks

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
        network = [parameter for name, parameter in named if name.startswith("network.")]
        others = [(name, p) for name, p in named if not name.startswith("network.")]
        (groups,), kwargs = super().get_params_for_optimizer(prefix, others)
        return ([*groups, {"params": network, "lr": self.encoder_lr}],), kwargs

    def _set_training(self, training=True):
        super()._set_training(training)
        if self._probes_first:
            self.module_.network.eval()

    def _score(self, inputs):
        return self.module_(**inputs)

    # scikit-learn's parameters

    def set_params(self, **params):
        """Set parameters, also those of the encoder, as ``encoder__module__d_model``."""
        if "encoder" in params:  # first, as the others refer to it
            super().set_params(encoder=params.pop("encoder"))
        # skorch would take these for parameters of its own.
        inner = [name for name in params if name.startswith("encoder__")]
        if inner:
            if not hasattr(self.encoder, "set_params"):
                raise ValueError(
                    f"{', '.join(inner)} needs an encoder to set it on, but encoder is "
                    f"{self.encoder!r}."
                )
            self.encoder.set_params(
                **{name.removeprefix("encoder__"): params.pop(name) for name in inner}
            )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
