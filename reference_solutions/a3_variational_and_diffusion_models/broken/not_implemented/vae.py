"""A variational autoencoder for black and white images. Fill in every place that raises NotImplementedError.

The three names that are graded are VAE, kl_divergence and train_vae; everything else may be changed, renamed
or removed. Letters in comments: B images, D pixels, d latent dimensions, K draws. Everything in nats, with one
value per image: sums over pixels and latent dimensions, no means.
"""

import torch
from torch import nn


def kl_divergence(mu, logvar):
    """KL(N(mu, diag exp(logvar)) || N(0, I)).

    mu, logvar: (B, d) -> (B,)
    """
    raise NotImplementedError("kl_divergence")


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) = Bernoulli(sigmoid(decode(z))), q(z|x) = N(mu, diag exp(logvar))."""

    def __init__(self, config):
        """config has data_dim (D), latent_dim (d) and hidden_dim (a width for your layers, if you like it)."""
        super().__init__()
        self.latent_dim = config.latent_dim
        # an encoder from D numbers to 2 d, and a decoder from d numbers to D logits
        raise NotImplementedError("VAE.__init__")

    def encode(self, x):
        """x: (B, D) zeros and ones -> mu: (B, d), logvar: (B, d)."""
        raise NotImplementedError("VAE.encode")

    def decode(self, z):
        """z: (B, d) -> logits: (B, D); no sigmoid."""
        raise NotImplementedError("VAE.decode")

    def elbo(self, x, eps):
        """x: (B, D), eps: (B, d) standard normal noise -> (B,), to be maximised."""
        # 1. encode; z = mu + standard deviation * eps
        # 2. log p(x|z) from the logits, summed over the pixels; binary_cross_entropy_with_logits is -log p
        # 3. subtract the KL
        raise NotImplementedError("VAE.elbo")

    def iwae(self, x, eps):
        """x: (B, D), eps: (K, B, d) -> (B,): log of the mean over K draws of p(x, z) / q(z|x)."""
        # stay in the log domain: torch.logsumexp; the same number as elbo for K = 1, on average
        raise NotImplementedError("VAE.iwae")

    def sample(self, n, generator):
        """n new images as pixel probabilities: (n, D) in [0, 1]. Draw z with `generator`."""
        raise NotImplementedError("VAE.sample")


def train_vae(model, data, *, budget, device, generator):
    """Train `model` in place.

    data: (N, D) zeros and ones. budget.steps, budget.batch: how many steps, of how many images.
    budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    generator: a torch.Generator; draw images and noise with it, so that two runs agree.

    Returns the list of the losses (negative ELBO, mean over the batch), one float per step.
    """
    raise NotImplementedError("train_vae")
