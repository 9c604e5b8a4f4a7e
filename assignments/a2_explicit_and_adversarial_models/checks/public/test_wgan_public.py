"""Public checks of the Wasserstein GAN: run them yourself with `grader check --task wgan`."""

import pytest
import torch

from grader.families.adversarial import WGAN, build_generator, build_scorer
from grader.families.toy_players import Toys
from grader.families.wgan import (
    CriticInputs,
    PenaltyQuestion,
    step_critic,
    wrong_critic_loss,
    wrong_generator_loss,
    wrong_penalty,
)

pytestmark = pytest.mark.task("wgan")

SHAPE = (1, 4, 4)
SLOPES = (0.5, 1.0, -0.25, 0.1, 0.02)


def test_wgan_losses_are_differences_of_means(candidate, noise):
    real, fake = 5 + 3 * noise("wgan: real scores", 6, 8), 2 + 3 * noise("wgan: fake scores", 6, 8)
    wrong = wrong_critic_loss(candidate, real, fake)
    assert not wrong, f"critic_loss gives {wrong}: the mean score of fakes less that of real images"
    wrong = wrong_generator_loss(candidate, fake)
    assert not wrong, f"wasserstein_generator_loss gives {wrong}: minus the mean score of fakes"


def test_wgan_penalty_of_a_linear_critic(candidate, exam, noise):
    """The slope of a · Σx has the norm |a| √16 = 4 |a| at every image."""
    real, fake = noise("wgan: real", 6, *SHAPE), noise("wgan: fake", 6, *SHAPE)
    mix = torch.linspace(0, 1, 6)
    questions = [PenaltyQuestion(critic=(a, 0.0), real=real, fake=fake, mix=mix) for a in SLOPES]
    wrong = wrong_penalty(candidate, questions, device=exam.device)
    assert not wrong, (
        f"gradient_penalty gives {wrong}: (|a| √D - 1)², with the norm over all pixels of an image"
    )


def test_wgan_players_take_one_image_and_many(candidate, exam, images, noise):
    config = exam.config("wgan")
    generator = build_generator(candidate, config, names=WGAN, device=exam.device)
    critic = build_scorer(candidate, config, names=WGAN, device=exam.device)
    for count in (1, 5):
        generator.images(noise("wgan: shapes", count, config.latent_dim))
        critic.scores(images.train[:count])


def test_wgan_critic_step_goes_down_its_loss(candidate, exam, noise):
    toys = Toys.build(candidate, shape=SHAPE, scorer=(0.3, 0.05), device=exam.device)
    given = CriticInputs(
        images=0.5 + 0.3 * noise("wgan: images", 12, *SHAPE),
        z=noise("wgan: z", 12, *SHAPE),
        mix=torch.linspace(0.05, 0.95, 12),
        penalty_weight=2.0,
    )
    wrong = step_critic(candidate, toys, given)
    assert not wrong, (
        f"a step of the critic with plain gradient descent: {wrong}; "
        "the loss is critic_loss plus penalty_weight times the penalty"
    )


def test_wgan_training_changes_both_players(wgan_trained):
    for name, change in wgan_trained.moved().items():
        assert change > 1e-2, (
            f"training leaves the answers of {name} as they were; both players have to learn"
        )
