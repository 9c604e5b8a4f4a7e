"""The bound of a diffusion model: exact values of Gaussian data, and nothing to gain by remembering."""

import math

import pytest
import torch
from torch import Tensor

from grader.metrics.diffusion_bound import (
    bits_per_pixel,
    discrete_term,
    gaussian_term,
    path_backwards,
    prior_term,
    step_term,
    variational_bound,
)
from grader.metrics.diffusion_process import (
    Schedule,
    linear_schedule,
    q_sample,
)

HO = linear_schedule(1000)
FEW = Schedule(torch.linspace(0.05, 0.5, 10, dtype=torch.float64))
ENTROPY = 1.4189385332046727

# Three nodes of Gauss and Hermite integrate every polynomial up to degree 5 against N(0, 1) exactly; all terms
# of the bound are quadratic in x_0 and the noise.
NODES = torch.tensor([-math.sqrt(3), 0, math.sqrt(3)], dtype=torch.float64)
WEIGHTS = torch.tensor([1 / 6, 2 / 3, 1 / 6], dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian_noise_guess(x_t: Tensor, t: int, schedule: Schedule, variance: float) -> Tensor:
    """The best guess of the noise in x_t, for data N(0, variance)."""
    total = schedule.alpha_bar[t] * variance + schedule.noise_variance[t]
    return schedule.noise_variance[t].sqrt() / total * x_t.double()


def expected_bound(data_variance: float, variance: Tensor, schedule: Schedule) -> float:
    """The expectation of the bound over data N(0, data_variance) and all noise, without any chance in it."""
    x0 = (NODES * math.sqrt(data_variance)).repeat_interleave(3)[:, None]
    eps, weights = NODES.repeat(3)[:, None], WEIGHTS.repeat_interleave(3) * WEIGHTS.repeat(3)
    total = prior_term(x0, schedule)
    for t in range(len(schedule)):
        x_t = q_sample(x0, torch.full((9,), t), eps, schedule)
        guess = gaussian_noise_guess(x_t, t, schedule, data_variance)
        if t:
            total = total + step_term(x0, x_t, guess, t, schedule=schedule, variance=variance)
        else:
            total = total + gaussian_term(x0, x_t, guess, schedule=schedule, variance=variance)
    return float(total @ weights)


def variance_of_the_image(t: int, schedule: Schedule, data_variance: float) -> Tensor:
    """Variance of x_0 given x_t, for data N(0, data_variance)."""
    spread = schedule.noise_variance[t]
    return data_variance * spread / (schedule.alpha_bar[t] * data_variance + spread)


def with_first(variance: Tensor, first: Tensor) -> Tensor:
    return torch.cat([first.reshape(1), variance[1:]])


# The bound: exact values


def test_the_prior_term():
    assert float(prior_term(torch.ones(1, 1), HO)) == pytest.approx(2.0179556e-5, rel=1e-7)


def test_the_bound_of_standard_normal_data_is_their_entropy():
    assert expected_bound(1.0, HO.beta, HO) == pytest.approx(ENTROPY, abs=1e-13)


def test_the_bound_with_the_smaller_variance():
    assert expected_bound(1.0, HO.clipped_variance, HO) == pytest.approx(1.883830851951712, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("best", 0.72579135287378096),
        ("beta", 0.72688358546370494),
        ("posterior", 1.182139766113432),
    ],
)
def test_the_bound_of_narrower_data(kind: str, wanted: float):
    """The decoder of step 0 has the best variance in all three, that of x_0 given x_1."""
    best = torch.stack([variance_of_the_image(t, HO, 0.25) for t in range(1000)])
    weight = HO.alpha_bar_before.sqrt() * HO.beta / HO.noise_variance
    variance = {
        "best": HO.posterior_variance + weight.square() * best,
        "beta": with_first(HO.beta, best[0]),
        "posterior": with_first(HO.posterior_variance, best[0]),
    }[kind]
    assert expected_bound(0.25, variance, HO) == pytest.approx(wanted, abs=1e-12)


def test_no_variance_takes_the_bound_below_the_entropy():
    entropy = ENTROPY + 0.5 * math.log(0.25)
    for variance in (HO.beta, HO.clipped_variance, 0.7 * HO.beta):
        assert expected_bound(0.25, variance, HO) > entropy


def test_the_bound_of_drawn_data_is_near_its_expectation():
    schedule = linear_schedule(100)
    found = variational_bound(
        noise(2000, 16),
        lambda x_t, t, _: gaussian_noise_guess(x_t, t, schedule, 1.0),
        schedule=schedule,
        variance=schedule.beta,
        levels=None,
        seed=3,
    )
    error = float(found.nats.std()) / math.sqrt(2000)
    assert abs(float(found.nats.mean()) - 16 * ENTROPY) < 4 * error
    assert error < 0.25
    assert float(found.terms.sum()) + found.prior == pytest.approx(float(found.nats.mean()), rel=1e-9)


def test_a_bound_is_the_same_twice_and_another_for_another_seed():
    schedule = FEW

    def once(seed: int) -> Tensor:
        guess = lambda x_t, t, _: gaussian_noise_guess(x_t, t, schedule, 1.0)  # noqa: E731
        found = variational_bound(
            noise(9, 4), guess, schedule=schedule, variance=schedule.beta, levels=None, seed=seed
        )
        return found.nats

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))


def test_rows_say_which_image_is_asked_about():
    schedule, labels = FEW, torch.arange(9)
    means = 0.1 * labels.double()[:, None].expand(9, 4)

    def guess(x_t: Tensor, t: int, rows: Tensor) -> Tensor:
        return (x_t.double() - schedule.alpha_bar[t].sqrt() * means[rows]) / schedule.noise_variance[t].sqrt()

    found = variational_bound(means, guess, schedule=schedule, variance=schedule.beta, levels=None, seed=1)
    certain = 0.5 * torch.log(schedule.beta / schedule.clipped_variance)[1:].sum()
    assert float(found.nats.max()) < 4 * (float(certain) + 20), "each image is guessed exactly"
    assert float((found.nats - prior_term(means, schedule)).std()) < 1e-5


# The discrete decoder


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("deviation", [1e-3, 0.03, 2.0])
def test_the_levels_share_one_probability(levels: int, deviation: float):
    grid = torch.linspace(-1, 1, levels, dtype=torch.float64)[:, None]
    schedule, variance = Schedule(FEW.beta[:1]), torch.tensor([deviation**2], dtype=torch.float64)
    state = torch.full_like(grid, 0.33)
    nats = discrete_term(
        grid, state, noise(1, 1).expand_as(grid), schedule=schedule, variance=variance, levels=levels
    )
    assert float((-nats).exp().sum()) == pytest.approx(1, abs=1e-12)


def test_a_level_far_out_costs_its_true_length():
    """The mass between 100.5 and 101.5 deviations is 0 in float64; its logarithm is not."""
    schedule = Schedule(torch.tensor([1e-4], dtype=torch.float64))
    x0, mean = (
        torch.tensor([[0.0], [0.0]], dtype=torch.float64),
        torch.tensor([[1.01], [-1.01]], dtype=torch.float64),
    )
    x_1 = mean * math.sqrt(1 - 1e-4)
    nats = discrete_term(
        x0, x_1, torch.zeros_like(x_1), schedule=schedule, variance=schedule.beta, levels=201
    )
    tail = 0.5 * 100.5**2 + math.log(100.5 * math.sqrt(2 * math.pi)) + 1 / 100.5**2
    assert nats.tolist() == pytest.approx([tail, tail], rel=1e-8)


def test_fine_levels_have_the_density_of_the_gaussian():
    schedule, levels = linear_schedule(100), 20001
    x0 = (noise(50, 3).clamp(-1.5, 1.5) / 2).mul(10000).round() / 10000
    x_1, guess = x0 + 0.01 * noise(50, 3, seed=1), noise(50, 3, seed=2)
    options = {"schedule": schedule, "variance": schedule.beta}
    mass = discrete_term(x0, x_1, guess, levels=levels, **options)
    density = gaussian_term(x0, x_1, guess, **options)
    assert torch.allclose(mass, density - 3 * math.log(2 / 20000), rtol=1e-4)


def test_bits_per_pixel():
    assert bits_per_pixel(torch.tensor([64 * math.log(2)]), pixels=64).item() == pytest.approx(1)


# The path


def test_the_path_has_the_law_of_the_chain():
    """Neighbouring states of one image: covariance of x_t and x_{t-1}, given x_0."""
    schedule, x0 = FEW, torch.full((40000, 1), 0.7)
    states = dict(path_backwards(x0, schedule, torch.Generator().manual_seed(0)))
    assert list(states) == list(range(9, -1, -1))
    for t, x_t in states.items():
        mean, spread = float(x_t.mean()), float(x_t.var())
        assert mean == pytest.approx(0.7 * float(schedule.alpha_bar[t].sqrt()), abs=0.02)
        assert spread == pytest.approx(float(schedule.noise_variance[t]), rel=0.04)
        if t:
            together = torch.cov(torch.cat([x_t, states[t - 1]], 1).T)[0, 1]
            wanted = (1 - schedule.beta[t]).sqrt() * schedule.noise_variance[t - 1]
            assert float(together) == pytest.approx(float(wanted), abs=0.03)


class Stitcher:
    """Remembers every state of every image and guesses x_0 from all of them; data N(0, I).

    It even knows which image each row belongs to. Each state counts by its signal-to-noise ratio, as if it
    were a look at x_0 of its own.
    """

    def __init__(self, schedule: Schedule, images: int, pixels: int) -> None:
        self.schedule = schedule
        self.evidence = torch.zeros(images, pixels, dtype=torch.float64)
        self.weight = 1.0  # the precision of the prior

    def __call__(self, x_t: Tensor, t: int, rows: Tensor) -> Tensor:
        clean, noisy = self.schedule.alpha_bar[t].sqrt(), self.schedule.noise_variance[t]
        self.evidence[rows] += clean / noisy * x_t.double()
        self.weight += float(clean.square() / noisy)
        guess = self.evidence[rows] / self.weight
        return (x_t.double() - clean * guess) / noisy.sqrt()


def test_who_stitches_the_image_together_gains_nothing_on_a_path():
    schedule, x0 = linear_schedule(100), noise(200, 16)
    found = variational_bound(
        x0, Stitcher(schedule, 200, 16), schedule=schedule, variance=schedule.beta, levels=None, seed=1
    )
    assert float(found.nats.mean()) > 16 * ENTROPY


def test_with_fresh_noise_at_each_step_stitching_would_win():
    """The attack itself works: this is what the path is for."""
    schedule, x0 = linear_schedule(100), noise(200, 16)
    stitcher, total = Stitcher(schedule, 200, 16), prior_term(x0, schedule)
    for t in range(99, -1, -1):
        x_t = q_sample(x0, torch.full((200,), t), noise(200, 16, seed=t + 1), schedule)
        guess = stitcher(x_t, t, torch.arange(200))
        options = {"schedule": schedule, "variance": schedule.beta}
        term = step_term(x0, x_t, guess, t, **options) if t else gaussian_term(x0, x_t, guess, **options)
        total = total + term
    assert float(total.mean()) < 16 * ENTROPY - 2
