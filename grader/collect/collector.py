"""A team and an assignment in, the commit that counts with its evidence, its files and its modules out.

`observe` talks to the servers, once for all teams; `collect` only reads what the mirrors, the ledger and the
push records hold, so it gives the same answer again as long as these do.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import grader
from grader.collect.choice import Case, Choice, choose
from grader.collect.deadline import Deadline, branch
from grader.collect.history import History
from grader.collect.late import MINUTE_S, grace_s
from grader.collect.ledger import Ledger, Round
from grader.collect.looks import (
    Look,
    counting_branch,
    heads_at,
    last_heads,
    looks_at,
    sightings,
    up_to_date,
)
from grader.collect.mirror import Mirror
from grader.collect.notebook import prepare
from grader.collect.objects import read_history
from grader.collect.observation import Observer
from grader.collect.push_records import Push, push_records
from grader.collect.tree import write_files
from grader.course.instants import deadline_text, wall_clock_to_epoch
from grader.course.model import Assignment, Course
from grader.records import Decision, Evidence, Prepared, Record, Sighting, Snapshot, Team
from grader.store import Store

NAMED_BRANCHES = 10
"""Branches that a message lists."""


class Collected(Record):
    """What was taken of one team for one assignment."""

    snapshot: Snapshot
    prepared: Prepared | None
    files: str | None
    """Folder of the written-out submission, relative to the state folder; None when there is nothing."""


class Collector:
    """Collects for one course. `observe` first, then `collect` for each team and assignment."""

    def __init__(
        self,
        course: Course,
        *,
        state: Path,
        push_records: Path | None,
        clock: Callable[[], int],
        tokens: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Nothing is read or written yet.

        Args:
            course: with the rules for collecting and for late work.
            state: folder for mirrors, ledger and written-out submissions.
            push_records: folder with `<team>.json`; None or absent when there are none.
            clock: seconds since the epoch.
            tokens: host → access token for private repositories.
        """
        self._course = course
        self._store = Store(state)
        self._records = push_records
        self._clock = clock
        self._ledger = Ledger(state / "ledger")
        self._rounds: tuple[Round, ...] | None = None
        self._observer = Observer(
            mirrors=state / "mirrors",
            push_records=push_records,
            policy=course.collect,
            tokens=tokens,
            clock=clock,
        )

    def observe(self, teams: Sequence[Team]) -> dict[str, str]:
        """Look at every repository once, fetch what moved, and write a ledger round.

        Returns:
            Team id → problem, for those that could not be read.

        Raises:
            StoreError: the ledger is damaged; nothing is added to it.
        """
        self._ledger.verify()
        began = self._clock()
        observations = self._observer.look_at(teams)
        lines = [line for observation in observations for line in observation.lines]
        if lines:
            self._ledger.append(lines, time=began, version=grader.__version__)
        self._rounds = None
        return {seen.team: seen.problem for seen in observations if seen.problem is not None}

    def ledger_head(self) -> str:
        """Hash of the last round; posted at a deadline, it fixes everything before it.

        Raises:
            StoreError: the ledger is damaged.
        """
        return self._ledger.verify()

    def collect(self, team: Team, assignment: Assignment) -> Collected:
        """The commit that counts, its files written out and its modules prepared.

        Raises:
            CollectError: the mirror is damaged.
            ConfigurationError: the deadline or the team's push record file is wrong.
            StoreError: the ledger is damaged.
        """
        deadline = self._deadline(team, assignment)
        looks = self._looks(team)
        if not up_to_date(looks, deadline.first_late):
            return _nothing(team, assignment, _unreachable(deadline))
        pushes = push_records(self._records, team.id)
        seen = sightings(looks, pushes)
        ref = counting_branch(looks, deadline.first_late, configured=self._course.collect.branch)
        if ref is None or all(sighting.ref != ref for sighting in seen):
            return _nothing(team, assignment, _no_branch(deadline, looks, ref))
        case = Case(
            course=self._course,
            folder=assignment.folder,
            deadline=deadline,
            git=self._mirror(team).git,
            history=self._history(team, seen, pushes),
            ref=ref,
            tip=last_heads(looks).get(ref),
            heads=heads_at(looks, deadline.first_late),
        )
        return self._taken(team, assignment, choose(case))

    def _deadline(self, team: Team, assignment: Assignment) -> Deadline:
        extended = [one.deadline for one in team.extensions if one.assignment == assignment.id]
        wall_clock = extended[-1] if extended else assignment.deadline
        zone, late = self._course.time_zone, self._course.late
        first_late = wall_clock_to_epoch(wall_clock, zone) + grace_s(late)
        text = deadline_text(first_late, zone=zone)
        return Deadline(
            first_late=first_late,
            text=f"{text} (with {late.grace_minutes} minutes of grace)" if grace_s(late) else text,
            gap_tolerance_s=self._course.collect.gap_tolerance_minutes * MINUTE_S,
        )

    def _looks(self, team: Team) -> tuple[Look, ...]:
        if self._rounds is None:
            self._rounds = self._ledger.rounds()
        return looks_at(team.id, self._rounds)

    def _history(self, team: Team, seen: Sequence[Sighting], pushes: Sequence[Push]) -> History:
        mirror = self._mirror(team)
        tips = mirror.commits_among(sighting.commit for sighting in seen)
        return History(read_history(mirror.git, tips), seen, pushes)

    def _mirror(self, team: Team) -> Mirror:
        return Mirror(self._store.path("mirrors"), team.id, timeout_s=self._course.collect.timeout_s)

    def _taken(self, team: Team, assignment: Assignment, choice: Choice) -> Collected:
        commit = choice.case.history.commits.get(choice.commit or "")
        snapshot = Snapshot(
            team=team.id,
            assignment=assignment.id,
            commit=choice.commit,
            tree=choice.tree,
            committer_date=commit.committed if commit else None,
            days_late=choice.days_late,
            evidence=choice.evidence,
            problem=choice.problem,
            problem_is_ours=choice.problem_is_ours,
        )
        if choice.plan is None:
            return Collected(snapshot=snapshot, prepared=None, files=None)
        name = f"submissions/{assignment.id}/{team.id}/{choice.plan.digest}"
        write_files(choice.case.git, choice.plan, self._store, name)
        prepared = prepare(self._store.path(name), assignment.tasks)
        notes = (*choice.plan.notes, *prepared.notes)
        return Collected(snapshot=snapshot, prepared=prepared.model_copy(update={"notes": notes}), files=name)


def not_collected(team: Team, assignment: Assignment) -> Collected:
    """What stands for a team whose collecting broke on our side: nobody loses marks, a person must look."""
    said = "collecting failed on our side; nobody loses marks for that, and a person looks into it"
    deadline = Deadline(first_late=0, text=assignment.deadline, gap_tolerance_s=0)
    return _nothing(team, assignment, _without_commit(deadline, Decision.UNREACHABLE, said))


def _nothing(team: Team, assignment: Assignment, evidence: Evidence) -> Collected:
    ours = evidence.decision in {Decision.UNREACHABLE, Decision.AMBIGUOUS}
    snapshot = Snapshot(
        team=team.id,
        assignment=assignment.id,
        commit=None,
        tree=None,
        evidence=evidence,
        problem=evidence.explanation if ours else f"no submission: {evidence.explanation}",
        problem_is_ours=ours,
    )
    return Collected(snapshot=snapshot, prepared=None, files=None)


def _unreachable(deadline: Deadline) -> Evidence:
    said = (
        "the repository could not be read since the deadline; nobody loses marks for that, and a person "
        "looks into it"
    )
    return _without_commit(deadline, Decision.UNREACHABLE, said)


def _no_branch(deadline: Deadline, looks: Sequence[Look], ref: str | None) -> Evidence:
    """Nothing was ever seen on the branch that counts, or nothing says which branch that is."""
    heads = sorted(heads_at(looks, deadline.first_late))
    names = ", ".join(f"`{branch(name)}`" for name in heads[:NAMED_BRANCHES])
    if not heads:
        return _without_commit(deadline, Decision.NO_COMMIT, "the repository is empty")
    if ref is None:
        said = f"the repository names no default branch and has several ({names}); a person decides"
        return _without_commit(deadline, Decision.AMBIGUOUS, said)
    said = f"the repository has no branch `{branch(ref)}`; it has {names}"
    return _without_commit(deadline, Decision.NO_COMMIT, said)


def _without_commit(deadline: Deadline, decision: Decision, explanation: str) -> Evidence:
    return Evidence(
        decision=decision,
        level=None,
        deadline=deadline.first_late,
        deadline_text=deadline.text,
        explanation=explanation,
    )
