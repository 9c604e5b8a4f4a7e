"""Hidden checks of the denoising diffusion model: other numbers, a true bound, and samples that we draw.

Which worker may see what is written down at the top of grader/families/ddpm.py, and why the bound is one at
the top of grader/metrics/diffusion_bound.py.
"""

import math

import pytest
import torch

from grader.families.answers import as_tensor
from grader.families.ddpm import (
    Denoiser,
    PixelwiseModel,
    Witness,
    grey_levels,
    proportion_gap,
    reported_loss,
    reported_sample,
    reported_schedule,
    sampled,
)
from grader.families.image_judge import fit_judge
from grader.families.image_samples import copies_found, quality
from grader.families.twins import moved_a_little
from grader.families.vae import disagreement
from grader.metrics.diffusion_bound import bits_per_pixel, variational_bound
from grader.metrics.diffusion_oracle import CHANCE, GaussianData, ancestral_laws, departure
from grader.metrics.diffusion_process import Schedule, ancestral_samples, linear_schedule, q_sample
from grader.metrics.intervals import paired_difference
from grader.metrics.same_law import OF_CHANCE, portions_gap
from grader.metrics.variety import least_variety

pytestmark = pytest.mark.task("ddpm")

DATA = GaussianData(mean=-0.2, deviation=0.15)
SAMPLES = 1000
OTHER_LATER = "the sampler answers otherwise when it is asked again"
SHOWN = 64
STEEP = Schedule(torch.tensor([0.02, 0.1, 0.2, 0.35, 0.5], dtype=torch.float64))
"""Few steps, so that each of them shows in the samples."""


def perfect(candidate, schedule):
    """Our model of DATA, in the submission's worker."""
    alphas_bar = schedule.alpha_bar.float()
    return candidate.prop("perfect_models").PerfectGaussian(DATA.mean, DATA.deviation, alphas_bar)


# Forward process and loss


def test_the_schedule_for_other_numbers_of_steps(candidate):
    for steps in (1000, 40):
        wrong = disagreement(1000 * reported_schedule(candidate, steps), 1000 * linear_schedule(steps).beta)
        assert not wrong, f"1000 x noise_schedule({steps}) gives {wrong}"


def test_noise_is_added_for_each_image_at_its_own_step(candidate, noise):
    for count, channels, side in ((1, 1, 8), (5, 3, 7)):
        x0, eps = (noise(f"hidden: {name}", count, channels, side, side) for name in ("x0", "eps"))
        t = torch.arange(count).flip(0)
        found = reported_sample(candidate, x0, t, eps, STEEP)
        wrong = disagreement(found, q_sample(x0, t, eps, STEEP))
        assert not wrong, f"q_sample of {count} images with {channels} x {side} x {side} pixels gives {wrong}"


def test_the_loss_weighs_all_steps_alike(candidate, noise):
    """Batches of one size in which the steps are mixed: the ratio to the squared error stays the same."""
    model, found, wanted = perfect(candidate, STEEP), [], []
    for batch in range(4):
        x0, eps = noise(f"hidden: loss {batch}", 2, 5, 1, 8, 8)
        t, x0 = (torch.arange(5) * (batch + 1) + batch) % 5, x0 * batch
        line = torch.tensor([DATA.guess(float(STEEP.alpha_bar[step])) for step in t])
        slope, offset = line.T.double().reshape(2, -1, 1, 1, 1)
        guess = slope * q_sample(x0, t, eps, STEEP) + offset
        found.append(reported_loss(candidate, model, x0, t, eps, STEEP))
        wanted.append(float((guess - eps).square().mean()))
    gap = proportion_gap(found, wanted)
    assert gap < 1e-3, (
        f"ddpm_loss is no fixed multiple of the squared error of the noise: batches differ by {gap:.1%}"
    )


# Sampling


def test_samples_of_few_steep_steps_have_the_right_law(candidate, noise):
    x_T = noise("hidden: x_T", 1500, 1, 8, 8)
    samples = sampled(candidate, perfect(candidate, STEEP), x_T, STEEP, seed=2)
    law, errors = departure(samples, x_T, ancestral_laws(DATA, STEEP))
    assert errors < CHANCE, (
        f"with a perfect model and few steps, samples are {errors:.0f} standard errors from any right law; "
        f"the nearest has mean {law.offset:.3f} + {law.slope:.3f} x_T and deviation {law.variance**0.5:.3f}"
    )


def test_the_model_is_asked_at_every_step_from_the_last_to_the_first(candidate, noise):
    model = perfect(candidate, STEEP)
    sampled(candidate, model, noise("hidden: one", 1, 1, 8, 8), STEEP, seed=3)
    asked = as_tensor(model.asked(), name="asked", shape=(None,), dtype="int").tolist()
    assert asked == [4, 3, 2, 1, 0], f"with 5 steps ddpm_sample asks the model at t = {asked[:10]}"


def test_samples_follow_the_generator(candidate, noise):
    model, x_T = perfect(candidate, STEEP), noise("hidden: generator", 3, 1, 5, 5)
    first, again, other = (sampled(candidate, model, x_T, STEEP, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again), (
        "ddpm_sample gives other images for the same seed; draw with the given generator"
    )
    assert not torch.allclose(first, other), "ddpm_sample gives the same images for another seed"


# Training


def test_training_reports_its_losses(exam, ddpm_trained):
    losses = [loss for loss in ddpm_trained.losses() if math.isfinite(loss)]
    assert losses, "train_ddpm returned no loss that is a finite number"
    exam.artifact("curve", "training loss of the denoiser", losses)


@pytest.fixture(scope="session")
def ddpm_forecaster(exam, ddpm_config, ddpm_trained):
    """The trained weights in a fresh worker, which is shown held-out images under noise and nothing else."""
    return Denoiser.build(exam.fresh("ddpm"), ddpm_config, ddpm_trained.state, device=exam.device)


@pytest.fixture
def ddpm_sampler(exam, candidate, ddpm_config, ddpm_trained):
    """The trained weights in the shared worker, which never sees an image."""
    return Denoiser.build(candidate, ddpm_config, ddpm_trained.state, device=exam.device)


def test_the_weights_are_the_whole_denoiser(ddpm_sampler, ddpm_trained, ddpm_probe, ddpm_schedule):
    again = ddpm_probe.error(ddpm_sampler, ddpm_schedule)
    assert abs(again - ddpm_trained.after) < 1e-3, (
        f"with the same state_dict in another process the error of the noise is {again:.3f} "
        f"where training left {ddpm_trained.after:.3f}"
    )


# A true bound on held-out images


@pytest.fixture(scope="session")
def ddpm_witness(exam, ddpm_config, ddpm_forecaster, images):
    chosen = torch.Generator().manual_seed(exam.seed_for("ddpm: witness"))
    return Witness(
        ddpm_forecaster, torch.randint(ddpm_config.steps, (len(images.held_out),), generator=chosen)
    )


@pytest.fixture(scope="session")
def ddpm_bound(exam, ddpm_schedule, ddpm_witness, images):
    return bound_of(images.held_out, ddpm_witness.at_step, exam, ddpm_schedule)


def bound_of(images, predict, exam, schedule):
    return variational_bound(
        2 * images - 1,
        predict,
        schedule=schedule,
        variance=schedule.beta,
        levels=grey_levels(images),
        seed=exam.seed_for("ddpm: paths"),
    )


@pytest.mark.usefixtures("ddpm_bound")
def test_noise_depends_on_the_image_and_the_step_alone(ddpm_witness, ddpm_trained):
    gap = ddpm_witness.asked_again(ddpm_trained.model)
    assert gap < 1e-3, (
        f"the same x_t at the same t, in other company and in another process, gives other noise "
        f"(by {gap:.1e}); predict_noise must depend on x_t and t alone"
    )


@pytest.fixture(scope="session")
def ddpm_trivial(ddpm_schedule, images):
    return PixelwiseModel.fit(2 * images.train - 1, ddpm_schedule)


def test_bound_on_held_out_images(exam, measure, ddpm_bound, ddpm_trivial, ddpm_schedule, images):
    """The error is that of the gain over the trivial model on the same paths: how hard they are cancels."""
    bounds = (ddpm_bound, bound_of(images.held_out, ddpm_trivial.at_step, exam, ddpm_schedule))
    ours, trivial = (bits_per_pixel(bound.nats, pixels=images.held_out[0].numel()) for bound in bounds)
    error = paired_difference(ours, theirs=trivial).standard_error
    measure("ddpm_bits", float(ours.mean()), unit="bits per pixel", n=len(ours), standard_error=error)
    measure("ddpm_bits_baseline", float(trivial.mean()), unit="bits per pixel", n=len(trivial))
    exam.artifact("curve", "nats of each step of the bound", ddpm_bound.terms)


def test_bound_on_images_that_nobody_has_seen(
    exam, ddpm_bound, ddpm_forecaster, ddpm_trivial, ddpm_schedule, images
):
    """The held-out images, moved by a fraction of a pixel: what it costs more, beside the trivial model."""
    levels, seed = grey_levels(images.held_out), exam.seed_for("ddpm: twins")
    twins = moved_a_little(images.held_out, levels=levels, seed=seed)
    more = [
        bound_of(twins, model.at_step, exam, ddpm_schedule).nats - before.nats
        for model, before in (
            (ddpm_forecaster, ddpm_bound),
            (ddpm_trivial, bound_of(images.held_out, ddpm_trivial.at_step, exam, ddpm_schedule)),
        )
    ]
    gap = float(bits_per_pixel(more[0] - more[1], pixels=twins[0].numel()).mean())
    assert gap < 0.15, (
        f"moved by a fraction of a pixel, the same images need {gap:.2f} bits more per pixel; the model "
        "seems to know the images that are held out by heart"
    )


# Samples


@pytest.fixture(scope="session")
def ddpm_judge(exam, images):
    """A small classifier of ours, fitted to the training images: samples are judged in its hidden layer."""
    return fit_judge(images, seed=exam.training_seed("ddpm: judge"))


@pytest.fixture(scope="session")
def drawn(exam, ddpm_schedule, images, noise):
    """Draws samples from the predicted noise of a model alone; in [0, 1]."""

    def draw(model, start="ddpm: x_T", steps="ddpm: samples"):
        x_T = noise(start, SAMPLES, *images.train.shape[1:])
        options = {"schedule": ddpm_schedule, "variance": ddpm_schedule.beta}
        samples = ancestral_samples(x_T, model.at_step, seed=exam.seed_for(steps), **options)
        return ((samples + 1) / 2).clamp(0, 1)

    return draw


@pytest.fixture(scope="session")
def ddpm_painter(exam, ddpm_config, ddpm_trained):
    """The trained model, in the worker that never sees an image."""
    return Denoiser.build(exam.shared("ddpm"), ddpm_config, ddpm_trained.state, device=exam.device)


@pytest.fixture(scope="session")
def ddpm_samples(ddpm_painter, drawn):
    return drawn(ddpm_painter)


@pytest.fixture(scope="session")
def all_ddpm_samples(exam, ddpm_painter, ddpm_samples, drawn):
    """More of them where noise left points open, one portion after the other; each is looked at alike."""
    more = zip(exam.portions("ddpm: x_T")[1:], exam.portions("ddpm: samples")[1:], strict=True)
    return torch.cat([ddpm_samples, *(drawn(ddpm_painter, start, steps) for start, steps in more)])


def test_samples_are_varied(all_ddpm_samples, images):
    found = least_variety(all_ddpm_samples, portion=SAMPLES, like=images.held_out)
    assert found.distinct > 0.5, f"only {found.distinct:.0%} of the samples differ from each other"
    assert found.spread > 0.5, (
        f"the samples have {found.spread:.0%} of the variance of real images; 50 % are needed"
    )


def test_samples_are_no_copies(all_ddpm_samples, images):
    for name, found in copies_found(all_ddpm_samples, images, portion=SAMPLES).items():
        assert not found.found_copies, (
            f"{found.share:.0%} of the samples are (nearly) {name} images; up to {found.limit:.0%} is chance"
        )


def test_distance_of_samples_to_held_out_images(
    exam, measure, ddpm_judge, ddpm_samples, all_ddpm_samples, ddpm_trivial, drawn, images
):
    assert portions_gap(all_ddpm_samples.flatten(1), portion=SAMPLES) < OF_CHANCE, OTHER_LATER
    for name, samples in (("ddpm_frechet", all_ddpm_samples), ("ddpm_frechet_baseline", drawn(ddpm_trivial))):
        found = quality(
            ddpm_judge,
            samples,
            held_out=images.held_out,
            seed=exam.seed_for("ddpm: halves"),
            portion=SAMPLES,
            cache=exam.references,
        )
        measure(
            name,
            found.frechet,
            unit="squared features",
            n=len(samples),
            standard_error=found.frechet_error,
            sampled=True,
            extractor=ddpm_judge.name,
        )
    exam.artifact("images", "samples of the denoiser", ddpm_samples[:SHOWN].mean(1))
