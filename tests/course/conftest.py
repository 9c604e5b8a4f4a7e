from pathlib import Path

import pytest

from grader.course.tree import CourseTree

from .trees import plant


@pytest.fixture
def tree(tmp_path: Path) -> CourseTree:
    """A course without a mistake."""
    return CourseTree.open(plant(tmp_path))
