import csv
import io
import json
from decimal import Decimal

import pytest

from grader.records import CellState, Measurement
from grader.report.exports import grades_csv, grades_json, marksheets_json, spreadsheet_text

from .examples import A3, MARKS, cell, evidence, examination, grade, marksheet, snapshot


def table(*rows):
    return list(csv.DictReader(io.StringIO(grades_csv(rows), newline="")))


def test_a_row_has_every_item_with_its_state_the_total_the_letter_and_the_flags():
    (row,) = table(grade(flags=("one", "two")))
    assert row == {
        "student": "otter", "team": "otter", "level": "graduate",
        A3: "71.5", f"{A3} state": "mark", "exam": "83", "exam state": "mark", "project": "50", "project state": "mark",
        "total": "78", "letter": "B+", "flags": "one; two",
    }  # fmt: skip


def test_what_is_not_marked_is_said_and_not_blank():
    (row,) = table(grade(cells=(cell("exam", "exam", CellState.NOT_YET_MARKED),), total=None, letter=None))
    assert (row["exam"], row["exam state"], row["total"], row["letter"]) == ("", "not_yet_marked", "", "")


def test_missing_work_counts_zero_and_says_so():
    (row,) = table(grade(cells=(cell("exam", "exam", CellState.MISSING, points=Decimal(0)),)))
    assert (row["exam"], row["exam state"]) == ("0", "missing")


def test_an_item_that_only_some_have_says_no_entry_for_the_others():
    rows = table(grade(), grade(student="b", cells=(cell("bonus", "project"),)))
    assert [row["bonus state"] for row in rows] == ["no_entry", "mark"]


def test_an_empty_class_has_a_header():
    assert grades_csv([]) == "student,team,level,total,letter,flags\n"


def test_points_are_exact():
    (row,) = table(
        grade(cells=(cell("exam", "exam", points=Decimal("0.1") + Decimal("0.2")),), total=Decimal("-1.50"))
    )
    assert (row["exam"], row["total"]) == ("0.3", "-1.5")


def test_lines_end_in_lf_and_same_rows_give_same_bytes():
    assert "\r" not in grades_csv([grade()])
    assert grades_csv([grade()]) == grades_csv(iter([grade()]))


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "\uff0b1", "\uff20x",
        "x;=1", "x; @y", "\N{MINUS SIGN}1",
    ],
)  # fmt: skip
def test_no_text_is_a_formula(formula):
    for row in (
        grade(student=formula),
        grade(team=formula),
        grade(letter=formula),
        grade(flags=(formula,)),
        grade(flags=("x", formula)),
    ):
        for value in next(iter(table(row))).values():
            for part in value.split(";"):
                assert part == "" or part.lstrip()[0] not in "=+-@\uff1d\uff0b\uff20\N{MINUS SIGN}\t\r"


def test_a_header_is_no_formula_either():
    assert "'=cmd" in grades_csv([grade(cells=(cell("=cmd", "exam"),))])


def test_harmless_text_is_left_alone():
    assert spreadsheet_text("late, -5 points (a=b)") == "late, -5 points (a=b)"


def test_commas_quotes_and_lines_survive():
    (row,) = table(grade(flags=('a, "b"\nc',)))
    assert row["flags"] == 'a, "b" c'


def test_json_has_a_schema_and_points_that_nobody_rounds():
    value = json.loads(
        "".join(grades_json([grade()], [marksheet()], course_title="Deep Generative Models", final=True))
    )
    assert value["schema"] == "grader.grades/1"
    assert value["final"] is True
    assert value["grades"][0]["cells"][0]["contribution"] == "32.175"
    assert value["marksheets"][0]["marks"][1]["points"] == "6.5"


def test_json_holds_every_record_that_it_is_given():
    value = json.loads("".join(grades_json([grade()], snapshots=[snapshot()], examinations=[examination()])))
    assert value["snapshots"][0]["evidence"]["deadline_text"] == evidence().deadline_text
    assert value["examinations"][0]["key"] == examination().key


def test_a_marksheet_of_several_students_is_there_once():
    assert len(json.loads("".join(grades_json([], [marksheet(), marksheet()])))["marksheets"]) == 1


def test_json_is_ascii_and_stable():
    made = "".join(grades_json([grade(flags=("\u202eétat\x1b",))]))
    assert made.isascii()
    assert made == "".join(grades_json([grade(flags=("\u202eétat\x1b",))]))


def test_json_piece_by_piece_is_json_written_whole():
    made = "".join(grades_json([grade(), grade(student="b")], [marksheet()], course_title="“DGM”"))
    assert made == json.dumps(json.loads(made), ensure_ascii=True, indent=1) + "\n"


def test_a_figure_that_is_not_finite_becomes_null():
    wild = MARKS[2].model_copy(
        update={"measurement": Measurement(name="m", value=float("nan"), unit="", n=1)}
    )
    value = json.loads("".join(marksheets_json([marksheet(marks=(wild,))])))
    assert value["schema"] == "grader.marksheets/1"
    assert value["marksheets"][0]["marks"][0]["measurement"]["value"] is None
