"""The reference with a quirk that must cost nothing; expect.toml says which."""

import torch
from torch import nn
from torch.nn import functional


class LoRALinear(nn.Linear):
    """A linear layer that has two small ones beside it."""

    def __init__(self, linear, rank, alpha):
        outputs, inputs = linear.weight.shape
        super().__init__(inputs, outputs, bias=linear.bias is not None, device=linear.weight.device)
        self.load_state_dict(linear.state_dict())
        self.requires_grad_(False)
        self.down = nn.Linear(inputs, rank, bias=False, device=linear.weight.device)
        self.up = nn.Linear(rank, outputs, bias=False, device=linear.weight.device)
        nn.init.zeros_(self.up.weight)
        self.scale = alpha / rank

    def forward(self, x):
        return super().forward(x) + self.scale * self.up(self.down(x))  # (..., out)


def parents_of(model, kind):
    """(module that holds it, its name there, the layer) for each layer of a kind."""
    return [
        (parent, name, child)
        for parent in list(model.modules())
        for name, child in list(parent.named_children())
        if type(child) is kind and not isinstance(parent, LoRALinear)
    ]


def add_lora(model, rank, alpha):
    """Freeze everything, then replace the layers one by one."""
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parent, name, child in parents_of(model, nn.Linear):
        setattr(parent, name, LoRALinear(child, rank, alpha))
    return model


def merge_lora(model):
    """Plain layers again, made anew."""
    for parent, name, child in parents_of(model, LoRALinear):
        plain = nn.Linear(child.in_features, child.out_features, bias=child.bias is not None)
        plain.weight.data = child.weight + child.scale * child.up.weight @ child.down.weight  # (out, in)
        if child.bias is not None:
            plain.bias.data = child.bias
        setattr(parent, name, plain)
    return model


def train_lora(model, inputs, targets, *, budget, device, generator):
    """The loss is a sum over all places; clipping makes the step independent of that."""
    model.train()
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(adapters, lr=1e-2, weight_decay=0.0)
    losses = []
    for step in range(budget.steps):
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / budget.steps)
        rows = torch.randint(len(inputs), (budget.batch,), generator=generator, device=device)
        logits = model(inputs[rows])  # (B, T, V)
        loss = functional.cross_entropy(logits.transpose(1, 2), targets[rows], reduction="sum")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    return losses
