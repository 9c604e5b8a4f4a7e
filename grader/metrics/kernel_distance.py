"""Two sets of features in, the kernel distance (KID) between them out, with its standard error. Float64 only.

    KID = E k(x, x') + E k(y, y') - 2 E k(x, y),    k(a, b) = (a·b / d + 1)^3

taken over *all* pairs of different rows: the U-statistic, which has no bias and nothing random in it. Means
over random subsets, as often reported, differ from run to run on the same features. The term of the reference
is computed once.

Source: Bińkowski et al. 2018, arXiv:1801.01401, section 4; Gretton et al. 2012, JMLR 13, lemma 6.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 2048
"""Rows whose kernels are held at a time; the result does not depend on it beyond rounding."""


@dataclass(frozen=True)
class KernelReference:
    """The side that does not change, with its own term."""

    features: Float[Tensor, "m d"]
    own: float
    """Mean kernel of two different rows."""


@dataclass(frozen=True)
class KernelDistance:
    """A distance with its error."""

    value: float
    """Unbiased, so it may be slightly negative where the two are alike."""
    standard_error: float
    """Through the draw of the features that were measured; the reference is taken as it is."""
    n: int


def prepare_reference(features: Float[Tensor, "m d"]) -> KernelReference:
    """Compute the reference's own term, once for many distances.

    Raises:
        ValueError: fewer than two rows, not a matrix, or not finite.
    """
    rows = _checked(features)
    total = _row_sums(rows, rows).sum() - _kernel_of_itself(rows).sum()
    return KernelReference(features=rows, own=float(total) / (len(rows) * (len(rows) - 1)))


def kernel_distance(reference: KernelReference, features: Float[Tensor, "n d"]) -> KernelDistance:
    """The squared maximum mean discrepancy between the reference and these features.

    Args:
        reference: prepared features of real images.
        features: of generated images, one row each, any real dtype.

    Raises:
        ValueError: the features do not fit the reference, are fewer than two, or not finite.
    """
    rows = _checked(features)
    if rows.shape[1] != reference.features.shape[1]:
        width = reference.features.shape[1]
        raise ValueError(f"features: expected {width} columns as in the reference, got {rows.shape[1]}")
    n = len(rows)
    among = (_row_sums(rows, rows) - _kernel_of_itself(rows)) / (n - 1)  # (n,) mean over the others
    across = _row_sums(rows, reference.features) / len(reference.features)  # (n,)
    influence = 2 * (among - across)  # of each row, up to a constant; Gretton et al. 2012, corollary 16
    return KernelDistance(
        value=reference.own + float(among.mean() - 2 * across.mean()),
        standard_error=float(influence.std()) / math.sqrt(n),
        n=n,
    )


def _row_sums(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """For each row of `left` the sum of its kernels with all rows of `right`, block by block."""
    scaled = left / left.shape[1]
    return torch.cat([_block_sums(rows, right) for rows in torch.split(scaled, BLOCK)])


def _block_sums(scaled: Float[Tensor, "b d"], right: Float[Tensor, "m d"]) -> Float[Tensor, " b"]:
    sums = [(scaled @ other.T + 1).pow(3).sum(1) for other in torch.split(right, BLOCK)]
    return torch.stack(sums).sum(0)


def _kernel_of_itself(rows: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    return (rows.square().sum(1) / rows.shape[1] + 1).pow(3)


def _checked(features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    rows = features.detach().to(torch.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"features: expected a matrix of at least 2 rows, got shape {tuple(rows.shape)}")
    if not rows.isfinite().all():
        raise ValueError("features: expected finite numbers, got NaN or infinity")
    return rows
