"""A pretext task: which windows had their halves swapped?"""

import torch
from torch import nn

from physio_ssl.pretext import Pretext


class SwapRecognition(Pretext):
    """Swap the halves of some windows, and recognise which.

    Parameters
    ----------
    swap_prob : float, default=0.5
        Probability that the halves of a window are swapped.
    """

    def __init__(self, swap_prob=0.5):
        self.swap_prob = swap_prob

    @property
    def chance(self):
        return max(self.swap_prob, 1 - self.swap_prob)

    def make_heads(self, network):
        sizes = network.embedding_size.items()
        return nn.ModuleDict({name: nn.Linear(size, 1) for name, size in sizes})

    def make_views(self, signals, rng):
        inputs, target = {}, {}
        for name, x in signals.items():  # (batch, n_channels, n_times)
            swapped = torch.as_tensor(rng.random(len(x)) < self.swap_prob, device=x.device)
            halves_swapped = x.roll(x.shape[-1] // 2, dims=-1)
            inputs[name] = torch.where(swapped[:, None, None], halves_swapped, x)
            target[name] = swapped.float()
        return inputs, target

    def loss(self, network, heads, inputs, target):
        loss, metrics = 0.0, {}
        for name, embedding in network.embed(network.tokens(**inputs)).items():
            logit = heads[name](embedding)[:, 0].float()  # (batch,)
            loss = loss + nn.functional.binary_cross_entropy_with_logits(logit, target[name])
            right = (logit > 0) == (target[name] > 0)
            metrics[f"accuracy_{name}"] = right.float().mean().item()
        return loss, metrics
