"""What forges say of pushes, in one form: records and the checks that every reader shares. No I/O."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grader.errors import ConfigurationError

NOTHING = "0" * 40
"""Stands for 'the branch was not there'."""
UNKNOWN = ""
"""Stands for a commit that the forge does not name."""
BRANCHES = "refs/heads/"
OWN_SERVER = "the log of our own server"
"""Source of what no forge recorded: weaker, because whoever pushes may have set the clock."""
GAP = "gap"
"""Type of an entry that says: here branches moved, and the forge does not say which or where to."""

_OBJECT_ID = re.compile(r"[0-9a-f]{40}")
_LAST_SECOND = 10**11
"""Larger figures are milliseconds."""


@dataclass(frozen=True)
class PushRecord:
    """The forge saw `ref` move from `before` to `after` at `timestamp`."""

    ref: str
    """Full name, `refs/heads/main`; empty where the forge does not say."""
    before: str
    """Object id, `NOTHING` for a new branch, or `UNKNOWN`."""
    after: str
    """Object id, `NOTHING` for a removed branch, or `UNKNOWN` in a gap."""
    timestamp: int
    """By the forge's clock, seconds since the epoch."""
    type: str = ""
    """In the forge's own words, such as 'force_push'."""
    actor: str = ""
    """The account that pushed."""
    source: str = ""
    """Where the record comes from, such as 'github.com'; empty for a file made by hand."""
    harvested_at: int | None = None
    """By our clock, seconds since the epoch."""

    @property
    def is_gap(self) -> bool:
        """Whether it only says that something happened."""
        return not self.ref or self.after == UNKNOWN


def each(
    items: Sequence[Any], read: Callable[[Any, str], PushRecord | None], *, where: str
) -> list[PushRecord]:
    """What a reader makes of every entry of an answer, in its order, less those that are not about branches.

    Args:
        items: the answer.
        read: an entry and what messages call it in, its record out.
        where: what messages call the answer.
    """
    records = (read(item, f"{where}: item {number}") for number, item in enumerate(items, start=1))
    return [record for record in records if record is not None]


def mapping(item: Any, *, where: str) -> dict[str, Any]:
    """The item, if it is an object.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(item, dict):
        raise ConfigurationError(f"{where}: expected an object, got {_shown(item)}")
    return item


def object_id(item: dict[str, Any], field: str, *, where: str) -> str:
    """The object id in a field.

    Raises:
        ConfigurationError: there is none.
    """
    value = item.get(field)
    if not isinstance(value, str) or not _OBJECT_ID.fullmatch(value):
        raise ConfigurationError(f"{where}: {field}: expected 40 hexadecimal digits, got {_shown(value)}")
    return value


def is_object_id(value: Any) -> bool:
    """Whether it is 40 hexadecimal digits."""
    return isinstance(value, str) and _OBJECT_ID.fullmatch(value) is not None


def instant(item: dict[str, Any], field: str, *, where: str) -> int:
    """The time in a field, in seconds since the epoch; fractions are cut off.

    Raises:
        ConfigurationError: it is no time, or says no offset.
    """
    value = item.get(field)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LAST_SECOND:
        return value
    moment = _parsed(value) if isinstance(value, str) else None
    if moment is None or moment.utcoffset() is None:
        raise ConfigurationError(
            f"{where}: {field}: expected ISO 8601 with an offset ('2025-06-20T23:41:07-04:00') or seconds "
            f"since the epoch, got {_shown(value)}"
        )
    return int(moment.timestamp())


def text(item: dict[str, Any], field: str, *, where: str) -> str:
    """The text in a field; empty where it is missing or null.

    Raises:
        ConfigurationError: it is no text.
    """
    value = item.get(field)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{where}: {field}: expected a text, got {_shown(value)}")
    return value or ""


def name_in(item: dict[str, Any], *fields: str) -> str:
    """The account name in the first of these fields that has one: a text, or an object with one."""
    for field in fields:
        value = item.get(field)
        names = value if isinstance(value, dict) else {"login": value}
        for key in ("login", "username", "name"):
            if isinstance(names.get(key), str):
                return str(names[key])
    return ""


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _shown(value: Any) -> str:
    """For a message: short, and with nothing in it that a terminal would obey."""
    return ascii(value)[:80]
