"""A conditional diffusion model's training in, its weights and its errors on held-out images out.

Held-out images reach a worker once each, with noise, and what comes back is compared by us. What a model is
worth without knowing how pixels go together is computed here, too.

Letters in shapes: B images of C x S x S pixels in [-1, 1], N of them to train on, T steps counted from 0.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.families.answers import as_floats
from grader.families.diffusion import Schedule, noise_like, q_sample
from grader.families.guidance import Denoiser, State, columns

TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""


@dataclass(frozen=True)
class Trained:
    """A model after training, still in the worker that trained it, and its weights."""

    model: Denoiser
    state: State
    history: object
    """What the training function returned: shown, never marked."""

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_guidance", finite=False)


def train(
    candidate: Candidate,
    model: Remote,
    *,
    budget: SimpleNamespace,
    images: Float[Tensor, "N C S S"],
    labels: Int[Tensor, " N"],
    schedule: Schedule,
    device: str,
    seed: int,
) -> object:
    """Let the submission train a model, its own or one of ours; give what it returns.

    Raises:
        CandidateError: it raised, or did not end within the budget.
    """
    return candidate.call(
        "train_guidance",
        model,
        images,
        labels,
        alphas_bar=schedule.alpha_bar.float(),
        budget=budget,
        device=device,
        generator=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )


@dataclass(frozen=True)
class NoisyImages:
    """Held-out images, each at one step only, so that no two questions are about the same image.

    A model that remembers what it was asked has nothing to put together.
    """

    x_t: Float[Tensor, "B C S S"]
    t: Int[Tensor, " B"]
    noise: Float[Tensor, "B C S S"]

    def errors(self, found: Float[Tensor, "B C S S"]) -> Float[Tensor, " B"]:
        """Mean squared error of predicted noise, one value per image; 1 for a prediction of nothing."""
        return (found.double() - self.noise).square().flatten(1).mean(1)


def noisy_images(images: Float[Tensor, "B C S S"], schedule: Schedule, *, seed: int) -> NoisyImages:
    """Noise each image to one step; all steps are equally frequent."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.randperm(len(images), generator=generator) % len(schedule)
    noise = noise_like(images, generator)
    return NoisyImages(x_t=q_sample(images, t, noise, schedule).float(), t=t, noise=noise)


def pixelwise_noise(
    noisy: NoisyImages, *, images: Float[Tensor, "N C S S"], schedule: Schedule
) -> Float[Tensor, "B C S S"]:
    """The trivial model: each pixel is Gaussian, and knows neither the others nor the label.

    Args:
        noisy: images with noise.
        images: to take the mean and variance of each pixel from.
        schedule: of the forward process.
    """
    mean, variance = images.double().mean(0), images.double().var(0)
    signal, noisy_share = columns(schedule.alpha_bar[noisy.t]), columns(schedule.noise_variance[noisy.t])
    centred = noisy.x_t.double() - signal.sqrt() * mean
    return noisy_share.sqrt() * centred / (signal * variance + noisy_share)
