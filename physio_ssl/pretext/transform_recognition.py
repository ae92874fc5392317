"""The pretext task of Wu, Daoudi & Amad: recognise which signal transform was applied."""

from torch import nn
from torch.nn import functional as F

from ..transforms import CropResize, GaussianNoise, MagnitudeWarp, Permutation, TimeWarp
from ._views import count_views, draw_views
from .base import Pretext


class TransformRecognition(Pretext):
    """Recognise which of several signal transforms was applied to a window.

    Class 0 is the unchanged window, class ``i`` the ``i``-th transform. All modalities of a
    window have the same class but independent random draws. Each modality has its own head
    on its part of the embedding. The loss is the sum of the heads' cross-entropies. The
    metrics are the accuracies of the heads.

    Parameters
    ----------
    transforms : list of callables, default=None
        Signal transforms, called as ``transform(X, rng=rng)`` on tensors of shape
        (n_windows, n_channels, n_times). None takes those of the paper, with its parameters:
        noise, permutation, time warp, crop and magnitude warp.
    n_views : int, default=None
        Number of versions of each window per epoch, drawn at random. None shows all versions,
        as in the paper. Fewer views make an epoch proportionally cheaper.
    head_size : int, default=64
        Hidden units of each head.
    head_dropout : float, default=0.1
        Dropout of each head.

    Attributes
    ----------
    chance : float
        1 / number of classes.

    See Also
    --------
    MultiTaskRecognition : Recognise each transform with a head of its own.
    physio_ssl.networks.MultimodalTransformer : The network of the same paper.

    References
    ----------
    Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal representation
    learning for wearable emotion recognition", IEEE Transactions on Affective Computing
    15(1), 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import TransformRecognition
    >>> from physio_ssl.transforms import GaussianNoise, Negation
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80)).astype("float32")
    >>> task = TransformRecognition([GaussianNoise(snr_db=10), Negation()])
    >>> encoder = SSLEncoder(pretext=task, module__d_model=8, max_epochs=1, random_state=0)
    >>> encoder.fit_transform(X).shape
    (8, 8)
    >>> round(encoder.pretext_.chance, 3)
    0.333
    """

    def __init__(self, transforms=None, n_views=None, head_size=64, head_dropout=0.1):
        self.transforms = transforms
        self.n_views = n_views
        self.head_size = head_size
        self.head_dropout = head_dropout

    def make_heads(self, network):
        """Return a head of two layers for each modality."""
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
        """Return views of windows and the class of each view, (n_views,)."""
        transforms = self._transforms()
        n_windows = len(next(iter(signals.values())))
        if n_windows * count_views(self.n_views, 1 + len(transforms)) < 2:
            raise ValueError("n_views=1 needs at least 2 windows, got 1.")
        return draw_views(signals, transforms, self.n_views, rng)

    def loss(self, network, heads, inputs, target):
        """Return the sum of the cross-entropies and the accuracy of each modality."""
        embeddings = network.embed(network.tokens(**inputs))
        loss, accuracy = 0.0, {}
        for name, embedding in embeddings.items():
            logits = heads[name](embedding)  # (n_views, n_classes)
            loss = loss + F.cross_entropy(logits, target)
            accuracy[f"accuracy_{name}"] = (logits.argmax(1) == target).float().mean().item()
        return loss, accuracy

    @property
    def chance(self):
        """Accuracy of guessing: 1 / number of classes."""
        return 1 / (1 + len(self._transforms()))

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
