"""A noise schedule and a noise predictor in; the forward process, its inverse and our own samples out. Pure.

The forward process turns an image x_0 into noise in T steps, and a model is a function that guesses the noise
in x_t. Everything that is marked follows from that function alone, by the formulas of Ho et al. 2020
(arXiv:2006.11239) and with noise of ours: no bound, loss or sample that a submission computes is believed.

Steps are counted from 0 here and in the assignment: step t = 0 ... T - 1 carries x at time t to time t + 1,
"x_t" in the code is the image after step t, and the model is asked with that t. (Ho et al. count from 1.)

Letters in shapes: B images, T steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

Predict = Callable[[Tensor, int, Tensor], Tensor]
"""`predict(x_t [B, *shape], t, rows [B])` → the noise in x_t [B, *shape].

`rows` says which image each row belongs to, since they come in disorder: a conditional model looks its labels
up with it. It is never shown to a submission.
"""


@dataclass(frozen=True)
class Schedule:
    """How much noise each step adds; everything in float64, indexed by the step t = 0 ... T - 1."""

    beta: Float[Tensor, " T"]
    """Variance of the noise that step t adds; Ho et al. 2020, eq. 2."""

    def __len__(self) -> int:
        return len(self.beta)

    @cached_property
    def alpha_bar(self) -> Float[Tensor, " T"]:
        """Share of the image's variance that is left after step t: the product of all 1 - beta so far."""
        return torch.log1p(-self.beta).cumsum(0).exp()

    @cached_property
    def noise_variance(self) -> Float[Tensor, " T"]:
        """1 - alpha_bar, without the digits that the subtraction would lose at the first steps."""
        return -torch.expm1(torch.log1p(-self.beta).cumsum(0))

    @cached_property
    def alpha_bar_before(self) -> Float[Tensor, " T"]:
        """alpha_bar one step earlier: 1 at t = 0, where the image itself comes before."""
        return torch.cat([self.beta.new_ones(1), self.alpha_bar[:-1]])

    @cached_property
    def noise_variance_before(self) -> Float[Tensor, " T"]:
        """1 - alpha_bar_before: 0 at t = 0."""
        return torch.cat([self.beta.new_zeros(1), self.noise_variance[:-1]])

    @cached_property
    def posterior_variance(self) -> Float[Tensor, " T"]:
        """Variance of q(x_{t-1} | x_t, x_0), the "beta tilde" of Ho et al. 2020, eq. 7; 0 at t = 0."""
        return self.beta * self.noise_variance_before / self.noise_variance

    @cached_property
    def clipped_variance(self) -> Float[Tensor, " T"]:
        """`posterior_variance` with beta_0 in the place of its 0: the reverse variance that we mark with."""
        return torch.cat([self.beta[:1], self.posterior_variance[1:]])


def linear_schedule(steps: int) -> Schedule:
    """The schedule of Ho et al. 2020, section 4, for any number of steps.

    They have beta from 1e-4 to 0.02 in 1000 steps; fewer steps add more noise each, so that the same remains.

    Raises:
        ValueError: so few steps that the last would have to add more noise than there can be.
    """
    scale = 1000 / steps
    if 0.02 * scale >= 1:
        raise ValueError(f"steps: expected more than 20, got {steps}")
    return Schedule(torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64))


def q_sample(
    x0: Float[Tensor, "B *shape"],
    t: Int[Tensor, " B"],
    noise: Float[Tensor, "B *shape"],
    schedule: Schedule,
) -> Float[Tensor, "B *shape"]:
    """The image after step t, at once: Ho et al. 2020, eq. 4. In float64."""
    clean, noisy = schedule.alpha_bar[t].sqrt(), schedule.noise_variance[t].sqrt()
    return _as_columns(clean, x0) * x0.double() + _as_columns(noisy, x0) * noise.double()


def posterior_mean(
    x0: Float[Tensor, "B *shape"], x_t: Float[Tensor, "B *shape"], t: int, schedule: Schedule
) -> Float[Tensor, "B *shape"]:
    """Mean of q(x_{t-1} | x_t, x_0): what the reverse process would do if it knew the image; eq. 7."""
    of_image = schedule.alpha_bar_before[t].sqrt() * schedule.beta[t] / schedule.noise_variance[t]
    of_state = (1 - schedule.beta[t]).sqrt() * schedule.noise_variance_before[t] / schedule.noise_variance[t]
    return of_image * x0.double() + of_state * x_t.double()


def reverse_mean(
    x_t: Float[Tensor, "B *shape"], noise: Float[Tensor, "B *shape"], t: int, schedule: Schedule
) -> Float[Tensor, "B *shape"]:
    """Mean of p(x_{t-1} | x_t) of a model that guesses this noise; Ho et al. 2020, eq. 11."""
    share = schedule.beta[t] / schedule.noise_variance[t].sqrt()
    return (x_t.double() - share * noise.double()) / (1 - schedule.beta[t]).sqrt()


def guessed_image(
    x_t: Float[Tensor, "B *shape"], noise: Float[Tensor, "B *shape"], t: int, schedule: Schedule
) -> Float[Tensor, "B *shape"]:
    """The x_0 that x_t and its noise stand for: eq. 4 solved for the image."""
    without = x_t.double() - schedule.noise_variance[t].sqrt() * noise.double()
    return without / schedule.alpha_bar[t].sqrt()


def ancestral_samples(
    x_T: Float[Tensor, "B *shape"],
    predict: Predict,
    *,
    schedule: Schedule,
    variance: Float[Tensor, " T"],
    seed: int,
) -> Float[Tensor, "B *shape"]:
    """Images that a model makes from noise when we hold the reins: Ho et al. 2020, algorithm 2.

    The guessed image is kept in [-1, 1], as in the authors' own code; no noise is added at the last step.

    Args:
        x_T: standard normal noise.
        predict: the model.
        schedule: of the forward process.
        variance: of the reverse process at every step.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    rows, x_t = torch.arange(len(x_T)), x_T.float()
    for t in range(len(schedule) - 1, -1, -1):
        guess = guessed_image(x_t, predict(x_t, t, rows), t, schedule).clamp(-1, 1)
        mean = posterior_mean(guess, x_t, t, schedule)
        x_t = (mean + (t > 0) * variance[t].sqrt() * noise_like(x_T, generator)).float()
    return x_t.double()


def noise_like(x0: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of the same shape, in float64."""
    return torch.randn(x0.shape, generator=generator, dtype=torch.float64)


def _as_columns(values: Float[Tensor, " B"], like: Float[Tensor, "B *shape"]) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 1))
