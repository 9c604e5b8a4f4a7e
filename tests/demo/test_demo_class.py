import ast
import json

import git
import nbformat
import pytest

from grader.course.tree import CourseTree
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
    return next(s.handle for s in demo_class() if s.history is history)


def test_the_class_has_every_story_that_a_grader_must_survive():
    students = demo_class()
    assert len(students) >= 14
    assert {s.history for s in students} >= set(History) - {History.NO_RECORD}
    assert {s.form for s in students} == set(Form)


@pytest.mark.parametrize("module", ["transformer", "vae"])
def test_every_student_differs_from_the_common_source_by_their_edits_only(module):
    sources = {s.handle: source_of(s, module) for s in demo_class()}
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


def test_the_course_tree_of_the_demo_is_the_one_of_the_repository(on_disk):
    assert on_disk.tree.assignment_ids() == CourseTree.open(ROOT).assignment_ids()
    assert on_disk.tree.course.collect.protocols == ("file",)
    assert {name for name, _ in TASKS} == set(on_disk.tree.course.components.assignments.items)


def test_the_demo_does_not_write_over_files_of_somebody_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match="files that the demo did not write"):
        _clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
