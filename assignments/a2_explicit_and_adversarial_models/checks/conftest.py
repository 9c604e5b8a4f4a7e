"""What the checks of this assignment share: noise by name, images, and one training run for each task."""

import pytest
import torch

from grader.data.images import digit_split


@pytest.fixture(scope="session")
def images(exam):
    """Grey images with labels: those to train on, and others that no model sees."""
    return digit_split(seed=exam.assignment.seed)


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
