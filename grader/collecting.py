"""Teams and assignments in, the commits that count out, taken once a run and kept in the state folder."""

from collections.abc import Sequence

from grader.collect.anchoring import anchor_now, authority_of
from grader.collect.collector import Collected, Collector, not_collected
from grader.collect.ledger import Ledger
from grader.collect.noted import FOLDER as PUSH_RECORDS
from grader.collect.noted import note
from grader.collect.watch import moments
from grader.collect.witness import Looked
from grader.course.model import Assignment
from grader.errors import GraderError
from grader.examine.events import About
from grader.examine.events import Collected as CollectedEvent
from grader.examine.request import digest
from grader.forges.harvest import harvest
from grader.forges.http import PATIENT, Patience
from grader.forges.tokens import our_tokens
from grader.kept import collected_name, read_collected, set_aside_collected
from grader.records import Team
from grader.run import Run

OPEN_RUN = "open-run.txt"
"""There while a run is under way: what was collected for it still holds."""


def look(run: Run) -> Looked:
    """Look at every repository once and keep what is seen, as evidence.

    Also while a run grades, or a watch runs: only the looking itself goes by turns.
    """
    return _look(run, collector_of(run), run.roster.teams)


def _look(run: Run, collector: Collector, teams: Sequence[Team]) -> Looked:
    deadlines = moments(run.tree.course, run.tree.assignments(), teams)
    return collector.look(teams, boundaries={one.time for one in deadlines})


def stamp(run: Run) -> str:
    """Have the last round stamped, where the course names an authority; why it was not, or an empty text.

    Raises:
        StoreError: the ledger is damaged.
    """
    authority = authority_of(run.tree.course.collect, run.tree.root)
    return anchor_now(run.store.root, authority).problem if authority is not None else ""


def harvest_push_records(run: Run, *, patience: Patience = PATIENT) -> dict[str, str]:
    """Ask every forge for what it recorded of pushes, keep it, and note its hash; returns team → problem.

    Raises:
        StoreError: the ledger is damaged; what was harvested is kept.
    """
    course, teams, folder = run.tree.course, run.roster.teams, run.tree.root / PUSH_RECORDS
    problems = harvest(course, teams, folder, our_tokens(teams), run.clock, patience=patience)
    note(Ledger(run.store.path("ledger")), folder, now=run.clock())
    return problems


def collect(run: Run, assignments: Sequence[Assignment], teams: Sequence[Team]) -> list[Collected]:
    """Look at every repository once, and take the commit that counts for each assignment."""
    pairs = [(team, assignment) for assignment in assignments for team in teams]
    _begin_or_resume(run, pairs)
    return _collect_missing(run, pairs)


def collect_anew(run: Run, pairs: Sequence[tuple[Team, Assignment]]) -> list[Collected]:
    """Take the commits that count now, whatever was taken before in this run."""
    for pair in pairs:
        run.store.remove(collected_name(*pair))
    return _collect_missing(run, pairs)


def _collect_missing(run: Run, pairs: Sequence[tuple[Team, Assignment]]) -> list[Collected]:
    waiting = [pair for pair in pairs if not run.store.has(collected_name(*pair))]
    collector = collector_of(run)
    _look(run, collector, list({team.id: team for team, _ in waiting}.values()))
    for team, assignment in waiting:
        _collect_one(run, collector, team, assignment)
    return [c for pair in pairs if (c := read_collected(run.store, *pair))]


def collector_of(run: Run) -> Collector:
    """The collector of this run's course and state folder; it has read and written nothing yet."""
    return Collector(
        run.tree.course,
        state=run.store.root,
        push_records=run.tree.root / PUSH_RECORDS,
        clock=run.clock,
        forge_keys=run.tree.root / "forge_keys",
        tokens=our_tokens(run.roster.teams),
    )


def _collect_one(run: Run, collector: Collector, team: Team, assignment: Assignment) -> None:
    """Collect and store; one team's trouble (a damaged mirror, a file that nobody foresaw) stops nobody."""
    name = collected_name(team, assignment)
    try:
        collected = collector.collect(team, assignment)
        run.store.write(name, collected)
    except (GraderError, ValueError, LookupError, OSError, RecursionError, MemoryError) as error:
        decision = f"failed on our side: {type(error).__name__}: {error}"
        run.store.write(name, not_collected(team, assignment))
    else:
        decision = collected.snapshot.evidence.decision
    run.observe(CollectedEvent(about=About(assignment=assignment.id, team=team.id), decision=decision))


def _begin_or_resume(run: Run, pairs: Sequence[tuple[Team, Assignment]]) -> None:
    """Forget what an earlier, finished run collected; keep what a stopped run of the same command did."""
    name = digest(f"{team.id} {team.repo_url} {assignment.id}" for team, assignment in pairs)
    for team, assignment in pairs:
        if kept := set_aside_collected(run.store, team, assignment):
            said = f"what was collected before could not be read and is kept as {kept}; collected again"
            run.observe(CollectedEvent(about=About(assignment=assignment.id, team=team.id), decision=said))
    if run.store.read_text(OPEN_RUN) == name:
        return
    run.store.remove(OPEN_RUN)
    for pair in pairs:
        run.store.remove(collected_name(*pair))
    run.store.write_text(OPEN_RUN, name)
