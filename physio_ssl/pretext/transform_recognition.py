"""Paper A's pretext task: recognise which signal transform was applied."""

from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ..transforms import CropResize, GaussianNoise, MagnitudeWarp, Permutation, TimeWarp
from ._views import count_views, draw_views


class TransformRecognition(BaseEstimator):
    """Recognise which of several signal transforms was applied to a window.

    Class 0 is the window as it is, class ``i`` the ``i``-th transform. The class is common
    to all modalities of a window; their random draws are independent. Each modality has a
    head of its own on the network's embedding of it, and the loss is the plain sum of the
    heads' cross-entropies.

    Parameters
    ----------
    transforms : list of callables, default=None
        Signal transforms, called as ``transform(X, rng=rng)`` on tensors of shape
        (n_windows, n_channels, n_times). None stands for those of the paper: noise,
        permutation, time warp, crop, magnitude warp, with its parameters.
    n_views : int, default=None
        Number of versions of each window per epoch, drawn at random; None shows all of them,
        as in the paper. Fewer views make an epoch proportionally cheaper.
    head_size : int, default=64
        Hidden units of each head.
    head_dropout : float, default=0.1
        Dropout of each head.

    References
    ----------
    Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
    learning for wearable emotion recognition", IEEE Transactions on Affective Computing
    15(1), 2024.
    """

    def __init__(self, transforms=None, n_views=None, head_size=64, head_dropout=0.1):
        self.transforms = transforms
        self.n_views = n_views
        self.head_size = head_size
        self.head_dropout = head_dropout

    def make_heads(self, network):
        """Return the trainable heads that this task puts on a network."""
        n_classes = 1 + len(self._transforms())
        if n_classes == 1:
            raise ValueError("TransformRecognition needs at least one transform, got none.")
        count_views(self.n_views, n_classes)
        return nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(size, self.head_size),
                    nn.BatchNorm1d(self.head_size),
                    nn.ReLU(),
                    nn.Dropout(self.head_dropout),
                    nn.Linear(self.head_size, n_classes),
                )
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
            The class of each view.
        """
        transforms = self._transforms()
        n_windows = len(next(iter(signals.values())))
        if n_windows * count_views(self.n_views, 1 + len(transforms)) < 2:  # of batch norm
            raise ValueError("n_views=1 needs at least 2 windows, got 1.")
        return draw_views(signals, transforms, self.n_views, rng)

    def loss(self, network, heads, inputs, target):
        """Return the loss to minimise and the accuracy of each modality's head."""
        embeddings = network.embed(network.tokens(**inputs))
        loss, accuracy = 0.0, {}
        for name, embedding in embeddings.items():
            logits = heads[name](embedding)  # (n_views, n_classes)
            loss = loss + F.cross_entropy(logits, target)
            accuracy[f"accuracy_{name}"] = (logits.argmax(1) == target).float().mean().item()
        return loss, accuracy

    def _transforms(self):
        if self.transforms is None:
            return [
                GaussianNoise(),
                Permutation(),
                TimeWarp(),
                CropResize(),
                MagnitudeWarp(),
            ]
        return list(self.transforms)
