"""Sarkar & Etemad's pretext task: one yes-or-no question for each signal transform."""

from math import log

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ..transforms import GaussianNoise, Negation, Permutation, Scaling, TimeReverse, TimeWarp
from ._views import count_views, draw_views

_PAPER_WEIGHTS = (0.195, 0.195, 0.195, 0.0125, 0.0125, 0.195, 0.195)


class MultiTaskRecognition(BaseEstimator):
    """Tell each version of a window from all others, by a head of its own.

    Version 0 is the window as it is, version ``i`` the ``i``-th transform; the version is
    common to all modalities of a window, their random draws are independent. Each modality
    has one head per version, on its embedding: two dense layers with leaky ReLU (slope 0.2)
    and dropout, then one number, by which the head says whether this is its version. The
    loss is the sum of the heads' binary cross-entropies, weighted by task, and of the
    kernels' squares.

    The history holds, for each modality, the mean over tasks of the balanced accuracy:
    guessing gives 0.5, however many versions are not a head's own. A head says yes where
    it gives more than its version's share of all, one in seven by default.

    Parameters
    ----------
    transforms : list of callables, default=None
        Signal transforms, called as ``transform(X, rng=rng)`` on tensors of shape
        (n_windows, n_channels, n_times). None stands for those of the paper: noise of 15
        dB, scaling by 1.1, negation, time reversal, permutation of 20 pieces, time warp.
    n_views : int, default=None
        Number of versions of each window per epoch, drawn at random; None shows all of them,
        as in the paper. Fewer views make an epoch proportionally cheaper.
    task_weights : list of float, default=None
        Weight of each head's loss, that of the window as it is first. None stands for the
        paper's with the paper's transforms, which ask little of negation and time reversal
        (0.0125 each, 0.195 the others), and for equal weights of sum 1 with other ones.
    head_size : int, default=128
        Hidden units of both layers of each head.
    head_dropout : float, default=0.6
        Dropout of each head.
    l2 : float, default=1e-4
        Weight, in the loss, of half the sum of squares of all weights of more than one
        dimension, of network and heads; biases are free, and so are the lengths ``weight_g``
        of weight-normalised kernels, whose directions ``weight_v`` count.

    Notes
    -----
    The paper trains in batches of 128 windows for 100 epochs, by Adam, with a learning
    rate of 1e-3 that falls by a tenth every 10,000 steps::

        from skorch.callbacks import LRScheduler

        SSLEncoder(
            ConvEncoder,
            MultiTaskRecognition,
            max_epochs=100,
            batch_size=128,
            lr=1e-3,
            callbacks=[
                LRScheduler(policy="StepLR", step_size=10_000, gamma=0.9, step_every="batch")
            ],
            callbacks__lr_schedule=None,
        )

    Afterwards it keeps the network as it is and trains a perceptron on the embedding, by
    Adam with a learning rate of 1e-3, in batches of 128 for 200 epochs. That is two hidden
    layers of 512 units (on SWELL and WESAD), or three with dropout of 0.2 and L2 of 1e-4
    (DREAMER) or with dropout of 0.4 (AMIGOS). scikit-learn has the first::

        make_pipeline(
            FrozenEstimator(encoder),
            MLPClassifier(
                (512, 512), alpha=0, batch_size=128, max_iter=200, n_iter_no_change=200
            ),
        )

    Its scores are of windows split at random, regardless of the subjects.

    The paper's framework gives the heads' kernels initial values that are uniform after
    Glorot, and biases of 0, and so does this.

    References
    ----------
    P. Sarkar, A. Etemad, "Self-supervised ECG representation learning for emotion
    recognition", IEEE Transactions on Affective Computing 13(3), 2022.
    """

    def __init__(
        self,
        transforms=None,
        n_views=None,
        task_weights=None,
        head_size=128,
        head_dropout=0.6,
        l2=1e-4,
    ):
        self.transforms = transforms
        self.n_views = n_views
        self.task_weights = task_weights
        self.head_size = head_size
        self.head_dropout = head_dropout
        self.l2 = l2

    def make_heads(self, network):
        """Return the trainable heads that this task puts on a network."""
        n_tasks = 1 + len(self._transforms())
        if n_tasks == 1:
            raise ValueError("MultiTaskRecognition needs at least one transform, got none.")
        count_views(self.n_views, n_tasks)
        self._weights(n_tasks)
        if not self.l2 >= 0:
            raise ValueError(f"l2 must not be negative, got {self.l2}.")
        return nn.ModuleDict(
            {
                name: nn.ModuleList(self._make_head(size) for _ in range(n_tasks))
                for name, size in network.embedding_size.items()
            }
        )

    def make_views(self, signals, rng):
        """Turn a batch of windows into inputs of the network and the targets.

        Parameters
        ----------
        signals : dict from str to tensor of shape (batch, n_channels, n_times)
            The windows.
        rng : numpy.random.Generator
            Source of every random draw.

        Returns
        -------
        inputs : dict from str to tensor of shape (n_views, n_channels, n_times)
            Views, of every modality.
        target : tensor of int, of shape (n_views,)
            The version of each view.
        """
        return draw_views(signals, self._transforms(), self.n_views, rng)

    def loss(self, network, heads, inputs, target):
        """Return the loss to minimise and each modality's mean balanced accuracy."""
        embeddings = network.embed(network.tokens(**inputs))
        loss, accuracy = self._penalty(network, heads), {}
        for name, embedding in embeddings.items():
            # under autocast they have few bits, of which a sum would lose some
            logits = torch.cat([head(embedding) for head in heads[name]], dim=1).float()
            n_tasks = logits.shape[1]  # of (n_views, n_tasks)
            own = F.one_hot(target, n_tasks).bool()
            losses = F.binary_cross_entropy_with_logits(
                logits, own.to(logits.dtype), reduction="none"
            )
            # no product of matrices, which autocast would compute in few bits too
            loss = loss + (losses.mean(dim=0) * logits.new_tensor(self._weights(n_tasks))).sum()
            told = logits > -log(n_tasks - 1)  # above a probability of 1 / n_tasks
            accuracy[f"accuracy_{name}"] = _balanced_accuracy(told, own)
        return loss, accuracy

    def _make_head(self, size):
        head = nn.Sequential(
            nn.Linear(size, self.head_size),
            nn.LeakyReLU(0.2),
            nn.Dropout(self.head_dropout),
            nn.Linear(self.head_size, self.head_size),
            nn.LeakyReLU(0.2),
            nn.Dropout(self.head_dropout),
            nn.Linear(self.head_size, 1),
        )
        for layer in (head[0], head[3], head[6]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        return head

    def _penalty(self, *modules):
        kernels = (
            parameter
            for module in modules
            for name, parameter in module.named_parameters()
            if parameter.ndim > 1 and not name.endswith("weight_g")
        )
        return self.l2 / 2 * sum(kernel.square().sum() for kernel in kernels)

    def _weights(self, n_tasks):
        weights = self.task_weights
        if weights is None:
            weights = _PAPER_WEIGHTS if self.transforms is None else [1 / n_tasks] * n_tasks
        if len(weights) != n_tasks or min(weights) < 0:
            raise ValueError(
                f"task_weights must be {n_tasks} numbers of at least 0, for the window as it is "
                f"and each transform, got {self.task_weights}."
            )
        return list(weights)

    def _transforms(self):
        if self.transforms is None:
            return [
                GaussianNoise(snr_db=15.0),
                Scaling(factor=1.1),
                Negation(),
                TimeReverse(),
                Permutation(n_pieces=20),
                TimeWarp(n_pieces=9, stretch=1.05, squeeze=1 / 1.05),
            ]
        return list(self.transforms)


def _balanced_accuracy(told, own):
    """Return the mean, over tasks, of the recalls of own and of other versions.

    A task of which one side is not among the views counts by the other.
    """
    found = (told & own).sum(dim=0) / own.sum(dim=0)
    spared = (~told & ~own).sum(dim=0) / (~own).sum(dim=0)
    return torch.stack([found, spared]).nanmean(dim=0).mean().item()
