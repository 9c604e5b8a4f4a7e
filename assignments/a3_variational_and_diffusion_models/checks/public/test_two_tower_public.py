"""Public checks of the two towers and their generator: run them with `grader check --task two_tower`."""

import pytest
import torch
from torch.nn.functional import normalize

from grader.families.two_tower import (
    LossCase,
    built,
    embeddings,
    generated,
    loss_mistake,
    scale_of_loss,
)

pytestmark = pytest.mark.task("two_tower")


@pytest.fixture
def made_up_pairs(noise):
    """Eight pairs of unit vectors in five dimensions, each a little apart."""
    images = noise("two_tower public: images", 8, 5)
    texts = images + 0.7 * noise("two_tower public: texts", 8, 5)
    return normalize(images, dim=1), normalize(texts, dim=1)


def test_towers_take_one_and_many(candidate, exam, two_tower_config, two_tower_captions, images):
    image_tower = built(candidate, "ImageTower", two_tower_config, device=exam.device)
    text_tower = built(candidate, "TextTower", two_tower_config, device=exam.device)
    for count in (1, 5):
        embeddings(image_tower, images.train[:count], two_tower_config)
        embeddings(text_tower, two_tower_captions.train[:count], two_tower_config)


def test_loss_of_pairs_that_are_alike(candidate, made_up_pairs):
    case = LossCase("8 random pairs at temperature 0.5", *made_up_pairs, 0.5)
    scale = scale_of_loss(candidate, case)
    sharper = LossCase("the same pairs at temperature 0.1", *made_up_pairs, 0.1)
    wrong = loss_mistake(candidate, sharper, scale=scale)
    assert not wrong, (
        f"contrastive_loss gives {wrong}: cross-entropy over rows and columns of a·b/temperature"
    )


def test_loss_of_orthonormal_pairs(candidate, made_up_pairs):
    scale = scale_of_loss(candidate, LossCase("8 random pairs", *made_up_pairs, 0.5))
    case = LossCase("8 orthonormal pairs at temperature 0.25", torch.eye(8), torch.eye(8), 0.25)
    wrong = loss_mistake(candidate, case, scale=scale)
    assert not wrong, f"contrastive_loss gives {wrong}: log(1 + 7 exp(-1/temperature))"


def test_training_brings_pairs_together(two_tower_trained):
    gain = two_tower_trained.matched - two_tower_trained.shuffled
    assert gain > 0.3, (
        f"after training images are nearer to their own captions than to others by {gain:.2f}; 0.3 is needed"
    )


def test_generator_takes_one_and_many(candidate, exam, two_tower_config, noise):
    model = built(candidate, "ConditionedGenerator", two_tower_config, device=exam.device)
    for count in (1, 5):
        conditions = normalize(
            noise("two_tower public: conditions", count, two_tower_config.embedding_dim), dim=1
        )
        z = noise("two_tower public: z", count, two_tower_config.latent_dim)
        generated(model, conditions, z, two_tower_config)
