"""Samples that were drawn in portions in; how far the later portions are from the first, out. Pure.

More samples make a figure sharper only if they are more of the same. A sampler that counts its questions
could be honest at first and something else later.
"""

import torch
from jaxtyping import Float
from torch import Tensor

OF_CHANCE = 6.5
"""Standard errors; with a thousand columns and fifteen portions chance reaches it once in a million."""


def portions_gap(samples: Float[Tensor, "n d"], *, portion: int) -> float:
    """Largest difference of a column's mean between the first portion and a later one, in standard errors.

    Means of the columns and of their squares are compared, each with the variance that is seen (Welch 1947,
    doi:10.1093/biomet/34.1-2.28).

    Args:
        samples: one row each, in the order in which they were drawn.
        portion: rows of each portion but for a shorter last one.

    Returns:
        0 where there is one portion; infinity where columns that never vary differ.

    Raises:
        ValueError: a portion of fewer than two rows, or not finite.
    """
    rows = samples.detach().double()
    if portion < 2 or not bool(rows.isfinite().all()):
        raise ValueError(
            f"samples: expected finite rows in portions of at least 2, got portions of {portion}"
        )
    first, *later = torch.split(torch.cat([rows, rows.square()], 1), portion)
    return max((_gap(first, other) for other in later if len(other) > 1), default=0.0)


def _gap(first: Float[Tensor, "n k"], other: Float[Tensor, "m k"]) -> float:
    apart = (first.mean(0) - other.mean(0)).abs()
    error = (first.var(0) / len(first) + other.var(0) / len(other)).sqrt()
    rounding = 1e-9 * (1 + first.abs().amax(0))  # columns that stand still, but for their last digits
    return float(torch.where(apart <= rounding, torch.zeros_like(apart), apart / error).max())
