"""The JSON of a push record file in, records out; and back. Answers of forges are read as they were saved.

Our own form is a list of objects with `ref`, `before`, `after`, `timestamp` (ISO 8601 with an offset, or
seconds since the epoch) and, if wanted, `type`, `actor`, `source`, `harvested_at`. That is also what GitHub
answers. Events of GitLab (`push_data`) and entries of Gitea (`op_type`) are known by their fields; several
pages may be joined in one list, or be a list of lists.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from grader.errors import ConfigurationError
from grader.forges import gitea, github, gitlab
from grader.forges.records import GAP, UNKNOWN, PushRecord


def parse_saved(content: bytes, *, where: str) -> list[PushRecord]:
    """Every record of a file, oldest first; those of one second in the order in which they happened.

    Args:
        content: of the file.
        where: its name, for messages.

    Raises:
        ConfigurationError: it is none of these forms; the message names the file, the item and the field.
    """
    items = _items(content, where)
    if any(isinstance(item, dict) and "op_type" in item for item in items):
        return gitea.parse(items, where=where, source="a saved answer of Gitea")
    if any(isinstance(item, dict) and ("push_data" in item or "action_name" in item) for item in items):
        return oldest_first(gitlab.parse(items, where=where, source="a saved answer of GitLab"))
    return oldest_first(github.parse(items, where=where))


def oldest_first(records: Sequence[PushRecord]) -> list[PushRecord]:
    """The records in the order in which they happened.

    Forges list the newest first, and the order within one second matters. What was harvested was put in order
    when it was written.
    """
    written_by_us = any(record.harvested_at is not None for record in records)
    turned = bool(records) and not written_by_us and _newest_first(records)
    return sorted(reversed(records) if turned else records, key=lambda record: record.timestamp)


def _newest_first(records: Sequence[PushRecord]) -> bool:
    """By the times; where all are of one second, by which record goes on from which."""
    if records[0].timestamp != records[-1].timestamp:
        return records[0].timestamp > records[-1].timestamp
    forwards = sum(one.after == other.before for one, other in pairwise(records))
    return sum(one.before == other.after for one, other in pairwise(records)) > forwards


def saved_text(records: Sequence[PushRecord]) -> str:
    """The content of a file in our own form."""
    return json.dumps([_entry(record) for record in records], indent=1) + "\n"


def _entry(record: PushRecord) -> dict[str, Any]:
    entry = {field: value for field, value in asdict(record).items() if value not in ("", None)}
    if record.is_gap:
        return entry | {"ref": "", "before": None, "after": None, "type": GAP}
    return entry if record.before != UNKNOWN else entry | {"before": None}


def _items(content: bytes, where: str) -> list[Any]:
    try:
        items = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where}: not readable as JSON ({error})") from None
    if not isinstance(items, list):
        said = items.get("message") if isinstance(items, dict) else None
        answer = f" (a forge's refusal: {said[:80]!a})" if isinstance(said, str) else ""
        raise ConfigurationError(f"{where}: expected a list of pushes, got {type(items).__name__}{answer}")
    if items and all(isinstance(page, list) for page in items):
        return [item for page in items for item in page]
    return items
