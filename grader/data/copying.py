"""A seed in, a source that copies over a distance out: counting short contexts cannot predict it.

With probability 1 - ε the next symbol is the one that came L places ago, replaced through a secret table;
otherwise it is any symbol. Whoever sees fewer than L symbols is left with a uniform guess, and a table of all
contexts of L symbols has V^L rows. Its entropy is known exactly.

Letters: V symbols, L the lag, ε the noise, W walks of T symbols.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class CopySource:
    """A stationary source; every symbol is equally frequent, and so is every string shorter than L + 1."""

    lag: int
    substitution: Int[Tensor, " V"]
    """What each symbol is replaced with when it is copied; a permutation."""
    noise: float
    """Share of the symbols that are drawn afresh, above 0 and below 1."""

    @classmethod
    def draw(cls, *, symbols: int, lags: Sequence[int], noise: float, seed: int) -> Self:
        """Draw the lag from `lags` and the substitution from all permutations."""
        generator = torch.Generator().manual_seed(seed)
        lag = lags[int(torch.randint(len(lags), (), generator=generator))]
        return cls(lag, torch.randperm(symbols, generator=generator), noise)

    @property
    def symbols(self) -> int:
        """V."""
        return len(self.substitution)

    @property
    def order(self) -> int:
        """How many past symbols decide the next: the lag."""
        return self.lag

    def entropy_rate(self) -> float:
        """Nats per symbol of a predictor that knows lag and table; nobody's expected loss is lower."""
        copied, other = self._chances()
        return -copied * math.log(copied) - (self.symbols - 1) * other * math.log(other)

    def blind_entropy(self) -> float:
        """Nats per symbol of the best predictor that sees fewer than L symbols: log V."""
        return math.log(self.symbols)

    def walks(self, count: int, *, length: int, seed: int) -> Int[Tensor, "W T"]:
        """Draw independent stretches, one per row."""
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(self.symbols, (count, length), generator=generator)
        copied = torch.rand((count, length), generator=generator) >= self.noise
        for place in range(self.lag, length):
            copy = self.substitution[tokens[:, place - self.lag]]
            tokens[:, place] = torch.where(copied[:, place], copy, tokens[:, place])
        return tokens

    def next_log_probabilities(self, tokens: Int[Tensor, "W T"]) -> Float[Tensor, "W steps V"]:
        """The true log-distribution of each symbol from the L-th on (0-based), given those before it.

        Returns:
            steps = T - L rows for each walk: the distribution of `tokens[:, L:]`.
        """
        copied, other = self._chances()
        chances = torch.full((self.symbols, self.symbols), other, dtype=torch.float64)
        chances[torch.arange(self.symbols), self.substitution] = copied
        return chances.log()[tokens[:, : tokens.shape[1] - self.lag]]

    def _chances(self) -> tuple[float, float]:
        """Probability of the copy, and of each other symbol."""
        other = self.noise / self.symbols
        return 1 - self.noise + other, other
