"""Samples and training images in, the share of samples that are near copies out. Pure.

A sample is a near copy when it lies closer to a training image than nearly all images of the same source
that nobody trained on. Some images of any source do, so a verdict needs more such samples than chance gives.
Exact, jittered and redrawn copies are found, and shifted ones where the caller lets images move; blends of
two images are, by `near_blends`; rotated ones are not.

Near duplicates are a stricter notion: so near that hardly a held-out image is even twice as far away. Ten of
a thousand are proof enough, and a tenth of copies among honest samples is found by them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.stats import binom
from torch import Tensor
from torch.nn import functional

QUANTILE = 0.05
"""Share of the held-out images that count as near copies, by the choice of the threshold."""
NEIGHBOURS = 64
"""Training images, those nearest to a sample, of which any two may have been blended."""
ONE_IN_A_MILLION = 4.75
"""One-sided quantile of the normal distribution."""
DUPLICATE_QUANTILE = 0.001
"""A near duplicate is at most half as far from the training images as this share of the held-out ones."""
CHANCE = 1e-6
"""How improbable so many near duplicates have to be."""


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
        ValueError: no images, images of another size, or pixels that are not finite.
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

    Raises:
        ValueError: no images, or pixels that are not finite.
    """
    natural, found = (segment_distance(queries, training) for queries in (held_out, samples))
    return _closer_than_natural(found, natural, quantile=quantile)


@dataclass(frozen=True)
class DuplicateRadius:
    """How near a sample must come to count as a duplicate, found once for many samplers."""

    squared: float
    natural: float
    """At most this share of honest samples comes so near."""

    def to_tensors(self) -> dict[str, Tensor]:
        """What has to be kept so that nothing is computed again."""
        return {"numbers": torch.tensor([self.squared, self.natural], dtype=torch.float64)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "DuplicateRadius":
        """Read what `to_tensors` gave.

        Raises:
            ValueError: not two numbers.
        """
        if set(tensors) != {"numbers"} or tensors["numbers"].shape != (2,):
            raise ValueError(f"duplicate radius: expected two `numbers`, got {sorted(tensors)}")
        squared, natural = tensors["numbers"].tolist()
        return cls(squared=squared, natural=natural)


@dataclass(frozen=True)
class DuplicateTest:
    """How many near duplicates there are, and how likely that is for honest samples."""

    count: int
    n: int
    null_probability: float
    """P(X >= count) for X binomial with n draws and the natural share: a bound, as the radius is halved."""

    @property
    def found_duplicates(self) -> bool:
        """Whether so many have a chance of less than one in a million: 10 of 1000 at a share of 0.001."""
        return self.null_probability < CHANCE


def duplicate_radius(
    natural: Float[Tensor, " k"], *, quantile: float = DUPLICATE_QUANTILE
) -> DuplicateRadius:
    """Half the distance that a small share of held-out images stays below.

    The share is that of a rank: of k + 1 exchangeable images, one is among the r nearest with the chance
    r / (k + 1). With fewer than 1 / quantile images it is that of the nearest. Where the source itself has
    duplicates, it is at least theirs.

    Args:
        natural: squared distance of each held-out image to the nearest training image, by any measure.
        quantile: the share.

    Raises:
        ValueError: no distances, not finite or negative.
    """
    squared = _checked_distances(natural, name="natural").sort().values
    rank = max(1, math.floor(quantile * len(squared)))
    limit = float(squared[rank - 1]) / 4  # half the distance is a quarter of its square
    duplicates = int((squared <= limit).sum())
    share = max(rank, duplicates + 1 if duplicates else 0) / (len(squared) + 1)
    return DuplicateRadius(squared=limit, natural=share)


def near_duplicates(found: Float[Tensor, " n"], radius: DuplicateRadius) -> DuplicateTest:
    """Count samples that lie so near to a training image that chance does not bring them there.

    Args:
        found: squared distance of each sample to the nearest training image, by the same measure as the
            radius: `nearest_distance` of pixels over shifts, or `nearest_squared` of features.
        radius: of held-out images.

    Raises:
        ValueError: no distances, not finite or negative.
    """
    distances = _checked_distances(found, name="found")
    count, n = int((distances <= radius.squared).sum()), len(distances)
    return DuplicateTest(count=count, n=n, null_probability=float(binom.sf(count - 1, n, radius.natural)))


def nearest_distance(
    queries: Float[Tensor, "n d"], training: Float[Tensor, "m d"], *, side: int, shift: int = 1
) -> Float[Tensor, " n"]:
    """Squared Euclidean distance of each query to the nearest training image, over all shifts of the query.

    For black and white images it is the number of pixels that differ.

    Raises:
        ValueError: the images are not side x side, none, or not finite.
    """
    for name, images in (("queries", queries), ("training", training)):
        _check_pixels(images, name=name)
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

    Raises:
        ValueError: no images, or pixels that are not finite.
    """
    _check_pixels(queries, name="queries")
    _check_pixels(training, name="training")
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


def _check_pixels(images: Float[Tensor, "n d"], *, name: str) -> None:
    """A distance to NaN is below no threshold, so it would pass for an original."""
    if len(images) == 0:
        raise ValueError(f"{name}: expected at least one image, got none")
    odd = int((~images.double().square().sum(-1).isfinite()).sum())
    if odd:
        raise ValueError(f"{name}: expected pixels with finite squares, got {odd} of {len(images)} without")


def _checked_distances(squared: Float[Tensor, " n"], *, name: str) -> Float[Tensor, " n"]:
    numbers = squared.detach().double()
    if numbers.ndim != 1 or len(numbers) == 0 or not bool((numbers.isfinite() & (numbers >= 0)).all()):
        raise ValueError(f"{name}: expected squared distances, finite and at least 0, one for each image")
    return numbers
