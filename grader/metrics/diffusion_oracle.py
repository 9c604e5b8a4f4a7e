"""Data whose best noise prediction is known in; the exact law of what right samplers make of them out. Pure.

A sampler is tested by handing it a perfect model. For pixels that are all N(mean, deviation²), the best
guess of the noise in x_t is a straight line in x_t. So every reverse step is one too, and what a right
sampler makes of x_T is a Gaussian whose slope, offset and variance follow from scalar recursions. Small slips
(a variance in the place of a deviation, an off-by-one step, a root too many) move it by far more than chance.

Samplers may choose, and every choice has a law of its own: the variance of a reverse step, noise at the last
one or none, where an implicit sampler ends. Guesses of the image stay well inside [-1, 1] for the data that
we use, so that keeping them there changes nothing.

Letters in shapes: B images, K components of a mixture, N steps of a grid.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from grader.metrics.diffusion_process import Schedule

CHANCE = 6.0
"""Standard errors; two right answers differ by more about once in a hundred million."""

Line = tuple[float, float]
"""Slope and offset."""


@dataclass(frozen=True)
class GaussianData:
    """Pixels that are all N(mean, deviation²), each on its own."""

    mean: float
    deviation: float

    def guess(self, alpha_bar: float) -> Line:
        """The best guess of the noise in x_t, E[noise | x_t], as a line in x_t."""
        slope = math.sqrt(1 - alpha_bar) / (alpha_bar * self.deviation**2 + 1 - alpha_bar)
        return slope, -slope * math.sqrt(alpha_bar) * self.mean


@dataclass(frozen=True)
class MixtureData:
    """Points near one of K centres, equally often: N(centre, deviation²) in each coordinate."""

    centres: Float[Tensor, "K D"]
    deviation: float

    def guess(self, x_t: Float[Tensor, "B D"], alpha_bar: float) -> Float[Tensor, "B D"]:
        """The best guess of the noise in x_t: each component's own guess, weighed by how likely it is."""
        spread = alpha_bar * self.deviation**2 + 1 - alpha_bar
        apart = x_t.double()[:, None] - math.sqrt(alpha_bar) * self.centres  # (B, K, D)
        weights = (-apart.square().sum(-1) / (2 * spread)).softmax(-1)  # (B, K)
        return math.sqrt(1 - alpha_bar) / spread * (weights[..., None] * apart).sum(1)

    def log_density(self, x_t: Float[Tensor, "B D"], alpha_bar: float = 1.0) -> Float[Tensor, " B"]:
        """Log-density of x_t, in nats; of the data themselves where alpha_bar is 1."""
        spread = alpha_bar * self.deviation**2 + 1 - alpha_bar
        apart = x_t.double()[:, None] - math.sqrt(alpha_bar) * self.centres  # (B, K, D)
        components = -0.5 * (apart.square() / spread + math.log(2 * math.pi * spread)).sum(-1)  # (B, K)
        return torch.logsumexp(components, 1) - math.log(len(self.centres))


@dataclass(frozen=True)
class Law:
    """x_0 given x_T is N(slope x_T + offset, variance), each pixel on its own."""

    name: str
    """The choices of a sampler that lead to it."""
    slope: float = 1.0
    offset: float = 0.0
    variance: float = 0.0

    def then(self, line: Line, variance: float) -> "Law":
        """The law after one more step: a line, and noise of this variance."""
        slope, offset = line
        return replace(
            self,
            slope=slope * self.slope,
            offset=slope * self.offset + offset,
            variance=slope**2 * self.variance + variance,
        )


# Ancestral sampling


def ancestral_laws(data: GaussianData, schedule: Schedule) -> list[Law]:
    """The laws of right ancestral samplers: Ho et al. 2020 (arXiv:2006.11239), algorithm 2.

    The paper allows beta and the posterior's variance. Adding noise at the last step is against the
    algorithm and harmless to images, and so is allowed; the posterior's variance, which is 0 there, is then
    clipped from below as in the authors' code.
    """
    posterior = schedule.posterior_variance
    at_last = torch.cat([posterior[1:2] if len(posterior) > 1 else schedule.beta, posterior[1:]])
    none_at_last = torch.cat([posterior[:1], schedule.beta[1:]])
    choices = {
        "variance beta": none_at_last,
        "variance beta, at the last step too": schedule.beta,
        "variance of the posterior": posterior,
        "variance of the posterior, clipped at the last step": at_last,
    }
    return [_ancestral(Law(name), data, schedule, variance) for name, variance in choices.items()]


def _ancestral(law: Law, data: GaussianData, schedule: Schedule, variance: Tensor) -> Law:
    for t in range(len(schedule) - 1, -1, -1):
        slope, offset = data.guess(float(schedule.alpha_bar[t]))
        share = float(schedule.beta[t] / schedule.noise_variance[t].sqrt())
        shrink = math.sqrt(1 - float(schedule.beta[t]))
        law = law.then(((1 - share * slope) / shrink, -share * offset / shrink), float(variance[t]))
    return law


# Implicit sampling


def implicit_laws(data: GaussianData, alpha_bars: Sequence[float], *, first: float, eta: float) -> list[Law]:
    """The laws of right implicit samplers on their own grid: Song et al. 2021 (arXiv:2010.02502), eq. 12.

    Args:
        data: what the model is perfect for.
        alpha_bars: of the steps that the model was asked at, the noisiest first.
        first: alpha_bar of step 0, where some implementations end instead of at the image itself.
        eta: 0 for no noise, 1 for that of ancestral sampling.
    """
    ends = {"ends at the image": 1.0, "ends after step 0": first}
    return [_implicit(Law(name), data, [*alpha_bars, end], eta=eta) for name, end in ends.items()]


def _implicit(law: Law, data: GaussianData, alpha_bars: Sequence[float], *, eta: float) -> Law:
    for now, after in pairwise(alpha_bars):
        slope, offset = data.guess(now)
        image, noise, deviation = implicit_step(now, after, eta=eta)
        law = law.then((image + noise * slope, noise * offset), deviation**2)
    return law


def implicit_step(now: float, after: float, *, eta: float) -> tuple[float, float, float]:
    """How x_t, its noise and fresh noise are weighed to go from alpha_bar `now` to `after`; eq. 12 and 16.

    The guessed image is (x_t - √(1 - now) noise) / √now, and what comes next
    √after · image + √(1 - after - deviation²) · noise + deviation · fresh noise.
    """
    deviation = eta * math.sqrt((1 - after) / (1 - now)) * math.sqrt(max(0.0, 1 - now / after))
    of_state = math.sqrt(after / now)
    of_noise = math.sqrt(max(0.0, 1 - after - deviation**2)) - of_state * math.sqrt(1 - now)
    return of_state, of_noise, deviation


def implicit_samples(
    x_T: Float[Tensor, "B D"], guess: Callable[[Tensor, float], Tensor], alpha_bars: Sequence[float]
) -> Float[Tensor, "B D"]:
    """What a right implicit sampler without noise makes of x_T, whatever the model.

    Args:
        x_T: where it starts.
        guess: `guess(x_t, alpha_bar)` is the noise in x_t.
        alpha_bars: of the steps, the noisiest first, and where to end: 1 for the image itself.
    """
    x = x_T.double()
    for now, after in pairwise(alpha_bars):
        of_state, of_noise, _ = implicit_step(now, after, eta=0.0)
        x = of_state * x + of_noise * guess(x, now)
    return x


# Comparison


def departure(
    x_0: Float[Tensor, "B *shape"], x_T: Float[Tensor, "B *shape"], laws: Iterable[Law]
) -> tuple[Law, float]:
    """The law that samples are nearest to, and how many standard errors they are from it.

    Compared are mean and variance over everything, the slope against x_T, and the means of every pixel over
    the images and of every image over its pixels, which are off where noise is used twice.

    Args:
        x_0: what the sampler returned.
        x_T: what it started from.
        laws: those that right samplers may have.
    """
    found = [(law, _standard_errors(x_0.flatten(1), x_T.flatten(1).double(), law)) for law in laws]
    return min(found, key=lambda pair: pair[1])


def _standard_errors(x_0: Float[Tensor, "B D"], x_T: Float[Tensor, "B D"], law: Law) -> float:
    rest = (x_0 - law.slope * x_T - law.offset) / math.sqrt(law.variance)  # standard normal if right
    n = rest.numel()
    errors = torch.stack(
        [
            rest.sum() / math.sqrt(n),
            (rest.square().mean() - 1) * math.sqrt(n / 2),
            (rest * x_T).sum() / x_T.square().sum().sqrt(),
            (rest.sum(0) / math.sqrt(len(rest))).abs().max(),
            (rest.sum(1) / math.sqrt(rest.shape[1])).abs().max(),
        ]
    )
    return float(errors.abs().max())
