"""SSLClassifier: a head on a frozen, a fine-tuned or an untrained encoder."""

import copy
from contextlib import nullcontext
from math import ceil
from os import PathLike

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
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochTimer, PassthroughScoring
from skorch.dataset import Dataset, ValidSplit

from ._check import check_windows
from ._training import ProgressBar, WarmupDecay, WindowNetMixin
from .containers import SignalDict
from .encoder import SSLEncoder
from .networks import ClassificationHead, NetworkWithHead
from .persistence import load_encoder

_MODES = ("frozen", "fine_tuned", "supervised")

_PUBLISHED = {
    "optimizer": torch.optim.SGD,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 5e-7,
    "callbacks__lr_schedule": None,
    "min_steps": 0,
    "encoder_lr": None,
    "module__standardize": False,
}
#: Training settings of Wu, Daoudi & Amad (2023) on each of their data sets, to be given as
#: ``SSLClassifier(encoder, **PUBLISHED_SETTINGS["wesad"])``.
PUBLISHED_SETTINGS = {
    "wesad": {**_PUBLISHED, "lr": 1e-4, "batch_size": 128, "max_epochs": 20},
    "case": {**_PUBLISHED, "lr": 1e-3, "batch_size": 64, "max_epochs": 64},
    "k_emocon": {**_PUBLISHED, "lr": 1e-3, "batch_size": 64, "max_epochs": 64},
}


class SSLClassifier(WindowNetMixin, NeuralNetClassifier):
    """Classify windows with a small head on an encoder.

    A skorch net that is a scikit-learn classifier. The three modes are those of the paper's
    tables: *frozen*, only the head is trained; *fine-tuned*, head and pre-trained network
    are trained; *supervised*, both are trained from random values.

    Parameters
    ----------
    encoder : SSLEncoder, FrozenEstimator, str or path, or "precomputed", default=None
        An ``SSLEncoder`` is pre-trained in ``fit``, without labels, on the windows given to
        it; None stands for one with its defaults. ``FrozenEstimator(encoder)`` is one that was
        pre-trained before, ideally on other people; in mode "frozen", any transformer of
        windows to features will do. A path, or name, is that of ``load_encoder``.
        "precomputed", in mode "frozen", says that ``X`` holds embeddings already.
        In mode "supervised" only the encoder's settings are used, never its weights or seed.
    mode : {"frozen", "fine_tuned", "supervised"}, default="frozen"
        What is trained on the labels. A frozen encoder embeds each window once, without
        dropout (in the paper's code its dropout stays on).
    module : class, default=ClassificationHead
        The head, built with the arguments ``module__...``; ``n_features`` and
        ``n_classes`` are filled in.
    max_epochs : int, default=20
        Passes over the windows.
    min_steps : int, default=200
        Where so few windows are labelled that ``max_epochs`` passes have fewer training
        steps, passes are added until they have so many.
    lr : float, default=1e-3
        Learning rate of the first batch; it falls in a line to 0 at the last one.
        ``callbacks__lr_schedule__warmup=0.06`` lets it rise before, in that share of all
        steps; ``callbacks__lr_schedule=None`` keeps it constant.
    encoder_lr : float or None, default=1e-4
        Learning rate of the encoder's network in mode "fine_tuned", lower than that of the
        new head, so that few labels do not undo the pre-training; None stands for ``lr``.
    linear_probe_first : bool, default=False
        Whether, in mode "fine_tuned", the head is first trained alone on the frozen network, as
        in mode "frozen", so that a head of random values does not undo the pre-training [1]_.
        The network is then fine-tuned without its dropout, too: the head does not know it.
    batch_size : int, default=32
        Windows per training step. Batches differ by at most one window in size.
    optimizer : class, default=torch.optim.Adam
        Optimiser, with the arguments ``optimizer__...``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, as in scikit-learn.
    early_stopping : int or None, default=None
        Stop once the loss on held-out *training* subjects has not fallen for so many
        passes, and go back to the best pass. Needs ``fit(X, y, groups=groups)``.
    validation_fraction : float, default=0.2
        Share of the training subjects to hold out where ``early_stopping``.
    random_state : int, RandomState instance or None, default=None
        Seed of initial values, batches and dropout; of the encoder, too, where it has none.
    device : str, default="cpu"
        Where to compute, e.g. "cuda".
    n_threads : int, default=1
        Threads of PyTorch on the CPU while ``fit`` trains, as in ``SSLEncoder``.
    precision : {"float32", "bfloat16"}, default="float32"
        Of what the module computes while ``fit`` trains, as in ``SSLEncoder``.
    train_split : callable or None, default=None
        Another way to hold out windows, as in skorch; not beside ``early_stopping``.
    callbacks : list of skorch callbacks, default=None
        More callbacks.
    verbose : int, default=0
        Whether to show a progress bar.
    **kwargs
        Arguments ``module__...``, ``optimizer__...`` and those of
        ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    encoder_ : SSLEncoder or other transformer
        The encoder used; in mode "fine_tuned" the fine-tuned copy. Not there for embeddings.
    groups_seen_ : ndarray or None
        The subjects trained on, where ``fit`` was told ``groups``.
    module_ : torch.nn.Module
        The trained head, or network with head.
    history_ : skorch.history.History
        Loss per pass, and on held-out subjects.
    n_features_in_ : int
        Samples per window; only where fitted on one array of two dimensions.

    Notes
    -----
    Several targets, such as valence and arousal, take one model each:
    ``sklearn.multioutput.MultiOutputClassifier(SSLClassifier(...))``.

    On an encoder fitted with ``module__modality_dropout`` above 0, ``fit`` and ``predict``
    take windows that lack some of the encoder's modalities. In modes "fine_tuned" and
    "supervised", without ``linear_probe_first``, modalities are dropped in ``fit``, and the head
    learns to do without them. A head on a frozen encoder learns from the windows that it is
    given: give ``fit`` windows that lack the same modalities as those to predict.

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
    >>> classifier = SSLClassifier(encoder, mode="fine_tuned", min_steps=5, random_state=0)
    >>> classifier.fit(X, ["rest", "stress"] * 4).predict_proba(X).shape
    (8, 2)
    """

    _built_by = ("module", "encoder", "mode")

    def __init__(
        self,
        encoder=None,
        mode="frozen",
        *,
        module=ClassificationHead,
        max_epochs=20,
        min_steps=200,
        lr=1e-3,
        encoder_lr=1e-4,
        linear_probe_first=False,
        batch_size=32,
        optimizer=torch.optim.Adam,
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
        self.encoder = encoder
        self.mode = mode
        self.min_steps = min_steps
        self.encoder_lr = encoder_lr
        self.linear_probe_first = linear_probe_first
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_threads = n_threads
        self.precision = precision
        super().__init__(
            module,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            optimizer=optimizer,
            device=device,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            criterion=kwargs.pop("criterion", torch.nn.CrossEntropyLoss),
            **kwargs,
        )

    # What users call

    def fit(self, X, y, groups=None):
        """Train on labelled windows.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows; or embeddings, of shape (n_windows, n_features).
        y : array-like of shape (n_windows,)
            Labels, integers or strings.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window; needed for ``early_stopping``.

        Returns
        -------
        self
        """
        self.initialized_ = False  # should a check fail, no mixture of fits is left
        self._check_settings(groups)
        check_consistent_length(X, y, groups)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_inferred_, y = np.unique(y, return_inverse=True)
        if len(self.classes_inferred_) < 2:
            raise ValueError(
                f"SSLClassifier needs two classes or more, but {len(y)} windows hold one class "
                f"or none: {', '.join(map(repr, self.classes_inferred_.tolist())) or 'none'}."
            )
        self.groups_seen_ = None if groups is None else np.unique(groups)
        self._prepare_encoder(X, groups)
        inputs = self._inputs(X)
        self._weigh_classes(y)
        if self.mode == "frozen":
            self._n_features = inputs["embedding"].shape[2]
        n_batches = max(1, ceil(len(inputs) / self.batch_size))
        self.n_epochs_ = max(self.max_epochs, ceil(self.min_steps / n_batches))
        params = {} if groups is None else {"groups": np.asarray(groups)}
        with self._reproducible():
            self.initialize()
            if self.mode == "fine_tuned" and self.linear_probe_first:
                self._start_from_trained_head(X, self.classes_inferred_[y], groups)
            super().partial_fit(inputs, y, epochs=self.n_epochs_, **params)
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

    # The encoder and the inputs

    def _check_settings(self, groups):
        if self.mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {self.mode!r}.")
        if self._precomputed and self.mode != "frozen":
            raise ValueError(
                "Precomputed embeddings leave nothing but the head to train: mode must be "
                f"'frozen', got {self.mode!r}."
            )
        if self.early_stopping is None:
            return
        if self.train_split is not None:
            raise ValueError("Give early_stopping or train_split, not both.")
        if groups is None or len(np.unique(groups)) < 2:
            raise ValueError(
                "early_stopping holds out training subjects: call fit(X, y, groups=groups) "
                f"with two subjects at least, got {groups if groups is None else 'one'}."
            )

    @property
    def _precomputed(self):
        return isinstance(self.encoder, str) and self.encoder == "precomputed"

    def _prepare_encoder(self, X, groups):
        """Set ``encoder_``: pre-trained, loaded, copied or new, as the mode asks."""
        if self._precomputed:
            check_windows(X, self, reset=True)
            return
        encoder = SSLEncoder() if self.encoder is None else self.encoder
        if isinstance(encoder, (str, PathLike)):
            encoder = FrozenEstimator(load_encoder(encoder))
        trained = isinstance(encoder, FrozenEstimator)
        if trained:
            check_is_fitted(encoder)
            encoder = encoder.estimator
        if not isinstance(encoder, SSLEncoder) and not (trained and self.mode == "frozen"):
            raise TypeError(
                f"Mode {self.mode!r} needs an SSLEncoder, or a FrozenEstimator around a "
                f"fitted one, got {encoder!r}."
            )
        if self.mode == "supervised":
            if isinstance(encoder.module, torch.nn.Module):
                raise ValueError(
                    "Mode 'supervised' starts from random values, but the encoder's module is "
                    "a network with values: give its class, with arguments module__..."
                )
            # Of its fit, only the scaling of channels and the random weights are left.
            self.encoder_ = self._seeded(clone(encoder).set_params(max_epochs=0, random_state=None))
            self.encoder_.fit(X, groups=groups)
        elif not trained:
            self.encoder_ = self.make_encoder().fit(X, groups=groups)
        elif self.mode == "frozen":
            self.encoder_ = encoder
        else:
            # A copy: folds must not share weights.
            self.encoder_ = copy.deepcopy(encoder)
            self.encoder_.remember_groups(groups, anew=False)
        if hasattr(self.encoder_, "n_features_in_"):
            self.n_features_in_ = self.encoder_.n_features_in_

    def make_encoder(self):
        """Return the encoder that ``fit`` would pre-train, seeded and not yet fitted."""
        return self._seeded(SSLEncoder() if self.encoder is None else clone(self.encoder))

    def _seeded(self, encoder):
        if encoder.random_state is None and self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            encoder.set_params(random_state=seed)
        return encoder

    def _inputs(self, X):
        """Return what the module sees: windows, or in mode "frozen" embeddings."""
        if self.mode != "frozen":
            return self.encoder_.check_signals(X)
        embedding = check_windows(X, self) if self._precomputed else self.encoder_.transform(X)
        if np.ndim(embedding) != 2:
            raise ValueError(
                "Embeddings must have the shape (n_windows, n_features), got "
                f"{np.shape(embedding)}."
            )
        return SignalDict(embedding=np.asarray(embedding, dtype=np.float32))

    def _start_from_trained_head(self, X, y, groups):
        frozen = clone(self).set_params(encoder=FrozenEstimator(self.encoder_), mode="frozen")
        frozen.fit(X, y, groups=groups)
        self.module_.head.load_state_dict(frozen.module_.state_dict())

    def _encode(self, y):
        """Turn labels of held-out windows into numbers of classes."""
        y = np.asarray(y)
        unknown = np.setdiff1d(y, self.classes_inferred_)
        if len(unknown):
            raise ValueError(
                "Labels of held-out windows must be those of the training windows, "
                f"{', '.join(map(str, self.classes_inferred_))}, got "
                f"{', '.join(map(str, unknown))}."
            )
        return np.searchsorted(self.classes_inferred_, y)

    def _weigh_classes(self, y):
        self._class_weight = None
        if self.class_weight is not None:
            labels = self.classes_inferred_[y]
            self._class_weight = compute_class_weight(
                self.class_weight, classes=self.classes_inferred_, y=labels
            )

    # skorch's hooks

    def _set_training(self, training=True):
        super()._set_training(training)
        if self.mode == "fine_tuned" and self.linear_probe_first:
            self.module_.network.eval()

    def initialize_module(self):
        """Build the head, on the network unless that is frozen."""
        kwargs = {"n_classes": len(self.classes_inferred_), **self.get_params_for("module")}
        if self.mode == "frozen":
            self.module_ = self.module(n_features=self._n_features, **kwargs)
        else:
            network = self.encoder_.module_
            n_features = sum(network.embedding_size.values())
            self.module_ = NetworkWithHead(network, self.module(n_features=n_features, **kwargs))
        return self

    def initialize_criterion(self):
        """Build the loss, with the weights of the classes."""
        kwargs = self.get_params_for("criterion")
        if self._class_weight is not None:
            kwargs["weight"] = torch.as_tensor(self._class_weight, dtype=torch.float32)
        self.criterion_ = self.initialized_instance(self.criterion, kwargs)
        return self

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Put a pre-trained network in a group of parameters with its own learning rate."""
        named = list(named_parameters)
        if self.encoder_lr is None or self.mode != "fine_tuned":
            return super().get_params_for_optimizer(prefix, named)
        mine = [parameter for name, parameter in named if name.startswith("network.")]
        others = [(name, p) for name, p in named if not name.startswith("network.")]
        (groups,), kwargs = super().get_params_for_optimizer(prefix, others)
        return ([*groups, {"params": mine, "lr": self.encoder_lr}],), kwargs

    def get_split_datasets(self, X, y=None, **fit_params):
        """Hold out training subjects where there is early stopping."""
        if self.early_stopping is None:
            train, valid = super().get_split_datasets(X, y, **fit_params)
            if isinstance(valid, Dataset):  # of predefined_split, checked and encoded here
                valid = self.get_dataset(self._inputs(valid.X), self._encode(valid.y))
            return train, valid
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        split = GroupShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)
        return ValidSplit(split)(self.get_dataset(X, y), y, **fit_params)

    def check_data(self, X, y):
        """Do nothing: ``fit`` has checked the data."""

    def infer(self, x, **fit_params):
        """Score the classes for one batch; ``fit_params`` such as groups are not the module's."""
        with self._autocast() if self.module_.training else nullcontext():
            if self.mode == "frozen":
                scores = self.module_(x["embedding"][:, 0].to(self.device))
            else:
                signals = self.encoder_.scale_signals(x)
                scores = self.module_(**{name: s.to(self.device) for name, s in signals.items()})
        return scores.float()

    @property
    def _default_callbacks(self):
        callbacks = [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("lr_schedule", WarmupDecay()),
            ("progress_bar", ProgressBar("train")),
        ]
        if self.early_stopping is not None:
            patience = EarlyStopping(patience=self.early_stopping, load_best=True)
            callbacks.append(("early_stopping", patience))
        return callbacks

    # What scikit-learn asks for

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

    def __sklearn_is_fitted__(self):
        return self.initialized_ and super().__sklearn_is_fitted__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _hidden(self):
        raise AttributeError("SSLClassifier is trained by fit, once.")

    partial_fit = property(_hidden)
