"""A factorised reference and features in, the Fréchet distance with its bias and its sampling error out.

Few rows make a distance too large and uncertain; both are known without a bootstrap: the bias falls like 1/n
and is extrapolated away, and the error follows from how much each row moves the distance.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.metrics.frechet_distance import FrechetDistance, cross_factor, frechet_distance
from grader.metrics.frechet_reference import FrechetReference, as_rows, mean_of
from grader.metrics.symmetric_products import congruence, scatter, smaller_gram


@dataclass(frozen=True)
class FrechetEstimate:
    """Everything that a report says of a distance."""

    distance: FrechetDistance
    """Of these n rows; its bias through the draw of few rows is what `extrapolated` takes away."""
    extrapolated: float
    """For n → infinity; may be slightly negative where the distance is about 0."""
    standard_error: float
    """Of both, through the draw of the features."""
    n: int


def frechet_estimate(reference: FrechetReference, features: Float[Tensor, "n d"]) -> FrechetEstimate:
    """The distance with everything that a report says of it; three distances and one eigendecomposition.

    Args:
        reference: factorised reference features.
        features: at least four rows, in random order.

    Raises:
        ValueError: as `frechet_distance`, for a half of the rows.
    """
    whole = frechet_distance(reference, features)
    return FrechetEstimate(
        distance=whole,
        extrapolated=2 * whole.value - _mean_of_halves(reference, features),
        standard_error=frechet_standard_error(reference, features),
        n=len(features),
    )


def extrapolated_distance(reference: FrechetReference, features: Float[Tensor, "n d"]) -> float:
    """The distance for n → infinity: 2 F(n) - mean of F(n/2) over the two halves.

    A finite n adds a bias of order 1/n to F, which this cancels (Richardson); Chong & Forsyth 2020,
    arXiv:1911.07023, fit the same line through many n. May be slightly negative when F is about 0.

    Args:
        reference: factorised reference features.
        features: at least four rows, in random order.

    Raises:
        ValueError: as `frechet_distance`, for a half.
    """
    halves = _mean_of_halves(reference, features)
    return 2 * frechet_distance(reference, features).value - halves


def frechet_standard_error(reference: FrechetReference, features: Float[Tensor, "n d"]) -> float:
    """Standard error of the distance through the draw of `features`, without a bootstrap.

    The influence of one row y on F, with T = W (W^T S2 W)^(-1/2) W^T and c = y - m2, is
    2 (m2 - m1)·c + c^T (I - T) c - tr (I - T) S2; the error is its standard deviation over sqrt(n).

    Raises:
        ValueError: as `frechet_distance`.
    """
    rows = as_rows(features, like=reference)
    mean = mean_of(rows)
    centred = rows.double() - mean
    transported = (len(rows) - 1) * _row_shares(reference, centred)  # c^T T c of each row
    influence = 2 * centred @ (mean - reference.mean) + centred.square().sum(1) - transported
    return float(influence.std()) / math.sqrt(len(rows))


def _mean_of_halves(reference: FrechetReference, features: Float[Tensor, "n d"]) -> float:
    half = len(features) // 2
    halves = (features[:half], features[half : 2 * half])
    return sum(frechet_distance(reference, part).value for part in halves) / 2


def _row_shares(reference: FrechetReference, centred: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Diagonal of (A A^T)^(1/2): with A = U s V^T, row i has the sum over k of U_ik^2 s_k.

    For few rows U comes from A A^T; for many U s = A V comes from A^T A, with W V multiplied first.
    """
    n = len(centred)
    if min(n - 1, reference.rank) == 0:
        return centred.new_zeros(n)
    few_rows = n <= reference.rank
    inner = smaller_gram(cross_factor(reference, centred)) if few_rows else _inner(reference, centred, n)
    squared, vectors = torch.linalg.eigh(inner, UPLO="L")
    singular = squared.clamp_min(0).sqrt()
    kept = singular > 1e-7 * singular[-1]
    if few_rows:
        by_rows: Tensor = vectors[:, kept].square() @ singular[kept]
        return by_rows
    spread = centred[:, reference.live] @ (reference.factor @ vectors[:, kept])  # sqrt(n - 1) U s
    by_columns: Tensor = spread.square() @ (1 / singular[kept]) / (n - 1)
    return by_columns


def _inner(reference: FrechetReference, centred: Float[Tensor, "n d"], n: int) -> Float[Tensor, "r r"]:
    """W^T S2 W of centred rows; lower triangle."""
    live = centred[:, reference.live]
    products = scatter(live, live.new_zeros(live.shape[1]))
    return congruence(products, reference.factor, triangular=reference.triangular) / (n - 1)
