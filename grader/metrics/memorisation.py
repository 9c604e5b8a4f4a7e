"""Samples and training images in, the share of samples that are near copies out. Pure.

A near copy lies closer to a training image than images which nobody trained on ever do. The distance is the
squared Euclidean one, smallest over shifts by up to one pixel, since a copy moved by a pixel is still a copy
(and escapes most published statistics of memorisation). It finds exact, jittered and shifted copies; it does
not find rotated ones or blends of two images.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SHIFT = 1
"""How many pixels an image may be moved, each way."""


@dataclass(frozen=True)
class CopyTest:
    """What the test for near copies found."""

    share: float
    """Share of the samples within the threshold of a training image."""
    threshold: float
    """Squared distance at or below which a sample counts as a near copy."""
    n: int


def near_copies(
    samples: Float[Tensor, "n d"],
    *,
    training: Float[Tensor, "m d"],
    held_out: Float[Tensor, "k d"],
    side: int,
    quantile: float = 0.001,
    factor: float = 0.5,
) -> CopyTest:
    """Share of the samples that lie nearer to a training image than honest work would.

    Args:
        samples: generated images.
        training: images that the generator learnt from.
        held_out: images from the same source that it never saw; they set the threshold.
        side: images are side x side, row by row.
        quantile: of the held-out images' own distance to the training images.
        factor: the threshold is this share of that quantile.
    """
    natural = nearest_distance(held_out, training, side=side)
    threshold = factor * float(torch.quantile(natural, quantile))
    close = nearest_distance(samples, training, side=side) <= threshold
    return CopyTest(share=float(close.double().mean()), threshold=threshold, n=len(samples))


def nearest_distance(
    queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"], *, side: int
) -> Float[Tensor, " n"]:
    """Squared distance of each query to the nearest training image, over all shifts of the query.

    For black and white images it is the number of pixels that differ.

    Raises:
        ValueError: the images are not side x side.
    """
    for name, images in (("queries", queries), ("training", training)):
        if images.ndim != 2 or images.shape[1] != side * side:
            raise ValueError(f"{name}: expected {side * side} pixels a row, got shape {tuple(images.shape)}")
    targets = training.double()
    return torch.stack([_nearest(moved, targets) for moved in shifted(queries.double(), side=side)]).amin(0)


def shifted(images: Float[Tensor, "n d"], *, side: int) -> list[Float[Tensor, "n d"]]:
    """The images moved by up to one pixel each way, nine versions; what comes in at the edge is 0."""
    square = functional.pad(images.reshape(-1, side, side), (SHIFT,) * 4)
    steps = range(2 * SHIFT + 1)
    return [square[:, i : i + side, j : j + side].reshape(len(images), -1) for i in steps for j in steps]


def _nearest(queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """|q|^2 + |t|^2 - 2 q·t, which for zeros and ones has no rounding at all."""
    products = training.square().sum(1) - 2 * queries @ training.T  # (n, m)
    return (queries.square().sum(1) + products.amin(1)).clamp_min(0)
