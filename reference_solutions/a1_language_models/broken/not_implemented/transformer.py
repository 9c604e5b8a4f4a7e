"""A transformer language model over characters. Fill in every place that raises NotImplementedError.

The two names that are graded are TransformerLM and train_transformer; everything else may be changed,
renamed or removed. Letters in comments: B sequences, T positions, C width, H heads, D = C / H, V symbols.
"""

import torch
from torch import nn


class CausalSelfAttention(nn.Module):
    """Every position mixes what the positions up to itself offer."""

    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.to_qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, x):
        """x: (B, T, C) -> (B, T, C)."""
        # 1. queries, keys and values for each head: (B, H, T, D)
        # 2. scores = Q K^T / sqrt(D): (B, H, T, T); where the key comes after the query, minus infinity
        # 3. softmax over the keys, mix the values, put the heads side by side, project
        raise NotImplementedError("CausalSelfAttention.forward")


class Block(nn.Module):
    """Attention, then a small network at each position, both added to their input."""

    def __init__(self, config):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = CausalSelfAttention(config)
        self.network_norm = nn.LayerNorm(config.width)
        self.network = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
        )

    def forward(self, x):
        """x: (B, T, C) -> (B, T, C)."""
        raise NotImplementedError("Block.forward")


class TransformerLM(nn.Module):
    """Logits of the next symbol at every position."""

    def __init__(self, config):
        """config has vocab_size (V), context (the largest T), width (C), heads (H) and layers."""
        super().__init__()
        # token embedding, position embedding, config.layers blocks, a last norm, a linear layer to V logits
        raise NotImplementedError("TransformerLM.__init__")

    def forward(self, tokens):
        """tokens: (B, T) int64, 1 <= T <= config.context -> logits: (B, T, V); no softmax."""
        raise NotImplementedError("TransformerLM.forward")


def train_transformer(model, tokens, *, budget, device, generator):
    """Train `model` in place.

    tokens: (N,) int64, the training text. budget.steps, budget.batch: how many steps, of how many windows.
    budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    generator: a torch.Generator; draw the windows with it, so that two runs agree.

    Returns the list of the losses, one float per step.
    """
    raise NotImplementedError("train_transformer")


if __name__ == "__main__":
    # A short look at your own model: python transformer.py
    from types import SimpleNamespace

    model = TransformerLM(SimpleNamespace(vocab_size=65, context=32, width=64, heads=4, layers=2))
    print(model(torch.randint(65, (2, 32))).shape, "should be torch.Size([2, 32, 65])")
