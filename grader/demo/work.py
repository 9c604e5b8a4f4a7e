"""A demo student in; the files of the repository, as modules, notebooks or the unfilled starter, out."""

from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.course.edits import edited
from grader.demo.roster import DemoStudent, Form

README = """# Deep Generative Models: my assignments

Folders `a1` and `a3`. Run `pip install -r requirements.txt`, then see the handouts.
"""


FIRST_FILES = MappingProxyType({"README.md": README, "requirements.txt": "torch\nnumpy\n"})
"""What everybody commits first."""


def task_files(student: DemoStudent, *, module: str, folder: str, starter: Path) -> dict[str, str]:
    """The files of one assignment's folder in the student's repository.

    Args:
        student: whose.
        module: 'transformer' or 'vae'.
        folder: where in the repository.
        starter: the assignment's starter folder.
    """
    settings = {f"{folder}/grading.toml": (starter / "grading.toml").read_text(encoding="utf-8")}
    if student.form is Form.STARTER:
        source = (starter / f"{module}.py").read_text(encoding="utf-8")
        return settings | {f"{folder}/{module}.py": source}
    source = source_of(student, module)
    if student.form is Form.NOTEBOOK:
        return settings | {f"{folder}/Assignment ({module}) final.ipynb": notebook_of(source, module)}
    return settings | {f"{folder}/{module}.py": source}


def source_of(student: DemoStudent, module: str) -> str:
    """The student's module: the common file with the student's edits and signature."""
    source = (files("grader.demo") / "students" / f"{module}.py").read_text(encoding="utf-8")
    changed = edited(source, student.edits(module), file=f"{student.handle}, {module}.py")
    return f"# {student.handle}\n{changed}"


def notebook_of(source: str, module: str) -> str:
    """The same code as it looks in a notebook that was never meant to be imported."""
    definitions = source.split("\n\n\n")
    cells = [
        new_markdown_cell(f"# {module} in Colab"),
        new_code_cell("from google.colab import drive\ndrive.mount('/content/drive')\n!pip install -q torch"),
        *(new_code_cell(definition) for definition in definitions),
        new_code_cell("%%time\nimport time\nfor epoch in range(10_000):\n    time.sleep(1)  # training"),
        new_code_cell("plt.plot(history)\n!ls -la"),
        new_code_cell("this cell was left unfinished ="),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return str(nbformat.writes(new_notebook(cells=cells)))
