"""The classification head of Wu, Daoudi & Amad, and longer ones."""

from torch import nn

from .._check import check_kind, check_list, check_probability, check_size


class ClassificationHead(nn.Module):
    """Turn embeddings into class scores.

    Each hidden layer is linear, batch norm, ReLU and dropout; a linear layer gives the scores.

    Parameters
    ----------
    n_features, n_classes : int
        Width of the embedding, and number of classes. The classifier fills them in.
    hidden_sizes : tuple of int, default=(128,)
        Units of each hidden layer; ``()`` makes a linear head. Wu et al. have one layer,
        Vazquez-Rodriguez et al. (1024, 512), Sarkar & Etemad (512, 512) or (512, 512, 512).
    dropout : float, default=0.2
        Dropout of the hidden layers.
    standardize : bool, default=True
        Whether batch norm first centres and scales each feature, because features of a
        pre-trained encoder vary little compared with their means. The papers do not do this.
    batch_norm : bool, default=True
        Whether hidden layers have batch norm, as in the head of Wu et al., but not in the others.

    Raises
    ------
    TypeError, ValueError
        If ``hidden_sizes`` is no list of positive integers, or another argument does not fit.

    See Also
    --------
    MultimodalTransformer : The network of the same paper, with reference.

    Examples
    --------
    >>> import torch
    >>> from physio_ssl.networks import ClassificationHead
    >>> ClassificationHead(64, 3).eval()(torch.zeros(2, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features,
        n_classes,
        hidden_sizes=(128,),
        dropout=0.2,
        standardize=True,
        batch_norm=True,
    ):
        super().__init__()
        check_size("n_features and n_classes", n_features, n_classes)
        check_probability("dropout", dropout)
        check_kind(standardize, "standardize", bool, "True or False")
        check_kind(batch_norm, "batch_norm", bool, "True or False")
        hidden_sizes = check_list(hidden_sizes, "hidden_sizes", "a list of positive integers")
        check_size("each of hidden_sizes", *hidden_sizes)
        layers = [nn.BatchNorm1d(n_features, affine=False) if standardize else nn.Identity()]
        for size in hidden_sizes:
            layers.append(nn.Linear(n_features, size))
            if batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers += [nn.ReLU(), nn.Dropout(dropout)]
            n_features = size
        self.layers = nn.Sequential(*layers, nn.Linear(n_features, n_classes))

    def forward(self, embedding):  # (batch, n_features)
        return self.layers(embedding)  # (batch, n_classes)
