"""
What does a transformer attend to?
==================================

A transformer mixes tokens, pieces of a window, by weights that it computes: its attention.
Attention is easy to draw and easy to over-read. So we plant something in windows, and look whether
the attention moves there, compared with a network that was not trained.
"""

# %%
# Pre-train to find a gap
# -----------------------
# The task is to recognise windows in which some seconds were set to zero. The network has one token
# per second.

import matplotlib.pyplot as plt
import numpy as np
import torch

from physio_ssl import SSLEncoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import wristband_preprocessor
from physio_ssl.pretext import TransformRecognition
from physio_ssl.transforms import TimeMask

preprocessor = wristband_preprocessor(duration=30, output_sampling_rate=8, modalities=("bvp",))
corpus = preprocessor.make_windows(
    simulate_wristband(20, signals=("bvp",), random_state=1), step=10
)
people = preprocessor.make_windows(simulate_wristband(6, signals=("bvp",), random_state=0), step=30)
encoder = SSLEncoder(
    pretext=TransformRecognition([TimeMask(0.15)]),
    module__token_size=8,
    module__d_model=32,
    module__dropout=0.0,
    max_epochs=10,
    lr=2e-3,
    random_state=0,
).fit(corpus.X)
print(f"recognised in training: {encoder.history_[-1, 'train_accuracy_bvp']:.2f}")

# %%
# Attention, from a layer
# -----------------------
# A hook keeps what enters the transformer layer. Queries times keys are the weights: how much each
# token takes from each other one. We average them over heads and over the tokens that take.


@torch.no_grad()
def attend(encoder, X):
    layer, tokens = encoder.module_.network.layers[0], []
    hook = layer.register_forward_pre_hook(lambda layer, inputs: tokens.append(inputs[0]))
    encoder.transform(X)
    hook.remove()
    parts = layer.qkv(torch.cat(tokens)).unflatten(-1, (3, layer.n_heads, -1))
    query, key, _ = parts.permute(2, 0, 3, 1, 4)  # each (n_windows, n_heads, n_tokens, size)
    weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(dim=-1)
    return weights.mean(dim=(1, 2)).numpy()  # (n_windows, n_tokens)


# %%
# Plant a gap, and look
# ---------------------
# Seconds 12 to 15 of windows of people whom the encoder has not seen.

bvp = people.X["bvp"].copy()
bvp[:, :, 12 * 8 : 15 * 8] = 0
X = {"bvp": bvp}
untrained = encoder.untrained(0)
shown = {"pre-trained": attend(encoder, X), "untrained": attend(untrained, X)}

figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
axes[0].plot(np.arange(240) / 8, bvp[0, 0], color="0.3")
axes[0].set_ylabel("pulse (z-score)")
for name, weights in shown.items():
    axes[1].plot(np.arange(30) + 0.5, weights.mean(axis=0), "o-", label=name)
axes[1].axhline(1 / 30, color="0.6", linestyle=":")
axes[1].set(xlabel="time (s)", ylabel="attention, mean of all windows")
for ax in axes:
    ax.axvspan(12, 15, color="0.9", zorder=0)
axes[1].legend()
plt.show()

for name, weights in shown.items():
    print(f"{name:12} {weights[:, 12:15].sum(axis=1).mean():.0%} of the attention on the gap")

# %%
# After training, almost all of the attention goes to the gap: a tenth of the window, and what the
# task asks for. The untrained network spreads it evenly. So attention can show what a task made
# the network look for. It does not show why a window was classified as it was: other tasks draw
# other maps on the same signal, and what lies in the tokens matters as much as their weights.
