from grader.records import CellState, Decision, EvidenceLevel, Outcome, Status
from grader.report.attention import Urgency
from grader.report.lines import line_of
from grader.report.queue import attention, blockers, submissions

from .examples import (
    BROKEN,
    MARKS,
    PASSED,
    assignment_view,
    cell,
    closed,
    evidence,
    examination,
    grade,
    marksheet,
    snapshot,
    student,
)

FINE = {
    "marksheet": closed([10, 20, 25, 9, 26]),
    "examination": examination(outcomes=PASSED, status=Status.PASSED),
}


def queue(**changes):
    groups = attention([line_of(student(items=(assignment_view(**(FINE | changes)),)))])
    return [(case.urgency, case.reasons) for group in groups for case in group.cases]


def test_a_submission_without_trouble_is_not_in_the_queue():
    assert queue() == []


def test_what_we_could_not_check_comes_first():
    ((urgency, reasons),) = queue(examination=examination(outcomes=(*PASSED, *BROKEN, *BROKEN)))
    assert urgency is Urgency.OURS
    assert reasons == ("2 checks could not be run: the classifier's weights could not be read",)


def test_a_failed_check_is_the_students_and_nobody_need_look():
    failed = Outcome(check="hidden/a.py::test_b", status=Status.FAILED, message="wrong")
    assert queue(examination=examination(outcomes=(failed,))) == []


def test_a_problem_of_ours_is_in_the_queue_and_one_of_the_students_is_not():
    lost = {"commit": None, "tree": None, "problem": "no answer"}
    ((urgency, reasons),) = queue(snapshot=snapshot(**lost, problem_is_ours=True), examination=None)
    assert (urgency, reasons) == (Urgency.OURS, ("nothing could be examined: no answer",))
    assert queue(snapshot=snapshot(**lost), examination=None) == []


def test_what_was_not_examined_yet_is_ours():
    assert queue(examination=None) == [(Urgency.OURS, ("not examined yet",))]


def test_doubtful_decisions_need_a_person():
    doubtful = [d for d in Decision if queue(snapshot=snapshot(evidence=evidence(decision=d)))]
    assert doubtful == [Decision.GAP, Decision.REWRITTEN, Decision.AMBIGUOUS, Decision.UNREACHABLE]


def test_a_mark_that_needs_a_person_says_which():
    unsure = MARKS[2].model_copy(update={"needs_person": True})
    sheet = marksheet(marks=(unsure,), flags=(f"fit: {unsure.reason}",))
    ((urgency, reasons),) = queue(marksheet=sheet)
    assert urgency is Urgency.MARK
    assert reasons == (f"Held-out bound after training: {unsure.reason}",)


def test_a_flag_that_no_mark_explains_is_kept():
    assert queue(marksheet=marksheet(marks=MARKS[:2], flags=("notebook repaired",))) == [
        (Urgency.FLAG, ("notebook repaired",))
    ]


def test_weak_evidence_is_the_least_urgent():
    assert [
        urgency for urgency, _ in queue(snapshot=snapshot(evidence=evidence(level=EvidenceLevel.DATES_ONLY)))
    ] == [Urgency.WEAK]


def test_one_submission_is_one_case_under_its_most_urgent_reason():
    gap = snapshot(
        evidence=evidence(decision=Decision.GAP, level=EvidenceLevel.DATES_ONLY, flags=("odd dates",))
    )
    ((urgency, reasons),) = queue(snapshot=gap, examination=examination(outcomes=BROKEN))
    assert urgency is Urgency.OURS
    assert len(reasons) == 4


def test_the_queue_is_in_order_of_urgency():
    quiet = assignment_view(**FINE)
    weak = snapshot(team="weak", evidence=evidence(level=EvidenceLevel.DATES_ONLY))
    views = [
        student(
            student="weak",
            items=(
                assignment_view(
                    **(FINE | {"snapshot": weak, "marksheet": closed([1, 1, 1, 1, 1], team="weak")})
                ),
            ),
        ),
        student(student="fine", items=(quiet,)),
        student(
            student="ours",
            items=(
                assignment_view(
                    **(FINE | {"examination": None, "marksheet": closed([1, 1, 1, 1, 1], team="ours")})
                ),
            ),
        ),
    ]
    assert [group.urgency for group in attention(map(line_of, views))] == [Urgency.OURS, Urgency.WEAK]


def test_a_team_is_one_submission_with_all_its_students():
    both = [student(student=name) for name in ("ada", "bob")]
    assert [handles for handles, _ in submissions(map(line_of, both))] == [("ada", "bob")]


def test_open_criteria_and_open_cells_block():
    row = grade(
        cells=(cell("project", "project", CellState.NOT_YET_MARKED), cell("exam", "exam")),
        total=None,
        letter=None,
    )
    found = {blocker.what: blocker.students for blocker in blockers([line_of(student(grade=row))])}
    assert found == {
        "Variational and diffusion models, Coverage of the digit classes: could not be marked": ("otter",),
        "Variational and diffusion models, Written task: derive the bound: not yet marked": ("otter",),
        "project: not yet marked": ("otter",),
    }


def test_nothing_open_blocks_nothing():
    assert blockers([line_of(student(items=(assignment_view(**FINE),), grade=grade()))]) == ()
