"""Densities by the change of variables: known values, torch's own distributions, and integrals of one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from grader.metrics.flow_density import Lattice, base_log_density, change_of_variables, log_volume


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def banana(x: Tensor) -> Tensor:
    """z = (x1, e^(x1/2) (x2 - x1²)): its log-determinant is x1 / 2."""
    return torch.stack([x[:, 0], (x[:, 0] / 2).exp() * (x[:, 1] - x[:, 0] ** 2)], 1)


def test_the_base_law_has_its_constant():
    assert float(base_log_density(torch.zeros(1, 3))) == pytest.approx(
        -1.5 * math.log(2 * math.pi), rel=4e-16
    )
    assert float(change_of_variables(torch.zeros(1, 1), torch.tensor([2.0]))) == pytest.approx(
        2 - 0.5 * math.log(2 * math.pi), rel=4e-16
    )


def test_the_banana_has_its_density():
    z = torch.tensor([[1.0, 2.0 - 1.0**2]])
    assert float(change_of_variables(z, torch.zeros(1))) == pytest.approx(-2.8378770664093455, rel=4e-16)


def test_the_volume_of_a_jacobian_by_autograd():
    x = noise(20, 2)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda point: banana(point[None])[0]))(x)
    assert torch.allclose(log_volume(jacobian), x[:, 0] / 2, atol=1e-14)


def test_a_flat_map_has_no_volume():
    assert log_volume(torch.ones(1, 2, 2)).tolist() == [-math.inf]


@settings(deadline=None, max_examples=30)
@given(dims=st.integers(1, 5), seed=st.integers(0, 99))
def test_an_affine_flow_has_the_density_of_scipy_and_of_torch(dims: int, seed: int):
    stretch, x = noise(dims, dims, seed=seed) + 3 * torch.eye(dims), noise(9, dims, seed=seed + 1)
    found = change_of_variables(x @ stretch.T, log_volume(stretch.expand(9, dims, dims)))
    covariance = torch.linalg.inv(stretch.T @ stretch)
    scipy_says = stats.multivariate_normal(None, covariance.numpy()).logpdf(x.numpy())
    assert found.tolist() == pytest.approx(scipy_says.reshape(-1).tolist(), rel=1e-9)
    torch_says = torch.distributions.MultivariateNormal(
        torch.zeros(dims, dtype=torch.float64), precision_matrix=stretch.T @ stretch
    ).log_prob(x)
    assert torch.allclose(found, torch_says, rtol=1e-9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(
        change_of_variables((x @ stretch.T)[order], found * 0),
        change_of_variables(x @ stretch.T, found * 0)[order],
    )


def test_a_lattice_covers_its_square_and_is_moved_by_its_seed():
    lattice = Lattice(reach=2.0, points=40)
    first, second = lattice.positions(seed=1), lattice.positions(seed=2)
    assert float(first.min()) >= -2
    assert float(first.max()) <= 2
    assert not torch.equal(first, second)
    assert lattice.integral(torch.zeros(1600)) == pytest.approx(16, rel=1e-14)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_smooth_density_integrates_to_one_to_rounding(seed: int):
    """Sums over a lattice converge faster than any power for smooth densities that die out."""
    lattice = Lattice(reach=14.0, points=201)
    total = lattice.integral(base_log_density(lattice.positions(seed=seed)))
    assert total == pytest.approx(1, abs=3e-15)


def test_the_banana_integrates_to_one_and_its_fold_to_two():
    lattice = Lattice(reach=40.0, points=1601)
    x = lattice.positions(seed=5)
    log_density = change_of_variables(banana(x), x[:, 0] / 2)
    assert lattice.integral(log_density) == pytest.approx(1, abs=1e-6)
    folded = base_log_density(torch.stack([x[:, 0], 2 * x[:, 1].abs() - 5], 1)) + math.log(2)
    assert lattice.integral(folded) == pytest.approx(2, abs=1e-4)
