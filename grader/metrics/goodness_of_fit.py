"""Counts of what was drawn and the probabilities it should have in, a chi-square test out. No torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

ONE_IN_A_MILLION = 1e-6
LEAST_EXPECTED = 5.0
"""Outcomes that are expected more rarely are counted together (Cochran 1954, Biometrics 10(4))."""


@dataclass(frozen=True)
class Fit:
    """How well counts fit probabilities: neither further off nor closer than chance would have it."""

    statistic: float
    degrees: int
    draws: int
    impossible: int
    """Draws of outcomes whose probability is zero."""

    @property
    def is_too_far(self) -> bool:
        """True where one in a million honest draws would be as far from its probabilities."""
        return self.degrees > 0 and float(chi2.sf(self.statistic, self.degrees)) < ONE_IN_A_MILLION

    @property
    def is_too_close(self) -> bool:
        """True where one in a million honest draws would be as close: the draws are not independent."""
        return self.degrees > 0 and float(chi2.cdf(self.statistic, self.degrees)) < ONE_IN_A_MILLION

    @property
    def holds(self) -> bool:
        """True where nothing speaks against independent draws with these probabilities."""
        return not (self.impossible or self.is_too_far or self.is_too_close)


def chi_square(counts: ArrayLike, probabilities: ArrayLike) -> Fit:
    """Pearson's test, over several distributions at once.

    Args:
        counts: how often each outcome came, (distributions, outcomes).
        probabilities: of the same shape; every row sums to 1.

    Raises:
        ValueError: unlike shapes, or a row of probabilities that does not sum to 1.

    Source: Pearson 1900; for Markov chains Billingsley 1961, Annals of Mathematical Statistics 32(1).
    """
    found, right = np.asarray(counts, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if found.shape != right.shape or found.ndim != 2:
        raise ValueError(f"expected two tables of one shape, got {found.shape} and {right.shape}")
    if not np.allclose(right.sum(1), 1):
        raise ValueError("expected every row of probabilities to sum to 1")
    parts = [_row(row, chances) for row, chances in zip(found, right, strict=True)]
    return Fit(
        statistic=sum(statistic for statistic, _ in parts),
        degrees=sum(degrees for _, degrees in parts),
        draws=int(found.sum()),
        impossible=int(found[right == 0].sum()),
    )


def _row(counts: NDArray[np.float64], chances: NDArray[np.float64]) -> tuple[float, int]:
    """Statistic and degrees of freedom of one distribution."""
    possible = chances > 0
    expected = chances[possible] * counts[possible].sum()
    seen, expected = _pooled(counts[possible], expected)
    if len(expected) < 2:
        return 0.0, 0
    return float(((seen - expected) ** 2 / expected).sum()), len(expected) - 1


def _pooled(
    seen: NDArray[np.float64], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the rarest outcomes together until each cell is expected often enough."""
    order = expected.argsort()
    seen, expected = seen[order], expected[order]
    while len(expected) > 1 and expected[0] < LEAST_EXPECTED:
        merged = expected[0] + expected[1]
        place = int(np.searchsorted(expected[2:], merged))
        seen = np.insert(seen[2:], place, seen[0] + seen[1])
        expected = np.insert(expected[2:], place, merged)
    return seen, expected
