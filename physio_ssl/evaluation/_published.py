"""Paper A's protocol as its code has it: the best epoch, chosen on the test subject."""

import numpy as np
from skorch.callbacks import Callback

from ._routing import route_groups


class _EpochPredictions(Callback):
    """Predict other windows after each epoch."""

    def __init__(self, X):
        self.X = X

    def on_train_begin(self, net, **kwargs):
        self.probability_ = []

    def on_epoch_end(self, net, **kwargs):
        self.probability_.append(net.predict_proba(self.X))


def fit_best_epoch(model, X, y, X_test, y_test, groups):
    """Fit a classifier, and predict with its best epoch *on the test windows*.

    The best epoch is that of the highest mean of the batches' accuracies. A model without
    epochs predicts as it is.

    Returns
    -------
    model : estimator
        As it is after the last epoch.
    predicted : ndarray of shape (n_windows,)
        Predictions for the test windows.
    probability : ndarray of shape (n_windows, n_classes) or None
        Probabilities of the model's classes.
    record : dict
        The mean of the batches' ``accuracy`` and the number of the ``epoch``.
    """
    net = model.steps[-1][1] if hasattr(model, "steps") else model
    if not hasattr(net, "max_epochs"):
        model.fit(X, y, **route_groups(model, groups))
        probability = model.predict_proba(X_test) if hasattr(model, "predict_proba") else None
        return model, model.predict(X_test), probability, {}
    if net is not model and any(step not in (None, "passthrough") for _, step in model.steps[:-1]):
        raise ValueError(
            "Under protocol='published_a' steps before the net must learn nothing, got "
            f"{', '.join(name for name, _ in model.steps[:-1])}."
        )
    net.set_params(callbacks=[*(net.callbacks or []), _EpochPredictions(X_test)])
    net.fit(X, y, **route_groups(net, groups))
    epochs = next(c for _, c in net.callbacks_ if isinstance(c, _EpochPredictions)).probability_
    # Whole batches and a smaller last one, whose windows count more.
    size = len(y_test) if net.batch_size < 0 else net.batch_size
    starts = range(size, len(y_test), size)
    batches = np.split(np.arange(len(y_test)), starts)
    accuracy = []
    for probability in epochs:
        right = net.classes_[probability.argmax(axis=1)] == y_test
        accuracy.append(np.mean([right[batch].mean() for batch in batches]))
    best = int(np.argmax(accuracy))
    predicted = net.classes_[epochs[best].argmax(axis=1)]
    return net, predicted, epochs[best], {"accuracy": float(accuracy[best]), "epoch": best + 1}
