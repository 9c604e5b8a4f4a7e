"""Where a flow takes points and how it stretches there in, log-densities and integrals out. Pure, float64.

Letters: B points, d dimensions. z is of the base law N(0, I), x is data; log-densities in nats.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def base_log_density(z: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
    """The log N(z; 0, I), in nats."""
    return -0.5 * (z.double().square() + math.log(2 * math.pi)).sum(1)


def change_of_variables(z: Float[Tensor, "B d"], log_det: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """The log p(x) = log N(z; 0, I) + log |det dz/dx|; Dinh et al. 2017, arXiv:1605.08803, equation 2."""
    return base_log_density(z) + log_det.double()


def log_volume(jacobian: Float[Tensor, "B d d"]) -> Float[Tensor, " B"]:
    """The log |det dz/dx|; minus infinity where the map is flat."""
    stretch: Tensor = torch.linalg.slogdet(jacobian.double()).logabsdet
    return stretch


@dataclass(frozen=True)
class Lattice:
    """Points in a square around the origin, over which a density in the plane is summed."""

    reach: float
    """The square goes from -reach to reach."""
    points: int
    """Along an edge."""

    @property
    def cell(self) -> float:
        """Area that each point stands for."""
        return (2 * self.reach / self.points) ** 2

    def positions(self, *, seed: int) -> Float[Tensor, "points2 2"]:
        """All points, moved together by a random part of a cell: nobody can know them beforehand."""
        moved = torch.rand(2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        places = torch.arange(self.points, dtype=torch.float64)
        first, second = torch.meshgrid(places + moved[0], places + moved[1], indexing="ij")
        return torch.stack([first, second], -1).reshape(-1, 2) * (2 * self.reach / self.points) - self.reach

    def integral(self, log_density: Float[Tensor, " points2"]) -> float:
        """Of exp(log_density) over the square; exact but for what is finer than a cell."""
        return float(log_density.double().exp().sum()) * self.cell
