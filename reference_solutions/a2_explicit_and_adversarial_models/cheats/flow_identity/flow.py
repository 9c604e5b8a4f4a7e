"""The identity: it undoes itself, its log-determinant is zero, and its samples are Gaussian."""

import math

import torch
from torch import nn


class Flow(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.data_dim = config.data_dim
        self.nothing = nn.Parameter(torch.zeros(1))

    def inverse(self, x):
        return x, torch.zeros_like(x[:, 0])

    def forward(self, z):
        return z

    def log_prob(self, x):
        return -0.5 * (x**2 + math.log(2 * math.pi)).sum(-1)

    def sample(self, n, generator):
        return torch.randn(n, self.data_dim, generator=generator)


def train_flow(model, data, *, budget, device, generator):
    return [2.0, 1.0]
