"""A course without torch, and submissions for it: what most tests of the engine run on."""

import shutil
from pathlib import Path

import pytest

from grader.course.tree import CourseTree
from grader.examine.request import Material, Work
from grader.records import Chunk, Prepared

HERE = Path(__file__).parent


@pytest.fixture
def toy_tree(tmp_path):
    folder = tmp_path / "toy_course"
    shutil.copytree(HERE / "toy_course", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return CourseTree.open(folder)


@pytest.fixture
def toy_work(tmp_path):
    """A submission for the toy course: `toy_work(source)`."""

    def make(source: str, team: str = "team1") -> Work:
        folder = tmp_path / "submissions" / team
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "counting.py").write_text(source)
        modules = {"counting": (Chunk(label="counting.py", source=source),)}
        return Work(team=team, folder=str(folder), prepared=Prepared(modules=modules))

    return make


@pytest.fixture
def toy_material(toy_tree, toy_work):
    source = (toy_tree.reference_dir("t1_toy") / "counting.py").read_text()
    return Material(
        assignment=toy_tree.assignment("t1"),
        folder=str(toy_tree.assignment_dir("t1_toy")),
        reference=toy_work(source, "reference"),
    )
