"""A noise predictor in, a true bound on the code length of images out, all steps, one value per image. Pure.

The bound is Ho et al. 2020 (arXiv:2006.11239), eq. 5, computed by us from the predicted noise alone.

Why the bound is a bound, whatever the code behind `predict` does: `path_backwards` draws, for each image, one
path of the forward process and shows it from its noisy end. The process is a Markov chain, so given x_t the
noisier states that were shown before tell nothing more about x_0, and a model that remembers all of them is
one more generative model, with a bound of its own. Had we drawn x_t at every t with fresh noise, each would
be another look at x_0, and a model that averages what it has seen would look far better than it is.

Letters in shapes: B images, T steps; steps are counted from 0, as in `diffusion_process`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.metrics.diffusion_process import (
    Predict,
    Schedule,
    noise_like,
    posterior_mean,
    q_sample,
    reverse_mean,
)

# The terms of the bound, in nats, one value per image


def prior_term(x0: Float[Tensor, "B *shape"], schedule: Schedule) -> Float[Tensor, " B"]:
    """L_T: KL(q(x_T | x_0) ‖ N(0, I)), in which the model has no part; Ho et al. 2020, eq. 5."""
    remains, spread = schedule.alpha_bar[-1], schedule.noise_variance[-1]
    return _per_image((remains * x0.double().square() - remains - spread.log()) / 2)


def step_term(
    x0: Float[Tensor, "B *shape"],
    x_t: Float[Tensor, "B *shape"],
    noise: Float[Tensor, "B *shape"],
    t: int,
    *,
    schedule: Schedule,
    variance: Float[Tensor, " T"],
) -> Float[Tensor, " B"]:
    """KL(q(x_{t-1} | x_t, x_0) ‖ p(x_{t-1} | x_t)) for t > 0: two Gaussians, so in closed form.

    Args:
        x0: images.
        x_t: the same after step t.
        noise: the model's guess of the noise in x_t.
        t: the step, from 1.
        schedule: of the forward process.
        variance: of p at every step; it is a choice of ours, the same for everybody.
    """
    wanted, found = posterior_mean(x0, x_t, t, schedule), reverse_mean(x_t, noise, t, schedule)
    ratio = schedule.posterior_variance[t] / variance[t]
    return _per_image((ratio - 1 - ratio.log() + (wanted - found).square() / variance[t]) / 2)


def gaussian_term(
    x0: Float[Tensor, "B *shape"],
    x_1: Float[Tensor, "B *shape"],
    noise: Float[Tensor, "B *shape"],
    *,
    schedule: Schedule,
    variance: Float[Tensor, " T"],
) -> Float[Tensor, " B"]:
    """-log p(x_0 | x_1), the term of step 0, for data that are real numbers: a Gaussian density."""
    off = x0.double() - reverse_mean(x_1, noise, 0, schedule)
    return _per_image(((2 * math.pi * variance[0]).log() + off.square() / variance[0]) / 2)


def discrete_term(
    x0: Float[Tensor, "B *shape"],
    x_1: Float[Tensor, "B *shape"],
    noise: Float[Tensor, "B *shape"],
    *,
    schedule: Schedule,
    variance: Float[Tensor, " T"],
    levels: int,
) -> Float[Tensor, " B"]:
    """-log P(x_0 | x_1), the term of step 0, for pixels of so many grey levels from -1 to 1.

    The Gaussian's mass around each level, the two outer levels taking the tails: Ho et al. 2020, eq. 13. A
    probability, so no model gains by a density that grows beyond all bounds.
    """
    mean, deviation = reverse_mean(x_1, noise, 0, schedule), variance[0].sqrt()
    half = 1 / (levels - 1)
    low = torch.where(x0 < -1 + half, -torch.inf, (x0.double() - half - mean) / deviation)
    high = torch.where(x0 > 1 - half, torch.inf, (x0.double() + half - mean) / deviation)
    return _per_image(-_log_mass_between(low, high))


# The whole bound


@dataclass(frozen=True)
class Bound:
    """An upper bound on the code length -log p(x_0), by Ho et al. 2020, eq. 5."""

    nats: Float[Tensor, " B"]
    """Of each image, all terms summed."""
    terms: Float[Tensor, " T"]
    """Mean over the images of the term of each step, in nats."""
    prior: float
    """Mean of the term that depends on the schedule alone, in nats."""


def variational_bound(
    x0: Float[Tensor, "B *shape"],
    predict: Predict,
    *,
    schedule: Schedule,
    variance: Float[Tensor, " T"],
    levels: int | None,
    seed: int,
) -> Bound:
    """Bound the code length of images, over all steps, from predictions of the noise alone.

    The model is asked once at each step, the noisiest first, with all images in a new order; each image walks
    down a path of its own (see the top of this file).

    Args:
        x0: images in [-1, 1], which the process behind `predict` has never been given.
        predict: the model.
        schedule: of the forward process.
        variance: of the reverse process at every step.
        levels: grey levels of the pixels, for bits that are real; None for data that are real numbers.
        seed: of the paths and the orders.
    """
    generator = torch.Generator().manual_seed(seed)
    prior = prior_term(x0, schedule)
    nats, terms = prior.clone(), torch.zeros_like(schedule.beta)
    for t, x_t in path_backwards(x0, schedule, generator):
        noise = _asked_in_disorder(predict, x_t, t, generator)
        if t > 0:
            term = step_term(x0, x_t, noise, t, schedule=schedule, variance=variance)
        elif levels is None:
            term = gaussian_term(x0, x_t, noise, schedule=schedule, variance=variance)
        else:
            term = discrete_term(x0, x_t, noise, schedule=schedule, variance=variance, levels=levels)
        nats += term
        terms[t] = term.mean()
    return Bound(nats=nats, terms=terms, prior=float(prior.mean()))


def path_backwards(
    x0: Float[Tensor, "B *shape"], schedule: Schedule, generator: torch.Generator
) -> Iterator[tuple[int, Float[Tensor, "B *shape"]]]:
    """One path of the forward process for each image, from its end: (T - 1, x_T), ..., (0, x_1).

    The end is drawn at once and every earlier state by q(x_{t-1} | x_t, x_0), which together is the law of
    the chain x_0 → x_1 → ... → x_T. States are rounded to float32, as a submission is shown them.
    """
    last = len(schedule) - 1
    x_t = q_sample(x0, torch.full((len(x0),), last), noise_like(x0, generator), schedule).float()
    for t in range(last, 0, -1):
        yield t, x_t
        spread = schedule.posterior_variance[t].sqrt()
        x_t = (posterior_mean(x0, x_t, t, schedule) + spread * noise_like(x0, generator)).float()
    yield 0, x_t


def bits_per_pixel(nats: Float[Tensor, " B"], *, pixels: int) -> Float[Tensor, " B"]:
    """Code lengths of images as bits for each pixel (and channel)."""
    return nats / (pixels * math.log(2))


def _asked_in_disorder(
    predict: Predict, x_t: Float[Tensor, "B *shape"], t: int, generator: torch.Generator
) -> Float[Tensor, "B *shape"]:
    order = torch.randperm(len(x_t), generator=generator)
    return predict(x_t[order], t, order)[order.argsort()]


def _log_mass_between(low: Float[Tensor, "*n"], high: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(Φ(high) - Φ(low)) for low < high; exact far out in either tail, where Φ itself is 0 or 1."""
    flipped = low > 0  # the mass in the upper tail is that of its mirror image
    low, high = torch.where(flipped, -high, low), torch.where(flipped, -low, high)
    upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    mass: Tensor = upper + torch.log(-torch.expm1(lower - upper))
    return mass


def _per_image(values: Float[Tensor, "B *shape"]) -> Float[Tensor, " B"]:
    return values.flatten(1).sum(1)
