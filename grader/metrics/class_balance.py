"""Classes of samples in; the share of each with its interval, and which are missing, out. No torch.

A generator that forgets a class is found by counting, once a trusted classifier says what each sample is. The
count is held against that of real images, which came through the same classifier, slips and all.

Source: Clopper & Pearson 1934, Biometrika 26(4), for the intervals; Fisher 1935, JRSS 98(1), for the test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, hypergeom

ONE_IN_A_MILLION = 1e-6


@dataclass(frozen=True)
class ClassShares:
    """Share of each class, between the ends of an exact interval."""

    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class MissingClasses:
    """What a comparison of counts with those of real images found."""

    probability: tuple[float, ...]
    """For each class: of so few, or fewer, if the share were that of real images."""
    limit: float
    """Where a probability is below it, the class is missing: the level over the number of classes."""

    @property
    def missing(self) -> tuple[int, ...]:
        """Classes that honest samples would have more of."""
        return tuple(i for i, each in enumerate(self.probability) if each < self.limit)


def class_shares(classes: ArrayLike, *, count: int, confidence: float = 0.95) -> ClassShares:
    """Shares of classes among samples, each with an interval that is exact for the binomial.

    Args:
        classes: of each sample, 0 to count - 1.
        count: how many classes there are.
        confidence: of each interval by itself.

    Raises:
        ValueError: no samples, classes that do not exist, or a confidence that is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a share between 0 and 1, got {confidence}")
    counts = _counted(classes, count=count, name="classes")
    n, tail = int(counts.sum()), (1 - confidence) / 2
    low = np.where(counts > 0, beta.ppf(tail, np.maximum(counts, 1), n - counts + 1), 0.0)
    high = np.where(counts < n, beta.isf(tail, counts + 1, np.maximum(n - counts, 1)), 1.0)
    return ClassShares(
        share=tuple((counts / n).tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()), n=n
    )


def missing_classes(
    classes: ArrayLike, *, like: ArrayLike, count: int, level: float = ONE_IN_A_MILLION
) -> MissingClasses:
    """Test whether samples have too few of a class, beside real images.

    If both have a class equally often, then given how many there are together those among the samples are a
    draw without replacement, whatever the share is: so the chance of so few is exact, and the fewer real
    images there are, the more it takes. Beside endlessly many, of ten equal classes 53 in 1000 are too few.

    Args:
        classes: of each sample, 0 to count - 1.
        like: classes of real images, by the same classifier.
        count: how many classes there are.
        level: chance that honest samples are told to miss any class at all, at most.

    Raises:
        ValueError: no samples, no real images, or classes that do not exist.
    """
    ours = _counted(classes, count=count, name="classes")
    real = _counted(like, count=count, name="like")
    n, both = int(ours.sum()), ours + real
    probability = np.asarray(hypergeom.cdf(ours, n + int(real.sum()), both, n))
    return MissingClasses(probability=tuple(probability.tolist()), limit=level / count)


def _counted(classes: ArrayLike, *, count: int, name: str) -> NDArray[np.int64]:
    """How many there are of each class."""
    found = np.asarray(classes).reshape(-1)
    if len(found) == 0:
        raise ValueError(f"{name}: expected the class of at least one image, got none")
    if not np.issubdtype(found.dtype, np.integer) or found.min() < 0 or found.max() >= count:
        raise ValueError(
            f"{name}: expected whole numbers from 0 to {count - 1}, "
            f"got {found.dtype} from {found.min()} to {found.max()}"
        )
    return np.bincount(found, minlength=count).astype(np.int64)
