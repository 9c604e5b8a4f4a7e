"""What the hidden checks of this assignment share."""

import pytest

from grader.families.image_judge import fit_judge


@pytest.fixture(scope="session")
def image_judge(exam, images):
    """A small classifier of ours, fitted to the training images: samples are judged in its hidden layer."""
    return fit_judge(images, seed=exam.training_seed("image judge"))
