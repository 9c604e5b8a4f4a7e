"""Bytes of unknown origin in, one plain JSON object out, or a `ProtocolViolation`."""

import json
import math
from typing import Any, NoReturn

from grader.errors import ProtocolViolation

INT64 = range(-(2**63), 2**63)


def unreadable(what: str) -> ProtocolViolation:
    """The error for bytes that are no answer, in words for the student."""
    return ProtocolViolation(f"the answer is not readable: {what}")


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object whose integers fit 64 bits, whose floats are finite and whose names differ.

    Raises:
        ProtocolViolation: it is anything else, NaN and Infinity included.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_int=_int64,
            parse_float=_finite,
            parse_constant=_refuse,
            object_pairs_hook=_distinct,
        )
    except (ValueError, RecursionError):
        raise unreadable("its header is not JSON, or is nested too deeply") from None
    if not isinstance(value, dict):
        raise unreadable("its header is not an object")
    return value


def _int64(digits: str) -> int:
    if len(digits) > 20 or int(digits) not in INT64:
        raise unreadable("an integer needs more than 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise unreadable("a number is too large for a float")
    return value


def _refuse(name: str) -> NoReturn:
    raise unreadable(f"{name} is not JSON")


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise unreadable("an object has a name twice")
    return result
