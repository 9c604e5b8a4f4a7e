"""What GitLab answers about a project's push events in, push records out.

Source: `GET /api/v4/projects/:id/events?action=pushed`, docs.gitlab.com/api/events ("List all visible events
for a project"); the path of the project is the URL-encoded id. How `push_data` is filled is in GitLab's
`app/services/push_event_payload_service.rb`: `action` is created, removed or pushed; `commit_from` is null
for a new branch and `commit_to` for a removed one; `ref` is the short name, `ref_type` branch or tag. One
push is one event, whatever its `commit_count`. A push of more than `push_event_activities_limit` branches (by
default 3) is one event for all of them, with `ref_count` and no commits: that is kept as a gap. The next page
is in the header `X-Next-Page`, empty on the last. Events older than three years are removed.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from grader.errors import ConfigurationError
from grader.forges.forge import Forge
from grader.forges.http import ForgeClient, Reading
from grader.forges.records import (
    BRANCHES,
    GAP,
    NOTHING,
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
    """One record for each event about a branch, in the order of the answer; other events are left out.

    Args:
        items: the answer.
        where: what messages call it.
        source: the forge.

    Raises:
        ConfigurationError: an event is not in this form; the message names it and its field.
    """
    return each(items, lambda item, place: _record(item, place, source), where=where)


def read(client: ForgeClient, forge: Forge) -> Reading:
    """Everything that GitLab still has about a project's pushes; of very many the newest.

    Raises:
        ForgeError: it does not answer, or refuses.
        ConfigurationError: its answer is not in this form.
    """
    project = quote(forge.project, safe="")
    url = f"{forge.server}/api/v4/projects/{project}/events?action=pushed&per_page=100"
    listed = client.numbered_pages(url, scheme="Bearer")
    records = parse(listed.items, where=forge.host, source=forge.host)
    return Reading(records, listed.ahead_s, listed.is_cut)


def _record(item: Any, where: str, source: str) -> PushRecord | None:
    event = mapping(item, where=where)
    if event.get("push_data") is None:
        return None
    where_data = f"{where}: push_data"
    push = mapping(event["push_data"], where=where_data)
    if text(push, "ref_type", where=where_data) != "branch":
        return None
    time = instant(event, "created_at", where=where)
    actor = name_in(event, "author_username", "author")
    action = text(push, "action", where=where_data)
    if push.get("commit_from") is None and push.get("commit_to") is None:
        return PushRecord("", UNKNOWN, UNKNOWN, time, GAP, actor, source)
    name = text(push, "ref", where=where_data)
    if not name:
        raise ConfigurationError(f"{where_data}: ref: expected the name of a branch, got nothing")
    before, after = (_end(push, field, where_data) for field in ("commit_from", "commit_to"))
    return PushRecord(BRANCHES + name, before, after, time, action, actor, source)


def _end(push: dict[str, Any], field: str, where: str) -> str:
    return NOTHING if push.get(field) is None else object_id(push, field, where=where)
