"""The pretext task of Sarkar & Etemad: one binary task for each signal transform."""

from math import inf, log
from numbers import Real

import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_list, check_number, check_probability, check_size
from ..transforms import GaussianNoise, Negation, Permutation, Scaling, TimeReverse, TimeWarp
from ._views import count_views, draw_views
from .base import Pretext

_PUBLISHED = (
    GaussianNoise(snr_db=15.0),
    Scaling(factor=1.1),
    Negation(),
    TimeReverse(),
    Permutation(n_pieces=20),
    TimeWarp(n_pieces=9, stretch=1.05, squeeze=1 / 1.05),
)
_PUBLISHED_WEIGHTS = (0.195, 0.195, 0.195, 0.0125, 0.0125, 0.195, 0.195)


class MultiTaskRecognition(Pretext):
    """Recognise each version of a window with a binary classifier of its own.

    Version 0 is the unchanged window, version ``i`` the result of the ``i``-th transform. All
    modalities of a window have the same version but independent random draws. Each modality
    has one head per version on its part of the embedding: two dense layers with leaky ReLU
    (slope 0.2) and dropout, then one logit for "this is my version". The loss is the weighted
    sum of the heads' binary cross-entropies plus an L2 penalty on the weights.

    The metrics are the balanced accuracies of the modalities, averaged over versions, so
    ``chance`` is 0.5. A head answers yes if its probability is above the fraction of its
    version among all, one in seven by default.

    Parameters
    ----------
    transforms : list of callables, default=None
        Signal transforms, called as ``transform(X, rng=rng)`` on tensors of shape
        (n_windows, n_channels, n_times). None takes those of the paper: noise of 15 dB,
        scaling by 1.1, negation, time reversal, permutation of 20 pieces, time warp.
    n_views : int, default=None
        Versions of each window per epoch, drawn at random. None shows all, as in the paper.
    task_weights : list of float, default=None
        Weight of each head's loss, first of the unchanged window. None takes those of the paper
        for its transforms (0.0125 for negation and time reversal, 0.195 for the rest), and equal
        weights of sum 1 for others.
    head_size : int, default=128
        Hidden units of both layers of each head.
    head_dropout : float, default=0.6
        Dropout of each head.
    l2 : float, default=1e-4
        Weight of the L2 penalty: half the sum of squares of all parameters of network and heads
        with more than one dimension, so not of biases.

    Raises
    ------
    ValueError
        In ``SSLEncoder.fit``, if a size, probability or penalty is wrong.

    See Also
    --------
    TransformRecognition : Recognise all transforms with one classifier.
    physio_ssl.networks.ConvEncoder : The network of the same paper, with reference.

    Notes
    -----
    The paper trains with ``max_epochs=100``, ``batch_size=128`` and Adam with ``lr=1e-3``,
    multiplied by 0.9 every 10,000 steps: ``callbacks__lr_schedule=None`` and, from skorch,
    ``LRScheduler(policy="StepLR", step_size=10_000, gamma=0.9, step_every="batch")``.

    It then freezes the network and trains a perceptron on the embedding, with Adam and a
    learning rate of 1e-3, in batches of 128 for 200 epochs. The perceptron has two hidden
    layers of 512 units (SWELL and WESAD), or three with dropout 0.2 and an L2 penalty of 1e-4
    (DREAMER) or with dropout 0.4 (AMIGOS). The first is scikit-learn's ``MLPClassifier((512,
    512), alpha=0, batch_size=128, max_iter=200, n_iter_no_change=200)``. The splits of the
    paper are random, regardless of the subjects.

    Initial weights of the heads are Glorot uniform and initial biases 0, the defaults of the
    framework that the authors used.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import MultiTaskRecognition
    >>> from physio_ssl.transforms import Negation, TimeReverse
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> task = MultiTaskRecognition([Negation(), TimeReverse()], n_views=2)
    >>> SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit_transform(X).shape
    (8, 8)
    """

    chance = 0.5  # the accuracies are balanced

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
        """Return one head per version for each modality."""
        count_views(self.n_views, self._transforms())
        check_size("head_size", self.head_size)
        check_probability("head_dropout", self.head_dropout)
        n_tasks = len(self._weights())
        check_number(self.l2, "l2", 0, rule="a number of at least 0")
        return nn.ModuleDict(
            {
                name: nn.ModuleList(self._make_head(size) for _ in range(n_tasks))
                for name, size in network.embedding_size.items()
            }
        )

    def make_views(self, signals, rng):
        """Return views of windows and the version of each view, (n_views,)."""
        return draw_views(signals, self._transforms(), self.n_views, rng)

    def loss(self, network, heads, inputs, target):
        """Return the weighted sum of the losses and each modality's balanced accuracy."""
        embeddings = network.embed(network.tokens(**inputs))
        kernels = (x for part in (network, heads) for x in part.parameters() if x.ndim > 1)
        loss = self.l2 / 2 * sum(kernel.square().sum() for kernel in kernels)
        accuracy = {}
        for name, embedding in embeddings.items():
            # In float32, as sums of bfloat16 logits (under autocast) would lose precision.
            logits = torch.cat([head(embedding) for head in heads[name]], dim=1).float()
            n_tasks = logits.shape[1]  # logits: (n_views, n_tasks)
            own = F.one_hot(target, n_tasks).bool()
            losses = F.binary_cross_entropy_with_logits(logits, own.float(), reduction="none")
            # Not a matrix product, which autocast would compute in bfloat16, too.
            loss = loss + (losses.mean(dim=0) * logits.new_tensor(self._weights())).sum()
            answers = logits > -log(n_tasks - 1)  # above a probability of 1 / n_tasks
            accuracy[f"accuracy_{name}"] = _balanced_accuracy(answers, own)
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
        for layer in head[::3]:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        return head

    def _transforms(self):
        return check_list(_PUBLISHED if self.transforms is None else self.transforms, "transforms")

    def _weights(self):
        n_tasks, weights = 1 + len(self._transforms()), self.task_weights
        if weights is None:
            weights = _PUBLISHED_WEIGHTS if self.transforms is None else [1 / n_tasks] * n_tasks
        weights = check_list(weights, "task_weights", of=Real)
        if len(weights) != n_tasks or not min(weights) >= 0 or not max(weights) < inf:
            raise ValueError(
                f"task_weights must be {n_tasks} numbers of at least 0, one for the unchanged "
                f"window and one for each transform, got {weights}."
            )
        return weights


def _balanced_accuracy(answers, own):
    """Return the balanced accuracy, averaged over tasks; without some recall, the other counts."""
    sensitivity = (answers & own).sum(dim=0) / own.sum(dim=0)
    specificity = (~answers & ~own).sum(dim=0) / (~own).sum(dim=0)
    return torch.stack([sensitivity, specificity]).nanmean(dim=0).mean().item()
