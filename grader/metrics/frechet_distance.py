"""A factorised reference and features in, their Fréchet distance out, with a bound on its rounding; float64.

    F = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

With S1 = W W^T and A = X W / sqrt(n - 1), X the centred features of the other set, the last trace is the sum
of the singular values of A. That is a symmetric problem: no matrix square root, nothing complex, and a
generator that returns one image over and over is measured like any other.

Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500. The figure means nothing without the name
of the feature space, so whoever reports it names the extractor.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from grader.metrics.frechet_reference import FrechetReference, as_rows, held, mean_of
from grader.metrics.symmetric_products import (
    congruence,
    frobenius_norm,
    scatter,
    smaller_gram,
    times_factor,
)

EPSILON = torch.finfo(torch.float64).eps
BACKWARD_ERROR = 8.0
"""Eigenvalues of a symmetric matrix are exact to this many epsilons of the largest one."""
RELATIVE_TOLERANCE = 1e-6
"""Where the certified error is a larger share of the distance, the factor is decomposed unsquared. What is
certified is the worst case; errors seen are a thousandth of it and less."""

Route = Literal["gram", "covariance", "svd"]


@dataclass(frozen=True)
class FrechetDistance:
    """A distance and how far rounding can have moved it."""

    value: float
    certificate: float
    """Bound on the rounding error of `value`; the error of sampling is `frechet_standard_error`."""
    route: Route
    """Which decomposition gave it."""


def frechet_distance(reference: FrechetReference, features: Float[Tensor, "n d"]) -> FrechetDistance:
    """Distance between the Gaussians fitted to the reference and to these features (unbiased covariances).

    Never negative and never NaN, also when the features are constant or fewer than their dimensions. Few rows
    go by the Gram matrix of A (n x n), many by the congruence of their covariance (rank x rank).

    Raises:
        ValueError: the features do not fit the reference, are fewer than two, or not finite.
    """
    rows = as_rows(features, like=reference)
    mean = mean_of(rows)
    if len(rows) <= reference.rank:
        return _by_gram(reference, rows, mean)
    return _by_covariance(reference, rows, mean)


def cross_factor(reference: FrechetReference, centred: Float[Tensor, "n d"]) -> Float[Tensor, "n rank"]:
    """A, whose singular values sum to tr (S1 S2)^(1/2)."""
    live = centred if reference.spans_all else centred[:, reference.live]
    product = times_factor(live, reference.factor, triangular=reference.triangular)
    return product / math.sqrt(len(centred) - 1)


def _by_gram(
    reference: FrechetReference, rows: Float[Tensor, "n d"], mean: Float[Tensor, " d"]
) -> FrechetDistance:
    """For few rows: eigenvalues of A A^T."""
    centred = rows.double() - mean
    spread = held(centred.square().sum()) / (len(rows) - 1)
    cross = cross_factor(reference, centred)
    eigenvalues = _leading_eigenvalues(smaller_gram(cross), min(len(rows) - 1, reference.rank))
    largest = float(eigenvalues[-1]) if len(eigenvalues) else 0.0
    return _settled(reference, rows, mean, (eigenvalues, spread, "gram"), largest=largest)


def _by_covariance(
    reference: FrechetReference, rows: Float[Tensor, "n d"], mean: Float[Tensor, " d"]
) -> FrechetDistance:
    """For many rows: eigenvalues of W^T S2 W."""
    live, count = reference.live, len(rows) - 1
    if reference.spans_all:
        products = scatter(rows, mean)
        spread = held(products.diagonal().sum()) / count
    else:
        products = scatter(rows[:, live], mean[live])
        dead = (rows[:, ~live].double() - mean[~live]).square().sum()
        spread = held(products.diagonal().sum() + dead) / count
    size = reference.norm**2 * frobenius_norm(products) / count
    inner = congruence(products, reference.factor, triangular=reference.triangular)
    eigenvalues = _leading_eigenvalues(inner, min(count, reference.rank)) / count
    return _settled(reference, rows, mean, (eigenvalues, spread, "covariance"), largest=size)


def _settled(
    reference: FrechetReference,
    rows: Float[Tensor, "n d"],
    mean: Float[Tensor, " d"],
    squared: tuple[Float[Tensor, " k"], float, Route],
    *,
    largest: float,
) -> FrechetDistance:
    """The distance from squared singular values, or from the values themselves where those are too inexact.

    `largest` is the size of what was rounded on the way to the eigenvalues.
    """
    eigenvalues, spread, route = squared
    apart = float((reference.mean - mean).square().sum())
    rest = _sum_error(reference, mean, apart=apart, spread=spread)
    root, error = float(eigenvalues.sqrt().sum()), _root_error(eigenvalues, largest)
    if 2 * error > RELATIVE_TOLERANCE * (apart + reference.trace + spread - 2 * root):
        root, error = _unsquared(cross_factor(reference, rows.double() - mean))
        route = "svd"
    value = max(0.0, apart + reference.trace + spread - 2 * root)
    return FrechetDistance(value=value, certificate=2 * error + rest, route=route)


def _leading_eigenvalues(symmetric: Float[Tensor, "k k"], count: int) -> Float[Tensor, " count"]:
    if count == 0:
        return symmetric.new_zeros(0)
    found: Tensor = torch.linalg.eigvalsh(symmetric, UPLO="L")[-count:]
    return found.clamp_min(0)


def _root_error(eigenvalues: Float[Tensor, " k"], largest: float) -> float:
    """Bound on the error of the sum of roots: each eigenvalue is known to some epsilons of the largest."""
    known_to = BACKWARD_ERROR * EPSILON * largest
    roots = np.maximum(eigenvalues.cpu().numpy() ** 0.5, 1e-300)
    return float(np.minimum(known_to / (2 * roots), math.sqrt(known_to)).sum())


def _sum_error(
    reference: FrechetReference, mean: Float[Tensor, " d"], *, apart: float, spread: float
) -> float:
    """Bound on the error of everything but the root: of the means, on which far-off features are centred, and
    of a sum of terms that nearly cancel where the distance is small.
    """
    offset = BACKWARD_ERROR * EPSILON * float(reference.mean.norm() + mean.norm())
    sizes = math.sqrt(apart) + math.sqrt(reference.trace) + math.sqrt(spread)
    return offset * (2 * sizes + offset) + BACKWARD_ERROR * EPSILON * (apart + reference.trace + spread)


def _unsquared(cross: Float[Tensor, "n rank"]) -> tuple[float, float]:
    """Sum of the singular values of A, from A itself, and a bound on its error."""
    count = min(len(cross) - 1, cross.shape[1])
    if count == 0:
        return 0.0, 0.0
    triangle = cross if len(cross) <= cross.shape[1] else torch.linalg.qr(cross, mode="r").R
    singular = torch.linalg.svdvals(triangle)[:count]
    return float(singular.sum()), BACKWARD_ERROR * EPSILON * float(singular[0]) * count
