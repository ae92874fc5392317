"""The classification head of Wu, Daoudi & Amad."""

from torch import nn

from ._layers import check_size


class ClassificationHead(nn.Module):
    """Turn embeddings into class scores: linear, batch norm, ReLU, dropout, linear.

    Parameters
    ----------
    n_features, n_classes : int
        Width of the embedding, and number of classes. The classifier fills them in.
    hidden_size : int or None, default=128
        Units of the hidden layer. None makes a linear head without hidden layer and dropout.
    dropout : float, default=0.2
        Dropout of the hidden layer.
    standardize : bool, default=True
        Whether batch norm first centres and scales each feature, because features of a
        pre-trained encoder vary little compared with their means. The paper does not do this.

    Raises
    ------
    ValueError
        If ``hidden_size`` is neither None nor a positive integer.

    See Also
    --------
    MultimodalTransformer : The network of the same paper, with reference.
    """

    def __init__(self, n_features, n_classes, hidden_size=128, dropout=0.2, standardize=True):
        super().__init__()
        first = nn.BatchNorm1d(n_features, affine=False) if standardize else nn.Identity()
        if hidden_size is None:
            self.layers = nn.Sequential(first, nn.Linear(n_features, n_classes))
            return
        check_size("hidden_size", hidden_size)
        self.layers = nn.Sequential(
            first,
            nn.Linear(n_features, hidden_size),
            nn.BatchNorm1d(hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, n_classes),
        )

    def forward(self, embedding):  # (batch, n_features)
        return self.layers(embedding)  # (batch, n_classes)
