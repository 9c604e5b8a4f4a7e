from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from grader.course.given_marks import ComponentMark, GivenPoints
from grader.course.model import Criterion, Rubric
from grader.mark.components import component_marks, how_summed, summed
from grader.mark.gradebook import gradebook
from grader.records import CellState

from .examples import A1, course, given_mark, roster, sheet, student

RUBRIC = Rubric(
    assignment="exam",
    title="Exam",
    criteria=(
        Criterion(id="q1", title="Q1", points=Decimal(20), kind="manual"),
        Criterion(id="q2", title="Q2", points=Decimal(30), kind="manual"),
        Criterion(id="over", title="Over time", points=Decimal(5), kind="penalty"),
    ),
)


def points(**by_criterion):
    return tuple(
        GivenPoints(criterion=name, points=Decimal(value), reason="") for name, value in by_criterion.items()
    )


def cell(*given_points, component="exam", state=CellState.MARK):
    mark = ComponentMark(student="lin", state=state, criteria=given_points)
    marks = {"exam": {"lin": given_mark(60)}, "project": {"lin": given_mark(60)}} | {component: {"lin": mark}}
    (row,) = gradebook(
        course=course(),
        roster=roster(student("lin")),
        sheet_of=lambda _, item: {A1: sheet(80)}.get(item),
        exam=marks["exam"],
        project=marks["project"],
        rubrics={component: RUBRIC},
    )
    (found,) = (cell for cell in row.cells if cell.item == component)
    return row, found


def test_every_criterion_has_a_mark_in_the_order_of_the_rubric():
    marks = component_marks(RUBRIC, points(q2="12", q1="20"))
    assert [(m.criterion, m.points, m.out_of) for m in marks] == [
        ("q1", 20, 20),
        ("q2", 12, 30),
        ("over", 0, 0),
    ]
    assert [m.reason for m in marks] == ["marked by hand", "marked by hand", "nothing was taken away"]


def test_a_criterion_without_points_is_open_and_not_zero():
    marks = component_marks(RUBRIC, points(q1="20"))
    assert (marks[1].points, marks[1].reason) == (None, "not marked yet")
    assert summed(marks) is None
    assert how_summed(marks) == "not yet marked: Q2"
    assert how_summed(component_marks(RUBRIC, ())) == "not yet marked: Q1 (and 1 more)"


def test_a_penalty_takes_points_and_nobody_goes_below_zero():
    assert summed(component_marks(RUBRIC, points(q1="20", q2="12", over="5"))) == 27
    assert summed(component_marks(RUBRIC, points(q1="1", q2="0", over="5"))) == 0


@given(st.dictionaries(st.sampled_from(["q1", "q2"]), st.decimals(0, 20, places=2)))
def test_a_sum_is_known_exactly_when_every_criterion_is(found):
    total = summed(component_marks(RUBRIC, points(**found)))
    assert total == (sum(found.values()) if len(found) == 2 else None)


def test_a_component_counts_by_the_share_of_its_criteria():
    row, found = cell(*points(q1="10", q2="15"))
    assert (found.state, found.points, found.out_of) == (CellState.MARK, 25, 50)
    assert found.contribution == Decimal("12.5")
    assert found.rule == "sum of 3 criteria, marked by hand"
    assert [mark.criterion for mark in found.marks] == ["q1", "q2", "over"]
    assert row.total is not None


def test_an_incomplete_set_of_criteria_leaves_the_final_mark_open():
    row, found = cell(*points(q1="10"), component="project")
    assert (found.state, found.points, found.contribution) == (CellState.NOT_YET_MARKED, None, None)
    assert [mark.points for mark in found.marks] == [10, None, 0]
    assert row.total is None
    assert row.flags == ("project: not yet marked: Q2",)
