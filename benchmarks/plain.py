"""The yardstick: the pre-training of both papers as one would write it without a library.

Signal transforms loop over windows in Python, the networks are made of stock PyTorch layers,
with dropout on the attention weights as published.
"""

import numpy as np
import torch
from scipy import interpolate, signal
from torch import nn

N_MODALITIES = 3


def add_noise(x, rng):
    variance = np.mean(x**2) / 10 ** (15 / 10)
    return x + np.sqrt(variance) * rng.standard_normal(len(x))


def permute(x, rng):
    pieces = np.array_split(x, 10)
    return np.concatenate([pieces[i] for i in rng.permutation(10)])


def warp_time(x, rng):
    size, n_long = len(x) // 9, 5
    longer = int(np.ceil(1.05 * size))
    shorter, rest = divmod(len(x) - n_long * longer, 9 - n_long)
    chosen = set(rng.permutation(9)[:n_long].tolist())
    last = max(set(range(9)) - chosen)
    pieces = []
    for i in range(9):
        n = longer if i in chosen else shorter + (rest if i == last else 0)
        at = (np.arange(n) + 0.5) * size / n - 0.5
        pieces.append(np.interp(at, np.arange(size), x[i * size : (i + 1) * size]))
    return np.concatenate(pieces)


def crop(x, rng):
    size = -(-len(x) // 4)
    first = size * rng.integers(4)
    return signal.resample(x[first : first + size], len(x))


def warp_magnitude(x, rng):
    anchors = np.linspace(0, len(x) - 1, 6)
    curve = interpolate.CubicSpline(anchors, rng.normal(1, 0.2, 6))
    return x * curve(np.arange(len(x)))


TRANSFORMS = [add_noise, permute, warp_time, crop, warp_magnitude]


def make_views(batch, rng):
    """Return six versions of each window, (6 n, n_modalities, n_times), and their classes."""
    views, classes = [], []
    for window in batch:
        for i, transform in enumerate([None, *TRANSFORMS]):
            views.append([x if transform is None else transform(x, rng) for x in window])
            classes.append(i)
    return np.array(views), np.array(classes)


class Block(nn.Module):
    def __init__(self, n_in, n_out, dilation):
        super().__init__()
        self.trim = 5 * dilation
        self.first, self.second = (
            nn.utils.parametrizations.weight_norm(
                nn.Conv1d(n, n_out, 6, padding=self.trim, dilation=dilation)
            )
            for n in (n_in, n_out)
        )
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        h = x
        for conv in (self.first, self.second):
            h = self.dropout(torch.relu(conv(h)[..., : -self.trim]))
        return torch.relu(self.shortcut(x) + h)


class Network(nn.Module):
    def __init__(self, d_model=128):
        super().__init__()
        modalities = range(N_MODALITIES)
        self.tcn = nn.ModuleList(
            nn.Sequential(Block(1, 16, 1), Block(16, 16, 2), nn.Sigmoid()) for _ in modalities
        )
        self.project = nn.ModuleList(nn.Linear(16, d_model) for _ in modalities)
        self.norm = nn.ModuleList(nn.LayerNorm(d_model) for _ in modalities)
        layer = nn.TransformerEncoderLayer(d_model, 4, 128, 0.2)
        self.transformer = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):  # (batch, n_modalities, n_times)
        tokens = []
        for i in range(N_MODALITIES):
            h = self.tcn[i](x[:, i : i + 1]).permute(2, 0, 1)  # (n_times, batch, 16)
            tokens.append(self.norm[i](self.project[i](h) * 128**0.5))
        return [part.mean(0) for part in self.transformer(torch.cat(tokens)).chunk(N_MODALITIES)]


def make_heads():
    return nn.ModuleList(
        nn.Sequential(
            nn.Linear(128, 64),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(64, 6),
        )
        for _ in range(N_MODALITIES)
    )


def transform(X, rng, batch_size=32):
    for first in range(0, len(X), batch_size):
        make_views(X[first : first + batch_size], rng)


def pretrain(X, rng, batch_size=32):
    network, heads = Network(), make_heads()
    parameters = [*network.parameters(), *heads.parameters()]
    optimizer = torch.optim.SGD(parameters, 5e-3, momentum=0.9, weight_decay=5e-7)
    for first in range(0, len(X), batch_size):
        views, classes = make_views(X[first : first + batch_size], rng)
        target = torch.from_numpy(classes)
        embeddings = network(torch.from_numpy(views).float())
        losses = [
            nn.functional.cross_entropy(head(z), target)
            for head, z in zip(heads, embeddings, strict=True)
        ]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()


def embed(X, network, batch_size=192):
    with torch.no_grad():
        return [network(batch) for batch in torch.from_numpy(X).float().split(batch_size)]


class ECGNetwork(nn.Module):
    """Paper B's, with its head: three convolutions, CLS, sinusoids and two stock layers."""

    def __init__(self, n_times, d_model=256):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(1, 64, 65, padding="same"),
            nn.ReLU(),
            nn.Conv1d(64, 128, 33, padding="same"),
            nn.ReLU(),
            nn.Conv1d(128, d_model, 17, padding="same"),
            nn.ReLU(),
        )
        self.norm = nn.LayerNorm(d_model)
        self.cls = nn.Parameter(torch.zeros(1, 1, d_model))
        angles = torch.arange(n_times)[:, None] / 1e4 ** (torch.arange(0, d_model, 2) / d_model)
        self.positions = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
        self.dropout = nn.Dropout(0.1)
        layer = nn.TransformerEncoderLayer(d_model, 2, 4 * d_model, 0.1, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(d_model, 128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, x):  # (batch, 1, n_times)
        h = self.norm(self.convolutions(x).transpose(1, 2)) + self.positions
        h = torch.cat([self.cls.expand(len(h), -1, -1), h], dim=1)
        return self.head(self.transformer(self.dropout(h))[:, 1:]).transpose(1, 2)


def mask_samples(window, rng):
    mask = np.zeros(len(window), dtype=bool)
    for start in np.flatnonzero(rng.random(len(window)) < 0.0325):
        mask[start : start + 20] = True
    return mask


def pretrain_ecg(X, network, rng, batch_size):
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=5e-3, fused=True)
    for batch in torch.from_numpy(X).split(batch_size):
        mask = torch.from_numpy(np.array([[mask_samples(window[0], rng)] for window in batch]))
        predicted = network(batch.masked_fill(mask, 0))
        loss = (predicted - batch)[mask].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
