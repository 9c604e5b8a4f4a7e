"""A team's push record file in, checked pushes out. Forges forget pushes early, so these files are kept.

`push_records/<team>.json` is a list of objects with `ref`, `before`, `after` and `timestamp` (ISO 8601 with
an offset, or seconds since the epoch). Other fields are ignored, so that the answer of a forge's activity API
can be saved as it is.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.collect.objects import OBJECT_ID
from grader.errors import ConfigurationError

NOTHING = "0" * 40
"""Stands for 'the branch was not there'."""
_LAST_SECOND = 10**11
"""Larger figures are milliseconds."""


@dataclass(frozen=True)
class Push:
    """The forge saw `ref` move from `before` to `after` at `time` (seconds since the epoch)."""

    ref: str
    before: str
    after: str
    time: int


def push_records(folder: Path | None, team: str) -> tuple[Push, ...]:
    """All recorded pushes of one team, oldest first; none when there is no file.

    Raises:
        ConfigurationError: the file is not such a list; the message names the file, the item and the field.
    """
    path = folder / f"{team}.json" if folder is not None else None
    if path is None or not path.is_file():
        return ()
    try:
        items = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(items, list):
        raise ConfigurationError(f"{path}: expected a list of pushes, got {type(items).__name__}")
    pushes = [_push(item, where=f"{path}: item {number}") for number, item in enumerate(items, start=1)]
    if pushes and pushes[0].time > pushes[-1].time:
        pushes.reverse()  # forges list the newest first; the order within one second matters
    return tuple(sorted(pushes, key=lambda push: push.time))


def _push(item: Any, *, where: str) -> Push:
    if not isinstance(item, dict):
        raise ConfigurationError(f"{where}: expected an object with ref, before, after and timestamp")
    ref = item.get("ref")
    if not isinstance(ref, str) or not ref.startswith("refs/"):
        raise ConfigurationError(f"{where}: ref: expected a full name such as 'refs/heads/main', got {ref!r}")
    before, after = (_object_id(item, field, where=where) for field in ("before", "after"))
    return Push(ref, before, after, _time(item.get("timestamp"), where=where))


def _object_id(item: dict[str, Any], field: str, *, where: str) -> str:
    value = item.get(field)
    if not isinstance(value, str) or not OBJECT_ID.fullmatch(value):
        raise ConfigurationError(f"{where}: {field}: expected 40 hexadecimal digits, got {value!r}")
    return value


def _time(value: Any, *, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LAST_SECOND:
        return value
    moment = _parsed(value) if isinstance(value, str) else None
    if moment is None or moment.utcoffset() is None:
        raise ConfigurationError(
            f"{where}: timestamp: expected ISO 8601 with an offset ('2025-06-20T23:41:07-04:00') or seconds "
            f"since the epoch, got {value!r}"
        )
    return int(moment.timestamp())


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
