"""Samples, training images and as many secret ones in; how often the training image is nearer, out. Pure.

To a sampler that has learnt what images look like, those it was trained on and others of the same source are
alike: each is the nearest to a sample half of the time. One that returns, or hardly changes, what it was
trained on lies nearer to it.

It is no proof. Distances are taken in the feature space of a classifier, in which honest smooth samples lie
about as near to one side as to the other (shares of 0.47 to 0.49 were measured, in pixels 0.46 to 0.61), and
still the bound allows the share itself to be off by 0.03. Who is above it is looked at by a person. It takes
a third of copies to get there; a few are found one by one, by `memorisation.near_duplicates`.

Two relatives are left out because they accuse honest work: C_T (Meehan et al. 2020, arXiv:2004.05675) gave
decoder means of an honest VAE z = -32 in pixels and +48 in features, and authenticity (Alaa et al. 2022,
arXiv:2102.08921) moves with how smooth samples are as much as with how many are copies.

Source: Platzer & Reutterer 2021, arXiv:2104.00635, for the share of samples nearer to training records.
"""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from grader.metrics.exact_neighbours import checked_points, nearest_squared

ONE_IN_A_MILLION = 4.75
"""One-sided quantile of the normal distribution."""
HONEST_DEVIATION = 0.03
"""How far, as a standard deviation, honest samplers' own shares are from a half."""


@dataclass(frozen=True)
class TrainShare:
    """How often the nearest image was one of those trained on."""

    share: float
    """Of the samples; one that is as far from either side counts half."""
    n: int

    @property
    def limit(self) -> float:
        """0.661 for a thousand samples, 0.645 for ten thousand."""
        return 0.5 + ONE_IN_A_MILLION * math.sqrt(0.25 / self.n + HONEST_DEVIATION**2)

    @property
    def needs_review(self) -> bool:
        """Whether a person should look at it: more than that nothing follows."""
        return self.share > self.limit


def nearest_in_train(
    samples: Float[Tensor, "n d"], *, training: Float[Tensor, "m d"], holdout: Float[Tensor, "m d"]
) -> TrainShare:
    """Share of the samples that are nearer to the training images than to a holdout.

    Args:
        samples: features of generated images.
        training: features of images that the generator learnt from, a random half of images of one source.
        holdout: features of the other half, which nobody outside has ever seen.

    Raises:
        ValueError: sides of unequal size, which the larger would win; features that do not fit or not finite.
    """
    rows = checked_points(samples, name="samples")
    sides = checked_points(training, name="training"), checked_points(holdout, name="holdout")
    if sides[0].shape != sides[1].shape:
        shapes = " and ".join(str(tuple(side.shape)) for side in sides)
        raise ValueError(f"training and holdout: expected equally many of the same size, got {shapes}")
    if rows.shape[1] != sides[0].shape[1]:
        raise ValueError(f"samples: expected {sides[0].shape[1]} columns, got {rows.shape[1]}")
    to_training, to_holdout = (nearest_squared(rows, side) for side in sides)
    nearer = (to_training < to_holdout).double() + (to_training == to_holdout).double() / 2
    return TrainShare(share=float(nearer.mean()), n=len(rows))
