"""Questions to a class-conditional diffusion model in; checked answers and samples that we draw from it out.

Contract: `ConditionalDenoiser(config)` with `predict_noise(x_t, t, y)` and `null_label`, and the functions
`drop_labels`, `guided_noise`, `sample_guided` and `train_guidance`. The functions are held to models of ours
whose noise is known in closed form; what is marked as quality follows from `predict_noise` alone, asked in a
worker that was given weights and no images, with guidance and sampler of ours.

Letters in shapes: B images of C x S x S pixels in [-1, 1], T steps counted from 0, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_float, as_state, as_tensor, describe
from grader.metrics.diffusion_process import Schedule, guessed_image

MOST_NOISE = 1e6
"""Predicted noise beyond this is refused; what is right is of size 1."""

LARGEST_LABEL = 1_000_000
"""A null label beyond this in size is refused; it has to go into an array of integers."""

State = Mapping[str, NDArray[Any]]
Noise = Callable[[Tensor, Tensor], Tensor]
"""`noise(x_t [B, C, S, S], t [B])` → the noise in x_t, guided or not, of the same shape."""


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
            WrongAnswer: `ConditionalDenoiser(config)` is no object that could be asked.
        """
        remote = candidate.ConditionalDenoiser(config)
        if not isinstance(remote, Remote):
            what = describe(remote)
            raise WrongAnswer(f"`ConditionalDenoiser(config)` is {what} where a model is asked for")
        if device != "cpu":
            remote.to(device)
        if state is not None:
            remote.load_state_dict(dict(state))
        remote.eval()
        return cls(remote)

    def null_label(self) -> int:
        """The label that means "no label"; any whole number, as the model likes it.

        Raises:
            WrongAnswer: not a whole number, or one beyond all reason.
        """
        value = as_float(self.remote.get("null_label"), name="null_label")
        if value != int(value):
            raise WrongAnswer(f"`null_label` is {value} where a whole number is asked for")
        if abs(value) > LARGEST_LABEL:
            raise WrongAnswer(f"`null_label` is {value:.0f}; at most {LARGEST_LABEL} in size is asked for")
        return int(value)

    def predict_noise(
        self, x_t: Float[Tensor, "B C S S"], t: Int[Tensor, " B"], y: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C S S"]:
        """Ask for the noise in x_t.

        Raises:
            WrongAnswer: not finite numbers of the shape of x_t, or beyond all reason.
        """
        answer = self.remote.predict_noise(x_t.float(), t, y)
        noise = as_tensor(answer, name="predict_noise", shape=tuple(x_t.shape))
        if float(noise.abs().max()) > MOST_NOISE:
            raise WrongAnswer(f"`predict_noise` returned numbers beyond {MOST_NOISE:.0g} in size")
        return noise

    def guided(self, y: Int[Tensor, " B"], w: float) -> Noise:
        """The model's noise for these labels with guidance, combined by us; Ho & Salimans 2022, eq. 6."""
        nobody = torch.full_like(y, self.null_label())

        def noise(x_t: Tensor, t: Tensor) -> Tensor:
            conditional = self.predict_noise(x_t, t, y)
            if w == 0:
                return conditional
            return guided(conditional, self.predict_noise(x_t, t, nobody), w=w)

        return noise

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")


def guided(conditional: Tensor, unconditional: Tensor, *, w: float) -> Tensor:
    """Classifier-free guidance: (1 + w) c - w u; Ho & Salimans 2022, arXiv:2207.12598, eq. 6."""
    return (1 + w) * conditional - w * unconditional


@dataclass(frozen=True)
class ClassGaussians:
    """A world in which each pixel of class k is N(mean[k], deviation[k]^2); the last row means "no label".

    The twin of the prop `class_gaussians`: with x_t = sqrt(a) x_0 + sqrt(1 - a) noise, the expected noise is
    sqrt(1 - a) (x_t - sqrt(a) mean) / (a deviation^2 + 1 - a).
    """

    mean: Float[Tensor, " K1"]
    deviation: Float[Tensor, " K1"]

    def noise(
        self, x_t: Float[Tensor, "B C S S"], t: Int[Tensor, " B"], y: Int[Tensor, " B"], schedule: Schedule
    ) -> Float[Tensor, "B C S S"]:
        """The expected noise, in float64."""
        signal, noisy = columns(schedule.alpha_bar[t]), columns(schedule.noise_variance[t])
        mean, deviation = columns(self.mean[y].double()), columns(self.deviation[y].double())
        variance = signal * deviation.square() + noisy
        return noisy.sqrt() * (x_t.double() - signal.sqrt() * mean) / variance

    def guided(self, y: Int[Tensor, " B"], w: float, schedule: Schedule) -> Noise:
        """The noise with guidance."""
        nobody = torch.full_like(y, len(self.mean) - 1)
        return lambda x_t, t: guided(
            self.noise(x_t, t, y, schedule), self.noise(x_t, t, nobody, schedule), w=w
        )


def deterministic_samples(
    x_T: Float[Tensor, "B C S S"], noise: Noise, schedule: Schedule, *, clamp: str = "none"
) -> Float[Tensor, "B C S S"]:
    """From noise to images in all T steps without new noise; Song et al. 2021, arXiv:2010.02502, eq. 12.

    Args:
        x_T: standard normal noise.
        noise: what a model says.
        schedule: of the forward process.
        clamp: "none", as in the paper; "image" keeps the guessed image in [-1, 1]; "both" also takes the
            noise that belongs to it. All three are in use, the second to no good: where image and noise do
            not belong together, guidance takes the samples out of the classes.
    """
    x_t = x_T.double()
    for t in range(len(schedule) - 1, -1, -1):
        guess = noise(x_t, torch.full((len(x_t),), t))
        image = guessed_image(x_t, guess, t, schedule)
        if clamp != "none":
            image = image.clamp(-1, 1)
        if clamp == "both":
            guess = (x_t - schedule.alpha_bar[t].sqrt() * image) / schedule.noise_variance[t].sqrt()
        before, noisy = schedule.alpha_bar_before[t], schedule.noise_variance_before[t]
        x_t = before.sqrt() * image + noisy.sqrt() * guess
    return x_t


def distance_to_any_sampler(
    found: Float[Tensor, "B C S S"], *, x_T: Float[Tensor, "B C S S"], noise: Noise, schedule: Schedule
) -> float:
    """Largest difference of a pixel from the nearest of the three samplers that we take as right."""
    ours = (deterministic_samples(x_T, noise, schedule, clamp=clamp) for clamp in ("none", "image", "both"))
    return min(float((found - wanted).abs().max()) for wanted in ours)


# What the submission's functions give


def reported_guidance(
    candidate: Candidate,
    model: Remote,
    *,
    x_t: Float[Tensor, "B C S S"],
    t: Int[Tensor, " B"],
    y: Int[Tensor, " B"],
    w: float,
) -> Float[Tensor, "B C S S"]:
    """Its guided noise of a model of ours."""
    answer = candidate.guided_noise(model, x_t, t, y, w)
    return as_tensor(answer, name="guided_noise", shape=tuple(x_t.shape))


def reported_samples(
    candidate: Candidate,
    model: Remote,
    *,
    x_T: Float[Tensor, "B C S S"],
    y: Int[Tensor, " B"],
    w: float,
    schedule: Schedule,
) -> Float[Tensor, "B C S S"]:
    """The images that its sampler makes with a model."""
    answer = candidate.sample_guided(model, x_T, y, w, schedule.alpha_bar.float())
    return as_tensor(answer, name="sample_guided", shape=tuple(x_T.shape))


def reported_drops(
    candidate: Candidate, y: Int[Tensor, " B"], *, rate: float, null_label: int, seed: int
) -> Int[Tensor, " B"]:
    """The labels that its `drop_labels` leaves."""
    answer = candidate.drop_labels(y, rate, null_label, Generator(seed))
    return as_tensor(answer, name="drop_labels", shape=(len(y),), dtype="int")


def columns(values: Float[Tensor, " B"]) -> Float[Tensor, "B 1 1 1"]:
    """One value for each image, to be multiplied with images."""
    return values[:, None, None, None]
