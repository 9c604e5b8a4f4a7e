"""Teams in, what is seen of them out: every repository is asked for its tips, then what moved is fetched."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from grader.collect.hardened_git import GitFailedError, Remote
from grader.collect.ledger import DEFAULT_BRANCH, UNREACHABLE, Line
from grader.collect.mirror import Heads, Mirror, within_limit
from grader.collect.push_records import NOTHING, push_records
from grader.collect.urls import checked_url
from grader.course.model import CollectPolicy
from grader.errors import CollectError, ConfigurationError
from grader.records import Team

LISTING_TIMEOUT_S = 30
"""Longest wait for the names of branches: a server that hangs must not keep us from the others."""
RESCUE_LIMIT = 50
"""Recorded pushes whose commits are asked for by id when no branch has them any more, newest first."""


@dataclass(frozen=True)
class Observation:
    """What one attempt gave: lines for the ledger, and what a person should be told."""

    team: str
    lines: tuple[Line, ...]
    problem: str | None = None


@dataclass(frozen=True)
class _Listing:
    """What a server said its branches are."""

    team: Team
    remote: Remote
    heads: Heads
    counting: str
    """Full name of the branch that counts; empty where nothing says which."""
    time: int
    """Seconds since the epoch, after it had answered."""


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Looks at repositories; the policy says where and how."""

    mirrors: Path
    push_records: Path | None
    policy: CollectPolicy
    tokens: Mapping[str, str]
    """Host → access token, for private repositories; never written to disk."""
    clock: Callable[[], int]

    def look_at(self, teams: Sequence[Team], *, boundaries: Collection[int] = ()) -> list[Observation]:
        """One attempt for each team, several at a time; the order of the teams is kept.

        Every server is asked before anything is downloaded: what the last team has is seen within seconds,
        however much the first one pushed.

        Args:
            teams: whose repositories.
            boundaries: deadlines, in seconds since the epoch. A server that is asked before one of them and
                answers after it is asked again, so that each line is clearly of before or of after.
        """
        with ThreadPoolExecutor(max_workers=self.policy.workers) as pool:
            try:
                listings = list(pool.map(lambda team: self._list(team, boundaries), teams))
                return list(pool.map(self._fetch, listings))
            except BaseException:
                pool.shutdown(cancel_futures=True)  # Ctrl-C waits for what runs, not for the whole class
                raise

    def _list(self, team: Team, boundaries: Collection[int]) -> "_Listing | Observation":
        try:
            remote = self._remote(team)
            time_out_s = min(self.policy.timeout_s, LISTING_TIMEOUT_S)
            mirror = Mirror(self.mirrors, team.id, timeout_s=time_out_s)
            straddles = True
            while straddles:
                asked = self.clock()
                heads, counting = self._heads(mirror, remote)
                answered = self.clock()
                straddles = any(asked < boundary <= answered for boundary in boundaries)
        except (CollectError, OSError) as error:
            return self._unreachable(team, error)
        return _Listing(team, remote, heads, counting, answered)

    def _fetch(self, listing: "_Listing | Observation") -> Observation:
        if isinstance(listing, Observation):
            return listing
        team, remote, heads = listing.team, listing.remote, listing.heads
        try:
            mirror = Mirror(self.mirrors, team.id, timeout_s=self.policy.timeout_s)
            kept = self._fetch_moved(mirror, remote, heads, listing.counting)
        except (CollectError, OSError) as error:
            return self._unreachable(team, error)
        problem = self._rescue(team, mirror, remote, kept)
        return Observation(team.id, _lines(team.id, heads, listing.time), problem)

    def _unreachable(self, team: Team, error: Exception) -> Observation:
        return Observation(team.id, (Line(team.id, UNREACHABLE, "-", self.clock()),), str(error))

    def _remote(self, team: Team) -> Remote:
        url = checked_url(team.repo_url, self.policy)
        token = self.tokens.get(urlsplit(url).hostname or "")
        return Remote(
            url=url,
            protocols=self.policy.protocols,
            authorization=_basic(token) if token else "",
            blob_limit_mib=self.policy.blob_limit_mib,
        )

    def _heads(self, mirror: Mirror, remote: Remote) -> tuple[Heads, str]:
        """The branches of the server, and the name of the one that counts."""
        heads = mirror.list_heads(remote)
        counting = f"refs/heads/{self.policy.branch}" if self.policy.branch else heads.default or ""
        return within_limit(heads, counting=counting), counting

    def _fetch_moved(self, mirror: Mirror, remote: Remote, heads: Heads, counting: str) -> frozenset[str]:
        """Fetch what the mirror lacks of the branches; the commits that it keeps now, with their history."""
        try:
            mirror.fetch(remote, heads.commits.values())
        except GitFailedError:
            if counting not in heads.commits:
                raise
            mirror.fetch(remote, [heads.commits[counting]])  # a broken side branch must not cost the main one
            return frozenset({heads.commits[counting]})
        return frozenset(heads.commits.values())

    def _rescue(self, team: Team, mirror: Mirror, remote: Remote, kept: Collection[str]) -> str | None:
        """Ask for recorded commits that a force push took away; the problem with the record file, if any."""
        try:
            pushes = push_records(self.push_records, team.id)
            ids = [push.after for push in pushes[-RESCUE_LIMIT:] if push.after not in {NOTHING, *kept}]
            mirror.rescue(remote, ids)
        except (ConfigurationError, CollectError, OSError) as error:
            return str(error)
        return None


def _lines(team: str, heads: Heads, now: int) -> tuple[Line, ...]:
    default = Line(team, DEFAULT_BRANCH, heads.default or "-", now)
    return (default, *(Line(team, name, commit, now) for name, commit in sorted(heads.commits.items())))


def _basic(token: str) -> str:
    """Forges take a token as the password of any user."""
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
