"""A seed in, a Markov chain out whose entropy is known exactly: a source that no model can beat.

Letters: V symbols, k the order (how many past symbols decide the next), W walks of T symbols.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MarkovSource:
    """A stationary Markov chain of order k.

    `table[c, s]` is the probability that symbol s follows context c, where a context is read as a number in
    base V with the latest symbol last.
    """

    table: Float[Tensor, "contexts V"]

    @classmethod
    def draw(cls, *, symbols: int, order: int, concentration: float, seed: int) -> Self:
        """Draw every row of the table from a symmetric Dirichlet distribution.

        Args:
            symbols: V.
            order: k, at least 1.
            concentration: small values make the next symbol nearly certain, large ones nearly uniform.
            seed: another seed, another source.
        """
        shape = (symbols**order, symbols)
        rows = np.random.default_rng(seed).dirichlet([concentration] * symbols, size=shape[0])
        floored = (rows + 1e-4) / (1 + 1e-4 * symbols)  # every symbol can happen, so no surprise is infinite
        return cls(torch.from_numpy(floored))

    @property
    def symbols(self) -> int:
        """V."""
        return self.table.shape[1]

    @property
    def order(self) -> int:
        """The k of the class description."""
        return round(math.log(self.table.shape[0], self.symbols))

    def stationary(self) -> Float[Tensor, " contexts"]:
        """Long-run share of each context; float64, sums to 1."""
        step = self._context_steps()
        kept = torch.eye(len(step), dtype=torch.float64)
        balance = torch.cat([step.T - kept, kept.new_ones(1, len(step))])  # (contexts + 1, contexts)
        wanted = kept.new_zeros(len(step) + 1, 1)
        wanted[-1] = 1
        shares: Tensor = torch.linalg.lstsq(balance, wanted).solution[:, 0]
        return shares.clamp(min=0)

    def entropy_rate(self) -> float:
        """Nats per symbol of a predictor that knows the table; nobody's expected loss is lower.

        Source: Cover & Thomas 2006, Elements of Information Theory, theorem 4.2.4.
        """
        return self.conditional_entropy(self.order)

    def conditional_entropy(self, past: int) -> float:
        """Nats per symbol of the best predictor that looks at only the last `past` symbols, 0 to k."""
        weights = self.stationary()[:, None] * self.table  # (contexts, V), sums to 1
        joint = weights.reshape(-1, self.symbols**past, self.symbols).sum(0)
        conditional = joint / joint.sum(1, keepdim=True)
        return float(-torch.xlogy(joint, conditional).sum())

    def surprise_variance(self) -> float:
        """Variance of the code length of one symbol under the true chain, in nats²."""
        weights = self.stationary()[:, None] * self.table
        surprise = -self.table.log()
        return float((weights * (surprise - self.entropy_rate()).square()).sum())

    def long_run_surprise_variance(self) -> float:
        """N times the variance of the mean code length of N symbols, for long N, in nats².

        What an error of a mean over a text has to find: neighbouring surprises go together, so it is not the
        variance of one. By the martingale that is left when the Poisson equation is solved for the surprise.

        Source: Meyn & Tweedie 2009, Markov Chains and Stochastic Stability, theorem 17.4.4.
        """
        size, shares, steps = len(self.table), self.stationary(), self._context_steps()
        surprise = -self.table.log() - self.entropy_rate()  # (contexts, V), of mean 0
        expected = (self.table * surprise).sum(1)  # (contexts,)
        kernel = torch.eye(size, dtype=torch.float64) - steps + shares.expand(size, size)
        ahead = torch.linalg.solve(kernel, expected)  # what is still to come, beyond the mean
        following = (torch.arange(size)[:, None] * self.symbols + torch.arange(self.symbols)) % size
        martingale = surprise + ahead[following] - ahead[:, None]
        return float((shares[:, None] * self.table * martingale.square()).sum())

    def walks(self, count: int, *, length: int, seed: int) -> Int[Tensor, "W T"]:
        """Draw independent stretches of the stationary chain, one per row."""
        generator = np.random.default_rng(seed)
        contexts = generator.choice(len(self.table), size=count, p=_normal(self.stationary()))
        cumulative = self.table.numpy().cumsum(1)
        tokens = np.empty((count, self.order + length), dtype=np.int64)
        tokens[:, : self.order] = self._symbols_of(contexts)
        for place in range(self.order, tokens.shape[1]):
            below = cumulative[contexts] < generator.random((count, 1))
            tokens[:, place] = np.minimum(below.sum(1), self.symbols - 1)
            contexts = (contexts * self.symbols + tokens[:, place]) % len(self.table)
        return torch.from_numpy(tokens[:, self.order :].copy())

    def next_log_probabilities(self, tokens: Int[Tensor, "W T"]) -> Float[Tensor, "W steps V"]:
        """The true log-distribution of each symbol from the k-th on (0-based), given the k before it.

        Returns:
            steps = T - k rows for each walk: the distribution of `tokens[:, k:]`.
        """
        contexts = torch.zeros_like(tokens[:, self.order :])
        for back in range(self.order):
            contexts = contexts * self.symbols + tokens[:, back : tokens.shape[1] - self.order + back]
        return self.table.log()[contexts]

    def _context_steps(self) -> Float[Tensor, "contexts contexts"]:
        """Probability of moving from one context to the next."""
        size = len(self.table)
        step = torch.zeros(size, size, dtype=torch.float64)
        for context in range(size):
            following = (context * self.symbols + torch.arange(self.symbols)) % size
            step[context, following] = self.table[context]
        return step

    def _symbols_of(self, contexts: NDArray[np.int64]) -> NDArray[np.int64]:
        powers = self.symbols ** np.arange(self.order - 1, -1, -1)
        return contexts[:, None] // powers % self.symbols


def _normal(shares: Float[Tensor, " n"]) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = (shares / shares.sum()).numpy()
    return numbers
