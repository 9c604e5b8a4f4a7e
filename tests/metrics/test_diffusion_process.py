"""The forward process, its inverse, and samples of ours: published numbers and identities."""

import pytest
import torch
from torch import Tensor

from grader.metrics.diffusion_process import (
    ancestral_samples,
    guessed_image,
    linear_schedule,
    posterior_mean,
    q_sample,
    reverse_mean,
)

HO = linear_schedule(1000)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The schedule


def test_the_schedule_is_that_of_ho_et_al():
    assert float(HO.alpha_bar[-1]) == pytest.approx(4.0358297653756833e-5, rel=1e-12)
    assert float(HO.alpha_bar[499]) == pytest.approx(0.078587242881778237, rel=1e-12)
    assert float(HO.alpha_bar[-1].sqrt()) == pytest.approx(0.0063528, abs=1e-7)
    assert float(HO.posterior_variance[1]) == pytest.approx(5.4531876613026054e-5, rel=1e-12)


def test_the_posterior_mean_has_its_coefficients():
    one, none = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    assert float(posterior_mean(one, none, 499, HO)) == pytest.approx(0.0030700711142649769, rel=1e-12)
    assert float(posterior_mean(none, one, 499, HO)) == pytest.approx(0.99410667021016659, rel=1e-12)


def test_fewer_steps_leave_as_little_of_the_image():
    assert 1e-5 < float(linear_schedule(100).alpha_bar[-1]) < 5e-5
    assert float(linear_schedule(100).beta[-1]) == pytest.approx(0.2)


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="expected more than 20, got 20"):
        linear_schedule(20)


def test_the_first_step_starts_from_the_image_itself():
    x0, x_1 = noise(4, 2), noise(4, 2, seed=1)
    assert torch.equal(posterior_mean(x0, x_1, 0, HO), x0)
    assert float(HO.posterior_variance[0]) == 0
    assert float(HO.clipped_variance[0]) == float(HO.beta[0])
    assert torch.equal(HO.clipped_variance[1:], HO.posterior_variance[1:])


@pytest.mark.parametrize("t", [0, 1, 400, 999])
def test_the_mean_from_the_image_is_the_mean_from_the_noise(t: int):
    x0, eps = noise(5, 1, 3, 3), noise(5, 1, 3, 3, seed=1)
    x_t = q_sample(x0, torch.full((5,), t), eps, HO)
    assert torch.allclose(guessed_image(x_t, eps, t, HO), x0, rtol=1e-10, atol=1e-12)
    assert torch.allclose(
        reverse_mean(x_t, eps, t, HO), posterior_mean(x0, x_t, t, HO), rtol=1e-9, atol=1e-11
    )


def test_the_best_simple_loss_of_gaussian_data():
    for variance, wanted in ((1.0, 0.27551323339680625), (0.25, 0.17305340608368611)):
        signal = HO.alpha_bar * variance
        assert float((signal / (signal + HO.noise_variance)).mean()) == pytest.approx(wanted, rel=1e-12)


# Samples


def test_our_samples_of_a_perfect_model_have_its_law():
    schedule = linear_schedule(100)

    def guess(x_t: Tensor, t: int, _: Tensor) -> Tensor:
        total = schedule.alpha_bar[t] * 0.04 + schedule.noise_variance[t]
        centred = x_t.double() - schedule.alpha_bar[t].sqrt() * 0.1
        return schedule.noise_variance[t].sqrt() / total * centred

    samples = ancestral_samples(
        noise(500, 1, 8, 8), guess, schedule=schedule, variance=schedule.clipped_variance, seed=1
    )
    assert float(samples.mean()) == pytest.approx(0.1, abs=0.01)
    assert 0.17 < float(samples.std()) < 0.21
