"""A snapshot, its examination, a rubric and the marks given by hand in; the marksheet out. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from grader.course.given_marks import ManualMark
from grader.course.model import Bands, Criterion, LatePolicy, Rubric
from grader.mark.criteria import (
    NOTHING,
    given,
    mark_criterion,
    not_yet_marked,
    open_for_a_person,
)
from grader.mark.lateness import lateness
from grader.records import Decision, Examination, Mark, Marksheet, Snapshot

DOUBTFUL = (Decision.GAP, Decision.REWRITTEN)
"""Decisions that took a commit and still need a person; where none could be taken, the problem says so."""

MOST_LISTED = 3
"""Criteria that a flag names; more are counted."""


def mark(
    snapshot: Snapshot,
    examination: Examination | None,
    rubric: Rubric,
    bands: Bands | None,
    manual: Mapping[str, ManualMark],
    late: LatePolicy,
    *,
    recorded: Marksheet | None = None,
) -> Marksheet:
    """Mark one team's work for one assignment.

    Args:
        snapshot: what was collected; says why there is nothing, where there is nothing.
        examination: what was found out about it; None where it was not examined.
        rubric: the assignment's criteria.
        bands: the calibration of its metrics; None before the first.
        manual: marks given by people, by criterion; each beats what the grader found.
        late: the late rule.
        recorded: the marksheet that was given for the *same* commit before; measured marks of it stand
            unless the new interval excludes them.

    Returns:
        A mark for every criterion of the rubric, in its order. The total is open while any of them is.

    Raises:
        ValueError: the examination or the rubric belong to other work than the snapshot.
    """
    _refuse_strangers(snapshot, examination, rubric)
    earlier = {mark.criterion: mark for mark in recorded.marks} if recorded else {}
    marks = tuple(
        _by_hand(criterion, manual[criterion.id])
        if criterion.id in manual
        else _automatic(criterion, snapshot, examination, bands, earlier.get(criterion.id))
        for criterion in rubric.criteria
    )
    return _marksheet(snapshot, marks, late, out_of=rubric.out_of)


def tasks_in_doubt(marksheet: Marksheet, rubric: Rubric) -> tuple[str, ...]:
    """The tasks with a mark that noise leaves open and that more samples would narrow, in their order."""
    in_doubt = {
        mark.criterion
        for mark in marksheet.marks
        if mark.needs_person and mark.measurement is not None and mark.measurement.sampled
    }
    return tuple(dict.fromkeys(c.task for c in rubric.criteria if c.id in in_doubt and c.task))


def _by_hand(criterion: Criterion, mark: ManualMark) -> Mark:
    reason = mark.reason or "marked by hand"
    return given(
        criterion, mark.points, reason if criterion.kind == "manual" else f"{reason} (marked by hand)"
    )


def _automatic(
    criterion: Criterion,
    snapshot: Snapshot,
    examination: Examination | None,
    bands: Bands | None,
    recorded: Mark | None,
) -> Mark:
    if criterion.kind == "manual":
        return not_yet_marked(criterion)
    if examination is None:
        return _unexamined(criterion, snapshot)
    return mark_criterion(criterion, examination, bands, recorded=recorded)


def _unexamined(criterion: Criterion, snapshot: Snapshot) -> Mark:
    """Nothing was handed in: no points. Nobody knows why there is nothing: a person must look."""
    if snapshot.problem_is_ours:
        problem = snapshot.problem or "the work could not be collected"
        return open_for_a_person(criterion, f"{problem}; this costs nothing until a person has looked")
    if snapshot.commit is None or snapshot.problem is not None:
        return given(criterion, NOTHING, snapshot.problem or "nothing was handed in")
    return open_for_a_person(criterion, "not examined yet")


def _marksheet(
    snapshot: Snapshot, marks: tuple[Mark, ...], late: LatePolicy, *, out_of: Decimal
) -> Marksheet:
    points = [mark.points for mark in marks if mark.points is not None]
    complete = len(points) == len(marks)
    earned = max(sum(points, NOTHING), NOTHING) if complete else None
    late_rule = lateness(late, days_late=snapshot.days_late, earned=earned, out_of=out_of)
    return Marksheet(
        team=snapshot.team,
        assignment=snapshot.assignment,
        marks=marks,
        lateness=late_rule,
        total=None if earned is None else earned - late_rule.deducted,
        out_of=out_of,
        flags=_flags(snapshot, marks),
    )


def _flags(snapshot: Snapshot, marks: tuple[Mark, ...]) -> tuple[str, ...]:
    """Why a person must look: doubts about the commit, then each reason once with what it holds up."""
    doubts = snapshot.evidence.flags if snapshot.evidence.decision in DOUBTFUL else ()
    held_up: dict[str, list[str]] = {}
    for mark in marks:
        if mark.needs_person:
            held_up.setdefault(mark.reason, []).append(mark.title)
    if snapshot.problem_is_ours:
        return (*doubts, *held_up)
    return (*doubts, *(f"{_listed(titles)}: {reason}" for reason, titles in held_up.items()))


def _listed(titles: list[str]) -> str:
    more = len(titles) - MOST_LISTED
    return ", ".join(titles) if more <= 0 else f"{', '.join(titles[:MOST_LISTED])} and {more} more"


def _refuse_strangers(snapshot: Snapshot, examination: Examination | None, rubric: Rubric) -> None:
    if rubric.assignment != snapshot.assignment:
        raise ValueError(f"rubric of {rubric.assignment} for a snapshot of {snapshot.assignment}")
    if examination is not None and examination.assignment != snapshot.assignment:
        raise ValueError(f"examination of {examination.assignment} for a snapshot of {snapshot.assignment}")
