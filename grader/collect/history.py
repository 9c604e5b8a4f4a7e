"""Commits and sightings in, bounds on when each commit came into being out. Pure; every walk is linear."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from grader.collect.objects import Commit
from grader.collect.push_records import UNKNOWN, Push
from grader.collect.unrecorded import unrecorded_moves
from grader.records import EvidenceLevel, Sighting


@dataclass(frozen=True)
class Seen:
    """The earliest proof that a commit existed."""

    time: float
    """Seconds since the epoch; infinite when nobody independent ever saw it."""
    level: EvidenceLevel


NEVER = Seen(inf, EvidenceLevel.DATES_ONLY)


@dataclass(frozen=True)
class History:
    """A commit graph, what independent witnesses saw of it, and the bounds that follow."""

    commits: Mapping[str, Commit]
    """By id, parents before children."""
    sightings: Sequence[Sighting] = ()
    """Of every branch, oldest first; of one instant, in the order in which they happened."""
    pushes: Sequence[Push] = ()
    """The push records behind those sightings that have one, oldest first."""
    signed: Mapping[str, int] = field(default_factory=dict)
    """The forge's own signature time of each commit that it signed, in seconds since the epoch."""
    looked: Sequence[int] = ()
    """When we saw all branches ourselves, oldest first: one without a sighting of then was not there."""
    refused: Sequence[int] = ()
    """When we asked and got no answer, oldest first."""

    @cached_property
    def effective(self) -> Mapping[str, float]:
        """Latest committer date over a commit and its ancestors; infinite where one cannot be read.

        A clock that fell back to the year 2000 is harmless this way, and a commit cannot be dated before
        its own past.
        """
        latest: dict[str, float] = {}
        for commit in self.commits.values():
            own = inf if commit.committed is None else commit.committed
            latest[commit.id] = max([own, *(latest[parent] for parent in self._parents(commit))])
        return latest

    @cached_property
    def not_before(self) -> Mapping[str, float]:
        """Latest time that the forge signed among a commit and its ancestors; minus infinity without any."""
        latest: dict[str, float] = {}
        for commit in self.commits.values():
            own = self.signed.get(commit.id, -inf)
            latest[commit.id] = max([own, *(latest[parent] for parent in self._parents(commit))])
        return latest

    @cached_property
    def seen(self) -> Mapping[str, Seen]:
        """Earliest proof that each commit existed: a sighting of it or of any descendant."""
        earliest = dict.fromkeys(self.commits, NEVER)
        for signed, time in self.signed.items():
            if signed in earliest:
                earliest[signed] = Seen(time, EvidenceLevel.FORGE_SIGNATURE)
        for sighting in self.sightings:
            if sighting.commit in earliest and sighting.time < earliest[sighting.commit].time:
                earliest[sighting.commit] = Seen(sighting.time, sighting.level)
        for commit in reversed(list(self.commits.values())):
            for parent in self._parents(commit):
                if earliest[commit.id].time < earliest[parent].time:
                    earliest[parent] = earliest[commit.id]
        return earliest

    @cached_property
    def pushed(self) -> Mapping[str, int | None]:
        """When a recorded push brought each commit; None for what may have come without a record.

        Forges forget the oldest pushes, and do not say of every push what it moved. That a commit is in no
        earlier record shows nothing if a branch may have held it all along.
        """
        arrived: dict[str, int | None] = {}
        unrecorded = unrecorded_moves(self.pushes, self.sightings)
        for number, push in enumerate(self.pushes):
            for commit in unrecorded[number]:
                self._spread(arrived, commit, None)
            self._spread(arrived, push.after, None if push.before == UNKNOWN else push.time)
        return arrived

    def reachable(self, tips: Iterable[str]) -> set[str]:
        """The tips and all their ancestors, as far as the graph has them."""
        found: set[str] = set()
        waiting = [tip for tip in tips if tip in self.commits]
        while waiting:
            commit = waiting.pop()
            if commit not in found:
                found.add(commit)
                waiting.extend(self._parents(self.commits[commit]))
        return found

    def on_time(self, tip: str, first_late: int) -> set[str]:
        """Commits that the tip contains and that were on time.

        Every bound covers the ancestors, so the ancestors of a commit on time are on time.
        """
        return self.all_on_time([tip], first_late)

    def all_on_time(self, tips: Iterable[str], first_late: int) -> set[str]:
        """The same of several tips, in one walk."""
        return {commit for commit in self.reachable(tips) if self._was_on_time(commit, first_late)}

    def maximal(self, commits: set[str]) -> tuple[str, ...]:
        """Those of a set closed under ancestors that no other builds on; latest date first."""
        inner = {parent for commit in commits for parent in self._parents(self.commits[commit])}
        return tuple(sorted(commits - inner, key=lambda commit: (-self.effective[commit], commit)))

    def _was_on_time(self, commit: str, first_late: int) -> bool:
        dated = self.effective[commit] < first_late and self.not_before[commit] < first_late
        return dated or self.seen[commit].time < first_late

    def _spread(self, arrived: dict[str, int | None], tip: str, time: int | None) -> None:
        waiting = [tip] if tip in self.commits else []
        while waiting:
            commit = waiting.pop()
            if commit not in arrived:
                arrived[commit] = time
                waiting.extend(self._parents(self.commits[commit]))

    def _parents(self, commit: Commit) -> list[str]:
        return [parent for parent in commit.parents if parent in self.commits]
