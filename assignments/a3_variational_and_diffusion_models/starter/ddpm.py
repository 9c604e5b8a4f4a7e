"""A denoising diffusion model. Fill in every place that raises NotImplementedError.

The names that are graded are noise_schedule, q_sample, Denoiser, ddpm_loss, ddpm_sample and train_ddpm;
everything else may be changed, renamed or removed. Letters in comments: B images of shape (C, S, S) with values
in [-1, 1], T steps. Steps are counted from 0: t = 0 adds the first bit of noise, t = T - 1 the last, and
alphas_bar[t] is what is left of the image's variance after step t.
"""

import torch
from torch import nn


def noise_schedule(steps):
    """The variances beta of the noise that the T = `steps` steps add: (T,).

    Evenly spaced from 1e-4 * 1000 / T to 0.02 * 1000 / T.
    """
    raise NotImplementedError("noise_schedule")


def q_sample(x0, t, noise, alphas_bar):
    """The images after step t, at once.

    x0, noise: (B, C, S, S), t: (B,) integers, alphas_bar: (T,) -> (B, C, S, S)
    """
    raise NotImplementedError("q_sample")


class Denoiser(nn.Module):
    """Guesses the noise in an image after step t."""

    def __init__(self, config):
        """config has channels (C), side (S), steps (T), and width and blocks, if you like them."""
        super().__init__()
        # any network from C x S x S numbers and a step to C x S x S numbers; sines and cosines of t, or an
        # embedding, tell it the step
        raise NotImplementedError("Denoiser.__init__")

    def predict_noise(self, x_t, t):
        """x_t: (B, C, S, S), t: (B,) integers from 0 to T - 1 -> (B, C, S, S)."""
        raise NotImplementedError("Denoiser.predict_noise")


def ddpm_loss(model, x0, t, noise, alphas_bar):
    """The simple loss: squared error between the noise and what model.predict_noise makes of the noisy images.

    x0, noise: (B, C, S, S), t: (B,), alphas_bar: (T,) -> one number
    """
    raise NotImplementedError("ddpm_loss")


def train_ddpm(model, data, *, alphas_bar, budget, device, generator):
    """Train `model` in place.

    data: (N, C, S, S) in [-1, 1]. alphas_bar: (T,). budget.steps, budget.batch: how many steps, of how many
    images. budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    generator: a torch.Generator; draw images, steps and noise with it, so that two runs agree.

    Returns the list of the losses, one float per step.
    """
    # each time: draw images, for each its own t from 0 to T - 1, and noise
    raise NotImplementedError("train_ddpm")


def ddpm_sample(model, x_T, betas, generator):
    """From noise to images: ask model.predict_noise at t = T - 1, ..., 0 and take a step back each time.

    x_T: (B, C, S, S) standard normal, betas: (T,) -> (B, C, S, S). Draw new noise with `generator`.
    """
    # mean of x_{t-1}: (x_t - beta_t / sqrt(1 - alpha_bar_t) * predicted noise) / sqrt(1 - beta_t)
    # add sqrt(beta_t) * new noise, but none at t = 0
    raise NotImplementedError("ddpm_sample")
