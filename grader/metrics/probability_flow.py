"""A score function in, exact log-densities of a diffusion model's probability flow out; for toy data. Pure.

The variance-preserving diffusion dx = -β(t)/2 x dt + √β(t) dw has the deterministic flow

    dx/dt = v(x, t) = -β(t)/2 (x + s(x, t)),    d log p(x(t))/dt = -div v(x(t), t)

with the same marginals, where s is the score of the marginal at time t. The divergence is taken column by
column with exact derivatives, so the cost grows with the dimension: for a few dimensions, not for images.

Source: Song et al. 2021, arXiv:2011.13456, section 4.3 and appendix D.1; Chen et al. 2018, arXiv:1806.07366.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Score = Callable[[Tensor, float], Tensor]
"""(points [n, d], time) → the gradient of the log-density at that time [n, d]; differentiable by autograd."""
LogDensity = Callable[[Tensor], Tensor]
"""Points [n, d] → log-density [n], in nats."""


@dataclass(frozen=True)
class LinearSchedule:
    """β rises from `start` at t = 0 to `end` at t = 1."""

    start: float = 0.1
    end: float = 20.0

    def beta(self, time: float) -> float:
        """Rate of the noise at a time in [0, 1]."""
        return self.start + time * (self.end - self.start)

    def alpha_bar(self, time: float) -> float:
        """Share of the data's variance that is left, exp(-∫β)."""
        integral = self.start * time + 0.5 * time**2 * (self.end - self.start)
        return float(torch.exp(torch.tensor(-integral, dtype=torch.float64)))


def flow_log_density(
    score: Score,
    points: Float[Tensor, "n d"],
    *,
    terminal: LogDensity,
    schedule: LinearSchedule,
    steps: int = 200,
) -> Float[Tensor, " n"]:
    """Log-density of data under the probability flow, by the classical Runge-Kutta method.

    Args:
        score: of the marginals.
        points: data, one row each.
        terminal: log-density at t = 1: the exact marginal where it is known; N(0, I) leaves a small error.
        schedule: of the noise.
        steps: of equal length; the error falls with their fourth power.

    Returns:
        Nats, float64.

    Raises:
        ValueError: points are not a finite matrix, or steps not positive.
    """
    if points.ndim != 2 or not bool(points.isfinite().all()):
        raise ValueError(f"points: expected a finite matrix, got shape {tuple(points.shape)}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    state = points.double(), points.new_zeros(len(points)).double()
    for step in range(steps):
        state = _runge_kutta(score, schedule, state, time=step / steps, width=1 / steps)
    return terminal(state[0]) + state[1]


State = tuple[Tensor, Tensor]
"""Points [n, d], and the integral of the divergence along their paths so far [n]."""


def _runge_kutta(score: Score, schedule: LinearSchedule, state: State, *, time: float, width: float) -> State:
    def slope(points: Tensor, at: float) -> State:
        return _velocity(score, points, at, schedule.beta(at))

    points, gathered = state
    first = slope(points, time)
    second = slope(points + width / 2 * first[0], time + width / 2)
    third = slope(points + width / 2 * second[0], time + width / 2)
    fourth = slope(points + width * third[0], time + width)
    move, grow = (
        width / 6 * (a + 2 * b + 2 * c + d) for a, b, c, d in zip(first, second, third, fourth, strict=True)
    )
    return points + move, gathered + grow


def _velocity(score: Score, points: Tensor, time: float, beta: float) -> State:
    """The velocity [n, d] and its divergence [n]."""
    with torch.enable_grad():
        x = points.detach().requires_grad_()
        velocity = -0.5 * beta * (x + score(x, time))
        divergence = torch.zeros(len(x), dtype=torch.float64)
        for column in range(x.shape[1]):
            (gradient,) = torch.autograd.grad(velocity[:, column].sum(), x, retain_graph=True)
            divergence = divergence + gradient[:, column]
    return velocity.detach(), divergence.detach()
