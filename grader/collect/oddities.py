"""A history and one of its commits in, what is odd about the dates of that commit out. Pure.

One predicate each, used for the flags that a student sees and for the detectors of an audit, so that both
say the same. None of them shows that anybody did anything: a careful forger trips none of them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from math import inf
from zoneinfo import ZoneInfo

from grader.collect.history import History
from grader.collect.objects import Commit
from grader.records import EvidenceLevel

CLOCK_SKEW_S = 60
"""Two clocks that differ by less are both right."""

_DAY_S = 86_400
_YEAR_DAYS = 366
_STEP_DAYS = 14
"""Shorter than any season of a zone's clocks."""
_LAST_INSTANT = 253_370_764_799
"""End of the year 9998: what lies later has no date in every zone."""
_MOST_DAYS = 4096


def parents_dated_later(history: History, commit: Commit) -> tuple[str, ...]:
    """Parents whose committer date is later by more than a minute."""
    if commit.committed is None:
        return ()
    dates = {parent: _committed(history, parent) for parent in commit.parents}
    bound = commit.committed + CLOCK_SKEW_S
    return tuple(parent for parent, date in dates.items() if date is not None and date > bound)


def authored_after_committed_s(commit: Commit) -> int:
    """By how many seconds the author date is later than the committer date; 0 when it is not."""
    if commit.committed is None or commit.authored is None:
        return 0
    return max(0, commit.authored - commit.committed)


def before_signed_ancestor_s(history: History, commit: Commit) -> float:
    """How long before the forge signed an ancestor the commit is dated, in seconds; 0 within a minute."""
    if commit.committed is None:
        return 0
    known = [history.not_before[parent] for parent in commit.parents if parent in history.commits]
    early = max(known, default=-inf) - commit.committed
    return early if early > CLOCK_SKEW_S else 0


def signed_later(history: History) -> Mapping[str, float]:
    """When the forge first signed a descendant of each commit; commits without any are left out."""
    first: dict[str, float] = {}
    for commit in reversed(list(history.commits.values())) if history.signed else ():
        signed = min(first.get(commit.id, inf), history.signed.get(commit.id, inf))
        for parent in commit.parents:
            if signed < first.get(parent, inf):
                first[parent] = signed
    return first


def after_signed_descendant_s(signed: Mapping[str, float], commit: Commit) -> float:
    """How long after the forge signed a descendant the commit is dated, in seconds; 0 within a minute.

    Args:
        signed: what `signed_later` says.
        commit: the commit.
    """
    return _later(commit, signed.get(commit.id, inf))


def in_the_future_s(history: History, commit: Commit, *, now: float = inf) -> float:
    """How long after somebody had seen it (or after now) a commit is dated, in seconds; 0 within a minute.

    Signatures are left to `after_signed_descendant_s`.
    """
    seen = history.seen[commit.id]
    witnessed = inf if seen.level is EvidenceLevel.FORGE_SIGNATURE else seen.time
    return _later(commit, min(witnessed, now))


def zone_is_wrong(zone: ZoneInfo, time: int | None, offset_minutes: int | None) -> bool:
    """Whether a clock showed the winter time of the course's zone in summer, or the other way round.

    Offsets that the zone does not use within a year of that instant are not judged: that is a clock
    elsewhere.
    """
    if time is None or offset_minutes is None or not CLOCK_SKEW_S < time < _LAST_INSTANT:
        return False
    right = {_offset(zone, time + skew) for skew in (-CLOCK_SKEW_S, 0, CLOCK_SKEW_S)}
    return offset_minutes not in right and offset_minutes in seasons(zone, time // _DAY_S)


@lru_cache(maxsize=_MOST_DAYS)
def seasons(zone: ZoneInfo, day: int) -> frozenset[int]:
    """Offsets, in minutes ahead of UTC, that a zone uses within a year of a day (counted from 1970)."""
    moments = range((day - _YEAR_DAYS) * _DAY_S, (day + _YEAR_DAYS) * _DAY_S, _STEP_DAYS * _DAY_S)
    return frozenset(_offset(zone, moment) for moment in moments if 0 < moment < _LAST_INSTANT)


def _offset(zone: ZoneInfo, time: float) -> int:
    return int((datetime.fromtimestamp(time, zone).utcoffset() or timedelta()).total_seconds() // 60)


def _later(commit: Commit, bound: float) -> float:
    late = -inf if commit.committed is None else commit.committed - bound
    return late if late > CLOCK_SKEW_S else 0


def _committed(history: History, commit: str) -> int | None:
    return history.commits[commit].committed if commit in history.commits else None
