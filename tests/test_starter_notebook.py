"""Starter notebooks are made of the starter modules: nothing is lost, and the same input gives the same bytes."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.starter import write_starter
from grader.starter_notebook import blocks_of, main, notebook_path, notebook_text, write_notebook

TREE = CourseTree.open(Path(__file__).parents[1])
ASSIGNMENTS = TREE.assignment_ids()

MODULE = '''"""What the module is.

More of it.
"""

import math

# used below
from dataclasses import dataclass

WIDTH = 3  # a constant
HEIGHT = 4


# a comment of the class
@dataclass
class Box:
    """A box."""

    size: int

    def __init__(self, config):
        raise NotImplementedError("Box")


def area(box):
    return box.size * WIDTH  # with a tail


if __name__ == "__main__":
    print(area(Box(None)))
'''


def code_cells(text):
    return [cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]


def test_a_module_is_cut_where_a_reader_would():
    docstring, blocks = blocks_of(MODULE, file="toy.py")
    assert docstring == "What the module is.\n\nMore of it."
    assert [block.name for block in blocks] == ["imports", "settings", "Box", "area", "main"]
    assert blocks[0].source == "import math\n\n# used below\nfrom dataclasses import dataclass"
    assert blocks[1].source == "WIDTH = 3  # a constant\nHEIGHT = 4"
    assert blocks[2].source.startswith("# a comment of the class\n@dataclass\nclass Box:")
    assert blocks[3].source.endswith("* WIDTH  # with a tail")


def test_a_module_that_is_not_python_is_named():
    with pytest.raises(ConfigurationError, match=r"toy\.py: not valid Python"):
        blocks_of("def f(:", file="toy.py")


@pytest.fixture
def toy(toy_tree):
    """The toy assignment, with a module of several blocks and a page."""
    assignment = toy_tree.assignment("t1")
    task = assignment.tasks[0].model_copy(
        update={"id": "box", "module": "box", "names": ("Box", "area"), "config": {"size": 3}}
    )
    folder = toy_tree.assignment_dir(assignment.id)
    (folder / "starter" / "box.py").write_text(MODULE, encoding="utf-8")
    (folder / "handout").mkdir()
    (folder / "handout" / "box.md").write_text("# Boxes\n\nTheory.\n\n## Budget\n\nNone.\n", encoding="utf-8")
    return assignment.model_copy(update={"tasks": (task,)}), folder


def text_of(toy):
    assignment, folder = toy
    return notebook_text(assignment, modules=folder / "starter", pages=folder / "handout")


def test_every_part_has_its_cell_under_an_id_that_stays(toy):
    notebook = nbformat.reads(text_of(toy), as_version=4)
    assert [cell.id for cell in notebook.cells] == [
        "welcome",
        "box-page-0",
        "box-page-1",
        "box-module",
        "box-code-imports",
        "box-code-settings",
        "box-code-Box",
        "box-code-area",
        "box-try-it",
    ]
    assert notebook.cells[2].source == "## Budget\n\nNone."
    assert notebook.cells[-1].source.startswith(
        "# Try it: this cell is yours, and nothing in it is graded.\nif "
    )
    assert text_of(toy) == text_of(toy)


def test_without_a_script_the_settings_are_there_to_try(toy):
    assignment, folder = toy
    source = MODULE.partition("if __name__")[0]
    (folder / "starter" / "box.py").write_text(source, encoding="utf-8")
    assert code_cells(text_of(toy))[-1].source.splitlines()[1:] == [
        "from types import SimpleNamespace",
        "",
        "box_config = SimpleNamespace(size=3)",
        "",
        "# Box(box_config)",
        "# !grader check --task box",
    ]
    many = assignment.tasks[0].model_copy(update={"config": {f"a_long_name_{i}": i for i in range(9)}})
    wide = text_of((assignment.model_copy(update={"tasks": (many,)}), folder))
    assert "box_config = SimpleNamespace(\n    a_long_name_0=0,\n" in code_cells(wide)[-1].source


def test_a_module_that_is_missing_is_named(toy):
    assignment, folder = toy
    (folder / "starter" / "box.py").unlink()
    with pytest.raises(ConfigurationError, match=r"box\.py: missing file"):
        text_of((assignment, folder))


def test_the_command_writes_what_it_names(toy_tree, monkeypatch, capsys):
    monkeypatch.chdir(toy_tree.root)
    assert main(["t1"]) == 0
    path = notebook_path(toy_tree, toy_tree.assignment("t1"))
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes() == write_notebook(toy_tree, "t1").read_bytes()


# The notebooks of the course


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_notebook_of_the_course_is_current(name):
    assignment, folder = TREE.assignment(name), TREE.assignment_dir(name)
    path = notebook_path(TREE, assignment)
    text = notebook_text(assignment, modules=folder / "starter", pages=folder / "handout")
    assert path.read_text(encoding="utf-8") == text, f"run python -m grader.starter_notebook {name}"


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_cells_hold_the_code_of_the_modules(name):
    assignment, folder = TREE.assignment(name), TREE.assignment_dir(name)
    text = notebook_text(assignment, modules=folder / "starter", pages=folder / "handout")
    for task in assignment.tasks:
        module = ast.parse((folder / "starter" / f"{task.module}.py").read_text(encoding="utf-8"))
        body = module.body[1:] if ast.get_docstring(module) else module.body
        cells = [c.source for c in code_cells(text) if c.id.startswith(f"{task.id}-code-")]
        ours = ast.parse("\n".join(cells)).body
        scripts = [s for s in body if isinstance(s, ast.If)]
        assert [ast.dump(s) for s in ours] == [ast.dump(s) for s in body if s not in scripts]
        for script in scripts:
            (tried,) = [c.source for c in code_cells(text) if c.id == f"{task.id}-try-it"]
            assert ast.dump(ast.parse(tried).body[0]) == ast.dump(script)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_notebook_renders(name):
    page, _ = HTMLExporter().from_filename(str(notebook_path(TREE, TREE.assignment(name))))
    for task in TREE.assignment(name).tasks:
        for defined in task.names:
            assert defined in page


# What students get


def test_a_notebook_comes_without_modules_that_would_count_in_its_place(toy_tree, tmp_path):
    write_notebook(toy_tree, "t1")
    write_starter(toy_tree, "t1", tmp_path / "mine", form="notebook")
    files = {path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*")}
    assert {"grading.toml", "assignment/assignment.toml", "assignment/checks/public"} <= files
    at_the_top = [name for name in files if "/" not in name]
    assert [name for name in at_the_top if name.endswith(".py")] == []
    assert sum(name.endswith(".ipynb") for name in at_the_top) == 1


def test_without_a_notebook_the_remedy_is_named(toy_tree, tmp_path):
    with pytest.raises(ConfigurationError, match=r"python -m grader\.starter_notebook writes it"):
        write_starter(toy_tree, "t1", tmp_path / "mine", form="notebook")


def test_modules_come_without_the_notebook(toy_tree, tmp_path):
    write_notebook(toy_tree, "t1")
    write_starter(toy_tree, "t1", tmp_path / "mine")
    assert list((tmp_path / "mine").rglob("*.ipynb")) == []
    assert (tmp_path / "mine" / "counting.py").is_file()
