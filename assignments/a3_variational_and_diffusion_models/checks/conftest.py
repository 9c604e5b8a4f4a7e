"""What the checks of this assignment share: the digits, noise by name, and one training run."""

from types import SimpleNamespace

import pytest
import torch

from grader.data.captions import captioner
from grader.data.images import binary_images, image_split
from grader.families.ddpm import NoisyImages
from grader.families.ddpm import train as train_ddpm
from grader.families.guidance import ClassGaussians, Denoiser
from grader.families.guidance_held_out import Trained as TrainedDenoiser
from grader.families.guidance_held_out import train as train_guidance
from grader.families.two_tower import Training, built, embeddings, train_generator, train_towers
from grader.families.vae_held_out import ProbeQuestions, train
from grader.metrics.diffusion_process import linear_schedule


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
        seed=exam.training_seed("training"),
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
        seed=exam.training_seed("guidance: training"),
    )
    model.remote.eval()
    return TrainedDenoiser(model, model.state(), history)


# ddpm


@pytest.fixture(scope="session")
def ddpm_config(exam):
    """Sizes of the denoiser."""
    return exam.config("ddpm")


@pytest.fixture(scope="session")
def ddpm_schedule(ddpm_config):
    """How much noise each step adds."""
    return linear_schedule(ddpm_config.steps)


@pytest.fixture(scope="session")
def ddpm_probe(ddpm_config, images, noise):
    """Training images under noise, at steps from the first to the last: what training has to improve on."""
    x0 = 2 * images.train[:256] - 1
    t = torch.arange(len(x0)) % ddpm_config.steps
    return NoisyImages(x0, t, noise("ddpm: probe", *x0.shape))


@pytest.fixture(scope="session")
def ddpm_trained(exam, ddpm_config, ddpm_schedule, ddpm_probe, images):
    """The submission's denoiser, trained once, in a worker that is given the training images alone."""
    return train_ddpm(
        exam.fresh("ddpm"),
        config=ddpm_config,
        budget=exam.budget("ddpm"),
        data=2 * images.train - 1,
        probe=ddpm_probe,
        schedule=ddpm_schedule,
        device=exam.device,
        seed=exam.training_seed("ddpm: training"),
    )


# two_tower


@pytest.fixture(scope="session")
def two_tower_config(exam):
    """Sizes of the towers and of the generator."""
    return exam.config("two_tower")


@pytest.fixture(scope="session")
def two_tower_captions(images):
    """Captions of the images: who writes them, and those of the images to train on and of the others."""
    writer = captioner(images)
    return SimpleNamespace(
        writer=writer,
        train=writer.captions(images.train, images.train_label),
        held_out=writer.captions(images.held_out, images.held_out_label),
    )


@pytest.fixture(scope="session")
def two_tower_trained(exam, two_tower_config, two_tower_captions, images):
    """The submission's towers, trained once, by a worker that gets training images and captions alone."""
    return train_towers(
        exam.fresh("two_tower"),
        config=two_tower_config,
        training=Training(exam.budget("two_tower"), exam.device, exam.training_seed("two_tower: training")),
        images=images.train,
        captions=two_tower_captions.train,
    )


@pytest.fixture(scope="session")
def two_tower_readings(exam, two_tower_config, two_tower_captions, two_tower_trained):
    """The embedding of every caption, by the trained text tower in a fresh worker that sees no image."""
    candidate = exam.fresh("two_tower")
    tower = built(candidate, "TextTower", two_tower_config, two_tower_trained.text_state, device=exam.device)
    readings = embeddings(tower, two_tower_captions.writer.all(), two_tower_config)
    exam.close_worker(candidate)
    return readings


@pytest.fixture(scope="session")
def two_tower_generator(exam, two_tower_config, two_tower_captions, two_tower_readings, images):
    """The trained generator in a fresh worker, which gets embeddings and chance and no image."""
    numbers = two_tower_captions.writer.numbers(two_tower_captions.train)
    candidate = exam.fresh("two_tower")
    state = train_generator(
        candidate,
        config=two_tower_config,
        training=Training(exam.budget("two_tower"), exam.device, exam.training_seed("two_tower: generator")),
        images=images.train,
        conditions=two_tower_readings[numbers],
    )
    exam.close_worker(candidate)
    return built(exam.fresh("two_tower"), "ConditionedGenerator", two_tower_config, state, device=exam.device)
