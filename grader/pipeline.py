"""The system on one page: collect → examine → mark → report, from frozen records to frozen records.

Where noise leaves points open, a task is examined again with more samples before a person is asked. Every
stage saves what it made, whole or not at all, in the state folder; giving the same command again continues
where a run was stopped. Marks and pages are computed anew from what is stored: `grader report` runs nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from grader.collect.collector import Collected
from grader.collecting import OPEN_RUN, collect, collect_anew, look
from grader.course.marks_csv import read_class_marks
from grader.course.model import Assignment, Rubric
from grader.course.tree import CourseTree
from grader.errors import GraderError
from grader.examine.effort import EFFORTS
from grader.examine.executor import URGENT, USUAL
from grader.examine.request import with_effort
from grader.examine.scheduler import Scheduler
from grader.mark.gradebook import gradebook
from grader.marking import desk_of, results_of, tasks_left_open
from grader.records import GradeRow, Marksheet, Team
from grader.report.attention import Urgency
from grader.report.publish import AssignmentResults, ClassResults, Published, publish
from grader.report.queue import Case
from grader.run import REFERENCE, Run, material_of, reference_request, request_of
from grader.urgent import Answer, Wish, forget_answers, serve

__all__ = ["REFERENCE", "ClassGrades", "Run", "close_books", "grade", "look", "material_of"]


@dataclass(frozen=True, kw_only=True)
class ClassGrades:
    """What a run returns: every marksheet, the final marks as far as they are known, and where to look.

    Marksheets and rows are read when they are asked for, one by one: a class is too large to be held.
    """

    results: tuple[AssignmentResults, ...]
    rows: Mapping[str, GradeRow]
    """By student, in the order of the roster."""
    published: Published

    def cases(self, teams: Collection[str] = ()) -> tuple[Case, ...]:
        """What a person must look at, most urgent first; commits that only dates speak for are not in it."""
        groups = (group for group in self.published.attention if group.urgency is not Urgency.WEAK)
        return tuple(case for group in groups for case in group.cases if not teams or case.team in teams)

    def marksheets(self, *assignments: str, teams: Collection[str] = ()) -> Iterator[Marksheet]:
        """The marksheets of assignments, in their order and by team; of some teams or all."""
        results_of_teams = {result.assignment.id: result.teams for result in self.results}
        for name in assignments:
            found = results_of_teams[name]
            yield from (found[team].marksheet for team in found if not teams or team in teams)

    def answer(self, assignments: Sequence[str], teams: Collection[str]) -> Answer:
        """What a command prints that was asked for a few teams, as a record."""
        return Answer(
            marksheets=tuple(self.marksheets(*assignments, teams=teams)),
            cases=tuple(case.text() for case in self.cases(teams)),
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
        run.store.open()
        forget_answers(run.store)
        scheduler = Scheduler(
            run.executor(run.store),
            observe=run.observe,
            idle=lambda: serve(run.store, lambda wish: grade_urgently(run, scheduler, wish)),
        )
        stack.enter_context(scheduler)
        examine_teams(run, scheduler, assignments, teams)
        with run.store.in_turn():
            run.store.remove(OPEN_RUN)
            return close_books(run)


def examine_teams(
    run: Run, scheduler: Scheduler, assignments: Sequence[Assignment], teams: Sequence[Team]
) -> None:
    """Collect and examine until no noise is left that more samples could take away; the store has it all."""
    with run.store.in_turn():
        collected = collect(run, assignments, teams)
    examine(run, scheduler, assignments, collected)
    examine_doubtful(run, scheduler, assignments, collected)


def grade_urgently(run: Run, scheduler: Scheduler, wish: Wish) -> Answer:
    """Grade a few teams within a run that is under way, ahead of everything that waits in it."""
    teams = [team for team in run.roster.teams if team.id in wish.teams]
    if len(teams) < len(wish.teams):
        return Answer(problem="the roster of the run that is under way does not have all of these teams")
    try:
        assignments = [run.tree.assignment(name) for name in wish.assignments]
        pairs = [(team, assignment) for assignment in assignments for team in teams]
        with run.store.in_turn():
            collected = collect_anew(run, pairs)
        examine(run, scheduler, assignments, collected, priority=URGENT)
        examine_doubtful(run, scheduler, assignments, collected, priority=URGENT)
        with run.store.in_turn():
            return close_books(run).answer(wish.assignments, wish.teams)
    except GraderError as error:
        return Answer(problem=str(error))


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
    theirs = [r for c in collected if (r := request_of(run, materials[c.snapshot.assignment], c))]
    ours = [reference_request(run, material) for material in materials.values()]
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
    desks = {assignment.id: desk_of(run, assignment, marks) for assignment in assignments}
    for effort in EFFORTS:
        theirs, ours, unsure = [], {}, []
        for c in collected:
            desk = desks[c.snapshot.assignment]
            open_tasks = tasks_left_open(run, desk, c)
            for task, request in open_tasks:
                theirs.append(with_effort(request, task=task, effort=effort))
                reference = with_effort(desk.reference, task=task, effort=effort)
                ours[reference.key] = reference
            unsure += [c] if open_tasks else []
        collected = unsure  # more samples of theirs leave nobody else in doubt
        scheduler.examine_all(theirs, run.store, first=list(ours.values()), priority=priority)


def close_books(run: Run) -> ClassGrades:
    """Mark everything that is stored, compute the final marks, and write all reports."""
    marks = read_class_marks(run.tree, run.roster)
    results = tuple(results_of(run, assignment, marks) for assignment in run.tree.assignments())
    teams_of = {result.assignment.id: result.teams for result in results}

    def sheet_of(team: str, assignment: str) -> Marksheet | None:
        found = teams_of[assignment].get(team) if assignment in teams_of else None
        return found.marksheet if found else None

    final = gradebook(
        course=run.tree.course,
        roster=run.roster,
        sheet_of=sheet_of,
        exam=marks.exam,
        project=marks.project,
        items=marks.items,
        rubrics=_component_rubrics(run.tree),
    )
    rows = run.store.shelf(GradeRow, ((row.student, row) for row in final))
    shown = ClassResults(course=run.tree.course, roster=run.roster, results=results, rows=rows)
    published = publish(shown, store=run.store, out=run.out)
    return ClassGrades(results=results, rows=rows, published=published)


def _component_rubrics(tree: CourseTree) -> dict[str, Rubric]:
    found = {name: tree.component_rubric(name) for name in ("exam", "project")}
    return {name: rubric for name, rubric in found.items() if rubric is not None}
