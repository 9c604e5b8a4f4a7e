"""A generator in a worker in; whether its images are honest answers to z, and how good they are, out.

A generator is a smooth function of its own z. One that looks up stored images jumps or stands still between
them; one that shifts images about by chance gives another image for the same z; one that looks at its
neighbours in the batch gives another image in other company.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from grader.data.images import ImageSplit
from grader.extractors.extractor import FeatureSpace
from grader.families.adversarial import ImageGenerator
from grader.metrics import continuity, seed_dependence
from grader.metrics.continuity import Smoothness
from grader.metrics.frechet import (
    FrechetReference,
    extrapolated_distance,
    factorise,
    frechet_standard_error,
)
from grader.metrics.memorisation import CopyTest, near_blends, near_copies
from grader.metrics.neighbours import Coverage, coverage
from grader.metrics.reference_cache import cached

NUDGE = 1e-3
"""Size of a small step in z, as a share of each of its coordinates' standard deviation."""
MOST_COMPARED = 1000
"""Samples that are compared with all images that are known: as many as the verdict needs."""
MOST_BLENDED = 300
"""Samples, and held-out images beside them, that are compared with all blends of two training images."""
LARGE_SIDE = 16
"""From this size on a shift by one pixel leaves an image what it was."""


def smoothness(generator: ImageGenerator, z: Float[Tensor, "B d"], *, seed: int) -> Smoothness:
    """Take a small step from each z and see how far the image moves.

    Args:
        generator: in evaluation mode.
        z: where to start.
        seed: of the directions.
    """
    direction = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed))
    return continuity.smoothness(generator.images(z), generator.images(z + NUDGE * direction))


def company_gap(generator: ImageGenerator, z: Float[Tensor, "B d"], *, seed: int) -> float:
    """Ask for the same images again: in another order, and one alone. Largest difference of a pixel."""
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
    first = generator.images(z)
    reordered, alone = generator.images(z[order]), generator.images(z[:1])
    return seed_dependence.company_gap(first, reordered=reordered, order=order, alone=alone)


def copies_found(
    samples: Float[Tensor, "n channels side side"], images: ImageSplit, *, portion: int
) -> dict[str, CopyTest]:
    """Test for near copies of the training images, and of the held-out ones, which a submission may own too.

    The 8 x 8 digits are public, so a submission could bring along those that are held out. Blends of two
    training images are found as well: nobody needs an adversary to make them. What is returned is found in
    the portion of the samples that has most of it.
    """
    found = [_copies_in(part, images) for part in torch.split(samples, portion)]
    return {name: max((each[name] for each in found), key=lambda test: test.share) for name in found[0]}


def _copies_in(samples: Float[Tensor, "n channels side side"], images: ImageSplit) -> dict[str, CopyTest]:
    side, shift = images.side, int(images.side >= LARGE_SIDE)
    some, train, held_out = (
        _planes(each) for each in (samples[:MOST_COMPARED], images.train, images.held_out)
    )
    pairs = {"training": (train, held_out), "held-out": (held_out, train[:MOST_COMPARED])}
    found = {
        name: near_copies(some, training=known, held_out=unknown, side=side, shift=shift)
        for name, (known, unknown) in pairs.items()
    }
    blends = near_blends(some[:MOST_BLENDED], training=train, held_out=held_out[:MOST_BLENDED])
    return {**found, "blends of two training": blends}


@dataclass(frozen=True)
class Quality:
    """How near samples come to images that the generator never saw, in one feature space."""

    frechet: float
    frechet_error: float
    coverage: Coverage
    """Of as many samples as there are held-out images."""


def quality(
    judge: FeatureSpace,
    samples: Float[Tensor, "n channels side side"],
    *,
    held_out: Float[Tensor, "m channels side side"],
    seed: int,
    portion: int,
    cache: Path | None = None,
) -> Quality:
    """Judge samples beside held-out images; the portion and m have to be the same for everybody.

    Args:
        judge: where they are compared: a classifier fitted to training images, or an extractor. Whoever
            reports the figure writes `judge.name` beside it.
        samples: one portion of them, or several.
        held_out: images that neither the generator nor the judge has seen.
        seed: of the order in which the bias is estimated, unknown to whoever drew the samples.
        portion: samples whose bias is taken away together.
        cache: where the factorised reference is kept for the next submission; None: nowhere.
    """
    features, real = judge.features(samples), judge.features(held_out)
    reference = cached(cache, FrechetReference, real, factorise)
    return Quality(
        frechet=extrapolated_distance(reference, features, seed=seed, portion=portion),
        frechet_error=frechet_standard_error(reference, features),
        coverage=coverage(features[: len(real)], real),
    )


def smallest_share(shares: Float[Tensor, " K"], *, like: Float[Tensor, " K"]) -> tuple[int, float]:
    """The class that is missed most, and its share as a share of what real images have."""
    ratio = shares / like.clamp_min(1 / math.prod(like.shape) / 100)
    worst = int(ratio.argmin())
    return worst, float(ratio[worst])


def _planes(images: Float[Tensor, "n channels side side"]) -> Float[Tensor, "n d"]:
    """One plane an image, row by row: the mean over colours."""
    return images.mean(1).flatten(1).double()
