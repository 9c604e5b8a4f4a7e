"""Instants in, text for a committee out: the course's wall clock with its offset, UTC, and how far off. Pure.

Dates come from commits that anybody can write, so an instant may lie beyond every calendar.
"""

from datetime import UTC, datetime

from grader.course.instants import zone_named

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
LAST_INSTANT = 253_370_764_799
"""End of the year 9998: what lies later has no date in every zone."""


def local_time(instant: int, *, zone: str) -> str:
    """By the wall clock of a zone, with its offset on that day: '2025-06-20 23:41:07 -04:00'."""
    if not 0 <= instant <= LAST_INSTANT:
        return f"{instant} s after 1970"
    local = datetime.fromtimestamp(instant, zone_named(zone))
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def utc_time(instant: int) -> str:
    """In UTC: '2025-06-21 03:41:07 UTC'."""
    if not 0 <= instant <= LAST_INSTANT:
        return f"{instant} s after 1970"
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S} UTC"


def distance(seconds: float) -> str:
    """A length of time with its two largest units: '2 d 3 h', '4 min 10 s'; negative reads as positive."""
    left = abs(int(seconds))
    parts = []
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min"), (1, "s")):
        count, left = divmod(left, size)
        parts.append((count, unit))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def from_deadline(instant: int, first_late: int) -> str:
    """Where an instant lies: '4 min 10 s before', '0 s after'; the first late instant is after."""
    side = "before" if instant < first_late else "after"
    return f"{distance(instant - first_late)} {side}"
