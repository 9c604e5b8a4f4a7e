"""Low-rank adaptation of a model that somebody else has trained. Fill in what raises NotImplementedError.

Graded are add_lora, merge_lora and train_lora; LoRALinear may be changed, renamed or removed. Letters in
comments: B sequences, T positions, V symbols, r the rank.
"""

from torch import nn


class LoRALinear(nn.Module):
    """A frozen linear layer W and a trainable update: W x + (alpha / r) B A x."""

    def __init__(self, linear, rank, alpha):
        """linear: an nn.Linear, kept as it is. A: (r, in), random. B: (out, r), zero."""
        super().__init__()
        raise NotImplementedError("LoRALinear.__init__")

    def forward(self, x):
        """x: (..., in) -> (..., out)."""
        raise NotImplementedError("LoRALinear.forward")


def add_lora(model, rank, alpha):
    """Give every nn.Linear in `model` an adapter, however deep it lies, and freeze everything else.

    Returns the adapted model. Before training it computes exactly what `model` computed.
    """
    # model.named_children() gives the parts of a module; setattr(parent, name, new) replaces one
    raise NotImplementedError("add_lora")


def merge_lora(model):
    """Add every update to its weight, and put the plain nn.Linear back in its old place.

    Returns a model whose state_dict has the names and shapes that it had before add_lora.
    """
    raise NotImplementedError("merge_lora")


def train_lora(model, inputs, targets, *, budget, device, generator):
    """Train the adapters of `model`, and nothing else.

    inputs, targets: (N, T) int64; targets[n, t] is the symbol that came after inputs[n, t]. model(inputs[rows])
    gives logits (B, T, V). budget.steps, budget.batch: how many steps, of how many rows. budget.wall_s: when
    this many seconds have passed, the process is ended. generator: draw the rows with it.

    Returns the list of the losses, one float per step.
    """
    raise NotImplementedError("train_lora")


if __name__ == "__main__":
    # A short look at your own adapters: python lora.py
    import torch

    model, x = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)), torch.randn(2, 5)
    before = model(x)
    adapted = add_lora(model, rank=2, alpha=4)
    print("unchanged:", torch.allclose(before, adapted(x)))
    print("trainable:", [name for name, value in adapted.named_parameters() if value.requires_grad])
