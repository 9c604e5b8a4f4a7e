"""Deadlines in, the instants at which to look at the repositories out. Pure; no clock, no I/O.

Far from a deadline once an hour, then every ten minutes, then every minute; once more so that it ends right
before the deadline, once exactly at it, and ever more rarely afterwards. What counts as on time needs a look
shortly before; what was there when time was up needs one right at it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.collect.deadline import WATCHED_S
from grader.collect.late import MINUTE_S, first_late_of
from grader.collect.ledger import Round
from grader.collect.looks import looks_at
from grader.course.instants import days_after
from grader.course.model import Assignment, Course
from grader.course.watch_policy import WatchPolicy
from grader.records import Team

HOUR_S = 60 * MINUTE_S
UNMEASURED_LEAD_S = 60
"""How long before a deadline the last look begins while nothing says how long one takes."""
LEAD_LIMIT_S = WATCHED_S // 2
RECENT_ROUNDS = 3
"""Rounds from which the length of the next one is guessed."""


@dataclass(frozen=True)
class Moment:
    """A deadline of some teams: the first instant that is too late, in seconds since the epoch."""

    time: int
    teams: frozenset[str]
    what: str
    """For people."""


@dataclass(frozen=True)
class Instant:
    """When to look at whom."""

    time: int
    """Seconds since the epoch."""
    teams: frozenset[str]
    deadline_of: tuple[str, ...] = ()
    """What is late from this very instant on; empty for the looks around a deadline."""


def moments(course: Course, assignments: Iterable[Assignment], teams: Sequence[Team]) -> tuple[Moment, ...]:
    """Every deadline that decides something: extensions, and each day of the late period, are some.

    Raises:
        ConfigurationError: a deadline or an extension is no time that exists.
    """
    found: dict[tuple[int, str], set[str]] = {}
    for assignment in assignments:
        for team in teams:
            for time, what in _deadlines(team, assignment, course):
                found.setdefault((time, what), set()).add(team.id)
    return tuple(Moment(time, frozenset(who), what) for (time, what), who in sorted(found.items()))


def _deadlines(team: Team, assignment: Assignment, course: Course) -> Iterator[tuple[int, str]]:
    first_late = first_late_of(team, assignment, course)
    extended = any(one.assignment == assignment.id for one in team.extensions)
    name = f"{assignment.id} (extension)" if extended else assignment.id
    yield first_late, name
    for day in range(1, course.late.max_days + 1 if course.late.enabled else 1):
        yield days_after(first_late, day, zone=course.time_zone), f"{name}, late day {day}"


def lead_s(durations_s: Sequence[int]) -> int:
    """How long before a deadline the last look must begin to end before it.

    Args:
        durations_s: of earlier rounds, in whole seconds, oldest first.
    """
    recent = durations_s[-RECENT_ROUNDS:]
    if not recent:
        return UNMEASURED_LEAD_S
    return min(LEAD_LIMIT_S, 5 + (3 * (max(recent) + 1) + 1) // 2)


def duration_s(one: Round) -> int:
    """How long a round took, in whole seconds, by its last line."""
    return max((line.time for line in one.lines), default=one.time) - one.time


def instants(deadlines: Iterable[Moment], policy: WatchPolicy, *, lead_s: int) -> tuple[Instant, ...]:
    """When to look at whom, earliest first.

    A look that would still run when the last one before a deadline begins is done by that one.
    """
    deadlines = tuple(deadlines)
    exact = {moment.time for moment in deadlines}
    teams: dict[int, set[str]] = {}
    names: dict[int, list[str]] = {}
    for moment in deadlines:
        names.setdefault(moment.time, []).append(moment.what)
        for offset in _offsets(policy, lead_s):
            time = moment.time + offset
            place = time if time in exact else _clear_of(exact, time, lead_s)
            teams.setdefault(place, set()).update(moment.teams)
    return tuple(
        Instant(time, frozenset(who), tuple(names.get(time, ()))) for time, who in sorted(teams.items())
    )


def _offsets(policy: WatchPolicy, lead_s: int) -> set[int]:
    """Seconds from a deadline; negative before it."""
    end = policy.after_hours * HOUR_S
    doubling = {MINUTE_S << power for power in range(end.bit_length()) if MINUTE_S << power < end}
    return {
        *range(-policy.hourly_hours * HOUR_S, 0, HOUR_S),
        *range(-(policy.frequent_minutes // 10) * 10 * MINUTE_S, 0, 10 * MINUTE_S),
        *range(-policy.dense_minutes * MINUTE_S, 0, MINUTE_S),
        -lead_s,
        0,
        *doubling,
        end,
    }


def _clear_of(exact: Collection[int], time: int, lead_s: int) -> int:
    """The time itself, or that of the last look before a deadline that it would run into."""
    ahead = [deadline for deadline in exact if deadline - 2 * lead_s < time < deadline]
    return min(ahead) - lead_s if ahead else time


def due(planned: Sequence[Instant], seen: Mapping[str, int], *, now: int) -> tuple[Instant, ...]:
    """The instants that have come and at which not every team has been looked at since.

    Args:
        planned: as `instants` gives them.
        seen: team → when it was last tried, by our clock. A time that is yet to come is of a clock that has
            been set back since; it says nothing.
        now: by our clock.
    """
    return tuple(instant for instant in planned if instant.time <= now and unseen(instant, seen, now=now))


def unseen(instant: Instant, seen: Mapping[str, int], *, now: int) -> frozenset[str]:
    """The teams that have not been looked at since an instant."""
    return frozenset(team for team in instant.teams if not instant.time <= seen.get(team, -1) <= now)


def next_after(planned: Sequence[Instant], now: int) -> Instant | None:
    """The next instant that is to come; None when all have passed."""
    return next((instant for instant in planned if instant.time > now), None)


@dataclass(frozen=True)
class Coverage:
    """What the ledger holds about one deadline that has passed."""

    moment: Moment
    watched: frozenset[str]
    """Teams that were seen in the ten minutes before it."""
    delays_s: Mapping[str, int]
    """Team → how long after it the first look came that reached the repository; absent when none did."""

    @property
    def is_complete(self) -> bool:
        """Whether every team was seen shortly before, and afterwards."""
        return self.watched == self.moment.teams == self.delays_s.keys()

    @property
    def missing(self) -> tuple[str, ...]:
        """Teams of which there is no look on one of the two sides."""
        return tuple(sorted(self.moment.teams - (self.watched & self.delays_s.keys())))


def coverage(moment: Moment, rounds: Sequence[Round]) -> Coverage:
    """What the rounds say about a deadline."""
    watched: set[str] = set()
    delays: dict[str, int] = {}
    for team in moment.teams:
        times = [look.time for look in looks_at(team, rounds) if look.reached]
        if any(moment.time - WATCHED_S <= time < moment.time for time in times):
            watched.add(team)
        after = [time - moment.time for time in times if time >= moment.time]
        if after:
            delays[team] = min(after)
    return Coverage(moment, frozenset(watched), delays)
