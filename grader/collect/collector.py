"""A team and an assignment in, the commit that counts with its evidence, its files and its modules out.

`observe` talks to the servers, once for all teams; `collect` only reads what the mirrors, the ledger and the
push records hold, so it gives the same answer again as long as these do.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from grader.collect.choice import Case, Choice, choose, unless_renamed
from grader.collect.deadline import Deadline
from grader.collect.history import History
from grader.collect.late import MINUTE_S, first_late_of, grace_s
from grader.collect.ledger import Ledger, Round
from grader.collect.looks import (
    Look,
    complete_looks,
    counting_branch,
    default_since,
    failed_looks,
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
from grader.collect.signatures import Keys, load_keys, signed_times
from grader.collect.study import Study, no_branch, snapshot_of, unreachable, without_commit
from grader.collect.tree import write_files
from grader.collect.witness import Looked, look
from grader.course.counting import plural
from grader.course.instants import deadline_text
from grader.course.model import Assignment, Course
from grader.records import Decision, Evidence, Prepared, Record, Snapshot, Team
from grader.store import Store


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
        forge_keys: Path | None = None,
        tokens: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Nothing is read or written yet.

        Args:
            course: with the rules for collecting and for late work.
            state: folder for mirrors, ledger and written-out submissions.
            push_records: folder with `<team>.json`; None or absent when there are none.
            clock: seconds since the epoch.
            forge_keys: folder with the public keys that forges sign with; None or absent when there are none.
            tokens: host → access token for private repositories.
        """
        self._course = course
        self._store = Store(state)
        self._records = push_records
        self._forge_keys = forge_keys
        self._clock = clock
        self._ledger = Ledger(state / "ledger")
        self._rounds: tuple[Round, ...] | None = None
        self._loaded_keys: Keys | None = None
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
        return dict(self.look(teams).problems)

    def look(self, teams: Sequence[Team], *, boundaries: Collection[int] = ()) -> Looked:
        """As `observe`, with the round that was written; no answer straddles one of the `boundaries`.

        Raises:
            StoreError: the ledger is damaged; nothing is added to it.
        """
        self._rounds = None
        return look(
            teams, observer=self._observer, ledger=self._ledger, clock=self._clock, boundaries=boundaries
        )

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
            ConfigurationError: the deadline, the team's push record file or a forge's key is wrong.
            StoreError: the ledger is damaged.
        """
        study = self.study(team, assignment)
        plan = study.choice.plan if study.choice else None
        if plan is None:
            return Collected(snapshot=study.snapshot, prepared=None, files=None)
        name = f"submissions/{assignment.id}/{team.id}/{plan.digest}"
        write_files(self._mirror(team).git, plan, self._store, name)
        prepared = prepare(self._store.path(name), assignment.tasks)
        notes = (*plan.notes, *prepared.notes)
        prepared = prepared.model_copy(update={"notes": notes})
        return Collected(snapshot=study.snapshot, prepared=prepared, files=name)

    def study(self, team: Team, assignment: Assignment) -> Study:
        """Everything that is known of a team and an assignment, and what the rule says of it; writes nothing.

        Raises:
            CollectError: the mirror is damaged.
            ConfigurationError: the deadline, the team's push record file or a forge's key is wrong.
            StoreError: the ledger is damaged.
        """
        deadline = self._deadline(team, assignment)
        looks = self._looks(team)
        pushes = push_records(self._records, team.id, repo_url=team.repo_url)
        history = self._history(team, looks, pushes)
        ref = counting_branch(looks, deadline.first_late, configured=self._course.collect.branch)
        found = self._found(team, assignment, deadline, looks, ref, history)
        return Study(
            team=team,
            assignment=assignment,
            deadline=deadline,
            looks=looks,
            pushes=pushes,
            sightings=sightings(looks, pushes),
            ref=ref,
            history=history,
            choice=found if isinstance(found, Choice) else None,
            snapshot=snapshot_of(team, assignment, found),
        )

    def _found(
        self,
        team: Team,
        assignment: Assignment,
        deadline: Deadline,
        looks: Sequence[Look],
        ref: str | None,
        history: History | None,
    ) -> Choice | Evidence:
        """What the rule chooses, or the evidence that there is nothing to choose from."""
        if history is None or not up_to_date(looks, deadline.first_late):
            return unreachable(deadline)
        if ref is None or all(sighting.ref != ref for sighting in history.sightings):
            return no_branch(deadline, looks, ref)
        chosen = self._chosen(team, assignment, deadline, looks, ref, history)
        renamed = default_since(looks, deadline.first_late, configured=self._course.collect.branch)
        if renamed is None:
            return chosen
        new = self._chosen(team, assignment, deadline, looks, renamed, history)
        return unless_renamed(chosen, new)

    def _chosen(
        self,
        team: Team,
        assignment: Assignment,
        deadline: Deadline,
        looks: Sequence[Look],
        ref: str,
        history: History,
    ) -> Choice:
        return choose(
            Case(
                course=self._course,
                folder=assignment.folder,
                deadline=deadline,
                git=self._mirror(team).git,
                history=history,
                ref=ref,
                tip=last_heads(looks).get(ref),
                heads=heads_at(looks, deadline.first_late),
            )
        )

    def _deadline(self, team: Team, assignment: Assignment) -> Deadline:
        zone, late, policy = self._course.time_zone, self._course.late, self._course.collect
        first_late = first_late_of(team, assignment, self._course)
        text = deadline_text(first_late, zone=zone)
        return Deadline(
            first_late=first_late,
            text=f"{text} (with {plural(late.grace_minutes, 'minute')} of grace)" if grace_s(late) else text,
            gap_tolerance_s=policy.gap_tolerance_minutes * MINUTE_S,
            decisions=policy.decisions,
        )

    def _looks(self, team: Team) -> tuple[Look, ...]:
        if self._rounds is None:
            self._rounds = self._ledger.rounds()
        return looks_at(team.id, self._rounds)

    def _history(self, team: Team, looks: Sequence[Look], pushes: Sequence[Push]) -> History | None:
        """What the mirror has of everything that was seen; None when the repository was never read."""
        if not any(look.reached for look in looks):
            return None
        mirror, seen = self._mirror(team), sightings(looks, pushes)
        tips = mirror.commits_among(sighting.commit for sighting in seen)
        commits = read_history(mirror.git, tips)
        signed = signed_times(mirror.git, commits.values(), self.keys(), now=looks[-1].time)
        return History(commits, seen, pushes, signed, complete_looks(looks), failed_looks(looks))

    def keys(self) -> Keys:
        """The keys of forges that the course has installed.

        Raises:
            ConfigurationError: a key file is wrong.
        """
        if self._loaded_keys is None:
            self._loaded_keys = load_keys(self._forge_keys)
        return self._loaded_keys

    def _mirror(self, team: Team) -> Mirror:
        return Mirror(self._store.path("mirrors"), team.id, timeout_s=self._course.collect.timeout_s)


def not_collected(team: Team, assignment: Assignment) -> Collected:
    """What stands for a team whose collecting broke on our side: nobody loses marks, a person must look."""
    said = "collecting failed on our side; nobody loses marks for that, and a person looks into it"
    deadline = Deadline(first_late=0, text=assignment.deadline, gap_tolerance_s=0)
    evidence = without_commit(deadline, Decision.UNREACHABLE, said)
    return Collected(snapshot=snapshot_of(team, assignment, evidence), prepared=None, files=None)
