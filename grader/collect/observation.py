"""Teams in, one observation round out: every repository is asked for its tips, and what moved is fetched."""

import base64
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from grader.collect.hardened_git import GitFailedError, Remote
from grader.collect.ledger import DEFAULT_BRANCH, UNREACHABLE, Line
from grader.collect.mirror import Heads, Mirror, fetch_list
from grader.collect.push_records import NOTHING, push_records
from grader.collect.urls import checked_url
from grader.course.model import CollectPolicy
from grader.errors import CollectError, ConfigurationError
from grader.records import Team

RESCUE_LIMIT = 50
"""Recorded pushes whose commits are asked for by id when no branch has them any more, newest first."""


@dataclass(frozen=True)
class Observation:
    """What one attempt gave: lines for the ledger, and what a person should be told."""

    team: str
    lines: tuple[Line, ...]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Looks at repositories; the policy says where and how."""

    mirrors: Path
    push_records: Path | None
    policy: CollectPolicy
    tokens: Mapping[str, str]
    """Host → access token, for private repositories; never written to disk."""
    clock: Callable[[], int]

    def look_at(self, teams: Sequence[Team]) -> list[Observation]:
        """One attempt for each team, several at a time; the order of the teams is kept."""
        with ThreadPoolExecutor(max_workers=self.policy.workers) as pool:
            return list(pool.map(self._look, teams))

    def _look(self, team: Team) -> Observation:
        try:
            mirror = Mirror(self.mirrors, team.id, timeout_s=self.policy.timeout_s)
            remote = self._remote(team)
            heads = mirror.list_heads(remote)
            now = self.clock()
            self._fetch(mirror, remote, heads)
        except (CollectError, OSError) as error:
            return Observation(team.id, (Line(team.id, UNREACHABLE, "-", self.clock()),), str(error))
        return Observation(team.id, _lines(team.id, heads, now), self._rescue(team, mirror, remote))

    def _remote(self, team: Team) -> Remote:
        url = checked_url(team.repo_url, self.policy)
        token = self.tokens.get(urlsplit(url).hostname or "")
        return Remote(
            url=url,
            protocols=self.policy.protocols,
            authorization=_basic(token) if token else "",
            blob_limit_mib=self.policy.blob_limit_mib,
        )

    def _fetch(self, mirror: Mirror, remote: Remote, heads: Heads) -> None:
        counting = f"refs/heads/{self.policy.branch}" if self.policy.branch else heads.default or ""
        try:
            mirror.fetch(remote, fetch_list(heads, counting=counting))
        except GitFailedError:
            if counting not in heads.commits:
                raise
            mirror.fetch(remote, [heads.commits[counting]])  # a broken side branch must not cost the main one

    def _rescue(self, team: Team, mirror: Mirror, remote: Remote) -> str | None:
        """Ask for recorded commits that a force push took away; the problem with the record file, if any."""
        try:
            pushes = push_records(self.push_records, team.id)
            ids = [push.after for push in pushes[-RESCUE_LIMIT:] if push.after != NOTHING]
            mirror.rescue(remote, ids)
        except (ConfigurationError, CollectError) as error:
            return str(error)
        return None


def _lines(team: str, heads: Heads, now: int) -> tuple[Line, ...]:
    default = Line(team, DEFAULT_BRANCH, heads.default or "-", now)
    return (default, *(Line(team, name, commit, now) for name, commit in sorted(heads.commits.items())))


def _basic(token: str) -> str:
    """Forges take a token as the password of any user."""
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
