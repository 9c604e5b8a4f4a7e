"""A language model before and after training in, evidence that it is one and that it has learnt out.

Counts kept in a table can predict text quite well without attention, parameters or a gradient. Three things
tell a model that has learnt from one: what it says depends on every earlier token; following the gradient of
its parameters lowers a loss that we measure; and it learns a source that no table of short contexts can hold.

Letters: B sequences, T positions, V symbols.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from grader.errors import WrongAnswer
from grader.families.answers import as_state, describe
from grader.families.lm import Deviation, Forward, Prefix, audit, corrected, deviation
from grader.metrics.intervals import Estimate, mean_with_error
from grader.metrics.perplexity import token_nll

SHAKE = 0.1
"""Standard deviation of the noise on all parameters, so that nothing stays at an initial zero."""
FALL = 0.01
"""Nats that a step along the gradient is to win, to first order."""

State = Mapping[str, np.ndarray[Any, Any]]


class Source(Protocol):
    """A source whose next symbol is decided, but for chance, by the last `order` symbols."""

    @property
    def order(self) -> int:
        """How many past symbols decide the next."""
        ...

    def next_log_probabilities(self, tokens: Int[Tensor, "W T"]) -> Float[Tensor, "W steps V"]:
        """The true log-distribution of `tokens[:, order:]`."""
        ...


# Does the past matter?


def least_influence(forward: Forward, tokens: Int[Tensor, "B T"], *, symbols: int) -> Deviation:
    """Replace one token at a time; the logits at the last place must move.

    Returns:
        The change that is smallest; it is asked *not* to hold. `place` is the token that was replaced.
    """
    before = forward(tokens)[:, -1]
    found = []
    for place in range(tokens.shape[1] - 1):
        edited = tokens.clone()
        edited[:, place] = (edited[:, place] + 1 + place % (symbols - 1)) % symbols
        found.append(deviation(before, forward(edited)[:, -1], place=place))
    return min(found, key=lambda one: one.worst - one.allowed)


def shaken(state: State, names: Collection[str], *, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Weights with noise of ours on the named ones: some initialisations begin at zero, and hide a leak."""
    generator = np.random.default_rng(seed)
    noisy = {
        name: (value + SHAKE * generator.standard_normal(value.shape)).astype(value.dtype)
        for name, value in sorted(state.items())
        if name in names
    }
    return dict(state) | noisy


# Do parameters and gradients matter?


def names_of(answer: object) -> frozenset[str]:
    """Check the names of the parameters.

    Raises:
        WrongAnswer: there are none.
    """
    names = answer if isinstance(answer, list | tuple) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise WrongAnswer(f"the model's parameters are {describe(answer)}; it has none that can be trained")
    return frozenset(names)


def only_trained(before: State, after: State, names: Collection[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The named weights as training left them, everything else as the constructor made it."""
    return {name: value if name in names else before.get(name, value) for name, value in after.items()}


@dataclass(frozen=True)
class Descent:
    """A step against the gradient: what it should win to first order, and what it won by our measure."""

    promised: float
    """Nats."""
    won: float
    """Nats."""

    @property
    def holds(self) -> bool:
        """True when the loss falls as the gradient says, give or take the curvature."""
        return 0.5 * self.promised <= self.won <= 2 * self.promised


def descend(loss: Callable[[State], float], state: State, gradients: object) -> Descent:
    """Measure the loss at the weights and a small step against their gradient.

    Args:
        loss: nats per token of a model with the given weights, by our measure.
        state: all weights.
        gradients: as the worker gave them, for some or all of the weights.

    Raises:
        WrongAnswer: no gradients, of the wrong shape, or all zero.
    """
    slopes = _checked(gradients, state)
    once = {slope.tobytes(): slope for slope in slopes.values()}  # tied weights have one gradient, two names
    square = sum(float(np.square(slope).sum()) for slope in once.values())
    if not np.isfinite(square) or square == 0:
        raise WrongAnswer("no gradient of the loss reaches the parameters of the model")
    step = FALL / square
    moved = {name: (state[name] - step * slope).astype(state[name].dtype) for name, slope in slopes.items()}
    return Descent(promised=FALL, won=loss(state) - loss(dict(state) | moved))


def _checked(gradients: object, state: State) -> dict[str, np.ndarray[Any, Any]]:
    if isinstance(gradients, Mapping) and not gradients:
        raise WrongAnswer("no gradient of the loss reaches the parameters of the model")
    slopes = as_state(gradients, name="gradients")
    for name, slope in slopes.items():
        if name not in state or slope.shape != state[name].shape:
            raise WrongAnswer(f"there is a gradient for `{name}`, which `state_dict` does not hold")
    return {name: slope.astype(np.float64) for name, slope in slopes.items()}


# Is a source of known entropy learnt, and not beaten?


def excess_over(
    source: Source,
    walks: Int[Tensor, "W width"],
    full: Float[Tensor, "W T V"],
    plan: Sequence[Prefix],
    prefixes: Sequence[Float[Tensor, "rows V"]],
) -> Estimate:
    """Nats per symbol above the source's own code length, corrected by what bare prefixes show.

    The first `order` symbols of a walk are left out. The expectation is a Kullback-Leibler divergence: not
    below 0 for any predictor that does not peek.

    Args:
        source: what the walks were drawn from.
        walks: T + 1 symbols each.
        full: logits of the full pass over `walks[:, :-1]`.
        plan: which prefixes were asked.
        prefixes: logits of their last positions.
    """
    order = source.order
    nll = token_nll(full, walks[:, 1:])  # (W, T)
    best = token_nll(source.next_log_probabilities(walks), walks[:, order:])  # (W, T + 1 - order)
    claimed = mean_with_error((nll[:, order - 1 :] - best).mean(1))
    late, alone = zip(
        *(pair for pair in zip(plan, prefixes, strict=True) if pair[0].length >= order), strict=True
    )
    return corrected(claimed, audit(full, walks, late, alone), n=nll.numel())
