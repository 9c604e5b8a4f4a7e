"""Wall-clock text and an IANA zone in, seconds since the epoch out, and back again for people.

Every deadline passes through here exactly once; after that the grader compares integers only.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.errors import ConfigurationError

_WALL_CLOCK = re.compile(
    r"(19[7-9][0-9]|[2-8][0-9]{3})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?"
)


def wall_clock_to_epoch(text: str, zone: str) -> int:
    """The first instant that is too late for a deadline written as wall-clock text.

    A deadline includes the unit it is written to: '23:59' lasts through 23:59:59 and '23:59:30' through
    that second. Where clocks go back and the time happens twice, the later one counts.

    Args:
        text: 'YYYY-MM-DD HH:MM[:SS]', by the wall clock of `zone`.
        zone: IANA name, 'America/Toronto'.

    Returns:
        Seconds since the epoch, exclusive bound.

    Raises:
        ConfigurationError: the text is no such time, the zone does not exist or is a bare abbreviation, or
            the clocks of the zone skip that time.
    """
    match = _WALL_CLOCK.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(f"deadline {text!r}: expected 'YYYY-MM-DD HH:MM' or 'YYYY-MM-DD HH:MM:SS'")
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    try:
        wall = datetime(year, month, day, hour, minute, int(match[6] or 0))  # noqa: DTZ001 - zone follows
    except ValueError as error:
        raise ConfigurationError(f"deadline {text!r}: {error}; use a date and time that exist") from None
    included_s = 1 if match[6] else 60
    return _epoch(wall, zone=zone) + included_s


def days_after(instant: int, days: int, *, zone: str) -> int:
    """The instant `days` days later by the wall clock, so also across a change of the clocks.

    Where that wall-clock time is skipped, the same number of elapsed days is taken instead.
    """
    wall = datetime.fromtimestamp(instant, zone_named(zone)).replace(tzinfo=None)
    try:
        return _epoch(wall + timedelta(days=days), zone=zone)
    except ConfigurationError:
        return instant + days * 86_400


def instant_text(instant: int, *, zone: str) -> str:
    """The instant for people: '2025-06-20 23:59:59 America/Toronto'; a repeated hour also says its offset."""
    local = datetime.fromtimestamp(instant, zone_named(zone))
    offset = f" (UTC{local:%z})" if _happens_twice(local) else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{offset} {zone}"


def deadline_text(first_late: int, *, zone: str) -> str:
    """The last second that is still on time, for people."""
    return instant_text(first_late - 1, zone=zone)


def utc_text(instant: int) -> str:
    """The instant in UTC, '2025-06-21T03:59:59Z'."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%SZ}"


def zone_named(name: str) -> ZoneInfo:
    """The zone by its IANA name.

    Raises:
        ConfigurationError: there is no such zone, or it is a bare abbreviation such as EST, which stands for
            a fixed offset all year and is an hour off in summer.
    """
    if "/" not in name and name != "UTC":
        raise ConfigurationError(f"time zone {name!r}: use an IANA name such as 'America/Toronto', or 'UTC'")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"time zone {name!r} is not known; use an IANA name such as 'America/Toronto'"
        ) from None


def _epoch(wall: datetime, *, zone: str) -> int:
    local = wall.replace(tzinfo=zone_named(zone), fold=1)
    epoch = int(local.timestamp())
    if datetime.fromtimestamp(epoch, local.tzinfo).replace(tzinfo=None) != wall:
        raise ConfigurationError(f"{wall} does not exist in {zone}: the clocks skip it; use another time")
    return epoch


def _happens_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
