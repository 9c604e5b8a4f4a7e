from decimal import Decimal

import pytest

from grader.course.criteria_csv import is_divided, load_exam_criteria, load_project_criteria
from grader.course.marks_csv import read_class_marks
from grader.course.model import Criterion, Rubric
from grader.errors import ConfigurationError
from grader.records import CellState

from .trees import write

STUDENTS = ("lin", "sam", "ada", "bob")
MEMBERS = {"p1": ("lin", "sam"), "p2": ("ada", "bob")}
EXAM_HEADER = "student,criterion,points,reason,state\n"
PROJECT_HEADER = "team,criterion,points,reason,student,state\n"


def rubric_of(work, **per_member):
    return Rubric(
        assignment=work,
        title=work,
        criteria=tuple(
            Criterion(id=name, title=name.title(), points=Decimal(10), kind="manual", **changes)
            for name, changes in {"first": {}, "second": per_member}.items()
        ),
    )


EXAM = rubric_of("exam")
PROJECT = rubric_of("project", per_member=True)


@pytest.fixture
def exam(tmp_path):
    return lambda text: load_exam_criteria(
        write(tmp_path / "exam.csv", EXAM_HEADER + text), students=STUDENTS, rubric=EXAM
    )


@pytest.fixture
def project(tmp_path):
    return lambda text: load_project_criteria(
        write(tmp_path / "project.csv", PROJECT_HEADER + text), members=MEMBERS, rubric=PROJECT
    )


def mistakes(load, text):
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    return [line.partition(".csv: ")[2] for line in str(caught.value).splitlines()]


def points(mark):
    return {given.criterion: given.points for given in mark.criteria}


# --- the exam


def test_an_exam_is_divided_into_criteria_with_reasons(exam):
    marks = exam("lin,first,7.5,sign lost in (b),\nlin,second,10,,\nsam,first,0,no answer,\n")
    assert points(marks["lin"]) == {"first": Decimal("7.5"), "second": 10}
    assert marks["lin"].criteria[0].reason == "sign lost in (b)"
    assert points(marks["sam"]) == {"first": 0}
    assert set(marks) == {"lin", "sam"}


def test_a_line_without_points_is_not_marked_yet(exam):
    assert exam("lin,first,,,\n")["lin"].criteria == ()


def test_a_state_is_for_the_whole_exam(exam):
    mark = exam("lin,,,,deferred\n")["lin"]
    assert (mark.state, mark.criteria) == (CellState.DEFERRED, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lyn,first,7,,\n", "line 2, student: unknown student 'lyn'; did you mean 'lin'?"),
        ("lin,frist,7,,\n", "line 2, criterion: unknown criterion 'frist'; did you mean 'first'?"),
        ("lin,,7,,\n", "line 2, criterion: unknown criterion ''; expected one of first, second"),
        ("lin,first,11,,\n", "line 2, points: 11 is more than the 10 of 'first'"),
        ("lin,first,7,,\nlin,first,8,,\n", "line 3, student: 'lin first' is already in line 2"),
        ("lin,,,,excusd\n", "line 2, state: unknown state 'excusd'; did you mean 'excused'?"),
        (
            "lin,first,,,excused\n",
            "line 2, criterion: 'first' beside the state 'excused', which is for the whole mark; leave one of them out",
        ),
        (
            "lin,,4,,excused\n",
            "line 2, points: '4' beside the state 'excused', which is for the whole mark; leave one of them out",
        ),
        (
            "lin,first,4,,\nlin,,,,excused\n",
            "line 3, state: 'excused' beside the points of line 2; leave one of them out",
        ),
    ],
)
def test_a_mistake_in_the_exam_names_its_line_and_what_to_do(exam, text, expected):
    assert mistakes(exam, text) == [expected]


def test_all_mistakes_are_told_at_once_and_each_once(exam):
    found = mistakes(exam, 'lin,first,"7,5",,\nsam,second,70,,\n')
    assert [line.partition(":")[0] for line in found] == ["line 2, points", "line 3, points"]


# --- the project


def test_what_a_team_is_given_each_member_has(project):
    marks = project("p1,first,8,good,,\n")
    assert points(marks["lin"]) == points(marks["sam"]) == {"first": 8}
    assert set(marks) == {"lin", "sam"}


def test_a_criterion_of_each_member_is_given_to_the_member_alone(project):
    marks = project("p1,first,8,,,\np1,second,10,,lin,\np1,second,0,absent,sam,\n")
    assert points(marks["lin"]) == {"first": 8, "second": 10}
    assert points(marks["sam"]) == {"first": 8, "second": 0}


@pytest.mark.parametrize("order", [1, -1])
def test_a_members_own_line_stands_in_the_place_of_the_teams(project, order):
    lines = ["p1,first,8,,,\n", "p1,first,6,a recording in the place of the talk,sam,\n"]
    marks = project("".join(lines[::order]))
    assert points(marks["lin"]) == {"first": 8}
    assert points(marks["sam"]) == {"first": 6}


def test_a_member_can_be_excused_from_what_the_team_is_given(project):
    marks = project("p1,first,8,,,\np1,,,,sam,excused\n")
    assert points(marks["lin"]) == {"first": 8}
    assert (marks["sam"].state, marks["sam"].criteria) == (CellState.EXCUSED, None)


def test_a_state_of_the_team_is_that_of_each_member(project):
    marks = project("p2,,,,,withheld\n")
    assert {name: mark.state for name, mark in marks.items()} == dict.fromkeys(
        ("ada", "bob"), CellState.WITHHELD
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p3,first,8,,,\n", "line 2, team: unknown team 'p3'; expected one of p1, p2"),
        ("p1,second,8,,,\n", "line 2, student: empty; 'second' is given to each member alone"),
        ("p1,first,8,why,eve,\n", "line 2, student: 'eve' is not in team 'p1'; expected one of lin, sam"),
        (
            "p1,first,8,,,\np1,first,6,,sam,\n",
            "line 3, reason: empty; points in the place of the team's need a reason",
        ),
        (
            "p1,,,,,excused\np1,second,6,,sam,\n",
            "line 2, state: 'excused' beside the points of line 3; leave one of them out",
        ),
        ("p1,first,8,,,\np1,first,9,,,\n", "line 3, team: 'p1 first' is already in line 2"),
    ],
)
def test_a_mistake_in_the_project_names_its_line_and_what_to_do(project, text, expected):
    assert mistakes(project, text) == [expected]


# --- which of the two forms a file has


def test_the_header_says_whether_a_file_is_divided(tmp_path):
    assert is_divided(write(tmp_path / "a.csv", EXAM_HEADER))
    assert not is_divided(write(tmp_path / "b.csv", "student,points\n"))
    assert not is_divided(write(tmp_path / "c.csv", ""))
    assert not is_divided(write(tmp_path / "d.csv", 'student,"criterion'))
    assert not is_divided(tmp_path / "missing.csv")


RUBRIC_FILE = """
assignment = "{work}"
title = "The {work}"

[[criteria]]
id = "first"
title = "First"
points = 100
kind = "manual"
"""


@pytest.fixture
def with_rubrics(tree):
    for work in ("exam", "project"):
        write(tree.root / "rubrics" / f"{work}.toml", RUBRIC_FILE.format(work=work))
    return tree


@pytest.fixture
def roster(with_rubrics, tmp_path):
    lines = "student,team,repo_url,project_team\nlin,lin,x,p1\nsam,sam,y,p1\nada,ada,z,\n"
    return with_rubrics.roster(write(tmp_path / "roster.csv", lines))


def test_a_project_team_is_not_the_team_that_hands_in_assignments(with_rubrics, roster):
    write(
        with_rubrics.root / "marks" / "project.csv",
        "team,criterion,points,reason\np1,first,70,\nada,first,90,\n",
    )
    marks = read_class_marks(with_rubrics, roster).project
    assert {name: points(mark) for name, mark in marks.items()} == {
        "lin": {"first": 70},
        "sam": {"first": 70},
        "ada": {"first": 90},
    }


def test_whole_marks_stay_possible_beside_a_rubric(with_rubrics, roster):
    write(with_rubrics.root / "marks" / "exam.csv", "student,points\nlin,80\n")
    mark = read_class_marks(with_rubrics, roster).exam["lin"]
    assert (mark.points, mark.criteria) == (80, None)


def test_criteria_without_a_rubric_are_refused(with_rubrics, roster):
    with_rubrics.rubric_path("exam").unlink()
    write(with_rubrics.root / "marks" / "exam.csv", "student,criterion,points,reason\nlin,first,8,\n")
    with pytest.raises(ConfigurationError, match=r"line 1: the column 'criterion' needs rubrics/exam\.toml"):
        read_class_marks(with_rubrics, roster)


def test_a_file_in_a_mixture_of_both_forms_is_refused(with_rubrics, roster):
    write(with_rubrics.root / "marks" / "exam.csv", "student,criterion,points,out_of\nlin,first,8,\n")
    with pytest.raises(ConfigurationError, match=r"unknown column 'out_of'"):
        read_class_marks(with_rubrics, roster)
