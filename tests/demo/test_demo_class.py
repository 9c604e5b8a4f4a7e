import ast
import json

import git
import nbformat
import pytest

from grader.course.marks_csv import read_class_marks
from grader.course.people import validate_people
from grader.course.tree import CourseTree
from grader.course.validate import validate
from grader.demo.build import TASKS, build
from grader.demo.roster import Form, History, demo_class
from grader.demo.show import _clear
from grader.demo.work import notebook_of, source_of
from grader.errors import ConfigurationError
from tests.test_repository import ROOT


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    return build(CourseTree.open(ROOT), demo_class(), tmp_path_factory.mktemp("demo"))


def commits(on_disk, handle):
    with git.Repo(on_disk.forge.folder / f"{handle}.git") as repository:
        return [(c.committed_date, c.message) for c in repository.iter_commits("main")]


def handle_of(history):
    return next(s.handle for s in demo_class().students if s.history is history)


def test_the_class_has_every_story_that_a_grader_must_survive():
    students = demo_class().students
    assert len(students) >= 14
    assert {s.history for s in students} >= set(History) - {History.NO_RECORD}
    assert {s.form for s in students} == set(Form)


@pytest.mark.parametrize("module", ["transformer", "vae"])
def test_every_student_differs_from_the_common_source_by_their_edits_only(module):
    sources = {s.handle: source_of(s, module) for s in demo_class().students}
    assert len(set(sources.values())) == len(sources)
    for source in sources.values():
        ast.parse(source)


def test_a_notebook_holds_the_code_and_what_must_not_be_run():
    notebook = nbformat.reads(notebook_of("import torch\n\n\nclass A:\n    pass\n", "vae"), as_version=4)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells]
    assert any("drive.mount" in cell for cell in cells)
    assert any("time.sleep" in cell for cell in cells)
    assert "class A:\n    pass\n" in cells


def test_repositories_are_real_and_their_commits_have_dates(on_disk):
    dates = [date for date, _ in commits(on_disk, handle_of(History.ORDINARY))]
    assert dates == sorted(dates, reverse=True)
    assert len(dates) == 3


def test_the_late_commit_lies_on_top_of_the_one_on_time(on_disk):
    (late, _), (on_time, _), *_ = commits(on_disk, handle_of(History.LATE_ON_TOP))
    assert 0 < late - on_time < 3 * 86_400


def test_an_empty_repository_has_no_commit(on_disk):
    with git.Repo(on_disk.forge.folder / f"{handle_of(History.EMPTY)}.git") as repository:
        assert not repository.heads


def test_an_unreachable_repository_does_not_exist(on_disk):
    assert not (on_disk.forge.folder / f"{handle_of(History.UNREACHABLE)}.git").exists()


def test_amending_replaces_the_commit_that_was_pushed_on_time(on_disk):
    handle = handle_of(History.AMENDED)
    before = commits(on_disk, handle)
    on_disk.after_the_deadline()
    after = commits(on_disk, handle)
    assert len(after) == len(before)
    assert after[0][0] > before[0][0]
    assert after[1:] == before[1:]
    pushes = json.loads((on_disk.tree.root / "push_records" / f"{handle}.json").read_text())
    assert pushes[-1]["before"] == pushes[-2]["after"]


def test_the_course_of_the_demo_has_one_task_of_each_of_its_assignments(on_disk):
    tree = on_disk.tree
    assert {name: [task.id for task in tree.assignment(name).tasks] for name in tree.assignment_ids()} == {
        name: [task] for name, task in TASKS
    }
    assert tree.course.collect.protocols == ("file",)
    assert tree.course.components.assignments.items == tuple(name for name, _ in TASKS)


def test_the_course_of_the_demo_is_sound(on_disk):
    findings = (*validate(on_disk.tree), *validate_people(on_disk.tree))
    assert [str(finding) for finding in findings if finding.severity == "error"] == []
    assert any("points sum to" in finding.message for finding in findings)


def test_what_is_left_of_an_assignment_is_as_it_was(on_disk):
    whole = CourseTree.open(ROOT)
    for name, task in TASKS:
        (kept,) = on_disk.tree.assignment(name).tasks
        assert kept == next(known for known in whole.assignment(name).tasks if known.id == task)
        criteria = whole.rubric(name).criteria
        assert on_disk.tree.rubric(name).criteria == tuple(c for c in criteria if c.task in ("", task))
        assert on_disk.tree.course.late == whole.course.late
        checks = {path.name for path in on_disk.tree.checks_dir(name).rglob("test_*.py")}
        assert checks == {f"test_{task}_public.py", f"test_{task}_hidden.py"}
        assert not (on_disk.tree.reference_dir(name) / "broken").exists()


def test_every_story_names_criteria_that_there_are(on_disk):
    known = {c.id for name, _ in TASKS for c in on_disk.tree.rubric(name).criteria}
    named = {criterion for student in demo_class().students for criterion in student.earns_nothing_for}
    assert named <= known
    starter = next(student for student in demo_class().students if student.form is Form.STARTER)
    programming = {
        c.id for name, _ in TASKS for c in on_disk.tree.rubric(name).criteria if c.kind != "manual"
    }
    assert set(starter.earns_nothing_for) == programming


def test_every_student_of_the_demo_has_a_whole_exam_and_a_whole_project(on_disk):
    roster = on_disk.tree.roster(on_disk.tree.root / "roster.csv")
    marks = read_class_marks(on_disk.tree, roster)
    for student in demo_class().students:
        given = {part: getattr(marks, part)[student.handle].criteria for part in ("exam", "project")}
        assert sum(one.points for one in given["exam"]) == student.exam
        for part, criteria in given.items():
            assert {one.criterion for one in criteria} == {c.id for c in on_disk.tree.rubric(part).criteria}
            assert all(one.reason for one in criteria if one.points < 5)


def test_a_group_has_what_its_members_have_not_alone(on_disk):
    marks = read_class_marks(on_disk.tree, on_disk.tree.roster(on_disk.tree.root / "roster.csv")).project
    alone = {"own_part", "attendance"}
    for project in demo_class().projects:
        members = [student for student in demo_class().students if student.project == project.handle]
        for member in members:
            changed = {mark.criterion for mark in member.own_project_marks} - alone
            together = [one.points for one in marks[member.handle].criteria if one.criterion not in alone]
            assert changed or sum(together) == project.points
        assert members


def test_the_demo_does_not_write_over_files_of_somebody_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match="files that the demo did not write"):
        _clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
