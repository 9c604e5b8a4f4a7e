"""What GitHub answers about a repository's activity in, push records out.

Source: `GET /repos/{owner}/{repo}/activity`, "List repository activities", REST API version 2022-11-28
(docs.github.com/rest/repos/repos#list-repository-activities; schema `activity` of the published
github/rest-api-description). Each entry has `before`, `after` (forty zeros where there was or is no branch),
`ref` (`refs/heads/<branch>`), `timestamp`, `activity_type` (push, force_push, branch_creation,
branch_deletion, pr_merge, merge_queue_merge) and `actor` (null for an account that is gone). The newest come
first, at most 100 a page; the cursor of the next page is in the header `Link` with `rel="next"`.
"""

from collections.abc import Sequence
from typing import Any

from grader.errors import ConfigurationError
from grader.forges.forge import Forge
from grader.forges.http import ForgeClient, Reading
from grader.forges.records import (
    BRANCHES,
    UNKNOWN,
    PushRecord,
    each,
    instant,
    mapping,
    name_in,
    object_id,
    text,
)


def parse(items: Sequence[Any], *, where: str, source: str = "") -> list[PushRecord]:
    """One record for each entry about a branch, in the order of the answer.

    Also reads records that we wrote ourselves or that somebody made by hand: `before` may be null where it is
    not known, and what GitHub adds may be missing.

    Args:
        items: the answer.
        where: what messages call it.
        source: the forge, for entries that do not name one.

    Raises:
        ConfigurationError: an entry is not in this form; the message names it and its field.
    """
    return each(items, lambda item, place: _record(item, place, source), where=where)


def read(client: ForgeClient, forge: Forge) -> Reading:
    """Everything that GitHub still has about a repository's pushes; of very many the newest.

    Raises:
        ForgeError: it does not answer, or refuses.
        ConfigurationError: its answer is not in this form.
    """
    api = "https://api.github.com" if forge.host == "github.com" else f"{forge.server}/api/v3"
    url = f"{api}/repos/{forge.project}/activity?per_page=100"
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    listed = client.pages(url, headers, scheme="Bearer")
    records = parse(listed.items, where=forge.host, source=forge.host)
    return Reading(records, listed.ahead_s, listed.is_cut)


def _record(item: Any, where: str, source: str) -> PushRecord | None:
    entry = mapping(item, where=where)
    ref = text(entry, "ref", where=where)
    kind = text(entry, "activity_type", where=where) or text(entry, "type", where=where)
    time = instant(entry, "timestamp", where=where)
    actor, told_by = name_in(entry, "actor"), text(entry, "source", where=where) or source
    harvested = instant(entry, "harvested_at", where=where) if entry.get("harvested_at") else None
    if ref == "" and "ref" in entry and entry.get("after") is None:
        return PushRecord("", UNKNOWN, UNKNOWN, time, kind, actor, told_by, harvested)
    if not ref.startswith("refs/"):
        raise ConfigurationError(f"{where}: ref: expected a full name such as 'refs/heads/main', got {ref!a}")
    before = UNKNOWN if entry.get("before", 0) is None else object_id(entry, "before", where=where)
    after = object_id(entry, "after", where=where)
    record = PushRecord(ref, before, after, time, kind, actor, told_by, harvested)
    return record if ref.startswith(BRANCHES) else None
