"""Implicit samplers in, what they did with a model that we know out.

Contract: `ddim_sample(model, x_T, alphas_bar, steps, eta, generator)`, where `model` is one of ours. It notes
at which steps it was asked. A sampler may space its steps as it likes, and what is right for the steps that
it took is computed here. To claim other steps than were taken helps nobody: the images have to fit the claim.
And the steps have to be such as were asked for: "right" for no step at all is to return the noise.

Letters in shapes: B images, T steps of a schedule counted from 0, N of them visited.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_tensor
from grader.metrics.diffusion_oracle import (
    GaussianData,
    Law,
    MixtureData,
    departure,
    implicit_laws,
    implicit_samples,
)
from grader.metrics.diffusion_process import Schedule


@dataclass(frozen=True)
class ImplicitRun:
    """One call of `ddim_sample`."""

    start: Float[Tensor, "B *shape"]
    """The noise x_T."""
    images: Float[Tensor, "B *shape"]
    """What it was turned into."""
    asked: tuple[int, ...]
    """The steps that the model says it was asked at."""
    schedule: Schedule
    steps: int
    """How often it was to be asked."""
    eta: float

    def fault_of_steps(self) -> str:
        """What is wrong with the steps that were visited, in words; empty where nothing is."""
        total, stride = len(self.schedule), math.ceil(len(self.schedule) / self.steps)
        if len(self.asked) != self.steps:
            return f"the model is asked {len(self.asked)} times where steps = {self.steps}"
        if not all(0 <= step < total for step in self.asked):
            return f"the model is asked at t = {self._shown()} where t goes from 0 to {total - 1}"
        if any(later >= earlier for earlier, later in zip(self.asked, self.asked[1:], strict=False)):
            return f"the model is asked at t = {self._shown()}; from one step to the next t has to fall"
        if self.asked[0] < total - 1 - stride or self.asked[-1] > stride:
            first, last = self.asked[0], self.asked[-1]
            return f"t goes from {first} to {last}; it has to begin near {total - 1} and end near 0"
        return ""

    def fault_of_path(self) -> str:
        """What leaves no law to hold noisy samples to, in words; empty where there is one.

        Milder than `fault_of_steps`: who takes a step too few, or begins late, may still add the right noise.
        """
        total, visited = len(self.schedule), len(set(self.asked))
        if 2 * visited < self.steps:
            return f"the model is asked at {visited} different t only"
        if not all(0 <= step < total for step in self.asked):
            return f"the model is asked at t = {self._shown()} where t goes from 0 to {total - 1}"
        if any(later > earlier for earlier, later in zip(self.asked, self.asked[1:], strict=False)):
            return f"the model is asked at t = {self._shown()}; from one step to the next t has to fall"
        return ""

    def off_the_map(self, data: GaussianData) -> tuple[Law, float]:
        """The right map that is nearest, for a model of this data and eta = 0, and the largest gap to it.

        Raises:
            WrongAnswer: the steps are not what was asked for, so that no map is the right one.
        """
        self._refuse(self.fault_of_steps())
        gaps = [
            (law, float((self.images - law.slope * self.start.double() - law.offset).abs().max()))
            for law in self._laws(data)
        ]
        return min(gaps, key=lambda pair: pair[1])

    def off_the_law(self, data: GaussianData) -> tuple[Law, float]:
        """The right law that is nearest, for a model of this data and eta > 0, and how far, in errors.

        Raises:
            WrongAnswer: the steps are no path from noise to images, so that no law is the right one.
        """
        self._refuse(self.fault_of_path())
        return departure(self.images, self.start, self._laws(data))

    def share_off_the_mixture(self, data: MixtureData, *, tolerance: float = 0.01) -> float:
        """Share of points that are not where a right sampler puts them, for eta = 0.

        Between two centres a hair's breadth decides which way a point goes, so a few may be off.

        Raises:
            WrongAnswer: the steps are not what was asked for, so that no place is the right one.
        """
        self._refuse(self.fault_of_steps())
        start, end = self.start.flatten(1), self.images.flatten(1)
        found = [
            float(
                ((implicit_samples(start, data.guess, grid) - end).abs().amax(1) > tolerance).double().mean()
            )
            for grid in self._grids()
        ]
        return min(found)

    def _shown(self) -> str:
        return ", ".join(str(step) for step in self.asked[:6]) + (", ..." if len(self.asked) > 6 else "")

    def _refuse(self, fault: str) -> None:
        if fault:
            raise WrongAnswer(f"with steps = {self.steps}, {fault}")

    def _laws(self, data: GaussianData) -> list[Law]:
        visited = self._visited()
        return implicit_laws(data, visited, first=float(self.schedule.alpha_bar[0]), eta=self.eta)

    def _grids(self) -> list[list[float]]:
        ends = (1.0, float(self.schedule.alpha_bar[0]))
        return [[*self._visited(), end] for end in ends]

    def _visited(self) -> list[float]:
        return [float(self.schedule.alpha_bar[step]) for step in self.asked]


def run_sampler(
    candidate: Candidate,
    model: Remote,
    x_T: Float[Tensor, "B *shape"],
    schedule: Schedule,
    *,
    steps: int,
    eta: float,
    seed: int,
) -> ImplicitRun:
    """Let the submission sample from a model of ours that keeps notes.

    Raises:
        CandidateError: it raised, or returned something else than finite numbers of the shape of x_T.
    """
    model.asked()  # forgets earlier notes
    answer = candidate.ddim_sample(
        model, x_T.float(), schedule.alpha_bar.float(), steps, eta, Generator(seed)
    )
    x_0 = as_tensor(answer, name="ddim_sample", shape=tuple(x_T.shape))
    asked = as_tensor(model.asked(), name="asked", shape=(None,), dtype="int")
    return ImplicitRun(x_T, x_0, tuple(asked.tolist()), schedule, steps, eta)


def share_of_centres(
    points: Float[Tensor, "B D"], data: MixtureData, *, within: float
) -> tuple[float, Float[Tensor, " K"]]:
    """Share of points that lie near a centre, and the share that each centre has of all points.

    Args:
        points: samples.
        data: the mixture.
        within: how near, in deviations.
    """
    distance, nearest = torch.cdist(points, data.centres).min(1)
    near = float((distance < within * data.deviation).double().mean())
    return near, torch.bincount(nearest, minlength=len(data.centres)).double() / len(points)
