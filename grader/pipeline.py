"""The system on one page: collect → examine → mark → report, from frozen records to frozen records.

Where noise leaves points open, a task is examined again with more samples before a person is asked. Every
stage saves what it made, whole or not at all, in the state folder; giving the same command again continues
where a run was stopped. Marks and pages are computed anew from what is stored: `grader report` runs nothing.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from grader.collect.collector import Collected, Collector, not_collected
from grader.collect.notebook import prepare
from grader.course.marks_csv import ClassMarks, read_class_marks
from grader.course.model import Assignment, Bands, Roster, Rubric
from grader.course.scale import DIGITS
from grader.course.tree import CourseTree
from grader.data.data_sets import data_digest
from grader.errors import GraderError
from grader.examine.effort import EFFORTS
from grader.examine.events import About
from grader.examine.events import Collected as CollectedEvent
from grader.examine.executor import URGENT, USUAL, Report
from grader.examine.request import ExamRequest, Material, Work, digest, new_request, with_effort
from grader.examine.rounds import found_out, is_to_be_sharpened
from grader.examine.scheduler import OpenExecutor, Scheduler, on_this_machine
from grader.examine.stored import load
from grader.kept import (
    collected_name,
    flagged,
    read_collected,
    record_marks,
    recorded_marks,
    set_aside_collected,
)
from grader.mark.gradebook import gradebook
from grader.mark.rubric import mark, tasks_in_doubt
from grader.records import GradeRow, Marksheet, Team
from grader.report.attention import Case, Urgency
from grader.report.publish import AssignmentResults, ClassResults, Published, TeamResult, publish
from grader.store import Store
from grader.urgent import Answer, Wish, forget_answers, serve

REFERENCE = "reference"
"""Team name under which our own solution is examined, before anybody else's."""

OPEN_RUN = "open-run.txt"
"""There while a run is under way: what was collected for it still holds."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one command works on."""

    tree: CourseTree
    roster: Roster
    store: Store
    out: Path
    sandbox: str = "auto"
    executor: OpenExecutor = field(default_factory=lambda: on_this_machine(2))
    """Where examinations run."""
    clock: Callable[[], int] = lambda: int(time.time())
    observe: Report = lambda _: None
    """Told what happens: for the display and the event log."""


@dataclass(frozen=True, kw_only=True)
class ClassGrades:
    """What a run returns: every marksheet, the final marks as far as they are known, and where to look."""

    results: tuple[AssignmentResults, ...]
    rows: tuple[GradeRow, ...]
    published: Published

    def cases(self, teams: Collection[str] = ()) -> tuple[Case, ...]:
        """What a person must look at, most urgent first; commits that only dates speak for are not in it."""
        groups = (group for group in self.published.attention if group.urgency is not Urgency.WEAK)
        return tuple(case for group in groups for case in group.cases if not teams or case.team in teams)

    def marksheets(self, assignment: str) -> tuple[Marksheet, ...]:
        """The marksheets of one assignment, by team."""
        return tuple(
            team.marksheet for r in self.results if r.assignment.id == assignment for team in r.teams
        )

    def answer(self, assignments: Sequence[str], teams: Collection[str] = ()) -> Answer:
        """What a command prints that was asked for some assignments, and for some teams or all."""
        sheets = [s for name in assignments for s in self.marksheets(name) if not teams or s.team in teams]
        cases = self.cases({sheet.team for sheet in sheets})
        return Answer(
            marksheets=tuple(sheets),
            cases=tuple(case.text() for case in cases),
            index=str(self.published.index),
        )


def grade(run: Run, assignment_ids: Sequence[str], *, only: Sequence[str] = ()) -> ClassGrades:
    """Grade assignments, from the teams' repositories to the reports.

    Args:
        run: the course, the class, and where things go.
        assignment_ids: ids of assignments.
        only: teams to grade; empty means all.

    Raises:
        ConfigurationError: the course tree is not usable.
        StoreError: another run holds the state folder.
    """
    assignments = [run.tree.assignment(name) for name in assignment_ids]
    teams = [team for team in run.roster.teams if not only or team.id in only]
    with run.store.locked(), ExitStack() as stack:
        forget_answers(run.store)
        scheduler = Scheduler(
            run.executor(run.store),
            observe=run.observe,
            idle=lambda: serve(run.store, lambda wish: grade_urgently(run, scheduler, wish)),
        )
        stack.enter_context(scheduler)
        with run.store.in_turn():
            collected = collect(run, assignments, teams)
        examine(run, scheduler, assignments, collected)
        examine_doubtful(run, scheduler, assignments, collected)
        with run.store.in_turn():
            run.store.remove(OPEN_RUN)
            return close_books(run)


def grade_urgently(run: Run, scheduler: Scheduler, wish: Wish) -> Answer:
    """Grade a few teams within a run that is under way, ahead of everything that waits in it."""
    teams = [team for team in run.roster.teams if team.id in wish.teams]
    if len(teams) < len(wish.teams):
        return Answer(problem="the roster of the run that is under way does not have all of these teams")
    try:
        assignments = [run.tree.assignment(name) for name in wish.assignments]
        pairs = [(team, assignment) for assignment in assignments for team in teams]
        with run.store.in_turn():
            collected = _collect_anew(run, pairs)
        examine(run, scheduler, assignments, collected, priority=URGENT)
        examine_doubtful(run, scheduler, assignments, collected, priority=URGENT)
        with run.store.in_turn():
            return close_books(run).answer(wish.assignments, wish.teams)
    except GraderError as error:
        return Answer(problem=str(error))


def look(run: Run) -> dict[str, str]:
    """Look at every repository once and keep what is seen, as evidence; returns team → problem."""
    with run.store.locked():
        return _collector(run).observe(run.roster.teams)


def collect(run: Run, assignments: Sequence[Assignment], teams: Sequence[Team]) -> list[Collected]:
    """Look at every repository once, and take the commit that counts for each assignment."""
    pairs = [(team, assignment) for assignment in assignments for team in teams]
    _begin_or_resume(run, pairs)
    return _collect_missing(run, pairs)


def _collect_anew(run: Run, pairs: Sequence[tuple[Team, Assignment]]) -> list[Collected]:
    for pair in pairs:
        run.store.remove(collected_name(*pair))
    return _collect_missing(run, pairs)


def _collect_missing(run: Run, pairs: Sequence[tuple[Team, Assignment]]) -> list[Collected]:
    waiting = [pair for pair in pairs if not run.store.has(collected_name(*pair))]
    collector = _collector(run)
    collector.observe(list({team.id: team for team, _ in waiting}.values()))
    for team, assignment in waiting:
        _collect_one(run, collector, team, assignment)
    return [c for pair in pairs if (c := read_collected(run.store, *pair))]


def examine(
    run: Run,
    scheduler: Scheduler,
    assignments: Sequence[Assignment],
    collected: Sequence[Collected],
    *,
    priority: int = USUAL,
) -> None:
    """Examine our references first, then every submission that was taken; the store keeps the results."""
    materials = {assignment.id: material_of(run.tree, assignment) for assignment in assignments}
    theirs = [r for c in collected if (r := _request(run, materials[c.snapshot.assignment], c))]
    ours = [_reference_request(run, material) for material in materials.values()]
    scheduler.examine_all(theirs, run.store, first=ours, priority=priority)


def examine_doubtful(
    run: Run,
    scheduler: Scheduler,
    assignments: Sequence[Assignment],
    collected: Sequence[Collected],
    *,
    priority: int = USUAL,
) -> None:
    """Where noise leaves points open: the task in doubt again with 4 and then with 16 times the samples.

    Only what is still in doubt goes on to the next round, our reference always first; what is stored is not
    run again, so a run that was stopped goes on where it was.
    """
    marks = read_class_marks(run.tree, run.roster)
    desks = {assignment.id: _desk(run, assignment, marks) for assignment in assignments}
    for effort in EFFORTS:
        theirs, ours = [], {}
        for c in collected:
            desk = desks[c.snapshot.assignment]
            for task, request in _in_doubt(run, desk, c):
                theirs.append(with_effort(request, task=task, effort=effort))
                reference = with_effort(desk.reference, task=task, effort=effort)
                ours[reference.key] = reference
        scheduler.examine_all(theirs, run.store, first=list(ours.values()), priority=priority)


def _in_doubt(run: Run, desk: "_Desk", collected: Collected) -> list[tuple[str, ExamRequest]]:
    """The tasks of one submission that noise leaves open, with its usual examination."""
    request = _request(run, desk.material, collected)
    if request is None:
        return []
    doubtful = tasks_in_doubt(_marked(run, desk, collected).marksheet, desk.rubric)
    return [(task, request) for task in doubtful]


def close_books(run: Run) -> ClassGrades:
    """Mark everything that is stored, compute the final marks, and write all reports."""
    marks = read_class_marks(run.tree, run.roster)
    results = tuple(_results(run, assignment, marks) for assignment in run.tree.assignments())
    marksheets = {
        (team.marksheet.team, result.assignment.id): team.marksheet
        for result in results
        for team in result.teams
    }
    rows = gradebook(
        course=run.tree.course,
        roster=run.roster,
        marksheets=marksheets,
        exam=marks.exam,
        project=marks.project,
        items=marks.items,
        rubrics=_component_rubrics(run.tree),
    )
    shown = ClassResults(course=run.tree.course, roster=run.roster, results=results, rows=rows)
    return ClassGrades(results=results, rows=rows, published=publish(shown, store=run.store, out=run.out))


def _component_rubrics(tree: CourseTree) -> dict[str, Rubric]:
    found = {name: tree.component_rubric(name) for name in ("exam", "project")}
    return {name: rubric for name, rubric in found.items() if rubric is not None}


def material_of(tree: CourseTree, assignment: Assignment) -> Material:
    """Our side of an assignment; the reference takes the same path as everybody's work.

    Raises:
        ConfigurationError: the image data of the assignment's scale are not there, or have changed.
    """
    folder = tree.reference_dir(assignment.id)
    reference = Work(team=REFERENCE, folder=str(folder), prepared=prepare(folder, assignment.tasks))
    data_folder = tree.data_dir()
    from_folder = assignment.images != DIGITS
    return Material(
        assignment=assignment,
        folder=str(tree.assignment_dir(assignment.id)),
        data_folder=str(data_folder),
        data_digest=data_digest(assignment.images, data_folder) if from_folder else "",
        reference=reference,
    )


def _reference_request(run: Run, material: Material) -> ExamRequest:
    seed = material.assignment.seed
    return new_request(material.reference, material, sandbox=run.sandbox, seed=seed)


def _request(run: Run, material: Material, collected: Collected) -> ExamRequest | None:
    """The examination of a submission, or None where there is nothing to examine."""
    if collected.files is None or collected.prepared is None:
        return None
    folder = str(run.store.path(collected.files))
    work = Work(team=collected.snapshot.team, folder=folder, prepared=collected.prepared)
    return new_request(work, material, sandbox=run.sandbox, seed=material.assignment.seed)


def _collector(run: Run) -> Collector:
    push_records = run.tree.root / "push_records"
    return Collector(run.tree.course, state=run.store.root, push_records=push_records, clock=run.clock)


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


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What the work for one assignment is marked with."""

    material: Material
    reference: ExamRequest
    rubric: Rubric
    bands: Bands | None
    marks: ClassMarks


def _desk(run: Run, assignment: Assignment, marks: ClassMarks) -> _Desk:
    material = material_of(run.tree, assignment)
    return _Desk(
        material=material,
        reference=_reference_request(run, material),
        rubric=run.tree.rubric(assignment.id),
        bands=run.tree.bands(assignment.id),
        marks=marks,
    )


def _results(run: Run, assignment: Assignment, marks: ClassMarks) -> AssignmentResults:
    """Everything that is stored about one assignment, marked; the marks that are settled are recorded."""
    desk = _desk(run, assignment, marks)
    stored = [
        collected for team in run.roster.teams if (collected := read_collected(run.store, team, assignment))
    ]
    teams = tuple(_marked(run, desk, collected) for collected in stored)
    for collected, team in zip(stored, teams, strict=True):
        _record(run, desk, collected, team.marksheet)
    return AssignmentResults(
        assignment=assignment,
        rubric=desk.rubric,
        bands=desk.bands,
        reference=load(run.store, desk.reference),
        teams=teams,
    )


def _marked(run: Run, desk: _Desk, collected: Collected) -> TeamResult:
    """The marksheet of one team, from what is stored."""
    snapshot, request = collected.snapshot, _request(run, desk.material, collected)
    examination = found_out(run.store, request, desk.reference) if request else None
    marksheet = mark(
        snapshot=snapshot,
        examination=examination,
        rubric=desk.rubric,
        bands=desk.bands,
        manual=desk.marks.manual_of(assignment=snapshot.assignment, team=snapshot.team),
        late=run.tree.course.late,
        recorded=recorded_marks(run.store, snapshot),
    )
    flagged_sheet = flagged(run.store, snapshot, marksheet)
    return TeamResult(snapshot=snapshot, examination=examination, marksheet=flagged_sheet)


def _record(run: Run, desk: _Desk, collected: Collected, given: Marksheet) -> None:
    """Keep the last settled mark of each criterion, so that only more than noise moves it afterwards.

    A mark that is open, or that a person must look at, replaces none. Of a commit that we could not take
    for a reason of ours nothing is known, so what is recorded stays; for another commit it begins anew.
    """
    snapshot = collected.snapshot
    if snapshot.problem_is_ours:
        return
    provisional = _provisional(run, desk, collected, given)
    before = recorded_marks(run.store, snapshot)
    kept = {mark.criterion: mark for mark in before.marks} if before else {}
    kept |= {
        mark.criterion: mark
        for mark in given.marks
        if mark.points is not None and not mark.needs_person and mark.criterion not in provisional
    }
    sheet = given.model_copy(update={"marks": tuple(kept.values()), "total": None, "flags": ()})
    record_marks(run.store, snapshot, sheet)


def _provisional(run: Run, desk: _Desk, collected: Collected, given: Marksheet) -> set[str]:
    """Criteria of tasks in doubt that are yet to be examined with more samples: all their figures sharpen."""
    request = _request(run, desk.material, collected)
    if request is None:
        return set()
    doubtful = tasks_in_doubt(given, desk.rubric)
    waiting = {task for task in doubtful if is_to_be_sharpened(run.store, request, task)}
    return {criterion.id for criterion in desk.rubric.criteria if criterion.task in waiting}
