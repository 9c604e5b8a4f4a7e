"""A notebook that holds all tasks counts like the modules: the same names, the same code, the same outcomes."""

import ast
from pathlib import Path

import pytest

from grader.collect.notebook import prepare
from grader.course.model import Assignment, Task
from grader.course.source_names import defined_names
from grader.course.tree import CourseTree
from grader.examine.job import examine
from grader.examine.request import Work, new_request
from grader.pipeline import material_of
from grader.records import Examination, Prepared
from grader.starter_notebook import notebook_text

TREE = CourseTree.open(Path(__file__).parents[2])
FINISHED = {
    name: tuple(
        task
        for task in TREE.assignment(name).tasks
        if (TREE.reference_dir(name) / f"{task.module}.py").is_file()
    )
    for name in TREE.assignment_ids()
}
"""The tasks of each assignment that have a solution."""
PAIRS = [(name, task.id) for name, tasks in FINISHED.items() for task in tasks]
QUICK = {"steps": 30, "critic_steps": 2}
"""Of a training budget: both forms get the same short training, and outcomes are compared, not marked."""


def source_folders(name: str) -> dict[str, Path]:
    return {"starter": TREE.assignment_dir(name) / "starter", "reference": TREE.reference_dir(name)}


def notebook_of(assignment: Assignment, tasks: tuple[Task, ...], modules: Path, destination: Path) -> Path:
    """A repository that holds one notebook with the modules of these tasks, and nothing else."""
    destination.mkdir()
    chosen = assignment.model_copy(update={"tasks": tasks})
    pages = TREE.assignment_dir(assignment.id) / "handout"
    text = notebook_text(chosen, modules=modules, pages=pages)
    (destination / "everything.ipynb").write_text(text, encoding="utf-8")
    return destination


def test_there_are_solutions_to_compare():
    assert len(PAIRS) >= 2


@pytest.mark.parametrize("name", FINISHED)
@pytest.mark.parametrize("kind", ["starter", "reference"])
def test_a_notebook_defines_every_name_of_every_task(name, kind, tmp_path):
    assignment = TREE.assignment(name)
    tasks = FINISHED[name] if kind == "reference" else assignment.tasks
    modules = source_folders(name)[kind]
    prepared = prepare(notebook_of(assignment, tasks, modules, tmp_path / "work"), tasks)
    for task in tasks:
        theirs = definitions(prepared, task)
        assert set(task.names) <= set(theirs)
        assert theirs == definitions(prepare(modules, [task]), task), "a notebook changes no code"
    assert not prepared.repaired
    assert [note for note in prepared.notes if "not defined" in note or "no notebook" in note] == []


def definitions(prepared: Prepared, task: Task) -> dict[str, str]:
    """Functions and classes of a prepared module: name → code, without comments and places."""
    source = "\n".join(chunk.source for chunk in prepared.modules[task.module])
    found = [s for s in ast.parse(source).body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    return {statement.name: ast.dump(statement) for statement in found}


@pytest.mark.parametrize("name", FINISHED)
@pytest.mark.parametrize("kind", ["starter", "reference"])
def test_no_two_modules_use_one_name_for_two_things(name, kind):
    """Otherwise the later cell of a notebook would replace what an earlier task needs."""
    owners: dict[str, str] = {}
    meanings: dict[str, str] = {}
    for task in TREE.assignment(name).tasks:
        path = source_folders(name)[kind] / f"{task.module}.py"
        if not path.is_file():
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for imported, meaning in _imports(tree):
            assert meanings.setdefault(imported, meaning) == meaning, f"{path.name}: {imported}"
        for defined in defined_names(path) - {imported for imported, _ in _imports(tree)}:
            assert owners.setdefault(defined, path.name) == path.name, (
                f"{defined} is in {owners[defined]} too"
            )
    assert not set(owners) & set(meanings), "a name is imported in one module and defined in another"


def _imports(tree: ast.Module) -> list[tuple[str, str]]:
    """Name that an import at the top binds, and what it stands for."""
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            found += [
                (a.asname or a.name.partition(".")[0], a.name if a.asname else "") for a in statement.names
            ]
        elif isinstance(statement, ast.ImportFrom):
            found += [(a.asname or a.name, f"{statement.module}.{a.name}") for a in statement.names]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task_id"), PAIRS, ids=lambda value: value)
def test_both_forms_have_the_same_outcomes(name, task_id, tmp_path):
    assignment, modules = TREE.assignment(name), TREE.reference_dir(name)
    folder = notebook_of(assignment, FINISHED[name], modules, tmp_path / "work")
    by_notebook = examined(assignment, folder, prepare(folder, FINISHED[name]), task_id, tmp_path / "first")
    by_modules = examined(assignment, modules, prepare(modules, FINISHED[name]), task_id, tmp_path / "second")
    assert by_notebook.outcomes == by_modules.outcomes
    assert by_notebook.outcomes


def examined(
    assignment: Assignment, folder: Path, prepared: Prepared, task_id: str, out: Path
) -> Examination:
    out.mkdir()
    work = Work(team="team", folder=str(folder), prepared=prepared)
    material = material_of(TREE, assignment)
    quick = material.model_copy(update={"assignment": with_short_training(assignment)})
    request = new_request(
        work, quick, sandbox="fake", seed=assignment.seed, groups=("public",), tasks=(task_id,)
    )
    examination, _ = examine(request, out)
    return examination


def with_short_training(assignment: Assignment) -> Assignment:
    tasks = tuple(
        task.model_copy(update={"budget": {name: QUICK.get(name, v) for name, v in task.budget.items()}})
        for task in assignment.tasks
    )
    return assignment.model_copy(update={"tasks": tasks})
