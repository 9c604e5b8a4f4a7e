from dataclasses import replace
from decimal import Decimal

import pytest

from grader.records import CellState
from grader.report.lines import line_of
from grader.report.overview import LARGE, OverviewView, render_overview, student_href
from grader.report.view import page_path

from .examples import A3, ShownClass, assignment_view, cell, class_of, closed, grade, overview, student
from .reading import Page, assert_accessible, assert_inert


def text_of(view):
    return " ".join(Page(overview(view)).text.split())


def one(**changes):
    return ShownClass(students=(student(**changes),))


@pytest.mark.parametrize("count", [0, 1, 9, 24])
def test_a_class_of_any_size_is_accessible_and_inert(count):
    page = overview(class_of(count))
    assert_accessible(page)
    assert_inert(page)


def test_an_empty_class_says_that_nobody_need_look():
    text = text_of(class_of(0))
    assert "Nobody need look" in text
    assert "Nothing is open: the marks can be made final." in text


def test_same_class_same_bytes():
    assert overview(class_of(12)) == overview(class_of(12))


def test_every_student_is_linked_from_every_matrix():
    view = class_of(12)
    links = [a["href"] for a in Page(overview(view)).all("a")]
    assert all(links.count(student_href(s.student)) >= 2 for s in view.students)


def test_a_link_leads_to_the_file_that_the_path_names():
    assert page_path("a b/c") == "students/a%20b%2Fc.html"
    assert student_href("a b/c") == "students/a%2520b%252Fc.html"


def test_students_stay_in_the_rosters_order():
    text = text_of(class_of(9))
    handles = [s.student for s in class_of(9).students]
    places = [text.rindex(handle) for handle in handles]
    assert places == sorted(places)


def test_the_class_says_what_it_was_examined_in_so_that_a_degraded_sandbox_is_seen():
    view = one()
    (student,) = view.students
    item = student.items[0]
    environment = item.examination.environment.model_copy(update={"sandbox": "landlock (tier C: degraded)"})
    changed = replace(item, examination=item.examination.model_copy(update={"environment": environment}))
    other = replace(
        student,
        student="somebody",
        items=(replace(changed, marksheet=changed.marksheet.model_copy(update={"team": "other"})),),
    )
    text = text_of(replace(view, students=(student, other)))
    assert (
        f"Examined in: {item.examination.environment.sandbox} (1 submission); landlock (tier C: degraded) (1 submission)."
        in text
    )


def test_who_needs_a_person_comes_before_the_marks():
    text = text_of(class_of(12))
    assert text.index("the classifier's weights could not be read") < text.index("Gradebook Every item")


def test_the_matrix_has_an_icon_and_words_for_every_mark():
    text = text_of(class_of(4))
    assert "0 , no points" in text or "0, no points" in text
    assert "could not be marked" in text
    assert "not yet marked" in text


def test_a_class_of_nine_has_no_histogram_and_a_class_of_ten_has():
    few, enough = (overview(class_of(count)) for count in (9, 10))
    assert 'class="column"' not in few
    assert "too few to draw" in few
    assert 'class="column"' in enough


def test_the_deadline_table_has_commit_decision_and_evidence():
    text = text_of(class_of(4))
    assert "9f2c41d07be5" in text
    assert "gap: dated before the deadline, first seen after it" in text
    assert "no commit before the deadline" in text
    assert "C: the dates inside the commits, nothing else" in text


def test_the_counts_at_the_top_add_up():
    text = text_of(class_of(4))
    assert "Students 4 3 submissions, 1 without a commit" in text
    assert "A person must look 2" in text


def test_final_marks_have_no_blockers_and_say_final():
    text = text_of(replace(class_of(4), final=True))
    assert "Final These marks are final." in text
    assert "project: not yet marked" not in text


def test_a_histogram_of_final_marks_needs_ten_of_them():
    done = tuple(
        student(
            student=f"s{n}",
            items=(assignment_view(marksheet=closed([10, 20, 25, 9, 26], team=f"s{n}")),),
            grade=grade(student=f"s{n}", team=f"s{n}"),
        )
        for n in range(10)
    )
    full = ShownClass(students=done)
    assert "Final marks of the class" in text_of(full)
    assert "Final marks of the class" not in text_of(replace(full, students=done[:9]))


@pytest.mark.parametrize("state", CellState)
def test_every_state_of_the_gradebook_has_words(state):
    assert "Gradebook" in text_of(
        one(grade=grade(cells=(cell("exam", "exam", state),), total=None, letter=None))
    )


def test_a_class_without_grades_has_no_gradebook():
    assert "Gradebook" not in text_of(one(grade=None))


def test_a_student_without_a_grade_is_in_the_gradebook_all_the_same():
    view = ShownClass(students=(student(grade=grade()), student(student="new", items=())))
    assert "new" in text_of(view)
    assert "no entry" in text_of(view)


def test_a_group_is_one_submission_with_several_students():
    pair = tuple(student(student=name, items=(assignment_view(),)) for name in ("ada", "bob"))
    text = text_of(ShownClass(students=pair))
    assert "Students 2 1 submission, 0 without a commit" in text
    assert "ada, bob" in text


def test_titles_stand_for_assignments_and_ids_for_the_rest():
    text = text_of(one(grade=grade()))
    assert "Student Variational and diffusion models exam project Final mark Letter" in text
    assert f"{A3} exam" not in text


def test_a_total_out_of_nothing_breaks_nothing():
    sheet = closed([10, 20, 25, 9, 26]).model_copy(update={"out_of": Decimal(0)})
    assert text_of(one(items=(assignment_view(marksheet=sheet),)))


def test_only_a_large_class_is_laid_out_where_it_is_looked_at():
    lines = tuple(line_of(student(student=f"s{n}", items=())) for n in range(LARGE))
    large, small = (
        "".join(render_overview(OverviewView(course_title="DGM", students=some)))
        for some in (lines, lines[1:])
    )
    assert "content-visibility: auto" in large
    assert "content-visibility: auto" not in small
