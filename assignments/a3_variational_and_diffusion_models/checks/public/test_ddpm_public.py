"""Public checks of the denoising diffusion model: run them yourself with `grader check`."""

import pytest
import torch

from grader.families.ddpm import (
    Denoiser,
    proportion_gap,
    reported_loss,
    reported_sample,
    reported_schedule,
    sampled,
)
from grader.families.vae import disagreement
from grader.metrics.diffusion_oracle import CHANCE, GaussianData, ancestral_laws, departure
from grader.metrics.diffusion_process import linear_schedule, q_sample

pytestmark = pytest.mark.task("ddpm")

DATA = GaussianData(mean=0.1, deviation=0.2)


def perfect(candidate, schedule):
    """Our model of DATA, in the submission's worker."""
    alphas_bar = schedule.alpha_bar.float()
    return candidate.prop("perfect_models").PerfectGaussian(DATA.mean, DATA.deviation, alphas_bar)


def test_the_schedule_is_linear_and_ends_in_noise(candidate, ddpm_config):
    found = reported_schedule(candidate, ddpm_config.steps)
    wrong = disagreement(found, linear_schedule(ddpm_config.steps).beta)
    assert not wrong, (
        f"noise_schedule({ddpm_config.steps}) gives {wrong}: from 1e-4 to 0.02, both times 1000 / T"
    )


def test_noise_is_added_at_once(candidate, ddpm_config, ddpm_schedule, noise):
    x0, eps = 0.5 * noise("public: x0", 6, 1, 8, 8), noise("public: eps", 6, 1, 8, 8)
    t = torch.linspace(0, ddpm_config.steps - 1, 6).long()
    wrong = disagreement(
        reported_sample(candidate, x0, t, eps, ddpm_schedule), q_sample(x0, t, eps, ddpm_schedule)
    )
    assert not wrong, f"q_sample gives {wrong}: sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise"


def test_predict_noise_takes_one_image_and_many(exam, candidate, ddpm_config, noise):
    model = Denoiser.build(candidate, ddpm_config, device=exam.device)
    shape = (ddpm_config.channels, ddpm_config.side, ddpm_config.side)
    for count in (1, 5):
        model.predict_noise(noise("public: shapes", count, *shape), torch.arange(count))


def test_the_loss_is_the_squared_error_of_the_noise(candidate, ddpm_config, ddpm_schedule, noise):
    model, found, wanted = perfect(candidate, ddpm_schedule), [], []
    for t in (0, ddpm_config.steps // 10, ddpm_config.steps // 2):
        x0, eps = 0.5 * noise("public: x0", 6, 1, 8, 8), noise("public: eps", 6, 1, 8, 8)
        steps = torch.full((6,), t)
        slope, offset = DATA.guess(float(ddpm_schedule.alpha_bar[t]))
        guess = slope * q_sample(x0, steps, eps, ddpm_schedule) + offset
        found.append(reported_loss(candidate, model, x0, steps, eps, ddpm_schedule))
        wanted.append(float((guess - eps).square().mean()))
    assert proportion_gap(found, wanted) < 1e-3, (
        f"ddpm_loss at three steps is {', '.join(f'{loss:.4f}' for loss in found)} where the mean squared "
        f"error of the predicted noise is {', '.join(f'{loss:.4f}' for loss in wanted)}"
    )


def test_samples_of_a_perfect_model_have_the_right_law(candidate, ddpm_schedule, noise):
    x_T = noise("public: x_T", 500, 1, 8, 8)
    samples = sampled(candidate, perfect(candidate, ddpm_schedule), x_T, ddpm_schedule, seed=1)
    law, errors = departure(samples, x_T, ancestral_laws(DATA, ddpm_schedule))
    assert errors < CHANCE, (
        f"with a perfect model, samples have mean {float(samples.mean()):.3f} and deviation "
        f"{float(samples.std()):.3f} where algorithm 2 gives {law.offset:.3f} and {law.variance**0.5:.3f}, "
        "each pixel on its own"
    )


def test_training_lowers_the_error_of_the_noise(ddpm_trained):
    assert ddpm_trained.after < min(0.5, 0.8 * ddpm_trained.before), (
        f"training takes the squared error of the predicted noise from {ddpm_trained.before:.2f} to "
        f"{ddpm_trained.after:.2f}; it has to fall below 0.5, and a prediction of nothing has 1"
    )
