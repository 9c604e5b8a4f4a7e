"""Reference: a Wasserstein GAN with gradient penalty for grey images.

Arjovsky et al. 2017 (arXiv:1701.07875); the penalty is that of Gulrajani et al. 2017 (arXiv:1704.00028).
B images, d latent dimensions, C x S x S pixels.
"""

import time

import torch
from torch import nn


class WassersteinGenerator(nn.Module):
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


class Critic(nn.Module):
    """An image in, a score out: any real number, and no sigmoid. No layer mixes the images of a batch."""

    def __init__(self, config):
        super().__init__()
        width = config.hidden_dim
        self.network = nn.Sequential(
            nn.Flatten(),
            nn.Linear(config.channels * config.side**2, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.network(x).squeeze(1)  # (B,)


def critic_loss(real_scores, fake_scores):
    """Minus the critic's estimate of the distance; Gulrajani et al. 2017, equation 3, first two terms."""
    return (fake_scores.mean() - real_scores.mean()) / 2


def wasserstein_generator_loss(fake_scores):
    """Better images score higher; Gulrajani et al. 2017, algorithm 1, line 11."""
    return -fake_scores.mean()


def gradient_penalty(critic, real, fake, mix):
    """How far the critic's slope is from 1 between real and fake; their equation 3, without the weight."""
    mix = mix.reshape(-1, 1, 1, 1)  # (B, 1, 1, 1)
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_()  # (B, C, S, S)
    (slope,) = torch.autograd.grad(
        outputs := critic(between), between, grad_outputs=torch.ones_like(outputs), create_graph=True
    )  # (B, C, S, S)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


def critic_step(generator, critic, optimiser, images, z, mix, penalty_weight):
    """One step of the critic's optimiser; Gulrajani et al. 2017, algorithm 1, lines 4 to 9."""
    with torch.no_grad():
        fakes = generator(z)  # (B, C, S, S)
    loss = critic_loss(critic(images), critic(fakes))
    loss = loss + penalty_weight / 2 * gradient_penalty(critic, images, fakes, mix)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def train_wgan(generator, critic, data, *, budget, device, rng):
    """Some steps of the critic for each of the generator; Gulrajani et al. 2017, algorithm 1."""
    generator.to(device).train()
    critic.to(device).train()
    data = data.to(device)  # (N, C, S, S)
    players = (critic, generator)
    optimisers = [torch.optim.Adam(player.parameters(), lr=2e-3, betas=(0.0, 0.9)) for player in players]
    decay = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda step: min(1.0, 2 * (1 - step / budget.steps)))
        for each in optimisers
    ]
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        for _ in range(budget.critic_steps):
            images = data[torch.randint(len(data), (budget.batch,), generator=rng, device=device)]
            z = torch.randn(budget.batch, generator.latent_dim, generator=rng, device=device)  # (B, d)
            mix = torch.rand(budget.batch, generator=rng, device=device)  # (B,)
            loss = critic_step(generator, critic, optimisers[0], images, z, mix, penalty_weight=10.0)
        z = torch.randn(budget.batch, generator.latent_dim, generator=rng, device=device)
        fooled = wasserstein_generator_loss(critic(generator(z)))
        optimisers[1].zero_grad()
        fooled.backward()
        optimisers[1].step()
        for schedule in decay:
            schedule.step()
        losses.append(loss)
    return losses
