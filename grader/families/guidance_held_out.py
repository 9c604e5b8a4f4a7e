"""A conditional diffusion model's training in, its weights and its errors on held-out images out.

Held-out images reach a worker with noise, from the noisiest step on, and what comes back is compared by us.
What a model is worth that does not know how pixels go together is computed here, too.

Letters in shapes: B images of C x S x S pixels in [-1, 1], N of them to train on, T steps counted from 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_floats, as_items, as_tensor
from grader.families.guidance import Denoiser, State, columns
from grader.metrics.diffusion_bound import path_backwards
from grader.metrics.diffusion_process import Schedule

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


# What training asked a model of ours


@dataclass(frozen=True)
class TrainingNotes:
    """What `train_guidance` asked the prop `noting_denoiser`, one row for each x_t of the n in all."""

    t: Int[Tensor, " n"]
    y: Int[Tensor, " n"]
    mean: Float[Tensor, " n"]
    variance: Float[Tensor, " n"]
    sizes: list[int]
    """How many rows each question had."""


def training_notes(asked: object, *, batches: object, steps: int) -> TrainingNotes:
    """Check the notes, which lie beside code of the submission.

    Raises:
        WrongAnswer: columns of different lengths, none at all, or a step beyond the schedule.
    """
    name = "predict_noise in train_guidance"
    t, y, mean, variance = as_items(asked, name=name, count=4)
    labels = as_tensor(y, name=name, shape=(None,), dtype="int")
    shape = (len(labels),)
    at = as_tensor(t, name=name, shape=shape, dtype="number")
    if len(labels) == 0:
        raise WrongAnswer("`train_guidance` never asks the model")
    if bool((at != at.round()).any()) or float(at.min()) < 0 or float(at.max()) >= steps:
        low, high = float(at.min()), float(at.max())
        raise WrongAnswer(
            f"`train_guidance` asks at t from {low:g} to {high:g} where whole numbers from 0 to {steps - 1} "
            "are asked for"
        )
    sizes = as_floats(batches, name=name)
    if any(size < 0 or size != int(size) for size in sizes) or sum(sizes) != len(labels):
        raise WrongAnswer(f"`{name}` has labels for {sum(sizes):g} images of {len(labels)}")
    return TrainingNotes(
        t=at.long(),
        y=labels,
        mean=as_tensor(mean, name=name, shape=shape),
        variance=as_tensor(variance, name=name, shape=shape),
        sizes=[int(size) for size in sizes],
    )


# Errors on held-out images

StepNoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`noise(x_t [B, C, S, S], t [B], rows [B])` → the noise in x_t, where `rows` says which images these are."""


def errors_of_noise(
    noise: StepNoise, images: Float[Tensor, "B C S S"], schedule: Schedule, *, seed: int
) -> Float[Tensor, " B"]:
    """Mean squared error of the noise over all steps, one value per image; 1 for a prediction of nothing.

    Each image is shown along one path of the forward process from its noisy end, so that a model that
    remembers what it was asked knows nothing that x_t does not tell; see `metrics.diffusion_bound`.

    Args:
        noise: a model; it is given the images of each step in disorder.
        images: that nobody trained on.
        schedule: of the forward process.
        seed: of the paths and the orders.
    """
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(len(images), dtype=torch.float64)
    for t, x_t in path_backwards(images, schedule, generator):
        order = torch.randperm(len(images), generator=generator)
        found = noise(x_t[order], torch.full((len(images),), t), order)[order.argsort()]
        clean = schedule.alpha_bar[t].sqrt() * images.double()
        wanted = (x_t.double() - clean) / schedule.noise_variance[t].sqrt()
        total += (found.double() - wanted).square().flatten(1).mean(1)
    return total / len(schedule)


def pixelwise_noise(images: Float[Tensor, "N C S S"], schedule: Schedule) -> StepNoise:
    """The trivial model: each pixel is Gaussian, and knows neither the others nor the label.

    Args:
        images: to take the mean and variance of each pixel from.
        schedule: of the forward process.
    """
    mean, variance = images.double().mean(0), images.double().var(0)

    def noise(x_t: Tensor, t: Tensor, _: Tensor) -> Tensor:
        signal, noisy = columns(schedule.alpha_bar[t]), columns(schedule.noise_variance[t])
        expected: Tensor = noisy.sqrt() * (x_t.double() - signal.sqrt() * mean) / (signal * variance + noisy)
        return expected

    return noise


def labelled(model: Denoiser, y: Int[Tensor, " B"]) -> StepNoise:
    """The noise that a model sees in images with these labels."""
    return lambda x_t, t, rows: model.predict_noise(x_t, t, y[rows])
