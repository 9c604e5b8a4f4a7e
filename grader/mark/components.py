"""The rubric of the exam or the project and what one student was given in; a mark for each criterion out.

A criterion that nobody has marked is open, never zero; a penalty that nobody gave takes nothing. Pure.
"""

from collections.abc import Sequence
from decimal import Decimal

from grader.course.given_marks import GivenPoints
from grader.course.model import Criterion, Rubric
from grader.mark.criteria import NOTHING, given, not_yet_marked
from grader.records import Mark


def component_marks(rubric: Rubric, points: Sequence[GivenPoints]) -> tuple[Mark, ...]:
    """A mark for every criterion of the rubric, in its order."""
    by_criterion = {one.criterion: one for one in points}
    return tuple(_mark(criterion, by_criterion.get(criterion.id)) for criterion in rubric.criteria)


def summed(marks: Sequence[Mark]) -> Decimal | None:
    """The points of all criteria, never below zero; None while one of them is open."""
    points = [mark.points for mark in marks if mark.points is not None]
    return max(sum(points, NOTHING), NOTHING) if len(points) == len(marks) else None


def how_summed(marks: Sequence[Mark]) -> str:
    """The rule in words: what the sum is made of, or what it waits for."""
    waiting = [mark.title for mark in marks if mark.points is None]
    if not waiting:
        return f"sum of {len(marks)} criteria, marked by hand"
    more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
    return f"not yet marked: {waiting[0]}{more}"


def _mark(criterion: Criterion, points: GivenPoints | None) -> Mark:
    if points is not None:
        return given(criterion, points.points, points.reason or "marked by hand")
    if criterion.kind == "penalty":
        return given(criterion, NOTHING, "nothing was taken away")
    return not_yet_marked(criterion)
