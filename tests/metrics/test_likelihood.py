"""Bounds on log-likelihood, against a model whose log-likelihood is known exactly: probabilistic PCA."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torch.nn import functional

from grader.metrics.likelihood import (
    bernoulli_log_likelihood,
    elbo,
    gaussian_kl,
    gaussian_log_density,
    importance_bound,
    log_importance_weights,
)

# Probabilistic PCA with 5 pixels and 2 latent dimensions: x = W z + noise of variance 1/4.
VARIANCE = 0.25
WEIGHTS = torch.cos(torch.arange(5.0).double()[:, None] + 2 * torch.arange(2.0).double() + 1)
IMAGE = torch.arange(5.0).double() / 2 - 1
LOG_EVIDENCE = -4.2444093404804808
MEAN_FIELD_GAP = 0.069007560873812245
POSTERIOR_MEAN = torch.tensor([[0.19864677864155302, 0.84910716697613422]], dtype=torch.float64)
PRECISION = (WEIGHTS.T @ WEIGHTS + VARIANCE * torch.eye(2, dtype=torch.float64)) / VARIANCE
MEAN_FIELD_LOG_VARIANCE = -PRECISION.diagonal().log()[None]
STANDARD = torch.zeros(1, 2, dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pca_log_likelihood(z: Tensor) -> Tensor:
    log_variance = torch.full((5,), math.log(VARIANCE), dtype=torch.float64)
    return gaussian_log_density(IMAGE, mean=z @ WEIGHTS.T, log_variance=log_variance)


def pca_log_weights(mean: Tensor, log_variance: Tensor, *, draws: int, images: int) -> Tensor:
    drawn = noise(draws, images, 2)
    log_likelihood = pca_log_likelihood(mean + (log_variance / 2).exp() * drawn)
    return log_importance_weights(log_likelihood, drawn, mean=mean, log_variance=log_variance)


def expected_log_likelihood(mean: Tensor, variance: Tensor) -> float:
    """E log p(x|z) in closed form for a Gaussian q."""
    misfit = (IMAGE - mean @ WEIGHTS.T).square().sum() + (WEIGHTS.square() @ variance).sum()
    return float(-0.5 * (misfit / VARIANCE + 5 * math.log(2 * math.pi * VARIANCE)))


def test_the_exact_elbo_of_the_best_mean_field_posterior():
    reconstruction = expected_log_likelihood(POSTERIOR_MEAN[0], MEAN_FIELD_LOG_VARIANCE[0].exp())
    kl = gaussian_kl(POSTERIOR_MEAN, MEAN_FIELD_LOG_VARIANCE)
    bound = elbo(torch.tensor([reconstruction], dtype=torch.float64), kl=kl)
    assert float(bound) == pytest.approx(-4.313416901354293, rel=1e-13)
    assert LOG_EVIDENCE - float(bound) == pytest.approx(MEAN_FIELD_GAP, rel=1e-11)


def test_the_exact_elbo_when_the_posterior_is_the_prior():
    reconstruction = expected_log_likelihood(STANDARD[0], torch.ones(2, dtype=torch.float64))
    bound = elbo(torch.tensor([reconstruction], dtype=torch.float64), kl=gaussian_kl(STANDARD, STANDARD))
    assert float(bound) == pytest.approx(-15.990954930283809, rel=1e-13)


def test_the_bound_with_one_draw_has_the_elbo_as_its_mean():
    log_weights = pca_log_weights(POSTERIOR_MEAN, MEAN_FIELD_LOG_VARIANCE, draws=1, images=100_000)
    bound = importance_bound(log_weights)
    error = float(bound.std()) / math.sqrt(len(bound))
    assert float(bound.mean()) == pytest.approx(-4.313416901354293, abs=4.75 * error)
    assert error < 0.002


def test_importance_weights_average_to_the_evidence():
    log_weights = pca_log_weights(POSTERIOR_MEAN, MEAN_FIELD_LOG_VARIANCE, draws=1, images=200_000)
    ratio = (log_weights - LOG_EVIDENCE).exp()
    assert float(ratio.mean()) == pytest.approx(1, abs=4.75 * float(ratio.std()) / math.sqrt(200_000))


def test_more_draws_close_the_gap_to_the_evidence_from_below():
    means, errors = [], []
    for draws in (1, 5, 50, 500):
        images = 100_000 // draws
        log_weights = pca_log_weights(POSTERIOR_MEAN, MEAN_FIELD_LOG_VARIANCE, draws=draws, images=images)
        bound = importance_bound(log_weights)
        means.append(float(bound.mean()))
        errors.append(float(bound.std()) / math.sqrt(images))
    assert means == sorted(means)
    assert means[1] == pytest.approx(-4.2615, abs=4.75 * errors[1])
    assert LOG_EVIDENCE - 4.75 * errors[-1] - 2e-4 < means[-1] < LOG_EVIDENCE + 4.75 * errors[-1]


def test_even_a_poor_posterior_reaches_the_evidence_with_enough_draws():
    bound = importance_bound(pca_log_weights(STANDARD, STANDARD, draws=200_000, images=1))
    assert float(bound) == pytest.approx(LOG_EVIDENCE, abs=0.02)


def test_the_weights_are_the_ratio_of_the_densities():
    mean, log_variance, drawn = noise(4, 3, seed=1), noise(4, 3, seed=2), noise(6, 4, 3, seed=3)
    z = mean + (log_variance / 2).exp() * drawn
    prior = gaussian_log_density(z, mean=torch.zeros(4, 3), log_variance=torch.zeros(4, 3))
    posterior = gaussian_log_density(z, mean=mean, log_variance=log_variance)
    found = log_importance_weights(torch.full((6, 4), -7.0), drawn, mean=mean, log_variance=log_variance)
    assert torch.allclose(found, prior - posterior - 7, rtol=1e-10)


def test_a_needle_sharp_posterior_pays_for_its_sharpness():
    """With standard deviation 1e-20 no z can be told from its mean, but the price is log 1e20 = 46 nats."""
    sharp = torch.full((1, 1), 2 * math.log(1e-20), dtype=torch.float64)
    mean = torch.ones(1, 1, dtype=torch.float64) + 1e-9
    weights = log_importance_weights(torch.zeros(50, 1), noise(50, 1, 1), mean=mean, log_variance=sharp)
    assert float(importance_bound(weights)) == pytest.approx(-46.05 - 0.5 + 0.5, abs=1)


@settings(max_examples=40, deadline=None)
@given(draws=st.integers(1, 30), images=st.integers(1, 5), scale=st.floats(0, 50), seed=st.integers(0, 99))
def test_jensen_the_bound_is_never_below_the_mean_log_weight(
    draws: int, images: int, scale: float, seed: int
):
    log_weights = scale * noise(draws, images, seed=seed) - 1000
    assert (importance_bound(log_weights) >= log_weights.mean(0) - 1e-9).all()


def test_the_bound_shifts_with_a_constant_and_never_underflows():
    log_weights = noise(20, 3)
    shifted = importance_bound(log_weights - 1e5)
    assert torch.allclose(shifted + 1e5, importance_bound(log_weights), atol=1e-9)


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="at least one draw"):
        importance_bound(torch.zeros(0, 3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), d=st.integers(1, 6))
def test_the_kl_equals_that_of_torch_and_is_never_negative(seed: int, d: int):
    mean, log_variance = noise(4, d, seed=seed), 2 * noise(4, d, seed=seed + 1)
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    exact = torch.distributions.kl_divergence(q, p).sum(-1)
    assert torch.allclose(gaussian_kl(mean, log_variance), exact, rtol=1e-10)
    assert (gaussian_kl(mean, log_variance) >= 0).all()


def test_the_kl_near_the_prior_keeps_its_digits():
    """For mean m and log-variance v near 0 it is (m² + v²/2) / 2; exp(v) - 1 - v would be rounding noise."""
    tiny = torch.full((1, 1), 1e-8, dtype=torch.float64)
    assert float(gaussian_kl(tiny, 0 * tiny)) == pytest.approx(5e-17, rel=1e-6, abs=0)
    assert float(gaussian_kl(0 * tiny, tiny)) == pytest.approx(2.5e-17, rel=0.1, abs=0)


def test_the_bernoulli_log_likelihood_is_the_negative_cross_entropy_per_image():
    logits, x = 3 * noise(7, 64), (noise(7, 64, seed=1) > 0).double()
    exact = -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    assert torch.allclose(bernoulli_log_likelihood(logits, x), exact, rtol=1e-12)


def test_the_probabilities_of_all_images_sum_to_one():
    logits = noise(1, 8)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 8)
    total = bernoulli_log_likelihood(logits.expand(256, 8), images).exp().sum()
    assert float(total) == pytest.approx(1, rel=1e-12)


def test_even_odds_cost_one_bit_a_pixel():
    cost = -bernoulli_log_likelihood(torch.zeros(1, 64), torch.ones(1, 64))
    assert float(cost) == pytest.approx(64 * math.log(2), rel=1e-14)


def test_logits_of_ten_thousand_stay_finite():
    sure = torch.tensor([[1e4, -1e4]], dtype=torch.float32)
    assert float(bernoulli_log_likelihood(sure, torch.tensor([[1.0, 0.0]]))) == 0
    assert float(bernoulli_log_likelihood(sure, torch.tensor([[0.0, 0.0]]))) == -1e4


def test_a_pixel_that_is_nearly_sure_still_costs_its_rest():
    """log(1 + e^-30); as x·logit - softplus(logit) it is 0 with torch's softplus, which stops at 20."""
    sure, lit = torch.tensor([[30.0]], dtype=torch.float64), torch.ones(1, 1)
    exact = -9.357622968839737e-14
    assert float(bernoulli_log_likelihood(sure, lit)) == pytest.approx(exact, rel=1e-15, abs=0)
    assert float(bernoulli_log_likelihood(-sure, 0 * lit)) == pytest.approx(exact, rel=1e-15, abs=0)
    assert float(sure - functional.softplus(sure)) == 0


def test_draws_broadcast_against_the_images():
    logits, x = noise(5, 7, 64), torch.ones(7, 64)
    assert torch.equal(bernoulli_log_likelihood(logits, x)[2], bernoulli_log_likelihood(logits[2], x))


def test_grey_pixels_are_no_bernoulli_data():
    with pytest.raises(ValueError, match="expected zeros and ones"):
        bernoulli_log_likelihood(torch.zeros(1, 2), torch.tensor([[0.5, 1.0]]))


# Invariances, and independent implementations


@settings(max_examples=30, deadline=None)
@given(images=st.integers(1, 6), pixels=st.integers(1, 9), scale=st.floats(0.1, 60), seed=st.integers(0, 99))
def test_bernoulli_log_likelihoods_are_those_of_torch_and_of_each_image_alone(
    images: int, pixels: int, scale: float, seed: int
):
    logits, x = scale * noise(images, pixels, seed=seed), (noise(images, pixels, seed=seed + 1) > 0).double()
    found = bernoulli_log_likelihood(logits, x)
    peer = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(-1)
    assert torch.allclose(found, peer, rtol=1e-11, atol=1e-11)
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    columns = torch.randperm(pixels, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(bernoulli_log_likelihood(logits[order], x[order]), found[order])
    assert torch.allclose(bernoulli_log_likelihood(logits[:, columns], x[:, columns]), found, rtol=1e-13)
    alone = [bernoulli_log_likelihood(logits[[i]], x[[i]]) for i in range(images)]
    assert torch.allclose(torch.cat(alone), found, rtol=1e-14)
    assert torch.equal(
        bernoulli_log_likelihood(logits.float(), x.float()),
        bernoulli_log_likelihood(logits.float().double(), x),
    )
    assert torch.allclose(bernoulli_log_likelihood(-logits, 1 - x), found, rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(dims=st.integers(1, 5), seed=st.integers(0, 99))
def test_gaussian_log_densities_are_those_of_scipy_and_of_torch(dims: int, seed: int):
    value, mean, log_variance = (noise(7, dims, seed=seed + i) for i in range(3))
    found = gaussian_log_density(value, mean=mean, log_variance=log_variance)
    deviation = (log_variance / 2).exp()
    scipy_says = stats.norm(mean.numpy(), deviation.numpy()).logpdf(value.numpy()).sum(1)
    assert found.tolist() == pytest.approx(scipy_says.tolist(), rel=1e-12)
    torch_says = torch.distributions.Normal(mean, deviation).log_prob(value).sum(-1)
    assert torch.allclose(found, torch_says, rtol=1e-12)
    moved = gaussian_log_density(value + 3, mean=mean + 3, log_variance=log_variance)
    assert torch.allclose(moved, found, rtol=1e-11, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(draws=st.integers(1, 20), images=st.integers(1, 5), seed=st.integers(0, 99))
def test_order_and_repetition_of_draws_do_not_change_the_bound(draws: int, images: int, seed: int):
    log_weights = 30 * noise(draws, images, seed=seed)
    found = importance_bound(log_weights)
    order = torch.randperm(draws, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(importance_bound(log_weights[order]), found, rtol=1e-13, atol=1e-13)
    assert torch.allclose(importance_bound(log_weights.repeat(4, 1)), found, rtol=1e-13, atol=1e-13)
    alone = torch.cat([importance_bound(log_weights[:, [i]]) for i in range(images)])
    assert torch.allclose(alone, found, rtol=1e-14)
    assert (found <= log_weights.amax(0)).all()
    assert torch.equal(importance_bound(log_weights.float()), importance_bound(log_weights.float().double()))
