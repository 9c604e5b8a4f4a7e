"""Public checks of implicit sampling: run them yourself with `grader check`."""

import pytest

from grader.families.ddim import run_sampler
from grader.metrics.diffusion_oracle import CHANCE, GaussianData
from grader.metrics.diffusion_process import linear_schedule

pytestmark = pytest.mark.task("ddim")

DATA = GaussianData(mean=0.1, deviation=0.2)
STEPS = 20


@pytest.fixture
def sample(exam, candidate, noise):
    """Samples from our perfect model of DATA."""
    schedule = linear_schedule(exam.config("ddim").steps)
    alphas_bar = schedule.alpha_bar.float()
    model = candidate.prop("perfect_models").PerfectGaussian(DATA.mean, DATA.deviation, alphas_bar)

    def call(count, *, eta):
        x_T = noise(f"public: x_T {count}", count, 1, 8, 8)
        return run_sampler(candidate, model, x_T, schedule, steps=STEPS, eta=eta, seed=1)

    return call


def test_the_model_is_asked_as_often_as_it_should_be(sample):
    fault = sample(2, eta=0.0).fault_of_steps()
    assert not fault, f"with steps = {STEPS}, {fault}"


def test_without_noise_images_follow_their_map(sample):
    run = sample(50, eta=0.0)
    law, gap = run.off_the_map(DATA)
    assert gap < 1e-3, (
        f"with eta = 0 and a perfect model, x_T = 0 and 1 should end at {law.offset:.4f} and "
        f"{law.offset + law.slope:.4f} by the steps that were taken; samples are off by up to {gap:.4f}"
    )


def test_with_all_the_noise_images_have_the_right_law(sample):
    run = sample(500, eta=1.0)
    law, errors = run.off_the_law(DATA)
    assert errors < CHANCE, (
        f"with eta = 1 and a perfect model, samples have mean {float(run.images.mean()):.3f} and deviation "
        f"{float(run.images.std()):.3f} where equation 12 gives {law.offset:.3f} and "
        f"{(law.variance + law.slope**2) ** 0.5:.3f}, each pixel on its own"
    )
