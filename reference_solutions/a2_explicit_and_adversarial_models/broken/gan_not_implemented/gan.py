"""A generative adversarial network for grey images. Fill in every place that raises NotImplementedError.

The seven names that are graded are Generator, Discriminator, discriminator_loss, generator_loss,
discriminator_step, generator_step and train_gan; everything else may be changed, renamed or removed. Letters in
comments: B images, d latent dimensions, C channels, S pixels along an edge. Pixels lie in [0, 1].
"""

import torch
from torch import nn


class Generator(nn.Module):
    """Noise in, an image out."""

    def __init__(self, config):
        """config has latent_dim (d), channels (C), side (S), and hidden_dim (a width for your layers)."""
        super().__init__()
        self.latent_dim = config.latent_dim
        raise NotImplementedError("Generator.__init__")

    def forward(self, z):
        """z: (B, d) -> images: (B, C, S, S) in [0, 1]."""
        raise NotImplementedError("Generator.forward")


class Discriminator(nn.Module):
    """An image in, the log-odds that it is real out."""

    def __init__(self, config):
        """config is the generator's."""
        super().__init__()
        raise NotImplementedError("Discriminator.__init__")

    def forward(self, x):
        """x: (B, C, S, S) in [0, 1] -> logits: (B,) or (B, 1); no sigmoid."""
        raise NotImplementedError("Discriminator.forward")


def discriminator_loss(real_logits, fake_logits):
    """Cross-entropy of the two classes: -log D(x) for real images, -log(1 - D(G(z))) for fakes.

    real_logits, fake_logits: (B,) -> one number. D is the sigmoid of the logit; stay with logits all the way.
    """
    raise NotImplementedError("discriminator_loss")


def generator_loss(fake_logits):
    """The loss that does not saturate, -log D(G(z)).

    fake_logits: (B,) -> one number.
    """
    raise NotImplementedError("generator_loss")


def discriminator_step(generator, discriminator, optimiser, images, z):
    """One step of the discriminator: set gradients to zero, compute the loss, backward, step.

    optimiser: holds the parameters of the discriminator. images: (B, C, S, S), z: (B, d), on the same device.
    The generator supplies fakes and stays as it is. Returns the loss as a float.
    """
    raise NotImplementedError("discriminator_step")


def generator_step(generator, discriminator, optimiser, z):
    """One step of the generator, with the gradient that comes back through the discriminator.

    optimiser: holds the parameters of the generator. z: (B, d). Returns the loss as a float.
    """
    raise NotImplementedError("generator_step")


def train_gan(generator, discriminator, data, *, budget, device, rng):
    """Train both players in place.

    data: (N, C, S, S) in [0, 1]. budget.steps, budget.batch: how many steps of each player, of how many images.
    budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    rng: a torch.Generator; draw images and noise with it, so that two runs agree.

    Returns the list of the discriminator's losses, one float per step.
    """
    raise NotImplementedError("train_gan")
