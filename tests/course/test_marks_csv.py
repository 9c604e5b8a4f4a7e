from decimal import Decimal

import pytest

from grader.course.marks_csv import (
    load_component_marks,
    load_item_marks,
    load_manual_marks,
    read_class_marks,
)
from grader.errors import ConfigurationError
from grader.records import CellState

from .trees import replace, write

STUDENTS = ("lin", "sam", "ada")


@pytest.fixture
def lines(tmp_path):
    """The mistakes that a loader finds in a text."""

    def found(load, text, **known):
        path = write(tmp_path / "marks.csv", text)
        with pytest.raises(ConfigurationError) as caught:
            load(path, **known)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return found


def exam_lines(lines, text):
    return lines(load_component_marks, text, students=STUDENTS)


def test_a_mark_is_exact_and_out_of_a_hundred_unless_it_says_otherwise(tmp_path):
    path = write(tmp_path / "exam.csv", "student,points,out_of\nlin,27.5,40\nsam,0,\n")
    marks = load_component_marks(path, students=STUDENTS)
    assert marks["lin"].points == Decimal("27.5")
    assert marks["lin"].out_of == 40
    assert marks["sam"].points == 0
    assert marks["sam"].out_of == 100
    assert {mark.state for mark in marks.values()} == {CellState.MARK}


@pytest.mark.parametrize("state", [state for state in CellState if state is not CellState.MARK])
def test_a_state_stands_in_the_place_of_points(tmp_path, state):
    path = write(tmp_path / "exam.csv", f"student,points,state\nlin,,{state}\n")
    mark = load_component_marks(path, students=STUDENTS)["lin"]
    assert mark.state is state
    assert mark.points is None


def test_a_decimal_comma_is_refused_with_an_explanation(lines):
    assert exam_lines(lines, 'student,points\nlin,"1,234"\n') == [
        (
            "marks.csv: line 2, points: expected a number such as 87.5, got '1,234'; "
            "write decimals with a point and thousands without a comma: nobody can tell which this is"
        )
    ]
    (line,) = exam_lines(lines, "student,points\nlin,87,5\n")
    assert "3 cells where the header has 2; is a number written with a comma" in line


@pytest.mark.parametrize("text", ["-3", "+3", "1e2", "nan", "٣", ".5", "5.", "85%", "1234567", "0x10", "1_0"])
def test_only_plain_numbers_are_numbers(lines, text):
    (line,) = exam_lines(lines, f"student,points\nlin,{text}\n")
    assert line == f"marks.csv: line 2, points: expected a number such as 87.5, got {text!r}"


def test_every_mistake_is_listed_with_line_and_column(lines):
    text = (
        "student,points,out_of,state\n"
        "lyn,50,,\n"
        "lin,,,\n"
        "sam,50,,excused\n"
        "ada,50,,excussed\n"
        "lin,101,,\n"
        "sam,5,0,\n"
        "ada,5,x,\n"
    )
    assert exam_lines(lines, text) == [
        "marks.csv: line 2, student: unknown student 'lyn'; did you mean 'lin'?",
        (
            "marks.csv: line 3, points: empty; write a number, or in the column state one of "
            "missing, excused, deferred, withheld, not_yet_marked"
        ),
        "marks.csv: line 4, points: '50' beside the state 'excused'; leave one of them out",
        "marks.csv: line 5, state: unknown state 'excussed'; did you mean 'excused'?",
        "marks.csv: line 5, points: '50' beside the state 'not_yet_marked'; leave one of them out",
        "marks.csv: line 6, points: 101 is more than 100",
        "marks.csv: line 7, out_of: is 0; write the most points that one can get",
        "marks.csv: line 7, points: 5 is more than 0",
        "marks.csv: line 8, out_of: expected a number such as 87.5, got 'x'",
        "marks.csv: line 6, student: 'lin' is already in line 3",
        "marks.csv: line 7, student: 'sam' is already in line 4",
        "marks.csv: line 8, student: 'ada' is already in line 5",
    ]


def test_a_mark_for_one_student_and_item_is_found_by_both(tmp_path):
    path = write(tmp_path / "items.csv", "student,item,points,state\nlin,a1,,excused\nsam,a1_toys,40,\n")
    marks = load_item_marks(path, students=STUDENTS, items=("a1_toys",))
    assert marks["lin", "a1_toys"].state is CellState.EXCUSED
    assert marks["sam", "a1_toys"].points == 40


def test_items_are_known_and_given_once(lines):
    text = "student,item,points\nlin,a1,5\nlin,a1_toys,6\nsam,a7,6\nzoe,a1,6\n"
    assert lines(load_item_marks, text, students=STUDENTS, items=("a1_toys",)) == [
        "marks.csv: line 3, item: 'a1_toys' of 'lin' is already in an earlier line",
        "marks.csv: line 4, item: unknown item 'a7'; expected one of a1_toys",
        "marks.csv: line 5, student: unknown student 'zoe'; expected one of ada, lin, sam",
    ]


def test_manual_marks_are_found_by_team_and_criterion(tree, tmp_path):
    path = write(
        tmp_path / "a1.csv",
        'team,criterion,points,reason\nt1,essay,7.5,"-2 for the sign, fine else"\nt1,loss,50,measured by hand\nt2,essay,,\n',
    )
    marks = load_manual_marks(path, teams=("t1", "t2"), rubric=tree.rubric("a1_toys"))
    assert set(marks) == {"t1"}
    assert marks["t1"]["essay"].points == Decimal("7.5")
    assert marks["t1"]["essay"].reason == "-2 for the sign, fine else"
    assert marks["t1"]["loss"].reason == "measured by hand"


def test_mistakes_in_manual_marks_are_listed(tree, lines):
    text = (
        "team,criterion,points,reason\n"
        "t9,essay,5,\n"
        "t1,esay,5,\n"
        "t1,essay,11,\n"
        "t1,loss,5,\n"
        "t2,essay,x,\n"
        "t2,essay,1,\n"
    )
    assert lines(load_manual_marks, text, teams=("t1", "t2"), rubric=tree.rubric("a1_toys")) == [
        "marks.csv: line 2, team: unknown team 't9'; expected one of t1, t2",
        "marks.csv: line 3, criterion: unknown criterion 'esay'; did you mean 'essay'?",
        "marks.csv: line 4, points: 11 is more than the 10 of 'essay'",
        "marks.csv: line 5, reason: empty; a mark in the place of the grader's own needs a reason",
        "marks.csv: line 6, points: expected a number such as 87.5, got 'x'",
        "marks.csv: line 7, team: 't2 essay' is already in line 6",
    ]


@pytest.fixture
def roster(tree, tmp_path):
    return tree.roster(write(tmp_path / "roster.csv", "student,team,repo_url\nlin,t1,x\nsam,t1,x\n"))


def test_a_course_without_marks_by_hand_has_none(tree, roster):
    marks = read_class_marks(tree, roster)
    assert (marks.exam, marks.project, marks.items, marks.manual) == ({}, {}, {}, {})
    assert marks.manual_of(assignment="a1_toys", team="t1") == {}


def test_all_marks_by_hand_lie_in_one_folder(tree, roster):
    folder = tree.root / "marks"
    write(folder / "exam.csv", "student,points\nlin,80\n")
    write(folder / "project.csv", "student,points\nsam,70\n")
    write(folder / "items.csv", "student,item,points,state\nlin,a1,,deferred\n")
    write(folder / "a1_toys.csv", "team,criterion,points,reason\nt1,essay,9,\n")
    marks = read_class_marks(tree, roster)
    assert marks.exam["lin"].points == 80
    assert marks.project["sam"].points == 70
    assert marks.items["lin", "a1_toys"].state is CellState.DEFERRED
    assert marks.manual_of(assignment="a1_toys", team="t1")["essay"].points == 9
    assert marks.manual_of(assignment="a1_toys", team="t2") == {}


def test_a_mistake_in_a_file_of_marks_names_that_file(tree, roster):
    path = write(tree.root / "marks" / "exam.csv", "student,points\nlin,80\n")
    replace(path, "lin", "lyn")
    with pytest.raises(ConfigurationError, match=r"exam\.csv: line 2, student: unknown student 'lyn'"):
        read_class_marks(tree, roster)
