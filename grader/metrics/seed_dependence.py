"""Answers of a sampler to the same and to other noise in; whether they depend on that noise alone out. Pure.

The noise is ours. Images must be the same for the same noise, whenever and in whatever company it is asked;
and others for other noise.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

DECIMALS = 3
"""To which images have to agree to count as the same."""


def largest_gap(first: Float[Tensor, "B *pixels"], again: Float[Tensor, "B *pixels"]) -> float:
    """Largest difference of a pixel between two answers to the same noise; 0 where they are equal.

    Raises:
        ValueError: answers of different shapes, or without images.
    """
    if first.shape != again.shape or first.numel() == 0:
        raise ValueError(
            f"expected two answers of one shape, got {tuple(first.shape)} and {tuple(again.shape)}"
        )
    return float((again.double() - first.double()).abs().max())


def company_gap(
    first: Float[Tensor, "B *pixels"],
    *,
    reordered: Float[Tensor, "B *pixels"],
    order: Int[Tensor, " B"],
    alone: Float[Tensor, "1 *pixels"],
) -> float:
    """Largest difference of a pixel that comes from what else was asked at the same time.

    Args:
        first: images of some z.
        reordered: images of z[order], asked again.
        order: a permutation.
        alone: image of z[:1], asked by itself.

    Raises:
        ValueError: answers whose shapes do not fit.
    """
    return max(largest_gap(first[order], reordered), largest_gap(first[:1], alone))


def repeated_share(first: Float[Tensor, "n *pixels"], other: Float[Tensor, "m *pixels"]) -> float:
    """Share of the images for other noise that the first noise gave as well, to three decimals.

    Where images are continuous it is 0 for an honest sampler; where they are few and small, compare it with
    what real images give.

    Raises:
        ValueError: images of different sizes, or none.
    """
    known, new = (images.flatten(1).double().mul(10**DECIMALS).round() for images in (first, other))
    if known.numel() == 0 or new.numel() == 0 or known.shape[1] != new.shape[1]:
        raise ValueError(
            f"expected images of one size, got shapes {tuple(first.shape)} and {tuple(other.shape)}"
        )
    _, kinds = torch.unique(torch.cat([known, new]), dim=0, return_inverse=True)
    repeated = torch.isin(kinds[len(known) :], kinds[: len(known)])
    return float(repeated.double().mean())
