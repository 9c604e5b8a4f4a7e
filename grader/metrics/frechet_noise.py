"""A factorised reference and features in, the Fréchet distance with its bias and its sampling error out.

Few rows make a distance too large and uncertain; both are known without a bootstrap: most of the bias falls
like 1/n and is extrapolated away, and the error follows from how much each row moves the distance.
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
    """Without the part of the bias that falls like 1/n; may be slightly negative where the distance is 0."""
    standard_error: float
    """Of both, through the draw of the features."""
    bias_left: float
    """About the part that falls like 1/n², which is still in `extrapolated`. Where it is not small beside the
    standard error, n is too few for so many dimensions: take more rows, or fewer features."""
    n: int


def frechet_estimate(
    reference: FrechetReference, features: Float[Tensor, "n d"], *, seed: int = 0
) -> FrechetEstimate:
    """The distance with everything that a report says of it; seven distances and one eigendecomposition.

    Args:
        reference: factorised reference features.
        features: at least eight rows.
        seed: of the order in which they are halved. Keep it from whoever made the features.

    Raises:
        ValueError: as `frechet_distance`, or too few rows.
    """
    rows = _shuffled(features, seed=seed, at_least=8)
    whole = frechet_distance(reference, rows)
    half, quarter = (_mean_of_parts(reference, rows, parts=parts) for parts in (2, 4))
    extrapolated = 2 * whole.value - half
    return FrechetEstimate(
        distance=whole,
        extrapolated=extrapolated,
        standard_error=frechet_standard_error(reference, rows),
        bias_left=abs(extrapolated - (2 * half - quarter)) / 3,
        n=len(rows),
    )


def extrapolated_distance(
    reference: FrechetReference,
    features: Float[Tensor, "n d"],
    *,
    seed: int,
    portion: int | None = None,
) -> float:
    """The distance without the bias of few rows: 2 F(n) - mean of F(n/2) over two halves (Richardson).

    The bias of F(n) has a part that falls like 1/n, which this takes away, and one that falls like 1/n²,
    which is small where n is many times d. Chong & Forsyth 2020, arXiv:1911.07023, fit the same line through
    many n. May be slightly negative when F is about 0.

    Args:
        reference: factorised reference features.
        features: at least four rows.
        seed: of the order in which they are halved. The rows are shuffled, and by a seed that whoever made
            them does not know: sorted rows have unlike halves, which looks like a bias without bound.
        portion: rows that are worked off at a time; the mean over all portions is returned. What is left of
            the bias is then the same however many rows there are. None: all at once.

    Raises:
        ValueError: as `frechet_distance`, or too few rows.
    """
    rows = _shuffled(features, seed=seed, at_least=4)
    parts = torch.tensor_split(rows, max(1, len(rows) // portion) if portion else 1)
    found = [
        2 * frechet_distance(reference, part).value - _mean_of_parts(reference, part, parts=2)
        for part in parts
    ]
    return sum(found) / len(found)


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


def _shuffled(features: Float[Tensor, "n d"], *, seed: int, at_least: int) -> Float[Tensor, "n d"]:
    """The rows in an order of ours.

    Raises:
        ValueError: there are too few to be halved.
    """
    if len(features) < at_least:
        raise ValueError(f"features: an estimate needs at least {at_least} rows, got {len(features)}")
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    return features[order.to(features.device)]


def _mean_of_parts(reference: FrechetReference, rows: Float[Tensor, "n d"], *, parts: int) -> float:
    """Mean distance of so many parts of equal length; a remainder is left out."""
    size = len(rows) // parts
    values = [frechet_distance(reference, rows[i * size : (i + 1) * size]).value for i in range(parts)]
    return sum(values) / parts


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
