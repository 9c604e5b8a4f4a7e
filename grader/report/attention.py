"""One student's view in, why a person must look at it and what keeps it from being final out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from grader.course.counting import plural
from grader.records import CellState, Decision, EvidenceLevel, Outcome, Status
from grader.report.marks import state
from grader.report.text import one_line
from grader.report.view import AssignmentView, StudentView
from grader.report.words import Tone, decision_said


class Urgency(StrEnum):
    """Why a person must look, most urgent first."""

    OURS = "ours"
    DEADLINE = "deadline"
    MARK = "mark"
    FLAG = "flag"
    WEAK = "weak"


@dataclass(frozen=True)
class Advice:
    """What the cases of one urgency have in common."""

    title: str
    what_to_do: str


ADVICE = MappingProxyType(
    {
        Urgency.OURS: Advice(
            "Could not be checked: our fault",
            "Nobody has lost a mark. Find the cause, mend it, and run the command of the case again.",
        ),
        Urgency.DEADLINE: Advice(
            "Which commit counts?",
            "Read the evidence under “Deadline decisions” and decide which commit counts.",
        ),
        Urgency.MARK: Advice(
            "A mark needs a decision",
            "Open the report, look at the criterion, and give its points by hand.",
        ),
        Urgency.FLAG: Advice(
            "Flagged",
            "Open the report and judge for yourself: a flag is context, never a verdict.",
        ),
        Urgency.WEAK: Advice(
            "Taken on weak evidence",
            "Commit dates are the only evidence. Import the forge's push records where there are any.",
        ),
    }
)

DOUBTFUL = frozenset({Decision.GAP, Decision.REWRITTEN, Decision.AMBIGUOUS, Decision.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a person must look at one submission: all reasons, filed under the most urgent of them."""

    urgency: Urgency
    reasons: tuple[str, ...]


def doubt_of(item: AssignmentView) -> Doubt | None:
    """Why a person must look at a submission, the most urgent reason first; None where nobody need."""
    reasons = [
        *((Urgency.OURS, reason) for reason in _ours(item)),
        *((Urgency.DEADLINE, reason) for reason in _doubts(item)),
        *((Urgency.MARK, reason) for reason in _undecided_marks(item)),
        *((Urgency.FLAG, reason) for reason in _flags(item)),
        *((Urgency.WEAK, reason) for reason in _weakness(item)),
    ]
    if not reasons:
        return None
    return Doubt(reasons[0][0], tuple(dict.fromkeys(one_line(reason) for _, reason in reasons)))


def open_work(student: StudentView) -> Iterable[str]:
    """Open criteria and gradebook cells, in words that are the same for everybody whom they hold up."""
    for item in student.items:
        if item.snapshot.problem_is_ours:
            yield f"{item.assignment.title}: nothing could be examined"
        for mark in item.marksheet.marks:
            if mark.points is None and not (item.snapshot.problem_is_ours and mark.needs_person):
                words = state(mark, item.criterion(mark.criterion)).words
                yield f"{item.assignment.title}, {mark.title}: {words}"
    examined_here = {item.assignment.id for item in student.items}
    for cell in student.grade.cells if student.grade else ():
        if cell.state is CellState.NOT_YET_MARKED and cell.item not in examined_here:
            yield f"{cell.item}: not yet marked"


def _ours(item: AssignmentView) -> Iterable[str]:
    if item.snapshot.problem and item.snapshot.problem_is_ours:
        yield f"nothing could be examined: {item.snapshot.problem}"
    elif item.examination is None and item.snapshot.tree is not None:
        yield "not examined yet"
    if item.examination:
        yield from _told(item.examination.outcomes)


def _told(outcomes: tuple[Outcome, ...]) -> Iterable[str]:
    broken = [outcome for outcome in outcomes if outcome.status is Status.COULD_NOT_CHECK]
    by_message: dict[str, int] = {}
    for outcome in broken:
        by_message[outcome.message] = by_message.get(outcome.message, 0) + 1
    return (f"{plural(count, 'check')} could not be run: {message}" for message, count in by_message.items())


def _doubts(item: AssignmentView) -> Iterable[str]:
    if item.snapshot.evidence.decision in DOUBTFUL:
        yield decision_said(item.snapshot).words


def _undecided_marks(item: AssignmentView) -> Iterable[str]:
    """Criteria that wait for a person; where nothing could be examined, that one reason says it all."""
    if item.snapshot.problem_is_ours:
        return
    for mark in item.marksheet.marks:
        if mark.needs_person or state(mark, item.criterion(mark.criterion)).tone is Tone.PERSON:
            yield f"{mark.title}: {mark.reason}"


def _flags(item: AssignmentView) -> Iterable[str]:
    """Flags that say more than the marks have said already."""
    said = [
        mark.reason for mark in item.marksheet.marks if mark.needs_person or item.snapshot.problem_is_ours
    ]
    yield from (flag for flag in item.marksheet.flags if not any(reason in flag for reason in said))
    yield from item.snapshot.evidence.flags


def _weakness(item: AssignmentView) -> Iterable[str]:
    evidence = item.snapshot.evidence
    if item.snapshot.commit is not None and evidence.level in {EvidenceLevel.DATES_ONLY, None}:
        yield f"weak evidence for the commit: {evidence.explanation}"
