import pytest

from grader.course.people import validate_people


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def said(tree):
    return [str(finding) for finding in validate_people(tree)]


@pytest.fixture
def tree(toy_tree):
    write(toy_tree.root / "roster.csv", "student,team,repo_url", "ada,ada,https://forge.example/ada.git")
    return toy_tree


def test_a_good_roster_and_good_marks_give_nothing(tree):
    write(tree.root / "marks/exam.csv", "student,points", "ada,80")
    assert said(tree) == []


def test_a_course_without_a_roster_yet_is_warned(toy_tree):
    (finding,) = said(toy_tree)
    assert finding.startswith("warning: roster.csv: ")


def test_every_mistake_of_the_roster_is_an_error(tree):
    write(
        tree.root / "roster.csv",
        "student,team,repo_url",
        "ada,a,https://x.example/a",
        "ada,b,https://x.example/b",
    )
    assert any(finding.startswith("error: ") and "ada" in finding for finding in said(tree))


def test_marks_are_read_before_the_night(tree):
    write(tree.root / "marks/exam.csv", "student,points", "bob,80")
    assert any("exam.csv" in finding and "bob" in finding for finding in said(tree))


def test_a_marks_file_that_nobody_reads_is_named_with_the_nearest(tree):
    write(tree.root / "marks/t1.csv", "team,criterion,points,reason")
    write(tree.root / "marks/exams.csv", "student,points")
    found = said(tree)
    assert any("marks/t1.csv" in finding and "t1_toy.csv" in finding for finding in found)
    assert any("marks/exams.csv" in finding and "exam.csv" in finding for finding in found)
