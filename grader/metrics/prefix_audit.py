"""Code lengths of full passes and bare prefixes in, what a model costs that cannot peek out: nats, float64.

A full pass answers for all positions of a window at once, and shows the model what it is to predict. So some
positions, drawn at random, are asked for as bare prefixes, earlier and in another process. The mean over the
full pass plus the mean of (prefix - full) over the audited positions is unbiased for the mean over all
prefixes, whatever the model does in a full pass; and where all differences vanish it has no error.

Letters: N positions, K of them audited, M of them leaking; N_h and K_h are those of stratum h, the positions
after prefixes of one length, which can be asked for in one batch. Every set of K_h of the N_h positions is
equally likely, independently in each stratum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

MISS = 0.05
"""A leak may be as large as one that goes unseen with this probability: a limit with 95 % confidence."""


# The plan


@dataclass(frozen=True)
class Stratum:
    """The audited ones among the windows, which are cut after `length` tokens."""

    length: int
    rows: Int[Tensor, " audited"]
    population: int
    """How many windows `rows` were drawn from."""

    @property
    def audited(self) -> int:
        """How many windows are asked for."""
        return len(self.rows)


Plan = Sequence[Stratum]


def plan_audit(count: int, *, lengths: Sequence[int], per_length: int, seed: int) -> tuple[Stratum, ...]:
    """Choose at random which of `count` windows are asked for as prefixes of each length.

    Shortest first: in this order nobody has been shown a token before it was to be predicted. A position is
    audited with probability per_length / count.

    Args:
        count: how many windows there are.
        lengths: of the prefixes, rising.
        per_length: windows for each length; all where there are no more.
        seed: unknown to whoever wrote the model until the model can no longer change.

    Raises:
        ValueError: nothing to audit, or lengths that do not rise.
    """
    if count < 1 or per_length < 1 or not lengths:
        raise ValueError(
            f"expected windows, lengths and at least one window per length, "
            f"got {count} windows, {len(lengths)} lengths and {per_length} per length"
        )
    if lengths[0] < 1 or any(later <= earlier for earlier, later in pairwise(lengths)):
        raise ValueError(f"lengths: expected to rise from 1 or more, got {list(lengths)}")
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        Stratum(length, torch.randperm(count, generator=generator)[:per_length], population=count)
        for length in lengths
    )


# The estimate


@dataclass(frozen=True)
class Audit:
    """What the audited positions say about all."""

    value: float
    """Nats per position of a model that cannot peek: `claimed` + `correction`."""
    claimed: float
    """Nats per position in the full pass."""
    correction: float
    """Mean of (prefix - full), estimated; above 0 where the full pass peeks."""
    standard_error: float
    """Of `value`, over the plans that might have been drawn; 0 where all differences are 0 or K = N."""
    audited: int
    population: int
    differing: int
    """Audited positions where prefix and full pass are further apart than the noise of floating point."""
    unseen_share: float
    """Upper limit for the share of leaking positions, 95 %, where none is differing."""
    gain_at_dearest: float
    """What that share gains at places that cost what the dearest audited one costs, in nats per position.

    Smaller differences are added. No upper limit: a leak at places dearer than any audited one gains more.
    """


def difference_estimate(
    full: Sequence[Float[Tensor, " _population"]],
    plan: Plan,
    prefix: Sequence[Float[Tensor, " _audited"]],
    *,
    allowed: Sequence[float],
    gaps: Sequence[Float[Tensor, " _audited"]] | None = None,
) -> Audit:
    """Correct what a full pass claims by what bare prefixes cost at the audited positions.

    With d = prefix - full and the weight W_h = N_h / N the correction is Σ W_h mean_h(d), and its variance
    Σ W_h² (1 - K_h / N_h) var_h(d) / K_h. Each audited position counts N_h / K_h times, by the inverse of the
    probability that it is audited, so both are unbiased whatever the lengths of the strata.

    Args:
        full: code lengths in nats from the full pass, of all positions of each stratum.
        plan: which of them were audited.
        prefix: code lengths of the audited positions, asked for as bare prefixes.
        allowed: for each stratum, the largest difference that is the noise of floating point.
        gaps: how far the two answers are apart at each audited position, where more is known than the two
            code lengths: the largest difference of any symbol's log-probability.

    Raises:
        ValueError: lists of unlike lengths, numbers that are not finite (a NaN among `gaps` would pass for
            agreement), or one audited position in a stratum that has more, from which no error can be told.

    Source: Horvitz & Thompson 1952, JASA 47(260); Cochran 1977, Sampling Techniques, equations 5.1 and 5.13,
    applied to differences as in Särndal et al. 1992, section 6.3, and Angelopoulos et al. 2023,
    arXiv:2301.09633.
    """
    differences = _differences(full, plan, prefix)
    apart = [d.abs() for d in differences] if gaps is None else list(gaps)
    _check_gaps(plan, apart, allowed)
    population = sum(stratum.population for stratum in plan)
    weights = [stratum.population / population for stratum in plan]
    claimed = sum(w * float(f.double().mean()) for w, f in zip(weights, full, strict=True))
    correction = sum(w * float(d.mean()) for w, d in zip(weights, differences, strict=True))
    variances = [_variance_of_mean(s, d) for s, d in zip(plan, differences, strict=True)]
    share = unseen_share(plan)
    return Audit(
        value=claimed + correction,
        claimed=claimed,
        correction=correction,
        standard_error=math.sqrt(sum(w**2 * v for w, v in zip(weights, variances, strict=True))),
        audited=sum(stratum.audited for stratum in plan),
        population=population,
        differing=sum(int((gap > most).sum()) for gap, most in zip(apart, allowed, strict=True)),
        unseen_share=share,
        gain_at_dearest=share * max(float(p.max()) for p in prefix) + max(allowed),
    )


def _differences(
    full: Sequence[Tensor], plan: Plan, prefix: Sequence[Tensor]
) -> list[Float[Tensor, " _audited"]]:
    if not plan or not len(full) == len(plan) == len(prefix):
        raise ValueError(
            f"expected one stratum or more, with as many lists of full passes and prefixes, "
            f"got {len(plan)}, {len(full)} and {len(prefix)}"
        )
    for stratum, whole, alone in zip(plan, full, prefix, strict=True):
        if (len(whole), len(alone)) != (stratum.population, stratum.audited):
            raise ValueError(
                f"length {stratum.length}: expected {stratum.population} positions and {stratum.audited} "
                f"prefixes, got {len(whole)} and {len(alone)}"
            )
        if not (whole.isfinite().all() and alone.isfinite().all()):
            raise ValueError(f"length {stratum.length}: expected finite code lengths, got NaN or infinity")
    return [
        alone.double() - whole.double()[s.rows] for s, whole, alone in zip(plan, full, prefix, strict=True)
    ]


def _check_gaps(plan: Plan, gaps: Sequence[Tensor], allowed: Sequence[float]) -> None:
    """No comparison with a NaN is true, so one would hide what differs."""
    if len(allowed) != len(plan) or not all(0 <= most < math.inf for most in allowed):
        raise ValueError(
            f"allowed: expected one finite difference of at least 0 for each of {len(plan)} lengths, "
            f"got {list(allowed)}"
        )
    if len(gaps) != len(plan):
        raise ValueError(f"gaps: expected one list for each of {len(plan)} lengths, got {len(gaps)}")
    for stratum, gap in zip(plan, gaps, strict=True):
        if len(gap) != stratum.audited or not gap.isfinite().all():
            raise ValueError(
                f"length {stratum.length}: expected one finite gap for each of {stratum.audited} prefixes, "
                f"got {len(gap)}, {int((~gap.isfinite()).sum())} of them NaN or infinite"
            )


def _variance_of_mean(stratum: Stratum, differences: Float[Tensor, " _audited"]) -> float:
    """Of a mean over positions drawn without replacement; 0 where all were drawn."""
    if stratum.audited == stratum.population:
        return 0.0
    if stratum.audited < 2:
        raise ValueError(
            f"length {stratum.length}: expected at least 2 audited positions or all, "
            f"got {stratum.audited} of {stratum.population}"
        )
    left_out = 1 - stratum.audited / stratum.population
    return left_out * float(differences.var(correction=1)) / stratum.audited


# What an audit can see


def miss_probability(leak_share: float, *, audited: int, population: int) -> float:
    """Probability that none of K positions, drawn without replacement out of N, is one of the M that leak.

    C(N - M, K) / C(N, K) with M = leak_share x N, rounded down. For one stratum, or for a leak that falls on
    positions of all lengths at random; `worst_miss` has the leak that a plan is most likely to miss.

    Raises:
        ValueError: a share outside 0 to 1, or more audited than there are.
    """
    if not 0 <= leak_share <= 1:
        raise ValueError(f"leak_share: expected a share between 0 and 1, got {leak_share}")
    if not 0 <= audited <= population or population < 1:
        raise ValueError(f"audited: expected 0 to {population} positions, got {audited}")
    factors = _log_miss_factors(audited, population, leaks=_leaks(leak_share, population))
    return math.exp(float(factors.sum()))


def detection_power(leak_share: float, *, audited: int, population: int) -> float:
    """Probability that at least one leaking position is audited: 1 - `miss_probability`."""
    return 1 - miss_probability(leak_share, audited=audited, population=population)


def audited_for(leak_share: float, *, miss: float, population: int) -> int:
    """The smallest K for which a leak goes unseen with no more than a given probability.

    Args:
        leak_share: of the positions that leak; at least one has to.
        miss: the probability, above 0.
        population: N.

    Raises:
        ValueError: a leak of no position, which cannot be seen, or a probability outside 0 to 1.
    """
    if not 0 < miss <= 1:
        raise ValueError(f"miss: expected a probability above 0 and up to 1, got {miss}")
    if _leaks(leak_share, population) < 1:
        raise ValueError(f"leak_share: expected at least one of {population} positions, got {leak_share}")
    low, high = 0, population
    while low < high:
        middle = (low + high) // 2
        if miss_probability(leak_share, audited=middle, population=population) <= miss:
            high = middle
        else:
            low = middle + 1
    return low


def worst_miss(plan: Plan, leak_share: float) -> float:
    """Probability that a plan misses a leak at the given share of positions, where they are hidden best.

    Hidden best is spread over the strata in proportion to what is not audited there: one more leak in a
    stratum is always more likely to be seen than the one before it. Slightly above `miss_probability`.
    """
    log_miss = _worst_log_miss(plan)
    return math.exp(float(log_miss[_leaks(leak_share, len(log_miss) - 1)]))


def unseen_share(plan: Plan, *, miss: float = MISS) -> float:
    """The largest share of leaking positions that a plan misses with a probability above `miss`.

    If no audited position differs, this is an upper confidence limit for the share, exact for a finite number
    of positions and for leaks that are hidden as well as can be.

    Raises:
        ValueError: a probability that is not between 0 and 1.
    """
    if not 0 < miss < 1:
        raise ValueError(f"miss: expected a probability between 0 and 1, got {miss}")
    log_miss = _worst_log_miss(plan)
    return float((log_miss > math.log(miss)).sum() - 1) / (len(log_miss) - 1)


def _worst_log_miss(plan: Plan) -> NDArray[np.float64]:
    """Log-probabilities of missing M = 0 ... N leaks: the M largest factors of any stratum are what is left.

    Within a stratum the factors fall, so that the largest M are always the first of each stratum.
    """
    factors = np.concatenate([_log_miss_factors(s.audited, s.population, leaks=s.population) for s in plan])
    return np.concatenate([[0.0], np.cumsum(np.sort(factors)[::-1])])


def _log_miss_factors(audited: int, population: int, *, leaks: int) -> NDArray[np.float64]:
    """The log of (N - K - j) / (N - j): that leak number j is missed too, where all before it were."""
    left = population - np.arange(leaks)
    with np.errstate(divide="ignore"):
        return np.log1p(-np.minimum(audited / left, 1.0))


def _leaks(leak_share: float, population: int) -> int:
    return math.floor(leak_share * population)
