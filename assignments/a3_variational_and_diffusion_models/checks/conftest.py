"""What the checks of this assignment share: the digits, noise by name, and one training run."""

import pytest
import torch

from grader.data.images import binary_images, image_split
from grader.families.diffusion import linear_schedule
from grader.families.guidance import ClassGaussians, Denoiser
from grader.families.guidance_held_out import Trained as TrainedDenoiser
from grader.families.guidance_held_out import train as train_guidance
from grader.families.vae_held_out import ProbeQuestions, train


@pytest.fixture(scope="session")
def config(exam):
    """Sizes of the model, as the submission gets them."""
    return exam.config("vae")


@pytest.fixture(scope="session")
def digits(exam, images):
    """The same in black and white: each to train on drawn four times, and 500 that no decoder ever sees."""
    return binary_images(images, seed=exam.assignment.seed)


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


@pytest.fixture(scope="session")
def trained(exam, config, digits, noise):
    """The submission's model, trained once, in a worker that is given the training images alone."""
    questions = ProbeQuestions(
        x=digits.train[:256],
        z=noise("probe: z", 256, config.latent_dim),
        noise=noise("probe: noise", 256, config.latent_dim),
    )
    return train(
        exam.fresh("vae"),
        config=config,
        budget=exam.budget("vae"),
        data=digits.train,
        questions=questions,
        device=exam.device,
        seed=exam.seed_for("training"),
    )


# guidance


@pytest.fixture(scope="session")
def guidance_config(exam):
    """Sizes of the conditional denoiser."""
    return exam.config("guidance")


@pytest.fixture(scope="session")
def guidance_schedule(guidance_config):
    """How much noise each step adds."""
    return linear_schedule(guidance_config.steps)


@pytest.fixture(scope="session")
def guidance_world():
    """A made-up world of three classes with known noise; the last row stands for "no label"."""
    return ClassGaussians(
        mean=torch.tensor([-0.4, 0.0, 0.5, 0.1]), deviation=torch.tensor([0.1, 0.05, 0.12, 0.3])
    )


@pytest.fixture(scope="session")
def guidance_trained(exam, guidance_config, guidance_schedule, images):
    """The submission's conditional denoiser, trained once, by a worker that gets training images alone."""
    candidate = exam.fresh("guidance")
    model = Denoiser.build(candidate, guidance_config, device=exam.device)
    history = train_guidance(
        candidate,
        model.remote,
        budget=exam.budget("guidance"),
        images=2 * images.train - 1,
        labels=images.train_label,
        schedule=guidance_schedule,
        device=exam.device,
        seed=exam.seed_for("guidance: training"),
    )
    model.remote.eval()
    return TrainedDenoiser(model, model.state(), history)
