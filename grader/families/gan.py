"""Losses and steps of a GAN in a worker in; how they differ from those of Goodfellow et al. 2014, out.

Contract: `discriminator_loss(real_logits, fake_logits)`, `generator_loss(fake_logits)`,
`discriminator_step(generator, discriminator, optimiser, images, z)`,
`generator_step(generator, discriminator, optimiser, z)`; the networks are in `adversarial`.

A loss may be multiplied by any positive number (a sum over the batch, half of it) and the real labels may be
smoothed to no less than 0.7; both are found by a fit and allowed. It is asked for at logits around +2: for a
discriminator that knows nothing the right loss and the flipped one have the same value.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from grader.candidate import Candidate
from grader.families.adversarial import one_number
from grader.families.toy_players import Direction, Toys, descent, toy_images, toy_scores, wrong_way
from grader.metrics.adversarial_losses import discriminator_loss, non_saturating_generator_loss

BIAS = 2.0
"""Mean of the logits of the hand-made discriminator."""
SPREAD = 1.5
DRAWS = 8
MOST_SMOOTHING = 0.3
TOLERANCE = 1e-4

Logits = Float[Tensor, " B"]


@dataclass(frozen=True)
class LogitDraws:
    """Logits of a biased discriminator, several batches of them."""

    real: Float[Tensor, "K B"]
    fake: Float[Tensor, "K B"]


@dataclass(frozen=True)
class LossFit:
    """A reported loss as factor x (smoothed cross-entropy); `wrong` says in words where it is none."""

    factor: float
    """1 where the loss is wrong."""
    smoothing: float
    """How far the label of real images lies below 1."""
    wrong: str


def biased_logits(batch: int, *, seed: int) -> LogitDraws:
    """Draw batches of logits around +2, for real images and for fakes alike."""
    generator = torch.Generator().manual_seed(seed)
    real, fake = BIAS + SPREAD * torch.randn(2, DRAWS, batch, generator=generator)
    return LogitDraws(real=real, fake=fake)


def reported_discriminator_loss(candidate: Candidate, real: Logits, fake: Logits) -> Tensor:
    """What the submission's `discriminator_loss` gives."""
    return one_number(candidate.discriminator_loss(real, fake), name="discriminator_loss")


def reported_generator_loss(candidate: Candidate, fake: Logits) -> Tensor:
    """What the submission's `generator_loss` gives."""
    return one_number(candidate.generator_loss(fake), name="generator_loss")


def fit_discriminator_loss(candidate: Candidate, draws: LogitDraws) -> LossFit:
    """Write the reported loss as a positive multiple of the cross-entropy, smoothed or not.

    The three terms softplus(-real), softplus(real) and softplus(fake) are fitted to what is reported at
    several batches of logits; a wrong sign, wrong labels or a sigmoid in excess leave something over.
    """
    pairs = list(zip(draws.real, draws.fake, strict=True))
    reported = torch.stack([reported_discriminator_loss(candidate, real, fake) for real, fake in pairs])
    terms = torch.stack(
        [
            torch.stack([functional.softplus(part.double()).mean() for part in (-real, real, fake)])
            for real, fake in pairs
        ]
    )  # (K, 3)
    is_real, is_smoothed, is_fake = torch.linalg.lstsq(terms, reported).solution.tolist()
    smoothing = is_smoothed / (is_real + is_smoothed) if is_real + is_smoothed else 0.0
    smoothing = 0.0 if abs(smoothing) < 10 * TOLERANCE else smoothing
    is_allowed = is_fake > 0 and 0 <= smoothing <= MOST_SMOOTHING
    smoothing = smoothing if is_allowed else 0.0
    ours = torch.stack([discriminator_loss(real, fake, smoothing=smoothing) for real, fake in pairs])
    wrong = _not_proportional(reported, ours)
    return LossFit(factor=1.0 if wrong else is_fake, smoothing=smoothing, wrong=wrong)


def fit_generator_loss(candidate: Candidate, draws: LogitDraws) -> LossFit:
    """Write the reported loss as a positive multiple of the non-saturating one."""
    reported = torch.stack([reported_generator_loss(candidate, fake) for fake in draws.fake])
    ours = torch.stack([non_saturating_generator_loss(fake) for fake in draws.fake])
    factor = float(reported @ ours / (ours @ ours))
    wrong = _not_proportional(reported, ours)
    return LossFit(factor=1.0 if wrong else factor, smoothing=0.0, wrong=wrong)


@dataclass(frozen=True)
class StepInputs:
    """A batch of images and noise for the toy players, whose z has a number for each pixel."""

    images: Float[Tensor, "B C S S"]
    z: Float[Tensor, "B C S S"]


def step_discriminator(candidate: Candidate, toys: Toys, given: StepInputs, *, smoothing: float) -> str:
    """Have the submission make one step of the toy discriminator; what is wrong with it, in words.

    Args:
        candidate: the worker that holds the toys.
        toys: whose parameters are read before and after.
        given: images and noise.
        smoothing: of the labels, as the submission's own loss has it.
    """
    makes, before = toys.generator.numbers(), toys.scorer.numbers()
    candidate.call(
        "discriminator_step",
        toys.generator.remote,
        toys.scorer.remote,
        toys.scorer_optimiser,
        given.images.float(),
        given.z.float().flatten(1),
        grad=True,
    )
    fakes = toy_images(makes, given.z)

    def objective(numbers: Tensor) -> Tensor:
        real, fake = toy_scores(numbers, given.images), toy_scores(numbers, fakes)
        return discriminator_loss(real, fake, smoothing=smoothing)

    return wrong_way(before, toys.scorer.numbers(), right={"descent": descent(objective, before)})


def step_generator(candidate: Candidate, toys: Toys, given: StepInputs) -> str:
    """Have the submission make one step of the toy generator; what is wrong with it, in words."""
    judges, before = toys.scorer.numbers(), toys.generator.numbers()
    candidate.call(
        "generator_step",
        toys.generator.remote,
        toys.scorer.remote,
        toys.generator_optimiser,
        given.z.float().flatten(1),
        grad=True,
    )
    right: Direction = descent(
        lambda numbers: non_saturating_generator_loss(toy_scores(judges, toy_images(numbers, given.z))),
        before,
    )
    return wrong_way(before, toys.generator.numbers(), right={"descent": right})


def _not_proportional(reported: Float[Tensor, " K"], ours: Float[Tensor, " K"]) -> str:
    """Where reported values are no positive multiple of ours, the worst of them in words.

    Where they are none, the value at the first batch is quoted as it was reported, beside the plain mean.
    """
    factor = float(reported @ ours / (ours @ ours))
    gaps = (reported - factor * ours).abs() / (1 + reported.abs())
    if factor > 0 and float(gaps.max()) <= TOLERANCE:
        return ""
    first = int((reported - ours).abs().argmax())
    return f"{float(reported[first]):.4f} where {float(ours[first]):.4f} is right (or a fixed multiple of it)"
