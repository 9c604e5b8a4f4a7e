"""Given weights in, small models that somebody has trained before out. Runs beside the submission."""

from torch import nn


class Single(nn.Module):
    """One linear layer: x W^T + b."""

    def __init__(self, weight, bias):
        """weight: (out, in); bias: (out,)."""
        super().__init__()
        self.layer = nn.Linear(*reversed(weight.shape), device=weight.device)
        self.load_state_dict({"layer.weight": weight, "layer.bias": bias})

    def forward(self, x):
        """x: (B, in) -> (B, out)."""
        return self.layer(x)


class Block(nn.Module):
    """A small network at each position, added to its input."""

    def __init__(self, width, hidden):
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        """x: (B, T, C) -> (B, T, C)."""
        return x + self.down(self.up(x).relu())


class Pretrained(nn.Module):
    """A language model whose next symbol depends on the last one: embedding, blocks, head."""

    def __init__(self, weights):
        """weights: a state_dict; all sizes are read from it."""
        super().__init__()
        symbols, width = weights["token.weight"].shape
        hidden = len(weights["blocks.0.up.bias"])
        count = sum(name.endswith("up.bias") for name in weights)
        self.token = nn.Embedding(symbols, width)
        self.blocks = nn.ModuleList(Block(width, hidden) for _ in range(count))
        self.head = nn.Linear(width, symbols)
        self.to(weights["token.weight"].device)
        self.load_state_dict(weights)

    def forward(self, tokens):
        """tokens: (B, T) int64 -> logits: (B, T, V)."""
        x = self.token(tokens)  # (B, T, C)
        for block in self.blocks:
            x = block(x)  # (B, T, C)
        return self.head(x)  # (B, T, V)
