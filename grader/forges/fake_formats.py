"""Pushes in, what GitHub, GitLab and Gitea say of them out, in the formats that their documentation has.

The sources are named in `github.py`, `gitlab.py` and `gitea.py`; this is written from them and not from those
readers. Pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

_NONE = "0" * 40


@dataclass(frozen=True)
class FakePush:
    """A branch moved. `before` or `after` of forty zeros make or remove it."""

    before: str
    after: str
    time: int
    """Seconds since the epoch."""
    branch: str = "main"
    actor: str = "student"
    force: bool = False
    kind: str = "branch"
    """Or 'tag'; or 'bulk' for a push of so many branches that GitLab names none."""


@dataclass(frozen=True)
class Question:
    """Which forge's log of which project was asked for."""

    forge: str
    project: str

    def accepted(self, token: str) -> tuple[str, ...]:
        """The headers `Authorization` that this forge takes."""
        return tuple(f"{scheme} {token}" for scheme in _SCHEMES[self.forge])

    def entries(self, pushes: Sequence[FakePush]) -> list[dict[str, Any]]:
        """The whole log, newest first."""
        made = {"github": _github, "gitlab": _gitlab, "gitea": _gitea}[self.forge]
        entries = [entry for number, push in enumerate(pushes) for entry in made(push, 10 * number)]
        return entries[::-1]

    def page(
        self, entries: list[dict[str, Any]], query: Mapping[str, str], largest: int, url: str
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """One page and the headers that lead to the next."""
        size = min(largest, int(query.get("limit" if self.forge == "gitea" else "per_page", "30")))
        if self.forge == "github":
            return _after_cursor(entries, query.get("after", ""), size, url)
        number = int(query.get("page", "1"))
        page = entries[(number - 1) * size : number * size]
        if self.forge == "gitea":
            return page, {"X-Total-Count": str(len(entries))}
        more = number * size < len(entries)
        return page, {"X-Page": str(number), "X-Next-Page": str(number + 1) if more else ""}


def asked_for(path: str) -> Question | None:
    """What a path of an API asks for; None where it asks for something else."""
    for forge, pattern in _PATHS.items():
        if match := pattern.fullmatch(path):
            return Question(forge, unquote(match[1]))
    return None


_SCHEMES = {"github": ("Bearer", "token"), "gitlab": ("Bearer",), "gitea": ("token", "Bearer")}
_PATHS = {
    "github": re.compile(r"(?:/api/v3)?/repos/([^/]+/[^/]+)/activity"),
    "gitlab": re.compile(r"/api/v4/projects/([^/]+)/events"),
    "gitea": re.compile(r"/api/v1/repos/([^/]+/[^/]+)/activities/feeds"),
}


def _after_cursor(
    entries: list[dict[str, Any]], cursor: str, size: int, url: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    start = next((i + 1 for i, entry in enumerate(entries) if entry["node_id"] == cursor), 0)
    page = entries[start : start + size]
    if start + size >= len(entries) or not page:
        return page, {}
    base = re.sub(r"[?&]after=[^&]*", "", url)
    link = f"{base}{'&' if '?' in base else '?'}after={page[-1]['node_id']}"
    first = f'<{base}>; rel="first"'
    return page, {"Link": f'<{link}>; rel="next", {first}'}


def _github(push: FakePush, number: int) -> list[dict[str, Any]]:
    if push.kind != "branch":
        return []
    kinds = {push.before: "branch_creation", push.after: "branch_deletion"}
    return [
        {
            "id": 1000 + number,
            "node_id": f"PSH_{number}",
            "before": push.before,
            "after": push.after,
            "ref": f"refs/heads/{push.branch}",
            "timestamp": _utc(push.time),
            "activity_type": kinds.get(_NONE, "force_push" if push.force else "push"),
            "actor": {"login": push.actor, "id": 1, "type": "User"} if push.actor else None,
        }
    ]


def _gitlab(push: FakePush, number: int) -> list[dict[str, Any]]:
    made, removed, bulk = push.before == _NONE, push.after == _NONE, push.kind == "bulk"
    action = "created" if made else "removed" if removed else "pushed"
    return [
        {
            "id": 1000 + number,
            "project_id": 7,
            "action_name": {"created": "pushed new", "removed": "deleted", "pushed": "pushed to"}[action],
            "target_id": None,
            "target_type": None,
            "author_id": 1,
            "created_at": _utc(push.time).replace("Z", ".667Z"),
            "author": {"name": "A Student", "username": push.actor, "id": 1},
            "push_data": {
                "commit_count": 0 if bulk else 3,
                "action": action,
                "ref_type": "tag" if push.kind == "tag" else "branch",
                "commit_from": None if made or bulk else push.before,
                "commit_to": None if removed or bulk else push.after,
                "ref": None if bulk else push.branch,
                "commit_title": None if bulk else "Work",
                "ref_count": 4 if bulk else None,
            },
            "author_username": push.actor,
        }
    ]


def _gitea(push: FakePush, number: int) -> list[dict[str, Any]]:
    common = {
        "user_id": 1,
        "act_user_id": 1,
        "act_user": {"id": 1, "login": push.actor},
        "repo_id": 7,
        "comment_id": 0,
        "ref_name": f"refs/{'tags' if push.kind == 'tag' else 'heads'}/{push.branch}",
        "is_private": False,
        "created": _utc(push.time),
    }
    if push.kind == "tag":
        return [common | {"id": number, "op_type": "push_tag", "content": _content(push)}]
    if push.after == _NONE:
        return [common | {"id": number, "op_type": "delete_branch", "content": ""}]
    first = [common | {"id": number, "op_type": "commit_repo", "content": ""}] if push.before == _NONE else []
    return [*first, common | {"id": number + 1, "op_type": "commit_repo", "content": _content(push)}]


def _content(push: FakePush) -> str:
    commit = {"Sha1": push.after, "Message": "Work\n", "AuthorEmail": "s@x", "AuthorName": "s"}
    compare = f"o/r/compare/{push.before}...{push.after}" if push.before != _NONE else ""
    return json.dumps({"Commits": [commit], "HeadCommit": commit, "CompareURL": compare, "Len": 3})


def _utc(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
