"""Denoisers that are exactly right, for data whose law is known: what a sampler makes of them is known, too.

Our own, for checks of `ddpm_loss`, `ddpm_sample` and `ddim_sample`; they stand in the place of a trained
model and write down at which steps they are asked.
"""

import torch
from torch import nn


class PerfectModel(nn.Module):
    """What both have in common: they look up alpha_bar, compute in float64 and keep notes."""

    def __init__(self, alphas_bar):
        super().__init__()
        self.alphas_bar = nn.Parameter(alphas_bar.double(), requires_grad=False)  # (T,)
        self.notes = []

    def predict_noise(self, x_t, t):
        """x_t: (B, C, S, S), t: (B,) -> (B, C, S, S)."""
        t = torch.as_tensor(t, device=x_t.device).reshape(-1)
        self.notes.append(int(t[0]))
        signal = self.alphas_bar[t].reshape(-1, *[1] * (x_t.ndim - 1))
        return self.guess(x_t.double(), signal).to(x_t.dtype)

    forward = predict_noise

    def asked(self):
        """The steps that it was asked at, in that order; forgets them."""
        steps, self.notes = self.notes, []
        return torch.tensor(steps, dtype=torch.int64)


class PerfectGaussian(PerfectModel):
    """For pixels that are all N(mean, deviation^2)."""

    def __init__(self, mean, deviation, alphas_bar):
        super().__init__(alphas_bar)
        self.mean, self.deviation = mean, deviation

    def guess(self, x, signal):
        """Expected noise; signal is alpha_bar."""
        spread = signal * self.deviation**2 + 1 - signal
        return (1 - signal).sqrt() * (x - signal.sqrt() * self.mean) / spread


class PerfectMixture(PerfectModel):
    """For points that lie around one of K centres with this deviation."""

    def __init__(self, centres, deviation, alphas_bar):
        super().__init__(alphas_bar)
        self.centres, self.deviation = (
            nn.Parameter(centres.double(), requires_grad=False),
            deviation,
        )  # (K, D)

    def guess(self, x, signal):
        """Expected noise; signal is alpha_bar."""
        rows, signal = x.flatten(1), signal.reshape(-1, 1)  # (B, D), (B, 1)
        spread = signal * self.deviation**2 + 1 - signal
        apart = rows[:, None] - signal.sqrt()[..., None] * self.centres  # (B, K, D)
        weights = (-apart.square().sum(-1) / (2 * spread)).softmax(-1)  # (B, K)
        guess = (1 - signal).sqrt() / spread * (weights[..., None] * apart).sum(1)  # (B, D)
        return guess.reshape(x.shape)
