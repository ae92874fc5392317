"""The pretext task of Wu, Daoudi & Amad: recognise which signal transform was applied."""

from torch import nn
from torch.nn import functional as F

from .._check import check_list, check_probability, check_size
from ..transforms import CropResize, GaussianNoise, MagnitudeWarp, Permutation, TimeWarp
from ._views import count_views, draw_views
from .base import Pretext

_PUBLISHED = (GaussianNoise(), Permutation(), TimeWarp(), CropResize(), MagnitudeWarp())


class TransformRecognition(Pretext):
    """Recognise which of several signal transforms was applied to a window.

    Class 0 is the unchanged window, class ``i`` the ``i``-th transform. All modalities of a
    window have the same class but independent random draws. Each modality has its own head
    on its part of the embedding. The loss is the sum of the heads' cross-entropies. The
    metrics are the accuracies of the heads; ``chance`` is 1 / number of classes.

    Parameters
    ----------
    transforms : list of callables, default=None
        Signal transforms, called as ``transform(X, rng=rng)`` on tensors of shape
        (n_windows, n_channels, n_times). None takes those of the paper, with its parameters:
        noise, permutation, time warp, crop and magnitude warp.
    n_views : int, default=None
        Versions of each window per epoch, drawn at random. None shows all, as in the paper;
        fewer make an epoch proportionally cheaper.
    head_size : int, default=64
        Hidden units of each head.
    head_dropout : float, default=0.1
        Dropout of each head.

    Raises
    ------
    ValueError
        In ``SSLEncoder.fit``, if a size or probability is wrong, or there are too few windows.

    See Also
    --------
    MultiTaskRecognition : Recognise each transform with a head of its own.
    physio_ssl.networks.MultimodalTransformer : The network of the same paper, with reference.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.pretext import TransformRecognition
    >>> from physio_ssl.transforms import GaussianNoise, Negation
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> task = TransformRecognition([GaussianNoise(snr_db=10), Negation()])
    >>> encoder = SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit(X)
    >>> round(encoder.pretext_.chance, 3)
    0.333
    """

    def __init__(self, transforms=None, n_views=None, head_size=64, head_dropout=0.1):
        self.transforms = transforms
        self.n_views = n_views
        self.head_size = head_size
        self.head_dropout = head_dropout

    @property
    def chance(self):
        """Accuracy of guessing: 1 / number of classes."""
        return 1 / (1 + len(self._transforms()))

    def make_heads(self, network):
        """Return a head of two layers for each modality."""
        transforms = self._transforms()
        count_views(self.n_views, transforms)
        check_size("head_size", self.head_size)
        check_probability("head_dropout", self.head_dropout)
        return nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(size, self.head_size),
                    nn.BatchNorm1d(self.head_size),
                    nn.ReLU(),
                    nn.Dropout(self.head_dropout),
                    nn.Linear(self.head_size, 1 + len(transforms)),
                )
                for name, size in network.embedding_size.items()
            }
        )

    def make_views(self, signals, rng):
        """Return views of windows and the class of each view, (n_views,)."""
        inputs, target = draw_views(signals, self._transforms(), self.n_views, rng)
        if len(target) < 2:
            raise ValueError("n_views=1 needs at least 2 windows, got 1.")
        return inputs, target

    def loss(self, network, heads, inputs, target):
        """Return the sum of the cross-entropies and the accuracy of each modality."""
        embeddings = network.embed(network.tokens(**inputs))
        loss, accuracy = 0.0, {}
        for name, embedding in embeddings.items():
            logits = heads[name](embedding)  # (n_views, n_classes)
            loss = loss + F.cross_entropy(logits, target)
            accuracy[f"accuracy_{name}"] = (logits.argmax(1) == target).float().mean().item()
        return loss, accuracy

    def _transforms(self):
        return check_list(_PUBLISHED if self.transforms is None else self.transforms, "transforms")
