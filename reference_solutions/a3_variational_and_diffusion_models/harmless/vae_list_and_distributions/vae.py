"""Lists where tuples are usual, and torch.distributions for the KL."""

import math
import time

import torch
from torch import distributions, nn
from torch.nn import functional


def kl_divergence(mu, logvar):
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) in closed form; Kingma & Welling 2014, appendix B."""
    posterior = distributions.Normal(mu, (logvar / 2).exp())
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return distributions.kl_divergence(posterior, prior).sum(-1)  # (B,)


def log_likelihood(logits, x):
    """log p(x|z) of pixels that are 0 or 1; the sum over pixels, from logits, never from rounded sigmoids."""
    nats = functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -nats.sum(-1)  # (..., B)


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) = Bernoulli(sigmoid(decode(z))), q(z|x) = N(mu, diag exp(logvar))."""

    def __init__(self, config):
        super().__init__()
        self.latent_dim = config.latent_dim
        self.encoder = self._network(config.data_dim, config.hidden_dim, 2 * config.latent_dim)
        self.decoder = self._network(config.latent_dim, config.hidden_dim, config.data_dim)

    @staticmethod
    def _network(inputs, hidden, outputs):
        return nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, outputs),
        )

    def encode(self, x):
        mu, logvar = self.encoder(x).chunk(2, -1)  # (B, d) each
        return [mu, logvar]

    def decode(self, z):
        return self.decoder(z)  # (B, D), or (K, B, D) for K draws

    def elbo(self, x, eps):
        """The evidence lower bound with one draw per image; Kingma & Welling 2014, equation 10."""
        mu, logvar = self.encode(x)
        z = mu + (logvar / 2).exp() * eps  # (B, d), the reparameterisation of their section 2.4
        return log_likelihood(self.decode(z), x) - kl_divergence(mu, logvar)  # (B,)

    def iwae(self, x, eps):
        """The bound with K importance-weighted draws; Burda et al. 2016, equation 8."""
        mu, logvar = self.encode(x)
        z = mu + (logvar / 2).exp() * eps  # (K, B, d)
        log_prior = -0.5 * (z**2).sum(-1)  # (K, B), up to a constant ...
        log_posterior = -0.5 * (eps**2 + logvar).sum(-1)  # (K, B), ... up to the same constant
        log_weights = log_likelihood(self.decode(z), x) + log_prior - log_posterior  # (K, B)
        return torch.logsumexp(log_weights, 0) - math.log(len(eps))  # (B,)

    @torch.no_grad()
    def sample(self, n, generator):
        """Pixel probabilities of n new images: draw from the prior and decode."""
        z = torch.randn(n, self.latent_dim, generator=generator, device=generator.device)  # (n, d)
        return self.decode(z).sigmoid()  # (n, D)


def train_vae(model, data, *, budget, device, generator):
    """Maximise the mean ELBO with Adam; Kingma & Welling 2014, algorithm 1.

    The learning rate rises for a third of the steps and then falls to nothing (Smith & Topin 2018).
    """
    model.to(device).train()
    data = data.to(device)  # (N, D)
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        rows = torch.randint(len(data), (budget.batch,), generator=generator, device=device)
        eps = torch.randn(budget.batch, model.latent_dim, generator=generator, device=device)  # (B, d)
        loss = -model.elbo(data[rows], eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses
