"""Two sets of points in, energy distance and Wasserstein distances between them out. Pure, for toy data.

Both compare whole laws and need no features: for points in a few dimensions they see what the Fréchet
distance, which knows means and covariances only, cannot. The energy distance is a U-statistic (no bias); the
sliced Wasserstein distance averages exact one-dimensional distances over directions fixed by a seed.

Source: Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018; Bonneel et al. 2015,
doi:10.1007/s10851-014-0506-3.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class EnergyDistance:
    """A distance with its error."""

    value: float
    """2 E|x - y| - E|x - x'| - E|y - y'|; zero for equal laws, where it may come out slightly negative."""
    standard_error: float
    """Through the draw of the samples; the real points are taken as they are."""
    n: int


def energy_distance(samples: Float[Tensor, "n d"], real: Float[Tensor, "m d"]) -> EnergyDistance:
    """Energy distance between the laws of two sets of points, over all pairs of different points.

    Raises:
        ValueError: fewer than two points on a side, points of different sizes, or not finite.
    """
    x, y = _checked(samples, real)
    n, m = len(x), len(y)
    across = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").mean(1)  # (n,)
    among = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").sum(1) / (n - 1)  # (n,)
    own = torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist").sum() / (m * (m - 1))
    influence = 2 * (across - among)
    return EnergyDistance(
        value=float(2 * across.mean() - among.mean() - own),
        standard_error=float(influence.std()) / math.sqrt(n),
        n=n,
    )


def wasserstein_1d(samples: Float[Tensor, " n"], real: Float[Tensor, " m"], *, order: float = 1.0) -> float:
    """Exact Wasserstein distance between two empirical laws on the line, of any sizes.

    Args:
        samples: points of one law.
        real: points of the other.
        order: p, at least 1.

    Returns:
        (∫ |F⁻¹(u) - G⁻¹(u)|^p du)^(1/p), in the unit of the points.

    Raises:
        ValueError: no points, not finite, or an order below 1.
    """
    if order < 1:
        raise ValueError(f"order: expected at least 1, got {order}")
    x, y = _on_a_line(samples), _on_a_line(real)
    levels = torch.cat([_levels(len(x)), _levels(len(y))]).sort().values  # where either quantile jumps
    width = torch.diff(levels, prepend=levels.new_zeros(1))
    middle = levels - width / 2
    gaps = (_quantiles(x, middle) - _quantiles(y, middle)).abs().pow(order)
    return float((width * gaps).sum() ** (1 / order))


def sliced_wasserstein(
    samples: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    *,
    directions: int = 128,
    order: float = 1.0,
    seed: int,
) -> float:
    """Mean over random directions of the distance between the projections; to the p-th power inside.

    Args:
        samples: generated points.
        real: points of the law that they should follow.
        directions: how many; the error of the mean falls with their root.
        order: p, at least 1.
        seed: of the directions, the same for everybody.

    Raises:
        ValueError: as `wasserstein_1d`, or points of different sizes.
    """
    x, y = _checked(samples, real)
    generator = torch.Generator().manual_seed(seed)
    aims = torch.randn(directions, x.shape[1], generator=generator, dtype=torch.float64)
    aims /= aims.norm(dim=1, keepdim=True)
    powers = [wasserstein_1d(x @ aim, y @ aim, order=order) ** order for aim in aims]
    return float((sum(powers) / directions) ** (1 / order))


def _levels(n: int) -> Float[Tensor, " n"]:
    return torch.arange(1, n + 1, dtype=torch.float64) / n


def _quantiles(points: Float[Tensor, " n"], at: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    rows = (at * len(points)).floor().long().clamp_max(len(points) - 1)
    return points[rows]


def _on_a_line(points: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    if points.ndim != 1 or len(points) == 0:
        raise ValueError(f"points: expected at least one on a line, got shape {tuple(points.shape)}")
    if not points.isfinite().all():
        raise ValueError("points: expected finite numbers, got NaN or infinity")
    return points.double().sort().values


def _checked(
    samples: Float[Tensor, "n d"], real: Float[Tensor, "m d"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    for name, points in (("samples", samples), ("real", real)):
        if points.ndim != 2 or len(points) < 2:
            raise ValueError(f"{name}: expected a matrix of at least 2 rows, got {tuple(points.shape)}")
        if not points.isfinite().all():
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    if samples.shape[1] != real.shape[1]:
        raise ValueError(f"samples have {samples.shape[1]} columns and real points {real.shape[1]}")
    return samples.double(), real.double()
