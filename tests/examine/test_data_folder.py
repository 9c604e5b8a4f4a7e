"""Image data of a course reach the checks, and are part of what an examination depends on."""

import numpy as np
import pytest

from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.examine.exam import Exam
from grader.examine.request import new_request
from grader.pipeline import material_of
from grader.sandbox.fake import FakeSandbox

SETTINGS = "\n[scales.large]\nimages = 'squares'\n"


@pytest.fixture
def scaled(toy_tree):
    """The toy course at a scale whose images lie in its data folder."""
    path = toy_tree.assignment_dir("t1_toy") / "assignment.toml"
    path.write_text(path.read_text(encoding="utf-8") + SETTINGS, encoding="utf-8")
    write_squares(toy_tree, 7)
    return CourseTree.open(toy_tree.root, scale="large")


def write_squares(tree, grey):
    folder = tree.root / "data" / "squares"
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = np.full((6, 28, 28), grey, np.uint8), np.arange(6)
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(folder / "squares.npz", **parts)


def request_of(tree):
    material = material_of(tree, tree.assignment("t1"))
    return new_request(material.reference, material, sandbox="fake", seed=1)


def test_a_check_finds_the_data_folder(scaled, tmp_path):
    exam = Exam(request_of(scaled), FakeSandbox(), artifacts_folder=tmp_path / "artifacts")
    assert (exam.data_folder / exam.assignment.images / "squares.npz").is_file()
    exam.close()


def test_other_data_are_another_examination(scaled):
    before = request_of(scaled).key
    assert request_of(scaled).key == before
    write_squares(scaled, 8)
    assert request_of(scaled).key != before


def test_another_scale_is_another_examination(scaled):
    assert request_of(CourseTree.open(scaled.root)).key != request_of(scaled).key
    assert request_of(CourseTree.open(scaled.root)).material.data_digest == ""


def test_without_its_data_nothing_is_examined(scaled):
    (scaled.root / "data" / "squares" / "squares.npz").unlink()
    with pytest.raises(ConfigurationError, match=r"squares holds nothing; expected train-images-idx3-ubyte"):
        request_of(scaled)
