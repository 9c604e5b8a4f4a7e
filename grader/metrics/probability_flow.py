"""A score function in, exact log-densities of a diffusion model's probability flow out; for toy data. Pure.

The variance-preserving diffusion dx = -β(t)/2 x dt + √β(t) dw has the deterministic flow

    dx/dt = v(x, t) = -β(t)/2 (x + s(x, t)),    d log p(x(t))/dt = -div v(x(t), t)

with the same marginals, where s is the score of the marginal at time t. The divergence is taken column by
column with exact derivatives, so the cost grows with the dimension: for a few dimensions, not for images.

Source: Song et al. 2021, arXiv:2011.13456, section 4.3 and appendix D.1; Chen et al. 2018, arXiv:1806.07366.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

Score = Callable[[Tensor, float], Tensor]
"""(points [n, d], time) → the gradient of the log-density at that time [n, d]; differentiable by autograd."""
LogDensity = Callable[[Tensor], Tensor]
"""Points [n, d] → log-density [n], in nats."""
Method = Literal["euler", "heun", "runge-kutta"]
"""Their errors fall with the first, the second and the fourth power of the number of steps."""


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
    method: Method = "runge-kutta",
) -> Float[Tensor, " n"]:
    """Log-density of data under the probability flow.

    Args:
        score: of the marginals.
        points: data, one row each.
        terminal: log-density at t = 1: the exact marginal where it is known; N(0, I) leaves a small error.
        schedule: of the noise.
        steps: of equal length.
        method: of integration; a step of it asks for the score once, twice or four times.

    Returns:
        Nats, float64.

    Raises:
        ValueError: points are not a finite matrix, steps not positive, or another method.
    """
    if points.ndim != 2 or not bool(points.isfinite().all()):
        raise ValueError(f"points: expected a finite matrix, got shape {tuple(points.shape)}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    if method not in _STEPS:
        raise ValueError(f"method: expected one of {', '.join(_STEPS)}, got {method!r}")

    def slope(at: Tensor, time: float) -> State:
        return _velocity(score, at, time, schedule.beta(time))

    state = points.double(), points.new_zeros(len(points)).double()
    for step in range(steps):
        state = _STEPS[method](slope, state, time=step / steps, width=1 / steps)
    return terminal(state[0]) + state[1]


State = tuple[Tensor, Tensor]
"""Points [n, d], and the integral of the divergence along their paths so far [n]."""
Slope = Callable[[Tensor, float], State]
"""(points, time) → how fast both grow."""


def _euler(slope: Slope, state: State, *, time: float, width: float) -> State:
    return _moved(state, slope(state[0], time), by=width)


def _heun(slope: Slope, state: State, *, time: float, width: float) -> State:
    """The trapezoidal rule, with Euler's guess of where the step ends."""
    points = state[0]
    first = slope(points, time)
    second = slope(points + width * first[0], time + width)
    return _moved(_moved(state, first, by=width / 2), second, by=width / 2)


def _runge_kutta(slope: Slope, state: State, *, time: float, width: float) -> State:
    """The classical method of four slopes."""
    points = state[0]
    first = slope(points, time)
    second = slope(points + width / 2 * first[0], time + width / 2)
    third = slope(points + width / 2 * second[0], time + width / 2)
    fourth = slope(points + width * third[0], time + width)
    move, grow = (a + 2 * b + 2 * c + d for a, b, c, d in zip(first, second, third, fourth, strict=True))
    return _moved(state, (move, grow), by=width / 6)


def _moved(state: State, slope: State, *, by: float) -> State:
    return state[0] + by * slope[0], state[1] + by * slope[1]


class _Step(Protocol):
    def __call__(self, slope: Slope, state: State, *, time: float, width: float) -> State: ...


_STEPS: Mapping[Method, _Step] = {"euler": _euler, "heun": _heun, "runge-kutta": _runge_kutta}


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
