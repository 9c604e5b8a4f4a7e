"""Seeds in, points in the plane out, of a law whose density is known everywhere: two half-moons. Pure.

The picture is that of scikit-learn's `make_moons`, but the law is a mixture of Gaussians along the two arcs,
so that log p(x) is a closed form and a model's distance from the truth can be told.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

CENTRES = 64
"""Gaussians along each arc; their distance, 0.05, is half their standard deviation: no beads are seen."""


@dataclass(frozen=True)
class Moons:
    """Two interleaved half-circles of radius 1, blurred by a Gaussian, around the origin."""

    blur: float = 0.1
    """Standard deviation of the Gaussian."""

    def centres(self) -> Float[Tensor, "k 2"]:
        """The means of the mixture, all of equal weight."""
        angle = (torch.arange(CENTRES, dtype=torch.float64) + 0.5) * math.pi / CENTRES
        upper = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1)
        return torch.cat([upper, -upper])

    def draw(self, n: int, *, seed: int) -> Float[Tensor, "n 2"]:
        """Independent points, float32."""
        generator = torch.Generator().manual_seed(seed)
        centres = self.centres()
        chosen = centres[torch.randint(len(centres), (n,), generator=generator)]
        noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
        return (chosen + self.blur * noise).float()

    def log_density(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """The true log p(x), in nats."""
        square = torch.cdist(x.double(), self.centres()).square()
        scores = -square / (2 * self.blur**2)  # (n, k)
        constant = math.log(2 * math.pi * self.blur**2 * 2 * CENTRES)
        return torch.logsumexp(scores, 1) - constant
