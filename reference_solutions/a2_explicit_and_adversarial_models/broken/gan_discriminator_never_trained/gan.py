"""Reference: a generative adversarial network for grey images, its losses, its steps, and its training loop.

Goodfellow et al. 2014 (arXiv:1406.2661). Batch normalisation in the generator is that of Radford et al. 2016
(arXiv:1511.06434), Adam without momentum that of Gulrajani et al. 2017 (arXiv:1704.00028).
B images, d latent dimensions, C x S x S pixels.
"""

import time

import torch
from torch import nn
from torch.nn import functional


class Generator(nn.Module):
    """Noise in, an image out."""

    def __init__(self, config):
        super().__init__()
        self.latent_dim = config.latent_dim
        self.shape = (config.channels, config.side, config.side)
        width = config.hidden_dim
        self.network = nn.Sequential(
            nn.Linear(config.latent_dim, width),
            nn.BatchNorm1d(width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, config.channels * config.side**2),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.network(z).reshape(-1, *self.shape)  # (B, C, S, S)


class Discriminator(nn.Module):
    """An image in, the log-odds that it is real out. Dropout keeps it from learning the images by heart."""

    def __init__(self, config):
        super().__init__()
        width = config.hidden_dim
        self.network = nn.Sequential(
            nn.Flatten(),
            nn.Linear(config.channels * config.side**2, width),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.4),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.4),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.network(2 * x - 1).squeeze(1)  # (B,)


def discriminator_loss(real_logits, fake_logits):
    """-log D(x) - log(1 - D(G(z))); Goodfellow et al. 2014, algorithm 1. softplus(-a) is -log sigmoid(a)."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def generator_loss(fake_logits):
    """-log D(G(z)), which has a gradient where the discriminator is sure; their section 3."""
    return functional.softplus(-fake_logits).mean()


def discriminator_step(generator, discriminator, optimiser, images, z):
    """One step of the discriminator's optimiser; the generator only supplies images."""
    with torch.no_grad():
        fakes = generator(z)  # (B, C, S, S), with no way back into the generator
    loss = discriminator_loss(discriminator(images), discriminator(fakes))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def generator_step(generator, discriminator, optimiser, z):
    """One step of the generator's optimiser, with the gradient that comes through the discriminator."""
    loss = generator_loss(discriminator(generator(z)))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def train_gan(generator, discriminator, data, *, budget, device, rng):
    """Take turns, one step each; Goodfellow et al. 2014, algorithm 1, with rates that fall at the end."""
    generator.to(device).train()
    discriminator.to(device).train()
    data = data.to(device)  # (N, C, S, S)
    players = (discriminator, generator)
    optimisers = [torch.optim.Adam(player.parameters(), lr=2e-3, betas=(0.0, 0.99)) for player in players]
    decay = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda step: min(1.0, 2 * (1 - step / budget.steps)))
        for each in optimisers
    ]
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        images = data[torch.randint(len(data), (budget.batch,), generator=rng, device=device)]
        z = torch.randn(2, budget.batch, generator.latent_dim, generator=rng, device=device)
        losses.append(generator_step(generator, discriminator, optimisers[1], z[1]))
        for schedule in decay:
            schedule.step()
    return losses
