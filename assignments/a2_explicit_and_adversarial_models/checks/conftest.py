"""What the checks of this assignment share: noise by name, images, and one training run for each task."""

import pytest
import torch

from grader.data.images import image_split


@pytest.fixture(scope="session")
def images(exam):
    """Grey images with labels: those to train on, and others that no model sees."""
    return image_split(
        exam.assignment.images,
        seed=exam.assignment.seed,
        data_folder=exam.data_folder,
        train=exam.assignment.train_images,
        held_out=exam.assignment.held_out_images,
    )


@pytest.fixture(scope="session")
def noise(exam):
    """Standard normal noise: the same for everybody, and other noise under another name."""

    def draw(name, *shape):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(exam.seed_for(name)))

    return draw


# autoregressive

# flow

# gan

# wgan
