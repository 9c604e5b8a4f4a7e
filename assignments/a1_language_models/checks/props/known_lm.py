"""A language model whose every probability is known to us. Runs beside the submission."""

import torch
from torch import nn


class KnownLM(nn.Module):
    """Every earlier symbol votes for the next one, the latest loudest; each place has a taste of its own."""

    def __init__(self, follows, places, decay):
        """follows: (V, V), votes of a symbol; places: (context, V); decay: how fast old votes fade."""
        super().__init__()
        self.follows = nn.Parameter(follows)
        self.places = nn.Parameter(places)
        self.decay = decay

    def forward(self, tokens):
        """tokens: (B, T) int64, 1 <= T <= context -> logits of the symbol after each: (B, T, V)."""
        if tokens.ndim != 2 or not 1 <= tokens.shape[1] <= len(self.places):
            raise ValueError(f"tokens: expected (B, T) with T from 1 to {len(self.places)}")
        votes, logits = torch.zeros_like(self.follows[tokens[:, 0]]), []
        for place in range(tokens.shape[1]):
            votes = self.decay * votes + self.follows[tokens[:, place]]  # (B, V)
            logits.append(votes + self.places[place])
        return torch.stack(logits, dim=1)


def gradients(function, model, *arguments):
    """What `function(model, *arguments)` gives back, and its gradient for each parameter that it reaches."""
    model.zero_grad()
    value = function(model, *arguments)
    if value.requires_grad:
        value.backward()
    return value, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
