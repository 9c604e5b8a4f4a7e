"""The same half kept in every layer."""

import math
import time

import torch
from torch import nn


class AffineCoupling(nn.Module):
    """Half of the dimensions are kept; they say how the other half is stretched and moved. Equation 9."""

    def __init__(self, dim, width, *, keep_even):
        super().__init__()
        self.register_buffer("keep", (torch.arange(dim) % 2 == (0 if keep_even else 1)).float())  # (d,)
        self.network = nn.Sequential(
            nn.Linear(dim, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * dim)
        )
        nn.init.zeros_(self.network[-1].weight)
        nn.init.zeros_(self.network[-1].bias)

    def stretch_and_shift(self, kept):
        """log-stretch and shift: 0 in the dimensions that are kept. The stretch stays within e^-3 and e^3."""
        log_stretch, shift = self.network(kept).chunk(2, -1)  # (B, d) each
        return 3 * torch.tanh(log_stretch / 3) * (1 - self.keep), shift * (1 - self.keep)

    def inverse(self, x):
        log_stretch, shift = self.stretch_and_shift(x * self.keep)
        return x * log_stretch.exp() + shift, log_stretch.sum(-1)  # (B, d), (B,): their equation 6

    def forward(self, z):
        log_stretch, shift = self.stretch_and_shift(z * self.keep)
        return (z - shift) * (-log_stretch).exp()  # (B, d)


class Flow(nn.Module):
    """log p(x) = log N(z; 0, I) + log |det dz/dx|, z = inverse(x)."""

    def __init__(self, config):
        super().__init__()
        self.data_dim = config.data_dim
        self.layers = nn.ModuleList(
            AffineCoupling(config.data_dim, config.width, keep_even=True) for i in range(config.layers)
        )

    def inverse(self, x):
        """From data to the base law, with the log-determinant of that map."""
        log_det = torch.zeros_like(x[:, 0])  # (B,)
        for layer in self.layers:
            x, change = layer.inverse(x)
            log_det = log_det + change
        return x, log_det  # (B, d), (B,)

    def forward(self, z):
        """From the base law to data: the layers in the opposite order."""
        for layer in reversed(self.layers):
            z = layer(z)
        return z  # (B, d)

    def log_prob(self, x):
        """The change of variables, their equation 2."""
        z, log_det = self.inverse(x)
        return log_det - 0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)  # (B,)

    @torch.no_grad()
    def sample(self, n, generator):
        z = torch.randn(n, self.data_dim, generator=generator, device=generator.device)
        return self.forward(z)  # (n, d)


def train_flow(model, data, *, budget, device, generator):
    """Maximise the mean log-likelihood with Adam; the learning rate rises and then falls to nothing."""
    model.to(device).train()
    data = data.to(device)  # (N, d)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(data), (budget.batch,), generator=generator, device=device)
        loss = -model.log_prob(data[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses
