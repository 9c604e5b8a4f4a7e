"""Images in; how varied they are beside real ones out. Pure, float64."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Variety:
    """How far a sampler is from giving the same image over and over."""

    distinct: float
    """Images that differ from each other, to three decimals, as a share of all."""
    spread: float
    """Total variance of the pixels, as a share of that of the images compared with."""


def variety(images: Float[Tensor, "n *pixels"], *, like: Float[Tensor, "m *pixels"]) -> Variety:
    """How varied images (or probabilities of their pixels) are, beside others.

    Args:
        images: at least two, with pixels in [0, 1].
        like: real images of the same size, at least two that differ.

    Raises:
        ValueError: too few images, images of different sizes, or real ones that are all the same.
    """
    rows, real = images.flatten(1).double(), like.flatten(1).double()
    if len(rows) < 2 or len(real) < 2 or rows.shape[1] != real.shape[1]:
        raise ValueError(
            "expected at least 2 images on each side, all of one size, "
            f"got shapes {tuple(images.shape)} and {tuple(like.shape)}"
        )
    total = float(real.var(0).sum())
    if total == 0:
        raise ValueError("like: expected images that differ from each other, got one image over and over")
    distinct = len(torch.unique(rows.mul(1000).round(), dim=0)) / len(rows)
    return Variety(distinct=distinct, spread=float(rows.var(0).sum()) / total)


def least_variety(
    images: Float[Tensor, "n *pixels"], *, portion: int, like: Float[Tensor, "m *pixels"]
) -> Variety:
    """The lowest figures of any portion: images that are varied at first do not hide later ones that are not.

    Raises:
        ValueError: as `variety`, for a portion.
    """
    found = [variety(part, like=like) for part in torch.split(images, portion)]
    return Variety(distinct=min(each.distinct for each in found), spread=min(each.spread for each in found))
