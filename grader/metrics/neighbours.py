"""Two sets of features in; which of one have something of the other in their neighbourhood, out. Pure.

The neighbourhood of a real point is the ball around it that reaches to its k-th nearest real neighbour.
Coverage asks how many neighbourhoods have a sample in them: a sampler that forgets a kind of image leaves the
neighbourhoods of that kind empty, however good the rest of its samples are.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEIGHBOURS = 5


@dataclass(frozen=True)
class Coverage:
    """A share, and how well it is known."""

    value: float
    """Share of the real points that have a sample in their neighbourhood."""
    standard_error: float
    n: int


def coverage(
    samples: Float[Tensor, "n d"], real: Float[Tensor, "m d"], *, neighbours: int = NEIGHBOURS
) -> Coverage:
    """Share of the real points that have at least one sample in their neighbourhood.

    For samples of the same law as the real points it is about 1 - (m / (m + n))^k, 0.969 for n = m and k = 5:
    it depends on n and m, so both have to be the same for everybody.

    Args:
        samples: features of generated images.
        real: features of images that the generator never saw, more than `neighbours` of them.
        neighbours: k, not counting the point itself.

    Raises:
        ValueError: too few points, or features of different sizes.

    Source: Naeem et al. 2020, arXiv:2002.09797.
    """
    if len(real) <= neighbours or len(samples) == 0 or samples.shape[1] != real.shape[1]:
        raise ValueError(
            f"expected more than {neighbours} real points and samples of the same size, "
            f"got {tuple(real.shape)} and {tuple(samples.shape)}"
        )
    points = real.double()
    radius = torch.cdist(points, points).kthvalue(neighbours + 1, dim=1).values  # the first is itself
    covered = (torch.cdist(points, samples.double()).amin(1) <= radius).double()
    error = float(covered.std()) / len(real) ** 0.5
    return Coverage(value=float(covered.mean()), standard_error=error, n=len(real))
