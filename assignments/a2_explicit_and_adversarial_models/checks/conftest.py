"""What the checks of this assignment share: noise by name, images, and one training run for each task."""

from types import SimpleNamespace

import pytest
import torch

from grader.data.black_and_white import black_and_white
from grader.data.images import image_split
from grader.data.moons import Moons
from grader.families import autoregressive, flow
from grader.families.adversarial import GAN, WGAN
from grader.families.adversarial import train as train_players


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


@pytest.fixture(scope="session")
def autoregressive_digits(exam, images):
    """Black and white images, (N, 1, H, W): small sets are drawn four times."""
    draws = 4 if len(images.train) < 5000 else 1
    return black_and_white(images, seed=exam.assignment.seed, draws=draws)


@pytest.fixture(scope="session")
def autoregressive_trained(exam, autoregressive_digits):
    """The submission's model, trained once, in a worker that is given the training images alone."""
    return autoregressive.train(
        exam.fresh("autoregressive"),
        config=exam.config("autoregressive"),
        budget=exam.budget("autoregressive"),
        data=autoregressive_digits.train,
        device=exam.device,
        seed=exam.training_seed("autoregressive: training"),
    )


# flow


@pytest.fixture(scope="session")
def flow_points(exam):
    """Points to train on, (N, 2): two half-moons, of which the density is known."""
    return Moons().draw(4000, seed=exam.assignment.seed)


@pytest.fixture(scope="session")
def flow_trained(exam, flow_points):
    """The submission's flow, trained once."""
    return flow.train(
        exam.fresh("flow"),
        config=exam.config("flow"),
        budget=exam.budget("flow"),
        data=flow_points,
        device=exam.device,
        seed=exam.training_seed("flow: training"),
    )


@pytest.fixture(scope="session")
def flow_stirred(exam):
    """Makes an untrained flow of given dimensions with stirred weights: a fresh one often is the identity."""

    def build(data_dim):
        candidate = exam.shared("flow")
        config = SimpleNamespace(**{**vars(exam.config("flow")), "data_dim": data_dim})
        model = flow.FlowModel.build(candidate, config, device=exam.device)
        candidate.prop("stir").stir(model.remote, exam.seed_for("flow: stir") % 2**31)
        return model

    return build


# gan


@pytest.fixture(scope="session")
def gan_trained(exam, images, noise):
    """Both players after training, in a worker that is given the training images alone."""
    config = exam.config("gan")
    return train_players(
        exam.fresh("gan"),
        names=GAN,
        config=config,
        budget=exam.budget("gan"),
        data=images.train,
        z=noise("gan: probe", 256, config.latent_dim),
        device=exam.device,
        seed=exam.training_seed("gan: training"),
    )


# wgan


@pytest.fixture(scope="session")
def wgan_trained(exam, images, noise):
    """Both players after training, in a worker that is given the training images alone."""
    config = exam.config("wgan")
    return train_players(
        exam.fresh("wgan"),
        names=WGAN,
        config=config,
        budget=exam.budget("wgan"),
        data=images.train,
        z=noise("wgan: probe", 256, config.latent_dim),
        device=exam.device,
        seed=exam.training_seed("wgan: training"),
    )
