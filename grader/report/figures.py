"""Figures in, text for people out; the same figure always reads the same. Pure."""

import math
from decimal import ROUND_HALF_UP, Decimal

from grader.records import Measurement

MINUS = "\N{MINUS SIGN}"
SHOWN_PLACES = Decimal("0.0001")


def points(value: Decimal) -> str:
    """Points without trailing zeros: `7.50` reads `7.5`; never an exponent."""
    text = format(value, "f")
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return _with_minus("0" if trimmed in {"-0", ""} else trimmed)


def contribution(value: Decimal) -> str:
    """A share of the final mark; what does not fit four places is marked with `≈`."""
    rounded = value.quantize(SHOWN_PLACES, rounding=ROUND_HALF_UP)
    return points(value) if rounded == value else f"≈ {points(rounded)}"


def figure(value: float) -> str:
    """A measured figure with four significant digits."""
    if not math.isfinite(value):
        return "not finite"
    return _with_minus(f"{value + 0.0:.4g}")  # + 0.0: never a negative zero


def measured(measurement: Measurement) -> str:
    """A value with its interval and unit: `12.34 ± 0.12 nats`.

    Returns:
        `not measured` where there is no value; `value (low to high)` where the interval is lopsided.
    """
    value, low, high = measurement.value, measurement.low, measurement.high
    if value is None:
        return "not measured"
    unit = f" {measurement.unit}" if measurement.unit else ""
    if low is None or high is None or not all(map(math.isfinite, (value, low, high))) or low == high:
        return figure(value) + unit
    if math.isclose(high - value, value - low, rel_tol=0.05):
        return _plus_minus(value, half_width=(high - low) / 2) + unit
    return f"{figure(value)} ({figure(low)} to {figure(high)}){unit}"


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f} %"


def _plus_minus(value: float, *, half_width: float) -> str:
    """Both with the places that give the half width two significant digits."""
    places = 1 - math.floor(math.log10(half_width))
    if not 0 <= places <= 6:
        return f"{figure(value)} ± {half_width:.2g}"
    return _with_minus(f"{value:.{places}f} ± {half_width:.{places}f}")


def _with_minus(text: str) -> str:
    """A real minus sign in front; exponents keep their hyphen."""
    return MINUS + text[1:] if text.startswith("-") else text
