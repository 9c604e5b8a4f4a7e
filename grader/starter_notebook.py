"""The starter modules and task pages of an assignment in, one notebook with all of it out. Nothing is run.

The modules are the one source: `python -m grader.starter_notebook a1 a2 a3` writes the notebooks anew, and
the same input gives the same bytes.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.course.model import Assignment, Task
from grader.course.scale import CPU
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError

FOLDER = "starter_notebook"
"""Folder of an assignment with the notebook that students may begin with instead of the modules."""

MAIN = "main"
"""Name of the block of a module that runs when it is run as a script."""

WELCOME = """# {title}

All programming tasks of this assignment in one notebook. Fill in every place that raises
`NotImplementedError`; keep the names, the signatures and the shapes, because they are the contract. Add cells
and helpers as you like, but give every helper a name of its own: all tasks share this notebook.

Hand it in {where}, with `grading.toml` beside it. What is graded are the functions
and classes; training at the top level of a cell is not run. Before you commit, restart the kernel, run all
cells, and give `grader check` in a terminal.
"""

TRY_IT = """# Try it: this cell is yours, and nothing in it is graded.
{body}"""


@dataclass(frozen=True)
class Block:
    """A stretch of a module: an import block, some constants, one function or one class."""

    name: str
    """Of the function or class; 'imports', 'settings' or 'main' for the others."""
    source: str


def notebook_path(tree: CourseTree, assignment: Assignment) -> Path:
    """Where the notebook of an assignment lies: starter_notebook/<its folder in a repository>.ipynb."""
    name = Path(assignment.folder).name or assignment.id
    return tree.assignment_dir(assignment.id) / FOLDER / f"{name}.ipynb"


def write_notebook(tree: CourseTree, assignment_id: str) -> Path:
    """Write the starter notebook of an assignment; returns its path.

    Raises:
        ConfigurationError: no such assignment, or a starter module is missing or not valid Python.
    """
    assignment = CourseTree(tree.root, CPU).assignment(assignment_id)
    path = notebook_path(tree, assignment)
    path.parent.mkdir(exist_ok=True)
    folder = tree.assignment_dir(assignment.id)
    path.write_text(
        notebook_text(assignment, modules=folder / "starter", pages=folder / "handout"), encoding="utf-8"
    )
    return path


def notebook_text(assignment: Assignment, *, modules: Path, pages: Path) -> str:
    """The notebook with the code of some modules: the starter's holes, or a solution.

    Args:
        assignment: with the tasks, in the order of the notebook.
        modules: folder with `<module>.py` of every task.
        pages: folder with `<task>.md` of those tasks that have a page.

    Raises:
        ConfigurationError: a module is missing or not valid Python.
    """
    where = f"in the folder `{assignment.folder}/` of your repository" if assignment.folder else "with Git"
    welcome = WELCOME.format(title=assignment.title, where=where)
    cells = [_markdown("welcome", welcome)]
    for task in assignment.tasks:
        cells += _task_cells(task, modules / f"{task.module}.py", pages / f"{task.id}.md")
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def blocks_of(source: str, *, file: str) -> tuple[str, tuple[Block, ...]]:
    """The docstring of a module, and the rest of it cut into blocks with the comments that stand before each.

    Raises:
        ConfigurationError: the source is not valid Python.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigurationError(f"{file}: not valid Python: {error}") from error
    docstring = ast.get_docstring(tree) or ""
    statements = tree.body[1:] if docstring else tree.body
    lines = source.splitlines()
    blocks: list[Block] = []
    done = (tree.body[0].end_lineno or 0) if docstring else 0
    for statement in statements:
        end = statement.end_lineno or statement.lineno
        name, written = _name_of(statement), "\n".join(lines[done:end])
        done = end
        if blocks and name == blocks[-1].name and name in {"imports", "settings"}:
            written = f"{blocks.pop().source}\n{written}"
        blocks.append(Block(name, written.strip("\n")))
    return docstring, tuple(blocks)


def _task_cells(task: Task, module: Path, page: Path) -> Iterator[NotebookNode]:
    if not module.is_file():
        raise ConfigurationError(f"{module}: missing file; the notebook is made of it")
    docstring, blocks = blocks_of(module.read_text(encoding="utf-8"), file=str(module))
    text = page.read_text(encoding="utf-8") if page.is_file() else f"# {task.title}\n"
    for number, section in enumerate(re.split(r"(?m)^(?=## )", text)):
        yield _markdown(f"{task.id}-page-{number}", section)
    if docstring:
        yield _markdown(f"{task.id}-module", f"## The code of task {task.id}\n\n{docstring}\n")
    used: dict[str, int] = {}
    for block in (block for block in blocks if block.name != MAIN):
        used[block.name] = used.get(block.name, 0) + 1
        again = f"-{used[block.name]}" if used[block.name] > 1 else ""
        yield _code(f"{task.id}-code-{block.name}{again}", block.source)
    yield _code(f"{task.id}-try-it", _try_it(task, blocks))


def _try_it(task: Task, blocks: tuple[Block, ...]) -> str:
    """What the module does as a script; else the task's settings, under names that no other task has."""
    script = next((block.source for block in blocks if block.name == MAIN), "")
    if script:
        return TRY_IT.format(body=script)
    settings = [
        _setting(f"{task.id}_{name}", values)
        for name, values in (("config", task.config), ("budget", task.budget))
        if values
    ]
    classes = [b.name for b in blocks if b.name in task.names and "__init__(self, config)" in b.source]
    ideas = [f"# {name}({task.id}_config)" for name in classes]
    lines = [
        "from types import SimpleNamespace",
        "",
        *settings,
        "",
        *ideas,
        f"# !grader check --task {task.id}",
    ]
    return TRY_IT.format(body="\n".join(lines if settings else lines[-1:]))


def _setting(name: str, values: Mapping[str, object]) -> str:
    parts = [f"{key}={value!r}" for key, value in values.items()]
    line = f"{name} = SimpleNamespace({', '.join(parts)})"
    if len(line) <= 100:
        return line
    return "\n".join([f"{name} = SimpleNamespace(", *(f"    {part}," for part in parts), ")"])


def _name_of(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return MAIN
    return "imports" if isinstance(statement, ast.Import | ast.ImportFrom) else "settings"


def _markdown(cell_id: str, text: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell(text.strip("\n"), id=_cell_id(cell_id))
    return cell


def _code(cell_id: str, source: str) -> NotebookNode:
    cell: NotebookNode = new_code_cell(source, id=_cell_id(cell_id))
    return cell


def _cell_id(text: str) -> str:
    """At most 64 letters, digits, '-' and '_': what the notebook format allows."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[:64]


def main(arguments: list[str]) -> int:
    """Write the notebooks of some assignments, of all where none is named."""
    tree = CourseTree.open()
    for name in arguments or tree.assignment_ids():
        sys.stdout.write(f"{write_notebook(tree, name)}\n")
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
