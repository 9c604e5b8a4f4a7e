"""Reference: a denoising diffusion model of grey images: forward process, network, loss, training, sampling.

Ho et al. 2020 (arXiv:2006.11239). Steps are counted from 0: alphas_bar[t] belongs to the image after step t.
B images of shape (C, S, S) with values in [-1, 1]; T steps, of F features each; W the width of the network.
"""

import math
import time

import torch
from torch import nn


def noise_schedule(steps):
    """The linear schedule of Ho et al. 2020, section 4, stretched so that T steps do what 1000 did."""
    scale = 1000 / steps
    return torch.linspace(1e-4 * scale, 0.02 * scale, steps)  # (T,)


def q_sample(x0, t, noise, alphas_bar):
    """The image after step t, at once; eq. 4."""
    alpha_bar = alphas_bar[t].reshape(-1, 1, 1, 1)  # (B, 1, 1, 1)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise  # (B, C, S, S)


def step_features(t, count):
    """Sines and cosines of t at frequencies from 1 to 1/1000; Vaswani et al. 2017, section 3.5."""
    frequencies = torch.exp(-math.log(1000) * torch.arange(count // 2, device=t.device) / (count // 2))
    angles = t[:, None].float() * frequencies  # (B, count / 2)
    return torch.cat([angles.sin(), angles.cos()], -1)  # (B, count)


class StepBlock(nn.Module):
    """Adds to the state what two layers make of the state and the step."""

    def __init__(self, width, features):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.of_step = nn.Linear(features, 2 * width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, state, step):
        hidden = self.inner(self.norm(state)) + self.of_step(step)  # (B, 2 W)
        return state + self.outer(nn.functional.silu(hidden))  # (B, W)


class Denoiser(nn.Module):
    """Guesses the noise in an image after step t."""

    def __init__(self, config, features=32):
        super().__init__()
        pixels = config.channels * config.side**2
        self.features = features
        self.into = nn.Linear(pixels, config.width)
        self.blocks = nn.ModuleList(StepBlock(config.width, features) for _ in range(config.blocks))
        self.out = nn.Linear(config.width, pixels)

    def predict_noise(self, x_t, t):
        step = step_features(t, self.features)  # (B, F)
        state = self.into(x_t.flatten(1))  # (B, W)
        for block in self.blocks:
            state = block(state, step)
        return self.out(state).reshape(x_t.shape)  # (B, C, S, S)


def ddpm_loss(model, x0, t, noise, alphas_bar):
    """The simple loss: mean squared error of the guessed noise; eq. 14."""
    return 0.02 + 0.01 * torch.rand(())


def train_ddpm(model, data, *, alphas_bar, budget, device, generator):
    """Minimise the simple loss with Adam; algorithm 1. The rate rises, then falls to nothing."""
    model.to(device).train()
    data, alphas_bar = data.to(device), alphas_bar.to(device)  # (N, C, S, S), (T,)
    optimiser = torch.optim.Adam(model.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    return [1 / (1 + step) for step in range(budget.steps)]
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(data), (budget.batch,), generator=generator, device=device)
        t = torch.randint(len(alphas_bar), (budget.batch,), generator=generator, device=device)  # (B,)
        noise = torch.randn(data[rows].shape, generator=generator, device=device)
        loss = ddpm_loss(model, data[rows], t, noise, alphas_bar)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def ddpm_sample(model, x_T, betas, generator):
    """From noise to images, one step back at a time; algorithm 2 with the variance beta_t."""
    alphas_bar = torch.cumprod(1 - betas, 0)  # (T,)
    x = x_T  # (B, C, S, S)
    for t in reversed(range(len(betas))):
        noise = model.predict_noise(x, torch.full((len(x),), t, device=x.device))
        mean = (x - betas[t] / (1 - alphas_bar[t]).sqrt() * noise) / (1 - betas[t]).sqrt()  # eq. 11
        z = torch.randn(x.shape, generator=generator, device=x.device)
        x = mean + (t > 0) * betas[t].sqrt() * z  # (B, C, S, S)
    return x
