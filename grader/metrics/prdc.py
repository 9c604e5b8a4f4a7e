"""Two sets of features in; precision, recall, density and coverage between them out. Pure, exact, float64.

The neighbourhood of a point is the ball around it that reaches to its k-th nearest neighbour in its own set,
rim included. With n samples and m real points,

    precision  share of the samples that lie in the neighbourhood of a real point
    recall     share of the real points that lie in the neighbourhood of a sample
    density    mean over the samples of the real neighbourhoods they lie in, over k
    coverage   share of the real neighbourhoods that have a sample in them

Precision and density ask whether samples look real, recall and coverage whether all that is real is sampled.
One real outlier has a neighbourhood of its own that raises precision, and one sampled outlier raises recall;
density and coverage, which count real neighbourhoods, hardly move.

For samples of the same law as the real points E density = 1 and `expected_coverage` hold in any dimension,
because n + m exchangeable points have all ranks alike. Precision and recall have no such value: whether *any*
ball reaches a point depends on how the balls lie. On a circle it is 1 - 4^-k; it falls with the dimension.

The rim belongs to the ball (Kynkäänniemi), so copies of real points count as real; the package prdc 0.2
leaves it out. For points without ties, which is almost surely so for draws from a density, both agree.

Source: Kynkäänniemi et al. 2019, arXiv:1904.06991, equation 1; Naeem et al. 2020, arXiv:2002.09797,
equations 3-6.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from grader.metrics.exact_neighbours import checked_points, distances_between, squared_radii
from grader.metrics.intervals import Estimate

NEIGHBOURS = 5


@dataclass(frozen=True)
class NeighbourReference:
    """The real points with their neighbourhoods, found once for many sets of samples."""

    features: Float[Tensor, "m d"]
    squared_radii: Float[Tensor, " m"]
    neighbours: int

    def to_tensors(self) -> dict[str, Tensor]:
        """What has to be kept so that nothing is computed again."""
        neighbours = torch.tensor([self.neighbours])
        return {"features": self.features, "squared_radii": self.squared_radii, "neighbours": neighbours}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "NeighbourReference":
        """Read what `to_tensors` gave.

        Raises:
            ValueError: other tensors, or such that do not fit each other.
        """
        if set(tensors) != {"features", "squared_radii", "neighbours"}:
            raise ValueError(
                "neighbour reference: expected tensors 'features', 'neighbours' and 'squared_radii', "
                f"got {sorted(tensors)}"
            )
        features, radii = tensors["features"], tensors["squared_radii"]
        if (
            features.dtype != torch.float64
            or radii.dtype != torch.float64
            or radii.shape != features.shape[:1]
        ):
            raise ValueError(
                "neighbour reference: expected one float64 radius for each row of float64 features, "
                f"got shapes {tuple(radii.shape)} and {tuple(features.shape)}"
            )
        return cls(features=features, squared_radii=radii, neighbours=int(tensors["neighbours"]))


@dataclass(frozen=True)
class Prdc:
    """The four shares, with standard errors for the reference taken as it is.

    Given the reference, samples are independent, and so the errors of precision and density are those of a
    mean. Neighbourhoods share samples: the error of coverage is the jackknife's over the samples, which is
    never too small on average (Efron & Stein 1981); where samples have the law of the real points it was 1.0
    to 1.9 times what fresh samples showed. The error of recall is that of drawing the real points with the
    neighbourhoods of the samples taken as they are; fresh samples showed up to twice as much.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def prepare_reference(real: Float[Tensor, "m d"], *, neighbours: int = NEIGHBOURS) -> NeighbourReference:
    """Find the neighbourhoods of real points.

    Args:
        real: features, more rows than `neighbours`.
        neighbours: k, not counting the point itself.

    Raises:
        ValueError: too few points, not finite, or no neighbours.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours: expected at least 1, got {neighbours}")
    rows = checked_points(real, name="real", least=neighbours + 1)
    radii = squared_radii(rows, neighbours=neighbours)
    return NeighbourReference(features=rows, squared_radii=radii, neighbours=neighbours)


def prdc(reference: NeighbourReference, samples: Float[Tensor, "n d"]) -> Prdc:
    """Precision, recall, density and coverage of samples; higher is better, density may exceed 1.

    All depend on n and m, so both have to be the same for everybody.

    Args:
        reference: of real points.
        samples: features of generated images, more rows than the reference's neighbours.

    Raises:
        ValueError: too few samples, not finite, or not of the reference's size.
    """
    k = reference.neighbours
    rows = _fitting(samples, reference, least=k + 1)
    radii = squared_radii(rows, neighbours=k)
    homes, alone = (torch.zeros(len(rows), dtype=torch.int64, device=rows.device) for _ in range(2))
    inhabited, reached = [], []
    for block in distances_between(reference.features, rows):
        inside = block.at_most(reference.squared_radii[block.at, None])
        inhabitants = inside.sum(1)
        homes += inside.sum(0)  # neighbourhoods that each sample lies in
        alone += inside[inhabitants == 1].sum(0)  # those that nobody else lies in
        inhabited.append(inhabitants > 0)
        reached.append(block.at_most(radii[None, :]).any(1))
    return Prdc(
        precision=_mean(homes > 0),
        recall=_mean(torch.cat(reached)),
        density=_mean(homes, per=k),
        coverage=_jackknifed(torch.cat(inhabited), alone),
    )


def covered(reference: NeighbourReference, samples: Float[Tensor, "n d"]) -> Bool[Tensor, " m"]:
    """Which of the real neighbourhoods have a sample in them; their share is the coverage.

    Raises:
        ValueError: no samples, not finite, or not of the reference's size.
    """
    rows = _fitting(samples, reference, least=1)
    blocks = distances_between(reference.features, rows)
    return torch.cat([block.at_most(reference.squared_radii[block.at, None]).any(1) for block in blocks])


def expected_coverage(*, real: int, samples: int, neighbours: int = NEIGHBOURS) -> Estimate:
    """Mean coverage where the samples have the law of the real points, in any dimension.

    A neighbourhood stays empty if, of the other points by their distance, the first k are all real. Where
    points may be equally far the mean is at least this.

    Args:
        real: how many real points, more than `neighbours`.
        samples: how many samples.
        neighbours: k.

    Returns:
        The mean, which is exact, and the error of one coverage as if neighbourhoods were independent. They
        share samples, so it is a lower bound in practice: fresh draws of 200 to 600 points in 1 to 128
        dimensions spread 1.0 to 2.1 times as much.

    Raises:
        ValueError: no more real points than neighbours, or no samples.

    Source: Naeem et al. 2020, arXiv:2002.09797, equation 9.
    """
    if not (real > neighbours >= 1 and samples >= 1):
        raise ValueError(
            "expected samples and more real points than neighbours, "
            f"got {real} real, {samples} samples, {neighbours} neighbours"
        )
    empty = math.prod((real - 1 - i) / (real + samples - 1 - i) for i in range(neighbours))
    return Estimate(value=1 - empty, standard_error=math.sqrt(empty * (1 - empty) / real), n=real)


def _mean(values: Int[Tensor, " n"] | Bool[Tensor, " n"], *, per: int = 1) -> Estimate:
    """Of whole numbers, whose sum has no rounding, so that their order cannot change a digit."""
    numbers = values.double()
    error = float(numbers.std()) / math.sqrt(len(numbers))
    return Estimate(value=float(numbers.mean()) / per, standard_error=error / per, n=len(numbers))


def _jackknifed(inhabited: Bool[Tensor, " m"], alone: Int[Tensor, " n"]) -> Estimate:
    """Coverage and its error: without sample j, the `alone[j]` ones that it holds alone are empty."""
    losses, n = alone.double() / len(inhabited), len(alone)
    error = math.sqrt((n - 1) / n * float((losses - losses.mean()).square().sum()))
    return Estimate(value=float(inhabited.double().mean()), standard_error=error, n=n)


def _fitting(
    samples: Float[Tensor, "n d"], reference: NeighbourReference, *, least: int
) -> Float[Tensor, "n d"]:
    rows, width = checked_points(samples, name="samples", least=least), reference.features.shape[1]
    if rows.shape[1] != width:
        raise ValueError(f"samples: expected {width} columns as in the reference, got {rows.shape[1]}")
    return rows
