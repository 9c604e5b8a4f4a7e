"""Two sets of features in; how much of one has something of the other in its neighbourhood, out. Pure.

The neighbourhood of a real point is the ball around it that reaches to its k-th nearest real neighbour.
Coverage asks how many neighbourhoods have a sample in them: a sampler that forgets a kind of image leaves the
neighbourhoods of that kind empty, however good the rest of its samples are. Where precision, recall and
density are wanted too, or an error that knows that neighbourhoods share samples, `prdc` has them.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from grader.metrics.prdc import NEIGHBOURS, covered, prepare_reference


@dataclass(frozen=True)
class Coverage:
    """A share, and how well it is known."""

    value: float
    """Share of the real points that have a sample in their neighbourhood."""
    standard_error: float
    """As if the neighbourhoods were independent."""
    n: int


def coverage(
    samples: Float[Tensor, "n d"], real: Float[Tensor, "m d"], *, neighbours: int = NEIGHBOURS
) -> Coverage:
    """Share of the real points that have at least one sample in their neighbourhood.

    For samples of the same law as the real points it is about 1 - (m / (m + n))^k, 0.969 for n = m and k = 5
    (`prdc.expected_coverage` is exact): it depends on n and m, so both have to be the same for everybody.

    Args:
        samples: features of generated images.
        real: features of images that the generator never saw, more than `neighbours` of them.
        neighbours: k, not counting the point itself.

    Raises:
        ValueError: too few points, features of different sizes, or not finite.

    Source: Naeem et al. 2020, arXiv:2002.09797.
    """
    if len(real) <= neighbours or len(samples) == 0 or samples.shape[1] != real.shape[1]:
        raise ValueError(
            f"expected more than {neighbours} real points and samples of the same size, "
            f"got {tuple(real.shape)} and {tuple(samples.shape)}"
        )
    inside = covered(prepare_reference(real, neighbours=neighbours), samples).double()
    error = float(inside.std()) / len(real) ** 0.5
    return Coverage(value=float(inside.mean()), standard_error=error, n=len(real))
