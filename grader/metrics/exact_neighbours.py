"""Two sets of points in; which lie within a distance, and how far the nearest are, out. Pure, exact, float64.

One matrix product gives all distances, |a - b|² = |a|² + |b|² - 2 a·b, but what is left after the difference
may be rounding alone: points at 1e6 that differ by 1, or copies of each other, come out in the wrong order.
So the product is a sieve: points are centred, its error is bounded, and where the bound leaves a comparison
open, and only there, the distance is summed from the differences of the points as they were given. The result
is the same as if every distance had been found so: copies are at 0, and equal distances are equal.

Tools that decide by the product alone (torch.cdist, scikit-learn's euclidean_distances, and prdc, which is
built on it) put copies at up to 1e-8 of the length of the points. For 3000 normal points in 64 dimensions,
moved by 1e6, prdc 0.2 gave a recall of 0.6797 where 0.6787 is right, and a density of 1.0206 for 1.0218.

Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1: in whatever order d products
are summed, the error is at most d u / (1 - d u) times the sum of their absolute values.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

UNIT_ROUNDOFF = 2.0**-53
BLOCK_ENTRIES = 2**21
"""Distances that are held at a time, 16 MB; no result depends on it."""


@dataclass(frozen=True)
class RoughDistances:
    """Squared distances of a block of points from all others, with what it takes to know any exactly."""

    at: slice
    """Which of the left points the block holds."""
    left: Float[Tensor, "b d"]
    right: Float[Tensor, "m d"]
    rough: Float[Tensor, "b m"]
    slack: Float[Tensor, "b 1"]
    """How far `rough` may be from the sum of squared differences."""

    def at_most(self, limits: Float[Tensor, "rows columns"]) -> Bool[Tensor, "b m"]:
        """Whether each squared distance is at most its limit, of shape (b, 1), (1, m) or (b, m)."""
        within = self.rough <= limits - self.slack
        rows, columns = (within != (self.rough <= limits + self.slack)).nonzero(as_tuple=True)
        within[rows, columns] = self._exact(rows, columns) <= limits.expand_as(within)[rows, columns]
        return within

    def nearest(self, neighbours: int) -> Float[Tensor, " b"]:
        """Squared distance of each point of the block to the k-th nearest of the others."""
        first = self.rough.topk(
            neighbours, largest=False
        ).indices  # (b, k): the k-th is no farther than these
        rows = torch.arange(len(first), device=first.device).repeat_interleave(neighbours)
        found = self._exact(rows, first.flatten()).reshape(-1, neighbours).amax(1)
        nearer = self.rough <= found[:, None] + self.slack  # all that may be as near
        nearer &= ((found > 0) & (nearer.sum(1) > neighbours))[:, None]
        rows, columns = nearer.nonzero(as_tuple=True)
        doubtful = torch.unique(rows)
        found[doubtful] = _kth_of_each(rows, self._exact(rows, columns), k=neighbours)
        return found

    def _exact(self, rows: Int[Tensor, " p"], columns: Int[Tensor, " p"]) -> Float[Tensor, " p"]:
        """The sum of squared differences of each pair; a pair's does not depend on its company."""
        size = max(1, BLOCK_ENTRIES // self.left.shape[1])
        pairs = zip(torch.split(rows, size), torch.split(columns, size), strict=True)
        return torch.cat([_squared_gaps(self.left, self.right, *pair) for pair in pairs])


def distances_among(points: Float[Tensor, "n d"]) -> Iterator[RoughDistances]:
    """Blocks of points with their distances from all points; that of a point from itself is infinite."""
    for block in distances_between(points, points):
        block.rough[:, block.at].fill_diagonal_(torch.inf)
        yield block


def distances_between(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Iterator[RoughDistances]:
    """Blocks of the left points, in their order, with their distances from all of the right.

    Args:
        left: finite points in float64, at least one.
        right: as many coordinates, at least one point.
    """
    centre = right[0] + (right - right[0]).mean(0)  # exact where all points are equal
    other = right - centre
    other_squares = other.square().sum(1)
    longest = other_squares.max().sqrt()
    # the products, the sum of differences, the centring and the comparison, with a third to spare
    share = 3 * (left.shape[1] + 8) * UNIT_ROUNDOFF
    size = max(1, BLOCK_ENTRIES // len(right))
    for start in range(0, len(left), size):
        rows = left[start : start + size]
        centred = rows - centre
        squares = centred.square().sum(1, keepdim=True)
        rough = torch.addmm(other_squares, centred, other.T, alpha=-2).add_(squares)
        slack = share * (squares.sqrt() + longest).square()
        at = slice(start, start + len(rows))
        yield RoughDistances(at=at, left=rows, right=right, rough=rough, slack=slack)


def squared_radii(points: Float[Tensor, "n d"], *, neighbours: int) -> Float[Tensor, " n"]:
    """Squared distance of each point to its k-th nearest other; copies of it are others, at 0."""
    return torch.cat([block.nearest(neighbours) for block in distances_among(points)])


def nearest_squared(queries: Float[Tensor, "n d"], points: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """Squared distance of each query to the nearest point."""
    return torch.cat([block.nearest(1) for block in distances_between(queries, points)])


def checked_points(points: Float[Tensor, "n d"], *, name: str, least: int = 1) -> Float[Tensor, "n d"]:
    """The points in float64.

    Args:
        points: one row each.
        name: to say whose fault it is.
        least: how many there have to be.

    Raises:
        ValueError: they are no matrix of so many rows, not finite, or too large to be squared.
    """
    rows = points.detach().to(torch.float64)
    if rows.ndim != 2 or len(rows) < least or rows.shape[1] == 0:
        shape = tuple(rows.shape)
        raise ValueError(f"{name}: expected a matrix of at least {least} rows, got shape {shape}")
    if not rows.isfinite().all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    if not (4 * rows.square().sum(1)).isfinite().all():
        raise ValueError(
            f"{name}: expected numbers whose squares have a finite sum; divide them all by 1e150"
        )
    return rows


def _squared_gaps(
    left: Float[Tensor, "b d"],
    right: Float[Tensor, "m d"],
    rows: Int[Tensor, " p"],
    columns: Int[Tensor, " p"],
) -> Float[Tensor, " p"]:
    """Sums of squared differences by adding halves: an order that no device, library or batch changes."""
    squares = (left[rows] - right[columns]).square_()
    while squares.shape[1] > 1:
        half = (squares.shape[1] + 1) // 2
        squares[:, : squares.shape[1] - half] += squares[:, half:]
        squares = squares[:, :half]
    return squares[:, 0]


def _kth_of_each(rows: Int[Tensor, " p"], values: Float[Tensor, " p"], *, k: int) -> Float[Tensor, " groups"]:
    """The k-th smallest value of each group of equal rows, groups in the order of their rows."""
    by_value = values.argsort()
    order = by_value[rows[by_value].argsort(stable=True)]
    sizes = torch.unique(rows, return_counts=True)[1]
    return values[order][sizes.cumsum(0) - sizes + k - 1]
