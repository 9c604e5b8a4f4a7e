"""Outcomes and measurements in, one sentence for the student out: the fact, then the rule. No I/O."""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from grader.course.model import Band
from grader.records import Measurement, Outcome

CENT = Decimal("0.01")
OPEN = "open"
LONGEST_MESSAGE = 300
FINEST_DECIMALS = 6
SMALLEST_INTERVAL = 1e-4
"""Share of the way from none to full below which an interval is not worth showing."""


def measured(measurement: Measurement, band: Band) -> str:
    """Such as "measured 2.31 ± 0.02 nats; full points at 2.40, none at 4.10"; what was, the title says."""
    span = abs(band.none_at - band.full_at)
    half = _half_width(measurement, least=span * SMALLEST_INTERVAL)
    places = _decimals(half, span)
    value, full_at, none_at = (
        f"{number:.{places}f}" for number in (measurement.value, band.full_at, band.none_at)
    )
    interval = f" ± {half:.{places}f}" if half else ""
    unit = f" {measurement.unit}" if measurement.unit else ""
    return f"measured {value}{interval}{unit}; full points at {full_at}, none at {none_at}"


def not_met(failure: Outcome) -> str:
    """Why a criterion earns nothing where a check that it requires failed."""
    said = message_of(failure)
    return said if failure.is_to_do else f"no points, as a required check failed: {said}"


def passed(outcomes: Sequence[Outcome], failures: Sequence[Outcome], *, all_needed: bool) -> str:
    """Such as "3 of 4 checks passed; first failure: kl is 0.2 where the closed form gives 0.5"."""
    count = len(outcomes)
    if not failures:
        return "the check passed" if count == 1 else f"all {count} checks passed"
    said, good = message_of(failures[0]), count - len(failures)
    if all(failure.is_to_do for failure in failures):
        return f"{good} of {count} checks passed; {said}" if good else said
    if count == 1:
        return f"the check failed: {said}"
    needed = ", all are needed" if all_needed and good else ""
    return f"{good or 'none'} of {count} checks passed{needed}; first failure: {said}"


def message_of(outcome: Outcome) -> str:
    """What an outcome says, on one line; its name in words where it says nothing."""
    text = " ".join(outcome.message.split()) or in_words(outcome.check)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 3]}..."


def in_words(check: str) -> str:
    """'public/test_vae.py::test_kl_is_closed_form' as "kl is closed form"."""
    return check.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def shown(number: Decimal | None) -> str:
    """With at most two decimals and no trailing zeros: '81.5', '18.34', '100'; 'open' for None."""
    if number is None:
        return OPEN
    text = f"{number.quantize(CENT, rounding=ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".")


def _half_width(measurement: Measurement, *, least: float) -> float:
    """Half of the interval; 0 where there is none, none that is finite, or none worth showing."""
    if measurement.low is None or measurement.high is None:
        return 0.0
    half = (measurement.high - measurement.low) / 2
    return half if math.isfinite(half) and half >= least else 0.0


def _decimals(half: float, span: float) -> int:
    """Enough to show the first digit of the interval, and two digits of the way from none to full."""
    of_interval = -_exponent(half) if half > 0 else 0
    return min(max(of_interval, 1 - _exponent(span), 0), FINEST_DECIMALS)


def _exponent(number: float) -> int:
    """The power of ten of the first digit, after rounding to that digit."""
    return int(f"{number:.0e}".partition("e")[2])
