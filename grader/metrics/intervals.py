"""Repeated values in, means with standard errors, paired differences and tolerance bounds out. No torch."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrit, ndtri


@dataclass(frozen=True)
class Estimate:
    """A mean and how well it is known."""

    value: float
    standard_error: float
    n: int

    @property
    def low(self) -> float:
        """Two standard errors below."""
        return self.value - 2 * self.standard_error

    @property
    def high(self) -> float:
        """Two standard errors above."""
        return self.value + 2 * self.standard_error


def mean_with_error(values: ArrayLike) -> Estimate:
    """Mean of independent values, and its standard error.

    Args:
        values: numbers, one per independent unit (an image, a seed); anything that numpy reads as a vector.

    Raises:
        ValueError: fewer than two values, or some not finite.
    """
    numbers = _checked(values, name="values")
    error = float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    return Estimate(value=float(numbers.mean()), standard_error=error, n=len(numbers))


def paired_difference(ours: ArrayLike, *, theirs: ArrayLike) -> Estimate:
    """Mean of ours - theirs where both were measured on the same units, in the same order.

    The spread that both share cancels: on the same images and the same noise the error is several times
    smaller than that of two separate means.

    Raises:
        ValueError: not of equal length, fewer than two, or not finite.
    """
    first, second = _checked(ours, name="ours"), _checked(theirs, name="theirs")
    if len(first) != len(second):
        raise ValueError(f"paired values: expected equally many, got {len(first)} and {len(second)}")
    return mean_with_error(first - second)


def tolerance_factor(n: int, *, coverage: float = 0.99, confidence: float = 0.95) -> float:
    """The k for which mean + k standard deviations of n normal values bounds `coverage` of all others.

    5.74 for five values, 3.98 for ten, 3.30 for twenty, at the defaults.

    Args:
        n: how many values mean and standard deviation come from.
        coverage: share of the population that is to lie on the good side of the bound.
        confidence: probability that it does.

    Raises:
        ValueError: fewer than two values, or a share that is not between 0 and 1.

    Source: Natrella 1963, Experimental Statistics, section 2-4: a quantile of the non-central t distribution.
    """
    if n < 2:
        raise ValueError(f"n: expected at least 2 values, got {n}")
    if not (0 < coverage < 1 and 0 < confidence < 1):
        raise ValueError(f"expected shares between 0 and 1, got coverage {coverage}, confidence {confidence}")
    root = math.sqrt(n)
    return float(nctdtrit(n - 1, float(ndtri(coverage)) * root, confidence)) / root


def tolerance_bound(values: ArrayLike, *, worse: Literal["higher", "lower"]) -> float:
    """The level that a correct re-implementation reaches: mean ± k standard deviations on the worse side.

    Args:
        values: the reference solution's figure, one per seed.
        worse: which way is worse.

    Raises:
        ValueError: fewer than two values, or some not finite.
    """
    numbers = _checked(values, name="values")
    margin = tolerance_factor(len(numbers)) * float(numbers.std(ddof=1))
    return float(numbers.mean()) + (margin if worse == "higher" else -margin)


def _checked(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if len(numbers) < 2:
        raise ValueError(f"{name}: expected at least 2 values, got {len(numbers)}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return numbers
