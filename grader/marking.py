"""What is stored of the work for an assignment in, marksheets out; settled marks are recorded."""

from collections.abc import Iterator
from dataclasses import dataclass

from grader.collect.collector import Collected
from grader.course.marks_csv import ClassMarks
from grader.course.model import Assignment, Bands, Rubric
from grader.examine.request import ExamRequest, Material
from grader.examine.rounds import found_out, is_to_be_sharpened
from grader.examine.stored import load
from grader.kept import flagged, read_collected, record_marks, recorded_marks
from grader.mark.rubric import mark, tasks_in_doubt
from grader.records import Marksheet, Snapshot
from grader.report.publish import AssignmentResults, TeamResult
from grader.run import Run, material_of, reference_request, request_of


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the work for one assignment is marked with."""

    material: Material
    reference: ExamRequest
    rubric: Rubric
    bands: Bands | None
    marks: ClassMarks


def desk_of(run: Run, assignment: Assignment, marks: ClassMarks) -> Desk:
    """What an assignment is marked with, as the course tree says now."""
    material = material_of(run.tree, assignment)
    return Desk(
        material=material,
        reference=reference_request(run, material),
        rubric=run.tree.rubric(assignment.id),
        bands=run.tree.bands(assignment.id),
        marks=marks,
    )


def results_of(run: Run, assignment: Assignment, marks: ClassMarks) -> AssignmentResults:
    """Everything that is stored about one assignment, marked; the marks that are settled are recorded."""
    desk = desk_of(run, assignment, marks)
    return AssignmentResults(
        assignment=assignment,
        rubric=desk.rubric,
        bands=desk.bands,
        reference=load(run.store, desk.reference),
        teams=run.store.shelf(TeamResult, _all_marked(run, desk)),
    )


def _all_marked(run: Run, desk: Desk) -> Iterator[tuple[str, TeamResult]]:
    """Each team's result as it is marked and recorded, so that nobody holds all of them."""
    for team in run.roster.teams:
        collected = read_collected(run.store, team, desk.material.assignment)
        if collected is not None:
            request = request_of(run, desk.material, collected)
            result = marked(run, desk, collected.snapshot, request)
            _record(run, desk, result, request)
            yield team.id, result


def marked(run: Run, desk: Desk, snapshot: Snapshot, request: ExamRequest | None) -> TeamResult:
    """The marksheet of one team, from what is stored; without a request there is nothing to examine."""
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


def _record(run: Run, desk: Desk, result: TeamResult, request: ExamRequest | None) -> None:
    """Keep the last settled mark of each criterion, so that only more than noise moves it afterwards.

    A mark that is open, or that a person must look at, replaces none. Of a commit that we could not take
    for a reason of ours nothing is known, so what is recorded stays; for another commit it begins anew.
    """
    snapshot, given = result.snapshot, result.marksheet
    if snapshot.problem_is_ours:
        return
    provisional = _provisional(run, desk, given, request)
    before = recorded_marks(run.store, snapshot)
    kept = {mark.criterion: mark for mark in before.marks} if before else {}
    kept |= {
        mark.criterion: mark
        for mark in given.marks
        if mark.points is not None and not mark.needs_person and mark.criterion not in provisional
    }
    sheet = given.model_copy(update={"marks": tuple(kept.values()), "total": None, "flags": ()})
    record_marks(run.store, snapshot, sheet)


def _provisional(run: Run, desk: Desk, given: Marksheet, request: ExamRequest | None) -> set[str]:
    """Criteria of tasks in doubt that are yet to be examined with more samples: all their figures sharpen."""
    if request is None:
        return set()
    doubtful = tasks_in_doubt(given, desk.rubric)
    waiting = {task for task in doubtful if is_to_be_sharpened(run.store, request, task)}
    return {criterion.id for criterion in desk.rubric.criteria if criterion.task in waiting}


def tasks_left_open(run: Run, desk: Desk, collected: Collected) -> list[tuple[str, ExamRequest]]:
    """The tasks of one submission that noise leaves open, with its usual examination."""
    request = request_of(run, desk.material, collected)
    if request is None:
        return []
    result = marked(run, desk, collected.snapshot, request)
    doubtful = tasks_in_doubt(result.marksheet, desk.rubric)
    return [(task, request) for task in doubtful]
