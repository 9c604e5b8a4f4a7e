"""Samples and training images in, the share of samples that are near copies out. Pure.

A sample is a near copy when it lies closer to a training image than nearly all images of the same source
that nobody trained on. Some images of any source do, so a verdict needs more such samples than chance gives.
Exact, jittered and redrawn copies are found, and shifted ones where the caller lets images move; blends of
two images are, by `near_blends`; rotated ones are not.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

QUANTILE = 0.05
"""Share of the held-out images that count as near copies, by the choice of the threshold."""
NEIGHBOURS = 64
"""Training images, those nearest to a sample, of which any two may have been blended."""
ONE_IN_A_MILLION = 4.75
"""One-sided quantile of the normal distribution."""


@dataclass(frozen=True)
class CopyTest:
    """What the test for near copies found."""

    share: float
    """Share of the samples that are near copies."""
    natural: float
    """The same share among held-out images, by construction."""
    limit: float
    """Twice the natural share, or more where few samples leave more to chance."""
    n: int

    @property
    def found_copies(self) -> bool:
        """Whether there are more near copies than chance gives."""
        return self.share > self.limit


def near_copies(
    samples: Float[Tensor, "n d"],
    *,
    training: Float[Tensor, "m d"],
    held_out: Float[Tensor, "k d"],
    side: int,
    shift: int = 1,
    quantile: float = QUANTILE,
) -> CopyTest:
    """Test whether a sampler returns what it was trained on.

    Args:
        samples: generated images; probabilities of pixels are compared as they are, before any draw.
        training: images that the generator learnt from.
        held_out: images of the same source, in the same form as the samples, that it never saw.
        side: images are side x side, row by row.
        shift: how many pixels an image may be moved to match; 0 where a pixel is a large part of an image.
        quantile: of the held-out images' own distances to the training images: the threshold.

    Raises:
        ValueError: images of another size.
    """
    natural = nearest_distance(held_out, training, side=side, shift=shift)
    found = nearest_distance(samples, training, side=side, shift=shift)
    return _closer_than_natural(found, natural, quantile=quantile)


def near_blends(
    samples: Float[Tensor, "n d"],
    *,
    training: Float[Tensor, "m d"],
    held_out: Float[Tensor, "k d"],
    quantile: float = QUANTILE,
) -> CopyTest:
    """Test whether a sampler returns copies of training images, or blends of two of them.

    Args:
        samples: generated images.
        training: images that the generator learnt from.
        held_out: images of the same source, in the same form as the samples, that it never saw.
        quantile: of the held-out images' own distances to segments: the threshold.
    """
    natural, found = (segment_distance(queries, training) for queries in (held_out, samples))
    return _closer_than_natural(found, natural, quantile=quantile)


def nearest_distance(
    queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"], *, side: int, shift: int = 1
) -> Float[Tensor, " n"]:
    """Squared Euclidean distance of each query to the nearest training image, over all shifts of the query.

    For black and white images it is the number of pixels that differ.

    Raises:
        ValueError: the images are not side x side.
    """
    for name, images in (("queries", queries), ("training", training)):
        if images.ndim != 2 or images.shape[1] != side * side:
            raise ValueError(f"{name}: expected {side * side} pixels a row, got shape {tuple(images.shape)}")
    versions = shifted(queries.double(), side=side, shift=shift)
    return torch.stack([_nearest(moved, training.double()) for moved in versions]).amin(0)


def segment_distance(
    queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"], *, neighbours: int = NEIGHBOURS
) -> Float[Tensor, " n"]:
    """Squared distance of each query to the nearest segment between any two of its nearest training images.

    A segment has both ends, so it is never farther away than the nearest training image. One query costs
    K d multiplications for each of its K neighbours, and nothing with d for each of the K² pairs.
    """
    queries, training = queries.double(), training.double()
    count = min(neighbours, len(training))
    nearest = torch.cdist(queries, training).topk(count, largest=False).indices  # (n, K)
    return torch.stack(
        [_nearest_segment(training[rows] - query) for query, rows in zip(queries, nearest, strict=True)]
    )


def _nearest_segment(ends: Float[Tensor, "K d"]) -> Float[Tensor, ""]:
    """Squared distance of the origin to the nearest of the K² segments between ends a and b.

    |a + t (b - a)|² = a·a + 2 t (a·b - a·a) + t² |b - a|², least at t = (a·a - a·b) / |b - a|².
    """
    products = ends @ ends.T  # a·b, (K, K)
    own = products.diagonal()[:, None]  # a·a
    lengths = own + own.T - 2 * products  # |b - a|²
    t = ((own - products) / lengths.clamp_min(1e-12)).clamp(0, 1)
    return (own + 2 * t * (products - own) + t.square() * lengths).min().clamp_min(0)


def shifted(images: Float[Tensor, "n d"], *, side: int, shift: int) -> list[Float[Tensor, "n d"]]:
    """The images moved by up to `shift` pixels each way, (2 shift + 1)² versions; 0 comes in at the edge."""
    square = functional.pad(images.reshape(-1, side, side), (shift,) * 4)
    steps = range(2 * shift + 1)
    return [square[:, i : i + side, j : j + side].reshape(len(images), -1) for i in steps for j in steps]


def _closer_than_natural(
    found: Float[Tensor, " n"], natural: Float[Tensor, " k"], *, quantile: float
) -> CopyTest:
    """The share of distances below a quantile of the natural ones, beside what chance gives."""
    share = (found < torch.quantile(natural, quantile)).double().mean()
    chance = math.sqrt(quantile * (1 - quantile) / len(found))
    limit = quantile + max(quantile, ONE_IN_A_MILLION * chance)
    return CopyTest(share=float(share), natural=quantile, limit=limit, n=len(found))


def _nearest(queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """|q|^2 + |t|^2 - 2 q·t, which for zeros and ones has no rounding at all."""
    products = training.square().sum(1) - 2 * queries @ training.T  # (n, m)
    return (queries.square().sum(1) + products.amin(1)).clamp_min(0)
