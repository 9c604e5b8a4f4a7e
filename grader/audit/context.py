"""What every detector looks at, and what it may answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from grader.collect.deadline import Deadline
from grader.collect.history import History
from grader.collect.objects import Commit
from grader.collect.oddities import seasons, signed_later

DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Context:
    """One team, one assignment."""

    history: History
    commits: tuple[Commit, ...]
    """The commit that counts and its ancestors, parents first."""
    tip: str | None
    """The commit that counts."""
    ref: str
    deadline: Deadline
    zone: ZoneInfo
    now: int
    """Seconds since the epoch, by our clock."""
    group: bool
    """Whether several people hand in together."""

    @cached_property
    def signed_later(self) -> Mapping[str, float]:
        """When the forge first signed a descendant of each commit."""
        return signed_later(self.history)

    def keeps_course_time(self, commit: Commit) -> bool:
        """Whether the committer's clock had an offset that the course's zone uses in some season."""
        if commit.committed is None or commit.committed_offset_minutes is None:
            return False
        return commit.committed_offset_minutes in seasons(self.zone, commit.committed // DAY_S)


@dataclass(frozen=True)
class Finding:
    """The commits that a detector found, and a sentence about them."""

    commits: tuple[str, ...]
    """Full ids, parents first."""
    text: str
