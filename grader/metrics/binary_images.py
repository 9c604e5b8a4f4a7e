"""Sets of black and white images in; whether they follow one law out. Pure."""

import torch
from jaxtyping import Float
from torch import Tensor


def draw(probabilities: Float[Tensor, "n D"], *, seed: int) -> Float[Tensor, "n D"]:
    """Black and white images from pixel probabilities: the chance is ours, whoever gave the probabilities."""
    return torch.bernoulli(probabilities, generator=torch.Generator().manual_seed(seed))


def pixel_frequencies(images: Float[Tensor, "n D"]) -> Float[Tensor, " D"]:
    """How often each pixel is on, pulled towards 1/2 by two made-up images so that none is certain.

    The trivial model: it knows each pixel and nothing of how pixels go together.
    """
    return (images.double().sum(0) + 1) / (len(images) + 2)


def law_gap(first: Float[Tensor, "n D"], second: Float[Tensor, "m D"]) -> float:
    """Largest difference between two sets of binary images, in standard errors.

    Compared are how often each pixel is on, and how often each pair of pixels is on together. Two draws from
    one law stay below about 5 for 64 pixels; the bound for chance of one in a million is 6.5.
    """
    rates, others = _together(first), _together(second)
    pooled = (len(first) * rates + len(second) * others) / (len(first) + len(second))
    variance = pooled * (1 - pooled) * (1 / len(first) + 1 / len(second))
    return float(((rates - others).abs() / variance.clamp_min(1e-12).sqrt()).max())


def _together(images: Float[Tensor, "n D"]) -> Float[Tensor, "D D"]:
    """How often each pair of pixels is on together; on the diagonal, each pixel."""
    rows = images.double()
    return rows.T @ rows / len(rows)
