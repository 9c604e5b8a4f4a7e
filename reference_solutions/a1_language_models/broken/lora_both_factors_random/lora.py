"""Broken on purpose; expect.toml says what is wrong.

Hu et al. 2021 (arXiv:2106.09685), equation 3: W x + (alpha / r) B A x, with W frozen, A random and B zero.
"""

import time

import torch
from torch import nn
from torch.nn import functional


class LoRALinear(nn.Module):
    """A frozen linear layer and a trainable update of rank r."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        self.scale = alpha / rank
        weight = linear.weight  # (out, in)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1]).to(weight) / rank**0.5)  # (r, in)
        self.lora_b = nn.Parameter(0.02 * torch.randn(weight.shape[0], rank).to(weight))  # (out, r)

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)  # (..., out)

    def merged(self):
        """The same map as one plain layer."""
        self.linear.weight.data += self.scale * self.lora_b.data @ self.lora_a.data  # (out, in)
        return self.linear


def replace_layers(model, kind, make):
    """Put `make(layer)` in the place of every layer of a kind, however deep in the model."""
    for name, child in model.named_children():
        if isinstance(child, kind):
            setattr(model, name, make(child))
        else:
            replace_layers(child, kind, make)
    return model


def add_lora(model, rank, alpha):
    """Freeze the model, and give each of its linear layers an adapter."""
    model.requires_grad_(False)
    return replace_layers(model, nn.Linear, lambda layer: LoRALinear(layer, rank, alpha))


def merge_lora(model):
    """Add every update to the weight that it belongs to (section 4.1: no cost at inference)."""
    return replace_layers(model, LoRALinear, lambda layer: layer.merged())


def train_lora(model, inputs, targets, *, budget, device, generator):
    """Minimise the mean code length of the targets over the adapters alone, with Adam."""
    model.to(device).train()
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(adapters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(inputs), (budget.batch,), generator=generator, device=device)
        logits = model(inputs[rows])  # (B, T, V)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets[rows].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses
