"""A mask with the comparison the wrong way round."""

import time

import torch
from torch import nn
from torch.nn import functional


class MaskedLinear(nn.Linear):
    """A linear layer of which some connections are cut; Germain et al. 2015, equation 12."""

    def __init__(self, degree_in, degree_out, *, strict):
        """degree: the number of pixels that a unit may know about. strict: fewer, not as many."""
        super().__init__(len(degree_in), len(degree_out))
        known, allowed = degree_in[None, :], degree_out[:, None]
        self.register_buffer("mask", (known > allowed if strict else known <= allowed).float())  # (out, in)

    def forward(self, x):
        return functional.linear(x, self.weight * self.mask, self.bias)


class AutoregressiveImage(nn.Module):
    """log p(x) = sum over i of log p(x_i | x_1 ... x_{i-1}), every factor a Bernoulli; all in one pass."""

    def __init__(self, config):
        super().__init__()
        pixels = config.side**2
        position = torch.arange(1, pixels + 1)  # pixel i knows itself: degree i
        hidden = torch.arange(config.width) % max(1, pixels - 1) + 1  # degrees 1 ... D - 1 in turn
        layers = [MaskedLinear(position, hidden, strict=False), nn.ReLU()]
        for _ in range(config.layers - 1):
            layers += [MaskedLinear(hidden, hidden, strict=False), nn.ReLU()]
        self.network = nn.Sequential(*layers, MaskedLinear(hidden, position, strict=True))
        self.skip = MaskedLinear(position, position, strict=True)  # their section 4.2: direct connections

    def logits(self, x):
        """The logit of pixel i, from the pixels before it alone."""
        flat = 2 * x.flatten(1) - 1  # (B, D)
        return (self.network(flat) + self.skip(flat)).view_as(x)  # (B, 1, H, W)

    def log_prob(self, x):
        """Sum over the pixels of the log-probability of what is there; their equation 5."""
        nats = functional.binary_cross_entropy_with_logits(self.logits(x), x, reduction="none")
        return -nats.flatten(1).sum(1)  # (B,)


@torch.no_grad()
def sample_autoregressive(model, shape, generator):
    """Draw pixel by pixel in raster order; each draw is an input of the next. shape is (n, 1, H, W)."""
    x = torch.zeros(shape, device=generator.device)
    for row in range(shape[2]):
        for column in range(shape[3]):
            on = model.logits(x).view(shape)[:, :, row, column].sigmoid()  # (n, 1)
            x[:, :, row, column] = torch.bernoulli(on, generator=generator)
    return x


def train_autoregressive(model, data, *, budget, device, generator):
    """Maximise the mean log-likelihood with Adam; the learning rate rises and then falls to nothing."""
    model.to(device).train()
    data = data.to(device)  # (N, 1, H, W)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(data), (budget.batch,), generator=generator, device=device)
        loss = -model.log_prob(data[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses
