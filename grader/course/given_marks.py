"""Marks that people give, as frozen records. No I/O."""

from decimal import Decimal

from grader.records import CellState, Record

FULL = Decimal(100)


class ComponentMark(Record):
    """What one student has for the exam, the project or one item, given by a person."""

    student: str
    state: CellState
    points: Decimal | None = None
    """None unless `state` is 'mark'."""
    out_of: Decimal = FULL


class ManualMark(Record):
    """What a person gave one team for one criterion. Beats what the grader found."""

    team: str
    criterion: str
    points: Decimal
    """Of a penalty criterion: the points taken away, as a positive number."""
    reason: str
