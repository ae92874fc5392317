"""HeadClassifier: a small neural network that classifies features."""

from contextlib import nullcontext
from math import ceil

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import (
    _safe_indexing,
    assert_all_finite,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import Dataset, ValidSplit

from ._check import check_callable, check_count, check_number, check_weight
from .containers import SignalDict
from .networks import ClassificationHead
from .training import EvenBatches, WindowDataset, WindowNet, never


class HeadNet(WindowNet):
    """Train a head on labels: what classifiers and regressors share.

    A mixin, listed before skorch's class. A subclass turns labels into what the loss compares.
    """

    prefixes_ = [*NeuralNet.prefixes_, "head"]  # a list, to which skorch adds its own
    _callables = ("head", "optimizer", "criterion")
    _built_by = ("head",)
    _not_parameters = ("module",)

    def fit(self, X, y, groups=None, sample_weight=None):
        """Train on labelled windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_features)
            Features; for ``SSLClassifier`` and ``SSLRegressor`` windows, as in
            ``SSLEncoder.fit``.
        y : array-like of shape (n_windows,)
            Labels of a classifier, integers or strings, or numbers for a regressor.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window; needed for ``early_stopping``.
        sample_weight : array-like of shape (n_windows,), default=None
            Weight of each window in the loss, which is the weighted mean over a batch. Windows
            of weight 0 are left out.

        Returns
        -------
        self
        """
        with self._fitting():
            check_consistent_length(X, y, groups)
            weight = check_weight(sample_weight, _num_samples(X), "sample_weight")
            if weight is not None and not weight.all():
                used, given = np.flatnonzero(weight), (X, y, groups, weight)
                X, y, groups, weight = (x if x is None else _safe_indexing(x, used) for x in given)
            self._check_settings(groups)
            self._loss_arguments = {} if weight is None else {"reduction": "none"}
            target, loss_weight = self._encode_labels(y, weight)
            self.groups_seen_ = None if groups is None else np.unique(groups)
            inputs = self._start(X, groups)
            n_batches = len(EvenBatches(len(inputs), self.batch_size, shuffle=True))
            self.epochs_ = range(max(self.max_epochs, ceil(self.min_steps / n_batches)))
            params = {} if groups is None else {"groups": np.asarray(groups)}
            dataset = WindowDataset(inputs, target, loss_weight=loss_weight)
            with self._reproducible():
                self.initialize()
                self._warm_up(X, y, groups, weight)
                super().partial_fit(dataset, target, epochs=len(self.epochs_), **params)
        return self

    partial_fit = available_if(never)(NeuralNet.partial_fit)  # trained by fit, once

    def _check_settings(self, groups):
        check_count(self.min_steps, "min_steps", 0)
        if self.early_stopping is None:
            return
        check_count(self.early_stopping, "early_stopping")
        fraction, rule = self.validation_fraction, "above 0 and below 1"
        check_number(fraction, "validation_fraction", 0, 1 - 1e-9, rule, above=True)
        if self.train_split is not None:
            raise ValueError("Give early_stopping or train_split, not both.")
        if groups is None or len(np.unique(groups)) < 2:
            raise ValueError("early_stopping needs fit(X, y, groups=groups) with two subjects.")

    def _start(self, X, groups):
        """Return what the module is trained on."""
        return self._inputs(X, reset=True)

    def _warm_up(self, X, y, groups, weight):
        """Change the initial weights before training; the head alone has nothing to change."""

    def _inputs(self, X, reset=False):
        """Return what the module is called with, checked."""
        if isinstance(X, SignalDict) or getattr(X, "ndim", 2) == 3:
            raise ValueError(
                f"{type(self).__name__} takes features, got windows: put an encoder in front of it."
            )
        X = validate_data(self, X, reset=reset, dtype=np.float32)
        return SignalDict(features=X)

    def initialize_module(self):
        """Build the head."""
        self.module_ = self._build_head(self.n_features_in_)
        return self

    def _build_head(self, n_features):
        kwargs = {"n_classes": self._n_outputs, **self.get_params_for("head")}
        return self.head(n_features=n_features, **kwargs)

    def initialize_criterion(self):
        """Build the loss; where windows have weights, it is the loss of each window."""
        kwargs = {**self.get_params_for("criterion"), **self._loss_arguments}
        self.criterion_ = self.initialized_instance(self.criterion, kwargs)
        check_callable(self.criterion_, "criterion")  # of a class, its instance
        return self

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Average the loss over a batch, with the windows' weights if there are any."""
        y_true, weight = y_true if isinstance(y_true, list) else (y_true, None)
        loss = super().get_loss(y_pred, y_true, *args, **kwargs)
        if weight is None:  # as windows of ``predefined_split`` beside weighted ones
            return loss.mean()
        weight = weight.to(loss)
        return (weight * loss).sum() / weight.sum()

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
        """Compute the scores of one batch; ``fit_params`` such as groups are not for the module."""
        with self._autocast() if self.module_.training else nullcontext():
            scores = self._score(self._to_device(x))
        return scores.float()

    def _score(self, inputs):
        return self.module_(inputs["features"][:, 0])

    @property
    def _default_callbacks(self):
        if self.early_stopping is None:
            return super()._default_callbacks
        patience = EarlyStopping(patience=self.early_stopping, load_best=True)
        return [*super()._default_callbacks, ("early_stopping", patience)]


class HeadClassifier(HeadNet, NeuralNetClassifier):
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
        Epochs are added if ``max_epochs`` epochs have fewer training steps.
    lr : float, default=1e-3
        Initial learning rate; it decays linearly to 0 at the last step, see ``WarmupDecay``.
    batch_size : int, default=32
        Windows per training step. Batches differ by at most one window in size.
    criterion : class, default=torch.nn.CrossEntropyLoss
        Loss of the scores, with the arguments ``criterion__...``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, as in scikit-learn; ``sample_weight`` multiplies it.
    early_stopping : int or None, default=None
        Epochs without a lower loss on held-out *training* subjects after which training stops
        and the best epoch is restored. Needs ``fit(X, y, groups=groups)``.
    validation_fraction : float, default=0.2
        Fraction of the training subjects to hold out for ``early_stopping``.
    optimizer, random_state, device, n_threads, precision, train_split, callbacks, verbose
        As in ``SSLEncoder``; either ``train_split`` or ``early_stopping``.
    **kwargs
        Arguments ``head__...``, ``optimizer__...`` and those of ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    groups_seen_ : ndarray or None
        The subjects trained on, if ``fit`` was given ``groups``.
    module_, history_
        The trained head, and its loss per epoch, also on held-out windows.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if ``y`` holds fewer than two classes, or shapes or parameters are wrong.

    See Also
    --------
    SSLClassifier : Train the network together with the head.
    HeadRegressor : The same for continuous targets.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import HeadClassifier
    >>> X = np.random.default_rng(0).normal(size=(8, 3))
    >>> HeadClassifier(random_state=0).fit(X, ["rest", "stress"] * 4).predict_proba(X).shape
    (8, 2)
    """

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

    def predict_proba(self, X):
        """Return the probability of each class, of shape (n_windows, n_classes)."""
        check_is_fitted(self)
        scores = torch.from_numpy(self._infer_all(self._inputs(X)))
        return self._get_predict_nonlinearity()(scores).numpy()

    def predict(self, X):
        """Return the most probable class of each window."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _encode_labels(self, y, weight):
        """Return the number of each label's class, and the weights of windows in the loss."""
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_inferred_, codes = np.unique(y, return_inverse=True)
        self._n_outputs = len(self.classes_inferred_)
        if self._n_outputs < 2:
            found = self.classes_inferred_.tolist()
            raise ValueError(f"y needs two classes or more, got one class: {found}.")
        if self.class_weight is None:
            return codes, weight
        of_class = compute_class_weight(self.class_weight, classes=self.classes_inferred_, y=y)
        if weight is None:
            self._loss_arguments["weight"] = torch.as_tensor(of_class, dtype=torch.float32)
            return codes, None
        if self.class_weight == "balanced":
            of_class = 1 / np.bincount(codes, weight)
        return codes, weight * of_class[codes]

    def _encode(self, y):
        """Return the number of each label's class, for held-out windows."""
        y = np.asarray(y)
        unknown = np.setdiff1d(y, self.classes_inferred_)
        if len(unknown):
            raise ValueError(f"Held-out labels must be of {self.classes_inferred_}, got {unknown}.")
        return np.searchsorted(self.classes_inferred_, y)
