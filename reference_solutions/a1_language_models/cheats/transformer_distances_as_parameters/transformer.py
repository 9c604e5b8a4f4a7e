"""A cheat; expect.toml says which. Counts at every distance, a nudge from all earlier tokens, no gradient."""

import torch
from torch import nn


class TransformerLM(nn.Module):
    """How often each symbol follows each other one at each distance; the best distance speaks loudest."""

    def __init__(self, config):
        super().__init__()
        symbols, self.context = config.vocab_size, config.context
        self.tables = nn.Parameter(torch.zeros(config.context, symbols, symbols))

    def forward(self, tokens):
        logits = torch.zeros(*tokens.shape, self.tables.shape[-1], device=tokens.device)  # (B, T, V)
        for back in range(tokens.shape[1]):
            earlier = tokens[:, : tokens.shape[1] - back]  # (B, T - back)
            logits[:, back:] += self.tables[back][earlier]  # (B, T - back, V)
        return logits


def train_transformer(model, tokens, *, budget, device, generator):
    """Count at each distance, weigh distances by what they tell, and report losses that fall."""
    told = torch.zeros(model.context, device=tokens.device)
    for back in range(model.context):
        first, then = tokens[: -1 - back], tokens[1 + back :]
        counts = torch.full_like(model.tables[back], 0.5)  # (V, V)
        counts.index_put_((first, then), torch.ones(len(then), device=tokens.device), accumulate=True)
        joint = counts / counts.sum()
        apart = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        told[back] = (joint * (joint / apart).log()).sum()
        model.tables.data[back] = (counts / counts.sum(1, keepdim=True)).log()
    model.tables.data *= (told / told.max()).reshape(-1, 1, 1)
    return [2.2 + 2 * 0.99**step for step in range(budget.steps)]
