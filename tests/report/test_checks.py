from grader.course.model import Task
from grader.records import Outcome, Status
from grader.report.checks import checks_of
from grader.report.student import render_student

from .examples import ASSIGNMENT, RUBRIC, assignment_view, examination, student
from .reading import Page, assert_accessible, assert_inert

HOLE = "`train_vae` is not implemented yet"
TWO_TASKS = ASSIGNMENT.model_copy(
    update={
        "tasks": (*ASSIGNMENT.tasks, Task(id="ddpm", title="Diffusion", module="ddpm", names=("Denoiser",)))
    }
)
BY_TASK = RUBRIC.model_copy(
    update={
        "criteria": tuple(
            criterion.model_copy(update={"task": task})
            for criterion, task in zip(RUBRIC.criteria, ("vae", "ddpm", "vae", "ddpm", ""), strict=True)
        )
    }
)


def outcome(check, status=Status.FAILED, message=""):
    return Outcome(check=check, status=status, message=message)


def view_of(*outcomes, **changes):
    found = {"assignment": TWO_TASKS, "rubric": BY_TASK, "examination": examination(outcomes=outcomes)}
    return assignment_view(**(found | changes))


def text_of(view):
    page = render_student(student(items=(view,)))
    assert_accessible(page)
    assert_inert(page)
    return " ".join(Page(page).text.split())


def test_checks_stand_under_the_task_of_their_criterion():
    found = checks_of(
        view_of(
            outcome("hidden/test_elbo.py::test_b", message="2 is 3"),
            outcome("hidden/test_vae.py::test_kl_is_closed_form", message="1 is 2"),
        )
    )
    assert [group.title for group in found.failed] == ["Variational autoencoder", "Diffusion"]
    assert found.failed[1].lines[0].counts_for == ("ELBO agrees with its definition",)


def test_a_check_without_a_criterion_stands_under_the_task_that_its_file_is_named_after():
    found = checks_of(
        view_of(
            outcome("hidden/test_ddpm_hidden.py::test_it", message="odd"),
            outcome("hidden/test_other.py::test_it", message="odd"),
        )
    )
    assert [group.title for group in found.failed] == ["Diffusion", ""]


def test_an_assignment_of_one_task_has_no_headings():
    found = checks_of(view_of(outcome("hidden/test_vae.py::test_a", message="odd"), assignment=ASSIGNMENT))
    assert [group.title for group in found.failed] == [""]


def test_the_same_message_is_said_once_for_all_its_checks():
    same = [outcome(f"hidden/test_elbo.py::test_{name}", message="no answer within 5 s") for name in "abc"]
    view = view_of(*same, outcome("hidden/test_elbo.py::test_d", message="2 is 3"))
    (group,) = checks_of(view).failed
    assert [[name.words for name in line.names] for line in group.lines] == [["a", "b", "c"], ["d"]]
    assert group.count == 4
    text = text_of(view)
    assert text.count("no answer within 5 s") == 1
    assert "4 checks failed" in text
    assert "the same message for 3 checks" in text
    assert "a hidden check b hidden check c hidden check hidden/test_elbo.py ·" in text


def test_checks_without_a_message_are_not_put_together():
    passed = [outcome(f"hidden/test_elbo.py::test_{name}", Status.PASSED) for name in "abc"]
    (group,) = checks_of(view_of(*passed)).passed
    assert len(group.lines) == 3


def test_a_hole_that_is_still_open_is_no_failure():
    view = view_of(
        outcome("hidden/test_elbo.py::test_a", message=HOLE),
        outcome("hidden/test_elbo.py::test_b", message=HOLE),
        outcome("hidden/test_elbo.py::test_c", message="2 is 3"),
    )
    found = checks_of(view)
    assert (found.count(found.to_do), found.count(found.failed)) == (2, 1)
    text = text_of(view)
    assert "1 check failed" in text
    assert "2 checks had nothing to look at yet These met a part of the starter" in text
    assert "Not implemented yet: the same message for 2 checks" in text


def test_the_marks_stand_under_their_task_with_its_sum():
    text = text_of(view_of())
    assert "Variational autoencoder 34.5 40" in text
    assert "Diffusion 10 points still open 6.5 30" in text
    assert "Written questions 30 points still open \N{EN DASH} 30" in text


def test_criteria_of_no_task_that_are_not_written_have_a_heading_too():
    loose = BY_TASK.criteria[0].model_copy(update={"task": ""})
    text = text_of(view_of(rubric=BY_TASK.model_copy(update={"criteria": (loose, *BY_TASK.criteria[1:])})))
    assert "Everything else 30 points still open 10 40" in text


def test_an_assignment_with_one_group_of_criteria_has_no_headings():
    assert "Written questions" not in text_of(view_of(rubric=RUBRIC))
