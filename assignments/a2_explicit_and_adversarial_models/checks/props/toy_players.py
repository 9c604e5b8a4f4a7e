"""Players so small that their gradients can be written down, to try the steps and the penalty on."""

import torch
from torch import nn


class ToyGenerator(nn.Module):
    """x = scale · z + shift: one number of z for each pixel."""

    def __init__(self, shape, scale, shift):
        super().__init__()
        self.shape = tuple(shape)
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.shift = nn.Parameter(torch.tensor(float(shift)))

    def forward(self, z):
        return self.scale * z.reshape(-1, *self.shape) + self.shift  # (B, C, S, S)


class ToyScorer(nn.Module):
    """score = slope · Σ x + bend · Σ x² / 2; its gradient with respect to x is slope + bend · x."""

    def __init__(self, slope, bend=0.0):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(float(slope)))
        self.bend = nn.Parameter(torch.tensor(float(bend)))

    def forward(self, x):
        pixels = x.flatten(1)  # (B, C · S · S)
        return self.slope * pixels.sum(1) + self.bend * pixels.square().sum(1) / 2  # (B,)


def sgd(player, rate):
    """Plain gradient descent: what a step changes is minus the rate times the gradient."""
    return torch.optim.SGD(player.parameters(), lr=rate)


def adam(player, rate):
    """Adam, for a real network."""
    return torch.optim.Adam(player.parameters(), lr=rate, betas=(0.5, 0.9))
