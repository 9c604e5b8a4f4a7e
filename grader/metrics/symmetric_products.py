"""Rows and a factor in, the symmetric products that a Fréchet distance needs out, at half the usual cost.

A covariance is symmetric, a congruence of it is too, and the factor of a reference is triangular: BLAS has
routines for each (syrk, sygst, trmm) that do half the work of a general product or less. Torch has none of
them, so on the host they are taken from SciPy; on other devices the general products are fast enough.

Symmetric results are given by their lower triangle; above the diagonal stand zeros on the host, and
anything elsewhere.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import blas, lapack
from torch import Tensor

BLOCK = 512
"""Rows that are centred at a time, so that features are never copied as a whole."""


def scatter(rows: Float[Tensor, "n d"], mean: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """Sum over the rows of (row - mean)(row - mean)^T, in float64; lower triangle."""
    if rows.device.type != "cpu" or not len(mean):
        centred = rows.double() - mean
        return centred.T @ centred
    total = np.zeros((len(mean), len(mean)), order="F")
    centred_rows = mean.new_empty(
        min(BLOCK, len(rows)), len(mean)
    )  # one buffer: new memory costs more than sums
    for block in torch.split(rows, BLOCK):
        centred = torch.sub(block, mean, out=centred_rows[: len(block)])
        total = blas.dsyrk(1.0, centred.numpy().T, beta=1.0, c=total, overwrite_c=1, lower=1)
    return torch.from_numpy(total)


def congruence(
    symmetric: Float[Tensor, "d d"], factor: Float[Tensor, "d r"], *, triangular: bool
) -> Float[Tensor, "r r"]:
    """The factor^T symmetric factor; both symmetric matrices by their lower triangles.

    Args:
        symmetric: as `scatter` gives it; may be overwritten.
        factor: any matrix.
        triangular: whether it is square and lower triangular with a positive diagonal.
    """
    if symmetric.device.type != "cpu":
        return factor.T @ symmetric @ factor
    if triangular:
        result, _ = lapack.dsygst(symmetric.numpy(), factor.numpy(), itype=2, lower=1, overwrite_a=1)
        return torch.from_numpy(result)
    return factor.T @ torch.from_numpy(blas.dsymm(1.0, symmetric.numpy(), factor.numpy(), lower=1))


def times_factor(
    rows: Float[Tensor, "n d"], factor: Float[Tensor, "d r"], *, triangular: bool
) -> Float[Tensor, "n r"]:
    """The rows factor; the same `triangular` as in `congruence`."""
    if rows.device.type != "cpu" or not triangular:
        return rows @ factor
    return torch.from_numpy(blas.dtrmm(1.0, factor.numpy(), rows.numpy().T, lower=1, trans_a=1)).T


def smaller_gram(matrix: Float[Tensor, "n r"]) -> Float[Tensor, "k k"]:
    """The matrix matrix^T or matrix^T matrix, whichever is smaller; lower triangle."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    if matrix.device.type != "cpu":
        return wide @ wide.T
    array = wide.numpy()
    by_rows = array.flags.c_contiguous  # BLAS reads columns: what lies row by row is handed over transposed
    return torch.from_numpy(blas.dsyrk(1.0, array.T if by_rows else array, trans=int(by_rows), lower=1))


def frobenius_norm(symmetric: Float[Tensor, "d d"]) -> float:
    """Root of the sum of all squares of a symmetric matrix given by its lower triangle."""
    if symmetric.device.type != "cpu":
        symmetric = symmetric.tril()
    array, diagonal = symmetric.cpu().numpy(), symmetric.diagonal().cpu().numpy()
    return float(np.sqrt(2 * np.square(array).sum() - np.square(diagonal).sum()))
