"""The best predictor's bound on Gaussian data: exact values, and the sampled bound agrees with them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.metrics.diffusion_bound import variational_bound
from grader.metrics.diffusion_oracle import GaussianData, implicit_laws
from grader.metrics.diffusion_process import Schedule, linear_schedule, posterior_mean, q_sample
from grader.metrics.gaussian_diffusion import (
    best_reverse_variance,
    best_simple_loss,
    entropy,
    expected_bound,
    expected_prior_term,
    image_variance,
    implicit_limit,
)

HO = linear_schedule(1000)
STANDARD, NARROW = GaussianData(0.0, 1.0), GaussianData(0.0, 0.5)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def decoded_best(data: GaussianData, variance: Tensor) -> Tensor:
    """The same variances, with the best one at the step that ends at the image."""
    return torch.cat([image_variance(data, HO)[:1], variance[1:]])


def test_the_bound_of_standard_normal_data_is_their_entropy():
    assert entropy(STANDARD) == 1.4189385332046727
    assert expected_bound(STANDARD, HO, HO.beta) == pytest.approx(1.4189385332046727, abs=2e-14)
    assert torch.allclose(best_reverse_variance(STANDARD, HO), HO.beta, rtol=1e-12)


@pytest.mark.parametrize(
    ("data", "kind", "wanted"),
    [
        (STANDARD, "posterior", 1.883830851951712),
        (NARROW, "best", 0.72579135287378096),
        (NARROW, "beta", 0.72688358546370494),
        (NARROW, "posterior", 1.182139766113432),
    ],
)
def test_the_bound_with_every_variance(data: GaussianData, kind: str, wanted: float):
    variance = {"best": best_reverse_variance(data, HO), "beta": HO.beta, "posterior": HO.posterior_variance}[
        kind
    ]
    assert expected_bound(data, HO, decoded_best(data, variance)) == pytest.approx(wanted, abs=2e-12)


def test_the_best_bound_is_above_the_entropy_by_what_the_steps_cannot_say():
    assert expected_bound(NARROW, HO, best_reverse_variance(NARROW, HO)) - entropy(NARROW) == pytest.approx(
        2.3e-10, rel=0.01
    )


@settings(deadline=None, max_examples=60)
@given(
    mean=st.floats(-3, 3),
    deviation=st.floats(0.05, 5),
    betas=st.lists(st.floats(1e-3, 0.9), min_size=1, max_size=12),
    factor=st.floats(0.2, 5),
)
def test_no_variance_takes_the_bound_below_the_best_one_or_the_entropy(
    mean: float, deviation: float, betas: list[float], factor: float
):
    data, schedule = GaussianData(mean, deviation), Schedule(torch.tensor(betas, dtype=torch.float64))
    best = expected_bound(data, schedule, best_reverse_variance(data, schedule))
    other = expected_bound(data, schedule, factor * best_reverse_variance(data, schedule))
    assert entropy(data) - 1e-10 <= best <= other + 1e-10


@pytest.mark.parametrize("data", [STANDARD, NARROW, GaussianData(0.7, 0.4)])
def test_the_sampled_bound_agrees_within_its_standard_error(data: GaussianData):
    schedule = linear_schedule(100)
    slopes = [data.guess(float(share)) for share in schedule.alpha_bar]
    x0 = data.mean + data.deviation * noise(4000, 4, seed=1)
    for variance in (schedule.beta, best_reverse_variance(data, schedule)):
        found = variational_bound(
            x0,
            lambda x_t, t, _: slopes[t][0] * x_t.double() + slopes[t][1],
            schedule=schedule,
            variance=variance,
            levels=None,
            seed=2,
        )
        error = float(found.nats.std()) / math.sqrt(4000)
        assert float(found.nats.mean()) == pytest.approx(
            4 * expected_bound(data, schedule, variance), abs=4.75 * error
        )
        assert error < 0.08


def test_what_is_not_known_of_the_image_is_the_error_of_the_best_guess():
    data, t = GaussianData(0.5, 0.3), torch.full((200_000,), 400)
    x0 = 0.5 + 0.3 * noise(200_000, 1)
    x_t = q_sample(x0, t, noise(200_000, 1, seed=1), HO)
    slope = torch.cov(torch.cat([x0, x_t], 1).T)
    left = slope[0, 0] - slope[0, 1] ** 2 / slope[1, 1]
    assert float(left) == pytest.approx(float(image_variance(data, HO)[400]), rel=0.015)
    step_back = posterior_mean(x0, x_t, 400, HO) + HO.posterior_variance[400].sqrt() * noise(
        200_000, 1, seed=2
    )
    joint = torch.cov(torch.cat([step_back, x_t], 1).T)
    spread = joint[0, 0] - joint[0, 1] ** 2 / joint[1, 1]
    assert float(spread) == pytest.approx(float(best_reverse_variance(data, HO)[400]), rel=0.015)


@pytest.mark.parametrize(("data", "wanted"), [(STANDARD, 0.27551323339680625), (NARROW, 0.17305340608368611)])
def test_the_best_simple_loss(data: GaussianData, wanted: float):
    assert best_simple_loss(data, HO) == pytest.approx(wanted, rel=1e-14)


def test_the_prior_term_grows_with_what_is_left_of_the_image():
    assert expected_prior_term(GaussianData(1.0, 0.0), HO) == pytest.approx(2.0179556e-5, rel=2e-8)
    assert expected_prior_term(STANDARD, HO) == pytest.approx(2.0179556e-5, rel=2e-8)
    assert expected_prior_term(GaussianData(3.0, 0.0), HO) > 8 * 2.0179e-5


def test_the_limit_of_implicit_sampling_is_what_fine_steps_tend_to():
    assert implicit_limit(STANDARD, HO) == 1
    assert implicit_limit(NARROW, HO) == pytest.approx(0.5000075674, abs=5e-11)
    gaps = []
    for steps in (1000, 4000):
        angles = torch.linspace(float(HO.alpha_bar[-1].sqrt().acos()), 0, steps + 1, dtype=torch.float64)
        law = implicit_laws(NARROW, angles.cos().square()[:-1].tolist(), first=0.5, eta=0.0)[0]
        gaps.append(abs(law.slope - implicit_limit(NARROW, HO)))
    assert gaps[1] < gaps[0] / 3.5
    assert gaps[1] < 1e-3


def test_a_variance_for_every_step_is_asked_for():
    with pytest.raises(ValueError, match=r"variance: expected 1000 positive numbers, got shape \(3,\)"):
        expected_bound(STANDARD, HO, torch.ones(3))
    with pytest.raises(ValueError, match="variance: expected 1000 positive numbers"):
        expected_bound(STANDARD, HO, HO.posterior_variance)
