"""Two sets of features in, the Fréchet distance between their Gaussians out, with its error. Float64 only.

    F = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

With S1 = W W^T and A = X W / sqrt(n - 1), X the centred features of the other set, the last trace is the sum
of the singular values of A. That is a symmetric problem: no matrix square root, nothing complex, and a
generator that returns one image over and over is measured like any other. W comes from the reference
features by QR and SVD, never from their covariance, and is computed once.

Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500. The figure means nothing without the name
of the feature space, so whoever reports it names the extractor.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

EPSILON = torch.finfo(torch.float64).eps
BACKWARD_ERROR = 8.0
"""Eigenvalues of a symmetric matrix are exact to this many epsilons of the largest one."""
RELATIVE_TOLERANCE = 1e-6
"""Where the certified error is a larger share of the distance, the factor is decomposed unsquared."""


@dataclass(frozen=True)
class FrechetReference:
    """The side that does not change, factorised: S = factor factor^T on the live columns, zero elsewhere."""

    mean: Float[Tensor, " d"]
    trace: float
    live: Bool[Tensor, " d"]
    """Columns that are not constant."""
    factor: Float[Tensor, "live rank"]


@dataclass(frozen=True)
class FrechetDistance:
    """A distance and how far rounding can have moved it."""

    value: float
    certificate: float
    """Bound on the rounding error of `value`; the error of sampling is `frechet_standard_error`."""
    route: Literal["gram", "covariance", "svd"]
    """Which decomposition gave it."""


def factorise(features: Float[Tensor, "n d"]) -> FrechetReference:
    """Prepare the reference side, once for many distances.

    Args:
        features: one row per image, any real dtype; n may be smaller than d.

    Raises:
        ValueError: fewer than two rows, not a matrix, or not finite.
    """
    rows = _checked(features)
    mean = rows.mean(0)
    centred = rows - mean
    live = centred.abs().amax(0) > 0
    return FrechetReference(
        mean=mean,
        trace=float(centred.square().sum()) / (len(rows) - 1),
        live=live,
        factor=_factor(centred[:, live] / math.sqrt(len(rows) - 1)),
    )


def frechet_distance(reference: FrechetReference, features: Float[Tensor, "n d"]) -> FrechetDistance:
    """Distance between the Gaussians fitted to the reference and to these features (unbiased covariances).

    Never negative and never NaN, also when the features are constant or fewer than their dimensions.

    Raises:
        ValueError: the features do not fit the reference, are fewer than two, or not finite.
    """
    rows = _checked(features, like=reference)
    apart = float((reference.mean - rows.mean(0)).square().sum())
    spread = reference.trace + float((rows - rows.mean(0)).square().sum()) / (len(rows) - 1)
    root, error, route = _trace_of_root(_cross_factor(reference, rows), size=apart + spread)
    return FrechetDistance(value=max(0.0, apart + spread - 2 * root), certificate=2 * error, route=route)


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
    half = len(features) // 2
    halves = (features[:half], features[half : 2 * half])
    of_halves = sum(frechet_distance(reference, part).value for part in halves) / 2
    return 2 * frechet_distance(reference, features).value - of_halves


def frechet_standard_error(reference: FrechetReference, features: Float[Tensor, "n d"]) -> float:
    """Standard error of the distance through the draw of `features`, without a bootstrap.

    The influence of one row y on F, with T = W (W^T S2 W)^(-1/2) W^T and c = y - m2, is
    2 (m2 - m1)·c + c^T (I - T) c - tr (I - T) S2; the error is its standard deviation over sqrt(n).

    Raises:
        ValueError: as `frechet_distance`.
    """
    rows = _checked(features, like=reference)
    centred = rows - rows.mean(0)
    transported = (len(rows) - 1) * _row_shares(_cross_factor(reference, rows))  # c^T T c of each row
    influence = 2 * centred @ (rows.mean(0) - reference.mean) + centred.square().sum(1) - transported
    return float(influence.std()) / math.sqrt(len(rows))


def _factor(scaled: Float[Tensor, "n live"]) -> Float[Tensor, "live rank"]:
    """W with W W^T = scaled^T scaled, its columns orthogonal, those of rounding dropped."""
    if scaled.numel() == 0:
        return scaled.new_zeros(scaled.shape[1], 0)
    tall = scaled.shape[0] >= scaled.shape[1]
    root = torch.linalg.qr(scaled, mode="r").R if tall else scaled
    left, values, _ = torch.linalg.svd(root.T, full_matrices=False)
    kept = values > values[0] * 1e-14 * max(root.shape)
    factor: Tensor = left[:, kept] * values[kept]
    return factor


def _cross_factor(reference: FrechetReference, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n rank"]:
    """A, whose singular values sum to tr (S1 S2)^(1/2)."""
    centred = (rows - rows.mean(0))[:, reference.live]
    return centred @ reference.factor / math.sqrt(len(rows) - 1)


def _trace_of_root(
    cross: Float[Tensor, "n rank"], *, size: float
) -> tuple[float, float, Literal["gram", "covariance", "svd"]]:
    """Sum of the singular values of A, a bound on its error, and the route that gave them.

    The squared matrix first, on its smaller side; its error is certified, and where it is too large beside
    the distance that is left of `size`, the singular values of A itself.
    """
    count = min(len(cross) - 1, cross.shape[1])
    if count == 0:
        return 0.0, 0.0, "gram"
    few_rows = len(cross) <= cross.shape[1]
    squared = cross @ cross.T if few_rows else cross.T @ cross
    eigenvalues = torch.linalg.eigvalsh(squared)[-count:].clamp_min(0)
    root, error = float(eigenvalues.sqrt().sum()), _root_error(eigenvalues)
    if 2 * error <= RELATIVE_TOLERANCE * (size - 2 * root):
        return root, error, "gram" if few_rows else "covariance"
    triangle = cross if few_rows else torch.linalg.qr(cross, mode="r").R
    singular = torch.linalg.svdvals(triangle)[:count]
    return float(singular.sum()), BACKWARD_ERROR * EPSILON * float(singular[0]) * count, "svd"


def _root_error(eigenvalues: Float[Tensor, " k"]) -> float:
    """Bound on the error of the sum of roots: each eigenvalue is known to some epsilons of the largest."""
    known_to = BACKWARD_ERROR * EPSILON * eigenvalues[-1]
    slope = known_to / (2 * eigenvalues.sqrt().clamp_min(1e-300))
    return float(torch.minimum(known_to.sqrt().expand_as(slope), slope).sum())


def _row_shares(cross: Float[Tensor, "n rank"]) -> Float[Tensor, " n"]:
    """Diagonal of (A A^T)^(1/2): with A = U s V^T, row i has the sum over k of U_ik^2 s_k."""
    if cross.shape[1] == 0:
        return cross.new_zeros(len(cross))
    few_rows = len(cross) <= cross.shape[1]
    squared, vectors = torch.linalg.eigh(cross @ cross.T if few_rows else cross.T @ cross)
    singular = squared.clamp_min(0).sqrt()
    kept = singular > 1e-7 * singular[-1]
    left = vectors[:, kept] if few_rows else cross @ vectors[:, kept] / singular[kept]
    shares: Tensor = left.square() @ singular[kept]
    return shares


def _checked(features: Float[Tensor, "n d"], like: FrechetReference | None = None) -> Float[Tensor, "n d"]:
    """The features in float64.

    Raises:
        ValueError: they are not a finite matrix of at least two rows that fits.
    """
    rows = features.detach().to(torch.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"features: expected a matrix of at least 2 rows, got shape {tuple(rows.shape)}")
    if like is not None and rows.shape[1] != len(like.mean):
        raise ValueError(
            f"features: expected {len(like.mean)} columns as in the reference, got {rows.shape[1]}"
        )
    if not rows.isfinite().all():
        raise ValueError("features: expected finite numbers, got NaN or infinity")
    return rows
