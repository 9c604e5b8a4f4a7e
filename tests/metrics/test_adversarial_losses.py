"""Losses of adversarial games: known values to the last digits, whatever the size of a logit."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from torch.nn import functional

from grader.metrics.adversarial_losses import (
    critic_loss,
    discriminator_loss,
    gradient_penalty,
    hinge_discriminator_loss,
    hinge_generator_loss,
    jensen_shannon_divergence,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_logit,
    slope_penalty,
)

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
LOSSES = {
    "discriminator": discriminator_loss,
    "non-saturating": lambda _, fake: non_saturating_generator_loss(fake),
    "minimax": lambda _, fake: minimax_generator_loss(fake),
    "hinge discriminator": hinge_discriminator_loss,
    "hinge generator": lambda _, fake: hinge_generator_loss(fake),
    "critic": critic_loss,
}
logits = st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=6)


def nodes(low: float, high: float, count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss and Legendre's nodes and weights on an interval."""
    places, weights = np.polynomial.legendre.leggauss(count)
    half = (high - low) / 2
    return torch.from_numpy(low + half * (places + 1)), torch.from_numpy(half * weights)


def log_normal(x: torch.Tensor, mean: float) -> torch.Tensor:
    return -0.5 * (x - mean).square() - 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("discriminator", 1.2314270171575221),
        ("non-saturating", 1.7613321678769243),
        ("minimax", -0.5113321678769244),
        ("hinge discriminator", 1.75),
        ("hinge generator", 1.25),
        ("critic", -1.75),
    ],
)
def test_losses_of_known_logits(name: str, wanted: float):
    """Logits (2, -1) of real images and (0.5, -3) of fakes, worked out by hand."""
    assert float(LOSSES[name](REAL, FAKE)) == pytest.approx(wanted, rel=4e-16, abs=0)


def test_who_knows_nothing_loses_two_log_two():
    nothing = torch.zeros(5)
    assert float(discriminator_loss(nothing, nothing)) == pytest.approx(2 * math.log(2), rel=2e-16)
    assert float(non_saturating_generator_loss(nothing)) == pytest.approx(math.log(2), rel=2e-16)


def test_the_small_second_term_of_a_large_loss_is_kept():
    """log(1 + e^20.5) is 20.5 + 1.25e-9; torch's softplus leaves the second term out above 20."""
    sure, rest = torch.tensor([20.5], dtype=torch.float64), 1.2501528656053019e-09
    assert -float(minimax_generator_loss(sure)) == 20.5 + rest
    assert float(functional.softplus(sure)) == 20.5, "torch keeps the second term now: use its softplus"


def test_a_discriminator_that_is_nearly_right_still_pays():
    sure = torch.tensor([30.0], dtype=torch.float64)
    assert float(non_saturating_generator_loss(sure)) == pytest.approx(
        9.357622968839737e-14, rel=1e-15, abs=0
    )


def test_a_discriminator_that_is_sure_and_wrong_pays_in_full():
    """At a logit of -200; cross-entropy of torch's own sigmoid stops at 100."""
    wrong = torch.tensor([-200.0], dtype=torch.float64)
    assert float(non_saturating_generator_loss(wrong)) == 200
    assert float(functional.binary_cross_entropy(wrong.sigmoid(), torch.ones(1).double())) == 100


@settings(deadline=None, max_examples=60)
@given(real=logits, fake=logits, seed=st.integers(0, 99))
def test_order_repetition_and_precision_change_nothing(real: list[float], fake: list[float], seed: int):
    x, y = torch.tensor(real), torch.tensor(fake)  # float32
    generator = torch.Generator().manual_seed(seed)
    shuffled = [part[torch.randperm(len(part), generator=generator)] for part in (x, y)]
    for name, loss in LOSSES.items():
        value = float(loss(x, y))
        assert math.isfinite(value), name
        assert float(loss(*shuffled)) == pytest.approx(value, rel=1e-13, abs=1e-13), name
        assert float(loss(x.repeat(3), y.repeat(3))) == pytest.approx(value, rel=1e-13, abs=1e-13), name
        assert float(loss(x.double(), y.double())) == value, name


@settings(deadline=None, max_examples=60)
@given(real=logits, fake=logits, smoothing=st.floats(0, 0.5))
def test_the_discriminator_loss_is_the_cross_entropy_of_torch(
    real: list[float], fake: list[float], smoothing: float
):
    x, y = torch.tensor(real).double(), torch.tensor(fake).double()
    peer = functional.binary_cross_entropy_with_logits(x, torch.full_like(x, 1 - smoothing))
    peer = peer + functional.binary_cross_entropy_with_logits(y, torch.zeros_like(y))
    assert float(discriminator_loss(x, y, smoothing=smoothing)) == pytest.approx(float(peer), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(real=logits, fake=logits)
def test_minimax_is_a_zero_sum_game(real: list[float], fake: list[float]):
    x, y = torch.tensor(real), torch.tensor(fake)
    gain_of_fakes = float(discriminator_loss(x, y)) - float(non_saturating_generator_loss(x))
    assert float(minimax_generator_loss(y)) == pytest.approx(-gain_of_fakes, rel=1e-12, abs=1e-10)


# The best discriminator


def test_the_divergence_of_two_shifted_normals_and_the_loss_of_the_best_discriminator():
    x, weights = nodes(-12, 13)
    log_real, log_fake = log_normal(x, 0), log_normal(x, 1)
    divergence = float(jensen_shannon_divergence(log_real, log_fake, weights=weights))
    assert divergence == pytest.approx(0.11142148218473618, rel=1e-14)
    assert 2 * math.log(2) - 2 * divergence == pytest.approx(1.1634513967504183, rel=1e-15)
    logit = optimal_logit(log_real, log_fake)
    loss = weights * (
        log_real.exp() * functional.softplus(-logit) + log_fake.exp() * functional.softplus(logit)
    )
    assert float(loss.sum()) == pytest.approx(1.1634513967504183, rel=1e-11)


def test_the_divergence_agrees_with_an_adaptive_quadrature():
    def integrand(x: float) -> float:
        p, q = stats.norm.pdf(x, 0, 1), stats.norm.pdf(x, 2, 0.5)
        return (p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q))) / 2

    exact, _ = integrate.quad(integrand, -12, 12, points=[0, 2], epsabs=1e-14, limit=200)
    x, weights = nodes(-12, 14, 400)
    log_other = torch.from_numpy(stats.norm.logpdf(x.numpy(), 2, 0.5))
    found = jensen_shannon_divergence(log_normal(x, 0), log_other, weights=weights)
    assert float(found) == pytest.approx(exact, abs=1e-12)


def test_the_divergence_of_laws_apart_is_log_two_and_of_equal_ones_zero():
    x, weights = nodes(-60, 60, 2000)
    apart = jensen_shannon_divergence(log_normal(x, -40), log_normal(x, 40), weights=weights)
    assert float(apart) == pytest.approx(math.log(2), rel=1e-12)
    assert float(jensen_shannon_divergence(log_normal(x, 0), log_normal(x, 0), weights=weights)) == 0


def test_no_other_discriminator_does_better():
    x, weights = nodes(-12, 13)
    p, q = log_normal(x, 0).exp(), log_normal(x, 1).exp()
    best = optimal_logit(log_normal(x, 0), log_normal(x, 1))

    def loss(logit: torch.Tensor) -> float:
        return float((weights * (p * functional.softplus(-logit) + q * functional.softplus(logit))).sum())

    for other in (best + 0.1, best * 0.9, best * 1.1, best + 0.1 * x.sin()):
        assert loss(other) > loss(best)


# The penalty


def test_the_penalty_of_a_quadratic_critic():
    """Slope A x of x^T A x / 2 at a quarter of e1 and three of e2, weight 10."""
    matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    e1, e2 = torch.eye(2).split(1)
    found = gradient_penalty(lambda x: (x @ matrix * x).sum(1) / 2, e1, e2, mix=torch.tensor([0.25]))
    assert 10 * found.item() == pytest.approx(32.223300562505266, rel=2e-16)


def test_the_penalty_of_a_linear_critic():
    weights = torch.tensor([3.0, 4.0], dtype=torch.float64)
    points = torch.randn(2, 7, 2, generator=torch.Generator().manual_seed(0))
    found = gradient_penalty(lambda x: x @ weights, *points, mix=torch.linspace(0, 1, 7))
    assert 10 * found.item() == pytest.approx(160, rel=1e-15)


def test_the_penalty_of_an_image_counts_all_its_numbers_together():
    images = torch.zeros(3, 2, 3, 3)
    found = gradient_penalty(lambda x: 0.5 * x.flatten(1).sum(1), images, images, mix=torch.linspace(0, 1, 3))
    assert found.item() == pytest.approx((0.5 * math.sqrt(18) - 1) ** 2, rel=1e-14)


def test_a_penalty_can_be_trained_on():
    slope = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    found = gradient_penalty(
        lambda x: slope * x.sum(1), torch.zeros(4, 1), torch.ones(4, 1), mix=torch.linspace(0, 1, 4)
    )
    found.backward()
    assert float(slope.grad) == pytest.approx(4, rel=1e-15)


# Refusals


def test_nothing_has_no_loss():
    none = torch.zeros(0)
    for call, name in (
        (lambda: discriminator_loss(none, FAKE), "real"),
        (lambda: discriminator_loss(REAL, none), "fake"),
        (lambda: minimax_generator_loss(none), "fake"),
        (lambda: hinge_discriminator_loss(none, FAKE), "real"),
        (lambda: slope_penalty(none), "norms"),
        (lambda: jensen_shannon_divergence(none, none, weights=none), "log_real - log_fake"),
    ):
        with pytest.raises(ValueError, match=f"{name}: expected at least one number, got none"):
            call()


def test_a_smoothing_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"expected a share from 0 to 1, got -0\.1"):
        discriminator_loss(REAL, FAKE, smoothing=-0.1)
