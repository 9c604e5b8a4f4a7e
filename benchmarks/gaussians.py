"""Sizes and spectra in; features with known covariances, or like those of a network, out."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

EMPTY = torch.empty(0)


def exact_features(
    factor: Float[Tensor, "d r"], *, rows: int, mean: Float[Tensor, " d"] = EMPTY
) -> Float[Tensor, "rows d"]:
    """Rows whose sample mean and covariance are exactly `mean` and factor factor^T.

    Cosine vectors are orthonormal and orthogonal to the constant one.
    """
    grid = (torch.arange(rows, dtype=torch.float64) + 0.5) * math.pi / rows
    basis = torch.cos(grid[:, None] * torch.arange(1, factor.shape[1] + 1)) * math.sqrt(2 / rows)
    centred = math.sqrt(rows - 1) * basis @ factor.T
    return centred if mean is EMPTY else centred + mean


def network_features(n: int, d: int, *, seed: int, other: bool = False) -> Float[Tensor, "n d"]:
    """Correlated float32 features whose spectrum falls by a power law, as those of trained networks do.

    Args:
        n: rows.
        d: columns.
        seed: of the draw.
        other: a second law, moved and stretched: a generator's.
    """
    generator = torch.Generator().manual_seed(seed)
    deviation = torch.arange(1, d + 1, dtype=torch.float64) ** -0.75
    rows = torch.randn(n, d, generator=generator, dtype=torch.float64) * deviation
    turn = torch.linalg.qr(
        torch.randn(d, d, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    ).Q
    if other:
        rows[:, : d // 2] *= 1.3
        rows = rows.roll(1, 1) + 0.3 / math.sqrt(d)
    return (rows @ turn).float().contiguous()


def tridiagonal(n: int, *, side: float) -> Float[Tensor, "n n"]:
    """2 on the diagonal, `side` beside it."""
    beside = torch.full((n - 1,), side, dtype=torch.float64)
    return 2 * torch.eye(n, dtype=torch.float64) + torch.diag(beside, 1) + torch.diag(beside, -1)
