"""A model and a seed in; the same model with other weights. For models that are dull before training."""

import torch

VECTOR = 25
"""Vectors and single numbers move by half over the root of this: by 0.1."""


@torch.no_grad()
def stir(model, seed):
    """Add noise to every parameter, half as large as a usual initialisation."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        inputs = parameter.numel() / len(parameter) if parameter.dim() > 1 else VECTOR
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.add_((0.5 * noise / inputs**0.5).to(parameter))
