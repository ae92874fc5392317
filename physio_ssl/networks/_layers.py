"""Transformer layers, a dropout that is fast on CPUs, and a check of sizes."""

import torch
from torch import nn
from torch.nn import functional as F

from .._check import check_choice, check_probability, check_size

_TOKENS_AT_ONCE = 12_000


def fast_dropout(x, p, training):
    """Zero a fraction ``p`` of ``x``, rounded to 1/256, and scale up the rest."""
    if not training or p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    # PyTorch draws a 64-bit number per value, which takes a quarter of a training step on a
    # CPU. Here eight values share one number.
    bits = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    dropped = min(round(256 * p), 255)
    kept = bits.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
    return x * (kept * (256 / (256 - dropped))).to(x.dtype)


def draw_dropped(n_windows, n_modalities, probability, device):
    """Draw which modalities of windows to drop, never all, (n_windows, n_modalities)."""
    draws = torch.rand(n_windows, n_modalities, device=device)
    # Keep the highest draw: it is below the probability only if all others are, too.
    kept = draws == draws.amax(dim=1, keepdim=True)
    return (draws < probability) & ~kept


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch norm over all tokens of a batch."""

    def forward(self, x):  # (batch, n_tokens, d_model)
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


_NORMS = {"layer": nn.LayerNorm, "batch": TokenBatchNorm}


class TransformerLayer(nn.Module):
    """A post-norm transformer encoder layer on PyTorch's fused attention."""

    def __init__(self, d_model, n_heads, dim_feedforward, dropout, attention_dropout, norm="layer"):
        super().__init__()
        self.qkv = nn.Linear(d_model, 3 * d_model)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        self.out = nn.Linear(d_model, d_model)
        nn.init.zeros_(self.out.bias)
        self.norm1 = _NORMS[norm](d_model)
        self.linear1 = nn.Linear(d_model, dim_feedforward)
        self.linear2 = nn.Linear(dim_feedforward, d_model)
        self.norm2 = _NORMS[norm](d_model)
        self.n_heads = n_heads
        self.dropout = dropout
        self.attention_dropout = attention_dropout

    def forward(self, x):  # (batch, n_tokens, d_model)
        x = self.norm1(x + self._drop(self._attend(x)))
        hidden = self._drop(F.relu(self.linear1(x)))
        return self.norm2(x + self._drop(self.linear2(hidden)))

    def _attend(self, x):
        qkv = self.qkv(x).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (batch, n_heads, n_tokens, d_head)
        dropout = self.attention_dropout if self.training else 0.0
        if q.dtype == torch.bfloat16 and q.device.type == "cpu" and not dropout:
            # On a CPU, PyTorch's fused attention is no faster in bfloat16 than in float32.
            q = q * q.shape[-1] ** -0.5
            windows = zip(q, k.transpose(-1, -2), v, strict=True)  # one window fits in the cache
            heads = torch.stack([(q @ k).softmax(-1, dtype=q.dtype) @ v for q, k, v in windows])
        else:
            heads = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return self.out(heads.transpose(1, 2).flatten(2))  # (batch, n_tokens, d_model)

    def _drop(self, x):
        return fast_dropout(x, self.dropout, self.training)


def make_layers(
    n_layers, d_model, n_heads, dim_feedforward, dropout, attention_dropout, norm="layer"
):
    """Return the layers of a transformer, after a check of their sizes."""
    check_size("n_layers", n_layers, lowest=0)  # without any, tokens do not attend
    check_size("n_heads", n_heads)
    check_size("dim_feedforward", dim_feedforward)
    check_size("d_model", d_model)
    if d_model % n_heads:
        raise ValueError(f"n_heads must divide d_model, got {n_heads} and {d_model}.")
    check_probability("dropout", dropout)
    check_probability("attention_dropout", attention_dropout)
    check_choice("norm", norm, tuple(_NORMS))
    sizes = (d_model, n_heads, dim_feedforward, dropout, attention_dropout, norm)
    return nn.ModuleList(TransformerLayer(*sizes) for _ in range(n_layers))


def apply_layers(layers, x):
    """Apply transformer layers to tokens, (batch, n_tokens, d_model), part by part."""
    # Larger parts do not fit in the processor's cache and are slower. Batch norm needs the whole.
    whole = x.device.type != "cpu" or any(
        isinstance(layer.norm1, TokenBatchNorm) for layer in layers
    )
    at_once = len(x) if whole else max(1, _TOKENS_AT_ONCE // x.shape[1])
    parts = []
    for part in x.split(at_once):
        for layer in layers:
            part = layer(part)
        parts.append(part)
    return torch.cat(parts)
