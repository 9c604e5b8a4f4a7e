from decimal import Decimal

from grader.mark.explain import PointsLine, WorkLine, explain_grade, explain_marksheet
from grader.mark.gradebook import gradebook
from grader.records import CellState

from .examples import (
    A1,
    by_hand,
    course,
    criterion,
    examination,
    given_mark,
    marked,
    roster,
    sheet,
    snapshot,
    student,
)


def working(marksheet, **changes):
    sources = {"exam": {"lin": given_mark("60.25")}, "project": {"lin": given_mark(27, out_of=30)}} | changes
    sheets = {("lin", A1): marksheet}
    (row,) = gradebook(
        course=course(),
        roster=roster(student("lin")),
        sheet_of=lambda *key: sheets.get(key),
        **sources,
    )
    return explain_grade(row, sheets)


def test_every_part_of_the_final_mark_has_a_line_and_the_total_comes_last():
    assert working(sheet(70, deducted=10)) == (
        WorkLine(
            item=A1, component="assignments", raw="80 of 100", late="-10", weight="45 %",
            contribution="31.5", rule="mark of team lin, on time",
        ),
        WorkLine(
            item="exam", component="exam", raw="60.25 of 100", weight="25 %", contribution="15.06",
            rule="mark entered by hand",
        ),
        WorkLine(
            item="project", component="project", raw="27 of 30", weight="30 %", contribution="27",
            rule="mark entered by hand",
        ),
        WorkLine(
            item="total", raw="B", contribution="74",
            rule="31.5 + 15.06 + 27, rounded once, half up, to a whole percent; letter by the undergraduate scale",
        ),
    )  # fmt: skip


def test_work_on_time_lost_nothing():
    assert working(sheet(70))[0].late == "0"


def test_a_students_own_mark_shows_no_lateness_of_the_team():
    line = working(sheet(70, deducted=10), items={("lin", A1): given_mark(70)})[0]
    assert (line.raw, line.late) == ("70 of 100", "")


def test_an_open_cell_shows_its_state_and_the_total_what_blocks_it():
    lines = working(sheet(70), exam={"lin": given_mark(state=CellState.NOT_YET_MARKED)})
    assert (lines[1].raw, lines[1].contribution) == ("not yet marked", "open")
    assert lines[3] == WorkLine(item="total", raw="open", contribution="open", rule="exam: not marked yet")


def test_excused_work_is_not_among_the_summands():
    lines = working(sheet(70), exam={"lin": given_mark(state=CellState.EXCUSED)})
    assert (lines[1].raw, lines[1].weight) == ("excused", "0 %")
    assert lines[3].rule.startswith("42 + 36, rounded once")


def test_a_marksheet_shows_criteria_then_the_late_rule_then_the_total():
    criteria = (criterion(checks=("public",)), criterion("manual", id="c2", title="Essay"))
    collected = snapshot(days_late=1)
    exam = examination({"public/test_a.py::test_a": ""})
    found = marked(*criteria, exam=exam, manual=by_hand("7.5", "c2", "clear"), collected=collected)
    assert explain_marksheet(found) == (
        PointsLine(title="First", points="10", out_of="10", reason="the check passed"),
        PointsLine(title="Essay", points="7.5", out_of="10", reason="clear"),
        PointsLine(
            title="late rule", points="-2", out_of="", reason="1 started day late; 10 % of the points possible for each"
        ),
        PointsLine(title="total", points="15.5", out_of="20", reason="sum of the above, never below 0"),
    )  # fmt: skip


def test_an_open_marksheet_has_an_open_total():
    late, total = explain_marksheet(marked(criterion("manual", points=Decimal(5))))[1:]
    assert late.points == "0"
    assert (total.points, total.reason) == ("open", "some criteria are open")
