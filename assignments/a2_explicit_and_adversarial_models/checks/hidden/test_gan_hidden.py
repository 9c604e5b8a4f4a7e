"""Hidden checks of the generative adversarial network: other numbers, and samples under suspicion.

The worker that trains sees the training images. The generator is then built anew in a worker that has the
weights and is given our z, and nothing else; its samples are judged beside images that no worker has seen.
"""

import math

import pytest
import torch

from grader.families.adversarial import GAN, build_generator, same
from grader.families.gan import (
    StepInputs,
    biased_logits,
    fit_discriminator_loss,
    fit_generator_loss,
    reported_discriminator_loss,
    reported_generator_loss,
    step_discriminator,
    step_generator,
)
from grader.families.image_judge import class_shares, linear_images
from grader.families.image_samples import (
    company_gap,
    copies_found,
    quality,
    smallest_share,
    smoothness,
)
from grader.families.toy_players import Toys
from grader.metrics.adversarial_losses import discriminator_loss, non_saturating_generator_loss
from grader.metrics.same_law import OF_CHANCE, portions_gap
from grader.metrics.variety import least_variety

pytestmark = pytest.mark.task("gan")

SAMPLES = 3000
OTHER_LATER = "the sampler answers otherwise when it is asked again"
SHOWN = 64
SHAPE = (3, 3, 3)
LOUD = 100.0


# Losses


@pytest.fixture
def logits(exam):
    return biased_logits(9, seed=exam.seed_for("gan: hidden logits"))


def test_gan_losses_of_other_logits(candidate, logits):
    fit = fit_discriminator_loss(candidate, logits)
    assert not fit.wrong, f"discriminator_loss gives {fit.wrong}, for nine logits around +2"
    fit = fit_generator_loss(candidate, logits)
    assert not fit.wrong, f"generator_loss gives {fit.wrong}, for nine logits around +2"


def test_gan_losses_of_one_image(candidate, exam):
    one = biased_logits(1, seed=exam.seed_for("gan: one logit"))
    fit = fit_discriminator_loss(candidate, one)
    assert not fit.wrong, f"discriminator_loss of one image gives {fit.wrong}"
    fit = fit_generator_loss(candidate, one)
    assert not fit.wrong, f"generator_loss of one image gives {fit.wrong}"


def test_gan_losses_of_a_certain_discriminator_are_finite(candidate, logits):
    fits = fit_discriminator_loss(candidate, logits), fit_generator_loss(candidate, logits)
    for real, fake in ((-LOUD, LOUD), (LOUD, LOUD), (-LOUD, -LOUD), (LOUD, -LOUD)):
        a, b = torch.full((9,), real), torch.full((9,), fake)
        ours = discriminator_loss(a, b, smoothing=fits[0].smoothing), non_saturating_generator_loss(b)
        found = reported_discriminator_loss(candidate, a, b), reported_generator_loss(candidate, b)
        for name, fit, right, value in zip(
            ("discriminator_loss", "generator_loss"), fits, ours, found, strict=True
        ):
            wanted = fit.factor * float(right)
            assert abs(float(value) - wanted) <= 1e-3 * (1 + abs(wanted)), (
                f"{name} gives {float(value):.3g} where {wanted:.3g} is right, for logits of {real:.0f} "
                f"(real) and {fake:.0f} (fake); compute it from logits, not from a sigmoid that is 0 or 1"
            )


# Steps


@pytest.fixture
def toys(candidate, exam):
    return Toys.build(candidate, shape=SHAPE, generator=(0.7, -0.2), scorer=(0.35, 0.15), device=exam.device)


@pytest.fixture
def batch(noise):
    """Different for each name; odd sizes."""

    def draw(name, count=7):
        images, z = noise(f"gan: {name} images", count, *SHAPE), noise(f"gan: {name} z", count, *SHAPE)
        return StepInputs(images=0.4 + 0.5 * images, z=z)

    return draw


@pytest.fixture
def smoothing(candidate, logits):
    return fit_discriminator_loss(candidate, logits).smoothing


def test_gan_steps_leave_the_other_player_alone(candidate, toys, batch, smoothing):
    before = toys.generator.numbers()
    step_discriminator(candidate, toys, batch("alone"), smoothing=smoothing)
    assert same(before, toys.generator.numbers(), tolerance=0.0), (
        "discriminator_step changes the weights of the generator; it steps the given optimiser alone"
    )
    before = toys.scorer.numbers()
    step_generator(candidate, toys, batch("alone"))
    assert same(before, toys.scorer.numbers(), tolerance=0.0), (
        "generator_step changes the weights of the discriminator; it steps the given optimiser alone"
    )


def test_gan_steps_do_not_disturb_each_other(candidate, toys, batch, smoothing):
    """A step must not leave gradients behind that end up in the next one."""
    for turn in ("first", "second", "third"):
        wrong = step_discriminator(candidate, toys, batch(turn), smoothing=smoothing)
        assert not wrong, (
            f"the {turn} of several turns, discriminator: {wrong}; are gradients of an earlier step left?"
        )
        wrong = step_generator(candidate, toys, batch(f"{turn} z"))
        assert not wrong, (
            f"the {turn} of several turns, generator: {wrong}; are gradients of an earlier step left?"
        )


def test_gan_steps_take_one_image(candidate, toys, batch, smoothing):
    wrong = step_discriminator(candidate, toys, batch("one", 1), smoothing=smoothing)
    assert not wrong, f"a step of the discriminator with one image: {wrong}"
    wrong = step_generator(candidate, toys, batch("one", 1))
    assert not wrong, f"a step of the generator with one image: {wrong}"


# Training


def test_gan_discriminator_gives_logits(gan_trained, images, noise):
    """Everything from digits to chaos: a logit leaves [0, 1] somewhere, a probability cannot."""
    blank = torch.zeros_like(images.train[:8])
    chaos = (0.5 + noise("gan: chaos", *images.train[:200].shape)).clamp(0, 1)
    shown = torch.cat([images.train[:200], blank, 1 - blank, chaos])
    scores = gan_trained.players.scorer.scores(shown)
    assert float(scores.min()) < 0 or float(scores.max()) > 1, (
        f"after training the discriminator gives values from {float(scores.min()):.2f} to "
        f"{float(scores.max()):.2f}; it is asked for logits, so leave the sigmoid to the loss"
    )


def test_gan_training_reports_its_losses(exam, gan_trained):
    losses = [loss for loss in gan_trained.losses() if math.isfinite(loss)]
    assert losses, "train_gan returned no loss that is a finite number"
    exam.artifact("curve", "loss of the discriminator", losses)


@pytest.fixture(scope="session")
def gan_generator(exam, gan_trained):
    """The trained weights in a fresh worker, which never sees an image."""
    config, state = exam.config("gan"), gan_trained.generator_state
    return build_generator(exam.fresh("gan"), config, names=GAN, device=exam.device, state=state)


@pytest.fixture(scope="session")
def gan_samples(exam, gan_generator, noise):
    samples = gan_generator.images(noise("gan: samples", SAMPLES, exam.config("gan").latent_dim))
    exam.artifact("images", "samples of the GAN", samples[:SHOWN].mean(1))
    return samples


@pytest.fixture(scope="session")
def all_gan_samples(exam, gan_generator, gan_samples, noise):
    """More of them where noise left points open, one portion after the other; each is looked at alike."""
    names, latent_dim = exam.portions("gan: samples")[1:], exam.config("gan").latent_dim
    return torch.cat(
        [gan_samples, *(gan_generator.images(noise(name, SAMPLES, latent_dim)) for name in names)]
    )


def test_gan_weights_are_the_whole_generator(gan_generator, gan_trained):
    assert same(gan_generator.images(gan_trained.z), gan_trained.images_after, tolerance=1e-3), (
        "the generator with the same state_dict in another process gives other images for the same z"
    )


# Samples


def test_gan_image_depends_on_its_z_alone(exam, gan_generator, noise):
    z = noise("gan: company", 100, exam.config("gan").latent_dim)
    gap = company_gap(gan_generator, z, seed=exam.seed_for("gan: company"))
    assert gap < 1e-4, (
        f"the same z gives another image in other company (a pixel differs by {gap:.1e}); "
        "in evaluation an image may depend on its z alone"
    )


def test_gan_images_change_smoothly(exam, gan_generator, noise):
    z = noise("gan: smooth", 500, exam.config("gan").latent_dim)
    found = smoothness(gan_generator, z, seed=exam.seed_for("gan: directions"))
    assert found.frozen <= 0.05, (
        f"a small step in z leaves {found.frozen:.0%} of the images exactly as they were"
    )
    assert found.jumped <= 0.05, f"a small step in z makes {found.jumped:.0%} of the images jump"


def test_gan_samples_are_varied(all_gan_samples, images):
    found = least_variety(all_gan_samples, portion=SAMPLES, like=images.held_out)
    assert found.distinct > 0.5, f"only {found.distinct:.0%} of the samples differ from each other"
    assert found.spread > 0.2, (
        f"the samples have {found.spread:.0%} of the variance of real images; 20 % are needed"
    )


def test_gan_samples_are_no_copies(all_gan_samples, images):
    for known, found in copies_found(all_gan_samples, images, portion=SAMPLES).items():
        assert not found.found_copies, (
            f"{found.share:.0%} of the samples are (nearly) {known} images; up to {found.limit:.0%} is chance"
        )


def test_gan_samples_show_every_class(image_judge, all_gan_samples, images):
    for portion in all_gan_samples.split(SAMPLES):
        shares = class_shares(image_judge, portion)
        worst, share = smallest_share(shares, like=class_shares(image_judge, images.held_out))
        assert share > 0.2, (
            f"the samples show class {worst} {share:.0%} as often as real images do; each class needs 20 %"
        )


def test_gan_quality_of_samples(exam, measure, image_judge, all_gan_samples, images):
    """Beside a linear generator with as many numbers in z: principal components, and no adversary."""
    assert portions_gap(all_gan_samples.flatten(1), portion=SAMPLES) < OF_CHANCE, OTHER_LATER
    latent_dim, seed = exam.config("gan").latent_dim, exam.seed_for("gan: linear")
    linear = linear_images(images.train, latent_dim=latent_dim, count=SAMPLES, seed=seed)
    for suffix, shown in (("", all_gan_samples), ("_baseline", linear)):
        found = quality(
            image_judge,
            shown,
            held_out=images.held_out,
            seed=exam.seed_for("gan: halves"),
            portion=SAMPLES,
            cache=exam.references,
        )
        measure(
            f"gan_frechet{suffix}",
            found.frechet,
            unit="squared features",
            n=len(shown),
            standard_error=found.frechet_error,
            sampled=True,
            extractor=image_judge.name,
        )
        measure(
            f"gan_coverage{suffix}",
            found.coverage.value,
            unit="share",
            n=found.coverage.n,
            standard_error=found.coverage.standard_error,
            extractor=image_judge.name,
        )
