"""A Wasserstein GAN with gradient penalty for grey images. Fill in every place that raises NotImplementedError.

The seven names that are graded are WassersteinGenerator, Critic, critic_loss, wasserstein_generator_loss,
gradient_penalty, critic_step and train_wgan; everything else may be changed, renamed or removed. Letters in
comments: B images, d latent dimensions, C channels, S pixels along an edge. Pixels lie in [0, 1].
"""

import torch
from torch import nn


class WassersteinGenerator(nn.Module):
    """Noise in, an image out."""

    def __init__(self, config):
        """config has latent_dim (d), channels (C), side (S), and hidden_dim (a width for your layers)."""
        super().__init__()
        self.latent_dim = config.latent_dim
        raise NotImplementedError("WassersteinGenerator.__init__")

    def forward(self, z):
        """z: (B, d) -> images: (B, C, S, S) in [0, 1]."""
        raise NotImplementedError("WassersteinGenerator.forward")


class Critic(nn.Module):
    """An image in, a score out: any real number."""

    def __init__(self, config):
        """config is the generator's."""
        super().__init__()
        raise NotImplementedError("Critic.__init__")

    def forward(self, x):
        """x: (B, C, S, S) in [0, 1] -> scores: (B,) or (B, 1); no sigmoid."""
        raise NotImplementedError("Critic.forward")


def critic_loss(real_scores, fake_scores):
    """What the critic minimises, without the penalty: the mean score of fakes less that of real images.

    real_scores, fake_scores: (B,) -> one number.
    """
    raise NotImplementedError("critic_loss")


def wasserstein_generator_loss(fake_scores):
    """What the generator minimises.

    fake_scores: (B,) -> one number.
    """
    raise NotImplementedError("wasserstein_generator_loss")


def gradient_penalty(critic, real, fake, mix):
    """Mean of (norm of the critic's gradient - 1)^2 between real and fake images, without the weight.

    critic: any module that gives (B,) scores. real, fake: (B, C, S, S). mix: (B,) in [0, 1], one for each image;
    the gradient is that with respect to the image mix * real + (1 - mix) * fake. -> one number, of which the
    gradient with respect to the critic's parameters can be taken: see create_graph in torch.autograd.grad.
    """
    raise NotImplementedError("gradient_penalty")


def critic_step(generator, critic, optimiser, images, z, mix, penalty_weight):
    """One step of the critic on critic_loss + penalty_weight * gradient_penalty.

    optimiser: holds the parameters of the critic. images: (B, C, S, S), z: (B, d), mix: (B,), on the same device.
    The generator supplies fakes and stays as it is. Returns the loss as a float.
    """
    raise NotImplementedError("critic_step")


def train_wgan(generator, critic, data, *, budget, device, rng):
    """Train both players in place.

    data: (N, C, S, S) in [0, 1]. budget.steps: steps of the generator; budget.critic_steps: steps of the critic for
    each of them; budget.batch: images in a step. The weight of the penalty is yours: 10 in the paper.
    budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    rng: a torch.Generator; draw images, noise and mix with it, so that two runs agree.

    Returns the list of the critic's losses, one float per step of the generator.
    """
    raise NotImplementedError("train_wgan")
