"""A language model whose every probability we know in, what scores and losses of it must be out.

The submission asks the same model in its worker; we compute everything from the weights, in float64.

Letters: B pairs, S symbols of a source, T of a target, V in all, n choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.families.answers import as_floats, as_tensor

DECAY = 0.7
"""How fast the votes of old symbols fade; slowly enough that a forgotten prompt shows."""
TOLERANCE = 1e-4
"""Relative: what float32 and another order of the same sums may cost."""


@dataclass(frozen=True, eq=False)
class KnownModel:
    """The weights of the prop `KnownLM`."""

    follows: Float[Tensor, "V V"]
    places: Float[Tensor, "context V"]

    @classmethod
    def draw(cls, *, symbols: int, context: int, seed: int, scale: float = 1.0) -> Self:
        """Draw the weights; `scale` is their standard deviation."""
        generator = torch.Generator().manual_seed(seed)
        return cls(
            scale * torch.randn(symbols, symbols, generator=generator),
            scale * torch.randn(context, symbols, generator=generator),
        )

    def in_worker(self, candidate: Any) -> Any:
        """The same model as an object in a worker."""
        return candidate.prop("known_lm").KnownLM(self.follows, self.places, DECAY)

    def log_prob(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"], lengths: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """Find log p(target | source) over the first `lengths` symbols of each target, in nats; float64."""
        tokens = torch.cat([source, target], dim=1)
        ahead = self._logits(tokens)[:, source.shape[1] - 1 : -1].log_softmax(-1)  # (B, T, V)
        each = ahead.gather(-1, target.unsqueeze(-1)).squeeze(-1)  # (B, T)
        return (each * (torch.arange(target.shape[1]) < lengths.unsqueeze(1))).sum(1)

    def scores(
        self, prompt: Int[Tensor, " S"], choices: Sequence[Int[Tensor, " T"]]
    ) -> Float[Tensor, " choices"]:
        """Find log p(choice | prompt) of each choice."""
        return torch.cat(
            [
                self.log_prob(prompt.unsqueeze(0), choice.unsqueeze(0), torch.tensor([len(choice)]))
                for choice in choices
            ]
        )

    def loss_and_gradients(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"], lengths: Int[Tensor, " B"]
    ) -> tuple[float, dict[str, Tensor]]:
        """Nats per counted symbol of the targets, and its gradient for each weight."""
        follows, places = (value.double().clone().requires_grad_() for value in (self.follows, self.places))
        exact = type(self)(follows, places)
        loss = -exact.log_prob(source, target, lengths).sum() / lengths.sum()
        gradients = torch.autograd.grad(loss, (follows, places))
        return loss.item(), dict(zip(("follows", "places"), gradients, strict=True))

    def _logits(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """The weights that old votes still have, times the votes, plus the taste of each place."""
        count = tokens.shape[1]
        age = torch.arange(count).unsqueeze(1) - torch.arange(count)  # (T, T)
        fading = torch.where(age >= 0, DECAY ** age.clamp(min=0).double(), 0.0)
        return fading @ self.follows.double()[tokens] + self.places.double()[:count]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sources and targets of random symbols; what comes after a target's length is random too."""

    source: Int[Tensor, "B S"]
    target: Int[Tensor, "B T"]
    lengths: Int[Tensor, " B"]

    @classmethod
    def draw(cls, count: int, *, source: int, target: int, symbols: int, seed: int) -> Self:
        """Draw pairs whose targets have any length from 1 to `target`; the first has all of it."""
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, target + 1, (count,), generator=generator)
        lengths[0] = target
        return cls(
            torch.randint(symbols, (count, source), generator=generator),
            torch.randint(symbols, (count, target), generator=generator),
            lengths,
        )

    def whole(self) -> Self:
        """The same without padding."""
        return type(self)(self.source, self.target, torch.full_like(self.lengths, self.target.shape[1]))

    def with_other_padding(self, *, symbols: int) -> Self:
        """The same with every symbol of the padding replaced."""
        padding = torch.arange(self.target.shape[1]) >= self.lengths.unsqueeze(1)
        return type(self)(self.source, (self.target + padding.long()) % symbols, self.lengths)


def as_scores(answer: object, *, name: str, count: int) -> Float[Tensor, " count"]:
    """Check one finite number for each choice or pair: (count,), (count, 1) or a list of numbers.

    Raises:
        WrongAnswer: something else.
    """
    if isinstance(answer, list | tuple):
        answer = torch.tensor(as_floats(answer, name=name), dtype=torch.float64).numpy()
    shape = (count, 1) if getattr(answer, "ndim", 0) == 2 else (count,)
    return as_tensor(answer, name=name, shape=shape).reshape(count)


def furthest(found: Float[Tensor, " n"], expected: Float[Tensor, " n"]) -> int | None:
    """The index of the number that is furthest off, or None where all agree within the tolerance."""
    off = (found - expected).abs() / expected.abs().clamp(min=1.0)
    worst = int(off.argmax())
    return None if float(off[worst]) <= TOLERANCE else worst
