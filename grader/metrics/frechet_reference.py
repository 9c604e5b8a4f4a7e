"""Features of a reference in, everything about them that a Fréchet distance needs out, factorised once.

The covariance S = W W^T; W comes from the features by QR, and by SVD where they do not span their space well.
Never from the covariance: squaring loses half the digits of the small directions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SMALL = 1 << 20
"""So many numbers are converted at once; more would need too much memory."""
LARGEST_SPREAD = 1e150
"""Sums of squares beyond this have products that no float holds."""
FULL_RANK = 1e-7
"""Smallest singular value of the reference, as a share of the largest, for which a triangle is its factor."""


@dataclass(frozen=True)
class FrechetReference:
    """The side that does not change, factorised: S = factor factor^T on the live columns, zero elsewhere."""

    mean: Float[Tensor, " d"]
    trace: float
    live: Bool[Tensor, " d"]
    """Columns that are not constant."""
    factor: Float[Tensor, "live rank"]
    triangular: bool
    """Whether the factor is square and lower triangular."""
    norm: float
    """Largest singular value of the factor."""

    @property
    def rank(self) -> int:
        """Dimensions that the reference features span."""
        return self.factor.shape[1]

    @cached_property
    def spans_all(self) -> bool:
        """Whether no column is constant."""
        return bool(self.live.all())

    def to(self, device: torch.device | str) -> "FrechetReference":
        """The same on another device; features are measured where their reference lies."""
        return replace(
            self,
            mean=self.mean.to(device),
            live=self.live.to(device),
            factor=_by_columns(self.factor.to(device)),
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Everything as tensors, for a file."""
        numbers = torch.tensor([self.trace, self.norm, float(self.triangular)], dtype=torch.float64)
        factor = self.factor.contiguous()
        return {"mean": self.mean, "live": self.live, "factor": factor, "numbers": numbers}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "FrechetReference":
        """The reference that `to_tensors` took apart."""
        trace, norm, triangular = tensors["numbers"].tolist()
        factor = tensors["factor"]
        return cls(
            mean=tensors["mean"],
            trace=trace,
            live=tensors["live"],
            factor=_by_columns(factor),
            triangular=bool(triangular),
            norm=norm,
        )


def factorise(features: Float[Tensor, "n d"]) -> FrechetReference:
    """Prepare the reference side, once for many distances.

    Args:
        features: one row per image, any real dtype; n may be smaller than d.

    Raises:
        ValueError: fewer than two rows, not a matrix, or not finite.
    """
    rows = as_rows(features)
    mean = mean_of(rows)
    centred = rows.double() - mean
    live = centred.abs().amax(0) > 0
    factor, triangular, norm = _factor(centred[:, live] / math.sqrt(len(rows) - 1))
    return FrechetReference(
        mean=mean,
        trace=held(centred.square().sum()) / (len(rows) - 1),
        live=live,
        factor=_by_columns(factor),
        triangular=triangular,
        norm=norm,
    )


def as_rows(features: Float[Tensor, "n d"], like: FrechetReference | None = None) -> Float[Tensor, "n d"]:
    """The features, apart from their graph; in float64, or block by block later where they are many.

    Raises:
        ValueError: they are not a matrix of at least two rows that fits.
    """
    rows = features.detach()
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"features: expected a matrix of at least 2 rows, got shape {tuple(rows.shape)}")
    if like is not None and rows.shape[1] != len(like.mean):
        raise ValueError(
            f"features: expected {len(like.mean)} columns as in the reference, got {rows.shape[1]}"
        )
    if like is not None:
        rows = rows.to(like.mean.device)
    as_they_are = rows.dtype == torch.float64 or (rows.dtype == torch.float32 and rows.numel() > SMALL)
    return (rows if as_they_are else rows.double()).contiguous()


def mean_of(rows: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Mean of the rows; it is finite where they all are, so no other look at every number is needed.

    Raises:
        ValueError: they are not finite.
    """
    mean = rows.mean(0, dtype=torch.float64)
    if not bool(mean.isfinite().all()):
        raise ValueError("features: expected finite numbers, got NaN or infinity")
    return mean


def held(spread: Tensor) -> float:
    """A sum of squares, if a float holds its own square too.

    Raises:
        ValueError: it does not.
    """
    value = float(spread)
    if not value < LARGEST_SPREAD:
        raise ValueError(f"features: expected a spread below {LARGEST_SPREAD:.0e}, got {value:.0e}")
    return value


def _factor(scaled: Float[Tensor, "n live"]) -> tuple[Float[Tensor, "live rank"], bool, float]:
    """W with W W^T = scaled^T scaled, whether it is triangular, and its largest singular value.

    A triangle where the rows span their space well; otherwise orthogonal columns without those of rounding.
    """
    if scaled.numel() == 0:
        return scaled.new_zeros(scaled.shape[1], 0), False, 0.0
    tall = scaled.shape[0] >= scaled.shape[1]
    root = torch.linalg.qr(scaled, mode="r").R if tall else scaled
    left, values, _ = torch.linalg.svd(root.T, full_matrices=False)
    if tall and values[-1] > FULL_RANK * values[0]:
        return root.T * root.diagonal().sign(), True, float(values[0])
    kept = values > values[0] * 1e-14 * max(root.shape)
    return left[:, kept] * values[kept], False, float(values[0])


def _by_columns(matrix: Float[Tensor, "d r"]) -> Float[Tensor, "d r"]:
    """The same matrix, laid out column by column as BLAS reads it, so that it is never copied again."""
    return matrix.T.contiguous().T
