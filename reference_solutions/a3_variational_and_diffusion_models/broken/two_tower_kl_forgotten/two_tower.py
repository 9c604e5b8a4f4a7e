"""Reference: two towers that put images and captions into one space, and a generator that starts there.

The contrastive loss is that of Radford et al. 2021 (arXiv:2103.00020, figure 3), after van den Oord et al.
2018 (arXiv:1807.03748, equation 4). The generator is a conditional variational autoencoder (Sohn, Lee & Yan
2015); to generate from an embedding that two modalities share follows Ramesh et al. 2022 (arXiv:2204.06125).
B images of C x S x S pixels in [0, 1], L words a caption, E dimensions of the shared space, d of chance z.
"""

import math
import time

import torch
from torch import nn
from torch.nn import functional


class ImageTower(nn.Module):
    """Images to points on the unit sphere."""

    def __init__(self, config):
        super().__init__()
        pixels = config.channels * config.side**2
        self.hidden = nn.Sequential(nn.Linear(pixels, config.width), nn.GELU(), nn.Dropout(0.2))
        self.project = nn.Linear(config.width, config.embedding_dim)

    def forward(self, images):
        hidden = self.hidden(images.flatten(1))  # (B, width)
        return functional.normalize(self.project(hidden), dim=-1)  # (B, E)


class TextTower(nn.Module):
    """Captions to points on the unit sphere: a vector for each word and each place, summed."""

    def __init__(self, config):
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.places = nn.Parameter(torch.zeros(config.words, config.width))
        self.project = nn.Sequential(nn.GELU(), nn.Linear(config.width, config.embedding_dim))

    def forward(self, captions):
        hidden = (self.words(captions) + self.places).sum(1)  # (B, width)
        return functional.normalize(self.project(hidden), dim=-1)  # (B, E)


def contrastive_loss(image_embeddings, text_embeddings, temperature):
    """Which caption belongs to image i, and which image to caption i? Radford et al. 2021, figure 3."""
    logits = image_embeddings @ text_embeddings.T / temperature  # (B, B)
    own = torch.arange(len(logits), device=logits.device)  # (B,)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def train_two_tower(image_tower, text_tower, images, captions, *, budget, device, generator):
    """Pull every image to its caption and push it from the others of the batch."""
    towers = nn.ModuleList([image_tower, text_tower]).to(device).train()
    images, captions = images.to(device), captions.to(device)

    def loss_of(rows):
        return contrastive_loss(image_tower(images[rows]), text_tower(captions[rows]), temperature=0.1)

    return descend_on_rows(towers, loss_of, len(images), budget, generator, device)


def descend_on_rows(module, loss_of, count, budget, generator, device):
    """AdamW on random rows; the learning rate rises for a third of the steps and then falls to nothing."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=budget.steps)
    stop_at = time.monotonic() + 0.9 * budget.wall_s
    losses = []
    while len(losses) < budget.steps and time.monotonic() < stop_at:
        loss = loss_of(torch.randint(count, (budget.batch,), generator=generator, device=device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


class ConditionedGenerator(nn.Module):
    """p(x|e, z) = N(generate(e, z), s² I) with z ~ N(0, I); the encoder q(z|x, e) serves training alone."""

    def __init__(self, config):
        super().__init__()
        self.shape, self.latent_dim = (config.channels, config.side, config.side), config.latent_dim
        pixels = math.prod(self.shape)
        self.encoder = self._network(pixels + config.embedding_dim, config.width, 2 * config.latent_dim)
        self.decoder = self._network(config.latent_dim + config.embedding_dim, config.width, pixels)

    @staticmethod
    def _network(inputs, width, outputs):
        return nn.Sequential(
            nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)
        )

    def generate(self, embeddings, z):
        pixels = self.decoder(torch.cat([embeddings, z], -1)).sigmoid()  # (B, C S S)
        return pixels.unflatten(-1, self.shape)  # (B, C, S, S)

    def bound(self, images, embeddings, eps, deviation=0.15):
        """The evidence lower bound on log p(x|e) in nats, up to a constant; Sohn et al. 2015, equation 4."""
        mu, logvar = self.encoder(torch.cat([images.flatten(1), embeddings], -1)).chunk(2, -1)  # (B, d) each
        error = (self.generate(embeddings, mu + (logvar / 2).exp() * eps) - images).flatten(1)  # (B, C S S)
        return -0.5 * (error / deviation).square().sum(-1)  # (B,)


def train_generator(model, images, embeddings, *, budget, device, generator):
    """Maximise the bound; row i of `embeddings` is the embedding of the caption of image i."""
    model.to(device).train()
    images, embeddings = images.to(device), embeddings.to(device)

    def loss_of(rows):
        eps = torch.randn(len(rows), model.latent_dim, generator=generator, device=device)  # (B, d)
        return -model.bound(images[rows], embeddings[rows], eps).mean()

    return descend_on_rows(model, loss_of, len(images), budget, generator, device)
