"""Bounds on the probability of pixels from densities with noise: exact where the integral is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from grader.metrics.dequantisation import bits_of_dequantised, bits_per_dim, dequantised_bound

# One pixel of two levels under the density p(v) = 2 v on [0, 1]: P(0) = 1/4 and P(1) = 3/4.
EXACT = {0: math.log(1 / 4), 1: math.log(3 / 4)}
UNIFORM = {0: -math.log(2) - 1, 1: math.log(2) - 1}
"""The expectation of the uniform bound, from the integral of log((k + u) / 2) over u."""


def bounds(level: int, noise: torch.Tensor, log_noise_density: torch.Tensor | None = None) -> torch.Tensor:
    value = (level + noise) / 2
    return dequantised_bound((2 * value).log(), log_noise_density, dims=1, levels=2)


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("level", [0, 1])
def test_uniform_noise_gives_the_known_bound_below_the_exact_probability(level: int):
    places, weights = np.polynomial.legendre.leggauss(64)
    u = torch.from_numpy((places + 1) / 2)
    found = float(torch.from_numpy(weights / 2) @ bounds(level, u[None]))
    assert found == pytest.approx(UNIFORM[level], abs=1e-3 if level == 0 else 1e-13)
    assert found < EXACT[level]


def test_noise_that_follows_the_density_leaves_no_gap():
    """q(u | k) = (k + u) / (k + 1/2): the density's own law within the pixel."""
    u = draws(1, 1000)
    for level in (0, 1):
        log_q = ((level + u) / (level + 0.5)).log()
        assert torch.allclose(
            bounds(level, u, log_q), torch.full((1000,), EXACT[level], dtype=torch.float64), rtol=1e-13
        )


def test_two_draws_give_the_known_bound():
    def mean_of_two(first: float, second: float) -> float:
        return math.log((1 + (first + second) / 2) / 2)

    exact, _ = integrate.dblquad(mean_of_two, 0, 1, 0, 1, epsabs=1e-12)
    places, weights = np.polynomial.legendre.leggauss(24)
    pairs = torch.cartesian_prod(*[torch.from_numpy((places + 1) / 2)] * 2).T
    found = float(torch.from_numpy(np.outer(weights, weights).reshape(-1) / 4) @ bounds(1, pairs))
    assert found == pytest.approx(exact, abs=1e-12)
    assert UNIFORM[1] < found < EXACT[1]


def test_more_draws_tighten_the_bound():
    means, errors = [], []
    for count in (1, 2, 10, 100):
        found = bounds(0, draws(count, 40_000, seed=count))
        means.append(float(found.mean()))
        errors.append(float(found.std()) / 200)
    assert means == sorted(means)
    assert means[0] == pytest.approx(UNIFORM[0], abs=4.75 * errors[0])
    assert means[-1] == pytest.approx(
        EXACT[0] - (1 / 3) / 200, abs=4.75 * errors[-1] + 1e-4
    )  # Var(w) / 2 K p²


def test_the_first_term_of_the_gap_is_the_variance_of_the_density_in_the_pixel():
    """For p = 2 v in the lower half, w = u / 2: Var(w) / P² = (1/48) / (1/16) = 1/3."""
    u = draws(1, 400_000)
    weight = bounds(0, u).exp()
    assert float(weight.mean()) == pytest.approx(0.25, abs=4.75 * float(weight.std()) / 632)
    assert float(weight.var()) / 0.0625 == pytest.approx(1 / 3, rel=0.01)


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 8), images=st.integers(1, 5), seed=st.integers(0, 99))
def test_order_and_repetition_of_draws_change_nothing(count: int, images: int, seed: int):
    log_density = 5 * draws(count, images, seed=seed)
    found = dequantised_bound(log_density, dims=12)
    assert torch.allclose(dequantised_bound(log_density.flip(0), dims=12), found, rtol=1e-13)
    assert torch.allclose(dequantised_bound(log_density.repeat(3, 1), dims=12), found, rtol=1e-13)
    assert torch.allclose(dequantised_bound(log_density.float(), dims=12), found, rtol=1e-6)
    one_by_one = [dequantised_bound(log_density[:, [image]], dims=12) for image in range(images)]
    assert torch.allclose(torch.cat(one_by_one), found, rtol=1e-13)


def test_a_uniform_density_costs_eight_bits_a_pixel():
    assert bits_of_dequantised(torch.zeros(5), dims=784) == pytest.approx(8, rel=1e-15)
    assert bits_per_dim(-dequantised_bound(torch.zeros(3, 5), dims=784), dims=784) == pytest.approx(
        8, rel=1e-15
    )


def test_a_density_without_noise_bounds_nothing():
    """Spikes of width 1e-9 at the two levels: asked at them 29 bits are gained, asked with noise it is told."""
    width, u = 1e-9, draws(1, 1000)

    def log_density(value: torch.Tensor) -> torch.Tensor:
        spike = (value * 2 % 1 < width).double() / width
        return (0.5 * spike + 0.5).log()

    assert -float(dequantised_bound(log_density(torch.tensor([[0.0]])), dims=1, levels=2)) < -18
    honest = dequantised_bound(log_density((1 + u) / 2), dims=1, levels=2)
    assert -float(honest.mean()) / math.log(2) == pytest.approx(2, abs=0.05)  # half of the mass is wasted


def test_what_is_no_density_is_refused():
    with pytest.raises(ValueError, match="nll_per_image: expected finite numbers, at least one"):
        bits_of_dequantised(torch.zeros(0), dims=784)
    with pytest.raises(ValueError, match="log_density: expected finite numbers, got NaN or infinity"):
        dequantised_bound(torch.tensor([[math.inf]]), dims=1)
    with pytest.raises(ValueError, match="expected at least one draw, got none"):
        dequantised_bound(torch.zeros(0, 3), dims=1)
    with pytest.raises(ValueError, match="nats: expected finite numbers, at least one"):
        bits_per_dim(torch.tensor([math.nan]), dims=1)
