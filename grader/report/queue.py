"""The lines of a class in, the queue "a person must look" and the blockers out. Pure.

A case is one submission with all its reasons, filed under the most urgent of them, so that nobody opens the
same submission twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.course.model import Assignment
from grader.report.attention import ADVICE, Advice, Urgency
from grader.report.lines import StudentLine, SubmissionLine


@dataclass(frozen=True)
class Case:
    """One submission that a person must look at."""

    urgency: Urgency
    students: tuple[str, ...]
    assignment: Assignment
    team: str
    """Whose submission it is."""
    reasons: tuple[str, ...]

    def text(self) -> str:
        """The case in one line, for a terminal."""
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return f"{self.team} ({self.assignment.id}): {self.reasons[0]}{more}"


@dataclass(frozen=True)
class Group:
    """The cases of one urgency, with what to do about them."""

    urgency: Urgency
    advice: Advice
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Blocker:
    """What stands between the marks and their being final."""

    what: str
    students: tuple[str, ...]


def submissions(students: Iterable[StudentLine]) -> list[tuple[tuple[str, ...], SubmissionLine]]:
    """Each submission once, with the handles of all who handed it in together."""
    found: dict[tuple[str, str], tuple[list[str], SubmissionLine]] = {}
    for student in students:
        for line in student.submissions:
            found.setdefault((line.assignment.id, line.team), ([], line))[0].append(student.student)
    return [(tuple(handles), line) for handles, line in found.values()]


def attention(students: Iterable[StudentLine]) -> tuple[Group, ...]:
    """The queue, most urgent first; groups without a case are left out."""
    cases: dict[Urgency, list[Case]] = {kind: [] for kind in Urgency}
    for handles, line in submissions(students):
        if (doubt := line.doubt) is not None:
            case = Case(doubt.urgency, handles, line.assignment, line.team, doubt.reasons)
            cases[doubt.urgency].append(case)
    return tuple(Group(kind, ADVICE[kind], tuple(found)) for kind, found in cases.items() if found)


def blockers(students: Iterable[StudentLine]) -> tuple[Blocker, ...]:
    """Open criteria and gradebook cells, each with the students that it holds up."""
    held_up: dict[str, list[str]] = {}
    for student in students:
        for what in student.open_work:
            held_up.setdefault(what, []).append(student.student)
    return tuple(Blocker(what, tuple(names)) for what, names in held_up.items())
