"""The toy players of the props in, the gradients that their steps have to follow out, by ourselves.

A step of plain gradient descent on a toy with two parameters moves along minus the gradient of the loss. How
far it moves depends on whether a loss is a sum or a mean; the direction does not, so directions are compared.

Letters in shapes: B images, C channels, S pixels along an edge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.candidate import Candidate, Remote
from grader.families.answers import as_float, as_state

PROP = "toy_players"
RATE = 1e-2
"""Of the plain gradient descent that the toys are stepped with."""
SMALLEST_COSINE = 1 - 2e-5
"""Between the direction that was taken and the right one; float32 leaves 1e-6."""

Direction = Float[Tensor, "2"]
Objective = Callable[[Float[Tensor, "2"]], Float[Tensor, ""]]


@dataclass(frozen=True)
class Toy:
    """One toy player in a worker, and how to read its two numbers."""

    remote: Remote
    names: tuple[str, str]

    def numbers(self) -> Float[Tensor, "2"]:
        """Its two parameters now, in float64.

        Raises:
            WrongAnswer: a step left something else in their place.
        """
        state = as_state(self.remote.state_dict(), name="state_dict")
        numbers = [as_float(state.get(name), name=name, finite=False) for name in self.names]
        return torch.tensor(numbers, dtype=torch.float64)


@dataclass(frozen=True)
class Toys:
    """Both toy players in one worker, each with its own plain gradient descent."""

    generator: Toy
    scorer: Toy
    generator_optimiser: Remote
    scorer_optimiser: Remote

    @classmethod
    def build(
        cls,
        candidate: Candidate,
        *,
        shape: tuple[int, int, int],
        generator: tuple[float, float] = (0.4, 0.3),
        scorer: tuple[float, float] = (0.4, 0.1),
        device: str = "cpu",
    ) -> "Toys":
        """Make them in the worker of a submission.

        Args:
            candidate: the worker.
            shape: of an image, (C, S, S).
            generator: scale and shift of x = scale z + shift.
            scorer: slope and bend of slope Σx + bend Σx²/2.
            device: where they live.
        """
        prop = candidate.prop(PROP)
        makes, judges = prop.ToyGenerator(list(shape), *generator), prop.ToyScorer(*scorer)
        for player in (makes, judges):
            player.to(device)
        return cls(
            generator=Toy(makes, ("scale", "shift")),
            scorer=Toy(judges, ("slope", "bend")),
            generator_optimiser=prop.sgd(makes, RATE),
            scorer_optimiser=prop.sgd(judges, RATE),
        )


def toy_images(numbers: Float[Tensor, "2"], z: Float[Tensor, "B C S S"]) -> Float[Tensor, "B C S S"]:
    """What the toy generator makes of z."""
    return numbers[0] * z.double() + numbers[1]


def toy_scores(numbers: Float[Tensor, "2"], x: Float[Tensor, "B C S S"]) -> Float[Tensor, " B"]:
    """What the toy scorer gives."""
    pixels = x.double().flatten(1)
    return numbers[0] * pixels.sum(1) + numbers[1] * pixels.square().sum(1) / 2


def toy_slope_norm(numbers: Float[Tensor, "2"], x: Float[Tensor, "B C S S"]) -> Float[Tensor, " B"]:
    """Norm of the gradient of the toy scorer with respect to each image."""
    norms: Tensor = torch.linalg.vector_norm(numbers[0] + numbers[1] * x.double().flatten(1), dim=1)
    return norms


def descent(objective: Objective, at: Float[Tensor, "2"]) -> Direction:
    """Minus the gradient of an objective of two numbers."""
    point = at.clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(objective(point), point)
    down: Tensor = -gradient
    return down


def wrong_way(
    before: Float[Tensor, "2"], after: Float[Tensor, "2"], *, right: Mapping[str, Direction]
) -> str:
    """In words, how a step differs from all that would be right; empty where it follows one of them.

    Args:
        before: the two numbers of a toy before the step.
        after: and after it.
        right: directions by name, of which one has to be taken.
    """
    moved = after - before
    if float(moved.norm()) == 0:
        return "it does not move at all"
    cosines = [float(moved @ each / (moved.norm() * each.norm())) for each in right.values()]
    if max(cosines) >= SMALLEST_COSINE:
        return ""
    if min(cosines) <= -SMALLEST_COSINE:
        return "it goes exactly the wrong way, up the loss and not down"
    return f"the cosine between its direction and minus the gradient is {max(cosines):.4f}, which should be 1"
