"""
How do I add a signal, a network and a task of my own?
======================================================

Nothing in the library needs to change. A signal is a name in a :class:`~physio_ssl.Recording`, a
network a PyTorch module with one method, a task a class with three. Each takes some ten lines.
"""

# %%
# A signal
# --------
# A chest belt records respiration. Some minutes are paced: breathing is slower there. Any name will
# do for a signal, here ``belt``.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn import functional as F

from physio_ssl import Recording, SSLEncoder, StageLabels, make_windows
from physio_ssl.evaluation import LinearProbe
from physio_ssl.networks import TokenNetwork, check_network
from physio_ssl.pretext import Pretext, check_pretext

rng = np.random.default_rng(0)


def record(subject):
    stages = {"onset": [0, 120], "duration": [120, 120], "description": ["free", "paced"]}
    frequency = rng.uniform(0.22, 0.32) * np.repeat([1, 0.85], 120 * 10)  # Hz
    frequency = frequency + 0.05 * rng.standard_normal(240).repeat(10)
    belt = np.sin(2 * np.pi * np.cumsum(frequency) / 10) + rng.standard_normal(2400)
    return Recording({"belt": belt}, {"belt": 10}, subject, annotations=stages)


people = [record(f"P{number:02d}") for number in range(12)]
labels = StageLabels({"free": 0, "paced": 1}, min_coverage=1)
windows = make_windows(people, duration=20, step=5, labels=labels)
windows

# %%
# A network
# ---------
# ``tokens`` turns the signals of each modality into tokens. The embedding is their mean.


class SmallNetwork(TokenNetwork):
    def __init__(self, n_channels, n_times, width=32):
        super().__init__(n_channels, n_times)
        self.token_width = dict.fromkeys(self.n_channels, width)
        self.layers = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Conv1d(n, width, 41, stride=5), nn.ReLU())
                for name, n in self.n_channels.items()
            }
        )

    def tokens(self, **signals):
        return {name: layer(signals[name]).mT for name, layer in self.layers.items()}


# %%
# A task
# ------
# Play each window at another speed, and let the network tell which. To do so, it has to notice the
# rate of breathing.


class SpeedRecognition(Pretext):
    speeds = (0.7, 1.0, 1.4)
    chance = 1 / 3

    def make_heads(self, network):
        sizes = network.embedding_size.items()
        return nn.ModuleDict({name: nn.Linear(size, len(self.speeds)) for name, size in sizes})

    def make_views(self, signals, rng):
        inputs, target = {}, None
        for name, x in signals.items():  # (batch, n_channels, n_times)
            length = int(x.shape[-1] / max(self.speeds))
            played = [
                F.interpolate(x[..., : int(length * speed)], x.shape[-1], mode="linear")
                for speed in self.speeds
            ]
            inputs[name] = torch.cat(played)
            target = torch.arange(len(self.speeds), device=x.device).repeat_interleave(len(x))
        return inputs, target

    def loss(self, network, heads, inputs, target):
        loss, metrics = 0.0, {}
        for name, embedding in network.embed(network.tokens(**inputs)).items():
            logits = heads[name](embedding)
            loss = loss + F.cross_entropy(logits, target)
            metrics[f"accuracy_{name}"] = (logits.argmax(1) == target).float().mean().item()
        return loss, metrics


# %%
# Two functions look for mistakes before any training. They are silent here.

network = SmallNetwork({"belt": 1}, {"belt": 200})
check_network(network)
check_pretext(SpeedRecognition(), network)

# %%
# Together
# --------
# In the pipeline, the encoder is trained in each fold, on the training people.

scores = {}
for name, epochs in (("untrained", 0), ("pre-trained", 15)):
    encoder = SSLEncoder(SmallNetwork, SpeedRecognition(), max_epochs=epochs, random_state=0)
    model = make_pipeline(encoder, LinearProbe())
    scores[name] = cross_val_score(
        model, windows.X, windows.y, groups=windows.groups, cv=GroupKFold(6), scoring="roc_auc"
    )
    print(f"{name:12} {scores[name].mean():.2f}")

encoder.fit(windows.X)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].plot(range(1, 16), encoder.history_[:, "train_accuracy_belt"], "o-")
axes[0].axhline(1 / 3, color="0.6", linestyle=":")
axes[0].set(xlabel="epoch", ylabel="accuracy of the speed")
axes[1].plot([0, 1], list(scores.values()), "o-", color="0.75")
axes[1].plot([0, 1], [values.mean() for values in scores.values()], "D", color="C3")
axes[1].set_xticks([0, 1], scores)
axes[1].set(xlim=(-0.4, 1.4), ylabel="AUROC of a fold of two people")
plt.show()

# %%
# The network learned to tell the speed. With that, the probe does better in most folds (grey
# lines), on people whom it has not seen. :doc:`/extending` has more parts: readers, preprocessing
# steps, and weights of others.
