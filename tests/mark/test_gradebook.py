from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import ConfigurationError
from grader.mark.gradebook import gradebook, round_half_up
from grader.mark.letters import letter
from grader.records import CellState

from .examples import A1, course, given_mark, roster, sheet, student

POINTS = st.decimals(min_value=0, max_value=100, places=3)
LIN = student("lin")


def rows(*students, marksheets=None, exam=None, project=None, items=None, of=None):
    sheets = {(found.team, found.assignment): found for found in marksheets or ()}
    found = gradebook(
        course=of or course(),
        roster=roster(*(students or (LIN,))),
        sheet_of=lambda *key: sheets.get(key),
        exam={"lin": given_mark(60)} if exam is None else exam,
        project={"lin": given_mark(90)} if project is None else project,
        items=items or {},
    )
    return tuple(found)


def row(*arguments, **changes):
    (only,) = rows(*arguments, **changes)
    return only


def cell(found, item):
    (only,) = [cell for cell in found.cells if cell.item == item]
    return only


def test_the_final_mark_is_the_weighted_sum_with_its_working():
    found = row(marksheets=[sheet(80)])
    assert [(c.item, c.component, c.weight, c.contribution) for c in found.cells] == [
        (A1, "assignments", 45, 36),
        ("exam", "exam", 25, 15),
        ("project", "project", 30, 27),
    ]
    assert (found.total, found.letter, found.flags) == (78, "B", ())
    assert cell(found, A1).rule == "mark of team lin, on time"
    assert cell(found, "exam").rule == "mark entered by hand"


def test_assignments_share_their_weight_equally():
    found = row(
        of=course(items=("a1", "a2", "a3", "a4")),
        marksheets=[sheet(50, item=item) for item in ("a1", "a2", "a3", "a4")],
    )
    assert [c.weight for c in found.cells[:4]] == [Decimal("11.25")] * 4
    assert found.total == round_half_up(Fraction(225, 10) + 15 + 27)


def test_marks_out_of_something_else_count_by_their_share():
    found = row(marksheets=[sheet(30, out_of=40)], exam={"lin": given_mark("13.5", out_of=30)})
    assert cell(found, A1).contribution == Decimal("33.75")
    assert cell(found, "exam").contribution == Decimal("11.25")
    assert found.total == 72


def test_a_teams_mark_is_the_mark_of_each_member():
    found = rows(
        student("ada", "duo"),
        student("sam", "duo"),
        marksheets=[sheet(80, team="duo")],
        exam={"ada": given_mark(100, name="ada"), "sam": given_mark(0, name="sam")},
        project={name: given_mark(90, name=name) for name in ("ada", "sam")},
    )
    assert [(r.student, r.team, r.total) for r in found] == [("ada", "duo", 88), ("sam", "duo", 63)]


def test_students_who_dropped_have_no_row():
    found = rows(LIN, student("bob", status="dropped"), marksheets=[sheet(80), sheet(80, team="bob")])
    assert [r.student for r in found] == ["lin"]


def test_letters_follow_the_scale_of_the_student():
    graduate = student("lin", level="graduate")
    assert row(marksheets=[sheet(60)]).letter == "B"
    assert row(graduate, marksheets=[sheet(60)]).letter == "FZ"
    assert row(graduate, marksheets=[sheet(80)]).letter == "B-"
    assert row(marksheets=[sheet(0)], exam={"lin": given_mark(0)}).letter == "F"


@pytest.mark.parametrize(("total", "expected"), [(80, "A"), (79, "B-"), (70, "B-"), (69, "FZ"), (0, "FZ")])
def test_a_letter_begins_at_its_lowest_mark_in_whatever_order_they_are_written(total, expected):
    assert letter(Decimal(total), course().scales["graduate"]) == expected


def test_a_level_without_a_scale_is_refused():
    with pytest.raises(ConfigurationError, match="none for 'doctoral', the level of lin"):
        row(student("lin", level="doctoral"))


# --- states


@pytest.mark.parametrize(
    ("changes", "blocked", "rule"),
    [
        ({"marksheets": []}, A1, "not graded yet"),
        ({"marksheets": [sheet(None, reason="not marked yet")]}, A1, "First: not marked yet"),
        ({"marksheets": [sheet(0, out_of=0)]}, A1, "the rubric gives no points"),
        ({"exam": {}}, "exam", "no mark entered yet"),
        ({"exam": {"lin": given_mark(state=CellState.DEFERRED)}}, "exam", "deferred to a later date"),
        ({"project": {"lin": given_mark(state=CellState.WITHHELD)}}, "project", "withheld until a person releases it"),
        ({"project": {"lin": given_mark(state=CellState.NOT_YET_MARKED)}}, "project", "not marked yet"),
    ],
)  # fmt: skip
def test_a_cell_without_a_mark_leaves_the_total_open_and_says_why(changes, blocked, rule):
    found = row(**({"marksheets": [sheet(80)]} | changes))
    assert cell(found, blocked).rule == rule
    assert cell(found, blocked).contribution is None
    assert (found.total, found.letter) == (None, None)
    assert f"{blocked}: {rule}" in found.flags


def test_several_open_criteria_are_counted():
    one = sheet(None, reason="not marked yet")
    two = one.model_copy(update={"marks": one.marks * 3})
    assert cell(row(marksheets=[two]), A1).rule == "First: not marked yet (and 2 more)"


def test_what_is_missing_counts_as_zero():
    found = row(marksheets=[sheet(80)], exam={"lin": given_mark(state=CellState.MISSING)})
    assert cell(found, "exam").points == 0
    assert cell(found, "exam").contribution == 0
    assert found.total == 63


def test_what_is_excused_gives_its_weight_to_the_other_components():
    found = row(marksheets=[sheet(80)], exam={"lin": given_mark(state=CellState.EXCUSED)})
    assert [c.weight for c in found.cells] == [60, 0, 40]
    assert found.total == 84
    assert cell(found, "exam").rule == "excused: the weight goes to the rest"
    assert cell(found, "exam").contribution is None
    assert cell(found, A1).rule.endswith("; weight 45 raised to 60 as other work is excused")


def test_an_excused_assignment_gives_its_weight_to_the_other_assignments():
    found = row(
        of=course(items=("a1", "a2", "a3")),
        marksheets=[sheet(80, item="a1"), sheet(50, item="a2"), sheet(0, item="a3")],
        items={("lin", "a3"): given_mark(state=CellState.EXCUSED)},
    )
    assert [c.weight for c in found.cells] == [Decimal("22.5"), Decimal("22.5"), 0, 25, 30]
    assert "weight 15 raised to 22.5" in found.cells[0].rule
    assert "raised" not in cell(found, "exam").rule


def test_where_everything_is_excused_there_is_no_mark():
    away = {"lin": given_mark(state=CellState.EXCUSED)}
    found = row(exam=away, project=away, items={("lin", A1): away["lin"]})
    assert found.total is None
    assert found.flags == ("everything is excused: no mark can be computed",)


def test_a_students_own_mark_stands_in_the_place_of_the_teams():
    found = row(marksheets=[sheet(80)], items={("lin", A1): given_mark(20, out_of=50)})
    assert cell(found, A1).points == 20
    assert cell(found, A1).contribution == 18
    assert cell(found, A1).rule == "mark entered by hand"


def test_a_component_without_weight_has_no_cell_and_blocks_nothing():
    found = row(of=course(weights=(60, 0, 40)), marksheets=[sheet(50)], exam={})
    assert [c.item for c in found.cells] == [A1, "project"]
    assert found.total == 66


def test_what_a_person_must_look_at_is_flagged_after_what_blocks():
    found = row(marksheets=[sheet(80, flags=["c1: the interval is wide"])], exam={})
    assert found.flags == ("exam: no mark entered yet", f"{A1}: c1: the interval is wide")
    assert cell(found, A1).state is CellState.MARK


# --- rounding


@pytest.mark.parametrize(
    ("exact", "rounded"), [("79.5", 80), ("80.5", 81), ("79.49999999999999999999999999999999", 79), ("0", 0)]
)
def test_halves_go_up(exact, rounded):
    assert round_half_up(Fraction(exact)) == rounded


def test_a_total_is_rounded_once():
    assert (
        row(
            marksheets=[sheet("79.4")], exam={"lin": given_mark("79.4")}, project={"lin": given_mark("79.7")}
        ).total
        == 79
    )


def test_thirds_that_sum_to_a_half_are_a_half():
    items = ("a1", "a2", "a3")
    thirds = row(
        of=course(items=items, weights=(100, 0, 0)),
        marksheets=[
            sheet(points, out_of=3, item=item) for item, points in zip(items, (3, 2, "2.155"), strict=True)
        ],
    )
    assert thirds.total == 80  # 7.155 / 9 is 79.5 exactly; 28 digits of decimals make it 79.49…
    assert sum(c.contribution for c in thirds.cells) < Decimal("79.5")


@given(POINTS, POINTS, POINTS)
def test_a_total_is_bounded_by_its_parts(assignment, exam, project):
    found = row(
        marksheets=[sheet(assignment)], exam={"lin": given_mark(exam)}, project={"lin": given_mark(project)}
    )
    assert round_half_up(Fraction(min(assignment, exam, project))) <= found.total
    assert found.total <= round_half_up(Fraction(max(assignment, exam, project)))


@given(POINTS, POINTS, POINTS, POINTS)
def test_a_better_part_never_lowers_the_total(one, other, exam, project):
    totals = [
        row(
            marksheets=[sheet(points)], exam={"lin": given_mark(exam)}, project={"lin": given_mark(project)}
        ).total
        for points in sorted((one, other))
    ]
    assert totals == sorted(totals)


@given(st.permutations(["a1", "a2", "a3", "a4", "a5", "a6", "a7"]), st.lists(POINTS, min_size=7, max_size=7))
def test_the_order_of_assignments_changes_no_total(order, points):
    given_points = dict(zip(sorted(order), points, strict=True))
    sheets = [sheet(given_points[item], item=item) for item in order]
    usual = row(of=course(items=sorted(order)), marksheets=sheets)
    assert row(of=course(items=order), marksheets=list(reversed(sheets))).total == usual.total


@given(POINTS, POINTS)
def test_contributions_sum_to_the_total_before_rounding(assignment, exam):
    found = row(marksheets=[sheet(assignment)], exam={"lin": given_mark(exam)})
    exact = sum(c.contribution for c in found.cells)
    assert abs(exact - found.total) <= Decimal("0.5")
    assert sum(c.weight for c in found.cells) == 100


# --- flags


def needs_person(found, reason):
    marks = tuple(mark.model_copy(update={"needs_person": True, "reason": reason}) for mark in found.marks)
    return found.model_copy(update={"marks": marks, "flags": (reason,)})


def test_one_reason_for_several_items_is_said_once():
    away = "the repository could not be read; this costs nothing until a person has looked"
    sheets = [needs_person(sheet(None, item=item), away) for item in ("a1", "a2")]
    found = row(of=course(items=("a1", "a2")), marksheets=sheets)
    assert found.flags == (f"a1, a2: {away}",)
    assert cell(found, "a1").rule == f"First: {away}"


def test_what_waits_for_a_mark_by_hand_is_said_beside_what_waits_for_a_decision():
    found = needs_person(sheet(None), "nobody knows")
    waiting = found.marks[0].model_copy(
        update={"title": "Essay", "reason": "not marked yet", "needs_person": False}
    )
    both = found.model_copy(update={"marks": (*found.marks, waiting)})
    assert row(marksheets=[both]).flags == (f"{A1}: Essay: not marked yet", f"{A1}: nobody knows")


def test_the_flags_of_a_closed_sheet_are_kept():
    assert row(marksheets=[sheet(80, flags=("the branch was rewritten",))]).flags == (
        f"{A1}: the branch was rewritten",
    )
