"""Probabilistic PCA: everything that other models bound is known, and agrees with independent computations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.decomposition import PCA
from torch import Tensor

from grader.metrics.likelihood import gaussian_log_density, importance_bound, log_importance_weights
from grader.metrics.linear_gaussian import LinearGaussian

MODEL = LinearGaussian(
    torch.cos(torch.arange(5.0).double()[:, None] + 2 * torch.arange(2.0).double() + 1), 0.25
)
IMAGE = (torch.arange(5.0).double() / 2 - 1)[None]
MEAN, LOG_VARIANCE = MODEL.posterior_mean(IMAGE), MODEL.mean_field_log_variance()
PRIOR = torch.zeros(1, 2, dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_weights(drawn: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    z = mean + (log_variance / 2).exp() * drawn
    pixels = torch.full((5,), math.log(0.25), dtype=torch.float64)
    log_likelihood = gaussian_log_density(IMAGE, mean=z @ MODEL.weights.T, log_variance=pixels)
    return log_importance_weights(log_likelihood, drawn, mean=mean, log_variance=log_variance)


def hermite_grid(count: int) -> tuple[Tensor, Tensor]:
    """Nodes in the plane and weights that integrate against N(0, I)."""
    places, weights = np.polynomial.hermite_e.hermegauss(count)
    nodes = torch.cartesian_prod(*[torch.from_numpy(places)] * 2)[:, None]
    return nodes, torch.from_numpy(np.outer(weights, weights).reshape(-1) / (2 * math.pi))


def test_the_evidence_and_the_posterior_are_known():
    assert MODEL.log_evidence(IMAGE).item() == pytest.approx(-4.2444093404804808, rel=4e-16)
    assert MEAN[0].tolist() == pytest.approx([0.19864677864155302, 0.84910716697613422], rel=4e-16)


def test_bounds_of_the_best_mean_field_and_of_the_prior():
    best = MODEL.expected_elbo(IMAGE, mean=MEAN, log_variance=LOG_VARIANCE).item()
    assert best == pytest.approx(-4.313416901354293, rel=4e-16)
    assert MODEL.log_evidence(IMAGE).item() - best == pytest.approx(0.069007560873812245, rel=3e-14)
    prior = MODEL.expected_elbo(IMAGE, mean=PRIOR, log_variance=PRIOR).item()
    assert prior == pytest.approx(-15.990954930283809, rel=4e-16)


def test_a_quadrature_through_the_importance_weights_gives_the_bound():
    nodes, weights = hermite_grid(3)  # exact for the quadratic log w
    for mean, log_variance in ((MEAN, LOG_VARIANCE), (PRIOR, PRIOR)):
        found = weights @ log_weights(nodes, mean, log_variance)[:, 0]
        exact = MODEL.expected_elbo(IMAGE, mean=mean, log_variance=log_variance)
        assert found.item() == pytest.approx(exact.item(), abs=1e-13)


@pytest.mark.parametrize(("shift", "wider"), [(0.0, 0.0), (0.2, 0.5), (-0.3, 1.0)])
def test_weights_average_to_the_evidence_and_vary_as_they_should(shift: float, wider: float):
    nodes, weights = hermite_grid(80)
    mean, log_variance = MEAN + shift * torch.tensor([[1.0, -0.5]]), LOG_VARIANCE + wider
    ratio = (log_weights(nodes, mean, log_variance)[:, 0] - MODEL.log_evidence(IMAGE)).exp()
    assert (weights @ ratio).item() == pytest.approx(1, abs=1e-11)
    exact = MODEL.relative_weight_variance(IMAGE, mean=mean, log_variance=log_variance).item()
    assert (weights @ (ratio - 1).square()).item() == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("draws", "measured", "beyond"), [(5, -4.2615, 0.35), (50, -4.2462, 0.05), (500, -4.2444, 0)]
)
def test_the_gap_of_many_draws_is_half_the_variance_of_the_weights_over_their_number(
    draws: int, measured: float, beyond: float
):
    """`beyond` allows for terms of higher order. Chance is small: the first order of the log has the mean 0."""
    limit = MODEL.relative_weight_variance(IMAGE, mean=MEAN, log_variance=LOG_VARIANCE).item() / 2
    assert limit == pytest.approx(0.1258, abs=5e-5)
    drawn = noise(draws, 4000, 2, seed=draws)
    off = importance_bound(log_weights(drawn, MEAN, LOG_VARIANCE)) - MODEL.log_evidence(IMAGE)
    gap = torch.expm1(off) - off
    error = gap.std().item() / math.sqrt(4000)
    assert draws * gap.mean().item() == pytest.approx(limit, abs=beyond * limit + 4.75 * draws * error)
    assert draws * error < 0.05 * limit
    # digits as they were measured elsewhere by chance
    assert MODEL.log_evidence(IMAGE).item() - gap.mean().item() == pytest.approx(
        measured, abs=3e-4 + 4.75 * error
    )


def test_a_posterior_that_is_too_narrow_has_weights_without_a_variance():
    found = MODEL.relative_weight_variance(IMAGE, mean=MEAN, log_variance=LOG_VARIANCE - 1)
    assert found.item() == math.inf


@settings(deadline=None, max_examples=30)
@given(
    pixels=st.integers(1, 6), latents=st.integers(1, 4), variance=st.floats(0.05, 4), seed=st.integers(0, 99)
)
def test_evidence_is_that_of_scipy_and_bounds_lie_below(
    pixels: int, latents: int, variance: float, seed: int
):
    model, x = LinearGaussian(noise(pixels, latents, seed=seed), variance), noise(7, pixels, seed=seed + 1)
    covariance = model.weights @ model.weights.T + variance * torch.eye(pixels, dtype=torch.float64)
    peer = stats.multivariate_normal(np.zeros(pixels), covariance.numpy()).logpdf(x.numpy())
    evidence = model.log_evidence(x)
    assert np.allclose(evidence.numpy(), peer, rtol=1e-11)
    best = model.expected_elbo(x, mean=model.posterior_mean(x), log_variance=model.mean_field_log_variance())
    nudge = noise(7, latents, seed=seed + 2)
    worse = model.expected_elbo(
        x, mean=model.posterior_mean(x) + nudge, log_variance=model.mean_field_log_variance() + 0.3
    )
    assert (worse < best).all()
    assert (best <= evidence + 1e-10).all()
    assert torch.allclose(model.log_evidence(x.float()), evidence, rtol=1e-5)
    assert torch.allclose(model.log_evidence(x[[3, 1]]), evidence[[3, 1]], rtol=1e-13)


def test_one_latent_dimension_leaves_no_gap():
    model, x = LinearGaussian(noise(4, 1), 0.3), noise(5, 4, seed=1)
    mean, log_variance = model.posterior_mean(x), model.mean_field_log_variance()
    assert torch.allclose(model.expected_elbo(x, mean=mean, log_variance=log_variance), model.log_evidence(x))
    assert model.relative_weight_variance(x, mean=mean, log_variance=log_variance).tolist() == pytest.approx(
        [0] * 5, abs=1e-12
    )


def test_the_evidence_is_that_of_a_fitted_pca_of_scikit_learn():
    data = noise(50, 6) @ noise(6, 6, seed=1)
    fitted = PCA(2).fit(data.numpy())
    scale = np.sqrt(fitted.explained_variance_ - fitted.noise_variance_)
    model = LinearGaussian(torch.from_numpy(fitted.components_.T * scale), float(fitted.noise_variance_))
    found = model.log_evidence(data - torch.from_numpy(fitted.mean_))
    assert np.allclose(found.numpy(), fitted.score_samples(data.numpy()), rtol=1e-10)
