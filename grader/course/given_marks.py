"""Marks that people give, as frozen records. No I/O."""

from decimal import Decimal

from grader.records import CellState, Record

FULL = Decimal(100)


class GivenPoints(Record):
    """What a person gave for one criterion."""

    criterion: str
    points: Decimal
    """Of a penalty criterion: the points taken away, as a positive number."""
    reason: str


class ManualMark(GivenPoints):
    """What a person gave one team for one criterion of an assignment. Beats what the grader found."""

    team: str


class ComponentMark(Record):
    """What one student has for the exam, the project or one item, given by a person."""

    student: str
    state: CellState
    points: Decimal | None = None
    """The whole mark; None unless `state` is 'mark', and where it is divided into criteria."""
    out_of: Decimal = FULL
    """Of a whole mark; what criteria are out of, their rubric says."""
    criteria: tuple[GivenPoints, ...] | None = None
    """What was given so far, where the mark is divided into the criteria of a rubric."""
