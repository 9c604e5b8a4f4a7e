"""A course and its class in, a ledger round around and at every deadline out, until the last one is past.

Nothing is kept but the ledger: it says what has been looked at, so a watch that was killed goes on where it
was. What was missed meanwhile (the process was stopped, the machine slept, the clock was set) is made up for
at once, and said. The course and the class are read anew while waiting: an extension that is given on the
last evening counts.
"""

import fcntl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from grader.collect.clock import is_synchronised, skews
from grader.collect.ledger import UNREACHABLE, Ledger, Line, Round
from grader.collect.waiting import Pace, wait
from grader.collect.watch import (
    Coverage,
    Instant,
    Moment,
    coverage,
    due,
    duration_s,
    instants,
    lead_s,
    moments,
    next_after,
    unseen,
)
from grader.collect.watch_words import coverage_text, deadline_name, next_text
from grader.collecting import collector_of, stamp
from grader.course.counting import plural
from grader.course.instants import instant_text
from grader.errors import ConfigurationError, StateInUse
from grader.run import Run

LOCK = "watch.lock"
"""Held as long as a watch runs, so that there is one; looking itself goes by turns with everything else."""
RELOAD_S = 60
"""How often the course and the class are read anew while waiting."""
LATE_S = 30
"""A look that begins so long after its instant is said to have been missed."""
RETRY_S = 30
"""Wait after a round that could not be written, because the disk is full, say."""
HARVEST_ROOM_S = 900
"""Push records are asked for only where the next look is further away: a forge may let us wait."""
SOON_S = 60
"""A watch that looks once waits so long for the next instant: cron starts it every minute."""
STAMP_S = 60
"""Time without a look that a time stamp needs, so that a slow authority delays none."""


@dataclass(frozen=True)
class _Plan:
    """What is watched, as course and class are now."""

    run: Run
    deadlines: tuple[Moment, ...]
    _instants: dict[int, tuple[Instant, ...]] = field(default_factory=dict, init=False, compare=False)

    @property
    def zone(self) -> str:
        return self.run.tree.course.time_zone

    def instants(self, durations_s: Sequence[int]) -> tuple[Instant, ...]:
        """When to look; laid out before the wait, so that nothing is left to do as time is up."""
        lead = lead_s(durations_s)
        if lead not in self._instants:
            policy = self.run.tree.course.collect.watch
            self._instants[lead] = instants(self.deadlines, policy, lead_s=lead)
        return self._instants[lead]


@dataclass(kw_only=True)
class Watch:
    """Watches the deadlines of a course."""

    open_run: Callable[[], Run]
    """Reads the course and the class anew."""
    assignments: Sequence[str] = ()
    """Assignments to watch, by id or its beginning; empty means all."""
    say: Callable[[str], None]
    """Told what happens, a line each."""
    pace: Pace = field(default_factory=Pace)
    harvest: Callable[[Run], Mapping[str, str]] | None = None
    """Asks the forges for push records between looks; returns team → problem. None asks nobody."""
    _seen: dict[str, int] = field(default_factory=dict)
    """Team → when it was last tried."""
    _heads: dict[str, tuple[Line, ...]] = field(default_factory=dict)
    """Team → what it was last seen to have."""
    _durations_s: list[int] = field(default_factory=list)
    _said: dict[str, str] = field(default_factory=dict)
    _is_unharvested: bool = False
    """Whether there was a look since push records were asked for."""
    _is_stale: bool = False
    """Whether course and class are to be read anew, once nobody waits to be looked at."""
    _wants_stamp: bool = False

    def watch(self, *, once: bool = False) -> tuple[Coverage, ...]:
        """Look around and at every deadline until the last one is past.

        Args:
            once: look if a look is due, or will be within a minute, and do not wait for more.

        Returns:
            What the ledger holds about each deadline that is past.

        Raises:
            ConfigurationError: the course or the class is wrong at the start; later the last good one stays.
            StateInUse: another watch runs on this state folder.
            StoreError: the ledger is damaged.
        """
        plan = self._plan()
        with _alone(plan.run):
            self._recall(plan)
            self._say_state_of_clock(plan)
            while True:
                planned = plan.instants(self._durations_s)
                waiting = due(planned, self._seen, now=self._now()) or self._newcomers(plan)
                if waiting:
                    self._look(plan, waiting)
                    self._is_stale = self._is_unharvested = True
                elif self._is_stale:
                    plan = self._renewed(plan)
                else:
                    upcoming = next_after(planned, self._now())
                    self._stamp(plan, upcoming)
                    if self._harvested(plan, upcoming):
                        continue
                    if upcoming is None or (once and upcoming.time - self._now() > SOON_S):
                        return self._known(plan, upcoming)
                    self._say_once(plan, "next", next_text(upcoming, plan.zone))
                    self._wait(plan, upcoming)

    def _now(self) -> int:
        return int(self.pace.now())

    def _plan(self) -> _Plan:
        run = self.open_run()
        chosen = [run.tree.assignment(name) for name in self.assignments] or run.tree.assignments()
        return _Plan(run, moments(run.tree.course, chosen, run.roster.teams))

    def _newcomers(self, plan: _Plan) -> tuple[Instant, ...]:
        """Teams that nobody has looked at yet: whether they can be reached is better known early."""
        new = frozenset().union(*(moment.teams for moment in plan.deadlines)) - self._seen.keys()
        return (Instant(self._now(), new),) if new else ()

    def _renewed(self, plan: _Plan) -> _Plan:
        """The course and the class as they are now; while they cannot be read, as they were."""
        self._is_stale = False
        try:
            return self._plan()
        except (ConfigurationError, OSError) as error:
            self._say_once(plan, "course", f"the watch goes on with the course as it was: {error}")
            return plan

    def _recall(self, plan: _Plan) -> None:
        for one in _rounds(plan.run):
            self._remember(plan, one)

    def _remember(self, plan: _Plan, one: Round) -> int:
        """Keep what a round says; returns how many teams have moved since they were seen before."""
        tried, moved = {line.team for line in one.lines}, 0
        for name in (team.id for team in plan.run.roster.teams if team.id in tried):
            lines = one.of(name)
            self._seen[name] = lines[0].time
            if not _is_unreachable(lines):
                heads = tuple(Line(line.team, line.name, line.value, 0) for line in lines)
                moved += self._heads.get(name, heads) != heads
                self._heads[name] = heads
        known = plan.run.roster.teams
        if 2 * sum(team.id in tried for team in known) > len(known):
            self._durations_s.append(duration_s(one))
        return moved

    def _look(self, plan: _Plan, waiting: Sequence[Instant]) -> None:
        now = self._now()
        missed = [instant for instant in waiting if instant.time < now - LATE_S]
        if missed and self._seen:
            since = instant_text(missed[0].time, zone=plan.zone)
            self._say(plan, f"missed {plural(len(missed), 'look')} since {since}; looking now")
        wanted = frozenset().union(*(unseen(instant, self._seen, now=now) for instant in waiting))
        teams = [team for team in plan.run.roster.teams if team.id in wanted]
        try:
            looked = collector_of(plan.run).look(teams, boundaries={m.time for m in plan.deadlines})
        except OSError as error:
            self._say(plan, f"the round could not be written: {error}; trying again in {RETRY_S} s")
            self.pace.sleep(RETRY_S)
            return
        if looked.round is not None:
            self._tell(plan, looked.round, waiting)
        for team in teams:
            if problem := looked.problems.get(team.id):
                self._say_once(plan, f"team {team.id}", f"{team.id}: {problem}")
            else:
                self._said.pop(f"team {team.id}", None)

    def _stamp(self, plan: _Plan, upcoming: Instant | None) -> None:
        """Have the round of a deadline stamped, where there is an authority; if it fails, the next round."""
        if not self._wants_stamp or (upcoming is not None and upcoming.time - self._now() < STAMP_S):
            return
        self._wants_stamp = False
        if problem := stamp(plan.run):
            self._say_once(plan, "stamp", f"no time stamp: {problem}; the next round is stamped instead")
        else:
            self._said.pop("stamp", None)

    def _harvested(self, plan: _Plan, upcoming: Instant | None) -> bool:
        """Ask for push records where that is still to do and no look can be missed over it."""
        has_room = upcoming is None or upcoming.time - self._now() > HARVEST_ROOM_S
        if self.harvest is None or not self._is_unharvested or not has_room:
            return False
        self._is_unharvested = False
        try:
            problems = self.harvest(plan.run)
        except OSError as error:
            self._say(plan, f"the hashes of the push records could not be noted: {error}")
            return True
        self._wants_stamp |= upcoming is None  # nothing comes later that would fix what was just noted
        for team in plan.run.roster.teams:
            said = problems.get(team.id, "push records are kept")
            self._say_once(plan, f"pushes {team.id}", f"{team.id}: {said}")
        return True

    def _tell(self, plan: _Plan, one: Round, waiting: Sequence[Instant]) -> None:
        moved = self._remember(plan, one)
        known = {team.id for team in plan.run.roster.teams}
        tried = {line.team for line in one.lines if line.team in known}
        lost = [team for team in tried if _is_unreachable(one.of(team))]
        self._say(
            plan,
            f"round {one.number}: {len(tried) - len(lost)} of {plural(len(tried), 'team')} seen, "
            f"{moved} moved, {len(lost)} unreachable; ledger head {one.sha256}",
        )
        passed = [name for instant in waiting for name in instant.deadline_of]
        for moment in plan.deadlines:
            times = [line.time for line in one.lines if line.team in moment.teams]
            if times and one.time < moment.time <= max(times):
                over = deadline_name(moment, plan.zone)
                self._say(plan, f"this round ran over {over}; whoever was seen before is looked at again")
                passed += [moment.what] if moment.time <= min(times) else []
        self._wants_stamp |= bool(passed) or "stamp" in self._said
        if passed:
            names = ", ".join(passed)
            self._say(
                plan, f"{names}: time is up; post this head where nobody can change it, such as the LMS"
            )
        for skew in skews([one]):
            if skew.is_large:
                self._say(plan, skew.text(plan.zone))

    def _wait(self, plan: _Plan, upcoming: Instant) -> None:
        """Sleep until an instant, or until it is time to read the course anew, or the clock is set."""
        jump_s = wait(self.pace, upcoming.time, enough_s=RELOAD_S)
        if jump_s:
            way = "on, or this machine slept" if jump_s > 0 else "back"
            self._say(plan, f"the clock was set {abs(jump_s):.0f} s {way}")
        elif upcoming.time > self.pace.now():
            self._is_stale = True

    def _known(self, plan: _Plan, upcoming: Instant | None) -> tuple[Coverage, ...]:
        if upcoming is not None:
            self._say(plan, next_text(upcoming, plan.zone))
            return ()
        rounds, now = _rounds(plan.run), self._now()
        known = tuple(coverage(moment, rounds) for moment in plan.deadlines if moment.time <= now)
        for one in known:
            self._say(plan, coverage_text(one, plan.zone))
        return known

    def _say_state_of_clock(self, plan: _Plan) -> None:
        if is_synchronised() is False:
            self._say(plan, "no time server sets this machine's clock, by what its kernel says")

    def _say_once(self, plan: _Plan, about: str, text: str) -> None:
        """Say what is new about something; what was said of it last is not repeated every minute."""
        if self._said.get(about) != text:
            self._said[about] = text
            self._say(plan, text)

    def _say(self, plan: _Plan, text: str) -> None:
        line = "".join(mark if mark.isprintable() else " " for mark in text)
        self.say(f"{instant_text(self._now(), zone=plan.zone)}  {line}")


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    run.store.root.mkdir(parents=True, exist_ok=True)
    with run.store.path(LOCK).open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(
                "another watch is running on this state folder; one is enough, so this one ends"
            ) from None
        yield


def _rounds(run: Run) -> tuple[Round, ...]:
    return Ledger(run.store.path("ledger")).rounds()


def _is_unreachable(lines: Iterable[Line]) -> bool:
    return any(line.name == UNREACHABLE for line in lines)
