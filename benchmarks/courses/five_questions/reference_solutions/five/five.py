"""Five functions, done right."""

import numpy as np
import torch


def softmax(x):
    x = np.asarray(x)
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def distances(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1))


def log_sum_exp(x):
    highest = x.max(dim=-1, keepdim=True).values
    return (x - highest).exp().sum(dim=-1).log() + highest.squeeze(-1)


def gaussian_kl(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=-1)


def fit_line(x, y, steps, lr):
    slope = torch.zeros((), requires_grad=True)
    offset = torch.zeros((), requires_grad=True)
    for _ in range(steps):
        loss = ((slope * x + offset - y) ** 2).mean()
        gradients = torch.autograd.grad(loss, [slope, offset])
        with torch.no_grad():
            for value, gradient in zip((slope, offset), gradients, strict=True):
                value -= lr * gradient
    return slope.detach(), offset.detach()
