"""A small course tree that is right in every respect, for tests to spoil."""

from pathlib import Path

COURSE = """
title = "Toy Models"
term = "Spring 2031"
time_zone = "America/Toronto"

[components.assignments]
weight = 45
items = ["a1_toys"]

[components.exam]
weight = 25

[components.project]
weight = 30

[scales.undergraduate]
below = "F"
letters = { A = 80, B = 50 }

[scales.graduate]
below = "FZ"
letters = { A = 80, B = 70 }
"""

ASSIGNMENT = """
id = "a1_toys"
title = "Toys"
deadline = "2031-03-01 23:59"
seed = 3141592653589793

[limits]
session_wall_s = 60

[[tasks]]
id = "toy"
title = "A toy"
module = "toy"
names = ["Toy", "train"]
config = { width = 8, rate = 0.5, wide = true, name = "x" }
budget = { steps = 10, wall_s = 5 }
"""

RUBRIC = """
assignment = "a1_toys"
title = "Toys"

[[criteria]]
id = "shape"
title = "Shapes are right"
points = 40
kind = "check"
checks = ["public", "hidden/test_toy.py::test_sum"]

[[criteria]]
id = "loss"
title = "The loss is low"
points = 50
kind = "metric"
metric = "toy_loss"
scale = "log"
requires = ["hidden/test_toy.py::test_loss"]

[[criteria]]
id = "essay"
title = "The essay"
points = 10
kind = "manual"
"""

BANDS = """
{
  "device": "cpu", "engine": "0", "seeds": [1, 2],
  "bands": {"toy_loss": {"mean": 1, "standard_deviation": 0.1, "n": 2, "full_at": 1.5, "none_at": 4.0}}
}
"""

PUBLIC_CHECKS = """
import pytest
pytestmark = pytest.mark.task("toy")

def test_shape(candidate):
    assert candidate.Toy, "no toy"

def helper():
    pass
"""

HIDDEN_CHECKS = """
import pytest
pytestmark = pytest.mark.task("toy")

@pytest.mark.parametrize("n", [1, 2])
def test_sum(candidate, n):
    assert candidate.train(n), "no sum"

def test_loss(candidate, measure):
    measure("toy_loss", 1.0, unit="nats", n=3)
"""

TOY = """
class Toy:
    pass

def train(toy):
    raise NotImplementedError
"""

FILES = {
    "course.toml": COURSE,
    "assignments/a1_toys/assignment.toml": ASSIGNMENT,
    "assignments/a1_toys/README.md": "# Toys\n",
    "assignments/a1_toys/starter/toy.py": TOY,
    "assignments/a1_toys/checks/conftest.py": "",
    "assignments/a1_toys/checks/public/test_shape.py": PUBLIC_CHECKS,
    "assignments/a1_toys/checks/hidden/test_toy.py": HIDDEN_CHECKS,
    "rubrics/a1_toys.toml": RUBRIC,
    "reference_solutions/a1_toys/toy.py": TOY,
    "reference_solutions/a1_toys/bands.json": BANDS,
}


def plant(root: Path) -> Path:
    """Write the tree into a folder and return the folder."""
    for name, text in FILES.items():
        write(root / name, text)
    return root


def write(path: Path, text: str) -> Path:
    """Write a text file, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text in a file; it has to be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
