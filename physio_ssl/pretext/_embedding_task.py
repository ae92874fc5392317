"""EmbeddingTask: tasks on the embedding of distorted windows, which can share one view."""

from abc import abstractmethod
from collections.abc import Mapping

import torch

from .._check import check_callable, check_list
from ..transforms import (
    CircularShift,
    GaussianNoise,
    Negation,
    RandomApply,
    RandomScaling,
    TimeMask,
)
from .base import Pretext

_VIEWS = (
    RandomScaling(),
    RandomApply(GaussianNoise(10.0)),
    CircularShift(),
    RandomApply(TimeMask()),
    RandomApply(Negation(), 0.1),
)


class EmbeddingTask(Pretext):
    """A task whose input is one distorted view per window, and whose heads see its embedding.

    A child has the parameter ``views`` and writes ``make_heads`` for an embedding of all
    modalities, ``choose_targets`` and ``embedding_loss``.
    """

    def make_views(self, signals, rng, targets=None):
        """Return one distorted view of each window, and the targets of the batch."""
        return self.distort(signals, rng), self.choose_targets(signals, targets)

    def check_views(self):
        """Raise unless ``views`` are functions, for all modalities or by modality."""
        given = () if self.views is None else self.views
        for views in given.values() if isinstance(given, Mapping) else [given]:
            for view in check_list(views, "views", "a list of functions"):
                check_callable(view, "each of views")

    def distort(self, signals, rng):
        """Apply ``views``, one after the other, to the windows of each modality."""
        inputs = {}
        for name, x in signals.items():
            views = _VIEWS if self.views is None else self.views
            for view in views.get(name, ()) if isinstance(views, Mapping) else views:
                x = view(x, rng=rng)
            inputs[name] = x
        return inputs

    def loss(self, network, heads, inputs, target):
        """Return the loss of the views, and metrics."""
        return self.embedding_loss(heads, network(**inputs), target)

    def choose_targets(self, signals, targets):
        """Return what ``embedding_loss`` needs of the targets of a batch."""
        return targets

    @abstractmethod
    def embedding_loss(self, heads, embedding, target):
        """Return the loss of embeddings (batch, n_features), and metrics."""


def count_features(network):
    """Return the width of the embedding of all modalities."""
    return sum(network.embedding_size.values())


def make_mlp(n_in, n_hidden, n_out):
    """Return a head with one hidden layer."""
    layers = torch.nn.Linear(n_in, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_out)
    return torch.nn.Sequential(*layers)
