"""What Gitea or Forgejo answers about a repository's activity in, push records out.

Source: `GET /api/v1/repos/{owner}/{repo}/activities/feeds` (repoListActivityFeeds of the server's own
/api/swagger), `Activity` in modules/structs/activity.go; what is in `content` is written by PushCommits,
CreateRef and DeleteRef in services/feed/notifier.go, called from services/repository/push.go. A push is
`commit_repo` with `content` = JSON of `Commits`, `HeadCommit`, `CompareURL` (`<repo>/compare/<old>...<new>`)
and `Len`. A new branch gives a `commit_repo` with empty content first; the CompareURL of the push after it is
empty, starts with forty zeros, or names where the branch came from, by version. `delete_branch` names no
commit. `ref_name` is full, in old versions short. The newest come first, by default at most 50 a page; pages
are numbered. Old entries are removed where the administrator says so (`delete_old_actions`).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from grader.errors import ConfigurationError
from grader.forges.forge import Forge
from grader.forges.http import ForgeClient, Reading
from grader.forges.records import (
    BRANCHES,
    NOTHING,
    UNKNOWN,
    PushRecord,
    instant,
    is_object_id,
    mapping,
    name_in,
    object_id,
    text,
)

PAGE = 50
_MOVES = ("commit_repo", "mirror_sync_push", "mirror_sync_create")
_REMOVALS = ("delete_branch", "mirror_sync_delete")
_COMPARED = re.compile(r".*/compare/([0-9a-f]{40})\.\.\.([0-9a-f]{40})")


def parse(items: Sequence[Any], *, where: str, source: str = "") -> list[PushRecord]:
    """One record for each push or removal of a branch, oldest first; other entries are left out.

    Args:
        items: the answer.
        where: what messages call it.
        source: the forge.

    Raises:
        ConfigurationError: an entry is not in this form; the message names it and its field.
    """
    entries = [
        (mapping(item, where=f"{where}: item {n}"), f"{where}: item {n}") for n, item in enumerate(items, 1)
    ]
    wanted = [(e, at) for e, at in entries if e.get("op_type") in (*_MOVES, *_REMOVALS)]
    wanted.sort(key=lambda one: (instant(one[0], "created", where=one[1]), _id(one[0])))
    records: list[PushRecord] = []
    new: set[str] = set()
    for entry, at in wanted:
        ref = _ref(entry, at)
        if ref is None:
            continue
        if entry["op_type"] in _MOVES and not text(entry, "content", where=at):
            new.add(ref)
        else:
            records.append(_record(entry, ref, at, source, is_new=ref in new))
            new.discard(ref)
    return records


def read(client: ForgeClient, forge: Forge) -> Reading:
    """Everything that the forge still has about a repository's pushes; of very many the newest.

    Raises:
        ForgeError: it does not answer, or refuses.
        ConfigurationError: its answer is not in this form.
    """
    url = f"{forge.server}/api/v1/repos/{forge.project}/activities/feeds?limit={PAGE}"
    listed = client.pages_until_empty(url, scheme="token")
    records = parse(listed.items, where=forge.host, source=forge.host)
    return Reading(records, listed.ahead_s, listed.is_cut)


def _record(entry: dict[str, Any], ref: str, where: str, source: str, *, is_new: bool) -> PushRecord:
    kind, actor = entry["op_type"], name_in(entry, "act_user")
    time = instant(entry, "created", where=where)
    if kind in _REMOVALS:
        return PushRecord(ref, UNKNOWN, NOTHING, time, kind, actor, source)
    content = _content(entry, where)
    before, after = _ends(content, where)
    return PushRecord(ref, NOTHING if is_new else before, after, time, kind, actor, source)


def _content(entry: dict[str, Any], where: str) -> dict[str, Any]:
    where = f"{where}: content"
    try:
        content = json.loads(text(entry, "content", where=where))
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{where}: expected the JSON text that the forge writes there") from None
    return mapping(content, where=where)


def _ends(content: dict[str, Any], where: str) -> tuple[str, str]:
    """What a push moved the branch from and to. The head is named even where there is nothing to compare."""
    compare = text(content, "CompareURL", where=f"{where}: content")
    head = content.get("HeadCommit")
    compared = _COMPARED.fullmatch(compare)
    if isinstance(head, dict) and is_object_id(head.get("Sha1")):
        after = str(head["Sha1"])
    elif compared:
        after = compared[2]
    else:
        commits = content.get("Commits")
        newest = commits[0] if isinstance(commits, list) and commits else None
        at = f"{where}: content: Commits[0]"
        after = object_id(mapping(newest, where=at), "Sha1", where=at)
    if compared and compared[2] == after:
        return compared[1], after
    return (UNKNOWN if compare else NOTHING), after


def _ref(entry: dict[str, Any], where: str) -> str | None:
    name = text(entry, "ref_name", where=where)
    if name.startswith("refs/"):
        return name if name.startswith(BRANCHES) else None
    if not name:
        raise ConfigurationError(f"{where}: ref_name: expected the name of a branch, got nothing")
    return BRANCHES + name


def _id(entry: dict[str, Any]) -> int:
    value = entry.get("id")
    return value if isinstance(value, int) else 0
