"""Reference: class-conditional diffusion with classifier-free guidance, trained by dropping labels.

Ho & Salimans 2022 (arXiv:2207.12598) on the noise prediction of Ho et al. 2020 (arXiv:2006.11239); samples
are drawn with the deterministic sampler of Song et al. 2021 (arXiv:2010.02502). B images of C x S x S pixels
in [-1, 1], T steps 0 to T - 1, labels 0 to K - 1, and K for "no label"; alphas_bar[t] is what is left of the
image's variance after step t.
"""

import time

import torch
from torch import nn
from torch.nn.functional import one_hot


class ConditionalDenoiser(nn.Module):
    """Predicts the noise in x_t from x_t, the step and a label, which may be missing."""

    def __init__(self, config):
        super().__init__()
        self.null_label = config.classes
        self.steps = config.steps
        pixels, width = config.channels * config.side**2, config.width
        self.read = nn.Linear(pixels, width)
        self.when = nn.Sequential(nn.Linear(32, width), nn.SiLU(), nn.Linear(width, width))
        self.what = nn.Linear(config.classes + 1, width)
        self.blocks = nn.ModuleList(ConditionedBlock(width) for _ in range(config.layers))
        self.write = nn.Linear(width, pixels)

    def predict_noise(self, x_t, t, y):
        condition = self.when(time_waves(t / self.steps)) + self.what(
            one_hot(y, self.null_label + 1).float()
        )  # (B, width)
        hidden = self.read(x_t.flatten(1))  # (B, width)
        for block in self.blocks:
            hidden = block(hidden, condition)
        return self.write(hidden).reshape(x_t.shape)  # (B, C, S, S)


def time_waves(share):
    """Sines and cosines of the time as features, from slow to fast; Vaswani et al. 2017, section 3.5."""
    rates = torch.logspace(0, 2.5, 16, device=share.device)
    angles = share[:, None] * rates  # (B, 16)
    return torch.cat([angles.sin(), angles.cos()], -1)  # (B, 32)


class ConditionedBlock(nn.Module):
    """A residual step whose normalised input is scaled and shifted by the condition; Perez et al. 2018."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, hidden, condition):
        scale, shift = self.modulate(condition).chunk(2, -1)  # (B, width) each
        return hidden + self.inner(self.norm(hidden) * (1 + scale) + shift)


def drop_labels(y, rate, null_label, generator):
    """Each label becomes the null label with probability `rate`; Ho & Salimans 2022, algorithm 1, line 3."""
    dropped = torch.rand(y.shape, generator=generator, device=y.device) < rate
    return torch.where(dropped, null_label, y)  # (B,)


def guided_noise(model, x_t, t, y, w):
    """(1 + w) eps(x_t, t, y) - w eps(x_t, t, no label); Ho & Salimans 2022, equation 6."""
    conditional = model.predict_noise(x_t, t, y)  # (B, C, S, S)
    unconditional = model.predict_noise(x_t, t, torch.full_like(y, model.null_label))
    return (1 + w) * conditional - w * unconditional


@torch.no_grad()
def sample_guided(model, x_T, y, w, alphas_bar):
    """From noise to images in T steps without new noise; Song et al. 2021, equation 12 with sigma = 0."""
    x = x_T  # (B, C, S, S)
    for step in reversed(range(len(alphas_bar))):
        signal = alphas_bar[step]
        signal_before = alphas_bar[step - 1] if step > 0 else torch.ones_like(signal)
        noise = guided_noise(model, x, torch.full_like(y, step), y, w)
        image = (x - (1 - signal).sqrt() * noise) / signal.sqrt()  # the image that the noise implies
        x = signal_before.sqrt() * image + (1 - signal_before).sqrt() * noise
    return x


def train_guidance(model, images, labels, *, alphas_bar, budget, device, generator):
    """Minimise the error of the predicted noise at random steps; Ho & Salimans 2022, algorithm 1.

    The learning rate rises for a third of the steps and then falls to nothing (Smith & Topin 2018).
    """
    model.to(device).train()
    images, labels, alphas_bar = images.to(device), labels.to(device), alphas_bar.to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
    )
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(images), (budget.batch,), generator=generator, device=device)
        t = torch.randint(len(alphas_bar), (budget.batch,), generator=generator, device=device)
        x_0, signal = images[rows], alphas_bar[t][:, None, None, None]
        noise = torch.randn(x_0.shape, generator=generator, device=device)  # (B, C, S, S)
        x_t = signal.sqrt() * x_0 + (1 - signal).sqrt() * noise
        y = drop_labels(labels[rows], budget.drop_rate, model.null_label, generator)
        loss = (model.predict_noise(x_t, t, y) - noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        averaged.update_parameters(model)
        losses.append(loss.item())
    model.load_state_dict(averaged.module.state_dict())
    return losses
