"""Hidden checks of implicit sampling: other steps and schedules, half the noise, a model with many modes."""

import math

import pytest
import torch

from grader.families.ddim import run_sampler, share_of_centres
from grader.metrics.diffusion_oracle import CHANCE, GaussianData, MixtureData
from grader.metrics.diffusion_process import Schedule, linear_schedule

pytestmark = pytest.mark.task("ddim")

DATA = GaussianData(mean=-0.2, deviation=0.15)
STEEP = Schedule(torch.tensor([0.02, 0.1, 0.2, 0.35, 0.5], dtype=torch.float64))
ANGLES = torch.arange(8, dtype=torch.float64) * math.tau / 8
RING = MixtureData(centres=0.7 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1), deviation=0.05)
POINTS = 1500


@pytest.fixture
def long(exam):
    """The schedule of the assignment."""
    return linear_schedule(exam.config("ddim").steps)


@pytest.fixture
def sample(candidate, noise):
    """Samples from our perfect model of DATA."""
    prop = candidate.prop("perfect_models")

    def call(*shape, schedule, steps, eta, seed=1):
        model = prop.PerfectGaussian(DATA.mean, DATA.deviation, schedule.alpha_bar.float())
        x_T = noise(f"hidden: x_T {shape}", *shape)
        return run_sampler(candidate, model, x_T, schedule, steps=steps, eta=eta, seed=seed)

    return call


@pytest.fixture
def ring(candidate, noise, long):
    """Points from our perfect model of RING, without noise."""
    prop, alphas_bar = candidate.prop("perfect_models"), long.alpha_bar.float()

    def call(steps):
        model = prop.PerfectMixture(RING.centres.float(), RING.deviation, alphas_bar)
        x_T = noise("hidden: ring", POINTS, 2, 1, 1)
        return run_sampler(candidate, model, x_T, long, steps=steps, eta=0.0, seed=4)

    return call


# Without noise


def test_the_map_is_right_for_other_numbers_of_steps(sample, long):
    for schedule, steps in ((long, 7), (long, 50), (long, len(long)), (STEEP, 3), (STEEP, 5)):
        run = sample(9, 1, 5, 5, schedule=schedule, steps=steps, eta=0.0)
        fault = run.fault_of_steps()
        assert not fault, f"with {steps} of {len(schedule)} steps, {fault}"
        _, gap = run.off_the_map(DATA)
        assert gap < 1e-3, (
            f"with {steps} of {len(schedule)} steps and eta = 0, samples are off their map by up to {gap:.4f}"
        )


def test_one_image_in_colour_has_the_same_map(sample, long):
    run = sample(1, 3, 7, 7, schedule=long, steps=10, eta=0.0)
    _, gap = run.off_the_map(DATA)
    assert gap < 1e-3, f"one image of 3 x 7 x 7 pixels is off its map by up to {gap:.4f}"


def test_without_noise_the_generator_does_not_matter(sample, long):
    first, other = (sample(3, 1, 4, 4, schedule=long, steps=5, eta=0.0, seed=seed) for seed in (1, 2))
    gap = float((first.images - other.images).abs().max())
    assert gap < 1e-5, f"with eta = 0 another seed changes the samples (by up to {gap:.4f})"


# With noise


def test_half_the_noise_has_its_own_law(sample, long):
    for schedule, steps, eta in ((long, 20, 0.5), (STEEP, 5, 0.5), (STEEP, 4, 0.25), (STEEP, 3, 1.0)):
        run = sample(600, 1, 8, 8, schedule=schedule, steps=steps, eta=eta)
        law, errors = run.off_the_law(DATA)
        assert errors < CHANCE, (
            f"with eta = {eta} and {steps} of {len(schedule)} steps, samples are {errors:.0f} standard "
            f"errors off; right is {law.offset:.3f} + {law.slope:.3f} x_T, deviation {law.variance**0.5:.3f}"
        )


def test_noise_follows_the_generator(sample, long):
    first, again, other = (
        sample(3, 1, 4, 4, schedule=long, steps=5, eta=1.0, seed=seed).images for seed in (1, 1, 2)
    )
    assert torch.equal(first, again), "ddim_sample gives other images for the same seed and eta = 1"
    assert not torch.allclose(first, other), "ddim_sample gives the same images for another seed and eta = 1"


# A model with many modes


def test_points_go_where_the_steps_take_them(ring):
    for steps in (5, 20):
        run = ring(steps)
        fault = run.fault_of_steps()
        assert not fault, f"with steps = {steps}, {fault}"
        share = run.share_off_the_mixture(RING)
        assert share < 0.03, (
            f"with {steps} steps, {share:.0%} of the points of a mixture are not where their steps take them"
        )


def test_few_steps_reach_every_mode(ring):
    points = ring(20).images.flatten(1)
    near, shares = share_of_centres(points, RING, within=5)
    assert near > 0.85, f"with 20 steps only {near:.0%} of the points lie near a centre of the mixture"
    uneven = float((shares - 1 / 8).abs().max())
    assert uneven < 0.045, (
        f"with 20 steps the eight centres get from {float(shares.min()):.0%} to {float(shares.max()):.0%} "
        "of the points; an eighth each is right"
    )


def test_more_steps_end_nearer(ring):
    few, many = (ring(steps).images.flatten(1) for steps in (4, 50))
    apart = [float(torch.cdist(points, RING.centres).amin(1).mean()) for points in (few, many)]
    assert apart[1] < apart[0], (
        f"points end {apart[0]:.3f} from the nearest centre with 4 steps and {apart[1]:.3f} with 50"
    )
