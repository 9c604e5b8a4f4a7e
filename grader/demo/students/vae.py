"""Variational autoencoder for the binarised digits. Written for assignment 3."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def kl_divergence(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)


class VAE(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.latent_dim = config.latent_dim
        self.encoder = nn.Sequential(
            nn.Linear(config.data_dim, config.hidden_dim), nn.ReLU(), nn.Linear(config.hidden_dim, 2 * config.latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.latent_dim, config.hidden_dim), nn.ReLU(), nn.Linear(config.hidden_dim, config.data_dim)
        )

    def encode(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        return mu, logvar

    def decode(self, z):
        return self.decoder(z)

    def log_likelihood(self, x, z):
        logits = self.decode(z)
        x = x.expand_as(logits)
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def elbo(self, x, eps):
        mu, logvar = self.encode(x)
        z = mu + (0.5 * logvar).exp() * eps
        return self.log_likelihood(x, z) - kl_divergence(mu, logvar)

    def iwae(self, x, eps):
        mu, logvar = self.encode(x)
        z = mu + (0.5 * logvar).exp() * eps
        log_prior = -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)
        log_posterior = -0.5 * (eps**2 + logvar + math.log(2 * math.pi)).sum(-1)
        log_weight = self.log_likelihood(x, z) + log_prior - log_posterior
        return log_weight.logsumexp(0) - math.log(eps.shape[0])

    def sample(self, n, generator):
        z = torch.randn(n, self.latent_dim, generator=generator)
        return torch.sigmoid(self.decode(z))


def train_vae(model, data, *, budget, device, generator):
    model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, budget.steps)
    history = []
    for _ in range(budget.steps):
        x = data[torch.randint(len(data), (budget.batch,), generator=generator)].to(device)
        eps = torch.randn(len(x), model.latent_dim, generator=generator).to(device)
        loss = -model.elbo(x, eps).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append(loss.item())
    model.eval()
    return history
