"""HeadRegressor and SSLRegressor: the same networks as the classifiers, for continuous targets."""

import numpy as np
import torch
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetRegressor

from .classifier import FineTuning
from .head_classifier import HeadNet
from .networks import ClassificationHead
from .training import never


class HeadRegressor(HeadNet, NeuralNetRegressor):
    """Predict a continuous target, such as a rating, from features with a small neural network.

    The sibling of ``HeadClassifier``: a skorch net that is a scikit-learn regressor. The target is
    standardised by its mean and standard deviation in the training windows; predictions are in
    its own unit.

    Parameters
    ----------
    head : class, default=ClassificationHead
        The head, built with the arguments ``head__...``; ``n_features`` is filled in, and
        ``n_classes`` is 1.
    criterion : class, default=torch.nn.MSELoss
        Loss of the standardised predictions, with the arguments ``criterion__...``, e.g.
        ``torch.nn.HuberLoss`` against outliers.
    max_epochs, min_steps, lr, batch_size, early_stopping, validation_fraction
        As in ``HeadClassifier``.
    optimizer, random_state, device, n_threads, precision, train_split, callbacks, verbose
        As in ``SSLEncoder``; either ``train_split`` or ``early_stopping``.
    **kwargs
        Arguments ``head__...``, ``optimizer__...`` and those of ``skorch.NeuralNetRegressor``.

    Attributes
    ----------
    target_mean_, target_scale_ : float
        Mean and standard deviation of the target in the training windows.
    groups_seen_, module_, history_, n_features_in_
        As in ``HeadClassifier``.

    Raises
    ------
    ValueError
        In ``fit``, if there are fewer than two windows, or shapes or parameters are wrong.

    See Also
    --------
    SSLRegressor : Train the network together with the head.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import HeadRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> heart_rate = 70 + 5 * X[:, 0]
    >>> HeadRegressor(random_state=0).fit(X, heart_rate).predict(X).shape
    (40,)
    """

    _n_outputs = 1

    def __init__(
        self,
        head=ClassificationHead,
        *,
        max_epochs=20,
        min_steps=200,
        lr=1e-3,
        batch_size=32,
        optimizer=torch.optim.Adam,
        criterion=torch.nn.MSELoss,
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

    def predict(self, X):
        """Return the predicted target of each window, of shape (n_windows,)."""
        check_is_fitted(self)
        predicted = self._infer_all(self._inputs(X)).astype(float)
        return self.target_mean_ + self.target_scale_ * predicted

    predict_proba = available_if(never)(NeuralNetRegressor.predict_proba)  # there are no classes

    def _encode_labels(self, y, weight):
        """Return the standardised target, and the weights of windows in the loss."""
        y = _check_target(y)
        if len(y) < 2:
            raise ValueError(f"A regressor needs two windows or more, got n_samples={len(y)}.")
        self.target_mean_ = float(np.average(y, weights=weight))
        spread = np.sqrt(np.average((y - self.target_mean_) ** 2, weights=weight))
        self.target_scale_ = float(spread) or 1.0
        return self._encode(y), weight

    def _encode(self, y):
        """Return the standardised target, also of held-out windows."""
        return ((_check_target(y) - self.target_mean_) / self.target_scale_).astype(np.float32)

    def infer(self, x, **fit_params):
        """Predict the standardised target of one batch."""
        return super().infer(x, **fit_params)[:, 0]


def _check_target(y):
    y = column_or_1d(y, warn=True)
    y = column_or_1d(y, dtype=float)  # after the warning: text that is no number is an error
    assert_all_finite(y, input_name="y")
    return y


class SSLRegressor(FineTuning, HeadRegressor):
    """Train an encoder's network together with a head on a continuous target.

    The sibling of ``SSLClassifier``, for ratings or, say, heart rate. To keep an encoder
    *frozen*, put it in front of a ``HeadRegressor``, or any regressor, in a pipeline.

    Parameters
    ----------
    encoder, mode, encoder_lr, linear_probe_first
        As in ``SSLClassifier``.
    **kwargs
        Parameters of ``HeadRegressor``, such as ``criterion``, ``max_epochs``, ``lr`` or
        ``random_state``, which is also the seed of an encoder that has none.

    Attributes
    ----------
    encoder_, module_
        As in ``SSLClassifier``.
    target_mean_, target_scale_, groups_seen_, history_
        As in ``HeadRegressor``.
    n_features_in_ : int
        As in ``SSLEncoder``.

    See Also
    --------
    SSLClassifier : The same for classes, with the references.
    HeadRegressor : Train a head on a frozen encoder.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder, SSLRegressor
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> encoder = SSLEncoder(max_epochs=1, module__d_model=8)
    >>> regressor = SSLRegressor(encoder, min_steps=5, random_state=0)
    >>> regressor.fit(X, X.std(axis=(1, 2))).predict(X).shape
    (8,)
    """

    _head_net = HeadRegressor
