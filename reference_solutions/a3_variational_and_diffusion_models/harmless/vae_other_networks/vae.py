"""Other layers and names: separate heads, a wide ReLU layer, dropout, sums as losses."""

import torch
from torch import nn
from torch.nn.functional import logsigmoid


def kl_divergence(mu, logvar):
    return torch.sum((logvar.exp() + mu.square() - 1 - logvar) / 2, dim=1)


class VAE(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.d = config.latent_dim
        width = 2 * config.hidden_dim
        self.recognition = nn.Sequential(nn.Linear(config.data_dim, width), nn.ReLU())
        self.mean_head = nn.Linear(width, config.latent_dim)
        self.logvar_head = nn.Linear(width, config.latent_dim)
        self.up = nn.Linear(config.latent_dim, width)
        self.drop = nn.Dropout(0.02)
        self.out = nn.Linear(width, config.data_dim)

    def encode(self, x):
        h = self.recognition(x)
        return self.mean_head(h), self.logvar_head(h)

    def decode(self, z):
        return self.out(self.drop(self.up(z).relu()))

    def log_p(self, x, z):
        logits = self.decode(z)
        return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)

    def elbo(self, x, eps):
        mu, logvar = self.encode(x)
        return self.log_p(x, mu + logvar.mul(0.5).exp() * eps) - kl_divergence(mu, logvar)

    def iwae(self, x, eps):
        mu, logvar = self.encode(x)
        std = logvar.mul(0.5).exp()
        bounds = []
        for one in eps:  # draw by draw
            z = mu + std * one
            bounds.append(self.log_p(x, z) + (one.square() + logvar - z.square()).sum(1) / 2)
        return torch.stack(bounds).logsumexp(0) - torch.tensor(float(len(eps))).log()

    def sample(self, n, generator):
        return torch.sigmoid(self.decode(torch.randn((n, self.d), generator=generator)))


def train_vae(model, data, *, budget, device, generator):
    model.to(device)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-4)
    history = []
    for step in range(budget.steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1, 3 * (1 - step / budget.steps))
        x = data[torch.randint(len(data), [budget.batch], generator=generator)]
        model.train()
        bound = model.elbo(x, torch.randn(len(x), model.d, generator=generator)).sum()
        model.zero_grad()
        (-bound).backward()
        optimiser.step()
        history.append(-bound.item())
    return history
