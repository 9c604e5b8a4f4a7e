"""Losses, penalty and steps of a Wasserstein GAN in a worker in; how they differ from the papers', out.

Contract: `critic_loss(real_scores, fake_scores)`, `wasserstein_generator_loss(fake_scores)`,
`gradient_penalty(critic, real, fake, mix)` and
`critic_step(generator, critic, optimiser, images, z, mix, penalty_weight)`; networks are in `adversarial`.

The penalty is held to critics whose slope is known: a · Σx has the norm |a| √D at every image, whatever lies
between. A fixed positive factor is allowed (the weight inside, say), and so is either end for mix = 1; what
the weight amounts to in the end shows in the direction of `critic_step`.

Letters in shapes: B images, C channels, S pixels along an edge, D = C S S.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.candidate import Candidate, Remote
from grader.families.adversarial import ImageScorer, one_number
from grader.families.toy_players import PROP, Toys, descent, toy_images, toy_scores, toy_slope_norm, wrong_way
from grader.metrics.adversarial_losses import critic_loss, slope_penalty

TOLERANCE = 1e-4
NUDGE = 1e-2
"""Step in a pixel for slopes by differences, beside which float32 rounding of a score is small."""

Images = Float[Tensor, "B C S S"]


@dataclass(frozen=True)
class PenaltyQuestion:
    """One question to `gradient_penalty`, with the numbers of the critic that it is asked about."""

    critic: tuple[float, float]
    """Slope and bend of slope Σx + bend Σx²/2."""
    real: Images
    fake: Images
    mix: Float[Tensor, " B"]

    def between(self, *, swapped: bool = False) -> Images:
        """Where the slope is taken: mix · real + (1 - mix) · fake, or the other way round."""
        share = (1 - self.mix if swapped else self.mix).double().reshape(-1, 1, 1, 1)
        return share * self.real.double() + (1 - share) * self.fake.double()

    def answer(self, *, swapped: bool = False) -> Float[Tensor, ""]:
        """The mean of (norm of the slope - 1)² over the images, without a weight."""
        return our_penalty(torch.tensor(self.critic, dtype=torch.float64), self.between(swapped=swapped))


def our_penalty(critic: Float[Tensor, "2"], between: Images) -> Float[Tensor, ""]:
    """Gulrajani et al. 2017, equation 3, for the toy critic."""
    return slope_penalty(toy_slope_norm(critic, between))


def reported_penalty(candidate: Candidate, question: PenaltyQuestion, *, device: str) -> Tensor:
    """What the submission's `gradient_penalty` gives for a toy critic."""
    critic = candidate.prop(PROP).ToyScorer(*question.critic)
    critic.to(device)
    answer = candidate.call(
        "gradient_penalty",
        critic,
        question.real.float(),
        question.fake.float(),
        question.mix.float(),
        grad=True,
    )
    return one_number(answer, name="gradient_penalty")


def wrong_penalty(candidate: Candidate, questions: Sequence[PenaltyQuestion], *, device: str) -> str:
    """Where penalties are no fixed positive multiple of the right ones, in words; empty where they are."""
    reported = torch.stack([reported_penalty(candidate, each, device=device) for each in questions])
    ours = {
        swapped: torch.stack([each.answer(swapped=swapped) for each in questions])
        for swapped in (False, True)
    }
    if any(_is_multiple(reported, each) for each in ours.values()):
        return ""
    worst = int((reported - ours[False]).abs().argmax())
    critic, pixels = questions[worst].critic, questions[worst].real[0].numel()
    of_what = f"a critic {critic[0]:.3g} · Σx" if critic[1] == 0 else "a critic that is a known parabola"
    return (
        f"{float(reported[worst]):.4f} where {float(ours[False][worst]):.4f} is right "
        f"(or a fixed multiple of it), for {of_what} and images of {pixels} pixels"
    )


def wrong_critic_loss(candidate: Candidate, real: Float[Tensor, "K B"], fake: Float[Tensor, "K B"]) -> str:
    """Where `critic_loss` is no fixed positive multiple of mean(fake) - mean(real), in words."""
    reported = torch.stack(
        [
            one_number(candidate.critic_loss(*pair), name="critic_loss")
            for pair in zip(real, fake, strict=True)
        ]
    )
    return _off(reported, torch.stack([critic_loss(*pair) for pair in zip(real, fake, strict=True)]))


def wrong_generator_loss(candidate: Candidate, fake: Float[Tensor, "K B"]) -> str:
    """Where `wasserstein_generator_loss` is no fixed positive multiple of -mean(fake), in words."""
    name = "wasserstein_generator_loss"
    reported = torch.stack([one_number(candidate.call(name, each), name=name) for each in fake])
    return _off(reported, -fake.double().mean(1))


@dataclass(frozen=True)
class CriticInputs:
    """A batch for one step of the critic; z has a number for each pixel, because the generator is a toy."""

    images: Images
    z: Images
    mix: Float[Tensor, " B"]
    penalty_weight: float


def ask_critic_step(
    candidate: Candidate, generator: Remote, critic: Remote, optimiser: Remote, given: CriticInputs
) -> None:
    """Have the submission make one step of a critic."""
    candidate.call(
        "critic_step",
        generator,
        critic,
        optimiser,
        given.images.float(),
        given.z.float().flatten(1),
        given.mix.float(),
        given.penalty_weight,
        grad=True,
    )


def step_critic(candidate: Candidate, toys: Toys, given: CriticInputs) -> str:
    """Have the submission make one step of the toy critic; what is wrong with it, in words."""
    makes, before = toys.generator.numbers(), toys.scorer.numbers()
    ask_critic_step(candidate, toys.generator.remote, toys.scorer.remote, toys.scorer_optimiser, given)
    fakes = toy_images(makes, given.z)

    def along(share: Tensor) -> Tensor:
        between = (
            share.reshape(-1, 1, 1, 1) * given.images.double() + (1 - share.reshape(-1, 1, 1, 1)) * fakes
        )

        def objective(numbers: Tensor) -> Tensor:
            distance = toy_scores(numbers, given.images).mean() - toy_scores(numbers, fakes).mean()
            return given.penalty_weight * our_penalty(numbers, between) - distance

        return descent(objective, before)

    mix = given.mix.double()
    right = {"mix": along(mix), "the other end": along(1 - mix)}
    return wrong_way(before, toys.scorer.numbers(), right=right)


def slope_norms(critic: ImageScorer, at: Images) -> Float[Tensor, " B"]:
    """Norm of the gradient of a critic with respect to each image, by central differences of its scores.

    Asked for by ourselves, because a gradient that is computed inside the worker could be anything.

    Args:
        critic: in evaluation mode.
        at: where; each image costs 2 D scores.
    """
    pixels = at[0].numel()
    steps = NUDGE * torch.eye(pixels, dtype=torch.float64).reshape(pixels, *at.shape[1:])
    norms = []
    for image in at.double():
        ahead, behind = critic.scores(torch.cat([image + steps, image - steps])).chunk(2)
        norms.append(((ahead - behind) / (2 * NUDGE)).norm())
    return torch.stack(norms)


def penalised_distance(shift: Images, *, penalty_weight: float) -> float:
    """What the best critic finds between any law and the same law moved by `shift`: W + W² / (2 λ).

    W, the Wasserstein distance, is the length of the shift: no plan is cheaper than moving everything by it
    (Jensen), and moving everything by it is one. A critic of slope s along the shift gains s W - λ (s - 1)²,
    which is largest at s = 1 + W / (2 λ), so that it finds a little more than W.
    """
    distance = math.sqrt(float(shift.double().square().sum()))
    return distance + distance**2 / (2 * penalty_weight)


def normalises_batches(critic: ImageScorer) -> bool:
    """Whether a critic has batch normalisation, with which no image has a slope of its own.

    Gulrajani et al. 2017, section 4, advise against it.
    """
    return any("running_mean" in name for name in critic.state())


def _is_multiple(reported: Float[Tensor, " K"], ours: Float[Tensor, " K"]) -> bool:
    factor = float(reported @ ours / (ours @ ours))
    scale = float(reported.abs().max())
    return factor > 0 and float((reported - factor * ours).abs().max()) <= TOLERANCE * (1 + scale)


def _off(reported: Float[Tensor, " K"], ours: Float[Tensor, " K"]) -> str:
    if _is_multiple(reported, ours):
        return ""
    worst = int((reported - ours).abs().argmax())
    return f"{float(reported[worst]):.4f} where {float(ours[worst]):.4f} is right (or a fixed multiple of it)"
