"""Questions to a denoising diffusion model in, checked answers and what can be told from them out.

Contract: `Denoiser(config)` with `predict_noise(x_t, t)`; functions `noise_schedule`, `q_sample`,
`ddpm_loss`, `ddpm_sample` and `train_ddpm`. Three workers take part, and what each sees makes figures true:

* the trainer sees the training images, and at the end it is asked once more what the bound rests on;
* the forecaster is fresh: it has the trained weights, and is shown held-out images under noise, one step at a
  time from the noisiest (see `metrics.diffusion_bound`). What it answers becomes the bound and nothing else;
* the worker that the other checks share has the same weights and no image; samples are drawn from it, by us.

Letters in shapes: B images of C x S x S pixels in [-1, 1], N of them to train on, T steps counted from 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_float, as_floats, as_state, as_tensor, describe
from grader.metrics.diffusion_process import Schedule, q_sample

MOST_NOISE = 1e6
"""Predicted noise beyond this is refused; what is right is of size 1."""
TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""

State = Mapping[str, NDArray[Any]]


class Denoiser:
    """A model that lives in a worker. Every answer is checked before it is handed on."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    @classmethod
    def build(
        cls, candidate: Candidate, config: SimpleNamespace, state: State | None = None, *, device: str
    ) -> "Denoiser":
        """Construct the submission's model, with given weights if any, in evaluation mode.

        Raises:
            WrongAnswer: `Denoiser(config)` is no object that could be asked.
        """
        remote = candidate.Denoiser(config)
        if not isinstance(remote, Remote):
            raise WrongAnswer(f"`Denoiser(config)` is {describe(remote)} where a model is asked for")
        if device != "cpu":
            remote.to(device)
        if state is not None:
            remote.load_state_dict(dict(state))
        remote.eval()
        return cls(remote)

    def predict_noise(self, x_t: Float[Tensor, "B C S S"], t: Int[Tensor, " B"]) -> Float[Tensor, "B C S S"]:
        """Ask for the noise in x_t, which is handed over in float32.

        Raises:
            WrongAnswer: not finite numbers of the shape of x_t, or beyond all reason.
        """
        answer = self.remote.predict_noise(x_t.float(), t)
        noise = as_tensor(answer, name="predict_noise", shape=tuple(x_t.shape))
        if float(noise.abs().max()) > MOST_NOISE:
            raise WrongAnswer(f"`predict_noise` returned numbers beyond {MOST_NOISE:.0g} in size")
        return noise

    def at_step(self, x_t: Float[Tensor, "B C S S"], t: int, _: Tensor) -> Float[Tensor, "B C S S"]:
        """`predict_noise` as the bound and our sampler ask it: all images at one step, in whatever order."""
        return self.predict_noise(x_t, torch.full((len(x_t),), t))

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")


# Functions of the submission


def reported_schedule(candidate: Candidate, steps: int) -> Float[Tensor, " T"]:
    """What `noise_schedule` gives."""
    return as_tensor(candidate.noise_schedule(steps), name="noise_schedule", shape=(steps,))


def reported_sample(
    candidate: Candidate,
    x0: Float[Tensor, "B C S S"],
    t: Int[Tensor, " B"],
    noise: Float[Tensor, "B C S S"],
    schedule: Schedule,
) -> Float[Tensor, "B C S S"]:
    """What `q_sample` gives."""
    answer = candidate.q_sample(x0.float(), t, noise.float(), schedule.alpha_bar.float())
    return as_tensor(answer, name="q_sample", shape=tuple(x0.shape))


def reported_loss(
    candidate: Candidate,
    model: Remote,
    x0: Float[Tensor, "B C S S"],
    t: Int[Tensor, " B"],
    noise: Float[Tensor, "B C S S"],
    schedule: Schedule,
) -> float:
    """What `ddpm_loss` gives; the mean where it is one value per image."""
    answer = candidate.ddpm_loss(model, x0.float(), t, noise.float(), schedule.alpha_bar.float())
    if getattr(answer, "ndim", 0) == 0:
        return as_float(answer, name="ddpm_loss")
    values = as_tensor(getattr(answer, "flatten", lambda: answer)(), name="ddpm_loss", shape=(len(x0),))
    return float(values.mean())


def sampled(
    candidate: Candidate, model: Remote, x_T: Float[Tensor, "B C S S"], schedule: Schedule, *, seed: int
) -> Float[Tensor, "B C S S"]:
    """What `ddpm_sample` makes of noise."""
    answer = candidate.ddpm_sample(model, x_T.float(), schedule.beta.float(), Generator(seed))
    return as_tensor(answer, name="ddpm_sample", shape=tuple(x_T.shape))


# Training


@dataclass(frozen=True)
class NoisyImages:
    """Images under known noise, each at one step."""

    x0: Float[Tensor, "B C S S"]
    t: Int[Tensor, " B"]
    noise: Float[Tensor, "B C S S"]

    def error(self, model: Denoiser, schedule: Schedule) -> float:
        """Mean squared error of the noise that a model predicts; 1 for a prediction of nothing."""
        x_t = q_sample(self.x0, self.t, self.noise, schedule)
        return float((model.predict_noise(x_t, self.t) - self.noise).square().mean())


@dataclass(frozen=True)
class Trained:
    """A model after training, still in the worker that trained it, and its weights."""

    model: Denoiser
    state: State
    history: object
    """What the training function returned: shown, never marked."""
    before: float
    """Error of the noise on training images."""
    after: float

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_ddpm", finite=False)


def train(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    budget: SimpleNamespace,
    data: Float[Tensor, "N C S S"],
    probe: NoisyImages,
    schedule: Schedule,
    device: str,
    seed: int,
) -> Trained:
    """Build a model, let the submission train it, and take the weights.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    model = Denoiser.build(candidate, config, device=device)
    before = probe.error(model, schedule)
    history = candidate.call(
        "train_ddpm",
        model.remote,
        data,
        alphas_bar=schedule.alpha_bar.float(),
        budget=budget,
        device=device,
        generator=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )
    model.remote.eval()
    return Trained(model, model.state(), history, before=before, after=probe.error(model, schedule))


# What the bound rests on


@dataclass
class Witness:
    """Stands between the bound and a model, and writes down one answer for every image.

    The bound takes the model for a function of x_t and t. Whether it is one is found out by asking again: in
    another worker, in other company, all steps at once.
    """

    model: Denoiser
    chosen: Int[Tensor, " B"]
    """At which step the answer of each image is written down."""
    x_t: dict[int, Tensor] = field(default_factory=dict)
    noise: dict[int, Tensor] = field(default_factory=dict)

    def at_step(self, x_t: Float[Tensor, "B C S S"], t: int, rows: Tensor) -> Float[Tensor, "B C S S"]:
        """Ask the model, and write down what was chosen."""
        noise = self.model.at_step(x_t, t, rows)
        for place in (self.chosen[rows] == t).nonzero().flatten().tolist():
            image = int(rows[place])
            self.x_t[image], self.noise[image] = x_t[place], noise[place]
        return noise

    def asked_again(self, model: Denoiser) -> float:
        """The same questions to the same model elsewhere.

        Returns:
            Largest difference of predicted noise, as a share of the largest; about 1e-6 for a function.
        """
        images = sorted(self.x_t)
        first = torch.stack([self.noise[image] for image in images])
        again = model.predict_noise(torch.stack([self.x_t[image] for image in images]), self.chosen[images])
        return float((again - first).abs().max() / (1 + first.abs().max()))


@dataclass(frozen=True)
class PixelwiseModel:
    """The trivial model: each pixel is Gaussian, and knows nothing of the others."""

    mean: Float[Tensor, "C S S"]
    variance: Float[Tensor, "C S S"]
    schedule: Schedule

    @classmethod
    def fit(cls, images: Float[Tensor, "N C S S"], schedule: Schedule) -> "PixelwiseModel":
        """Take mean and variance of each pixel from training images in [-1, 1]."""
        return cls(images.double().mean(0), images.double().var(0), schedule)

    def at_step(self, x_t: Float[Tensor, "B C S S"], t: int, _: Tensor) -> Float[Tensor, "B C S S"]:
        """The noise that is to be expected in x_t, exactly."""
        signal, noisy = self.schedule.alpha_bar[t], self.schedule.noise_variance[t]
        return noisy.sqrt() * (x_t - signal.sqrt() * self.mean) / (signal * self.variance + noisy)


def proportion_gap(found: list[float], wanted: list[float]) -> float:
    """How far numbers are from being a positive multiple of others: 0 if they are, infinite if not positive.

    A loss may be a sum or a mean or half of it, as long as it is the same for all batches.

    Args:
        found: from the submission.
        wanted: ours, all positive.

    Returns:
        The largest ratio over the smallest, less 1.
    """
    ratios = [ours / theirs for ours, theirs in zip(found, wanted, strict=True)]
    return max(ratios) / min(ratios) - 1 if min(ratios) > 0 else float("inf")


def grey_levels(images: Float[Tensor, "N C S S"]) -> int:
    """How many equally spaced intensities from 0 to 1 pixels can have: 17 for the digits, 256 for bytes."""
    found = np.unique(images.double().numpy())
    return round(1 / float(np.diff(found).min())) + 1
