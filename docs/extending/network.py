"""A network: one recurrent layer per modality."""

from torch import nn

from physio_ssl.networks import TokenNetwork


class RecurrentEncoder(TokenNetwork):
    """Read each modality with a GRU, whose states are the tokens.

    Parameters
    ----------
    n_channels, n_times : mapping from str to int
        Channels, and samples per window, of each modality. ``SSLEncoder`` fills these in.
    width : int, default=16
        Size of the state, and so of each modality's part of the embedding.
    """

    def __init__(self, n_channels, n_times, width=16):
        super().__init__(n_channels, n_times)
        self.token_width = dict.fromkeys(self.n_channels, width)
        self.token_size = dict.fromkeys(self.n_channels, 1)  # one token per sample
        self.layers = nn.ModuleDict(
            {name: nn.GRU(n, width, batch_first=True) for name, n in self.n_channels.items()}
        )

    def tokens(self, **signals):
        return {
            name: layer(signals[name].transpose(1, 2))[0]  # (batch, n_times, width)
            for name, layer in self.layers.items()
        }
