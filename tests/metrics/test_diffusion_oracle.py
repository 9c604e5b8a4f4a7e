"""Perfect models and the laws of right samplers: exact numbers, limits, and slips that must show."""

import math

import pytest
import torch
from torch import Tensor

from grader.metrics.diffusion_oracle import (
    CHANCE,
    GaussianData,
    Law,
    MixtureData,
    ancestral_laws,
    departure,
    implicit_laws,
    implicit_samples,
    implicit_step,
)
from grader.metrics.diffusion_process import Schedule, linear_schedule

HO = linear_schedule(1000)
DATA = GaussianData(mean=0.1, deviation=0.2)
SHORT = Schedule(torch.tensor([0.05, 0.2, 0.3, 0.5], dtype=torch.float64))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ancestral(x: Tensor, schedule: Schedule, *, wrong: str = "") -> Tensor:
    """Algorithm 2 for DATA, spelled out; `wrong` names a slip."""
    generator = torch.Generator().manual_seed(9)
    for t in reversed(range(len(schedule))):
        beta, alpha_bar = schedule.beta[t], schedule.alpha_bar[t]
        if wrong == "alpha for alpha_bar":
            alpha_bar = 1 - beta
        slope, offset = DATA.guess(float(schedule.alpha_bar[max(0, t - 1) if wrong == "step early" else t]))
        mean = (x - beta / (1 - alpha_bar).sqrt() * (slope * x + offset)) / (1 - beta).sqrt()
        z = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        if wrong == "same noise for all images":
            z = z[:1].expand_as(x)
        if wrong == "same noise for all pixels":
            z = z[:, :1].expand_as(x)
        x = mean + (t > 0) * (beta if wrong == "variance for deviation" else beta.sqrt()) * z
    return x


# Ancestral


@pytest.mark.parametrize("schedule", [SHORT, linear_schedule(100)])
def test_a_right_ancestral_sampler_has_one_of_the_laws(schedule: Schedule):
    x_T = noise(2000, 16)
    law, errors = departure(ancestral(x_T, schedule), x_T, ancestral_laws(DATA, schedule))
    assert law.name.startswith("variance beta")
    assert errors < 4.5


@pytest.mark.parametrize("schedule", [SHORT, linear_schedule(100)])
@pytest.mark.parametrize(
    "wrong",
    [
        "alpha for alpha_bar",
        "step early",
        "variance for deviation",
        "same noise for all images",
        "same noise for all pixels",
    ],
)
def test_a_wrong_ancestral_sampler_has_none(schedule: Schedule, wrong: str):
    x_T = noise(2000, 16)
    _, errors = departure(ancestral(x_T, schedule, wrong=wrong), x_T, ancestral_laws(DATA, schedule))
    assert errors > 2 * CHANCE


def test_with_many_steps_every_choice_has_the_law_of_the_data():
    for law in ancestral_laws(DATA, HO):
        assert abs(law.slope) < 1e-3
        assert law.offset == pytest.approx(0.1, abs=0.001)
        assert math.sqrt(law.variance) == pytest.approx(0.2, abs=0.005)


def test_standard_normal_data_stay_standard_normal_with_the_variance_beta():
    law = ancestral_laws(GaussianData(0.0, 1.0), HO)[1]
    assert law.slope**2 + law.variance == pytest.approx(1, abs=1e-13)


def test_one_step_ends_at_the_best_guess_of_the_image():
    one = Schedule(torch.tensor([0.36], dtype=torch.float64))
    law = ancestral_laws(GaussianData(0.0, 0.5), one)[0]
    assert law.slope == pytest.approx(0.25 * 0.8 / (0.64 * 0.25 + 0.36), rel=1e-13)
    assert law.variance == 0


# Implicit


@pytest.mark.parametrize(
    ("steps", "wanted"), [(10, 0.81458618), (50, 0.96338255), (100, 0.98167494), (1000, 0.99812429)]
)
def test_the_implicit_map_of_standard_normal_data(steps: int, wanted: float):
    """On the grid linspace(999, 0, steps), ending at the image."""
    grid = torch.linspace(999, 0, steps, dtype=torch.float64).round().long()
    law = implicit_laws(GaussianData(0.0, 1.0), HO.alpha_bar[grid].tolist(), first=0.5, eta=0.0)[0]
    assert law.slope == pytest.approx(wanted, abs=5e-9)
    assert law.variance == 0


def test_the_implicit_map_tends_to_that_of_the_flow():
    fine = (1 - torch.linspace(float(HO.noise_variance[-1]), 0, 20001, dtype=torch.float64)[:-1]).tolist()
    law = implicit_laws(GaussianData(0.0, 0.5), fine, first=0.5, eta=0.0)[0]
    assert law.slope == pytest.approx(0.5000075674, abs=2e-3)


def test_all_noise_on_all_steps_is_ancestral_sampling_with_the_posterior_variance():
    implicit = implicit_laws(DATA, SHORT.alpha_bar.flip(0).tolist(), first=0.5, eta=1.0)[0]
    posterior = ancestral_laws(DATA, SHORT)[2]
    for field in ("slope", "offset", "variance"):
        assert getattr(implicit, field) == pytest.approx(getattr(posterior, field), rel=1e-12)


def test_a_step_keeps_the_variance_of_the_process():
    """Of the image √after is left, and of noise the rest, whatever eta."""
    for eta in (0.0, 0.5, 1.0):
        of_state, of_noise, deviation = implicit_step(0.3, 0.6, eta=eta)
        assert of_state * math.sqrt(0.3) == pytest.approx(math.sqrt(0.6))
        kept = of_noise + of_state * math.sqrt(0.7)
        assert kept**2 + deviation**2 == pytest.approx(0.4)


def test_samples_of_the_mixture_of_one_are_the_line():
    data, alone = MixtureData(torch.full((1, 3), 0.1), 0.2), SHORT.alpha_bar.flip(0).tolist()
    law = implicit_laws(DATA, alone, first=0.5, eta=0.0)[0]
    x_T = noise(20, 3)
    found = implicit_samples(x_T, data.guess, [*alone, 1.0])
    assert torch.allclose(found, law.slope * x_T + law.offset, rtol=1e-6, atol=1e-7)


def test_many_implicit_steps_end_at_the_centres():
    centres = torch.tensor([[-0.7, 0.0], [0.7, 0.0]], dtype=torch.float64)
    found = implicit_samples(
        noise(500, 2), MixtureData(centres, 0.05).guess, [*HO.alpha_bar.flip(0).tolist(), 1.0]
    )
    nearest = torch.cdist(found, centres).amin(1)
    assert float((nearest < 0.25).double().mean()) > 0.99
    assert 0.4 < float((found[:, 0] > 0).double().mean()) < 0.6


# Comparison


def test_a_slope_against_the_start_shows():
    x_T, law = noise(500, 16), Law("alone", slope=0.0, offset=0.1, variance=0.04)
    right = 0.1 + 0.2 * noise(500, 16, seed=1)
    assert departure(right, x_T, [law])[1] < 4.5
    assert departure(right + 0.03 * x_T, x_T, [law])[1] > CHANCE


def test_the_nearest_law_is_named():
    x_T, right = noise(500, 16), 0.2 * noise(500, 16, seed=1)
    laws = [Law("wide", 0.0, 0.0, 0.09), Law("right", 0.0, 0.0, 0.04)]
    assert departure(right, x_T, laws)[0].name == "right"


# Mixtures


def test_the_density_of_a_mixture_is_that_of_torch_at_every_step():
    centres, x_t = torch.tensor([[-2.0, 0.0], [2.0, 1.0], [0.0, -1.0]], dtype=torch.float64), 2 * noise(50, 2)
    for alpha_bar in (1.0, 0.5, 1e-4):
        spread = math.sqrt(alpha_bar * 0.25 + 1 - alpha_bar)
        parts = torch.distributions.Independent(
            torch.distributions.Normal(math.sqrt(alpha_bar) * centres, spread), 1
        )
        peer = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=torch.zeros(3, dtype=torch.float64)), parts
        )
        found = MixtureData(centres, 0.5).log_density(x_t, alpha_bar)
        assert torch.allclose(found, peer.log_prob(x_t), rtol=1e-12)


def test_the_guess_of_the_noise_is_the_score_of_the_density():
    """noise = -√(1 - alpha_bar) · gradient of the log-density; Tweedie's formula."""
    data, x_t = (
        MixtureData(torch.tensor([[-2.0], [2.0]], dtype=torch.float64), 0.5),
        noise(50, 1).requires_grad_(),
    )
    (score,) = torch.autograd.grad(data.log_density(x_t, 0.4).sum(), x_t)
    assert torch.allclose(data.guess(x_t.detach(), 0.4), -math.sqrt(0.6) * score, rtol=1e-11)
