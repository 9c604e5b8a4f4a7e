"""Symmetric products by BLAS are those of plain multiplication, for any sizes, layouts and types."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.metrics.symmetric_products import (
    BLOCK,
    congruence,
    frobenius_norm,
    scatter,
    smaller_gram,
    times_factor,
)


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(lower: Tensor, whole: Tensor) -> bool:
    return torch.allclose(lower.tril(), whole.tril(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_scatter_does_not_depend_on_the_blocks(rows: int):
    x = cloud(rows, 6) + 3
    centred = x - x.mean(0)
    assert close(scatter(x, x.mean(0)), centred.T @ centred)


def test_scatter_of_float32_rows_is_float64_and_leaves_them_as_they_are():
    x = cloud(50, 4).float()
    before = x.clone()
    centred = x.double() - x.double().mean(0)
    assert close(scatter(x, x.double().mean(0)), centred.T @ centred)
    assert torch.equal(x, before)


@settings(max_examples=30, deadline=None)
@given(d=st.integers(1, 9), r=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_congruence_reads_the_lower_triangle_alone(d: int, r: int, seed: int):
    symmetric = cloud(20, d, seed).T @ cloud(20, d, seed)
    lower = symmetric.tril() + torch.full((d, d), torch.nan, dtype=torch.float64).triu(1)
    factor = cloud(d, r, seed + 1)
    assert close(congruence(lower.nan_to_num(7.0), factor, triangular=False), factor.T @ symmetric @ factor)
    triangle = cloud(d, d, seed + 2).tril()
    triangle.diagonal().abs_().add_(0.1)
    expected = triangle.T @ symmetric @ triangle
    assert close(congruence(lower.nan_to_num(7.0), triangle, triangular=True), expected)


@pytest.mark.parametrize("form", ["triangular", "general"])
def test_rows_times_the_factor(form: str):
    triangular = form == "triangular"
    rows, factor = cloud(7, 5), cloud(5, 5, seed=1).tril()
    before = rows.clone()
    assert torch.allclose(times_factor(rows, factor, triangular=triangular), rows @ factor, atol=1e-13)
    assert torch.equal(rows, before)


@pytest.mark.parametrize(("n", "r"), [(3, 8), (8, 3), (4, 4), (1, 5)])
@pytest.mark.parametrize("layout", ["by rows", "by columns", "strided"])
def test_the_smaller_gram_matrix_whatever_the_layout(n: int, r: int, layout: str):
    matrix = {"by rows": cloud(n, r), "by columns": cloud(r, n).T, "strided": cloud(2 * n, 3 * r)[::2, ::3]}
    found = smaller_gram(matrix[layout])
    m = matrix[layout]
    assert close(found, m @ m.T if n <= r else m.T @ m)


def test_the_norm_of_a_symmetric_matrix_from_its_lower_triangle():
    symmetric = cloud(9, 5).T @ cloud(9, 5)
    assert frobenius_norm(symmetric.tril()) == pytest.approx(float(symmetric.norm()), rel=1e-14)
