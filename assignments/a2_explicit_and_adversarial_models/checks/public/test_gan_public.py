"""Public checks of the generative adversarial network: run them yourself with `grader check --task gan`."""

import pytest

from grader.families.adversarial import GAN, build_generator, build_scorer
from grader.families.gan import (
    StepInputs,
    biased_logits,
    fit_discriminator_loss,
    fit_generator_loss,
    step_discriminator,
    step_generator,
)
from grader.families.toy_players import Toys

pytestmark = pytest.mark.task("gan")

SHAPE = (1, 4, 4)


@pytest.fixture
def given(noise):
    """A batch for the toy players; the toy generator makes x = scale z + shift, with a z for each pixel."""
    return StepInputs(images=0.5 + 0.3 * noise("gan: images", 12, *SHAPE), z=noise("gan: z", 12, *SHAPE))


def test_gan_discriminator_loss_is_the_cross_entropy(candidate, exam):
    fit = fit_discriminator_loss(candidate, biased_logits(6, seed=exam.seed_for("gan: logits")))
    assert not fit.wrong, (
        f"discriminator_loss gives {fit.wrong}, for logits around +2; "
        "it is -log D(x) for real images and -log(1 - D(G(z))) for fakes, with D = sigmoid(logit)"
    )


def test_gan_generator_loss_does_not_saturate(candidate, exam):
    fit = fit_generator_loss(candidate, biased_logits(6, seed=exam.seed_for("gan: logits")))
    assert not fit.wrong, (
        f"generator_loss gives {fit.wrong}, for logits around +2; it is -log D(G(z)), with D = sigmoid(logit)"
    )


def test_gan_players_take_one_image_and_many(candidate, exam, images, noise):
    config = exam.config("gan")
    generator = build_generator(candidate, config, names=GAN, device=exam.device)
    discriminator = build_scorer(candidate, config, names=GAN, device=exam.device)
    for count in (1, 5):
        generator.images(noise("gan: shapes", count, config.latent_dim))
        discriminator.scores(images.train[:count])


def test_gan_discriminator_step_goes_down_its_loss(candidate, exam, given):
    fit = fit_discriminator_loss(candidate, biased_logits(6, seed=exam.seed_for("gan: logits")))
    toys = Toys.build(candidate, shape=SHAPE, scorer=(0.05, 0.02), device=exam.device)
    wrong = step_discriminator(candidate, toys, given, smoothing=fit.smoothing)
    assert not wrong, f"a step of the discriminator with plain gradient descent: {wrong}"


def test_gan_generator_step_goes_down_its_loss(candidate, exam, given):
    toys = Toys.build(candidate, shape=SHAPE, device=exam.device)
    wrong = step_generator(candidate, toys, given)
    assert not wrong, f"a step of the generator with plain gradient descent: {wrong}"


def test_gan_training_changes_both_players(gan_trained):
    for name, change in gan_trained.moved().items():
        assert change > 1e-2, (
            f"training leaves the answers of {name} as they were; both players have to learn"
        )
