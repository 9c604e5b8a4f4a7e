"""Our notebook reader against an independent one: on a tidy notebook, nbconvert's script defines the same."""

import nbformat
from nbconvert import PythonExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.collect.notebook import prepare
from grader.course.model import Task

CELLS = (
    "import math\nfrom dataclasses import dataclass",
    "SCALE = 3\nOFFSET: float = 0.5",
    "@dataclass\nclass Config:\n    width: int = 4\n\n    def area(self):\n        return self.width * SCALE",
    "def energy(x):\n    return math.sqrt(x) + OFFSET",
    "%matplotlib inline\nenergies = [energy(n) for n in range(3)]",
)


def test_a_tidy_notebook_defines_what_nbconvert_says_it_defines(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# tidy"), *(new_code_cell(cell) for cell in CELLS)])
    nbformat.write(notebook, tmp_path / "work.ipynb")
    task = Task(id="t", title="t", module="work", names=("Config", "energy"))

    script, _ = PythonExporter().from_notebook_node(notebook)
    theirs: dict[str, object] = {"get_ipython": type("Shell", (), {"run_line_magic": lambda *_: None})}
    exec(script, theirs)
    ours: dict[str, object] = {}
    for chunk in prepare(tmp_path, (task,)).modules["work"]:
        exec(chunk.source, ours)

    assert ours["Config"](width=2).area() == theirs["Config"](width=2).area() == 6
    assert ours["energy"](9.0) == theirs["energy"](9.0) == 3.5
    assert "energies" not in ours, "top-level work is theirs to run, not ours"
